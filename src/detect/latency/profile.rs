//! Where the first slow request is among those around an edge.
//!
//! A fault slows what arrives while it lasts, and a line is written when its request ends. So the moment of the change is
//! sought among arrivals, and the edge is when the first (last) slowed request was written. Which requests were slowed
//! is not known but by how likely each is: the edge has a distribution, of which the middle is told and 95 % as its interval.
//! The end is the start with time turned around.

#![allow(clippy::indexing_slicing, reason = "positions within the requests, columns within the table")]

use super::exact::{Likelihoods, SLOWDOWNS, Sharp, TimedRequest};
use crate::detect::boundary::Side;
use crate::model::MICROS;

/// The share of slow requests at its height.
const SHARES: [f64; 8] = [0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0];
/// It rises at once, or over some time: in so many steps, …
const RAMP_STEPS: usize = 6;
/// … over so many lengths, each twice the one before, the longest as long as the requests go.
const RAMPS: usize = 8;
/// How likely it is that it rises over some time.
const RAMP_CHANCE: f64 = 0.3;
/// Mass on either side of an interval.
const TAIL: f64 = 0.025;
/// What is so much less likely is left out.
const NEGLIGIBLE: f64 = 1e-4;
/// The first slow one is among those before which all others are with this probability not slow.
const LEAST_SURVIVAL: f64 = 1e-3;

/// A request with time running away from health, into the finding.
#[derive(Debug, Clone, Copy)]
struct Seen {
    arrived: f64,
    written: f64,
    /// Which of the requests it is.
    index: usize,
    ratios: [f64; SLOWDOWNS.len()],
}

/// The edge on one side of a finding among the requests around it, these ascending by time; `None` if none of them is slow.
pub(super) fn locate(
    likelihoods: &Likelihoods<'_>,
    requests: &[TimedRequest],
    side: Side,
    whole_seconds: bool,
) -> Option<Sharp> {
    let (sign, part) = match side {
        Side::Start => (1.0, if whole_seconds { 0.5 } else { 0.0 }),
        Side::End => (-1.0, if whole_seconds { 0.5 } else { 0.0 }),
    };
    let origin = requests.first()?.time_us;
    let mut seen: Vec<Seen> = requests
        .iter()
        .enumerate()
        .map(|(index, request)| {
            let written = request.time_us.saturating_sub(origin) as f64 / 1e6 + part;
            let arrived = written - request.latency_us as f64 / 1e6;
            let ratios = likelihoods.of(request);
            Seen { arrived: sign * arrived, written: sign * written, index, ratios }
        })
        .collect();
    seen.sort_by(|a, b| a.arrived.total_cmp(&b.arrived).then(a.index.cmp(&b.index)));
    let profiles = Profiles::new(&seen, likelihoods.dispersion);
    let first = profiles.first_slow();
    let total: f64 = first.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let mut order: Vec<usize> = (0..seen.len()).collect();
    order.sort_by(|&a, &b| {
        seen[a].written.total_cmp(&seen[b].written).then(seen[a].index.cmp(&seen[b].index))
    });
    let at = |share: f64, wanted: &dyn Fn(usize) -> bool| {
        let total: f64 = order.iter().filter(|&&at| wanted(at)).map(|&at| first[at]).sum();
        let mut sum = 0.0;
        order.iter().copied().filter(|&at| wanted(at)).find(|&at| {
            sum += first[at];
            sum >= share * total
        })
    };
    let slow = |at: usize| seen[at].ratios[1] > 1.0;
    let middle = at(0.5, &slow).or_else(|| at(0.5, &|_| true))?;
    let (near, far) = (at(TAIL, &|_| true)?, at(1.0 - TAIL, &|_| true)?);
    let second = |at: usize| requests[seen[at].index].time_us.div_euclid(MICROS);
    let (a, b, told) = (second(near), second(far), second(middle));
    let range = (a.min(b).min(told), a.max(b).max(told));
    let changed = profiles.change().map(|moment| {
        #[allow(clippy::cast_possible_truncation, reason = "seconds since the first of the requests")]
        let micros = (sign * moment * 1e6) as i64;
        origin.saturating_add(micros)
    });
    let changed = (changed[0].min(changed[1]), changed[0].max(changed[1]));
    Some(Sharp { request: seen[middle].index, range, changed })
}

/// How the share of slow requests rises: at the request where it begins, over how long, how high, how slow these are.
#[derive(Debug, Clone, Copy)]
struct Profile {
    from: usize,
    ramp: Option<f64>,
    share: usize,
    slowdown: usize,
    nats: f64,
}

struct Profiles<'a> {
    seen: &'a [Seen],
    profiles: Vec<Profile>,
}

/// Levels of a share on its way up, and at its height.
const LEVELS: usize = RAMP_STEPS + 1;

fn level(share: usize, step: usize) -> f64 {
    let part = if step == RAMP_STEPS { 1.0 } else { (step as f64 + 0.5) / RAMP_STEPS as f64 };
    SHARES[share] * part
}

