//! Health checks and monitors: requests that no user sent.

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::Request;
use crate::parse::same;

const BUILT_IN: &str = include_str!("probes.toml");

/// Slots of the agent cache: a site's traffic has a few hundred agents that make up nearly all lines.
const CACHE_SLOTS: usize = 512;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    agents: Vec<String>,
    paths: Vec<String>,
}

/// What tells probes from users.
#[derive(Debug)]
pub struct Probes {
    agents: AhoCorasick,
    /// Sorted.
    paths: Vec<Vec<u8>>,
    /// Hashes of the first eight bytes of each path, a bit each: rules out nearly all others at once.
    heads: [u64; 64],
}

/// Agents already judged. Holds no more than 512; a verdict depends on the agent alone.
#[derive(Debug)]
pub struct AgentCache {
    slots: Vec<(Vec<u8>, bool)>,
}

impl Default for AgentCache {
    fn default() -> Self {
        Self { slots: vec![(Vec::new(), false); CACHE_SLOTS] }
    }
}

impl Probes {
    /// The probes that come with the program.
    ///
    /// # Errors
    /// Only if the data file is wrong, which a test rules out.
    pub fn built_in() -> Result<Self> {
        let wrong = |why: String| Error::Usage(format!("probes.toml: {why}"));
        let file: File = toml::from_str(BUILT_IN).map_err(|e| wrong(e.to_string()))?;
        let agents = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&file.agents)
            .map_err(|e| wrong(e.to_string()))?;
        let mut paths: Vec<Vec<u8>> = file.paths.into_iter().map(String::into_bytes).collect();
        paths.sort();
        let mut heads = [0u64; 64];
        for path in &paths {
            let (word, bit) = head_of(path);
            if let Some(slot) = heads.get_mut(word) {
                *slot |= 1 << bit;
            }
        }
        Ok(Self { agents, paths, heads })
    }

    /// Whether a machine that watches the site sent this request.
    #[allow(clippy::inline_always, reason = "the path that every request takes")]
    #[inline(always)]
    pub fn is_probe(&self, request: &Request<'_>, cache: &mut AgentCache) -> bool {
        request.path.is_some_and(|p| self.is_probe_path(p))
            || request.user_agent.is_some_and(|agent| self.is_probe_agent(agent, cache))
    }

    #[allow(clippy::inline_always, reason = "the path that every request takes")]
    #[inline(always)]
    fn is_probe_path(&self, path: &[u8]) -> bool {
        let (word, bit) = head_of(path);
        self.heads.get(word).is_some_and(|slot| slot >> bit & 1 == 1) && self.is_listed(path)
    }

    #[inline(never)]
    fn is_listed(&self, path: &[u8]) -> bool {
        let path = path.split(|&b| b == b'?').next().unwrap_or(path);
        self.paths.binary_search_by(|p| p.as_slice().cmp(path)).is_ok()
    }

    #[allow(clippy::inline_always, reason = "the path that every request takes")]
    #[inline(always)]
    fn is_probe_agent(&self, agent: &[u8], cache: &mut AgentCache) -> bool {
        match cache.slots.get_mut(slot_of(agent)) {
            Some((known, verdict)) if same(known, agent) => *verdict,
            Some(slot) => self.judge(agent, slot),
            None => self.agents.is_match(agent),
        }
    }

    #[inline(never)]
    fn judge(&self, agent: &[u8], (known, verdict): &mut (Vec<u8>, bool)) -> bool {
        known.clear();
        known.extend_from_slice(agent);
        *verdict = self.agents.is_match(agent);
        *verdict
    }
}

/// Which bit of the table the first eight bytes of a path without its query stand for.
#[inline]
fn head_of(path: &[u8]) -> (usize, u32) {
    let word = match path.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => short_word(path),
    };
    // a query within the first eight bytes is cut off
    let marks = word ^ 0x3F3F_3F3F_3F3F_3F3F;
    let hits = marks.wrapping_sub(0x0101_0101_0101_0101) & !marks & 0x8080_8080_8080_8080;
    // the bytes before the first hit, all of them where there is none: whether there is one is not worth a guess
    let kept = word & ((hits & hits.wrapping_neg()) >> 7).wrapping_sub(1);
    let hash = kept.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52;
    (usize::try_from(hash >> 6).unwrap_or(0), u32::try_from(hash & 63).unwrap_or(0))
}

/// Under eight bytes as a number, the first byte the lowest.
#[inline(never)]
fn short_word(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // the two halves overlap
        (Some(low), Some(high)) => {
            let bits = bytes.len().saturating_sub(4) * 8;
            u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)) << (bits & 63)
        }
        _ => bytes.iter().rev().fold(0, |word, &b| word << 8 | u64::from(b)),
    }
}

/// A cheap hash over length, head, middle and tail: a collision costs a search, nothing else.
#[inline]
fn slot_of(agent: &[u8]) -> usize {
    let last = agent.len().saturating_sub(8);
    let word = |at: usize| {
        agent.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u64::from_le_bytes(*chunk))
    };
    let mut hash = word(0) ^ word(last).rotate_left(17) ^ word(last / 2).rotate_left(31);
    hash = (hash ^ agent.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(hash >> 55).unwrap_or(0) % CACHE_SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(path: &str, agent: &str) -> bool {
        let request =
            Request { path: Some(path.as_bytes()), user_agent: Some(agent.as_bytes()), ..Request::default() };
        Probes::built_in().unwrap().is_probe(&request, &mut AgentCache::default())
    }

    #[test]
    fn health_checks_and_monitors_are_probes() {
        assert!(probe("/healthz", "curl/8"));
        assert!(probe("/server-status?auto", "Go-http-client/1.1"));
        assert!(probe("/", "ELB-HealthChecker/2.0"));
        assert!(probe("/", "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"));
        assert!(probe("/ping", "curl/8") && !probe("/pin", "curl/8") && !probe("/pi?ng", "curl/8"));
        assert!(probe("*", "Apache/2.4.57 (Debian) (internal dummy connection)"));
        assert!(probe("/", "KUBE-PROBE/1.27"));
    }

    #[test]
    fn users_are_not() {
        assert!(!probe("/health-insurance", "Mozilla/5.0 (X11; Linux x86_64) Firefox/115.0"));
        assert!(!probe("/", "Mozilla/5.0"));
        assert!(!probe("/statuses", "Googlebot/2.1"));
    }

    #[test]
    fn a_short_word_has_each_byte_in_its_place() {
        let bytes = [0xF1, 2, 0x83, 4, 0xA5, 6, 0x97];
        for length in 0..=bytes.len() {
            let mut all = [0; 8];
            all[..length].copy_from_slice(&bytes[..length]);
            assert_eq!(short_word(&bytes[..length]), u64::from_le_bytes(all));
        }
    }

    #[test]
    fn a_verdict_does_not_depend_on_the_agents_seen_before() {
        let probes = Probes::built_in().unwrap();
        let mut cache = AgentCache::default();
        for i in 0..5_000 {
            let agent = format!("agent {i} {}", if i % 7 == 0 { "Pingdom" } else { "x" });
            let request = Request { user_agent: Some(agent.as_bytes()), ..Request::default() };
            assert_eq!(probes.is_probe(&request, &mut cache), i % 7 == 0);
        }
    }
}
