//! Edges and phases that something else would move: a second that is affected in part, timeouts, drift, storms.

use super::sim::{EPOCH, Recorder, Rng, spread};
use crate::detect::{ClientBuckets, Finding, Findings, Sensitivity, Series, find_errors};

fn find(series: &Series) -> Findings {
    find_errors(series, 1, Sensitivity::Normal)
}

#[track_caller]
fn only(findings: &Findings) -> &Finding {
    assert_eq!(findings.incidents.len(), 1, "{findings:#?}");
    &findings.incidents[0]
}

/// Three hours at about ten requests a second; failures by status in each.
fn record(seed: u64, failing: impl Fn(&mut Rng, i64, u32) -> Vec<(u16, u32)>) -> Series {
    let mut rng = Rng::new(seed);
    let mut recorder = Recorder::new();
    for second in 0..3 * 3600 {
        let requests = rng.poisson(10.0).max(2);
        let failures = failing(&mut rng, second, requests);
        let mut clients: ClientBuckets = [0; 16];
        spread(&mut rng, failures.iter().map(|f| f.1).sum(), &mut clients);
        recorder.push(EPOCH + second, requests, &failures, clients);
    }
    recorder.finish(true)
}

#[test]
fn the_first_second_of_a_sudden_outage_may_be_affected_in_part() {
    let series = record(3, |_, second, requests| match second {
        5000 => vec![(502, requests / 2)],
        5001..5300 => vec![(502, requests)],
        5300 => vec![(502, requests / 3)],
        _ => Vec::new(),
    });
    let findings = find(&series);
    let finding = only(&findings);
    assert_eq!((finding.start.second, finding.end.second), (EPOCH + 5000, EPOCH + 5300));
}

#[test]
fn timeouts_that_show_later_do_not_move_the_beginning() {
    let series = record(4, |rng, second, requests| match second {
        5000..5030 => vec![(500, rng.binomial(requests, 0.12))],
        5030..5600 => vec![(500, rng.binomial(requests, 0.12)), (504, rng.binomial(requests, 0.7))],
        _ => Vec::new(),
    });
    let findings = find(&series);
    let finding = only(&findings);
    assert!((finding.start.second - EPOCH - 5000).abs() <= 4, "{}", finding.start.second - EPOCH);
    assert_eq!(finding.dominant_status, Some(504));
}

#[test]
fn a_background_that_rises_and_falls_by_half_is_no_incident() {
    let series = record(5, |rng, second, requests| {
        let drift = 1.0 + 0.5 * (std::f64::consts::TAU * second as f64 / 9000.0).sin();
        let failed = rng.binomial(requests, 0.05 * drift);
        vec![(500, failed)]
    });
    assert!(find(&series).incidents.is_empty());
}

#[test]
fn a_background_that_doubles_and_stays_is_no_incident() {
    for rises in [1, 600, 3600] {
        let series = record(7, |rng, second, requests| {
            let drift = 1.0 + f64::from(second as i32 - 4000).clamp(0.0, f64::from(rises)) / f64::from(rises);
            vec![(500, rng.binomial(requests, 0.02 * drift))]
        });
        let found = find(&series).incidents;
        assert!(found.is_empty(), "{rises} s: {found:#?}");
    }
}

#[test]
fn the_last_burst_of_what_comes_and_goes_belongs_to_it() {
    let series = record(8, |rng, second, requests| match second {
        5000..5040 | 5060..5100 | 5120..5160 => vec![(502, rng.binomial(requests, 0.9))],
        5190..5194 => vec![(502, requests.min(3))],
        _ => Vec::new(),
    });
    let findings = find(&series);
    let finding = only(&findings);
    assert_eq!(finding.end.second - EPOCH, 5193);
}

#[test]
fn one_client_that_fails_minutes_before_is_not_the_beginning() {
    let mut rng = Rng::new(9);
    let mut recorder = Recorder::new();
    for second in 0..3 * 3600 {
        let requests = u32::from(second % 5 == 0);
        let failed = if (5000..6000).contains(&second) { rng.binomial(requests, 0.25) } else { 0 };
        let mut clients: ClientBuckets = [0; 16];
        spread(&mut rng, failed, &mut clients);
        let clump = u32::from((4400..4406).contains(&second));
        clients[7] += clump as u16;
        recorder.push(EPOCH + second, requests + clump, &[(500, failed + clump)], clients);
    }
    let findings = find(&recorder.finish(true));
    let finding = only(&findings);
    assert!((finding.start.second - EPOCH - 5000).abs() <= 60, "{}", finding.start.second - EPOCH);
}

