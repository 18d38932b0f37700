//! Incidents of slow and missing requests, and of messages, from findings and close-ups made by hand.

use super::scope::finding;
use crate::detect::{Boundary, Effect, Finding, Merged, Series, Signal, Slot};
use crate::explain::facts::{Incident, QuoteRole, Severity};
use crate::explain::{Case, Stream, explain};
use crate::inspect::{Client, Closeup, Line, Part, SlowKinds, Tone, Window};
use crate::model::{Dimension, SourceId, Timestamp, Untrusted};
use crate::signature::Rules;

/// The incident lasts from here …
const START: i64 = 4000;
/// … for so many seconds.
const SECONDS: i64 = 600;

fn lasting(mut finding: Finding) -> Finding {
    let edge = |second| Boundary { second, range: (second, second), open: false };
    (finding.start, finding.end) = (edge(START), edge(START + SECONDS - 1));
    finding.baseline.window = Some((0, START - 1));
    finding
}

fn slow(share: f64) -> Finding {
    let mut slow = lasting(finding(Signal::Latency));
    if let Effect::Latency { share: mean, share_range, .. } = &mut slow.effect {
        (*mean, *share_range) = (share, (share - 0.05, share + 0.05));
    }
    slow
}

fn silent(expected: f64, observed: u64) -> Finding {
    let mut silent = lasting(finding(Signal::Traffic));
    silent.effect = Effect::Traffic { expected, missing_range: (0.99, 1.0) };
    silent.requests = observed;
    silent
}

fn merged(stream: usize, finding: Finding, others: Vec<(usize, Finding)>) -> Merged {
    let mut signals = vec![finding.signal];
    signals.extend(others.iter().map(|(_, other)| other.signal));
    Merged { stream, finding, others, signals, gave_up: false }
}

/// Users' requests in the incident, so many of them with a latency.
fn closeup(requests: u64, with_latency: u64) -> Closeup {
    let part = |requests| Part { requests, ..Part::default() };
    let mut closeup = Closeup {
        statuses: [(200, requests)].into(),
        total: Tone { inside: part(requests), paced_inside: part(with_latency), ..Tone::default() },
        ..Closeup::default()
    };
    for hash in 0..10 {
        let client = Client { inside: part(requests / 10), good_inside: requests / 10, ..Client::default() };
        *closeup.clients.entry(hash).unwrap() = client;
    }
    closeup
}

/// The site's requests: two a second before, so many in the incident.
fn site(inside: u32) -> Series {
    let slot = |second, requests| Slot { second, requests, failures: 0, clients: None };
    let mut slots: Vec<Slot> = (0..START).map(|second| slot(second, 2)).collect();
    slots.extend((0..i64::from(inside)).map(|n| slot(START + n % SECONDS, 1)));
    slots.sort_by_key(|slot| slot.second);
    Series { slots, slot_seconds: 1, ..Series::default() }
}

fn told(
    incident: Merged,
    closeup: Closeup,
    series: &Series,
    place: Option<&str>,
    messages: bool,
) -> Incident {
    told_of(&[], incident, closeup, series, place, messages)
}

fn told_of(
    windows: &[Window],
    incident: Merged,
    closeup: Closeup,
    series: &Series,
    place: Option<&str>,
    messages: bool,
) -> Incident {
    let place = place.map(|place| (Dimension::Source, Untrusted::from(place)));
    let case = Case {
        windows,
        bursts: &[],
        names: &[],
        incidents: &[incident],
        closeups: &[closeup],
        streams: &[Stream::default(), Stream { place, messages }],
        blips: &[],
        caveats: &[],
        series,
        sightings: &[],
        rules: &Rules::built_in().unwrap(),
    };
    let (mut incidents, timeline) = explain(&case);
    assert!(!timeline.is_empty());
    assert_eq!(incidents.len(), 1);
    incidents.remove(0)
}

fn near(value: Option<f64>, expected: f64) {
    assert!(value.is_some_and(|v| (v - expected).abs() < 0.01), "{value:?} instead of {expected}");
}

