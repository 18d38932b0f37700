//! What latencies say for each state of slowness: the latency signal's [`Emission`].
//!
//! A state is a mixture: a share f of the requests takes s times as long, the others what they always take. A request
//! counts ln((1 − f) + f·q′/q) nats, where q and q′ are the masses of its category, a range between quantiles of the
//! local baseline, without and with a shift by ln s. Categories keep what one request can say finite: nobody knows
//! the far tail of a distribution.

#![allow(
    clippy::indexing_slicing,
    reason = "bins are rows of the axis, categories one more than their bounds"
)]

use super::axis::{Axis, Shape};
use super::normal::Normal;
use super::record::Record;
use crate::detect::segment::Emission;

/// A share of the requests and how many times slower these are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State {
    pub(super) share: f64,
    pub(super) slowdown: f64,
}

impl State {
    /// f·ln s: by how much the mean of the logarithm moves.
    pub(super) fn effect(self) -> f64 {
        self.share * self.slowdown.ln()
    }
}

const fn state(share: f64, slowdown: f64) -> State {
    State { share, slowdown }
}

/// f ∈ {0.3, 0.6, 1} × s ∈ {1.5, 2, 3, 5, 10} of an effect of at least 0.18, less is drift; and a few requests, those of
/// one host or upstream, that are many times slower.
pub(super) const STATES: [State; 17] = [
    state(0.3, 2.0),
    state(0.3, 3.0),
    state(0.3, 5.0),
    state(0.3, 10.0),
    state(0.6, 1.5),
    state(0.6, 2.0),
    state(0.6, 3.0),
    state(0.6, 5.0),
    state(0.6, 10.0),
    state(1.0, 1.5),
    state(1.0, 2.0),
    state(1.0, 3.0),
    state(1.0, 5.0),
    state(1.0, 10.0),
    state(0.15, 4.0),
    state(0.12, 6.0),
    state(0.1, 10.0),
];
/// The state whose nats measure the dispersion, (0.6, 1.5): nearest to what drift and noise amount to.
pub(super) const PROBE: usize = 4;

/// Quantiles of the baseline that separate the categories.
const QUANTILES: [f64; 12] = [0.04, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.96, 0.99];
const CATEGORIES: usize = QUANTILES.len() + 1;
/// Quantiles above which two sides of an edge are compared: the middle and two upper tails.
pub(super) const THRESHOLDS: [f64; 3] = [0.5, 0.8, 0.96];
/// A category's mass in a baseline, at least.
const LEAST_MASS: f64 = 1e-6;
/// A latency counts as at most so many times the lowest and highest per cent of the baseline, where means are taken.
const CLIPPED: f64 = 10.0;

/// Gains by bin, one column per state.
pub(super) type Gains<const N: usize> = Vec<[f64; N]>;

/// One baseline's categories.
#[derive(Debug, Clone)]
pub(super) struct Categories {
    bounds: [f64; CATEGORIES - 1],
    mass: [f64; CATEGORIES],
}

impl Categories {
    pub(super) fn of(axis: &Axis, shape: &Shape) -> Self {
        let bounds = QUANTILES.map(|quantile| shape.quantile(axis, quantile));
        Self { bounds, mass: masses(axis, shape, &bounds, 0.0) }
    }

    /// The part of a bin that lies in each category it touches.
    fn parts(&self, axis: &Axis, bin: usize) -> impl Iterator<Item = (usize, f64)> {
        let (low, high) = (axis.low(bin), axis.high(bin));
        let bounds = self.bounds;
        let first = bounds.partition_point(|&bound| bound <= low);
        let last = bounds.partition_point(|&bound| bound < high).max(first);
        (first..=last).map(move |category| {
            let from = category.checked_sub(1).map_or(low, |below| bounds[below].max(low));
            let until = bounds.get(category).map_or(high, |&bound| bound.min(high));
            (category, if high > low { (until - from) / (high - low) } else { 1.0 })
        })
    }

    /// Nats per request of each bin in each state; bins that don't occur have none.
    pub(super) fn gains<const N: usize>(&self, axis: &Axis, shape: &Shape, states: &[State; N]) -> Gains<N> {
        let mut nats = [[0.0; N]; CATEGORIES];
        // several states share a slowdown
        let mut shifted: Vec<(f64, [f64; CATEGORIES])> = Vec::with_capacity(N);
        for (column, state) in states.iter().enumerate() {
            let known = shifted.iter().find(|(slowdown, _)| slowdown.to_bits() == state.slowdown.to_bits());
            let slow =
                known.map_or_else(|| masses(axis, shape, &self.bounds, state.slowdown.ln()), |known| known.1);
            shifted.push((state.slowdown, slow));
            for (nats, (slow, mass)) in nats.iter_mut().zip(slow.iter().zip(&self.mass)) {
                nats[column] = (1.0 + state.share * (slow / mass - 1.0)).max(1e-9).ln();
            }
        }
        let mut gains = vec![[0.0; N]; axis.span().end];
        for bin in axis.span() {
            for (category, part) in self.parts(axis, bin) {
                for (sum, nats) in gains[bin].iter_mut().zip(&nats[category]) {
                    *sum += part * nats;
                }
            }
        }
        gains
    }
}

/// The mass in each category of a shape moved up by `shift`.
fn masses(axis: &Axis, shape: &Shape, bounds: &[f64; CATEGORIES - 1], shift: f64) -> [f64; CATEGORIES] {
    let mut masses = [0.0; CATEGORIES];
    let mut before = 0.0;
    for (mass, bound) in masses.iter_mut().zip(bounds) {
        let below = shape.below_shifted(axis, *bound, shift);
        *mass = (below - before).max(LEAST_MASS);
        before = below;
    }
    masses[CATEGORIES - 1] = (1.0 - before).max(LEAST_MASS);
    masses
}

