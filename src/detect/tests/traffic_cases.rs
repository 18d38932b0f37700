//! Missing requests: what must be found, what must not, what a finding says, and that no input panics.

use proptest::prelude::*;

use super::sim::{EPOCH, Rng};
use super::traffic_sim::{Group, Loss, Site, series};
use crate::detect::{
    Caveat, Effect, Finding, Findings, Sensitivity, Series, Signal, Slot, find_missing_member, find_traffic,
};

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

fn find(series: &Series) -> Findings {
    find_traffic(series, 1, Sensitivity::Normal)
}

fn play(mut site: Site, seed: u64) -> Findings {
    find(&series(&site.play(&mut Rng::new(seed))))
}

#[track_caller]
fn only(findings: &Findings) -> &Finding {
    assert_eq!(findings.incidents.len(), 1, "{findings:#?}");
    &findings.incidents[0]
}

#[track_caller]
fn nothing(findings: &Findings) {
    assert!(findings.incidents.is_empty() && findings.blips.is_empty(), "{findings:#?}");
}

/// One request each time.
fn at(seconds: impl IntoIterator<Item = i64>) -> Series {
    let slots = seconds.into_iter().map(|second| Slot { second, requests: 1, failures: 0, clients: None });
    Series { slots: slots.collect(), slot_seconds: 1, ..Series::default() }
}

fn group(losses: Vec<Loss>, rate: f64, seconds: i64) -> Group {
    let site = Site::steady(seconds, rate);
    Group { site, share: 0.5, drift: 0.0, turn: 1e9, balanced: true, sticky: Vec::new(), losses }
}

fn play_group(mut group: Group, seed: u64) -> Findings {
    let (member, peers) = group.play(&mut Rng::new(seed));
    find_missing_member(&member, &peers, 1, Sensitivity::Normal)
}

#[test]
fn a_silence_lies_between_the_requests_that_border_it() {
    let mut site = Site::steady(6 * HOUR, 5.0).with(HOUR, HOUR + 20 * 60 - 1, 1.0);
    let counts = site.play(&mut Rng::new(1));
    let findings = find(&series(&counts));
    let finding = only(&findings);
    let (before, after) = site.losses[0].borders;
    assert_eq!((finding.start.second, finding.end.second), (EPOCH + before + 1, EPOCH + after - 1));
    assert!(finding.start.range.0 <= EPOCH + before && finding.start.range.1 >= EPOCH + HOUR);
    assert!(finding.end.range.0 < EPOCH + HOUR + 20 * 60 && finding.end.range.1 >= finding.end.second);
    assert_eq!((finding.signal, finding.requests, finding.failures), (Signal::Traffic, 0, 0));
    let Effect::Traffic { expected, missing_range } = finding.effect else { panic!("{finding:?}") };
    assert!((expected - 6000.0).abs() < 400.0 && missing_range.0 > 0.98, "{finding:?}");
    assert!((finding.baseline.requests_per_second - 5.0).abs() < 0.3, "{:?}", finding.baseline);
    assert!((finding.levels[0].share - 1.0).abs() < 1e-9 && finding.confidence > 0.95, "{finding:?}");
    assert!(!finding.start.open && !finding.end.open);
}

#[test]
fn a_few_quiet_minutes_are_not_the_evening_of_a_silence_of_half_an_hour() {
    // visits of six requests, seldom for some minutes before nothing comes and after it
    let (from, until, quiet) = (15_000, 16_600, 180);
    let comes = |second: &i64| match *second {
        second if (from..until).contains(&second) => false,
        second if (from - quiet..until + quiet).contains(&second) => second % 30 == 0,
        second => second % 7 == 0,
    };
    let visit = |second| (0..6).map(move |step| second + step);
    let findings = find(&at((0..18_000).filter(comes).flat_map(visit)));
    let finding = only(&findings);
    assert_eq!((finding.start.second, finding.end.second), (14_976, 16_619));
}

