//! What of which source a time range leaves out, before any of it is read.
//!
//! Only what cannot hold a line of the range is left out. A source is looked into at its head, a plain one also at its end
//! and at places between; whatever contradicts that its lines stand in the order of their times has it read whole. What
//! is read besides the range is enough to tell zones, roles and formats by: heads, ends, and what stands around the range.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use rayon::prelude::*;

use super::places::{DISORDER, Places, in_order, stamp};
use super::reading::{head, is_stream, open};
use super::{Bound, Options, Tools, clock};
use crate::discover::{Packing, Source};
use crate::input::UNIT;
use crate::inspect::read_range;
use crate::model::{Stamp, Untrusted};
use crate::sniff::{Order, lines};
use crate::survey::{BLOCK, Clock};

/// Seconds by which a clock without a zone may differ from the one that the range is meant by: +14 h to -12 h.
const UNKNOWN_ZONE: i64 = 26 * 3_600;
/// Seconds that an offset may change by in summer.
const SUMMER: i64 = 3_600;
/// Bytes of a head by which copies are recognised.
const ALIKE: usize = 4_096;

/// What of a source is read in the first pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// These blocks, ascending and apart; the first one among them.
    Blocks {
        /// The blocks.
        read: Vec<Range<u32>>,
        /// None of them can hold a line of the range.
        outside: bool,
    },
}

/// The time range in seconds, as far as it is known before the zones are: what it may begin and end at.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// First and last second for times that state their zone.
    zoned: (i64, i64),
    /// For wall-clock readings.
    naive: (i64, i64),
}

/// What a look at the head of a source tells.
struct Look {
    /// The time of the first line that has one.
    first: Stamp,
    /// What its lines are read as.
    order: Order,
    /// A hash of its first [`ALIKE`] bytes, if it has so many.
    hash: Option<u64>,
}

/// What is read of each source.
pub(super) fn parts(options: &Options, tools: &Tools, sources: &[Source], buffer: usize) -> Vec<Part> {
    if options.since.is_none() && options.until.is_none() {
        return vec![Part::Whole; sources.len()];
    }
    let looks: Vec<Option<Look>> = sources.par_iter().map(|source| look(source, tools, buffer)).collect();
    let wanted = wanted(options, sources, &looks);
    let followers = followers(sources, &looks);
    let mut alike: BTreeMap<u64, usize> = BTreeMap::new();
    for hash in looks.iter().flatten().filter_map(|look| look.hash) {
        *alike.entry(hash).or_default() += 1;
    }
    let parts: Vec<Part> = (sources, &looks, &followers)
        .into_par_iter()
        .map(|(source, look, follower)| {
            // copies are recognised by their whole content
            let alone = |look: &&Look| look.hash.is_some_and(|hash| alike.get(&hash) == Some(&1));
            let look = look.as_ref().filter(alone);
            look.and_then(|look| part(source, look, *follower, &wanted, tools)).unwrap_or(Part::Whole)
        })
        .collect();
    // then the report says what time the logs are about
    let any = parts.iter().any(|part| !matches!(part, Part::Blocks { outside: true, .. }));
    if any { parts } else { vec![Part::Whole; sources.len()] }
}

/// Looks at the head of a source; `None` where it tells nothing to leave anything out by.
fn look(source: &Source, tools: &Tools, buffer: usize) -> Option<Look> {
    if is_stream(source) {
        return None;
    }
    let head = head(&open(source).ok()?, buffer);
    let order = tools.formats.sniff(&head).order;
    let first = lines(&head).find_map(|line| stamp(tools, &order, line))?;
    let hash = head.get(..ALIKE).map(|start| {
        let mut hasher = DefaultHasher::new();
        start.hash(&mut hasher);
        hasher.finish()
    });
    Some(Look { first, order, hash })
}

