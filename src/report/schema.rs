//! The published shape `logtopsy/report/1`: the types that are serialised and that the JSON Schema is made from.
//!
//! Names, types and meanings are fixed; adding a field is free, renaming or dropping one is a new `SCHEMA`.

mod computation;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

pub(super) use computation::{Alone, Burst, Computation, Gate, Level, Missing, RunnerUp, Slowness};

/// Name and version of the shape.
pub(super) const SCHEMA: &str = "logtopsy/report/1";

/// RFC 3339 with an explicit offset.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Time(#[schemars(extend("format" = "date-time"))] pub(super) String);

/// A whole number of things.
pub(super) type Count = u64;

/// What logtopsy found out.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "logtopsy/report/1")]
pub(super) struct Report {
    /// Name and version of this shape.
    #[schemars(extend("const" = SCHEMA))]
    pub(super) schema: &'static str,
    pub(super) tool: Tool,
    /// When the report was made.
    pub(super) generated_at: Time,
    /// The zone that times are shown in: IANA name or offset.
    pub(super) timezone: String,
    pub(super) window: Window,
    pub(super) totals: Totals,
    /// One row per file or stream.
    pub(super) inputs: Vec<Input>,
    /// Ordered by start.
    pub(super) incidents: Vec<Incident>,
    /// Ordered by time.
    pub(super) timeline: Vec<Entry>,
    /// What the reader must know.
    pub(super) warnings: Vec<String>,
}

/// The program that made the report.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

/// First and last log time analysed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Window {
    pub(super) start: Option<Time>,
    pub(super) end: Option<Time>,
}

/// Sums over everything read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Totals {
    /// Requests at the edge, each counted once.
    pub(super) requests: Count,
    /// Those answered 5xx.
    pub(super) failed_requests: Count,
    /// Health checks and monitors.
    pub(super) probe_requests: Count,
    pub(super) lines: Count,
    /// Uncompressed.
    pub(super) bytes: Count,
    pub(super) inputs: Count,
}

