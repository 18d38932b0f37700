//! Lines within lines: what a container wrote, in the line that its runtime made of it.
//!
//! The lines within are told apart like those of any file, by the head of what was unwrapped; one that no format
//! accepts is the wrapper's message, or continues the record before it.

use std::sync::Arc;

use super::{FormatId, Formats, HEAD_LINES, Order, trim};
use crate::model::{Escape, Event, Kind, Message, Stamp};
use crate::parse::{Fields, Quotes, Reject, Scratch, unescape_into};

/// What is known of the lines within a file of wrapped ones.
#[derive(Debug)]
pub(super) struct Within {
    wrapper: FormatId,
    /// The order in which lines within are tried.
    order: Order,
    /// The head's lines within are mostly messages that go on over lines which no format accepts.
    continues: bool,
}

/// A line without its wrapper.
#[derive(Debug, Clone, Copy)]
pub struct Unwrapped<'a> {
    /// The line within.
    pub text: &'a [u8],
    /// When the wrapper was put around it.
    stamp: Option<Stamp>,
}

impl Order {
    /// Whether lines may have to be unwrapped before they are read.
    #[inline]
    pub fn wraps(&self) -> bool {
        self.within.is_some()
    }
}

impl Unwrapped<'_> {
    /// The time of a line within: its own if that says in which zone, else the wrapper's, which leaves nothing to guess.
    fn time(&self, own: Option<Stamp>) -> Option<Stamp> {
        own.filter(|stamp| stamp.offset.is_some()).or(self.stamp).or(own)
    }

    /// Whether the line, which no format accepts, goes on with the record before it.
    fn is_continuation(&self, within: &Within) -> bool {
        within.continues || self.text.first().is_none_or(u8::is_ascii_whitespace)
    }
}

impl Formats {
    /// What is within the lines of a head that reads best as `best`, if that is a wrapper.
    pub(super) fn within(&self, best: FormatId, head: &[&[u8]]) -> Option<Arc<Within>> {
        if !self.definition(best)?.wrapper {
            return None;
        }
        let mut scratch = Scratch::default();
        let texts: Vec<Vec<u8>> = head
            .iter()
            .filter_map(|line| {
                let mut plain = Vec::new();
                Some(self.without(best, line, &mut plain, &mut scratch)?.text.to_vec())
            })
            .filter(|text| !text.is_empty())
            .take(HEAD_LINES)
            .collect();
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        // a wrapper within a wrapper is read as its message
        let plain = |id: &FormatId| self.definition(*id).is_some_and(|d| !d.wrapper);
        let (scores, declared) = self.scores(self.ids().filter(plain).collect(), &texts);
        let continues = scores.first().is_some_and(|&(score, id)| {
            score > 0 && self.definition(id).is_some_and(|definition| definition.continuation)
        });
        let order = Order { ids: self.order(&scores), declared, within: None };
        Some(Arc::new(Within { wrapper: best, order, continues }))
    }

    /// The line within `line`, if the head's lines are wrapped and this one is; unescaped into `plain` if need be.
    pub fn unwrapped<'a>(
        &self,
        order: &Order,
        line: &'a [u8],
        plain: &'a mut Vec<u8>,
        scratch: &mut Scratch,
    ) -> Option<Unwrapped<'a>> {
        self.without(order.within.as_ref()?.wrapper, line, plain, scratch)
    }

    fn without<'a>(
        &self,
        wrapper: FormatId,
        line: &'a [u8],
        plain: &'a mut Vec<u8>,
        scratch: &mut Scratch,
    ) -> Option<Unwrapped<'a>> {
        let entry = self.entries.get(usize::from(wrapper.0))?;
        let mut fields = Fields::default();
        entry.counting.fill(line, Quotes::UNKNOWN, &mut fields, scratch).ok()?;
        let text = fields.message.text;
        let escape = entry.definition.escape;
        // mostly the line end is all that is escaped
        let bare = if escape == Escape::None { text } else { text.strip_suffix(b"\\n").unwrap_or(text) };
        let text = if escape == Escape::None || memchr::memchr(b'\\', bare).is_none() {
            bare
        } else {
            plain.clear();
            unescape_into(text, escape, plain);
            plain.as_slice()
        };
        Some(Unwrapped { text: trim(text), stamp: fields.stamp })
    }

    /// [`Self::parse`] for a line within another.
    ///
    /// # Errors
    /// Why it is no record of its own.
    pub fn parse_unwrapped<'a>(
        &self,
        order: &Order,
        line: &Unwrapped<'a>,
        scratch: &mut Scratch,
    ) -> Result<(FormatId, Event<'a>), Reject> {
        let within = order.within.as_ref().ok_or(Reject::Mismatch)?;
        match self.parse(&within.order, line.text, scratch) {
            Ok((id, event)) => Ok((id, Event { stamp: line.time(event.stamp), ..event })),
            Err(Reject::Mismatch) if !line.is_continuation(within) => {
                let message = Message { text: line.text, ..Message::default() };
                let kind = Kind::Message(message);
                Ok((within.wrapper, Event { stamp: line.stamp, escape: Escape::None, kind }))
            }
            Err(other) => Err(other),
        }
    }

    /// [`Self::count`] for a line within another.
    ///
    /// # Errors
    /// Why it is no record of its own.
    pub fn count_unwrapped<'a>(
        &self,
        order: &Order,
        line: &Unwrapped<'a>,
        fields: &mut Fields<'a>,
        scratch: &mut Scratch,
    ) -> Result<(FormatId, bool), Reject> {
        let within = order.within.as_ref().ok_or(Reject::Mismatch)?;
        match self.count(&within.order, line.text, fields, scratch) {
            Ok(read) => {
                fields.stamp = line.time(fields.stamp);
                Ok(read)
            }
            Err(Reject::Mismatch) if !line.is_continuation(within) => {
                fields.stamp = line.stamp;
                fields.message = Message { text: line.text, ..Message::default() };
                Ok((within.wrapper, false))
            }
            Err(other) => Err(other),
        }
    }
}
