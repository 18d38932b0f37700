//! The exact second: a posterior over the first (last) affected slot, with its 95 % interval.

#![allow(clippy::indexing_slicing, reason = "indices come from enumerating the same vectors")]

use super::RunnerUp;
use super::baseline::Curve;
use super::emission::nats;
use super::stream::{Stream, Sums};
use super::validate::Scale;

/// The level is fitted on so many excess failures next to the edge: enough for a rate, few enough to follow a ramp.
const FIT_FAILURES: f64 = 40.0;
/// The search reaches so many nats' worth of requests beyond the run's own edge.
const SEARCH_NATS: f64 = 12.0;
/// And at least this far.
const SEARCH_SECONDS: f64 = 30.0;
/// A position this much less likely than the best one is of no account.
const NEGLIGIBLE_NATS: f64 = 30.0;
/// What it costs to have a fainter part at the edge. That chance makes up for more has a probability of e to the minus of
/// it: a likelihood ratio is a martingale.
const FAINT_NATS: f64 = 4.0;
/// Mass on either side of the interval.
const TAIL: f64 = 0.025;
/// The level that the posterior uses stays within these, so that its logarithms do.
const LEVEL_RANGE: (f64, f64) = (0.000_05, 0.999);
/// Parts of the level that the outermost slot may be affected at, equally likely.
const PARTS: [f64; 5] = [1.0, 0.8, 0.6, 0.4, 0.2];
/// The fit is repeated from the edge it found.
const FITS: usize = 3;

/// Failures that the boundary is about: all of them, those of the dominant status, or those of all clients but one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affected<'a> {
    pub(super) stream: &'a Stream<'a>,
    pub(super) curve: &'a Curve,
    pub(super) dispersion: f64,
    /// The status and its part of the baseline's failures.
    pub(super) status: Option<(u16, f64)>,
    /// A client bucket to leave out: one client's storm leads into (out of) the incident.
    pub(super) without: Option<usize>,
    /// Failures to count once.
    pub(super) clump: Option<Clump>,
}

/// Failures of one client (bucket) in some slots, both included, that are one event: it is told at the edge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clump {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) edge: usize,
    pub(super) bucket: usize,
}

impl Clump {
    /// How many failures of a slot don't count.
    fn more_than_once(self, stream: &Stream<'_>, slot: usize) -> f64 {
        if !(self.first..=self.last).contains(&slot) {
            return 0.0;
        }
        let count =
            stream.clients_at(slot).and_then(|buckets| buckets.get(self.bucket)).copied().unwrap_or(0);
        (f64::from(count) - if slot == self.edge { 1.0 } else { 0.0 }).max(0.0)
    }
}

impl<'a> Affected<'a> {
    /// All failures.
    pub(super) fn of(scale: Scale<'a>) -> Self {
        let Scale { stream, curve, dispersion, .. } = scale;
        Self { stream, curve, dispersion, status: None, without: None, clump: None }
    }

    /// Requests, and affected requests among them.
    fn counts(&self, slot: usize) -> (f64, f64) {
        let (requests, all) = (self.stream.requests_at(slot), self.stream.failures_at(slot));
        if all <= 0.0 {
            return (requests, 0.0);
        }
        if let Some((status, _)) = self.status {
            let repeated = self.clump.map_or(0.0, |clump| clump.more_than_once(self.stream, slot)).min(all);
            return (requests - repeated, self.stream.status_at(slot, status).min(all - repeated));
        }
        if let Some(clump) = self.clump.filter(|_| self.without.is_none()) {
            let repeated = clump.more_than_once(self.stream, slot).min(all);
            return (requests - repeated, all - repeated);
        }
        let bucket = self.without.and_then(|bucket| self.stream.clients_at(slot)?.get(bucket));
        let removed = f64::from(bucket.copied().unwrap_or(0)).min(all);
        (requests - removed, all - removed)
    }

    fn rate(&self, slot: usize) -> f64 {
        self.curve.rate(slot) * self.status.map_or(1.0, |(_, part)| part)
    }

    fn add(&self, sums: &mut Sums, slot: usize) {
        let (requests, failures) = self.counts(slot);
        sums.add(requests, failures, self.rate(slot));
    }
}

