//! What was read and what was not: the end of the text report.

use std::io;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::explain::facts::{Input, InputStatus, Report, ZoneSource};
use crate::model::Untrusted;

use super::page::{Line, Page, Tone, cut, cut_start};
use super::text::View;
use super::{escape, time, wording};

/// Lines about files that could not be read in full, and warnings; `-v` shows all.
const MAX_LINES: usize = 6;

/// One line of coverage, then what is missing, then the warnings.
pub(super) fn summary(report: &Report, shared: Option<&str>, page: &mut Page, verbose: bool) {
    page.wrapped(Line::default(), 0, Tone::Faint, &sentence(report, shared));
    let limit = if verbose { usize::MAX } else { MAX_LINES };
    let partial: Vec<&Input> = report.inputs.iter().filter(|i| wording::is_partial(i.status)).collect();
    for input in partial.iter().take(limit) {
        caution(page, &missing(input));
    }
    rest(page, partial.len(), limit, "could not be read in full");
    for warning in report.warnings.iter().take(limit) {
        let path =
            warning.path.as_ref().map(|p| format!("{}: ", escape::for_terminal(p))).unwrap_or_default();
        caution(page, &format!("{path}{}", own(&warning.text)));
    }
    rest(page, report.warnings.len(), limit, "warnings");
}

/// `Read 9 of 12 inputs in /var/log: 152 300 lines (14 MB), 41 203 requests at the edge, 211 of them probes, 12 lines skipped.`
pub(super) fn sentence(report: &Report, shared: Option<&str>) -> String {
    let shared = shared.map(|directory| format!(" in {directory}")).unwrap_or_default();
    let read = report.inputs.iter().filter(|i| i.records > 0).count();
    let totals = &report.totals;
    let skipped: u64 =
        report.inputs.iter().flat_map(|i| i.skipped.values()).fold(0, |sum: u64, &n| sum.saturating_add(n));
    let probes = match totals.probe_requests {
        0 => String::new(),
        n => format!(" ({} of them health checks)", time::count(n)),
    };
    let share = if skipped > 0 && totals.lines > 0 {
        format!(" ({})", time::percent(skipped as f64 / totals.lines as f64 * 100.0))
    } else {
        String::new()
    };
    format!(
        "Read {read} of {}{shared}: {}, {}, {}{probes}; {} skipped{share}.",
        wording::plural(totals.inputs, "input", "inputs"),
        wording::plural(totals.lines, "line", "lines"),
        time::bytes(totals.bytes),
        wording::plural(totals.requests, "request", "requests"),
        wording::plural(skipped, "line", "lines"),
    )
}

/// `access.log.2.gz: truncated: gzip data ends early`.
pub(super) fn missing(input: &Input) -> String {
    let detail = input.detail.as_deref().map(|d| format!(": {}", own(d))).unwrap_or_default();
    format!("{}: {}{detail}", escape::for_terminal(&input.path), wording::input_status(input.status))
}

/// Texts of other stages are free of hostile characters already; a terminal is worth a second look.
fn own(text: &str) -> String {
    escape::for_terminal(&Untrusted::from(text))
}

fn caution(page: &mut Page, text: &str) {
    page.wrapped(Line::default().add(Tone::Caution, "! "), 2, Tone::Caution, text);
}

fn rest(page: &mut Page, all: usize, limit: usize, what: &str) {
    if all > limit {
        caution(page, &format!("and {} more {what} (-v)", all - limit));
    }
}

/// The table of inputs for `-v`; with `-vv` also those that are no logs.
pub(super) fn table(view: &View<'_>, columns: usize, verbose: u8, out: &mut dyn io::Write) -> io::Result<()> {
    let inputs = &view.report.inputs;
    let rows: Vec<&Input> =
        inputs.iter().filter(|i| verbose > 1 || i.status != InputStatus::Skipped).collect();
    writeln!(out)?;
    if !rows.is_empty() {
        let mut table = Table::new();
        // Cells stay on one line; the least telling columns stand at the right, where a narrow terminal cuts.
        table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["input", "status", "lines", "records", "joined", "format", "role", "zone"]);
        for input in &rows {
            table.add_row(row(view, input, columns / 2));
        }
        for column in 2..5 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.lines() {
            writeln!(out, "{}", cut(line.trim_end(), columns))?;
        }
    }
    for input in &rows {
        if let Some(note) = note(input) {
            let name = escape::for_terminal(&below(view, &input.path));
            writeln!(out, "{}", cut(&format!(" {name}: {note}"), columns))?;
        }
    }
    let hidden = inputs.len() - rows.len();
    if hidden > 0 {
        let count = u64::try_from(hidden).unwrap_or(u64::MAX);
        writeln!(
            out,
            " {} left out: no logs, or of another time (-vv)",
            wording::plural(count, "input", "inputs")
        )?;
    }
    Ok(())
}

/// A name without the directory that all sources share; one from elsewhere as it is.
fn below(view: &View<'_>, name: &Untrusted) -> Untrusted {
    let shared = view.report.source_names.first().and_then(|first| first.raw().get(..view.root));
    shared.and_then(|shared| name.raw().strip_prefix(shared)).map_or_else(|| name.clone(), Untrusted::new)
}

fn row(view: &View<'_>, input: &Input, room: usize) -> [String; 8] {
    let none = || "–".to_owned();
    let zone = match (&input.time_zone, input.time_zone_source) {
        (Some(zone), None | Some(ZoneSource::Written)) => own(zone),
        (Some(zone), Some(source)) => format!("{} {}", own(zone), wording::zone_source(source)),
        _ => none(),
    };
    [
        cut_start(&escape::for_terminal(&below(view, &input.path)), room),
        wording::input_status(input.status).to_owned(),
        time::count(input.lines),
        time::count(input.records),
        time::count(input.continuation_lines),
        input.format.as_deref().map_or_else(none, own),
        input.role.map_or_else(none, |role| wording::role(role).to_owned()),
        zone,
    ]
}

/// What happened to the lines that are no records: `145 skipped (no-match); line 77: …`.
fn note(input: &Input) -> Option<String> {
    let mut notes: Vec<String> = input.detail.as_deref().map(own).into_iter().collect();
    notes.extend(
        input.skipped.iter().map(|(reason, n)| format!("{} skipped ({})", time::count(*n), own(reason))),
    );
    notes.extend(
        input.example.as_ref().map(|(line, text)| format!("line {line}: {}", escape::for_terminal(text))),
    );
    (!notes.is_empty()).then(|| notes.join("; "))
}
