//! Who was hit: requests and clients, with the interval that goes with their number.

use std::collections::BTreeMap;

use crate::detect::{Finding, Signal};
use crate::inspect::{Client, Closeup, Part};
use crate::model::{MICROS, Status, Timestamp};

use super::Case;
use super::facts::{Impact, Silence, Slowness, Vitals};
use super::interval;

/// A minute with fewer requests than this says little about its worst.
const PEAK_REQUESTS: u64 = 5;

/// Status → affected requests: 5xx, and 499 beyond its own baseline.
pub(super) fn statuses(closeup: &Closeup) -> BTreeMap<u16, u64> {
    let failed = closeup.statuses.iter().filter(|(s, _)| (500..600).contains(*s));
    let mut out: BTreeMap<u16, u64> = failed.map(|(s, n)| (*s, *n)).collect();
    if let Some(beyond) = gave_up(closeup) {
        out.insert(Status::GAVE_UP.code(), beyond);
    }
    out
}

/// Clients that gave up beyond the share that always does; `None` unless that is more than chance (three standard
/// deviations of the expected count, and at least four).
fn gave_up(closeup: &Closeup) -> Option<u64> {
    let of = |map: &BTreeMap<u16, u64>| map.get(&Status::GAVE_UP.code()).copied().unwrap_or(0) as f64;
    let all = |map: &BTreeMap<u16, u64>| map.values().sum::<u64>() as f64;
    let usual = (of(&closeup.statuses_outside) + 0.5) / (all(&closeup.statuses_outside) + 1.0);
    let expected = usual * all(&closeup.statuses);
    let excess = of(&closeup.statuses) - expected;
    (excess >= 4.0 && excess > 3.0 * expected.sqrt()).then(|| round(excess))
}

/// Users' requests in the window without those of scanners.
pub(super) fn users(closeup: &Closeup) -> Part {
    let affected = statuses(closeup).values().sum::<u64>();
    let scanned = scanners(closeup);
    Part {
        requests: closeup.statuses.values().sum::<u64>().saturating_sub(scanned.requests),
        affected: affected.saturating_sub(scanned.affected),
        ..Part::default()
    }
}

/// Requests of scanners in the window.
fn scanners(closeup: &Closeup) -> Part {
    let (mut requests, mut affected) = (0u64, 0u64);
    for (_, client) in closeup.clients.iter().filter(|(_, c)| c.is_scanner()) {
        requests += client.inside.requests;
        affected += client.inside.affected;
    }
    let scaled = |n: u64| round(n as f64 * closeup.clients.weight());
    Part { requests: scaled(requests), affected: scaled(affected), ..Part::default() }
}

/// An incident as its figures are made from.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) finding: &'a Finding,
    pub(super) closeup: &'a Closeup,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// The stream is the site's.
    pub(super) site: bool,
    /// Messages instead of requests.
    pub(super) messages: bool,
}

impl Subject<'_> {
    pub(super) fn seconds(&self) -> f64 {
        (self.end.micros().saturating_sub(self.start.micros()) as f64 / MICROS as f64).max(1.0)
    }

    /// User requests per second of the site when all is well.
    pub(super) fn site_rate(&self) -> Option<f64> {
        let baseline = &self.finding.baseline;
        if self.site && self.finding.signal != Signal::Latency {
            return Some(baseline.requests_per_second).filter(|rate| rate.is_finite() && *rate > 0.0);
        }
        let (from, to) = baseline.window?;
        let slots = &self.case.series.slots;
        let first = slots.partition_point(|slot| slot.second < from);
        let requests: f64 =
            slots.iter().skip(first).take_while(|s| s.second <= to).map(|s| f64::from(s.requests)).sum();
        let seconds = to.saturating_sub(from).saturating_add(1).max(1) as f64;
        (requests > 0.0).then_some(requests / seconds)
    }
}

