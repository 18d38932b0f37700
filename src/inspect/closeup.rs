//! What is known exactly about a window.

use std::collections::BTreeMap;

use super::{Distinct, Hits, Paces, Requests};
use crate::model::{Dimension, Histogram, Level, SourceId, Timestamp};
use crate::survey::{Merge, RareKind};

/// Distinct clients counted exactly per window, 104 bytes each; a sample beyond.
const MAX_CLIENTS: usize = 32_768;
/// Distinct values per dimension counted exactly; a sample beyond.
const MAX_VALUES: usize = 2_048;

/// Templates of messages counted exactly; a sample beyond. About 1.2 KiB each.
const MAX_TEMPLATES: usize = 512;

/// A line that is worth quoting; its number is found once its source has been read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// When.
    pub time: Timestamp,
    /// Where it begins.
    pub source: SourceId,
    /// Where it begins.
    pub offset: u64,
    /// 1-based number.
    pub number: u64,
    /// The line, cut to a bound.
    pub text: Box<[u8]>,
}

/// Requests and those affected of some part of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    /// Users' requests.
    pub requests: u64,
    /// Those affected.
    pub affected: u64,
    /// Those affected that have the value which the window is about; all of them where it is about the site.
    pub within: u64,
}

impl Part {
    pub(super) fn see(&mut self, affected: bool, within: bool) {
        self.requests = self.requests.saturating_add(1);
        self.affected = self.affected.saturating_add(u64::from(affected));
        self.within = self.within.saturating_add(u64::from(affected && within));
    }
}

impl Merge for Part {
    fn absorb(&mut self, other: Self) {
        self.requests.absorb(other.requests);
        self.affected.absorb(other.affected);
        self.within.absorb(other.within);
    }
}

/// The first and the last second of something; empty at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First second.
    pub first: i64,
    /// Last second.
    pub last: i64,
}

impl Default for Span {
    fn default() -> Self {
        Self { first: i64::MAX, last: i64::MIN }
    }
}

impl Span {
    /// Whether both have a second in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl Merge for Span {
    fn absorb(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// What one client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Client {
    /// All of its requests in the window.
    pub inside: Part,
    /// From the first to the last of [`Part::within`] of these.
    pub hit: Span,
    /// Those in the window answered below 400.
    pub good_inside: u64,
    /// Those in the window answered 4xx.
    pub refused_inside: u64,
    /// Requests in the comparison window.
    pub outside: u64,
    /// Those answered below 400.
    pub good_outside: u64,
    /// Those answered 4xx.
    pub refused_outside: u64,
}

/// From so many refused requests on, a client that also met server errors is taken for a scanner: under it, a user
/// who mistyped during the outage looks the same.
const SCANNER_REQUESTS: u64 = 5;

impl Client {
    /// A client whose requests never answer below 400, in the window or beside it. Server errors tell nothing about
    /// the client: a user who came during a total outage is no scanner.
    pub fn is_scanner(&self) -> bool {
        let refused = self.refused_inside.saturating_add(self.refused_outside);
        let good = self.good_inside.saturating_add(self.good_outside);
        good == 0
            && refused > 0
            && (self.inside.affected == 0 || (refused >= SCANNER_REQUESTS && refused >= self.inside.affected))
    }
}

impl Merge for Client {
    fn absorb(&mut self, other: Self) {
        self.inside.absorb(other.inside);
        self.hit.absorb(other.hit);
        self.good_inside.absorb(other.good_inside);
        self.refused_inside.absorb(other.refused_inside);
        self.outside.absorb(other.outside);
        self.good_outside.absorb(other.good_outside);
        self.refused_outside.absorb(other.refused_outside);
    }
}

/// A value of a dimension, inside the window and in the comparison window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tone {
    /// The value; the same for all that share a hash.
    pub value: Box<[u8]>,
    /// In the window.
    pub inside: Part,
    /// In the comparison window.
    pub outside: Part,
    /// Requests in the window whose latency tells ([`Request::pace_us`](crate::model::Request::pace_us)); slow ones are affected.
    pub paced_inside: Part,
    /// The same in the comparison window.
    pub paced_outside: Part,
    /// In the window, by [`client_group`].
    pub by_client: [Group; CLIENT_GROUPS],
}

/// Groups that clients fall into by their hash, so that one can be left out.
pub const CLIENT_GROUPS: usize = 16;

/// The group of a client with this hash.
pub fn client_group(hash: u64) -> usize {
    usize::try_from(hash >> 60).unwrap_or(0)
}

/// Requests of a group of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Group {
    /// All.
    pub requests: u32,
    /// Those affected.
    pub affected: u32,
}

impl Merge for Group {
    fn absorb(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.affected = self.affected.saturating_add(other.affected);
    }
}

impl Merge for Tone {
    fn absorb(&mut self, other: Self) {
        if self.value.is_empty() {
            self.value = other.value;
        }
        self.inside.absorb(other.inside);
        self.outside.absorb(other.outside);
        self.paced_inside.absorb(other.paced_inside);
        self.paced_outside.absorb(other.paced_outside);
        for (mine, theirs) in self.by_client.iter_mut().zip(other.by_client) {
            mine.absorb(theirs);
        }
    }
}

/// Dimension → values.
pub type Dimensions = BTreeMap<Dimension, Distinct<Tone, MAX_VALUES>>;

