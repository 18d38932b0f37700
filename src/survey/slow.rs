//! Latencies of vhosts and upstreams → the series that detection reads.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use super::series::{add_paces, each, latencies, moved};
use super::{Clock, Limits, Name, Paces, Tally};
use crate::detect::LatencySeries;

/// Vhosts and upstreams with the most requests.
const MAX_PACED: usize = 32;

/// A vhost or upstream whose latencies were counted. Its [`series`](Self::series) is made when it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacedValue {
    /// Which.
    pub name: Name,
    /// Users' requests, those without a latency among them.
    pub requests: u64,
    hash: u32,
    /// How many values there are: they share the memory.
    values: usize,
}

impl PacedValue {
    /// Latencies of the value's requests that were not answered 5xx.
    pub fn series(&self, tallies: &[(&Tally, Clock)], limits: Limits, range: Range<i64>) -> LatencySeries {
        let mut latency = Paces::new(limits.own_latency / self.values.max(1));
        each(tallies, |timed, clock| {
            if let Some(value) = timed.own.get(self.hash) {
                add_paces(&mut latency, &value.latency, clock);
            }
        });
        latencies(&latency, range)
    }
}

/// The vhosts and upstreams that took time, by dimension and value: at most 32, those with the most requests.
pub fn paced_values(tallies: &[(&Tally, Clock)], range: &Range<i64>) -> Vec<PacedValue> {
    let mut known: BTreeMap<u32, PacedValue> = BTreeMap::new();
    each(tallies, |timed, clock| {
        for (hash, value) in timed.own.iter().filter(|(_, value)| !value.latency.is_empty()) {
            let inside = value.counts.cells().filter(|(wall, _)| range.contains(&moved(*wall, clock)));
            let requests = inside.map(|(_, count)| u64::from(count.all)).sum();
            let name = value.name.clone();
            let entry = known.entry(hash).or_insert_with(|| PacedValue {
                name: name.clone(),
                requests: 0,
                hash,
                values: 0,
            });
            entry.requests = entry.requests.saturating_add(requests);
            if name < entry.name {
                entry.name = name;
            }
        }
    });
    let mut values: Vec<PacedValue> = known.into_values().collect();
    values.sort_by_key(|value| (Reverse(value.requests), value.hash));
    values.truncate(MAX_PACED);
    values.sort_by(|a, b| a.name.cmp(&b.name));
    let count = values.len();
    for value in &mut values {
        value.values = count;
    }
    values
}