#[test]
fn failing_requests_came() {
    let mut counts = series(&Site::steady(3 * HOUR, 5.0).play(&mut Rng::new(2)));
    for slot in &mut counts.slots[3000..6000] {
        slot.failures = slot.requests;
    }
    nothing(&find(&counts));
}

#[test]
fn stragglers_do_not_cut_a_silence_in_two() {
    let mut site = Site::steady(4 * HOUR, 10.0).with(HOUR, HOUR + 1799, 1.0);
    let mut counts = site.play(&mut Rng::new(3));
    counts[(HOUR + 700) as usize] = 1;
    let findings = find(&series(&counts));
    let finding = only(&findings);
    assert_eq!(finding.requests, 1);
    assert!(finding.end.second - finding.start.second >= 1799, "{finding:?}");
}

#[test]
fn part_of_the_requests_is_missed_once_there_is_history() {
    let (from, until) = (2 * DAY + 10 * HOUR, 2 * DAY + 11 * HOUR - 1);
    let findings = play(Site::steady(3 * DAY, 5.0).with(from, until, 0.6), 4);
    let finding = only(&findings);
    assert!((finding.start.second - EPOCH - from).abs() <= 10, "{finding:?}");
    assert!((finding.end.second - EPOCH - until).abs() <= 10, "{finding:?}");
    assert!((finding.levels[0].share - 0.6).abs() < 0.05, "{finding:?}");
    nothing(&play(Site::steady(DAY, 5.0).with(10 * HOUR, 11 * HOUR, 0.6), 4));
}

#[test]
fn three_requests_a_minute_go_missing() {
    // Four minutes would have had 12 requests: too few. Twelve minutes are enough.
    nothing(&play(Site::steady(DAY, 0.05).with(10 * HOUR, 10 * HOUR + 180, 1.0), 5));
    let findings = play(Site::steady(DAY, 0.05).with(10 * HOUR, 10 * HOUR + 720, 1.0), 5);
    assert!(only(&findings).start.second <= EPOCH + 10 * HOUR);
}

#[test]
fn two_seconds_are_a_blip_where_thousands_are_missing_and_nothing_else() {
    let blip = |rate| Site::steady(HOUR, rate).with(1800, 1801, 1.0);
    let findings = play(blip(300.0), 6);
    assert!(findings.incidents.is_empty() && findings.blips.len() == 1, "{findings:?}");
    assert_eq!(findings.blips[0].start.second, EPOCH + 1800);
    nothing(&play(blip(6.0), 6));
}

#[test]
fn what_sleeps_is_not_missed() {
    let office = |days: i64, seed: u64| {
        let mut site = Site::steady(days * DAY, 3.0);
        site.office = Some((8.0, 18.0));
        site.night = if seed.is_multiple_of(2) { 0.0 } else { 0.001 };
        play(site, seed)
    };
    for (days, seed) in [(1, 1), (2, 2), (2, 3), (3, 4), (9, 6)] {
        nothing(&office(days, seed));
    }
    for seed in 0..4 {
        let mut site = Site::steady(2 * DAY, 4.0);
        site.night = 0.005;
        nothing(&play(site, seed));
    }
}

#[test]
fn an_hour_between_jobs_a_surge_and_a_crawler_that_stops_are_nothing() {
    let mut jobs = Site::steady(DAY, 1e-9);
    jobs.job = Some((HOUR, 30));
    nothing(&play(jobs, 7));
    let mut surge = Site::steady(DAY, 2.0);
    surge.surges = vec![(10 * HOUR, 11 * HOUR, 6.0), (12 * HOUR, 14 * HOUR, 3.0)];
    nothing(&play(surge, 8));
    for days in [1, 3] {
        let mut crawled = Site::steady(days * DAY, 0.05);
        crawled.crawlers = vec![(5 * HOUR, 9 * HOUR, 3.0), (10 * HOUR, 11 * HOUR, 3.0)];
        nothing(&play(crawled, 9));
    }
    let mut clumped = Site::steady(DAY, 2.0);
    (clumped.clump, clumped.variation, clumped.stretch) = (10.0, 0.4, 30);
    nothing(&play(clumped, 10));
}

