//! What must be found, what must not be called an incident, and what a finding says.

use super::sim::{EPOCH, Recorder, Rng, Shape, Site};
use crate::detect::{
    Caveat, Finding, Findings, Part, Sensitivity, Series, Slot, Whole, find_errors, find_errors_of_part,
};

pub(super) fn find(series: &Series) -> Findings {
    find_errors(series, 1, Sensitivity::Normal)
}

fn play(mut site: Site, seed: u64) -> Findings {
    find(&site.record(&mut Rng::new(seed)))
}

#[track_caller]
pub(super) fn only(findings: &Findings) -> &Finding {
    assert_eq!(findings.incidents.len(), 1, "{findings:#?}");
    &findings.incidents[0]
}

#[track_caller]
pub(super) fn assert_near(actual: i64, expected: i64, within: i64) {
    assert!((actual - expected).abs() <= within, "{} instead of {}", actual - EPOCH, expected - EPOCH);
}

fn share(finding: &Finding) -> f64 {
    let (k, n, p0) = (finding.failures as f64, finding.requests as f64, finding.baseline.error_share);
    (k / n - p0) / (1.0 - p0)
}

pub(super) const HOUR: i64 = 3600;

// Reference incidents.

#[test]
fn bad_gateway_for_48_minutes() {
    let site = Site::quiet(4 * HOUR, 12.0, 0.002).with(HOUR, HOUR + 48 * 60 - 1, 0.997, Shape::Step, 502);
    let findings = play(site, 1);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + HOUR, 1);
    assert_near(finding.end.second, EPOCH + HOUR + 48 * 60 - 1, 1);
    assert_eq!(finding.dominant_status, Some(502));
    assert!((share(finding) - 0.997).abs() < 0.003, "{}", share(finding));
    assert!(!finding.start.open && !finding.end.open);
    assert!(finding.confidence > 0.95, "{}", finding.confidence);
    assert!((finding.baseline.requests_per_second - 12.0).abs() < 0.5, "{:?}", finding.baseline);
}

#[test]
fn upgrade_fails_for_two_hours_with_a_restart_at_the_end() {
    // 500s, then 502 and 503 while the application restarts: still one incident, to the end of the restart.
    let site = Site::quiet(6 * HOUR, 8.0, 0.001).with(HOUR, 3 * HOUR, 0.98, Shape::Step, 500).with(
        3 * HOUR + 1,
        3 * HOUR + 119,
        1.0,
        Shape::Step,
        502,
    );
    let findings = play(site, 2);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + HOUR, 1);
    assert_near(finding.end.second, EPOCH + 3 * HOUR + 119, 1);
    assert_eq!(finding.dominant_status, Some(500));
}

#[test]
fn twenty_two_minutes_of_500_and_a_restart() {
    let site = Site::quiet(3 * HOUR, 5.0, 0.0).with(HOUR, HOUR + 20 * 60 - 1, 1.0, Shape::Step, 500).with(
        HOUR + 20 * 60,
        HOUR + 22 * 60 - 1,
        1.0,
        Shape::Step,
        503,
    );
    let findings = play(site, 3);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + HOUR, 2);
    assert_near(finding.end.second, EPOCH + HOUR + 22 * 60 - 1, 2);
    assert_eq!(finding.dominant_status, Some(500));
}

// Other shapes.

#[test]
fn flapping_is_one_incident() {
    let site = Site::quiet(4 * HOUR, 10.0, 0.001).with(HOUR, 2 * HOUR - 31, 0.9, Shape::Flap(60, 90), 502);
    let findings = play(site, 4);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + HOUR, 2);
    assert_near(finding.end.second, EPOCH + 2 * HOUR - 91, 2);
    assert!(finding.levels.len() > 20, "{}", finding.levels.len());
}

