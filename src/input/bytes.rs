//! Positioned reads: the one place that touches a file's contents, and the one that tests replace.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use super::End;

/// Reads are made at multiples of this, so that the kernel never copies part of a page twice.
pub(super) const PAGE: u64 = 4096;

/// Bytes asked for behind the end of a range, for its last line: most are shorter.
const LAST_LINE: usize = 8 << 10;

/// What is said of a file that became shorter than it was when it was opened.
pub(super) const SHRANK: &str = "the file shrank while it was read";

/// Bytes that can be read at any position, by several threads at once.
pub(super) trait Bytes: Send + Sync {
    /// Like `pread`: may read less than asked for; 0 only at the end.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Bytes for File {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, into, offset)
    }
}

/// Reads until `into` is full or the end is reached, through interruptions and short reads.
///
/// An error after some bytes is kept back: the next read, right where it happened, meets it again.
pub(super) fn read_full_at(bytes: &dyn Bytes, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match bytes.read_at(rest, offset.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) if done > 0 => break,
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// The words for a read that failed.
pub(super) fn unreadable(error: &io::Error) -> End {
    End::Damaged(format!("reading failed: {}", crate::discover::plain_reason(error)))
}

/// What one [`Fill::fill`] brought.
pub(super) struct Filled {
    /// Bytes written to the front of the slice.
    pub(super) bytes: usize,
    /// Bytes on disk that this took.
    pub(super) consumed: u64,
    /// Nothing follows, and why.
    pub(super) end: Option<End>,
}

/// A stream of unpacked bytes.
pub(super) trait Fill {
    /// Fills `into`; less only together with an end.
    fn fill(&mut self, into: &mut [u8]) -> Filled;

    /// How much to ask for, at most `chunk`, so that the read after it starts at a page.
    fn ask(&self, chunk: usize) -> usize {
        chunk
    }
}

/// A plain file from a position on.
pub(super) struct Positioned<'a> {
    pub(super) bytes: &'a dyn Bytes,
    /// Where the next read starts.
    pub(super) at: u64,
    /// Where reading ends.
    pub(super) length: u64,
    /// Only what lies in here counts as progress, so that the units of a file add up to its length.
    pub(super) counted: std::ops::Range<u64>,
}

impl Fill for Positioned<'_> {
    fn fill(&mut self, into: &mut [u8]) -> Filled {
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let size = left.min(into.len());
        let into = into.get_mut(..size).unwrap_or_default();
        let (bytes, mut end) = match read_full_at(self.bytes, into, self.at) {
            Ok(0) if size > 0 => (0, Some(End::Truncated(SHRANK.into()))),
            Ok(n) => (n, None),
            Err(e) => (0, Some(unreadable(&e))),
        };
        let from = self.at.clamp(self.counted.start, self.counted.end);
        self.at = self.at.saturating_add(bytes as u64);
        let to = self.at.clamp(self.counted.start, self.counted.end);
        if self.at >= self.length {
            end = end.or(Some(End::Complete));
        }
        Filled { bytes, consumed: to.saturating_sub(from), end }
    }

    fn ask(&self, chunk: usize) -> usize {
        // behind the range only the end of its last line is wanted
        let left = usize::try_from(self.counted.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let chunk = chunk.min(left.saturating_add(LAST_LINE));
        let past = usize::try_from(self.at % PAGE).unwrap_or(0);
        if chunk > past && chunk as u64 >= PAGE { chunk - past } else { chunk }
    }
}

/// A file as a [`Read`], for decoders that want one.
pub(super) struct Stream<'a> {
    pub(super) bytes: &'a dyn Bytes,
    pub(super) length: u64,
    /// Bytes read so far, shared with whoever reports progress.
    pub(super) at: Rc<Cell<u64>>,
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let at = self.at.get();
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let size = left.min(into.len());
        let read = read_full_at(self.bytes, into.get_mut(..size).unwrap_or_default(), at)?;
        if read == 0 && size > 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, SHRANK));
        }
        self.at.set(at.saturating_add(read as u64));
        Ok(read)
    }
}
