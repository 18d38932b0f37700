//! How an incident was found, for whoever doubts it: what was compared with what, and by how much it passed.

use std::io;

use crate::detect::{Boundary, Effect, Finding, RunnerUp};
use crate::explain::facts::{Computation, Incident, Report};
use crate::model::Timestamp;

use super::page::{Line, Page, Tone, columns};
use super::text::{View, headline, plain};
use super::{Style, coverage, time, wording};

/// Columns before a row, for its label.
const INDENT: usize = 16;
/// Findings of an incident that are told; `-v` tells all.
const MAX_FINDINGS: usize = 3;
/// Levels named in one line.
const MAX_LEVELS: usize = 8;
/// Columns of a name.
const MAX_NAME: usize = 48;

/// Writes the computation of incidents, by their positions in the report.
pub(super) fn render(
    report: &Report,
    incidents: &[usize],
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut page = Page::of(style);
    let view = View::new(report, style.verbose > 0);
    if report.incidents.is_empty() {
        page.line(Line::plain("No incident found: there is nothing to explain."));
    }
    for incident in incidents.iter().filter_map(|&at| report.incidents.get(at)) {
        page.line(
            Line::default().add(Tone::Faint, super::escape::for_terminal(&incident.id.as_str().into())),
        );
        headline(Line::default(), incident, &mut page);
        draw(&view, incident, &mut page);
        page.gap();
    }
    page.wrapped(Line::default(), 0, Tone::Faint, LEGEND);
    page.gap();
    coverage::summary(report, None, &mut page, view.verbose);
    page.write(style.colour, out)
}

/// What the words mean.
const LEGEND: &str = "Nats are natural logarithms of how many times likelier the counts are with an incident than \
    without one, divided by the dispersion φ (1: chance alone; more: affected requests come in clumps). β is what a finding \
    costs: more is asked the more there is to look through.";

/// The findings of an incident.
pub(super) fn draw(view: &View<'_>, incident: &Incident, page: &mut Page) {
    let limit = if view.verbose { usize::MAX } else { MAX_FINDINGS };
    for (at, computation) in incident.computation.iter().take(limit).enumerate() {
        page.gap();
        finding(view, incident, at, computation, page);
    }
    let more = incident.computation.len().saturating_sub(limit);
    if more > 0 {
        page.line(
            Line::plain("  ").add(Tone::Faint, format!("… {more} more findings of other streams (-v)")),
        );
    }
}

fn row(page: &mut Page, name: &str, text: &str) {
    let label = Line::default().add(Tone::Faint, format!("     {name:<width$}", width = INDENT - 5));
    page.wrapped(label, INDENT, Tone::Plain, text);
}

fn finding(view: &View<'_>, incident: &Incident, at: usize, c: &Computation, page: &mut Page) {
    let f = &c.finding;
    let clock =
        |second| time::clock_near(&view.report.zone, incident.start.at, Timestamp::from_seconds(second));
    let role = if at == 0 { "speaks for the incident" } else { "tells of it as well" };
    let stream = plain(&wording::stream(f.signal, c), MAX_NAME);
    page.line(
        Line::plain(format!("  {}  ", at + 1))
            .add(Tone::Strong, stream)
            .add(Tone::Faint, format!(", {role}")),
    );
    let seconds = f.lasted_seconds().max(0);
    row(
        page,
        "window",
        &format!("{}–{}, {}", clock(f.start.second), clock(f.end.second), time::duration(seconds as f64)),
    );
    row(page, "baseline", &baseline(f, &clock));
    row(page, "counts", &counts(f, c.messages));
    let beta = if f.audit.penalty > 0.0 { format!(", β {:.1}", f.audit.penalty) } else { String::new() };
    row(page, "likelihood", &format!("{:.1} nats, φ {:.2}{beta}", f.strength, f.dispersion));
    gates(f, page);
    row(page, "levels", &levels(f, &clock));
    row(page, "start", &boundary(f.start, f.audit.start_runner_up, &clock));
    row(page, "end", &boundary(f.end, f.audit.end_runner_up, &clock));
    row(page, "confidence", &format!("{:.3}", f.confidence));
}

