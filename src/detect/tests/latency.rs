//! Slow requests: what must be found, what must not be called an incident, and what a finding says.

use super::latency_sim::{Path, Recorder, Site};
use super::sim::{EPOCH, Rng};
use crate::detect::{
    Effect, Finding, Findings, LatencySeries, LatencySlot, Sensitivity, Signal, find_latency,
};
use crate::model::Histogram;

const HOUR: i64 = 3600;

fn find(series: &LatencySeries) -> Findings {
    find_latency(series, 1, Sensitivity::Normal)
}

fn play(mut site: Site, seed: u64) -> Findings {
    find(&site.record(&mut Rng::new(seed)))
}

#[track_caller]
fn only(findings: &Findings) -> &Finding {
    assert_eq!(findings.incidents.len(), 1, "{findings:#?}");
    &findings.incidents[0]
}

#[track_caller]
fn none(findings: &Findings) {
    assert!(findings.incidents.is_empty(), "{findings:#?}");
}

#[track_caller]
fn assert_near(actual: i64, expected: i64, within: i64) {
    assert!((actual - expected).abs() <= within, "{} instead of {}", actual - EPOCH, expected - EPOCH);
}

fn share_and_slowdown(finding: &Finding) -> (f64, f64) {
    match finding.effect {
        Effect::Latency { share, slowdown, .. } => (share, slowdown),
        _ => panic!("{finding:?}"),
    }
}

#[test]
fn seventy_percent_twice_as_slow_for_twenty_minutes() {
    let site = Site::quiet(3 * HOUR, 5.0, 120.0, 0.5).with(HOUR, HOUR + 1199, 0.7, 2.0);
    let findings = play(site, 1);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + HOUR, 3);
    assert_near(finding.end.second, EPOCH + HOUR + 1199, 3);
    let (share, slowdown) = share_and_slowdown(finding);
    assert!((share - 0.7).abs() < 0.1, "{share}");
    assert!((slowdown / 2.0).ln().abs() < 0.15, "{slowdown}");
    assert!(!finding.start.open && !finding.end.open);
    assert!(finding.confidence > 0.95, "{}", finding.confidence);
    assert!((finding.baseline.requests_per_second - 5.0).abs() < 0.5, "{:?}", finding.baseline);
    assert!(finding.baseline.window.is_some());
    let Effect::Latency { usual, during, .. } = finding.effect else { panic!() };
    assert!((usual.median_us / 120e3).ln().abs() < 0.1, "{usual:?}");
    assert!(during.median_us > 1.4 * usual.median_us, "{during:?}");
    assert_eq!((finding.signal, finding.failures), (Signal::Latency, 0));
    assert!((finding.requests as f64 - 6000.0).abs() < 400.0, "{}", finding.requests);
}

#[test]
fn half_of_the_requests_a_little_slower_are_not_all_of_them() {
    // The width of a smoothed baseline must not pass for part of what the mixture adds: that is little here.
    let site = Site::quiet(6 * HOUR, 20.0, 80.0, 0.35).with(3 * HOUR, 4 * HOUR - 1, 0.5, 1.7);
    let findings = play(site, 11);
    let finding = only(&findings);
    let (share, slowdown) = share_and_slowdown(finding);
    assert!((share - 0.5).abs() < 0.12 && (slowdown / 1.7).ln().abs() < 0.12, "{share} {slowdown}");
    let Effect::Latency { share_range: (low, high), .. } = finding.effect else { return };
    assert!(low < 0.5 && 0.5 < high, "{low} {high}");
}

#[test]
fn three_requests_a_minute_tell_an_hour_of_slowness() {
    let site = Site::quiet(24 * HOUR, 0.05, 80.0, 0.8).with(10 * HOUR, 11 * HOUR - 1, 1.0, 4.0);
    let findings = play(site, 2);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + 10 * HOUR, 180);
    assert_near(finding.end.second, EPOCH + 11 * HOUR, 180);
    assert!(share_and_slowdown(finding).0 > 0.8);
}

#[test]
fn what_follows_the_load_of_the_day_is_no_incident() {
    for seed in 3..6 {
        let mut site = Site::quiet(24 * HOUR, 2.0, 100.0, 0.5);
        site.diurnal = 0.7;
        site.load = 0.5;
        none(&play(site, seed));
    }
}

