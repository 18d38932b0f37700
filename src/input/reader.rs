//! Reads a range of an open source, chunk by chunk.

use std::ops::{ControlFlow, Range};

use memchr::{memchr, memrchr};

use crate::discover::Packing;

use super::ahead::Ahead;
use super::bytes::{Fill, PAGE, Positioned};
use super::lines::{Cutter, Step};
use super::unpack::{Transcode, Unpack};
use super::{BUFFER, End, Limits, Opened, Outcome, Piece};

/// Reads sources, one range after the other; one per thread. Holds at most its buffer, one line of
/// [`super::MAX_LINE`] and 64 KiB of packed data, and while it unpacks what the decoder needs (up to 128 MiB, as the
/// file's writer chose).
#[derive(Debug)]
pub struct Reader {
    pub(super) buffer: Vec<u8>,
    packed: Vec<u8>,
    pub(super) chunk: usize,
    pub(super) limits: Limits,
    ahead: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(BUFFER)
    }
}

impl Reader {
    /// A reader that asks for `buffer_bytes` at a time (1 to [`super::MAX_LINE`]; others are brought into that range).
    pub fn new(buffer_bytes: usize) -> Self {
        Self::with_limits(buffer_bytes, Limits::default())
    }

    pub(super) fn with_limits(buffer_bytes: usize, limits: Limits) -> Self {
        let chunk = buffer_bytes.clamp(1, limits.line);
        Self { buffer: Vec::new(), packed: Vec::new(), chunk, limits, ahead: false }
    }

    /// The same reader, which unpacks in a thread of its own while the lines are looked at. Worth it where there are
    /// cores to spare; the lines are the same.
    #[must_use]
    pub fn unpacking_ahead(self, ahead: bool) -> Self {
        Self { ahead, ..self }
    }

    /// Delivers every line that starts in `range` (its start excluded unless it is 0, its end included), in order.
    ///
    /// A range that starts later than 0 skips past the first newline at or after its start; lines that start at or
    /// before its end are read to their end. `range` is in unpacked bytes: packed sources are unpacked from 0 and
    /// thrown away up to its start. `progress` gets the bytes on disk consumed since its last call; over all units
    /// of a source they add up to its length. At damage, what was read of the last line is delivered too.
    pub fn read<'s>(
        &mut self,
        opened: &Opened,
        range: Range<u64>,
        progress: &mut dyn FnMut(u64),
        sink: &'s mut (dyn FnMut(Piece<'_>) -> ControlFlow<()> + 's),
    ) -> Outcome {
        let cutter = Cutter::new(range.clone(), self.limits, sink);
        let bytes = opened.bytes.as_ref();
        let length = opened.length;
        match opened.packing {
            Packing::Plain => {
                let at = range.start - range.start % PAGE;
                let mut fill =
                    Positioned { bytes, at, length, counted: range.start..range.end.max(range.start) };
                self.run(opened, &mut fill, at, cutter, progress)
            }
            Packing::Utf16 => self.run(opened, &mut Transcode::new(bytes, length), 0, cutter, progress),
            _ if self.ahead => self.read_ahead(opened, cutter, progress),
            _ => {
                let mut fill = unpacker(opened, self.limits, std::mem::take(&mut self.packed));
                let outcome = self.run(opened, &mut fill, 0, cutter, progress);
                self.packed = fill.into_buffer();
                outcome
            }
        }
    }

    /// Reads packed lines while another thread unpacks.
    fn read_ahead(&mut self, opened: &Opened, cutter: Cutter<'_>, progress: &mut dyn FnMut(u64)) -> Outcome {
        let (limits, chunk) = (self.limits, self.chunk);
        std::thread::scope(|scope| {
            let make = move || unpacker(opened, limits, Vec::new());
            if let Some(mut fill) = Ahead::start(scope, chunk, make) {
                self.run(opened, &mut fill, 0, cutter, progress)
            } else {
                self.run(opened, &mut make(), 0, cutter, progress)
            }
        })
    }

    fn run(
        &mut self,
        opened: &Opened,
        fill: &mut dyn Fill,
        start: u64,
        mut cutter: Cutter<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Outcome {
        let bounded = opened.packing == Packing::Plain;
        let mut at = start;
        let mut held = 0;
        let mut lineless = 0u64;
        loop {
            let ask = fill.ask(self.chunk);
            if self.buffer.len() < held + ask {
                // Exactly: doubling would cost every thread another megabyte.
                self.buffer.reserve_exact(held + ask - self.buffer.len());
                self.buffer.resize(held + ask, 0);
            }
            let room = self.buffer.get_mut(held..held + ask).unwrap_or_default();
            let mut filled = fill.fill(room);
            progress(filled.consumed);
            if !bounded {
                let fresh = room.get(..filled.bytes).unwrap_or_default();
                if let Some(cut) = lineless_after(&mut lineless, fresh, self.limits.lineless) {
                    let limit = self.limits.lineless >> 20;
                    filled.bytes = cut;
                    filled.end = Some(End::Limit(format!("{limit} MiB without a line end")));
                }
            }
            let length = held + filled.bytes;
            let text = self.buffer.get(..length).unwrap_or_default();
            let kept = match cutter.take(at, text, held) {
                Step::On(from) | Step::Keep(from) => from,
                Step::Done => return Outcome { end: End::Complete, bytes: cutter.bytes() },
                Step::Stopped => return Outcome { end: End::Stopped, bytes: cutter.bytes() },
            };
            at = at.saturating_add(kept as u64);
            if let Some(end) = filled.end {
                let rest = self.buffer.get(kept..length).unwrap_or_default();
                let flow = cutter.finish(at, rest);
                let end = if flow.is_break() { End::Stopped } else { at_last(end, opened) };
                return Outcome { end, bytes: cutter.bytes() };
            }
            self.buffer.copy_within(kept..length, 0);
            held = length - kept;
        }
    }
}

/// The decoder of a packed source; `buffer` is one that was used before.
#[cfg(not(feature = "isal"))]
fn unpacker(opened: &Opened, limits: Limits, buffer: Vec<u8>) -> Unpack<'_> {
    Unpack::new(opened.bytes.as_ref(), opened.length, opened.packing, limits.unpacked, buffer)
}

/// The decoder of a packed source; `buffer` is one that was used before.
#[cfg(feature = "isal")]
fn unpacker(opened: &Opened, limits: Limits, buffer: Vec<u8>) -> super::isal::Quick<'_> {
    let bytes = opened.bytes.as_ref();
    let careful = Unpack::new(bytes, opened.length, opened.packing, limits.unpacked, buffer);
    super::isal::Quick::new(bytes, opened.length, opened.packing, limits.unpacked, careful)
}

/// Follows how many bytes have come since the last line end; at the limit, says how many of `fresh` still count.
fn lineless_after(lineless: &mut u64, fresh: &[u8], limit: u64) -> Option<usize> {
    let left = usize::try_from(limit.saturating_sub(*lineless)).unwrap_or(usize::MAX);
    if let Some(head) = fresh.get(..left)
        && memchr(b'\n', head).is_none()
    {
        return Some(left);
    }
    *lineless = match memrchr(b'\n', fresh) {
        Some(newline) => (fresh.len() - newline - 1) as u64,
        None => lineless.saturating_add(fresh.len() as u64),
    };
    None
}

/// How a source ended whose last byte was read: what was known from the start to be missing is said now.
fn at_last(end: End, opened: &Opened) -> End {
    match (&end, &opened.ending) {
        (End::Complete | End::Truncated(_), Some(known)) => known.clone(),
        _ => end,
    }
}
