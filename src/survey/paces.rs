//! Latencies over time, packed into bytes: there may be a slot for every second, and the map nodes and histograms of
//! so many would take ten times as much.

use std::iter::Peekable;

use super::second::Latencies;

/// Latencies that came after later ones wait to be sorted in together, so many at most.
const MAX_LATE: usize = 4096;
/// Stands behind the last bin of a slot; there are fewer bins than this.
const END: u8 = 0xff;

/// Latencies by bin of a [`Histogram`](crate::model::Histogram) in slots of time, at most so many: their width doubles
/// whenever there would be more. As with [`Coarse`](super::Coarse) the width reached depends on the data alone, so that
/// merging is commutative and associative.
///
/// A slot is the distance from the one before it, then a byte and a count for each bin that occurs, ascending, then
/// `END`. Numbers have seven bits to a byte, the lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paces {
    shift: u8,
    cap: usize,
    slots: usize,
    bytes: Vec<u8>,
    /// The last slot, and where its bins begin.
    last: i64,
    bins_at: usize,
    /// (second, bin, count) of before the last slot.
    late: Vec<(i64, u8, u32)>,
}

impl Paces {
    /// Slots of one second each, at most `cap`.
    pub fn new(cap: usize) -> Self {
        Self { shift: 0, cap: cap.max(1), slots: 0, bytes: Vec::new(), last: 0, bins_at: 0, late: Vec::new() }
    }

    /// Seconds per slot, as a power of two.
    pub fn shift(&self) -> u8 {
        self.shift
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.slots
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.slots == 0
    }

    /// Counts latencies of a second: (bin, count), ascending by bin.
    pub fn add(&mut self, second: i64, counts: impl Iterator<Item = (u8, u32)>) {
        let key = second >> self.shift;
        if self.slots > 0 && key < self.last {
            self.late.extend(counts.map(|(bin, count)| (second, bin, count)));
            if self.late.len() >= MAX_LATE {
                self.settle();
            }
            return;
        }
        self.push(key, counts);
        self.fit();
    }

    /// Sorts in what came late. Until then it is in no slot.
    pub fn settle(&mut self) {
        let mut late = std::mem::take(&mut self.late);
        if late.is_empty() {
            return;
        }
        late.sort_unstable();
        let mut sorted = Self::new(usize::MAX);
        for (second, bin, count) in late {
            sorted.push(second >> self.shift, std::iter::once((bin, count)));
        }
        sorted.shift = self.shift;
        self.absorb(sorted);
    }

    /// At most `cap` slots from now on.
    pub fn limit(&mut self, cap: usize) {
        self.cap = cap.max(1);
        self.fit();
    }

    /// Adds what `other` counted; [`Self::limit`] says how many slots there may be then.
    pub fn absorb(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        self.widen(other.shift.saturating_sub(self.shift));
        other.widen(self.shift.saturating_sub(other.shift));
        if !self.append(&other) {
            let mine = Self { shift: self.shift, ..Self::new(self.cap) };
            let mine = std::mem::replace(self, mine);
            let (mut a, mut b) = (mine.slots().peekable(), other.slots().peekable());
            while let Some((second, bytes)) = next_of(&mut a, &mut b, |slot| slot.0) {
                self.push(second >> self.shift, counts(bytes));
            }
        }
        self.fit();
    }

    /// Adds what `other` counted in slots of a second, and clears it.
    pub(super) fn take(&mut self, other: &mut Self) {
        other.settle();
        if self.shift == other.shift && self.append(other) {
            self.fit();
        } else {
            other.slots().for_each(|(second, bytes)| self.add(second, counts(bytes)));
        }
        other.clear();
    }

    /// Nothing counted again; the width stays.
    pub(super) fn clear(&mut self) {
        self.slots = 0;
        self.bytes.clear();
        self.late.clear();
    }

