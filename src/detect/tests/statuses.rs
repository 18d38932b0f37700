//! What one status tells where all failures together do not.

use super::sim::{EPOCH, Recorder, Rng, spread};
use crate::detect::{ClientBuckets, Finding, Findings, Sensitivity, Series, find_errors};

/// Four hours at twenty requests a second of which about 3 % fail, up and down by half, one in eight with each of 502, 503
/// and 504 and the rest with 500; and `more` of a second's requests.
fn record(seed: u64, more: impl Fn(&mut Rng, i64, u32) -> Vec<(u16, u32)>) -> Series {
    let mut rng = Rng::new(seed);
    let mut recorder = Recorder::new();
    for second in 0..4 * 3600 {
        let requests = rng.poisson(20.0).max(2);
        let drift = 1.0 + 0.5 * (std::f64::consts::TAU * second as f64 / 9000.0).sin();
        let usual = |rng: &mut Rng, part: f64| rng.binomial(requests, 0.03 * drift * part);
        let mut failures = vec![(500, usual(&mut rng, 0.625))];
        failures.extend([502, 503, 504].map(|status| (status, usual(&mut rng, 0.125))));
        for (status, count) in more(&mut rng, second, requests) {
            if let Some(known) = failures.iter_mut().find(|(of, _)| *of == status) {
                known.1 += count;
            }
        }
        failures.retain(|&(_, count)| count > 0);
        let all: u32 = failures.iter().map(|failure| failure.1).sum();
        let mut clients: ClientBuckets = [0; 16];
        spread(&mut rng, all, &mut clients);
        recorder.push(EPOCH + second, requests + all, &failures, clients);
    }
    recorder.finish(true)
}

fn find(series: &Series) -> Findings {
    find_errors(series, 1, Sensitivity::Normal)
}

#[track_caller]
fn only(findings: &Findings) -> &Finding {
    assert_eq!(findings.incidents.len(), 1, "{findings:#?}");
    &findings.incidents[0]
}

#[test]
fn a_few_timeouts_among_the_errors_of_every_day_are_found() {
    let series = record(1, |rng, second, requests| match second {
        6000..6600 => vec![(504, rng.binomial(requests, 0.012))],
        _ => Vec::new(),
    });
    let findings = find(&series);
    let finding = only(&findings);
    assert_eq!(finding.dominant_status, Some(504));
    let alone = finding.audit.alone.expect("all failures together drift as much");
    assert_eq!(alone.status, 504);
    assert!(alone.failures as f64 > 2.0 * alone.expected, "{alone:?}");
    assert!((finding.start.second - EPOCH - 6000).abs() <= 15, "{}", finding.start.second - EPOCH);
    assert!((finding.end.second - EPOCH - 6600).abs() <= 15, "{}", finding.end.second - EPOCH);
    // what is told are all failures
    let share = finding.failures as f64 / finding.requests as f64;
    assert!(share > 0.02 && finding.failures > alone.failures, "{finding:#?}");
}

#[test]
fn the_usual_failures_drift_and_none_of_their_statuses_makes_an_incident() {
    for seed in 2..6 {
        let found = find(&record(seed, |_, _, _| Vec::new())).incidents;
        assert!(found.is_empty(), "{seed}: {found:#?}");
    }
}

#[test]
fn what_all_failures_show_is_not_told_of_its_status_again() {
    let series = record(7, |rng, second, requests| match second {
        6000..6600 => vec![(502, rng.binomial(requests, 0.4))],
        _ => Vec::new(),
    });
    let findings = find(&series);
    assert_eq!(only(&findings).audit.alone, None);
}

#[test]
fn other_failures_shortly_before_do_not_move_the_beginning() {
    // 3 % with 500 as ever; from second 6,000 on every fifth request with 503
    let series = record(8, |rng, second, requests| match second {
        5990..5998 => vec![(500, 1)],
        6000..6300 => vec![(503, rng.binomial(requests, 0.2))],
        _ => Vec::new(),
    });
    let findings = find(&series);
    assert_eq!(only(&findings).start.second, EPOCH + 6000);
}

#[test]
fn what_fails_at_once_is_the_beginning_of_what_runs_into_timeouts() {
    // a hundred requests a second of which hardly any fail; in an outage one in a hundred fails at once, and for each
    // of these eight a minute later
    let mut rng = Rng::new(20);
    let mut recorder = Recorder::new();
    for second in 0..2 * 3600 {
        let mut failures = vec![
            (500, u32::from(second % 600 == 0)),
            (503, u32::from((4000..4200).contains(&second) && second % 10 == 0)),
            (504, if (4060..4260).contains(&second) { 8 } else { 0 }),
        ];
        failures.retain(|&(_, count)| count > 0);
        let all: u32 = failures.iter().map(|failure| failure.1).sum();
        let mut clients: ClientBuckets = [0; 16];
        spread(&mut rng, all, &mut clients);
        recorder.push(EPOCH + second, 100, &failures, clients);
    }
    let findings = find(&recorder.finish(true));
    let finding = only(&findings);
    assert!((finding.start.second - EPOCH - 4000).abs() <= 10, "{}", finding.start.second - EPOCH);
    assert!((finding.end.second - EPOCH - 4259).abs() <= 1, "{}", finding.end.second - EPOCH);
}

#[test]
fn statuses_and_clients_stay_with_their_slots_where_others_are_left_out() {
    let mut series = Series::new(1, Some([9; 16]));
    for second in 10..16 {
        let mut clients = [0; 16];
        clients[second as usize - 10] = 1;
        series.push(second, (2, u32::from(second != 13)), &[(500 + second as u16, 1)], Some(clients));
    }
    let left = series.outside(&[(0, 10), (12, 12), (14, 14)]);
    let slots: Vec<(i64, Option<usize>)> = left
        .slots
        .iter()
        .map(|slot| {
            let buckets = slot.clients.map(|at| left.failing_clients[at as usize]);
            (slot.second, buckets.and_then(|buckets| buckets.iter().position(|&count| count > 0)))
        })
        .collect();
    assert_eq!(slots, [(11, Some(1)), (13, Some(3)), (15, Some(5))]);
    assert_eq!(left.statuses, [(0, 511, 1), (1, 513, 1), (2, 515, 1)]);
}
