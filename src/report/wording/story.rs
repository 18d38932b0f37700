//! What a post-mortem says beyond single facts: what happened, who could notice when, what ended it, what to do.

use std::collections::BTreeMap;

use super::{Sentence, burst, is_slowness, missing, plural, slowdown, slowness, status_name};
use crate::detect::Signal;
use crate::explain::facts::{
    DisplayZone, EntryKind, Incident, Input, Reason, Remedy, Report, Suspect, ZoneSource,
};
use crate::model::Timestamp;
use crate::report::time;

/// The name of a kind of row in what programs read.
pub(in crate::report) fn kind_name(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::IncidentStart => "incident_start",
        EntryKind::IncidentPeak => "incident_peak",
        EntryKind::IncidentEnd => "incident_end",
        EntryKind::Change => "change",
        EntryKind::Restart => "restart",
        EntryKind::Reload => "reload",
        EntryKind::FirstError => "first_error",
        EntryKind::LogGap => "log_gap",
        EntryKind::Operator => "operator",
        EntryKind::Blip => "blip",
        EntryKind::Note => "note",
    }
}

/// The name of a signal in what programs read.
pub(in crate::report) fn signal(signal: Signal) -> &'static str {
    match signal {
        Signal::Errors => "errors",
        Signal::Latency => "latency",
        Signal::Traffic => "traffic",
    }
}

/// What happened, in a few sentences: window, zone, duration, share of requests and clients with the interval.
pub(in crate::report) fn what_happened(zone: &DisplayZone, i: &Incident) -> Sentence {
    let open = time::Open { start: i.start.open, end: i.end.open };
    let span = time::span(zone, i.start.at, i.end.at, open);
    let least = if open.start || open.end { "at least " } else { "" };
    let lasted = time::duration(i.duration_seconds());
    let mut sentence = Sentence::new(format!("From {span}, {least}{lasted}: {}", affected(i)));
    let slow = if is_slowness(i) { slowdown(i) } else { slowness(i) };
    if let Some(slow) = slow {
        sentence = sentence.text(format!(" {}.", capitalised(&slow)));
    }
    let place = i.silence.as_ref().and_then(|silence| silence.place.as_ref());
    if let Some(missing) = missing(i).filter(|_| place.is_some() || i.signal != Signal::Traffic) {
        sentence = match place {
            Some((_, name)) => sentence.text(" Of ").log(name).text(format!(", {missing}.")),
            None => sentence.text(format!(" {}.", capitalised(&missing))),
        };
    }
    sentence = sentence.text(match (open.start, open.end) {
        (true, true) => " It began before the logs do and went on when they end.",
        (true, false) => " It began before the logs do.",
        (false, true) => " It went on when the logs end.",
        (false, false) => "",
    });
    match i.change_to_recovery_seconds.filter(|_| !open.end) {
        Some(seconds) => sentence.text(format!(
            " From the likeliest change to recovery it was {}; that is not the length of the outage.",
            time::duration(seconds)
        )),
        None => sentence,
    }
}

/// The share of requests with its interval and counts, and the clients.
fn affected(i: &Incident) -> String {
    let Some(percent) = i.impact.percent.filter(|p| p.is_finite()) else {
        return match burst(i) {
            Some(burst) => format!("{burst}. What that meant for users is unknown: no request is logged."),
            None => "the share of affected requests is unknown.".to_owned(),
        };
    };
    let interval = interval(i).map(|range| format!(" (95 % interval {range})")).unwrap_or_default();
    let what = match i.signal {
        Signal::Errors => "of user requests failed",
        _ if is_slowness(i) => "of user requests were slower than the baseline explains",
        Signal::Traffic if i.silence.as_ref().is_some_and(|s| s.carried) => {
            "of user requests were missing: peers carried the load"
        }
        Signal::Traffic => "of the expected requests were missing",
        Signal::Latency => "of user requests were slow",
    };
    let clients = match (i.impact.affected_clients, i.impact.total_clients) {
        (Some(affected), Some(total)) => {
            format!("; {} of {} client addresses were hit", time::count(affected), time::count(total))
        }
        _ => String::new(),
    };
    format!("{} {what}{interval}{clients}.", time::percent(percent))
}

