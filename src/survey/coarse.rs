//! Buckets of time that become wider, not more, when the data is long: bounded, and still exact to merge.

use std::collections::BTreeMap;

use super::Merge;

/// What a bucket of time holds.
pub trait Bucket: Merge {
    /// Adds this bucket to one that is 2^`times` times as wide and contains it; `key` is this one's.
    fn join(self, wide: &mut Self, _key: i64, _times: u8) {
        wide.absorb(self);
    }
}

/// The width is never doubled more often.
const WIDEST: u8 = 62;

/// Time → bucket, at most `cap` of them.
///
/// The width doubles whenever there would be more. The width reached is the least at which all the data fits, so it
/// depends on the data alone, not on the order in which it came: merging stays commutative and associative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coarse<T> {
    shift: u8,
    cap: usize,
    map: BTreeMap<i64, T>,
}

impl<T: Bucket> Coarse<T> {
    /// Buckets of one unit of time each, at most `cap`.
    pub fn new(cap: usize) -> Self {
        Self { shift: 0, cap: cap.max(1), map: BTreeMap::new() }
    }

    /// Units of time per bucket, as a power of two.
    pub fn shift(&self) -> u8 {
        self.shift
    }

    /// The key of a unit of time.
    pub fn key(&self, unit: i64) -> i64 {
        unit >> self.shift
    }

    /// The bucket that `unit` falls into, made if it is new.
    pub fn bucket(&mut self, unit: i64) -> &mut T {
        self.bucket_and_shift(unit).0
    }

    /// The same, and the shift, which making it may change.
    pub(super) fn bucket_and_shift(&mut self, unit: i64) -> (&mut T, u8) {
        let key = unit >> self.shift;
        if self.map.len() >= self.cap && !self.map.contains_key(&key) {
            self.map.insert(key, T::default());
            self.fit();
        }
        let shift = self.shift;
        (self.map.entry(unit >> shift).or_default(), shift)
    }

    /// (first unit of the bucket, bucket), ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, &T)> {
        self.map.iter().map(|(k, v)| (k << self.shift, v))
    }

    /// Number of buckets.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Doubles the width `times` times.
    pub fn widen(&mut self, times: u8) {
        let times = times.min(WIDEST.saturating_sub(self.shift));
        if times == 0 {
            return;
        }
        let mut wider: Vec<(i64, T)> = Vec::new();
        for (key, bucket) in std::mem::take(&mut self.map) {
            match wider.last_mut() {
                Some((last, wide)) if *last == key >> times => bucket.join(wide, key, times),
                _ => {
                    let mut wide = T::default();
                    bucket.join(&mut wide, key, times);
                    wider.push((key >> times, wide));
                }
            }
        }
        self.map = wider.into_iter().collect();
        self.shift = self.shift.saturating_add(times);
    }

    fn fit(&mut self) {
        while self.map.len() > self.cap && self.shift < WIDEST {
            self.widen(1);
        }
    }

    /// Adds what `other` counted.
    pub fn absorb(&mut self, other: Self) {
        self.cap = self.cap.max(other.cap);
        self.widen(other.shift.saturating_sub(self.shift));
        let times = self.shift.saturating_sub(other.shift);
        if times == 0 {
            self.map.absorb(other.map);
        } else {
            for (key, bucket) in other.map {
                bucket.join(self.map.entry(key >> times).or_default(), key, times);
            }
        }
        self.fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Bucket for u64 {}

    fn count(units: &[i64], cap: usize) -> Coarse<u64> {
        let mut c = Coarse::new(cap);
        for &u in units {
            *c.bucket(u) += 1;
        }
        c
    }

    proptest! {
        #[test]
        fn merging_pieces_is_counting_the_whole(a in prop::collection::vec(-1000i64..1000, 0..60), b in prop::collection::vec(-5i64..5000, 0..60), cap in 1usize..20) {
            let mut merged = count(&a, cap);
            merged.absorb(count(&b, cap));
            let mut turned = count(&b, cap);
            turned.absorb(count(&a, cap));
            let whole = count(&[a.clone(), b.clone()].concat(), cap);
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(&turned, &whole);
            // values on both sides of zero never share a bucket, however wide
            prop_assert!(whole.len() <= cap.max(2));
        }
    }
}
