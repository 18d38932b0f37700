//! From pieces to what is reported: boundaries with their intervals, what was expected, what normal was.

use super::super::{Audit, Baseline, Boundary, Effect, Finding, Gate, GateKind, Level, Signal};
use super::Model;
use super::axis::{Against, Axis};
use super::partial::Drop;
use super::silence::{LEAST_OF_PENALTY, Silence};
use super::spread::HIGHEST;

/// Mean waits within which the next request comes 95 times in 100: −ln 0.05.
const WAITS: f64 = 2.996;
/// 95 % of a normal distribution lie within so many standard deviations.
const DEVIATIONS: f64 = 1.96;
/// The comparison window is an hour, longer where that holds too few requests.
const WINDOWS_SECONDS: [i64; 3] = [3600, 4 * 3600, 24 * 3600];
/// So many requests make a comparison.
const WINDOW_REQUESTS: f64 = 60.0;
/// A member's usual rate is taken from so much on either side, at least and at most.
const NEAR_SECONDS: (i64, i64) = (600, 3600);
/// While nobody gets a request nothing is missed: where the whole group was quiet for longer than this beside a member's
/// silence, that begins (ends) with the requests of the others.
const QUIET_SECONDS: i64 = 600;
/// Seconds of an incident's surroundings that may be its own.
const MARGIN_SECONDS: i64 = 30;

/// A stretch that is to be reported.
#[derive(Debug, Clone)]
pub(super) struct Drafted {
    /// First piece.
    pub(super) from: usize,
    /// One past the last piece.
    pub(super) until: usize,
    /// Nats.
    pub(super) strength: f64,
    /// Some requests came.
    pub(super) partial: bool,
    /// φ at either edge, or the intervals found there.
    start: EdgeKind,
    end: EdgeKind,
    open: bool,
    /// Constant parts, half-open ranges of pieces.
    parts: Vec<(usize, usize)>,
}

#[derive(Debug, Clone, Copy)]
enum EdgeKind {
    /// A silence's, with the scale of usual pauses.
    Silent(f64),
    /// A partial drop's interval.
    Range(i64, i64),
}

impl Drafted {
    pub(super) fn silent(silence: &Silence) -> Self {
        let &Silence { from, until, strength, scale, open } = silence;
        let edge = EdgeKind::Silent(scale);
        Self {
            from,
            until,
            strength,
            partial: false,
            start: edge,
            end: edge,
            open,
            parts: vec![(from, until)],
        }
    }

    pub(super) fn partial(drop: &Drop) -> Self {
        let &Drop { from, until, strength, start_range, end_range, open } = drop;
        Self {
            from,
            until,
            strength,
            partial: true,
            start: EdgeKind::Range(start_range.0, start_range.1),
            end: EdgeKind::Range(end_range.0, end_range.1),
            open,
            parts: vec![(from, until)],
        }
    }

    /// Takes up a draft that begins no earlier. Parts don't overlap: a silence is left out of a drop's edge.
    pub(super) fn join(&mut self, next: Self) {
        for (from, until) in next.parts {
            let from = from.max(self.until);
            if from < until {
                self.parts.push((from, until));
            }
        }
        if next.until >= self.until {
            self.until = next.until;
            self.end = next.end;
            self.open |= next.open;
        }
        self.strength += next.strength;
        self.partial |= next.partial;
    }
}

