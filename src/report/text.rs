//! Report → text for a terminal: what somebody needs at three in the morning, on one screen.

use std::io;

use crate::detect::Signal;
use crate::explain::facts::{EntryKind, Incident, Report, Severity, TimelineEntry};
use crate::model::{Location, Timestamp, Untrusted};

use super::page::{Line, Page, Tone};
use super::{Style, chart, coverage, escape, time, wording};

/// Columns where the terminal's are not known.
const DEFAULT_COLUMNS: u16 = 100;
/// Columns before a fact, for its label.
const INDENT: usize = 12;
/// Incidents told in full; `-v` tells all.
const MAX_INCIDENTS: usize = 4;
/// Headlines of incidents.
const MAX_HEADLINES: usize = 20;
/// Timeline rows of one incident; `-v` shows all.
const MAX_ROWS: usize = 10;
/// Rows of scope, suspects and evidence.
const MAX_LIST: usize = 3;

/// Writes the report.
pub(super) fn render(report: &Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let columns = usize::from(style.width.unwrap_or(DEFAULT_COLUMNS).clamp(60, 200));
    let mut page = Page::new(columns);
    let verbose = style.verbose > 0;
    if report.incidents.is_empty() {
        no_incident(report, &mut page);
        page.gap();
        chart::draw(report, &mut page);
        page.gap();
        timeline(report, &mut page, None, verbose);
    } else {
        incidents(report, &mut page, verbose);
    }
    page.gap();
    coverage::summary(report, &mut page, verbose);
    page.write(style.colour, out)?;
    if verbose { coverage::table(report, columns, style.verbose, out) } else { Ok(()) }
}

fn no_incident(report: &Report, page: &mut Page) {
    let totals = &report.totals;
    let looked_at = if totals.requests > 0 {
        wording::plural(totals.requests, "request", "requests")
    } else {
        format!("{} without a single request", wording::plural(totals.lines, "line", "lines"))
    };
    let when = report.window.map_or_else(
        || ": no line has a time".to_owned(),
        |(start, end)| format!(", {}", time::span(&report.zone, start, end, time::Open::default())),
    );
    page.line(
        Line::default()
            .add(Tone::Good, "No incident found")
            .add(Tone::Plain, format!(" in {looked_at}{when}")),
    );
    if totals.requests == 0 {
        page.line(Line::plain("Nothing can be said about failed requests without an access log."));
    } else if totals.failed_requests > 0 {
        let share = totals.failed_requests as f64 / totals.requests as f64 * 100.0;
        page.line(Line::plain(format!(
            "{} of all requests failed ({} with a 5xx status), spread as chance and the normal level explain.",
            time::percent(share),
            time::count(totals.failed_requests),
        )));
    } else {
        page.line(Line::plain("No request failed with a 5xx status."));
    }
}

fn incidents(report: &Report, page: &mut Page, verbose: bool) {
    let count = report.incidents.len();
    if let [only] = report.incidents.as_slice() {
        page.line(headline(only));
    } else {
        page.line(Line::default().add(Tone::Strong, format!("{count} incidents")));
        for (index, incident) in report.incidents.iter().enumerate().take(MAX_HEADLINES) {
            let day = time::date(&report.zone, incident.start.at);
            let clock = time::clock(&report.zone, incident.start.at);
            page.line(headline_with(Line::plain(format!("{:>3}  {day} {clock}  ", index + 1)), incident));
        }
        more(page, count.saturating_sub(MAX_HEADLINES), "incidents");
    }
    page.gap();
    chart::draw(report, page);

    let told = told_in_full(report, verbose);
    for &index in &told {
        let Some(incident) = report.incidents.get(index) else { continue };
        page.gap();
        if count > 1 {
            page.line(headline_with(Line::plain(format!("{:>3}  ", index + 1)), incident));
        }
        facts(report, incident, page);
        suspects(report, incident, page);
        timeline(report, page, Some(index), verbose);
        evidence(report, incident, page);
    }
    if told.len() < count {
        page.gap();
        page.line(Line::default().add(
            Tone::Faint,
            format!("The {} gravest of {count} incidents are told in full; -v tells all.", told.len()),
        ));
    }
    if count > 1 {
        timeline(report, page, None, verbose);
    }
}

