//! One stream's latencies as the statistics read them: counts per slot beside the slots' times.

use super::axis::{Axis, Counts, row};
use crate::detect::stream::Stream;
use crate::detect::{LatencySeries, LatencySlot, Series, Slot};

/// The number of latencies per slot, as the series that [`Stream`] reads times and pauses from.
pub(super) fn counted(series: &LatencySeries) -> Series {
    let slots = series.slots.iter().map(|slot| Slot {
        second: slot.second,
        requests: bins_of(series, slot).iter().fold(0, |sum: u32, &(_, count)| sum.saturating_add(count)),
        failures: 0,
        clients: None,
    });
    Series { slots: slots.collect(), slot_seconds: series.slot_seconds, ..Series::default() }
}

pub(super) fn bins_of<'a>(series: &'a LatencySeries, slot: &LatencySlot) -> &'a [(u8, u32)] {
    let range = usize::try_from(slot.from).ok().zip(usize::try_from(slot.until).ok());
    range.and_then(|(from, until)| series.bins.get(from..until)).unwrap_or_default()
}

/// A latency series, its axis and its times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    series: &'a LatencySeries,
    pub(super) axis: &'a Axis,
    pub(super) stream: &'a Stream<'a>,
}

impl<'a> Record<'a> {
    pub(super) fn new(series: &'a LatencySeries, axis: &'a Axis, stream: &'a Stream<'a>) -> Self {
        Self { series, axis, stream }
    }

    pub(super) fn len(&self) -> usize {
        self.stream.len()
    }

    /// (row of the axis, count) of a slot; what is listed and never occurs lies on no axis.
    pub(super) fn bins_at(&self, slot: usize) -> impl Iterator<Item = (usize, f64)> + use<'a> {
        let bins = self.series.slots.get(slot).map_or(&[][..], |slot| bins_of(self.series, slot));
        bins.iter().filter(|(_, count)| *count > 0).map(|&(bin, count)| (row(bin), f64::from(count)))
    }

    /// Counts by bin of some slots.
    pub(super) fn counts(&self, slots: impl Iterator<Item = usize>) -> Counts {
        let mut counts = [0.0; super::axis::BINS];
        for (bin, count) in slots.flat_map(|slot| self.bins_at(slot)) {
            if let Some(sum) = counts.get_mut(bin) {
                *sum += count;
            }
        }
        counts
    }
}
