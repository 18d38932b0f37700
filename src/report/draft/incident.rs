//! One incident as a template gets it.

use minijinja::Value;
use serde::Serialize;

use super::rows::{self, Places, Row};
use super::words::{quoted, words};
use crate::explain::facts::{EntryKind, Incident, QuoteRole, Reason, Report, Suspect, TimelineEntry, Vitals};
use crate::model::{Location, MICROS, Timestamp};
use crate::report::wording::Sentence;
use crate::report::{json, time, wording};

/// Suspects told.
const MAX_SUSPECTS: usize = 5;
/// Places told.
const MAX_SCOPE: usize = 5;
/// Phases told.
const MAX_PHASES: usize = 12;
/// Lines quoted.
const MAX_EVIDENCE: usize = 8;
/// Bytes of a quoted line.
const MAX_QUOTE: usize = 240;
/// Bytes of the words of a log inside a sentence.
const MAX_TEXT: usize = 160;

/// One incident.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    number: usize,
    id: String,
    title: Value,
    signal: &'static str,
    severity: &'static str,
    day: String,
    span: String,
    start: String,
    end: Option<String>,
    began_before: bool,
    ongoing: bool,
    duration: String,
    summary: Value,
    seen: String,
    share: Option<String>,
    share_of: &'static str,
    interval: Option<String>,
    affected_requests: Option<String>,
    total_requests: Option<String>,
    affected_clients: Option<String>,
    total_clients: Option<String>,
    clients_share: Option<String>,
    measures: Vec<Measure>,
    phases: Vec<Phase>,
    scope: Vec<Value>,
    timeline: Vec<Row>,
    highlights: Vec<Row>,
    timeline_more: usize,
    alert: Option<Alert>,
    earliest: String,
    suspects: Vec<Told>,
    suspects_more: usize,
    remedies: Vec<Remedy>,
    tasks: Vec<Task>,
    evidence: Vec<Quote>,
    figures: Vec<Figure>,
}

/// A figure before and during the incident.
#[derive(Debug, Serialize)]
struct Measure {
    name: &'static str,
    before: String,
    during: String,
}

/// A level of impact.
#[derive(Debug, Serialize)]
struct Phase {
    start: String,
    end: String,
    share: String,
    statuses: String,
}

/// The first alert.
#[derive(Debug, Serialize)]
struct Alert {
    time: String,
    after: String,
    what: Value,
    source: Option<Value>,
}

/// A suspect.
#[derive(Debug, Serialize)]
struct Told {
    time: String,
    lead: String,
    what: Value,
    source: Option<Value>,
    why: Option<Value>,
    against: Option<Value>,
    next_step: String,
    reference: String,
}

/// What was done before the recovery.
#[derive(Debug, Serialize)]
struct Remedy {
    time: String,
    before: String,
    what: Value,
    source: Option<Value>,
    undoes: bool,
    last: bool,
}

/// What to check.
#[derive(Debug, Serialize)]
struct Task {
    what: String,
    because: Value,
}

/// A quoted line.
#[derive(Debug, Serialize)]
struct Quote {
    role: &'static str,
    source: Option<Value>,
    text: Value,
}

/// How a figure is known.
#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    value: String,
    how: Value,
}

