//! Requests of one place by second, for what the survey does not count: how many a route has.

use super::client_group;
use crate::detect::Series;
use crate::model::Status;
use crate::survey::{Bucket, Coarse, Failing, Merge};

/// Seconds that are told apart, 60 bytes each and 130 more where requests fail; wider slots beyond.
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

impl Merge for Second {
    fn absorb(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        if let Some(theirs) = other.failing {
            self.failing.get_or_insert_default().absorb(*theirs);
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
        let width = 1u32.checked_shl(u32::from(self.slots.shift())).unwrap_or(u32::MAX);
        let mut series = Series::new(width, known.then_some(self.clients));
        for (second, Second { requests, failing }) in self.slots.iter() {
            let statuses = failing.as_ref().map_or(&[][..], |failing| &failing.statuses);
            let failures = statuses.iter().fold(0, |sum: u32, of| sum.saturating_add(of.1));
            series.push(second, (*requests, failures), statuses, failing.as_ref().map(|f| f.clients));
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Slot;

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
