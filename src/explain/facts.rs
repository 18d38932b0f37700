//! What a report says, as typed facts. `report` words them; `report/json.rs` owns the published shape.

mod signals;
mod suspicion;

use std::collections::BTreeMap;

use crate::detect::Signal;
use crate::error::Warning;
pub use crate::model::Dimension;
use crate::model::{Level, Location, Offset, Steps, Timestamp, Untrusted};
pub use signals::{Burst, Computation, Silence, Slowness};
pub use suspicion::{Alert, Reason, Remedy, Suspect};

/// All that a run found out.
#[derive(Debug, Clone)]
pub struct Report {
    /// Zone in which times are shown.
    pub zone: DisplayZone,
    /// First and last log time analysed; `None` when no line had a time.
    pub window: Option<(Timestamp, Timestamp)>,
    /// Sums over everything read.
    pub totals: Totals,
    /// One row per file or stream.
    pub inputs: Vec<Input>,
    /// Names of the sources that a `Location` points at, by `SourceId`.
    pub source_names: Vec<Untrusted>,
    /// Ordered by start.
    pub incidents: Vec<Incident>,
    /// Ordered by time.
    pub timeline: Vec<TimelineEntry>,
    /// What the reader must know.
    pub warnings: Vec<Warning>,
    /// Site-wide error share over the window, for the sparkline: equal slices, (user requests, failures) each.
    pub overview: Overview,
}

/// Equal slices of time with their counts.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// Start of the first slice.
    pub start: Timestamp,
    /// Length of each slice.
    pub slice_seconds: i64,
    /// (user requests, failed user requests) per slice.
    pub slices: Vec<(u64, u64)>,
}

/// The zone of shown times.
#[derive(Debug, Clone, PartialEq)]
pub enum DisplayZone {
    /// A fixed offset, as the logs were written.
    Fixed(Offset),
    /// Offsets that changed, as the logs were written.
    Stepped(Steps),
    /// A named zone (`--tz Europe/Paris`).
    Named(chrono_tz::Tz),
}

/// Sums over everything read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Requests at the edge, each counted once, probes included.
    pub requests: u64,
    /// Those answered 5xx.
    pub failed_requests: u64,
    /// Health checks and monitors among `requests`.
    pub probe_requests: u64,
    /// Lines of all inputs.
    pub lines: u64,
    /// Uncompressed bytes of all inputs.
    pub bytes: u64,
    /// Inputs, those set aside included.
    pub inputs: u64,
}

/// How far a file could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the contract's")]
pub enum InputStatus {
    Complete,
    Truncated,
    Damaged,
    Limit,
    Duplicate,
    Unrecognised,
    Unreadable,
    Skipped,
}

/// How the zone of a file is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the contract's")]
pub enum ZoneSource {
    Written,
    Inferred,
    Assumed,
    Option,
}

/// What part a file plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the contract's")]
pub enum Role {
    Edge,
    Backend,
    Error,
    System,
    Application,
}

/// One file or stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Name as shown.
    pub path: Untrusted,
    /// Name of the format, if one fits.
    pub format: Option<String>,
    /// How far it could be read.
    pub status: InputStatus,
    /// Why, where the status is not `Complete`.
    pub detail: Option<String>,
    /// Uncompressed bytes read.
    pub bytes: u64,
    /// `lines == records + continuation_lines + Σ skipped`.
    pub lines: u64,
    /// Lines that became a record.
    pub records: u64,
    /// Lines joined to the record before them.
    pub continuation_lines: u64,
    /// Lines that became nothing, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// First and last time in it.
    pub first: Option<Timestamp>,
    /// See `first`.
    pub last: Option<Timestamp>,
    /// IANA name or offset.
    pub time_zone: Option<String>,
    /// How it is known.
    pub time_zone_source: Option<ZoneSource>,
    /// What part it plays.
    pub role: Option<Role>,
    /// A line that was skipped, for `-v`.
    pub example: Option<(u64, Untrusted)>,
}

