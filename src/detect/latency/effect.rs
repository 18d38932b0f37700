//! How many requests were slow, and how slow: the posterior over both, which are confounded.

#![allow(clippy::indexing_slicing, reason = "bins are rows of the axis, grid positions within the grid")]

use super::axis::{Axis, BINS, Counts, Shape};
use super::dispersion::Dispersion;
use super::validate::Scale;

/// Points of the grid in either direction; a first grid finds where the posterior lies, a second one resolves it.
const POINTS: usize = 24;
/// Shares of 0–1, a flat prior.
const SHARE_RANGE: (f64, f64) = (0.02, 1.0);
/// Slowdowns of 1.12–40, each ratio as likely as the next.
const SLOWDOWN_RANGE: (f64, f64) = (1.12, 40.0);
/// What lies so far below the mode, in nats, is left out of the second grid.
const NEGLIGIBLE_NATS: f64 = 12.0;
/// Mass of either distribution that is spread over all bins: no latency is impossible.
const STRAY: f64 = 0.002;
/// A long finding is compared with at most so many baselines along it.
const MOST_GROUPS: usize = 64;
/// The part of the slowed requests that a timeout left, at least.
const LEAST_SEEN: f64 = 0.01;
/// What a queue adds differs from one request to the next: most wait a little and some for long. The logarithm of such
/// slowdowns is taken to be exponential; these are the middles of equal parts of that, over its median.
const QUEUED: [f64; 12] = [0.061, 0.193, 0.337, 0.497, 0.678, 0.885, 1.126, 1.415, 1.777, 2.260, 3.0, 4.585];
/// What that must gain over one slowdown for all slow requests, in nats.
const QUEUED_NATS: f64 = 6.0;
/// Some kinds of requests are slowed less than others: logarithms of slowdowns over their median.
const SPREAD: [f64; 5] = [0.4, 0.7, 1.0, 1.3, 1.6];
/// What explains the latencies but for so many nats is believed as far as an interval goes.
const AS_LIKELY_NATS: f64 = 3.0;
/// Mass on either side of an interval.
const TAIL: f64 = 0.025;
/// The same in standard deviations.
const DEVIATIONS: f64 = 1.96;

/// However many requests, ln s is no better known than this: what would be normal now is guessed from hours away.
const SYSTEMATIC: f64 = 0.05;
/// Nor better than this part of the bin that the usual request lies in.
const SYSTEMATIC_OF_BIN: f64 = 0.25;
/// Nor is the share, by itself, better known than this.
const SYSTEMATIC_SHARE: f64 = 0.02;
/// A posterior that is still so high, against its mode, where all requests are slow may mean all.
const AT_BOUND: f64 = 0.1;

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

/// Evenly spaced values, each standing for a cell around it.
#[derive(Debug, Clone, Copy)]
struct Line {
    low: f64,
    high: f64,
}

impl Line {
    fn step(self) -> f64 {
        (self.high - self.low) / POINTS as f64
    }

    /// The middle of a cell; past the ends for positions outside.
    fn at(self, position: f64) -> f64 {
        self.low + (position + 0.5) * self.step()
    }

    fn values(self) -> [f64; POINTS] {
        std::array::from_fn(|index| self.at(index as f64))
    }

    /// The cells from `first` to `last` and one more on either side.
    fn around(self, first: usize, last: usize) -> Self {
        let low = (self.low + (first as f64 - 1.0) * self.step()).max(self.low);
        let high = (self.low + (last as f64 + 2.0) * self.step()).min(self.high);
        Self { low, high }
    }
}

type Surface = [[f64; POINTS]; POINTS];

/// Nats of each slowdown (rows) and share (columns).
fn surface(
    axis: &Axis,
    groups: &[(&Shape, Counts)],
    (slowdowns, points): (Line, &[f64]),
    shares: Line,
) -> Surface {
    let mut nats = [[0.0; POINTS]; POINTS];
    for (shape, counts) in groups {
        add_nats(axis, shape, counts, ((&slowdowns.values(), points), &shares.values()), &mut nats);
    }
    nats
}

/// How the slowdowns of the slow requests differ: that of all is the same, or each is at one of these points, over the
/// median in logarithms, as often as at the others.
type Points = &'static [f64];

/// What may have happened to the slow requests, with its nats, the one that is believed first. Only where some requests
/// never get slower is a queue looked for, as that is what they don't wait in: elsewhere its shape would stand in for slow
/// requests that are not like the others.
fn explanations(
    axis: &Axis,
    groups: &[(&Shape, Counts)],
    (slowdowns, shares): (Line, Line),
    dispersion: f64,
) -> Vec<(Points, Surface)> {
    let of = |points: Points| (points, surface(axis, groups, (slowdowns, points), shares));
    let mut found = vec![of(&[1.0]), of(&SPREAD)];
    let single = found.first().map_or(0.0, |(_, nats)| highest(nats));
    if axis.still().is_some() {
        found.push(of(&QUEUED));
        if found.last().is_some_and(|(_, nats)| highest(nats) > single + QUEUED_NATS * dispersion) {
            found.swap(0, 2);
        }
    }
    let believed = found.first().map_or(0.0, |(_, nats)| highest(nats));
    found.retain(|(_, nats)| highest(nats) >= believed - AS_LIKELY_NATS * dispersion);
    found
}