/// The finding that a draft amounts to, between its neighbours.
pub(super) fn describe(
    axis: &Axis,
    model: &Model,
    draft: &Drafted,
    (before, after): (Option<&Drafted>, Option<&Drafted>),
    penalty: f64,
) -> Finding {
    let &Drafted { from, until, .. } = draft;
    let (start, end) = (start_of(axis, model, draft), end_of(axis, model, draft));
    let came = axis.count_in(from, until);
    let usual = model.expected.within(from, until).max(f64::MIN_POSITIVE);
    let expected = match axis.against {
        Against::Time => usual,
        Against::Group => member_expected(axis, draft, usual),
    };
    let factor = expected / usual;
    let expected = expected.max(came);
    let seconds = end.second.saturating_sub(start.second).max(0) as f64 + 1.0;
    let share =
        |from, until| missing(axis.count_in(from, until), factor * model.expected.within(from, until));
    let levels = draft
        .parts
        .iter()
        .map(|&(from, until)| Level {
            start: axis.start(from).max(start.second),
            end: axis.end(until.saturating_sub(1)).saturating_sub(1).min(end.second),
            share: share(from, until),
        })
        .filter(|level| level.start <= level.end)
        .collect();
    let dispersion = match draft.start {
        EdgeKind::Silent(scale) => scale.max(model.spread.dispersion),
        EdgeKind::Range(..) => model.spread.dispersion,
    };
    let (window, requests_per_second) = comparison(axis, draft, before, after);
    Finding {
        signal: Signal::Traffic,
        effect: Effect::Traffic {
            expected,
            missing_range: missing_range(came, expected, model.spread.dispersion, {
                if draft.partial { model.spread.wander(seconds) } else { 0.0 }
            }),
        },
        start,
        end,
        baseline: Baseline { error_share: 0.0, requests_per_second, window },
        requests: whole(came),
        failures: 0,
        dominant_status: None,
        strength: draft.strength,
        dispersion: dispersion.clamp(1.0, HIGHEST),
        levels,
        confidence: confidence(draft, penalty),
        audit: Audit {
            penalty,
            gates: vec![Gate {
                what: GateKind::Strength,
                value: draft.strength,
                needed: if draft.partial { penalty } else { LEAST_OF_PENALTY * penalty },
            }],
            ..Audit::default()
        },
    }
}

/// Requests that a member should have had. Its share of what the group got is too little where the others did not take
/// over what it missed: their requests tell. So it is its usual rate on either side, between the two extremes.
fn member_expected(axis: &Axis, draft: &Drafted, usual: f64) -> f64 {
    let &Drafted { from, until, .. } = draft;
    let (first, end) = axis.session_of(from);
    let (start, finish) = (axis.start(from), axis.end(until.saturating_sub(1)));
    let seconds = finish.saturating_sub(start).max(1);
    let reach = (seconds / 2).clamp(NEAR_SECONDS.0, NEAR_SECONDS.1);
    let back = axis.between(start.saturating_sub(reach), start).0.clamp(first, from);
    let on = axis.between(finish, finish.saturating_add(reach)).1.clamp(until, end.max(until));
    let side = |from: usize, until: usize| {
        let long = axis.end(until.saturating_sub(1)).saturating_sub(axis.start(from));
        (from < until && long > 0).then(|| axis.count_in(from, until) / long as f64)
    };
    let rates: Vec<f64> = [side(back, from), side(until, on)].into_iter().flatten().collect();
    let rate = rates.iter().sum::<f64>() / (rates.len().max(1) as f64);
    let (came, group) = (axis.count_in(from, until), axis.exposure_in(from, until));
    let share = (usual / group.max(f64::MIN_POSITIVE)).clamp(0.0, 0.99);
    let apart = (share / (1.0 - share) * (group - came)).max(usual);
    (rate * seconds as f64).clamp(usual, apart)
}

/// Share of the expected requests that did not come, 0–1.
fn missing(came: f64, expected: f64) -> f64 {
    if expected <= 0.0 { 0.0 } else { (1.0 - came / expected).clamp(0.0, 1.0) }
}

/// 95 % interval of the missing share: the variance of what came is φk + τ²k², and none is at most three.
fn missing_range(came: f64, expected: f64, dispersion: f64, wander: f64) -> (f64, f64) {
    if expected <= 0.0 {
        return (0.0, 1.0);
    }
    let deviation = (dispersion * (came + 1.0) + wander * came * came).sqrt();
    let expectation = DEVIATIONS * (dispersion / expected).sqrt().min(1.0);
    let most = came + DEVIATIONS * deviation + if came <= 0.0 { 1.0 } else { 0.0 };
    let least = (came - DEVIATIONS * deviation).max(0.0);
    let few = expected * (1.0 - expectation).max(0.05);
    let many = expected * (1.0 + expectation);
    (missing(most, few), missing(least, many).max(missing(came, expected)))
}

/// Seconds in which a request would have come 95 times in 100.
fn wait(axis: &Axis, model: &Model, draft: &Drafted, part: Option<&(usize, usize)>, scale: f64) -> i64 {
    let (from, until) = part.copied().unwrap_or((draft.from, draft.until));
    let seconds = axis.end(until.saturating_sub(1)).saturating_sub(axis.start(from)).max(1) as f64;
    let rate = model.expected.within(from, until) / seconds;
    #[allow(clippy::cast_possible_truncation, reason = "a float cast saturates; the caller cuts it down")]
    let wait = (WAITS * scale / rate.max(1e-9)).min(seconds).ceil() as i64;
    wait
}