/// How bad it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the contract's")]
pub enum Severity {
    Minor,
    Major,
    Critical,
}

/// An edge of an incident, in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The instant: of the first affected request; one second past that of the last.
    pub at: Timestamp,
    /// 95 % interval.
    pub range: (Timestamp, Timestamp),
    /// The data begins (ends) inside the incident: `≤` (`≥`).
    pub open: bool,
    /// The line that shows it.
    pub location: Option<Location>,
}

/// One outage.
#[derive(Debug, Clone)]
pub struct Incident {
    /// Stable for the same input: start in UTC + signal + scope.
    pub id: String,
    /// What broke first and foremost.
    pub signal: Signal,
    /// All that broke, strongest first.
    pub signals: Vec<Signal>,
    /// How bad.
    pub severity: Severity,
    /// 0–1.
    pub confidence: f64,
    /// First affected request.
    pub start: Edge,
    /// One second past the last affected request. `open` while ongoing at the end of the data.
    pub end: Edge,
    /// When the first affected request arrived, where the latency is logged.
    pub first_arrival: Option<Timestamp>,
    /// From the likeliest triggering change to the end.
    pub change_to_recovery_seconds: Option<f64>,
    /// Constant levels, ascending; one row when constant.
    pub phases: Vec<Phase>,
    /// Status → affected requests.
    pub statuses: BTreeMap<u16, u64>,
    /// Who was hit.
    pub impact: Impact,
    /// What normal was.
    pub baseline: Vitals,
    /// The same figures inside.
    pub during: Vitals,
    /// Where it hurt, strongest first; empty = everything.
    pub scope: Vec<ScopeItem>,
    /// Likeliest first.
    pub suspects: Vec<Suspect>,
    /// What was done before the recovery, by time: what took a suspect back, and what was done last.
    pub remedy: Vec<Remedy>,
    /// The first alert that a monitor wrote while it lasted.
    pub first_alert: Option<Alert>,
    /// Quoted lines, by time; first and last affected request among them.
    pub evidence: Vec<Quote>,
    /// What limits these numbers, worded by `report`.
    pub caveats: Vec<crate::detect::Caveat>,
    /// How slow it was, where latency is among `signals`.
    pub slowness: Option<Slowness>,
    /// What did not come, where traffic is among `signals`.
    pub silence: Option<Silence>,
    /// Messages of a log without requests: all that is known.
    pub burst: Option<Burst>,
    /// How it was found, the finding that speaks for it first.
    pub computation: Vec<Computation>,
}

impl Incident {
    /// Seconds from start to end; to the last data when it is ongoing.
    pub fn duration_seconds(&self) -> f64 {
        self.end.at.micros().saturating_sub(self.start.at.micros()) as f64 / crate::model::MICROS as f64
    }
}

/// A constant level of impact inside an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// First affected second.
    pub start: Timestamp,
    /// One second past the last.
    pub end: Timestamp,
    /// Affected ÷ user requests, 0–100.
    pub percent: f64,
    /// Status → affected requests.
    pub statuses: BTreeMap<u16, u64>,
}

/// Who was hit. Percentages are 0–100.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Impact {
    /// Affected ÷ all user requests; `None` when there are no requests to count.
    pub percent: Option<f64>,
    /// The same with health checks and monitors counted.
    pub percent_all_requests: Option<f64>,
    /// 95 % interval of `percent`.
    pub percent_interval: Option<(f64, f64)>,
    /// Affected user requests.
    pub affected_requests: Option<u64>,
    /// User requests.
    pub total_requests: Option<u64>,
    /// User requests that a normal time of that length has.
    pub expected_requests: Option<f64>,
    /// Those of them that did not come: expected − all user requests, at least 0.
    pub lost_requests: Option<f64>,
    /// Worst minute.
    pub peak_percent: Option<f64>,
    /// Start of the worst minute.
    pub peak_at: Option<Timestamp>,
    /// Distinct client addresses with an affected request.
    pub affected_clients: Option<u64>,
    /// Distinct client addresses.
    pub total_clients: Option<u64>,
}

