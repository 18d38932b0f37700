//! Facts → sentences, the same for all media.
//!
//! A [`Sentence`] keeps its own words and the words of logs apart, so that each medium escapes only the latter. No
//! suspect is worded as a cause, no share is rounded to "all".

use std::collections::BTreeMap;

use crate::detect::{Caveat, Signal};
use crate::explain::facts::{
    Dimension, EntryKind, Fact, Incident, InputStatus, QuoteRole, Role, ScopeItem, Severity, Suspect,
    ZoneSource,
};
use crate::model::{Level, Untrusted};

use super::time;

/// From this share on, in percent, a headline says "every request"; the exact figure stands beside it.
const EVERY_PERCENT: f64 = 99.5;
/// A place gets into the headline when it has this share of all affected requests.
const HEADLINE_SHARE: f64 = 0.9;
/// A status names the incident when it has this share of the affected requests.
const DOMINANT_SHARE: f64 = 0.6;

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Our own words.
    Text(String),
    /// Somebody else's.
    Log(Untrusted),
}

/// Words of two origins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sentence(Vec<Part>);

impl Sentence {
    /// A sentence of our own words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// Adds our own words.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Text(text.into()));
        self
    }

    /// Adds words of a log.
    #[must_use]
    pub fn log(mut self, text: &Untrusted) -> Self {
        self.0.push(Part::Log(text.clone()));
        self
    }

    /// Its parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// One string, with each origin escaped by its own function.
    pub fn render(&self, own: impl Fn(&str) -> String, log: impl Fn(&Untrusted) -> String) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => own(text),
                Part::Log(text) => log(text),
            })
            .collect()
    }
}

/// The line for a human: `502 Bad Gateway on every request, 48 min`.
pub fn title(incident: &Incident) -> Sentence {
    let (place, percent) = headline_place(incident);
    let sentence = match incident.signal {
        Signal::Errors => errors_title(incident, place, percent),
        Signal::Latency => share_of_requests(Sentence::new("Slow responses on "), place, percent),
        Signal::Traffic => traffic_title(place, percent),
    };
    let also: Vec<&str> = incident
        .signals
        .iter()
        .filter(|&&signal| signal != incident.signal)
        .map(|signal| match signal {
            Signal::Errors => "errors",
            Signal::Latency => "slow responses",
            Signal::Traffic => "missing requests",
        })
        .collect();
    let sentence =
        if also.is_empty() { sentence } else { sentence.text(format!(", with {}", also.join(" and "))) };
    if incident.end.open {
        sentence.text(", still going on at the end of the logs")
    } else {
        let least = if incident.start.open { "at least " } else { "" };
        sentence.text(format!(", {least}{}", time::duration_brief(incident.duration_seconds())))
    }
}

/// The place for the headline and the share of its requests that is affected; without a place, the share of all.
fn headline_place(incident: &Incident) -> (Option<&ScopeItem>, Option<f64>) {
    let overall = incident.impact.percent.filter(|p| p.is_finite());
    let missing = incident.signal == Signal::Traffic;
    if overall.is_some_and(|p| p >= EVERY_PERCENT) && !missing {
        return (None, overall);
    }
    let place = incident.scope.iter().find(|item| {
        item.dimension != Dimension::Error
            && item.affected_share >= HEADLINE_SHARE
            && item.affected_percent.is_finite()
            // A place that fares like all the rest explains nothing.
            && overall.is_none_or(|p| item.affected_percent > p + 1.0)
    });
    place.map_or((None, overall), |item| (Some(item), Some(item.affected_percent)))
}

fn errors_title(incident: &Incident, place: Option<&ScopeItem>, percent: Option<f64>) -> Sentence {
    share_of_requests(Sentence::new(format!("{} on ", failure_name(&incident.statuses))), place, percent)
}

fn share_of_requests(sentence: Sentence, place: Option<&ScopeItem>, percent: Option<f64>) -> Sentence {
    let sentence = match percent {
        None => sentence.text("an unknown share of requests"),
        Some(p) if p >= EVERY_PERCENT => sentence.text("every request"),
        Some(p) => sentence.text(format!("{} of requests", time::percent(p))),
    };
    match place {
        Some(item) => sentence.text(preposition(item.dimension)).log(&item.value),
        None => sentence,
    }
}

fn traffic_title(place: Option<&ScopeItem>, percent: Option<f64>) -> Sentence {
    match (place, percent) {
        (Some(item), Some(p)) if p >= EVERY_PERCENT => {
            Sentence::new("No requests").text(preposition(item.dimension)).log(&item.value)
        }
        (None, Some(p)) if p >= EVERY_PERCENT => Sentence::new("No requests at all"),
        (Some(item), Some(p)) => Sentence::new(format!("{} of the expected requests", time::percent(p)))
            .text(preposition(item.dimension))
            .log(&item.value)
            .text(" missing"),
        (None, Some(p)) => Sentence::new(format!("{} of the expected requests missing", time::percent(p))),
        _ => Sentence::new("Requests missing"),
    }
}

