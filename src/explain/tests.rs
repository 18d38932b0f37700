mod bouts;
mod scope;
mod signals;
mod storms;

use super::impact::percent;
use super::interval::{clopper_pearson, share, wilson};
use crate::inspect::Part;

#[test]
fn the_interval_of_a_share_is_wilsons() {
    // 10 of 100, as in Newcombe (1998), table I has 81/263: .2553 to .3662
    let (low, high) = wilson(Part { requests: 263, affected: 81, ..Part::default() }, 1.0).unwrap();
    assert!((low - 25.53).abs() < 0.01 && (high - 36.62).abs() < 0.01, "{low} {high}");
    assert_eq!(share(Part::default(), 1.0), None);
}

#[test]
fn the_interval_of_few_is_clopper_and_pearsons() {
    let of =
        |affected, requests| clopper_pearson(Part { requests, affected, ..Part::default() }, 1.0).unwrap();
    let near = |(low, high): (f64, f64), (a, b): (f64, f64)| {
        assert!((low - a).abs() < 0.01 && (high - b).abs() < 0.01, "{low} {high}");
    };
    // Newcombe (1998), table I: 15/148, 0/20, 1/29
    near(of(15, 148), (5.78, 16.17));
    near(of(0, 20), (0.0, 16.84));
    near(of(1, 29), (0.09, 17.76));
    near(of(20, 20), (83.16, 100.0));
    assert_eq!(share(Part { requests: 20, affected: 20, ..Part::default() }, 1.0), Some(of(20, 20)));
}

#[test]
fn clumped_failures_widen_the_interval() {
    let part = Part { requests: 1000, affected: 500, ..Part::default() };
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