/// Which side of a run is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Start,
    End,
}

/// Slots of an edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    /// The first (last) affected slot, the most likely one.
    pub(super) slot: usize,
    /// 95 % of the posterior, in seconds, ascending, both included.
    pub(super) range: (i64, i64),
    /// The next likely affected slot.
    pub(super) runner_up: Option<RunnerUp>,
}

/// Finds the edge of a run of slots `first..=last` that lies on `side`, looking no further out than `limit` (included).
///
/// Posterior over τ ∝ exp(Σ LLR/φ), the sum over the slots from τ inwards, a flat prior over seconds.
/// `None` if no slot in reach has an affected request.
pub(super) fn locate(
    of: Affected<'_>,
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
        let (level, inner) = fit(of, anchor, (first, last), side);
        let found = search(of, anchor, inner, limit, level, side);
        let again = found.is_some_and(|found: Edge| found.slot != anchor);
        edge = found.or(edge);
        match found {
            Some(found) if again => anchor = found.slot,
            _ => break,
        }
    }
    edge
}

/// The level of the first ~40 excess failures inwards from the anchor, and the slot where they end.
fn fit(of: Affected<'_>, anchor: usize, (first, last): (usize, usize), side: Side) -> (f64, usize) {
    let mut sums = Sums::default();
    let mut inner = anchor;
    let mut take = |slot: usize| {
        of.add(&mut sums, slot);
        inner = slot;
        sums.excess() < FIT_FAILURES
    };
    match side {
        Side::Start => _ = (anchor..=last.max(anchor)).take_while(|&slot| take(slot)).count(),
        Side::End => _ = (first.min(anchor)..=anchor).rev().take_while(|&slot| take(slot)).count(),
    }
    (sums.share().clamp(LEVEL_RANGE.0, LEVEL_RANGE.1), inner)
}