/// The posterior from the latencies in some slots, `first..=last`, each against the baseline of its time. Means are
/// tempered by what neighbouring requests have in common, intervals by what whole minutes have. How many requests are
/// slow depends on whether all are slowed alike, which nobody knows: the interval of the share holds what each explanation
/// that is as likely makes of it.
pub(super) fn posterior(
    scale: Scale<'_>,
    (first, last): (usize, usize),
    dispersion: Dispersion,
) -> Posterior {
    posterior_of(scale.record.axis, &groups(scale, first, last), dispersion)
}

/// The same from counts of requests, each against what is usual for these.
pub(super) fn posterior_of(axis: &Axis, groups: &[(&Shape, Counts)], dispersion: Dispersion) -> Posterior {
    let shares = Line { low: SHARE_RANGE.0, high: SHARE_RANGE.1 };
    let slowdowns = Line { low: SLOWDOWN_RANGE.0.ln(), high: SLOWDOWN_RANGE.1.ln() };
    let found = explanations(axis, groups, (slowdowns, shares), dispersion.far);
    // In a queue everybody waits: how many do so for too short a time to be seen depends on its shape alone.
    let queued = found.first().is_some_and(|(points, _)| points.len() == QUEUED.len());
    let mut explained = found
        .into_iter()
        .map(|(points, nats)| resolve(axis, groups, (points, &nats), (slowdowns, shares), dispersion));
    let movable = movable(axis, groups);
    let middle = groups.first().map_or(0, |(shape, _)| axis.bin_of(shape.quantile(axis, 0.5)));
    let coarse = SYSTEMATIC_OF_BIN * (axis.high(middle) - axis.low(middle));
    let Some((means, wide)) = explained.next() else {
        let none = (1.0, 1.0);
        return Posterior {
            share: 0.0,
            share_range: (0.0, 1.0),
            slowdown: 1.0,
            slowdown_range: none,
            effect: 0.0,
        };
    };
    let share = movable * means.share();
    let (share_low, share_high) = explained.fold(wide.share_range(), |(low, high), (_, other)| {
        let (other_low, other_high) = other.share_range();
        (low.min(other_low), high.max(other_high))
    });
    let (share_low, share_high) = (movable * share_low, movable * share_high);
    let requests: f64 = groups.iter().flat_map(|(_, counts)| counts).sum();
    // How many of these could get slower is a sample of those that do.
    let sampled = DEVIATIONS * (movable * (1.0 - movable) / requests.max(1.0)).max(0.0).sqrt();
    let systematic = SYSTEMATIC_SHARE.hypot(sampled);
    let ln_slowdown = means.ln_slowdown();
    let (slow_low, slow_high) = wide.ln_slowdown_range();
    let wider = |at: f64| (at - ln_slowdown).hypot(SYSTEMATIC).hypot(coarse);
    Posterior {
        share,
        share_range: (
            (share - (share - share_low).max(0.0).hypot(systematic)).max(0.0),
            if queued {
                movable + systematic
            } else {
                share + (share_high - share).max(0.0).hypot(systematic)
            }
            .min(1.0),
        ),
        slowdown: ln_slowdown.exp(),
        slowdown_range: (
            (ln_slowdown - wider(slow_low.min(ln_slowdown))).exp(),
            (ln_slowdown + wider(slow_high.max(ln_slowdown))).exp(),
        ),
        effect: movable * means.effect,
    }
}

/// The posteriors for means and for intervals, on a grid around what a first one found.
fn resolve(
    axis: &Axis,
    groups: &[(&Shape, Counts)],
    (points, nats): (Points, &Surface),
    (slowdowns, shares): (Line, Line),
    dispersion: Dispersion,
) -> (Marginals, Marginals) {
    let best = highest(nats);
    let near = |nats: &f64| (nats - best) / dispersion.far > -NEGLIGIBLE_NATS;
    let extent = |holds: &dyn Fn(usize) -> bool| {
        let first = (0..POINTS).find(|&index| holds(index)).unwrap_or(0);
        (first, (0..POINTS).rev().find(|&index| holds(index)).unwrap_or(POINTS - 1))
    };
    let rows = extent(&|row| nats[row].iter().any(near));
    let columns = extent(&|column| nats.iter().any(|row| near(&row[column])));
    let (slowdowns, shares) = (slowdowns.around(rows.0, rows.1), shares.around(columns.0, columns.1));
    let nats = surface(axis, groups, (slowdowns, points), shares);
    let of = |dispersion: f64| Marginals::of(&nats, slowdowns, shares, dispersion);
    (of(dispersion.near), of(dispersion.far))
}