/// The gravest incidents, in order of time.
fn told_in_full(report: &Report, verbose: bool) -> Vec<usize> {
    let mut order: Vec<(usize, &Incident)> = report.incidents.iter().enumerate().collect();
    if !verbose {
        order.sort_by_key(|&(at, incident)| (std::cmp::Reverse(incident.severity), at));
        order.truncate(MAX_INCIDENTS);
    }
    let mut told: Vec<usize> = order.into_iter().map(|(at, _)| at).collect();
    told.sort_unstable();
    told
}

fn headline(incident: &Incident) -> Line {
    headline_with(Line::default(), incident)
}

fn headline_with(line: Line, incident: &Incident) -> Line {
    let tone = match incident.severity {
        Severity::Critical | Severity::Major => Tone::Critical,
        Severity::Minor => Tone::Caution,
    };
    line.add(tone, wording::severity(incident.severity).to_uppercase())
        .add(Tone::Strong, format!("  {}", plain(&wording::title(incident))))
}

fn plain(sentence: &wording::Sentence) -> String {
    // Our own words may quote a name as well (a warning): they are escaped like the rest.
    sentence.render(|own| escape::for_terminal(&Untrusted::from(own)), escape::for_terminal)
}

fn label(name: &str) -> Line {
    Line::default().add(Tone::Faint, format!("  {name:<width$}", width = INDENT - 2))
}

fn fact(page: &mut Page, name: &str, text: &str) {
    page.wrapped(label(name), INDENT, Tone::Plain, text);
}

fn facts(report: &Report, i: &Incident, page: &mut Page) {
    when(report, i, page);
    impact(report, i, page);
    if let Some(total) = i.impact.total_clients {
        let affected = i.impact.affected_clients.map_or_else(|| "unknown".to_owned(), time::count);
        let share = super::json::clients_percent(&i.impact)
            .map(|p| format!(" ({})", time::percent(p)))
            .unwrap_or_default();
        fact(page, "Clients", &format!("{affected} of {} addresses affected{share}", time::count(total)));
    }
    if !i.statuses.is_empty() {
        fact(page, "Statuses", &wording::statuses(&i.statuses));
    }
    vitals(i, page);
    if i.phases.len() > 1 {
        let phases: Vec<String> = i
            .phases
            .iter()
            .take(8)
            .map(|p| {
                format!(
                    "from {} {}",
                    time::clock_near(&report.zone, i.start.at, p.start),
                    time::percent(p.percent)
                )
            })
            .collect();
        fact(page, "Phases", &phases.join(", "));
    }
    if i.scope.is_empty() {
        fact(page, "Scope", "nothing narrower than everything explains it");
    }
    for (at, item) in i.scope.iter().take(MAX_LIST).enumerate() {
        fact(page, if at == 0 { "Scope" } else { "" }, &plain(&wording::scope(item)));
    }
    for &caveat in &i.caveats {
        page.wrapped(label("But"), INDENT, Tone::Caution, wording::caveat(caveat));
    }
}

fn when(report: &Report, i: &Incident, page: &mut Page) {
    let zone = &report.zone;
    let open = time::Open { start: i.start.open, end: i.end.open };
    let span = time::span_with_day(zone, i.start.at, i.end.at, open);
    let least = if open.start || open.end { "≥ " } else { "" };
    let line = label("When")
        .add(Tone::Strong, span)
        .add(Tone::Plain, format!(", {least}{}", time::duration(i.duration_seconds())));
    page.line(line);
    let mut notes = Vec::new();
    let edge = |name: &str, range: (Timestamp, Timestamp)| {
        let seconds = range.1.second().saturating_sub(range.0.second());
        // An interval of a second or two is what a log's resolution gives.
        (seconds > 2).then(|| {
            format!(
                "{name} between {} and {} (95 %)",
                time::clock_near(zone, i.start.at, range.0),
                time::clock_near(zone, i.start.at, range.1)
            )
        })
    };
    notes.extend(edge("start", i.start.range).filter(|_| !open.start));
    notes.extend(edge("end", i.end.range).filter(|_| !open.end));
    if let Some(at) = i.first_arrival.filter(|at| at.second() < i.start.at.second()) {
        notes.push(format!(
            "the first affected request arrived at {}",
            time::clock_near(zone, i.start.at, at)
        ));
    }
    if let Some(seconds) = i.change_to_recovery_seconds {
        notes.push(format!(
            "{} from the likeliest change to recovery, not the outage itself",
            time::duration(seconds)
        ));
    }
    if !notes.is_empty() {
        fact(page, "", &notes.join("; "));
    }
}

