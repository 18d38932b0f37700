//! Who was hit: requests and clients, with the interval that goes with their number.

use std::collections::BTreeMap;

use crate::detect::Finding;
use crate::inspect::{Client, Closeup, Part};
use crate::model::{MICROS, Timestamp};

use super::facts::{Impact, Vitals};

/// A minute with fewer requests than this says little about its worst.
const PEAK_REQUESTS: u64 = 5;

/// The status with which nginx logs that the client gave up waiting.
const GAVE_UP: u16 = 499;

/// Status → affected requests: 5xx, and 499 beyond its own baseline.
pub(super) fn statuses(closeup: &Closeup) -> BTreeMap<u16, u64> {
    let mut out: BTreeMap<u16, u64> =
        closeup.statuses.iter().filter(|(s, _)| (500..600).contains(*s)).map(|(s, n)| (*s, *n)).collect();
    if let Some(beyond) = gave_up(closeup) {
        out.insert(GAVE_UP, beyond);
    }
    out
}

/// Clients that gave up beyond the share that always does; `None` unless that is more than chance (three standard
/// deviations of the expected count, and at least four).
fn gave_up(closeup: &Closeup) -> Option<u64> {
    let of = |map: &BTreeMap<u16, u64>| map.get(&GAVE_UP).copied().unwrap_or(0) as f64;
    let all = |map: &BTreeMap<u16, u64>| map.values().sum::<u64>() as f64;
    let usual = (of(&closeup.statuses_outside) + 0.5) / (all(&closeup.statuses_outside) + 1.0);
    let expected = usual * all(&closeup.statuses);
    let excess = of(&closeup.statuses) - expected;
    (excess >= 4.0 && excess > 3.0 * expected.sqrt()).then(|| round(excess))
}

/// Users' requests in the window without those of scanners.
pub(super) fn users(closeup: &Closeup) -> Part {
    let all = Part { requests: closeup.statuses.values().sum(), affected: statuses(closeup).values().sum() };
    let scanned = scanners(closeup);
    Part {
        requests: all.requests.saturating_sub(scanned.requests),
        affected: all.affected.saturating_sub(scanned.affected),
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
    Part { requests: scaled(requests), affected: scaled(affected) }
}

/// With so few clients in effect (1/Σp², p their parts of the good requests) one of them is a good part of the users.
const FEW_CLIENTS: f64 = 4.0;

/// Whether all failures are one client's while others go on unharmed.
pub(super) fn one_client_alone(closeup: &Closeup) -> bool {
    let hit = closeup.clients.iter().filter(|(_, c)| c.inside.affected > 0).count();
    let well = closeup.clients.iter().filter(|(_, c)| c.inside.affected == 0 && c.good_inside > 0).count();
    let good = |c: &Client| c.good_inside.saturating_add(c.good_outside) as f64;
    let total: f64 = closeup.clients.iter().map(|(_, c)| good(c)).sum();
    let squares: f64 = closeup.clients.iter().map(|(_, c)| (good(c) / total.max(1.0)).powi(2)).sum();
    hit == 1 && well >= 1 && closeup.anonymous.affected == 0 && squares * FEW_CLIENTS < 1.0
}

/// The impact of an incident that lasted from `start` to `end`.
pub(super) fn impact(finding: &Finding, closeup: &Closeup, start: Timestamp, end: Timestamp) -> Impact {
    let users = users(closeup);
    let all = Part {
        requests: closeup.statuses.values().sum::<u64>() + closeup.probes.requests,
        affected: users.affected + scanners(closeup).affected + closeup.probes.affected,
    };
    let seconds = seconds_between(start, end);
    let peak = peak(closeup);
    let clients = clients(closeup);
    Impact {
        percent: percent(users),
        percent_all_requests: percent(all),
        percent_interval: wilson(users, finding.dispersion),
        affected_requests: Some(users.affected),
        total_requests: Some(users.requests),
        expected_requests: Some(finding.baseline.requests_per_second * seconds)
            .filter(|n| n.is_finite() && *n > 0.0),
        peak_percent: peak.map(|p| p.1),
        peak_at: peak.map(|p| p.0),
        affected_clients: clients.map(|c| c.0),
        total_clients: clients.map(|c| c.1),
    }
}

/// What normal was, and the same figures inside.
pub(super) fn vitals(
    finding: &Finding,
    closeup: &Closeup,
    start: Timestamp,
    end: Timestamp,
) -> (Vitals, Vitals) {
    let users = users(closeup);
    let minutes = seconds_between(start, end) / 60.0;
    let seconds = |us: Option<f64>| us.map(|v| v / MICROS as f64);
    let known = |v: f64| v.is_finite().then_some(v);
    let baseline = Vitals {
        error_percent: known(finding.baseline.error_share * 100.0),
        requests_per_minute: known(finding.baseline.requests_per_second * 60.0),
        latency_p50_seconds: seconds(closeup.latency_outside.quantile(0.5)),
        latency_p95_seconds: seconds(closeup.latency_outside.quantile(0.95)),
    };
    let during = Vitals {
        error_percent: percent(users),
        requests_per_minute: known(users.requests as f64 / minutes),
        latency_p50_seconds: seconds(closeup.latency.quantile(0.5)),
        latency_p95_seconds: seconds(closeup.latency.quantile(0.95)),
    };
    (baseline, during)
}

/// (affected, all) distinct clients; `None` where the log names none.
fn clients(closeup: &Closeup) -> Option<(u64, u64)> {
    let count = |wanted: fn(&Client) -> bool| {
        let n = closeup.clients.iter().filter(|(_, c)| !c.is_scanner() && wanted(c)).count();
        round(n as f64 * closeup.clients.weight())
    };
    let all = count(|c| c.inside.requests > 0);
    (all > 0).then(|| (count(|c| c.inside.affected > 0), all))
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

/// Wilson's score interval at 95 % in percent, for n/φ independent requests (Wilson 1927; φ as in quasi-likelihood).
pub(super) fn wilson(part: Part, dispersion: f64) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_963_985;
    if part.requests == 0 {
        return None;
    }
    let n = part.requests as f64 / dispersion.max(1.0);
    let p = part.affected as f64 / part.requests as f64;
    let denominator = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / denominator;
    let half = Z / denominator * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some((((centre - half) * 100.0).clamp(0.0, p * 100.0), ((centre + half) * 100.0).clamp(p * 100.0, 100.0)))
}

fn seconds_between(start: Timestamp, end: Timestamp) -> f64 {
    (end.micros().saturating_sub(start.micros()) as f64 / MICROS as f64).max(1.0)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts: never negative, far below 2^53"
)]
fn round(value: f64) -> u64 {
    value.round() as u64
}
