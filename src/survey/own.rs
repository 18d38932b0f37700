//! Requests and failures of each vhost and upstream.

use std::collections::BTreeMap;

use super::failing::{cut_value, value_hash};
use super::requests::ends;
use super::{Coarse, Count, Group, Name, Seconds};
use crate::model::Dimension;

/// Vhosts and upstreams counted per source: those with the lowest hashes, so that the choice does not depend on the
/// order.
const MAX_OWN: usize = 32;
/// Slots of the cache, as many as a byte tells apart.
const CACHE_SLOTS: usize = 256;

/// The counts of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnValue {
    /// Which.
    pub name: Name,
    /// Users' requests and those of them answered 5xx; the unit of time is 64 seconds.
    pub counts: Coarse<Group<Count>>,
}

/// Value → counts, for at most 32 values. One that is kept at the end was kept all along, so its counts are exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Groups per value.
    groups: usize,
    map: BTreeMap<u32, OwnValue>,
}

impl Own {
    /// Nothing counted yet; at most so many groups per value.
    pub fn new(groups: usize) -> Self {
        Self { groups, map: BTreeMap::new() }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// (hash, counts), ascending by hash.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &OwnValue)> {
        self.map.iter().map(|(hash, value)| (*hash, value))
    }

    /// Adds the counts of 64 seconds.
    fn add(&mut self, hash: u32, dimension: Dimension, value: &[u8], unit: i64, group: &Seconds<Count>) {
        if let Some(known) = self.map.get_mut(&hash) {
            // of two values with one hash the smaller names both, whatever the order
            if (dimension, value) < (known.name.dimension, &*known.name.value) {
                known.name = Name { dimension, value: value.into() };
            }
            return known.counts.add_seconds(unit, group);
        }
        if self.map.len() < MAX_OWN || self.map.last_key_value().is_some_and(|(last, _)| hash < *last) {
            let mut counts = Coarse::new(self.groups);
            counts.add_seconds(unit, group);
            let name = Name { dimension, value: value.into() };
            self.map.insert(hash, OwnValue { name, counts });
            self.cut();
        }
    }

    fn cut(&mut self) {
        while self.map.len() > MAX_OWN {
            self.map.pop_last();
        }
    }

    /// Adds what `other` counted.
    pub fn absorb(&mut self, other: Self) {
        self.groups = self.groups.max(other.groups);
        for (hash, value) in other.map {
            match self.map.entry(hash) {
                std::collections::btree_map::Entry::Vacant(v) => _ = v.insert(value),
                std::collections::btree_map::Entry::Occupied(mut o) => {
                    let mine = o.get_mut();
                    mine.counts.absorb(value.counts);
                    if value.name < mine.name {
                        mine.name = value.name;
                    }
                }
            }
        }
        self.cut();
    }
}

/// The counts of the current 64 seconds, by value: direct-mapped, a line costs a cheap hash, a comparison and an
/// increment.
#[derive(Debug, Default)]
pub(super) struct OwnGroup {
    /// The number of these 64 seconds.
    unit: i64,
    /// Empty until a value was seen.
    slots: Vec<Cached>,
    /// Slots with counts.
    touched: Vec<u8>,
}

/// A value; none was seen in its slot while it has no counts.
#[derive(Debug, Clone)]
struct Cached {
    dimension: Dimension,
    value: Vec<u8>,
    hash: u32,
    counts: Option<Seconds<Count>>,
    /// Whether it is among those touched.
    listed: bool,
}

impl OwnGroup {
    /// Counts a request of `second`; `own` is where the counts of 64 seconds go that are over, or of a value that has to
    /// make room.
    #[inline]
    pub(super) fn count(
        &mut self,
        dimension: Dimension,
        value: &[u8],
        failed: bool,
        second: i64,
        own: &mut Own,
    ) {
        if second >> 6 != self.unit {
            self.leave(own);
            self.unit = second >> 6;
        }
        let value = cut_value(value);
        let at = slot_of(dimension, value);
        let known =
            self.slots.get(usize::from(at)).is_some_and(|c| c.value == value && c.dimension == dimension);
        if !known {
            self.replace(at, dimension, value, own);
        }
        let Some(slot) = self.slots.get_mut(usize::from(at)) else { return };
        if !slot.listed {
            slot.listed = true;
            self.touched.push(at);
        }
        if let Some(count) = slot.counts.get_or_insert_default().slot(second) {
            count.all += 1;
            count.bad += u32::from(failed);
        }
    }

    #[inline(never)]
    fn replace(&mut self, at: u8, dimension: Dimension, value: &[u8], own: &mut Own) {
        if self.slots.is_empty() {
            let hash = value_hash(dimension, b"");
            let empty = Cached { dimension, value: Vec::new(), hash, counts: None, listed: false };
            self.slots = vec![empty; CACHE_SLOTS];
        }
        let Some(slot) = self.slots.get_mut(usize::from(at)) else { return };
        slot.hand_over(self.unit, own);
        slot.dimension = dimension;
        slot.value.clear();
        slot.value.extend_from_slice(value);
        slot.hash = value_hash(dimension, value);
    }

    /// Hands over all counts.
    pub(super) fn leave(&mut self, own: &mut Own) {
        for at in self.touched.drain(..) {
            if let Some(slot) = self.slots.get_mut(usize::from(at)) {
                slot.hand_over(self.unit, own);
                slot.listed = false;
            }
        }
    }
}

impl Cached {
    fn hand_over(&mut self, unit: i64, own: &mut Own) {
        // one that had to make room may have come to nothing since
        if let Some(counts) = &mut self.counts
            && counts.any()
        {
            own.add(self.hash, self.dimension, &self.value, unit, counts);
            counts.clear();
        }
    }
}

/// A cheap hash over length, head and tail: a collision costs time, nothing else.
#[inline]
fn slot_of(dimension: Dimension, value: &[u8]) -> u8 {
    let mixed = ends(value) ^ (value.len() as u64) << 8 ^ dimension as u64;
    u8::try_from(mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 56).unwrap_or(0)
}
