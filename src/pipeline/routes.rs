//! Failing routes, told by their own requests: the first pass counts which of a route's requests fail and not how many there
//! are, so that a route that fails whole and is asked for rarely is a small part of the site's.

use std::ops::Range;

use super::closer::look;
use super::edges::Room;
use super::streams::Search;
use crate::detect::{Finding, Merged, Sensitivity, Series, Signal, Slot, find_suspected_errors, stands_out};
use crate::inspect::{Watch, Window};
use crate::model::{Dimension, Timestamp};

/// Routes looked at, at most: those that speak for incidents, then the surest of those that are suspected.
const MOST_ROUTES: usize = 24;
/// Health is read for so long on either side, at least and at most, …
const BESIDE: (i64, i64) = (30, 2 * 3600);
/// … and for so many requests of the site, about.
const BESIDE_REQUESTS: f64 = 100_000.0;
/// With more requests of the site in it than this a finding is as sharp as it needs to be.
const MOST_REQUESTS: u64 = 400_000;
/// So many requests of the site are read again in all, about: on a busy one a few minutes around each route would be more
/// than the first pass read.
const MOST_IN_ALL: f64 = 2_000_000.0;
/// What is found in a route's own requests is what was suspected if they have this part of it in common.
const SAME: f64 = 0.3;
/// What is suspected and lasts less is a handful of failures that happened to come together.
const LEAST_SECONDS: i64 = 30;

/// A finding of a route whose own requests are asked for.
struct Asked {
    stream: usize,
    finding: Finding,
    /// The incident that it speaks for; `None` if it is only suspected.
    speaks_for: Option<usize>,
}

/// Tells incidents of routes again by the routes' own requests, and adds those suspected that these confirm.
pub(super) fn tell_routes(search: &mut Search, range: &Range<i64>, room: Room<'_>, sensitivity: Sensitivity) {
    let asked = ask(search);
    if asked.is_empty() {
        return;
    }
    let windows: Vec<Window> = asked.iter().map(|asked| window(search, asked, range)).collect();
    let found = look(room.candidates, &windows, room.tools, room.buffer, room.progress);
    let spans: Vec<(i64, i64)> = search.incidents.iter().map(|merged| merged.finding.span()).collect();
    let usual = share_outside(&search.site.series, &spans);
    let mut confirmed: Vec<(usize, Finding)> = Vec::new();
    for (Asked { stream, finding, speaks_for }, closeup) in asked.into_iter().zip(&found.closeups) {
        // what a route goes through with all others is told already, and tells nothing of what it usually does
        let others = search.incidents.iter().enumerate().filter(|(at, _)| speaks_for != Some(*at));
        let mut others: Vec<(i64, i64)> = others.map(|(_, merged)| merged.finding.span()).collect();
        others.sort_unstable();
        let own = closeup.requests.series().outside(&others);
        let told = find_suspected_errors(&own, finding.span(), usual, search.streams.len(), sensitivity);
        let meets_others = |told: &Finding| {
            others.iter().any(|(first, last)| *first <= told.end.second && told.start.second <= *last)
        };
        let told = told.into_iter().filter(|told| told.overlap(&finding) > 0 && !meets_others(told));
        if let Some(merged) = speaks_for.and_then(|at| search.incidents.get_mut(at)) {
            if let Some(told) = told.max_by_key(|told| told.overlap(&finding)) {
                merged.finding = told;
            }
            continue;
        }
        let is_confirmed = |told: &Finding| {
            // of a few requests that never failed it is not known that they never do
            let mut doubted = told.clone();
            doubted.baseline.error_share = told.baseline.error_share.max(usual);
            told.overlap(&finding) as f64 >= SAME * told.lasted_seconds() as f64
                && stands_out(&doubted, &own, &search.site.series, &spans)
        };
        confirmed.extend(told.filter(is_confirmed).map(|told| (stream, told)));
    }
    add(search, confirmed);
}

/// The routes that speak for incidents, and the suspected ones that meet none.
fn ask(search: &Search) -> Vec<Asked> {
    let is_route = |stream: usize| {
        let place = search.streams.get(stream).and_then(|stream| stream.place.as_ref());
        place.is_some_and(|(dimension, _)| *dimension == Dimension::Path)
    };
    let is_small = |finding: &Finding| finding.requests <= MOST_REQUESTS;
    let known = search.incidents.iter().enumerate().filter(|(_, merged)| {
        merged.finding.signal == Signal::Errors && is_route(merged.stream) && is_small(&merged.finding)
    });
    let known = known.map(|(at, merged)| Asked {
        stream: merged.stream,
        finding: merged.finding.clone(),
        speaks_for: Some(at),
    });
    let apart = |finding: &Finding| search.incidents.iter().all(|m| m.finding.overlap(finding) == 0);
    let is_worth = |(stream, finding): &&(usize, Finding)| {
        is_route(*stream) && is_small(finding) && finding.lasted_seconds() >= LEAST_SECONDS && apart(finding)
    };
    let suspected = search.suspects.iter().filter(is_worth).cloned();
    let mut suspected: Vec<Asked> =
        suspected.map(|(stream, finding)| Asked { stream, finding, speaks_for: None }).collect();
    suspected.sort_by(|a, b| b.finding.strength.total_cmp(&a.finding.strength).then(a.stream.cmp(&b.stream)));
    let mut left = MOST_IN_ALL;
    let is_affordable = |asked: &Asked| {
        let finding = &asked.finding;
        let beside = 2.0 * beside_seconds(finding) as f64 * finding.baseline.requests_per_second;
        let cost = finding.requests as f64 + beside;
        let affordable = cost <= left;
        left -= if affordable { cost } else { 0.0 };
        affordable
    };
    known.chain(suspected).take(MOST_ROUTES).filter(is_affordable).collect()
}

