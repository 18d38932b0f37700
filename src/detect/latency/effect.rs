//! How many requests were slow, and how slow: the posterior over both, which are confounded.

#![allow(clippy::indexing_slicing, reason = "bins are rows of the axis, grid positions within the grid")]

use super::axis::{BINS, Counts, Shape};
use super::validate::Scale;

/// Shares 0.05, 0.1, …, 1, a flat prior.
const SHARES: usize = 20;
/// Slowdowns from 1.15 to 40 in equal ratios, each as likely as the next.
const SLOWDOWNS: usize = 25;
const SLOWDOWN_RANGE: (f64, f64) = (1.15, 40.0);
/// Mass of either distribution that is spread over all bins: no latency is impossible.
const STRAY: f64 = 0.002;
/// A long finding is compared with at most so many baselines along it.
const MOST_GROUPS: usize = 64;
/// Mass on either side of an interval.
const TAIL: f64 = 0.025;

/// Posterior means and 95 % intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Posterior {
    pub(super) share: f64,
    pub(super) share_range: (f64, f64),
    pub(super) slowdown: f64,
    pub(super) slowdown_range: (f64, f64),
    /// Mean of f·ln s, which is known better than either.
    pub(super) effect: f64,
}

fn share(index: usize) -> f64 {
    (index + 1) as f64 / SHARES as f64
}

fn ln_slowdown(index: usize) -> f64 {
    let (low, high) = (SLOWDOWN_RANGE.0.ln(), SLOWDOWN_RANGE.1.ln());
    low + (high - low) * index as f64 / (SLOWDOWNS - 1) as f64
}

/// The posterior from the latencies in some slots, `first..=last`, each against the baseline of its time.
pub(super) fn posterior(scale: Scale<'_>, (first, last): (usize, usize), dispersion: f64) -> Posterior {
    let mut nats = [[0.0; SHARES]; SLOWDOWNS];
    for (shape, counts) in groups(scale, first, last) {
        add_nats(scale, shape, &counts, &mut nats);
    }
    let best = nats.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights = nats.map(|row| row.map(|nats| ((nats - best) / dispersion).exp()));
    let total: f64 = weights.iter().flatten().sum();
    let mut by_share = [0.0; SHARES];
    let mut by_slowdown = [0.0; SLOWDOWNS];
    let mut effect = 0.0;
    for (slow, row) in weights.iter().enumerate() {
        for (at, weight) in row.iter().enumerate() {
            let weight = weight / total;
            by_share[at] += weight;
            by_slowdown[slow] += weight;
            effect += weight * share(at) * ln_slowdown(slow);
        }
    }
    let mean = |weights: &[f64], value: fn(usize) -> f64| -> f64 {
        weights.iter().enumerate().map(|(index, weight)| weight * value(index)).sum()
    };
    let (shares, slowdowns) = (quantiles(&by_share), quantiles(&by_slowdown));
    let between = |(low, high): (f64, f64), first: f64, last: f64, steps: usize| {
        let step = (last - first) / (steps - 1) as f64;
        let at = |position: f64| (first + step * position).clamp(first.min(last), last);
        (at(low), at(high))
    };
    let (low, high) =
        between(slowdowns, SLOWDOWN_RANGE.0.ln(), SLOWDOWN_RANGE.1.ln(), SLOWDOWNS);
    Posterior {
        share: mean(&by_share, share),
        share_range: between(shares, share(0), 1.0, SHARES),
        slowdown: mean(&by_slowdown, ln_slowdown).exp(),
        slowdown_range: (low.exp(), high.exp()),
        effect,
    }
}

/// Counts of stretches that share a baseline.
fn groups<'a>(scale: Scale<'a>, first: usize, last: usize) -> Vec<(&'a Shape, Counts)> {
    let mut cells: Vec<(usize, usize)> = Vec::new();
    for slot in first..=last {
        match cells.last_mut() {
            Some(cell) if scale.normal.cell_of(cell.0) == scale.normal.cell_of(slot) => cell.1 = slot,
            _ => cells.push((slot, slot)),
        }
    }
    let each = cells.len().div_ceil(MOST_GROUPS).max(1);
    let group = |cells: &[(usize, usize)]| {
        let (from, _) = *cells.first()?;
        let (_, until) = *cells.last()?;
        let (middle, _) = *cells.get(cells.len() / 2)?;
        Some((scale.normal.shape(middle), scale.record.counts(from..=until)))
    };
    cells.chunks(each).filter_map(group).collect()
}

fn add_nats(scale: Scale<'_>, shape: &Shape, counts: &Counts, nats: &mut [[f64; SHARES]; SLOWDOWNS]) {
    let axis = scale.record.axis;
    let stray = |mass: f64| (1.0 - STRAY) * mass + STRAY / BINS as f64;
    for (slow, row) in nats.iter_mut().enumerate() {
        let shift = ln_slowdown(slow);
        for (bin, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0.0) {
            let moved =
                shape.below(axis, axis.high(bin) - shift) - shape.below(axis, axis.low(bin) - shift);
            let (usual, moved) = (stray(shape.mass(bin)), stray(moved));
            for (at, sum) in row.iter_mut().enumerate() {
                let share = share(at);
                *sum += count * ((1.0 - share) * usual + share * moved).ln();
            }
        }
    }
}

/// The positions on a grid, between its points, beyond which the tails lie.
fn quantiles(weights: &[f64]) -> (f64, f64) {
    let at = |tail: f64| {
        let mut sum = 0.0;
        for (index, weight) in weights.iter().enumerate() {
            if sum + weight >= tail {
                return index as f64 - 0.5 + (tail - sum) / weight.max(f64::MIN_POSITIVE);
            }
            sum += weight;
        }
        weights.len() as f64 - 0.5
    };
    (at(TAIL), at(1.0 - TAIL))
}
