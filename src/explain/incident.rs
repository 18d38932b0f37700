//! One finding and its close-up → one incident.

use std::collections::BTreeMap;

use super::facts::{Edge, Incident, Phase, Severity};
use super::{Case, changes, evidence, impact, related, scope, suspects};
use crate::detect::{Finding, Merged, Signal};
use crate::inspect::{Closeup, Line, Part};
use crate::model::{Location, Timestamp};

/// The share from which on an incident is critical, in percent, if it lasts so many seconds.
const CRITICAL: (f64, f64) = (50.0, 60.0);
/// The share from which on an incident is major, in percent.
const MAJOR: f64 = 10.0;

pub(super) fn incident(
    case: &Case<'_>,
    actions: &[changes::Action],
    merged: &Merged,
    closeup: &Closeup,
) -> Incident {
    let finding = &merged.finding;
    let start = edge(finding.start, closeup.affected.first.as_ref(), 0);
    let end = edge(finding.end, closeup.affected.last.as_ref(), 1);
    let impact = impact::impact(finding, closeup, start.at, end.at);
    let (baseline, during) = impact::vitals(finding, closeup, start.at, end.at);
    let scope = scope::scope(finding, closeup);
    let suspects =
        suspects::suspects(case, actions, &related::Failing::new(case, closeup, &scope), (start.at, end.at));
    let seconds = end.at.micros().saturating_sub(start.at.micros()) as f64 / crate::model::MICROS as f64;
    Incident {
        id: id(start.at, finding.signal, scope.first().map(|s| s.value.raw())),
        signal: finding.signal,
        signals: merged.signals.clone(),
        severity: severity(impact.percent.unwrap_or(0.0), seconds),
        confidence: finding.confidence,
        first_arrival: closeup.affected.arrival,
        change_to_recovery_seconds: suspects::trigger(&suspects)
            .map(|s| end.at.micros().saturating_sub(s.time.micros()) as f64 / crate::model::MICROS as f64),
        phases: phases(case, finding, start.at, end.at),
        statuses: impact::statuses(closeup),
        impact,
        baseline,
        during,
        scope,
        remedy: if end.open {
            Vec::new()
        } else {
            suspects::remedy(case, actions, &suspects, (start.at, end.at))
        },
        first_alert: changes::first_alert(case, start.at, end.at),
        suspects,
        evidence: evidence::evidence(case, closeup),
        caveats: case.caveats.to_vec(),
        start,
        end,
    }
}

/// The edge at the line that shows it; at the second that detection names where no line was read again.
fn edge(boundary: crate::detect::Boundary, line: Option<&Line>, past: i64) -> Edge {
    let at = line.map_or_else(|| Timestamp::from_seconds(boundary.second), |l| l.time);
    let range = (
        Timestamp::from_seconds(boundary.range.0).min(at).plus_seconds(past),
        Timestamp::from_seconds(boundary.range.1).max(at).plus_seconds(past),
    );
    Edge {
        at: at.plus_seconds(past),
        range,
        open: boundary.open,
        location: line.map(|l| Location { source: l.source, line: l.number }),
    }
}

fn severity(percent: f64, seconds: f64) -> Severity {
    if percent >= CRITICAL.0 && seconds >= CRITICAL.1 {
        Severity::Critical
    } else if percent >= MAJOR {
        Severity::Major
    } else {
        Severity::Minor
    }
}

/// Start in UTC, signal and, where there is one, a short hash of the scope.
fn id(start: Timestamp, signal: Signal, scope: Option<&[u8]>) -> String {
    let signal = match signal {
        Signal::Errors => "errors",
        Signal::Latency => "latency",
        Signal::Traffic => "traffic",
    };
    let time = start.compact_utc();
    match scope {
        None => format!("{time}-{signal}"),
        Some(value) => {
            let hash =
                value.iter().fold(0x811c_9dc5u32, |h, &b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
            format!("{time}-{signal}-{hash:08x}")
        }
    }
}

/// The levels of a finding with their exact counts.
fn phases(case: &Case<'_>, finding: &Finding, start: Timestamp, end: Timestamp) -> Vec<Phase> {
    let mut out: Vec<Phase> = Vec::new();
    for level in &finding.levels {
        let inside = |second: i64| second >= level.start.min(level.end) && second <= level.end;
        let mut part = Part::default();
        let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
        let first = case.series.slots.partition_point(|s| s.second < level.start);
        for slot in case.series.slots.iter().skip(first).take_while(|s| inside(s.second)) {
            part.requests += u64::from(slot.requests);
            part.affected += u64::from(slot.failures);
        }
        let second_of = |index: u32| case.series.slots.get(index as usize).map(|s| s.second);
        let from = case.series.statuses.partition_point(|s| (s.0 as usize) < first);
        for &(index, status, count) in case.series.statuses.iter().skip(from) {
            match second_of(index) {
                Some(second) if inside(second) => *statuses.entry(status).or_default() += u64::from(count),
                _ => break,
            }
        }
        out.push(Phase {
            start: Timestamp::from_seconds(level.start),
            end: Timestamp::from_seconds(level.end.saturating_add(1)),
            percent: impact::percent(part).unwrap_or(0.0),
            statuses,
        });
    }
    // the outer edges are known to the line
    if let Some(first) = out.first_mut() {
        first.start = start;
    }
    if let Some(last) = out.last_mut() {
        last.end = end;
    }
    out
}
