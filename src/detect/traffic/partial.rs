//! Stretches in which part of the requests did not come.

#![allow(clippy::indexing_slicing, reason = "levels are indexed by their own tables")]

use super::super::segment::{Emission, Penalties, Run, segment};
use super::axis::{Against, Axis};
use super::expected::Expected;
use super::spread::Spread;

/// Parts of the requests that still come. What is less is for [`silences`](super::silence::silences).
const LEVELS: [f64; 5] = [0.08, 0.2, 0.35, 0.5, 0.65];
/// What a change of level costs, in nats.
const CHANGE_NATS: f64 = 16.0;
/// Standard deviations by which the level is below 1.
const LEAST_DEVIATIONS: f64 = 4.0;
/// More than this part left is drift.
const MOST_LEFT: f64 = 0.72;
/// The same of a member: where the others took nothing over the group is smaller, and its part of it larger.
const MOST_LEFT_OF_MEMBER: f64 = 0.78;
/// Nats, φ divided out, by which inside and outside differ at *both* edges: evenings, weekends and crawlers that stop
/// have one edge at most.
const LEAST_CONTRAST: f64 = 8.0;
/// The same for a member, whose peers tell what the evening, the weekend and most crawlers do.
const LEAST_CONTRAST_OF_MEMBER: f64 = 4.0;
/// Inside has at most so much of the rate outside, at either edge.
const LEAST_RATIO: f64 = 0.8;
/// Lengths, to either side of an edge, over which rates are compared.
const WINDOWS_SECONDS: [i64; 6] = [30, 60, 180, 600, 1800, 5400];
/// The longest two are for sites with fewer requests than this in ten minutes: over them the rhythm of the day shows.
const SPARSE_REQUESTS: f64 = 60.0;
/// A drop that lasts less is too likely a lull.
const SHORTEST_SECONDS: i64 = 60;
/// A run at the end of a chain in which so many times the part came than in its strongest is not part of it.
const MOST_OF_STRONGEST: f64 = 1.8;
/// So much of what comes on other days at that time of the day is no drop.
const MOST_OF_TYPICAL: f64 = 0.8;
/// Mass on either side of a boundary's interval.
const TAIL: f64 = 0.025;
/// The search for an edge reaches so many nats' worth of time beyond it …
const SEARCH_NATS: f64 = 20.0;
/// … within these bounds.
const SEARCH_SECONDS: (f64, f64) = (30.0, 3600.0);

/// Pieces with part of the requests they should have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drop {
    /// First piece.
    pub(super) from: usize,
    /// One past the last piece.
    pub(super) until: usize,
    /// Nats.
    pub(super) strength: f64,
    /// Range of the first missing second.
    pub(super) start_range: (i64, i64),
    /// Range of the last.
    pub(super) end_range: (i64, i64),
    /// Nothing comes after it.
    pub(super) open: bool,
}

/// Partial drops, ascending; a silence may be among them.
pub(super) fn drops(axis: &Axis, expected: &Expected, spread: Spread, penalty: f64) -> Vec<Drop> {
    let mut emission = Partial { axis, expected, spread, logs: LEVELS.map(f64::ln) };
    let half = penalty / 2.0;
    let (runs, _) = segment(&mut emission, Penalties { enter: half, leave: half, change: CHANGE_NATS });
    let scale = Scale { axis, expected, spread, penalty };
    let mut chains: Vec<Vec<(usize, usize)>> = Vec::new();
    for Run { first, last, .. } in runs {
        match chains.last_mut() {
            Some(chain) if chain.last().is_some_and(|run| run.1 == first) && !axis.breaks_before(first) => {
                chain.push((first, last + 1));
            }
            _ => chains.push(vec![(first, last + 1)]),
        }
    }
    let chains: Vec<(usize, usize)> = chains.iter().filter_map(|runs| scale.trimmed(runs)).collect();
    let mut found: Vec<Drop> = Vec::new();
    for (index, &chain) in chains.iter().enumerate() {
        let lower = found.last().map_or(0, |drop: &Drop| drop.until);
        let upper = chains.get(index + 1).map_or(axis.len(), |next| next.0);
        found.extend(scale.accept(chain, (lower, upper)));
    }
    found
}

struct Scale<'a> {
    axis: &'a Axis,
    expected: &'a Expected,
    spread: Spread,
    penalty: f64,
}

