//! Which runs of the best path are an abrupt change and not the drift of latency with load over the day.

#![allow(clippy::indexing_slicing, reason = "one entry per threshold and per state throughout")]

use super::emission::{Reader, STATES, State, THRESHOLDS};
use super::load::{least_effect, rate, usual_rate};
use super::normal::Normal;
use super::record::Record;
use crate::detect::segment::Run;
use crate::detect::validate::{Chain, Judged, chains_of, cut, merge_alike};

/// A run carries at least this part of the penalty β.
const LEAST_OF_PENALTY: f64 = 0.35;
/// Nats by which inside and outside differ at an edge.
const LEAST_CONTRAST: f64 = 6.0;
/// The same for a run with less than [`WEAK_EFFECT`]: what drift amounts to.
const LEAST_WEAK_CONTRAST: f64 = 12.0;
/// f·ln s: everything a third slower.
const WEAK_EFFECT: f64 = 0.3;
/// At such an edge the mean logarithm moves by so much …
const LEAST_STEP: f64 = 0.09;
/// … and by this part of what the whole run differs from the baseline.
const LEAST_STEP_OF_RUN: f64 = 0.4;
/// Lengths, to either side of an edge, over which latencies are compared.
const WINDOWS_SECONDS: [u64; 6] = [30, 60, 180, 600, 1800, 7200];
/// The last window, 2 h, is for streams with fewer requests than this in half an hour.
const SPARSE_REQUESTS: f64 = 60.0;

/// What runs are measured against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale<'a> {
    pub(super) record: Record<'a>,
    pub(super) normal: &'a Normal,
    pub(super) dispersion: f64,
    /// β, in nats.
    pub(super) penalty: f64,
}

/// Nats of some slots in each state, φ divided out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    nats: [f64; STATES.len()],
}

impl Evidence {
    /// The best state and its nats.
    pub(super) fn best(&self) -> (State, f64) {
        let mut best = (STATES[0], f64::NEG_INFINITY);
        for (&state, &nats) in STATES.iter().zip(&self.nats) {
            if nats > best.1 {
                best = (state, nats);
            }
        }
        best
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let mut nats = self.nats;
        for (sum, more) in nats.iter_mut().zip(&other.nats) {
            *sum += more;
        }
        Self { nats }
    }
}

impl<'a> Scale<'a> {
    pub(super) fn reader(&self) -> Reader<'a> {
        Reader::new(self.record, self.normal)
    }

    pub(super) fn evidence(&self, slots: impl Iterator<Item = usize>) -> Evidence {
        let mut reader = self.reader();
        let mut nats = [0.0; STATES.len()];
        for slot in slots {
            reader.add_gains(slot, &mut nats);
        }
        Evidence { nats: nats.map(|nats| nats / self.dispersion) }
    }
}

/// Chains cut down to what the data carries: weak or drifting runs fall off either end; a chain of nothing else is gone.
///
/// `by_load`: what the load explains is slow all the same. It is no baseline, though no incident either.
pub(super) fn validate(scale: Scale<'_>, runs: &[Run], by_load: bool) -> Vec<Chain> {
    let stream = scale.record.stream;
    let mut chains = chains_of(stream, runs);
    for chain in &mut chains {
        merge_like_runs(scale, &mut chain.runs);
    }
    cut(stream, &chains, |run, (lower, upper), chain| {
        let usual = if by_load {
            f64::INFINITY
        } else {
            usual_rate(stream, (chain.first(), chain.last()), (lower, upper))
        };
        judged(scale, run, (lower, upper), usual)
    })
}

/// What speaks for a run; it is weak if it is so little slower that drift may be all there is.
fn judged(scale: Scale<'_>, run: Run, (lower, upper): (usize, usize), usual: f64) -> Judged {
    let (state, nats) = scale.evidence(run.first..=run.last).best();
    let stream = scale.record.stream;
    let load = rate(stream, run.first, run.last) / usual;
    let by_load = state.effect() < least_effect(load);
    let weak = by_load || state.effect() < WEAK_EFFECT;
    if by_load || nats < LEAST_OF_PENALTY * scale.penalty {
        return Judged { run, contrast: None, weak };
    }
    let best = contrast(scale, run, lower, upper);
    let least = if weak { LEAST_WEAK_CONTRAST } else { LEAST_CONTRAST };
    Judged { run, contrast: (best >= least).then_some(best), weak }
}