#[test]
fn a_tail_is_no_incident() {
    none(&play(Site::quiet(12 * HOUR, 2.0, 100.0, 1.2), 6));
}

#[test]
fn a_cache_that_is_hit_less_in_the_morning_is_no_incident() {
    let mut site = Site::quiet(24 * HOUR, 2.0, 100.0, 0.4);
    site.paths = vec![
        Path { weight: 1.0, median: 2_000.0, sigma: 0.3 },
        Path { weight: 1.0, median: 200_000.0, sigma: 0.4 },
    ];
    site.mix = 0.6;
    none(&play(site, 7));
}

#[test]
fn three_slow_seconds_are_a_blip() {
    let mut site = Site::quiet(3 * HOUR, 20.0, 50.0, 0.5);
    site.blips = vec![(HOUR, 3)];
    let findings = play(site, 8);
    none(&findings);
    assert_eq!(findings.blips.len(), 1, "{findings:#?}");
}

#[test]
fn one_user_with_large_files_is_no_incident() {
    for rate in [0.05, 0.5, 5.0] {
        let mut site = Site::quiet(12 * HOUR, rate, 50.0, 0.5);
        site.clumps = vec![(3 * HOUR, 3 * HOUR + 60, 6, 80.0), (8 * HOUR, 8 * HOUR + 200, 8, 30.0)];
        none(&play(site, 9));
    }
}

#[test]
fn zero_and_one_millisecond_are_one() {
    let mut rng = Rng::new(10);
    let mut recorder = Recorder::new();
    for second in 0..6 * HOUR {
        let mut histogram = Histogram::default();
        let ones = if (2 * HOUR..3 * HOUR).contains(&second) { 0.6 } else { 0.2 };
        for _ in 0..rng.poisson(2.0) {
            histogram.record(if rng.unit() < ones { 1000 } else { 0 });
        }
        recorder.push(EPOCH + second, &histogram);
    }
    none(&find(&recorder.series));
}

#[test]
fn a_constant_latency_that_crosses_into_the_next_bin_is_no_incident() {
    let mut recorder = Recorder::new();
    for second in 0..6 * HOUR {
        let mut histogram = Histogram::default();
        let higher = (2 * HOUR..3 * HOUR).contains(&second);
        for _ in 0..3 {
            histogram.record(if higher { 82_500 } else { 81_500 });
        }
        recorder.push(EPOCH + second, &histogram);
    }
    none(&find(&recorder.series));
}

#[test]
fn slow_for_longer_than_healthy() {
    let site = Site::quiet(10 * HOUR, 1.0, 100.0, 0.6).with(2 * HOUR, 9 * HOUR, 1.0, 4.0);
    let findings = play(site, 11);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + 2 * HOUR, 10);
    assert_near(finding.end.second, EPOCH + 9 * HOUR, 10);
    let (share, slowdown) = share_and_slowdown(finding);
    assert!(share > 0.9 && (slowdown / 4.0).ln().abs() < 0.2, "{share} {slowdown}");
}

#[test]
fn data_that_begins_or_ends_slow_has_an_open_edge() {
    let findings = play(Site::quiet(4 * HOUR, 2.0, 100.0, 0.6).with(0, HOUR, 0.8, 5.0), 12);
    let finding = only(&findings);
    assert!(finding.start.open && !finding.end.open, "{finding:?}");
    assert_near(finding.end.second, EPOCH + HOUR, 8);
    let findings = play(Site::quiet(4 * HOUR, 2.0, 100.0, 0.6).with(3 * HOUR, 4 * HOUR, 0.8, 5.0), 13);
    let finding = only(&findings);
    assert!(!finding.start.open && finding.end.open, "{finding:?}");
    assert_near(finding.start.second, EPOCH + 3 * HOUR, 8);
}

#[test]
fn next_to_nothing_says_nothing() {
    none(&find(&LatencySeries::default()));
    let mut recorder = Recorder::new();
    let mut histogram = Histogram::default();
    histogram.record(1_000_000);
    recorder.push(EPOCH, &histogram);
    let findings = find(&recorder.series);
    none(&findings);
    assert_eq!(findings.caveats, [crate::detect::Caveat::TooFewRequests]);
}

