//! What the survey keeps.

use std::collections::BTreeMap;

use super::merge::{greatest, least};
use super::{
    Bucket, Cell, Clock, Coarse, Count, Failing, GaveUp, Group, Limits, Merge, Names, Own, Paces, Windows,
};
use crate::model::{Histogram, Level, Offset, Timestamp};
use crate::signature::RuleId;
use crate::sniff::FormatId;

/// Bytes of a source for which the survey notes first and last time and the number of lines: what the inspect pass
/// finds its way by.
pub const BLOCK: u64 = 256 * 1024;

/// Days told apart: eleven years.
const MAX_DAYS: usize = 4_096;

/// The block that an offset lies in.
pub fn block_of(offset: u64) -> u32 {
    u32::try_from(offset / BLOCK).unwrap_or(u32::MAX)
}

/// Why a line became no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No format accepts it.
    NoFormat,
    /// Nothing stands in it.
    Blank,
    /// Longer than a line may be.
    OverLong,
    /// JSON nested too deep.
    TooDeep,
    /// A directive of the log itself.
    Comment,
}

impl Reason {
    /// As published in `inputs[].skipped`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoFormat => "no format fits",
            Self::Blank => "blank",
            Self::OverLong => "over-long",
            Self::TooDeep => "nested too deep",
            Self::Comment => "comment",
        }
    }
}

/// What kind of rare line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RareKind {
    /// A known message.
    Rule(RuleId),
    /// Any other message at error level or above.
    Severe,
}

/// A rare line: ordered by time, then by place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// When, as written.
    pub at: Timestamp,
    /// Where it begins.
    pub offset: u64,
    /// Its level.
    pub level: Option<Level>,
    /// Its message, cut to a bound.
    pub text: Box<[u8]>,
}

/// Lines of one kind in one minute: how many, and the first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rare {
    /// How many.
    pub count: u64,
    /// The earliest.
    pub first: Option<Sample>,
}

impl Merge for Rare {
    fn absorb(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first = least(self.first.take(), other.first);
    }
}

impl Bucket for Rare {}

impl Merge for Histogram {
    fn absorb(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
        } else {
            self.merge(&other);
        }
    }
}

/// First and last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The earliest.
    pub first: Option<Timestamp>,
    /// The latest.
    pub last: Option<Timestamp>,
}

impl Span {
    /// Widens the span to take `at` in.
    #[inline]
    pub fn see(&mut self, at: Timestamp) {
        self.first = least(self.first, Some(at));
        self.last = greatest(self.last, Some(at));
    }
}

impl Merge for Span {
    fn absorb(&mut self, other: Self) {
        self.first = least(self.first, other.first);
        self.last = greatest(self.last, other.last);
    }
}

/// Records of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day {
    /// How many have a time.
    pub records: u64,
    /// First and last of them.
    pub span: Span,
}

impl Merge for Day {
    fn absorb(&mut self, other: Self) {
        self.records.absorb(other.records);
        self.span.absorb(other.span);
    }
}

impl Bucket for Day {}

/// Offsets told apart in one day: a clock that changes shows two of them. From more on, several clocks wrote.
const MAX_OFFSETS: usize = 4;

/// The offsets that lines of one day state, and when the first and the last one did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written(BTreeMap<Offset, Span>);

impl Written {
    /// Notes lines that state an offset.
    pub fn see(&mut self, offset: Offset, span: Span) {
        self.0.entry(offset).or_default().absorb(span);
        self.cut();
    }

    /// Each offset with its first and last time; `None` where there were more than are told apart.
    pub fn spans(&self) -> Option<impl Iterator<Item = (Offset, Span)>> {
        (self.0.len() < MAX_OFFSETS).then(|| self.0.iter().map(|(offset, span)| (*offset, *span)))
    }

    /// The smallest are kept: whatever is among them in the whole was so in every part.
    fn cut(&mut self) {
        while self.0.len() > MAX_OFFSETS {
            self.0.pop_last();
        }
    }
}

impl Merge for Written {
    fn absorb(&mut self, other: Self) {
        self.0.absorb(other.0);
        self.cut();
    }
}

impl Bucket for Written {}

/// Everything that is counted by time. A source whose lines state their zone and some that do not has two of them:
/// the times of the second are wall-clock readings until its zone is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// Records per day: tells a clock gone wrong from the time that the log is about.
    pub days: Coarse<Day>,
    /// Requests; the unit of time is 64 seconds.
    pub groups: Coarse<Group<Cell>>,
    /// Failures; the unit of time is a second.
    pub failing: Coarse<Failing>,
    /// Requests that clients gave up; the unit of time is a second.
    pub gave_up: Coarse<GaveUp>,
    /// Latencies of users' requests not answered 5xx.
    pub latency: Paces,
    /// Requests and failures of each vhost and upstream.
    pub own: Own,
    /// Messages and those at error level or worse; the unit of time is 64 seconds.
    pub messages: Coarse<Group<Count>>,
    /// Rare lines; the unit of time is a minute.
    pub rare: BTreeMap<RareKind, Coarse<Rare>>,
    /// Block → first and last time in it.
    pub blocks: BTreeMap<u32, Span>,
    /// Samples of requests, to tell which source repeats another's.
    pub windows: Windows,
}

