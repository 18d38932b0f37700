use super::impact::{percent, wilson};
use crate::inspect::Part;

#[test]
fn the_interval_of_a_share_is_wilsons() {
    // 10 of 100, as in Newcombe (1998), table I has 81/263: .2553 to .3662
    let (low, high) = wilson(Part { requests: 263, affected: 81 }, 1.0).unwrap();
    assert!((low - 25.53).abs() < 0.01 && (high - 36.62).abs() < 0.01, "{low} {high}");
    assert_eq!(wilson(Part { requests: 0, affected: 0 }, 1.0), None);
}

#[test]
fn clumped_failures_widen_the_interval() {
    let part = Part { requests: 1000, affected: 500 };
    let (a, b) = (wilson(part, 1.0).unwrap(), wilson(part, 4.0).unwrap());
    assert!(b.0 < a.0 && b.1 > a.1);
    assert_eq!(percent(part), Some(50.0));
}

#[test]
fn clients_that_gave_up_count_beyond_their_usual_share_only() {
    let closeup = |inside: u64, outside: u64| crate::inspect::Closeup {
        statuses: [(200, 500), (499, inside), (504, 100)].into(),
        statuses_outside: [(200, 9_900), (499, outside)].into(),
        ..Default::default()
    };
    assert_eq!(super::impact::statuses(&closeup(60, 100)), [(499, 53), (504, 100)].into());
    assert_eq!(super::impact::statuses(&closeup(7, 100)), [(504, 100)].into());
}