#[test]
fn one_clients_storm_in_the_middle_does_not_hide_an_incident() {
    let mut rng = Rng::new(6);
    let mut recorder = Recorder::new();
    for second in 0..3 * 3600 {
        let requests = rng.poisson(2.0) + 1;
        let failed = if (4000..6000).contains(&second) { rng.binomial(requests, 0.02) } else { 0 };
        let mut clients: ClientBuckets = [0; 16];
        spread(&mut rng, failed, &mut clients);
        let storm = u32::from((5000..5100).contains(&second));
        clients[7] += storm as u16;
        recorder.push(EPOCH + second, requests + storm, &[(500, failed + storm)], clients);
    }
    let findings = find(&recorder.finish(true));
    let finding = only(&findings);
    assert!((finding.start.second - EPOCH - 4000).abs() <= 120, "{}", finding.start.second - EPOCH);
    assert!((finding.end.second - EPOCH - 5999).abs() <= 120, "{}", finding.end.second - EPOCH);
}

#[test]
fn a_short_last_burst_of_what_flaps_belongs_to_it() {
    let series = record(10, |rng, second, requests| match second {
        5000..5060 | 5110..5170 | 5220..5280 | 5330..5333 => vec![(503, rng.binomial(requests, 0.95))],
        _ => Vec::new(),
    });
    let findings = find(&series);
    assert_eq!(only(&findings).end.second - EPOCH, 5332);
}

#[test]
fn a_restart_half_a_minute_after_an_outage_is_not_its_end() {
    let series = record(11, |_, second, requests| match second {
        5000..5060 => vec![(504, requests / 2)],
        5090..5092 => vec![(502, requests)],
        _ => Vec::new(),
    });
    let findings = find(&series);
    assert_eq!(only(&findings).end.second - EPOCH, 5059);
}

#[test]
fn a_restart_and_a_failure_beside_it_are_a_blip() {
    let series = record(12, |_, second, requests| match second {
        5000..5003 => vec![(502, requests)],
        5007 => vec![(500, 1)],
        _ => Vec::new(),
    });
    let findings = find(&series);
    assert!(findings.incidents.is_empty(), "{findings:#?}");
    assert_eq!(findings.blips.len(), 1, "{findings:#?}");
}

#[test]
fn a_failure_of_every_day_before_everything_waits_is_not_the_beginning() {
    let mut rng = Rng::new(9);
    let mut recorder = Recorder::new();
    for second in 0..3 * 3600 {
        // broken from 5000 on: nothing is written until the first request has waited for a minute
        let requests = if (5000..5052).contains(&second) { 0 } else { rng.poisson(10.0).max(2) };
        let failures = match second {
            4999 => vec![(504, 1)],
            5052..5600 => vec![(504, requests)],
            _ => vec![(504, rng.binomial(requests, 0.02))],
        };
        let mut clients: ClientBuckets = [0; 16];
        spread(&mut rng, failures.iter().map(|f| f.1).sum(), &mut clients);
        recorder.push(EPOCH + second, requests, &failures, clients);
    }
    let series = recorder.finish(true);
    let findings = find(&series);
    let finding = only(&findings);
    assert_eq!((finding.start.second, finding.end.second), (EPOCH + 5052, EPOCH + 5599));
}

#[test]
fn a_background_that_rises_a_little_before_timeouts_is_not_the_beginning() {
    let mut rng = Rng::new(12);
    let mut recorder = Recorder::new();
    for second in 0..3 * 3600 {
        let requests = rng.poisson(2000.0);
        let usual = if (4900..5060).contains(&second) { 0.033 } else { 0.03 };
        let timeouts = if (5000..5400).contains(&second) { rng.binomial(requests, 0.8) } else { 0 };
        let failures = vec![(504, timeouts), (500, rng.binomial(requests - timeouts, usual))];
        let mut clients: ClientBuckets = [0; 16];
        spread(&mut rng, failures.iter().map(|f| f.1).sum(), &mut clients);
        recorder.push(EPOCH + second, requests, &failures, clients);
    }
    let series = recorder.finish(true);
    let findings = find(&series);
    assert_eq!(only(&findings).start.second, EPOCH + 5000);
}

