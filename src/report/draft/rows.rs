//! Rows of a timeline for a document: the most telling ones, and where they stand.

use std::collections::BTreeSet;

use minijinja::Value;
use serde::Serialize;

use super::words::{quoted, words};
use crate::explain::facts::{EntryKind, Incident, Report, TimelineEntry};
use crate::model::{Location, SourceId, Timestamp, Untrusted};
use crate::report::text::shared_directory;
use crate::report::{time, wording};

/// Rows of an incident: what a page holds.
pub(super) const MAX_ROWS: usize = 15;
/// So many are shown even if some are far from the incident.
const MIN_ROWS: usize = 10;
/// Rows for those who want it short.
const HIGHLIGHTS: usize = 10;
/// Bytes of the words of a log in a row.
const MAX_TEXT: usize = 110;
/// Bytes of the name of a file; of a longer one its end is shown.
const MAX_NAME: usize = 300;
/// Rows so many seconds before the start are near it.
const BEFORE_SECONDS: i64 = 7200;
/// Restarts earlier than so many seconds before the start are routine.
const RESTART_SECONDS: i64 = 1800;
/// Rows so many seconds after the end are near it.
const AFTER_SECONDS: i64 = 600;

/// One row.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    time: String,
    kind: &'static str,
    what: Value,
    source: Option<Value>,
}

/// Names of files below the directory that all share, which is said once.
pub(super) struct Places<'a> {
    report: &'a Report,
    root: Vec<u8>,
}

impl<'a> Places<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        // What gave no record is named nowhere in a document.
        let used = report.inputs.iter().filter(|i| i.records > 0).map(|i| i.path.clone());
        let names: Vec<Untrusted> = used.collect();
        let names = if names.is_empty() { report.source_names.clone() } else { names };
        let root = names.first().and_then(|first| first.raw().get(..shared_directory(&names)));
        Self { report, root: root.unwrap_or_default().to_vec() }
    }

    /// The directory that all share.
    pub(super) fn root(&self) -> Option<Untrusted> {
        (!self.root.is_empty()).then(|| Untrusted::new(&self.root))
    }

    /// `nginx/access.log:1203`.
    pub(super) fn of(&self, location: Location) -> Option<Untrusted> {
        let at = usize::try_from(location.source.0).ok()?;
        let name = self.below(self.report.source_names.get(at)?);
        let line = format!(":{}", location.line);
        let end = name.raw().len().checked_sub(MAX_NAME).and_then(|from| name.raw().get(from..));
        Some(Untrusted::new(&match end {
            Some(end) => ["…".as_bytes(), end, line.as_bytes()].concat(),
            None => [name.raw(), line.as_bytes()].concat(),
        }))
    }

    /// The same for a template.
    pub(super) fn value(&self, location: Location) -> Option<Value> {
        self.of(location).map(|place| quoted(&place, usize::MAX))
    }

    /// A name without the shared directory.
    pub(super) fn below(&self, name: &Untrusted) -> Untrusted {
        name.raw().strip_prefix(self.root.as_slice()).map_or_else(|| name.clone(), Untrusted::new)
    }
}

/// `12:00:03 +01:00`, with the day where it is another than that of `reference`.
pub(super) fn clock(report: &Report, reference: Timestamp, at: Timestamp) -> String {
    format!("{} {}", time::clock_near(&report.zone, reference, at), time::offset(&report.zone, at))
}

/// Rows for a template, their times with the date where it is another than that of `reference`.
pub(super) fn rows(
    places: &Places<'_>,
    entries: &[&TimelineEntry],
    reference: Option<Timestamp>,
) -> Vec<Row> {
    let report = places.report;
    let row = |entry: &&TimelineEntry| {
        let incident = entry.incident.and_then(|at| report.incidents.get(at));
        Row {
            time: match reference {
                Some(reference) => clock(report, reference, entry.time),
                None => format!(
                    "{} {}",
                    time::date(&report.zone, entry.time),
                    clock(report, entry.time, entry.time)
                ),
            },
            kind: wording::kind_name(entry.kind),
            what: words(wording::fact_of(incident, &entry.fact), MAX_TEXT),
            source: entry.location.and_then(|location| places.value(location)),
        }
    };
    entries.iter().map(row).collect()
}

/// Rows of an incident, each in order of time.
pub(super) struct Telling<'a> {
    /// The most telling ones.
    pub(super) rows: Vec<&'a TimelineEntry>,
    /// The most telling of those.
    pub(super) highlights: Vec<&'a TimelineEntry>,
    /// How many there are in all.
    pub(super) all: usize,
}