impl Timed {
    /// Nothing counted yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            days: Coarse::new(MAX_DAYS),
            groups: Coarse::new(limits.groups),
            failing: Coarse::new(limits.failing),
            gave_up: Coarse::new(limits.failing),
            latency: Paces::new(limits.latency),
            own: Own::new(limits),
            messages: Coarse::new(limits.messages),
            rare: BTreeMap::new(),
            blocks: BTreeMap::new(),
            windows: Windows::default(),
        }
    }

    fn absorb(&mut self, other: Self) {
        self.days.absorb(other.days);
        self.groups.absorb(other.groups);
        self.failing.absorb(other.failing);
        self.gave_up.absorb(other.gave_up);
        self.latency.absorb(other.latency);
        self.own.absorb(other.own);
        self.messages.absorb(other.messages);
        for (kind, lines) in other.rare {
            match self.rare.entry(kind) {
                std::collections::btree_map::Entry::Vacant(v) => {
                    v.insert(lines);
                }
                std::collections::btree_map::Entry::Occupied(mut o) => o.get_mut().absorb(lines),
            }
        }
        self.blocks.absorb(other.blocks);
        self.windows.absorb(other.windows);
    }
}

/// A line that no format accepts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Example {
    /// Where it begins.
    pub offset: u64,
    /// Its first bytes.
    pub text: Box<[u8]>,
}

/// What is open at the ends of a piece: whether its first orphan lines continue a record is known only when the
/// piece before it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seam {
    /// Orphan lines before the piece's first record, by reason.
    pub orphans: BTreeMap<Reason, u64>,
    /// The first of them.
    pub example: Option<Example>,
    /// Whether a line after the piece may continue its last record; `None` when it has no record.
    pub open: Option<bool>,
}

/// All that one pass over a source keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Lines.
    pub lines: u64,
    /// Uncompressed bytes.
    pub bytes: u64,
    /// Records by format.
    pub records: BTreeMap<FormatId, u64>,
    /// Lines that became nothing, by reason.
    pub skipped: BTreeMap<Reason, u64>,
    /// Lines joined to a record.
    pub continuation: u64,
    /// The first line that became nothing.
    pub example: Option<Example>,
    /// Piece's first offset → what is open at its ends.
    pub seams: BTreeMap<u64, Seam>,
    /// Requests by status; those without one are under 0.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests of users by a 4-bit hash of the client; all zero where the log names no clients.
    pub clients: [u64; 16],
    /// Records with this offset written.
    pub offsets: BTreeMap<Offset, u64>,
    /// When which offset was written; the unit of time is a day.
    pub written: Coarse<Written>,
    /// Records with a time but no offset.
    pub naive_records: u64,
    /// Block → lines that begin in it.
    pub block_lines: BTreeMap<u32, u64>,
    /// The vhosts, upstreams and paths of requests that failed.
    pub names: Names,
    /// What is counted by time, for lines with an offset.
    pub zoned: Timed,
    /// The same for lines without.
    pub naive: Timed,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            lines: 0,
            bytes: 0,
            records: BTreeMap::new(),
            skipped: BTreeMap::new(),
            continuation: 0,
            example: None,
            seams: BTreeMap::new(),
            statuses: BTreeMap::new(),
            clients: [0; 16],
            offsets: BTreeMap::new(),
            written: Coarse::new(MAX_DAYS),
            naive_records: 0,
            block_lines: BTreeMap::new(),
            names: Names::new(limits.names),
            zoned: Timed::new(limits),
            naive: Timed::new(limits),
        }
    }

    /// Adds what another piece of the same source counted.
    pub fn absorb(&mut self, other: Self) {
        self.lines.absorb(other.lines);
        self.bytes.absorb(other.bytes);
        self.records.absorb(other.records);
        self.skipped.absorb(other.skipped);
        self.continuation.absorb(other.continuation);
        self.example = least(self.example.take(), other.example);
        // pieces never begin at the same offset
        self.seams.extend(other.seams);
        self.statuses.absorb(other.statuses);
        for (mine, theirs) in self.clients.iter_mut().zip(other.clients) {
            mine.absorb(theirs);
        }
        self.offsets.absorb(other.offsets);
        self.written.absorb(other.written);
        self.naive_records.absorb(other.naive_records);
        self.block_lines.absorb(other.block_lines);
        self.names.absorb(other.names);
        self.zoned.absorb(other.zoned);
        self.naive.absorb(other.naive);
    }

    /// Settles the seams once all pieces are merged: afterwards `lines == records + continuation + Σ skipped`.
    pub fn settle(&mut self) {
        let mut open = false;
        for seam in std::mem::take(&mut self.seams).into_values() {
            if open {
                self.continuation =
                    seam.orphans.values().fold(self.continuation, |sum, n| sum.saturating_add(*n));
            } else {
                self.skipped.absorb(seam.orphans);
                self.example = least(self.example.take(), seam.example);
            }
            open = seam.open.unwrap_or(open);
        }
    }

    /// Samples of all requests, those without a zone as `clock` reads them.
    pub fn windows(&self, clock: &Clock) -> Windows {
        let mut windows = self.zoned.windows.clone();
        windows.absorb(self.naive.windows.shifted(|wall| clock.offset_at(wall).saturating_neg()));
        windows
    }

    /// Lines that became a record.
    pub fn record_count(&self) -> u64 {
        self.records.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The number of the line that begins at `offset`, exactly only for an offset among the first of its block: a line
    /// inside is counted by the second pass.
    pub fn line_of(&self, offset: u64) -> u64 {
        self.lines_before(block_of(offset)).saturating_add(1)
    }

    /// Lines before the first one that begins in `block`.
    pub fn lines_before(&self, block: u32) -> u64 {
        self.block_lines.range(..block).fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }
}