/// First and last affected request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Affected {
    /// The earliest.
    pub first: Option<Line>,
    /// The latest.
    pub last: Option<Line>,
    /// When the first of them arrived, where latencies are logged.
    pub arrival: Option<Timestamp>,
}

impl Affected {
    pub(super) fn see(
        &mut self,
        line: &dyn Fn() -> Line,
        time: Timestamp,
        offset: (SourceId, u64),
        arrival: Option<Timestamp>,
    ) {
        let key = (time, offset);
        let of = |l: &Line| (l.time, (l.source, l.offset));
        if self.first.as_ref().is_none_or(|l| key < of(l)) {
            self.first = Some(line());
        }
        if self.last.as_ref().is_none_or(|l| key > of(l)) {
            self.last = Some(line());
        }
        self.arrival = match (self.arrival, arrival) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

impl Merge for Affected {
    fn absorb(&mut self, other: Self) {
        self.first = match (self.first.take(), other.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.last = self.last.take().max(other.last);
        self.arrival = match (self.arrival, other.arrival) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// The requests that border a silence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Around {
    /// The last one before.
    pub before: Option<Line>,
    /// The first one after.
    pub after: Option<Line>,
}

impl Around {
    pub(super) fn see(&mut self, line: Line, silence: Timestamp) {
        if line.time < silence {
            self.before = self.before.take().max(Some(line));
        } else if self.after.as_ref().is_none_or(|after| line < *after) {
            self.after = Some(line);
        }
    }
}

impl Merge for Around {
    fn absorb(&mut self, other: Self) {
        self.before = self.before.take().max(other.before);
        self.after = match (self.after.take(), other.after) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// The first message of a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirstMessage {
    /// Its line, whole.
    pub line: Line,
    /// Its level.
    pub level: Option<Level>,
    /// Its text, without time and level.
    pub text: Box<[u8]>,
}

/// Messages of one kind: how many, and the first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Messages {
    /// How many.
    pub count: u64,
    /// The earliest.
    pub first: Option<FirstMessage>,
}

impl Merge for Messages {
    fn absorb(&mut self, other: Self) {
        self.count.absorb(other.count);
        self.first = match (self.first.take(), other.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// Messages that no rule knows, told apart by what varies in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateTone {
    /// The template, as `signature::template` writes it.
    pub template: Box<[u8]>,
    /// Messages in the window and just before it.
    pub inside: u64,
    /// Messages in the comparison window.
    pub outside: u64,
    /// The first in the window.
    pub first: Option<FirstMessage>,
}

impl Merge for TemplateTone {
    fn absorb(&mut self, other: Self) {
        if self.template.is_empty() {
            self.template = other.template;
        }
        self.inside.absorb(other.inside);
        self.outside.absorb(other.outside);
        self.first = match (self.first.take(), other.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// Exact figures of one window. Merging adds; the default is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closeup {
    /// First and last affected request (message) of what the window is about.
    pub affected: Affected,
    /// The requests that border a silence.
    pub around: Around,
    /// All of the site's users' requests.
    pub total: Tone,
    /// Affected requests of what the window is about, by status.
    pub within: BTreeMap<u16, u64>,
    /// Users' requests in the window, by status (0: none written).
    pub statuses: BTreeMap<u16, u64>,
    /// Probes in the window, and those of them answered 5xx.
    pub probes: Part,
    /// Minute → users' requests.
    pub minutes: BTreeMap<i64, Part>,
    /// Clients, by hash.
    pub clients: Distinct<Client, MAX_CLIENTS>,
    /// When each of them was hit.
    pub hits: Hits,
    /// Requests without a client written.
    pub anonymous: Part,
    /// Latencies in the window.
    pub latency: Histogram,
    /// Latencies in the comparison window.
    pub latency_outside: Histogram,
    /// Users' requests in the comparison window, by status.
    pub statuses_outside: BTreeMap<u16, u64>,
    /// Where it hurt.
    pub dimensions: Dimensions,
    /// Rare lines in and just before the window.
    pub messages: BTreeMap<RareKind, Messages>,
    /// Other messages of warning level or above, or of none, by template.
    pub templates: Distinct<TemplateTone, MAX_TEMPLATES>,
    /// Single requests, of a window that asks for them.
    pub paces: Paces,
    /// Requests of the place by second, of a window that asks for them.
    pub requests: Requests,
}

impl Merge for Closeup {
    fn absorb(&mut self, other: Self) {
        self.affected.absorb(other.affected);
        self.around.absorb(other.around);
        self.total.absorb(other.total);
        self.within.absorb(other.within);
        self.statuses.absorb(other.statuses);
        self.probes.absorb(other.probes);
        self.minutes.absorb(other.minutes);
        self.clients.absorb(other.clients);
        self.hits.absorb(other.hits);
        self.anonymous.absorb(other.anonymous);
        self.latency.absorb(other.latency);
        self.latency_outside.absorb(other.latency_outside);
        self.statuses_outside.absorb(other.statuses_outside);
        self.dimensions.absorb(other.dimensions);
        self.messages.absorb(other.messages);
        self.templates.absorb(other.templates);
        self.paces.absorb(other.paces);
        self.requests.absorb(other.requests);
    }
}