#[test]
fn the_last_burst_of_what_flaps_belongs_to_it_however_short() {
    let site = Site::quiet(4 * HOUR, 3.5, 0.001).with(HOUR, HOUR + 183, 1.0, Shape::Flap(43, 18), 502);
    let findings = play(site, 4);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + HOUR, 1);
    assert_near(finding.end.second, EPOCH + HOUR + 183, 1);
}

#[test]
fn two_incidents_of_different_levels_stay_two() {
    let site = Site::quiet(4 * HOUR, 20.0, 0.001).with(HOUR, HOUR + 599, 0.3, Shape::Step, 502).with(
        2 * HOUR,
        2 * HOUR + 299,
        1.0,
        Shape::Step,
        503,
    );
    let findings = play(site, 5);
    assert_eq!(findings.incidents.len(), 2, "{findings:#?}");
    let (a, b) = (&findings.incidents[0], &findings.incidents[1]);
    assert!((share(a) - 0.3).abs() < 0.02 && share(b) > 0.99, "{} {}", share(a), share(b));
    assert_eq!((a.dominant_status, b.dominant_status), (Some(502), Some(503)));
    assert_near(a.end.second, EPOCH + HOUR + 599, 2);
    assert_near(b.start.second, EPOCH + 2 * HOUR, 1);
}

#[test]
fn ten_minutes_with_a_little_more_failures_than_usual_divide_two_outages() {
    let site = Site::quiet(4 * HOUR, 20.0, 0.003)
        .with(HOUR, HOUR + 1439, 0.9, Shape::Step, 503)
        .with(HOUR + 1440, HOUR + 2039, 0.01, Shape::Step, 503)
        .with(HOUR + 2040, HOUR + 3480, 1.0, Shape::Step, 503);
    let findings = play(site, 5);
    let spans: Vec<(i64, i64)> =
        findings.incidents.iter().map(|found| (found.start.second, found.end.second)).collect();
    assert_eq!(spans.len(), 2, "{spans:?}");
    assert_near(spans[0].1, EPOCH + HOUR + 1439, 2);
    assert_near(spans[1].0, EPOCH + HOUR + 2040, 2);
}

#[test]
fn a_change_of_level_is_a_phase_of_one_incident() {
    let site = Site::quiet(4 * HOUR, 20.0, 0.001).with(HOUR, HOUR + 599, 0.2, Shape::Step, 502).with(
        HOUR + 600,
        HOUR + 1199,
        0.9,
        Shape::Step,
        502,
    );
    let findings = play(site, 6);
    let finding = only(&findings);
    assert_eq!(finding.levels.len(), 2, "{:?}", finding.levels);
    assert_near(finding.levels[1].start, EPOCH + HOUR + 600, 2);
    assert!((finding.levels[0].share - 0.2).abs() < 0.03 && (finding.levels[1].share - 0.9).abs() < 0.03);
}

#[test]
fn a_ramp_is_one_incident() {
    let site = Site::quiet(4 * HOUR, 20.0, 0.001).with(HOUR, HOUR + 1799, 0.8, Shape::Ramp(600), 502);
    let findings = play(site, 7);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + HOUR, 60);
    assert_near(finding.end.second, EPOCH + HOUR + 1799, 1);
}

#[test]
fn two_percent_of_a_busy_site() {
    let site = Site::quiet(4 * HOUR, 50.0, 0.001).with(HOUR, HOUR + 899, 0.02, Shape::Step, 504);
    let findings = play(site, 8);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + HOUR, 5);
    assert_near(finding.end.second, EPOCH + HOUR + 899, 5);
    assert!((share(finding) - 0.02).abs() < 0.004, "{}", share(finding));
}

#[test]
fn forty_minutes_of_a_site_with_three_requests_a_minute() {
    let site = Site::quiet(24 * HOUR, 0.05, 0.0).with(9 * HOUR, 9 * HOUR + 2399, 1.0, Shape::Step, 502);
    let findings = play(site, 9);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + 9 * HOUR, 80);
    assert_near(finding.end.second, EPOCH + 9 * HOUR + 2399, 80);
    assert!(finding.start.range.0 <= finding.start.second && finding.start.range.1 >= finding.start.second);
    assert!(share(finding) > 0.99);
}

