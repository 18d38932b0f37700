//! How often it is right, on a few small simulated sites: floors under which no change may fall.
//!
//! `cargo run --release --example accuracy` judges as many and as large ones as you like; see `tests/accuracy/README.md`.

#[path = "../accuracy/mod.rs"]
mod harness;

use harness::run::{METHODS, Plan, run};
use harness::score::Outcome;
use harness::site::{Kind, SMALL};
use harness::table::{Figure, f1, false_per_day, mistakes, right, table};
use harness::truth::{EVIDENT, Signal};

/// Floors for failures. To be raised when it gets better, never lowered to let a change pass.
const ERRORS_F1: f64 = 0.9;
const BOUNDARIES: f64 = 0.8;
const IMPACT: f64 = 0.8;
const FALSE_PER_DAY: f64 = 0.5;
/// Slow and missing requests.
const LATENCY_F1: f64 = 0.7;
const TRAFFIC_F1: f64 = 0.85;

fn outcomes(kind: Kind, seeds: std::ops::RangeInclusive<u64>) -> Vec<Outcome> {
    let outcomes = run(&Plan { seeds, kind: Some(kind), size: SMALL, threads: 2 });
    // what a failing assertion is about
    for outcome in &outcomes {
        eprint!("{}", mistakes(&outcome[0]));
    }
    eprintln!("{}", table(&outcomes));
    outcomes.into_iter().map(|[logtopsy, ..]| logtopsy).collect()
}

/// At least so much, or nothing to say.
fn at_least(figure: Figure, floor: f64, name: &str) {
    assert!(figure.value.is_nan() || figure.value >= floor, "{name}: {figure:?} is under {floor}");
}

#[test]
fn failures_are_found_and_told_right() {
    let sites = outcomes(Kind::Errors, 1..=12);
    let sites: Vec<&Outcome> = sites.iter().collect();
    assert!(f1(&sites, Signal::Errors, EVIDENT).of >= 8.0, "{METHODS:?} have something to find");
    at_least(f1(&sites, Signal::Errors, EVIDENT), ERRORS_F1, "F1");
    at_least(right(&sites, Signal::Errors, |_| true, |v| Some(v.boundaries)), BOUNDARIES, "boundaries");
    at_least(right(&sites, Signal::Errors, |_| true, |v| v.impact), IMPACT, "impact");
}

#[test]
fn nothing_is_found_where_nothing_was() {
    let sites = outcomes(Kind::Noise, 1..=8);
    let figure = false_per_day(&sites.iter().collect::<Vec<_>>());
    assert!(figure.value <= FALSE_PER_DAY, "{figure:?}");
}

#[test]
fn slow_and_missing_requests_are_found() {
    for (kind, signal, floor) in [
        (Kind::Latency, Signal::Latency, LATENCY_F1),
        (Kind::Traffic, Signal::Traffic, TRAFFIC_F1),
        (Kind::Server, Signal::Traffic, TRAFFIC_F1),
    ] {
        let sites = outcomes(kind, 1..=4);
        at_least(f1(&sites.iter().collect::<Vec<_>>(), signal, EVIDENT), floor, "F1");
    }
}
