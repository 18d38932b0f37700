//! What single requests tell of a slow finding: its edges, how many were slow and how slow, and whether the rest of the
//! site was as well. Each is compared with what is usual for its kind, which counts per second do not tell apart.

#![allow(clippy::indexing_slicing, reason = "positions within the requests, columns within the table")]

use std::collections::BTreeMap;

use super::dispersion::Dispersion;
use super::effect::{Posterior, posterior_of};
use super::kinds::Kinds;
use super::profile::locate;
use crate::detect::boundary::Side;
use crate::detect::{Effect, Finding};
use crate::model::MICROS;

/// A request as its line tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimedRequest {
    /// When it was written, in µs since the epoch.
    pub time_us: i64,
    /// How long it took, in µs.
    pub latency_us: u64,
    /// A hash of what it asked for: requests of one kind take about as long.
    pub kind: u64,
}

/// Requests in and around a finding, each ascending by time.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// Where all is well.
    pub healthy: &'a [TimedRequest],
    /// In it, and as far beyond its edges as these may lie; of a long one a sample.
    pub inside: &'a [TimedRequest],
    /// Requests of the site that are not of the finding's stream, where all is well and in it.
    pub rest: [&'a [TimedRequest]; 2],
    /// Around its start.
    pub start: &'a [TimedRequest],
    /// Around its end.
    pub end: &'a [TimedRequest],
}

/// An edge that was found among single requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharp {
    /// Which of the requests around it is the first (last) slow one.
    pub request: usize,
    /// 95 % interval of when that one was written, in seconds, both included.
    pub range: (i64, i64),
    /// Between which moments requests began (ceased) to be slow when they arrived, in µs since the epoch.
    pub changed: (i64, i64),
}

/// Healthy requests, at least, to tell what is usual.
const FEWEST_HEALTHY: usize = 60;
/// And slow ones.
const FEWEST_INSIDE: usize = 5;
/// Mass of either distribution that is spread over all bins: no latency is impossible.
const STRAY: f64 = 0.005;
/// How much slower slow requests are near an edge, against all of the finding, in powers.
pub(super) const SLOWDOWNS: [f64; 3] = [0.8, 1.0, 1.25];
/// Requests in a row whose nats are compared with what independent ones would scatter by, as seconds are elsewhere.
const GROUPS: [usize; 3] = [16, 64, 256];
/// What is hardly slower is told from healthy requests by nothing.
const LEAST_SLOWDOWN: f64 = 1.05;
/// No request says more than so many nats: of what a clump of them has in common nothing is known.
const MOST_NATS: f64 = 5.0;

/// What single requests tell of a slow finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Sharpened {
    /// How many were slow, and how slow.
    pub effect: Effect,
    /// Of how many requests that is told.
    pub requests: usize,
    /// Its start and its end, where these can be told.
    pub edges: Option<(Sharp, Sharp)>,
    /// The rest of the site was slow like its stream, rather than as ever.
    pub everywhere: bool,
    /// How long a request may take before it is rather one of the slow, in µs, by kind; and one of any other kind.
    pub slow_us: (BTreeMap<u64, u64>, u64),
}

/// What the requests in and around a slow finding tell of it; `None` where these are too few.
pub fn sharpen(finding: &Finding, beside: Beside<'_>) -> Option<Sharpened> {
    let Effect::Latency { usual, during, .. } = finding.effect else { return None };
    let inside = between(beside.inside, finding.start.second, finding.end.second);
    if beside.healthy.len() < FEWEST_HEALTHY || inside.len() < FEWEST_INSIDE {
        return None;
    }
    let kinds = Kinds::of(beside.healthy, &[beside.inside, beside.start, beside.end]);
    let (start, end) = (finding.start.second, finding.end.second);
    let told = |(start, end), dispersion| {
        posterior_of(&kinds.axis, &kinds.groups(between(beside.inside, start, end)), dispersion)
    };
    let rough = told((start, end), Dispersion::NONE);
    let dispersion = dispersion(&kinds, beside.healthy, rough.slowdown);
    let whole_seconds = beside.healthy.iter().all(|request| request.time_us % MICROS == 0);
    let likelihoods = Likelihoods::new(&kinds, rough.slowdown, dispersion.near);
    let edges = locate(&likelihoods, beside.start, Side::Start, whole_seconds).zip(locate(
        &likelihoods,
        beside.end,
        Side::End,
        whole_seconds,
    ));
    let second = |requests: &[TimedRequest], sharp: Sharp| {
        requests.get(sharp.request).map(|r| r.time_us.div_euclid(MICROS))
    };
    let (edges, (start, end)) = edges
        .and_then(|(first, last)| {
            Some(((first, last), (second(beside.start, first)?, second(beside.end, last)?)))
        })
        .filter(|(_, (start, end))| start <= end)
        .map_or((None, (start, end)), |(edges, span)| (Some(edges), span));
    let inside = between(beside.inside, start, end);
    let Posterior { share, share_range, slowdown, slowdown_range, .. } = told((start, end), dispersion);
    let [rest_healthy, rest_inside] = beside.rest;
    let rest_inside = between(rest_inside, start, end);
    let everywhere = rest_healthy.len() >= FEWEST_HEALTHY && {
        let kinds = Kinds::of(rest_healthy, &[rest_inside]);
        let ratios = ratios(&kinds, slowdown.max(LEAST_SLOWDOWN).ln());
        let nats = |request: &TimedRequest| {
            (share * (ratios[kinds.class(request)][kinds.row(request)] - 1.0)).ln_1p()
        };
        rest_inside.iter().map(nats).sum::<f64>() > 0.0
    };
    let mut all = [beside.healthy, rest_healthy].concat();
    all.sort_unstable();
    let slow_us = Kinds::of(&all, &[inside, rest_inside]).thresholds(slowdown);
    let effect = Effect::Latency { share, share_range, slowdown, slowdown_range, usual, during };
    Some(Sharpened { effect, requests: inside.len(), edges, everywhere, slow_us })
}

