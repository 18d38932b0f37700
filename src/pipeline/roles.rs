//! Which part each source plays: a proxy's log and its application's tell of the same requests, and only the
//! proxy's count.

use std::collections::BTreeMap;

use crate::explain::facts::Role;
use crate::format::Class;
use crate::model::Untrusted;
use crate::survey::{Clock, FEWEST, Merge, Tally, Windows};

/// Share of a source's sampled requests that stand in another's as well, from which on it tells of the same ones.
const SAME: f64 = 0.85;
/// The part of those that chance would leave out that may be missing.
const OF_CHANCE: f64 = 0.4;
/// How improbable it must be that so few are missing by chance: a busy server has every path of a quiet one at any time.
const IMPROBABLE: f64 = 0.001;

/// Rotation sets compared with each other, by their number of requests.
const MAX_SETS: usize = 128;

/// What is known of a rotation set: a sample of its requests; how many there are, and in how many buckets of clients.
/// An application that logs the very requests of its proxy may know only one client, the proxy.
type Set = (Windows, (u64, usize));

/// What a source is like.
pub(super) struct Member<'a> {
    /// Its rotation set.
    pub group: &'a Untrusted,
    /// Its class, by the format of most of its records.
    pub class: Option<Class>,
    /// Its counts.
    pub tally: &'a Tally,
    /// Stated to be in front of all others.
    pub stated_edge: bool,
    /// Its clock.
    pub clock: Clock,
}

/// The role of each source. Where the edge is stated, every other access log is a backend's.
pub(super) fn roles(members: &[Member<'_>]) -> Vec<Option<Role>> {
    let stated = members.iter().any(|m| m.stated_edge && m.class == Some(Class::Access));
    let mut sets: BTreeMap<&Untrusted, Set> = BTreeMap::new();
    for member in members.iter().filter(|m| m.class == Some(Class::Access)) {
        let (windows, (requests, clients)) = sets.entry(member.group).or_default();
        windows.absorb(member.tally.windows(&member.clock));
        *requests = requests.saturating_add(member.tally.statuses.values().sum());
        *clients = (*clients).max(member.tally.clients.iter().filter(|&&n| n > 0).count());
    }
    let backends = backends(sets);
    members
        .iter()
        .map(|member| {
            Some(match member.class? {
                Class::Access if stated && member.stated_edge => Role::Edge,
                Class::Access if stated => Role::Backend,
                Class::Access if backends.contains(&member.group) => Role::Backend,
                Class::Access => Role::Edge,
                Class::Error => Role::Error,
                Class::Application => Role::Application,
                Class::System => Role::System,
            })
        })
        .collect()
}

/// The sets that another one repeats. Every pair is compared, so only the busiest are.
fn backends<'a>(sets: BTreeMap<&'a Untrusted, Set>) -> Vec<&'a Untrusted> {
    let mut busy: Vec<_> =
        sets.into_iter().filter(|(_, (windows, _))| windows.requests() >= FEWEST).collect();
    busy.sort_by(|a, b| b.1.1.cmp(&a.1.1).then(a.0.cmp(b.0)));
    busy.truncate(MAX_SETS);
    let repeated = |(name, set): &&(&'a Untrusted, Set)| {
        busy.iter().any(|(other, theirs)| repeats((name, set), (other, theirs)))
    };
    busy.iter().filter(repeated).map(|(name, _)| *name).collect()
}

/// Whether the first set's requests are told by the second as well, which is the fuller account of the two.
fn repeats(mine: (&&Untrusted, &Set), theirs: (&&Untrusted, &Set)) -> bool {
    let ((name, (windows, requests)), (other, (others, others_requests))) = (mine, theirs);
    if name == other {
        return false;
    }
    let Some(found) = windows.contained_in(others) else { return false };
    let (missing, by_chance) = (found.missing as f64, found.missing_by_chance);
    let certain = missing <= (1.0 - SAME) * found.requests as f64
        && missing <= OF_CHANCE * by_chance
        && at_most(found.missing, by_chance) < IMPROBABLE;
    let (few, many) = (windows.common_requests(others), others.common_requests(windows));
    certain && (few, requests, other) < (many, others_requests, name)
}

/// The probability that a Poisson variable of this mean is at most `count`.
fn at_most(count: u64, mean: f64) -> f64 {
    let mut term = (-mean).exp();
    let mut sum = term;
    for n in 1..=count {
        term *= mean / n as f64;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests as (second, path); `skip` leaves out every n-th.
    fn windows(requests: &[(i64, String)], skip: usize) -> Windows {
        let mut w = Windows::default();
        for (i, (second, path)) in requests.iter().enumerate() {
            if skip > 0 && i % skip == 0 {
                continue;
            }
            if let Some(window) = Windows::sampled(*second) {
                w.add(window, b"GET", path.as_bytes());
            }
        }
        w
    }

    fn traffic(seed: usize) -> Vec<(i64, String)> {
        (0..20_000usize)
            .map(|i| {
                let id = (i * 7919 + seed * 104_729) % 5_003;
                let path = if id.is_multiple_of(3) { "/".to_owned() } else { format!("/p/{}", id % 400) };
                (i64::try_from(i).unwrap() / 3, path)
            })
            .collect()
    }

    fn set(w: Windows, n: u64) -> Set {
        (w, (n, 16))
    }

    #[test]
    fn an_application_behind_a_proxy_repeats_it() {
        let proxy = set(windows(&traffic(1), 0), 20_000);
        let app = set(windows(&traffic(1), 10), 18_000);
        let (p, a) = (Untrusted::from("proxy"), Untrusted::from("app"));
        assert!(repeats((&&a, &app), (&&p, &proxy)));
        assert!(!repeats((&&p, &proxy), (&&a, &app)));
    }

    #[test]
    fn two_replicas_with_the_same_pages_do_not() {
        let one = set(windows(&traffic(1), 0), 20_000);
        let two = set(windows(&traffic(2), 0), 20_000);
        let (p, a) = (Untrusted::from("web-01"), Untrusted::from("web-02"));
        assert!(!repeats((&&a, &two), (&&p, &one)));
        assert!(!repeats((&&p, &one), (&&a, &two)));
    }
}
