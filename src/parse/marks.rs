//! Where lines end and where their quotes or numbers are, found for many lines in one sweep: a call to memchr for each of
//! them costs more than most fields are long.

use std::fmt;
use std::ops::Range;

use fearless_simd::Level;
#[cfg(target_arch = "x86_64")]
use fearless_simd::{Avx2, Simd as _, SimdBase as _, u8x32};
use wide::{CmpEq, CmpGt, i8x16};

/// Bytes that are swept at a time: what is found there and the lines themselves stay in the nearest cache.
const WINDOW: usize = 8 * 1024;
/// Bytes to a word of marks.
const BLOCK: usize = 64;
/// Bytes with a bit for each byte of a window, and for some behind it, so that there are always three words of them.
const BITS: usize = WINDOW / 8 + 24;

/// What is sought beside line ends.
type Sought = u8;
const NOTHING: Sought = 0;
const QUOTES: Sought = 1;
const NUMBERS: Sought = 2;

/// The line ends and quotes, or numbers, of the first bytes of some lines.
pub struct Marks {
    /// A bit for each byte.
    bits: Box<[u8; BITS]>,
    sought: Sought,
    /// Where lines begin.
    starts: Box<[u16]>,
    /// How many lines end here.
    lines: usize,
    /// What the machine can do.
    level: Level,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            bits: Box::new([0; BITS]),
            sought: QUOTES,
            starts: vec![0; WINDOW + 2].into_boxed_slice(),
            lines: 0,
            level: Level::new(),
        }
    }
}

/// The numbers of a message, and its bytes with those behind it.
#[derive(Clone, Copy)]
pub struct Numbers<'m> {
    /// Of a window.
    known: &'m [u8; BITS],
    /// Where the message begins there.
    start: usize,
    text: &'m [u8],
}

/// The quotes of one line, where they are known.
#[derive(Clone, Copy)]
pub struct Quotes<'m> {
    /// Of a window.
    known: Option<&'m [u8; BITS]>,
    /// Where the line begins there.
    start: usize,
}

impl fmt::Debug for Quotes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quotes").field("known", &self.known.is_some()).finish_non_exhaustive()
    }
}

impl Marks {
    /// Of line ends alone, or also of numbers, in place of quotes.
    pub fn of_messages(numbers: bool) -> Self {
        Self { sought: if numbers { NUMBERS } else { NOTHING }, ..Self::default() }
    }

    /// Sweeps over the first bytes of `text`, as many as fit.
    pub fn sweep(&mut self, text: &[u8]) {
        match self.sought {
            NUMBERS => self.sweep_for::<NUMBERS>(text),
            QUOTES => self.sweep_for::<QUOTES>(text),
            _ => self.sweep_for::<NOTHING>(text),
        }
    }

    fn sweep_for<const SOUGHT: Sought>(&mut self, text: &[u8]) {
        // whether the last byte before a block is a digit
        let mut digit = 0;
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.level.as_avx2() {
            avx2.vectorize(
                #[inline(always)]
                || {
                    self.swept(
                        text,
                        #[inline(always)]
                        |block| marks_avx2::<SOUGHT>(avx2, block, &mut digit),
                    );
                },
            );
            return;
        }
        self.swept(text, |block| marks::<SOUGHT>(block, &mut digit));
    }

    #[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
    #[inline(always)]
    fn swept(&mut self, text: &[u8], mut marks: impl FnMut(&[u8; BLOCK]) -> (u64, u64)) {
        let window = text.get(..WINDOW).unwrap_or(text);
        let (blocks, rest) = window.as_chunks::<BLOCK>();
        let mut last = [0; BLOCK];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let (mut lines, mut base) = (0, 1u16);
        let mut words = self.bits.as_chunks_mut::<8>().0.iter_mut();
        for (block, word) in blocks.iter().zip(&mut words) {
            let (ends, sought) = marks(block);
            *word = sought.to_le_bytes();
            lines = note(&mut self.starts, (lines, base), ends);
            base = base.wrapping_add(64);
        }
        let (ends, sought) = marks(&last);
        if let Some(word) = words.next() {
            *word = sought.to_le_bytes();
        }
        lines = note(&mut self.starts, (lines, base), ends);
        words.for_each(|word| *word = [0; 8]);
        self.lines = lines;
    }

