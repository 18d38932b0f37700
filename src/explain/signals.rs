//! What each signal of an incident came to: how slow, how many missing, how many messages.

use super::facts::{Burst, Computation, Silence, Slowness};
use super::impact::Subject;
use super::{Case, Look, Stream};
use crate::detect::{Effect, Finding, Merged, Signal};
use crate::inspect::Closeup;
use crate::model::Dimension;

/// A silent member's load counts as carried by its peers unless so much of it is missing at the site.
const NOT_CARRIED: f64 = 0.5;
/// The site's finding tells how many are slow in an incident of which it covers this part.
const SEEN_AT_SITE: f64 = 0.7;
/// Findings whose computation is kept per incident: the leading one and the strongest of the others.
const MOST_COMPUTATIONS: usize = 12;

/// The findings of an incident, the one that speaks for it first.
fn findings<'a>(
    case: &'a Case<'_>,
    merged: &'a Merged,
) -> impl Iterator<Item = (usize, Option<&'a Stream>, &'a Finding)> {
    let lead = std::iter::once((merged.stream, &merged.finding));
    let others = merged.others.iter().map(|(stream, finding)| (*stream, finding));
    lead.chain(others).map(|(stream, finding)| (stream, case.streams.get(stream), finding))
}

/// The leading finding of a signal; else the site's; else the strongest.
fn of_signal<'a>(
    case: &'a Case<'_>,
    merged: &'a Merged,
    signal: Signal,
) -> Option<(usize, Option<&'a Stream>, &'a Finding)> {
    if !merged.signals.contains(&signal) {
        return None;
    }
    let all = || findings(case, merged).filter(move |(.., finding)| finding.signal == signal);
    if merged.finding.signal == signal {
        return all().next();
    }
    all().find(|(stream, ..)| *stream == 0).or_else(|| all().next())
}

/// The site's own slowness, where it is seen there for most of the incident: one of several slow servers, though it may
/// show it best, knows only its own part.
fn slow_site<'a>(case: &'a Case<'_>, merged: &'a Merged) -> Option<(usize, Option<&'a Stream>, &'a Finding)> {
    let seconds = |from: i64, until: i64| until.saturating_sub(from).saturating_add(1).max(0) as f64;
    let (start, end) = (merged.finding.start.second, merged.finding.end.second);
    findings(case, merged).find(|(stream, _, finding)| {
        let common = seconds(finding.start.second.max(start), finding.end.second.min(end));
        *stream == 0 && finding.signal == Signal::Latency && common >= SEEN_AT_SITE * seconds(start, end)
    })
}

/// How slow requests were, as a share of all user requests: as the finding that speaks for the incident has it, unless the
/// site shows that more than its place was hit: few slow requests among many of other places are hard to count. Of
/// several servers, which answer the same requests, the site tells. Where single requests told, the rest of the site is known
/// to have been as ever.
pub(super) fn slowness(case: &Case<'_>, merged: &Merged, look: Look<'_>) -> Option<Slowness> {
    let told = |found: (usize, Option<&Stream>, &Finding)| {
        slowness_of(found.1, found.2, look.closeup, merged.finding.signal == Signal::Errors)
    };
    let leading = of_signal(case, merged, Signal::Latency);
    if merged.finding.signal == Signal::Latency
        && look.window.is_some_and(|window| window.slow_kinds.is_some())
    {
        return leading.and_then(told);
    }
    let place = leading.and_then(|(_, stream, _)| stream?.place.as_ref());
    let is_server = place.is_some_and(|(dimension, _)| *dimension == Dimension::Source);
    let (own, site) = (leading.and_then(told), slow_site(case, merged).and_then(told));
    match (own, site) {
        (Some(own), Some(site)) if is_server || own.percent_interval.1 < site.percent_interval.0 => {
            Some(site)
        }
        (own, site) => own.or(site),
    }
}

