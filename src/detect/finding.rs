//! From slots to what is reported: windows, counts, levels, dominant status, baseline, confidence.

use std::collections::BTreeMap;

use super::boundary::{Edge, Side};
use super::dispersion::SUSPICIOUS;
use super::gate::{Candidate, buckets_in, busiest};
use super::mix::Mix;
use super::stream::{DOMINANT_PART, Stream, Sums};
use super::validate::Scale;
use super::{Audit, Baseline, Boundary, Effect, Finding, Level, Signal};

/// Excess failures next to an edge that decide which status the edge is about.
const EDGE_FAILURES: f64 = 40.0;
/// One client bucket with at least so many of them, and this part, is a storm of its own …
const STORM_FAILURES: u64 = 8;
/// See [`STORM_FAILURES`].
const STORM_PART: f64 = 0.5;
/// … unless it holds as much as this of the whole incident.
const STORM_PART_OF_ALL: f64 = 0.4;
/// … or others should fail so often next to the edge as they do in all of it …
const OTHERS_EXPECTED: f64 = 5.0;
/// … and this part of that is all they do.
const OTHERS_PART: f64 = 0.3;
/// Nats against "it went on" that the requests beyond an edge must carry, or the edge is open.
const CLOSED_NATS: f64 = 3.0;
/// The level counts as at most this much for that: a handful of requests must be seen.
const CLOSED_LEVEL: f64 = 0.5;
/// The comparison window is an hour, longer where that holds too few requests.
const WINDOWS_SECONDS: [u64; 3] = [3600, 4 * 3600, 24 * 3600];
/// Nothing further away is compared with.
const FARTHEST_SECONDS: u64 = 7 * 24 * 3600;
/// So many requests make a comparison.
const WINDOW_REQUESTS: f64 = 300.0;
/// And so many at the very least.
const FEWEST_REQUESTS: f64 = 10.0;

/// What all findings of a stream share.
pub(super) struct Context<'a> {
    pub(super) scale: Scale<'a>,
    mask: &'a [bool],
    /// Healthy failures by status.
    background: BTreeMap<u16, f64>,
    background_total: f64,
}

impl<'a> Context<'a> {
    pub(super) fn new(scale: Scale<'a>, mask: &'a [bool]) -> Self {
        let mut background = BTreeMap::new();
        let mut background_total = 0.0;
        for &(slot, status, count) in &scale.stream.series().statuses {
            let masked = usize::try_from(slot).ok().and_then(|slot| mask.get(slot)).copied();
            if masked == Some(false) {
                *background.entry(status).or_insert(0.0) += f64::from(count);
                background_total += f64::from(count);
            }
        }
        Self { scale, mask, background, background_total }
    }

    /// The part of the baseline's failures with this status, 0–1; never quite 0.
    fn background_part(&self, status: u16) -> f64 {
        let count = self.background.get(&status).copied().unwrap_or(0.0);
        ((count + 0.5) / (self.background_total + 1.0)).min(1.0)
    }

    /// The status with ≥ 70 % of the excess in some spans of slots.
    fn dominant(&self, spans: impl Iterator<Item = (usize, usize)>, sums: Sums) -> Option<u16> {
        let counts = self.scale.stream.by_status(spans);
        let (status, count) = counts.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        let usual = sums.expected * self.background_part(status);
        (count - usual >= DOMINANT_PART * sums.excess()).then_some(status)
    }

    /// The slots that hold the first (last) 40 excess failures of a run, and what they sum up to.
    fn near_edge(&self, (first, last): (usize, usize), side: Side) -> ((usize, usize), Sums) {
        let stream = self.scale.stream;
        let mut sums = Sums::default();
        let mut reached = match side {
            Side::Start => first,
            Side::End => last,
        };
        let mut take = |slot: usize| {
            sums.add(stream.requests_at(slot), stream.failures_at(slot), self.scale.curve.rate(slot));
            reached = slot;
            sums.excess() < EDGE_FAILURES
        };
        match side {
            Side::Start => _ = (first..=last).take_while(|&slot| take(slot)).count(),
            Side::End => _ = (first..=last).rev().take_while(|&slot| take(slot)).count(),
        }
        let near = match side {
            Side::Start => (first, reached),
            Side::End => (reached, last),
        };
        (near, sums)
    }

    /// The statuses of the first (last) failures of a run against those of the background: a restart ends an outage of
    /// 500s with 502s, and the end belongs to those.
    pub(super) fn mix_at_edge(&self, run: (usize, usize), side: Side) -> Option<Mix> {
        let (near, sums) = self.near_edge(run, side);
        let part = |(status, count)| (status, count, self.background_part(status));
        let counts: Vec<(u16, f64, f64)> =
            self.scale.stream.by_status([near]).into_iter().map(part).collect();
        Mix::fit(sums.requests, sums.base_rate(), &counts)
    }

