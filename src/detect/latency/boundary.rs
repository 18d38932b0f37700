//! The exact second: a posterior over the first (last) slow slot, with its 95 % interval.

#![allow(clippy::indexing_slicing, reason = "bins are rows of the axis, columns those of the states")]

use super::emission::{Categories, Gains, State};
use super::validate::Scale;
use crate::detect::boundary::{Edge, Side, interval, runner_up};

/// The state is fitted on so many nats next to the edge: enough for a rate, few enough to follow a ramp.
const FIT_NATS: f64 = 50.0;
/// The search reaches so many nats' worth of healthy requests beyond the run's own edge.
const SEARCH_NATS: f64 = 12.0;
/// And at least this far.
const SEARCH_SECONDS: f64 = 30.0;
/// A position this much less likely than the best one is of no account.
const NEGLIGIBLE_NATS: f64 = 30.0;
/// The fit is repeated from the edge it found.
const FITS: usize = 3;

/// Requests that were on their way when it ended are written for so many seconds more at most.
const LINGERING_SECONDS: u64 = 120;
/// They are told from slow requests of a healthy time by this: fewer of those are expected until then.
const LINGERING_CHANCE: f64 = 0.1;

const SHARES: [f64; 5] = [0.15, 0.3, 0.5, 0.75, 1.0];
const SLOWDOWNS: [f64; 7] = [1.3, 1.6, 2.0, 3.0, 5.0, 10.0, 20.0];
const STATES: usize = SHARES.len() * SLOWDOWNS.len();

fn states() -> [State; STATES] {
    std::array::from_fn(|index| State {
        share: SHARES[index % SHARES.len()],
        slowdown: SLOWDOWNS[index / SHARES.len()],
    })
}

/// Finds the edge of a run of slots `first..=last` that lies on `side`, looking no further out than `limit` (included).
///
/// Posterior over τ ∝ exp(Σ LLR/φ), the sum over the slots from τ inwards, a flat prior over seconds.
/// `None` if no slot in reach is slow. `dispersion` is that of neighbouring requests.
pub(super) fn locate(
    scale: Scale<'_>,
    dispersion: f64,
    (first, last): (usize, usize),
    side: Side,
    limit: usize,
) -> Option<Edge> {
    let mut anchor = match side {
        Side::Start => first,
        Side::End => last,
    };
    let mut edge = None;
    for _ in 0..FITS {
        let (state, inner) = fit(scale, dispersion, anchor, (first, last), side);
        let found = search(scale, dispersion, anchor, (inner, limit), state, side);
        let again = found.is_some_and(|found: Edge| found.slot != anchor);
        edge = found.or(edge);
        match found {
            Some(found) if again => anchor = found.slot,
            _ => break,
        }
    }
    match side {
        Side::Start => edge,
        Side::End => edge.map(|edge| lingering(scale, edge, limit)),
    }
}

/// A request is written when it ends. Those that came before the end of a fault and took longer than healthy ones do
/// are affected, though all that come then are well: the last of them is the edge.
fn lingering(scale: Scale<'_>, edge: Edge, limit: usize) -> Edge {
    let stream = scale.record.stream;
    let ended = stream.last_second(edge.slot);
    let (mut found, mut requests) = (edge.slot, 0.0);
    for slot in edge.slot + 1..=limit {
        let since = stream.second(slot).abs_diff(ended);
        if since > LINGERING_SECONDS {
            break;
        }
        requests += stream.requests_at(slot);
        let (axis, shape) = (scale.record.axis, scale.normal.shape(slot));
        let lingers = |(bin, _): (usize, f64)| {
            axis.middle(bin).exp() >= since as f64 * 1e6
                && requests * (1.0 - shape.below(axis, axis.low(bin))) <= LINGERING_CHANCE
        };
        if scale.record.bins_at(slot).any(lingers) {
            found = slot;
        }
    }
    let (from, until) = edge.range;
    Edge { slot: found, range: (from, until.max(stream.last_second(found))), ..edge }
}

