//! Paths → sources: which files are logs, in which order they were written.
//!
//! Never reads more of a file than its first bytes (and its last, where the first are all NUL); never follows a link
//! out of the given root; holds at most one file open at a time.

mod candidates;
mod files;
mod globs;
mod magic;
mod rotation;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::error::Result;
use crate::model::{SourceId, Timestamp, Untrusted};

pub use globs::Names;

pub(crate) use files::{is_descriptor, open_without_blocking, plain_reason};
pub(crate) use magic::{HEAD, packing_of, starts_member};

/// What the user pointed at.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Files, directories, `-` for standard input.
    pub paths: Vec<PathBuf>,
    /// Globs a file must match (any of them), when there are some.
    pub include: Vec<String>,
    /// Globs a file must not match.
    pub exclude: Vec<String>,
    /// Follow symbolic links out of a walked directory.
    pub follow: bool,
}

/// Where bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A regular file, or a FIFO or `/dev/fd/N` named on purpose.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

/// How the bytes are packed, told by the first bytes, never by the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packing {
    /// Text as it is: can be read at any position.
    Plain,
    /// gzip, possibly several members.
    Gzip,
    /// bzip2, possibly several streams.
    Bzip2,
    /// xz, possibly several streams.
    Xz,
    /// zstd, possibly several frames.
    Zstd,
    /// UTF-16 with a byte order mark.
    Utf16,
}

/// One file or stream that may hold log lines.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its index in [`Discovery::sources`].
    pub id: SourceId,
    /// Where to read it.
    pub origin: Origin,
    /// The name to show: the path as reached from what the user gave, `-` for standard input.
    pub name: Untrusted,
    /// How it is packed.
    pub packing: Packing,
    /// Bytes on disk when it was discovered; `None` for streams.
    pub length: Option<u64>,
    /// Last modification, where known.
    pub modified: Option<Timestamp>,
    /// The rotation set: the path without its rotation and compression suffixes
    /// (`nginx/access.log` for `nginx/access.log.2.gz`).
    pub group: Untrusted,
    /// Position in the set, 0 for the oldest.
    pub position: u32,
    /// Device and inode of a regular file: opening fails when another file has taken its place. `None` for streams.
    pub identity: Option<(u64, u64)>,
}

/// A file that is not read, and why: it still gets its row in the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The name to show.
    pub name: Untrusted,
    /// Whether this is a failure (`unreadable`), a second way to the same file (`duplicate`) or a choice (`skipped`).
    pub status: AsideStatus,
    /// Why, for a human.
    pub detail: String,
    /// Bytes on disk, where known.
    pub bytes: u64,
}

/// Why a file is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsideStatus {
    /// It could not be opened.
    Unreadable,
    /// No log: binary, an archive, empty of text, excluded.
    Skipped,
    /// The same file reached twice.
    Duplicate,
}

/// What there is to read.
#[derive(Debug, Default)]
pub struct Discovery {
    /// Sorted by group, then oldest first; the index is the [`SourceId`].
    pub sources: Vec<Source>,
    /// Sorted by name.
    pub set_aside: Vec<SetAside>,
}

/// Finds what there is to read.
///
/// Directories are walked, sorted by name. What cannot be read or is no log is set aside with a reason; it never ends
/// the run. The same file reached twice is read once. The result depends on the files alone, not on the order in
/// which the system lists them.
///
/// # Errors
///
/// [`crate::error::Error::Usage`] for a glob that is none, naming it.
pub fn discover(query: &Query) -> Result<Discovery> {
    let globs = globs::Globs::new(&query.include, &query.exclude)?;
    let mut candidates = candidates::Candidates::new(&globs, query.follow);
    for path in &query.paths {
        candidates.name(path);
    }
    Ok(candidates.into_discovery())
}