fn slowness_of(
    stream: Option<&Stream>,
    finding: &Finding,
    closeup: &Closeup,
    among_failures: bool,
) -> Option<Slowness> {
    let Effect::Latency { share, share_range, slowdown, slowdown_range, .. } = finding.effect else {
        return None;
    };
    let place = stream.and_then(|stream| stream.place.as_ref());
    // Those that were refused or failed and those without a latency are not known to be slow: none may be, or as many as
    // of the others.
    let (part, most) = parts_of_all(place.map(|(d, v)| (*d, v.raw())), finding, closeup);
    let percent = |share: f64, part: f64| (share * part * 100.0).clamp(0.0, 100.0);
    Some(Slowness {
        percent: percent(share, part),
        percent_interval: (
            percent(share_range.0, part),
            percent(share_range.1, if among_failures { part } else { most }),
        ),
        factor: slowdown,
        factor_interval: slowdown_range,
    })
}

/// Requests of one place or of all, those with a latency that tells and all of them, as parts of all user requests; 1
/// where nothing was read again.
fn parts_of_all(place: Option<(Dimension, &[u8])>, finding: &Finding, closeup: &Closeup) -> (f64, f64) {
    // Scanners are no users.
    let all = super::impact::users(closeup).requests.max(closeup.total.paced_inside.requests);
    if all == 0 {
        return (1.0, 1.0);
    }
    let (paced, most) = match place {
        None => (closeup.total.paced_inside.requests, all),
        Some((dimension, value)) => {
            let values = closeup.dimensions.get(&dimension);
            let tone = values.and_then(|v| v.iter().map(|(_, t)| t).find(|t| *t.value == *value));
            tone.map_or((finding.requests, finding.requests), |tone| {
                (tone.paced_inside.requests, tone.inside.requests)
            })
        }
    };
    let part = |requests: u64| (requests as f64 / all as f64).min(1.0);
    if paced == 0 { (1.0, 1.0) } else { (part(paced), part(most.max(paced))) }
}

/// What did not come.
pub(super) fn silence(of: Subject<'_>, merged: &Merged) -> Option<Silence> {
    let (number, stream, finding) = of_signal(of.case, merged, Signal::Traffic)?;
    let Effect::Traffic { expected, missing_range } = finding.effect else { return None };
    let observed = finding.requests as f64;
    let share = if expected > 0.0 { (1.0 - observed / expected).clamp(0.0, 1.0) } else { 0.0 };
    Some(Silence {
        percent: share * 100.0,
        percent_interval: (missing_range.0.min(share) * 100.0, missing_range.1.max(share) * 100.0),
        expected_requests: expected,
        observed_requests: finding.requests,
        place: stream.and_then(|stream| stream.place.clone()),
        carried: number != 0 && is_carried(of, merged, (expected - observed).max(0.0)),
    })
}

/// Whether the site has nearly as many requests as ever while one of its members misses so many.
fn is_carried(of: Subject<'_>, merged: &Merged, missing: f64) -> bool {
    let site = findings(of.case, merged).any(|(stream, _, f)| stream == 0 && f.signal == Signal::Traffic);
    if site {
        return false;
    }
    let came = super::impact::users(of.closeup).requests as f64;
    of.site_rate().is_none_or(|rate| rate * of.seconds() - came < NOT_CARRIED * missing)
}

/// Severe messages of a log without requests.
pub(super) fn burst(case: &Case<'_>, merged: &Merged) -> Option<Burst> {
    let stream = case.streams.get(merged.stream).filter(|stream| stream.messages)?;
    let finding = &merged.finding;
    let seconds = finding.lasted_seconds().max(1) as f64;
    let usual = finding.baseline.error_share * finding.baseline.requests_per_second * seconds;
    let factor = finding.failures as f64 / usual;
    Some(Burst {
        messages: finding.failures,
        // The baseline is never quite 0: under half a message in that time there are none.
        factor: (factor.is_finite() && usual >= 0.5).then_some(factor),
        place: stream.place.clone(),
    })
}

/// How an incident was found.
pub(super) fn computation(case: &Case<'_>, merged: &Merged) -> Vec<Computation> {
    findings(case, merged)
        .take(MOST_COMPUTATIONS)
        .map(|(_, stream, finding)| Computation {
            place: stream.and_then(|stream| stream.place.clone()),
            messages: stream.is_some_and(|stream| stream.messages),
            finding: finding.clone(),
        })
        .collect()
}
