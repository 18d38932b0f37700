//! Where the bins of a latency histogram lie, and a distribution over them that can be shifted.
//!
//! Everything is in natural logarithms of µs, so that "s times slower" is a shift by ln s. Within a bin the mass is
//! spread evenly: a bin is a factor of 1.19 wide, and taken for a point it would jump whenever the baseline moves.

#![allow(clippy::indexing_slicing, reason = "bins are clamped to the axis, edges are one more than bins")]

use crate::detect::LatencySeries;

/// Bins of [`crate::model::Histogram`]: four per octave, from 1 µs to 2^36 µs.
pub(super) const BINS: usize = 144;
/// Counts (or masses) by bin.
pub(super) type Counts = [f64; BINS];

const PER_OCTAVE: usize = 4;
/// Clocks that tick in ms leave gaps between the lowest values: 1, 2, 3 ms. Within this many bins above the lowest value
/// (a factor of eight) a value stands for all that lies below the next one.
const COARSE_BINS: usize = 12;
/// And no gap is wider than this: from 1 ms to 2 ms there are three empty bins.
const WIDEST_GAP: usize = 5;
/// A latency of 0 was shorter than the tick; it is spread over this factor below the lowest other value.
const BELOW_TICK: f64 = 4.0;
/// Part of a bin's mass that its two neighbours share: a constant latency that drifts by a percent may change bins.
pub(super) const SMOOTHED: f64 = 0.4;
/// The same of what shares and slowdowns are told by: a baseline that is wider than the latencies were would pass slow
/// requests for more of them that are less slow.
pub(super) const SLIGHTLY_SMOOTHED: f64 = 0.1;

/// Bins beside those that occur that a healthy latency may lie in: a factor of two.
const SPAN_MARGIN: usize = 4;

/// Requests that take no time by the clock, files that a proxy has at hand, stay that fast whatever gets slow behind it.
/// They are told by a gap of so many bins (a factor of eight) above them …
const GAP_BINS: usize = 12;
/// … in which at most this part of the requests lies.
const MOST_IN_GAP: f64 = 0.02;
/// At least this part of the requests on either side of it.
const LEAST_BESIDE_GAP: f64 = 0.03;
/// Nor is that so where all is that fast in health: this part of the requests lies above the gap …
const LEAST_MOVABLE: f64 = 0.15;
/// … in three of four stretches of the recording, of which there are so many.
const STRETCHES: usize = 32;
/// Latencies of 0 that are cut off by such a gap lie this factor below the next ones.
const BELOW_GAP: f64 = 8.0;

/// The edges of the bins, as wide as the values of one series need them.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    edges: [f64; BINS + 1],
    longest: f64,
    /// Below it (in ln µs) no request can be seen to be slower.
    still: Option<f64>,
    /// The bins that occur, and some on either side.
    span: std::ops::Range<usize>,
    /// Bins that share mass with those beside them, ascending.
    shared: Vec<usize>,
}

/// The row of a bin, whatever a caller put into the series.
pub(super) fn row(bin: u8) -> usize {
    usize::from(bin).min(BINS - 1)
}

impl Axis {
    pub(super) fn of(series: &LatencySeries) -> Self {
        let mut edges = [0.0; BINS + 1];
        for (bin, edge) in edges.iter_mut().enumerate() {
            let (octave, quarter) = (bin / PER_OCTAVE, bin % PER_OCTAVE);
            *edge = octave as f64 * std::f64::consts::LN_2 + (quarter as f64 / PER_OCTAVE as f64).ln_1p();
        }
        let mut counts = [0.0; BINS];
        for &(bin, count) in &series.bins {
            counts[row(bin)] += f64::from(count);
        }
        let occupied: Vec<usize> = (0..BINS).filter(|&bin| counts[bin] > 0.0).collect();
        let still = last_still(&counts).filter(|&bin| is_mixed(series, bin));
        let lowest = occupied.iter().copied().find(|&bin| bin > 0).unwrap_or(0);
        for pair in occupied.windows(2) {
            let &[bin, next] = pair else { continue };
            if bin == 0 && still == Some(0) {
                let top = edges[next] - BELOW_GAP.ln();
                edges[1..next].fill(top);
                edges[0] = top - BELOW_TICK.ln();
            } else if bin == 0 && next > 1 {
                let tick = edges[next];
                edges[0] = tick - BELOW_TICK.ln();
                edges[1..next].fill(tick);
            } else if bin > 0 && bin <= lowest + COARSE_BINS && next - bin <= WIDEST_GAP {
                let end = edges[next];
                edges[bin + 1..next].fill(end);
            }
        }
        let longest = edges[occupied.last().map_or(BINS, |&bin| bin + 1)];
        let still = still.map(|bin| edges[bin + 1]);
        let span = occupied.first().map_or(0, |bin| bin.saturating_sub(SPAN_MARGIN))
            ..occupied.last().map_or(BINS, |bin| (bin + 1 + SPAN_MARGIN).min(BINS));
        // What lies apart stays apart.
        let apart = still.map_or(0, |still| edges.partition_point(|&edge| edge <= still));
        let shared = (apart..BINS).filter(|&bin| edges[bin + 1] > edges[bin]).collect();
        Self { edges, longest, still, span, shared }
    }

