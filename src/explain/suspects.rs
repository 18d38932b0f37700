//! Changes and failures shortly before the onset. Correlation, worded as suspicion.
//!
//! The score of a suspect is a product: how likely its kind is to cause an outage, how near it is to the onset, what
//! speaks for it beyond that (names, what undid it), and what speaks against it. It ranks; it is no probability.

use super::Case;
use super::changes::{Action, seconds_between};
use super::facts::{EntryKind, Reason, Remedy, Suspect};
use super::related::Failing;
use crate::model::{MICROS, Timestamp};
use crate::signature::{Deed, RuleKind};
use crate::survey::RareKind;

/// Seconds before the onset from which on something may have to do with it.
const BEFORE: i64 = 2 * 3600;
/// Seconds after the first failed request in which its cause may still be written: a server that cannot start says so
/// when it gives up.
const AFTER: i64 = 60;
/// Seconds before the onset at which something is half as likely as right at it.
const NEAR_SECONDS: f64 = 20.0 * 60.0;
/// The same for failures that are told after the onset.
const TOLD_LATE_SECONDS: f64 = 2.0 * 60.0;
/// A reload or start so many seconds before the onset puts into effect what was changed before it.
const EFFECT_SECONDS: f64 = 120.0;
/// A service that stops or starts so many seconds after a package of its name was changed does so because of that.
const FOLLOWS_SECONDS: f64 = 60.0;
/// From so long before the onset on, the time speaks against it.
const LONG_SECONDS: f64 = 3600.0;
/// At about the same time of day.
const SAME_TIME_SECONDS: i64 = 10 * 60;
const DAY: i64 = 86_400;
/// So many times elsewhere without an outage make it a habit.
const HABIT: u64 = 2;
/// Suspects under this score are not named: nothing speaks for them but being in the logs.
const LEAST: f64 = 0.1;
/// The least score of a restart, reload or command from which on the span to recovery is counted from it.
const TRIGGER_SCORE: f64 = 0.3;
/// Suspects named at most.
const MOST: usize = 5;

/// What happened near `onset`, likeliest first; empty where nothing in the logs explains it.
pub(super) fn suspects(
    case: &Case<'_>,
    all: &[Action],
    failing: &Failing,
    (onset, end): (Timestamp, Timestamp),
) -> Vec<Suspect> {
    let (from, to) = (onset.plus_seconds(-BEFORE), onset.plus_seconds(AFTER));
    let bench = Bench { case, all, failing, onset, end };
    let near = all.iter().filter(|a| from <= a.time && a.time <= to);
    let mut out: Vec<(Suspect, Option<Vec<u8>>)> = near
        .filter(|a| a.time <= onset || a.kind == RuleKind::Failure)
        .filter_map(|a| Some((bench.judge(a)?, a.name().map(<[u8]>::to_vec))))
        .collect();
    out.sort_by(|(a, _), (b, _)| {
        b.score.total_cmp(&a.score).then(a.time.cmp(&b.time)).then(a.location.cmp(&b.location))
    });
    // of what happened several times the likeliest speaks for all
    let mut told: Vec<(String, Option<Vec<u8>>)> = Vec::new();
    out.retain(|(s, name)| {
        let key = (s.meaning.clone(), name.clone());
        let new = !told.contains(&key);
        told.push(key);
        new
    });
    out.truncate(MOST);
    out.into_iter().map(|(suspect, _)| suspect).collect()
}

/// What an action is judged beside.
struct Bench<'a> {
    case: &'a Case<'a>,
    all: &'a [Action],
    failing: &'a Failing,
    onset: Timestamp,
    end: Timestamp,
}

