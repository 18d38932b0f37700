//! Bytes in short fields: a call to memchr costs more than most fields are long.

use std::ops::Deref;

use wide::{CmpEq, i8x16};

/// Bytes that are looked at here before memchr is called.
const NEAR: usize = 16;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// A bit for each of sixteen bytes that is `byte`.
#[inline]
fn hits(text: &[u8; NEAR], byte: u8) -> u32 {
    vector(text).cmp_eq(i8x16::splat(byte.cast_signed())).move_mask().cast_unsigned()
}

#[inline]
fn vector(bytes: &[u8; NEAR]) -> i8x16 {
    i8x16::new(bytes.map(u8::cast_signed))
}

/// Where the first bit is set.
#[inline]
fn lowest(hits: u32) -> Option<usize> {
    if hits == 0 { None } else { usize::try_from(hits.trailing_zeros()).ok() }
}

/// Where `byte` first stands.
#[inline]
pub(super) fn byte(text: &[u8], byte: u8) -> Option<usize> {
    match text.first_chunk() {
        Some(near) => lowest(hits(near, byte)).or_else(|| far(text, byte)),
        None => short(text, byte),
    }
}

/// Where one of two bytes first stands.
#[inline]
pub(super) fn either(text: &[u8], a: u8, b: u8) -> Option<usize> {
    let Some(near) = text.first_chunk() else {
        return match (short(text, a), short(text, b)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    };
    let near = lowest(hits(near, a) | hits(near, b));
    near.or_else(|| memchr::memchr2(a, b, text.get(NEAR..)?).map(|n| n + NEAR))
}

/// How long the first word is, if it has fewer than sixteen bytes and none of them is `other`.
#[inline]
pub(super) fn word_without(text: &[u8], other: u8) -> Option<usize> {
    let near = text.first_chunk()?;
    let (ends, others) = (hits(near, b' '), hits(near, other));
    lowest(ends | others).filter(|at| others >> at & 1 == 0)
}

/// Where `byte` first stands in fewer than sixteen bytes: two words that overlap, or one by one.
#[inline]
fn short(text: &[u8], byte: u8) -> Option<usize> {
    let pattern = ONES * u64::from(byte);
    match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => {
            in_word(*first, pattern).or_else(|| in_word(*last, pattern).map(|at| at + text.len() - 8))
        }
        _ => text.iter().position(|&b| b == byte),
    }
}

/// The lowest high bit set marks the first equal byte (Mycroft 1987).
#[inline]
fn in_word(word: [u8; 8], pattern: u64) -> Option<usize> {
    let x = u64::from_le_bytes(word) ^ pattern;
    let hits = x.wrapping_sub(ONES) & !x & HIGHS;
    if hits == 0 { None } else { usize::try_from(hits.trailing_zeros() / 8).ok() }
}

/// How many leading bytes are digits.
#[allow(clippy::inline_always, reason = "the path that every line takes")]
#[inline(always)]
pub(super) fn digits(text: &[u8]) -> usize {
    if let Some(word) = text.first_chunk::<8>() {
        // digits become 0–9; adding 118 sets the high bit of all that is more
        let x = u64::from_le_bytes(*word) ^ (ONES * 0x30);
        let others = (((x & !HIGHS) + ONES * 118) | x) & HIGHS;
        if others != 0 {
            return usize::try_from(others.trailing_zeros() / 8).unwrap_or(0);
        }
    }
    other_digits(text)
}

/// The same of a short text, or of many digits.
#[inline(never)]
fn other_digits(text: &[u8]) -> usize {
    text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len())
}

fn far(text: &[u8], byte: u8) -> Option<usize> {
    memchr::memchr(byte, text.get(NEAR..)?).map(|n| n + NEAR)
}

/// Text that stands as it is.
#[derive(Debug)]
pub(super) struct Literal {
    bytes: Box<[u8]>,
    /// Its first eight bytes, or all of them, and which bits of the word they are.
    word: u64,
    mask: u64,
    /// Its last eight bytes, if there are more.
    last: u64,
}

impl Literal {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let word = |byte: fn(u8) -> u8| {
            bytes.iter().take(8).rev().fold(0u64, |word, &b| word << 8 | u64::from(byte(b)))
        };
        let last = bytes.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
        Self { bytes: bytes.into(), word: word(|b| b), mask: word(|_| 0xFF), last }
    }

    /// What follows it, if `text` begins with it.
    #[inline]
    pub(super) fn strip<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        match text.first_chunk::<8>() {
            Some(head) if (u64::from_le_bytes(*head) ^ self.word) & self.mask != 0 => None,
            Some(_) if self.bytes.len() <= 8 => text.get(self.bytes.len()..),
            _ => self.strip_long(text),
        }
    }

    /// The same, where it is longer, or the text is short.
    fn strip_long<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if !(9..=16).contains(&self.bytes.len()) {
            return if starts_with(text, &self.bytes) { text.get(self.bytes.len()..) } else { None };
        }
        // the two words overlap
        let (head, rest) = text.split_at_checked(self.bytes.len())?;
        let last = head.last_chunk().map(|last| u64::from_le_bytes(*last));
        (last == Some(self.last) && head.first_chunk() == Some(&self.word.to_le_bytes())).then_some(rest)
    }
}

/// Text that stands as it is, of some length mostly.
#[derive(Debug)]
pub(super) struct LongLiteral {
    bytes: Box<[u8]>,
    /// Its first 32 bytes, or all of them, and which bits of the words they are.
    words: [u64; 4],
    masks: [u64; 4],
}