    /// The bins that occur, and some on either side: of no other one is anything asked, slot by slot.
    pub(super) fn span(&self) -> std::ops::Range<usize> {
        self.span.clone()
    }

    /// Below it (in ln µs) requests are as fast as ever while others are slow.
    pub(super) fn still(&self) -> Option<f64> {
        self.still
    }

    pub(super) fn low(&self, bin: usize) -> f64 {
        self.edges[bin]
    }

    pub(super) fn high(&self, bin: usize) -> f64 {
        self.edges[bin + 1]
    }

    /// The bin of a latency in ln µs.
    pub(super) fn bin_of(&self, latency: f64) -> usize {
        self.edges.partition_point(|&edge| edge <= latency).saturating_sub(1).min(BINS - 1)
    }

    /// Above all latencies of the series, in ln µs.
    pub(super) fn longest(&self) -> f64 {
        self.longest
    }

    /// ln µs.
    pub(super) fn middle(&self, bin: usize) -> f64 {
        f64::midpoint(self.edges[bin], self.edges[bin + 1])
    }

    /// A part of each bin's mass goes to the bins beside it.
    fn smoothed(&self, counts: &Counts, part: f64) -> Counts {
        let mut out = *counts;
        for &bin in &self.shared {
            out[bin] -= part * counts[bin];
        }
        let ends = [self.shared.first(), self.shared.last()];
        for &bin in ends.into_iter().flatten() {
            out[bin] += 0.5 * part * counts[bin];
        }
        for pair in self.shared.windows(2) {
            let &[low, high] = pair else { continue };
            out[low] += 0.5 * part * counts[high];
            out[high] += 0.5 * part * counts[low];
        }
        out
    }
}

/// The last bin of the requests that take no time, if there is a gap between these and all others.
fn last_still(counts: &Counts) -> Option<usize> {
    let total: f64 = counts.iter().sum();
    let sum = |bins: std::ops::Range<usize>| counts.get(bins).map_or(0.0, |bins| bins.iter().sum::<f64>());
    let least = LEAST_BESIDE_GAP * total;
    if total <= 0.0 || counts[0] < least {
        return None;
    }
    let lowest = (1..BINS).find(|&bin| counts[bin] > 0.0)?;
    // Where a clock ticks in seconds the lowest value is the tick, and nothing lies between it and its double.
    let is_tick = sum(lowest + 1..lowest + PER_OCTAVE) <= 0.0;
    if !is_tick && lowest > GAP_BINS {
        return Some(0);
    }
    (lowest..(lowest + COARSE_BINS).min(BINS)).find(|&bin| {
        let gap = bin + 1..(bin + 1 + GAP_BINS).min(BINS);
        let beyond = sum(gap.end..BINS);
        counts[bin] > 0.0 && sum(gap) <= MOST_IN_GAP * total && beyond >= least
    })
}

/// Most of the time there are requests above a bin.
fn is_mixed(series: &LatencySeries, still: usize) -> bool {
    let long = series.bins.len().div_ceil(STRETCHES).max(1);
    let mut above: Vec<f64> = series
        .bins
        .chunks(long)
        .map(|bins| {
            let sum = |holds: &dyn Fn(usize) -> bool| -> f64 {
                bins.iter().filter(|&&(bin, _)| holds(row(bin))).map(|&(_, count)| f64::from(count)).sum()
            };
            sum(&|bin| bin > still) / sum(&|_| true).max(1.0)
        })
        .collect();
    above.sort_by(f64::total_cmp);
    above.get(above.len() / 4).is_some_and(|&part| part >= LEAST_MOVABLE)
}

