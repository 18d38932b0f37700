//! Whose wall clock a line without a zone was written by.

use super::{now, window::last_dated};
use crate::explain::facts::ZoneSource;
use crate::model::{Offset, Timestamp};
use crate::survey::{Clock, Tally, WallZone};

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
pub(super) fn zones(
    tallies: &[&Tally],
    modified: &[Option<Timestamp>],
    assume: Option<WallZone>,
) -> Vec<Zone> {
    let dated = last_dated(tallies);
    let common = commonest(tallies.iter().flat_map(|t| t.offsets.iter().map(|(o, n)| (*o, *n))));
    tallies
        .iter()
        .zip(modified)
        .map(|(tally, modified)| {
            let written = commonest(tally.offsets.iter().map(|(o, n)| (*o, *n)));
            let (zone, source) = match (assume, common) {
                (Some(zone), _) => (zone, ZoneSource::Option),
                (None, Some(offset)) => (WallZone::Fixed(offset), ZoneSource::Inferred),
                (None, None) => (WallZone::Machine, ZoneSource::Assumed),
            };
            let clock = Clock { zone, reference: reference(tally, zone, dated, *modified) };
            let source =
                if tally.naive_records > 0 { Some(source) } else { written.map(|_| ZoneSource::Written) };
            Zone { clock, source, written }
        })
        .collect()
}

/// Seconds between a source's last line and its last modification up to which the latter is believed.
const PROMPT: i64 = 36 * 3_600;

/// What the years of lines without one are told by: the file's own time of modification where its last line is as
/// old, else the last line of any log that states a year, else that time all the same, else now.
fn reference(
    tally: &Tally,
    zone: WallZone,
    dated: Option<Timestamp>,
    modified: Option<Timestamp>,
) -> Option<Timestamp> {
    let prompt = modified.filter(|modified| {
        let clock = Clock { zone, reference: Some(*modified) };
        let yearless = tally.naive.days.iter().filter_map(|(_, day)| day.span.last);
        let last = yearless.filter(|t| Clock::is_yearless(t.second())).map(|t| clock.instant(t)).max();
        last.is_some_and(|last| modified.second().abs_diff(last.second()) <= PROMPT.unsigned_abs())
    });
    prompt.or(dated).or(modified).or_else(|| Some(now()))
}

/// The offset that most records state; of equal ones the smallest.
pub(super) fn commonest(offsets: impl Iterator<Item = (Offset, u64)>) -> Option<Offset> {
    let mut sums = std::collections::BTreeMap::new();
    for (offset, n) in offsets {
        *sums.entry(offset).or_insert(0u64) += n;
    }
    sums.into_iter().max_by_key(|&(offset, n)| (n, std::cmp::Reverse(offset))).map(|(offset, _)| offset)
}
