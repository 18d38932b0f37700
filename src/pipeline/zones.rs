//! Whose wall clock a line without a zone was written by.

use crate::explain::facts::ZoneSource;
use crate::model::Offset;
use crate::survey::{Clock, Tally};

/// The clock of a source and how it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Zone {
    /// What readings without a zone mean.
    pub clock: Clock,
    /// How that is known; `None` when no line has a time.
    pub source: Option<ZoneSource>,
    /// The offset that its lines state most often.
    pub written: Option<Offset>,
}

/// The zone of each source: written in its lines, else as the option says, else as its siblings write, else the
/// machine's.
pub(super) fn zones(tallies: &[&Tally], assume: Option<Clock>) -> Vec<Zone> {
    let common = commonest(tallies.iter().flat_map(|t| t.offsets.iter().map(|(o, n)| (*o, *n))));
    tallies
        .iter()
        .map(|tally| {
            let written = commonest(tally.offsets.iter().map(|(o, n)| (*o, *n)));
            let (clock, source) = match (assume, common) {
                (Some(clock), _) => (clock, ZoneSource::Option),
                (None, Some(offset)) => (Clock::Fixed(offset), ZoneSource::Inferred),
                (None, None) => (Clock::Machine, ZoneSource::Assumed),
            };
            let source =
                if tally.naive_records > 0 { Some(source) } else { written.map(|_| ZoneSource::Written) };
            Zone { clock, source, written }
        })
        .collect()
}

/// The offset that most records state; of equal ones the smallest.
pub(super) fn commonest(offsets: impl Iterator<Item = (Offset, u64)>) -> Option<Offset> {
    let mut sums = std::collections::BTreeMap::new();
    for (offset, n) in offsets {
        *sums.entry(offset).or_insert(0u64) += n;
    }
    sums.into_iter().max_by_key(|&(offset, n)| (n, std::cmp::Reverse(offset))).map(|(offset, _)| offset)
}
