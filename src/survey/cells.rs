//! Counts of one slot of time, 64 of them in a row.

use super::{Bucket, Coarse, Merge};

/// Counts of one slot.
pub trait Slot: Copy + Default + PartialEq {
    /// Adds what `other` counted.
    fn add(&mut self, other: &Self);
}

/// Requests of one slot of time (a second, unless the data is very long).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// Requests of users.
    pub requests: u32,
    /// Those of them answered 5xx.
    pub failures: u32,
    /// Those of them that the client did not wait for (499).
    pub gave_up: u32,
    /// Requests of health checks and monitors.
    pub probes: u32,
    /// Lines that are no request of anybody: TLS bytes on a plain port, connections without a request line.
    pub malformed: u32,
    /// Probes and malformed ones answered 5xx.
    pub aside_failures: u32,
}

impl Slot for Cell {
    fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.gave_up = self.gave_up.saturating_add(other.gave_up);
        self.probes = self.probes.saturating_add(other.probes);
        self.malformed = self.malformed.saturating_add(other.malformed);
        self.aside_failures = self.aside_failures.saturating_add(other.aside_failures);
    }
}

/// Something of which some is bad: users' requests and those answered 5xx, messages and those at error level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// All.
    pub all: u32,
    /// The bad ones.
    pub bad: u32,
}

impl Slot for Count {
    fn add(&mut self, other: &Self) {
        self.all = self.all.saturating_add(other.all);
        self.bad = self.bad.saturating_add(other.bad);
    }
}

/// 64 slots in a row, those that have counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<C = Cell> {
    /// A bit for each slot that has counts.
    used: u64,
    /// Their counts, ascending.
    cells: Vec<C>,
}

impl<C> Default for Group<C> {
    fn default() -> Self {
        Self { used: 0, cells: Vec::new() }
    }
}

impl<C: Slot> Group<C> {
    /// Adds to the slot with a number, of which the last six bits count.
    fn add(&mut self, slot: i64, count: &C) {
        if *count == C::default() {
            return;
        }
        let bit = 1_u64 << (slot & 63);
        let at = usize::try_from((self.used & bit.wrapping_sub(1)).count_ones()).unwrap_or(0);
        if self.used & bit == 0 {
            self.used |= bit;
            self.cells.insert(at, *count);
        } else if let Some(mine) = self.cells.get_mut(at) {
            mine.add(count);
        }
    }

    /// Room for some more slots than there are, in one go.
    fn reserve(&mut self, more: usize) {
        let room = usize::try_from(self.used.count_zeros()).unwrap_or(0);
        self.cells.reserve_exact(more.min(room));
    }

    /// (number of the slot, its counts), ascending, only slots with any.
    fn cells(&self) -> impl Iterator<Item = (i64, &C)> {
        let mut left = self.used;
        self.cells.iter().map(move |cell| {
            let slot = i64::from(left.trailing_zeros());
            left &= left.wrapping_sub(1);
            (slot, cell)
        })
    }
}

/// The counts of 64 seconds in a row while they are counted: each has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seconds<C = Cell>(Box<[C; 64]>);

impl<C: Slot> Seconds<C> {
    /// The counts of a second, of which the last six bits count.
    #[inline]
    pub fn slot(&mut self, second: i64) -> Option<&mut C> {
        self.0.get_mut(usize::try_from(second & 63).unwrap_or(0))
    }

    /// Whether anything was counted.
    pub fn any(&self) -> bool {
        self.0.iter().any(|count| *count != C::default())
    }

    /// Nothing counted again.
    pub fn clear(&mut self) {
        *self.0 = [C::default(); 64];
    }
}

impl<C: Slot> Default for Seconds<C> {
    fn default() -> Self {
        Self(Box::new([C::default(); 64]))
    }
}

impl<C: Slot> Merge for Group<C> {
    fn absorb(&mut self, other: Self) {
        if self.used == 0 {
            *self = other;
        } else {
            other.cells().for_each(|(slot, cell)| self.add(slot, cell));
        }
    }
}

impl<C: Slot> Bucket for Group<C> {
    fn join(self, wide: &mut Self, key: i64, times: u8) {
        wide.reserve(self.cells.len().min((64 >> times.min(6)) as usize));
        for (slot, cell) in self.cells() {
            wide.add((key << 6 | slot) >> times, cell);
        }
    }
}

impl<C: Slot> Coarse<Group<C>> {
    /// Adds the counts of a second.
    pub fn add(&mut self, second: i64, count: &C) {
        let (group, shift) = self.bucket_and_shift(second >> 6);
        group.add(second >> shift, count);
    }

    /// Adds the counts of 64 seconds, the first of which is a multiple of 64: `unit` times as many.
    pub fn add_seconds(&mut self, unit: i64, seconds: &Seconds<C>) {
        let counted = seconds.0.iter().filter(|count| **count != C::default()).count();
        if counted == 0 {
            return;
        }
        // all of them lie in one group, however wide it is
        let (group, shift) = self.bucket_and_shift(unit);
        group.reserve(counted.min((64 >> shift.min(6)) as usize));
        for (second, count) in (unit << 6..).zip(seconds.0.iter()) {
            group.add(second >> shift, count);
        }
    }

    /// (first second of the slot, its counts), ascending, only slots with any.
    pub fn cells(&self) -> impl Iterator<Item = (i64, &C)> {
        let shift = self.shift();
        self.iter().flat_map(move |(unit, group)| {
            group.cells().map(move |(slot, cell)| ((unit << 6).saturating_add(slot << shift), cell))
        })
    }
}
