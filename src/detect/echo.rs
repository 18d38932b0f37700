//! Timeouts of a surge: who waits for a backend is told after a minute that it was in vain, and by then the surge may be
//! over. As many timeouts of many more requests look like an incident then.

use super::TIMEOUT_SECONDS;
use super::stream::{Stream, Sums};
use crate::model::Status;

/// So many times as many requests a minute before make an echo.
const LEAST_SURGE: f64 = 1.2;

/// The counts of some spans of slots, first and last, without the timeouts that answer a surge of a minute before: more of
/// the requests of then than of now time out if as many of them do as at any other time.
pub(super) fn without_echo(stream: &Stream<'_>, spans: &[(usize, usize)], counts: Sums) -> Sums {
    let (Some(&(first, _)), Some(&(_, last))) = (spans.first(), spans.last()) else { return counts };
    let ago = |second: i64| second.saturating_sub(TIMEOUT_SECONDS);
    let before = |&(first, last): &(usize, usize)| {
        let slots =
            stream.slots_between(ago(stream.second(first)), ago(stream.last_second(last)).saturating_add(1));
        slots.map(|slot| stream.requests_at(slot)).sum::<f64>()
    };
    let asked: f64 = spans.iter().map(before).sum();
    if asked < LEAST_SURGE * counts.requests {
        return counts;
    }
    let timeouts = |spans: &[(usize, usize)]| {
        let statuses = stream.by_status(spans.iter().copied());
        statuses.get(&Status::GATEWAY_TIMEOUT.code()).copied().unwrap_or(0.0)
    };
    let mut outside = Vec::new();
    if let Some(before) = first.checked_sub(1) {
        outside.push((0, before));
    }
    if last + 1 < stream.len() {
        outside.push((last + 1, stream.len() - 1));
    }
    let requests: f64 =
        outside.iter().flat_map(|&(from, to)| from..=to).map(|slot| stream.requests_at(slot)).sum();
    let usual = timeouts(&outside) / requests.max(1.0);
    let more = timeouts(spans) - usual * counts.requests;
    let echo = (usual * (asked - counts.requests)).min(more).max(0.0);
    Sums { failures: (counts.failures - echo).max(0.0), ..counts }
}

#[cfg(test)]
mod tests {
    use crate::detect::{Sensitivity, Series, Slot, find_errors};

    /// A site of which two in a hundred requests fail, one of them with a timeout, a minute later; ten minutes of five times
    /// as many requests.
    fn surge() -> Series {
        let asked = |second: i64| if (3000..3600).contains(&second) { 500_u32 } else { 100 };
        let failing_clients = vec![[1; 16]];
        let mut series = Series { slot_seconds: 1, failing_clients, ..Series::default() };
        for second in 0..7200 {
            let index = u32::try_from(series.slots.len()).unwrap();
            let (failed, timeouts) = (asked(second) / 100, asked(second - 60) / 100);
            series.slots.push(Slot {
                second,
                requests: asked(second),
                failures: failed + timeouts,
                clients: Some(0),
            });
            series.statuses.extend([(index, 500, failed), (index, 504, timeouts)]);
        }
        series.active_client_buckets = Some([50_000; 16]);
        series
    }

    #[test]
    fn the_timeouts_of_a_surge_are_no_incident_after_it() {
        let found = find_errors(&surge(), 1, Sensitivity::Normal);
        assert_eq!(found.incidents, []);
    }

    #[test]
    fn more_than_its_timeouts_are() {
        let mut series = surge();
        for (slot, second) in series.slots.iter_mut().zip(0..).skip(3600).take(60) {
            let index = u32::try_from(second).unwrap();
            slot.failures += 20;
            series.statuses.push((index, 502, 20));
        }
        series.statuses.sort_unstable();
        let found = find_errors(&series, 1, Sensitivity::Normal);
        assert_eq!(found.incidents.len(), 1, "{found:?}");
        assert_eq!((found.incidents[0].start.second, found.incidents[0].end.second), (3600, 3659));
    }
}
