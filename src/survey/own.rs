//! Requests, failures and latencies of each vhost and upstream.

use std::collections::BTreeMap;

use super::failing::{cut_value, value_hash};
use super::requests::ends;
use super::second::Latencies;
use super::{Coarse, Count, Group, Limits, Name, Paces, Seconds};
use crate::model::Dimension;
use crate::parse::same;

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
    /// Latencies of users' requests that tell.
    pub latency: Paces,
}

/// Value → counts, for at most 32 values. One that is kept at the end was kept all along, so its counts are exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Groups per value.
    groups: usize,
    /// Slots with latencies, shared evenly by the values. There are never fewer values than before, so that a value's
    /// slots are never wider than they are in the end, and the result is the same in any order.
    paces: usize,
    map: BTreeMap<u32, OwnValue>,
}

impl Own {
    /// Nothing counted yet.
    pub fn new(limits: Limits) -> Self {
        Self { groups: limits.own, paces: limits.own_latency, map: BTreeMap::new() }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The counts of the value with a hash.
    pub fn get(&self, hash: u32) -> Option<&OwnValue> {
        self.map.get(&hash)
    }

    /// (hash, counts), ascending by hash.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &OwnValue)> {
        self.map.iter().map(|(hash, value)| (*hash, value))
    }

    /// Adds what the cache has of 64 seconds; nothing is left there.
    fn add(&mut self, unit: i64, cached: &mut Cached) {
        let (hash, dimension, value) = (cached.hash, cached.dimension, cached.value.as_slice());
        let Some(counts) = cached.counts.as_mut().filter(|counts| counts.any()) else { return };
        if let Some(known) = self.map.get_mut(&hash) {
            // of two values with one hash the smaller names both, whatever the order
            if (dimension, value) < (known.name.dimension, &*known.name.value) {
                known.name = Name { dimension, value: value.into() };
            }
            known.counts.add_seconds(unit, counts);
            known.latency.take(&mut cached.paces);
        } else if self.map.len() < MAX_OWN || self.map.last_key_value().is_some_and(|(last, _)| hash < *last)
        {
            let mut groups = Coarse::new(self.groups);
            groups.add_seconds(unit, counts);
            let mut latency = Paces::new(self.paces);
            latency.take(&mut cached.paces);
            let name = Name { dimension, value: value.into() };
            self.map.insert(hash, OwnValue { name, counts: groups, latency });
            self.cut();
        }
        counts.clear();
        cached.paces.clear();
    }

    /// Sorts in what came late.
    pub(super) fn settle(&mut self) {
        for value in self.map.values_mut() {
            value.latency.settle();
        }
    }

    fn cut(&mut self) {
        while self.map.len() > MAX_OWN {
            self.map.pop_last();
        }
        let each = self.paces / self.map.len().max(1);
        for value in self.map.values_mut() {
            value.latency.limit(each);
        }
    }

