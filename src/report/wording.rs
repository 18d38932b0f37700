//! Facts → sentences, the same for all media.
//!
//! A [`Sentence`] keeps its own words and the words of logs apart, so that each medium escapes only the latter. No
//! suspect is worded as a cause, no share is rounded to "all".

mod figures;
mod signals;
mod story;

use std::collections::BTreeMap;

use crate::detect::{Caveat, GateKind, Signal};
use crate::explain::facts::{
    Computation, Dimension, EntryKind, Fact, Incident, InputStatus, QuoteRole, Role, ScopeItem, Severity,
    Suspect, ZoneSource,
};
use crate::model::{Level, Untrusted};

use super::time;

pub use super::headline::title;
pub(super) use figures::{Figure, figures};
pub use signals::{burst, is_slowness, missing, scope_of, share_of, slowdown, slowness};
pub(super) use story::*;

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

    /// Adds another sentence.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// With words of logs of at most `most` bytes each, and an ellipsis where more was.
    #[must_use]
    pub fn clipped(mut self, most: usize) -> Self {
        for part in &mut self.0 {
            if let Part::Log(text) = part
                && text.raw().len() > most
            {
                let mut kept = text.raw().get(..most).unwrap_or_default();
                // Not inside a character.
                while let Some((last, shorter)) = kept.split_last().filter(|(last, _)| **last >= 0x80) {
                    kept = shorter;
                    if *last >= 0xc0 {
                        break;
                    }
                }
                *text = Untrusted::new(&[kept.trim_ascii_end(), "…".as_bytes()].concat());
            }
        }
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
        Fact::Blip { failures, duration_seconds, status, signal } => {
            let lasted = time::duration((*duration_seconds).max(1) as f64);
            let what = match signal {
                Signal::Errors => {
                    let status = status.map(|s| format!(" ({})", status_name(s))).unwrap_or_default();
                    format!("{} failed within {lasted}{status}", plural(*failures, "request", "requests"))
                }
                Signal::Latency => format!("requests were slow for {lasted}"),
                Signal::Traffic => format!("no requests for {lasted}"),
            };
            Sentence::new(format!("{what}, too short to be an incident"))
        }
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
        Fact::NewMessage { text, count, times } => {
            let how = match times {
                None => "a message that was not there before".to_owned(),
                Some(times) => format!("a message {times:.0}× as frequent as before"),
            };
            let many = if *count > 1 { format!(" (× {})", time::count(*count)) } else { String::new() };
            Sentence::new(format!("{how}{many}: ")).log(text)
        }
        Fact::Burst { place, messages, duration_seconds } => {
            let lasted = time::duration(*duration_seconds);
            let many = plural(*messages, "error message", "error messages");
            let sentence = Sentence::new(format!("{many} within {lasted}, while requests succeed as ever"));
            match place {
                Some((dimension, value)) => {
                    sentence.text(super::headline::preposition(*dimension)).log(value)
                }
                None => sentence,
            }
        }
        Fact::Gap { duration_seconds } => {
            Sentence::new(format!("nothing is logged for {}", time::duration(*duration_seconds as f64)))
        }
    }
}

/// The same for a row of an incident: where requests are slow or missing, nothing "fails".
pub fn fact_of(incident: Option<&Incident>, told: &Fact) -> Sentence {
    let Some(incident) = incident else { return fact(told) };
    if incident.burst.is_some() {
        return match told {
            Fact::Onset { open: false, .. } => Sentence::new("ERROR messages begin to pile up"),
            Fact::Onset { .. } => Sentence::new("ERROR messages already pile up when the logs begin"),
            Fact::Recovery { duration_seconds } => {
                Sentence::new(format!("as few as usual after {}", time::duration(*duration_seconds)))
            }
            _ => fact(told),
        };
    }
    match (incident.signal, told) {
        (Signal::Latency, Fact::Onset { open: false, .. }) => {
            let factor = incident.slowness.map(|s| format!(": {}", time::factor(s.factor)));
            Sentence::new(format!("requests become slow{}", factor.unwrap_or_default()))
        }
        (Signal::Latency, Fact::Onset { .. }) => Sentence::new("already slow when the logs begin"),
        (Signal::Traffic, Fact::Onset { open, .. }) => {
            let place = incident.silence.as_ref().and_then(|silence| silence.place.as_ref());
            match (place, open) {
                (Some((_, name)), false) => Sentence::default().log(name).text(" stops receiving requests"),
                (Some((_, name)), true) => {
                    Sentence::default().log(name).text(" receives no requests when the logs begin")
                }
                (None, false) => Sentence::new("requests stay away"),
                (None, true) => Sentence::new("requests already missing when the logs begin"),
            }
        }
        (Signal::Traffic, Fact::Recovery { duration_seconds }) => {
            Sentence::new(format!("requests come again after {}", time::duration(*duration_seconds)))
        }
        (Signal::Latency | Signal::Traffic, Fact::LevelChange { percent }) => {
            let what = if incident.signal == Signal::Latency { "slow" } else { "missing" };
            Sentence::new(format!("from here on {} of requests {what}", time::percent(*percent)))
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
    if !item.affected_share.is_finite() {
        return sentence;
    }
    if item.dimension == Dimension::Error {
        return sentence.text(format!(": {share} of the failures"));
    }
    sentence.text(format!(
        ": {share} of the affected; {} of its requests hit, {} before",
        time::percent(item.affected_percent),
        time::percent(item.baseline_percent),
    ))
}

/// `failing requests of the site`, `slow requests for /search`.
pub fn stream(signal: Signal, of: &Computation) -> Sentence {
    let what = match signal {
        _ if of.messages => "severe messages",
        Signal::Errors => "failing requests",
        Signal::Latency => "slow requests",
        Signal::Traffic => "missing requests",
    };
    match &of.place {
        None => Sentence::new(format!("{what} of the site")),
        Some((place, value)) => {
            Sentence::new(format!("{what}{}", super::headline::preposition(*place))).log(value)
        }
    }
}

/// What a finding was asked.
pub fn gate(what: GateKind) -> &'static str {
    match what {
        GateKind::Excess => "affected beyond expected",
        GateKind::Share => "share affected beyond baseline",
        GateKind::Ratio => "affected ÷ expected",
        GateKind::Strength => "likelihood ratio (nats)",
        GateKind::Contrast => "contrast at the sharper edge (nats)",
        GateKind::ExcessWithoutTopClient => "beyond expected, top client left out",
        GateKind::StrengthWithoutTopClient => "likelihood ratio, top client left out",
        GateKind::Effect => "share × ln slowdown",
        GateKind::Deviations => "standard deviations from normal",
    }
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
        QuoteRole::LastBefore => "last request before",
        QuoteRole::FirstAfter => "first request after",
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
