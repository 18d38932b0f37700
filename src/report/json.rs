//! Report → JSON, and the JSON Schema of it.

mod computation;

use std::collections::BTreeMap;
use std::io;

use serde::Serialize as _;

use crate::detect;
use crate::explain::facts;
use crate::model::{Location, Timestamp, Untrusted};

use computation::slowness;

use super::schema::{
    Count, Dimension, Entry, Impact, Incident, Input, InputStatus, Kind, Phase, Quote, QuoteRole, Report,
    Role, SCHEMA, Scope, Severity, Signal, Source, Suspect, Time, Tool, Totals, Vitals, Window, ZoneSource,
};
use super::{Style, escape, time, wording};

/// No report is larger, whatever comes in; readers load it whole.
const MAX_BYTES: usize = 8_000_000;

/// How much of the lists and texts is kept.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Rows of `inputs`, `timeline`, `incidents` and `warnings`, each.
    rows: usize,
    /// Rows of the lists inside an incident, each.
    nested: usize,
    /// Bytes of a text.
    text: usize,
}

/// Generous: an ordinary report is some tens of kilobytes.
const FIRST_LIMITS: Limits = Limits { rows: 20_000, nested: 1000, text: 16_384 };

/// The JSON Schema of the report, from the types that are serialised.
pub fn schema() -> String {
    // Of what is written, not of what could be read: there every field is required.
    let settings = schemars::generate::SchemaSettings::default().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Report>();
    // A schema is plain JSON: serialising it cannot fail.
    let mut text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    text.push('\n');
    text
}

/// Writes the report, ended by one newline.
pub(super) fn render(report: &facts::Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut limits = FIRST_LIMITS;
    loop {
        let mut json = serialise(&shape(report, style, limits))?;
        let smallest = limits.rows <= 16 && limits.text <= 64;
        if json.len() < MAX_BYTES || smallest {
            json.push(b'\n');
            return out.write_all(&json);
        }
        limits = Limits {
            rows: (limits.rows / 2).max(16),
            nested: (limits.nested / 2).max(16),
            text: (limits.text / 2).max(64),
        };
    }
}

fn serialise(report: &Report) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    report.serialize(&mut serde_json::Serializer::with_formatter(&mut json, Visible::default()))?;
    Ok(json)
}

/// Pretty JSON in which hidden characters (bidirectional controls, C1, …) are `\u` escapes: the same text to a
/// parser, harmless to a terminal.
#[derive(Default)]
struct Visible(serde_json::ser::PrettyFormatter<'static>);

impl serde_json::ser::Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|&(_, c)| escape::is_hidden(c)) {
            let (before, after) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.get(c.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }
    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }
    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }
    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }
    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// What every part of the shape needs to know.
struct Context<'a> {
    report: &'a facts::Report,
    limits: Limits,
}

fn shape(report: &facts::Report, style: &Style, limits: Limits) -> Report {
    let cx = Context { report, limits };
    let mut warnings: Vec<String> = report.warnings.iter().map(|warning| cx.warning(warning)).collect();
    let all_warnings = warnings.len();
    warnings.truncate(limits.rows);
    let mut cut = vec![cut_note("warnings", warnings.len(), all_warnings)];

    let inputs: Vec<Input> =
        keep(&report.inputs, limits.rows, |i| i.records == 0).into_iter().map(|i| cx.input(i)).collect();
    cut.push(cut_note("inputs", inputs.len(), report.inputs.len()));
    let incidents: Vec<Incident> = keep(&report.incidents, limits.rows, |i| std::cmp::Reverse(i.severity))
        .into_iter()
        .map(|i| cx.incident(i))
        .collect();
    cut.push(cut_note("incidents", incidents.len(), report.incidents.len()));
    let timeline: Vec<Entry> = keep(&report.timeline, limits.rows, |e| e.incident.is_none())
        .into_iter()
        .map(|e| cx.entry(e))
        .collect();
    cut.push(cut_note("timeline rows", timeline.len(), report.timeline.len()));
    let nested = report.incidents.iter().any(|i| longest_list(i) > limits.nested);
    cut.push(nested.then(|| {
        format!("this report is cut: lists inside an incident hold their first {} rows", limits.nested)
    }));
    cut.push(
        (limits.text < FIRST_LIMITS.text)
            .then(|| format!("this report is cut: texts hold their first {} bytes", limits.text)),
    );
    warnings.extend(cut.into_iter().flatten());

    Report {
        schema: SCHEMA,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        generated_at: cx.time(style.generated_at),
        timezone: time::report_zone(report),
        window: Window {
            start: report.window.map(|(start, _)| cx.time(start)),
            end: report.window.map(|(_, end)| cx.time(end)),
        },
        totals: Totals {
            requests: report.totals.requests,
            failed_requests: report.totals.failed_requests,
            probe_requests: report.totals.probe_requests,
            lines: report.totals.lines,
            bytes: report.totals.bytes,
            inputs: report.totals.inputs,
        },
        inputs,
        incidents,
        timeline,
        warnings,
    }
}