/// Neighbouring runs that one state explains nearly as well become one: the grid may lie to either side of a constant
/// slowness, and the path hops between its two nearest states.
fn merge_like_runs(scale: Scale<'_>, runs: &mut Vec<Run>) {
    merge_alike(
        runs,
        |run| scale.evidence(run.first..=run.last),
        Evidence::plus,
        |evidence| evidence.best().1,
    );
}

/// Requests above each threshold of their own baseline, and the sum of their residuals.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    requests: f64,
    above: [f64; THRESHOLDS.len()],
    residual: f64,
}

impl Side {
    fn add(&mut self, reader: &mut Reader<'_>, slot: usize) {
        let bins = reader.record.bins_at(slot);
        let table = reader.residuals(slot);
        for (bin, count) in bins {
            self.requests += count;
            self.residual += count * table.residual[bin];
            for (sum, above) in self.above.iter_mut().zip(&table.above[bin]) {
                *sum += count * above;
            }
        }
    }

    fn mean(&self) -> f64 {
        self.residual / self.requests.max(1.0)
    }

    /// No slower than the run that it is an edge of: a blip there makes no abrupt change of a drift.
    fn at_most(mut self, run: &Self) -> Self {
        for (above, of_run) in self.above.iter_mut().zip(&run.above) {
            *above = above.min(of_run / run.requests.max(1.0) * self.requests);
        }
        self.residual = self.residual.min(run.mean() * self.requests);
        self
    }
}

/// The largest two-sample likelihood ratio, divided by φ, at either edge of a run.
fn contrast(scale: Scale<'_>, run: Run, lower: usize, upper: usize) -> f64 {
    let stream = scale.record.stream;
    let mut whole = Side::default();
    let mut reader = scale.reader();
    for slot in run.first..=run.last {
        whole.add(&mut reader, slot);
    }
    let at_start = at_edge(scale, &whole, (run.first..=run.last, (lower..run.first).rev()), |slot| {
        stream.second(slot).abs_diff(stream.second(run.first))
    });
    let at_end = at_edge(scale, &whole, ((run.first..=run.last).rev(), run.last + 1..upper), |slot| {
        stream.second(slot).abs_diff(stream.second(run.last))
    });
    at_start.max(at_end)
}

fn at_edge(
    scale: Scale<'_>,
    whole: &Side,
    (inside, outside): (impl Iterator<Item = usize>, impl Iterator<Item = usize>),
    distance: impl Fn(usize) -> u64,
) -> f64 {
    let (mut inside, mut outside) = (inside.peekable(), outside.peekable());
    let (mut reader_in, mut reader_out) = (scale.reader(), scale.reader());
    let (mut within, mut beyond) = (Side::default(), Side::default());
    let mut best = 0.0_f64;
    for reach in WINDOWS_SECONDS {
        if reach > 1800 && within.requests.min(beyond.requests) >= SPARSE_REQUESTS {
            break;
        }
        while let Some(slot) = inside.next_if(|&slot| distance(slot) < reach) {
            within.add(&mut reader_in, slot);
        }
        while let Some(slot) = outside.next_if(|&slot| distance(slot) <= reach) {
            beyond.add(&mut reader_out, slot);
        }
        best = best.max(two_sample(&within.at_most(whole), &beyond, whole));
    }
    best / scale.dispersion
}

/// Two samples, one share above a threshold or two: the larger of the binomial likelihood ratios over the thresholds; 0
/// unless the first sample is the slower by enough.
fn two_sample(a: &Side, b: &Side, whole: &Side) -> f64 {
    let least = LEAST_STEP.max(LEAST_STEP_OF_RUN * whole.mean());
    if a.requests <= 0.0 || b.requests <= 0.0 || a.mean() - b.mean() < least {
        return 0.0;
    }
    let mut best = 0.0_f64;
    for (&k, &l) in a.above.iter().zip(&b.above) {
        if k * b.requests <= l * a.requests {
            continue;
        }
        let both = (k + l) / (a.requests + b.requests);
        let term = |count: f64, of: f64, rate: f64| {
            if count > 0.0 && rate > 0.0 { count * (count / of / rate).ln() } else { 0.0 }
        };
        let side = |k: f64, n: f64| term(k, n, both) + term(n - k, n, 1.0 - both);
        best = best.max(side(k, a.requests) + side(l, b.requests));
    }
    best
}