/// The likeliest state of the first 50 nats inwards from the anchor, and the slot where they end.
fn fit(
    scale: Scale<'_>,
    dispersion: f64,
    anchor: usize,
    (first, last): (usize, usize),
    side: Side,
) -> (State, usize) {
    let states = states();
    let shape = scale.normal.shape(anchor);
    let axis = scale.record.axis;
    let gains = Categories::of(axis, shape).gains(axis, shape, &states);
    let mut sums = [0.0; STATES];
    let mut inner = anchor;
    let mut take = |slot: usize| {
        for (bin, count) in scale.record.bins_at(slot) {
            for (sum, gain) in sums.iter_mut().zip(&gains[bin]) {
                *sum += count * gain;
            }
        }
        inner = slot;
        sums.iter().copied().fold(f64::NEG_INFINITY, f64::max) < FIT_NATS * dispersion
    };
    match side {
        Side::Start => _ = (anchor..=last.max(anchor)).take_while(|&slot| take(slot)).count(),
        Side::End => _ = (first.min(anchor)..=anchor).rev().take_while(|&slot| take(slot)).count(),
    }
    let mut best = (states[0], f64::NEG_INFINITY);
    for (&state, &sum) in states.iter().zip(&sums) {
        if sum > best.1 {
            best = (state, sum);
        }
    }
    (best.0, inner)
}

/// One state's gains, cell by cell.
struct Column<'a> {
    scale: Scale<'a>,
    state: State,
    cell: Option<u32>,
    gains: Gains<1>,
    /// Nats that a healthy request speaks against the state, above 0.
    against: f64,
}

impl Column<'_> {
    fn gain(&mut self, slot: usize) -> f64 {
        let cell = Some(self.scale.normal.cell_of(slot));
        if self.cell != cell {
            self.cell = cell;
            let (axis, shape) = (self.scale.record.axis, self.scale.normal.shape(slot));
            self.gains = Categories::of(axis, shape).gains(axis, shape, &[self.state]);
            let mean = self.gains.iter().enumerate().map(|(bin, row)| shape.mass(bin) * row[0]);
            self.against = -mean.sum::<f64>();
        }
        self.scale.record.bins_at(slot).map(|(bin, count)| count * self.gains[bin][0]).sum()
    }
}

fn search(
    scale: Scale<'_>,
    dispersion: f64,
    anchor: usize,
    (inner, limit): (usize, usize),
    state: State,
    side: Side,
) -> Option<Edge> {
    let stream = scale.record.stream;
    let outward: Box<dyn Iterator<Item = usize>> = match side {
        Side::Start => Box::new((limit.min(anchor)..=inner.max(anchor)).rev()),
        Side::End => Box::new(inner.min(anchor)..=limit.max(anchor)),
    };
    let mut column = Column { scale, state, cell: None, gains: Vec::new(), against: 0.0 };
    let mut beyond = 0.0;
    let (mut score, mut best) = (0.0_f64, f64::NEG_INFINITY);
    let mut positions: Vec<(usize, f64, bool)> = Vec::new();
    for slot in outward {
        let gain = column.gain(slot) / dispersion;
        score += gain;
        best = best.max(score);
        positions.push((slot, score, gain > 0.0));
        if (side == Side::Start && slot < anchor) || (side == Side::End && slot > anchor) {
            beyond += stream.requests_at(slot) * column.against.max(0.0) / dispersion;
            let far = stream.second(slot).abs_diff(stream.second(anchor)) as f64;
            if beyond >= SEARCH_NATS && far >= SEARCH_SECONDS && score < best - NEGLIGIBLE_NATS {
                break;
            }
        }
    }
    let mut mode: Option<(usize, f64)> = None;
    for &(slot, score, affected) in &positions {
        if affected && mode.is_none_or(|(_, best)| score > best) {
            mode = Some((slot, score));
        }
    }
    let (slot, score) = mode?;
    let runner_up = runner_up(stream, &positions, (slot, score), side);
    let (low, high) = interval(stream, &positions, best, side);
    let second = match side {
        Side::Start => stream.second(slot),
        Side::End => stream.last_second(slot),
    };
    Some(Edge { slot, range: (low.min(second), high.max(second)), runner_up })
}
