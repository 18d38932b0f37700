//! The counts of one second, kept out of the maps while it lasts.

use super::failing::cut_value;
use super::own::OwnGroup;
use super::{Cell, Count, Failing, GaveUp, Merge as _, Paces, Seconds, Slot as _, Timed};
use crate::model::Dimension;
use crate::parse::same;

/// The second of the last request.
#[derive(Default)]
pub(super) struct Second {
    pub(super) at: i64,
    pub(super) zoned: bool,
    pub(super) cell: Cell,
    pub(super) window: Option<(u64, i64)>,
    /// With the 5xx in `cell`.
    pub(super) failing: Failing,
    /// With the 499 in `cell`.
    pub(super) gave_up: GaveUp,
    pub(super) latencies: Latencies,
    pub(super) own: OwnGroup,
    /// The vhost that most requests have, if one stood out before. Its counts are what those of the others leave of the
    /// second's, so that nothing is to be counted of most lines.
    pub(super) main: Vec<u8>,
    /// Requests that do not have it.
    pub(super) others: Others,
    /// The seconds before, as far as they belong to the same 64.
    pub(super) group: Seconds<Cell>,
    /// The number of these 64 seconds.
    pub(super) unit: i64,
}

impl Second {
    /// Hands the counts over; afterwards there are none.
    pub(super) fn leave(&mut self, timed: &mut Timed) {
        let cell = std::mem::take(&mut self.cell);
        if cell == Cell::default() {
            return;
        }
        self.leave_main(&cell, timed);
        self.own.leave_second(self.at);
        if self.at >> 6 != self.unit {
            self.leave_group(timed);
            self.unit = self.at >> 6;
        }
        if let Some(slot) = self.group.slot(self.at) {
            slot.add(&cell);
        }
        if cell.failures > 0 {
            timed.failing.bucket(self.at).absorb(std::mem::take(&mut self.failing));
        }
        if cell.gave_up > 0 {
            timed.gave_up.bucket(self.at).absorb(std::mem::take(&mut self.gave_up));
        }
        self.latencies.leave(self.at, &mut timed.latency);
    }

    /// Whether a vhost is the main one; the first of the second becomes it where there is none.
    #[inline]
    pub(super) fn is_main(&mut self, vhost: &[u8]) -> bool {
        if self.main.is_empty() && self.cell.requests == 0 {
            self.main.extend_from_slice(cut_value(vhost));
        }
        same(vhost, &self.main) && !vhost.is_empty()
    }

    /// Counts a request of another vhost than the main one, or of none.
    #[inline]
    pub(super) fn count_other(&mut self, failed: bool, pace: Option<u8>) {
        if !self.main.is_empty() {
            self.others.requests += 1;
            self.others.failures += u32::from(failed);
            if let Some(bin) = pace {
                self.others.latencies.record(bin);
            }
        }
    }

    /// Counts the requests of the main vhost, after all of the second.
    fn leave_main(&mut self, cell: &Cell, timed: &mut Timed) {
        if self.main.is_empty() {
            return;
        }
        let all = cell.requests.saturating_sub(self.others.requests);
        if all > 0 {
            let bad = cell.failures.saturating_sub(self.others.failures);
            let latencies = self.latencies.without(&self.others.latencies);
            self.own.count_all(Dimension::Vhost, &self.main, (all, bad), latencies, self.at, &mut timed.own);
        }
        // another one may be
        if all < self.others.requests {
            self.main.clear();
        }
        self.others.requests = 0;
        self.others.failures = 0;
        self.others.latencies.clear();
    }

    /// Hands over the counts of the 64 seconds, after that of the last one.
    pub(super) fn leave_group(&mut self, timed: &mut Timed) {
        if self.group.any() {
            timed.groups.add_seconds(self.unit, &self.group);
            self.group.clear();
        }
        self.own.leave(&mut timed.own);
    }
}

/// Requests of a second that do not have its main vhost.
#[derive(Default)]
pub(super) struct Others {
    requests: u32,
    failures: u32,
    latencies: Latencies,
}

/// Latencies of one second, counted by bin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Latencies {
    /// As many as a byte tells apart.
    counts: Box<[u32; 256]>,
    /// A bit for each bin that is not zero.
    used: [u64; 4],
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: Box::new([0; 256]), used: [0; 4] }
    }
}

impl Latencies {
    #[inline]
    pub(super) fn record(&mut self, bin: u8) {
        self.add(bin, 1);
    }

    /// Counts some at once.
    #[inline]
    pub(super) fn add(&mut self, bin: u8, some: u32) {
        if let (Some(count), Some(word)) =
            (self.counts.get_mut(usize::from(bin)), self.used.get_mut(usize::from(bin >> 6)))
        {
            *count = count.saturating_add(some);
            *word |= 1 << (bin & 63);
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.used == [0; 4]
    }

    /// (bin, count) of what is left if some of these are taken out, ascending, only bins with any.
    fn without(&self, some: &Self) -> impl Iterator<Item = (u8, u32)> {
        bins(self.used).filter_map(|bin| {
            let at = usize::from(bin);
            let left = self.counts.get(at)?.saturating_sub(*some.counts.get(at)?);
            (left > 0).then_some((bin, left))
        })
    }

    /// Nothing counted again.
    pub(super) fn clear(&mut self) {
        self.drain().for_each(drop);
    }

    /// (bin, count), ascending, only bins with any; once these are taken there are none.
    #[inline]
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (u8, u32)> {
        let (counts, used) = (&mut self.counts, std::mem::take(&mut self.used));
        bins(used).filter_map(|bin| Some((bin, std::mem::take(counts.get_mut(usize::from(bin))?))))
    }

    /// Hands the counts over; afterwards there are none.
    #[inline]
    pub(super) fn leave(&mut self, second: i64, paces: &mut Paces) {
        if !self.is_empty() {
            paces.add(second, self.drain());
        }
    }
}

/// The bins whose bits are set, ascending.
fn bins(used: [u64; 4]) -> impl Iterator<Item = u8> {
    (0u8..).zip(used).flat_map(|(at, mut word)| {
        std::iter::from_fn(move || {
            let bit = u8::try_from(word.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
            word &= word.wrapping_sub(1);
            Some(at << 6 | bit)
        })
    })
}

/// The second of the last message.
#[derive(Default)]
pub(super) struct MessageSecond {
    pub(super) at: i64,
    pub(super) zoned: bool,
    pub(super) count: Count,
}
