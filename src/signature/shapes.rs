//! Messages that differ from one another in their numbers alone, and that no rule is about: to see that takes half of what
//! it takes to look for the texts of all rules in them.
//!
//! A text of a rule lies between two numbers of a message, or it is made of some of what numbers are made of. If the former
//! stands in none of the gaps of one message, it stands in none of another with the same gaps; and the latter stands in
//! none of them unless it does so where all numbers are equal.

use super::rules::Rules;
use crate::parse::{Numbers, is_joint};

/// Shapes that are remembered: those of a few programs.
const SLOTS: usize = 64;
/// Longer messages, or those of more pieces, are looked at each time.
const MAX_MESSAGE: usize = 256;
const MAX_PIECES: usize = 16;
/// Bytes that are compared at once.
const WORD: usize = 16;
/// Messages that are to be known by their shape for each shape that is noted.
const PRICE: u32 = 128;
/// Shapes that may be noted before one is of use; from then on one in so many messages.
const CREDIT: u32 = 64 * PRICE;
const RETRY: u32 = 1024;
/// Of the bits that are known at once, those behind this one are looked up anew.
const FAR: usize = 48;

/// Shapes of messages that no rule says anything of.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    /// None until there was one.
    slots: Vec<Shape>,
    /// What noting cost, in messages, less those that it was of use for.
    debt: u32,
    missed: u32,
}

/// Texts with numbers between them, whichever.
#[derive(Debug, Default)]
struct Shape {
    /// The first of these, `length` of them.
    pieces: [Piece; MAX_PIECES],
    length: usize,
    /// No rule is about any message of this shape, whoever says it.
    ruled_out: bool,
}

/// Sixteen bytes between numbers, or fewer.
#[derive(Debug, Default)]
struct Piece {
    word: u128,
    mask: u128,
    length: usize,
    /// A number follows.
    numbered: bool,
}

impl Shapes {
    /// Whether it is known of the shape of a message that no rule is about it; `None` where the shape is not known.
    #[inline]
    pub(super) fn rule_out(&mut self, message: &[u8], numbers: Numbers<'_>) -> Option<bool> {
        let shape =
            self.slots.get(slot_of(message, numbers)).filter(|shape| shape.is_of(message, numbers))?;
        self.debt = self.debt.saturating_sub(u32::from(shape.ruled_out));
        Some(shape.ruled_out)
    }

    /// Takes note of a message that no rule is about, and whose shape is not known.
    #[inline]
    pub(super) fn missed(&mut self, rules: &Rules, message: &[u8], numbers: Numbers<'_>) {
        self.missed = self.missed.wrapping_add(1);
        if self.debt < CREDIT || self.missed.is_multiple_of(RETRY) {
            self.debt = self.debt.saturating_add(PRICE);
            self.note(rules, message, numbers);
        }
    }

    #[inline(never)]
    fn note(&mut self, rules: &Rules, message: &[u8], numbers: Numbers<'_>) {
        if message.len() > MAX_MESSAGE {
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, Shape::default);
        }
        if let Some(shape) = self.slots.get_mut(slot_of(message, numbers)) {
            shape.set(message, rules.rule_out_alike(message));
        }
    }
}

impl Shape {
    /// Makes it the shape of a message; that of none, if it takes too many pieces.
    fn set(&mut self, message: &[u8], ruled_out: bool) {
        (self.length, self.ruled_out) = (0, ruled_out);
        let mut rest = message;
        for (nth, piece) in self.pieces.iter_mut().enumerate() {
            let gap = rest.iter().take(WORD).take_while(|b| !b.is_ascii_digit()).count();
            let (text, behind) = rest.split_at_checked(gap).unwrap_or_default();
            rest = behind.get(number(behind)..).unwrap_or_default();
            let word = |byte: fn(u8) -> u8| {
                text.iter().rev().fold(0u128, |word, b| word << 8 | u128::from(byte(*b)))
            };
            let numbered = rest.len() < behind.len();
            *piece = Piece { word: word(|b| b), mask: word(|_| 0xFF), length: gap, numbered };
            if rest.is_empty() {
                self.length = nth + 1;
                return;
            }
        }
    }

    /// Whether it is that of a message.
    #[inline]
    fn is_of(&self, message: &[u8], numbers: Numbers<'_>) -> bool {
        let mut edges = Edges::of(numbers, 0);
        let mut at = 0;
        for piece in self.pieces.get(..self.length).unwrap_or_default() {
            let Some(bytes) = numbers.bytes(at) else { return false };
            if (u128::from_le_bytes(*bytes) ^ piece.word) & piece.mask != 0 {
                return false;
            }
            at += piece.length;
            if piece.numbered {
                if at - edges.from > FAR {
                    edges = Edges::of(numbers, at);
                }
                let (begins, ends) = edges.next();
                if begins != at {
                    return false;
                }
                at = ends;
            }
        }
        at > 0 && at == message.len()
    }
}

/// Where numbers begin and end, as far as that is known at once: one that is longer ends too early for what follows it.
struct Edges {
    /// Where the bits begin.
    from: usize,
    begins: u64,
    ends: u64,
}

impl Edges {
    #[inline]
    fn of(numbers: Numbers<'_>, from: usize) -> Self {
        let bits = numbers.bits(from);
        Self { from, begins: bits & !(bits << 1), ends: !bits & bits << 1 }
    }