#[test]
fn slow_requests_are_the_share_that_detection_tells_and_no_count_over_a_threshold() {
    let incident = told(merged(0, slow(0.7), vec![]), closeup(1200, 1200), &site(1200), None, false);
    near(incident.impact.percent, 70.0);
    let (low, high) = incident.impact.percent_interval.unwrap();
    assert!((low - 65.0).abs() < 0.01 && (high - 75.0).abs() < 0.01, "{low} {high}");
    assert_eq!(incident.impact.affected_requests, Some(840));
    assert_eq!(incident.severity, Severity::Critical);
    assert!(incident.statuses.is_empty() && incident.silence.is_none());
    near(incident.slowness.map(|s| s.factor), 3.0);
    near(incident.impact.expected_requests, 1200.0);
    near(incident.impact.lost_requests, 0.0);
    // Of requests without a latency nothing is known.
    let half = told(merged(0, slow(0.7), vec![]), closeup(1200, 600), &site(1200), None, false);
    near(half.impact.percent, 35.0);
    // One of several servers shows it best; how many are slow in all the site tells.
    let by_server = merged(1, slow(0.8), vec![(0, slow(0.7))]);
    let incident = told(by_server, closeup(1200, 1200), &site(1200), Some("web-02"), false);
    near(incident.impact.percent, 70.0);
}

#[test]
fn what_single_requests_tell_of_one_server_needs_no_word_of_the_site() {
    let windows = [Window { slow_kinds: Some(SlowKinds::default()), ..Window::default() }];
    let by_server = merged(1, slow(0.8), vec![(0, slow(0.7))]);
    let incident = told_of(&windows, by_server, closeup(1200, 1200), &site(1200), Some("web-02"), false);
    near(incident.impact.percent, 80.0);
}

#[test]
fn scanners_are_no_users_who_were_served_well() {
    let mut seen = closeup(1800, 1200);
    let scanner = Client {
        inside: Part { requests: 600, ..Part::default() },
        refused_inside: 600,
        ..Client::default()
    };
    *seen.clients.entry(99).unwrap() = scanner;
    let incident = told(merged(0, slow(0.7), vec![]), seen, &site(1800), None, false);
    near(incident.impact.percent, 70.0);
    assert_eq!(incident.impact.affected_requests, Some(840));
}

#[test]
fn failures_with_slowness_lead_with_the_failures() {
    let mut errors = lasting(finding(Signal::Errors));
    errors.baseline.requests_per_second = 2.0;
    let mut seen = closeup(1000, 1000);
    seen.statuses = [(200, 700), (503, 300)].into();
    let incident = told(merged(0, errors, vec![(0, slow(0.4))]), seen, &site(1000), None, false);
    near(incident.impact.percent, 30.0);
    assert_eq!(incident.impact.affected_requests, Some(300));
    near(incident.slowness.map(|s| s.percent), 40.0);
    near(incident.impact.lost_requests, 200.0);
    assert_eq!(incident.signals, [Signal::Errors, Signal::Latency]);
    assert_eq!(incident.computation.len(), 2);
}

#[test]
fn a_silent_site_misses_all_and_is_critical_however_short() {
    let mut incident = silent(340.0, 0);
    (incident.start.second, incident.end.second) = (START, START + 39);
    let line = |second, number| Line {
        time: Timestamp::from_seconds(second),
        source: SourceId(0),
        offset: 0,
        number,
        text: b"GET /"[..].into(),
    };
    let mut seen = Closeup::default();
    (seen.around.before, seen.around.after) = (Some(line(START - 1, 7)), Some(line(START + 40, 8)));
    let incident = told(merged(0, incident, vec![]), seen, &site(0), None, false);
    near(incident.impact.percent, 100.0);
    assert_eq!(incident.severity, Severity::Critical);
    assert_eq!((incident.start.at.second(), incident.end.at.second()), (START, START + 40));
    assert_eq!(incident.start.location.map(|l| l.line), Some(7));
    assert_eq!(incident.end.location.map(|l| l.line), Some(8));
    near(incident.impact.lost_requests, 340.0);
    assert_eq!(incident.impact.affected_clients, None);
    let roles: Vec<QuoteRole> = incident.evidence.iter().map(|quote| quote.role).collect();
    assert_eq!(roles, [QuoteRole::LastBefore, QuoteRole::FirstAfter]);
    assert!(incident.scope.is_empty());
}