    /// Adds the slots of `other`, which are as wide, unless its first one lies before the last one here. All but the first
    /// tell their distance from the one before, so they are copied.
    fn append(&mut self, other: &Self) -> bool {
        let Some((first, bins)) = other.slots().next() else { return true };
        let key = first >> self.shift;
        if self.slots > 0 && key < self.last {
            return false;
        }
        self.push(key, counts(bins));
        let mut head = other.bytes.as_slice();
        number(&mut head);
        let rest = head.get(bins.len().saturating_add(1)..).unwrap_or_default();
        if !rest.is_empty() {
            let behind = other.bytes.len().saturating_sub(other.bins_at);
            self.bytes.extend_from_slice(rest);
            self.bins_at = self.bytes.len().saturating_sub(behind);
            self.last = other.last;
            self.slots = self.slots.saturating_add(other.slots).saturating_sub(1);
        }
        true
    }

    /// Doubles the width `times` times.
    pub fn widen(&mut self, times: u8) {
        if times == 0 {
            return;
        }
        let shift = self.shift.saturating_add(times);
        let mut wide = Self { shift, ..Self::new(usize::MAX) };
        // those of a wide slot are summed up before they are packed
        let mut sum = Latencies::default();
        let mut open = None;
        for (second, bytes) in self.slots() {
            if let Some(before) = open.replace(second)
                && before >> shift != second >> shift
            {
                sum.leave(before, &mut wide);
            }
            counts(bytes).for_each(|(bin, count)| sum.add(bin, count));
        }
        sum.leave(open.unwrap_or_default(), &mut wide);
        wide.late = std::mem::take(&mut self.late);
        wide.cap = self.cap;
        *self = wide;
    }

    /// (first second of the slot, its latencies for [`counts`]), ascending.
    pub fn slots(&self) -> impl Iterator<Item = (i64, &[u8])> {
        let mut rest = self.bytes.as_slice();
        let mut key: Option<i64> = None;
        std::iter::from_fn(move || {
            let gap = number(&mut rest)?;
            let at = key.map_or_else(|| unsigned(gap), |before| before.saturating_add_unsigned(gap));
            key = Some(at);
            let bytes = rest;
            while rest.first().is_some_and(|bin| *bin != END) {
                rest = rest.get(1..)?;
                number(&mut rest)?;
            }
            let bins = bytes.get(..bytes.len().saturating_sub(rest.len()))?;
            rest = rest.get(1..)?;
            Some((at << self.shift, bins))
        })
    }

    /// Adds to the last slot, or one after it.
    fn push(&mut self, key: i64, added: impl Iterator<Item = (u8, u32)>) {
        if self.slots > 0 && key == self.last {
            let before = self.bytes.split_off(self.bins_at);
            let (mut a, mut b) = (counts(&before).peekable(), added.peekable());
            let mut open: Option<(u8, u32)> = None;
            while let Some((bin, count)) = next_of(&mut a, &mut b, |of| i64::from(of.0)) {
                open = match open {
                    Some((last, sum)) if last == bin => Some((bin, sum.saturating_add(count))),
                    other => {
                        write(&mut self.bytes, other);
                        Some((bin, count))
                    }
                };
            }
            write(&mut self.bytes, open);
        } else {
            let gap =
                if self.slots == 0 { signed(key) } else { key.saturating_sub(self.last).unsigned_abs() };
            put(&mut self.bytes, gap);
            self.bins_at = self.bytes.len();
            self.last = key;
            self.slots = self.slots.saturating_add(1);
            added.for_each(|of| write(&mut self.bytes, Some(of)));
        }
        self.bytes.push(END);
    }

    fn fit(&mut self) {
        while self.slots > self.cap && self.shift < 62 {
            self.widen(1);
        }
    }
}

/// (bin, count) of a slot, ascending by bin.
pub fn counts(mut bytes: &[u8]) -> impl Iterator<Item = (u8, u32)> {
    std::iter::from_fn(move || {
        let (bin, rest) = bytes.split_first().filter(|(bin, _)| **bin != END)?;
        bytes = rest;
        Some((*bin, u32::try_from(number(&mut bytes)?).unwrap_or(u32::MAX)))
    })
}

