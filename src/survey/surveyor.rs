//! The path that every line takes.

use super::messages::Rares;
use super::orphans::Orphans;
use super::second::{MessageSecond, Second};
use super::tally::Span;
use super::times::{DayCount, Run};
use super::{Example, Limits, Reason, Seam, Tally, Timed, block_of};
use crate::model::Offset;
use crate::parse::{Fields, Machine, Marks, Quotes, Reject, Scratch};
use crate::signature::{AgentCache, Known, Probes, Rules};
use crate::sniff::{Best, FormatId, Formats, Order, trim};

/// Bytes of a line that are kept as an example or a rare line.
const KEPT_TEXT: usize = 512;

/// Counts the lines of one piece of a source.
pub struct Surveyor<'a> {
    pub(super) formats: &'a Formats,
    pub(super) order: &'a Order,
    pub(super) probes: &'a Probes,
    pub(super) rules: &'a Rules,
    pub(super) known: Known,
    pub(super) limits: Limits,
    pub(super) scratch: Scratch,
    pub(super) orphans: Orphans,
    /// Whether lines may go on with the record before them.
    may_go_on: bool,
    pub(super) agents: AgentCache,
    /// Where line ends are, and quotes or numbers, if that is worth knowing.
    pub(super) marks: Option<Marks>,
    machine: Machine,
    /// What was unescaped of the current line.
    plain: Vec<u8>,
    /// The path of the current failing request, without ids.
    pub(super) route: Vec<u8>,
    pub(super) tally: Tally,
    /// Where the piece begins, once known.
    start: Option<u64>,
    pub(super) seam: Seam,
    /// Counts of the current block and second, kept out of the maps while they last.
    pub(super) block: Block,
    pub(super) second: Second,
    pub(super) messages: MessageSecond,
    pub(super) rares: Rares,
    pub(super) run: Run,
    pub(super) day: DayCount,
    pub(super) statuses: [u32; 600],
    pub(super) clients: [u32; 16],
    format: FormatCount,
    pub(super) offset: (Option<Offset>, u64),
}

/// The block that the last line began in.
#[derive(Default)]
pub(super) struct Block {
    index: u32,
    end: u64,
    lines: u64,
    pub(super) zoned: Span,
    pub(super) naive: Span,
}

/// Records of the last format.
struct FormatCount {
    id: FormatId,
    records: u64,
    /// Whether a line that no format accepts continues such a record.
    continues: bool,
}

impl<'a> Surveyor<'a> {
    /// A surveyor for a source whose lines are read in this order of formats.
    pub fn new(
        formats: &'a Formats,
        order: &'a Order,
        probes: &'a Probes,
        rules: &'a Rules,
        limits: Limits,
    ) -> Self {
        Self {
            formats,
            order,
            probes,
            rules,
            known: Known::default(),
            limits,
            scratch: Scratch::default(),
            orphans: Orphans::default(),
            may_go_on: order.first().and_then(|id| formats.definition(*id)).is_some_and(|d| d.continuation),
            agents: AgentCache::default(),
            marks: formats.marks(order),
            machine: Machine::default(),
            plain: Vec::new(),
            route: Vec::new(),
            tally: Tally::new(limits),
            start: None,
            seam: Seam::default(),
            block: Block::default(),
            second: Second { at: i64::MIN, ..Second::default() },
            messages: MessageSecond::default(),
            rares: Rares::default(),
            run: Run::default(),
            day: DayCount::default(),
            statuses: [0; 600],
            clients: [0; 16],
            format: FormatCount { id: FormatId(0), records: 0, continues: false },
            offset: (None, 0),
        }
    }

    /// Counts whole lines, the first of which begins at `offset` of the source.
    pub fn lines(&mut self, offset: u64, bytes: &[u8]) {
        self.start.get_or_insert(offset);
        self.tally.bytes = self.tally.bytes.saturating_add(bytes.len() as u64);
        if self.order.wraps() {
            return self.wrapped_lines(offset, bytes);
        }
        if self.may_go_on {
            return self.message_lines(offset, bytes);
        }
        self.machine.run(
            #[inline(always)]
            || self.single_lines(offset, bytes),
        );
    }

