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

/// 64 slots in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<C = Cell>(pub Box<[C; 64]>);

impl<C: Slot> Default for Group<C> {
    fn default() -> Self {
        Self(Box::new([C::default(); 64]))
    }
}

impl<C: Slot> Merge for Group<C> {
    fn absorb(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0.iter()) {
            mine.add(theirs);
        }
    }
}

impl<C: Slot> Bucket for Group<C> {
    fn widen(self, upper: bool) -> Self {
        let mut wide = Self::default();
        let half = wide.0.iter_mut().skip(if upper { 32 } else { 0 });
        for (into, pair) in half.zip(self.0.chunks(2)) {
            for cell in pair {
                into.add(cell);
            }
        }
        wide
    }
}

impl<C: Slot> Coarse<Group<C>> {
    /// Adds the counts of a second.
    pub fn add(&mut self, second: i64, count: &C) {
        // which slot of the group it is depends on how wide the groups have become, which making a group may change
        self.bucket(second >> 6);
        let slot = usize::try_from((second >> self.shift()) & 63).unwrap_or(0);
        if let Some(mine) = self.bucket(second >> 6).0.get_mut(slot) {
            mine.add(count);
        }
    }

    /// (first second of the slot, its counts), ascending, only slots with any.
    pub fn cells(&self) -> impl Iterator<Item = (i64, &C)> {
        let shift = self.shift();
        self.iter().flat_map(move |(unit, group)| {
            let slots = (0i64..).zip(group.0.iter()).filter(|(_, c)| **c != C::default());
            slots.map(move |(slot, cell)| ((unit << 6).saturating_add(slot << shift), cell))
        })
    }
}