/// Those written in some seconds, both included.
fn between(requests: &[TimedRequest], start: i64, end: i64) -> &[TimedRequest] {
    let before =
        |second: i64| requests.partition_point(|request| request.time_us.div_euclid(MICROS) < second);
    requests.get(before(start)..before(end.saturating_add(1))).unwrap_or_default()
}

/// The masses of a bin without and with each slowdown, by class.
pub(super) struct Likelihoods<'a> {
    kinds: &'a Kinds,
    ratios: Vec<Vec<[f64; SLOWDOWNS.len()]>>,
    pub(super) dispersion: f64,
}

impl<'a> Likelihoods<'a> {
    fn new(kinds: &'a Kinds, slowdown: f64, dispersion: f64) -> Self {
        let ratios = SLOWDOWNS.map(|power| ratios(kinds, power * slowdown.max(LEAST_SLOWDOWN).ln()));
        let rows = ratios.first().map_or(0, Vec::len);
        let joined = (0..rows).map(|class| {
            let bins = ratios[0][class].len();
            (0..bins).map(|bin| std::array::from_fn(|at| ratios[at][class][bin])).collect()
        });
        Self { kinds, ratios: joined.collect(), dispersion }
    }

    /// How many times as likely the latency is of a slowed request.
    pub(super) fn of(&self, request: &TimedRequest) -> [f64; SLOWDOWNS.len()] {
        self.ratios[self.kinds.class(request)][self.kinds.row(request)]
    }
}

/// Mass of each bin when slower by `shift` over the usual mass, by class and bin.
fn ratios(kinds: &Kinds, shift: f64) -> Vec<Vec<f64>> {
    let axis = &kinds.axis;
    let stray = |mass: f64| (1.0 - STRAY) * mass + STRAY / axis.span().len() as f64;
    let of_shape = |shape: &super::axis::Shape| {
        let seen = shape.below_shifted(axis, axis.longest(), shift).max(0.01);
        (0..super::axis::BINS)
            .map(|bin| {
                let moved = shape.below_shifted(axis, axis.high(bin), shift)
                    - shape.below_shifted(axis, axis.low(bin), shift);
                (stray(moved / seen) / stray(shape.mass(bin))).clamp((-MOST_NATS).exp(), MOST_NATS.exp())
            })
            .collect()
    };
    kinds.shapes().iter().map(of_shape).collect()
}

