//! Samples of requests by which two logs of the same requests are recognised: a proxy's and its application's.

use std::collections::BTreeMap;

use super::Merge;

/// Seconds per window: long against a request, short against the traffic's pattern.
const WINDOW: i64 = 12;
/// Windows per quarter of an hour. Which are sampled depends on the place within the quarter alone, so that it is
/// the same ones in every source, whatever its zone.
const PER_QUARTER: i64 = 900 / WINDOW;
/// About one window in this many is sampled.
const ONE_IN: u64 = 16;
/// Windows kept per source: those with the lowest hashes, so that the choice does not depend on the order.
const MAX_WINDOWS: usize = 96;
/// Paths kept per window, by the lowest hashes.
const MAX_PATHS: usize = 64;

/// Under this many sampled requests the shares of [`Windows::contained_in`] mean nothing.
pub const FEWEST: u64 = 20;

/// What of a source's sample stands in another's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contained {
    /// Requests compared.
    pub requests: u64,
    /// Those that the other source does not have.
    pub missing: u64,
    /// Those that it would not have if it told of other requests for the same paths.
    pub missing_by_chance: f64,
}

/// Window → path hash → requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Windows {
    /// Keyed by the window's hash first.
    map: BTreeMap<(u64, i64), BTreeMap<u32, u32>>,
}

/// A bijective mix of 64 bits (the finaliser of splitmix64).
const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Windows {
    /// The key of the window that `second` lies in, if that window is sampled.
    #[inline]
    pub fn sampled(second: i64) -> Option<(u64, i64)> {
        let window = second.div_euclid(WINDOW);
        let place = mix(window.rem_euclid(PER_QUARTER).cast_unsigned());
        place.is_multiple_of(ONE_IN).then(|| (mix(window.cast_unsigned()), window))
    }

    /// Counts a request.
    pub fn add(&mut self, window: (u64, i64), method: &[u8], path: &[u8]) {
        let end = memchr::memchr(b'?', path).unwrap_or(path.len());
        let hash = hash(method, path.get(..end).unwrap_or(path));
        let paths = self.map.entry(window).or_default();
        let count = paths.entry(hash).or_default();
        *count = count.saturating_add(1);
        if paths.len() > MAX_PATHS {
            paths.pop_last();
        }
        if self.map.len() > MAX_WINDOWS {
            self.map.pop_last();
        }
    }

    /// How much of this source's sample also stands in `other`'s at the same time, and how much would by chance
    /// (compared with a neighbouring window of `other`); `None` where they share too little time to tell.
    pub fn contained_in(&self, other: &Self) -> Option<Contained> {
        let common: Vec<_> = self
            .map
            .iter()
            .filter_map(|(key, mine)| other.map.get(key).map(|theirs| (mine, theirs)))
            .collect();
        let (mut total, mut matched, mut chance_total, mut chance) = (0u64, 0u64, 0u64, 0u64);
        for (i, (mine, theirs)) in common.iter().enumerate() {
            let (n, m) = overlap(mine, theirs);
            total = total.saturating_add(n);
            matched = matched.saturating_add(m);
            if let Some((_, elsewhere)) = common.get((i + 1) % common.len()).filter(|_| common.len() > 1) {
                let (n, m) = overlap(mine, elsewhere);
                chance_total = chance_total.saturating_add(n);
                chance = chance.saturating_add(m);
            }
        }
        let by_chance = chance_total.saturating_sub(chance) as f64 / chance_total.max(1) as f64;
        (total >= FEWEST && chance_total > 0).then(|| Contained {
            requests: total,
            missing: total.saturating_sub(matched),
            missing_by_chance: by_chance * total as f64,
        })
    }

    /// How alike the mixes of paths are that two sources answer: the cosine between their counts by path, 0–1; `None`
    /// where too little was sampled to tell.
    pub fn likeness(&self, other: &Self) -> Option<f64> {
        if self.requests() < FEWEST || other.requests() < FEWEST {
            return None;
        }
        let (mine, theirs) = (self.profile(), other.profile());
        let dot: f64 = mine.iter().filter_map(|(path, n)| theirs.get(path).map(|m| n * m)).sum();
        let norm = |profile: &BTreeMap<u32, f64>| profile.values().map(|n| n * n).sum::<f64>().sqrt();
        Some((dot / (norm(&mine) * norm(&theirs)).max(1.0)).clamp(0.0, 1.0))
    }

    /// Path hash → requests, over all windows.
    fn profile(&self) -> BTreeMap<u32, f64> {
        let mut profile = BTreeMap::new();
        for (path, n) in self.map.values().flatten() {
            *profile.entry(*path).or_insert(0.0) += f64::from(*n);
        }
        profile
    }

    /// Requests sampled.
    pub fn requests(&self) -> u64 {
        self.map.values().flat_map(BTreeMap::values).fold(0, |sum, n| sum.saturating_add(u64::from(*n)))
    }

    /// Requests sampled in windows that both have.
    pub fn common_requests(&self, other: &Self) -> u64 {
        let shared = self.map.iter().filter(|(key, _)| other.map.contains_key(key));
        shared.flat_map(|(_, paths)| paths.values()).fold(0, |sum, n| sum.saturating_add(u64::from(*n)))
    }

    /// Moves each window by as many seconds as `by` says of its first one, a multiple of a quarter of an hour.
    #[must_use]
    pub fn shifted(&self, by: impl Fn(i64) -> i64) -> Self {
        let map = self.map.iter().filter_map(|(&(_, window), paths)| {
            let second = window.saturating_mul(WINDOW);
            Self::sampled(second.saturating_add(by(second))).map(|key| (key, paths.clone()))
        });
        Self { map: map.collect() }
    }
}

/// (requests of `mine`, those also in `theirs`), over the paths that both tables would have kept.
fn overlap(mine: &BTreeMap<u32, u32>, theirs: &BTreeMap<u32, u32>) -> (u64, u64) {
    let limit = |paths: &BTreeMap<u32, u32>| {
        if paths.len() < MAX_PATHS { u32::MAX } else { paths.last_key_value().map_or(u32::MAX, |(k, _)| *k) }
    };
    let upto = limit(mine).min(limit(theirs));
    mine.range(..=upto).fold((0, 0), |(total, matched), (hash, &n)| {
        let there = theirs.get(hash).copied().unwrap_or(0).min(n);
        (total + u64::from(n), matched + u64::from(there))
    })
}

/// FNV-1a, folded to 32 bits.
fn hash(method: &[u8], path: &[u8]) -> u32 {
    let bytes = method.iter().chain(b" ").chain(path);
    let wide =
        bytes.fold(0xcbf2_9ce4_8422_2325u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    #[allow(clippy::cast_possible_truncation, reason = "folding is meant")]
    let folded = (wide ^ (wide >> 32)) as u32;
    folded
}

impl Merge for Windows {
    fn absorb(&mut self, other: Self) {
        for (key, paths) in other.map {
            let mine = self.map.entry(key).or_default();
            for (hash, n) in paths {
                let count = mine.entry(hash).or_default();
                *count = count.saturating_add(n);
            }
            while mine.len() > MAX_PATHS {
                mine.pop_last();
            }
        }
        while self.map.len() > MAX_WINDOWS {
            self.map.pop_last();
        }
    }
}