/// The fault began after the last request that came, and before chance would have let the silence last any longer.
fn start_of(axis: &Axis, model: &Model, draft: &Drafted) -> Boundary {
    let last = draft.from.checked_sub(1).map_or_else(|| axis.start(draft.from), |before| axis.end(before));
    match draft.start {
        EdgeKind::Silent(scale) => {
            let wait = wait(axis, model, draft, draft.parts.first(), scale);
            let first = axis.start(draft.from);
            let quiet = axis.against == Against::Group && first.saturating_sub(last) > QUIET_SECONDS;
            let second = if quiet { first } else { last };
            let latest = second.saturating_add(wait.max(1));
            Boundary { second, range: (last.saturating_sub(axis.width), latest), open: false }
        }
        EdgeKind::Range(low, high) => {
            let second = axis.start(draft.from);
            Boundary { second, range: (low.min(second), high.max(second)), open: false }
        }
    }
}

/// See [`start_of`].
fn end_of(axis: &Axis, model: &Model, draft: &Drafted) -> Boundary {
    let last = axis.end(draft.until.saturating_sub(1)).saturating_sub(1);
    if draft.open {
        return Boundary { second: last, range: (last, last), open: true };
    }
    match draft.end {
        EdgeKind::Silent(scale) => {
            let back = axis.start(draft.until);
            let quiet =
                axis.against == Against::Group && back.saturating_sub(last).saturating_sub(1) > QUIET_SECONDS;
            let second = if quiet { last } else { back.saturating_sub(1) };
            let wait = wait(axis, model, draft, draft.parts.last(), scale);
            let earliest = second.saturating_sub(wait.max(1));
            let latest = back.saturating_sub(1).saturating_add(axis.width);
            Boundary { second, range: (earliest, latest), open: false }
        }
        EdgeKind::Range(low, high) => {
            Boundary { second: last, range: (low.min(last), high.max(last)), open: false }
        }
    }
}

/// The healthy stretch before (else after) a draft, and its requests per second.
fn comparison(
    axis: &Axis,
    draft: &Drafted,
    before: Option<&Drafted>,
    after: Option<&Drafted>,
) -> (Option<(i64, i64)>, f64) {
    let (first, end) = axis.session_of(draft.from);
    let lower = before.map_or(first, |before| before.until.max(first));
    let upper = after.map_or(end, |after| after.from.min(end));
    let start = axis.start(draft.from).saturating_sub(MARGIN_SECONDS);
    let finish = axis.end(draft.until.saturating_sub(1)).saturating_add(MARGIN_SECONDS);
    let mut best: Option<(f64, (i64, i64))> = None;
    for window in WINDOWS_SECONDS {
        let back = axis.between(start.saturating_sub(window), start);
        let on = axis.between(finish, finish.saturating_add(window));
        let back = (back.0.clamp(lower, draft.from.max(lower)), back.1.clamp(lower, draft.from.max(lower)));
        let on = (on.0.clamp(draft.until.min(upper), upper), on.1.clamp(draft.until.min(upper), upper));
        for (from, until) in [back, on] {
            let count = axis.count_in(from, until);
            if from < until && count > 0.0 && best.is_none_or(|(most, _)| count > most) {
                best = Some((count, (axis.start(from), axis.end(until - 1).saturating_sub(1))));
            }
            if best.is_some_and(|(most, _)| most >= WINDOW_REQUESTS) {
                break;
            }
        }
        if best.is_some_and(|(most, _)| most >= WINDOW_REQUESTS) {
            break;
        }
    }
    best.map_or((None, 0.0), |(count, (from, until))| {
        let seconds = until.saturating_sub(from).saturating_add(1).max(1) as f64;
        (Some((from, until)), count / seconds)
    })
}

/// How sure this is an incident: a logistic of the evidence in units of β. A partial drop is less sure than a silence.
fn confidence(draft: &Drafted, penalty: f64) -> f64 {
    let strength = (draft.strength / penalty.max(1.0)).clamp(0.1, 20.0).ln();
    let logit = if draft.partial { 1.5 } else { 2.5 } + 1.5 * strength;
    (1.0 / (1.0 + (-logit).exp())).clamp(0.0, 0.999)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts, never negative")]
fn whole(sum: f64) -> u64 {
    sum as u64
}
