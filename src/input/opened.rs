//! An open source and how it is shared out.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use crate::discover::{Origin, Packing, Source, open_without_blocking};

use super::bytes::Bytes;
use super::{End, UNIT, UNPACKED_LIMIT};

/// The most units of a file: beyond, units grow instead of their number.
const MAX_UNITS: u64 = 1 << 16;

/// A file this many times longer than what it holds on disk has no log in it that is worth reading all its holes.
/// File systems that compress stay far below.
const SPARSE: u64 = 1000;

/// An open source. Plain ones may be read by several threads at once.
pub struct Opened {
    pub(super) bytes: Box<dyn Bytes>,
    /// Bytes on disk when it was opened; what is appended later is not read.
    pub(super) length: u64,
    pub(super) packing: Packing,
    /// What to report at the end instead of [`End::Complete`]: set when it is known from the start that something is
    /// missing.
    pub(super) ending: Option<End>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("length", &self.length)
            .field("packing", &self.packing)
            .finish_non_exhaustive()
    }
}

/// Opens a source that is a regular file.
///
/// # Errors
///
/// What the system says; `InvalidInput` if it is no regular file (any more) or a stream, which [`super::spool`] is
/// for; `Other` if another file has taken its place since it was discovered.
pub fn open(source: &Source) -> io::Result<Opened> {
    let Origin::Path(path) = &source.origin else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a stream can be read only once"));
    };
    let file = open_without_blocking(path)?;
    // On the descriptor, not on the path: whoever may write to the directory may swap the file at any time.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if source.identity.is_some_and(|identity| identity != (metadata.dev(), metadata.ino())) {
        return Err(io::Error::other("another file has taken its place since the run began"));
    }
    let held = metadata.blocks().saturating_mul(512);
    Ok(Opened::regular(file, metadata.len(), held, source.packing))
}

impl Opened {
    fn regular(file: File, length: u64, held: u64, packing: Packing) -> Self {
        let hollow = length > UNPACKED_LIMIT && held < length / SPARSE;
        let ending = hollow.then(|| End::Limit("a sparse file: holes beyond 64 GiB are not read".into()));
        let length = if hollow { UNPACKED_LIMIT } else { length };
        Self { bytes: Box::new(file), length, packing, ending }
    }

    /// Ranges of unpacked bytes to be read one by one, by one thread or by several: page-aligned ranges of about
    /// [`UNIT`] bytes for a plain file, a single one for what must be unpacked from the start. Never empty.
    pub fn units(&self) -> Vec<Range<u64>> {
        if self.packing != Packing::Plain {
            return std::iter::once(0..u64::MAX).collect();
        }
        let step = self.length.div_ceil(UNIT).div_ceil(MAX_UNITS).max(1).saturating_mul(UNIT);
        let count = self.length.div_ceil(step).max(1);
        let start = |unit: u64| unit.saturating_mul(step).min(self.length);
        (0..count).map(|unit| start(unit)..start(unit + 1)).collect()
    }

    /// Bytes on disk when it was opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How it is packed.
    pub fn packing(&self) -> Packing {
        self.packing
    }
}
