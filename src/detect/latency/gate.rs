//! Which chains make an incident: joined over short pauses and large enough.

use super::emission::State;
use super::validate::{Evidence, Scale};
use crate::detect::gate::joins;
use crate::detect::validate::Chain;

/// Log-likelihood ratio as a part of β.
pub(super) const LEAST_OF_PENALTY: f64 = 0.8;
/// Slow requests, at least: fewer are one user with a few large files …
const LEAST_SLOW: f64 = 8.0;
/// … unless they take this long to come, …
const LASTING_SECONDS: i64 = 300;
/// … when so many do.
const LEAST_SLOW_LASTING: f64 = 6.0;
/// Without its strongest slot this part of β is left: one user who fetches a dozen large files is no incident.
const LEAST_OF_PENALTY_WITHOUT_SLOT: f64 = 0.6;

/// Chains that form one incident.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) chains: Vec<Chain>,
    /// Log-likelihood ratio over φ, summed over the runs.
    pub(super) strength: f64,
}

impl Candidate {
    pub(super) fn first(&self) -> usize {
        self.chains.first().map_or(0, Chain::first)
    }
    pub(super) fn last(&self) -> usize {
        self.chains.last().map_or(0, Chain::last)
    }
    /// Takes up the candidate that follows.
    pub(super) fn join(&mut self, next: Self) {
        self.chains.extend(next.chains);
        self.strength += next.strength;
    }
    pub(super) fn contrast(&self) -> f64 {
        self.chains.iter().map(|chain| chain.contrast).fold(0.0, f64::max)
    }
}

/// Joins chains over pauses of up to two minutes and keeps what is large enough.
pub(super) fn gate(scale: Scale<'_>, chains: Vec<Chain>) -> Vec<Candidate> {
    let mut groups: Vec<Vec<Chain>> = Vec::new();
    for chain in chains {
        let span = (chain.first(), chain.last());
        match groups.last_mut() {
            Some(group) if joins(scale.record.stream, span_of(group), span) => group.push(chain),
            _ => groups.push(vec![chain]),
        }
    }
    groups.into_iter().filter_map(|chains| admit(scale, chains)).collect()
}

fn span_of(chains: &[Chain]) -> (usize, usize) {
    (chains.first().map_or(0, Chain::first), chains.last().map_or(0, Chain::last))
}

fn admit(scale: Scale<'_>, chains: Vec<Chain>) -> Option<Candidate> {
    let (mut strength, mut slow, mut strongest) = (0.0, 0.0, 0.0_f64);
    for run in chains.iter().flat_map(|chain| &chain.runs) {
        let (State { share, .. }, nats) = scale.evidence(run.first..=run.last).best();
        strength += nats;
        slow += share * (run.first..=run.last).map(|slot| scale.record.stream.requests_at(slot)).sum::<f64>();
        strongest = strongest.max(strongest_slot(scale, run.first, run.last));
    }
    let (first, last) = span_of(&chains);
    let stream = scale.record.stream;
    let lasts = stream.last_second(last).saturating_sub(stream.second(first)) >= LASTING_SECONDS;
    let large = strength >= LEAST_OF_PENALTY * scale.penalty
        && slow >= if lasts { LEAST_SLOW_LASTING } else { LEAST_SLOW }
        && strength - strongest >= LEAST_OF_PENALTY_WITHOUT_SLOT * scale.penalty;
    large.then_some(Candidate { chains, strength })
}

/// The nats of the slot that says most, in a run short enough for one slot to matter.
fn strongest_slot(scale: Scale<'_>, first: usize, last: usize) -> f64 {
    const LONG: usize = 600;
    if last.saturating_sub(first) >= LONG {
        return 0.0;
    }
    (first..=last)
        .map(|slot| scale.evidence(std::iter::once(slot)))
        .map(|evidence: Evidence| evidence.best().1)
        .fold(0.0, f64::max)
}
