//! Report → text for a terminal: what somebody needs at three in the morning, on one screen.

use std::io;

use crate::explain::facts::{EntryKind, Incident, QuoteRole, Report, Severity, TimelineEntry};
use crate::model::{Location, Untrusted};

use super::page::{Line, Page, Tone, columns, cut};
use super::{Style, audit, chart, coverage, escape, figures, time, wording};

/// Columns before a fact, for its label.
pub(super) const INDENT: usize = 12;
/// Incidents told in full; `-v` tells all.
const MAX_INCIDENTS: usize = 4;
/// Headlines of incidents.
const MAX_HEADLINES: usize = 20;
/// Timeline rows of one incident; `-v` shows all.
const MAX_ROWS: usize = 9;
/// Suspects; `-v` shows all.
const MAX_SUSPECTS: usize = 3;
/// Columns of a name inside a headline.
const MAX_NAME: usize = 48;

/// A report and how it is looked at.
pub(super) struct View<'a> {
    pub(super) report: &'a Report,
    pub(super) verbose: bool,
    /// Bytes of the directory that all sources share: it is said once.
    pub(super) root: usize,
}

impl<'a> View<'a> {
    pub(super) fn new(report: &'a Report, verbose: bool) -> Self {
        Self { report, verbose, root: shared_directory(&report.source_names) }
    }

    fn name(&self, location: Location) -> Option<&'a Untrusted> {
        usize::try_from(location.source.0).ok().and_then(|at| self.report.source_names.get(at))
    }

    /// `nginx/access.log:1203`, below the shared directory.
    fn place(&self, location: Option<Location>) -> String {
        let Some(location) = location else { return String::new() };
        let name = self.name(location).and_then(|name| name.raw().get(self.root..));
        name.map_or_else(String::new, |name| {
            format!("{}:{}", escape::for_terminal(&Untrusted::new(name)), location.line)
        })
    }

    /// `/var/log/nginx/access.log:1203`, to be copied.
    fn full_place(&self, location: Location) -> String {
        self.name(location)
            .map_or_else(String::new, |name| format!("{}:{}", escape::for_terminal(name), location.line))
    }

    /// ` in /var/log`, if the places above are below it.
    fn shared(&self) -> Option<String> {
        let name = self.report.source_names.first()?.raw().get(..self.root)?;
        let name = if name.len() > 1 { name.strip_suffix(b"/").unwrap_or(name) } else { name };
        (!name.is_empty()).then(|| cut(&escape::for_terminal(&Untrusted::new(name)), MAX_NAME))
    }
}

/// Bytes of the longest prefix of all names that ends in `/`.
pub(super) fn shared_directory(names: &[Untrusted]) -> usize {
    let Some(first) = names.first() else { return 0 };
    let common = names.iter().skip(1).fold(first.raw().len(), |length, name| {
        let same = first.raw().iter().zip(name.raw()).take_while(|(a, b)| a == b).count();
        length.min(same)
    });
    let prefix = first.raw().get(..common).unwrap_or_default();
    prefix.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1)
}

/// Writes the report.
pub(super) fn render(report: &Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = Page::of(style);
    let columns = page.columns();
    let view = View::new(report, style.verbose > 0);
    if report.incidents.is_empty() {
        no_incident(report, &mut page);
        page.gap();
        chart::draw(report, &mut page);
        timeline(&view, &mut page, None);
    } else {
        incidents(&view, &mut page);
    }
    page.gap();
    coverage::summary(report, view.shared().as_deref(), &mut page, view.verbose);
    page.write(style.colour, out)?;
    let edge = if style.width.is_some() { columns } else { usize::MAX };
    if view.verbose { coverage::table(&view, edge, style.verbose, out) } else { Ok(()) }
}