    /// [`Self::lines`] where each line stands for itself.
    #[allow(clippy::inline_always, reason = "compiled for what the machine can do where it is called")]
    #[inline(always)]
    fn single_lines(&mut self, offset: u64, bytes: &[u8]) {
        let best = self.formats.best(self.order);
        let mut marks = self.marks.take();
        let mut rest = bytes;
        let mut at = offset;
        let mut fields = Fields::default();
        while !rest.is_empty() {
            let mut done = 0;
            if let Some(marks) = &mut marks {
                marks.sweep(rest);
                for (range, quotes) in marks.lines() {
                    done = range.end;
                    let from = at.saturating_add(range.start as u64);
                    let line = rest.get(range).unwrap_or_default();
                    self.line(best, from, line, quotes, &mut fields);
                }
            }
            if done == 0 {
                done = memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
                let line = rest.get(..done).unwrap_or_default();
                self.line(best, at, line, Quotes::UNKNOWN, &mut fields);
            }
            at = at.saturating_add(done as u64);
            rest = rest.get(done..).unwrap_or_default();
        }
        self.marks = marks;
    }

    /// [`Self::lines`] where each line may have another within it.
    #[inline(never)]
    fn wrapped_lines(&mut self, offset: u64, bytes: &[u8]) {
        let mut at = offset;
        // lent to the values of one line after the other
        let mut plain = std::mem::take(&mut self.plain);
        for raw in bytes.split_inclusive(|&b| b == b'\n') {
            self.wrapped_line(at, raw, &mut plain);
            at = at.saturating_add(raw.len() as u64);
        }
        self.plain = plain;
    }

    fn wrapped_line(&mut self, offset: u64, raw: &[u8], plain: &mut Vec<u8>) {
        let line = trim(raw);
        let mut fields = Fields::default();
        let Some(within) = self.formats.unwrapped(self.order, line, plain, &mut self.scratch) else {
            let best = self.formats.best(self.order);
            self.line(best, offset, raw, Quotes::UNKNOWN, &mut fields);
            return;
        };
        self.enter_block(offset);
        let read = self.formats.count_unwrapped(self.order, &within, &mut fields, &mut self.scratch);
        self.counted(offset, line, within.text, read, &fields);
    }

    /// Counts a line that was too long to read.
    pub fn over_long(&mut self, offset: u64, length: u64) {
        self.start.get_or_insert(offset);
        self.tally.bytes = self.tally.bytes.saturating_add(length);
        self.enter_block(offset);
        self.skip(Reason::OverLong, offset, b"");
    }

