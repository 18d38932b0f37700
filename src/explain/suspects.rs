//! Changes and failures shortly before the onset. Correlation, worded as suspicion.

use super::Case;
use super::facts::{EntryKind, Suspect};
use crate::model::{MICROS, Timestamp};
use crate::signature::RuleKind;

/// Seconds before the onset from which on something may have to do with it.
const BEFORE: i64 = 2 * 3600;
/// Seconds after the first failed request in which its cause may still be written.
const AFTER: i64 = 10;
/// The time constant of proximity.
const NEAR_SECONDS: f64 = 20.0 * 60.0;
/// The least score of a change from which on the span to recovery is counted: a change under 20 minutes before.
const TRIGGER_SCORE: f64 = 0.3;
/// Suspects named at most.
const MOST: usize = 5;

/// What happened near `onset`, likeliest first.
pub(super) fn suspects(case: &Case<'_>, onset: Timestamp) -> Vec<Suspect> {
    let (from, to) = (onset.plus_seconds(-BEFORE), onset.plus_seconds(AFTER));
    let near = case.sightings.iter().filter(|s| from <= s.time && s.time <= to);
    let mut out: Vec<Suspect> = near
        .filter_map(|sighting| {
            let (kind, weight) = match case.rule_kind(sighting.kind)? {
                RuleKind::Change => (EntryKind::Change, 1.0),
                RuleKind::Failure => (EntryKind::FirstError, 0.9),
                RuleKind::Restart => (EntryKind::Restart, 0.8),
                RuleKind::Reload => (EntryKind::Reload, 0.8),
                RuleKind::Operator => (EntryKind::Operator, 0.6),
                RuleKind::Symptom => return None,
            };
            let lead = onset.micros().saturating_sub(sighting.time.micros()) as f64 / MICROS as f64;
            Some(Suspect {
                time: sighting.time,
                kind,
                meaning: case.meaning(sighting.kind)?.to_owned(),
                text: sighting.text.clone(),
                lead_seconds: lead,
                score: weight * (-lead.abs() / NEAR_SECONDS).exp(),
                location: sighting.location,
            })
        })
        .collect();
    out.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then(a.time.cmp(&b.time)).then(a.location.cmp(&b.location))
    });
    // of near-duplicates the likeliest speaks for all
    let mut told: Vec<String> = Vec::new();
    out.retain(|s| {
        let new = !told.contains(&s.meaning);
        told.push(s.meaning.clone());
        new
    });
    out.truncate(MOST);
    out
}

/// The likeliest change that may have set it off; `None` where none is near enough to build a figure on.
pub(super) fn trigger(suspects: &[Suspect]) -> Option<&Suspect> {
    suspects
        .iter()
        .find(|s| s.kind != EntryKind::FirstError && s.lead_seconds >= 0.0 && s.score >= TRIGGER_SCORE)
}