// Edges of the data and majorities.

#[test]
fn ongoing_at_the_end() {
    let site = Site::quiet(2 * HOUR, 10.0, 0.001).with(HOUR, 2 * HOUR, 0.9, Shape::Step, 502);
    let findings = play(site, 10);
    let finding = only(&findings);
    assert!(finding.end.open && !finding.start.open, "{finding:#?}");
}

#[test]
fn begun_before_the_data() {
    let site = Site::quiet(2 * HOUR, 10.0, 0.001).with(0, 1200, 0.9, Shape::Step, 502);
    let findings = play(site, 11);
    let finding = only(&findings);
    assert!(finding.start.open && !finding.end.open, "{finding:#?}");
    assert_near(finding.end.second, EPOCH + 1200, 1);
}

#[test]
fn most_of_the_recording_is_broken() {
    for (seed, (part, level, from_start)) in [
        (0.6, 1.0, false),
        (0.7, 0.3, false),
        (0.8, 0.97, false),
        (0.8, 0.97, true),
        (0.6, 0.1, true),
        (0.7, 0.1, false),
        (0.95, 1.0, false),
        (0.95, 0.8, true),
    ]
    .into_iter()
    .enumerate()
    {
        for (seconds, rate) in [(HOUR, 5.0), (6 * HOUR, 2.0), (12 * HOUR, 1.0)] {
            let length = (part * seconds as f64) as i64;
            let start = if from_start { 0 } else { (seconds - length) / 3 };
            let site = Site::quiet(seconds, rate, 0.002).with(start, start + length, level, Shape::Step, 502);
            let findings = play(site, 12 + seed as u64);
            let finding = only(&findings);
            assert_near(finding.start.second, EPOCH + start, 8 + (6.0 / (rate * level)) as i64);
            assert_near(finding.end.second, EPOCH + start + length, 8 + (6.0 / (rate * level)) as i64);
            assert!((share(finding) - level).abs() < 0.03, "{} instead of {level}", share(finding));
            assert_eq!(finding.start.open, from_start);
            assert!(!finding.end.open);
            assert_eq!(findings.caveats, [], "{part} {level}");
        }
    }
}

#[test]
fn a_recording_of_minutes() {
    for (seconds, start, end) in [(100, 30, 69), (100, 20, 59), (300, 5, 200), (600, 100, 130)] {
        let site = Site::quiet(seconds, 8.0, 0.0).with(start, end, 1.0, Shape::Step, 502);
        let findings = play(site, 29);
        let finding = only(&findings);
        assert_near(finding.start.second, EPOCH + start, 1);
        assert_near(finding.end.second, EPOCH + end, 1);
        assert_eq!(findings.caveats, []);
    }
}

#[test]
fn broken_from_the_first_line_to_the_last() {
    for (seed, level) in [1.0, 0.997, 0.75, 0.55].into_iter().enumerate() {
        for (seconds, rate) in [(HOUR, 5.0), (6 * HOUR, 1.0)] {
            let site = Site::quiet(seconds, rate, 0.0).with(0, seconds, level, Shape::Step, 502);
            let findings = play(site, 30 + seed as u64);
            let finding = only(&findings);
            assert!(finding.start.open && finding.end.open);
            assert!((share(finding) - level).abs() < 0.02, "{} instead of {level}", share(finding));
            assert_eq!(findings.caveats, [Caveat::NoHealthyPeriod]);
            assert_eq!(finding.dominant_status, Some(502));
        }
    }
}

// What must not be called an incident.

#[test]
fn a_constant_share_of_errors_is_no_incident() {
    for (seed, background) in [0.005, 0.03, 0.1, 0.3].into_iter().enumerate() {
        for (seconds, rate) in [(HOUR / 2, 3.0), (6 * HOUR, 10.0), (12 * HOUR, 0.5)] {
            let findings = play(Site::quiet(seconds, rate, background), 50 + seed as u64);
            assert!(findings.incidents.is_empty(), "{background} {rate} {findings:#?}");
            assert!(findings.blips.is_empty());
        }
    }
}

