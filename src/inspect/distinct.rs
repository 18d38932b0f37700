//! Counts per distinct value, bounded.

use std::collections::BTreeMap;

use crate::survey::Merge;

/// Counts of up to `CAP` distinct values, exactly; beyond that, of an unbiased sample of them.
///
/// A bottom-k sketch: values with the lowest hashes are kept. A value that is kept at the end was kept all along, so
/// its counts are exact, and the result does not depend on the order. The number of distinct values is estimated from
/// the largest hash kept (Bar-Yossef et al. 2002), with a relative error of about 1/√CAP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct<T, const CAP: usize> {
    map: BTreeMap<u64, T>,
    /// Whether a value was ever dropped.
    sampled: bool,
}

impl<T, const CAP: usize> Default for Distinct<T, CAP> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), sampled: false }
    }
}

impl<T: Merge, const CAP: usize> Distinct<T, CAP> {
    /// The counts of a value, unless it falls out of the sample.
    pub fn entry(&mut self, hash: u64) -> Option<&mut T> {
        if self.map.len() >= CAP && !self.map.contains_key(&hash) {
            self.sampled = true;
            if self.map.last_key_value().is_some_and(|(last, _)| *last < hash) {
                return None;
            }
            self.map.pop_last();
        }
        Some(self.map.entry(hash).or_default())
    }

    /// The counts of a value that is kept.
    pub fn get(&self, hash: u64) -> Option<&T> {
        self.map.get(&hash)
    }

    /// The counts kept, by hash.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.map.iter().map(|(h, v)| (*h, v))
    }

    /// How many values each kept one stands for: 1 unless there were too many.
    pub fn weight(&self) -> f64 {
        match self.map.last_key_value() {
            Some((last, _)) if self.sampled => {
                // the k-th smallest of n uniform hashes lies near k/n of the range
                let share = (*last as f64 / u64::MAX as f64).max(f64::MIN_POSITIVE);
                ((self.map.len() as f64 - 1.0) / share / self.map.len() as f64).max(1.0)
            }
            _ => 1.0,
        }
    }
}

impl<T: Merge, const CAP: usize> Merge for Distinct<T, CAP> {
    fn absorb(&mut self, other: Self) {
        self.sampled |= other.sampled;
        for (hash, counts) in other.map {
            self.map.entry(hash).or_default().absorb(counts);
        }
        while self.map.len() > CAP {
            self.map.pop_last();
            self.sampled = true;
        }
    }
}

/// A well-mixed hash of bytes (FNV-1a, then the finaliser of splitmix64): the same in every run, so that reports are.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mut z = fnv;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
