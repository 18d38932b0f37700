//! Clients that fail far more often than the others do. While something broke for all they tell nothing of where; and what
//! is nothing without one of them is no incident.

use super::bouts::{Counts, SPARED_NATS, is_of_bouts};
use crate::detect::{FEW_CLIENTS, Finding, Signal, divergence};
use crate::inspect::{CLIENT_GROUPS, Client, Closeup, Part, Tone, client_group};
use crate::model::{Dimension, Untrusted};

/// Failures of one client that make a storm …
const LEAST: u64 = 8;
/// … if they are so many nats more than its part of the requests beside the incident accounts for …
const NATS: f64 = 18.0;
/// … and so many times as many.
const TIMES: f64 = 4.0;
/// A client that sent nothing beside the incident is taken to send this part of the requests.
const LEAST_PART: f64 = 0.001;
/// Affected requests of others that must be left.
const LEAST_LEFT: u64 = 5;
/// Affected requests beyond what is expected that an incident has without the client that failed most …
const LEAST_EXCESS: f64 = 3.0;
/// … and nats ÷ φ as a part of β. Detection asks the same of sixteen groups of clients; here each is known by itself.
const LEAST_OF_PENALTY: f64 = 0.6;
/// Storms one after the other that are left out, at most.
const MOST_STORMS: usize = 3;
/// Failures of each of a few clients that fail in turn, and nobody else.
const LEAST_IN_TURN: u64 = 3;
/// Failures of others beside them, those of every day, at most.
const MOST_BESIDE: u64 = 2;

/// Affected requests of all clients, and requests of all beside the incident, which make one client's a storm or not.
#[derive(Debug, Clone, Copy)]
struct Sums {
    affected: u64,
    outside: u64,
}

impl Sums {
    fn of(closeup: &Closeup) -> Self {
        let all = |count: fn(&Client) -> u64| {
            closeup.clients.iter().fold(0_u64, |sum, (_, client)| sum.saturating_add(count(client)))
        };
        Self { affected: all(|client| client.inside.affected), outside: all(|client| client.outside) }
    }

    fn is_storm(self, client: &Client) -> bool {
        let part = client.inside.affected as f64 / self.affected.max(1) as f64;
        let usual = (client.outside as f64 / self.outside.max(1) as f64).max(LEAST_PART);
        client.inside.affected >= LEAST
            && part >= TIMES * usual
            && self.affected as f64 * divergence(part, usual) >= NATS
    }
}

/// The groups of clients to leave out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Storms([bool; CLIENT_GROUPS]);

impl Storms {
    /// Those with a client whose failures are a storm; none if hardly any others would be left.
    pub(super) fn of(closeup: &Closeup) -> Self {
        let sums = Sums::of(closeup);
        let mut storms = Self::default();
        for (hash, client) in closeup.clients.iter() {
            if sums.is_storm(client)
                && let Some(group) = storms.0.get_mut(client_group(hash))
            {
                *group = true;
            }
        }
        if storms.without(&closeup.total).affected < LEAST_LEFT { Self::default() } else { storms }
    }

    /// What others met with in the window.
    pub(super) fn without(&self, tone: &Tone) -> Part {
        let mut part = tone.inside;
        for (group, _) in tone.by_client.iter().zip(self.0).filter(|(_, storm)| *storm) {
            part.requests = part.requests.saturating_sub(u64::from(group.requests));
            part.affected = part.affected.saturating_sub(u64::from(group.affected));
        }
        part
    }
}

/// Whether an incident is the work of one client: all failures are its own while others go on unharmed, or its storm is what
/// sets the incident apart from any other time. `place` is what the finding is about; nothing is the site.
pub(super) fn is_of_one_client(
    finding: &Finding,
    place: Option<&(Dimension, Untrusted)>,
    closeup: &Closeup,
) -> bool {
    // on a site of a handful of people, what one of them meets with is what a good part of the users does
    let good = |c: &Client| c.good_inside.saturating_add(c.good_outside) as f64;
    let total: f64 = closeup.clients.iter().map(|(_, c)| good(c)).sum();
    let squares: f64 = closeup.clients.iter().map(|(_, c)| (good(c) / total.max(1.0)).powi(2)).sum();
    let tone = match place {
        None => Some(&closeup.total),
        Some((dimension, value)) => closeup
            .dimensions
            .get(dimension)
            .and_then(|values| values.iter().map(|(_, tone)| tone).find(|tone| *tone.value == *value.raw())),
    };
    squares * FEW_CLIENTS < 1.0
        && (one_alone(closeup)
            || tone.is_some_and(|tone| {
                finding.signal == Signal::Errors
                    && (few_in_turn(tone, closeup)
                        || is_storm_alone(finding, tone, closeup)
                        || is_of_bouts(finding, tone, closeup))
            }))
}

