//! Failing requests: their statuses, their clients, and which vhost, upstream and path they asked for.

use std::collections::BTreeMap;

use super::{Bucket, Merge};
use crate::model::Dimension;

/// Values kept per slot. A request has up to three; one whose failures stand out has a slot nearly for itself, and where
/// more than these fail in one second, it is not one route that is broken.
const MAX_VALUES: usize = 24;
/// Bytes of a value.
const MAX_VALUE: usize = 128;

/// Requests of one value that failed in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailingValue {
    /// The value's `value_hash`.
    pub hash: u32,
    /// How many failed, at most 65,535.
    pub count: u16,
    /// A bit for each 4-bit hash of the client that occurs.
    pub clients: u16,
}

/// Failures of users' requests in one slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failing {
    /// (status, count), ascending.
    pub statuses: Vec<(u16, u32)>,
    /// Counts by a 4-bit hash of the client.
    pub clients: [u16; 16],
    /// The values with the lowest hashes, at most 24, ascending. One that is kept at the end was kept all along, so its
    /// counts are exact.
    values: Vec<FailingValue>,
}

impl Failing {
    /// Counts failures with a status.
    pub fn add(&mut self, status: u16, count: u32) {
        match self.statuses.binary_search_by_key(&status, |s| s.0) {
            Ok(at) => {
                if let Some(slot) = self.statuses.get_mut(at) {
                    slot.1 = slot.1.saturating_add(count);
                }
            }
            Err(at) => self.statuses.insert(at, (status, count)),
        }
    }

    /// Counts failures of a value; says whether it was among the values kept before.
    pub fn add_value(&mut self, value: FailingValue) -> bool {
        match self.values.binary_search_by_key(&value.hash, |v| v.hash) {
            Ok(at) => {
                if let Some(mine) = self.values.get_mut(at) {
                    mine.count = mine.count.saturating_add(value.count);
                    mine.clients |= value.clients;
                }
                true
            }
            Err(at) => {
                if at < MAX_VALUES {
                    self.values.insert(at, value);
                    self.values.truncate(MAX_VALUES);
                }
                false
            }
        }
    }

    /// The values kept, ascending by hash: all of them if they are fewer than 24.
    pub fn values(&self) -> &[FailingValue] {
        &self.values
    }

    /// Of values with a higher hash than this it is not known whether any failed; `None` if it is known of all.
    pub fn known_until(&self) -> Option<u32> {
        self.values.get(MAX_VALUES - 1).map(|last| last.hash)
    }
}

impl Merge for Failing {
    fn absorb(&mut self, other: Self) {
        other.statuses.iter().for_each(|&(status, count)| self.add(status, count));
        add_clients(&mut self.clients, &other.clients);
        if self.values.is_empty() {
            self.values = other.values;
        } else {
            other.values.into_iter().for_each(|value| _ = self.add_value(value));
        }
    }
}

impl Bucket for Failing {}

/// Requests of one slot that the client did not wait for (499), by a 4-bit hash of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GaveUp(pub [u16; 16]);

impl Merge for GaveUp {
    fn absorb(&mut self, other: Self) {
        add_clients(&mut self.0, &other.0);
    }
}

impl Bucket for GaveUp {}

fn add_clients(mine: &mut [u16; 16], theirs: &[u16; 16]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        *mine = mine.saturating_add(*theirs);
    }
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Of which dimension.
    pub dimension: Dimension,
    /// Its first bytes.
    pub value: Box<[u8]>,
}

/// Hash → failing value, for the lowest hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    cap: usize,
    map: BTreeMap<u32, Name>,
}

impl Names {
    /// None yet; at most `cap` of them.
    pub fn new(cap: usize) -> Self {
        Self { cap: cap.max(1), map: BTreeMap::new() }
    }

    /// Takes note of a value, already cut.
    pub fn see(&mut self, hash: u32, dimension: Dimension, value: &[u8]) {
        if let Some(known) = self.map.get_mut(&hash) {
            // of two values with one hash the smaller names both, whatever the order
            if (dimension, value) < (known.dimension, &*known.value) {
                *known = Name { dimension, value: value.into() };
            }
            return;
        }
        if self.map.len() < self.cap || self.map.last_key_value().is_some_and(|(last, _)| hash < *last) {
            self.map.insert(hash, Name { dimension, value: value.into() });
            self.cut();
        }
    }

    /// (hash, value), ascending by hash.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Name)> {
        self.map.iter().map(|(hash, name)| (*hash, name))
    }

    /// The value of a hash, if it is kept.
    pub fn get(&self, hash: u32) -> Option<&Name> {
        self.map.get(&hash)
    }

    fn cut(&mut self) {
        while self.map.len() > self.cap {
            self.map.pop_last();
        }
    }

    /// Adds what `other` saw.
    pub fn absorb(&mut self, other: Self) {
        self.cap = self.cap.max(other.cap);
        for (hash, name) in other.map {
            match self.map.entry(hash) {
                std::collections::btree_map::Entry::Vacant(v) => _ = v.insert(name),
                std::collections::btree_map::Entry::Occupied(mut o) if name < *o.get() => _ = o.insert(name),
                std::collections::btree_map::Entry::Occupied(_) => {}
            }
        }
        self.cut();
    }
}

/// A value cut to what is kept of it.
#[inline]
pub(super) fn cut_value(value: &[u8]) -> &[u8] {
    value.get(..MAX_VALUE).unwrap_or(value)
}

/// A well-mixed hash of a value of a dimension (FNV-1a, then the finaliser of splitmix64): the same in every run and
/// source.
pub(super) fn value_hash(dimension: Dimension, value: &[u8]) -> u32 {
    let fnv = value.iter().fold(0xcbf2_9ce4_8422_2325u64 ^ dimension as u64, |h, &b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut z = fnv.wrapping_add(dimension as u64);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    #[allow(clippy::cast_possible_truncation, reason = "32 bits of a mixed word are meant")]
    let folded = (z ^ (z >> 31)) as u32;
    folded
}