/// The rows that tell most of an incident.
pub(super) fn telling<'a>(report: &'a Report, at: usize, i: &Incident) -> Telling<'a> {
    let only = report.incidents.len() == 1;
    // Of messages that one file has in one second, the first tells what the others tell.
    let mut said: BTreeSet<(i64, SourceId)> = BTreeSet::new();
    let mut ranked: Vec<(u8, usize, &TimelineEntry)> = Vec::new();
    for (index, row) in report.timeline.iter().enumerate() {
        let near = is_near(i, row);
        if row.incident != Some(at) && (row.incident.is_some() || !(only || near)) {
            continue;
        }
        let first = row.location.is_none_or(|place| {
            row.kind != EntryKind::FirstError || said.insert((row.time.second(), place.source))
        });
        ranked.push((rank(i, row, near, first), index, row));
    }
    let all = ranked.len();
    ranked.sort_by_key(|&(rank, index, _)| (rank, index));
    let telling = ranked.iter().filter(|(rank, ..)| *rank < FAR).count();
    ranked.truncate(telling.clamp(MIN_ROWS, MAX_ROWS));
    let in_order = |count: usize| {
        let mut rows: Vec<_> = ranked.iter().take(count).map(|&(_, index, row)| (index, row)).collect();
        rows.sort_by_key(|&(index, _)| index);
        rows.into_iter().map(|(_, row)| row).collect()
    };
    Telling { rows: in_order(MAX_ROWS), highlights: in_order(HIGHLIGHTS), all }
}

/// Whether a row may have to do with an incident.
pub(super) fn is_near(i: &Incident, row: &TimelineEntry) -> bool {
    let seconds = row.time.second();
    seconds >= i.start.at.second().saturating_sub(BEFORE_SECONDS)
        && seconds <= i.end.at.second().saturating_add(AFTER_SECONDS)
}

/// The rank of rows that are about something else.
const FAR: u8 = 7;

/// The lower, the more a row tells.
fn rank(i: &Incident, row: &TimelineEntry, near: bool, first: bool) -> u8 {
    let cited = |location: Location| {
        i.suspects.iter().any(|s| s.location == location)
            || i.remedy.iter().any(|r| r.location == location)
            || i.first_alert.as_ref().is_some_and(|alert| alert.location == location)
    };
    let before = i.start.at.second().saturating_sub(row.time.second());
    let inside = i.start.at <= row.time && row.time <= i.end.at;
    match row.kind {
        EntryKind::IncidentStart | EntryKind::IncidentEnd => 0,
        _ if row.location.is_some_and(cited) => 1,
        EntryKind::FirstError if row.incident.is_some() && first => 2,
        EntryKind::Change if inside => 2,
        EntryKind::Note if row.incident.is_some() => 3,
        EntryKind::Restart | EntryKind::Reload if inside => 3,
        EntryKind::Restart | EntryKind::Reload if before > RESTART_SECONDS => 6,
        EntryKind::Change | EntryKind::Restart | EntryKind::Reload | EntryKind::IncidentPeak if near => 4,
        EntryKind::FirstError if near && first => 4,
        EntryKind::Operator if near && row.time <= i.end.at => 5,
        _ if near => 6,
        _ => FAR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{at, bad_gateway};

    #[test]
    fn rows_about_the_incident_come_before_others() {
        let mut report = bad_gateway();
        let command = report.timeline[6].clone();
        for minute in 0..50 {
            report.timeline.push(TimelineEntry {
                time: at(&format!("12:{minute:02}:30")),
                incident: None,
                ..command.clone()
            });
        }
        report.timeline.sort_by_key(|row| row.time);
        let Telling { rows, highlights, all } = telling(&report, 0, &report.incidents[0]);
        assert_eq!(highlights.len(), HIGHLIGHTS);
        assert!(highlights.iter().all(|row| row.kind != EntryKind::Blip));
        assert_eq!((rows.len(), all), (MAX_ROWS, 60));
        assert!(rows.is_sorted_by_key(|row| row.time));
        for kind in [
            EntryKind::IncidentStart,
            EntryKind::IncidentEnd,
            EntryKind::Change,
            EntryKind::Restart,
            EntryKind::FirstError,
        ] {
            assert!(rows.iter().any(|row| row.kind == kind), "{kind:?}");
        }
    }
}