#[test]
fn a_graceful_reload_is_no_incident() {
    // One or two requests meet a worker that is going away, a few times a day.
    let mut rng = Rng::new(60);
    let mut recorder = Recorder::new();
    for second in 0..24 * HOUR {
        let requests = rng.poisson(5.0).max(2);
        let failed = u32::from(second % (6 * HOUR) == 3 * HOUR) * 2;
        let mut clients = [0; 16];
        clients[0] = failed as u16;
        recorder.push(EPOCH + second, requests, &[(502, failed)], clients);
    }
    let findings = find(&recorder.finish(true));
    assert!(findings.incidents.is_empty() && findings.blips.is_empty(), "{findings:#?}");
}

#[test]
fn a_restart_of_two_seconds_is_a_blip() {
    for rate in [5.0, 50.0, 500.0] {
        let site = Site::quiet(2 * HOUR, rate, 0.001).with(HOUR, HOUR + 1, 1.0, Shape::Step, 502);
        let findings = play(site, 61);
        assert!(findings.incidents.is_empty(), "{findings:#?}");
        assert_eq!(findings.blips.len(), 1, "{findings:#?}");
        assert_near(findings.blips[0].start.second, EPOCH + HOUR, 1);
    }
}

#[test]
fn one_clients_storm_is_no_incident() {
    for rate in [0.2, 5.0, 100.0] {
        for with_active in [true, false] {
            let mut site = Site::quiet(12 * HOUR, rate, 0.001);
            site.clumps =
                vec![(HOUR, HOUR + 300, 2.0), (5 * HOUR, 5 * HOUR + 20, 10.0), (7 * HOUR, 8 * HOUR, 0.2)];
            let mut series = site.record(&mut Rng::new(62));
            if !with_active {
                series.active_client_buckets = None;
            }
            let findings = find(&series);
            assert!(findings.incidents.is_empty(), "{rate} {findings:#?}");
        }
    }
}

#[test]
fn one_clients_storm_is_not_the_beginning_of_everybodys_incident() {
    let mut site = Site::quiet(6 * HOUR, 10.0, 0.001).with(HOUR, HOUR + 1199, 0.9, Shape::Step, 502);
    site.clumps = vec![(HOUR - 200, HOUR + 20, 1.0)];
    let findings = play(site, 66);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + HOUR, 2);
    assert_near(finding.end.second, EPOCH + HOUR + 1199, 1);
}

#[test]
fn a_blip_a_minute_before_is_not_the_beginning() {
    let site = Site::quiet(6 * HOUR, 10.0, 0.001).with(HOUR - 70, HOUR - 69, 1.0, Shape::Step, 502).with(
        HOUR,
        HOUR + 1199,
        1.0,
        Shape::Step,
        502,
    );
    let findings = play(site, 67);
    assert_near(only(&findings).start.second, EPOCH + HOUR, 1);
    assert_eq!(findings.blips.len(), 1);
}

#[test]
fn a_slow_rise_of_the_background_is_not_the_beginning() {
    // A small incident, then an hour of a background that is high, then an outage.
    let mut site = Site::quiet(12 * HOUR, 2.0, 0.018).with(300, 750, 0.06, Shape::Step, 502).with(
        3400,
        6300,
        0.93,
        Shape::Step,
        502,
    );
    site.drift = 0.5;
    let findings = play(site, 75);
    let outage = findings.incidents.iter().find(|finding| finding.end.second > EPOCH + 6000).unwrap();
    assert_near(outage.start.second, EPOCH + 3400, 4);
    assert_near(outage.end.second, EPOCH + 6300, 4);
}

