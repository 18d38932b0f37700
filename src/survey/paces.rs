//! Latencies of a slot of time in a few bytes: there are as many slots as seconds.

use super::{Bucket, Merge};

/// Counts by bin of a [`Histogram`](crate::model::Histogram): for each bin that occurs, ascending, a byte that says
/// which, then its count, seven bits to a byte, the lowest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paces(Box<[u8]>);

impl Paces {
    /// Of (bin, count), ascending by bin.
    pub fn of(counts: impl Iterator<Item = (u8, u32)>) -> Self {
        let mut bytes = Vec::with_capacity(64);
        for (bin, count) in counts {
            push(&mut bytes, bin, count);
        }
        Self(bytes.into_boxed_slice())
    }

    /// Of one bin per request; sorts them.
    pub(super) fn of_each(bins: &mut [u8]) -> Self {
        bins.sort_unstable();
        let alike = bins.chunk_by(|a, b| a == b);
        Self::of(alike.filter_map(|of| Some((*of.first()?, u32::try_from(of.len()).unwrap_or(u32::MAX)))))
    }

    /// (bin, count), ascending by bin, only bins that occur.
    pub fn counts(&self) -> impl Iterator<Item = (u8, u32)> + '_ {
        let mut bytes = self.0.iter().copied();
        std::iter::from_fn(move || {
            let bin = bytes.next()?;
            let (mut count, mut shift) = (0u32, 0u32);
            for byte in bytes.by_ref() {
                count |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
                shift = shift.saturating_add(7);
                if byte < 0x80 {
                    break;
                }
            }
            Some((bin, count))
        })
    }
}

fn push(bytes: &mut Vec<u8>, bin: u8, mut count: u32) {
    bytes.push(bin);
    while count >= 0x80 {
        bytes.push(0x80 | u8::try_from(count & 0x7f).unwrap_or(0));
        count >>= 7;
    }
    bytes.push(u8::try_from(count).unwrap_or(0));
}

impl Merge for Paces {
    fn absorb(&mut self, other: Self) {
        if self.0.is_empty() {
            *self = other;
            return;
        }
        if other.0.is_empty() {
            return;
        }
        self.0 = self.with(&other).into_boxed_slice();
    }
}

impl Paces {
    fn with(&self, other: &Self) -> Vec<u8> {
        let (mut mine, mut theirs) = (self.counts().peekable(), other.counts().peekable());
        let mut bytes = Vec::with_capacity(self.0.len().saturating_add(other.0.len()));
        loop {
            let (bin, count) = match (mine.peek().copied(), theirs.peek().copied()) {
                (Some((a, n)), Some((b, m))) if a == b => {
                    _ = (mine.next(), theirs.next());
                    (a, n.saturating_add(m))
                }
                (Some(least), Some((b, _))) if least.0 < b => {
                    mine.next();
                    least
                }
                (_, Some(least)) => {
                    theirs.next();
                    least
                }
                (Some(least), None) => {
                    mine.next();
                    least
                }
                (None, None) => break,
            };
            push(&mut bytes, bin, count);
        }
        bytes
    }
}

impl Bucket for Paces {
    fn widen(self, _: bool) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Counts = BTreeMap<u8, u32>;

    fn paces(counts: &Counts) -> Paces {
        Paces::of(counts.iter().map(|(bin, count)| (*bin, *count)))
    }

    proptest! {
        #[test]
        fn what_is_packed_is_what_was_counted_and_merges(
            a in prop::collection::btree_map(0u8..144, 1u32.., 0..40),
            b in prop::collection::btree_map(0u8..144, 1u32.., 0..40)
        ) {
            prop_assert_eq!(&paces(&a).counts().collect::<Counts>(), &a);
            let mut sum = a.clone();
            for (bin, count) in &b {
                let mine = sum.entry(*bin).or_default();
                *mine = mine.saturating_add(*count);
            }
            let (mut ab, mut ba) = (paces(&a), paces(&b));
            ab.absorb(paces(&b));
            ba.absorb(paces(&a));
            prop_assert_eq!(&ab, &paces(&sum));
            prop_assert_eq!(&ba, &ab);
        }

        #[test]
        fn each_request_counts_once(mut bins in prop::collection::vec(0u8..20, 0..400)) {
            let mut counts = Counts::new();
            for bin in &bins {
                *counts.entry(*bin).or_default() += 1;
            }
            prop_assert_eq!(Paces::of_each(&mut bins), paces(&counts));
        }
    }
}