fn no_incident(report: &Report, page: &mut Page) {
    let totals = &report.totals;
    if totals.requests == 0 {
        page.line(Line::default().add(Tone::Caution, "No requests found").add(
            Tone::Plain,
            format!(" in {}: whether any failed is unknown.", wording::plural(totals.lines, "line", "lines")),
        ));
        return page.line(Line::plain("An access log would tell. -v shows what was looked at."));
    }
    let when = report.window.map_or_else(
        || ", none with a time".to_owned(),
        |(start, end)| format!(", {}", time::span(&report.zone, start, end, time::Open::default())),
    );
    let requests = wording::plural(totals.requests, "request", "requests");
    page.line(
        Line::default()
            .add(Tone::Good, "No incident found")
            .add(Tone::Plain, format!(" in {requests}{when}")),
    );
    let text = if totals.failed_requests > 0 {
        let share = totals.failed_requests as f64 / totals.requests as f64 * 100.0;
        format!(
            "{} of them failed: {} with a 5xx status, no more than chance and the normal level explain.",
            time::percent(share),
            time::count(totals.failed_requests),
        )
    } else {
        "None of them failed with a 5xx status.".to_owned()
    };
    page.wrapped(Line::default(), 0, Tone::Plain, &text);
}

fn incidents(view: &View<'_>, page: &mut Page) {
    let report = view.report;
    let count = report.incidents.len();
    if let [only] = report.incidents.as_slice() {
        headline(Line::default(), only, page);
    } else {
        page.line(Line::default().add(Tone::Strong, format!("{count} incidents")));
        for (index, incident) in report.incidents.iter().enumerate().take(MAX_HEADLINES) {
            let day = time::date(&report.zone, incident.start.at);
            let clock = time::clock(&report.zone, incident.start.at);
            headline(Line::plain(format!("{:>3}  {day} {clock}  ", index + 1)), incident, page);
        }
        more(page, count.saturating_sub(MAX_HEADLINES), "incidents");
    }
    page.gap();
    chart::draw(report, page);

    let told = told_in_full(view);
    for &index in &told {
        let Some(incident) = report.incidents.get(index) else { continue };
        page.gap();
        if count > 1 {
            headline(Line::plain(format!("{:>3}  ", index + 1)), incident, page);
        }
        figures::draw(view, incident, page);
        suspects(view, incident, page);
        timeline(view, page, Some(index));
        evidence(view, incident, page);
        if view.verbose && !incident.computation.is_empty() {
            page.gap();
            page.line(
                label("Computed")
                    .add(Tone::Faint, "nats are log-likelihood ratios ÷ φ; `logtopsy explain` says more"),
            );
            audit::draw(view, incident, page);
        }
    }
    if told.len() < count {
        page.gap();
        page.line(Line::default().add(
            Tone::Faint,
            format!("The {} gravest of {count} incidents are told in full; -v tells all.", told.len()),
        ));
    }
    if count > 1 {
        timeline(view, page, None);
    }
}

/// The gravest incidents, in order of time.
fn told_in_full(view: &View<'_>) -> Vec<usize> {
    let mut order: Vec<(usize, &Incident)> = view.report.incidents.iter().enumerate().collect();
    if !view.verbose {
        order.sort_by_key(|&(at, incident)| (std::cmp::Reverse(incident.severity), at));
        order.truncate(MAX_INCIDENTS);
    }
    let mut told: Vec<usize> = order.into_iter().map(|(at, _)| at).collect();
    told.sort_unstable();
    told
}

pub(super) fn headline(before: Line, incident: &Incident, page: &mut Page) {
    let tone = match incident.severity {
        Severity::Critical | Severity::Major => Tone::Critical,
        Severity::Minor => Tone::Caution,
    };
    let line = before.add(tone, wording::severity(incident.severity).to_uppercase()).add(Tone::Strong, "  ");
    let indent = line.width();
    page.wrapped(line, indent, Tone::Strong, &plain(&wording::title(incident), MAX_NAME));
}

/// A sentence for a terminal, each piece of a log cut to `room` columns.
pub(super) fn plain(sentence: &wording::Sentence, room: usize) -> String {
    // Our own words may quote a name as well: they are escaped like the rest.
    sentence.render(
        |own| escape::for_terminal(&Untrusted::from(own)),
        |log| cut(&escape::for_terminal(log), room),
    )
}

