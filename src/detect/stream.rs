//! One stream's counts as the statistics read them: floats, tolerant of any input, and blind to stretches without data.

#![allow(
    clippy::indexing_slicing,
    reason = "slot indices come from 0..len() throughout the module's callers"
)]

use std::collections::BTreeMap;

use super::{ClientBuckets, Series};

/// A status with this part of some failures is what they are about.
pub(super) const DOMINANT_PART: f64 = 0.7;

/// A pause in the data counts as recorded time only up to this long, so that one line dated 1970 is no fifty years.
const LONGEST_PAUSE_SECONDS: i64 = 6 * 3600;
/// Two neighbouring slots further apart than this, and than [`PAUSE_SPACINGS`] usual spacings, can't share an incident.
const SHORTEST_BREAK_SECONDS: i64 = 2 * 3600;
/// See [`SHORTEST_BREAK_SECONDS`]: a site with one request an hour is not interrupted all the time.
const PAUSE_SPACINGS: f64 = 20.0;

/// Requests, failures and what the baseline expects, summed over some slots.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sums {
    /// Requests.
    pub(super) requests: f64,
    /// Failed requests.
    pub(super) failures: f64,
    /// Failures that the baseline expects.
    pub(super) expected: f64,
}

impl Sums {
    pub(super) fn add(&mut self, requests: f64, failures: f64, rate: f64) {
        self.requests += requests;
        self.failures += failures;
        self.expected += requests * rate;
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            failures: self.failures + other.failures,
            expected: self.expected + other.expected,
        }
    }

    /// The same requests with no more failures than this rate makes.
    pub(super) fn at_most(self, rate: f64) -> Self {
        Self { failures: self.failures.min(rate * self.requests), ..self }
    }

    pub(super) fn excess(&self) -> f64 {
        self.failures - self.expected
    }

    /// Mean expected share, kept off 0 and 1 so that its logarithms exist.
    pub(super) fn base_rate(&self) -> f64 {
        if self.requests > 0.0 { (self.expected / self.requests).clamp(1e-12, 1.0 - 1e-9) } else { 1e-12 }
    }

    /// Share of requests that fail beyond the baseline: f = (k/n − p₀)/(1 − p₀), 0–1.
    pub(super) fn share(&self) -> f64 {
        if self.requests <= 0.0 {
            return 0.0;
        }
        let base = self.base_rate();
        ((self.failures / self.requests - base) / (1.0 - base)).clamp(0.0, 1.0)
    }

    /// Generalised binomial log-likelihood ratio of the observed rate against the expected one, in nats; 0 when the
    /// rate is not raised.
    pub(super) fn llr(&self) -> f64 {
        let base = self.base_rate();
        if self.requests <= 0.0 || self.failures <= self.requests * base {
            return 0.0;
        }
        let rate = (self.failures / self.requests).min(1.0);
        let passed = (self.requests - self.failures).max(0.0);
        let failed = self.failures * (rate / base).ln();
        let passed = if passed > 0.0 { passed * ((1.0 - rate) / (1.0 - base)).ln() } else { 0.0 };
        (failed + passed).max(0.0)
    }
}

/// A series with what every step asks of it.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    series: &'a Series,
    /// Seconds per slot, at least 1.
    pub(super) width: i64,
    /// Longer pauses than this separate incidents.
    break_seconds: i64,
    /// Recorded time in seconds, long pauses cut short.
    pub(super) active_seconds: f64,
    /// All requests.
    pub(super) requests: f64,
    /// All failures.
    pub(super) failures: f64,
}

