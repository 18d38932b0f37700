//! Where lines end and where their quotes are, found for many lines in one sweep: a call to memchr for each of them costs
//! more than most fields are long.

use std::fmt;
use std::ops::Range;

use fearless_simd::Level;
#[cfg(target_arch = "x86_64")]
use fearless_simd::{Avx2, Simd as _, SimdBase as _, u8x32};
use wide::{CmpEq, i8x16};

/// Bytes that are swept at a time: what is found there and the lines themselves stay in the nearest cache.
const WINDOW: usize = 8 * 1024;
/// Bytes to a word of marks.
const BLOCK: usize = 64;
/// Bytes with a bit for each byte of a window, and for some behind it, so that there are always three words of them.
const BITS: usize = WINDOW / 8 + 24;

/// The line ends and quotes of the first bytes of some lines.
pub struct Marks {
    /// A bit for each byte.
    quotes: Box<[u8; BITS]>,
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
            quotes: Box::new([0; BITS]),
            starts: vec![0; WINDOW + 2].into_boxed_slice(),
            lines: 0,
            level: Level::new(),
        }
    }
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
    /// Sweeps over the first bytes of `text`, as many as fit.
    pub fn sweep(&mut self, text: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.level.as_avx2() {
            avx2.vectorize(
                #[inline(always)]
                || {
                    self.swept(
                        text,
                        #[inline(always)]
                        |block| marks_avx2(avx2, block),
                    );
                },
            );
            return;
        }
        self.swept(text, marks);
    }

    #[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
    #[inline(always)]
    fn swept(&mut self, text: &[u8], marks: impl Fn(&[u8; BLOCK]) -> (u64, u64)) {
        let window = text.get(..WINDOW).unwrap_or(text);
        let (blocks, rest) = window.as_chunks::<BLOCK>();
        let mut last = [0; BLOCK];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let (mut lines, mut base) = (0, 1u16);
        let mut words = self.quotes.as_chunks_mut::<8>().0.iter_mut();
        for (block, word) in blocks.iter().zip(&mut words) {
            let (ends, quotes) = marks(block);
            *word = quotes.to_le_bytes();
            lines = note(&mut self.starts, (lines, base), ends);
            base = base.wrapping_add(64);
        }
        let (ends, quotes) = marks(&last);
        if let Some(word) = words.next() {
            *word = quotes.to_le_bytes();
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

    /// The quotes from this byte of the window on.
    #[inline]
    pub(super) fn quotes_at(&self, start: usize) -> Quotes<'_> {
        Quotes { known: Some(&self.quotes), start }
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

/// (line ends, quotes) of 64 bytes, 32 at a time.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
#[inline(always)]
fn marks_avx2(simd: Avx2, block: &[u8; BLOCK]) -> (u64, u64) {
    let (end, quote) = (u8x32::splat(simd, b'\n').into(), u8x32::splat(simd, b'"').into());
    let (mut ends, mut quotes) = (0u64, 0u64);
    for part in block.as_chunks::<32>().0.iter().rev() {
        let part = simd.load_array_ref_u8x32(part).into();
        let bits = |wanted| {
            let equal = simd.avx2._mm256_cmpeq_epi8(part, wanted);
            u64::from(simd.avx2._mm256_movemask_epi8(equal).cast_unsigned())
        };
        ends = ends << 32 | bits(end);
        quotes = quotes << 32 | bits(quote);
    }
    (ends, quotes)
}

/// (line ends, quotes) of 64 bytes.
#[inline]
fn marks(block: &[u8; BLOCK]) -> (u64, u64) {
    let (end, quote) = (i8x16::splat(b'\n'.cast_signed()), i8x16::splat(b'"'.cast_signed()));
    let (mut ends, mut quotes) = (0u64, 0u64);
    for part in block.as_chunks::<16>().0.iter().rev() {
        let part = i8x16::new(part.map(u8::cast_signed));
        ends = ends << 16 | u64::from(part.cmp_eq(end).move_mask().cast_unsigned());
        quotes = quotes << 16 | u64::from(part.cmp_eq(quote).move_mask().cast_unsigned());
    }
    (ends, quotes)
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
    }
}
