//! Per-second counts → findings: where the baseline cannot explain what happened, and where exactly that begins and ends.
//!
//! Never sees a file, a line or an event; no clock.
//!
//! One segmenter (`segment`), one emission per signal, and around them what makes a run of odd seconds an incident:
//! a baseline that incidents can't drag along, the dispersion, validation at the edges, a gate, exact boundaries.

mod baseline;
mod blip;
mod boundary;
mod compact;
mod dispersion;
mod drift;
mod echo;
mod edges;
mod emission;
mod errors;
mod finding;
mod gate;
mod latency;
mod merge;
mod mix;
mod part;
mod segment;
mod specific;
mod statuses;
mod storms;
mod stream;
mod traffic;
mod validate;

#[cfg(test)]
mod tests;

pub use errors::{find_errors, find_errors_of_part, find_suspected_errors};
pub use latency::{Beside, Sharp, Sharpened, TimedRequest, find_latency, sharpen, slows_alone};
pub use merge::{Merged, merge};
pub use part::{Part, Whole};
pub use specific::stands_out;
pub use storms::divergence;
pub use traffic::{find_missing_member, find_traffic};

/// Counts of one stream over one slot of time, usually a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// First second of the slot, since the epoch (UTC).
    pub second: i64,
    /// User requests (probes left out).
    pub requests: u32,
    /// Those of them that failed (5xx).
    pub failures: u32,
    /// Index into [`Series::failing_clients`], if any request failed.
    pub clients: Option<u32>,
}

/// Failing requests of one slot by a 4-bit hash of the client address: enough to ask whether one client alone fails.
pub type ClientBuckets = [u16; 16];

/// The counts of one stream (the site, a host, a vhost, …), ascending by second, only slots that have requests.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// The stream's counts.
    pub slots: Vec<Slot>,
    /// Seconds per slot: 1 unless the data is too long for that (a power of two).
    pub slot_seconds: u32,
    /// Failing clients per slot, referred to by [`Slot::clients`].
    pub failing_clients: Vec<ClientBuckets>,
    /// (index into `slots`, status, count) of failures, ascending.
    pub statuses: Vec<(u32, u16, u32)>,
    /// *All* requests of the whole stream by the same hash of the client, failing or not. Only this tells a proxy (all
    /// requests in one bucket) from one failing client among many. `None` if it was not counted; leave
    /// [`Slot::clients`] `None` as well when the log has no client field.
    pub active_client_buckets: Option<[u64; 16]>,
}

impl Series {
    /// Without slots; how all requests spread over clients, if the log names them.
    pub fn new(slot_seconds: u32, active_client_buckets: Option<[u64; 16]>) -> Self {
        Self { slot_seconds, active_client_buckets, ..Self::default() }
    }

    /// Adds a slot after all others, unless it has no requests: with (status, count) of its failures, ascending, and their
    /// clients, which are kept only where the log names them.
    pub fn push(
        &mut self,
        second: i64,
        (requests, failures): (u32, u32),
        statuses: &[(u16, u32)],
        clients: Option<ClientBuckets>,
    ) {
        if requests == 0 {
            return;
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.statuses.extend(statuses.iter().map(|&(status, n)| (index, status, n)));
        let clients = clients.filter(|_| self.active_client_buckets.is_some()).and_then(|buckets| {
            let at = u32::try_from(self.failing_clients.len()).ok();
            self.failing_clients.push(buckets);
            at
        });
        self.slots.push(Slot { second, requests, failures, clients });
    }

    /// The slots that begin in none of these spans, [first, last] second each, ascending.
    #[must_use]
    pub fn outside(&self, spans: &[(i64, i64)]) -> Self {
        let mut left = Self::new(self.slot_seconds, self.active_client_buckets);
        let mut statuses = self.statuses.iter().peekable();
        for (index, slot) in self.slots.iter().enumerate() {
            let mut own = Vec::new();
            while let Some(&(_, status, count)) = statuses.next_if(|(at, ..)| *at as usize <= index) {
                own.push((status, count));
            }
            if lies_in(spans, slot.second) {
                continue;
            }
            let clients = slot.clients.and_then(|at| self.failing_clients.get(at as usize)).copied();
            left.push(slot.second, (slot.requests, slot.failures), &own, clients);
        }
        left
    }
}

/// Whether a second lies in one of these spans, [first, last] second each, ascending.
fn lies_in(spans: &[(i64, i64)], second: i64) -> bool {
    let span = spans.partition_point(|(_, last)| *last < second);
    spans.get(span).is_some_and(|(first, _)| *first <= second)
}

/// Latencies of one slot of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencySlot {
    /// First second of the slot, since the epoch (UTC).
    pub second: i64,
    /// Its first entry in [`LatencySeries::bins`].
    pub from: u32,
    /// One past its last entry.
    pub until: u32,
}