#[test]
fn everything_in_one_second() {
    let mut rng = Rng::new(14);
    let mut histogram = Histogram::default();
    for _ in 0..5000 {
        histogram.record((1e5 * rng.normal().exp()) as u64);
    }
    let mut recorder = Recorder::new();
    recorder.push(EPOCH, &histogram);
    none(&find(&recorder.series));
}

#[test]
fn a_request_an_hour_for_400_days() {
    let mut rng = Rng::new(15);
    let mut recorder = Recorder::new();
    for hour in 0..400 * 24 {
        let mut histogram = Histogram::default();
        histogram.record((1e5 * (0.7 * rng.normal()).exp()) as u64);
        recorder.push(EPOCH + hour * HOUR, &histogram);
    }
    none(&find(&recorder.series));
}

/// The same counts in slots of several seconds.
fn wider(series: &LatencySeries, width: i64) -> LatencySeries {
    let mut wide = LatencySeries { slot_seconds: u32::try_from(width).unwrap(), ..LatencySeries::default() };
    let mut open: Option<(i64, [u32; 256])> = None;
    let close = |wide: &mut LatencySeries, open: Option<(i64, [u32; 256])>| {
        let Some((second, counts)) = open else { return };
        let from = wide.bins.len() as u32;
        let used = (0..=255_u8).filter(|&bin| counts[usize::from(bin)] > 0);
        wide.bins.extend(used.map(|bin| (bin, counts[usize::from(bin)])));
        wide.slots.push(LatencySlot { second, from, until: wide.bins.len() as u32 });
    };
    for slot in &series.slots {
        let second = slot.second.div_euclid(width) * width;
        if open.is_none_or(|(at, _)| at != second) {
            close(&mut wide, open.take());
            open = Some((second, [0; 256]));
        }
        let Some((_, counts)) = &mut open else { continue };
        for &(bin, count) in &series.bins[slot.from as usize..slot.until as usize] {
            counts[usize::from(bin)] += count;
        }
    }
    close(&mut wide, open);
    wide
}

#[test]
fn wider_slots_find_the_same() {
    let mut site = Site::quiet(12 * HOUR, 1.0, 200.0, 0.7).with(5 * HOUR, 6 * HOUR - 1, 0.9, 3.0);
    let series = site.record(&mut Rng::new(16));
    for width in [1, 4, 64] {
        let findings = find(&wider(&series, width));
        let finding = only(&findings);
        assert_near(finding.start.second, EPOCH + 5 * HOUR, 6 + width);
        assert_near(finding.end.second, EPOCH + 6 * HOUR, 6 + width);
    }
}

#[test]
fn a_timeout_cuts_off_what_is_slowest() {
    // Half of what is slowed to a median of 40 s runs into the timeout of 60 s and is no latency any more.
    let site = Site::quiet(6 * HOUR, 1.0, 8_000.0, 0.8).with(2 * HOUR, 3 * HOUR, 1.0, 5.0);
    let findings = play(site, 17);
    let finding = only(&findings);
    assert_near(finding.start.second, EPOCH + 2 * HOUR, 12);
    assert!(share_and_slowdown(finding).0 > 0.85, "{finding:?}");
}

#[test]
fn a_drop_to_normal_in_between_makes_two() {
    let site = Site::quiet(6 * HOUR, 3.0, 60.0, 0.6).with(HOUR, HOUR + 900, 0.6, 5.0).with(
        3 * HOUR,
        3 * HOUR + 900,
        1.0,
        2.0,
    );
    assert_eq!(play(site, 18).incidents.len(), 2);
}

/// Two thirds of the requests go to an application, the rest are files that take no time by the clock.
fn front_and_application(slowed: impl Fn(&mut Rng, i64) -> f64) -> LatencySeries {
    let mut rng = Rng::new(19);
    let mut recorder = Recorder::new();
    for second in 0..3 * HOUR {
        let mut histogram = Histogram::default();
        for _ in 0..2 {
            let factor = slowed(&mut rng, second);
            let latency = 6e5 * (0.5 * rng.normal()).exp() * factor;
            histogram.record(if rng.unit() < 0.33 { 0 } else { latency as u64 });
        }
        recorder.push(EPOCH + second, &histogram);
    }
    recorder.series
}