fn preposition(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Vhost => " to ",
        Dimension::Upstream => " through upstream ",
        Dimension::Path => " for ",
        Dimension::Method => " with method ",
        Dimension::Client => " from ",
        Dimension::Source => " in ",
        Dimension::UserAgent => " by agent ",
        Dimension::Error => " with ",
    }
}

/// `502 Bad Gateway`, or `Server errors (500, 502)` where no status prevails.
fn failure_name(statuses: &BTreeMap<u16, u64>) -> String {
    let mut ranked: Vec<(u16, u64)> = statuses.iter().map(|(&s, &n)| (s, n)).collect();
    ranked.sort_by_key(|&(status, n)| (std::cmp::Reverse(n), status));
    let total = ranked.iter().fold(0u64, |sum, &(_, n)| sum.saturating_add(n));
    match ranked.first() {
        None => "Errors".to_owned(),
        Some(&(status, n)) if n as f64 >= DOMINANT_SHARE * total as f64 => status_name(status),
        Some(_) => {
            let names: Vec<String> = ranked.iter().take(3).map(|(status, _)| status.to_string()).collect();
            format!("Server errors ({})", names.join(", "))
        }
    }
}

/// `502 Bad Gateway`.
pub fn status_name(status: u16) -> String {
    let reason = match status {
        499 => "Client Closed Request",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        520 => "Unknown Error",
        521 => "Web Server Is Down",
        522 => "Connection Timed Out",
        523 => "Origin Is Unreachable",
        524 => "A Timeout Occurred",
        _ => return status.to_string(),
    };
    format!("{status} {reason}")
}

/// `502 × 9401, 499 × 11`, most frequent first.
pub fn statuses(statuses: &BTreeMap<u16, u64>) -> String {
    let mut ranked: Vec<(u16, u64)> = statuses.iter().map(|(&s, &n)| (s, n)).collect();
    ranked.sort_by_key(|&(status, n)| (std::cmp::Reverse(n), status));
    let shown: Vec<String> =
        ranked.iter().take(6).map(|&(status, n)| format!("{status} × {}", time::count(n))).collect();
    let more = if ranked.len() > 6 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// What a row of the timeline says.
pub fn fact(fact: &Fact) -> Sentence {
    match fact {
        Fact::Onset { status, open } => {
            let verb = if *open { "already failing when the logs begin" } else { "requests begin to fail" };
            Sentence::new(status.map_or_else(|| verb.to_owned(), |s| format!("{verb}: {}", status_name(s))))
        }
        Fact::Peak { percent } => {
            Sentence::new(format!("worst minute: {} affected", time::percent(*percent)))
        }
        Fact::LevelChange { percent } => {
            Sentence::new(format!("from here on {} of requests affected", time::percent(*percent)))
        }
        Fact::Recovery { duration_seconds } => {
            Sentence::new(format!("back to normal after {}", time::duration(*duration_seconds)))
        }
        Fact::Ongoing => Sentence::new("the logs end while it is still going on"),
        Fact::Blip { failures, duration_seconds, status } => Sentence::new(format!(
            "{} failed within {}{}, too short to be an incident",
            plural(*failures, "request", "requests"),
            time::duration((*duration_seconds).max(1) as f64),
            status.map(|s| format!(" ({})", status_name(s))).unwrap_or_default(),
        )),
        Fact::Signature { meaning, text, count } if *count > 1 => {
            Sentence::new(format!("{meaning} (× {}): ", time::count(*count))).log(text)
        }
        Fact::Signature { meaning, text, .. } => Sentence::new(format!("{meaning}: ")).log(text),
        Fact::FirstError { level, text, count } => {
            let name = level.unwrap_or(Level::Error).name();
            let many = if name == "error" { "errors".to_owned() } else { format!("{name} messages") };
            let first = match count {
                0 | 1 => format!("first {name}: "),
                n => format!("first of {} {many}: ", time::count(*n)),
            };
            Sentence::new(first).log(text)
        }
        Fact::Gap { duration_seconds } => {
            Sentence::new(format!("nothing is logged for {}", time::duration(*duration_seconds as f64)))
        }
    }
}

/// The same for a row that tells of slow or missing requests, where nothing "fails".
pub fn fact_of(signal: Option<Signal>, told: &Fact) -> Sentence {
    match (signal, told) {
        (Some(Signal::Latency), Fact::Onset { open: false, .. }) => Sentence::new("requests become slow"),
        (Some(Signal::Latency), Fact::Onset { .. }) => Sentence::new("already slow when the logs begin"),
        (Some(Signal::Traffic), Fact::Onset { open: false, .. }) => Sentence::new("requests stay away"),
        (Some(Signal::Traffic), Fact::Onset { .. }) => {
            Sentence::new("requests already missing when the logs begin")
        }
        _ => fact(told),
    }
}

/// What happened near the onset: the rule's meaning, then the line.
pub fn suspect(suspect: &Suspect) -> Sentence {
    if suspect.text.raw().is_empty() {
        return Sentence::new(suspect.meaning.clone());
    }
    Sentence::new(format!("{}: ", suspect.meaning)).log(&suspect.text)
}

/// `22 s before`, `at the same second`, `5 s after`.
pub fn lead(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => String::new(),
        s if s.abs() < 0.5 => "same second".to_owned(),
        s if s > 0.0 => format!("{} before", time::duration(s)),
        s => format!("{} after", time::duration(s)),
    }
}