    /// Those of the next number. They don't depend on what stands before it, so that nothing waits for that.
    #[inline]
    fn next(&mut self) -> (usize, usize) {
        let at = |bits: u64| self.from + bits.trailing_zeros() as usize;
        let next = (at(self.begins), at(self.ends));
        self.begins &= self.begins.wrapping_sub(1);
        self.ends &= self.ends.wrapping_sub(1);
        next
    }
}

/// How long the number is that a text begins with.
fn number(text: &[u8]) -> usize {
    let mut digit = false;
    let is_part = |byte: &&u8| {
        let joins = std::mem::replace(&mut digit, byte.is_ascii_digit()) && is_joint(**byte);
        joins || digit
    };
    text.iter().take_while(is_part).count()
}

/// A cheap hash of how a message begins and ends: a collision costs time, nothing else.
#[inline]
fn slot_of(message: &[u8], numbers: Numbers<'_>) -> usize {
    let head =
        numbers.bytes(0).and_then(|bytes| bytes.first_chunk()).map_or(0, |head| u64::from_le_bytes(*head));
    // up to the first number, no more than seven bytes
    let gap = (numbers.bits(0) | 1 << 7).trailing_zeros();
    let head = head & !(u64::MAX << (8 * gap));
    let last = message.last().filter(|last| !is_joint(**last)).map_or(0, |last| u64::from(*last));
    usize::try_from((head ^ last << 56).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 58).unwrap_or(0) % SLOTS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parse::{Lines, Marks};
    use crate::signature::Known;

    /// Calls `each` for messages, which lie behind one another.
    fn each_of(messages: &[String], mut each: impl FnMut(&str, Numbers<'_>)) {
        let text = messages.join("\n") + "\nsixteen bytes behind";
        let mut marks = Marks::of_messages(true);
        let mut lines = Lines::of(&mut marks, text.as_bytes());
        for message in messages {
            each(message, lines.next().unwrap().numbers.unwrap());
        }
    }

    /// Fills the gaps of a text, which are `#`, with these.
    fn filled(text: &str, numbers: &[&str]) -> String {
        let mut gaps = text.split('#');
        let mut all = gaps.next().unwrap_or_default().to_owned();
        for (gap, number) in gaps.zip(numbers.iter().cycle()) {
            all.push_str(number);
            all.push_str(gap);
        }
        all
    }

    proptest! {
        #[test]
        fn what_is_said_of_shapes_is_what_the_rules_say(
            messages in prop::collection::vec((0usize..14, prop::collection::vec(0usize..13, 1..4), prop::option::of(0usize..3)), 1..200),
        ) {
            let texts = [
                "order # placed by # in # ms", "order # failed", "#", "# #: no such host", "Error # connecting to #", "#x#: certificate ",
                "SIGUSR# received, graceful restart", "connect() failed (#: Connection refused) while connecting to upstream # of #",
                "EXT#-fs error # [#] (sda#)", "proxy: AH# (#)Connection refused", "bind() (#Permission denied) #", "worker#exiting",
                "a message of more bytes than are known at once, # of them, or # and # and then # and #, and so on: # by #",
                "Out of memory: #",
            ];
            let numbers = [
                "1", "111", "4", "00957", "10.0.0.9", "10.0.0.9:8080", "7, ", "7,", ", ", "12-", "3::4", "509",
                "1234567890123456789012345678901234567890123456789012345678901234567890",
            ];
            let programs = ["nginx", "kernel", "shop"];
            let rules = Rules::built_in().unwrap();
            let mut known = Known::default();
            let filled: Vec<String> = messages
                .iter()
                .map(|(text, with, _)| filled(texts[*text], &with.iter().map(|n| numbers[*n]).collect::<Vec<_>>()))
                .collect();
            let mut by = messages.iter().map(|(_, _, program)| program.map(|p| programs[p].as_bytes()));
            each_of(&filled, |message, numbers| {
                let (message, program) = (message.as_bytes(), by.next().flatten());
                let found = known.find_marked(&rules, (message, Some(numbers)), program);
                assert_eq!(found, rules.find(message, program));
            });
        }
    }

    #[test]
    fn a_shape_is_that_of_all_numbers() {
        let rules = Rules::built_in().unwrap();
        let mut shapes = Shapes::default();
        let text =
            "job # of # took # s on #, which is more than #; # of # remain, # were left out and # came late";
        let messages =
            [["1", "2022-01-02", "31.4"], ["13:14:15", "1/1", "10.0.0.1:80"], ["007", "1.2.3", "9"]];
        let mut known = Vec::new();
        each_of(&messages.map(|numbers| filled(text, &numbers)), |message, numbers| {
            known.push(shapes.rule_out(message.as_bytes(), numbers));
            if known.last() == Some(&None) {
                shapes.missed(&rules, message.as_bytes(), numbers);
            }
        });
        assert_eq!(known, [None, Some(true), Some(true)]);
    }

    #[test]
    fn what_stands_there_with_other_numbers_is_not_ruled_out() {
        let rules = Rules::built_in().unwrap();
        for text in ["proxy: AH12 x", "read: no such host", "EXT2-fs error", "connect() failed (7: x"] {
            assert!(!rules.rule_out_alike(text.as_bytes()), "{text}");
        }
        assert!(rules.rule_out_alike(b"order 12 placed by 10.0.0.9 in 7 ms"));
    }
}