/// How far health is read on either side.
fn beside_seconds(finding: &Finding) -> i64 {
    #[allow(clippy::cast_possible_truncation, reason = "a float cast saturates")]
    let seconds = (BESIDE_REQUESTS / finding.baseline.requests_per_second.max(1e-9)) as i64;
    seconds.clamp(BESIDE.0, BESIDE.1)
}

/// Makes incidents of findings, the surest first, where there are none.
fn add(search: &mut Search, mut confirmed: Vec<(usize, Finding)>) {
    confirmed.sort_by(|(a_stream, a), (b_stream, b)| {
        b.strength.total_cmp(&a.strength).then(a_stream.cmp(b_stream)).then(a.span().cmp(&b.span()))
    });
    for (stream, finding) in confirmed {
        if search.incidents.iter().all(|merged| merged.finding.overlap(&finding) == 0) {
            let signals = vec![Signal::Errors];
            search.incidents.push(Merged { stream, finding, others: Vec::new(), signals, gave_up: false });
        }
    }
    search.incidents.sort_by_key(|merged| (merged.finding.start.second, merged.stream));
    search.keep_apart();
}

fn lies_in(spans: &[(i64, i64)], slot: &Slot) -> bool {
    spans.iter().any(|(first, last)| (*first..=*last).contains(&slot.second))
}

/// The share of requests that fail outside of some spans, first and last seconds.
fn share_outside(series: &Series, spans: &[(i64, i64)]) -> f64 {
    let outside = series.slots.iter().filter(|slot| !lies_in(spans, slot));
    let (requests, failures) = outside.fold((0u64, 0u64), |(requests, failures), slot| {
        (requests.saturating_add(slot.requests.into()), failures.saturating_add(slot.failures.into()))
    });
    failures as f64 / requests.max(1) as f64
}

/// What has to be read of a route.
fn window(search: &Search, asked: &Asked, range: &Range<i64>) -> Window {
    let finding = &asked.finding;
    let beside = beside_seconds(finding);
    let (first, last) = (finding.start.range.0, finding.end.range.1);
    let place = search.streams.get(asked.stream).and_then(|stream| stream.place.as_ref());
    Window {
        start: Timestamp::from_seconds(first.saturating_sub(beside).max(range.start)),
        end: Timestamp::from_seconds(last.saturating_add(beside).min(range.end)),
        watch: Watch::Requests,
        place: place.map(|(dimension, value)| (*dimension, value.raw().into())),
        ..Window::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_busy_routes_only_the_surest_are_read_again() {
        use crate::detect::{Audit, Baseline, Boundary, Effect};
        use crate::explain::Stream;
        let suspect = |strength: f64| {
            let edge = |second| Boundary { second, range: (second, second), open: false };
            Finding {
                signal: Signal::Errors,
                effect: Effect::Errors,
                start: edge(1000),
                end: edge(1060),
                baseline: Baseline { error_share: 0.0, requests_per_second: 5_000.0, window: None },
                requests: 300_000,
                failures: 9,
                dominant_status: Some(500),
                strength,
                dispersion: 1.0,
                levels: Vec::new(),
                confidence: 0.5,
                audit: Audit::default(),
            }
        };
        let route = Stream { place: Some((Dimension::Path, "/orders".into())), messages: false };
        let search = Search {
            site: crate::survey::SiteSeries::default(),
            streams: vec![Stream::default(), route],
            incidents: Vec::new(),
            suspects: [11.0, 15.0, 12.0, 14.0, 13.0].map(|strength| (1, suspect(strength))).to_vec(),
            blips: Vec::new(),
            bursts: Vec::new(),
            caveats: Vec::new(),
        };
        let asked = ask(&search);
        let strengths: Vec<f64> = asked.iter().map(|asked| asked.finding.strength).collect();
        assert_eq!(strengths, [15.0, 14.0, 13.0]);
    }

    #[test]
    fn what_lies_in_a_span_is_no_part_of_the_usual_share() {
        let slot = |second| Slot { second, requests: 2, failures: 1, clients: None };
        let slots = [vec![Slot { failures: 2, ..slot(9) }], (10..14).map(slot).collect()].concat();
        let series = Series { slots, slot_seconds: 1, ..Series::default() };
        assert!((share_outside(&series, &[(9, 9), (11, 12)]) - 0.5).abs() < 1e-9);
        assert!((share_outside(&series, &[]) - 0.6).abs() < 1e-9);
    }
}
