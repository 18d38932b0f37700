//! Report → a post-mortem in Markdown, with what only people know marked as TODO.
//!
//! The layout is `templates/default.md`; here every value is worded and escaped before it gets there.

use std::io;

use minijinja::Environment;
use serde::Serialize;

use crate::detect::Signal;
use crate::explain::facts::{Incident, Input, Report, TimelineEntry, Vitals};
use crate::model::{Location, Untrusted};

use super::{Style, coverage, escape, time, wording};

/// The layout.
const TEMPLATE: &str = include_str!("templates/default.md");
/// Rows of a timeline: a document that people read.
const MAX_ROWS: usize = 200;
/// Rows of the table of inputs.
const MAX_INPUTS: usize = 500;
/// Incidents told.
const MAX_INCIDENTS: usize = 50;
/// Warnings listed.
const MAX_WARNINGS: usize = 100;

/// All that the template prints, escaped.
#[derive(Serialize)]
struct Document {
    zone: String,
    incidents: Vec<Section>,
    calm: String,
    timeline: Vec<[String; 3]>,
    method: Vec<String>,
    coverage: String,
    inputs: Vec<[String; 7]>,
    inputs_cut: Option<String>,
    warnings: Vec<String>,
    generated_at: String,
    version: &'static str,
}

/// One incident.
#[derive(Serialize)]
struct Section {
    title: String,
    day: String,
    span: String,
    start: String,
    end: Option<String>,
    duration: String,
    severity: &'static str,
    summary: String,
    seen: String,
    impact: Vec<[String; 3]>,
    phases: Vec<[String; 4]>,
    scope: Vec<String>,
    timeline: Vec<[String; 3]>,
    timeline_cut: Option<String>,
    suspects: Vec<String>,
    evidence: Vec<Quote>,
}

/// One quoted line.
#[derive(Serialize)]
struct Quote {
    role: &'static str,
    source: String,
    text: String,
}

