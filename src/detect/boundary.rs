//! The exact second: a posterior over the first (last) affected slot, with its 95 % interval.

#![allow(clippy::indexing_slicing, reason = "indices come from enumerating the same vectors")]

use std::collections::VecDeque;

use super::baseline::Curve;
use super::emission::nats;
use super::mix::Mix;
use super::stream::{Stream, Sums};
use super::validate::Scale;
use super::{RunnerUp, TIMEOUT_SECONDS};

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
/// Parts of the outermost slot that may be affected, and how likely they are: any moment of it is as likely as the next.
const PARTS: [(f64, f64); 9] = [
    (1.0, 0.2),
    (0.8, 0.2),
    (0.6, 0.2),
    (0.4, 0.2),
    (0.2, 0.1),
    (0.1, 0.05),
    (0.05, 0.025),
    (0.02, 0.015),
    (0.01, 0.01),
];
/// Which of them a fainter beginning has of the level.
const FAINT_PART: usize = 4;
/// The fit is repeated from the edge it found.
const FITS: usize = 3;

/// Failures that the boundary is about: all of them, each for what its status says, or those of all clients but one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affected<'a> {
    pub(super) stream: &'a Stream<'a>,
    pub(super) curve: &'a Curve,
    pub(super) dispersion: f64,
    /// How the statuses tell them from the background's.
    pub(super) mix: Option<&'a Mix>,
    /// A client bucket to leave out: one client's storm leads into (out of) the incident.
    pub(super) without: Option<usize>,
    /// The outermost part may be fainter, for so long as a timeout lasts.
    pub(super) late: bool,
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
        Self { stream, curve, dispersion, mix: None, without: None, late: false, clump: None }
    }

    /// Requests, and affected requests among them.
    fn counts(&self, slot: usize) -> (f64, f64) {
        let (requests, all) = (self.stream.requests_at(slot), self.stream.failures_at(slot));
        if all <= 0.0 {
            return (requests, 0.0);
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
        self.curve.rate(slot)
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
    let level = of.mix.map_or_else(
        || sums.share(),
        |mix| {
            let span = (anchor.min(inner), anchor.max(inner));
            let counts: Vec<(u16, f64)> = of.stream.statuses_in(span).collect();
            // all failures of a clump have their statuses counted: so have their requests
            let requests = (span.0..=span.1).map(|slot| of.stream.requests_at(slot)).sum();
            mix.level(requests, sums.base_rate(), &counts)
        },
    );
    (level.clamp(LEVEL_RANGE.0, LEVEL_RANGE.1), inner)
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
    let mut late = Late::default();
    let mut positions: Vec<(usize, f64, bool)> = Vec::new();
    let mut possible: Vec<(usize, f64, bool)> = Vec::new();
    let mut table = Table::new(of, level);
    for slot in outward {
        let nats = table.nats(slot);
        // As the outermost slot it may be affected for a part of its time only.
        faint = faint.max(score - FAINT_NATS) + nats.faint();
        let second = of.stream.second(slot);
        let outermost = if of.late {
            late.push(second, score, nats.faint());
            late.best().max(score + nats.partial())
        } else {
            score + nats.partial()
        };
        score += nats.whole();
        best = best.max(outermost);
        positions.push((slot, outermost, nats.affected));
        possible.push((slot, outermost.max(faint), nats.affected));
        let requests = of.stream.requests_at(slot);
        if (side == Side::Start && slot < anchor) || (side == Side::End && slot > anchor) {
            beyond += requests * evidence;
            let far = second.abs_diff(of.stream.second(anchor)) as f64;
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

/// Timeouts go on for as long as one lasts, while what was asked for after the end succeeds: a fainter part of limited
/// length outside of the whole level.
#[derive(Default)]
struct Late {
    /// Second, nats of the whole level up to there, nats of the fainter one in all slots before it.
    from: VecDeque<(i64, f64, f64)>,
    faint: f64,
}

impl Late {
    /// A slot further out, with the nats of the whole level in all slots before it and its own of the fainter one.
    fn push(&mut self, second: i64, whole: f64, faint: f64) {
        self.from.push_back((second, whole, self.faint));
        self.faint += faint;
        while self
            .from
            .front()
            .is_some_and(|(from, ..)| from.abs_diff(second) > TIMEOUT_SECONDS.unsigned_abs())
        {
            self.from.pop_front();
        }
    }

    /// Nats of the best place for it to begin.
    fn best(&self) -> f64 {
        let of = self.from.iter().map(|(_, whole, before)| whole + self.faint - before);
        of.fold(f64::NEG_INFINITY, f64::max) - FAINT_NATS
    }
}

/// Nats per failed and passed request at the level, and at parts of it.
pub(super) struct Table<'a> {
    of: Affected<'a>,
    level: f64,
    rate: f64,
    rows: [(f64, f64); PARTS.len()],
    /// Of a failed request with each status of the mixture.
    statuses: Vec<(u16, [f64; PARTS.len()])>,
}

impl<'a> Table<'a> {
    pub(super) fn new(of: Affected<'a>, level: f64) -> Self {
        Self { of, level, rate: f64::NAN, rows: [(0.0, 0.0); PARTS.len()], statuses: Vec::new() }
    }

    fn tabulate(&mut self, rate: f64) {
        if rate.to_bits() == self.rate.to_bits() {
            return;
        }
        self.rate = rate;
        let dispersion = self.of.dispersion;
        for (row, (part, _)) in self.rows.iter_mut().zip(PARTS) {
            *row = nats(self.level * part, rate, dispersion);
        }
        self.statuses.clear();
        for (status, odds) in self.of.mix.into_iter().flat_map(Mix::odds) {
            let up = |(part, _)| mixed_nats(self.level * part, rate, odds) / dispersion;
            self.statuses.push((status, PARTS.map(up)));
        }
    }

    pub(super) fn nats(&mut self, slot: usize) -> Nats {
        self.tabulate(self.of.rate(slot));
        let (requests, failures) = self.of.counts(slot);
        let passed = requests - failures;
        let all = self.of.stream.failures_at(slot);
        if self.of.mix.is_none() || failures <= 0.0 {
            let rows = self.rows.map(|(up, down)| failures * up + passed * down);
            return Nats { rows, affected: failures > 0.0 };
        }
        let mut nats = Nats { rows: self.rows.map(|(_, down)| passed * down), affected: false };
        for (status, count) in self.of.stream.statuses_in((slot, slot)) {
            let found = self.statuses.iter().find(|(of, _)| *of == status);
            let up = found.map_or_else(|| self.rows.map(|(_, down)| down), |(_, up)| *up);
            nats.affected |= up[0] > 0.0;
            for (sum, up) in nats.rows.iter_mut().zip(up) {
                *sum += count * failures / all * up;
            }
        }
        nats
    }
}

/// What a failed request says for a level if its status has so many times the part of the incident's failures that it has
/// of the background's: ln((1−f) + f·odds ÷ p₀). Odds of 1 say what any failure says.
fn mixed_nats(level: f64, rate: f64, odds: f64) -> f64 {
    let rate = rate.clamp(1e-12, 1.0 - 1e-9);
    (level * (odds / rate - 1.0)).ln_1p()
}

/// What a slot says for each of [`PARTS`] of it being affected.
pub(super) struct Nats {
    rows: [f64; PARTS.len()],
    /// It has failures that the incident may have.
    affected: bool,
}

impl Nats {
    /// Of a slot that is affected from beginning to end.
    pub(super) fn whole(&self) -> f64 {
        self.rows[0]
    }

    /// Of a slot before it is all there.
    fn faint(&self) -> f64 {
        self.rows[FAINT_PART]
    }

    /// Of the slot in which the fault begins (ends), at any moment of it and with requests still (already) under way
    /// that succeed: the logarithm of the mean likelihood over parts of the slot.
    fn partial(&self) -> f64 {
        let best = self.rows.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mean = self.rows.iter().zip(PARTS).map(|(nats, (_, weight))| (nats - best).exp() * weight);
        best + mean.sum::<f64>().ln()
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
