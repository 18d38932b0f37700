//! Stretches without requests that neither chance, nor bursts, nor the night explain.
//!
//! A pause is measured in requests that should have come in it. How long such pauses are when all is well is read off the
//! recording itself: clumped arrivals, cron jobs and a heavy client at work make long ones, and a silence must stand out
//! from those.

#![allow(
    clippy::indexing_slicing,
    reason = "pieces come from the axis, whose length the other vectors share"
)]

use super::super::segment::{Emission, Penalties, segment};
use super::axis::{Against, Axis};
use super::expected::Expected;

/// Part of the requests that may still come in a silence: one in three hundred.
const LEVEL: f64 = 0.003;
/// Pauses with fewer expected requests are not looked at twice.
const NOTABLE: f64 = 3.0;
/// A rate beside a pause is taken from so many requests.
const SIDE_REQUESTS: f64 = 60.0;
/// With fewer than this on a side nothing is known of it.
const FEWEST_ON_SIDE: f64 = 10.0;
/// And also from this part of the pause's own length.
const SIDE_PART: f64 = 0.5;
/// From this length on the rate may have been on its way down to nothing, as it is in the evening.
const TREND_SECONDS: f64 = 240.0;
/// That is looked for over so many requests next to the pause, against twice as many before those.
const TREND_REQUESTS: [f64; 3] = [10.0, 40.0, 160.0];
/// Nats that show it.
const TREND_NATS: f64 = 4.0;
/// A site's pause that is longer needs other days to tell that nobody sleeps then.
const LONGEST_WITHOUT_HISTORY: i64 = 4 * 3600;
/// Ranks among all pauses from which the tail of their distribution is taken.
const TAIL_RANKS: [usize; 2] = [20, 80];
/// So many silences may there be, and as many more each day, without being taken for the tail.
const SILENCES: f64 = 3.0;
/// One false silence in e⁷ recordings: nats beyond the longest pause that chance explains.
const BEYOND_TAIL: f64 = 7.0;
/// Ranks among the usual pauses by which the heaviness of their tail is told: people who work in sessions leave pauses of
/// any length, and the longest of those is no silence.
const HEAVY_RANKS: [usize; 2] = [4, 40];
/// A silence is this many times as long as the longest pause that such a tail has.
const BEYOND_HEAVY: f64 = 2.0;
/// Part of β that the pause carries …
pub(super) const LEAST_OF_PENALTY: f64 = 0.9;
/// … and that either side shows by itself.
const LEAST_OF_PENALTY_ON_SIDE: f64 = 0.55;
/// Penalty for the first, generous, search in nats, as a part of β.
const SEARCH_OF_PENALTY: f64 = 0.5;

/// Requests that clump count for less, but no longer neighbourhood than this many times the usual is looked at.
const MOST_CLUMPED: f64 = 30.0;
/// Stragglers in a silence: one, and this part of the requests that should have come.
const STRAGGLERS: f64 = 0.005;
/// A pause cut off from a silence by a straggler is part of it from so many expected requests on.
const LEAST_PART: f64 = 12.0;
/// Pieces without requests but for stragglers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Silence {
    /// First piece.
    pub(super) from: usize,
    /// One past the last piece.
    pub(super) until: usize,
    /// Nats: requests that should have come, over the scale of usual pauses.
    pub(super) strength: f64,
    /// Scale of usual pauses, at least 1.
    pub(super) scale: f64,
    /// Nothing comes after it.
    pub(super) open: bool,
}