#[test]
fn a_silent_server_whose_peers_carry_its_load_costs_users_what_the_rest_is_slower() {
    let silence = silent(600.0, 0);
    let both = merged(1, silence.clone(), vec![(0, slow(0.7))]);
    let incident = told(both, closeup(1190, 1190), &site(1190), Some("web-02"), false);
    near(incident.impact.percent, 70.0);
    assert!(incident.silence.as_ref().unwrap().carried);
    assert_eq!(incident.scope[0].value.raw(), b"web-02");
    near(Some(incident.scope[0].affected_percent), 100.0);
    assert_eq!(incident.signals, [Signal::Traffic, Signal::Latency]);
    // Where no latency is logged, nothing is known to have reached users.
    let alone = told(merged(1, silence, vec![]), closeup(1190, 0), &site(1190), Some("web-02"), false);
    near(alone.impact.percent, 0.0);
    assert_eq!((alone.severity, alone.slowness), (Severity::Minor, None));
    near(Some(alone.scope[0].affected_percent), 100.0);
}

#[test]
fn a_silent_server_without_peers_that_carry_its_load_takes_its_part_of_the_site() {
    let incident = merged(1, silent(600.0, 0), vec![]);
    let incident = told(incident, closeup(600, 600), &site(600), Some("web-02"), false);
    near(incident.impact.percent, 50.0);
    assert!(!incident.silence.as_ref().unwrap().carried);
    assert_eq!(incident.impact.affected_requests, Some(600));
    assert_eq!(incident.severity, Severity::Critical);
}

#[test]
fn of_messages_alone_no_share_is_invented() {
    let mut burst = lasting(finding(Signal::Errors));
    (burst.requests, burst.failures) = (4000, 320);
    (burst.baseline.error_share, burst.baseline.requests_per_second) = (0.01, 4.0);
    let incident = told(merged(1, burst, vec![]), Closeup::default(), &site(0), Some("app.log"), true);
    assert_eq!(incident.impact, crate::explain::facts::Impact::default());
    assert_eq!(incident.severity, Severity::Minor);
    let told = incident.burst.unwrap();
    assert_eq!(told.messages, 320);
    near(told.factor, 320.0 / 24.0);
    assert!(incident.phases.is_empty() && incident.statuses.is_empty());
    assert_eq!(incident.scope[0].value.raw(), b"app.log");
}

#[test]
fn what_fails_elsewhere_at_all_times_is_not_of_an_incident_of_one_place() {
    let mut errors = lasting(finding(Signal::Errors));
    errors.baseline.error_share = 0.000_1;
    let part = |requests, affected| Part { requests, affected, within: affected };
    let tone = |value: &str, inside, outside| Tone {
        value: value.as_bytes().into(),
        inside,
        outside,
        ..Tone::default()
    };
    let mut seen = closeup(10_000, 0);
    seen.statuses = [(200, 9700), (500, 200), (502, 100)].into();
    seen.within = [(502, 100)].into();
    seen.total = tone("", part(10_000, 300), part(100_000, 2000));
    let paths = seen.dimensions.entry(Dimension::Source).or_default();
    *paths.entry(1).unwrap() = tone("web-02", part(100, 100), part(1000, 0));
    *paths.entry(2).unwrap() = tone("web-01", part(9900, 200), part(99_000, 2000));
    let incident = told(merged(1, errors, vec![]), seen, &site(1000), Some("web-02"), false);
    assert_eq!(incident.scope[0].value.raw(), b"web-02");
    // whatever failed meanwhile counts, as anybody would count it again; the scope tells what is the place's own
    assert_eq!(incident.statuses, [(500, 200), (502, 100)].into());
    near(incident.impact.percent, 3.0);
    assert_eq!(incident.impact.affected_requests, Some(300));
}

#[test]
fn the_affected_requests_that_a_window_was_drawn_around_say_nothing_of_the_share() {
    let part = |requests, affected| Part { requests, affected, within: affected };
    let all = crate::explain::interval::share(part(60, 14), 1.0).unwrap();
    let between = crate::explain::interval::share_between_affected(part(60, 14), 1.0).unwrap();
    assert!(between.0 < all.0 && between.0 > all.0 - 5.0, "{between:?} beside {all:?}");
    assert!(between.0 <= 23.0 && between.1 >= 24.0);
    // a total outage stays one, and next to nothing says next to nothing
    near(crate::explain::interval::share_between_affected(part(500, 500), 1.0).map(|i| i.1), 100.0);
    assert!(crate::explain::interval::share_between_affected(part(2, 2), 1.0).is_some());
    assert!(crate::explain::interval::share_between_affected(part(0, 0), 1.0).is_none());
}