fn cut_note(what: &str, kept: usize, all: usize) -> Option<String> {
    (kept < all).then(|| format!("this report is cut: it holds {kept} of {all} {what}"))
}

/// At most `limit` rows: those that sort first by `rank`, in their own order.
fn keep<T, K: Ord>(rows: &[T], limit: usize, rank: impl Fn(&T) -> K) -> Vec<&T> {
    if rows.len() <= limit {
        return rows.iter().collect();
    }
    let mut ranked: Vec<(usize, &T)> = rows.iter().enumerate().collect();
    ranked.sort_by_key(|&(at, row)| (rank(row), at));
    ranked.truncate(limit);
    ranked.sort_by_key(|&(at, _)| at);
    ranked.into_iter().map(|(_, row)| row).collect()
}

fn longest_list(i: &facts::Incident) -> usize {
    [i.phases.len(), i.scope.len(), i.suspects.len(), i.evidence.len(), i.statuses.len()]
        .into_iter()
        .max()
        .unwrap_or(0)
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn pair((low, high): (f64, f64)) -> Option<[f64; 2]> {
    Some([finite(low)?, finite(high)?])
}

impl Context<'_> {
    fn time(&self, at: Timestamp) -> Time {
        Time(time::rfc3339(&self.report.zone, at))
    }

    fn clip(&self, text: String) -> String {
        if text.len() <= self.limits.text {
            return text;
        }
        let end = (0..=self.limits.text).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        format!("{}…", text.get(..end).unwrap_or_default())
    }

    fn log(&self, text: &Untrusted) -> String {
        self.clip(escape::for_json(text))
    }

    fn sentence(&self, sentence: &wording::Sentence) -> String {
        self.clip(sentence.render(str::to_owned, escape::for_json))
    }

    fn warning(&self, warning: &crate::error::Warning) -> String {
        match &warning.path {
            Some(path) => self.clip(format!("{}: {}", escape::for_json(path), warning.text)),
            None => self.clip(warning.text.clone()),
        }
    }

    fn source(&self, location: Location) -> Source {
        let name = usize::try_from(location.source.0).ok().and_then(|at| self.report.source_names.get(at));
        Source { path: name.map(|name| self.log(name)).unwrap_or_default(), line: location.line }
    }

    fn input(&self, input: &facts::Input) -> Input {
        Input {
            path: self.log(&input.path),
            format: input.format.clone().map(|f| self.clip(f)),
            status: input_status(input.status),
            detail: input.detail.clone().map(|d| self.clip(d)),
            bytes: input.bytes,
            lines: input.lines,
            records: input.records,
            continuation_lines: input.continuation_lines,
            skipped: input.skipped.iter().map(|(reason, &n)| (self.clip(reason.clone()), n)).collect(),
            first: input.first.map(|at| self.time(at)),
            last: input.last.map(|at| self.time(at)),
            time_zone: input.time_zone.clone(),
            time_zone_source: input.time_zone_source.map(zone_source),
            role: input.role.map(role),
        }
    }

    fn incident(&self, i: &facts::Incident) -> Incident {
        let n = self.limits.nested;
        Incident {
            id: self.clip(i.id.clone()),
            signal: signal(i.signal),
            signals: i.signals.iter().copied().map(signal).collect(),
            title: self.sentence(&wording::title(i)),
            severity: severity(i.severity),
            confidence: finite(i.confidence),
            start: self.time(i.start.at),
            end: (!i.end.open).then(|| self.time(i.end.at)),
            start_range: [self.time(i.start.range.0), self.time(i.start.range.1)],
            end_range: [self.time(i.end.range.0), self.time(i.end.range.1)],
            first_arrival: i.first_arrival.map(|at| self.time(at)),
            duration_seconds: finite(i.duration_seconds()),
            change_to_recovery_seconds: i.change_to_recovery_seconds.and_then(finite),
            phases: i.phases.iter().take(n).map(|phase| self.phase(phase)).collect(),
            statuses: self.statuses(&i.statuses),
            impact: self.impact(&i.impact),
            baseline: vitals(&i.baseline),
            during: vitals(&i.during),
            scope: i.scope.iter().take(n).map(|item| self.scope(item)).collect(),
            suspects: i.suspects.iter().take(n).map(|suspect| self.suspect(suspect)).collect(),
            evidence: i.evidence.iter().take(n).map(|quote| self.quote(quote)).collect(),
            caveats: i.caveats.iter().copied().map(wording::caveat).collect(),
            slowness: i.slowness.as_ref().map(slowness),
            missing: i.silence.as_ref().map(|silence| self.missing(silence)),
            burst: i.burst.as_ref().map(|burst| self.burst(burst)),
            computation: i.computation.iter().take(n).map(|c| self.computation(c)).collect(),
        }
    }

    fn phase(&self, phase: &facts::Phase) -> Phase {
        Phase {
            start: self.time(phase.start),
            end: self.time(phase.end),
            percent: finite(phase.percent),
            statuses: self.statuses(&phase.statuses),
        }
    }

    fn statuses(&self, statuses: &BTreeMap<u16, u64>) -> BTreeMap<String, Count> {
        statuses.iter().take(self.limits.nested).map(|(status, &n)| (status.to_string(), n)).collect()
    }

    fn impact(&self, impact: &facts::Impact) -> Impact {
        Impact {
            percent: impact.percent.and_then(finite),
            percent_all_requests: impact.percent_all_requests.and_then(finite),
            percent_interval: impact.percent_interval.and_then(pair),
            affected_requests: impact.affected_requests,
            total_requests: impact.total_requests,
            expected_requests: impact.expected_requests.and_then(finite),
            lost_requests: impact.lost_requests.and_then(finite),
            peak_percent: impact.peak_percent.and_then(finite),
            peak_at: impact.peak_at.map(|at| self.time(at)),
            affected_clients: impact.affected_clients,
            total_clients: impact.total_clients,
            clients_percent: clients_percent(impact),
        }
    }

    fn scope(&self, item: &facts::ScopeItem) -> Scope {
        Scope {
            dimension: dimension(item.dimension),
            value: self.log(&item.value),
            affected_share: finite(item.affected_share),
            affected_percent: finite(item.affected_percent),
            baseline_percent: finite(item.baseline_percent),
        }
    }

    fn suspect(&self, suspect: &facts::Suspect) -> Suspect {
        Suspect {
            time: self.time(suspect.time),
            kind: kind(suspect.kind),
            summary: self.sentence(&wording::suspect(suspect)),
            score: finite(suspect.score),
            lead_seconds: finite(suspect.lead_seconds),
            source: self.source(suspect.location),
        }
    }

    fn quote(&self, quote: &facts::Quote) -> Quote {
        Quote {
            time: quote.time.map(|at| self.time(at)),
            role: quote_role(quote.role),
            text: self.log(&quote.text),
            source: self.source(quote.location),
        }
    }

    fn entry(&self, entry: &facts::TimelineEntry) -> Entry {
        let incident = entry.incident.and_then(|at| self.report.incidents.get(at));
        Entry {
            time: self.time(entry.time),
            kind: kind(entry.kind),
            summary: self.sentence(&wording::fact_of(incident, &entry.fact)),
            source: entry.location.map(|location| self.source(location)),
            incident: incident.map(|i| self.clip(i.id.clone())),
        }
    }
}

