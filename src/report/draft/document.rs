//! What a template gets: the whole report, worded. Every name here is documented in `docs/templates.md`.

use std::collections::BTreeMap;

use minijinja::Value;
use serde::Serialize;

use super::chart::{self, Chart};
use super::incident::{self, Section};
use super::rows::{self, Places, Row};
use super::words::{quoted, words};
use crate::explain::facts::{Input, InputStatus, Report, TimelineEntry};
use crate::model::{Timestamp, Untrusted};
use crate::report::wording::Sentence;
use crate::report::{Style, coverage, time, wording};

/// How much of a report a draft tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Incidents.
    incidents: usize,
    /// Rows about inputs, of warnings, and of the timeline beside incidents.
    rows: usize,
}

impl Limits {
    /// What people read of a report.
    pub(super) fn of(report: &Report) -> Self {
        Self { incidents: report.incidents.len().min(50), rows: 30 }
    }

    /// Less, if there is less.
    pub(super) fn halved(self) -> Option<Self> {
        (self.incidents > 1).then_some(Self { incidents: self.incidents / 2, rows: (self.rows / 2).max(5) })
    }
}

/// Rows of the timeline that belong to none of several incidents.
const MAX_BESIDES: usize = 10;
/// Bytes of a name.
const MAX_NAME: usize = 300;

/// The report.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    version: &'static str,
    generated_at: String,
    zone: String,
    window: Option<String>,
    root: Option<Value>,
    incidents: Vec<Section>,
    incidents_more: usize,
    gravest: usize,
    requests: u64,
    failed_requests: u64,
    calm: String,
    besides: Vec<Row>,
    coverage: String,
    zones: String,
    inputs: Vec<Group>,
    inputs_more: usize,
    unused: Option<String>,
    warnings: Vec<Value>,
    warnings_more: usize,
    chart: Option<Chart>,
}

/// Files of one rotated set that are alike.
#[derive(Debug, Serialize)]
struct Group {
    name: Value,
    files: u64,
    format: String,
    role: &'static str,
    lines: String,
    skipped: String,
    status: String,
    zone: String,
}

/// The report for a template.
pub(super) fn document(report: &Report, style: &Style, limits: Limits) -> Document {
    let places = Places::new(report);
    let all = report.incidents.len();
    let told = all.min(limits.incidents);
    // What is near an incident stands in its own timeline.
    let told_of = |row: &TimelineEntry| report.incidents.iter().take(told).any(|i| rows::is_near(i, row));
    let apart = report.timeline.iter().filter(|row| row.incident.is_none() && all != 1 && !told_of(row));
    let besides: Vec<_> =
        apart.take(if all == 0 { limits.rows } else { limits.rows.min(MAX_BESIDES) }).collect();
    let (inputs, inputs_more) = inputs(report, &places, limits.rows);
    let (warnings, warnings_more) = warnings(report, &places, limits.rows);
    Document {
        version: env!("CARGO_PKG_VERSION"),
        generated_at: time::rfc3339(&report.zone, whole_second(style.generated_at)),
        zone: time::report_zone(report),
        window: report.window.map(|(start, end)| time::span(&report.zone, start, end, time::Open::default())),
        root: places.root().map(|root| quoted(&root, MAX_NAME)),
        incidents: (0..told).filter_map(|at| incident::section(&places, report, at)).collect(),
        incidents_more: all - told,
        gravest: gravest(report, told),
        requests: report.totals.requests,
        failed_requests: report.totals.failed_requests,
        calm: calm(report),
        besides: rows::rows(&places, &besides, None),
        coverage: coverage::sentence(report, None),
        zones: wording::zones(report),
        inputs,
        inputs_more,
        unused: unused(report),
        warnings,
        warnings_more,
        chart: chart::chart(report),
    }
}

/// The position of the gravest incident, of equals the first.
fn gravest(report: &Report, told: usize) -> usize {
    let ranked = report.incidents.iter().take(told).enumerate();
    ranked.min_by_key(|(at, i)| (std::cmp::Reverse(i.severity), *at)).map_or(0, |(at, _)| at)
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.second())
}

fn calm(report: &Report) -> String {
    let requests = wording::plural(report.totals.requests, "request", "requests");
    let when = report.window.map_or_else(String::new, |(start, end)| {
        format!(", {}", time::span(&report.zone, start, end, time::Open::default()))
    });
    if report.totals.requests == 0 {
        let lines = wording::plural(report.totals.lines, "line", "lines");
        return format!("No requests in {lines}{when}: whether any failed is unknown.");
    }
    let share = report.totals.failed_requests as f64 / report.totals.requests as f64 * 100.0;
    let failed = time::count(report.totals.failed_requests);
    format!("{requests} looked at{when}. Of all requests, {} failed ({failed}).", time::percent(share))
}