#[test]
fn a_storm_too_small_to_report_hides_no_short_incident() {
    let mut site = Site::quiet(2 * HOUR, 55.0, 0.0004).with(6386, 6399, 0.1, Shape::Step, 502);
    site.clumps = vec![(1763, 2307, 0.4)];
    let findings = play(site, 76);
    assert_near(only(&findings).start.second, EPOCH + 6386, 2);
}

#[test]
fn a_strict_search_of_many_streams_finds_no_more_than_a_lenient_one() {
    let mut site = Site::quiet(6 * HOUR, 3.0, 0.004).with(HOUR, HOUR + 59, 0.12, Shape::Step, 502);
    let series = site.record(&mut Rng::new(68));
    let count = |streams, sensitivity| find_errors(&series, streams, sensitivity).incidents.len();
    assert_eq!(count(1, Sensitivity::High), 1);
    assert!(count(1, Sensitivity::Normal) >= count(1, Sensitivity::Low));
    assert!(count(1, Sensitivity::Normal) >= count(1_000_000_000, Sensitivity::Normal));
}

#[test]
fn one_clients_storm_on_a_flawless_site_is_no_incident() {
    for with_active in [true, false] {
        let mut site = Site::quiet(12 * HOUR, 5.0, 0.0);
        site.clumps = vec![(HOUR, HOUR + 300, 2.0)];
        let mut series = site.record(&mut Rng::new(63));
        if !with_active {
            series.active_client_buckets = None;
        }
        assert!(find(&series).incidents.is_empty());
    }
}

#[test]
fn a_surge_of_good_traffic_and_a_quiet_night_are_no_incidents() {
    let mut rng = Rng::new(64);
    let mut recorder = Recorder::new();
    for second in 0..24 * HOUR {
        let mean = match second / HOUR {
            1..=5 => 0.02,
            12 => 80.0,
            _ => 8.0,
        };
        let requests = rng.poisson(mean);
        let failed = rng.binomial(requests, 0.004);
        let mut clients = [0; 16];
        super::sim::spread(&mut rng, failed, &mut clients);
        recorder.push(EPOCH + second, requests, &[(500, failed)], clients);
    }
    let findings = find(&recorder.finish(true));
    assert!(findings.incidents.is_empty(), "{findings:#?}");
}

#[test]
fn a_background_that_drifts_is_no_incident() {
    let mut rng = Rng::new(65);
    let mut recorder = Recorder::new();
    for second in 0..24 * HOUR {
        let requests = rng.poisson(20.0);
        let slow = 1.0 + 0.6 * (std::f64::consts::TAU * second as f64 / 86_400.0).sin();
        let failed = rng.binomial(requests, 0.01 * slow);
        let mut clients = [0; 16];
        super::sim::spread(&mut rng, failed, &mut clients);
        recorder.push(EPOCH + second, requests, &[(500, failed)], clients);
    }
    let findings = find(&recorder.finish(true));
    assert!(findings.incidents.is_empty(), "{findings:#?}");
}

// Clients.

// Coarse slots, odd data.

#[test]
fn coarse_slots_work_as_well() {
    for width in [4_i64, 64] {
        let mut site = Site::quiet(12 * HOUR, 5.0, 0.002).with(HOUR, HOUR + 1800, 0.9, Shape::Step, 502);
        let fine = site.record(&mut Rng::new(72));
        let mut coarse = Series { slot_seconds: width as u32, ..Series::default() };
        for (index, slot) in fine.slots.iter().enumerate() {
            let second = slot.second.div_euclid(width) * width;
            if coarse.slots.last().is_none_or(|last| last.second != second) {
                coarse.slots.push(Slot { second, requests: 0, failures: 0, clients: None });
            }
            let at = coarse.slots.len() as u32 - 1;
            let last = coarse.slots.last_mut().unwrap();
            last.requests += slot.requests;
            last.failures += slot.failures;
            let of_slot = fine.statuses.iter().filter(|&&(slot, ..)| slot as usize == index);
            if slot.failures > 0 {
                coarse.statuses.extend(of_slot.map(|&(_, status, count)| (at, status, count)));
            }
        }
        coarse.statuses.sort_unstable();
        let findings = find(&coarse);
        let finding = only(&findings);
        assert_near(finding.start.second, EPOCH + HOUR, width);
        assert_near(finding.end.second, EPOCH + HOUR + 1800, width);
        assert!((share(finding) - 0.9).abs() < 0.05);
        assert_eq!(finding.dominant_status, Some(502));
    }
}