    /// Counts a line; says whether it is a record.
    #[allow(
        clippy::inline_always,
        reason = "the path that every line takes: as a call it costs a tenth more"
    )]
    #[inline(always)]
    pub(super) fn line<'l>(
        &mut self,
        best: Option<Best<'a>>,
        offset: u64,
        raw: &'l [u8],
        quotes: Quotes<'_>,
        fields: &mut Fields<'l>,
    ) -> bool {
        self.enter_block(offset);
        let line = trim(raw);
        // what is trimmed in front moves them
        let quotes = if matches!(raw, [0 | 0xEF, ..]) { Quotes::UNKNOWN } else { quotes };
        let mut read = match best {
            Some(best) => best.count(line, quotes, fields, &mut self.scratch),
            None => Err(Reject::Mismatch),
        };
        if let Err(reason) = read {
            read = self.other(reason, line, fields);
        }
        self.counted(offset, line, line, read, fields);
        read.is_ok()
    }

    /// A line that is none of the source's first format, which rejects it for `reason`.
    #[inline(never)]
    fn other<'l>(
        &mut self,
        reason: Reject,
        line: &'l [u8],
        fields: &mut Fields<'l>,
    ) -> Result<(FormatId, bool), Reject> {
        if reason == Reject::Mismatch && self.orphans.has(line) {
            return Err(reason);
        }
        let read = self.formats.count_others(reason, self.order, line, fields, &mut self.scratch);
        if read == Err(Reject::Mismatch) {
            self.orphans.note(line);
        }
        read
    }

    /// Counts what a line was read as; `text` is what stands in it, `line` what is quoted of it.
    #[allow(
        clippy::inline_always,
        reason = "the path that every line takes: as a call it costs a tenth more"
    )]
    #[inline(always)]
    fn counted(
        &mut self,
        offset: u64,
        line: &[u8],
        text: &[u8],
        read: Result<(FormatId, bool), Reject>,
        fields: &Fields<'_>,
    ) {
        match read {
            Ok((format, is_request)) => self.record(offset, format, is_request, fields),
            Err(Reject::TooDeep) => self.skip(Reason::TooDeep, offset, line),
            Err(Reject::Comment) => *self.tally.skipped.entry(Reason::Comment).or_default() += 1,
            Err(Reject::Mismatch) => {
                let blank = text.iter().all(u8::is_ascii_whitespace);
                self.orphan(if blank { Reason::Blank } else { Reason::NoFormat }, offset, line);
            }
        }
    }

    #[inline]
    pub(super) fn enter_block(&mut self, offset: u64) {
        // which is 0 where there is none
        if offset >= self.block.end {
            self.next_block(offset);
        }
        self.block.lines = self.block.lines.saturating_add(1);
    }

    #[inline(never)]
    fn next_block(&mut self, offset: u64) {
        self.leave_block();
        self.block.index = block_of(offset);
        self.block.end = (offset / super::BLOCK + 1).saturating_mul(super::BLOCK);
    }

    fn leave_block(&mut self) {
        self.leave_run();
        let block = std::mem::take(&mut self.block);
        if block.lines == 0 {
            return;
        }
        self.tally.lines = self.tally.lines.saturating_add(block.lines);
        let lines = self.tally.block_lines.entry(block.index).or_default();
        *lines = lines.saturating_add(block.lines);
        for (timed, span) in [(&mut self.tally.zoned, block.zoned), (&mut self.tally.naive, block.naive)] {
            if let (Some(first), Some(last)) = (span.first, span.last) {
                for seen in [first, last] {
                    timed.blocks.entry(block.index).or_default().see(seen);
                }
            }
        }
    }

    #[allow(
        clippy::inline_always,
        reason = "the path that every line takes: as a call it costs a tenth more"
    )]
    #[inline(always)]
    fn record(&mut self, offset: u64, format: FormatId, is_request: bool, fields: &Fields<'_>) {
        self.count_record(format, is_request);
        if let Some(stamp) = fields.stamp {
            self.follow(stamp);
        }
        if is_request {
            self.request(format, fields.stamp, &fields.request);
        } else if let Some(stamp) = fields.stamp {
            self.message(offset, format, stamp, &fields.message);
        }
    }

    /// Counts a record of a format.
    #[allow(clippy::inline_always, reason = "the path that every line takes")]
    #[inline(always)]
    pub(super) fn count_record(&mut self, format: FormatId, is_request: bool) {
        if format != self.format.id || self.format.records == 0 {
            self.enter_format(format, is_request);
        }
        self.format.records += 1;
        self.seam.open = Some(self.format.continues);
    }

    #[inline(never)]
    fn enter_format(&mut self, id: FormatId, is_request: bool) {
        self.leave_format();
        let continues = !is_request && self.formats.definition(id).is_some_and(|d| d.continuation);
        self.format = FormatCount { id, records: 0, continues };
    }

    fn leave_format(&mut self) {
        if self.format.records > 0 {
            let count = self.tally.records.entry(self.format.id).or_default();
            *count = count.saturating_add(self.format.records);
            self.format.records = 0;
        }
    }

    pub(super) fn timed(&mut self, zoned: bool) -> &mut Timed {
        if zoned { &mut self.tally.zoned } else { &mut self.tally.naive }
    }

    fn leave_clients(&mut self) {
        let counts = std::mem::take(&mut self.clients);
        for (into, count) in self.tally.clients.iter_mut().zip(counts) {
            *into = into.saturating_add(u64::from(count));
        }
    }

    /// A line that no format accepts: a part of the record before it, or nothing.
    fn orphan(&mut self, reason: Reason, offset: u64, line: &[u8]) {
        match self.seam.open {
            Some(true) => self.tally.continuation = self.tally.continuation.saturating_add(1),
            Some(false) => self.skip(reason, offset, line),
            None => {
                *self.seam.orphans.entry(reason).or_default() += 1;
                self.seam.example.get_or_insert_with(|| example(offset, line));
            }
        }
    }

    fn skip(&mut self, reason: Reason, offset: u64, line: &[u8]) {
        *self.tally.skipped.entry(reason).or_default() += 1;
        self.tally.example.get_or_insert_with(|| example(offset, line));
    }

    /// The counts of this piece.
    pub fn finish(mut self) -> Tally {
        self.leave_second();
        self.leave_group();
        for timed in [&mut self.tally.zoned, &mut self.tally.naive] {
            timed.latency.settle();
            timed.own.settle();
        }
        self.leave_messages();
        self.leave_rares();
        self.leave_block();
        self.leave_format();
        self.leave_offset();
        self.leave_day();
        self.leave_clients();
        for (code, &count) in (0u16..).zip(&self.statuses) {
            if count > 0 {
                let seen = self.tally.statuses.entry(code).or_default();
                *seen = seen.saturating_add(u64::from(count));
            }
        }
        if let Some(start) = self.start {
            self.tally.seams.insert(start, self.seam);
        }
        self.tally
    }
}

fn example(offset: u64, line: &[u8]) -> Example {
    Example { offset, text: cut(line).into() }
}

pub(super) fn cut(text: &[u8]) -> &[u8] {
    text.get(..KEPT_TEXT).unwrap_or(text)
}