/// The smaller one of what comes next, of equal ones the first.
fn next_of<T>(
    a: &mut Peekable<impl Iterator<Item = T>>,
    b: &mut Peekable<impl Iterator<Item = T>>,
    key: impl Fn(&T) -> i64,
) -> Option<T> {
    match (a.peek(), b.peek()) {
        (Some(mine), Some(theirs)) if key(theirs) < key(mine) => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    }
}

#[inline]
fn write(bytes: &mut Vec<u8>, counted: Option<(u8, u32)>) {
    match counted {
        Some((bin, count @ 0..0x80)) => bytes.extend_from_slice(&[bin, u8::try_from(count).unwrap_or(0)]),
        Some((bin, count)) => {
            bytes.push(bin);
            put(bytes, u64::from(count));
        }
        None => {}
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(0x80 | u8::try_from(number & 0x7f).unwrap_or(0));
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0u64, 0u32);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift = shift.saturating_add(7);
        if *byte < 0x80 {
            return Some(number);
        }
    }
}

/// The first slot may lie before 1970: the sign goes into the lowest bit.
fn signed(key: i64) -> u64 {
    key.unsigned_abs() << 1 | u64::from(key < 0)
}

fn unsigned(number: u64) -> i64 {
    let size = i64::try_from(number >> 1).unwrap_or(i64::MAX);
    if number & 1 == 1 { size.saturating_neg() } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Seen = Vec<(i64, u8, u32)>;

    fn paces(seen: &[(i64, u8, u32)], cap: usize) -> Paces {
        let mut paces = Paces::new(cap);
        for &(second, bin, count) in seen {
            paces.add(second, std::iter::once((bin, count)));
        }
        paces.settle();
        paces
    }

    fn seen(seconds: std::ops::Range<i64>) -> impl Strategy<Value = Seen> {
        prop::collection::vec((seconds, 0u8..144, 1u32..1000), 0..80)
    }

    proptest! {
        #[test]
        fn every_latency_is_in_the_slot_of_its_second(seen in seen(-900..900)) {
            let paces = paces(&seen, usize::MAX);
            let mut expected: BTreeMap<(i64, u8), u32> = BTreeMap::new();
            for &(second, bin, count) in &seen {
                *expected.entry((second, bin)).or_default() += count;
            }
            let found: Vec<_> = paces
                .slots()
                .flat_map(|(second, bytes)| counts(bytes).map(move |(bin, count)| ((second, bin), count)))
                .collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn what_is_taken_over_is_counted_and_gone(a in seen(-900..900), b in seen(-20..900), cap in 1usize..20) {
            let (mut whole, mut waiting) = (paces(&a, cap), paces(&b, usize::MAX));
            whole.take(&mut waiting);
            whole.settle();
            prop_assert_eq!(whole, paces(&[a, b].concat(), cap));
            prop_assert_eq!(waiting.slots().count() + waiting.len(), 0);
        }

        #[test]
        fn merging_pieces_is_counting_the_whole(a in seen(-900..900), b in seen(-20..9000), cap in 1usize..20) {
            let mut merged = paces(&a, cap);
            merged.absorb(paces(&b, cap));
            let mut turned = paces(&b, cap);
            turned.absorb(paces(&a, cap));
            let whole = paces(&[a, b].concat(), cap);
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(&turned, &whole);
            // what lies on both sides of zero never shares a slot, however wide
            prop_assert!(whole.len() <= cap.max(2));
        }
    }

    #[test]
    fn counts_of_any_size_are_kept() {
        let mut paces = paces(&[(i64::MIN / 4, 3, u32::MAX), (5, 143, 127), (5, 143, 1), (5, 0, 300)], 9);
        paces.absorb(Paces::new(9));
        let slots: Vec<_> =
            paces.slots().map(|(second, bytes)| (second, counts(bytes).collect::<Vec<_>>())).collect();
        assert_eq!(slots, [(i64::MIN / 4, vec![(3, u32::MAX)]), (5, vec![(0, 300), (143, 128)])]);
    }
}