fn series(slots: &[(i64, u32, u32)]) -> Series {
    let slot = |&(second, requests, failures)| Slot { second, requests, failures, clients: None };
    Series { slots: slots.iter().map(slot).collect(), slot_seconds: 1, ..Series::default() }
}

#[test]
fn next_to_nothing() {
    let nothing = find(&Series::default());
    assert!(nothing.incidents.is_empty() && nothing.blips.is_empty() && nothing.caveats.is_empty());
    let one = find(&series(&[(EPOCH, 1, 1)]));
    assert!(one.incidents.is_empty());
    assert!(one.caveats.contains(&Caveat::TooFewRequests));
    let one_second = find(&series(&[(EPOCH, 100_000, 2_000)]));
    assert!(one_second.incidents.is_empty());
    let all_fail = find(&series(&[(EPOCH, 100_000, 100_000)]));
    assert_eq!(all_fail.caveats, [Caveat::NoHealthyPeriod]);
}

#[test]
fn one_request_an_hour_for_400_days() {
    let slots: Vec<_> =
        (0..400 * 24).map(|hour| (EPOCH + hour * HOUR, 1, u32::from((2000..2030).contains(&hour)))).collect();
    let findings = find(&series(&slots));
    let finding = only(&findings);
    assert_eq!((finding.start.second, finding.end.second), (EPOCH + 2000 * HOUR, EPOCH + 2029 * HOUR));
    assert_eq!((finding.requests, finding.failures), (30, 30));
}

#[test]
fn lines_from_1970_and_9999_change_nothing() {
    let mut site = Site::quiet(6 * HOUR, 5.0, 0.001).with(0, 900, 0.95, Shape::Step, 502);
    let series = site.record(&mut Rng::new(73));
    let plain = find(&series);
    let mut outliers = series.clone();
    outliers.slots.insert(0, Slot { second: 0, requests: 1, failures: 1, clients: None });
    outliers.slots.push(Slot { second: 253_402_300_799, requests: 1, failures: 1, clients: None });
    for status in &mut outliers.statuses {
        status.0 += 1;
    }
    let with = find(&outliers);
    let (plain, with) = (only(&plain), only(&with));
    assert_eq!((plain.start.second, plain.end.second), (with.start.second, with.end.second));
    assert_eq!((plain.requests, plain.failures), (with.requests, with.failures));
    assert!(with.start.open, "the data proper begins broken");
}

/// `cargo test --release --lib detect -- --ignored --nocapture ten_million`
#[test]
#[ignore = "measures time, for a release build"]
fn ten_million_seconds() {
    let play = |name: &str, failing: &dyn Fn(i64) -> u32| {
        let mut rng = Rng::new(74);
        let mut recorder = Recorder::new();
        for second in 0..10_000_000 {
            let failed = (u32::from(rng.unit() < 0.02) + failing(second)).min(8);
            let mut clients = [0; 16];
            super::sim::spread(&mut rng, failed, &mut clients);
            recorder.push(EPOCH + second, 8, &[(500, failed)], clients);
        }
        let series = recorder.finish(true);
        let begun = std::time::Instant::now();
        let findings = find(&series);
        println!("{name}: 10 M seconds in {:.1} s", begun.elapsed().as_secs_f64());
        findings
    };
    let findings = play("one hour", &|second| u32::from((5_000_000..5_003_600).contains(&second)) * 5);
    assert_near(only(&findings).start.second, EPOCH + 5_000_000, 2);
    assert_near(only(&findings).end.second, EPOCH + 5_003_599, 2);
    let findings = play("flapping all the time", &|second| u32::from(second % 250 < 100) * 8);
    assert!(findings.incidents.len() > 39_900, "{}", findings.incidents.len());
    let findings = play("joined all the time", &|second| u32::from(second % 200 < 90) * 8);
    assert_eq!(findings.incidents.len(), 1);
}