impl<'a> Profiles<'a> {
    fn new(seen: &'a [Seen], dispersion: f64) -> Self {
        let mut found = Self { seen, profiles: Vec::new() };
        let Some((first, last)) = seen.first().zip(seen.last()) else { return found };
        let length = (last.arrived - first.arrived).max(1.0);
        let ramps: Vec<f64> = (0..RAMPS).map(|ramp| length / f64::from(1u32 << ramp)).collect();
        // the fault may have begun at any moment since the request before
        let usual = length / seen.len() as f64;
        let gap = |from: usize| match from.checked_sub(1) {
            Some(before) => (seen.get(from).map_or(last.arrived + usual, |seen| seen.arrived)
                - seen[before].arrived)
                .max(1e-3),
            None => usual,
        };
        let steps: Vec<[usize; RAMP_STEPS]> = (0..seen.len())
            .flat_map(|from| ramps.iter().map(move |ramp| (from, *ramp)))
            .map(|(from, ramp)| {
                let mut at = from;
                std::array::from_fn(|step| {
                    let until = seen[from].arrived + ramp * (step + 1) as f64 / RAMP_STEPS as f64;
                    at += seen[at..].partition_point(|seen| seen.arrived < until);
                    at
                })
            })
            .collect();
        let mut best = f64::NEG_INFINITY;
        for slowdown in 0..SLOWDOWNS.len() {
            for share in 0..SHARES.len() {
                let sums: Vec<Vec<f64>> = (0..LEVELS)
                    .map(|step| {
                        let level = level(share, step);
                        let mut sums = Vec::with_capacity(seen.len() + 1);
                        let mut sum = 0.0;
                        sums.push(0.0);
                        for seen in seen {
                            sum += (1.0 + level * (seen.ratios[slowdown] - 1.0)).ln() / dispersion;
                            sums.push(sum);
                        }
                        sums
                    })
                    .collect();
                let full = &sums[RAMP_STEPS];
                let whole = full[seen.len()];
                let mut add = |profile: Profile| {
                    best = best.max(profile.nats);
                    if profile.nats > best + NEGLIGIBLE.ln() {
                        found.profiles.push(profile);
                    }
                };
                for from in 0..seen.len() {
                    let prior = gap(from).ln();
                    let nats = whole - full[from] + prior + (1.0 - RAMP_CHANCE).ln();
                    add(Profile { from, ramp: None, share, slowdown, nats });
                    for (&ramp, steps) in ramps.iter().zip(&steps[from * RAMPS..]) {
                        let mut at = from;
                        let mut nats = prior + (RAMP_CHANCE / RAMPS as f64).ln();
                        for (sums, &next) in sums.iter().zip(steps) {
                            nats += sums[next] - sums[at];
                            at = next;
                        }
                        nats += whole - full[at];
                        add(Profile { from, ramp: Some(ramp), share, slowdown, nats });
                    }
                }
            }
        }
        found.profiles.retain(|profile| profile.nats > best + NEGLIGIBLE.ln());
        for profile in &mut found.profiles {
            profile.nats -= best;
        }
        found
    }

    /// Between which moments the change lies, all but surely.
    fn change(&self) -> [f64; 2] {
        let arrived = |from: usize| {
            let last = self.seen.last().map_or(0.0, |seen| seen.arrived);
            self.seen.get(from).map_or(last, |seen| seen.arrived)
        };
        let (mut from, mut until) = (f64::INFINITY, f64::NEG_INFINITY);
        for profile in &self.profiles {
            // it may have been at any moment since the request before
            from = from.min(arrived(profile.from.saturating_sub(1)));
            until = until.max(arrived(profile.from));
        }
        [from, until]
    }

    /// For each request how likely it is the first slow one to be written.
    fn first_slow(&self) -> Vec<f64> {
        let mut written: Vec<usize> = (0..self.seen.len()).collect();
        written.sort_by(|&a, &b| self.seen[a].written.total_cmp(&self.seen[b].written));
        // where the first one is written of those from some request on
        let mut ranks = vec![0; self.seen.len()];
        for (rank, &at) in written.iter().enumerate() {
            ranks[at] = rank;
        }
        for at in (1..ranks.len()).rev() {
            ranks[at - 1] = ranks[at - 1].min(ranks[at]);
        }
        let mut first = vec![0.0; self.seen.len()];
        for profile in &self.profiles {
            let mut left = profile.nats.exp();
            let least = left * LEAST_SURVIVAL;
            for &at in &written[ranks[profile.from]..] {
                if at < profile.from {
                    continue;
                }
                let seen = &self.seen[at];
                let level = SHARES[profile.share]
                    * profile.ramp.map_or(1.0, |ramp| {
                        ((seen.arrived - self.seen[profile.from].arrived) / ramp).min(1.0)
                    });
                let slow = level * seen.ratios[profile.slowdown];
                let chance = slow / (1.0 - level + slow).max(1e-12);
                first[at] += left * chance;
                left *= 1.0 - chance;
                if left < least {
                    break;
                }
            }
        }
        first
    }
}
