//! What a higher load than usual explains: a surge makes everything a little slower, and is no incident for that.

use crate::detect::stream::Stream;

/// f·ln s: less is drift, at the usual load.
const LEAST_EFFECT: f64 = 0.16;
/// A server under r times its usual load is slower by about r to this power (a third at four times): so much is no
/// incident but what the load explains.
const LOAD_EXPONENT: f64 = 0.25;
/// The usual load is that of so long on either side.
const LOAD_SECONDS: u64 = 1800;
/// So many times the usual load is a surge …
const SURGE_TIMES: f64 = 1.6;
/// … over stretches of this length, or of a slot where these are longer.
const STRETCH_SECONDS: i64 = 60;
/// A stretch of fewer requests says nothing of the load.
const LEAST_REQUESTS: f64 = 20.0;
/// Stretches that share one usual load, of those of [`LOAD_SECONDS`] on either side.
const SHARED: usize = 10;

/// What is no drift at so many times the usual requests per second, as f·ln s.
pub(super) fn least_effect(load: f64) -> f64 {
    LEAST_EFFECT + LOAD_EXPONENT * if load.is_finite() { load.max(1.0).ln() } else { 0.0 }
}

/// Requests per second from one slot to another.
pub(super) fn rate(stream: &Stream<'_>, first: usize, last: usize) -> f64 {
    let requests: f64 = (first..=last).map(|slot| stream.requests_at(slot)).sum();
    requests / stream.lasts((first, last)).max(1) as f64
}

/// Requests per second on either side of a chain; 0 if nothing lies there.
pub(super) fn usual_rate(
    stream: &Stream<'_>,
    (first, last): (usize, usize),
    (lower, upper): (usize, usize),
) -> f64 {
    let near = |&slot: &usize, from: usize| stream.second(slot).abs_diff(stream.second(from)) <= LOAD_SECONDS;
    let before = (lower..first).rev().take_while(|slot| near(slot, first)).last();
    let after = (last + 1..upper).take_while(|slot| near(slot, last)).last();
    let rates =
        [before.map(|from| rate(stream, from, first - 1)), after.map(|to| rate(stream, last + 1, to))];
    let known: Vec<f64> = rates.into_iter().flatten().collect();
    known.iter().sum::<f64>() / known.len().max(1) as f64
}

/// Which slots lie in a surge: a stretch with so many times the requests of the median one of the hour around it.
pub(super) fn surges(stream: &Stream<'_>) -> Vec<bool> {
    // (first slot of the stretch, its requests)
    let mut stretches: Vec<(usize, f64)> = Vec::new();
    let length = STRETCH_SECONDS.max(stream.width);
    let mut number = None;
    for slot in 0..stream.len() {
        let of_slot = Some(stream.second(slot).div_euclid(length));
        if number != of_slot {
            number = of_slot;
            stretches.push((slot, 0.0));
        }
        if let Some((_, requests)) = stretches.last_mut() {
            *requests += stream.requests_at(slot);
        }
    }
    let reach = usize::try_from(LOAD_SECONDS / length.unsigned_abs()).unwrap_or(SHARED);
    let mut surging = vec![false; stream.len()];
    for (group, shared) in stretches.chunks(SHARED).enumerate() {
        let at = group * SHARED;
        let around = at.saturating_sub(reach)..(at + shared.len() + reach).min(stretches.len());
        let mut usual: Vec<f64> = stretches.get(around).unwrap_or_default().iter().map(|(_, n)| *n).collect();
        usual.sort_by(f64::total_cmp);
        let usual = usual.get(usual.len() / 2).copied().unwrap_or_default();
        for (index, &(first, requests)) in (at..).zip(shared) {
            let end = stretches.get(index + 1).map_or(stream.len(), |(next, _)| *next);
            if requests >= LEAST_REQUESTS.max(SURGE_TIMES * usual)
                && let Some(slots) = surging.get_mut(first..end)
            {
                slots.fill(true);
            }
        }
    }
    surging
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Series, Slot};

    #[test]
    fn a_surge_is_a_stretch_with_more_requests_than_the_hour_around_it() {
        // twice as many from noon on, which is no surge; three times as many for five minutes before
        let rate = |second: i64| match second {
            3000..3300 => 30,
            7200.. => 20,
            _ => 10,
        };
        let slot = |second| Slot { second, requests: rate(second), failures: 0, clients: None };
        let slots = (0..14_400).map(slot).collect();
        let series = Series { slots, slot_seconds: 1, ..Series::default() };
        let surging = surges(&Stream::new(&series));
        assert!(surging[3000..3300].iter().all(|&surging| surging));
        assert!(!surging[..3000].iter().any(|&surging| surging));
        // where the load changes for good the half hour before the change is the usual one still
        assert!(!surging[9600..].iter().any(|&surging| surging));
    }
}