/// The beginning of a line of facts.
pub(super) fn label(name: &str) -> Line {
    Line::default().add(Tone::Faint, format!("  {name:<width$}", width = INDENT - 2))
}

fn suspects(view: &View<'_>, i: &Incident, page: &mut Page) {
    page.gap();
    if i.suspects.is_empty() {
        return page.line(label("Suspects").add(Tone::Plain, "nothing in these logs explains it"));
    }
    page.line(label("Suspects").add(Tone::Faint, "near the onset in time; nothing is proven"));
    let limit = if view.verbose { usize::MAX } else { MAX_SUSPECTS };
    let shown: Vec<_> = i.suspects.iter().take(limit).map(|s| (s, wording::lead(s.lead_seconds))).collect();
    let width = shown.iter().map(|(_, lead)| columns(lead)).max().unwrap_or(0);
    for (suspect, lead) in shown {
        let line = Line::plain(" ".repeat(INDENT))
            .add(Tone::Plain, time::clock_near(&view.report.zone, i.start.at, suspect.time))
            .add(Tone::Suspicion, format!("  {lead:<width$}"))
            .add(Tone::Plain, format!("  {}", plain(&wording::suspect(suspect), usize::MAX)));
        page.line_with_right(line, &view.place(Some(suspect.location)), Tone::Faint);
    }
    more(page, i.suspects.len().saturating_sub(limit), "(-v)");
}

/// Rows of one incident, or those that belong to none.
fn timeline(view: &View<'_>, page: &mut Page, incident: Option<usize>) {
    let report = view.report;
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
    let shown = telling(&rows, if view.verbose { rows.len() } else { MAX_ROWS });
    let title = if incident.is_none() && !report.incidents.is_empty() { "Besides" } else { "Timeline" };
    let owner = incident.and_then(|at| report.incidents.get(at));
    let reference = owner.map_or_else(|| report.window.map(|w| w.0).unwrap_or_default(), |i| i.start.at);
    for (at, row) in shown.iter().enumerate() {
        let tone = match row.kind {
            EntryKind::IncidentStart | EntryKind::IncidentPeak => Tone::Critical,
            EntryKind::IncidentEnd => Tone::Good,
            EntryKind::FirstError | EntryKind::Blip => Tone::Caution,
            EntryKind::Change | EntryKind::Restart | EntryKind::Reload | EntryKind::Operator => {
                Tone::Suspicion
            }
            EntryKind::LogGap | EntryKind::Note => Tone::Faint,
        };
        let incident = row.incident.and_then(|at| report.incidents.get(at));
        let line = label(if at == 0 { title } else { "" })
            .add(Tone::Plain, format!("{}  ", time::clock_near(&report.zone, reference, row.time)))
            .add(tone, format!("{:<8}", wording::entry_kind(row.kind)))
            .add(Tone::Plain, format!("  {}", plain(&wording::fact_of(incident, &row.fact), usize::MAX)));
        page.line_with_right(line, &view.place(row.location), Tone::Faint);
    }
    more(page, rows.len() - shown.len(), "(-v)");
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

/// The first and the last affected request; with `-v` the messages as well, which the timeline has already.
fn evidence(view: &View<'_>, i: &Incident, page: &mut Page) {
    let quotes = i.evidence.iter().filter(|quote| view.verbose || quote.role != QuoteRole::Message);
    page.gap();
    for (at, quote) in quotes.enumerate() {
        let head = label(if at == 0 { "Evidence" } else { "" }).add(
            Tone::Faint,
            format!("{}: {}", wording::quote_role(quote.role), view.full_place(quote.location)),
        );
        page.line(head);
        page.line(Line::plain(" ".repeat(INDENT)).add(Tone::Plain, escape::for_terminal(&quote.text)));
    }
}

fn more(page: &mut Page, count: usize, what: &str) {
    if count > 0 {
        let text = format!("… {} more {what}", time::count(u64::try_from(count).unwrap_or(u64::MAX)));
        page.line(Line::plain(" ".repeat(INDENT)).add(Tone::Faint, text));
    }
}
