//! Fewer slots for the same result: seconds without a failure, far from any, are told together.
//!
//! Without failures each slot speaks against every level, so the best path enters and leaves levels at slots with
//! failures alone, and what lies between may be one slot. Next to a failure the seconds stay apart: that is where edges
//! and their intervals lie.

#![allow(clippy::indexing_slicing, reason = "indices come from enumerating the same vectors")]

use super::Series;

/// Within so many seconds of a failure every slot stays.
const NEAR_SECONDS: u64 = 10;
/// Within so many, slots are told ten seconds at a time; beyond, by the minute. The dispersion counts over the same
/// windows.
const FAR_SECONDS: u64 = 60;
const SHORT_PIECE: i64 = 10;
const LONG_PIECE: i64 = 60;

/// The series with fewer slots; `None` if that would save less than half of them, or the slots are not in order.
pub(super) fn compact(series: &Series) -> Option<Series> {
    let slots = &series.slots;
    if i64::from(series.slot_seconds.max(1)) > SHORT_PIECE || !slots.is_sorted_by_key(|slot| slot.second) {
        return None;
    }
    let failing = slots.iter().filter(|slot| slot.failures > 0).count();
    if failing.saturating_mul(4) > slots.len() {
        return None;
    }
    let mut out = Series {
        slots: Vec::with_capacity(failing.saturating_mul(2)),
        slot_seconds: series.slot_seconds,
        failing_clients: series.failing_clients.clone(),
        statuses: Vec::with_capacity(series.statuses.len()),
        active_client_buckets: series.active_client_buckets,
    };
    let mut statuses = series.statuses.iter().peekable();
    let mut ahead = slots.iter().filter(|slot| slot.failures > 0).map(|slot| slot.second).peekable();
    let mut behind: Option<i64> = None;
    let mut piece: Option<(i64, i64)> = None;
    for (index, slot) in slots.iter().enumerate() {
        while let Some(second) = ahead.next_if(|&second| second <= slot.second) {
            behind = Some(second);
        }
        let nearest = behind.into_iter().chain(ahead.peek().copied());
        let distance = nearest.map(|second| second.abs_diff(slot.second)).min().unwrap_or(u64::MAX);
        let length = match distance {
            0..=NEAR_SECONDS => 1,
            d if d <= FAR_SECONDS => SHORT_PIECE,
            _ => LONG_PIECE,
        };
        let number = slot.second.div_euclid(length);
        match out.slots.last_mut() {
            Some(last) if length > 1 && slot.failures == 0 && piece == Some((length, number)) => {
                last.requests = last.requests.saturating_add(slot.requests);
            }
            _ => out.slots.push(*slot),
        }
        piece = Some((length, number));
        let at = u32::try_from(out.slots.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let of = |entry: &&(u32, u16, u32)| (entry.0 as usize) <= index;
        while let Some(&(old, status, count)) = statuses.next_if(of) {
            if old as usize == index {
                out.statuses.push((at, status, count));
            }
        }
    }
    (out.slots.len().saturating_mul(2) <= slots.len()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Slot;
    use proptest::prelude::*;

    fn series(slots: &[(i64, u32, u32)]) -> Series {
        let mut series = Series { slot_seconds: 1, ..Series::default() };
        for (index, &(second, requests, failures)) in slots.iter().enumerate() {
            series.slots.push(Slot { second, requests, failures, clients: None });
            if failures > 0 {
                series.statuses.push((u32::try_from(index).unwrap(), 500, failures));
            }
        }
        series
    }

    #[test]
    fn a_healthy_hour_becomes_its_minutes() {
        let healthy: Vec<_> = (0..3600).map(|second| (second, 7, 0)).collect();
        let few = compact(&series(&healthy)).unwrap();
        assert_eq!(few.slots.len(), 60);
        assert!(few.slots.iter().all(|slot| slot.requests == 420));
    }

    #[test]
    fn seconds_near_a_failure_stay_apart() {
        let one: Vec<_> = (0..3600).map(|second| (second, 7, u32::from(second == 1800))).collect();
        let few = compact(&series(&one)).unwrap();
        let near = few.slots.iter().filter(|slot| slot.second.abs_diff(1800) <= NEAR_SECONDS);
        assert!(near.clone().all(|slot| slot.requests == 7));
        assert_eq!(near.count(), 21);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(gaps in prop::collection::vec((1i64..4, 0u32..9, 0u32..60), 0..2000)) {
            let mut second = 0;
            let slots: Vec<_> = gaps
                .iter()
                .map(|&(gap, requests, dice)| {
                    second += gap;
                    (second, requests + 1, u32::from(dice == 0))
                })
                .collect();
            let all = series(&slots);
            if let Some(few) = compact(&all) {
                let sums = |s: &Series| {
                    s.slots.iter().fold((0u64, 0u64), |sum, slot| {
                        (sum.0 + u64::from(slot.requests), sum.1 + u64::from(slot.failures))
                    })
                };
                prop_assert_eq!(sums(&few), sums(&all));
                let told = |s: &Series| {
                    s.statuses.iter().map(|&(at, ..)| s.slots[at as usize].second).collect::<Vec<_>>()
                };
                prop_assert_eq!(told(&few), told(&all));
                prop_assert!(few.slots.is_sorted_by_key(|slot| slot.second));
            }
        }
    }
}