#[test]
fn what_takes_no_time_cannot_be_slower() {
    let inside = |second: i64| (HOUR..2 * HOUR).contains(&second);
    let findings = find(&front_and_application(|_, second| if inside(second) { 1.8 } else { 1.0 }));
    let (share, slowdown) = share_and_slowdown(only(&findings));
    assert!((share - 0.67).abs() < 0.08 && (slowdown / 1.8).ln().abs() < 0.15, "{share} {slowdown}");
}

#[test]
fn in_a_queue_most_wait_a_little_and_some_for_long() {
    let inside = |second: i64| (HOUR..2 * HOUR).contains(&second);
    let queue = |rng: &mut Rng, second| if inside(second) { rng.unit().max(1e-9).powf(-0.9) } else { 1.0 };
    let findings = find(&front_and_application(queue));
    let (share, slowdown) = share_and_slowdown(only(&findings));
    assert!((share - 0.67).abs() < 0.1 && (slowdown / 1.87).ln().abs() < 0.2, "{share} {slowdown}");
}

#[test]
fn a_site_that_took_no_time_at_all_can_be_slow() {
    let mut rng = Rng::new(20);
    let mut recorder = Recorder::new();
    for second in 0..3 * HOUR {
        let mut histogram = Histogram::default();
        for _ in 0..2 {
            let latency = if (HOUR..HOUR + 1200).contains(&second) { 2e5 * rng.normal().exp() } else { 0.0 };
            histogram.record(latency as u64);
        }
        recorder.push(EPOCH + second, &histogram);
    }
    let findings = find(&recorder.series);
    assert_near(only(&findings).start.second, EPOCH + HOUR, 5);
}

#[test]
fn what_the_load_explains_is_no_incident() {
    let mut rng = Rng::new(21);
    let mut recorder = Recorder::new();
    for second in 0..3 * HOUR {
        let surge = (HOUR..HOUR + 900).contains(&second);
        let mut histogram = Histogram::default();
        for _ in 0..if surge { 16 } else { 4 } {
            let usual = if surge { 1.3e5 } else { 1e5 };
            histogram.record((usual * (0.5 * rng.normal()).exp()) as u64);
        }
        recorder.push(EPOCH + second, &histogram);
    }
    none(&find(&recorder.series));
}

#[test]
fn a_surge_that_slows_everything_a_little_hides_no_slow_stretch() {
    let mut rng = Rng::new(23);
    let mut recorder = Recorder::new();
    for second in 0..2400 {
        let surge = (1300..2000).contains(&second);
        let mut histogram = Histogram::default();
        for _ in 0..if surge { 100 } else { 20 } {
            let slow = (300..800).contains(&second) && rng.unit() < 0.36;
            let usual = if surge { 1.6e5 } else { 1e5 } * if slow { 2.6 } else { 1.0 };
            histogram.record((usual * (0.5 * rng.normal()).exp()) as u64);
        }
        recorder.push(EPOCH + second, &histogram);
    }
    let findings = find(&recorder.series);
    assert_near(only(&findings).start.second, EPOCH + 300, 3);
    assert_near(only(&findings).end.second, EPOCH + 799, 3);
}

#[test]
fn what_was_on_its_way_when_it_ended_is_inside() {
    let mut rng = Rng::new(22);
    let mut recorder = Recorder::new();
    let until = HOUR + 600;
    for second in 0..3 * HOUR {
        let mut histogram = Histogram::default();
        for _ in 0..10 {
            let slow = (HOUR..until).contains(&second);
            histogram.record((2e5 * (0.3 * rng.normal()).exp() * if slow { 10.0 } else { 1.0 }) as u64);
        }
        if second == until + 4 {
            histogram.record(9_000_000);
        }
        recorder.push(EPOCH + second, &histogram);
    }
    assert_eq!(only(&find(&recorder.series)).end.second, EPOCH + until + 4);
}