    /// The lines that end here, their ends included, and their quotes.
    #[inline]
    pub fn lines(&self) -> impl Iterator<Item = (Range<usize>, Quotes<'_>)> {
        let starts = self.starts.get(..=self.lines).unwrap_or_default();
        starts.iter().zip(starts.iter().skip(1)).map(|(start, end)| {
            let range = usize::from(*start)..usize::from(*end);
            let quotes = self.quotes_at(range.start);
            (range, quotes)
        })
    }

    /// Where the line with a number lies, counted from 0, its end included; `None` where it does not end here.
    #[inline]
    pub(super) fn range(&self, nth: usize) -> Option<Range<usize>> {
        let &[start, end] = self.starts.get(nth..)?.first_chunk()?;
        (nth < self.lines).then_some(usize::from(start)..usize::from(end))
    }

    /// Where the last line ends that does so here.
    pub(super) fn end(&self) -> usize {
        self.starts.get(self.lines).map_or(0, |end| usize::from(*end))
    }

    /// Forgets what was swept.
    pub(super) fn clear(&mut self) {
        self.lines = 0;
    }

    /// The quotes from this byte of the window on.
    #[inline]
    pub(super) fn quotes_at(&self, start: usize) -> Quotes<'_> {
        Quotes { known: Some(&self.bits), start }
    }

    /// The numbers from this byte of the window on, where `text` begins; `None` if they were not sought.
    #[inline]
    pub(super) fn numbers_at<'m>(&'m self, start: usize, text: &'m [u8]) -> Option<Numbers<'m>> {
        (self.sought == NUMBERS).then_some(Numbers { known: &self.bits, start, text })
    }
}

impl<'m> Numbers<'m> {
    /// Those from this byte of the message on.
    #[inline]
    #[must_use]
    pub fn behind(self, at: usize) -> Self {
        Self { start: self.start.wrapping_add(at), text: self.text.get(at..).unwrap_or_default(), ..self }
    }

    /// A bit for each byte from this one on, for 57 of them or more: whether it is part of a number.
    #[inline]
    pub fn bits(self, at: usize) -> u64 {
        let at = self.start.wrapping_add(at);
        let word = self.known.get(at / 8..).and_then(|bits| bits.first_chunk());
        word.map_or(0, |word| u64::from_le_bytes(*word) >> (at % 8))
    }

    /// Sixteen bytes from this one on, some of which may lie behind the message; `None` if there are not so many.
    #[inline]
    pub fn bytes(self, at: usize) -> Option<&'m [u8; 16]> {
        self.text.get(at..)?.first_chunk()
    }
}

impl Quotes<'_> {
    /// They are looked for when they are asked for.
    pub const UNKNOWN: Quotes<'static> = Quotes { known: None, start: 0 };

    /// Whether a look costs nearly nothing.
    #[inline]
    pub(super) fn known(self) -> bool {
        self.known.is_some()
    }

    /// Where the first quote stands in `rest`, which is the end of `line`, if it is more than some bytes away mostly.
    #[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
    #[inline(always)]
    pub(super) fn first_far(self, line: &[u8], rest: &[u8]) -> Option<usize> {
        match self.known {
            Some(bits) => next_far(bits, self.at(line, rest)).filter(|n| *n < rest.len()),
            None => memchr::memchr(b'"', rest),
        }
    }

    /// Where `rest` begins in the window.
    #[inline]
    fn at(self, line: &[u8], rest: &[u8]) -> usize {
        self.start.wrapping_add(line.len().wrapping_sub(rest.len()))
    }

    /// Where the first quote stands in `rest`, which is the end of `line`.
    #[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
    #[inline(always)]
    pub(super) fn first(self, line: &[u8], rest: &[u8]) -> Option<usize> {
        match self.known {
            Some(bits) => next(bits, self.at(line, rest)).filter(|n| *n < rest.len()),
            None => memchr::memchr(b'"', rest),
        }
    }
}