/// Silences, ascending.
pub(super) fn silences(axis: &Axis, expected: &Expected, dispersion: f64, penalty: f64) -> Vec<Silence> {
    let clumped = dispersion.clamp(1.0, MOST_CLUMPED);
    let pauses = pauses(axis);
    let mut notable = Vec::new();
    let mut usual: Vec<f64> = Vec::with_capacity(pauses.len());
    for &(from, until) in &pauses {
        let raw = expected.within(from, until);
        let missed = if raw < NOTABLE { raw } else { believed(axis, expected, clumped, from, until).0 };
        usual.push(missed);
        if raw >= NOTABLE && missed > 0.0 {
            notable.push((from, until));
        }
    }
    let tail = Tail::of(usual, axis);
    let judge = Judge { axis, expected, clumped, tail: &tail, penalty };
    // With stragglers first: what they bind together is one silence.
    let mut emission = Silent { axis, expected, scale: tail.scale };
    let half = SEARCH_OF_PENALTY * penalty / 2.0;
    let (runs, _) = segment(&mut emission, Penalties { enter: half, leave: half, change: penalty });
    let mut found: Vec<Silence> =
        runs.iter().filter_map(|run| judge.accept(judge.trim(run.first, run.last + 1)?)).collect();
    for pause in notable {
        let at = found.partition_point(|silence| silence.until <= pause.0);
        if found.get(at).is_none_or(|next| next.from >= pause.1)
            && let Some(silence) = judge.accept(pause)
        {
            found.insert(at, silence);
        }
    }
    found
}

/// Maximal runs of pieces without a request, half-open, within sessions and not at their beginning.
fn pauses(axis: &Axis) -> Vec<(usize, usize)> {
    let mut pauses: Vec<(usize, usize)> = Vec::new();
    for (index, piece) in axis.pieces().enumerate() {
        if piece.count > 0.0 {
            continue;
        }
        match pauses.last_mut() {
            Some(last) if last.1 == index && !axis.breaks_before(index) => last.1 = index + 1,
            _ => pauses.push((index, index + 1)),
        }
    }
    pauses
}

/// Requests missed in some pieces: as expected from the neighbourhood of hours and days, or from either side if that is
/// less; and the nats of the weaker side, from what came there alone.
fn believed(axis: &Axis, expected: &Expected, clumped: f64, from: usize, until: usize) -> (f64, f64) {
    let (first, end) = axis.session_of(from);
    let raw = expected.within(from, until);
    let before = side(axis, clumped, (from, until), |wanted, by_exposure| {
        let reached = if by_exposure {
            axis.back_to_exposure(from, wanted, first)
        } else {
            axis.back_to_count(from, wanted, first)
        };
        (reached, from)
    });
    // A member may be silent to the end of the data.
    let after = if until >= end && axis.against == Against::Group {
        Some((f64::INFINITY, f64::INFINITY, f64::INFINITY))
    } else {
        side(axis, clumped, (from, until), |wanted, by_exposure| {
            let reached = if by_exposure {
                axis.on_to_exposure(until, wanted, end)
            } else {
                axis.on_to_count(until, wanted, end)
            };
            (until, reached)
        })
    };
    match (before, after) {
        (Some(before), Some(after)) => {
            // A site falls asleep and wakes up; where only one side leads down the rate goes on falling on the other.
            let asleep = before.2.max(after.2);
            (raw.min(before.0).min(after.0).min(asleep), before.1.min(after.1))
        }
        _ => (0.0, 0.0),
    }
}

/// Requests missed by the rate on one side, and the nats of a silence that long after what came there: n·ln(1 + x/w), the
/// predictive probability of none in an exposure x after n in w, whatever the rate. Third, requests missed if the trend
/// there went on. `reach` gives the pieces on
/// that side that hold some requests, or some exposure.
fn side(
    axis: &Axis,
    clumped: f64,
    (from, until): (usize, usize),
    reach: impl Fn(f64, bool) -> (usize, usize),
) -> Option<(f64, f64, f64)> {
    let silent = axis.exposure_in(from, until);
    let mut least = (f64::INFINITY, f64::INFINITY);
    for pieces in [reach(SIDE_REQUESTS * clumped, false), reach(silent * SIDE_PART, true)] {
        let (count, exposure) = (axis.count_in(pieces.0, pieces.1), axis.exposure_in(pieces.0, pieces.1));
        if count < FEWEST_ON_SIDE && exposure < silent {
            // A second scale as short as this adds nothing to the first.
            if least.0.is_finite() {
                continue;
            }
            return None;
        }
        let ratio = silent / exposure.max(f64::MIN_POSITIVE);
        least = (least.0.min(count * ratio), least.1.min(count * ratio.ln_1p()));
    }
    let followed = axis.against == Against::Time && silent >= TREND_SECONDS;
    let asleep = if followed { trend(axis, clumped, silent, &reach) } else { f64::INFINITY };
    Some((least.0, least.1, asleep))
}

