//! Bouts of single clients and a restart of a few seconds that came within minutes of each other: what looks like one stretch
//! in which several clients fail, and is none without them.
//!
//! Detection leaves the busiest client out and asks for the less (.6β instead of .8β) of the others. Each further client that
//! fails again and again, and the few seconds in which most of the others do, are as good an explanation, and as dear: what is
//! left must carry a fifth of β less for each. But the others must be spared: where they fail as often as all do, be it in one
//! place only, it is everybody's.

use std::collections::BTreeMap;

use crate::detect::{BLIP_SECONDS, Finding, divergence};
use crate::inspect::{CLIENT_GROUPS, Closeup, Distinct, Hit, Span, Tone, client_group};

/// So many failures of a client are more than one of every day; as many within the time of a blip are a restart.
const LEAST: f64 = 3.0;
/// A client's failures with a longer pause between them are bouts of their own.
const PAUSE_SECONDS: i64 = 60;
/// What an incident carries, as a part of β …
const OF_PENALTY: f64 = 0.8;
/// … and by how much less without each thing that is left out.
const OF_PENALTY_EACH: f64 = 0.2;
/// With so many things left out nothing more would be asked of the rest.
const MOST: usize = 4;
/// Failures of the rest beyond what is expected: three, whatever little is expected.
const LEAST_EXCESS: f64 = 2.5;
/// Nats by which the rest fails too seldom for all to have been hit …
pub(super) const SPARED_NATS: f64 = 2.3;
/// … the same where clients fail at the same time, which is a coincidence unless nobody else does …
const SPARED_AT_ONCE_NATS: f64 = 18.0;
/// … and by which a few seconds differ from the rest, of all those that might have been chosen.
const BLIP_NATS: f64 = 5.0;
/// A place with this part of all failures, and half of the rest's, is where it hurts.
const PLACE_PART: f64 = 0.8;
/// See [`PLACE_PART`].
const PLACE_REST_PART: f64 = 0.5;

/// Requests and how many of them fail.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) requests: f64,
    pub(super) failures: f64,
}

impl Counts {
    fn share(self) -> f64 {
        self.failures / self.requests.max(1.0)
    }

    fn without(self, other: Self) -> Self {
        let failures = (self.failures - other.failures).max(0.0);
        Self { requests: (self.requests - other.requests).max(failures), failures }
    }

    /// Nats by which these fail more seldom than this share of them would.
    pub(super) fn spared(self, level: f64) -> f64 {
        if self.share() < level { self.requests * divergence(self.share(), level) } else { 0.0 }
    }

    fn differs(self, other: Self) -> f64 {
        let level = (self.failures + other.failures) / (self.requests + other.requests).max(1.0);
        self.requests * divergence(self.share(), level) + other.requests * divergence(other.share(), level)
    }
}

/// One client's failures.
struct Client {
    hash: u64,
    counts: Counts,
    bouts: Vec<Span>,
}

impl Client {
    fn meets(&self, other: &Self) -> bool {
        self.bouts.iter().any(|bout| other.bouts.iter().any(|of| bout.overlaps(*of)))
    }
}

/// What was left out so far.
#[derive(Default)]
struct Out {
    clients: Vec<Client>,
    at_once: bool,
    /// The few seconds, with the requests that they have about.
    blip: Option<Counts>,
}

impl Out {
    fn things(&self) -> usize {
        self.clients.len() + usize::from(self.blip.is_some())
    }
}

/// Whether nothing is left of a finding without the clients that fail again and again, and without a few seconds in which
/// most of the others do.
pub(super) fn is_of_bouts(finding: &Finding, tone: &Tone, closeup: &Closeup) -> bool {
    let known = closeup.clients.weight() <= 1.0 && closeup.anonymous.within == 0;
    let Some(mut hits) = closeup.hits.by_time().filter(|_| known) else { return false };
    if let Some(alone) = finding.audit.alone {
        hits.retain(|hit| hit.status == alone.status);
    }
    let case = Case { finding, tone, closeup };
    case.is_nothing_without(&hits, None)
        || blip(&hits).is_some_and(|(first, last)| case.is_nothing_without(&hits, Some((first, last))))
}

struct Case<'a> {
    finding: &'a Finding,
    tone: &'a Tone,
    closeup: &'a Closeup,
}