/// Affected ÷ all client addresses, 0–100.
pub(super) fn clients_percent(impact: &facts::Impact) -> Option<f64> {
    let (affected, total) = (impact.affected_clients?, impact.total_clients?);
    (total > 0).then(|| affected as f64 / total as f64 * 100.0)
}

fn vitals(v: &facts::Vitals) -> Vitals {
    Vitals {
        error_percent: v.error_percent.and_then(finite),
        requests_per_minute: v.requests_per_minute.and_then(finite),
        latency_p50_seconds: v.latency_p50_seconds.and_then(finite),
        latency_p95_seconds: v.latency_p95_seconds.and_then(finite),
    }
}

/// One function from an enum of the facts to the enum of the shape that has the same names.
macro_rules! same_names {
    ($($name:ident: $from:path => $to:ident { $($variant:ident)+ })+) => {$(
        fn $name(value: $from) -> $to {
            use $from as From;
            match value { $(From::$variant => $to::$variant),+ }
        }
    )+};
}

same_names! {
    signal: detect::Signal => Signal { Errors Latency Traffic }
    severity: facts::Severity => Severity { Critical Major Minor }
    input_status: facts::InputStatus => InputStatus {
        Complete Truncated Damaged Limit Duplicate Unrecognised Unreadable Skipped
    }
    zone_source: facts::ZoneSource => ZoneSource { Written Inferred Assumed Option }
    role: facts::Role => Role { Edge Backend Error System Application }
    dimension: facts::Dimension => Dimension { Vhost Upstream Path Method Client Source UserAgent Error }
    quote_role: facts::QuoteRole => QuoteRole { LastBefore FirstAffected Message LastAffected FirstAfter }
    kind: facts::EntryKind => Kind {
        IncidentStart IncidentPeak IncidentEnd Change Restart Reload FirstError LogGap Operator Blip Note
    }
}
