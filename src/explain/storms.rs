//! Clients that fail far more often than the others do while something broke for all: they tell nothing of where.

use crate::detect::divergence;
use crate::inspect::{CLIENT_GROUPS, Closeup, Part, Tone, client_group};

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

/// The groups of clients to leave out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Storms([bool; CLIENT_GROUPS]);

impl Storms {
    /// Those with a client whose failures are a storm; none if hardly any others would be left.
    pub(super) fn of(closeup: &Closeup) -> Self {
        let all = |count: fn(&crate::inspect::Client) -> u64| {
            closeup.clients.iter().fold(0_u64, |sum, (_, client)| sum.saturating_add(count(client)))
        };
        let (affected, outside) = (all(|client| client.inside.affected), all(|client| client.outside));
        let mut storms = Self::default();
        for (hash, client) in closeup.clients.iter() {
            let part = client.inside.affected as f64 / affected.max(1) as f64;
            let usual = (client.outside as f64 / outside.max(1) as f64).max(LEAST_PART);
            let is_storm = client.inside.affected >= LEAST
                && part >= TIMES * usual
                && affected as f64 * divergence(part, usual) >= NATS;
            if is_storm && let Some(group) = storms.0.get_mut(client_group(hash)) {
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