/// φ: how much more alike neighbouring healthy requests are than independent ones, in what they say about the finding.
fn dispersion(kinds: &Kinds, healthy: &[TimedRequest], slowdown: f64) -> Dispersion {
    let ratios = ratios(kinds, slowdown.max(LEAST_SLOWDOWN).ln());
    let nats = |request: &TimedRequest| (0.5 + 0.5 * ratios[kinds.class(request)][kinds.row(request)]).ln();
    let nats: Vec<f64> = healthy.iter().map(nats).collect();
    let mean = nats.iter().sum::<f64>() / nats.len().max(1) as f64;
    let variance = nats.iter().map(|nats| (nats - mean).powi(2)).sum::<f64>() / nats.len().max(1) as f64;
    Dispersion::of_terms(GROUPS.map(|group| {
        let square = |group: &[f64]| {
            let sum: f64 = group.iter().map(|nats| nats - mean).sum();
            sum * sum / (group.len() as f64 * variance.max(1e-12))
        };
        nats.chunks_exact(group).map(square).collect()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Audit, Baseline, Boundary, Latencies, Level, Signal};

    const SECOND: i64 = MICROS;

    /// Slow requests between two seconds, both included, as counts per second tell them.
    fn finding((start, end): (i64, i64)) -> Finding {
        let edge = |second| Boundary { second, range: (second - 9, second + 9), open: false };
        let latencies = Latencies { median_us: 30e3, p95_us: 120e3 };
        Finding {
            signal: Signal::Latency,
            effect: Effect::Latency {
                share: 0.5,
                share_range: (0.2, 0.9),
                slowdown: 2.0,
                slowdown_range: (1.5, 4.0),
                usual: latencies,
                during: latencies,
            },
            start: edge(start),
            end: edge(end),
            baseline: Baseline { error_share: 0.0, requests_per_second: 2.0, window: None },
            requests: 600,
            failures: 0,
            dominant_status: None,
            strength: 100.0,
            dispersion: 1.0,
            levels: vec![
                Level { start, end: start + 99, share: 0.4 },
                Level { start: start + 100, end, share: 0.6 },
            ],
            confidence: 0.9,
            audit: Audit::default(),
        }
    }

    /// Two requests a second: of a quick kind around 10 ms, and of a slow one around 80 ms, times a factor that depends on
    /// when they arrive.
    fn requests(seconds: std::ops::Range<i64>, factor: impl Fn(i64, u64) -> f64) -> Vec<TimedRequest> {
        let mut state = 7u64;
        let mut unit = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut out = Vec::new();
        for second in seconds {
            for kind in [1, 2] {
                let normal = (0..6).map(|_| unit()).sum::<f64>() - 3.0;
                let usual = if kind == 1 { 10_000.0 } else { 80_000.0 };
                let latency = usual * (0.5 * normal).exp() * factor(second, kind);
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some ms")]
                let (within, latency_us) = ((unit() * 9e5) as i64, latency as u32);
                let time_us = second * SECOND + within + i64::from(latency_us);
                out.push(TimedRequest { time_us, latency_us: latency_us.into(), kind });
            }
        }
        out.sort_unstable();
        out
    }

    fn told(all: &[TimedRequest], rest: &[TimedRequest]) -> Sharpened {
        let finding = finding((1995, 2306));
        let healthy = between(all, 0, 1900);
        let beside = Beside {
            healthy,
            inside: between(all, 1900, 2400),
            rest: [between(rest, 0, 1900), between(rest, 1900, 2400)],
            start: between(all, 1900, 2200),
            end: between(all, 2100, 2400),
        };
        sharpen(&finding, beside).unwrap()
    }

    fn slow_from_2000_to_2300(second: i64, _: u64) -> f64 {
        if (2000..2300).contains(&second) { 3.0 } else { 1.0 }
    }

    #[test]
    fn edges_are_told_by_requests_that_are_slow_for_their_kind() {
        let all = requests(0..3000, slow_from_2000_to_2300);
        let sharpened = told(&all, &[]);
        let (first, last) = sharpened.edges.unwrap();
        let second = |requests: &[TimedRequest], sharp: Sharp| requests[sharp.request].time_us / SECOND;
        let (start, end) =
            (second(between(&all, 1900, 2200), first), second(between(&all, 2100, 2400), last));
        assert!((1999..=2002).contains(&start), "{start}");
        assert!((2297..=2300).contains(&end), "{end}");
        assert!(first.range.0 <= 2000 && first.range.1 >= 2000, "{first:?}");
        let Effect::Latency { share, slowdown, .. } = sharpened.effect else { panic!() };
        assert!(share > 0.9 && (2.6..3.4).contains(&slowdown), "{share} {slowdown}");
        assert!(!sharpened.everywhere);
    }

    #[test]
    fn what_is_slow_depends_on_what_was_asked() {
        let all = requests(0..3000, slow_from_2000_to_2300);
        let (by_kind, others) = told(&all, &[]).slow_us;
        assert!((14_000..21_000).contains(&by_kind[&1]), "{by_kind:?}");
        assert!((115_000..165_000).contains(&by_kind[&2]), "{by_kind:?}");
        assert!(by_kind[&1] < others && others < by_kind[&2], "{others}");
    }

    #[test]
    fn the_rest_of_the_site_is_slow_as_well_or_is_not() {
        let all = requests(0..3000, slow_from_2000_to_2300);
        assert!(told(&all, &requests(0..3000, slow_from_2000_to_2300)).everywhere);
        assert!(!told(&all, &requests(0..3000, |_, _| 1.0)).everywhere);
    }

    #[test]
    fn a_finding_told_again_keeps_the_proportions_of_its_levels() {
        let all = requests(0..3000, slow_from_2000_to_2300);
        let Sharpened { effect, requests, .. } = told(&all, &[]);
        let mut finding = finding((1995, 2306));
        (finding.start.second, finding.end.second) = (2000, 2299);
        finding.retell(effect, Some(requests));
        let Effect::Latency { share, .. } = finding.effect else { panic!() };
        assert_eq!(finding.requests, requests as u64);
        let levels: Vec<_> = finding.levels.iter().map(|level| (level.start, level.end)).collect();
        assert_eq!(levels, [(2000, 2094), (2095, 2299)]);
        assert!((finding.levels[0].share - 0.8 * share).abs() < 1e-9);
    }

    #[test]
    fn too_few_requests_tell_nothing() {
        let all = requests(1990..2310, slow_from_2000_to_2300);
        let beside = Beside { healthy: &all[..20], inside: &all, rest: [&[], &[]], start: &all, end: &all };
        assert_eq!(sharpen(&finding((2000, 2299)), beside), None);
    }
}
