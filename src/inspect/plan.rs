//! Which blocks of which source have to be read again.

use std::ops::Range;

use super::SlowKinds;
use crate::detect::{Effect, Finding, Merged, Signal};
use crate::model::{Dimension, MICROS, SourceId, Timestamp};
use crate::survey::{BLOCK, Clock, Tally};

/// What counts as affected in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Requests that failed: 5xx, and 499 where it is the clients that gave up.
    Failures {
        /// 499 counts.
        gave_up: bool,
    },
    /// Requests that were not answered 5xx and took longer than [`Window::slow_us`].
    Slow,
    /// None: requests did not come. The last one before and the first one after are kept.
    Missing,
    /// Severe messages of a log without requests; no request is looked at.
    Messages,
    /// None: single requests are gathered with their latencies, nothing is counted.
    Paces,
    /// None: requests of the place are counted by second, and nothing else.
    Requests,
}

impl Watch {
    /// Whether messages are gathered beside the requests.
    fn has_messages(self) -> bool {
        !matches!(self, Self::Paces | Self::Requests)
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::Failures { gave_up: false }
    }
}

/// Seconds around a silence in which the requests that border it are looked for: detection puts its edges at them.
const AROUND: i64 = 600;

/// A stretch of time to look at closely.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// First second with an affected request.
    pub start: Timestamp,
    /// The end of the last such second.
    pub end: Timestamp,
    /// What to compare with.
    pub compare: Option<(Timestamp, Timestamp)>,
    /// Messages are gathered from here on.
    pub messages_from: Timestamp,
    /// What counts as affected.
    pub watch: Watch,
    /// A latency beyond which a request is slow, in µs. It only picks lines, clients and places: how many requests were
    /// slowed is detection's to say.
    pub slow_us: Option<u64>,
    /// The same by what requests ask for, to tell where they were slow.
    pub slow_kinds: Option<SlowKinds>,
    /// What the incident is about: affected lines are those of requests that have this value.
    pub place: Option<(Dimension, Box<[u8]>)>,
    /// The lines of the first and the last affected request where these are known, instead of any that is affected.
    pub named: Option<[(SourceId, u64); 2]>,
    /// Stretches whose requests are gathered, see [`Watch::Paces`].
    pub paced: Paced,
}

/// Stretches of time, ends excluded, whose requests are gathered one by one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paced {
    /// Where all is well.
    pub beside: Vec<(Timestamp, Timestamp)>,
    /// In the incident.
    pub inside: Vec<(Timestamp, Timestamp)>,
    /// Around the start and around the end.
    pub edges: [(Timestamp, Timestamp); 2],
    /// Around the end only those are wanted that arrived before the second of these and were written from the first one on.
    pub under_way: Option<(Timestamp, Timestamp)>,
}

impl Paced {
    /// In the incident, beside it.
    pub(super) fn sides(&self, time: Timestamp) -> (bool, bool) {
        let any = |stretches: &[_]| stretches.iter().any(|&stretch| lies_in(stretch, time));
        (any(&self.inside), any(&self.beside))
    }

    /// Around the start, around the end.
    pub(super) fn near(&self, time: Timestamp, latency_us: u64) -> [bool; 2] {
        let [start, end] = self.edges.map(|stretch| lies_in(stretch, time));
        let arrived = time.micros().saturating_sub(i64::try_from(latency_us).unwrap_or(i64::MAX));
        let wanted = self.under_way.is_none_or(|(from, until)| from <= time && arrived <= until.micros());
        [start, end && wanted]
    }

    fn stretches(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        self.beside.iter().chain(&self.inside).copied().chain(self.edges)
    }
}

fn lies_in((from, to): (Timestamp, Timestamp), time: Timestamp) -> bool {
    from <= time && time < to
}