/// A distribution of latencies.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Mass below each edge, ascending from 0 to 1.
    below: [f64; BINS + 1],
}

impl Shape {
    /// The distribution of some counts; everything in the lowest bin if there are none.
    pub(super) fn of(counts: &Counts) -> Self {
        let mut below = [0.0; BINS + 1];
        let mut sum = 0.0;
        for (bin, &count) in counts.iter().enumerate() {
            sum += count.max(0.0);
            below[bin + 1] = sum;
        }
        for edge in below.iter_mut().skip(1) {
            *edge = if sum > 0.0 { *edge / sum } else { 1.0 };
        }
        Self { below }
    }

    /// The same, with a part of each bin's mass beside it.
    pub(super) fn smoothed(axis: &Axis, counts: &Counts, part: f64) -> Self {
        Self::of(&axis.smoothed(counts, part))
    }

    pub(super) fn mass(&self, bin: usize) -> f64 {
        self.below[bin + 1] - self.below[bin]
    }

    /// The mass below a latency in ln µs.
    pub(super) fn below(&self, axis: &Axis, latency: f64) -> f64 {
        let above = axis.edges.partition_point(|&edge| edge <= latency);
        let Some(bin) = above.checked_sub(1) else { return 0.0 };
        if bin >= BINS {
            return 1.0;
        }
        let part = (latency - axis.low(bin)) / (axis.high(bin) - axis.low(bin));
        self.below[bin] + part * self.mass(bin)
    }

    /// The mass below a latency once what can get slower is slower by `shift`.
    pub(super) fn below_shifted(&self, axis: &Axis, latency: f64, shift: f64) -> f64 {
        match axis.still {
            Some(still) if latency <= still => self.below(axis, latency),
            Some(still) => self.below(axis, (latency - shift).max(still)),
            None => self.below(axis, latency - shift),
        }
    }

    /// The part of the requests whose slowing can be seen.
    pub(super) fn movable(&self, axis: &Axis) -> f64 {
        1.0 - axis.still.map_or(0.0, |still| self.below(axis, still))
    }

    /// The latency in ln µs below which a share of 0–1 lies.
    pub(super) fn quantile(&self, axis: &Axis, share: f64) -> f64 {
        let above = self.below.partition_point(|&mass| mass < share);
        let bin = above.saturating_sub(1).min(BINS - 1);
        let mass = self.mass(bin);
        let part = if mass > 0.0 { ((share - self.below[bin]) / mass).clamp(0.0, 1.0) } else { 0.0 };
        axis.low(bin) + part * (axis.high(bin) - axis.low(bin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Histogram;

    fn axis(latencies_us: &[u64]) -> Axis {
        let mut histogram = Histogram::default();
        for &latency in latencies_us {
            histogram.record(latency);
        }
        Axis::of(&LatencySeries { bins: histogram.counts().to_vec(), ..LatencySeries::default() })
    }

    #[test]
    fn bins_lie_where_the_histogram_has_them() {
        let axis = axis(&[]);
        for bin in 0..BINS {
            let middle = Histogram::middle(u8::try_from(bin).unwrap()).ln();
            assert!((axis.middle(bin) - middle).abs() < 1e-9, "{bin}");
        }
    }

    #[test]
    fn a_tick_of_a_millisecond_leaves_no_gaps() {
        let axis = axis(&[0, 1000, 2000, 3000, 4000]);
        assert!((axis.high(0) - 896_f64.ln()).abs() < 1e-9, "the bin of 1 ms begins at 896 µs");
        let one = axis.bin_of(1000_f64.ln());
        assert!((axis.low(one) - axis.high(0)).abs() < 1e-9);
        assert!((axis.high(one) - 1792_f64.ln()).abs() < 1e-9, "and ends where that of 2 ms begins");
    }

    #[test]
    fn quantiles_undo_what_below_says() {
        let axis = axis(&[]);
        let mut counts = [0.0; BINS];
        counts[60..90].fill(2.0);
        counts[70] = 30.0;
        let shape = Shape::smoothed(&axis, &counts, SMOOTHED);
        for share in [0.01, 0.2, 0.5, 0.77, 0.999] {
            assert!((shape.below(&axis, shape.quantile(&axis, share)) - share).abs() < 1e-9);
        }
        assert!(shape.below(&axis, 0.0) <= 0.0 && shape.below(&axis, 99.0) >= 1.0);
    }
}
