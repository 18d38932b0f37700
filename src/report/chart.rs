//! The window at a glance: one bar per slice of time, incidents marked, a time axis below.

use crate::detect::Signal;
use crate::explain::facts::Report;
use crate::model::{MICROS, Timestamp};

use super::page::{Line, Page, Tone};
use super::time;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Wider charts say no more.
const MAX_COLUMNS: usize = 84;
/// Columns before the chart, for its label.
const LABEL: usize = 12;

/// Draws the chart, if there is anything to draw.
pub(super) fn draw(report: &Report, page: &mut Page) {
    let overview = &report.overview;
    let room = page.columns().saturating_sub(LABEL).min(MAX_COLUMNS);
    let cells = resample(&overview.slices, room);
    if cells.len() < 2 || overview.slice_seconds <= 0 {
        return;
    }
    let total =
        i64::try_from(overview.slices.len()).unwrap_or(i64::MAX).saturating_mul(overview.slice_seconds);
    let axis = Axis { start: overview.start, seconds: total, columns: cells.len() };
    let marks: Vec<(usize, usize)> = report
        .incidents
        .iter()
        .map(|i| (axis.column(i.start.at), axis.last_column(i.start.at, i.end.at)))
        .collect();

    let failing = report.incidents.is_empty() || report.incidents.iter().any(|i| i.signal == Signal::Errors);
    let label = if failing { "failed" } else { "requests" };
    page.line(bars(&cells, &marks, failing, label));
    if !marks.is_empty() {
        page.line(Line::plain(" ".repeat(LABEL)).add(Tone::Critical, brackets(&marks, cells.len())));
    }
    page.line(Line::plain(" ".repeat(LABEL)).add(Tone::Faint, labels(report, &axis)));
}

/// The time axis in columns.
struct Axis {
    start: Timestamp,
    seconds: i64,
    columns: usize,
}

impl Axis {
    /// The column that an instant falls into.
    fn column(&self, at: Timestamp) -> usize {
        let seconds = at.micros().saturating_sub(self.start.micros()).max(0) / MICROS;
        let columns = i128::try_from(self.columns).unwrap_or(1);
        let at = i128::from(seconds) * columns / i128::from(self.seconds.max(1));
        usize::try_from(at).unwrap_or(usize::MAX).min(self.columns.saturating_sub(1))
    }

    /// The column of the last instant before `end`, at least that of `start`.
    fn last_column(&self, start: Timestamp, end: Timestamp) -> usize {
        self.column(Timestamp::from_micros(end.micros().saturating_sub(1))).max(self.column(start))
    }
}

/// Slices merged (or repeated) into about `columns` cells of (requests, failures).
fn resample(slices: &[(u64, u64)], columns: usize) -> Vec<(u64, u64)> {
    if slices.is_empty() || columns == 0 {
        return Vec::new();
    }
    if slices.len() <= columns {
        let repeat = columns / slices.len();
        return slices.iter().flat_map(|&slice| std::iter::repeat_n(slice, repeat)).collect();
    }
    (0..columns)
        .map(|column| {
            let from = column * slices.len() / columns;
            let to = (column + 1) * slices.len() / columns;
            slices
                .get(from..to)
                .unwrap_or_default()
                .iter()
                .fold((0u64, 0u64), |(n, f), slice| (n.saturating_add(slice.0), f.saturating_add(slice.1)))
        })
        .collect()
}

fn bars(cells: &[(u64, u64)], marks: &[(usize, usize)], failing: bool, label: &str) -> Line {
    let most = cells.iter().map(|&(n, _)| n).max().unwrap_or(0);
    let mut line = Line::plain("  ").add(Tone::Faint, format!("{label:<width$}", width = LABEL - 2));
    let mut run = String::new();
    let mut run_tone = Tone::Faint;
    for (at, &(requests, failures)) in cells.iter().enumerate() {
        let tone =
            if marks.iter().any(|&(a, b)| (a..=b).contains(&at)) { Tone::Critical } else { Tone::Faint };
        if tone != run_tone {
            line = line.add(run_tone, std::mem::take(&mut run));
            run_tone = tone;
        }
        run.push(if failing { bar(failures, requests) } else { bar(requests, most) });
    }
    line.add(run_tone, run)
}

/// A bar for a share: blank without requests, the lowest only for nothing at all.
fn bar(part: u64, whole: u64) -> char {
    if whole == 0 {
        return ' ';
    }
    let level = match part {
        0 => 0,
        part => (u128::from(part) * 7).div_ceil(u128::from(whole)),
    };
    usize::try_from(level).ok().and_then(|level| BARS.get(level)).copied().unwrap_or('█')
}

/// `└─────┘` under each incident, `^` where it takes one column; numbered if there are several.
fn brackets(marks: &[(usize, usize)], columns: usize) -> String {
    let mut row = vec![' '; columns];
    for (index, &(from, to)) in marks.iter().enumerate() {
        for at in from..=to {
            let c = match at {
                _ if from == to => '^',
                at if at == from => '└',
                at if at == to => '┘',
                _ => '─',
            };
            if let Some(cell) = row.get_mut(at) {
                *cell = c;
            }
        }
        let number = (index + 1).to_string();
        if marks.len() > 1 && to - from > number.len() {
            put(&mut row, from + (to - from - number.len()).div_ceil(2), &number);
        }
    }
    row.into_iter().collect()
}

fn labels(report: &Report, axis: &Axis) -> String {
    let zone = &report.zone;
    let end = axis.start.plus_seconds(axis.seconds);
    let long = axis.seconds > 26 * 3600;
    let label = |at: Timestamp| {
        let clock = time::minute(zone, at);
        if long { format!("{} {clock}", time::date(zone, at).get(5..).unwrap_or_default()) } else { clock }
    };
    let mut row = vec![' '; axis.columns];
    place(&mut row, 0, &label(axis.start));
    // The edges of incidents first: the end of the axis gives way to them.
    for incident in report.incidents.iter().take(8) {
        place(&mut row, axis.column(incident.start.at), &label(incident.start.at));
        if !incident.end.open {
            place(&mut row, axis.last_column(incident.start.at, incident.end.at), &label(incident.end.at));
        }
    }
    place(&mut row, axis.columns, &label(end));
    row.into_iter().collect()
}

/// Puts a label where nothing else stands, with a space around it.
fn place(row: &mut [char], at: usize, label: &str) {
    let length = label.chars().count();
    let Some(last) = row.len().checked_sub(length) else { return };
    let at = at.min(last);
    let around = at.saturating_sub(1)..(at + length + 1).min(row.len());
    if row.get(around).is_some_and(|cells| cells.iter().all(|&c| c == ' ')) {
        put(row, at, label);
    }
}

fn put(row: &mut [char], at: usize, text: &str) {
    for (cell, c) in row.iter_mut().skip(at).zip(text.chars()) {
        *cell = c;
    }
}