/// Affected and all user requests, where one is a part of the other: of missing ones it is not.
pub(in crate::report) fn counted(i: &Incident) -> Option<(u64, u64)> {
    let whole = i.signal != Signal::Traffic || is_slowness(i);
    i.impact.affected_requests.zip(i.impact.total_requests).filter(|_| whole)
}

/// `99.26–99.73 %`.
pub(in crate::report) fn interval(i: &Incident) -> Option<String> {
    let (low, high) = i.impact.percent_interval.filter(|(low, high)| low.is_finite() && high.is_finite())?;
    Some(format!("{}–{}", time::percent_number(low), time::percent(high)))
}

fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What users saw.
pub(in crate::report) fn seen(i: &Incident) -> String {
    match i.signal {
        _ if i.burst.is_some() => "unknown, since the logs hold no requests".to_owned(),
        Signal::Errors if !i.statuses.is_empty() => {
            let named: Vec<String> = ranked(&i.statuses)
                .into_iter()
                .take(4)
                .map(|(status, n)| format!("{} ({})", status_name(status), plural(n, "time", "times")))
                .collect();
            named.join(", ")
        }
        Signal::Errors => "error pages".to_owned(),
        Signal::Latency => "slow answers".to_owned(),
        Signal::Traffic if i.silence.as_ref().is_some_and(|silence| silence.carried) => match &i.slowness {
            Some(_) => "slow answers of the servers that went on".to_owned(),
            None => "nothing that the logs know of: other servers answered".to_owned(),
        },
        Signal::Traffic => "no answer that the logs know of: the requests did not arrive".to_owned(),
    }
}

fn ranked(statuses: &BTreeMap<u16, u64>) -> Vec<(u16, u64)> {
    let mut ranked: Vec<(u16, u64)> = statuses.iter().map(|(&s, &n)| (s, n)).collect();
    ranked.sort_by_key(|&(status, n)| (std::cmp::Reverse(n), status));
    ranked
}

/// What a monitor would have had to watch.
pub(in crate::report) fn symptom(i: &Incident) -> &'static str {
    match i.signal {
        _ if i.burst.is_some() => "the rate of ERROR messages",
        Signal::Errors => "the share of 5xx answers",
        Signal::Latency => "the latency of answers",
        Signal::Traffic if i.silence.as_ref().is_some_and(|s| s.place.is_some()) => {
            "the requests that each server gets"
        }
        Signal::Traffic => "the rate of requests",
    }
}

/// When it could have been noticed, at the earliest.
pub(in crate::report) fn earliest(zone: &DisplayZone, i: &Incident) -> String {
    let clock = time::clock(zone, i.start.at);
    let offset = time::offset(zone, i.start.at);
    let what = symptom(i);
    if i.start.open {
        return format!(
            "It was there when the logs begin, {clock} {offset}: {what} could have shown it earlier still."
        );
    }
    format!("At the earliest {what} could have shown it from {clock} {offset} on.")
}

/// Why a suspect is one, or why it may be none.
pub(in crate::report) fn reason(reason: &Reason, clock: &dyn Fn(Timestamp) -> String) -> Sentence {
    match reason {
        Reason::ShortlyBefore { seconds } | Reason::LongBefore { seconds } => {
            Sentence::new(format!("it happened {} before the onset", time::duration(*seconds)))
        }
        Reason::TookEffect { at } => Sentence::new(format!("it took effect at {}", clock(*at))),
        Reason::NamesWhatFailed { dimension, value } => {
            let what = super::dimension(*dimension);
            Sentence::new(format!("its name is in the {what} that failed, ")).log(value)
        }
        Reason::SameHost => Sentence::new("it happened on the machine that failed"),
        Reason::CanCauseIt => Sentence::new("such a failure by itself keeps a server from answering"),
        Reason::Undone { at } => {
            Sentence::new(format!("it was taken back at {}, before the recovery", clock(*at)))
        }
        Reason::AfterOnset { seconds } => {
            Sentence::new(format!("it was written {} after the onset", time::duration(*seconds)))
        }
        Reason::EveryDay { days } => Sentence::new(format!(
            "it happens at this time on {} too",
            plural(*days, "other day", "other days")
        )),
        Reason::Recurs { times } => {
            let times = plural(*times, "other time", "other times");
            Sentence::new(format!("it happened {times} without an outage"))
        }
        Reason::OtherHost => Sentence::new("it happened on another machine"),
        Reason::Follows { at } => Sentence::new(format!("it follows from the one at {}", clock(*at))),
    }
}

