//! Fewer slots for the same result: seconds without a failure, far from any, are told together.
//!
//! Without failures each slot speaks against every level, so the best path enters and leaves levels at slots with
//! failures alone, and what lies between may be one slot. Next to a failure the seconds stay apart: that is where edges
//! and their intervals lie.

#![allow(clippy::indexing_slicing, reason = "indices come from enumerating the same vectors")]

use super::part::{MINUTE, Part};
use super::{Series, Slot};

/// Within so many seconds of a failure every slot stays.
const NEAR_SECONDS: u64 = 10;
/// Within so many, slots are told ten seconds at a time; beyond, by the minute. The dispersion counts over the same
/// windows.
const FAR_SECONDS: u64 = 60;
const SHORT_PIECE: i64 = 10;
const LONG_PIECE: i64 = MINUTE;

/// The series of a part with fewer slots; `None` if that would save less than half of them, or the slots are not in
/// order. O(minutes + slots near failures).
pub(super) fn compact(part: &Part<'_>) -> Option<Series> {
    let whole = part.whole;
    let slots = &whole.series.slots;
    let wide = i64::from(whole.series.slot_seconds.max(1)) > SHORT_PIECE;
    if wide || whole.minutes.is_empty() || part.failing.len().saturating_mul(4) > slots.len() {
        return None;
    }
    let mut out: Vec<Slot> = Vec::with_capacity(whole.minutes.len());
    let mut places: Vec<(usize, u32)> = Vec::with_capacity(part.failing.len());
    let mut failing = part.failing.iter().peekable();
    let mut ahead = part.failing.iter().map(|(_, slot)| slot.second).peekable();
    let mut behind: Option<i64> = None;
    let mut minutes = whole.minutes.iter().peekable();
    let mut piece: Option<(i64, i64)> = None;
    let mut index = 0;
    while let Some(slot) = slots.get(index) {
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
        let same = length > 1 && piece == Some((length, number));
        piece = Some((length, number));
        while minutes.next_if(|minute| minute.first < index).is_some() {}
        let begins = minutes.next_if(|minute| minute.first == index);
        if let Some(minute) = begins.filter(|_| length == LONG_PIECE) {
            let end = minutes.peek().map_or(slots.len(), |next| next.first);
            let last = slots[end - 1].second;
            if ahead.peek().is_none_or(|&second| second.abs_diff(last) > FAR_SECONDS) {
                out.push(Slot { requests: minute.requests, failures: 0, clients: None, ..*slot });
                index = end;
                continue;
            }
        }
        match (failing.next_if(|(at, _)| *at == index), out.last_mut()) {
            (Some((_, slot)), _) => {
                places.push((index, u32::try_from(out.len()).unwrap_or(u32::MAX)));
                out.push(*slot);
            }
            (None, Some(last)) if same => last.requests = last.requests.saturating_add(slot.requests),
            (None, _) => out.push(Slot { failures: 0, clients: None, ..*slot }),
        }
        index += 1;
    }
    let mut places = places.into_iter().peekable();
    let moved = |&(old, status, count): &(u32, u16, u32)| {
        while places.next_if(|&(at, _)| at < old as usize).is_some() {}
        let place = places.peek().filter(|&&(at, _)| at == old as usize)?.1;
        Some((place, status, count))
    };
    let statuses = part.statuses.iter().filter_map(moved).collect();
    (out.len().saturating_mul(2) <= slots.len()).then(|| part.with(out, statuses))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Whole;
    use proptest::prelude::*;

    fn compacted(series: &Series) -> Option<Series> {
        compact(&Part::all(&Whole::of(series)))
    }

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
        let few = compacted(&series(&healthy)).unwrap();
        assert_eq!(few.slots.len(), 60);
        assert!(few.slots.iter().all(|slot| slot.requests == 420));
    }

    #[test]
    fn seconds_near_a_failure_stay_apart() {
        let one: Vec<_> = (0..3600).map(|second| (second, 7, u32::from(second == 1800))).collect();
        let few = compacted(&series(&one)).unwrap();
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
            if let Some(few) = compacted(&all) {
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