/// What every step asks of the bins, for one cell of the baseline.
#[derive(Debug, Clone)]
pub(super) struct Table<const N: usize> {
    pub(super) gains: Gains<N>,
    /// Nats per healthy request in each state, below 0.
    pub(super) expected: [f64; N],
}

impl<const N: usize> Table<N> {
    pub(super) fn of(axis: &Axis, shape: &Shape, states: &[State; N]) -> Self {
        let gains = Categories::of(axis, shape).gains(axis, shape, states);
        let mut expected = [0.0; N];
        for (bin, row) in gains.iter().enumerate().skip(axis.span().start) {
            let mass = shape.mass(bin);
            for (sum, gain) in expected.iter_mut().zip(row) {
                *sum += mass * gain;
            }
        }
        Self { gains, expected }
    }
}

/// What two sides of an edge are compared by, for one cell of the baseline.
#[derive(Debug, Clone, Default)]
pub(super) struct Residuals {
    /// The part of each bin above each of [`THRESHOLDS`].
    pub(super) above: Vec<[f64; THRESHOLDS.len()]>,
    /// ln of the latency over the baseline's median, clipped.
    pub(super) residual: Vec<f64>,
}

impl Residuals {
    fn of(axis: &Axis, shape: &Shape) -> Self {
        let limits = THRESHOLDS.map(|quantile| shape.quantile(axis, quantile));
        let above = |bin| {
            limits.map(|limit| {
                let (low, high) = (axis.low(bin), axis.high(bin));
                if high > low { ((high - limit) / (high - low)).clamp(0.0, 1.0) } else { 0.0 }
            })
        };
        let median = shape.quantile(axis, 0.5);
        let least = shape.quantile(axis, 0.01) - CLIPPED.ln() - median;
        let most = shape.quantile(axis, 0.99) + CLIPPED.ln() - median;
        let residual = |bin| (axis.middle(bin) - median).clamp(least, most.max(least));
        let bins = 0..axis.span().end;
        Self { above: bins.clone().map(above).collect(), residual: bins.map(residual).collect() }
    }
}

/// Looks slots up in the table of their cell; slots are best asked for in order.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    pub(super) record: Record<'a>,
    normal: &'a Normal,
    table: Option<(u32, Table<{ STATES.len() }>)>,
    residuals: Option<(u32, Residuals)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(record: Record<'a>, normal: &'a Normal) -> Self {
        Self { record, normal, table: None, residuals: None }
    }

    pub(super) fn table(&mut self, slot: usize) -> &Table<{ STATES.len() }> {
        let cell = self.normal.cell_of(slot);
        let known = self.table.take().filter(|(of, _)| *of == cell);
        let table = || Table::of(self.record.axis, self.normal.shape(slot), &STATES);
        &self.table.insert(known.unwrap_or_else(|| (cell, table()))).1
    }

    pub(super) fn residuals(&mut self, slot: usize) -> &Residuals {
        let cell = self.normal.cell_of(slot);
        let known = self.residuals.take().filter(|(of, _)| *of == cell);
        let residuals = || Residuals::of(self.record.axis, self.normal.shape(slot));
        &self.residuals.insert(known.unwrap_or_else(|| (cell, residuals()))).1
    }

    /// Adds the slot's nats in each state, φ not yet divided out.
    pub(super) fn add_gains(&mut self, slot: usize, sums: &mut [f64; STATES.len()]) {
        self.add_gains_of(slot, self.record.bins_at(slot), sums);
    }

    /// The same of (row of the axis, count), by the baseline of a slot.
    pub(super) fn add_gains_of(
        &mut self,
        slot: usize,
        bins: impl Iterator<Item = (usize, f64)>,
        sums: &mut [f64; STATES.len()],
    ) {
        let table = self.table(slot);
        for (bin, count) in bins {
            for (sum, gain) in sums.iter_mut().zip(&table.gains[bin]) {
                *sum += count * gain;
            }
        }
    }
}

/// Gain per slot: Σ over its requests of ln((1 − f) + f·q′/q), divided by φ.
pub(super) struct Slow<'a> {
    reader: Reader<'a>,
    dispersion: f64,
    /// Slots to search, if not all are.
    worth: Option<Vec<bool>>,
}

impl<'a> Slow<'a> {
    pub(super) fn new(
        record: Record<'a>,
        normal: &'a Normal,
        dispersion: f64,
        worth: Option<Vec<bool>>,
    ) -> Self {
        Self { reader: Reader::new(record, normal), dispersion, worth }
    }
}

impl Emission for Slow<'_> {
    fn slots(&self) -> usize {
        self.reader.record.len()
    }

    fn levels(&self) -> usize {
        STATES.len()
    }

    fn gains(&mut self, slot: usize, out: &mut [f64]) {
        let mut sums = [0.0; STATES.len()];
        self.reader.add_gains(slot, &mut sums);
        for (gain, sum) in out.iter_mut().zip(&sums) {
            *gain = sum / self.dispersion;
        }
    }

    fn declines(&self, slot: usize) -> bool {
        self.worth.as_ref().is_some_and(|worth| worth.get(slot) == Some(&false))
    }

    fn breaks_before(&self, slot: usize) -> bool {
        self.reader.record.stream.breaks_before(slot)
    }
}
