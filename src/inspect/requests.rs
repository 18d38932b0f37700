//! Requests of one place by second, for what the survey does not count: how many a route has.

use super::client_group;
use crate::detect::{Series, Slot};
use crate::model::Status;
use crate::survey::{Bucket, Coarse, Merge};

/// Seconds that are told apart, 60 bytes each and 110 more where requests fail; wider slots beyond.
const MAX_SLOTS: usize = 8_192;

/// Users' requests of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requests {
    slots: Coarse<Second>,
    /// All of them by [`client_group`].
    clients: [u64; 16],
}

impl Default for Requests {
    fn default() -> Self {
        Self { slots: Coarse::new(MAX_SLOTS), clients: [0; 16] }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Second {
    requests: u32,
    failing: Option<Box<Failing>>,
}

/// Requests that were answered 5xx.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Failing {
    /// (status, count), ascending.
    statuses: Vec<(u16, u32)>,
    /// By [`client_group`].
    clients: [u16; 16],
}

impl Failing {
    fn add(&mut self, status: u16, count: u32) {
        match self.statuses.binary_search_by_key(&status, |of| of.0) {
            Ok(at) => {
                if let Some(known) = self.statuses.get_mut(at) {
                    known.1 = known.1.saturating_add(count);
                }
            }
            Err(at) => self.statuses.insert(at, (status, count)),
        }
    }
}

impl Merge for Second {
    fn absorb(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        let Some(theirs) = other.failing else { return };
        let mine = self.failing.get_or_insert_default();
        theirs.statuses.iter().for_each(|&(status, count)| mine.add(status, count));
        for (mine, theirs) in mine.clients.iter_mut().zip(theirs.clients) {
            *mine = mine.saturating_add(theirs);
        }
    }
}

impl Bucket for Second {}

impl Merge for Requests {
    fn absorb(&mut self, other: Self) {
        self.slots.absorb(other.slots);
        for (mine, theirs) in self.clients.iter_mut().zip(other.clients) {
            *mine = mine.saturating_add(theirs);
        }
    }
}

impl Requests {
    /// Counts a request; `client` is the hash of who asked.
    pub(super) fn see(&mut self, second: i64, status: Option<Status>, client: Option<u64>) {
        let slot = self.slots.bucket(second);
        slot.requests = slot.requests.saturating_add(1);
        let group = client.map(client_group);
        if let Some(all) = group.and_then(|group| self.clients.get_mut(group)) {
            *all = all.saturating_add(1);
        }
        let Some(status) = status.filter(|status| status.is_server_error()) else { return };
        let failing = slot.failing.get_or_insert_default();
        failing.add(status.code(), 1);
        if let Some(count) = group.and_then(|group| failing.clients.get_mut(group)) {
            *count = count.saturating_add(1);
        }
    }

    /// The counts as detection reads them.
    pub fn series(&self) -> Series {
        let known = self.clients.iter().any(|&count| count > 0);
        let mut series = Series {
            slot_seconds: 1u32.checked_shl(u32::from(self.slots.shift())).unwrap_or(u32::MAX),
            active_client_buckets: known.then_some(self.clients),
            ..Series::default()
        };
        for (second, counts) in self.slots.iter() {
            let index = u32::try_from(series.slots.len()).unwrap_or(u32::MAX);
            let mut slot = Slot { second, requests: counts.requests, failures: 0, clients: None };
            if let Some(failing) = &counts.failing {
                slot.failures = failing.statuses.iter().fold(0, |sum, of| sum.saturating_add(of.1));
                series.statuses.extend(failing.statuses.iter().map(|&(status, n)| (index, status, n)));
                if known {
                    slot.clients = u32::try_from(series.failing_clients.len()).ok();
                    series.failing_clients.push(failing.clients);
                }
            }
            series.slots.push(slot);
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(requests: &[(i64, u16, u64)]) -> Requests {
        let mut all = Requests::default();
        for &(second, status, client) in requests {
            all.see(second, Status::new(status), Some(client << 60));
        }
        all
    }

    #[test]
    fn a_series_has_the_requests_the_statuses_and_who_failed() {
        let series = seen(&[(10, 200, 1), (10, 503, 2), (10, 503, 2), (12, 500, 1)]).series();
        let slot = |second, requests, failures, clients| Slot { second, requests, failures, clients };
        assert_eq!(series.slots, [slot(10, 3, 2, Some(0)), slot(12, 1, 1, Some(1))]);
        assert_eq!(series.statuses, [(0, 503, 2), (1, 500, 1)]);
        assert_eq!(
            series.failing_clients.iter().map(|of| (of[1], of[2])).collect::<Vec<_>>(),
            [(0, 2), (1, 0)]
        );
        assert_eq!(series.active_client_buckets.map(|of| (of[1], of[2])), Some((2, 2)));
    }

    proptest::proptest! {
        #[test]
        fn pieces_in_any_order_make_the_whole(
            requests in proptest::collection::vec((0i64..20_000, 198u16..505, 0u64..16), 0..80), at in 0usize..80
        ) {
            let (one, other) = requests.split_at(at.min(requests.len()));
            let mut merged = seen(other);
            merged.absorb(seen(one));
            proptest::prop_assert_eq!(merged, seen(&requests));
        }
    }
}