/// The impact of an incident.
pub(super) fn impact(of: Subject<'_>, slowness: Option<&Slowness>, silence: Option<&Silence>) -> Impact {
    if of.messages {
        return Impact::default();
    }
    // Whatever failed from start to end counts, so that anybody can count it again: how much of it is the place's own is
    // what `scope` tells.
    let users = users(of.closeup);
    let expected = of.site_rate().map(|rate| rate * of.seconds()).filter(|n| n.is_finite() && *n > 0.0);
    let clients = clients(of.closeup);
    let common = Impact {
        total_requests: Some(users.requests),
        expected_requests: expected,
        total_clients: clients.map(|c| c.1),
        ..Impact::default()
    };
    let told = match (of.finding.signal, silence) {
        (Signal::Errors, _) => failing(of, users, clients, common),
        (Signal::Latency, _) => {
            Impact { affected_clients: clients.map(|c| c.0), ..slow(slowness, users, common) }
        }
        (Signal::Traffic, Some(silence)) => missing(of, silence, slowness, users, common),
        (Signal::Traffic, None) => common,
    };
    let lost = told.expected_requests.map(|expected| (expected - users.requests as f64).max(0.0));
    Impact { lost_requests: lost, ..told }
}

fn failing(of: Subject<'_>, users: Part, clients: Option<(u64, u64)>, common: Impact) -> Impact {
    let probes = of.closeup.probes;
    let all = Part {
        requests: of.closeup.statuses.values().sum::<u64>() + probes.requests,
        affected: users.affected + scanners(of.closeup).affected + probes.affected,
        ..Part::default()
    };
    let peak = peak(of.closeup);
    Impact {
        percent: percent(users),
        percent_all_requests: percent(all),
        percent_interval: interval::share_between_affected(users, of.finding.dispersion)
            .map(|interval| widened(of, users, interval)),
        affected_requests: Some(users.affected),
        peak_percent: peak.map(|p| p.1),
        peak_at: peak.map(|p| p.0),
        affected_clients: clients.map(|c| c.0),
        ..common
    }
}

/// The interval of the share if the boundaries lay elsewhere in theirs: each of the four moves adds its square, as errors
/// that know nothing of each other do.
fn widened(of: Subject<'_>, users: Part, (low, high): (f64, f64)) -> (f64, f64) {
    let Some(share) = percent(users) else { return (low, high) };
    let (start, end) = (of.finding.start, of.finding.end);
    let moves = [
        (1.0, start.range.0, start.second),
        (-1.0, start.second, start.range.1),
        (-1.0, end.range.0.saturating_add(1), end.second.saturating_add(1)),
        (1.0, end.second.saturating_add(1), end.range.1.saturating_add(1)),
    ];
    let (mut below, mut above) = ((share - low).powi(2), (high - share).powi(2));
    for (sign, from, until) in moves {
        let (requests, failures) = counts_between(of.case, from, until);
        let all = users.requests as f64 + sign * requests;
        if all < 1.0 {
            continue;
        }
        let elsewhere = 100.0 * ((users.affected as f64 + sign * failures) / all).clamp(0.0, 1.0) - share;
        below += elsewhere.min(0.0).powi(2);
        above += elsewhere.max(0.0).powi(2);
    }
    ((share - below.sqrt()).max(0.0), (share + above.sqrt()).min(100.0))
}

/// Requests of the site, and failed ones, from one second to another, the second one excluded.
fn counts_between(case: &Case<'_>, from: i64, until: i64) -> (f64, f64) {
    let slots = &case.series.slots;
    let first = slots.partition_point(|slot| slot.second < from);
    let inside = slots.iter().skip(first).take_while(|slot| slot.second < until);
    inside.fold((0.0, 0.0), |(n, k), slot| (n + f64::from(slot.requests), k + f64::from(slot.failures)))
}

fn slow(slowness: Option<&Slowness>, users: Part, common: Impact) -> Impact {
    Impact {
        percent: slowness.map(|s| s.percent),
        percent_interval: slowness.map(|s| s.percent_interval),
        affected_requests: slowness.map(|s| round(s.percent / 100.0 * users.requests as f64)),
        ..common
    }
}

