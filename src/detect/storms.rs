//! Storms of one client: taken out, so that what everybody else met with is searched on its own.
//!
//! A client whose requests all fail is no incident, but in the middle of one it splits it, moves its edges, or is all
//! that a gate sees of it.

use super::gate::{Proxied, buckets_in, busiest};
use super::segment::Run;
use super::stream::Stream;
use super::{ClientBuckets, Series};

/// Failures of one client bucket that make a storm …
const STORM_FAILURES: u64 = 8;
/// … if they are this part of a run …
const STORM_PART: f64 = 0.5;
/// … and so many nats more than the bucket's part of the requests accounts for.
const STORM_NATS: f64 = 12.0;
/// Nats that condemn what fails alone where the filter by clients has little to go by.
const ALONE_NATS: f64 = 18.0;
/// A bucket with less than this part of the requests, its fair part, is not one of the few who send most of them.
const FAIR_PART: f64 = 1.0 / 16.0;
/// Others go on beside it if so many requests are answered …
const OTHERS_LEAST: f64 = 8.0;
/// … and so many times as many as fail for others.
const OTHERS_TIMES: f64 = 2.0;
/// A bucket without requests is taken to have this part of them.
const LEAST_PART: f64 = 0.001;

/// The failures of one client bucket in some slots, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storm {
    first: usize,
    last: usize,
    bucket: usize,
}

/// The storms among some runs, beside which others go on; none where clients can't be told apart, or where they are so
/// few that what one of them meets with is what a good part of the users does.
pub(super) fn storms<'a>(
    stream: &Stream<'_>,
    runs: impl Iterator<Item = &'a Run>,
    proxied: Proxied,
) -> Vec<Storm> {
    if proxied != Proxied::No {
        return Vec::new();
    }
    let storm = |run: &Run| {
        let slots = run.first..=run.last;
        let busiest = Busiest::of(stream, buckets_in(stream, slots.clone()))?;
        let good: f64 = slots.map(|slot| stream.requests_at(slot) - stream.failures_at(slot)).sum();
        let storms = busiest.failures >= STORM_FAILURES
            && busiest.part() >= STORM_PART
            && good >= OTHERS_LEAST.max(OTHERS_TIMES * busiest.others as f64)
            && busiest.nats() >= STORM_NATS;
        storms.then_some(Storm { first: run.first, last: run.last, bucket: busiest.bucket })
    };
    runs.filter_map(storm).collect()
}

/// The bucket of clients with the most failures. A proxy, or a client who sends most of the requests, has its part of
/// the failures and no more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Busiest {
    bucket: usize,
    /// Its failures.
    failures: u64,
    /// Those of all others.
    others: u64,
    /// Its part of all requests, 0–1.
    usual: f64,
}

impl Busiest {
    /// Of these failures by bucket; `None` where it is not known how requests spread over clients.
    pub(super) fn of(stream: &Stream<'_>, buckets: [u64; 16]) -> Option<Self> {
        let active = stream.series().active_client_buckets?;
        let sum = |counts: &[u64; 16]| counts.iter().fold(0_u64, |sum, &count| sum.saturating_add(count));
        let (bucket, failures) = busiest(&buckets)?;
        let usual = active.get(bucket).copied().unwrap_or(0) as f64 / sum(&active).max(1) as f64;
        let others = sum(&buckets).saturating_sub(failures);
        Some(Self { bucket, failures, others, usual: usual.max(LEAST_PART) })
    }

    /// Its part of the failures, 0–1.
    fn part(&self) -> f64 {
        self.failures as f64 / self.failures.saturating_add(self.others).max(1) as f64
    }

    /// How much likelier its failures are if it fails more often than others; 0 if it does not.
    fn nats(&self) -> f64 {
        if self.part() <= self.usual {
            return 0.0;
        }
        self.failures.saturating_add(self.others) as f64 * divergence(self.part(), self.usual)
    }

    /// It fails far more often than the others, and is none of the few who are a good part of the users.
    pub(super) fn fails_alone(&self) -> bool {
        self.usual < FAIR_PART && self.failures >= STORM_FAILURES && self.nats() >= ALONE_NATS
    }
}