    /// Adds what `other` counted.
    pub fn absorb(&mut self, other: Self) {
        self.groups = self.groups.max(other.groups);
        self.paces = self.paces.max(other.paces);
        for (hash, value) in other.map {
            match self.map.entry(hash) {
                std::collections::btree_map::Entry::Vacant(v) => _ = v.insert(value),
                std::collections::btree_map::Entry::Occupied(mut o) => {
                    let mine = o.get_mut();
                    mine.counts.absorb(value.counts);
                    mine.latency.absorb(value.latency);
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
    /// Slots with latencies of the current second.
    paced: Vec<u8>,
}

/// A value; none was seen in its slot while it has no counts.
#[derive(Debug, Clone)]
struct Cached {
    dimension: Dimension,
    value: Vec<u8>,
    hash: u32,
    counts: Option<Seconds<Count>>,
    /// Latencies of the current second, once there were any.
    latencies: Option<Latencies>,
    /// Latencies of the seconds before.
    paces: Paces,
    /// Whether it is among those touched.
    listed: bool,
    /// Whether it is among those with latencies of the current second.
    paced: bool,
}

impl Cached {
    fn empty(dimension: Dimension) -> Self {
        Self {
            dimension,
            value: Vec::new(),
            hash: value_hash(dimension, b""),
            counts: None,
            latencies: None,
            paces: Paces::new(usize::MAX),
            listed: false,
            paced: false,
        }
    }

    fn leave_second(&mut self, second: i64) {
        self.paced = false;
        if let Some(latencies) = &mut self.latencies {
            latencies.leave(second, &mut self.paces);
        }
    }
}

impl OwnGroup {
    /// Counts a request of `second`; `own` is where the counts of 64 seconds go that are over, or of a value that has to
    /// make room.
    #[inline]
    pub(super) fn count(
        &mut self,
        dimension: Dimension,
        value: &[u8],
        (failed, pace): (bool, Option<u8>),
        second: i64,
        own: &mut Own,
    ) {
        let Some((at, slot)) = self.slot(dimension, value, second, own) else { return };
        if let Some(count) = slot.counts.get_or_insert_default().slot(second) {
            count.all += 1;
            count.bad += u32::from(failed);
        }
        if let Some(bin) = pace {
            let latencies = slot.latencies.get_or_insert_default();
            latencies.record(bin);
            if !std::mem::replace(&mut slot.paced, true) {
                self.paced.push(at);
            }
        }
    }

    /// Counts requests of `second` that were counted elsewhere: all of them, those that failed, and latencies by bin,
    /// ascending.
    pub(super) fn count_all(
        &mut self,
        dimension: Dimension,
        value: &[u8],
        (all, bad): (u32, u32),
        latencies: impl Iterator<Item = (u8, u32)>,
        second: i64,
        own: &mut Own,
    ) {
        let Some((_, slot)) = self.slot(dimension, value, second, own) else { return };
        if let Some(count) = slot.counts.get_or_insert_default().slot(second) {
            count.all = count.all.saturating_add(all);
            count.bad = count.bad.saturating_add(bad);
        }
        let mut latencies = latencies.peekable();
        if latencies.peek().is_some() {
            slot.paces.add(second, latencies);
        }
    }

    /// Where a value is counted, and the number of that.
    #[allow(clippy::inline_always, reason = "the path that every request takes")]
    #[inline(always)]
    fn slot(
        &mut self,
        dimension: Dimension,
        value: &[u8],
        second: i64,
        own: &mut Own,
    ) -> Option<(u8, &mut Cached)> {
        if second >> 6 != self.unit {
            self.leave(own);
            self.unit = second >> 6;
        }
        let value = cut_value(value);
        let at = slot_of(dimension, value);
        let known = self
            .slots
            .get(usize::from(at))
            .is_some_and(|c| same(&c.value, value) && c.dimension == dimension);
        if !known {
            self.replace(at, dimension, value, second, own);
        }
        let slot = self.slots.get_mut(usize::from(at))?;
        if !slot.listed {
            slot.listed = true;
            self.touched.push(at);
        }
        Some((at, slot))
    }

    /// `second` is over: whatever is counted next may belong to another one.
    #[inline]
    pub(super) fn leave_second(&mut self, second: i64) {
        for at in self.paced.drain(..) {
            if let Some(slot) = self.slots.get_mut(usize::from(at)) {
                slot.leave_second(second);
            }
        }
    }

    #[inline(never)]
    fn replace(&mut self, at: u8, dimension: Dimension, value: &[u8], second: i64, own: &mut Own) {
        if self.slots.is_empty() {
            self.slots = vec![Cached::empty(dimension); CACHE_SLOTS];
        }
        let Some(slot) = self.slots.get_mut(usize::from(at)) else { return };
        slot.leave_second(second);
        own.add(self.unit, slot);
        slot.dimension = dimension;
        slot.value.clear();
        slot.value.extend_from_slice(value);
        slot.hash = value_hash(dimension, value);
        // its slots may be narrower than those of the value before
        slot.paces = Paces::new(usize::MAX);
    }

    /// Hands over all counts.
    pub(super) fn leave(&mut self, own: &mut Own) {
        for at in self.touched.drain(..) {
            if let Some(slot) = self.slots.get_mut(usize::from(at)) {
                own.add(self.unit, slot);
                slot.listed = false;
            }
        }
    }
}

/// A cheap hash over length, head and tail: a collision costs time, nothing else.
#[inline]
fn slot_of(dimension: Dimension, value: &[u8]) -> u8 {
    let mixed = ends(value) ^ (value.len() as u64) << 8 ^ dimension as u64;
    u8::try_from(mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 56).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_takes_the_place_of_another_keeps_its_seconds() {
        let limits = Limits { own_latency: 8, ..Limits::for_sources(1) };
        let (mut own, mut group) = (Own::new(limits), OwnGroup::default());
        let first = b"a.example.com";
        let at = slot_of(Dimension::Vhost, first);
        let second = (0..).map(|n| format!("{n}.example.com").into_bytes());
        let second = second.into_iter().find(|v| slot_of(Dimension::Vhost, v) == at).unwrap();
        let mut see = |value: &[u8], second| {
            group.count(Dimension::Vhost, value, (false, Some(7)), second, &mut own);
            group.leave_second(second);
        };
        // one after the other, for so long that its slots become wide, and then the other one
        for at in 0..640 {
            see(first, at);
        }
        for at in [640, 641, 643] {
            see(&second, at);
        }
        group.leave(&mut own);
        own.settle();
        let slots = |value: &[u8]| {
            let latency = &own.get(value_hash(Dimension::Vhost, value)).unwrap().latency;
            latency.slots().map(|(second, _)| second).collect::<Vec<_>>()
        };
        assert_eq!(slots(first).len(), 3, "of 256 seconds each, for there are two values now");
        assert_eq!(slots(&second), [640, 641, 643]);
    }
}