/// A site of many paths, none of which fails, but for one of 4 in 1,000 requests between two seconds; counts are of that
/// path's failures against all requests.
fn needle(from: i64, to: i64) -> Series {
    let mut recorder = Recorder::new();
    for second in 0..7200_i64 {
        let failing = (from..to).contains(&second) && second % 12 == 0;
        let mut clients = [0; 16];
        clients[(second / 12 % 16) as usize] = u16::from(failing);
        recorder.push(EPOCH + second, 20, &[(500, u32::from(failing))], clients);
    }
    recorder.finish(true)
}

#[test]
fn a_path_of_few_requests_that_all_fail_is_found_behind_a_healthy_site() {
    let series = needle(3000, 3600);
    assert!(find_errors(&series, 1, Sensitivity::Normal).incidents.is_empty());
    let findings = find_errors_of_part(&Part::all(&Whole::of(&series)), 30, Sensitivity::Normal);
    let finding = only(&findings);
    assert_eq!((finding.start.second, finding.end.second), (EPOCH + 3000, EPOCH + 3588));
    assert_eq!(finding.failures, 50);
}

#[test]
fn what_never_fails_fails_for_a_quarter_of_a_short_recording() {
    let mut recorder = Recorder::new();
    for second in 0..7200_i64 {
        let failing = (3000..4400).contains(&second) && second % 140 == 0;
        let mut clients = [0; 16];
        clients[(second / 140 % 16) as usize] = u16::from(failing);
        recorder.push(EPOCH + second, u32::from(second % 2 == 0), &[(502, u32::from(failing))], clients);
    }
    let series = recorder.finish(true);
    let findings = find_errors_of_part(&Part::all(&Whole::of(&series)), 8, Sensitivity::Normal);
    let finding = only(&findings);
    assert_eq!((finding.start.second, finding.end.second), (EPOCH + 3080, EPOCH + 4340));
    assert_eq!(finding.failures, 10);
}

#[test]
fn a_finding_tells_what_it_passed_and_what_came_second() {
    let site = Site::quiet(4 * HOUR, 12.0, 0.002).with(HOUR, HOUR + 1799, 0.4, Shape::Step, 502);
    let findings = play(site, 77);
    let audit = &only(&findings).audit;
    assert!((audit.penalty - 22.0).abs() < 1e-9, "{audit:?}");
    assert_eq!(audit.gates.len(), 7, "{audit:?}");
    assert!(audit.gates.iter().all(|gate| gate.value >= gate.needed), "{audit:?}");
    for (edge, next) in [
        (only(&findings).start, audit.start_runner_up.unwrap()),
        (only(&findings).end, audit.end_runner_up.unwrap()),
    ] {
        assert_ne!(edge.second, next.second);
        assert!(next.nats >= 0.0);
    }
}

#[test]
fn a_route_of_a_quiet_site_that_fails_for_hours_is_found_though_an_hour_shows_three_failures() {
    // six requests a minute for 18 hours, of which one in 120 asks for what fails for four of them
    let mut recorder = Recorder::new();
    for at in 0..18 * HOUR / 10 {
        let fails = (1000..2400).contains(&at) && at % 120 == 60;
        let mut clients = [0; 16];
        clients[at as usize / 120 % 16] = u16::from(fails);
        recorder.push(EPOCH + 10 * at, 1, &[(503, u32::from(fails))], clients);
    }
    let series = recorder.finish(true);
    let findings = find_errors_of_part(&Part::all(&Whole::of(&series)), 50, Sensitivity::Normal);
    let finding = only(&findings);
    assert_eq!((finding.start.second - EPOCH, finding.end.second - EPOCH), (10_200, 23_400));
}
