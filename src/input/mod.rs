//! Sources → chunks of whole lines: decompression, positioned reads, spool.
//!
//! Never knows a log format, never maps a file into memory, never holds more of a source than a buffer, one line
//! and what its decoder needs.
//!
//! [`open`] (or [`spool`], for what can be read only once) gives an [`Opened`]; its [`Opened::units`] can be read
//! by as many threads as there are units, each with a [`Reader`] of its own. Whatever the units and the size of
//! the buffers, the same lines come out once each.
//!
//! # What counts as a line
//!
//! Bytes up to and including `\n`. NUL bytes at the front of a line are passed over, and so is any run of at least
//! [`HOLE`] NULs within one (what a crash leaves in a file that was about to grow, and what `copytruncate` leaves
//! in front of a writer that keeps its position): the run ends the line before it, which is then delivered without
//! `\n`, and the rest follows as a line of its own. Offsets stay those of the stream. NULs at the very end of a
//! source are dropped. Shorter runs in mid-line are left to the parser.

mod ahead;
mod bytes;
mod codec;
#[cfg(feature = "isal")]
mod isal;
mod lines;
mod opened;
mod reader;
mod spool;
mod unpack;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

pub use opened::{Opened, open};
pub use reader::Reader;
pub use spool::spool;

/// Bytes of the longest line that is delivered, its `\n` not counted: no log format writes longer ones on purpose,
/// and every thread may hold one.
pub const MAX_LINE: usize = 1 << 20;

/// Bytes of a plain file given to one thread at a time: large against a line, small enough to share evenly.
pub const UNIT: u64 = 8 << 20;

/// Bytes asked for at a time: stays in the L2 cache between the read and the parser.
pub const BUFFER: usize = 256 << 10;

/// NUL bytes in a row that count as a hole and not as text: half a block of common file systems would do, a
/// message with a few stray NULs must not.
pub const HOLE: usize = 2048;

/// Unpacked bytes without a line end after which a packed source is given up: a bomb, not a log.
pub const LINELESS_LIMIT: u64 = 256 << 20;

/// Unpacked bytes after which a packed source is given up: honest logs reach 10,000 to 1, but an archive of a
/// server's worst day is far from this.
pub const UNPACKED_LIMIT: u64 = 64 << 30;

/// What a [`Reader`] hands to its sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Whole lines, each ended by `\n`. Only the last may lack it: at the end of the source, at damage, and before
    /// a hole. Never empty.
    Lines {
        /// Position of `bytes[0]` in the unpacked stream.
        offset: u64,
        /// The lines.
        bytes: &'a [u8],
    },
    /// A line longer than [`MAX_LINE`], passed over.
    OverLong {
        /// Position of its first byte in the unpacked stream.
        offset: u64,
        /// Its bytes, with its `\n` if it has one.
        length: u64,
    },
}

/// How reading a range ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Everything in the range was delivered.
    Complete,
    /// The source ends before it should; all there was has been delivered. Such as `gzip data ends early`.
    Truncated(String),
    /// The rest cannot be read; everything before the damage was delivered. Such as `gzip data is corrupt (…)`.
    Damaged(String),
    /// The rest was not read because it goes beyond a limit, which the text names.
    Limit(String),
    /// The sink asked to stop.
    Stopped,
}

/// How reading a range went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Unpacked bytes of the lines that belong to the range, over-long lines and holes included: over all ranges of
    /// a tiling they add up to the length of the stream.
    pub bytes: u64,
}

/// What receives the pieces of a source, in order.
pub type Sink<'s> = dyn FnMut(Piece<'_>) -> ControlFlow<()> + 's;

/// What a line and a hole are: constants but for tests, which use small ones.
#[derive(Debug, Clone, Copy)]
struct Limits {
    line: usize,
    hole: usize,
    lineless: u64,
    unpacked: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: MAX_LINE, hole: HOLE, lineless: LINELESS_LIMIT, unpacked: UNPACKED_LIMIT }
    }
}