impl Bench<'_> {
    fn judge(&self, action: &Action) -> Option<Suspect> {
        let rule = self.case.rules.get(action.rule)?;
        let lead = seconds_between(action.time, self.onset);
        let (mut why, mut against) = (Vec::new(), Vec::new());
        let mut score = action.weight * self.nearness(action, lead, &mut why, &mut against);
        score *= self.kinship(action, &mut why, &mut against);
        score *= self.habit(action, &mut against);
        score *= self.aftermath(action, &mut why, &mut against);
        let score = score.clamp(0.0, 1.0);
        let meaning = self.case.told(RareKind::Rule(action.rule), &action.text)?;
        (score >= LEAST).then(|| Suspect {
            time: action.time,
            kind: entry_kind(action.kind),
            meaning: meaning.to_owned(),
            text: action.text.clone(),
            lead_seconds: lead,
            score,
            location: action.location,
            change: action.change.clone(),
            more_packages: action.packages.saturating_sub(1),
            next_step: rule.next_step.clone(),
            reference: rule.reference.clone(),
            why,
            against,
        })
    }

    /// 1 at the onset, a half 20 minutes before. A change counts from when it took effect.
    fn nearness(&self, action: &Action, lead: f64, why: &mut Vec<Reason>, against: &mut Vec<Reason>) -> f64 {
        if lead < 0.0 {
            why.push(Reason::CanCauseIt);
            against.push(Reason::AfterOnset { seconds: -lead });
            return 1.0 / (1.0 - lead / TOLD_LATE_SECONDS);
        }
        if lead <= LONG_SECONDS {
            why.push(Reason::ShortlyBefore { seconds: lead });
        } else {
            against.push(Reason::LongBefore { seconds: lead });
        }
        if action.kind == RuleKind::Failure {
            why.push(Reason::CanCauseIt);
        }
        let own = near(lead);
        let changes =
            action.kind == RuleKind::Change || (action.kind == RuleKind::Operator && action.weight >= 0.8);
        let effect = self.all.iter().rev().find(|later| {
            let before = seconds_between(later.time, self.onset);
            let starts = matches!(later.what(), Some(Deed::Started | Deed::Reloaded));
            matches!(later.kind, RuleKind::Restart | RuleKind::Reload)
                && starts
                && (0.0..=EFFECT_SECONDS).contains(&before)
                && later.time > action.last
                && (later.host == action.host || later.host.is_none() || action.host.is_none())
        });
        match effect {
            // a little less than what happened right then: there may be others that it put into effect
            Some(later) if changes => {
                why.push(Reason::TookEffect { at: later.time });
                own.max(0.95 * near(seconds_between(later.time, self.onset)))
            }
            _ => own,
        }
    }

    /// Names and machines.
    fn kinship(&self, action: &Action, why: &mut Vec<Reason>, against: &mut Vec<Reason>) -> f64 {
        let mut factor = 1.0;
        if let Some((dimension, value)) = action.names().find_map(|name| self.failing.named(name)) {
            why.push(Reason::NamesWhatFailed { dimension, value: value.clone() });
            factor *= 1.15;
        }
        match (action.host, self.failing.host) {
            (Some(mine), Some(failed)) if mine == failed => why.push(Reason::SameHost),
            (Some(_), Some(_)) => {
                against.push(Reason::OtherHost);
                factor *= 0.3;
            }
            _ => {}
        }
        factor
    }

    /// What happens all the time is no news.
    fn habit(&self, action: &Action, against: &mut Vec<Reason>) -> f64 {
        let same = |other: &&Action| {
            other.rule == action.rule
                && other.name() == action.name()
                && seconds_between(action.time, other.time).abs() > SAME_TIME_SECONDS as f64
                && !(self.onset <= other.time && other.time <= self.end)
        };
        let second = |t: Timestamp| t.micros().div_euclid(MICROS);
        let (mut times, mut days) = (0, Vec::new());
        for other in self.all.iter().filter(same) {
            times += 1;
            let apart = (second(other.time) - second(action.time)).rem_euclid(DAY);
            if apart.min(DAY - apart) <= SAME_TIME_SECONDS {
                days.push(second(other.time).div_euclid(DAY));
            }
        }
        days.dedup();
        if !days.is_empty() {
            against.push(Reason::EveryDay { days: days.len() as u64 });
            0.5
        } else if times >= HABIT {
            against.push(Reason::Recurs { times });
            0.6
        } else {
            1.0
        }
    }

    /// What came of it: taken back before the recovery, or itself the consequence of another.
    fn aftermath(&self, action: &Action, why: &mut Vec<Reason>, against: &mut Vec<Reason>) -> f64 {
        let mut factor = 1.0;
        if let Some(change) = &action.change {
            let after = |other: &&Action| self.onset < other.time && other.time <= self.end;
            let back = |other: &&Action| other.change.as_ref().is_some_and(|c| c.undoes(change));
            if let Some(undo) = self.all.iter().filter(after).find(back) {
                why.push(Reason::Undone { at: undo.time });
                factor *= 1.1;
            }
        }
        let service = matches!(action.kind, RuleKind::Restart | RuleKind::Reload);
        let cause = self.all.iter().find(|other| {
            let since = seconds_between(other.last, action.time);
            other.kind == RuleKind::Change && other.packages > 0 && (0.0..=FOLLOWS_SECONDS).contains(&since)
        });
        if let Some(cause) = cause.filter(|_| service) {
            against.push(Reason::Follows { at: cause.time });
            factor *= 0.7;
        }
        factor
    }
}

