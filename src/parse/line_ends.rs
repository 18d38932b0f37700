//! Chunks → lines: where lines are short, a call to memchr for each of them costs more than a sweep over all.

use wide::u8x16;

/// Bytes that are swept at a time.
const BLOCK: usize = 64;

/// Lines of a chunk with their ends, and where they begin.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t [u8],
    /// Where the next line begins.
    start: usize,
    /// The block whose line ends are known, and those that are left.
    block: usize,
    ends: u64,
    /// Where the block after it begins.
    next: usize,
}

impl<'t> Lines<'t> {
    /// The lines of `text`.
    pub fn of(text: &'t [u8]) -> Self {
        Self { text, start: 0, block: 0, ends: 0, next: 0 }
    }

    /// The last lines, which end in fewer bytes than a block, or nowhere.
    #[inline(never)]
    fn last(&mut self) -> Option<(usize, &'t [u8])> {
        let start = self.start;
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        let n = memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
        self.start = start + n;
        Some((start, rest.get(..n)?))
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = (usize, &'t [u8]);

    #[inline]
    fn next(&mut self) -> Option<(usize, &'t [u8])> {
        while self.ends == 0 {
            let Some(block) = self.text.get(self.next..).and_then(|rest| rest.first_chunk()) else {
                return self.last();
            };
            self.ends = ends(block);
            self.block = self.next;
            self.next += BLOCK;
        }
        let end = self.block + self.ends.trailing_zeros() as usize + 1;
        self.ends &= self.ends - 1;
        let start = std::mem::replace(&mut self.start, end);
        Some((start, self.text.get(start..end)?))
    }
}

/// A bit for each byte that ends a line.
#[inline]
fn ends(block: &[u8; BLOCK]) -> u64 {
    let end = u8x16::splat(b'\n');
    let found = |part: [u8; 16]| u64::from(u8x16::new(part).cmp_eq(end).move_mask().cast_unsigned());
    match *block.as_chunks().0 {
        [a, b, c, d] => found(a) | found(b) << 16 | found(c) << 32 | found(d) << 48,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Lines;

    proptest! {
        #[test]
        fn lines_are_those_between_line_ends(
            lines in prop::collection::vec("[^\n]{0,200}|[^\n]{0,3}", 0..40),
            open in any::<bool>(),
        ) {
            let mut text = lines.join("\n").into_bytes();
            if !open { text.push(b'\n'); }
            let found: Vec<(usize, &[u8])> = Lines::of(&text).collect();
            let mut at = 0;
            let wanted = text.split_inclusive(|&b| b == b'\n');
            let wanted: Vec<(usize, &[u8])> = wanted.map(|line| { at += line.len(); (at - line.len(), line) }).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
