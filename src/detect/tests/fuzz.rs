//! No input panics, and no number is anything but a number.

use proptest::prelude::*;

use crate::detect::{Finding, Sensitivity, Series, Slot, find_errors};

fn slot() -> impl Strategy<Value = Slot> {
    let second = prop_oneof![8 => 0_i64..5000, 1 => any::<i64>()];
    let count = prop_oneof![6 => 0_u32..30, 1 => any::<u32>()];
    (second, count.clone(), count, proptest::option::of(0_u32..40))
        .prop_map(|(second, requests, failures, clients)| Slot { second, requests, failures, clients })
}

prop_compose! {
    fn any_series()(
        mut slots in prop::collection::vec(slot(), 0..400),
        sorted in any::<bool>(),
        width in prop_oneof![Just(0_u32), Just(1), Just(4), any::<u32>()],
        failing_clients in prop::collection::vec(any::<[u16; 16]>(), 0..30),
        statuses in prop::collection::vec((0_u32..500, 500_u16..505, any::<u32>()), 0..60),
        active in proptest::option::of(any::<[u64; 16]>()),
    ) -> Series {
        if sorted {
            slots.sort_by_key(|slot| slot.second);
        }
        Series { slots, slot_seconds: width, failing_clients, statuses, active_client_buckets: active }
    }
}

fn check(finding: &Finding) {
    let numbers = [
        finding.strength,
        finding.dispersion,
        finding.confidence,
        finding.baseline.error_share,
        finding.baseline.requests_per_second,
    ];
    assert!(numbers.iter().all(|number| number.is_finite()), "{finding:?}");
    assert!((0.0..=1.0).contains(&finding.confidence));
    assert!((1.0..=256.0).contains(&finding.dispersion));
    assert!(finding.levels.iter().all(|level| (0.0..=1.0).contains(&level.share)));
    assert!(finding.failures <= finding.requests);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_panics(series in any_series(), streams in any::<usize>(), high in any::<bool>()) {
        let sensitivity = if high { Sensitivity::High } else { Sensitivity::Low };
        let findings = find_errors(&series, streams, sensitivity);
        for finding in findings.incidents.iter().chain(&findings.blips) {
            check(finding);
        }
    }

    #[test]
    fn ordered_input_gives_ordered_findings(mut series in any_series()) {
        series.slots.sort_by_key(|slot| slot.second);
        series.slots.dedup_by_key(|slot| slot.second);
        series.slot_seconds = 1;
        let findings = find_errors(&series, 1, Sensitivity::High);
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
        prop_assert_eq!(find_errors(&series, 1, Sensitivity::High).incidents, findings.incidents);
    }
}
