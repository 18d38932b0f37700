//! The decoders behind one small interface: bytes in, bytes out, one member at a time.

use bzip2::Decompress as Bzip2;
use flate2::{Decompress as Inflate, FlushDecompress};
use liblzma::stream::{Action, Stream as Xz};
use zstd::stream::raw::{DParameter, Decoder as Zstd, InBuffer, Operation, OutBuffer};

use crate::discover::Packing;

/// Memory for an xz decoder: dictionaries up to 100 MiB and a little for itself; `xz -9` needs 64 MiB.
const XZ_MEMORY: u64 = (100 << 20) + (1 << 20);

/// Binary logarithm of the largest zstd window: 128 MiB, which `zstd --long=27` and `--ultra -22` write.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Bytes of a zstd block header.
const ZSTD_HEADER: usize = 3;

/// What a decoder did with what it was given.
pub(super) struct Step {
    /// Bytes of the input that it is done with.
    pub(super) eaten: usize,
    /// Bytes written to the front of the output; right also when it failed.
    pub(super) made: usize,
    pub(super) state: State,
}

/// Where a decoder stands.
pub(super) enum State {
    /// It wants more input or more room.
    More,
    /// The member is whole and its checksum is right.
    Finished,
    /// The data is no such data.
    Corrupt(String),
    /// It would take more memory than we give.
    TooLarge(String),
}

/// The decoder of one member.
pub(super) enum Codec {
    Gzip(Box<Inflate>),
    Bzip2(Box<Bzip2>),
    Xz(Box<Xz>),
    Zstd {
        decoder: Box<Zstd<'static>>,
        /// What it asked to be fed next.
        hint: usize,
    },
}

impl Codec {
    /// A decoder at the start of a member.
    ///
    /// # Errors
    ///
    /// Why there can be none, such as too little memory.
    pub(super) fn new(packing: Packing) -> Result<Self, String> {
        match packing {
            Packing::Gzip => Ok(Self::Gzip(Box::new(Inflate::new_gzip(15)))),
            Packing::Bzip2 => Ok(Self::Bzip2(Box::new(Bzip2::new(false)))),
            Packing::Xz => match Xz::new_stream_decoder(XZ_MEMORY, 0) {
                Ok(stream) => Ok(Self::Xz(Box::new(stream))),
                Err(e) => Err(e.to_string()),
            },
            Packing::Zstd => {
                let mut decoder = Zstd::new().map_err(|e| e.to_string())?;
                decoder
                    .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))
                    .map_err(|e| e.to_string())?;
                Ok(Self::Zstd { decoder: Box::new(decoder), hint: ZSTD_HEADER })
            }
            Packing::Plain | Packing::Utf16 => Err("not packed".into()),
        }
    }

    /// Unpacks some of `input` into `output`.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        match self {
            Self::Gzip(decoder) => {
                let before = (decoder.total_in(), decoder.total_out());
                let state = match decoder.decompress(input, output, FlushDecompress::None) {
                    Ok(flate2::Status::StreamEnd) => State::Finished,
                    Ok(flate2::Status::Ok | flate2::Status::BufError) => State::More,
                    // Its own words depend on where one call ends and the next begins.
                    Err(_) => State::Corrupt("a block or its checksum is wrong".into()),
                };
                moved(before, (decoder.total_in(), decoder.total_out()), state)
            }
            Self::Bzip2(decoder) => {
                let before = (decoder.total_in(), decoder.total_out());
                let state = match decoder.decompress(input, output) {
                    Ok(bzip2::Status::StreamEnd) => State::Finished,
                    Ok(bzip2::Status::MemNeeded) => {
                        State::TooLarge("too little memory for bzip2 data".into())
                    }
                    Ok(_) => State::More,
                    Err(_) => State::Corrupt("a block or its checksum is wrong".into()),
                };
                moved(before, (decoder.total_in(), decoder.total_out()), state)
            }
            Self::Xz(decoder) => {
                let before = (decoder.total_in(), decoder.total_out());
                let state = match decoder.process(input, output, Action::Run) {
                    Ok(liblzma::stream::Status::StreamEnd) => State::Finished,
                    Ok(_) => State::More,
                    Err(liblzma::stream::Error::MemLimit) => {
                        State::TooLarge("xz data needs a dictionary of more than 100 MiB".into())
                    }
                    Err(liblzma::stream::Error::Mem) => {
                        State::TooLarge("too little memory for xz data".into())
                    }
                    Err(e) => State::Corrupt(e.to_string()),
                };
                moved(before, (decoder.total_in(), decoder.total_out()), state)
            }
            Self::Zstd { decoder, hint } => zstd_step(decoder, hint, input, output),
        }
    }
}

fn moved(before: (u64, u64), after: (u64, u64), state: State) -> Step {
    let size = |from: u64, to: u64| usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    Step { eaten: size(before.0, after.0), made: size(before.1, after.1), state }
}

/// Feeds block and block header apart: a decoder that meets a bad header forgets to say what it had unpacked in the
/// same call, and everything before the damage is to be delivered.
fn zstd_step(decoder: &mut Zstd<'static>, hint: &mut usize, input: &[u8], output: &mut [u8]) -> Step {
    let feed = if *hint > ZSTD_HEADER { *hint - ZSTD_HEADER } else { *hint };
    let input = input.get(..feed.clamp(1, input.len().max(1))).unwrap_or(input);
    let mut from = InBuffer::around(input);
    let mut to = OutBuffer::around(output);
    let state = match decoder.run(&mut from, &mut to) {
        Ok(0) => State::Finished,
        Ok(next) => {
            *hint = next;
            State::More
        }
        Err(e) if e.to_string().contains("memory") => {
            State::TooLarge("zstd data needs a window of more than 128 MiB".into())
        }
        Err(e) => State::Corrupt(e.to_string().to_lowercase()),
    };
    Step { eaten: from.pos(), made: to.pos(), state }
}