impl Case<'_> {
    /// Leaves out the seconds, then one client after the other, those that fail most first.
    fn is_nothing_without(&self, hits: &[Hit], seconds: Option<(i64, i64)>) -> bool {
        let all = Counts { requests: self.tone.inside.requests as f64, failures: count(hits) };
        let within = |hit: &Hit| seconds.is_some_and(|(first, last)| (first..=last).contains(&hit.second));
        let (blip, hits): (Vec<Hit>, Vec<Hit>) = hits.iter().partition(|hit| within(hit));
        let failures = count(&blip);
        let mut out = Out::default();
        let mut rest = all.without(Counts { requests: failures, failures });
        if let Some((first, last)) = seconds {
            let part = (last - first + 1) as f64 / self.finding.lasted_seconds().max(1) as f64;
            out.blip = Some(Counts { requests: failures + part * all.requests, failures });
            if self.is_nothing(all, rest, &out) {
                return true;
            }
        }
        for client in clients(&hits, self.closeup) {
            rest = rest.without(client.counts);
            out.at_once |= out.clients.iter().any(|before| before.meets(&client));
            out.clients.push(client);
            if out.things() > MOST {
                return false;
            }
            if self.is_nothing(all, rest, &out) {
                return true;
            }
        }
        false
    }

    /// What is left is no more than there is at any other time, and was spared what those left out met with.
    fn is_nothing(&self, all: Counts, rest: Counts, out: &Out) -> bool {
        let spared = rest.spared(all.share());
        let is_spared = out.clients.is_empty()
            || spared >= if out.at_once { SPARED_AT_ONCE_NATS } else { SPARED_NATS }
                && self.spares_place(all, rest, out);
        let is_blip = out.blip.is_none_or(|blip| blip.differs(rest) >= BLIP_NATS);
        if !is_spared || !is_blip {
            return false;
        }
        let alone =
            self.finding.audit.alone.map(|alone| alone.expected / (self.finding.requests as f64).max(1.0));
        let usual = alone.unwrap_or(self.finding.baseline.error_share);
        let nats = if rest.share() > usual { rest.requests * divergence(rest.share(), usual) } else { 0.0 };
        let needed = (OF_PENALTY - OF_PENALTY_EACH * out.things() as f64) * self.finding.audit.penalty;
        rest.failures - rest.requests * usual < LEAST_EXCESS
            || nats / self.finding.dispersion.max(1.0) < needed
    }

    /// Where nearly everything failed in one place, the rest is spared there, too.
    fn spares_place(&self, all: Counts, rest: Counts, out: &Out) -> bool {
        let mut groups = [false; CLIENT_GROUPS];
        for client in &out.clients {
            if let Some(group) = groups.get_mut(client_group(client.hash)) {
                *group = true;
            }
        }
        let left = rest.failures + out.blip.map_or(0.0, |blip| blip.failures);
        self.closeup.dimensions.values().flat_map(Distinct::iter).all(|(_, tone)| {
            let of = |requests: u64, failures: u64| Counts {
                requests: requests as f64,
                failures: failures as f64,
            };
            let here = of(tone.inside.requests, tone.inside.affected);
            let others =
                tone.by_client.iter().zip(groups).filter(|(_, is_out)| !is_out).map(|(group, _)| group);
            let others = others.fold(Counts::default(), |sum, group| Counts {
                requests: sum.requests + f64::from(group.requests),
                failures: sum.failures + f64::from(group.affected),
            });
            // those left out have no more of the place's failures than they have in all
            let of_rest = others.failures.max(here.failures - (all.failures - left));
            let hurts = here.failures >= PLACE_PART * all.failures && of_rest >= PLACE_REST_PART * left;
            !hurts || others.spared(here.share()) >= SPARED_NATS
        })
    }
}

fn count(hits: &[Hit]) -> f64 {
    hits.iter().fold(0_u64, |sum, hit| sum.saturating_add(hit.count)) as f64
}

/// The clients that fail again and again, those that do so most first.
fn clients(hits: &[Hit], closeup: &Closeup) -> Vec<Client> {
    let mut by_client: BTreeMap<u64, Vec<Hit>> = BTreeMap::new();
    for hit in hits {
        by_client.entry(hit.client).or_default().push(*hit);
    }
    let client = |(hash, hits): (u64, Vec<Hit>)| {
        let requests = closeup.clients.get(hash)?.inside.requests as f64;
        let counts = Counts { requests, failures: count(&hits) };
        (counts.failures >= LEAST).then(|| Client { hash, counts, bouts: bouts(&hits) })
    };
    let mut clients: Vec<Client> = by_client.into_iter().filter_map(client).collect();
    clients.sort_by(|a, b| {
        let first = |client: &Client| client.bouts.first().map(|bout| bout.first);
        b.counts.failures.total_cmp(&a.counts.failures).then(first(a).cmp(&first(b)))
    });
    clients
}

/// The stretches without a long pause.
fn bouts(hits: &[Hit]) -> Vec<Span> {
    let mut bouts: Vec<Span> = Vec::new();
    for hit in hits {
        match bouts.last_mut() {
            Some(bout) if hit.second.saturating_sub(bout.last) <= PAUSE_SECONDS => bout.last = hit.second,
            _ => bouts.push(Span { first: hit.second, last: hit.second }),
        }
    }
    bouts
}

/// The few seconds, first and last, in which most fail who are not the one that fails most in them.
fn blip(hits: &[Hit]) -> Option<(i64, i64)> {
    let mut best: Option<(u64, (i64, i64))> = None;
    for (at, first) in hits.iter().enumerate() {
        let near = |hit: &&Hit| hit.second.saturating_sub(first.second) < BLIP_SECONDS - 1;
        let near: Vec<&Hit> = hits.iter().skip(at).take_while(near).collect();
        let mut by_client: BTreeMap<u64, u64> = BTreeMap::new();
        for hit in &near {
            *by_client.entry(hit.client).or_default() += hit.count;
        }
        let all: u64 = by_client.values().sum();
        let others = all - by_client.values().max().copied().unwrap_or(0);
        let last = near.last().map_or(first.second, |hit| hit.second);
        if others > 0 && all as f64 >= LEAST && best.is_none_or(|(most, _)| others > most) {
            best = Some((others, (first.second, last)));
        }
    }
    best.map(|(_, seconds)| seconds)
}
