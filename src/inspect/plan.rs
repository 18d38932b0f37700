//! Which blocks of which source have to be read again.

use std::ops::Range;

use crate::model::{SourceId, Timestamp};
use crate::survey::{BLOCK, Clock, Tally};

/// A stretch of time to look at closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// First second with an affected request.
    pub start: Timestamp,
    /// The end of the last such second.
    pub end: Timestamp,
    /// What to compare with.
    pub compare: Option<(Timestamp, Timestamp)>,
    /// Messages are gathered from here on.
    pub messages_from: Timestamp,
}

impl Window {
    /// Whether requests at `time` matter.
    pub(super) fn wants_request(&self, time: Timestamp) -> bool {
        self.inside(time) || self.outside(time)
    }

    pub(super) fn inside(&self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }

    pub(super) fn outside(&self, time: Timestamp) -> bool {
        self.compare.is_some_and(|(from, to)| from <= time && time < to) && !self.inside(time)
    }

    pub(super) fn wants_message(&self, time: Timestamp) -> bool {
        self.messages_from <= time && time < self.end
    }

    /// Whether anything between two times may matter.
    fn overlaps(&self, first: Timestamp, last: Timestamp, requests: bool) -> bool {
        let meets = |from: Timestamp, to: Timestamp| first < to && last >= from;
        if requests {
            meets(self.start, self.end) || self.compare.is_some_and(|(from, to)| meets(from, to))
        } else {
            meets(self.messages_from, self.end)
        }
    }
}

/// A run of blocks of one source to read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The source.
    pub source: SourceId,
    /// Its blocks.
    pub blocks: Range<u32>,
    /// Lines before the first one that begins in them.
    pub lines_before: u64,
}

/// Blocks read at a time: what one thread takes.
const RUN: u32 = 32;

/// The blocks of a source that overlap a window, or in which one of these offsets lies.
pub fn plan(
    source: SourceId,
    tally: &Tally,
    clock: &Clock,
    requests: bool,
    windows: &[Window],
    offsets: &[u64],
) -> Vec<Visit> {
    let mut wanted: Vec<u32> = offsets.iter().map(|&o| crate::survey::block_of(o)).collect();
    for (timed, zoned) in [(&tally.zoned, true), (&tally.naive, false)] {
        let at = |time: Timestamp| if zoned { time } else { clock.instant(time) };
        for (&block, span) in &timed.blocks {
            if let (Some(first), Some(last)) = (span.first, span.last)
                && let (first, last) = in_order(at(first), at(last))
                && windows.iter().any(|w| w.overlaps(first, last, requests))
            {
                wanted.push(block);
            }
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    let mut runs: Vec<Range<u32>> = Vec::new();
    for block in wanted {
        match runs.last_mut() {
            Some(run) if run.end == block && run.end.saturating_sub(run.start) < RUN => {
                run.end = block.saturating_add(1);
            }
            _ => runs.push(block..block.saturating_add(1)),
        }
    }
    let mut visits = Vec::with_capacity(runs.len());
    // one walk over the line counts serves all runs
    let mut counts = tally.block_lines.iter().peekable();
    let mut before = 0u64;
    for blocks in runs {
        while let Some((_, &lines)) = counts.next_if(|(block, _)| **block < blocks.start) {
            before = before.saturating_add(lines);
        }
        visits.push(Visit { source, blocks, lines_before: before });
    }
    visits
}

/// A block with lines from both sides of New Year but no years in them has its last day first: what it spans is
/// not known, only that it is less than a year on either side.
fn in_order(first: Timestamp, last: Timestamp) -> (Timestamp, Timestamp) {
    const YEAR: i64 = 366 * 86_400;
    if first <= last { (first, last) } else { (last.plus_seconds(-YEAR), first.plus_seconds(YEAR)) }
}

/// The range of bytes to ask `input` for, so that every line that begins in these blocks comes, and no other.
pub fn read_range(blocks: &Range<u32>) -> Range<u64> {
    // input delivers the lines that begin in (start, end]
    let before = |block: u32| (u64::from(block) * BLOCK).saturating_sub(1);
    before(blocks.start)..before(blocks.end)
}