/// Vital figures of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vitals {
    /// 0–100.
    pub error_percent: Option<f64>,
    /// User requests.
    pub requests_per_minute: Option<f64>,
    /// Median latency.
    pub latency_p50_seconds: Option<f64>,
    /// 95th percentile.
    pub latency_p95_seconds: Option<f64>,
}

/// One place where it hurt.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopeItem {
    /// Which dimension.
    pub dimension: Dimension,
    /// Its value.
    pub value: Untrusted,
    /// Share of all affected requests that have it, 0–1.
    pub affected_share: f64,
    /// Failure rate with it, 0–100.
    pub affected_percent: f64,
    /// The same in the comparison window, 0–100.
    pub baseline_percent: f64,
}

/// A quoted line.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    /// When, where the line says.
    pub time: Option<Timestamp>,
    /// What it shows.
    pub role: QuoteRole,
    /// The line, shortened.
    pub text: Untrusted,
    /// Where it stands.
    pub location: Location,
}

/// Why a line is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuoteRole {
    /// The last request before a silence.
    LastBefore,
    /// First affected request.
    FirstAffected,
    /// A message that names the failure.
    Message,
    /// Last affected request.
    LastAffected,
    /// The first request after a silence.
    FirstAfter,
}

/// The kinds of timeline row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the contract's")]
pub enum EntryKind {
    IncidentStart,
    IncidentPeak,
    IncidentEnd,
    Change,
    Restart,
    Reload,
    FirstError,
    LogGap,
    Operator,
    Blip,
    Note,
}

/// One row of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineEntry {
    /// When.
    pub time: Timestamp,
    /// What kind of row.
    pub kind: EntryKind,
    /// What it says.
    pub fact: Fact,
    /// Where it stands.
    pub location: Option<Location>,
    /// Index into `Report::incidents`.
    pub incident: Option<usize>,
}

/// What a timeline row says; `report` words it.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// Requests begin to fail (`status` = the dominant one).
    Onset {
        /// Dominant status.
        status: Option<u16>,
        /// The data begins inside the incident.
        open: bool,
    },
    /// The worst minute.
    Peak {
        /// Affected, 0–100.
        percent: f64,
    },
    /// The level of impact changes.
    LevelChange {
        /// Affected from here on, 0–100.
        percent: f64,
    },
    /// Requests succeed again.
    Recovery {
        /// From onset to here.
        duration_seconds: f64,
    },
    /// The data ends while requests still fail.
    Ongoing,
    /// Too short to be an incident.
    Blip {
        /// Failed requests.
        failures: u64,
        /// How long.
        duration_seconds: i64,
        /// Dominant status.
        status: Option<u16>,
        /// What broke.
        signal: Signal,
    },
    /// A known signature: what it means and the line.
    Signature {
        /// From the rule.
        meaning: String,
        /// The line's message, shortened.
        text: Untrusted,
        /// How often it occurs (near-duplicates folded).
        count: u64,
    },
    /// The first message of a kind at error level or above near an onset.
    FirstError {
        /// Its level.
        level: Option<Level>,
        /// Its text, shortened.
        text: Untrusted,
        /// How often it occurs.
        count: u64,
    },
    /// A message that no rule knows, new in an incident or more frequent than before.
    NewMessage {
        /// The first, shortened.
        text: Untrusted,
        /// How often it occurs.
        count: u64,
        /// How many times as often as before; `None`: never before.
        times: Option<f64>,
    },
    /// Error messages pile up while requests succeed as ever.
    Burst {
        /// Whose messages.
        place: Option<(Dimension, Untrusted)>,
        /// How many.
        messages: u64,
        /// How long.
        duration_seconds: f64,
    },
    /// A file stops and starts again.
    Gap {
        /// How long.
        duration_seconds: i64,
    },
}