/// The range, as wide as the zone in which it is meant may make it.
fn wanted(options: &Options, sources: &[Source], looks: &[Option<Look>]) -> Wanted {
    let offsets = || looks.iter().flatten().filter_map(|look| look.first.offset).map(|o| i64::from(o.0));
    // seconds east of UTC that the display zone may be
    let (west, east) = match (offsets().min(), offsets().max()) {
        (Some(west), Some(east)) => (west - SUMMER, east + SUMMER),
        _ => (-UNKNOWN_ZONE, UNKNOWN_ZONE),
    };
    let zoned = |bound: Bound, offset: i64| match (bound, &options.display_zone) {
        (Bound::Instant(at), _) => at.second(),
        (Bound::Wall(at), Some(zone)) => clock(zone).instant(at).second(),
        (Bound::Wall(at), None) => at.second().saturating_sub(offset),
    };
    let naive = |bound: Bound| match bound {
        Bound::Instant(at) | Bound::Wall(at) => at.second(),
    };
    // whose clock wrote times without a zone is told by the failures around them
    let states_zone = |look: &Option<Look>| look.as_ref().is_some_and(|look| look.first.offset.is_some());
    let filled = sources.iter().zip(looks).filter(|(source, _)| source.length != Some(0));
    let around = if filled.map(|(_, look)| look).all(states_zone) { DISORDER } else { UNKNOWN_ZONE };
    let limits = |since: Option<i64>, until: Option<i64>, around: i64| {
        (
            since.map_or(i64::MIN, |s| s.saturating_sub(around)),
            until.map_or(i64::MAX, |u| u.saturating_add(around)),
        )
    };
    Wanted {
        zoned: limits(options.since.map(|b| zoned(b, east)), options.until.map(|b| zoned(b, west)), around),
        naive: limits(options.since.map(naive), options.until.map(naive), UNKNOWN_ZONE),
    }
}

impl Wanted {
    /// First and last second for times like this one; `None` for those whose year is not known.
    fn limits(&self, stamp: Stamp) -> Option<(i64, i64)> {
        match stamp.offset {
            Some(_) => Some(self.zoned),
            None if Clock::is_yearless(stamp.at.second()) => None,
            None => Some(self.naive),
        }
    }
}

impl Part {
    /// The blocks between those that are read.
    pub(super) fn unread(&self) -> Vec<Range<u32>> {
        let Self::Blocks { read, .. } = self else { return Vec::new() };
        let gaps = read.iter().zip(read.iter().skip(1));
        gaps.map(|(before, after)| before.end..after.start).collect()
    }

    /// The ranges of bytes to be read one by one, of a source whose units are these.
    pub(super) fn units(&self, units: Vec<Range<u64>>) -> Vec<Range<u64>> {
        let Self::Blocks { read, .. } = self else { return units };
        let run = u32::try_from(UNIT / BLOCK).unwrap_or(1);
        read.iter().flat_map(|blocks| runs(blocks, run)).map(|blocks| read_range(&blocks)).collect()
    }

    /// Bytes that are read of a source that is this long on disk; an upper bound for packed ones.
    pub(super) fn bytes(&self, length: u64) -> u64 {
        let Self::Blocks { read, .. } = self else { return length };
        let bytes = |blocks: &Range<u32>| u64::from(blocks.end.saturating_sub(blocks.start)) * BLOCK;
        read.iter().map(bytes).sum::<u64>().min(length)
    }
}

/// Blocks in runs of at most `most`.
pub(super) fn runs(blocks: &Range<u32>, most: u32) -> impl Iterator<Item = Range<u32>> + use<> {
    let (start, end) = (blocks.start, blocks.end);
    let step = most.max(1);
    (0..end.saturating_sub(start).div_ceil(step)).map(move |run| {
        let from = start.saturating_add(run.saturating_mul(step));
        from..from.saturating_add(step).min(end)
    })
}

/// The first time of the file that follows each one in its rotation set, where the set is in order.
fn followers(sources: &[Source], looks: &[Option<Look>]) -> Vec<Option<Stamp>> {
    let mut sets: BTreeMap<&Untrusted, Vec<(u32, usize)>> = BTreeMap::new();
    for (index, source) in sources.iter().enumerate().filter(|(_, source)| source.length != Some(0)) {
        sets.entry(&source.group).or_default().push((source.position, index));
    }
    let mut out = vec![None; sources.len()];
    for mut set in sets.into_values() {
        set.sort_unstable();
        let firsts: Option<Vec<Stamp>> =
            set.iter().map(|(_, index)| looks.get(*index)?.as_ref().map(|look| look.first)).collect();
        let Some(firsts) = firsts.filter(|firsts| in_order(firsts)) else { continue };
        for (((_, index), own), next) in set.iter().zip(&firsts).zip(firsts.iter().skip(1)) {
            if let Some(slot) = out.get_mut(*index).filter(|_| own.at < next.at) {
                *slot = Some(*next);
            }
        }
    }
    out
}

/// What is read of a source; `None` for all of it.
fn part(
    source: &Source,
    look: &Look,
    follower: Option<Stamp>,
    wanted: &Wanted,
    tools: &Tools,
) -> Option<Part> {
    let (from, to) = wanted.limits(look.first)?;
    if source.packing == Packing::Plain {
        return Places::new(tools, &open(source).ok()?, &look.order).part(look.first, (from, to));
    }
    // where the last file of a set ends is known only when it is unpacked
    let follower = follower?;
    let outside = look.first.at.second() > to || follower.at.second() < from;
    outside.then(|| Part::Blocks { read: std::iter::once(0..1).collect(), outside: true })
}