/// An incident for a template, by its position in the report.
pub(super) fn section(places: &Places<'_>, report: &Report, at: usize) -> Option<Section> {
    let i = report.incidents.get(at)?;
    let zone = &report.zone;
    let m = &i.impact;
    let open = time::Open { start: i.start.open, end: i.end.open };
    let least = if open.start || open.end { "at least " } else { "" };
    let clock = |at| rows::clock(report, i.start.at, at);
    let telling = rows::telling(report, at, i);
    let figure = |f: wording::Figure| Figure { name: f.name, value: f.value, how: words(f.how, MAX_TEXT) };
    Some(Section {
        number: at + 1,
        id: i.id.clone(),
        title: words(wording::title(i), MAX_TEXT),
        signal: wording::signal(i.signal),
        severity: wording::severity(i.severity),
        day: time::day(zone, i.start.at),
        span: time::span(zone, i.start.at, i.end.at, open),
        start: clock(i.start.at),
        end: (!i.end.open).then(|| clock(i.end.at)),
        began_before: open.start,
        ongoing: open.end,
        duration: format!("{least}{}", time::duration(i.duration_seconds())),
        summary: words(wording::what_happened(zone, i), MAX_TEXT),
        seen: wording::seen(i),
        share: m.percent.filter(|p| p.is_finite()).map(time::percent),
        share_of: wording::share_of(i),
        interval: wording::interval(i),
        affected_requests: wording::counted(i).map(|(affected, _)| time::count(affected)),
        total_requests: wording::counted(i).map(|(_, total)| time::count(total)),
        affected_clients: m.affected_clients.map(time::count),
        total_clients: m.total_clients.map(time::count),
        clients_share: json::clients_percent(m).map(time::percent),
        measures: measures(i),
        phases: phases(report, i),
        scope: i
            .scope
            .iter()
            .take(MAX_SCOPE)
            .map(|item| words(wording::scope_of(i, item), MAX_TEXT))
            .collect(),
        timeline_more: telling.all.saturating_sub(telling.rows.len()),
        timeline: rows::rows(places, &telling.rows, Some(i.start.at)),
        highlights: rows::rows(places, &telling.highlights, Some(i.start.at)),
        alert: i.first_alert.as_ref().map(|alert| Alert {
            time: clock(alert.time),
            after: time::duration(alert.time.second().saturating_sub(i.start.at.second()) as f64),
            what: words(Sentence::new(format!("{}: ", alert.meaning)).log(&alert.text), MAX_TEXT),
            source: places.value(alert.location),
        }),
        earliest: wording::earliest(zone, i),
        suspects: i.suspects.iter().take(MAX_SUSPECTS).map(|s| suspect(places, report, i, s)).collect(),
        suspects_more: i.suspects.len().saturating_sub(MAX_SUSPECTS),
        remedies: remedies(places, report, i),
        tasks: wording::tasks(zone, i)
            .into_iter()
            .map(|task| Task { what: task.what, because: words(task.because, MAX_TEXT) })
            .collect(),
        evidence: evidence(places, i),
        figures: wording::figures(report, i, &|location| places.of(location))
            .into_iter()
            .map(figure)
            .collect(),
    })
}

/// What the impact comes to, and the vital figures before and during; of what is unknown on both sides, nothing.
fn measures(i: &Incident) -> Vec<Measure> {
    let m = &i.impact;
    let mut rows = Vec::new();
    let mut during = |name, value: Option<String>| {
        rows.extend(value.map(|during| Measure { name, before: String::new(), during }));
    };
    let of = |part: Option<u64>, whole: Option<u64>| {
        Some(format!("{} of {}", time::count(part?), time::count(whole?)))
    };
    let share = m.percent.filter(|p| p.is_finite()).map(|percent| {
        let interval =
            wording::interval(i).map(|range| format!(" (95 % interval {range})")).unwrap_or_default();
        format!("{}{interval}", time::percent(percent))
    });
    during("affected share of user requests", share);
    let counted = wording::counted(i);
    during("affected requests", of(counted.map(|(part, _)| part), counted.map(|(_, whole)| whole)));
    during("affected client addresses", of(m.affected_clients, m.total_clients));
    during("requests lost against expectation", m.lost_requests.filter(|lost| *lost >= 1.0).map(time::rate));
    during("slow requests", wording::slowness(i).filter(|_| !wording::is_slowness(i)));
    during("missing requests", wording::missing(i));
    during("messages", wording::burst(i));
    during("worst minute", m.peak_percent.map(time::percent));
    during("share with health checks counted", m.percent_all_requests.map(time::percent));
    let word = |value: Option<f64>, show: fn(f64) -> String| value.map_or_else(|| "unknown".to_owned(), show);
    let mut vital = |name, get: fn(&Vitals) -> Option<f64>, show: fn(f64) -> String| {
        let (before, during) = (get(&i.baseline), get(&i.during));
        if before.is_some() || during.is_some() {
            rows.push(Measure { name, before: word(before, show), during: word(during, show) });
        }
    };
    vital("errors", |v| v.error_percent, time::percent);
    vital("requests per minute", |v| v.requests_per_minute, time::rate);
    vital("median latency", |v| v.latency_p50_seconds, time::latency);
    vital("95th percentile of latency", |v| v.latency_p95_seconds, time::latency);
    if i.baseline.latency_p50_seconds.or(i.during.latency_p50_seconds).is_none() && i.burst.is_none() {
        let unknown = "unknown: no log states it".to_owned();
        rows.push(Measure { name: "latency", before: String::new(), during: unknown });
    }
    rows
}