/// Requests missed if the rate went on falling the way it fell up to the pause (rose the way it rose after it).
fn trend(axis: &Axis, clumped: f64, silent: f64, reach: &impl Fn(f64, bool) -> (usize, usize)) -> f64 {
    let mut least = f64::INFINITY;
    let by_count = TREND_REQUESTS.map(|wanted| (wanted * clumped, false));
    for (wanted, by_exposure) in by_count.into_iter().chain([(SIDE_PART * silent, true)]) {
        let near = reach(wanted, by_exposure);
        let both = reach(3.0 * wanted, by_exposure);
        let sums = |pieces: (usize, usize)| {
            (axis.count_in(pieces.0, pieces.1), axis.exposure_in(pieces.0, pieces.1))
        };
        let (close, far) = (sums(near), sums(both));
        // A quiet minute is not the evening of half an hour.
        if far.1 < SIDE_PART * silent {
            continue;
        }
        let far = (far.0 - close.0, far.1 - close.1);
        if close.0 <= 0.0 || far.0 <= 0.0 || close.1 <= 0.0 || far.1 <= 0.0 {
            continue;
        }
        let (rate, rate_before) = (close.0 / close.1, far.0 / far.1);
        let pooled = (close.0 + far.0) / (close.1 + far.1);
        let nats = close.0 * (rate / pooled).ln() + far.0 * (rate_before / pooled).ln();
        if rate < rate_before && nats >= TREND_NATS * clumped {
            let decay = (rate_before / rate).ln() / f64::midpoint(close.1, far.1);
            let at_edge = rate * (-decay * close.1 / 2.0).exp();
            least = least.min(at_edge * -(-decay * silent).exp_m1() / decay);
        }
    }
    least
}

/// The longest of the usual pauses.
#[derive(Debug)]
struct Tail {
    /// (longest pause but k, mean excess over it, ln k)
    ranks: Vec<(f64, f64, f64)>,
    /// The largest of the mean excesses, at least 1 (which it is for independent requests).
    scale: f64,
    /// The longest pause of a tail that falls as a power of the length.
    heavy: f64,
}

impl Tail {
    fn of(mut pauses: Vec<f64>, axis: &Axis) -> Self {
        pauses.sort_by(|a, b| b.total_cmp(a));
        let allowed = SILENCES + SILENCES * axis.days().floor();
        let apart = pauses
            .iter()
            .take_while(|&&missed| missed >= SILENCES * NOTABLE)
            .enumerate()
            .take_while(|&(rank, _)| (rank as f64) < allowed)
            .count();
        let usual = &pauses[apart..];
        // Requests of one second have pauses of nothing between them.
        let all = axis.requests().max(usual.len() as f64);
        let (mut ranks, mut scale) = (Vec::new(), 1.0_f64);
        for rank in TAIL_RANKS {
            let (kept, few) = if all < 4.0 * rank as f64 { (all / 4.0, true) } else { (rank as f64, false) };
            let kept = kept.floor().max(1.0);
            let at = |index: usize| usual.get(index).copied().unwrap_or(0.0);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 80")]
            let rank = kept as usize;
            let over = at(rank);
            let excess = (0..rank).map(|index| at(index) - over).sum::<f64>() / kept;
            // As much as an exponential tail through this rank has, where all the longest are alike.
            let even = over / (all / kept).ln().max(1.0);
            let own = excess.max(even).max(1.0);
            ranks.push((over, own, kept.ln()));
            scale = scale.max(own);
            if few {
                break;
            }
        }
        Self { ranks, scale, heavy: heavy_longest(usual, apart) }
    }