fn one_alone(closeup: &Closeup) -> bool {
    let hit = closeup.clients.iter().filter(|(_, c)| c.inside.within > 0).count();
    let well = closeup.clients.iter().filter(|(_, c)| c.inside.within == 0 && c.good_inside > 0).count();
    hit == 1 && well >= 1 && closeup.anonymous.within == 0
}

/// All failures but one or two are those of a few clients, several of each, one client after the other, while the others asked for
/// the same so often that they should have met with more: what a client tries again and again fails for what it asks.
fn few_in_turn(tone: &Tone, closeup: &Closeup) -> bool {
    let hit = closeup.clients.iter().map(|(_, client)| client).filter(|client| client.inside.within > 0);
    let (hit, once): (Vec<&Client>, Vec<&Client>) =
        hit.partition(|client| client.inside.affected >= LEAST_IN_TURN);
    let in_turn = hit
        .iter()
        .enumerate()
        .all(|(index, client)| hit.iter().skip(index + 1).all(|other| !other.hit.overlaps(client.hit)));
    let beside: u64 = once.iter().fold(0, |sum, client| sum.saturating_add(client.inside.within));
    let known = closeup.clients.weight() <= 1.0 && closeup.anonymous.within == 0;
    let theirs: u64 = hit.iter().fold(0, |sum, client| sum.saturating_add(client.inside.requests));
    let requests = tone.inside.requests;
    let level = tone.inside.affected as f64 / requests.max(1) as f64;
    let others = Counts { requests: requests.saturating_sub(theirs).max(1) as f64, failures: beside as f64 };
    let spared = others.spared(level) >= SPARED_NATS;
    known && beside <= MOST_BESIDE && (1..=MOST_STORMS).contains(&hit.len()) && in_turn && spared
}

/// Without the failures of the client that failed most, or of several whose storms follow each other, there are not many
/// more than the place has at any other time. Of a finding in one status alone it is not known which of them had it: there
/// hardly any may be left at all.
fn is_storm_alone(finding: &Finding, tone: &Tone, closeup: &Closeup) -> bool {
    // of a sample of clients the busiest may be missing
    if tone.outside.requests == 0 || closeup.clients.weight() > 1.0 {
        return false;
    }
    let sums = Sums::of(closeup);
    let mut stormy: Vec<&Client> =
        closeup.clients.iter().map(|(_, client)| client).filter(|client| sums.is_storm(client)).collect();
    stormy.sort_by_key(|client| (std::cmp::Reverse(client.inside.within), client.hit.first));
    // what several meet with at the same time is no coincidence
    let mut apart: Vec<&Client> = Vec::new();
    for client in stormy.into_iter().take(MOST_STORMS) {
        if apart.iter().all(|other| !other.hit.overlaps(client.hit)) {
            apart.push(client);
        }
    }
    let of_storms = apart.iter().fold(0u64, |sum, client| sum.saturating_add(client.inside.within));
    if apart.is_empty() {
        return false;
    }
    let usual = (tone.outside.affected as f64 + 0.5) / (tone.outside.requests as f64 + 1.0);
    let requests = tone.inside.requests.saturating_sub(of_storms) as f64;
    let affected = tone.inside.affected.saturating_sub(of_storms) as f64;
    if finding.audit.alone.is_some() {
        return affected < LEAST_EXCESS;
    }
    let share = affected / requests.max(1.0);
    let nats =
        if share > usual { requests * divergence(share, usual) / finding.dispersion.max(1.0) } else { 0.0 };
    affected - requests * usual < LEAST_EXCESS || nats < LEAST_OF_PENALTY * finding.audit.penalty
}