    /// A client bucket that holds most of the failures next to an edge though not of the candidate: somebody's storm
    /// that happened to lead into an incident.
    pub(super) fn storm_at_edge(
        &self,
        run: (usize, usize),
        side: Side,
        candidate: &Candidate,
    ) -> Option<usize> {
        if candidate.clients_unknown {
            return None;
        }
        let ((first, last), sums) = self.near_edge(run, side);
        let near = buckets_in(self.scale.stream, first..=last);
        let (top, count) = busiest(&near)?;
        let part = |count: u64, of: &[u64; 16]| count as f64 / of.iter().sum::<u64>().max(1) as f64;
        let elsewhere = candidate.buckets.get(top).copied().unwrap_or(0);
        let little = part(elsewhere, &candidate.buckets) < STORM_PART_OF_ALL;
        (count >= STORM_FAILURES
            && part(count, &near) >= STORM_PART
            && (little || self.others_are_spared(candidate, elsewhere, (count, sums))))
        .then_some(top)
    }

    /// Next to an edge hardly any fail of those who do elsewhere in the candidate: all but the client that fails most, with so
    /// many failures in all, and so many of these near the edge.
    fn others_are_spared(&self, candidate: &Candidate, of_top: u64, (near_top, near): (u64, Sums)) -> bool {
        let runs = candidate.chains.iter().flat_map(|chain| &chain.runs);
        let all = self.scale.sums(runs.flat_map(|run| run.first..=run.last));
        let rest = |sums: Sums, top: u64| (sums.requests - top as f64, sums.failures - top as f64);
        let ((requests, failures), (near_requests, near_failures)) =
            (rest(all, of_top), rest(near, near_top));
        let expected = near_requests * failures / requests.max(1.0);
        expected >= OTHERS_EXPECTED && near_failures <= OTHERS_PART * expected
    }

    /// The healthy stretch before (else after) a finding, and its requests per second.
    pub(super) fn comparison(&self, first: usize, last: usize) -> (Option<(i64, i64)>, f64) {
        let stream = self.scale.stream;
        let before = self.healthy((0..first).rev(), stream.second(first));
        let found = match before {
            Some(found) if found.1 >= WINDOW_REQUESTS => Some(found),
            _ => {
                let after = self.healthy(last + 1..stream.len(), stream.last_second(last));
                match (before, after) {
                    (Some(before), Some(after)) => {
                        Some(if after.1 > 3.0 * before.1 { after } else { before })
                    }
                    (before, after) => before.or(after),
                }
            }
        };
        found.map_or((None, 0.0), |((from, until), requests)| {
            let seconds = until.saturating_sub(from).saturating_add(1).max(1) as f64;
            (Some((from, until)), requests / seconds)
        })
    }

    /// The nearest unbroken healthy stretch, walking away from a finding; its requests.
    fn healthy(&self, outward: impl Iterator<Item = usize>, edge: i64) -> Option<((i64, i64), f64)> {
        let stream = self.scale.stream;
        let mut range: Option<(i64, i64)> = None;
        let mut requests = 0.0;
        for slot in outward {
            let second = stream.second(slot);
            let distance = second.abs_diff(edge);
            if self.mask.get(slot).copied().unwrap_or(true) {
                if range.is_some() || distance > FARTHEST_SECONDS {
                    break;
                }
                continue;
            }
            let enough =
                WINDOWS_SECONDS.iter().any(|&window| distance > window && requests >= WINDOW_REQUESTS);
            if enough || distance > FARTHEST_SECONDS {
                break;
            }
            requests += stream.requests_at(slot);
            let last = stream.last_second(slot);
            range = Some(range.map_or((second, last), |(a, b)| (a.min(second), b.max(last))));
        }
        range.filter(|_| requests >= FEWEST_REQUESTS).map(|range| (range, requests))
    }
}

/// The finding that a candidate amounts to between its edges.
pub(super) fn describe(context: &Context<'_>, candidate: &Candidate, start: Edge, end: Edge) -> Finding {
    let stream = context.scale.stream;
    let inside = context.scale.sums(start.slot..=end.slot);
    let levels = levels(context.scale, candidate, start.slot, end.slot);
    let runs = candidate.chains.iter().flat_map(|chain| chain.runs.iter().map(|run| (run.first, run.last)));
    let mut excess = Sums::default();
    for (first, last) in runs.clone() {
        excess = excess.plus(context.scale.sums(first..=last));
    }
    let dominant = context.dominant(runs, excess);
    let (first_share, last_share) =
        (levels.first().map_or(0.0, |level| level.share), levels.last().map_or(0.0, |level| level.share));
    let (window, requests_per_second) = context.comparison(start.slot, end.slot);
    Finding {
        signal: Signal::Errors,
        effect: Effect::Errors,
        start: Boundary {
            second: stream.second(start.slot),
            range: start.range,
            open: is_open(stream, (0..start.slot).rev(), first_share),
        },
        end: Boundary {
            second: stream.last_second(end.slot),
            range: end.range,
            open: is_open(stream, end.slot + 1..stream.len(), last_share),
        },
        baseline: Baseline { error_share: inside.base_rate(), requests_per_second, window },
        requests: count(inside.requests),
        failures: count(inside.failures),
        dominant_status: dominant,
        strength: candidate.strength,
        dispersion: context.scale.dispersion,
        levels,
        confidence: confidence(context.scale, candidate, excess),
        audit: Audit {
            penalty: context.scale.penalty,
            gates: candidate.gates.clone(),
            start_runner_up: start.runner_up,
            end_runner_up: end.runner_up,
            alone: None,
        },
    }
}

