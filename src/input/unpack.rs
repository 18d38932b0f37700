//! Packed sources → unpacked bytes.
//!
//! Drives the decoders a step at a time instead of through their `Read` wrappers, because those stop silently after
//! the first member or lose what they had unpacked when they meet damage.

use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::rc::Rc;

use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

use crate::discover::{Packing, starts_member};

use super::End;
use super::bytes::{Bytes, Fill, Filled, SHRANK, Stream, read_full_at, unreadable};
use super::codec::{Codec, State};

/// Packed bytes read at a time.
const PACKED: usize = 64 << 10;

/// Bytes of the longest character in UTF-8.
const CHARACTER: usize = 4;

/// Unpacked bytes that a decoder is asked for at a time, whoever asks for how many: what it still gives of damaged
/// data, and in which words it refuses the rest, depends on the room it has.
const ROOM: usize = 64 << 10;

/// The longest magic number of a member.
const MAGIC: usize = 6;

/// Unpacks gzip, bzip2, xz and zstd, member after member.
pub(super) struct Unpack<'a> {
    bytes: &'a dyn Bytes,
    length: u64,
    packing: Packing,
    /// Where the next packed bytes are read.
    at: u64,
    buffer: Vec<u8>,
    /// What of `buffer` is still to be unpacked.
    start: usize,
    end: usize,
    /// Unpacked bytes, and which of them are still to be handed on.
    unpacked: Vec<u8>,
    ready: std::ops::Range<usize>,
    /// The decoder of the member being read; `None` between two.
    codec: Option<Codec>,
    /// How many members were begun.
    members: u64,
    /// Bytes that may still be unpacked.
    allowance: u64,
    limit: u64,
    /// What to say once everything unpacked has been handed on.
    failed: Option<End>,
}

impl<'a> Unpack<'a> {
    pub(super) fn new(
        bytes: &'a dyn Bytes,
        length: u64,
        packing: Packing,
        limit: u64,
        mut buffer: Vec<u8>,
    ) -> Self {
        buffer.resize(PACKED, 0);
        let (start, end, at) = (0, 0, 0);
        let (codec, failed) = (None, None);
        Self {
            bytes,
            length,
            packing,
            at,
            buffer,
            start,
            end,
            unpacked: vec![0; ROOM],
            ready: 0..0,
            codec,
            members: 0,
            allowance: limit,
            limit,
            failed,
        }
    }

    /// The buffer, to be used again.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    fn eaten(&self) -> u64 {
        self.at.saturating_sub((self.end - self.start) as u64)
    }

    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads more packed bytes behind those that wait. Says whether any came.
    fn refill(&mut self) -> Result<bool, End> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let size = left.min(self.buffer.len() - self.end);
        let room = self.buffer.get_mut(self.end..self.end + size).unwrap_or_default();
        let read = read_full_at(self.bytes, room, self.at).map_err(|e| unreadable(&e))?;
        self.end += read;
        self.at = self.at.saturating_add(read as u64);
        Ok(read > 0)
    }

    /// Words for an end that comes too early.
    fn early(&self) -> End {
        let shrank = self.at < self.length;
        End::Truncated(if shrank { SHRANK.into() } else { format!("{} data ends early", name(self.packing)) })
    }

    /// Begins the member that follows, if one does.
    fn begin(&mut self) -> Result<(), End> {
        if self.members > 0 {
            // Tapes and some backup tools pad with NULs.
            loop {
                let padding = self.waiting().iter().take_while(|&&byte| byte == 0).count();
                self.start += padding;
                if self.start < self.end || !self.refill()? {
                    break;
                }
            }
        }
        if self.waiting().len() < MAGIC {
            self.refill()?;
        }
        let waiting = self.waiting();
        if waiting.is_empty() {
            return Err(if self.at < self.length || self.members == 0 {
                self.early()
            } else {
                End::Complete
            });
        }
        match starts_member(self.packing, waiting) {
            _ if self.members == 0 => {}
            Some(true) => {}
            Some(false) => return Err(self.early()),
            None => return Err(End::Damaged(format!("other data follows the {} data", name(self.packing)))),
        }
        self.members += 1;
        self.codec = Some(Codec::new(self.packing).map_err(|why| self.corrupt(&why))?);
        Ok(())
    }

    fn corrupt(&self, why: &str) -> End {
        End::Damaged(format!("{} data is corrupt ({why})", name(self.packing)))
    }

    /// Copies what is ready, as far as there is room. Says how much.
    fn hand_on(&mut self, room: &mut [u8]) -> usize {
        let size = self.ready.len().min(room.len());
        let from = self.ready.start;
        if let (Some(room), Some(ready)) = (room.get_mut(..size), self.unpacked.get(from..from + size)) {
            room.copy_from_slice(ready);
        }
        self.ready.start += size;
        size
    }

    /// Unpacks something into `into`, which is not empty. May be nothing; `Err` when nothing follows.
    fn step(&mut self, into: &mut [u8]) -> Result<usize, End> {
        if let Some(end) = &self.failed {
            return Err(end.clone());
        }
        if self.codec.is_none() {
            self.begin()?;
        }
        let exhausted = self.start == self.end && !self.refill()?;
        let packed = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some(codec) = &mut self.codec else { return Ok(0) };
        let step = codec.step(packed, into);
        self.start = (self.start + step.eaten).min(self.end);
        match step.state {
            State::More if step.eaten == 0 && step.made == 0 => {
                if exhausted || !self.refill()? {
                    let full = self.start == 0 && self.end == self.buffer.len();
                    return Err(if full { self.corrupt("no progress") } else { self.early() });
                }
            }
            State::More => {}
            State::Finished => self.codec = None,
            State::Corrupt(why) => self.failed = Some(self.corrupt(&why)),
            State::TooLarge(why) => self.failed = Some(End::Limit(why)),
        }
        Ok(step.made)
    }
}