/// Missing ÷ expected of the site; where others carried the load of a silent one, what became of the rest.
fn missing(
    of: Subject<'_>,
    silence: &Silence,
    slowness: Option<&Slowness>,
    users: Part,
    common: Impact,
) -> Impact {
    if silence.carried {
        return match slowness {
            Some(_) => slow(slowness, users, common),
            None => Impact { percent: Some(0.0), affected_requests: Some(0), ..common },
        };
    }
    let gone = (silence.expected_requests - silence.observed_requests as f64).max(0.0);
    if of.site {
        return Impact {
            percent: Some(silence.percent),
            percent_interval: Some(silence.percent_interval),
            affected_requests: Some(round(gone)),
            expected_requests: Some(silence.expected_requests),
            ..common
        };
    }
    // Its part of the site's requests is gone.
    let Some(expected) = common.expected_requests else { return common };
    let part = (silence.expected_requests / expected).clamp(0.0, 1.0);
    Impact {
        percent: Some(silence.percent * part),
        percent_interval: Some((silence.percent_interval.0 * part, silence.percent_interval.1 * part)),
        affected_requests: Some(round(gone.min(expected))),
        ..common
    }
}

/// What normal was, and the same figures inside.
pub(super) fn vitals(of: Subject<'_>) -> (Vitals, Vitals) {
    if of.messages {
        return (Vitals::default(), Vitals::default());
    }
    let closeup = of.closeup;
    let users = users(closeup);
    let seconds = |us: Option<f64>| us.map(|v| v / MICROS as f64);
    let known = |v: f64| v.is_finite().then_some(v);
    let failed = |map: &BTreeMap<u16, u64>| {
        let failed = map.iter().filter(|(s, _)| (500..600).contains(*s)).map(|(_, n)| *n).sum();
        percent(Part { requests: map.values().sum(), affected: failed, ..Part::default() })
    };
    let failing = of.finding.signal == Signal::Errors;
    let baseline = Vitals {
        error_percent: if of.site && failing {
            known(of.finding.baseline.error_share * 100.0)
        } else {
            failed(&closeup.statuses_outside)
        },
        requests_per_minute: if of.site && failing {
            known(of.finding.baseline.requests_per_second * 60.0)
        } else {
            of.site_rate().map(|rate| rate * 60.0)
        },
        latency_p50_seconds: seconds(closeup.latency_outside.quantile(0.5)),
        latency_p95_seconds: seconds(closeup.latency_outside.quantile(0.95)),
    };
    let during = Vitals {
        error_percent: if failing { percent(users) } else { failed(&closeup.statuses) },
        requests_per_minute: known(users.requests as f64 / (of.seconds() / 60.0)),
        latency_p50_seconds: seconds(closeup.latency.quantile(0.5)),
        latency_p95_seconds: seconds(closeup.latency.quantile(0.95)),
    };
    (baseline, during)
}

/// (affected, all) distinct clients; `None` where the log names none.
fn clients(closeup: &Closeup) -> Option<(u64, u64)> {
    let count = |wanted: &dyn Fn(&Client) -> bool| {
        let n = closeup.clients.iter().filter(|(_, c)| !c.is_scanner() && wanted(c)).count();
        round(n as f64 * closeup.clients.weight())
    };
    let all = count(&|c| c.inside.requests > 0);
    (all > 0).then(|| (count(&|c| c.inside.affected > 0), all))
}

/// The worst minute: its start and the share of its requests that were affected, 0–100.
fn peak(closeup: &Closeup) -> Option<(Timestamp, f64)> {
    let enough = |least: u64| {
        let share = |p: &Part| p.affected as f64 / p.requests.max(1) as f64;
        let minutes = closeup.minutes.iter().filter(move |(_, p)| p.requests >= least);
        // the earliest of equal ones
        minutes.max_by(|a, b| share(a.1).total_cmp(&share(b.1)).then(b.0.cmp(a.0)))
    };
    let (minute, part) = enough(PEAK_REQUESTS).or_else(|| enough(1))?;
    Some((Timestamp::from_seconds(minute.saturating_mul(60)), percent(*part)?))
}

pub(super) fn percent(part: Part) -> Option<f64> {
    (part.requests > 0).then(|| part.affected as f64 / part.requests as f64 * 100.0)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts: never negative, far below 2^53"
)]
pub(super) fn round(value: f64) -> u64 {
    value.round() as u64
}