impl Window {
    /// The same stretch, watched for what an incident is about: the stream that shows it best is `place`'s (`None`: the
    /// site's), and one of `messages` or of requests.
    #[must_use]
    pub fn watching(self, incident: &Merged, place: Option<(Dimension, &[u8])>, messages: bool) -> Self {
        let finding = &incident.finding;
        let watch = match finding.signal {
            _ if messages => Watch::Messages,
            Signal::Errors => Watch::Failures { gave_up: incident.gave_up },
            Signal::Latency => Watch::Slow,
            Signal::Traffic => Watch::Missing,
        };
        let slow_us = std::iter::once(finding).chain(incident.others.iter().map(|o| &o.1)).find_map(slow_us);
        Self { watch, slow_us, place: place.map(|(dimension, value)| (dimension, value.into())), ..self }
    }

    /// Whether requests at `time` matter.
    pub(super) fn wants_request(&self, time: Timestamp) -> bool {
        match self.watch {
            Watch::Messages => false,
            Watch::Paces => self.inside(time) || self.paced.stretches().any(|stretch| lies_in(stretch, time)),
            _ => self.inside(time) || self.outside(time) || self.borders(time),
        }
    }

    /// Whether a request at `time` may be the last one before a silence, or the first one after.
    pub(super) fn borders(&self, time: Timestamp) -> bool {
        self.watch == Watch::Missing
            && !self.inside(time)
            && self.start.plus_seconds(-AROUND) <= time
            && time < self.end.plus_seconds(AROUND)
    }

    /// Whether a request with these values is of the place.
    pub(super) fn is_about(&self, values: &[(Dimension, Option<&[u8]>)]) -> bool {
        self.place.as_ref().is_none_or(|(dimension, place)| {
            values.iter().any(|(d, value)| d == dimension && *value == Some(place.as_ref()))
        })
    }

    pub(super) fn inside(&self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }

    pub(super) fn outside(&self, time: Timestamp) -> bool {
        self.compare.is_some_and(|(from, to)| from <= time && time < to) && !self.inside(time)
    }

    pub(super) fn wants_message(&self, time: Timestamp) -> bool {
        self.watch.has_messages() && self.messages_from <= time && time < self.end
    }

    /// Whether messages at `time` are what those inside are compared with.
    pub(super) fn compares_message(&self, time: Timestamp) -> bool {
        self.watch.has_messages() && self.outside(time) && time < self.messages_from
    }

    /// How long messages are gathered, and how long those are that they are compared with; in seconds.
    pub fn message_seconds(&self) -> (f64, f64) {
        let between = |from: Timestamp, to: Timestamp| {
            to.micros().saturating_sub(from.micros()).max(0) as f64 / MICROS as f64
        };
        let compared = self.compare.map_or(0.0, |(from, to)| between(from, to.min(self.messages_from)));
        (between(self.messages_from, self.end), compared)
    }

    /// Whether anything between two times may matter.
    fn overlaps(&self, first: Timestamp, last: Timestamp, requests: bool) -> bool {
        let meets = |from: Timestamp, to: Timestamp| first < to && last >= from;
        if requests {
            let around = if self.watch == Watch::Missing { AROUND } else { 0 };
            meets(self.start.plus_seconds(-around), self.end.plus_seconds(around))
                || self.compare.is_some_and(|(from, to)| meets(from, to))
                || self.paced.stretches().any(|(from, to)| meets(from, to))
        } else {
            self.watch.has_messages()
                && (meets(self.messages_from, self.end)
                    || self.compare.is_some_and(|(from, to)| meets(from, to.min(self.messages_from))))
        }
    }
}

/// A latency that a slowed request of a finding exceeds and few healthy ones do: the larger of the 95th percentile and
/// of the median × √slowdown, the middle between the healthy and the slowed median.
fn slow_us(finding: &Finding) -> Option<u64> {
    let Effect::Latency { slowdown, usual, .. } = finding.effect else { return None };
    let threshold = usual.p95_us.max(usual.median_us * slowdown.max(1.0).sqrt());
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a latency in µs; a float cast saturates"
    )]
    (threshold.is_finite() && threshold > 0.0).then_some(threshold as u64)
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