/// The latencies of one stream, of user requests that were neither refused (4xx) nor failed (5xx): ascending by second, only slots with some.
#[derive(Debug, Clone, Default)]
pub struct LatencySeries {
    /// The slots.
    pub slots: Vec<LatencySlot>,
    /// Seconds per slot: 1 unless the data is too long for that (a power of two).
    pub slot_seconds: u32,
    /// (bin of a [`Histogram`](crate::model::Histogram), count), ascending by bin within a slot.
    pub bins: Vec<(u8, u32)>,
}

/// Which golden signal broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Failing requests.
    Errors,
    /// Slow requests.
    Latency,
    /// Missing requests.
    Traffic,
}

/// How readily a finding is reported: the penalty β per incident, in nats per day of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sensitivity {
    /// β = 28.
    Low,
    /// β = 22.
    #[default]
    Normal,
    /// β = 16.
    High,
}

/// One edge of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    /// The most likely second (of the first, or last, affected request).
    pub second: i64,
    /// 95 % interval for when the fault began (ended), both seconds included. Reaches beyond `second` where requests
    /// are rare: a fault shows only when somebody asks.
    pub range: (i64, i64),
    /// The finding touches the edge of the data: it may have begun earlier (lasted longer).
    pub open: bool,
}

/// What normal was around a finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// Share of requests that fail when all is well, 0–1.
    pub error_share: f64,
    /// User requests per second.
    pub requests_per_second: f64,
    /// The stretch that was compared with: the healthy seconds nearest to the finding, [first, last].
    pub window: Option<(i64, i64)>,
}

/// A stretch of constant impact inside a finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// First second.
    pub start: i64,
    /// Last second.
    pub end: i64,
    /// Share of requests that failed beyond the baseline, 0–1.
    pub share: f64,
}

/// How long requests take; each figure is right within a bin (± 9 %).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latencies {
    /// Half of the requests take longer, in µs.
    pub median_us: f64,
    /// One in twenty takes longer, in µs.
    pub p95_us: f64,
}

/// What the signal of a finding came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// Requests failed: see [`Finding::failures`].
    Errors,
    /// Requests were slow.
    Latency {
        /// Posterior mean of the share of requests that were slower than the baseline explains, 0–1.
        share: f64,
        /// 95 % interval of `share`.
        share_range: (f64, f64),
        /// How many times slower these were.
        slowdown: f64,
        /// 95 % interval of `slowdown`.
        slowdown_range: (f64, f64),
        /// What the baseline expects of these requests.
        usual: Latencies,
        /// How long they took.
        during: Latencies,
    },
    /// Requests did not come.
    Traffic {
        /// Requests that a healthy time of that length would have had.
        expected: f64,
        /// 95 % interval of the share of them that is missing, 0–1.
        missing_range: (f64, f64),
    },
}

/// What a finding is asked before it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GateKind {
    /// Affected requests beyond what the baseline expects.
    Excess,
    /// Share of requests affected beyond the baseline, 0–1.
    Share,
    /// Affected requests ÷ expected ones.
    Ratio,
    /// Log-likelihood ratio ÷ φ, in nats.
    Strength,
    /// Nats by which inside and outside differ at the better edge.
    Contrast,
    /// [`Self::Excess`] without the client that is affected most.
    ExcessWithoutTopClient,
    /// [`Self::Strength`] without the client that is affected most.
    StrengthWithoutTopClient,
    /// How much it matters: share × logarithm of the slowdown.
    Effect,
    /// How far it is from normal, in standard deviations of the baseline.
    Deviations,
}

/// One question and its answer: passed, as `value` ≥ `needed`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// What is asked.
    pub what: GateKind,
    /// The finding's value.
    pub value: f64,
    /// The least that passes.
    pub needed: f64,
}

/// The next best place for a boundary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunnerUp {
    /// Its second.
    pub second: i64,
    /// By how much it is less likely than the one reported, in nats ÷ φ.
    pub nats: f64,
}

/// How a finding came about, for whoever doubts it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Audit {
    /// β: the nats that a finding costs in this stream; 0 where it is not known.
    pub penalty: f64,
    /// What it passed.
    pub gates: Vec<Gate>,
    /// The start that came second.
    pub start_runner_up: Option<RunnerUp>,
    /// The end that came second.
    pub end_runner_up: Option<RunnerUp>,
    /// It shows in the failures with one status alone: gates and strength are of those, not of all failures.
    pub alone: Option<Alone>,
}

