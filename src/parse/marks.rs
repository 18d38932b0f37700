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
/// Bytes with a bit for each byte of a window, and for some behind it, so that there is always a word of them.
const BITS: usize = WINDOW / 8 + 16;

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
                || self.swept(text, |block| marks_avx2(avx2, block)),
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
        for (block, word) in blocks.iter().chain([&last]).zip(&mut words) {
            let (ends, quotes) = marks(block);
            *word = quotes.to_le_bytes();
            let mut left = ends;
            loop {
                // whether there is an end is not worth a guess
                if let Some(slot) = self.starts.get_mut(lines + 1) {
                    *slot = base.wrapping_add(u16::try_from(left.trailing_zeros() & 0x7F).unwrap_or(0));
                }
                lines += usize::from(left != 0);
                left &= left.wrapping_sub(1);
                // a block has one at most, mostly
                if left == 0 {
                    break;
                }
            }
            base = base.wrapping_add(64);
        }
        words.for_each(|word| *word = [0; 8]);
        self.lines = lines;
    }

    /// The line with a number, counted from 0, its end included, and its quotes; `None` where it does not end here.
    #[inline]
    pub fn line(&self, nth: usize) -> Option<(Range<usize>, Quotes<'_>)> {
        let &[start, end] = self.starts.get(nth..)?.first_chunk()?;
        let range = usize::from(start)..usize::from(end);
        let quotes = self.quotes_at(range.start);
        (nth < self.lines).then_some((range, quotes))
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

    /// Where the first quote stands in `rest`, which is the end of `line`.
    #[inline]
    pub(super) fn first(self, line: &[u8], rest: &[u8]) -> Option<usize> {
        match self.known {
            Some(bits) => {
                let at = self.start.wrapping_add(line.len().wrapping_sub(rest.len()));
                next(bits, at).filter(|n| *n < rest.len())
            }
            None => memchr::memchr(b'"', rest),
        }
    }
}

/// How far the first bit set is behind `at`.
#[inline]
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
            for (nth, range) in starts.windows(2).enumerate() {
                let (found, quotes) = marks.line(nth).unwrap();
                prop_assert_eq!(&found, &(range[0]..range[1]));
                // from some bytes of it on
                let line = &window[found.start..found.end - 1];
                for rest in (0..=line.len()).step_by(7).map(|from| &line[from..]) {
                    prop_assert_eq!(quotes.first(line, rest), memchr::memchr(b'"', rest));
                }
            }
            prop_assert!(marks.line(starts.len() - 1).is_none());
        }
    }
}
