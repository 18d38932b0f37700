//! Whether slow requests of a part are the part's own, or what all of the site went through.

use crate::detect::{Finding, LatencySeries};
use crate::model::Histogram;

/// What is compared with lasts as long as the finding to either side of it, within these bounds.
const BESIDE_SECONDS: (i64, i64) = (1800, 7200);
/// Seconds beside any finding that are not compared with.
const MARGIN_SECONDS: i64 = 30;
/// So many requests of the rest are needed, in the finding and beside it, for a comparison.
const FEWEST_REQUESTS: f64 = 30.0;
/// The rest got slower as well if its mean logarithm moved by this part of what the part's did.
const AS_SLOW: f64 = 0.5;

/// Counts by bin of what lies in a finding, and of what lies beside it.
struct Sides {
    inside: [f64; 256],
    beside: [f64; 256],
}

impl Sides {
    fn of(series: &LatencySeries, (start, end): (i64, i64), found: &[(i64, i64)]) -> Self {
        let reach = end.saturating_sub(start).clamp(BESIDE_SECONDS.0, BESIDE_SECONDS.1);
        let near = |second: i64| {
            found.iter().any(|&(first, last)| {
                second >= first.saturating_sub(MARGIN_SECONDS)
                    && second <= last.saturating_add(MARGIN_SECONDS)
            })
        };
        let mut sides = Self { inside: [0.0; 256], beside: [0.0; 256] };
        let from = series.slots.partition_point(|slot| slot.second < start.saturating_sub(reach));
        let slots = series.slots.iter().skip(from);
        for slot in slots.take_while(|slot| slot.second <= end.saturating_add(reach)) {
            let side = if slot.second >= start && slot.second <= end {
                &mut sides.inside
            } else if near(slot.second) {
                continue;
            } else {
                &mut sides.beside
            };
            for &(bin, count) in super::record::bins_of(series, slot) {
                if let Some(sum) = side.get_mut(usize::from(bin)) {
                    *sum += f64::from(count);
                }
            }
        }
        sides
    }

    /// What is left of these without a part of them.
    fn without(mut self, part: &Self) -> Self {
        let take = |all: &mut [f64; 256], part: &[f64; 256]| {
            for (all, part) in all.iter_mut().zip(part) {
                *all = (*all - part).max(0.0);
            }
        };
        take(&mut self.inside, &part.inside);
        take(&mut self.beside, &part.beside);
        self
    }

    /// By how much the mean logarithm moved; `None` where too few requests tell.
    fn moved(&self) -> Option<f64> {
        Some(mean(&self.inside)? - mean(&self.beside)?)
    }
}

fn mean(counts: &[f64; 256]) -> Option<f64> {
    let requests: f64 = counts.iter().sum();
    let sum: f64 = (0..=u8::MAX).zip(counts).map(|(bin, count)| count * Histogram::middle(bin).ln()).sum();
    (requests >= FEWEST_REQUESTS).then(|| sum / requests)
}

/// The slow requests of a part (a server, a vhost, an upstream) stand out unless those of the rest of the site got at
/// least half as much slower meanwhile.
///
/// `found` are the spans, [first, last], of all slow stretches found, which no comparison is made with.
pub fn slows_alone(
    finding: &Finding,
    part: &LatencySeries,
    site: &LatencySeries,
    found: &[(i64, i64)],
) -> bool {
    let span = (finding.start.second, finding.end.second);
    let within = Sides::of(part, span, found);
    let rest = Sides::of(site, span, found).without(&within);
    match (within.moved(), rest.moved()) {
        (Some(part), Some(rest)) => rest < AS_SLOW * part,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{LatencySlot, Sensitivity, find_latency};

    /// A request of one vhost and one of another each second, around 40 ms, slower by factors within 4,000–5,000.
    fn series(vhosts: &[f64]) -> LatencySeries {
        let mut series = LatencySeries { slot_seconds: 1, ..LatencySeries::default() };
        for second in 0..12_000u32 {
            let from = u32::try_from(series.bins.len()).unwrap();
            let mut bins: Vec<u8> = Vec::new();
            for (vhost, factor) in (0u32..).zip(vhosts) {
                let usual = 20_000.0 + f64::from(second.wrapping_mul(7919 + 104 * vhost) % 40_000);
                let slow = if (4000..5000).contains(&second) { *factor } else { 1.0 };
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some ms")]
                bins.push(Histogram::bin_of((usual * slow) as u64));
            }
            bins.sort_unstable();
            series.bins.extend(bins.iter().map(|&bin| (bin, 1)));
            let until = u32::try_from(series.bins.len()).unwrap();
            series.slots.push(LatencySlot { second: i64::from(second), from, until });
        }
        series
    }

    #[test]
    fn what_slows_with_the_rest_is_not_the_parts_own() {
        let part = series(&[2.0]);
        let found = find_latency(&part, 1, Sensitivity::Normal).incidents;
        assert_eq!(found.len(), 1);
        let span = (found[0].start.second, found[0].end.second);
        assert!(slows_alone(&found[0], &part, &series(&[2.0, 1.0]), &[span]));
        assert!(!slows_alone(&found[0], &part, &series(&[2.0, 2.0]), &[span]));
        // there is no rest
        assert!(slows_alone(&found[0], &part, &part, &[span]));
    }
}
