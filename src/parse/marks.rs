//! Where lines end and where their quotes are, found for many lines in one sweep: a call to memchr for each of them costs
//! more than most fields are long.

use std::fmt;

use wide::{CmpEq, i8x16};

/// Bytes that are swept at a time: what is found there and the lines themselves stay in the nearest cache.
const WINDOW: usize = 8 * 1024;
/// Bytes to a word of marks.
const BLOCK: usize = 64;
/// One more, so that there is always a next one.
const WORDS: usize = WINDOW / BLOCK + 1;

/// A bit for each byte of a window.
type Bits = [u64; WORDS];

/// The line ends and quotes of the first bytes of some lines.
pub struct Marks {
    ends: Box<Bits>,
    quotes: Box<Bits>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { ends: Box::new([0; WORDS]), quotes: Box::new([0; WORDS]) }
    }
}

/// The quotes of one line, where they are known.
#[derive(Clone, Copy)]
pub struct Quotes<'m> {
    /// Of the window, and where the line begins there.
    known: Option<(&'m Bits, usize)>,
}

impl fmt::Debug for Quotes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quotes").field("known", &self.known.is_some()).finish_non_exhaustive()
    }
}

impl Marks {
    /// Sweeps over the first bytes of `text`, as many as fit.
    pub fn sweep(&mut self, text: &[u8]) {
        let window = text.get(..WINDOW).unwrap_or(text);
        let (blocks, rest) = window.as_chunks::<BLOCK>();
        let mut words = self.ends.iter_mut().zip(self.quotes.iter_mut());
        for (block, (ends, quotes)) in blocks.iter().zip(&mut words) {
            (*ends, *quotes) = marks(block);
        }
        let mut last = [0; BLOCK];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        if let Some((ends, quotes)) = words.next() {
            (*ends, *quotes) = marks(&last);
        }
        for (ends, quotes) in words {
            (*ends, *quotes) = (0, 0);
        }
    }

    /// The first line end at or after this byte of the window.
    #[inline]
    pub fn end_from(&self, at: usize) -> Option<usize> {
        next(&self.ends, at).map(|n| at.saturating_add(n))
    }

    /// The quotes of a line that begins at this byte of the window, and ends in it.
    #[inline]
    pub fn quotes_at(&self, at: usize) -> Quotes<'_> {
        Quotes { known: Some((&self.quotes, at)) }
    }
}

impl Quotes<'_> {
    /// They are looked for when they are asked for.
    pub const UNKNOWN: Quotes<'static> = Quotes { known: None };

    /// Whether a look costs nearly nothing.
    #[inline]
    pub(super) fn known(self) -> bool {
        self.known.is_some()
    }

    /// Where the first quote stands in `rest`, which is the end of `line`.
    #[inline]
    pub(super) fn first(self, line: &[u8], rest: &[u8]) -> Option<usize> {
        match self.known {
            Some((bits, start)) => {
                let at = start.wrapping_add(line.len().wrapping_sub(rest.len()));
                next(bits, at).filter(|n| *n < rest.len())
            }
            None => memchr::memchr(b'"', rest),
        }
    }
}

/// How far the first bit set is behind `at`.
#[inline]
fn next(bits: &Bits, at: usize) -> Option<usize> {
    let (word, shift) = (at / BLOCK, at % BLOCK);
    // 64 bits from there on, whatever word they are in
    let near = bits.get(word)? >> shift | bits.get(word.wrapping_add(1))? << 1 << (BLOCK - 1 - shift);
    if near != 0 {
        return usize::try_from(near.trailing_zeros()).ok();
    }
    let mut far = bits.iter().skip(word.wrapping_add(1)).enumerate();
    far.find(|(_, word)| **word != 0).and_then(|(n, word)| {
        let bit = usize::try_from(word.trailing_zeros()).ok()?;
        Some((n + 1) * BLOCK + bit - shift)
    })
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
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 20),
        ) {
            let mut marks = Marks::default();
            marks.sweep(b"\"\n\"\n\"");
            marks.sweep(&text);
            let window = &text[..text.len().min(WINDOW)];
            for cut in cuts {
                let at = cut.index(window.len() + 1);
                let end = marks.end_from(at);
                prop_assert_eq!(end, memchr::memchr(b'\n', &window[at..]).map(|n| at + n));
                // a line from there, and its quotes from some byte of it on
                let line = &window[at..end.unwrap_or(window.len())];
                for rest in (0..=line.len()).step_by(7).map(|from| &line[from..]) {
                    prop_assert_eq!(marks.quotes_at(at).first(line, rest), memchr::memchr(b'"', rest));
                }
            }
        }
    }
}