/// The same where it is far mostly: in which word it stands is not worth a guess.
#[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
#[inline(always)]
fn next_far(bits: &[u8; BITS], at: usize) -> Option<usize> {
    let words: &[u8; 24] = bits.get(at / 8..)?.first_chunk()?;
    let [a, b, c] = *words.as_chunks().0 else { return None };
    let [near, b, c] = [u64::from_le_bytes(a) >> (at % 8), u64::from_le_bytes(b), u64::from_le_bytes(c)];
    if near | b | c == 0 {
        return next(bits, at);
    }
    let behind = if b == 0 { 64 + c.trailing_zeros() } else { b.trailing_zeros() };
    let near_bits = 64 - u32::try_from(at % 8).ok()?;
    usize::try_from(if near == 0 { near_bits + behind } else { near.trailing_zeros() }).ok()
}

/// Notes where lines begin behind these ends of a block, whose first byte lies one before `base`; so many lines ended before it.
#[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
#[inline(always)]
fn note(starts: &mut [u16], (mut lines, base): (usize, u16), ends: u64) -> usize {
    let mut left = ends;
    loop {
        // whether there is an end is not worth a guess
        if let Some(slot) = starts.get_mut(lines + 1) {
            *slot = base.wrapping_add(u16::try_from(left.trailing_zeros() & 0x7F).unwrap_or(0));
        }
        lines += usize::from(left != 0);
        left &= left.wrapping_sub(1);
        // a block has one at most, mostly
        if left == 0 {
            return lines;
        }
    }
}

/// How far the first bit set is behind `at`.
#[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
#[inline(always)]
fn next(bits: &[u8; BITS], at: usize) -> Option<usize> {
    let mut from = at / 8;
    let mut word = u64::from_le_bytes(*bits.get(from..)?.first_chunk()?) >> (at % 8);
    if word != 0 {
        return usize::try_from(word.trailing_zeros()).ok();
    }
    while word == 0 {
        from += 8;
        word = u64::from_le_bytes(*bits.get(from..)?.first_chunk()?);
    }
    Some(from * 8 + usize::try_from(word.trailing_zeros()).ok()? - at)
}

/// (line ends, quotes or numbers) of 64 bytes, 32 at a time.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
#[inline(always)]
fn marks_avx2<const SOUGHT: Sought>(simd: Avx2, block: &[u8; BLOCK], digit: &mut u64) -> (u64, u64) {
    let splat = |byte: i8| u8x32::splat(simd, byte.cast_unsigned()).into();
    let (mut ends, mut sought, mut joints) = (0u64, 0u64, 0u64);
    for part in block.as_chunks::<32>().0.iter().rev() {
        let part = simd.load_array_ref_u8x32(part).into();
        let bits = |found| u64::from(simd.avx2._mm256_movemask_epi8(found).cast_unsigned());
        let is = |byte: u8| bits(simd.avx2._mm256_cmpeq_epi8(part, splat(byte.cast_signed())));
        let within = |range: Highest| {
            let moved = simd.avx2._mm256_add_epi8(part, splat(range.up));
            bits(simd.avx2._mm256_cmpgt_epi8(moved, splat(range.below)))
        };
        ends = ends << 32 | is(b'\n');
        if SOUGHT == NUMBERS {
            sought = sought << 32 | within(DIGITS);
            joints = joints << 32 | within(JOINTS);
        } else if SOUGHT == QUOTES {
            sought = sought << 32 | is(b'"');
        }
    }
    (ends, if SOUGHT == NUMBERS { numbers(sought, joints, digit) } else { sought })
}

/// (line ends, quotes or numbers) of 64 bytes.
#[inline]
fn marks<const SOUGHT: Sought>(block: &[u8; BLOCK], digit: &mut u64) -> (u64, u64) {
    let (mut ends, mut sought, mut joints) = (0u64, 0u64, 0u64);
    for part in block.as_chunks::<16>().0.iter().rev() {
        let part = i8x16::new(part.map(u8::cast_signed));
        let bits = |found: i8x16| u64::from(found.move_mask().cast_unsigned());
        let is = |byte: u8| bits(part.cmp_eq(i8x16::splat(byte.cast_signed())));
        let within = |range: Highest| bits((part + i8x16::splat(range.up)).cmp_gt(i8x16::splat(range.below)));
        ends = ends << 16 | is(b'\n');
        if SOUGHT == NUMBERS {
            sought = sought << 16 | within(DIGITS);
            joints = joints << 16 | within(JOINTS);
        } else if SOUGHT == QUOTES {
            sought = sought << 16 | is(b'"');
        }
    }
    (ends, if SOUGHT == NUMBERS { numbers(sought, joints, digit) } else { sought })
}