impl Scale<'_> {
    /// A chain of runs without those at its ends that are hardly part of it: a drop before a surge.
    fn trimmed(&self, runs: &[(usize, usize)]) -> Option<(usize, usize)> {
        let left = |run: &(usize, usize)| self.left(run.0, run.1).unwrap_or(1.0);
        let strongest = runs.iter().max_by(|a, b| {
            let nats = |run: &(usize, usize)| self.nats(run.0, run.1, left(run));
            nats(a).total_cmp(&nats(b))
        })?;
        let most = MOST_OF_STRONGEST * left(strongest).max(LEVELS[0]);
        let first = runs.iter().find(|run| left(run) <= most)?;
        let last = runs.iter().rfind(|run| left(run) <= most)?;
        Some((first.0, last.1))
    }

    fn accept(&self, (from, until): (usize, usize), limits: (usize, usize)) -> Option<Drop> {
        let axis = self.axis;
        let (first, end) = axis.session_of(from);
        let open = until >= end;
        if from == first || (open && axis.against == Against::Time) {
            return None;
        }
        let left = self.left(from, until)?;
        let (lower, upper) = (limits.0.max(first), limits.1.min(end));
        let start = self.edge(from, until, (lower, until), left, true);
        let finish = if open {
            (until, (axis.end(until - 1) - 1, axis.end(until - 1) - 1))
        } else {
            self.edge(from, until, (from, upper), left, false)
        };
        let (from, until) = (start.0, finish.0);
        if from >= until {
            return None;
        }
        let seconds = axis.end(until - 1).saturating_sub(axis.start(from));
        let left = self.left(from, until)?;
        let mean = self.expected.within(from, until);
        let error = (self.spread.dispersion / mean + self.spread.wander(seconds as f64)).sqrt();
        let strength = self.nats(from, until, left);
        let (contrast, most) = match axis.against {
            Against::Time => (LEAST_CONTRAST, MOST_LEFT),
            Against::Group => (LEAST_CONTRAST_OF_MEMBER, MOST_LEFT_OF_MEMBER),
        };
        let accepted = seconds >= SHORTEST_SECONDS
            && left <= most
            && (1.0 - left) / error >= LEAST_DEVIATIONS
            && strength >= self.penalty
            && (axis.against == Against::Group || self.is_of_site(from, until))
            && self.contrast(from, until, first, true) >= contrast
            && (open || self.contrast(from, until, end, false) >= contrast);
        accepted.then_some(Drop { from, until, strength, start_range: start.1, end_range: finish.1, open })
    }

    /// No night between two days, and less than other days have at that time: after a crawler everything is a drop.
    fn is_of_site(&self, from: usize, until: usize) -> bool {
        let typical = self.expected.typical(self.axis, from, until);
        !self.expected.hollow(self.axis, from, until)
            && self.axis.count_in(from, until) <= MOST_OF_TYPICAL * typical
    }

    /// Part of the requests that came.
    fn left(&self, from: usize, until: usize) -> Option<f64> {
        let mean = self.expected.within(from, until);
        (mean > 0.0).then(|| (self.axis.count_in(from, until) / mean).clamp(0.003, 1.0))
    }

    /// Log-likelihood ratio, φ and τ divided out piece by piece.
    fn nats(&self, from: usize, until: usize, left: f64) -> f64 {
        let gain = |piece| gain(self.axis, self.expected, self.spread, piece, left);
        (from..until).map(gain).sum()
    }

    /// Nats by which the requests per second (and, of a member, those of its group) fall at the start (rise at the end),
    /// the most that any window shows; 0 without a clear fall.
    fn contrast(&self, from: usize, until: usize, limit: usize, at_start: bool) -> f64 {
        let axis = self.axis;
        let mut best = 0.0_f64;
        for window in WINDOWS_SECONDS {
            let (inside, outside) = if at_start {
                let edge = axis.start(from);
                let inside = (from, axis.between(edge, edge.saturating_add(window)).1.clamp(from, until));
                let first = axis.between(edge.saturating_sub(window), edge).0;
                (inside, (first.clamp(limit.min(from), from), from))
            } else {
                let edge = axis.end(until - 1);
                let first = axis.between(edge.saturating_sub(window), edge).0;
                let last = axis.between(edge, edge.saturating_add(window)).1;
                ((first.clamp(from, until), until), (until, last.clamp(until, limit.max(until))))
            };
            let seconds = |(from, until): (usize, usize)| {
                if from >= until { 0.0 } else { (axis.end(until - 1) - axis.start(from)).max(0) as f64 }
            };
            let count = |(from, until): (usize, usize)| axis.count_in(from, until);
            let exposed = |(from, until): (usize, usize)| axis.exposure_in(from, until);
            let by_time = fall(
                (count(inside), seconds(inside)),
                (count(outside), seconds(outside)),
                &self.spread,
                window,
            );
            let by_exposure = fall(
                (count(inside), exposed(inside)),
                (count(outside), exposed(outside)),
                &self.spread,
                window,
            );
            best = best.max(by_time.min(by_exposure));
            let longest = if axis.against == Against::Time { 1800 } else { 5400 };
            if window >= longest || (window >= 600 && count(outside) >= SPARSE_REQUESTS) {
                break;
            }
        }
        best
    }

    /// The most likely first piece (one past the last) of a drop, and the 95 % interval of its second.
    fn edge(
        &self,
        from: usize,
        until: usize,
        (lower, upper): (usize, usize),
        left: f64,
        at_start: bool,
    ) -> (usize, (i64, i64)) {
        let axis = self.axis;
        let anchor = if at_start { axis.start(from) } else { axis.end(until - 1) };
        let per_second = self.expected.within(from, until)
            / (axis.end(until - 1).saturating_sub(axis.start(from)).max(1) as f64);
        let divergence = (left * left.ln() + 1.0 - left).max(1e-6);
        let reach = SEARCH_NATS * self.spread.dispersion / (per_second * divergence).max(1e-9);
        #[allow(clippy::cast_possible_truncation, reason = "at most an hour")]
        let reach = reach.clamp(SEARCH_SECONDS.0, SEARCH_SECONDS.1) as i64;
        let window = axis.between(anchor.saturating_sub(reach), anchor.saturating_add(reach));
        let (first, last) = (window.0.clamp(lower, upper), window.1.clamp(lower, upper));
        let shot = Spread { minute: 0.0, long: 0.0, ..self.spread };
        let gain = |piece| gain(axis, self.expected, shot, piece, left);
        // The drop begins with (ends before) piece i: its score is that of the pieces from i inwards.
        let mut scores: Vec<(usize, f64)> = Vec::with_capacity(last.saturating_sub(first) + 1);
        let mut score = 0.0;
        if at_start {
            for piece in (first..last).rev() {
                score += gain(piece);
                scores.push((piece, score));
            }
        } else {
            for piece in first..last {
                score += gain(piece);
                scores.push((piece + 1, score));
            }
        }
        let Some(&(mode, best)) = scores.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else {
            return if at_start { (from, (anchor, anchor)) } else { (until, (anchor - 1, anchor - 1)) };
        };
        scores.sort_by_key(|&(piece, _)| piece);
        let second =
            |piece: usize| if at_start { axis.start(piece) } else { axis.end(piece.saturating_sub(1)) - 1 };
        let weight = |&(piece, score): &(usize, f64)| {
            let inner = if at_start { piece } else { piece.saturating_sub(1) };
            (score - best).exp() * axis.end(inner).saturating_sub(axis.start(inner)).max(1) as f64
        };
        let total: f64 = scores.iter().map(weight).sum();
        let quantile = |part: f64| {
            let mut sum = 0.0;
            let at = scores.iter().find(|entry| {
                sum += weight(entry);
                sum >= part * total
            });
            at.map_or(second(mode), |&(piece, _)| second(piece))
        };
        let (low, high) = (quantile(TAIL), quantile(1.0 - TAIL));
        // The true second lies between two requests.
        let low = low.saturating_sub(axis.width).min(second(mode));
        let high = high.saturating_add(axis.width).max(second(mode));
        (mode, (low, high))
    }
}

