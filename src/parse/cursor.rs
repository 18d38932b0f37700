//! JSON, value by value: no document is built.

use super::Reject;
use super::find::{digits, either};

/// Deeper nesting makes the line a reject: nothing legitimate needs it.
pub(super) const MAX_DEPTH: usize = 128;

/// A place in a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) line: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// What stands from here on.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    pub(super) fn bump(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.bump();
        }
        there
    }

    pub(super) fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.bump();
        }
    }

    /// The inside of a string, still escaped.
    #[inline]
    pub(super) fn string(&mut self) -> Result<&'a [u8], Reject> {
        if !self.eat(b'"') {
            return Err(Reject::Mismatch);
        }
        let start = self.at;
        loop {
            let n = either(self.rest(), b'"', b'\\').ok_or(Reject::Mismatch)?;
            self.at = self.at.saturating_add(n);
            if self.peek() == Some(b'"') {
                let inside = self.line.get(start..self.at).unwrap_or_default();
                self.bump();
                return Ok(inside);
            }
            // a backslash and what it escapes
            self.at = self.at.saturating_add(2);
        }
    }

    /// A value that is no object: the text of a string or number, of an array its first string; `None` for `null`.
    pub(super) fn value(&mut self, depth: usize) -> Result<Option<&'a [u8]>, Reject> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            Some(b'[') => self.array(depth),
            Some(_) => {
                let (value, after) = word(self.rest()).ok_or(Reject::Mismatch)?;
                self.at = self.line.len().saturating_sub(after.len());
                Ok(value)
            }
            None => Err(Reject::Mismatch),
        }
    }

    /// The first of an array's values if it is a string, as HTTP headers are logged; the others are passed over.
    fn array(&mut self, depth: usize) -> Result<Option<&'a [u8]>, Reject> {
        let start = self.at;
        self.bump();
        self.blanks();
        let first = if self.peek() == Some(b'"') { Some(self.string()?) } else { None };
        self.at = start;
        self.skip_array(depth)?;
        Ok(first)
    }

    /// Passes over an array, whatever is in it; brackets must pair up.
    fn skip_array(&mut self, depth: usize) -> Result<(), Reject> {
        let mut open = depth;
        loop {
            match self.peek().ok_or(Reject::Mismatch)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'{' => {
                    open = open.saturating_add(1);
                    if open > MAX_DEPTH {
                        return Err(Reject::TooDeep);
                    }
                }
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            self.bump();
            if open <= depth {
                return Ok(());
            }
        }
    }
}

/// A value without quotes, `None` of `null`, and what follows it.
#[allow(clippy::option_option, reason = "the outer one is for what is no value")]
#[allow(clippy::inline_always, reason = "the path that every line takes")]
#[inline(always)]
pub(super) fn word(rest: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    // a whole number, mostly
    let n = digits(rest);
    if n > 0 && matches!(rest.get(n), Some(b',' | b'}')) {
        return rest.split_at_checked(n).map(|(word, after)| (Some(word), after));
    }
    other_word(rest)
}

/// A value that is no whole number, or stands somewhere else than most.
#[allow(clippy::option_option, reason = "the outer one is for what is no value")]
#[inline(never)]
fn other_word(rest: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let n = rest.iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\r'));
    let (word, after) = rest.split_at_checked(n.unwrap_or(rest.len()))?;
    let value = match word {
        b"null" => None,
        b"true" | b"false" => Some(word),
        [b'-' | b'0'..=b'9', tail @ ..]
            if tail.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) =>
        {
            Some(word)
        }
        _ => return None,
    };
    Some((value, after))
}
