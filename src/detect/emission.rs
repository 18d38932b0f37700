//! What failing requests say for each level of excess: the error signal's [`Emission`].

#![allow(
    clippy::indexing_slicing,
    reason = "one cell per slot and one rate per cell, by construction of the baseline"
)]

use super::baseline::Curve;
use super::segment::{Emission, MAX_LEVELS};
use super::stream::Stream;

/// Shares of requests that fail beyond the baseline, about 1.6 apart in odds at the low end: between two of
/// them little of a likelihood ratio is lost. Near 1 the nats per passed request grow so fast that 0.92 and 0.995 alone
/// would split a constant 97 % into many runs.
const LEVELS: [f64; 14] =
    [0.01, 0.016, 0.025, 0.04, 0.065, 0.1, 0.16, 0.25, 0.38, 0.55, 0.75, 0.92, 0.97, 0.995];
/// The same, and shares of all requests that one path of many comes to.
const FINE_LEVELS: [f64; 21] = [
    0.0001, 0.0002, 0.0004, 0.0008, 0.0015, 0.003, 0.0055, 0.01, 0.016, 0.025, 0.04, 0.065, 0.1, 0.16, 0.25,
    0.38, 0.55, 0.75, 0.92, 0.97, 0.995,
];
/// No level of a whole below this: less is not worth a report.
const LOWEST_LEVEL: f64 = 0.008;
/// No level below this part of the baseline: less is drift.
const LOWEST_OF_BASELINE: f64 = 0.5;

/// What the requests of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// Those that may fail: shares under a hundredth are not worth a report.
    Whole,
    /// Those of a whole of which only a part may fail: a path's failures against all of the site's requests.
    Part,
}

impl Grain {
    fn levels(self) -> &'static [f64] {
        match self {
            Self::Whole => &LEVELS,
            Self::Part => &FINE_LEVELS,
        }
    }

    fn lowest_level(self) -> f64 {
        match self {
            Self::Whole => LOWEST_LEVEL,
            Self::Part => 0.0,
        }
    }
}

/// Nats that a failed and a passed request count for, at one level and baseline.
pub(super) fn nats(level: f64, rate: f64, dispersion: f64) -> (f64, f64) {
    (failed_nats(level, rate, dispersion), passed_nats(level, dispersion))
}

fn failed_nats(level: f64, rate: f64, dispersion: f64) -> f64 {
    let rate = rate.clamp(1e-12, 1.0 - 1e-9);
    (level * (1.0 - rate) / rate).ln_1p() / dispersion
}

fn passed_nats(level: f64, dispersion: f64) -> f64 {
    (-level).ln_1p() / dispersion
}

/// Gain per slot: [k·ln(1 + f(1−p₀)/p₀) + (n−k)·ln(1−f)]/φ.
pub(super) struct Errors<'a> {
    stream: &'a Stream<'a>,
    curve: &'a Curve,
    dispersion: f64,
    grain: Grain,
    /// What a passed request counts for at each level.
    passed: [f64; MAX_LEVELS],
    /// The next two belong to this cell.
    cell: Option<u32>,
    /// Levels below this one may not be used.
    lowest: usize,
    /// What a failed request counts for, once one was seen.
    failed: Option<[f64; MAX_LEVELS]>,
}

impl<'a> Errors<'a> {
    pub(super) fn new(stream: &'a Stream<'a>, curve: &'a Curve, dispersion: f64, grain: Grain) -> Self {
        let mut passed = [0.0; MAX_LEVELS];
        for (passed, &level) in passed.iter_mut().zip(grain.levels()) {
            *passed = passed_nats(level, dispersion);
        }
        Self { stream, curve, dispersion, grain, passed, cell: None, lowest: 0, failed: None }
    }

    fn of_failed(&mut self, rate: f64) -> &[f64; MAX_LEVELS] {
        self.failed.get_or_insert_with(|| {
            let mut failed = [0.0; MAX_LEVELS];
            for (failed, &level) in failed.iter_mut().zip(self.grain.levels()).skip(self.lowest) {
                *failed = failed_nats(level, rate, self.dispersion);
            }
            failed
        })
    }
}

impl Emission for Errors<'_> {
    fn slots(&self) -> usize {
        self.stream.len()
    }

    fn levels(&self) -> usize {
        self.grain.levels().len()
    }

    fn gains(&mut self, slot: usize, out: &mut [f64]) {
        let (cell, rate) = (self.curve.cell_of(slot), self.curve.rate(slot));
        if self.cell != Some(cell) {
            self.cell = Some(cell);
            self.failed = None;
            let least = self.grain.lowest_level().max(rate * LOWEST_OF_BASELINE);
            self.lowest = self.grain.levels().partition_point(|&level| level < least);
        }
        let failures = self.stream.failures_at(slot);
        let passed = self.stream.requests_at(slot) - failures;
        for (gain, down) in out.iter_mut().zip(&self.passed) {
            *gain = passed * down;
        }
        if failures > 0.0 {
            for (gain, up) in out.iter_mut().zip(self.of_failed(rate)) {
                *gain += failures * up;
            }
        }
        let unused = self.lowest.min(out.len());
        out[..unused].fill(f64::NEG_INFINITY);
    }

    fn declines(&self, slot: usize) -> bool {
        self.stream.failures_at(slot) <= 0.0 && self.stream.requests_at(slot) > 0.0
    }

    fn breaks_before(&self, slot: usize) -> bool {
        self.stream.breaks_before(slot)
    }
}
