//! Which client was hit when: what tells one client's trouble, or a restart's few seconds, from everybody's.

use super::Distinct;
use super::distinct::hash;
use crate::survey::Merge;

/// Seconds of clients told apart, 64 bytes each. What hits more of them is no handful of clients' matter.
const MAX_HITS: usize = 2_048;

/// Affected requests of one client within a second, with one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hit {
    /// Hash of the client.
    pub client: u64,
    /// When.
    pub second: i64,
    /// Their status; 0 if none is written.
    pub status: u16,
    /// How many.
    pub count: u64,
}

impl Merge for Hit {
    fn absorb(&mut self, other: Self) {
        // the same but for one that is empty yet
        if self.count == 0 {
            (self.client, self.second, self.status) = (other.client, other.second, other.status);
        }
        self.count = self.count.saturating_add(other.count);
    }
}

/// The affected requests of a window, by client and second.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hits(Distinct<Hit, MAX_HITS>);

impl Hits {
    /// Counts an affected request.
    pub fn see(&mut self, client: u64, second: i64, status: u16) {
        let mut key = [0; 18];
        key[..8].copy_from_slice(&client.to_le_bytes());
        key[8..16].copy_from_slice(&second.to_le_bytes());
        key[16..].copy_from_slice(&status.to_le_bytes());
        if let Some(hit) = self.0.entry(hash(&key)) {
            hit.absorb(Hit { client, second, status, count: 1 });
        }
    }

    /// All of them by time; `None` if there were too many to know them all.
    pub fn by_time(&self) -> Option<Vec<Hit>> {
        let mut hits: Vec<Hit> = self.0.iter().map(|(_, hit)| *hit).collect();
        hits.sort_by_key(|hit| (hit.second, hit.client, hit.status));
        (self.0.weight() <= 1.0).then_some(hits)
    }
}

impl Merge for Hits {
    fn absorb(&mut self, other: Self) {
        self.0.absorb(other.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_counted_by_client_second_and_status_whichever_part_comes_first() {
        let of = |hits: &[(u64, i64, u16)]| {
            let mut all = Hits::default();
            for &(client, second, status) in hits {
                all.see(client, second, status);
            }
            all
        };
        let (one, two) = (of(&[(7, 2, 502), (7, 1, 502)]), of(&[(7, 2, 502), (7, 2, 500), (3, 2, 502)]));
        let (mut there, mut back) = (one.clone(), two.clone());
        there.absorb(two);
        back.absorb(one);
        assert_eq!(there, back);
        let hit = |client, second, status, count| Hit { client, second, status, count };
        let wanted = [hit(7, 1, 502, 1), hit(3, 2, 502, 1), hit(7, 2, 500, 1), hit(7, 2, 502, 2)];
        assert_eq!(there.by_time().unwrap(), wanted);
    }

    #[test]
    fn of_too_many_nothing_is_known() {
        let mut all = Hits::default();
        for client in 0..2 * MAX_HITS as u64 {
            all.see(client, 5, 502);
        }
        assert_eq!(all.by_time(), None);
    }
}