impl LongLiteral {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let words = |byte: fn(u8) -> u8| {
            let at = |n: usize| bytes.get(n).map_or(0, |b| byte(*b));
            let all: [u8; 32] = std::array::from_fn(at);
            words_of(&all)
        };
        Self { bytes: bytes.into(), words: words(|b| b), masks: words(|_| 0xFF) }
    }

    /// What follows it, if `text` begins with it.
    #[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
    #[inline(always)]
    pub(super) fn strip<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if let Some(head) = text.first_chunk() {
            let ([a0, a1, a2, a3], [b0, b1, b2, b3], [m0, m1, m2, m3]) =
                (words_of(head), self.words, self.masks);
            // all at once
            if (a0 ^ b0) & m0 | (a1 ^ b1) & m1 | (a2 ^ b2) & m2 | (a3 ^ b3) & m3 != 0 {
                return None;
            }
            if self.bytes.len() <= 32 {
                return text.get(self.bytes.len()..);
            }
        }
        self.strip_slowly(text)
    }

    /// The same, where it is longer, or the text is short.
    #[inline(never)]
    fn strip_slowly<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if starts_with(text, &self.bytes) { text.get(self.bytes.len()..) } else { None }
    }

    /// Whether `text` is that.
    #[inline]
    pub(super) fn is(&self, text: &[u8]) -> bool {
        text.len() == self.bytes.len() && starts_with(text, &self.bytes)
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
#[inline(always)]
fn words_of(bytes: &[u8; 32]) -> [u64; 4] {
    match bytes.as_chunks().0 {
        [a, b, c, d] => [a, b, c, d].map(|word| u64::from_le_bytes(*word)),
        _ => [0; 4],
    }
}

/// Whether two texts of one length, `N` to twice as much, are the same.
#[inline]
fn same_ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
}

/// Whether two texts are the same, without a call where they are not long.
#[allow(clippy::inline_always, reason = "the path that every line takes")]
#[inline(always)]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && match a.len() {
            8..=16 => same_ends::<8>(a, b),
            17..=32 => same_ends::<16>(a, b),
            33..=64 => same_ends::<32>(a, b),
            65..=128 => same_ends::<64>(a, b),
            129..=256 => same_ends::<128>(a, b),
            _ => a == b,
        }
}

impl Deref for Literal {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Whether `text` begins with a literal, which is short nearly always.
#[inline]
pub(super) fn starts_with(text: &[u8], literal: &[u8]) -> bool {
    match *literal {
        [] => true,
        [a] => matches!(*text, [x, ..] if x == a),
        [a, b] => matches!(*text, [x, y, ..] if x == a && y == b),
        [_, _, _] => text.first_chunk::<3>().is_some_and(|head| head == literal),
        _ => text.starts_with(literal),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_byte_is_found_where_memchr_finds_it(text in prop::collection::vec(0u8..4, 0..60), wanted in 0u8..5) {
            prop_assert_eq!(super::byte(&text, wanted), memchr::memchr(wanted, &text));
        }

        #[test]
        fn either_byte_is_found_where_memchr2_finds_it(text in prop::collection::vec(0u8..9, 0..60), a in 0u8..10, b in 0u8..10) {
            prop_assert_eq!(super::either(&text, a, b), memchr::memchr2(a, b, &text));
        }

        #[test]
        fn a_word_ends_at_a_blank(text in prop::collection::vec(prop_oneof![1 => Just(b' '), 1 => Just(b':'), 9 => Just(b'1'), 9 => any::<u8>()], 0..40)) {
            let end = memchr::memchr(b' ', &text).filter(|n| *n < 16 && text.len() >= 16);
            let end = end.filter(|n| !text[..*n].contains(&b':'));
            prop_assert_eq!(super::word_without(&text, b':'), end);
        }

        #[test]
        fn digits_are_counted(text in prop::collection::vec(prop_oneof![3 => b'0'..=b'9', 1 => prop::num::u8::ANY], 0..20)) {
            prop_assert_eq!(super::digits(&text), text.iter().take_while(|b| b.is_ascii_digit()).count());
        }

        #[test]
        fn a_prefix_is_a_prefix(text in prop::collection::vec(0u8..2, 0..6), literal in prop::collection::vec(0u8..2, 0..6)) {
            prop_assert_eq!(super::starts_with(&text, &literal), text.starts_with(&literal));
        }

        #[test]
        fn texts_are_the_same_or_not(a in prop::collection::vec(0u8..2, 0..300), b in prop::collection::vec(0u8..2, 0..40), at in 0usize..300) {
            prop_assert_eq!(super::same(&a, &b), a == b);
            let mut other = a.clone();
            if let Some(byte) = other.get_mut(at) { *byte ^= 1; }
            prop_assert_eq!(super::same(&a, &other), a == other);
            prop_assert!(super::same(&a, &a.clone()));
        }

        #[test]
        fn a_literal_is_stripped_as_a_prefix(text in prop::collection::vec(0u8..2, 0..48), literal in prop::collection::vec(0u8..2, 0..40)) {
            let literal = &text.get(..literal.len()).filter(|_| text.len() % 2 == 0).map_or(literal.clone(), <[u8]>::to_vec);
            prop_assert_eq!(super::Literal::new(literal).strip(&text), text.strip_prefix(literal.as_slice()));
            prop_assert_eq!(super::LongLiteral::new(literal).strip(&text), text.strip_prefix(literal.as_slice()));
        }
    }
}
