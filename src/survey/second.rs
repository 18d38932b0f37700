//! The counts of one second, kept out of the maps while it lasts.

use super::own::OwnGroup;
use super::{Cell, Count, Failing, GaveUp, Merge as _, Paces, Seconds, Slot as _, Timed};

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

    /// Hands over the counts of the 64 seconds, after that of the last one.
    pub(super) fn leave_group(&mut self, timed: &mut Timed) {
        if self.group.any() {
            timed.groups.add_seconds(self.unit, &self.group);
            self.group.clear();
        }
        self.own.leave(&mut timed.own);
    }
}

/// Latencies of one second, counted by bin.
#[derive(Debug, Clone)]
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
        if let (Some(count), Some(word)) =
            (self.counts.get_mut(usize::from(bin)), self.used.get_mut(usize::from(bin >> 6)))
        {
            *count += 1;
            *word |= 1 << (bin & 63);
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.used == [0; 4]
    }

    /// Hands the counts over; afterwards there are none.
    #[inline]
    pub(super) fn leave(&mut self, second: i64, paces: &mut Paces) {
        if self.is_empty() {
            return;
        }
        let (counts, used) = (&mut self.counts, &mut self.used);
        let bins = (0u8..).zip(used).flat_map(|(at, word)| {
            std::iter::from_fn(move || {
                let bit = u8::try_from(word.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
                *word &= word.wrapping_sub(1);
                Some(at << 6 | bit)
            })
        });
        paces.add(
            second,
            bins.filter_map(|bin| Some((bin, std::mem::take(counts.get_mut(usize::from(bin))?)))),
        );
    }
}

/// The second of the last message.
#[derive(Default)]
pub(super) struct MessageSecond {
    pub(super) at: i64,
    pub(super) zoned: bool,
    pub(super) count: Count,
}
