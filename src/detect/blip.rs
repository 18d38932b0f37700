//! What is over within a few seconds, whatever of every day lies beside it.

use super::stream::Stream;
use super::{BLIP_SECONDS, Finding};

/// A blip holds this part of what fails around it …
const BLIP_PART: f64 = 0.9;
/// … which goes on for so many seconds more, at least …
const BESIDE_BLIP_SECONDS: i64 = 2;
/// … and so many in all, at most, unless it is one failure, further away than the blip, and as many are served as fail.
const BLIP_AND_MORE_SECONDS: i64 = 15;

/// Seconds from the first to the last of the shortest stretch that holds this part of some failures, (second, count) each.
pub(super) fn shortest(failures: &[(i64, u64)], part: f64) -> i64 {
    let all: u64 = failures.iter().map(|(_, count)| count).sum();
    let (mut from, mut inside) = (failures.iter(), 0u64);
    let mut shortest = i64::MAX;
    for (until, count) in failures {
        inside += count;
        while inside as f64 >= part * all as f64 {
            let Some((first, count)) = from.next() else { break };
            shortest = shortest.min(until.saturating_sub(*first));
            inside -= count;
        }
    }
    shortest
}

/// Nearly all that fails in a finding does so within a few seconds: a restart, and a failure of every day beside it; or two
/// restarts with more requests between them that are served.
pub(super) fn is_blip(stream: &Stream<'_>, finding: &Finding) -> bool {
    let lasts = finding.lasted_seconds();
    if lasts < BLIP_SECONDS {
        return true;
    }
    let slots = stream.slots_between(finding.start.second, finding.end.second.saturating_add(1));
    let served: f64 = slots
        .clone()
        .filter(|&slot| stream.failures_at(slot) <= 0.0)
        .map(|slot| stream.requests_at(slot))
        .sum();
    let failing = slots.clone().map(|slot| (stream.second(slot), stream.failures_at(slot)));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let failures: Vec<(i64, u64)> =
        failing.filter(|of| of.1 > 0.0).map(|(at, count)| (at, count as u64)).collect();
    let all: u64 = failures.iter().map(|(_, count)| count).sum();
    let seconds = i64::try_from(failures.len()).unwrap_or(i64::MAX).saturating_mul(stream.width);
    if seconds < BLIP_SECONDS && lasts <= BLIP_AND_MORE_SECONDS && served >= all as f64 {
        return true;
    }
    // or one more
    let but_one = all.saturating_sub(1) as f64 / all.max(1) as f64;
    let bulk = |part| shortest(&failures, part).saturating_add(stream.width);
    let most = bulk(BLIP_PART.min(but_one));
    let near = most.saturating_add(BESIDE_BLIP_SECONDS)..=BLIP_AND_MORE_SECONDS;
    let good: f64 = slots.clone().map(|slot| stream.requests_at(slot) - stream.failures_at(slot)).sum();
    let far_off = lasts > BLIP_AND_MORE_SECONDS && bulk(but_one) < BLIP_SECONDS && good >= all as f64;
    most < BLIP_SECONDS && (near.contains(&lasts) || far_off) || is_blip_of_status(stream, slots)
}

/// All but one fail with one status, and do so within a few seconds: who fails beside them with another one, however near,
/// met with something else.
fn is_blip_of_status(stream: &Stream<'_>, slots: std::ops::Range<usize>) -> bool {
    let Some(last) = slots.end.checked_sub(1) else { return false };
    let counts = stream.by_status([(slots.start, last)]);
    let all: f64 = counts.values().sum();
    let Some((&status, _)) = counts.iter().find(|(_, count)| **count >= all - 1.0 && **count < all) else {
        return false;
    };
    let has_it = |slot: &usize| stream.statuses_in((*slot, *slot)).any(|(of, _)| of == status);
    let (first, last) = (slots.clone().find(has_it), slots.rev().find(has_it));
    first.zip(last).is_some_and(|(first, last)| stream.lasts((first, last)) < BLIP_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Audit, Baseline, Boundary, Effect, Series, Signal};

    /// Two requests a second for a minute, more where more fail; (second, status, how many fail).
    fn is_blip_of(failing: &[(i64, u16, u32)]) -> bool {
        let mut series = Series::new(1, None);
        for second in 0..60 {
            let statuses: Vec<(u16, u32)> =
                failing.iter().filter(|of| of.0 == second).map(|of| (of.1, of.2)).collect();
            let failures = statuses.iter().map(|of| of.1).sum::<u32>();
            series.push(second, (failures.max(2), failures), &statuses, None);
        }
        let edge = |second| Boundary { second, range: (second, second), open: false };
        let finding = Finding {
            signal: Signal::Errors,
            effect: Effect::Errors,
            start: edge(failing.first().unwrap().0),
            end: edge(failing.last().unwrap().0),
            baseline: Baseline { error_share: 0.001, requests_per_second: 2.0, window: None },
            requests: 0,
            failures: 0,
            dominant_status: None,
            strength: 60.0,
            dispersion: 1.0,
            levels: Vec::new(),
            confidence: 0.9,
            audit: Audit::default(),
        };
        is_blip(&Stream::new(&series), &finding)
    }

    #[test]
    fn a_failure_with_another_status_makes_no_restart_longer() {
        let restart = [(20, 502, 2), (21, 502, 5), (22, 502, 5), (23, 502, 4)];
        assert!(is_blip_of(&[&restart[..], &[(24, 500, 1)]].concat()));
        assert!(!is_blip_of(&[&restart[..], &[(24, 502, 1)]].concat()));
        assert!(!is_blip_of(&[&restart[..], &[(24, 500, 2)]].concat()));
    }

    #[test]
    fn a_lone_failure_long_before_a_restart_is_none_of_it() {
        let restart = [(50, 502, 2), (51, 502, 3)];
        assert!(is_blip_of(&[&[(20, 502, 1)], &restart[..]].concat()));
        assert!(!is_blip_of(&[&[(20, 502, 2)], &restart[..]].concat()), "two are no lone one");
        let busy = [(50, 502, 60), (51, 502, 30)];
        assert!(!is_blip_of(&[&[(20, 502, 1)], &busy[..]].concat()), "fewer are served than fail");
    }
}