/// The levels, where there are several.
fn phases(report: &Report, i: &Incident) -> Vec<Phase> {
    let clock = |at| rows::clock(report, i.start.at, at);
    let phase = |p: &crate::explain::facts::Phase| Phase {
        start: clock(p.start),
        end: clock(p.end),
        share: time::percent(p.percent),
        statuses: wording::statuses(&p.statuses),
    };
    let several = i.phases.len() > 1;
    i.phases.iter().filter(|_| several).take(MAX_PHASES).map(phase).collect()
}

fn suspect(places: &Places<'_>, report: &Report, i: &Incident, s: &Suspect) -> Told {
    let near = |at| time::clock_near(&report.zone, i.start.at, at);
    let reasons = |reasons: &[Reason]| {
        let mut joined: Option<Sentence> = None;
        for sentence in reasons.iter().map(|reason| wording::reason(reason, &near)) {
            joined = Some(match joined {
                None => sentence,
                Some(before) => before.text("; ").then(sentence),
            });
        }
        joined.map(|sentence| words(sentence, MAX_TEXT))
    };
    // What the lead says needs no saying again.
    let why: Vec<Reason> =
        s.why.iter().filter(|reason| !matches!(reason, Reason::ShortlyBefore { .. })).cloned().collect();
    Told {
        time: rows::clock(report, i.start.at, s.time),
        lead: wording::lead(s.lead_seconds),
        what: words(wording::suspect_in_full(s), MAX_TEXT),
        source: places.value(s.location),
        why: reasons(&why),
        against: reasons(&s.against),
        next_step: s.next_step.clone(),
        reference: s.reference.clone(),
    }
}

/// What was done before the recovery, by time, and the last change of the timeline among it.
fn remedies(places: &Places<'_>, report: &Report, i: &Incident) -> Vec<Remedy> {
    let told = |location: Location| i.remedy.iter().any(|remedy| remedy.location == location);
    let within = |row: &&TimelineEntry| i.start.at < row.time && row.time <= i.end.at && !i.end.open;
    let mut changes = report.timeline.iter().filter(within).filter(|row| row.kind == EntryKind::Change);
    let last = changes.next_back().filter(|row| row.location.is_some_and(|location| !told(location)));
    let text = |sentence| words(sentence, MAX_TEXT);
    let mut all: Vec<_> = i
        .remedy
        .iter()
        .map(|r| (r.time, text(wording::remedy(r)), Some(r.location), r.undoes_suspect))
        .chain(last.map(|row| (row.time, text(wording::fact(&row.fact)), row.location, false)))
        .collect();
    all.sort_by_key(|&(time, _, location, _)| (time, location));
    let count = all.len();
    let remedy =
        |(at, (time, what, location, undoes)): (usize, (Timestamp, Value, Option<Location>, bool))| Remedy {
            time: rows::clock(report, i.start.at, time),
            before: time::duration(i.end.at.micros().saturating_sub(time.micros()) as f64 / MICROS as f64),
            what,
            source: location.and_then(|location| places.value(location)),
            undoes,
            last: at + 1 == count,
        };
    all.into_iter().enumerate().map(remedy).collect()
}

/// The lines that prove the edges, then messages.
fn evidence(places: &Places<'_>, i: &Incident) -> Vec<Quote> {
    let mut quotes: Vec<_> = i.evidence.iter().collect();
    quotes.sort_by_key(|quote| quote.role == QuoteRole::Message);
    let quote = |quote: &crate::explain::facts::Quote| Quote {
        role: wording::quote_role(quote.role),
        source: places.value(quote.location),
        text: quoted(&quote.text, MAX_QUOTE),
    };
    quotes.into_iter().take(MAX_EVIDENCE).map(quote).collect()
}
