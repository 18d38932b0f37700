//! The failures of a part of a whole that has no requests of its own, such as one path of a site: few slots beside a long
//! series, which all its parts share.

use std::borrow::Cow;

use super::{ClientBuckets, Series, Slot};

/// What is told together where nothing fails, at most.
pub(super) const MINUTE: i64 = 60;

/// A series, and where its minutes begin.
#[derive(Debug)]
pub struct Whole<'a> {
    pub(super) series: &'a Series,
    /// Ascending; none if the slots are not in order.
    pub(super) minutes: Vec<Minute>,
}

/// The slots that begin in one minute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Minute {
    number: i64,
    /// The first of them.
    pub(super) first: usize,
    /// Requests in all of them.
    pub(super) requests: u32,
}

impl<'a> Whole<'a> {
    /// O(slots).
    pub fn of(series: &'a Series) -> Self {
        let mut minutes: Vec<Minute> = Vec::new();
        if series.slots.is_sorted_by_key(|slot| slot.second) {
            for (first, slot) in series.slots.iter().enumerate() {
                let (number, requests) = (slot.second.div_euclid(MINUTE), slot.requests);
                match minutes.last_mut() {
                    Some(last) if last.number == number => {
                        last.requests = last.requests.saturating_add(requests);
                    }
                    _ => minutes.push(Minute { number, first, requests }),
                }
            }
        }
        Self { series, minutes }
    }

    /// The series.
    pub fn series(&self) -> &'a Series {
        self.series
    }

    /// The slot that begins at `second`, and its index.
    pub fn slot_at(&self, second: i64) -> Option<(usize, Slot)> {
        let at = self.series.slots.binary_search_by_key(&second, |slot| slot.second).ok()?;
        Some((at, *self.series.slots.get(at)?))
    }
}

/// The failures of a part, against the requests of the whole.
#[derive(Debug)]
pub struct Part<'a> {
    pub(super) whole: &'a Whole<'a>,
    /// Slots with failures of the part, by their index, ascending.
    pub(super) failing: Vec<(usize, Slot)>,
    pub(super) clients: Cow<'a, [ClientBuckets]>,
    pub(super) statuses: Cow<'a, [(u32, u16, u32)]>,
}

impl<'a> Part<'a> {
    /// Nothing failed.
    pub fn new(whole: &'a Whole<'a>) -> Self {
        Self { whole, failing: Vec::new(), clients: Cow::default(), statuses: Cow::default() }
    }

    /// All failures of the whole.
    pub fn all(whole: &'a Whole<'a>) -> Self {
        let slots = whole.series.slots.iter().copied().enumerate();
        Self {
            whole,
            failing: slots.filter(|(_, slot)| slot.failures > 0).collect(),
            clients: Cow::from(&whole.series.failing_clients),
            statuses: Cow::from(&whole.series.statuses),
        }
    }

    /// Adds failures in the slot of the whole with this index, with their clients and (status, count), ascending. To be
    /// called with ascending indices.
    pub fn push(&mut self, index: usize, failures: u32, clients: ClientBuckets, statuses: &[(u16, u32)]) {
        let Some(slot) = self.whole.series.slots.get(index) else { return };
        let known = self.whole.series.active_client_buckets.is_some();
        let at = u32::try_from(self.clients.len()).ok().filter(|_| known);
        if at.is_some() {
            self.clients.to_mut().push(clients);
        }
        self.failing.push((index, Slot { failures, clients: at, ..*slot }));
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        self.statuses.to_mut().extend(statuses.iter().map(|&(status, count)| (index, status, count)));
    }

    /// The part's counts, slot by slot.
    pub fn series(&self) -> Series {
        let quiet = |slot: &Slot| Slot { failures: 0, clients: None, ..*slot };
        let mut slots: Vec<Slot> = self.whole.series.slots.iter().map(quiet).collect();
        for (index, failing) in &self.failing {
            if let Some(slot) = slots.get_mut(*index) {
                *slot = *failing;
            }
        }
        self.with(slots, self.statuses.to_vec())
    }

    /// A series with these slots and statuses of the part.
    pub(super) fn with(&self, slots: Vec<Slot>, statuses: Vec<(u32, u16, u32)>) -> Series {
        Series {
            slots,
            slot_seconds: self.whole.series.slot_seconds,
            failing_clients: self.clients.to_vec(),
            statuses,
            active_client_buckets: self.whole.series.active_client_buckets,
        }
    }
}
