//! Slots told ten at a time: enough to see where it is worth to search one by one.
//!
//! A request says the same of a state whatever slot it is counted in, and ten seconds' requests lie in hardly more bins
//! than one second's. So a first look costs a fraction, and it asks for half of what a finding has to show: an
//! incident of a few seconds loses some of that to the healthy ones beside it.

use super::emission::{Reader, STATES};
use super::normal::Normal;
use super::record::Record;
use crate::detect::segment::{Emission, Penalties, segment};

/// Slots per group, by the clock. Cells of the baseline are mostly multiples of it.
const SLOTS: i64 = 10;
/// The part of each penalty that a first look asks for.
const PRICE: f64 = 0.5;
/// Groups on either side of what it finds that are worth a search as well: edges are faint, and what is only just enough
/// needs the last request of them.
const MARGIN: usize = 12;

/// One group: its first slot, and where its bins end.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: usize,
    until: usize,
}

/// The latencies of a record by groups of slots.
#[derive(Debug)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// (row of the axis, count), ascending within a group.
    bins: Vec<(usize, f64)>,
}

impl Groups {
    /// `None` if requests are so rare that a group holds hardly more than a slot.
    pub(super) fn of(record: Record<'_>) -> Option<Self> {
        let stream = record.stream;
        let length = stream.width.saturating_mul(SLOTS);
        let mut found = Self { groups: Vec::new(), bins: Vec::new() };
        let mut counts = [0.0; super::axis::BINS];
        let mut open: Option<(usize, i64)> = None;
        for slot in 0..record.len() {
            let number = stream.second(slot).div_euclid(length);
            if open.is_none_or(|(_, of)| of != number)
                && let Some((first, _)) = open.replace((slot, number))
            {
                found.close(first, &mut counts);
            }
            for (bin, count) in record.bins_at(slot) {
                if let Some(sum) = counts.get_mut(bin) {
                    *sum += count;
                }
            }
        }
        if let Some((first, _)) = open {
            found.close(first, &mut counts);
        }
        (found.groups.len().saturating_mul(2) <= record.len()).then_some(found)
    }

    fn close(&mut self, first: usize, counts: &mut super::axis::Counts) {
        let occur = counts.iter_mut().enumerate().filter(|(_, count)| **count > 0.0);
        self.bins.extend(occur.map(|(bin, count)| (bin, std::mem::take(count))));
        self.groups.push(Group { first, until: self.bins.len() });
    }

    /// For each slot of the record whether a search may find something there.
    pub(super) fn worth(
        &self,
        record: Record<'_>,
        normal: &Normal,
        dispersion: f64,
        penalties: Penalties,
    ) -> Vec<bool> {
        let mut look = Look { groups: self, reader: Reader::new(record, normal), dispersion };
        let cheaper = Penalties {
            enter: PRICE * penalties.enter,
            leave: PRICE * penalties.leave,
            change: PRICE * penalties.change,
        };
        let mut worth = vec![false; record.len()];
        for run in segment(&mut look, cheaper).0 {
            let first = self.groups.get(run.first.saturating_sub(MARGIN)).map_or(0, |group| group.first);
            let behind = run.last.saturating_add(MARGIN + 1);
            let until = self.groups.get(behind).map_or(record.len(), |group| group.first);
            if let Some(slots) = worth.get_mut(first..until) {
                slots.fill(true);
            }
        }
        worth
    }
}

/// Gain per group.
struct Look<'a> {
    groups: &'a Groups,
    reader: Reader<'a>,
    dispersion: f64,
}

impl Look<'_> {
    fn first(&self, group: usize) -> usize {
        self.groups.groups.get(group).map_or(0, |group| group.first)
    }
}

impl Emission for Look<'_> {
    fn slots(&self) -> usize {
        self.groups.groups.len()
    }

    fn levels(&self) -> usize {
        STATES.len()
    }

    fn gains(&mut self, group: usize, out: &mut [f64]) {
        let from = group.checked_sub(1).and_then(|before| self.groups.groups.get(before));
        let from = from.map_or(0, |before| before.until);
        let until = self.groups.groups.get(group).map_or(from, |group| group.until);
        let bins = self.groups.bins.get(from..until).unwrap_or_default();
        let mut sums = [0.0; STATES.len()];
        self.reader.add_gains_of(self.first(group), bins.iter().copied(), &mut sums);
        for (gain, sum) in out.iter_mut().zip(&sums) {
            *gain = sum / self.dispersion;
        }
    }

    fn breaks_before(&self, group: usize) -> bool {
        self.reader.record.stream.breaks_before(self.first(group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::latency::axis::Axis;
    use crate::detect::latency::{normal, record};
    use crate::detect::stream::Stream;
    use crate::detect::{LatencySeries, LatencySlot};

    /// Two hours of ten requests each so many seconds, some of them slow.
    fn two_hours(every: i64, slow: std::ops::Range<i64>) -> LatencySeries {
        let mut series = LatencySeries { slot_seconds: 1, ..LatencySeries::default() };
        for second in (0..7200).step_by(usize::try_from(every).unwrap()) {
            let from = u32::try_from(series.bins.len()).unwrap();
            let by = if slow.contains(&second) { 12 } else { 0 };
            series.bins.extend([(60 + by, 6), (64 + by, 4)]);
            series.slots.push(LatencySlot { second, from, until: from + 2 });
        }
        series
    }

    /// For each slot whether it is worth a search; `None` if all are searched.
    fn worth(series: &LatencySeries) -> Option<Vec<bool>> {
        let counted = record::counted(series);
        let stream = Stream::new(&counted);
        let axis = Axis::of(series);
        let record = Record::new(series, &axis, &stream);
        let normal = Normal::constant(record, &normal::overall(record));
        Some(Groups::of(record)?.worth(
            record,
            &normal,
            1.0,
            Penalties { enter: 11.0, leave: 11.0, change: 2.0 },
        ))
    }

    #[test]
    fn seconds_around_slow_ones_are_worth_a_search() {
        let found = worth(&two_hours(1, 3607..3610)).unwrap();
        assert!(found[3500..3700].iter().all(|worth| *worth));
        assert!(found.iter().filter(|worth| **worth).count() < 300);
    }

    #[test]
    fn where_requests_are_rare_all_of_them_are() {
        assert_eq!(worth(&two_hours(8, 3600..3900)), None);
    }
}
