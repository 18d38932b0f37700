//! One finding and its close-up → one incident.

use std::collections::BTreeMap;

use super::facts::{Edge, Incident, Phase, ScopeItem, Severity, Silence};
use super::impact::Subject;
use super::{Case, Look, changes, evidence, impact, related, scope, signals, suspects};
use crate::detect::{Finding, Level, Merged, Signal};
use crate::inspect::{Line, Part};
use crate::model::{Dimension, Location, MICROS, Timestamp, Untrusted};

/// The share from which on an incident is critical, in percent, if it lasts so many seconds.
const CRITICAL: (f64, f64) = (50.0, 60.0);
/// The share from which on an incident is major, in percent.
const MAJOR: f64 = 10.0;
/// From this share of the expected requests missing, in percent, a site is silent.
const SILENT: f64 = 90.0;

pub(super) fn incident(
    case: &Case<'_>,
    actions: &[changes::Action],
    merged: &Merged,
    look: Look<'_>,
) -> Incident {
    let closeup = look.closeup;
    let finding = &merged.finding;
    let stream = case.streams.get(merged.stream);
    let place = stream.and_then(|stream| stream.place.as_ref());
    let messages = stream.is_some_and(|stream| stream.messages);
    let (first, last) = (closeup.affected.first.as_ref(), closeup.affected.last.as_ref());
    let (mut start, mut end) = (edge(finding.start, first, 0), edge(finding.end, last, 1));
    let mut scope = if messages { Vec::new() } else { scope::scope(finding, place, closeup) };
    if finding.signal == Signal::Traffic {
        start.location = closeup.around.before.as_ref().map(place_of);
        end.location = closeup.around.after.as_ref().map(place_of);
        scope.clear();
    }
    let of =
        Subject { case, finding, closeup, start: start.at, end: end.at, site: merged.stream == 0, messages };
    let (slowness, silence) = (signals::slowness(case, merged, look), signals::silence(of, merged));
    let burst = signals::burst(case, merged);
    if let (Signal::Traffic, Some(silence)) = (finding.signal, &silence) {
        scope.extend(member(silence));
    } else if messages {
        scope.extend(place.map(unknown));
    }
    let impact = impact::impact(of, slowness.as_ref(), silence.as_ref());
    let (baseline, during) = impact::vitals(of);
    let suspects =
        suspects::suspects(case, actions, &related::Failing::new(case, closeup, &scope), (start.at, end.at));
    let silent =
        of.site && silence.as_ref().is_some_and(|s| finding.signal == Signal::Traffic && s.percent >= SILENT);
    Incident {
        id: id(start.at, finding.signal, scope.first().map(|s| s.value.raw())),
        signal: finding.signal,
        signals: merged.signals.clone(),
        severity: if silent {
            Severity::Critical
        } else {
            severity(impact.percent.unwrap_or(0.0), of.seconds())
        },
        confidence: finding.confidence,
        first_arrival: closeup.affected.arrival.filter(|_| finding.signal == Signal::Errors),
        change_to_recovery_seconds: suspects::trigger(&suspects)
            .map(|s| end.at.micros().saturating_sub(s.time.micros()) as f64 / MICROS as f64),
        phases: phases(of, impact.percent),
        statuses: if finding.signal == Signal::Errors && !messages {
            impact::statuses(closeup)
        } else {
            BTreeMap::new()
        },
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
        slowness,
        silence,
        burst,
        computation: signals::computation(case, merged),
        start,
        end,
    }
}

/// The silent one of a group.
fn member(silence: &Silence) -> Option<ScopeItem> {
    let (dimension, value) = silence.place.as_ref()?;
    Some(ScopeItem {
        dimension: *dimension,
        value: value.clone(),
        affected_share: 1.0,
        affected_percent: silence.percent,
        baseline_percent: 0.0,
    })
}

/// A place of which nothing but messages is known.
fn unknown((dimension, value): &(Dimension, Untrusted)) -> ScopeItem {
    ScopeItem {
        dimension: *dimension,
        value: value.clone(),
        affected_share: f64::NAN,
        affected_percent: f64::NAN,
        baseline_percent: f64::NAN,
    }
}

fn place_of(line: &Line) -> Location {
    Location { source: line.source, line: line.number }
}

/// The edge at the line that shows it; at the second that detection names where no line was read again.
fn edge(boundary: crate::detect::Boundary, line: Option<&Line>, past: i64) -> Edge {
    let at = line.map_or_else(|| Timestamp::from_seconds(boundary.second), |l| l.time);
    // Detection knows seconds. Where the clock is finer, any moment of the last of them is meant.
    let finer = if at.micros() % MICROS == 0 { 0 } else { MICROS - 1 };
    let until = Timestamp::from_micros(boundary.range.1.saturating_mul(MICROS).saturating_add(finer));
    let range = (
        Timestamp::from_seconds(boundary.range.0).min(at).plus_seconds(past),
        until.max(at).plus_seconds(past),
    );
    Edge { at: at.plus_seconds(past), range, open: boundary.open, location: line.map(place_of) }
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

/// The levels of a finding; of failing requests with their exact counts.
fn phases(of: Subject<'_>, percent: Option<f64>) -> Vec<Phase> {
    let mut out: Vec<Phase> = match of.finding.signal {
        _ if of.messages => Vec::new(),
        Signal::Errors => of.finding.levels.iter().map(|level| counted(of.case, *level)).collect(),
        Signal::Latency | Signal::Traffic => levels(of.finding, percent),
    };
    // the outer edges are known to the line
    if let Some(first) = out.first_mut() {
        first.start = of.start;
    }
    if let Some(last) = out.last_mut() {
        last.end = of.end;
    }
    out
}

/// Shares of slow or missing requests as detection tells them, of a place in proportion to the impact on the site.
fn levels(finding: &Finding, percent: Option<f64>) -> Vec<Phase> {
    let seconds = |l: &Level| l.end.saturating_sub(l.start).saturating_add(1).max(1) as f64;
    let whole: f64 = finding.levels.iter().map(seconds).sum();
    let mean = finding.levels.iter().map(|l| l.share * seconds(l)).sum::<f64>() / whole.max(1.0);
    let scale = percent.filter(|_| mean > 0.0).map_or(100.0, |percent| percent / mean);
    finding
        .levels
        .iter()
        .map(|level| Phase {
            start: Timestamp::from_seconds(level.start),
            end: Timestamp::from_seconds(level.end.saturating_add(1)),
            percent: (level.share * scale).clamp(0.0, 100.0),
            statuses: BTreeMap::new(),
        })
        .collect()
}

fn counted(case: &Case<'_>, level: Level) -> Phase {
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
    Phase {
        start: Timestamp::from_seconds(level.start),
        end: Timestamp::from_seconds(level.end.saturating_add(1)),
        percent: impact::percent(part).unwrap_or(0.0),
        statuses,
    }
}