/// A suspect with what its run of a package manager changed besides, and who did it if that is to be told.
pub(in crate::report) fn suspect_in_full(suspect: &Suspect) -> Sentence {
    let user = suspect.change.as_ref().and_then(|change| change.user.as_ref());
    let sentence = super::suspect(suspect);
    let sentence = match suspect.more_packages {
        0 => sentence,
        n => sentence.text(format!(" and {}", plural(n, "more package", "more packages"))),
    };
    match user {
        Some(user) => sentence.text(" by ").log(user),
        None => sentence,
    }
}

/// What was done before the recovery.
pub(in crate::report) fn remedy(remedy: &Remedy) -> Sentence {
    let sentence = Sentence::new(remedy.meaning.clone());
    let sentence =
        if remedy.text.raw().is_empty() { sentence } else { sentence.text(": ").log(&remedy.text) };
    match remedy.change.as_ref().and_then(|change| change.user.as_ref()) {
        Some(user) => sentence.text(" by ").log(user),
        None => sentence,
    }
}

/// One thing to check, and what suggests it.
pub(in crate::report) struct Task {
    /// What to do.
    pub(in crate::report) what: String,
    /// What the logs have to do with it.
    pub(in crate::report) because: Sentence,
}

/// Things to check: the suspects' next steps, each once, then what the detection leaves open.
pub(in crate::report) fn tasks(zone: &DisplayZone, i: &Incident) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    for suspect in i.suspects.iter().filter(|s| !s.next_step.is_empty()) {
        if tasks.iter().all(|task| task.what != suspect.next_step) {
            let clock = time::clock_near(zone, i.start.at, suspect.time);
            let because = Sentence::new(format!("{}, {clock}", suspect.meaning));
            tasks.push(Task { what: suspect.next_step.clone(), because });
        }
    }
    tasks.truncate(3);
    let late = i.first_alert.as_ref().map(|alert| alert.time.second().saturating_sub(i.start.at.second()));
    let because = match late {
        None => Some("no alert is in the logs while it lasted".to_owned()),
        Some(seconds) if seconds >= 60 => {
            Some(format!("the first alert came {} after the start", time::duration(seconds as f64)))
        }
        Some(_) => None,
    };
    if let Some(because) = because {
        let what = format!("let a monitor alert on {} within a minute", symptom(i));
        tasks.push(Task { what, because: Sentence::new(because) });
    }
    tasks
}

/// How the zones of the inputs are known, in one sentence.
pub(in crate::report) fn zones(report: &Report) -> String {
    let with_times = |source: ZoneSource| {
        let count = report
            .inputs
            .iter()
            .filter(|i: &&Input| i.records > 0 && i.time_zone_source == Some(source))
            .count();
        u64::try_from(count).unwrap_or(u64::MAX)
    };
    let told = [
        (ZoneSource::Written, "written in the lines"),
        (ZoneSource::Inferred, "inferred from other logs"),
        (ZoneSource::Assumed, "assumed from the machine"),
        (ZoneSource::Option, "given on the command line"),
    ];
    let told: Vec<String> = told
        .into_iter()
        .map(|(source, how)| (with_times(source), how))
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("{how} of {}", plural(count, "input", "inputs")))
        .collect();
    let zone = time::report_zone(report);
    if told.is_empty() {
        return format!("Times are shown in {zone}.");
    }
    format!("Times are shown in {zone}; the zone is {}.", told.join(", "))
}