fn impact(report: &Report, i: &Incident, page: &mut Page) {
    let m = &i.impact;
    let Some(percent) = m.percent else {
        return fact(page, "Impact", "share unknown: there are no requests to count");
    };
    let what = match i.signal {
        Signal::Errors => "of user requests failed",
        Signal::Latency => "of user requests slower than the baseline explains",
        Signal::Traffic => "of the expected requests missing",
    };
    let counted = match (i.signal, m.affected_requests, m.total_requests, m.expected_requests) {
        (Signal::Traffic, _, Some(total), Some(expected)) => {
            format!(": {} came, about {} were to be expected", time::count(total), time::rate(expected))
        }
        (_, Some(affected), Some(total), _) => {
            format!(": {} of {}", time::count(affected), time::count(total))
        }
        _ => String::new(),
    };
    let line = label("Impact")
        .add(Tone::Strong, time::percent(percent))
        .add(Tone::Plain, format!(" {what}{counted}{}", interval(m.percent_interval)));
    page.line(line);
    let mut notes = Vec::new();
    if let Some(peak) = m.peak_percent {
        let at = m.peak_at.map(|at| format!(" at {}", time::minute(&report.zone, at))).unwrap_or_default();
        notes.push(format!("worst minute {}{at}", time::percent(peak)));
    }
    if let Some(all) = m.percent_all_requests.filter(|all| (all - percent).abs() >= 0.005) {
        notes.push(format!("{} with health checks counted", time::percent(all)));
    }
    if !notes.is_empty() {
        fact(page, "", &notes.join("; "));
    }
}

fn interval(interval: Option<(f64, f64)>) -> String {
    interval.map_or_else(String::new, |(low, high)| {
        format!(" (95 % interval {}–{})", time::percent_number(low), time::percent(high))
    })
}

fn vitals(i: &Incident, page: &mut Page) {
    let (b, d) = (&i.baseline, &i.during);
    let change = |before: Option<f64>, during: Option<f64>, show: fn(f64) -> String| {
        let word = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), show);
        (before.is_some() || during.is_some()).then(|| format!("{} → {}", word(before), word(during)))
    };
    let mut parts = Vec::new();
    parts.extend(change(b.error_percent, d.error_percent, time::percent).map(|t| format!("errors {t}")));
    parts.extend(
        change(b.requests_per_minute, d.requests_per_minute, time::rate).map(|t| format!("requests/min {t}")),
    );
    parts.extend(
        change(b.latency_p50_seconds, d.latency_p50_seconds, time::latency).map(|t| format!("median {t}")),
    );
    match change(b.latency_p95_seconds, d.latency_p95_seconds, time::latency) {
        Some(text) => parts.push(format!("p95 {text}")),
        None => parts.push("latency is not logged".to_owned()),
    }
    fact(page, "Before→now", &parts.join(", "));
}

fn suspects(report: &Report, i: &Incident, page: &mut Page) {
    page.gap();
    if i.suspects.is_empty() {
        return fact(page, "Suspects", "nothing in these logs explains it");
    }
    page.line(label("Suspects").add(Tone::Faint, "near in time, nothing proven"));
    for suspect in i.suspects.iter().take(MAX_LIST) {
        let line = Line::plain("    ")
            .add(Tone::Suspicion, time::clock_near(&report.zone, i.start.at, suspect.time))
            .add(Tone::Strong, format!("  {}", wording::lead(suspect.lead_seconds)))
            .add(Tone::Plain, format!("  {}", plain(&wording::suspect(suspect))));
        page.line_with_right(line, &place(report, Some(suspect.location)), Tone::Faint);
    }
    more(page, i.suspects.len().saturating_sub(MAX_LIST), "suspects");
}