impl Fill for Unpack<'_> {
    fn fill(&mut self, into: &mut [u8]) -> Filled {
        let before = self.eaten();
        let allowed = usize::try_from(self.allowance).unwrap_or(usize::MAX).min(into.len());
        let into = into.get_mut(..allowed).unwrap_or_default();
        let mut bytes = 0;
        let mut end = None;
        while let Some(room) = into.get_mut(bytes..).filter(|room| !room.is_empty()) {
            if !self.ready.is_empty() {
                bytes += self.hand_on(room);
                continue;
            }
            // where there is as much room as it is to have, it need not be copied
            if let Some(room) = room.get_mut(..ROOM) {
                match self.step(room) {
                    Ok(made) => bytes += made.min(ROOM),
                    Err(why) => {
                        end = Some(why);
                        break;
                    }
                }
                continue;
            }
            let mut unpacked = std::mem::take(&mut self.unpacked);
            let made = self.step(&mut unpacked);
            self.unpacked = unpacked;
            match made {
                Ok(made) => self.ready = 0..made.min(ROOM),
                Err(why) => {
                    end = Some(why);
                    break;
                }
            }
        }
        self.allowance = self.allowance.saturating_sub(bytes as u64);
        if self.allowance == 0 && end.is_none() {
            end = Some(End::Limit(format!("more than {} GiB unpacked", self.limit >> 30)));
        }
        let after = if end.is_some() { self.at } else { self.eaten() };
        Filled { bytes, consumed: after.saturating_sub(before), end }
    }
}

/// What the packing is called in messages.
fn name(packing: Packing) -> &'static str {
    match packing {
        Packing::Plain => "plain",
        Packing::Gzip => "gzip",
        Packing::Bzip2 => "bzip2",
        Packing::Xz => "xz",
        Packing::Zstd => "zstd",
        Packing::Utf16 => "UTF-16",
    }
}

/// UTF-16 with a byte order mark → UTF-8 without one. What is no UTF-16 becomes U+FFFD.
pub(super) struct Transcode<'a> {
    reader: DecodeReaderBytes<Stream<'a>, Vec<u8>>,
    at: Rc<Cell<u64>>,
}

impl<'a> Transcode<'a> {
    pub(super) fn new(bytes: &'a dyn Bytes, length: u64) -> Self {
        let at = Rc::new(Cell::new(0));
        let stream = Stream { bytes, length, at: Rc::clone(&at) };
        let reader = DecodeReaderBytesBuilder::new().bom_sniffing(true).strip_bom(true).build(stream);
        Self { reader, at }
    }
}

impl Fill for Transcode<'_> {
    fn fill(&mut self, into: &mut [u8]) -> Filled {
        let before = self.at.get();
        let size = into.len().max(1);
        let mut bytes = 0;
        let mut end = None;
        // Into less room than a character takes, encoding_rs_io loses the last one of a file with half a unit at its end.
        while let Some(room) = into.get_mut(bytes..).filter(|room| room.len() >= CHARACTER.min(size)) {
            match self.reader.read(room) {
                Ok(0) => end = Some(End::Complete),
                Ok(read) => bytes += read,
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                    end = Some(End::Truncated(SHRANK.into()));
                }
                Err(e) => end = Some(unreadable(&e)),
            }
            if end.is_some() {
                break;
            }
        }
        Filled { bytes, consumed: self.at.get().saturating_sub(before), end }
    }
}