impl<'a> Stream<'a> {
    pub(super) fn new(series: &'a Series) -> Self {
        let width = i64::from(series.slot_seconds.max(1));
        let mut active_seconds = 0.0;
        let (mut requests, mut failures) = (0.0, 0.0);
        let mut previous: Option<i64> = None;
        for slot in &series.slots {
            let pause = previous.map_or(width, |before| slot.second.saturating_sub(before));
            active_seconds += pause.clamp(0, LONGEST_PAUSE_SECONDS.max(width)) as f64;
            requests += f64::from(slot.requests);
            failures += f64::from(slot.failures.min(slot.requests));
            previous = Some(slot.second);
        }
        let spacing = active_seconds / (series.slots.len().max(1) as f64);
        #[allow(
            clippy::cast_possible_truncation,
            reason = "at most 20 × 6 h or 20 slots; a float cast saturates"
        )]
        let break_seconds = SHORTEST_BREAK_SECONDS.max((PAUSE_SPACINGS * spacing) as i64);
        Self { series, width, break_seconds, active_seconds, requests, failures }
    }

    pub(super) fn len(&self) -> usize {
        self.series.slots.len()
    }

    pub(super) fn series(&self) -> &'a Series {
        self.series
    }

    /// First second of a slot.
    pub(super) fn second(&self, slot: usize) -> i64 {
        self.series.slots[slot].second
    }

    /// Last second of a slot.
    pub(super) fn last_second(&self, slot: usize) -> i64 {
        self.second(slot).saturating_add(self.width - 1)
    }

    /// Seconds from the first of some slots to the last one, both included; 0 if they are in no order.
    pub(super) fn lasts(&self, (first, last): (usize, usize)) -> i64 {
        self.last_second(last).saturating_sub(self.second(first)).saturating_add(1).max(0)
    }

    pub(super) fn requests_at(&self, slot: usize) -> f64 {
        f64::from(self.series.slots[slot].requests)
    }

    pub(super) fn failures_at(&self, slot: usize) -> f64 {
        let slot = &self.series.slots[slot];
        f64::from(slot.failures.min(slot.requests))
    }

    /// The failing clients of a slot; `None` when the log doesn't name them.
    pub(super) fn clients_at(&self, slot: usize) -> Option<&'a ClientBuckets> {
        let index = usize::try_from(self.series.slots[slot].clients?).ok()?;
        self.series.failing_clients.get(index)
    }

    /// (status, failures) of some slots, ascending by slot.
    pub(super) fn statuses_in(&self, (first, last): (usize, usize)) -> impl Iterator<Item = (u16, f64)> {
        let from = self.series.statuses.partition_point(|&(at, ..)| (at as usize) < first);
        let found = self.series.statuses[from..].iter().take_while(move |&&(at, ..)| at as usize <= last);
        found.map(|&(_, status, count)| (status, f64::from(count)))
    }

    /// Failures by status in some spans of slots, first and last.
    pub(super) fn by_status(&self, spans: impl IntoIterator<Item = (usize, usize)>) -> BTreeMap<u16, f64> {
        let mut counts: BTreeMap<u16, f64> = BTreeMap::new();
        for (status, count) in spans.into_iter().flat_map(|span| self.statuses_in(span)) {
            *counts.entry(status).or_default() += count;
        }
        counts
    }

    /// The status of ≥ 70 % of the failures in some slots.
    pub(super) fn dominant_status(&self, slots: (usize, usize)) -> Option<u16> {
        let counts = self.by_status([slots]);
        let all: f64 = counts.values().sum();
        counts.into_iter().find(|(_, count)| *count >= DOMINANT_PART * all).map(|(status, _)| status)
    }

    /// The pause before this slot is too long for an incident to reach across it.
    pub(super) fn breaks_before(&self, slot: usize) -> bool {
        slot > 0 && self.second(slot).saturating_sub(self.second(slot - 1)) > self.break_seconds
    }

    /// Seconds without a request before this slot; 0 at the edge of the data or of a session of it.
    pub(super) fn pause_before(&self, slot: usize) -> i64 {
        if slot == 0 || slot >= self.len() || self.breaks_before(slot) {
            return 0;
        }
        self.second(slot)
            .saturating_sub(self.last_second(slot - 1))
            .saturating_sub(1)
            .clamp(0, LONGEST_PAUSE_SECONDS)
    }

    /// Some slot after the first and up to the last comes after a long pause.
    pub(super) fn breaks_between(&self, first: usize, last: usize) -> bool {
        (first + 1..=last).any(|slot| self.breaks_before(slot))
    }

    /// The slots that begin in the half-open range of seconds.
    pub(super) fn slots_between(&self, from: i64, until: i64) -> std::ops::Range<usize> {
        let first = self.series.slots.partition_point(|slot| slot.second < from);
        let end = self.series.slots.partition_point(|slot| slot.second < until);
        first..end.max(first)
    }
}