/// Writes the report.
pub(super) fn render(report: &Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_keep_trailing_newline(true);
    let text = environment.render_str(TEMPLATE, document(report, style)).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

fn document(report: &Report, style: &Style) -> Document {
    let zone = &report.zone;
    let all = report.incidents.len();
    let mut warnings: Vec<String> = Vec::new();
    if all > MAX_INCIDENTS {
        warnings.push(format!("only the first {MAX_INCIDENTS} of {all} incidents are told here"));
    }
    warnings.extend(report.inputs.iter().filter(|i| wording::is_partial(i.status)).take(MAX_WARNINGS).map(
        |i| {
            let detail = i
                .detail
                .as_deref()
                .map(|d| format!(": {}", escape::for_markdown_text(d)))
                .unwrap_or_default();
            format!("{} {}{detail}", escape::for_markdown(&i.path), wording::input_status(i.status))
        },
    ));
    warnings.extend(report.warnings.iter().take(MAX_WARNINGS).map(|warning| {
        let path =
            warning.path.as_ref().map(|p| format!("{}: ", escape::for_markdown(p))).unwrap_or_default();
        format!("{path}{}", escape::for_markdown_text(&warning.text))
    }));
    // With one incident, its own timeline has all rows.
    let besides = report.timeline.iter().filter(|row| all != 1 && row.incident.is_none());
    Document {
        zone: time::report_zone(report),
        incidents: (0..all.min(MAX_INCIDENTS)).filter_map(|at| section(report, at)).collect(),
        calm: calm(report),
        timeline: besides.take(MAX_ROWS).map(|row| timeline_row(report, row)).collect(),
        method: method(report),
        coverage: coverage::sentence(report, None),
        inputs: report.inputs.iter().take(MAX_INPUTS).map(input_row).collect(),
        inputs_cut: cut_note(report.inputs.len(), MAX_INPUTS, "inputs"),
        warnings,
        generated_at: time::rfc3339(zone, style.generated_at),
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn cut_note(all: usize, limit: usize, what: &str) -> Option<String> {
    (all > limit).then(|| format!("… and {} more {what}; the JSON report has them.", all - limit))
}

fn calm(report: &Report) -> String {
    let requests = wording::plural(report.totals.requests, "request", "requests");
    let when = report.window.map_or_else(String::new, |(start, end)| {
        format!(", {}", time::span(&report.zone, start, end, time::Open::default()))
    });
    let failed = if report.totals.requests > 0 {
        let share = report.totals.failed_requests as f64 / report.totals.requests as f64 * 100.0;
        format!(
            " Of all requests, {} failed ({}).",
            time::percent(share),
            time::count(report.totals.failed_requests)
        )
    } else {
        String::new()
    };
    format!("{requests} looked at{when}.{failed}")
}

fn section(report: &Report, at: usize) -> Option<Section> {
    let i = report.incidents.get(at)?;
    let zone = &report.zone;
    let open = time::Open { start: i.start.open, end: i.end.open };
    let least = if open.start || open.end { "at least " } else { "" };
    let only = report.incidents.len() == 1;
    let rows: Vec<&TimelineEntry> = report
        .timeline
        .iter()
        .filter(|row| row.incident == Some(at) || (only && row.incident.is_none()))
        .collect();
    Some(Section {
        title: words(&wording::title(i)),
        day: time::day(zone, i.start.at),
        span: time::span(zone, i.start.at, i.end.at, open),
        start: time::clock(zone, i.start.at),
        end: (!i.end.open).then(|| time::clock(zone, i.end.at)),
        duration: format!("{least}{}", time::duration(i.duration_seconds())),
        severity: wording::severity(i.severity),
        summary: summary(report, i),
        seen: seen(i),
        impact: impact(i),
        phases: if i.phases.len() > 1 { phases(report, i) } else { Vec::new() },
        scope: i.scope.iter().map(|item| words(&wording::scope_of(i, item))).collect(),
        timeline: rows.iter().take(MAX_ROWS).map(|row| timeline_row(report, row)).collect(),
        timeline_cut: cut_note(rows.len(), MAX_ROWS, "rows"),
        suspects: suspects(report, i),
        evidence: i
            .evidence
            .iter()
            .map(|quote| Quote {
                role: wording::quote_role(quote.role),
                source: place(report, Some(quote.location), escape::for_markdown),
                text: escape::for_markdown(&quote.text),
            })
            .collect(),
    })
}

fn words(sentence: &wording::Sentence) -> String {
    sentence.render(escape::for_markdown_text, escape::for_markdown)
}

fn cell(sentence: &wording::Sentence) -> String {
    sentence.render(escape::for_markdown_text, escape::for_markdown_cell)
}

fn place(report: &Report, location: Option<Location>, code: fn(&Untrusted) -> String) -> String {
    let Some(location) = location else { return String::new() };
    let name = usize::try_from(location.source.0).ok().and_then(|at| report.source_names.get(at));
    name.map_or_else(String::new, |name| {
        code(&Untrusted::new(&[name.raw(), format!(":{}", location.line).as_bytes()].concat()))
    })
}

fn timeline_row(report: &Report, row: &TimelineEntry) -> [String; 3] {
    let incident = row.incident.and_then(|at| report.incidents.get(at));
    let reference =
        incident.or(report.incidents.first()).map_or_else(|| row.time, |incident| incident.start.at);
    [
        time::clock_near(&report.zone, reference, row.time),
        cell(&wording::fact_of(incident, &row.fact)),
        place(report, row.location, escape::for_markdown_cell),
    ]
}

fn summary(report: &Report, i: &Incident) -> String {
    let open = time::Open { start: i.start.open, end: i.end.open };
    let span = time::span(&report.zone, i.start.at, i.end.at, open);
    let interval = i
        .impact
        .percent_interval
        .filter(|(low, high)| low.is_finite() && high.is_finite())
        .map(|(low, high)| format!(" (95 % interval {}–{})", time::percent_number(low), time::percent(high)))
        .unwrap_or_default();
    let what = wording::share_of(i);
    let share = i.impact.percent.filter(|p| p.is_finite()).map_or_else(
        || match wording::burst(i) {
            Some(burst) => format!("{burst}. What that meant for users is unknown: no request is logged."),
            None => "The share of affected requests is unknown.".to_owned(),
        },
        |percent| format!("{} {what}{interval}.", time::percent(percent)),
    );
    let slow = if wording::is_slowness(i) { wording::slowdown(i) } else { wording::slowness(i) };
    let member = i.silence.as_ref().is_some_and(|silence| silence.place.is_some());
    let missing = wording::missing(i).filter(|_| member || i.signal != Signal::Traffic);
    let more = [slow, missing]
        .iter()
        .flatten()
        .fold(String::new(), |more, sentence| more + " " + &capitalised(sentence) + ".");
    let edges = match (open.start, open.end) {
        (true, true) => " It began before the logs do and went on when they end.",
        (true, false) => " It began before the logs do.",
        (false, true) => " It went on when the logs end.",
        (false, false) => "",
    };
    let change = i.change_to_recovery_seconds.map_or_else(String::new, |seconds| {
        format!(
            " From the likeliest change to recovery it was {}; that is not the length of the outage.",
            time::duration(seconds)
        )
    });
    format!("From {span}: {share}{more}{edges}{change}")
}

fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn seen(i: &Incident) -> String {
    match i.signal {
        _ if i.burst.is_some() => "unknown: the logs hold no requests.".to_owned(),
        Signal::Errors if !i.statuses.is_empty() => {
            let mut ranked: Vec<(u16, u64)> = i.statuses.iter().map(|(&s, &n)| (s, n)).collect();
            ranked.sort_by_key(|&(status, n)| (std::cmp::Reverse(n), status));
            let named: Vec<String> = ranked
                .iter()
                .take(4)
                .map(|&(status, n)| format!("{} ({} times)", wording::status_name(status), time::count(n)))
                .collect();
            format!("{}.", named.join(", "))
        }
        Signal::Errors => "error pages.".to_owned(),
        Signal::Latency => "slow answers.".to_owned(),
        Signal::Traffic if i.silence.as_ref().is_some_and(|silence| silence.carried) => match &i.slowness {
            Some(_) => "slow answers of the servers that went on.".to_owned(),
            None => "nothing that the logs know of: other servers answered.".to_owned(),
        },
        Signal::Traffic => "no answer that the logs know of: the requests did not arrive.".to_owned(),
    }
}

fn impact(i: &Incident) -> Vec<[String; 3]> {
    let m = &i.impact;
    let mut rows = Vec::new();
    let mut during = |name: &str, value: Option<String>| {
        rows.extend(value.map(|value| [name.to_owned(), String::new(), value]));
    };
    let of = |part: Option<u64>, whole: Option<u64>| {
        Some(format!("{} of {}", time::count(part?), time::count(whole?)))
    };
    during("affected share of user requests", m.percent.map(|p| format!("**{}**", time::percent(p))));
    during("affected requests", of(m.affected_requests, m.total_requests));
    during("share with health checks counted", m.percent_all_requests.map(time::percent));
    during("requests to be expected", m.expected_requests.map(time::rate));
    during("requests lost against expectation", m.lost_requests.map(time::rate));
    during("slow requests", wording::slowness(i));
    during("missing requests", wording::missing(i));
    during("worst minute", m.peak_percent.map(time::percent));
    during("affected client addresses", of(m.affected_clients, m.total_clients));
    during("share of client addresses", super::json::clients_percent(m).map(time::percent));
    let word = |value: Option<f64>, show: fn(f64) -> String| value.map_or_else(|| "unknown".to_owned(), show);
    let mut vital = |name: &str, get: fn(&Vitals) -> Option<f64>, show: fn(f64) -> String| {
        rows.push([name.to_owned(), word(get(&i.baseline), show), word(get(&i.during), show)]);
    };
    vital("errors", |v| v.error_percent, time::percent);
    vital("requests per minute", |v| v.requests_per_minute, time::rate);
    vital("median latency", |v| v.latency_p50_seconds, time::latency);
    vital("95th percentile of latency", |v| v.latency_p95_seconds, time::latency);
    rows
}

fn phases(report: &Report, i: &Incident) -> Vec<[String; 4]> {
    let clock = |at| time::clock_near(&report.zone, i.start.at, at);
    i.phases
        .iter()
        .take(MAX_ROWS)
        .map(|p| [clock(p.start), clock(p.end), time::percent(p.percent), wording::statuses(&p.statuses)])
        .collect()
}

fn suspects(report: &Report, i: &Incident) -> Vec<String> {
    i.suspects
        .iter()
        .map(|suspect| {
            format!(
                "{}, {} the onset: {} ({})",
                time::clock_near(&report.zone, i.start.at, suspect.time),
                wording::lead(suspect.lead_seconds),
                words(&wording::suspect(suspect)),
                place(report, Some(suspect.location), escape::for_markdown),
            )
        })
        .collect()
}

fn input_row(input: &Input) -> [String; 7] {
    let own = |text: &str| escape::for_markdown_text(text);
    let mut notes: Vec<String> =
        input.skipped.iter().map(|(reason, &n)| format!("{} {}", time::count(n), own(reason))).collect();
    notes.extend(input.detail.as_deref().map(own));
    [
        escape::for_markdown_cell(&input.path),
        wording::input_status(input.status).to_owned(),
        input.format.as_deref().map(own).unwrap_or_default(),
        time::count(input.lines),
        time::count(input.records),
        time::count(input.continuation_lines),
        notes.join(", "),
    ]
}

/// How each number came about, for whoever doubts it.
fn method(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = [
        "Start is the time written in the line of the first affected request, end is one second past that of the last.",
        "Affected are requests answered with 5xx, and 499 beyond its normal level; for slow responses, those slower than the baseline explains; for missing requests, the expected minus those that came.",
        "The share is affected ÷ all user requests between start and end. A request is counted once, at the edge; health checks, monitors, scanners and lines that are no request are left out.",
        "Intervals are 95 % intervals.",
        "Suspects are changes and known messages near the onset, ranked by time and kind. Correlation is not cause.",
    ]
    .map(str::to_owned)
    .into();
    let mut caveats: Vec<_> = report.incidents.iter().flat_map(|i| i.caveats.iter().copied()).collect();
    caveats.sort_unstable();
    caveats.dedup();
    lines.extend(caveats.into_iter().map(|caveat| format!("Caveat: {}.", wording::caveat(caveat))));
    lines
}