/// The requests between an edge and the end of the data don't exclude that the finding went on through them.
fn is_open(stream: &Stream<'_>, beyond: impl Iterator<Item = usize>, share: f64) -> bool {
    let nats = -(-share.min(CLOSED_LEVEL)).ln_1p();
    let mut requests = 0.0;
    for slot in beyond {
        requests += stream.requests_at(slot);
        if requests * nats >= CLOSED_NATS {
            return false;
        }
    }
    true
}

fn levels(scale: Scale<'_>, candidate: &Candidate, start: usize, end: usize) -> Vec<Level> {
    let runs: Vec<_> = candidate.chains.iter().flat_map(|chain| &chain.runs).collect();
    let count = runs.len();
    let mut levels = Vec::with_capacity(count);
    for (index, run) in runs.into_iter().enumerate() {
        // The edges may lie a little outside of the runs that led to them.
        let first = if index == 0 { start } else { run.first.max(start) };
        let last = if index + 1 == count { end } else { run.last.min(end) };
        if first > last {
            continue;
        }
        levels.push(Level {
            start: scale.stream.second(first),
            end: scale.stream.last_second(last),
            share: scale.sums(first..=last).share(),
        });
    }
    levels
}

/// How sure this is an incident: a logistic of the evidence in units of β, the sharper edge, the clients that failed and
/// how far the rate is above the baseline. Weights set by hand so that on simulated sites, where nearly all findings
/// are true, the rare false ones (drift of a high background) rank lowest.
fn confidence(scale: Scale<'_>, candidate: &Candidate, excess: Sums) -> f64 {
    let strength = (candidate.strength / scale.penalty).clamp(0.1, 5.0).ln();
    let contrast = candidate.chains.iter().map(|chain| chain.contrast).fold(0.0, f64::max);
    let clients = candidate.buckets.iter().filter(|&&count| count > 0).count();
    let clients = if candidate.clients_unknown { 4.0 } else { clients.min(8) as f64 };
    let ratio = (excess.failures / excess.expected.max(1e-9) / 5.0).clamp(0.2, 1.0).ln();
    let overdispersed = if scale.dispersion >= SUSPICIOUS { -1.0 } else { 0.0 };
    let logit = 1.0
        + 1.5 * strength
        + 0.03 * contrast.min(60.0)
        + 0.2 * (clients - 4.0)
        + 2.5 * ratio
        + overdispersed;
    (1.0 / (1.0 + (-logit).exp())).clamp(0.0, 0.999)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts, never negative")]
fn count(sum: f64) -> u64 {
    sum as u64
}

/// A recording that fails from beginning to end: one incident, open at both ends, nothing to compare it with.
pub(super) fn whole_recording(stream: &Stream<'_>, penalty: f64) -> Option<Finding> {
    let mut failing = (0..stream.len()).filter(|&slot| stream.failures_at(slot) > 0.0);
    let first = failing.next()?;
    let last = failing.next_back().unwrap_or(first);
    let mut sums = Sums::default();
    for slot in first..=last {
        sums.add(stream.requests_at(slot), stream.failures_at(slot), 0.0);
    }
    let edge = |second| Boundary { second, range: (second, second), open: true };
    let (start, end) = (stream.second(first), stream.last_second(last));
    let failures = count(sums.failures);
    // Against one failure in a hundred, which no healthy site exceeds for long.
    let strength = Sums { expected: sums.requests * 0.01, ..sums }.llr();
    (strength >= penalty).then(|| Finding {
        signal: Signal::Errors,
        effect: Effect::Errors,
        start: edge(start),
        end: edge(end),
        baseline: Baseline { error_share: 0.0, requests_per_second: 0.0, window: None },
        requests: count(sums.requests),
        failures,
        dominant_status: stream.dominant_status((first, last)),
        strength,
        dispersion: 1.0,
        levels: vec![Level { start, end, share: sums.failures / sums.requests.max(1.0) }],
        confidence: 0.9,
        audit: Audit { penalty, ..Audit::default() },
    })
}