/// A range of bytes, told by what makes them the greatest signed numbers there are.
#[derive(Clone, Copy)]
struct Highest {
    /// What is to be added.
    up: i8,
    /// The greatest number that is none of them.
    below: i8,
}

impl Highest {
    const fn of(first: u8, last: u8) -> Self {
        Self { up: i8::MAX - last.cast_signed(), below: i8::MAX - (last - first + 1).cast_signed() }
    }
}

const DIGITS: Highest = Highest::of(b'0', b'9');
/// Digits, and what stands between those of fractions, addresses, dates, times: one of `,-./:`.
const JOINTS: Highest = Highest::of(b',', b':');

/// Whether a byte may be part of a number, as a digit, or behind one.
pub fn is_joint(byte: u8) -> bool {
    matches!(byte, b','..=b':')
}

/// The digits, and the joints behind them; `digit` tells of the byte before the first, and then of the last.
#[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
#[inline(always)]
fn numbers(digits: u64, joints: u64, digit: &mut u64) -> u64 {
    let behind = digits << 1 | *digit;
    *digit = digits >> 63;
    digits | joints & behind
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn line_ends_and_quotes_are_where_memchr_finds_them(
            text in prop::collection::vec(prop_oneof![1 => Just(b'"'), 1 => Just(b'\n'), 60 => any::<u8>()], 0..3 * WINDOW),
        ) {
            let mut marks = Marks::default();
            marks.sweep(b"\"\n\"\n\"");
            marks.sweep(&text);
            let window = &text[..text.len().min(WINDOW)];
            let ends = memchr::memchr_iter(b'\n', window).map(|at| at + 1);
            let starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
            prop_assert_eq!(marks.lines().count() + 1, starts.len());
            for ((found, quotes), range) in marks.lines().zip(starts.windows(2)) {
                prop_assert_eq!(&found, &(range[0]..range[1]));
                // from some bytes of it on
                let line = &window[found.start..found.end - 1];
                for rest in (0..=line.len()).step_by(7).map(|from| &line[from..]) {
                    prop_assert_eq!(quotes.first(line, rest), memchr::memchr(b'"', rest));
                    prop_assert_eq!(quotes.first_far(line, rest), memchr::memchr(b'"', rest));
                }
            }
        }

        #[test]
        fn numbers_are_digits_and_what_joins_them(
            text in prop::collection::vec(prop_oneof![Just(b'7'), b'+'..b'<', any::<u8>()], 0..2 * WINDOW),
        ) {
            let is_part = |at: usize| {
                text[at].is_ascii_digit() || is_joint(text[at]) && at > 0 && text[at - 1].is_ascii_digit()
            };
            let mut marks = Marks::of_messages(true);
            marks.sweep(&text);
            let window = text.len().min(WINDOW);
            let numbers = marks.numbers_at(0, &text).unwrap().behind(0);
            for from in (0..window).step_by(23) {
                for at in from..window.min(from + 57) {
                    prop_assert_eq!(numbers.bits(from) >> (at - from) & 1 == 1, is_part(at));
                }
                prop_assert_eq!(numbers.bytes(from).map(|b| &b[..]), text.get(from..from + 16));
                prop_assert_eq!(numbers.behind(from).bits(0), numbers.bits(from));
            }
            // on any machine
            let mut digit = 0;
            for (block, from) in text[..window].as_chunks().0.iter().zip((0..).step_by(BLOCK)) {
                let (_, found) = super::marks::<NUMBERS>(block, &mut digit);
                prop_assert_eq!(found, numbers.bits(from));
            }
        }
    }
}
