//! Where in a plain file the lines of a time range stand: found by looking into it at a few places.

use std::ops::{ControlFlow, Range};

use super::Tools;
use super::prune::Part;
use crate::input::{Opened, Piece, Reader};
use crate::model::Stamp;
use crate::parse::Scratch;
use crate::sniff::{Order, trim};
use crate::survey::BLOCK;

/// Seconds by which lines may be out of order: servers that write the time of arrival write the line when the request has
/// ended. It is also an hour of requests to know the sources by on either side, and what a clock goes back by in autumn.
pub(super) const DISORDER: i64 = 3_600;
/// Places of a plain file looked into before it is believed to be in order.
const PROBES: u32 = 32;
/// Bytes of a place that are read for a time: whole stack traces.
const PLACE: u64 = 64 << 10;
/// Bytes read at a time while looking for a time: some lines.
const AT_A_TIME: usize = 16 << 10;
/// Blocks of the shortest file that is read in part: 8 MiB.
const SHORTEST: u32 = 32;
/// Blocks by which places are told apart, and that are read on either side of the range: a megabyte is some thousands of
/// requests to know a source by.
const STEP: u32 = 4;

/// A plain file that is looked into at several places.
pub(super) struct Places<'a> {
    tools: &'a Tools,
    opened: &'a Opened,
    order: &'a Order,
    reader: Reader,
}

impl<'a> Places<'a> {
    /// A file whose lines are read as `order` says.
    pub(super) fn new(tools: &'a Tools, opened: &'a Opened, order: &'a Order) -> Self {
        Self { tools, opened, order, reader: Reader::new(AT_A_TIME) }
    }

    /// What is read of it, whose first time is `head`, for times between two seconds; `None` for all of it.
    pub(super) fn part(&mut self, head: Stamp, (from, to): (i64, i64)) -> Option<Part> {
        let blocks = u32::try_from(self.opened.length().div_ceil(BLOCK)).ok()?;
        if blocks < 3 {
            return None;
        }
        let length = self.opened.length();
        let end_at = length.saturating_sub(PLACE);
        let mut stamps = vec![head];
        for probe in 1..PROBES {
            let at = length / u64::from(PROBES) * u64::from(probe);
            if at < end_at {
                stamps.push(self.first_behind(at)?);
            }
        }
        let last = self.last()?;
        stamps.push(last);
        if !in_order(&stamps) {
            return None;
        }
        let tail = u32::try_from(end_at / BLOCK).ok()?;
        let outside = head.at.second() > to || last.at.second() < from;
        if outside {
            return Some(Part::Blocks { read: joined([0..1, tail..blocks]), outside });
        }
        if blocks < SHORTEST {
            return None;
        }
        let steps = tail / STEP;
        let start = self.first_step(steps, |second| second >= from)?.saturating_sub(2) * STEP;
        let end = self.first_step(steps, |second| second > to)?.saturating_add(1) * STEP;
        let read = joined([0..1, start..end.min(blocks), tail..blocks]);
        (read.len() > 1).then_some(Part::Blocks { read, outside })
    }

    /// The first step (of [`STEP`] blocks) at whose beginning a condition holds that holds from some step on; `steps` if
    /// it holds at none.
    fn first_step(&mut self, steps: u32, holds: impl Fn(i64) -> bool) -> Option<u32> {
        let (mut low, mut high) = (0, steps);
        while low < high {
            let middle = low.midpoint(high);
            let at = u64::from(middle) * u64::from(STEP) * BLOCK;
            if holds(self.first_behind(at)?.at.second()) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(low)
    }

    /// The time of the first line behind `at` that has one.
    fn first_behind(&mut self, at: u64) -> Option<Stamp> {
        self.find(at, true)
    }

    /// The time of the last line.
    fn last(&mut self) -> Option<Stamp> {
        self.find(self.opened.length().saturating_sub(PLACE), false)
    }

    fn find(&mut self, at: u64, first: bool) -> Option<Stamp> {
        let (tools, order) = (self.tools, self.order);
        let mut found = None;
        self.reader.read(self.opened, at..at.saturating_add(PLACE), &mut |_| {}, &mut |piece| {
            if let Piece::Lines { bytes, .. } = piece {
                let mut stamps = bytes.split_inclusive(|&b| b == b'\n').map(trim);
                let mut next = || stamps.find_map(|line| stamp(tools, order, line));
                while let Some(stamp) = next() {
                    found = Some(stamp);
                    if first {
                        return ControlFlow::Break(());
                    }
                }
            }
            ControlFlow::Continue(())
        });
        found
    }
}

/// Ranges with those that touch made one.
fn joined<const N: usize>(ranges: [Range<u32>; N]) -> Vec<Range<u32>> {
    let mut out: Vec<Range<u32>> = Vec::with_capacity(N);
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

/// The time of a line, if it is a record with one.
pub(super) fn stamp(tools: &Tools, order: &Order, line: &[u8]) -> Option<Stamp> {
    let (mut scratch, mut plain) = (Scratch::default(), Vec::new());
    let within = tools.formats.unwrapped(order, line, &mut plain, &mut scratch);
    let (_, event) = match &within {
        Some(within) => tools.formats.parse_unwrapped(order, within, &mut scratch),
        None => tools.formats.parse(order, line, &mut scratch),
    }
    .ok()?;
    event.stamp
}

/// Whether times ascend, but for some disorder, and all state their zone or none does.
pub(super) fn in_order(stamps: &[Stamp]) -> bool {
    let mut latest = i64::MIN;
    stamps.iter().all(|stamp| {
        let second = stamp.at.second();
        let holds = second.saturating_add(DISORDER) >= latest;
        latest = latest.max(second);
        holds
    }) && stamps.windows(2).all(|pair| match pair {
        [a, b] => a.offset.is_some() == b.offset.is_some(),
        _ => true,
    })
}
