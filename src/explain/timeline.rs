//! Everything worth telling, in order.

use std::collections::BTreeMap;

use super::facts::{EntryKind, Fact, Incident, TimelineEntry};
use super::templates::{NotableTemplate, Novelty, TemplateCount, notable};
use super::{Case, Look, Sighting};
use crate::detect::Finding;
use crate::inspect::{Closeup, Window};
use crate::model::{Location, Timestamp, Untrusted};
use crate::signature::RuleKind;
use crate::survey::RareKind;

/// Rows kept at most: a reader stops long before, a tool may want them.
const MOST: usize = 2_000;
/// Sightings of one kind within so many seconds are one row with a count.
const FOLD_SECONDS: i64 = 600;

/// Rows about incidents, blips, changes and first errors, by time.
pub(super) fn timeline(
    case: &Case<'_>,
    incidents: &[(Incident, Look<'_>)],
    alone: &[Finding],
) -> Vec<TimelineEntry> {
    let mut rows: Vec<TimelineEntry> = Vec::new();
    for (index, (incident, look)) in incidents.iter().enumerate() {
        rows.extend(boundaries(index, incident));
        let told = new_messages(index, *look);
        let again = |row: &TimelineEntry| {
            matches!(row.fact, Fact::FirstError { .. }) && told.iter().any(|new| new.location == row.location)
        };
        rows.extend(first_errors(case, index, look.closeup).into_iter().filter(|row| !again(row)));
        rows.extend(told);
    }
    rows.extend(case.blips.iter().map(|f| blip(f, EntryKind::Blip)));
    rows.extend(case.bursts.iter().map(|(stream, finding)| burst(case, *stream, finding)));
    rows.extend(alone.iter().map(|f| blip(f, EntryKind::Note)));
    // a failure that an incident's own messages tell of is not told twice
    let told: Vec<_> = rows.iter().filter(|r| r.kind == EntryKind::FirstError).map(|r| r.location).collect();
    rows.extend(changes(case).into_iter().filter(|row| !told.contains(&row.location)));
    rows.sort_by_key(|a| (a.time, a.kind, a.location));
    if rows.len() > MOST {
        // what is about an incident stays
        let mut spare = rows.len() - MOST;
        rows.retain(|row| {
            let drop = spare > 0 && row.incident.is_none();
            spare -= usize::from(drop);
            !drop
        });
        rows.truncate(MOST);
    }
    rows
}

fn boundaries(index: usize, incident: &Incident) -> Vec<TimelineEntry> {
    let status = incident
        .statuses
        .iter()
        .max_by_key(|(status, n)| (**n, std::cmp::Reverse(**status)))
        .map(|(s, _)| *s);
    let row =
        |time, kind, fact, location| TimelineEntry { time, kind, fact, location, incident: Some(index) };
    let mut rows = vec![row(
        incident.start.at,
        EntryKind::IncidentStart,
        Fact::Onset { status, open: incident.start.open },
        incident.start.location,
    )];
    if let (Some(at), Some(percent)) = (incident.impact.peak_at, incident.impact.peak_percent) {
        rows.push(row(at.max(incident.start.at), EntryKind::IncidentPeak, Fact::Peak { percent }, None));
    }
    for phase in incident.phases.iter().skip(1) {
        rows.push(row(phase.start, EntryKind::Note, Fact::LevelChange { percent: phase.percent }, None));
    }
    rows.push(if incident.end.open {
        row(incident.end.at, EntryKind::Note, Fact::Ongoing, incident.end.location)
    } else {
        let fact = Fact::Recovery { duration_seconds: incident.duration_seconds() };
        row(incident.end.at, EntryKind::IncidentEnd, fact, incident.end.location)
    });
    rows
}

/// The first message of each kind of failure in an incident.
fn first_errors(case: &Case<'_>, index: usize, closeup: &Closeup) -> Vec<TimelineEntry> {
    let mut rows = Vec::new();
    for (kind, messages) in &closeup.messages {
        let Some(first) = &messages.first else { continue };
        let line = &first.line;
        if !matches!(case.rule_kind(*kind), None | Some(RuleKind::Failure | RuleKind::Symptom)) {
            continue;
        }
        rows.push(TimelineEntry {
            time: line.time,
            kind: EntryKind::FirstError,
            fact: failure(case, *kind, first.level, &first.text, messages.count),
            location: Some(Location { source: line.source, line: line.number }),
            incident: Some(index),
        });
    }
    rows
}

/// Messages of an incident that no rule knows and that were not there before, or not as often.
fn new_messages(index: usize, look: Look<'_>) -> Vec<TimelineEntry> {
    let Some((inside_seconds, outside_seconds)) = look.window.map(Window::message_seconds) else {
        return Vec::new();
    };
    let counts: Vec<TemplateCount> = look
        .closeup
        .templates
        .iter()
        .map(|(_, tone)| TemplateCount {
            template: Untrusted::new(&tone.template),
            inside: tone.inside,
            inside_seconds,
            outside: tone.outside,
            outside_seconds,
            first: tone.first.as_ref().map(|first| {
                let line = &first.line;
                let place = Location { source: line.source, line: line.number };
                (line.time, place, Untrusted::new(&first.text))
            }),
        })
        .collect();
    let row = |found: NotableTemplate| {
        let (time, location, text) = found.count.first?;
        let times = match found.novelty {
            Novelty::New => None,
            Novelty::Bursting { times } => Some(times),
        };
        Some(TimelineEntry {
            time,
            kind: EntryKind::FirstError,
            fact: Fact::NewMessage { text, count: found.count.inside, times },
            location: Some(location),
            incident: Some(index),
        })
    };
    notable(&counts).into_iter().filter_map(row).collect()
}

fn burst(case: &Case<'_>, stream: usize, finding: &Finding) -> TimelineEntry {
    TimelineEntry {
        time: Timestamp::from_seconds(finding.start.second),
        kind: EntryKind::Note,
        fact: Fact::Burst {
            place: case.streams.get(stream).and_then(|stream| stream.place.clone()),
            messages: finding.failures,
            duration_seconds: finding.lasted_seconds() as f64,
        },
        location: None,
        incident: None,
    }
}

fn failure(
    case: &Case<'_>,
    kind: RareKind,
    level: Option<crate::model::Level>,
    text: &[u8],
    count: u64,
) -> Fact {
    let text = crate::model::Untrusted::new(text);
    match case.meaning(kind) {
        Some(meaning) => Fact::Signature { meaning: meaning.to_owned(), text, count },
        None => Fact::FirstError { level, text, count },
    }
}

fn blip(finding: &Finding, kind: EntryKind) -> TimelineEntry {
    TimelineEntry {
        time: Timestamp::from_seconds(finding.start.second),
        kind,
        fact: Fact::Blip {
            failures: finding.failures,
            duration_seconds: finding.lasted_seconds(),
            status: finding.dominant_status,
            signal: finding.signal,
        },
        location: None,
        incident: None,
    }
}

/// Changes, restarts, reloads and failures that may be causes; repeated ones folded.
fn changes(case: &Case<'_>) -> Vec<TimelineEntry> {
    let mut open: BTreeMap<RareKind, (Sighting, Timestamp)> = BTreeMap::new();
    let mut folded: Vec<Sighting> = Vec::new();
    for sighting in case.sightings {
        // what runs by the clock would drown the rest
        if !matches!(case.rule_kind(sighting.kind), Some(k) if !matches!(k, RuleKind::Symptom | RuleKind::Job))
        {
            continue;
        }
        match open.get_mut(&sighting.kind) {
            Some((first, last)) if sighting.time <= last.plus_seconds(FOLD_SECONDS) => {
                first.count = first.count.saturating_add(sighting.count);
                *last = sighting.time;
            }
            _ => {
                let new = (sighting.clone(), sighting.time);
                folded.extend(open.insert(sighting.kind, new).map(|(first, _)| first));
            }
        }
    }
    folded.extend(open.into_values().map(|(first, _)| first));
    folded.into_iter().filter_map(|s| change(case, s)).collect()
}

fn change(case: &Case<'_>, sighting: Sighting) -> Option<TimelineEntry> {
    let kind = match case.rule_kind(sighting.kind)? {
        RuleKind::Change => EntryKind::Change,
        RuleKind::Restart => EntryKind::Restart,
        RuleKind::Reload => EntryKind::Reload,
        RuleKind::Operator => EntryKind::Operator,
        RuleKind::Failure | RuleKind::Symptom => EntryKind::FirstError,
        RuleKind::Job | RuleKind::Alert => EntryKind::Note,
    };
    Some(TimelineEntry {
        time: sighting.time,
        kind,
        fact: Fact::Signature {
            meaning: case.told(sighting.kind, &sighting.text)?.to_owned(),
            text: sighting.text,
            count: sighting.count,
        },
        location: Some(sighting.location),
        incident: None,
    })
}
