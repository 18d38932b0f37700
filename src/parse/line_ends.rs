//! Chunks → lines of messages, with their numbers, in sweeps over many lines at once.

use super::{Marks, Numbers};

/// Lines of a chunk with their ends, and where they begin.
pub struct Lines<'m, 't> {
    marks: &'m mut Marks,
    text: &'t [u8],
    /// Where the bytes begin that were swept over.
    base: usize,
    /// The next of the lines there.
    nth: usize,
}

/// A line with its end.
#[derive(Clone, Copy)]
pub struct Line<'t, 'm> {
    /// Where it begins.
    pub start: usize,
    /// The line.
    pub raw: &'t [u8],
    /// Its numbers, if they were sought.
    pub numbers: Option<Numbers<'m>>,
}

impl<'m, 't> Lines<'m, 't> {
    /// The lines of `text`, swept over with marks of messages.
    pub fn of(marks: &'m mut Marks, text: &'t [u8]) -> Self {
        marks.clear();
        Self { marks, text, base: 0, nth: 0 }
    }

    /// The next line.
    #[allow(clippy::should_implement_trait, reason = "the numbers are known until the next one is asked for")]
    #[inline]
    pub fn next(&mut self) -> Option<Line<'t, '_>> {
        let range = match self.marks.range(self.nth) {
            Some(range) => range,
            None => match self.sweep() {
                Some(range) => range,
                None => return self.long(),
            },
        };
        self.nth += 1;
        let start = self.base + range.start;
        let (raw, rest) = (self.text.get(start..self.base + range.end)?, self.text.get(start..)?);
        Some(Line { start, raw, numbers: self.marks.numbers_at(range.start, rest) })
    }

    /// Sweeps over what follows the lines that were swept over; where the first one lies, if it ends there.
    #[inline(never)]
    fn sweep(&mut self) -> Option<std::ops::Range<usize>> {
        self.base += self.marks.end();
        self.nth = 0;
        self.marks.sweep(self.text.get(self.base..)?);
        self.marks.range(0)
    }

    /// A line that is longer than what is swept over at a time, or has no end.
    #[cold]
    fn long(&mut self) -> Option<Line<'t, 'm>> {
        let start = self.base;
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        let raw = rest.get(..memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1))?;
        self.base += raw.len();
        Some(Line { start, raw, numbers: None })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_those_between_line_ends(
            lines in prop::collection::vec("[^\n]{0,200}|[^\n]{0,3}|[0-9]{9000}", 0..80),
            (open, numbers) in any::<(bool, bool)>(),
        ) {
            let mut text = lines.join("\n").into_bytes();
            if !open { text.push(b'\n'); }
            let mut marks = Marks::of_messages(numbers);
            marks.sweep(b"\n\n\n");
            let mut found = Lines::of(&mut marks, &text);
            let mut at = 0;
            for line in text.split_inclusive(|&b| b == b'\n') {
                let Line { start, raw, numbers } = found.next().unwrap();
                prop_assert_eq!((start, raw), (at, line));
                if let Some(numbers) = numbers {
                    prop_assert_eq!(numbers.bits(0) & 1 == 1, line[0].is_ascii_digit());
                }
                at += line.len();
            }
            prop_assert!(found.next().is_none() && found.next().is_none());
        }
    }
}