#[test]
fn a_blip_with_another_status_between_two_bursts_ends_nothing() {
    let series = record(10, |rng, second, requests| match second {
        5000..5060 | 5108..5167 | 5215..5274 | 5322..5381 | 5429..5488 => {
            vec![(500, rng.binomial(requests, 0.6))]
        }
        5190..5192 => vec![(502, requests)],
        _ => Vec::new(),
    });
    let findings = find(&series);
    let finding = only(&findings);
    assert!((finding.start.second - EPOCH - 5000).abs() <= 2, "{}", finding.start.second - EPOCH);
    assert!((finding.end.second - EPOCH - 5487).abs() <= 2, "{}", finding.end.second - EPOCH);
}

#[test]
fn a_background_that_rises_slowly_for_an_hour_needs_sharper_edges_to_be_told() {
    // a request a second; the share that fails rises from 1.2 to 3.6 % within five minutes, and falls as slowly
    for seed in [31, 34, 35, 42, 48, 55] {
        let mut rng = Rng::new(seed);
        let mut recorder = Recorder::new();
        for second in 0..3 * 3600 {
            let requests = rng.poisson(1.0);
            let risen = f64::from((second - 3600).min(7500 - second) as i32).clamp(0.0, 300.0) / 300.0;
            let failures = vec![(500, rng.binomial(requests, 0.012 + 0.024 * risen))];
            let mut clients: ClientBuckets = [0; 16];
            spread(&mut rng, failures[0].1, &mut clients);
            recorder.push(EPOCH + second, requests, &failures, clients);
        }
        let found = find(&recorder.finish(true)).incidents;
        assert!(found.is_empty(), "{seed}: {found:#?}");
    }
}

/// A request a second; between two seconds some fail, with 500, of this client (bucket).
fn quiet(failing: impl Fn(&mut Rng, i64) -> Option<u16>) -> Series {
    let mut rng = Rng::new(21);
    let mut recorder = Recorder::new();
    for second in 0..3 * 3600 {
        let bucket = failing(&mut rng, second);
        let mut clients: ClientBuckets = [0; 16];
        if let Some(bucket) = bucket {
            clients[usize::from(bucket)] = 1;
        }
        recorder.push(EPOCH + second, 1, &[(500, u32::from(bucket.is_some()))], clients);
    }
    recorder.finish(true)
}

#[test]
fn the_last_failure_is_the_end_though_it_follows_a_clump_of_another_client() {
    // two in three fail; the last one is client 4's, and nearly all of those just before it client 7's
    let series = quiet(|_, second| match second {
        5000..5590 if second % 3 != 0 => Some(u16::try_from(second % 16).unwrap()),
        5590..5600 => (second % 2 == 0).then_some(7),
        5600 => Some(4),
        // and one in fifty at any other time
        ..5000 | 5620.. if second % 50 == 0 => Some(u16::try_from(second / 50 % 16).unwrap()),
        _ => None,
    });
    assert_eq!(only(&find(&series)).end.second, EPOCH + 5600);
}

#[test]
fn the_clump_that_a_level_is_fitted_beside_counts_with_its_requests() {
    // four in five fail, for a minute at a time; in the first burst one client alone asks, ten times
    let mut rng = Rng::new(22);
    let mut recorder = Recorder::new();
    for second in 0..3 * 3600_i64 {
        let lonely = (5000..5060).contains(&second);
        let down = (5000..8000).contains(&second) && (second - 5000) % 120 < 70;
        if lonely && !(5000..5010).contains(&second) {
            continue;
        }
        let fails = down && rng.binomial(1, 0.8) > 0 || second == 5000;
        let bucket = if lonely { 14 } else { usize::try_from(second * 7 % 16).unwrap() };
        let mut clients: ClientBuckets = [0; 16];
        clients[bucket] = u16::from(fails);
        recorder.push(EPOCH + second, 1, &[(503, u32::from(fails))], clients);
    }
    assert_eq!(only(&find(&recorder.finish(true))).start.second, EPOCH + 5000);
}