#[test]
fn the_edges_of_the_recording_are_no_silence() {
    let mut counts = Site::steady(4 * HOUR, 5.0).play(&mut Rng::new(11));
    counts[..HOUR as usize].fill(0);
    counts[3 * HOUR as usize..].fill(0);
    nothing(&find(&series(&counts)));
}

#[test]
fn weeks_between_archives_and_a_line_of_1970_are_no_silence() {
    let counts = Site::steady(6 * HOUR, 2.0).play(&mut Rng::new(12));
    let mut slots = series(&counts);
    let later: Vec<_> =
        slots.slots.iter().map(|slot| Slot { second: slot.second + 20 * DAY, ..*slot }).collect();
    slots.slots.extend(later);
    slots.slots.insert(0, Slot { second: 0, requests: 1, failures: 0, clients: None });
    nothing(&find(&slots));
}

#[test]
fn sparse_and_tiny_recordings_say_nothing() {
    nothing(&find(&at((0..400 * 24).map(|hour| EPOCH + hour * HOUR))));
    nothing(&find(&Series::default()));
    let one = find(&at([EPOCH]));
    nothing(&one);
    assert_eq!(one.caveats, [Caveat::TooFewRequests]);
    let slot = Slot { second: EPOCH, requests: 100_000, failures: 3, clients: None };
    nothing(&find(&Series { slots: vec![slot], slot_seconds: 1, ..Series::default() }));
}

#[test]
fn wide_slots_tell_their_own_edges() {
    for width in [4_i64, 64] {
        let counts = Site::steady(DAY, 3.0).with(9 * HOUR + 5, 9 * HOUR + 1800, 1.0).play(&mut Rng::new(13));
        let mut slots = Vec::new();
        for (index, chunk) in counts.chunks(width as usize).enumerate() {
            let requests: u32 = chunk.iter().sum();
            let second = EPOCH + index as i64 * width;
            if requests > 0 {
                slots.push(Slot { second, requests, failures: 0, clients: None });
            }
        }
        let findings = find(&Series { slots, slot_seconds: width as u32, ..Series::default() });
        let finding = only(&findings);
        assert!((finding.start.second - EPOCH - 9 * HOUR - 5).abs() <= width, "{finding:?}");
        assert!((finding.end.second - EPOCH - 9 * HOUR - 1800).abs() <= width, "{finding:?}");
    }
}

#[test]
fn one_of_two_falls_silent() {
    let (from, until) = (5 * HOUR, 5 * HOUR + 50 * 60 - 1);
    let findings = play_group(group(vec![Loss::new(from, until, 1.0)], 4.0, 12 * HOUR), 14);
    let finding = only(&findings);
    assert!((finding.start.second - EPOCH - from).abs() <= 4, "{finding:?}");
    assert!((finding.end.second - EPOCH - until).abs() <= 4, "{finding:?}");
    let Effect::Traffic { expected, .. } = finding.effect else { panic!("{finding:?}") };
    assert!((expected - 6000.0).abs() < 500.0, "{expected}");
}

#[test]
fn one_of_two_gets_half_of_its_share() {
    let findings = play_group(group(vec![Loss::new(5 * HOUR, 6 * HOUR, 0.5)], 10.0, 12 * HOUR), 15);
    let finding = only(&findings);
    assert!((finding.levels[0].share - 0.5).abs() < 0.05, "{finding:?}");
}

#[test]
fn a_member_that_never_comes_back_is_missed_until_the_data_ends() {
    let seconds = 6 * HOUR;
    let findings = play_group(group(vec![Loss::new(4 * HOUR, seconds - 1, 1.0)], 4.0, seconds), 16);
    let finding = only(&findings);
    assert!(finding.end.open && !finding.start.open);
    assert!((finding.end.second - EPOCH - seconds + 1).abs() <= 3, "{finding:?}");
}

