//! The figures of one incident in the text report: when, how much, who, where.

use crate::detect::Signal;
use crate::explain::facts::Incident;
use crate::model::Timestamp;

use super::page::{Page, Tone};
use super::text::{INDENT, View, label, plain};
use super::{time, wording};

/// Rows of scope; `-v` shows all.
const MAX_SCOPE: usize = 3;
/// Columns of a name in the scope.
const MAX_NAME: usize = 44;
/// Phases named in one line.
const MAX_PHASES: usize = 6;
/// A boundary known no better than to this part of the duration, or to so many seconds, is said to be uncertain.
const UNCERTAIN: (f64, f64) = (0.1, 300.0);

fn fact(page: &mut Page, name: &str, text: &str) {
    page.wrapped(label(name), INDENT, Tone::Plain, text);
}

/// Draws them.
pub(super) fn draw(view: &View<'_>, i: &Incident, page: &mut Page) {
    when(view, i, page);
    impact(view, i, page);
    clients(i, page);
    compared(i, page);
    phases(view, i, page);
    if i.scope.is_empty() {
        fact(page, "Scope", "everything: nothing narrower explains it");
    }
    let limit = if view.verbose { usize::MAX } else { MAX_SCOPE };
    for (at, item) in i.scope.iter().take(limit).enumerate() {
        fact(page, if at == 0 { "Scope" } else { "" }, &plain(&wording::scope_of(i, item), MAX_NAME));
    }
    for &caveat in &i.caveats {
        page.wrapped(label("But"), INDENT, Tone::Caution, wording::caveat(caveat));
    }
}

fn when(view: &View<'_>, i: &Incident, page: &mut Page) {
    let zone = &view.report.zone;
    let open = time::Open { start: i.start.open, end: i.end.open };
    let span = time::span_with_day(zone, i.start.at, i.end.at, open);
    let least = if open.start || open.end { "≥ " } else { "" };
    let duration = format!(", {least}{}", time::duration(i.duration_seconds()));
    page.line(label("When").add(Tone::Strong, span).add(Tone::Plain, duration));

    let edge = |name: &str, (low, high): (Timestamp, Timestamp)| {
        let width = high.second().saturating_sub(low.second());
        // An interval of a second or two is what a log's resolution gives.
        (width > 2).then(|| {
            let clock = |at| time::clock_near(zone, i.start.at, at);
            let uncertain = width as f64 > (UNCERTAIN.0 * i.duration_seconds()).min(UNCERTAIN.1);
            let name = if uncertain { format!("{name} uncertain:") } else { name.to_owned() };
            format!("{name} between {} and {} (95 %)", clock(low), clock(high))
        })
    };
    let mut notes = Vec::new();
    notes.extend(open.start.then(|| "began before the logs do".to_owned()));
    notes.extend(open.end.then(|| "went on when the logs end".to_owned()));
    notes.extend(edge("start", i.start.range).filter(|_| !open.start));
    notes.extend(edge("end", i.end.range).filter(|_| !open.end));
    if let Some(at) = i.first_arrival.filter(|at| at.second() < i.start.at.second()) {
        let at = time::clock_near(zone, i.start.at, at);
        notes.push(format!("the first affected request arrived at {at}"));
    }
    if let Some(seconds) = i.change_to_recovery_seconds {
        let span = time::duration(seconds);
        notes.push(format!("{span} from the likeliest change to recovery (not the outage)"));
    }
    if !notes.is_empty() {
        fact(page, "", &notes.join("; "));
    }
}