/// Rows of one incident, or those that belong to none.
fn timeline(report: &Report, page: &mut Page, incident: Option<usize>, verbose: bool) {
    let only = report.incidents.len() == 1;
    let rows: Vec<&TimelineEntry> = report
        .timeline
        .iter()
        .filter(|row| row.incident == incident || (only && incident.is_some()))
        .collect();
    if rows.is_empty() {
        return;
    }
    page.gap();
    let limit = if verbose { rows.len() } else { MAX_ROWS };
    let shown = telling(&rows, limit);
    let title = if incident.is_none() && !report.incidents.is_empty() { "Besides" } else { "Timeline" };
    page.line(label(title));
    let owner = incident.and_then(|at| report.incidents.get(at));
    let reference = owner.map_or_else(|| report.window.map(|w| w.0).unwrap_or_default(), |i| i.start.at);
    for row in &shown {
        let tone = match row.kind {
            EntryKind::IncidentStart | EntryKind::IncidentPeak => Tone::Critical,
            EntryKind::IncidentEnd => Tone::Good,
            EntryKind::FirstError | EntryKind::Blip => Tone::Caution,
            EntryKind::Change | EntryKind::Restart | EntryKind::Reload | EntryKind::Operator => {
                Tone::Suspicion
            }
            EntryKind::LogGap | EntryKind::Note => Tone::Faint,
        };
        let signal = row.incident.and_then(|at| report.incidents.get(at)).map(|i| i.signal);
        let line = Line::plain(format!("    {}  ", time::clock_near(&report.zone, reference, row.time)))
            .add(tone, format!("{:<8}", wording::entry_kind(row.kind)))
            .add(Tone::Plain, format!("  {}", plain(&wording::fact_of(signal, &row.fact))));
        page.line_with_right(line, &place(report, row.location), Tone::Faint);
    }
    more(page, rows.len() - shown.len(), "rows (-v)");
}

/// The most telling rows, in order of time.
fn telling<'a>(rows: &[&'a TimelineEntry], limit: usize) -> Vec<&'a TimelineEntry> {
    let rank = |row: &TimelineEntry| match row.kind {
        EntryKind::IncidentStart | EntryKind::IncidentEnd => 0,
        EntryKind::Change | EntryKind::Restart | EntryKind::Reload | EntryKind::FirstError => 1,
        EntryKind::IncidentPeak | EntryKind::Operator => 2,
        EntryKind::LogGap | EntryKind::Blip | EntryKind::Note => 3,
    };
    let mut order: Vec<(usize, &TimelineEntry)> = rows.iter().copied().enumerate().collect();
    order.sort_by_key(|&(at, row)| (row.incident.is_none(), rank(row), at));
    order.truncate(limit);
    order.sort_by_key(|&(at, _)| at);
    order.into_iter().map(|(_, row)| row).collect()
}

fn evidence(report: &Report, i: &Incident, page: &mut Page) {
    if i.evidence.is_empty() {
        return;
    }
    page.gap();
    page.line(label("Evidence"));
    for quote in i.evidence.iter().take(MAX_LIST + 1) {
        let line = Line::plain("    ").add(Tone::Plain, escape::for_terminal(&quote.text));
        let head = Line::plain("    ")
            .add(Tone::Faint, format!("{} ", wording::quote_role(quote.role)))
            .add(Tone::Faint, place(report, Some(quote.location)));
        page.line(head);
        page.line(line);
    }
    more(page, i.evidence.len().saturating_sub(MAX_LIST + 1), "lines");
}

fn more(page: &mut Page, count: usize, what: &str) {
    if count > 0 {
        page.line(Line::default().add(Tone::Faint, format!("    … and {count} more {what}")));
    }
}

/// `access.log:1203`.
pub(super) fn place(report: &Report, location: Option<Location>) -> String {
    let Some(location) = location else { return String::new() };
    let name = usize::try_from(location.source.0).ok().and_then(|at| report.source_names.get(at));
    name.map_or_else(String::new, |name| format!("{}:{}", escape::for_terminal(name), location.line))
}
