//! No series of latencies panics, and no number is anything but a number.

use proptest::prelude::*;

use crate::detect::{Effect, Finding, LatencySeries, LatencySlot, Sensitivity, find_latency};

fn slot() -> impl Strategy<Value = LatencySlot> {
    let second = prop_oneof![8 => 0_i64..5000, 1 => any::<i64>()];
    let index = prop_oneof![8 => 0_u32..900, 1 => any::<u32>()];
    (second, index, 0_u32..8).prop_map(|(second, from, count)| LatencySlot {
        second,
        from,
        until: from.saturating_add(count),
    })
}

prop_compose! {
    fn any_series()(
        mut slots in prop::collection::vec(slot(), 0..300),
        sorted in any::<bool>(),
        width in prop_oneof![Just(0_u32), Just(1), Just(4), any::<u32>()],
        bins in prop::collection::vec(
            (any::<u8>(), prop_oneof![8 => 0_u32..20, 1 => any::<u32>()]), 0..900
        ),
    ) -> LatencySeries {
        if sorted {
            slots.sort_by_key(|slot| slot.second);
        }
        LatencySeries { slots, slot_seconds: width, bins }
    }
}

fn check(finding: &Finding) {
    let Effect::Latency { share, share_range, slowdown, slowdown_range, usual, during } = finding.effect
    else {
        panic!("{finding:?}");
    };
    let numbers =
        [finding.strength, finding.confidence, finding.baseline.requests_per_second, slowdown_range.1];
    assert!(numbers.iter().all(|number| number.is_finite()), "{finding:?}");
    assert!((0.0..=1.0).contains(&finding.confidence));
    assert!((1.0..=256.0).contains(&finding.dispersion));
    assert!(0.0 <= share_range.0 && share_range.0 <= share && share <= share_range.1, "{finding:?}");
    assert!(share_range.1 <= 1.0, "{finding:?}");
    assert!(1.0 < slowdown && slowdown_range.0 <= slowdown && slowdown <= slowdown_range.1, "{finding:?}");
    assert!(usual.median_us <= usual.p95_us && during.median_us <= during.p95_us);
    assert!(finding.levels.iter().all(|level| (0.0..=1.0).contains(&level.share)));
    assert_eq!(finding.failures, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn nothing_panics(series in any_series(), streams in any::<usize>(), high in any::<bool>()) {
        let sensitivity = if high { Sensitivity::High } else { Sensitivity::Low };
        let findings = find_latency(&series, streams, sensitivity);
        for finding in findings.incidents.iter().chain(&findings.blips) {
            check(finding);
        }
    }

    #[test]
    fn ordered_input_gives_ordered_findings(mut series in any_series()) {
        series.slots.sort_by_key(|slot| slot.second);
        series.slots.dedup_by_key(|slot| slot.second);
        series.slot_seconds = 1;
        let findings = find_latency(&series, 1, Sensitivity::High);
        for finding in findings.incidents.iter().chain(&findings.blips) {
            prop_assert!(finding.start.second <= finding.end.second);
            prop_assert!(finding.start.range.0 <= finding.start.second);
            prop_assert!(finding.start.range.1 >= finding.start.second);
            prop_assert!(finding.end.range.0 <= finding.end.second);
            prop_assert!(finding.end.range.1 >= finding.end.second);
        }
        for pair in findings.incidents.windows(2) {
            prop_assert!(pair[0].end.second < pair[1].start.second);
        }
        prop_assert_eq!(find_latency(&series, 1, Sensitivity::High).incidents, findings.incidents);
    }
}