fn impact(view: &View<'_>, i: &Incident, page: &mut Page) {
    let m = &i.impact;
    if let Some(burst) = wording::burst(i) {
        return fact(page, "Impact", &format!("unknown: {burst}, and no request is logged"));
    }
    let Some(percent) = m.percent.filter(|p| p.is_finite()) else {
        return fact(page, "Impact", "share unknown: there are no requests to count");
    };
    let what = wording::share_of(i);
    let carried = i.silence.as_ref().is_some_and(|silence| silence.carried);
    let counted = match (i.signal, m.affected_requests, m.total_requests, m.expected_requests) {
        (Signal::Traffic, ..) if carried && i.slowness.is_none() => String::new(),
        (signal, Some(affected), Some(total), _) if signal == Signal::Latency || carried => {
            format!(": about {} of {}", time::count(affected), time::count(total))
        }
        (Signal::Traffic, _, Some(total), Some(expected)) => {
            format!(": {} came, about {} were to be expected", time::count(total), time::rate(expected))
        }
        (_, Some(affected), Some(total), _) => {
            format!(": {} of {}", time::count(affected), time::count(total))
        }
        _ => String::new(),
    };
    let interval = m
        .percent_interval
        .filter(|(low, high)| low.is_finite() && high.is_finite())
        .map(|(low, high)| format!(" (95 %: {}–{})", time::percent_number(low), time::percent(high)))
        .unwrap_or_default();
    let line = label("Impact").add(Tone::Strong, time::percent(percent));
    page.wrapped(line.add(Tone::Plain, " "), INDENT, Tone::Plain, &format!("{what}{counted}{interval}"));

    let mut notes = Vec::new();
    notes.extend(wording::slowdown(i).filter(|_| wording::is_slowness(i)));
    if carried {
        notes.push("none are missing: peers carried the load".to_owned());
    }
    if !i.statuses.is_empty() {
        notes.push(wording::statuses(&i.statuses));
    }
    if let Some(peak) = m.peak_percent {
        let at =
            m.peak_at.map(|at| format!(" at {}", time::minute(&view.report.zone, at))).unwrap_or_default();
        notes.push(format!("worst minute {}{at}", time::percent(peak)));
    }
    if let Some(all) = m.percent_all_requests.filter(|all| (all - percent).abs() >= 0.005) {
        notes.push(format!("{} with health checks", time::percent(all)));
    }
    if !notes.is_empty() {
        fact(page, "", &notes.join("; "));
    }
    signals(i, page);
}

/// What each signal came to, beyond the share above.
fn signals(i: &Incident, page: &mut Page) {
    if let Some(slow) = wording::slowness(i).filter(|_| !wording::is_slowness(i)) {
        fact(page, "Slow", &slow);
    }
    // Of the whole site the line above says it.
    let member = i.silence.as_ref().is_some_and(|silence| silence.place.is_some());
    if let Some(missing) = wording::missing(i).filter(|_| member || i.signal != Signal::Traffic) {
        fact(page, "Missing", &missing);
    }
}

fn clients(i: &Incident, page: &mut Page) {
    let Some(total) = i.impact.total_clients else { return };
    let Some(affected) = i.impact.affected_clients.map(time::count) else {
        return fact(page, "Clients", &format!("{} addresses seen", time::count(total)));
    };
    let share = super::json::clients_percent(&i.impact).map(time::percent).unwrap_or_default();
    let share = if share.is_empty() { share } else { format!(", {share}") };
    fact(page, "Clients", &format!("{affected} of {} addresses affected{share}", time::count(total)));
}

/// Vital figures, before → during.
fn compared(i: &Incident, page: &mut Page) {
    let (b, d) = (&i.baseline, &i.during);
    let change = |name: &str, before: Option<f64>, during: Option<f64>, show: fn(f64) -> String| {
        let word = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), show);
        (before.is_some() || during.is_some()).then(|| format!("{name} {} → {}", word(before), word(during)))
    };
    let mut parts = Vec::new();
    parts.extend(change("errors", b.error_percent, d.error_percent, time::percent));
    parts.extend(change("requests/min", b.requests_per_minute, d.requests_per_minute, time::rate));
    parts.extend(change("median", b.latency_p50_seconds, d.latency_p50_seconds, time::latency));
    let p95 = change("p95", b.latency_p95_seconds, d.latency_p95_seconds, time::latency);
    if i.burst.is_some() && parts.is_empty() {
        return;
    }
    parts.push(p95.unwrap_or_else(|| "latency unknown: no log states it".to_owned()));
    fact(page, "Compared", &parts.join(", "));
}

fn phases(view: &View<'_>, i: &Incident, page: &mut Page) {
    if i.phases.len() < 2 {
        return;
    }
    let mut phases: Vec<String> = i
        .phases
        .iter()
        .take(MAX_PHASES)
        .map(|phase| {
            let from = time::clock_near(&view.report.zone, i.start.at, phase.start);
            format!("{from} {}", time::percent(phase.percent))
        })
        .collect();
    if i.phases.len() > MAX_PHASES {
        phases.push("…".to_owned());
    }
    fact(page, "Phases", &format!("from {}", phases.join(", from ")));
}