#[test]
fn a_member_that_comes_later_or_shares_that_drift_are_nothing() {
    nothing(&play_group(group(vec![Loss::new(0, HOUR, 1.0)], 4.0, 6 * HOUR), 17));
    let mut drifting = group(Vec::new(), 20.0, DAY);
    (drifting.drift, drifting.turn) = (0.4, 50_000.0);
    nothing(&play_group(drifting, 18));
}

#[test]
fn silent_peers_say_nothing_of_a_member() {
    let mut both = group(Vec::new(), 4.0, 6 * HOUR);
    both.site = both.site.with(2 * HOUR, 3 * HOUR, 1.0);
    nothing(&play_group(both, 19));
    nothing(&find_missing_member(&at(0..5000), &Series::default(), 1, Sensitivity::High));
    nothing(&find_missing_member(&Series::default(), &at(0..5000), 1, Sensitivity::High));
}

#[test]
fn a_member_is_missed_from_when_its_group_is_asked_again() {
    // Nobody asks for an hour; then the peers are asked and the member is not.
    let mut group = group(vec![Loss::new(2 * HOUR, 4 * HOUR - 1, 1.0)], 4.0, 6 * HOUR);
    group.site = group.site.with(2 * HOUR, 3 * HOUR - 1, 1.0);
    let findings = play_group(group, 20);
    let finding = only(&findings);
    assert!((finding.start.second - EPOCH - 3 * HOUR).abs() <= 3, "{finding:?}");
    assert!(finding.start.range.0 <= EPOCH + 2 * HOUR && finding.end.second >= EPOCH + 4 * HOUR - 1);
}

fn any_series() -> impl Strategy<Value = Series> {
    let second = prop_oneof![8 => 0_i64..20_000, 1 => any::<i64>()];
    let count = prop_oneof![6 => 0_u32..30, 1 => any::<u32>()];
    let slot =
        (second, count).prop_map(|(second, requests)| Slot { second, requests, failures: 0, clients: None });
    let width = prop_oneof![3 => Just(1_u32), 1 => Just(0), 1 => Just(4), 1 => any::<u32>()];
    (prop::collection::vec(slot, 0..300), any::<bool>(), width).prop_map(
        |(mut slots, sorted, slot_seconds)| {
            if sorted {
                slots.sort_by_key(|slot| slot.second);
            }
            Series { slots, slot_seconds, ..Series::default() }
        },
    )
}

fn check(findings: &Findings) {
    for finding in findings.incidents.iter().chain(&findings.blips) {
        let Effect::Traffic { expected, missing_range } = finding.effect else { panic!("{finding:?}") };
        let numbers = [expected, finding.strength, finding.dispersion, finding.baseline.requests_per_second];
        assert!(numbers.iter().all(|number| number.is_finite()), "{finding:?}");
        assert!(0.0 <= missing_range.0 && missing_range.0 <= missing_range.1 && missing_range.1 <= 1.0);
        assert!((0.0..=1.0).contains(&finding.confidence), "{finding:?}");
        assert!(finding.levels.iter().all(|level| (0.0..=1.0).contains(&level.share)), "{finding:?}");
        for edge in [finding.start, finding.end] {
            assert!(edge.range.0 <= edge.second && edge.second <= edge.range.1, "{finding:?}");
        }
        assert!(finding.start.second <= finding.end.second, "{finding:?}");
    }
    for pair in findings.incidents.windows(2) {
        assert!(pair[0].end.second < pair[1].start.second, "{findings:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_input_panics(series in any_series(), peers in any_series(), streams in any::<usize>()) {
        let findings = find_traffic(&series, streams, Sensitivity::High);
        check(&findings);
        check(&find_missing_member(&series, &peers, streams, Sensitivity::High));
        prop_assert_eq!(find_traffic(&series, streams, Sensitivity::High).incidents, findings.incidents);
    }
}
