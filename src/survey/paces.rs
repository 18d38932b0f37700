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
    /// The last slot's latencies until it is packed: more may come.
    open: Option<Latencies>,
    /// Whether it is yet to be packed.
    unpacked: bool,
    /// (second, bin, count) of before the last slot.
    late: Vec<(i64, u8, u32)>,
}

impl Paces {
    /// Slots of one second each, at most `cap`.
    pub fn new(cap: usize) -> Self {
        Self {
            shift: 0,
            cap: cap.max(1),
            slots: 0,
            bytes: Vec::new(),
            last: 0,
            bins_at: 0,
            open: None,
            unpacked: false,
            late: Vec::new(),
        }
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

    /// Sorts in what came late, and packs the last slot. Until then these are in none.
    pub fn settle(&mut self) {
        self.sort_in();
        self.close();
    }

    fn close(&mut self) {
        self.pack();
        self.open = None;
    }

    fn sort_in(&mut self) {
        let mut late = std::mem::take(&mut self.late);
        if late.is_empty() {
            return;
        }
        late.sort_unstable();
        let mut sorted = Self { shift: self.shift, ..Self::new(usize::MAX) };
        for (second, bin, count) in late {
            sorted.push(second >> self.shift, std::iter::once((bin, count)));
        }
        self.absorb(sorted);
    }

    /// At most `cap` slots from now on.
    pub fn limit(&mut self, cap: usize) {
        self.cap = cap.max(1);
        self.fit();
        self.close();
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
        self.close();
    }

    /// Adds what `other` counted in slots no wider than these, and clears it: its slots are as wide as these from now on.
    pub(super) fn take(&mut self, other: &mut Self) {
        other.sort_in();
        other.pack();
        self.widen(other.shift.saturating_sub(self.shift));
        if self.shift == other.shift && self.append(other) {
            self.fit();
        } else {
            other.slots().for_each(|(second, bytes)| self.add(second, counts(bytes)));
        }
        other.clear();
        other.shift = self.shift;
    }

    /// Nothing counted again; the width stays.
    pub(super) fn clear(&mut self) {
        self.slots = 0;
        self.bytes.clear();
        self.late.clear();
        if std::mem::take(&mut self.unpacked)
            && let Some(open) = &mut self.open
        {
            open.clear();
        }
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
            self.pack();
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
        self.pack();
        let shift = self.shift.saturating_add(times);
        let mut wide = Self { shift, ..Self::new(usize::MAX) };
        for (second, bytes) in self.slots() {
            wide.push(second >> shift, counts(bytes));
        }
        wide.close();
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
        let open = if self.slots > 0 && key == self.last {
            let open = self.open.get_or_insert_default();
            if !std::mem::replace(&mut self.unpacked, true) {
                let packed = self.bytes.get(self.bins_at..).unwrap_or_default();
                counts(packed).for_each(|(bin, count)| open.add(bin, count));
                self.bytes.truncate(self.bins_at);
            }
            open
        } else {
            self.pack();
            let gap =
                if self.slots == 0 { signed(key) } else { key.saturating_sub(self.last).unsigned_abs() };
            put(&mut self.bytes, gap);
            self.bins_at = self.bytes.len();
            self.last = key;
            self.slots = self.slots.saturating_add(1);
            self.unpacked = true;
            self.open.get_or_insert_default()
        };
        added.for_each(|(bin, count)| open.add(bin, count));
    }

    /// Packs the last slot.
    fn pack(&mut self) {
        if !std::mem::take(&mut self.unpacked) {
            return;
        }
        if let Some(open) = &mut self.open {
            open.drain().for_each(|counted| write(&mut self.bytes, counted));
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
fn write(bytes: &mut Vec<u8>, (bin, count): (u8, u32)) {
    if count < 0x80 {
        bytes.extend_from_slice(&[bin, u8::try_from(count).unwrap_or(0)]);
    } else {
        bytes.push(bin);
        put(bytes, u64::from(count));
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
        fn what_is_taken_over_is_counted_and_gone(
            a in seen(-900..900),
            pieces in prop::collection::vec(seen(-20..900), 0..4),
            cap in 1usize..20,
        ) {
            let (mut whole, mut waiting, mut all) = (paces(&a, cap), Paces::new(usize::MAX), a);
            for piece in pieces {
                for &(second, bin, count) in &piece {
                    waiting.add(second, std::iter::once((bin, count)));
                }
                whole.take(&mut waiting);
                prop_assert_eq!(waiting.slots().count() + waiting.len(), 0);
                all.extend(piece);
            }
            whole.settle();
            prop_assert_eq!(whole, paces(&all, cap));
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