    /// Nats by which a pause is longer than the longest that chance explains.
    fn beyond(&self, missed: f64) -> f64 {
        let nats = |&(over, excess, rank): &(f64, f64, f64)| (missed - over) / excess - rank;
        self.ranks.iter().map(nats).fold(f64::INFINITY, f64::min)
    }
}

/// The longest of all pauses as a power law through two of the usual ones has it, `apart` longer ones left out; 0 where
/// there are too few to tell.
fn heavy_longest(usual: &[f64], apart: usize) -> f64 {
    let [near, far] = HEAVY_RANKS;
    let (Some(&long), Some(&short)) = (usual.get(near), usual.get(far)) else { return 0.0 };
    if short <= 0.0 {
        return 0.0;
    }
    let rank = |index: usize| (index + apart + 1) as f64;
    let slope = (long / short).ln() / (rank(far) / rank(near)).ln();
    long * rank(near).powf(slope)
}

struct Judge<'a> {
    axis: &'a Axis,
    expected: &'a Expected,
    clumped: f64,
    tail: &'a Tail,
    penalty: f64,
}

impl Judge<'_> {
    /// Takes requests off both ends, and pauses beyond a straggler that may be as long by chance.
    fn trim(&self, mut from: usize, mut until: usize) -> Option<(usize, usize)> {
        let axis = self.axis;
        let least = LEAST_PART * self.tail.scale;
        loop {
            from = (from..until).find(|&piece| axis.count(piece) <= 0.0)?;
            let pause = (from..until).find(|&piece| axis.count(piece) > 0.0).unwrap_or(until);
            if pause == until || self.expected.within(from, pause) >= least {
                break;
            }
            from = pause;
        }
        loop {
            until = (from..until).rfind(|&piece| axis.count(piece) <= 0.0)? + 1;
            let pause = (from..until).rfind(|&piece| axis.count(piece) > 0.0).map_or(from, |piece| piece + 1);
            if pause == from || self.expected.within(pause, until) >= least {
                break;
            }
            until = pause;
        }
        Some((from, until))
    }

    fn accept(&self, (from, until): (usize, usize)) -> Option<Silence> {
        let axis = self.axis;
        let seconds = axis.end(until - 1).saturating_sub(axis.start(from));
        let (first, end) = axis.session_of(from);
        if from == first || (until >= end && axis.against == Against::Time) {
            return None;
        }
        let without_history = axis.against == Against::Time && !self.expected.history;
        if (without_history && seconds > LONGEST_WITHOUT_HISTORY)
            || seconds >= super::axis::SESSION_BREAK_SECONDS
        {
            return None;
        }
        let (missed, side_nats) = believed(axis, self.expected, self.clumped, from, until);
        let came = axis.count_in(from, until);
        let net = missed * (1.0 - LEVEL) + came * LEVEL.ln();
        let strength = net / self.tail.scale;
        let extra = self.penalty - super::PENALTY;
        let accepted = came <= 1.0 + STRAGGLERS * missed
            && strength >= LEAST_OF_PENALTY * self.penalty
            && side_nats / self.tail.scale >= LEAST_OF_PENALTY_ON_SIDE * self.penalty
            && self.tail.beyond(net) >= BEYOND_TAIL + extra
            && net >= BEYOND_HEAVY * self.tail.heavy
            && (axis.against == Against::Group || !self.expected.hollow(axis, from, until));
        accepted.then_some(Silence { from, until, strength, scale: self.tail.scale, open: until >= end })
    }
}

/// Gain per piece: [k·ln ρ + μ(1 − ρ)]/s for ρ = [`LEVEL`].
struct Silent<'a> {
    axis: &'a Axis,
    expected: &'a Expected,
    scale: f64,
}

impl Emission for Silent<'_> {
    fn slots(&self) -> usize {
        self.axis.len()
    }
    fn levels(&self) -> usize {
        1
    }
    fn gains(&mut self, slot: usize, out: &mut [f64]) {
        let gain = self.axis.count(slot) * LEVEL.ln() + self.expected.of(slot) * (1.0 - LEVEL);
        if let Some(out) = out.first_mut() {
            *out = gain / self.scale;
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