fn near(lead: f64) -> f64 {
    1.0 / (1.0 + lead.max(0.0) / NEAR_SECONDS)
}

fn entry_kind(kind: RuleKind) -> EntryKind {
    match kind {
        RuleKind::Change => EntryKind::Change,
        RuleKind::Restart => EntryKind::Restart,
        RuleKind::Reload => EntryKind::Reload,
        RuleKind::Operator => EntryKind::Operator,
        RuleKind::Failure | RuleKind::Symptom => EntryKind::FirstError,
        RuleKind::Job | RuleKind::Alert => EntryKind::Note,
    }
}

/// The likeliest change before the onset: that from which the span to recovery is counted. A failure is none, and of
/// restarts and commands only those near enough to build a figure on.
pub(super) fn trigger(suspects: &[Suspect]) -> Option<&Suspect> {
    suspects.iter().find(|s| {
        let kind = match s.kind {
            EntryKind::Change => true,
            EntryKind::Restart | EntryKind::Reload | EntryKind::Operator => s.score >= TRIGGER_SCORE,
            _ => false,
        };
        kind && s.lead_seconds >= 0.0
    })
}

/// What was done last before the recovery, and before it what took a suspect back; by time, at most two. Empty while an
/// incident lasts, and where nothing is written.
pub(super) fn remedy(
    case: &Case<'_>,
    all: &[Action],
    suspects: &[Suspect],
    (onset, end): (Timestamp, Timestamp),
) -> Vec<Remedy> {
    let undoes = |a: &Action| {
        let taken_back = |s: &Suspect| match (&a.change, &s.change) {
            (Some(mine), Some(theirs)) => mine.undoes(theirs),
            _ => false,
        };
        suspects.iter().any(taken_back)
    };
    let inside: Vec<&Action> = all
        .iter()
        .filter(|a| onset < a.time && a.time <= end && a.weight >= 0.5)
        .filter(|a| {
            use RuleKind::{Change, Operator, Reload, Restart};
            matches!(a.kind, Change | Operator | Reload | Restart)
        })
        .collect();
    // a command is told by what it did, where that is told
    let done = |a: &&&Action| a.kind != RuleKind::Operator && a.what() != Some(Deed::Stopped);
    let last = inside.iter().rev().find(done).or_else(|| inside.last());
    let undo = inside.iter().rev().find(|a| undoes(a));
    let mut chosen: Vec<&Action> = undo.into_iter().chain(last).copied().collect();
    chosen.sort_by_key(|a| (a.time, a.location));
    chosen.dedup_by_key(|a| (a.time, a.location));
    let told = |a: &Action| {
        Some(Remedy {
            time: a.time,
            kind: entry_kind(a.kind),
            meaning: case.told(RareKind::Rule(a.rule), &a.text)?.to_owned(),
            text: a.text.clone(),
            location: a.location,
            change: a.change.clone(),
            lead_seconds: seconds_between(a.time, end).max(0.0),
            undoes_suspect: undoes(a),
        })
    };
    chosen.into_iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests;
