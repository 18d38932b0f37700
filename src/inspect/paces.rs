//! Single requests with their latencies, for what counts per second cannot tell.

use std::collections::BTreeMap;

use super::Distinct;
use crate::model::{SourceId, Timestamp};
use crate::survey::Merge;

/// Requests of one stretch that are kept, a sample beyond; about 80 bytes each.
const MAX_PACES: usize = 4_096;
/// The same of the healthy time, which all kinds of requests have to share.
const MAX_BESIDE: usize = 8_192;

/// A request whose latency tells ([`Request::pace_us`](crate::model::Request::pace_us)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Pace {
    /// When it was written.
    pub time: Timestamp,
    /// How long it took, in µs.
    pub latency_us: u64,
    /// A hash of what it asked for: requests of one kind take about as long.
    pub kind: u64,
    /// Where its line begins.
    pub source: SourceId,
    /// See `source`.
    pub offset: u64,
}

impl Merge for Pace {
    /// The same line: one of the two may be the empty value.
    fn absorb(&mut self, other: Self) {
        *self = (*self).max(other);
    }
}

/// Requests where all is well, and in an incident.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sides {
    /// Where all is well.
    pub beside: Distinct<Pace, MAX_BESIDE>,
    /// In the incident.
    pub inside: Distinct<Pace, MAX_PACES>,
}

impl Merge for Sides {
    fn absorb(&mut self, other: Self) {
        self.beside.absorb(other.beside);
        self.inside.absorb(other.inside);
    }
}

/// Requests in an incident, beside it and at its edges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paces {
    /// Those of the incident's place.
    pub place: Sides,
    /// All others.
    pub rest: Sides,
    /// Those of its place around its start and around its end.
    pub edges: [Distinct<Pace, MAX_PACES>; 2],
}

impl Merge for Paces {
    fn absorb(&mut self, other: Self) {
        self.place.absorb(other.place);
        self.rest.absorb(other.rest);
        for (mine, theirs) in self.edges.iter_mut().zip(other.edges) {
            mine.absorb(theirs);
        }
    }
}

impl Paces {
    /// Takes a request in: whether it is one of the incident's place, in it, beside it, around its start and around its end.
    pub(super) fn see(&mut self, pace: Pace, within: bool, (inside, beside): (bool, bool), near: [bool; 2]) {
        let line = [pace.offset.to_le_bytes(), u64::from(pace.source.0).to_le_bytes()];
        let key = super::distinct::hash(line.as_flattened());
        let [start, end] = &mut self.edges;
        let sides = if within { &mut self.place } else { &mut self.rest };
        let wanted = [
            inside.then(|| sides.inside.entry(key)),
            beside.then(|| sides.beside.entry(key)),
            (within && near[0]).then(|| start.entry(key)),
            (within && near[1]).then(|| end.entry(key)),
        ];
        for kept in wanted.into_iter().flatten().flatten() {
            *kept = pace;
        }
    }
}

/// How long requests may take before they are slow, by what they ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlowKinds {
    /// In µs, by the hash of the kind.
    pub by_kind: BTreeMap<u64, u64>,
    /// In µs, of a kind that is not among these.
    pub others: u64,
}

impl SlowKinds {
    /// Whether a request of a kind is slow.
    pub(super) fn is_slow(&self, kind: u64, latency_us: u64) -> bool {
        latency_us > self.by_kind.get(&kind).copied().unwrap_or(self.others)
    }
}