#[test]
fn two_failures_after_a_usual_pause_are_its_last_burst() {
    let series = record(10, |rng, second, requests| match second {
        5000..5060 | 5110..5170 | 5220..5280 => vec![(503, rng.binomial(requests, 0.15))],
        5330 | 5331 => vec![(503, 1)],
        _ => Vec::new(),
    });
    assert_eq!(only(&find(&series)).end.second - EPOCH, 5331);
}

#[test]
fn a_restart_that_the_faint_level_of_an_outage_reaches_is_not_its_end() {
    let mut rng = Rng::new(24);
    let mut recorder = Recorder::new();
    for second in 0..2 * 3600_i64 {
        let (requests, failures) = match second {
            2000..3100 => (6, vec![(503, rng.binomial(6, 0.017))]),
            3140 | 3175 | 3189 => (6, vec![(500, 1)]),
            3190..3193 => (9, vec![(502, 9)]),
            _ => (6, vec![(500, rng.binomial(6, 0.0005))]),
        };
        let mut clients: ClientBuckets = [0; 16];
        spread(&mut rng, failures[0].1, &mut clients);
        recorder.push(EPOCH + second, requests, &failures, clients);
    }
    let findings = find(&recorder.finish(true));
    let finding = only(&findings);
    assert!((finding.end.second - EPOCH - 3099).abs() <= 40, "{}", finding.end.second - EPOCH);
    assert_eq!(findings.blips.len(), 1, "{findings:#?}");
}

#[test]
fn a_restart_and_one_failure_more_are_a_blip_however_few_they_are() {
    let series = record(12, |_, second, _| match second {
        5000..5002 => vec![(503, 3)],
        5005 => vec![(500, 1)],
        _ => Vec::new(),
    });
    let findings = find(&series);
    assert!(findings.incidents.is_empty(), "{findings:#?}");
    assert_eq!(findings.blips.len(), 1, "{findings:#?}");
}

#[test]
fn a_long_storm_that_leads_into_an_incident_is_not_its_beginning() {
    // one client fails every fourth second for twelve minutes; then as many fail of all, for half an hour
    let mut rng = Rng::new(23);
    let mut recorder = Recorder::new();
    for second in 0..2 * 3600_i64 {
        let requests = rng.poisson(2.5);
        let storm = u32::from((2400..3100).contains(&second) && rng.binomial(1, 0.28) > 0);
        let failed = if (3100..4300).contains(&second) { rng.binomial(requests, 0.09) } else { 0 };
        let mut clients: ClientBuckets = [0; 16];
        spread(&mut rng, failed, &mut clients);
        clients[7] += storm as u16;
        recorder.push(EPOCH + second, requests + storm, &[(500, failed + storm)], clients);
    }
    let findings = find(&recorder.finish(true));
    let finding = only(&findings);
    assert!((finding.start.second - EPOCH - 3100).abs() <= 30, "{}", finding.start.second - EPOCH);
}

#[test]
fn what_one_client_fails_after_a_usual_pause_while_others_are_served_is_not_the_last_burst() {
    let mut rng = Rng::new(25);
    let mut recorder = Recorder::new();
    for second in 0..3 * 3600_i64 {
        let failed = match second {
            5000..5075 | 5090..5165 | 5180..5255 => rng.binomial(3, 0.13),
            _ => rng.binomial(3, 0.006),
        };
        let mut clients: ClientBuckets = [0; 16];
        spread(&mut rng, failed, &mut clients);
        let clump = u32::from((5268..5275).contains(&second));
        clients[7] += clump as u16;
        recorder.push(EPOCH + second, 3 + clump, &[(500, failed + clump)], clients);
    }
    let findings = find(&recorder.finish(true));
    let finding = only(&findings);
    assert!(finding.end.second - EPOCH < 5256, "{}", finding.end.second - EPOCH);
}

#[test]
fn two_restarts_seconds_apart_are_two_blips() {
    let series = record(13, |_, second, requests| match second {
        5000..5002 | 5015..5018 => vec![(503, requests)],
        _ => Vec::new(),
    });
    let findings = find(&series);
    assert!(findings.incidents.is_empty(), "{findings:#?}");
    assert_eq!(findings.blips.len(), 2, "{findings:#?}");
    // so few fail that they are one stretch
    let series = record(13, |_, second, _| match second {
        5000 | 5007 => vec![(503, 6)],
        _ => Vec::new(),
    });
    let findings = find(&series);
    assert!(findings.incidents.is_empty() && !findings.blips.is_empty(), "{findings:#?}");
}