/// Inputs that became records or were lost in part, a rotated set in one row; and how many rows were left out.
fn inputs(report: &Report, places: &Places<'_>, limit: usize) -> (Vec<Group>, usize) {
    type Key<'a> = (Vec<u8>, Option<&'a str>, &'static str, InputStatus, String);
    let mut groups: BTreeMap<Key<'_>, Vec<&Input>> = BTreeMap::new();
    for input in report.inputs.iter().filter(|i| i.records > 0 || wording::is_partial(i.status)) {
        let zone = match (&input.time_zone, input.time_zone_source) {
            (Some(zone), Some(source)) => format!("{zone} {}", wording::zone_source(source)),
            (Some(zone), None) => zone.clone(),
            _ => String::new(),
        };
        let role = input.role.map_or("", wording::role);
        let set = rotated_set(input.path.raw()).to_vec();
        groups.entry((set, input.format.as_deref(), role, input.status, zone)).or_default().push(input);
    }
    let all = groups.len();
    // Of many, those that could not be read in full must not be the ones that are left out.
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|((.., status, _), _)| !wording::is_partial(*status));
    groups.truncate(limit);
    groups.sort_by(|(a, _), (b, _)| a.cmp(b));
    let row = |((set, format, role, status, zone), inputs): (Key<'_>, Vec<&Input>)| {
        let sum = |get: &dyn Fn(&Input) -> u64| inputs.iter().fold(0u64, |sum, i| sum.saturating_add(get(i)));
        let skipped = sum(&|i| i.skipped.values().fold(0, |sum: u64, &n| sum.saturating_add(n)));
        let name = match inputs.as_slice() {
            [only] => places.below(&only.path),
            _ => places.below(&Untrusted::new(&set)),
        };
        Group {
            name: quoted(&name, MAX_NAME),
            files: u64::try_from(inputs.len()).unwrap_or(u64::MAX),
            format: format.unwrap_or_default().to_owned(),
            role,
            lines: time::count(sum(&|i| i.lines)),
            skipped: time::count(skipped),
            status: wording::input_status(status).to_owned(),
            zone,
        }
    };
    (groups.into_iter().map(row).collect(), all.saturating_sub(limit))
}

/// The name without what rotation and compression append.
fn rotated_set(path: &[u8]) -> &[u8] {
    let name = [&b".gz"[..], b".bz2", b".xz", b".zst"]
        .iter()
        .find_map(|end| path.strip_suffix(*end))
        .unwrap_or(path);
    let digits = name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let stem = name.len().checked_sub(digits + 1).and_then(|at| name.split_at_checked(at));
    match stem {
        Some((stem, [b'.' | b'-', ..])) if digits > 0 => stem,
        _ => name,
    }
}

/// What was looked at and gave nothing: `3 empty, 1 unrecognised`.
fn unused(report: &Report) -> Option<String> {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for input in report.inputs.iter().filter(|i| i.records == 0 && !wording::is_partial(i.status)) {
        let what = match input.status {
            InputStatus::Complete if input.lines == 0 => "empty",
            InputStatus::Complete => "without a record",
            status => wording::input_status(status),
        };
        *counts.entry(what).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.into_iter().map(|(what, n)| format!("{} {what}", time::count(n))).collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

/// What the reader must know, and how many lines of it were left out.
fn warnings(report: &Report, places: &Places<'_>, limit: usize) -> (Vec<Value>, usize) {
    let partial = report.inputs.iter().filter(|i| wording::is_partial(i.status)).map(|i| {
        let status = wording::input_status(i.status);
        let detail = i.detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
        Sentence::default().log(&places.below(&i.path)).text(format!(" is {status}{detail}"))
    });
    let told = report.warnings.iter().map(|warning| match &warning.path {
        Some(path) => Sentence::default().log(&places.below(path)).text(format!(": {}", warning.text)),
        None => Sentence::new(warning.text.clone()),
    });
    let mut caveats: Vec<_> = report.incidents.iter().flat_map(|i| i.caveats.iter().copied()).collect();
    caveats.sort_unstable();
    caveats.dedup();
    let caveats = caveats.into_iter().map(|caveat| Sentence::new(wording::caveat(caveat)));
    let lost = report.inputs.iter().filter(|i| wording::is_partial(i.status)).count();
    let more = (caveats.len() + lost + report.warnings.len()).saturating_sub(limit);
    let all = caveats.chain(partial).chain(told);
    (all.take(limit).map(|sentence| words(sentence, MAX_NAME)).collect(), more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_are_of_one_set() {
        for name in [
            "nginx/access.log",
            "nginx/access.log.1",
            "nginx/access.log.2.gz",
            "nginx/access.log-20230514.xz",
        ] {
            assert_eq!(rotated_set(name.as_bytes()), b"nginx/access.log", "{name}");
        }
        assert_eq!(rotated_set(b"7"), b"7");
        assert_eq!(rotated_set(b""), b"");
    }
}
