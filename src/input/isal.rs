//! gzip by Intel's ISA-L (feature `isal`), for as long as nothing is wrong with the data.
//!
//! Its decoder knows nothing of what it had unpacked when it met damage, and stops at padding. So whatever it refuses is
//! unpacked again by the careful one, from the start: the same bytes and the same words come out with and without it.

use std::cell::Cell;
use std::io::Read as _;
use std::rc::Rc;

use isal::Codec;
use isal::read::Decoder;

use crate::discover::Packing;

use super::End;
use super::bytes::{Bytes, Fill, Filled, Stream};
use super::unpack::Unpack;

/// Bytes that the careful decoder is asked for at a time when it catches up.
const CATCH_UP: usize = 256 << 10;

/// Unpacks what is packed, gzip quickly.
pub(super) struct Quick<'a> {
    /// `None` once it has refused something. It holds pointers into itself, so it may not move: hence the box.
    decoder: Option<Box<Decoder<Stream<'a>>>>,
    /// Packed bytes read so far, and how many of them were reported.
    at: Rc<Cell<u64>>,
    reported: u64,
    length: u64,
    /// Unpacked bytes handed on.
    made: u64,
    limit: u64,
    careful: Unpack<'a>,
}

impl<'a> Quick<'a> {
    /// `careful` is at the start of the same bytes, and gives up after `limit` unpacked ones. What is no gzip is left to
    /// it from the start.
    pub(super) fn new(
        bytes: &'a dyn Bytes,
        length: u64,
        packing: Packing,
        limit: u64,
        careful: Unpack<'a>,
    ) -> Self {
        let at = Rc::new(Cell::new(0));
        let stream = Stream { bytes, length, at: Rc::clone(&at) };
        let gzip = packing == Packing::Gzip;
        let decoder = gzip.then(|| Box::new(Decoder::new(stream, Codec::Gzip)));
        Self { decoder, at, reported: 0, length, made: 0, limit, careful }
    }

    /// The buffer of the careful decoder, to be used again.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.careful.into_buffer()
    }

    /// Fills `into`; less at the end of sound data. `None` if anything is wrong.
    fn quick(&mut self, into: &mut [u8]) -> Option<usize> {
        let decoder = self.decoder.as_mut()?;
        if self.made.saturating_add(into.len() as u64) > self.limit {
            return None;
        }
        let mut bytes = 0;
        while let Some(room) = into.get_mut(bytes..).filter(|room| !room.is_empty()) {
            match decoder.read(room) {
                Ok(0) if self.at.get() == self.length => break,
                Ok(0) | Err(_) => return None,
                Ok(read) => bytes += read,
            }
        }
        Some(bytes)
    }

    /// Packed bytes that were not reported before.
    fn unreported(&mut self, upto: u64) -> u64 {
        let fresh = upto.saturating_sub(self.reported);
        self.reported = self.reported.max(upto);
        fresh
    }

    /// Brings the careful decoder to where the quick one was.
    fn catch_up(&mut self) -> u64 {
        let mut behind = vec![0; CATCH_UP];
        let (mut left, mut read) = (self.made, 0);
        while left > 0 {
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(CATCH_UP);
            let filled = self.careful.fill(behind.get_mut(..size).unwrap_or_default());
            left = left.saturating_sub(filled.bytes as u64);
            read += filled.consumed;
            if filled.end.is_some() {
                break;
            }
        }
        read
    }
}

impl Fill for Quick<'_> {
    fn fill(&mut self, into: &mut [u8]) -> Filled {
        let mut again = 0;
        if self.decoder.is_some() {
            if let Some(bytes) = self.quick(into) {
                self.made = self.made.saturating_add(bytes as u64);
                let end = (bytes < into.len()).then_some(End::Complete);
                let consumed = self.unreported(self.at.get());
                return Filled { bytes, consumed, end };
            }
            self.decoder = None;
            again = self.catch_up();
            self.at.set(0);
        }
        let filled = self.careful.fill(into);
        self.at.set(self.at.get().saturating_add(again).saturating_add(filled.consumed));
        let consumed = self.unreported(self.at.get());
        Filled { consumed, ..filled }
    }
}
