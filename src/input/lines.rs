//! Cuts a stream of bytes into whole lines, and tells which of them belong to a range.
//!
//! Works on whatever lies in the buffer and says what must be kept for the next time. No IO.

use std::ops::{ControlFlow, Range};

use memchr::{memchr, memrchr};

use super::{Limits, Piece, Sink};

/// Where the cutter stands between two buffers.
#[derive(Clone, Copy)]
enum Mode {
    /// Looking for the first newline at or after the start of the range.
    Seek,
    /// At the start of a line, or of the rest of one after a hole.
    Line,
    /// Passing over an over-long line that began at this offset.
    Skip { from: u64 },
}

/// What became of a buffer.
pub(super) enum Step {
    /// Go on at this index of the same buffer.
    On(usize),
    /// Everything from this index on must lie at the front of the next buffer.
    Keep(usize),
    /// All lines of the range are delivered.
    Done,
    /// The sink asked to stop.
    Stopped,
}

/// Delivers the lines that start in a range.
pub(super) struct Cutter<'a> {
    range: Range<u64>,
    limits: Limits,
    mode: Mode,
    sink: &'a mut Sink<'a>,
    /// From the first line of the range to the end of the last one delivered.
    owned: Option<Range<u64>>,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(range: Range<u64>, limits: Limits, sink: &'a mut Sink<'a>) -> Self {
        let (mode, owned) = if range.start == 0 { (Mode::Line, Some(0..0)) } else { (Mode::Seek, None) };
        Self { range, limits, mode, sink, owned }
    }

    /// Bytes of the lines of the range, so far.
    pub(super) fn bytes(&self) -> u64 {
        self.owned.as_ref().map_or(0, |owned| owned.end.saturating_sub(owned.start))
    }

    /// Delivers the whole lines in `bytes`, whose first byte is at offset `at`. `bytes[..fresh]` has been seen before:
    /// it was kept the last time.
    pub(super) fn take(&mut self, at: u64, bytes: &[u8], fresh: usize) -> Step {
        let mut position = 0;
        loop {
            let step = match self.mode {
                Mode::Seek => self.seek(at, bytes, position),
                Mode::Line => self.lines(at, bytes, position, fresh),
                Mode::Skip { from } => self.skip(at, bytes, position, from),
            };
            match step {
                Step::On(next) => position = next,
                other => return other,
            }
        }
    }

    /// Nothing follows: delivers what was kept, `rest` at offset `at`. Says whether the sink wants to go on.
    pub(super) fn finish(&mut self, at: u64, rest: &[u8]) -> ControlFlow<()> {
        let text = rest.get(..rest.len() - trailing_nuls(rest)).unwrap_or_default();
        let flow = match self.mode {
            Mode::Seek => return ControlFlow::Continue(()),
            Mode::Line if text.is_empty() => ControlFlow::Continue(()),
            Mode::Line => self.deliver(at, text),
            Mode::Skip { from } => {
                let end = at.saturating_add(text.len() as u64);
                (self.sink)(Piece::OverLong { offset: from, length: end.saturating_sub(from) })
            }
        };
        self.reached(at.saturating_add(rest.len() as u64));
        flow
    }

    fn reached(&mut self, offset: u64) {
        if let Some(owned) = &mut self.owned {
            owned.end = offset;
        }
    }

    fn seek(&mut self, at: u64, bytes: &[u8], position: usize) -> Step {
        let from = position.max(index(self.range.start, at)).min(bytes.len());
        let end = at.saturating_add(bytes.len() as u64);
        match memchr(b'\n', tail(bytes, from)) {
            Some(newline) => {
                let next = from + newline + 1;
                let line = at.saturating_add(next as u64);
                if line > self.range.end {
                    return Step::Done;
                }
                self.owned = Some(line..line);
                self.mode = Mode::Line;
                Step::On(next)
            }
            // A newline from here on would start a line of the next range. Looking on would read the whole of an
            // endless line once per unit.
            None if end >= self.range.end => Step::Done,
            None => Step::Keep(bytes.len()),
        }
    }

    fn lines(&mut self, at: u64, bytes: &[u8], position: usize, fresh: usize) -> Step {
        let start = position + leading_nuls(tail(bytes, position));
        if start >= bytes.len() {
            return Step::Keep(bytes.len());
        }
        // What was kept holds no newline, or it would not have been kept.
        let from = start.max(fresh);
        let last = from.max(index(self.range.end, at)).min(bytes.len());
        let (newline, done) = match memchr(b'\n', tail(bytes, last)) {
            Some(i) => (Some(last + i), true),
            None => (memrchr(b'\n', tail(bytes, from)).map(|i| from + i), false),
        };
        let Some(newline) = newline else { return self.unfinished(at, bytes, start, fresh) };
        let end = newline + 1;
        let block = bytes.get(start..end).unwrap_or_default();
        if self.block(at.saturating_add(start as u64), block).is_break() {
            return Step::Stopped;
        }
        self.reached(at.saturating_add(end as u64));
        if done { Step::Done } else { Step::On(end) }
    }

    /// The start of a line whose end is not in the buffer.
    fn unfinished(&mut self, at: u64, bytes: &[u8], start: usize, fresh: usize) -> Step {
        let offset = at.saturating_add(start as u64);
        // A hole may have begun in what was kept, but by less than its full length.
        let from = start.max(fresh.saturating_sub(self.limits.hole));
        if let Some(hole) = find_hole(tail(bytes, from), self.limits.hole) {
            let hole = from + hole;
            if self.deliver(offset, bytes.get(start..hole).unwrap_or_default()).is_break() {
                return Step::Stopped;
            }
            self.reached(at.saturating_add(hole as u64));
            return Step::On(hole);
        }
        let text = tail(bytes, start);
        if text.len() - trailing_nuls(text) > self.limits.line {
            self.mode = Mode::Skip { from: offset };
            return Step::On(start);
        }
        Step::Keep(start)
    }

    fn skip(&mut self, at: u64, bytes: &[u8], position: usize, from: u64) -> Step {
        let rest = tail(bytes, position);
        let newline = memchr(b'\n', rest);
        let within = rest.get(..newline.unwrap_or(rest.len())).unwrap_or_default();
        let next = match (find_hole(within, self.limits.hole), newline) {
            (Some(hole), _) => position + hole,
            (None, Some(newline)) => position + newline + 1,
            // Trailing NULs may be the start of a hole.
            (None, None) => return Step::Keep(bytes.len() - trailing_nuls(rest)),
        };
        let end = at.saturating_add(next as u64);
        self.mode = Mode::Line;
        if (self.sink)(Piece::OverLong { offset: from, length: end.saturating_sub(from) }).is_break() {
            return Step::Stopped;
        }
        self.reached(end);
        let ended_by_newline = next > 0 && bytes.get(next - 1) == Some(&b'\n');
        if ended_by_newline && end > self.range.end { Step::Done } else { Step::On(next) }
    }

    /// Delivers whole lines without their holes. `block` does not begin with NUL.
    fn block(&mut self, at: u64, block: &[u8]) -> ControlFlow<()> {
        let mut done = 0;
        let mut from = 0;
        while let Some(i) = memchr(0, tail(block, from)) {
            let nul = from + i;
            from = nul + leading_nuls(tail(block, nul));
            let line_start = nul > 0 && block.get(nul - 1) == Some(&b'\n');
            if line_start || from - nul >= self.limits.hole {
                self.deliver(at.saturating_add(done as u64), block.get(done..nul).unwrap_or_default())?;
                done = from;
            }
        }
        self.deliver(at.saturating_add(done as u64), tail(block, done))
    }

    /// Delivers lines; the first may be over-long, no other can be, because a buffer's fresh part is no longer than
    /// the longest line.
    fn deliver(&mut self, offset: u64, bytes: &[u8]) -> ControlFlow<()> {
        if bytes.len() <= self.limits.line {
            return (self.sink)(Piece::Lines { offset, bytes });
        }
        let newline = memchr(b'\n', bytes);
        if newline.unwrap_or(bytes.len()) <= self.limits.line {
            return (self.sink)(Piece::Lines { offset, bytes });
        }
        let length = newline.map_or(bytes.len(), |newline| newline + 1);
        (self.sink)(Piece::OverLong { offset, length: length as u64 })?;
        match tail(bytes, length) {
            [] => ControlFlow::Continue(()),
            rest => (self.sink)(Piece::Lines { offset: offset.saturating_add(length as u64), bytes: rest }),
        }
    }
}

fn tail(bytes: &[u8], from: usize) -> &[u8] {
    bytes.get(from..).unwrap_or_default()
}

/// Where `offset` lies in a buffer that begins at `at`; 0 if before it.
fn index(offset: u64, at: u64) -> usize {
    usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX)
}

/// How many NULs `bytes` begins with. In blocks, because holes are long and this is all that they cost.
fn leading_nuls(bytes: &[u8]) -> usize {
    let is_zero = |block: &&[u8]| block.iter().fold(0, |all, byte| all | byte) == 0;
    let blocks = bytes.chunks_exact(64).take_while(is_zero).count() * 64;
    blocks + tail(bytes, blocks).iter().take_while(|&&byte| byte == 0).count()
}

fn trailing_nuls(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|&&byte| byte == 0).count()
}

/// Where the first run of at least `hole` NULs begins.
fn find_hole(bytes: &[u8], hole: usize) -> Option<usize> {
    let mut from = 0;
    while let Some(i) = memchr(0, tail(bytes, from)) {
        let start = from + i;
        let run = leading_nuls(tail(bytes, start));
        if run >= hole {
            return Some(start);
        }
        from = start + run;
    }
    None
}
