//! What is counted of the times of records: their spans, days and offsets.

use super::tally::Day;
use super::{Merge as _, Surveyor};
use crate::model::{MICROS, Offset, Stamp, Timestamp};

/// Records in a row that state the same second in the same way: what is counted of their times is counted at its end.
pub(super) struct Run {
    /// In µs, where the second begins.
    from: i64,
    pub(super) second: i64,
    pub(super) offset: Option<Offset>,
    first: Timestamp,
    last: Timestamp,
    records: u64,
}

impl Default for Run {
    fn default() -> Self {
        let (first, last) = (Timestamp::from_micros(i64::MAX), Timestamp::from_micros(i64::MIN));
        Self { from: 0, second: 0, offset: None, first, last, records: 0 }
    }
}

/// The day of the last record, and the offset that it states.
#[derive(Default)]
pub(super) struct DayCount {
    at: i64,
    offset: Option<Offset>,
    day: Day,
}

impl Surveyor<'_> {
    /// Counts a record's time.
    #[inline]
    pub(super) fn follow(&mut self, stamp: Stamp) {
        // a second's requests state the same time, mostly
        if stamp.at == self.run.last && stamp.offset == self.run.offset && self.run.records > 0 {
            self.run.records += 1;
            return;
        }
        let into = stamp.at.micros().saturating_sub(self.run.from);
        if !(0..MICROS).contains(&into) || stamp.offset != self.run.offset || self.run.records == 0 {
            self.leave_run();
            let second = stamp.at.second();
            let from = second.saturating_mul(MICROS);
            self.run = Run { from, second, offset: stamp.offset, ..Run::default() };
        }
        self.run.records += 1;
        self.run.first = self.run.first.min(stamp.at);
        self.run.last = self.run.last.max(stamp.at);
    }

    pub(super) fn leave_run(&mut self) {
        let Run { offset, first, last, records, .. } = std::mem::take(&mut self.run);
        if records == 0 {
            return;
        }
        let span = if offset.is_some() { &mut self.block.zoned } else { &mut self.block.naive };
        span.see(first);
        span.see(last);
        let day = first.micros().div_euclid(86_400 * MICROS);
        if day != self.day.at || offset != self.day.offset {
            self.leave_day();
            self.day = DayCount { at: day, offset, day: Day::default() };
        }
        self.day.day.records = self.day.day.records.saturating_add(records);
        self.day.day.span.see(first);
        self.day.day.span.see(last);
        // offsets rarely change from line to line
        if offset != self.offset.0 {
            self.leave_offset();
            self.offset.0 = offset;
        }
        self.offset.1 = self.offset.1.saturating_add(records);
    }

    pub(super) fn leave_day(&mut self) {
        let DayCount { at, offset, day } = std::mem::take(&mut self.day);
        if day.records == 0 {
            return;
        }
        if let Some(offset) = offset {
            self.tally.written.bucket(at).see(offset, day.span);
        }
        self.timed(offset.is_some()).days.bucket(at).absorb(day);
    }

    pub(super) fn leave_offset(&mut self) {
        let (offset, count) = std::mem::take(&mut self.offset);
        match offset {
            Some(offset) if count > 0 => {
                let seen = self.tally.offsets.entry(offset).or_default();
                *seen = seen.saturating_add(count);
            }
            _ => self.tally.naive_records = self.tally.naive_records.saturating_add(count),
        }
    }
}
