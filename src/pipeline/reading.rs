//! The first pass: every byte of every source that may lie within the time range, once.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rayon::prelude::*;

use super::prune::Part;
use super::{Progress, Tools};
use crate::discover::{Origin, Packing, Source};
use crate::input::{self, End, Opened, Piece, Reader};
use crate::sniff::{HEAD_BYTES, Sniffed};
use crate::survey::{Limits, Surveyor, Tally};

/// A source is read in so many runs of units at least: no thread waits long for what another has begun. Each has counts of
/// its own until they are merged, so that they are not many more.
const RUNS: usize = 16;
/// But in runs of so many units at least.
const UNITS_IN_A_ROW: usize = 4;

/// What became of a source.
#[derive(Debug)]
pub(super) struct Reading {
    /// The counts; settled.
    pub tally: Tally,
    /// What its lines look like.
    pub sniffed: Sniffed,
    /// How reading ended.
    pub end: End,
    /// Streams can't be opened again.
    pub kept: Option<Arc<Opened>>,
    /// What of it was asked for.
    pub part: Part,
}

/// Reads what is asked for of all sources. An error is that of one source.
pub(super) fn read_all(
    sources: &[Source],
    parts: Vec<Part>,
    tools: &Tools,
    limits: Limits,
    buffer: usize,
    progress: &dyn Progress,
) -> Vec<Result<Reading, std::io::Error>> {
    let read = |(source, part)| read(source, part, tools, limits, buffer, progress);
    // one by one: who is done early takes over what lies before others, not some of what they have begun
    sources.par_iter().zip(parts).with_max_len(1).map(read).collect()
}

fn read(
    source: &Source,
    part: Part,
    tools: &Tools,
    limits: Limits,
    buffer: usize,
    progress: &dyn Progress,
) -> Result<Reading, std::io::Error> {
    let opened = Arc::new(open(source)?);
    // a small file needs no large buffer; what is read does not depend on it
    let buffer = match usize::try_from(opened.length()) {
        Ok(length) if opened.packing() == Packing::Plain => buffer.min(length.saturating_add(1).max(4_096)),
        _ => buffer,
    };
    let sniffed = tools.formats.sniff(&head(&opened, buffer));
    let units = part.units(opened.units());
    let in_a_row = units.len().div_ceil(RUNS).max(UNITS_IN_A_ROW);
    let pieces = units.into_par_iter().with_max_len(in_a_row).map_init(
        || Reader::new(buffer).unpacking_ahead(rayon::current_num_threads() > 1),
        |reader, range| {
            let mut surveyor =
                Surveyor::new(&tools.formats, &sniffed.order, &tools.probes, &tools.rules, limits);
            let read = catch_unwind(AssertUnwindSafe(|| {
                reader.read(&opened, range, &mut |n| progress.advance(n), &mut |piece| {
                    match piece {
                        Piece::Lines { offset, bytes } => surveyor.lines(offset, bytes),
                        Piece::OverLong { offset, length } => surveyor.over_long(offset, length),
                    }
                    ControlFlow::Continue(())
                })
            }));
            match read {
                Ok(outcome) => (surveyor.finish(), outcome.end),
                // what was counted up to there may be half a line: none of the piece is used
                Err(_) => (
                    Tally::new(limits),
                    End::Damaged("a part of it made the reader fail; that part is missing".into()),
                ),
            }
        },
    );
    let (mut tally, end) = pieces.reduce(
        || (Tally::new(limits), End::Complete),
        |(mut a, end_a), (b, end_b)| {
            a.absorb(b);
            (a, worse(end_a, end_b))
        },
    );
    tally.settle();
    let kept = is_stream(source).then_some(opened);
    Ok(Reading { tally, sniffed, end, kept, part })
}

/// Opens a source, again if need be.
pub(super) fn open(source: &Source) -> std::io::Result<Opened> {
    if is_stream(source) { input::spool(source) } else { input::open(source) }
}

/// Whether a source can be read only once.
pub(super) fn is_stream(source: &Source) -> bool {
    source.origin == Origin::Stdin || source.length.is_none()
}

/// The first bytes of the unpacked stream, whole lines or not: the same for any buffer size.
pub(super) fn head(opened: &Opened, buffer: usize) -> Vec<u8> {
    let mut head = Vec::new();
    let upto = u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX);
    Reader::new(buffer.min(HEAD_BYTES)).read(opened, 0..upto, &mut |_| {}, &mut |piece| {
        if let Piece::Lines { bytes, .. } = piece {
            head.extend_from_slice(bytes);
        }
        if head.len() < HEAD_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    head.truncate(HEAD_BYTES);
    head
}

/// The one of two ends that says more; of equal ones the one whose words come first, whichever piece it was.
fn worse(a: End, b: End) -> End {
    fn rank(end: &End) -> (u8, &str) {
        match end {
            End::Complete | End::Stopped => (0, ""),
            End::Limit(why) => (1, why),
            End::Truncated(why) => (2, why),
            End::Damaged(why) => (3, why),
        }
    }
    let ((rank_a, why_a), (rank_b, why_b)) = (rank(&a), rank(&b));
    if rank_a > rank_b || (rank_a == rank_b && why_a <= why_b) { a } else { b }
}