fn baseline(f: &Finding, clock: &dyn Fn(i64) -> String) -> String {
    let window = f.baseline.window.map_or_else(
        || "no healthy stretch to compare with".to_owned(),
        |(from, to)| format!("compared with {}–{}", clock(from), clock(to)),
    );
    let rate = format!("{} a second", time::rate(f.baseline.requests_per_second));
    match f.effect {
        Effect::Errors => format!("{} fail, {rate}; {window}", time::percent(f.baseline.error_share * 100.0)),
        Effect::Latency { usual, .. } => format!(
            "median {}, 95th percentile {}, {rate}; {window}",
            time::latency(usual.median_us / 1e6),
            time::latency(usual.p95_us / 1e6)
        ),
        Effect::Traffic { .. } => format!("{rate}; {window}"),
    }
}

fn counts(f: &Finding, messages: bool) -> String {
    match f.effect {
        Effect::Errors => {
            let what = if messages { "messages were severe" } else { "requests failed" };
            let alone = f.audit.alone.map_or_else(String::new, |alone| {
                let expected = time::rate(alone.expected);
                format!(
                    "; {} of them with {}, {expected} expected, which shows it: what follows is of these",
                    time::count(alone.failures),
                    alone.status
                )
            });
            format!(
                "{} of {} {what}, {} expected{alone}",
                time::count(f.failures),
                time::count(f.requests),
                time::rate(f.baseline.error_share * f.requests as f64)
            )
        }
        Effect::Latency { share, share_range, slowdown, slowdown_range, during, .. } => format!(
            "{} of {} requests with a latency slowed ({}–{}), {} ({}–{}); median {}, 95th percentile {}",
            time::percent(share * 100.0),
            time::count(f.requests),
            time::percent_number(share_range.0 * 100.0),
            time::percent(share_range.1 * 100.0),
            time::factor(slowdown),
            time::factor_number(slowdown_range.0),
            time::factor(slowdown_range.1),
            time::latency(during.median_us / 1e6),
            time::latency(during.p95_us / 1e6),
        ),
        Effect::Traffic { expected, missing_range } => format!(
            "{} requests came, about {} expected; {}–{} missing",
            time::count(f.requests),
            time::rate(expected),
            time::percent_number(missing_range.0 * 100.0),
            time::percent(missing_range.1 * 100.0)
        ),
    }
}

fn gates(f: &Finding, page: &mut Page) {
    let width = f.audit.gates.iter().map(|gate| columns(wording::gate(gate.what))).max().unwrap_or(0);
    for (at, gate) in f.audit.gates.iter().enumerate() {
        let name = wording::gate(gate.what);
        let fill = " ".repeat(width.saturating_sub(columns(name)));
        let passed = if gate.value >= gate.needed { "≥" } else { "<" };
        // A line of its own: wrapping would take the columns apart.
        let label = if at == 0 { "gates" } else { "" };
        page.line(Line::default().add(Tone::Faint, format!("     {label:<width$}", width = INDENT - 5)).add(
            Tone::Plain,
            format!("{name}{fill}  {} {passed} {}", figure(gate.value), figure(gate.needed)),
        ));
    }
}

/// `9411`, `22.5`, `0.008`: a figure to about three digits.
fn figure(value: f64) -> String {
    match value {
        v if !v.is_finite() || v > 1e12 => "beyond all bounds".to_owned(),
        v if v.abs() >= 99.5 => format!("{v:.0}"),
        v if v.abs() >= 1.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}

fn levels(f: &Finding, clock: &dyn Fn(i64) -> String) -> String {
    let mut levels: Vec<String> = f
        .levels
        .iter()
        .take(MAX_LEVELS)
        .map(|level| format!("{} from {}", time::percent(level.share * 100.0), clock(level.start)))
        .collect();
    if f.levels.len() > MAX_LEVELS {
        levels.push("…".to_owned());
    }
    if levels.is_empty() { "none".to_owned() } else { levels.join(", ") }
}

fn boundary(at: Boundary, runner_up: Option<RunnerUp>, clock: &dyn Fn(i64) -> String) -> String {
    let open = if at.open { ", open: the data ends in it" } else { "" };
    let next = runner_up.map_or_else(String::new, |next| {
        format!("; next best {}, {:.1} nats worse", clock(next.second), next.nats)
    });
    format!("{}, 95 % {}–{}{open}{next}", clock(at.second), clock(at.range.0), clock(at.range.1))
}
