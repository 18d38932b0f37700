//! From slots to what is reported: windows, the slow share, how slow, levels, baseline, confidence.

#![allow(clippy::indexing_slicing, reason = "bins are rows of the axis")]

use super::axis::{BINS, Counts, Shape};
use super::dispersion::Dispersion;
use super::effect::{Posterior, posterior};
use super::emission::STATES;
use super::gate::{Candidate, LEAST_OF_PENALTY};
use super::load::{least_effect, rate};
use super::validate::Scale;
use crate::detect::boundary::Edge;
use crate::detect::finding::Context;
use crate::detect::{Audit, Baseline, Boundary, Effect, Finding, Gate, GateKind, Latencies, Level, Signal};

/// Neither drift nor load makes requests so many times slower: of such a slowdown fewer requests do, …
const FAR_SLOWER: f64 = 2.5;
/// … with this part of the effect.
const LEAST_EFFECT_OF_FAR: f64 = 0.6;
/// The usual request takes at least so many µs longer when it is one of the slow: what differs by a tick of a
/// millisecond clock is nobody's incident.
const LEAST_DELAY_US: f64 = 1000.0;
/// What lasts less than this …
const SHORT_SECONDS: i64 = 300;
/// … has so many slow requests even at the lower end of the interval of their share: a few may be one user's.
const LEAST_SLOW_SHORT: f64 = 5.0;
/// Nats against "it went on" that the requests beyond an edge must carry, or the edge is open.
const CLOSED_NATS: f64 = 3.0;
/// One request counts as at most so many for that: a handful must be seen.
const CLOSED_NATS_EACH: f64 = 0.7;

/// What all findings of a stream share.
pub(super) struct Frame<'a> {
    pub(super) scale: Scale<'a>,
    pub(super) dispersion: Dispersion,
    pub(super) context: Context<'a>,
}

/// The finding that a candidate amounts to between its edges; `None` if that is too little.
pub(super) fn describe(frame: &Frame<'_>, candidate: &Candidate, start: Edge, end: Edge) -> Option<Finding> {
    let scale = frame.scale;
    let stream = scale.record.stream;
    let inside = (start.slot, end.slot);
    let Posterior { share, share_range, slowdown, slowdown_range, effect } =
        posterior(scale, inside, frame.dispersion);
    let (usual, during) = latencies(scale, inside);
    let requests: f64 = (start.slot..=end.slot).map(|slot| stream.requests_at(slot)).sum();
    let lasted = stream.last_second(end.slot).saturating_sub(stream.second(start.slot));
    let (window, requests_per_second) = frame.context.comparison(start.slot, end.slot);
    let load = rate(stream, start.slot, end.slot) / requests_per_second;
    let least_effect = if slowdown >= FAR_SLOWER { LEAST_EFFECT_OF_FAR } else { 1.0 } * least_effect(load);
    if effect < least_effect || usual.median_us * (slowdown - 1.0) < LEAST_DELAY_US {
        return None;
    }
    if lasted < SHORT_SECONDS && share_range.0 * requests < LEAST_SLOW_SHORT {
        return None;
    }
    Some(Finding {
        signal: Signal::Latency,
        effect: Effect::Latency { share, share_range, slowdown, slowdown_range, usual, during },
        start: Boundary {
            second: stream.second(start.slot),
            range: start.range,
            open: is_open(scale, (0..start.slot).rev(), share),
        },
        end: Boundary {
            second: stream.last_second(end.slot),
            range: end.range,
            open: is_open(scale, end.slot + 1..stream.len(), share),
        },
        baseline: Baseline { error_share: 0.0, requests_per_second, window },
        requests: count(requests),
        failures: 0,
        dominant_status: None,
        strength: candidate.strength,
        dispersion: scale.dispersion,
        levels: levels(frame, candidate, inside),
        confidence: confidence(scale, candidate, effect),
        audit: Audit {
            penalty: scale.penalty,
            gates: vec![
                Gate {
                    what: GateKind::Strength,
                    value: candidate.strength,
                    needed: LEAST_OF_PENALTY * scale.penalty,
                },
                Gate { what: GateKind::Effect, value: effect, needed: least_effect },
            ],
            start_runner_up: start.runner_up,
            end_runner_up: end.runner_up,
            alone: None,
        },
    })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts, never negative")]
fn count(sum: f64) -> u64 {
    sum as u64
}

/// What latencies the baseline expects inside, and which there were.
fn latencies(scale: Scale<'_>, (first, last): (usize, usize)) -> (Latencies, Latencies) {
    let axis = scale.record.axis;
    let mut usual: Counts = [0.0; BINS];
    let mut cell = None;
    let mut requests = 0.0;
    for slot in first..=last {
        requests += scale.record.stream.requests_at(slot);
        let at = Some(scale.normal.cell_of(slot));
        if slot == last || at != cell {
            let shape = scale.normal.shape(slot);
            for (bin, sum) in usual.iter_mut().enumerate() {
                *sum += requests * shape.mass(bin);
            }
            (cell, requests) = (at, 0.0);
        }
    }
    let of = |counts: &Counts| {
        let shape = Shape::of(counts);
        Latencies { median_us: shape.quantile(axis, 0.5).exp(), p95_us: shape.quantile(axis, 0.95).exp() }
    };
    (of(&usual), of(&scale.record.counts(first..=last)))
}

/// The requests between an edge and the end of the data don't exclude that the finding went on through them.
fn is_open(scale: Scale<'_>, beyond: impl Iterator<Item = usize>, share: f64) -> bool {
    let mut reader = scale.reader();
    // Of the states with about this share the mildest says least.
    let column = STATES.iter().position(|state| state.share >= share - 0.15).unwrap_or(0);
    let mut nats = 0.0;
    for slot in beyond {
        let each = -reader.table(slot).expected[column];
        nats += scale.record.stream.requests_at(slot) * each.clamp(0.0, CLOSED_NATS_EACH);
        if nats >= CLOSED_NATS {
            return false;
        }
    }
    true
}

fn levels(frame: &Frame<'_>, candidate: &Candidate, (start, end): (usize, usize)) -> Vec<Level> {
    let runs: Vec<_> = candidate.chains.iter().flat_map(|chain| &chain.runs).collect();
    let stream = frame.scale.record.stream;
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
            start: stream.second(first),
            end: stream.last_second(last),
            share: posterior(frame.scale, (first, last), frame.dispersion).share,
        });
    }
    levels
}

/// How sure this is an incident: a logistic of the evidence in units of β, the sharper edge, and the effect. Weights set
/// by hand so that on simulated sites the rare false findings (weak ones, drift) rank lowest.
fn confidence(scale: Scale<'_>, candidate: &Candidate, effect: f64) -> f64 {
    let strength = (candidate.strength / scale.penalty).clamp(0.1, 5.0).ln();
    let logit = 1.5
        + 1.5 * strength
        + 0.03 * candidate.contrast().min(60.0)
        + 2.0 * (effect / 0.5).clamp(0.2, 1.0).ln();
    (1.0 / (1.0 + (-logit).exp())).clamp(0.0, 0.999)
}
