//! Which client was hit when: what tells one client's trouble, or a restart's few seconds, from everybody's.

use std::collections::BTreeMap;

use crate::survey::Merge;

/// Seconds of clients told apart. What hits more of them is no handful of clients' matter.
const MAX_HITS: usize = 2_048;

/// Affected requests of one client within a second, with one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// The affected requests of a window, by second, client and status, unless there are too many of these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hits {
    map: BTreeMap<(i64, u64, u16), u64>,
    too_many: bool,
}

impl Hits {
    /// Counts an affected request.
    pub fn see(&mut self, client: u64, second: i64, status: u16) {
        self.add((second, client, status), 1);
    }

    fn add(&mut self, key: (i64, u64, u16), more: u64) {
        if self.too_many {
            return;
        }
        let count = self.map.entry(key).or_default();
        *count = count.saturating_add(more);
        if self.map.len() > MAX_HITS {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.too_many = true;
        self.map.clear();
    }

    /// All of them by time; `None` if there were too many.
    pub fn by_time(&self) -> Option<Vec<Hit>> {
        let hit = |(&(second, client, status), &count)| Hit { client, second, status, count };
        (!self.too_many).then(|| self.map.iter().map(hit).collect())
    }
}

impl Merge for Hits {
    fn absorb(&mut self, other: Self) {
        if other.too_many {
            self.forget();
        }
        for (key, count) in other.map {
            self.add(key, count);
        }
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
        let half = |from: u64| {
            let mut half = Hits::default();
            for client in from..from + 1_500 {
                half.see(client, 5, 502);
            }
            half
        };
        let (mut there, mut back) = (half(0), half(1_500));
        there.absorb(half(1_500));
        back.absorb(half(0));
        assert_eq!(there, back);
        assert_eq!(there.by_time(), None);
    }
}