/// One place where it hurt.
pub fn scope(item: &ScopeItem) -> Sentence {
    let share = time::percent(item.affected_share * 100.0);
    let sentence = Sentence::new(format!("{} ", dimension(item.dimension))).log(&item.value);
    if item.dimension == Dimension::Error {
        return sentence.text(format!(": {share} of the failures"));
    }
    sentence.text(format!(
        ": {share} of the affected; {} of its requests hit, {} before",
        time::percent(item.affected_percent),
        time::percent(item.baseline_percent),
    ))
}

/// What limits the numbers of an incident.
pub fn caveat(caveat: Caveat) -> &'static str {
    match caveat {
        Caveat::NoHealthyPeriod => {
            "these logs hold no healthy period to compare with: the share counts all failures, and start and end may lie outside"
        }
        Caveat::Overdispersed => "failures come in clumps: the true intervals are wider than those shown",
        Caveat::TooFewRequests => "so few requests that only a total outage could be found",
    }
}

/// `1 request`, `12 requests`.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", time::count(n), if n == 1 { one } else { many })
}

/// `critical`.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Major => "major",
        Severity::Minor => "minor",
    }
}

/// `vhost`, `upstream`, …
pub fn dimension(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Vhost => "vhost",
        Dimension::Upstream => "upstream",
        Dimension::Path => "path",
        Dimension::Method => "method",
        Dimension::Client => "client",
        Dimension::Source => "source",
        Dimension::UserAgent => "agent",
        Dimension::Error => "error",
    }
}

/// The word in front of a timeline row.
pub fn entry_kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::IncidentStart => "START",
        EntryKind::IncidentPeak => "peak",
        EntryKind::IncidentEnd => "END",
        EntryKind::Change => "change",
        EntryKind::Restart => "restart",
        EntryKind::Reload => "reload",
        EntryKind::FirstError => "error",
        EntryKind::LogGap => "gap",
        EntryKind::Operator => "operator",
        EntryKind::Blip => "blip",
        EntryKind::Note => "note",
    }
}

/// Why a line is quoted.
pub fn quote_role(role: QuoteRole) -> &'static str {
    match role {
        QuoteRole::FirstAffected => "first affected",
        QuoteRole::Message => "message",
        QuoteRole::LastAffected => "last affected",
    }
}

/// `complete`, `truncated`, …
pub fn input_status(status: InputStatus) -> &'static str {
    match status {
        InputStatus::Complete => "complete",
        InputStatus::Truncated => "truncated",
        InputStatus::Damaged => "damaged",
        InputStatus::Limit => "limit",
        InputStatus::Duplicate => "duplicate",
        InputStatus::Unrecognised => "unrecognised",
        InputStatus::Unreadable => "unreadable",
        InputStatus::Skipped => "skipped",
    }
}

/// Whether lines that should be in the report are not: exit status 3.
pub fn is_partial(status: InputStatus) -> bool {
    matches!(
        status,
        InputStatus::Truncated | InputStatus::Damaged | InputStatus::Limit | InputStatus::Unreadable
    )
}

/// `edge`, `backend`, …
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Edge => "edge",
        Role::Backend => "backend",
        Role::Error => "error",
        Role::System => "system",
        Role::Application => "application",
    }
}

/// `written`, `inferred`, …
pub fn zone_source(source: ZoneSource) -> &'static str {
    match source {
        ZoneSource::Written => "written",
        ZoneSource::Inferred => "inferred",
        ZoneSource::Assumed => "assumed",
        ZoneSource::Option => "option",
    }
}