/// Two samples of counts, one rate or two: nats over the variance's excess; 0 unless the first rate is clearly lower.
fn fall(inside: (f64, f64), outside: (f64, f64), spread: &Spread, window: i64) -> f64 {
    if inside.1 <= 0.0 || outside.1 <= 0.0 || outside.0 <= 0.0 {
        return 0.0;
    }
    let (rate, usual) = (inside.0 / inside.1, outside.0 / outside.1);
    if rate > LEAST_RATIO * usual {
        return 0.0;
    }
    let pooled = (inside.0 + outside.0) / (inside.1 + outside.1);
    let term = |count: f64, rate: f64| if count > 0.0 { count * (rate / pooled).ln() } else { 0.0 };
    let nats = term(inside.0, rate) + term(outside.0, usual);
    nats / (spread.dispersion + spread.wander(window as f64) * outside.0.min(pooled * inside.1))
}

/// [k·ln ρ + μ(1 − ρ)]/(φ + 60τ²μ), μ per second.
fn gain(axis: &Axis, expected: &Expected, spread: Spread, piece: usize, left: f64) -> f64 {
    let mean = expected.of(piece);
    (axis.count(piece) * left.ln() + mean * (1.0 - left)) / variance(axis, spread, piece, mean)
}

/// φ + 60τ²μ, μ per second.
fn variance(axis: &Axis, spread: Spread, piece: usize, mean: f64) -> f64 {
    let seconds = axis.end(piece).saturating_sub(axis.start(piece)).max(1) as f64;
    spread.dispersion + 60.0 * spread.minute.max(spread.long) * mean / seconds
}

struct Partial<'a> {
    axis: &'a Axis,
    expected: &'a Expected,
    spread: Spread,
    /// Logarithms of [`LEVELS`].
    logs: [f64; LEVELS.len()],
}

impl Emission for Partial<'_> {
    fn slots(&self) -> usize {
        self.axis.len()
    }
    fn levels(&self) -> usize {
        LEVELS.len()
    }
    fn gains(&mut self, slot: usize, out: &mut [f64]) {
        let (count, mean) = (self.axis.count(slot), self.expected.of(slot));
        let variance = variance(self.axis, self.spread, slot, mean);
        for ((out, left), log) in out.iter_mut().zip(LEVELS).zip(self.logs) {
            *out = (count * log + mean * (1.0 - left)) / variance;
        }
    }
    fn declines(&self, slot: usize) -> bool {
        let count = self.axis.count(slot);
        count >= 1.0 && count >= self.expected.of(slot)
    }
    fn breaks_before(&self, slot: usize) -> bool {
        self.axis.breaks_before(slot)
    }
}