fn search(
    of: Affected<'_>,
    anchor: usize,
    inner: usize,
    limit: usize,
    level: f64,
    side: Side,
) -> Option<Edge> {
    let outward: Box<dyn Iterator<Item = usize>> = match side {
        Side::Start => Box::new((limit.min(anchor)..=inner.max(anchor)).rev()),
        Side::End => Box::new(inner.min(anchor)..=limit.max(anchor)),
    };
    // Wherever the requests are so sparse that the level can't show, time must do.
    let evidence = -(-level).ln_1p() / of.dispersion;
    let mut beyond = 0.0;
    let (mut score, mut best) = (0.0_f64, f64::NEG_INFINITY);
    // The same with the outermost part at a fifth of the level: what rises slowly may have begun before it is all there. That
    // is for the interval; the edge itself is where the level shows.
    let mut faint = f64::NEG_INFINITY;
    let mut positions: Vec<(usize, f64, bool)> = Vec::new();
    let mut possible: Vec<(usize, f64, bool)> = Vec::new();
    let mut table = Table::new(level, of.dispersion);
    for slot in outward {
        table.tabulate(of.rate(slot));
        let (requests, failures) = of.counts(slot);
        // As the outermost slot it may be affected for a part of its time only.
        faint = faint.max(score - FAINT_NATS) + table.faint(requests, failures);
        let outermost = score + table.partial(requests, failures);
        score += table.whole(requests, failures);
        best = best.max(outermost);
        positions.push((slot, outermost, failures > 0.0));
        possible.push((slot, outermost.max(faint), failures > 0.0));
        if (side == Side::Start && slot < anchor) || (side == Side::End && slot > anchor) {
            beyond += requests * evidence;
            let far = of.stream.second(slot).abs_diff(of.stream.second(anchor)) as f64;
            if beyond >= SEARCH_NATS
                && far >= SEARCH_SECONDS
                && score < best - NEGLIGIBLE_NATS
                && faint < best - FAINT_NATS
            {
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
    let best = possible.iter().map(|&(_, score, _)| score).fold(best, f64::max);
    let (low, high) = interval(of.stream, &possible, best, side);
    let second = edge_second(of.stream, slot, side);
    let runner_up = runner_up(of.stream, &positions, (slot, score), side);
    Some(Edge { slot, range: (low.min(second), high.max(second)), runner_up })
}

/// Nats per failed and passed request at the level, and at parts of it.
struct Table {
    level: f64,
    dispersion: f64,
    rate: f64,
    rows: [(f64, f64); PARTS.len()],
}

impl Table {
    fn new(level: f64, dispersion: f64) -> Self {
        Self { level, dispersion, rate: f64::NAN, rows: [(0.0, 0.0); PARTS.len()] }
    }

    fn tabulate(&mut self, rate: f64) {
        if rate.to_bits() == self.rate.to_bits() {
            return;
        }
        self.rate = rate;
        for (row, part) in self.rows.iter_mut().zip(PARTS) {
            *row = nats(self.level * part, rate, self.dispersion);
        }
    }

    /// Of a slot that is affected from beginning to end.
    fn whole(&self, requests: f64, failures: f64) -> f64 {
        let (up, down) = self.rows[0];
        failures * up + (requests - failures) * down
    }

    /// Of a slot before it is all there.
    fn faint(&self, requests: f64, failures: f64) -> f64 {
        let [.., (up, down)] = self.rows;
        failures * up + (requests - failures) * down
    }

    /// Of the slot in which the fault begins (ends), at any moment of it and with requests still (already) under way
    /// that succeed: the logarithm of the mean likelihood over parts of the level.
    fn partial(&self, requests: f64, failures: f64) -> f64 {
        let passed = requests - failures;
        let of = self.rows.map(|(up, down)| failures * up + passed * down);
        let best = of.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        best + (of.iter().map(|nats| (nats - best).exp()).sum::<f64>() / PARTS.len() as f64).ln()
    }
}

fn edge_second(stream: &Stream<'_>, slot: usize, side: Side) -> i64 {
    match side {
        Side::Start => stream.second(slot),
        Side::End => stream.last_second(slot),
    }
}

/// The affected slot that comes second, and by how much.
pub(super) fn runner_up(
    stream: &Stream<'_>,
    positions: &[(usize, f64, bool)],
    (slot, score): (usize, f64),
    side: Side,
) -> Option<RunnerUp> {
    let others = positions.iter().filter(|&&(other, _, affected)| affected && other != slot);
    let next = others.max_by(|a, b| a.1.total_cmp(&b.1));
    next.map(|&(other, of_other, _)| RunnerUp {
        second: edge_second(stream, other, side),
        nats: score - of_other,
    })
}

/// The central 95 % of the seconds in which the fault may have begun (ended).
///
/// With the first affected request in some slot the fault began after the request before that; with the last one there
/// it ended before the next. `positions` lead outwards.
pub(super) fn interval(
    stream: &Stream<'_>,
    positions: &[(usize, f64, bool)],
    best: f64,
    side: Side,
) -> (i64, i64) {
    let spans: Vec<(i64, i64, f64)> = positions
        .iter()
        .map(|&(slot, score, _)| {
            let (from, until) = match side {
                Side::Start => {
                    (stream.second(slot).saturating_sub(stream.pause_before(slot)), stream.second(slot))
                }
                Side::End => {
                    let last = stream.last_second(slot);
                    (last, last.saturating_add(stream.pause_before(slot + 1)))
                }
            };
            (from, until, (score - best).exp() * (until.saturating_sub(from).saturating_add(1)) as f64)
        })
        .collect();
    let total: f64 = spans.iter().map(|&(.., weight)| weight).sum();
    // The second at which the mass of all positions nearer to the outside comes to `tail`.
    let quantile = |tail: f64| {
        let mut sum = 0.0;
        for &(from, until, weight) in spans.iter().rev() {
            if sum + weight >= tail * total {
                let part = ((tail * total - sum) / weight.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
                #[allow(clippy::cast_possible_truncation, reason = "a part of a pause of hours")]
                let inwards = (part * until.saturating_sub(from) as f64).round() as i64;
                return match side {
                    Side::Start => from.saturating_add(inwards),
                    Side::End => until.saturating_sub(inwards),
                };
            }
            sum += weight;
        }
        spans.first().map_or(0, |&(from, ..)| from)
    };
    let (outer, inner) = (quantile(TAIL), quantile(1.0 - TAIL));
    (outer.min(inner), outer.max(inner))
}