/// Kullback–Leibler divergence of two coins, in nats.
pub fn divergence(a: f64, b: f64) -> f64 {
    let term = |a: f64, b: f64| if a > 0.0 { a * (a / b).ln() } else { 0.0 };
    term(a, b.clamp(1e-12, 1.0)) + term(1.0 - a, (1.0 - b).clamp(1e-12, 1.0))
}

/// The series without these failures (and the requests that they were).
pub(super) fn without(series: &Series, storms: &[Storm]) -> Series {
    let mut calm = series.clone();
    let mut removed = vec![0_u32; calm.slots.len()];
    for storm in storms {
        let slots = calm.slots.iter_mut().zip(&mut removed).skip(storm.first);
        for (slot, removed) in slots.take(storm.last.saturating_sub(storm.first).saturating_add(1)) {
            let index = slot.clients.and_then(|index| usize::try_from(index).ok());
            let buckets: Option<&mut ClientBuckets> = index.and_then(|i| calm.failing_clients.get_mut(i));
            let Some(count) = buckets.and_then(|buckets| buckets.get_mut(storm.bucket)) else { continue };
            let failures = u32::from(std::mem::take(count)).min(slot.failures);
            slot.failures = slot.failures.saturating_sub(failures);
            slot.requests = slot.requests.saturating_sub(failures);
            *removed = removed.saturating_add(failures);
            if let Some(active) = calm.active_client_buckets.as_mut().and_then(|a| a.get_mut(storm.bucket)) {
                *active = active.saturating_sub(u64::from(failures));
            }
        }
    }
    // Which status a client's failures had is not known: where several occur, the most frequent one.
    let mut order: Vec<usize> = (0..calm.statuses.len()).collect();
    order.sort_by_key(|&at| calm.statuses.get(at).map(|&(slot, _, count)| (slot, std::cmp::Reverse(count))));
    for at in order {
        let Some((slot, _, count)) = calm.statuses.get_mut(at) else { continue };
        let Some(left) = usize::try_from(*slot).ok().and_then(|slot| removed.get_mut(slot)) else { continue };
        let taken = (*left).min(*count);
        *count = count.saturating_sub(taken);
        *left = left.saturating_sub(taken);
    }
    calm.statuses.retain(|&(_, _, count)| count > 0);
    calm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Slot;

    fn series() -> Series {
        let slot = |second, failures, clients| Slot { second, requests: 20, failures, clients };
        let mut stormy = [0_u16; 16];
        stormy[3] = 10;
        stormy[5] = 1;
        let mut quiet = [0_u16; 16];
        quiet[1] = 1;
        Series {
            slots: vec![slot(1, 11, Some(0)), slot(2, 1, Some(1))],
            slot_seconds: 1,
            failing_clients: vec![stormy, quiet],
            statuses: vec![(0, 500, 10), (0, 502, 1), (1, 502, 1)],
            active_client_buckets: Some([100; 16]),
        }
    }

    #[test]
    fn a_storm_is_taken_out_with_its_requests_and_statuses() {
        let series = series();
        let stream = Stream::new(&series);
        let run = Run { first: 0, last: 0, level: 0 };
        let found = storms(&stream, [run].iter(), Proxied::No);
        assert_eq!(found, [Storm { first: 0, last: 0, bucket: 3 }]);
        let calm = without(&series, &found);
        assert_eq!((calm.slots[0].requests, calm.slots[0].failures), (10, 1));
        assert_eq!((calm.slots[1].requests, calm.slots[1].failures), (20, 1));
        assert_eq!(calm.statuses, [(0, 502, 1), (1, 502, 1)]);
        assert_eq!(calm.active_client_buckets.map(|a| a[3]), Some(90));
    }

    #[test]
    fn a_client_who_sends_half_of_the_requests_fails_as_often_without_a_storm() {
        let mut series = series();
        series.active_client_buckets = Some([20; 16].map(|n| n)).map(|mut a| {
            a[3] = 3000;
            a
        });
        let stream = Stream::new(&series);
        let run = Run { first: 0, last: 0, level: 0 };
        assert_eq!(storms(&stream, [run].iter(), Proxied::No), []);
    }
}