fn highest(nats: &Surface) -> f64 {
    nats.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The posterior of either value alone.
struct Marginals {
    shares: Line,
    slowdowns: Line,
    by_share: [f64; POINTS],
    by_slowdown: [f64; POINTS],
    /// Mean of f·ln s.
    effect: f64,
}

impl Marginals {
    fn of(nats: &Surface, slowdowns: Line, shares: Line, dispersion: f64) -> Self {
        let best = highest(nats);
        let weights = nats.map(|row| row.map(|nats| ((nats - best) / dispersion).exp()));
        let total: f64 = weights.iter().flatten().sum();
        let (mut by_share, mut by_slowdown, mut effect) = ([0.0; POINTS], [0.0; POINTS], 0.0);
        for (slow, row) in weights.iter().enumerate() {
            for (at, weight) in row.iter().enumerate() {
                let weight = weight / total;
                by_share[at] += weight;
                by_slowdown[slow] += weight;
                effect += weight * shares.at(at as f64) * slowdowns.at(slow as f64);
            }
        }
        Self { shares, slowdowns, by_share, by_slowdown, effect }
    }

    fn share(&self) -> f64 {
        mean(&self.by_share, self.shares)
    }

    fn ln_slowdown(&self) -> f64 {
        mean(&self.by_slowdown, self.slowdowns)
    }

    fn ln_slowdown_range(&self) -> (f64, f64) {
        let (low, high) = quantiles(&self.by_slowdown, (TAIL, 1.0 - TAIL));
        (self.slowdowns.at(low), self.slowdowns.at(high))
    }

    /// 95 % of the shares: the central ones or, where everything may be slow, the highest.
    fn share_range(&self) -> (f64, f64) {
        let most = self.by_share.iter().copied().fold(0.0, f64::max);
        if self.shares.high >= SHARE_RANGE.1 && self.by_share[POINTS - 1] >= AT_BOUND * most {
            return (self.shares.at(quantiles(&self.by_share, (2.0 * TAIL, 1.0)).0), SHARE_RANGE.1);
        }
        let (low, high) = quantiles(&self.by_share, (TAIL, 1.0 - TAIL));
        (self.shares.at(low), self.shares.at(high))
    }
}

fn mean(weights: &[f64; POINTS], line: Line) -> f64 {
    weights.iter().zip(line.values()).map(|(weight, value)| weight * value).sum()
}

/// Counts of stretches that share a baseline.
fn groups(scale: Scale<'_>, first: usize, last: usize) -> Vec<(&Shape, Counts)> {
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
        // A queue is so much wider than any baseline that the smoother one does: it has fewer gaps.
        let queued = scale.record.axis.still().is_some();
        let shape = if queued { scale.normal.shape(middle) } else { scale.normal.sharp_shape(middle) };
        Some((shape, scale.record.counts(from..=until)))
    };
    cells.chunks(each).filter_map(group).collect()
}

fn add_nats(
    axis: &Axis,
    shape: &Shape,
    counts: &Counts,
    ((slowdowns, points), shares): ((&[f64; POINTS], &[f64]), &[f64; POINTS]),
    nats: &mut Surface,
) {
    let stray = |mass: f64| (1.0 - STRAY) * mass + STRAY / BINS as f64;
    for (row, middle) in nats.iter_mut().zip(slowdowns) {
        let shifts: Vec<f64> = points.iter().map(|point| middle * point).collect();
        let below = |latency: f64| {
            let sum: f64 = shifts.iter().map(|shift| shape.below_shifted(axis, latency, *shift)).sum();
            sum / shifts.len() as f64
        };
        // What would take longer than the longest request there is was cut off by a timeout.
        let seen = below(axis.longest()).max(LEAST_SEEN);
        for (bin, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0.0) {
            let moved = below(axis.high(bin)) - below(axis.low(bin));
            let (usual, moved) = (stray(shape.mass(bin)), stray(moved / seen));
            for (sum, share) in row.iter_mut().zip(shares) {
                *sum += count * (usual + share * (moved - usual)).ln();
            }
        }
    }
}

/// The part of the requests whose slowing can be seen, in the stretches' own shapes.
fn movable(axis: &Axis, groups: &[(&Shape, Counts)]) -> f64 {
    let requests = |counts: &Counts| counts.iter().sum::<f64>();
    let all: f64 = groups.iter().map(|(_, counts)| requests(counts)).sum();
    let moved: f64 = groups.iter().map(|(shape, counts)| shape.movable(axis) * requests(counts)).sum();
    if all > 0.0 { moved / all } else { 1.0 }
}

/// The positions on a grid, between its points, below which these masses lie.
fn quantiles(weights: &[f64; POINTS], (low, high): (f64, f64)) -> (f64, f64) {
    let at = |tail: f64| {
        let mut sum = 0.0;
        for (index, weight) in weights.iter().enumerate() {
            if sum + weight >= tail {
                return index as f64 - 0.5 + (tail - sum) / weight.max(f64::MIN_POSITIVE);
            }
            sum += weight;
        }
        POINTS as f64 - 0.5
    };
    (at(low), at(high))
}