/// Failures with one status between start and end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alone {
    /// The status.
    pub status: u16,
    /// How many there were.
    pub failures: u64,
    /// How many the baseline of this status expects.
    pub expected: f64,
}

/// A stretch that the baseline cannot explain.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What broke.
    pub signal: Signal,
    /// What it came to.
    pub effect: Effect,
    /// Second of the first affected request; for missing requests the first second without them.
    pub start: Boundary,
    /// Second of the last affected request; for missing requests the last second without them.
    pub end: Boundary,
    /// What normal was.
    pub baseline: Baseline,
    /// Requests and failures in [start, end]; for [`Signal::Latency`] requests with a latency, and no failures.
    pub requests: u64,
    /// See `requests`.
    pub failures: u64,
    /// The status of ≥ 70 % of the excess failures, if there is one.
    pub dominant_status: Option<u16>,
    /// Log-likelihood ratio against the baseline, divided by the dispersion φ, in nats.
    pub strength: f64,
    /// Over-dispersion φ of the series: 1 = binomial; from 8 on see [`Caveat::Overdispersed`].
    pub dispersion: f64,
    /// Constant levels inside, ascending.
    pub levels: Vec<Level>,
    /// 0–1: how sure this is a real incident and not chance or one client.
    pub confidence: f64,
    /// How it came about.
    pub audit: Audit,
}

impl Finding {
    /// Seconds from the first to the last affected one, both included.
    pub fn lasted_seconds(&self) -> i64 {
        self.end.second.saturating_sub(self.start.second).saturating_add(1)
    }

    /// First and last second.
    pub fn span(&self) -> (i64, i64) {
        (self.start.second, self.end.second)
    }

    /// Seconds that it has in common with another one.
    pub fn overlap(&self, other: &Self) -> i64 {
        let end = self.end.second.min(other.end.second);
        end.saturating_sub(self.start.second.max(other.start.second)).saturating_add(1).max(0)
    }

    /// Hardly any of the requests came that were to be expected.
    pub fn is_silence(&self) -> bool {
        match self.effect {
            Effect::Traffic { expected, .. } => self.requests as f64 <= (1.0 - SILENT) * expected,
            Effect::Errors | Effect::Latency { .. } => false,
        }
    }

    /// Puts what single requests tell of slow ones, and how many requests there were where that is known, in the place of
    /// what counts per second told. Levels keep their proportions and reach from edge to edge.
    pub fn retell(&mut self, effect: Effect, requests: Option<usize>) {
        if let (Effect::Latency { share: before, .. }, Effect::Latency { share, .. }) = (self.effect, effect)
        {
            for level in &mut self.levels {
                level.share = (level.share * share / before.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
            }
        }
        let (start, end) = (self.start.second, self.end.second);
        self.levels.retain(|level| level.end >= start && level.start <= end);
        if let Some(first) = self.levels.first_mut() {
            first.start = start;
        }
        if let Some(last) = self.levels.last_mut() {
            last.end = end;
        }
        self.effect = effect;
        self.requests = requests.map_or(self.requests, |requests| requests as u64);
    }
}

/// Who waits for a backend is told that it timed out after so many seconds (nginx's default), and until then nothing is
/// written.
const TIMEOUT_SECONDS: i64 = 60;
/// So much of the expected requests is missing where a stream is called silent.
const SILENT: f64 = 0.9;
/// What lasts less is a blip.
pub const BLIP_SECONDS: i64 = 5;
/// With so few clients in effect (1/Σp², p their parts of the good requests) each of them is a good part of the users: a
/// site of two people fails for one of them at a time.
pub const FEW_CLIENTS: f64 = 4.0;

/// All that was found in one stream.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Incidents, ascending by start.
    pub incidents: Vec<Finding>,
    /// What lasted under five seconds, ascending by start.
    pub blips: Vec<Finding>,
    /// Of a part without requests of its own: what may be an incident, ascending by start, and cannot be told from its
    /// failures against the requests of the whole. Its own have to say, see [`find_suspected_errors`].
    pub suspects: Vec<Finding>,
    /// What the reader must know of the method's limits on this data ("no healthy period seen", φ at its cap).
    pub caveats: Vec<Caveat>,
}

/// A limit of the method that shows on this data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caveat {
    /// More than half of the traffic fails from beginning to end: nothing healthy to compare with.
    NoHealthyPeriod,
    /// Failures clump more than the model allows for (φ ≥ 8): intervals are too narrow.
    Overdispersed,
    /// Too few requests to find anything but a total outage.
    TooFewRequests,
}