/// One file or stream. Always `lines == records + continuation_lines + sum(skipped)`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Input {
    pub(super) path: String,
    /// The format's name, if one fits.
    pub(super) format: Option<String>,
    pub(super) status: InputStatus,
    /// Why, where the status is not `complete`.
    pub(super) detail: Option<String>,
    /// Uncompressed.
    pub(super) bytes: Count,
    pub(super) lines: Count,
    pub(super) records: Count,
    /// Lines joined to the record before them.
    pub(super) continuation_lines: Count,
    /// Lines that became nothing, by reason.
    pub(super) skipped: BTreeMap<String, Count>,
    pub(super) first: Option<Time>,
    pub(super) last: Option<Time>,
    /// IANA name or offset.
    pub(super) time_zone: Option<String>,
    pub(super) time_zone_source: Option<ZoneSource>,
    pub(super) role: Option<Role>,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum InputStatus {
    Complete,
    Truncated,
    Damaged,
    Limit,
    Duplicate,
    Unrecognised,
    Unreadable,
    Skipped,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ZoneSource {
    Written,
    Inferred,
    Assumed,
    Option,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Edge,
    Backend,
    Error,
    System,
    Application,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signal {
    Errors,
    Latency,
    Traffic,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    Critical,
    Major,
    Minor,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Dimension {
    Vhost,
    Upstream,
    Path,
    Method,
    Client,
    Source,
    UserAgent,
    Error,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
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

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum QuoteRole {
    LastBefore,
    FirstAffected,
    Message,
    LastAffected,
    FirstAfter,
}

/// One outage.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Incident {
    /// Stable for the same input.
    pub(super) id: String,
    /// What broke first and foremost.
    pub(super) signal: Signal,
    /// All that broke, strongest first.
    pub(super) signals: Vec<Signal>,
    /// One line for a human.
    pub(super) title: String,
    pub(super) severity: Severity,
    /// 0–1.
    pub(super) confidence: Option<f64>,
    /// First affected request.
    pub(super) start: Time,
    /// One second past the last affected request; null while ongoing at the end of the data.
    pub(super) end: Option<Time>,
    /// 95 % interval.
    pub(super) start_range: [Time; 2],
    /// 95 % interval.
    pub(super) end_range: [Time; 2],
    /// When the first affected request arrived, where its latency is logged.
    pub(super) first_arrival: Option<Time>,
    /// To the end of the data while ongoing.
    pub(super) duration_seconds: Option<f64>,
    /// From the likeliest triggering change to the end.
    pub(super) change_to_recovery_seconds: Option<f64>,
    /// Levels of impact, one row when it is constant.
    pub(super) phases: Vec<Phase>,
    /// Status → affected requests.
    pub(super) statuses: BTreeMap<String, Count>,
    pub(super) impact: Impact,
    /// What normal was.
    pub(super) baseline: Vitals,
    /// The same figures inside the incident.
    pub(super) during: Vitals,
    /// Where it hurt, strongest first; empty when it hurt everywhere.
    pub(super) scope: Vec<Scope>,
    /// Changes and signatures near the onset, likeliest first. Suspicion, not proof.
    pub(super) suspects: Vec<Suspect>,
    /// Quoted log lines.
    pub(super) evidence: Vec<Quote>,
    /// What limits these numbers.
    pub(super) caveats: Vec<&'static str>,
    /// Where latency is among `signals`.
    pub(super) slowness: Option<Slowness>,
    /// Where traffic is among `signals`.
    pub(super) missing: Option<Missing>,
    /// Where all that is known are messages of a log without requests.
    pub(super) burst: Option<Burst>,
    /// How it was found: the finding that speaks for the incident, then what others show of it.
    pub(super) computation: Vec<Computation>,
}

/// A constant level of impact.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Phase {
    pub(super) start: Time,
    pub(super) end: Time,
    /// 0–100.
    pub(super) percent: Option<f64>,
    pub(super) statuses: BTreeMap<String, Count>,
}

/// Who was hit.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Impact {
    /// Affected ÷ user requests, 0–100.
    pub(super) percent: Option<f64>,
    /// With health checks and monitors counted.
    pub(super) percent_all_requests: Option<f64>,
    /// 95 % interval of `percent`.
    pub(super) percent_interval: Option<[f64; 2]>,
    pub(super) affected_requests: Option<Count>,
    pub(super) total_requests: Option<Count>,
    pub(super) expected_requests: Option<f64>,
    /// Expected − all user requests, at least 0.
    pub(super) lost_requests: Option<f64>,
    /// Worst minute.
    pub(super) peak_percent: Option<f64>,
    /// Start of the worst minute.
    pub(super) peak_at: Option<Time>,
    pub(super) affected_clients: Option<Count>,
    pub(super) total_clients: Option<Count>,
    pub(super) clients_percent: Option<f64>,
}

/// Vital figures of a stretch of time.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Vitals {
    pub(super) error_percent: Option<f64>,
    pub(super) requests_per_minute: Option<f64>,
    pub(super) latency_p50_seconds: Option<f64>,
    pub(super) latency_p95_seconds: Option<f64>,
}

/// A place where it hurt.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Scope {
    pub(super) dimension: Dimension,
    pub(super) value: String,
    /// Share of the affected requests that have it, 0–1.
    pub(super) affected_share: Option<f64>,
    /// Of the requests that have it, 0–100.
    pub(super) affected_percent: Option<f64>,
    /// The same in the comparison window.
    pub(super) baseline_percent: Option<f64>,
}

/// A line of an input.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Source {
    pub(super) path: String,
    /// 1-based.
    pub(super) line: Count,
}

/// A change or signature near the onset.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Suspect {
    pub(super) time: Time,
    pub(super) kind: Kind,
    pub(super) summary: String,
    /// 0–1.
    pub(super) score: Option<f64>,
    /// From it to the onset; negative: after it.
    pub(super) lead_seconds: Option<f64>,
    pub(super) source: Source,
}

/// A quoted line.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Quote {
    pub(super) time: Option<Time>,
    /// Why it is quoted.
    pub(super) role: QuoteRole,
    pub(super) text: String,
    pub(super) source: Source,
}

/// A row of the timeline.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Entry {
    pub(super) time: Time,
    pub(super) kind: Kind,
    pub(super) summary: String,
    pub(super) source: Option<Source>,
    /// The `id` of the incident it belongs to.
    pub(super) incident: Option<String>,
}
