use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::explain::facts::{EntryKind, ZoneSource};
use crate::model::Untrusted;

/// An hour of requests, one a second, written at an offset; they fail between two seconds.
fn access(from: DateTime<Utc>, offset_hours: i64, fail: std::ops::Range<i64>) -> String {
    let mut out = String::new();
    for i in 0..3_600 {
        let local = from + TimeDelta::seconds(i) + TimeDelta::hours(offset_hours);
        let status = if fail.contains(&i) { 502 } else { 200 };
        let _ = writeln!(
            out,
            "203.0.113.{} - - [{} +{offset_hours:02}00] \"GET /p{} HTTP/1.1\" {status} 5 \"-\" \"Mozilla/5.0\"",
            i % 200,
            local.format("%d/%b/%Y:%H:%M:%S"),
            i % 7,
        );
    }
    out
}

fn report(files: &[(&str, &str)]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    analyse(&options(folder.path()), &Silent).unwrap()
}

fn options(folder: &Path) -> Options {
    Options { query: Query { paths: vec![folder.to_owned()], ..Query::default() }, ..Options::default() }
}

fn utc(text: &str) -> Timestamp {
    Timestamp::from_micros(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
}

#[test]
fn a_syslog_without_years_is_read_across_new_year() {
    let access =
        access(DateTime::parse_from_rfc3339("2023-12-31T23:30:00Z").unwrap().into(), 0, 1_795..2_400);
    let syslog = "Dec 31 23:59:54 web-01 systemd[1]: Stopping shop.service - The shop...\n\
                  Jan  1 00:09:58 web-01 systemd[1]: Started shop.service - The shop.\n";
    let report = report(&[("access.log", &access), ("syslog", syslog)]);
    let restarts: Vec<_> =
        report.timeline.iter().filter(|e| e.kind == EntryKind::Restart).map(|e| e.time).collect();
    assert_eq!(restarts, [utc("2023-12-31T23:59:54Z"), utc("2024-01-01T00:09:58Z")]);
    assert_eq!(report.incidents[0].suspects[0].time, utc("2023-12-31T23:59:54Z"));
}

#[test]
fn logs_in_two_zones_make_one_timeline() {
    // requests at +01:00, errors in UTC without a zone, packages in local time without a zone, syslog with one
    let access =
        access(DateTime::parse_from_rfc3339("2023-05-14T10:30:00Z").unwrap().into(), 1, 1_800..2_400);
    let mut errors = String::new();
    for minute in 0..10 {
        let _ = writeln!(
            errors,
            "2023/05/14 11:{minute:02}:01 [error] 8#8: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.7"
        );
    }
    let dpkg = "2023-05-14 11:59:50 upgrade shop:all 1.8.2 2.0.0\n";
    let syslog = "2023-05-14T10:59:55.123456+00:00 web-01 systemd[1]: Stopping shop.service - The shop...\n";
    let report =
        report(&[("access.log", &access), ("error.log", &errors), ("dpkg.log", dpkg), ("syslog", syslog)]);
    let told: Vec<_> = report.timeline.iter().map(|e| (e.kind, e.time)).collect();
    let start = utc("2023-05-14T11:00:00Z");
    assert_eq!(told[0], (EntryKind::Change, utc("2023-05-14T10:59:50Z")));
    assert_eq!(told[1], (EntryKind::Restart, utc("2023-05-14T10:59:55.123456Z")));
    assert!(told.contains(&(EntryKind::IncidentStart, start)), "{told:?}");
    assert!(told.contains(&(EntryKind::FirstError, utc("2023-05-14T11:00:01Z"))), "{told:?}");
    let zone = |name: &str| {
        let input = report.inputs.iter().find(|i| i.path.raw().ends_with(name.as_bytes())).unwrap();
        (input.time_zone.clone().unwrap(), input.time_zone_source.unwrap())
    };
    assert_eq!(zone("error.log"), ("+00:00".into(), ZoneSource::Inferred));
    assert_eq!(zone("dpkg.log"), ("+01:00".into(), ZoneSource::Inferred));
}

#[test]
fn what_the_sites_blips_did_to_a_part_is_no_incident_of_it() {
    use crate::detect::{Series, Slot};
    let part = |failing: &[i64]| {
        let slot = |second| Slot {
            second,
            requests: 5,
            failures: u32::from(failing.contains(&second)) * 2,
            clients: None,
        };
        Series { slots: (0..2000).map(slot).collect(), slot_seconds: 1, ..Series::default() }
    };
    let blips = [(100, 102), (900, 901), (1800, 1803)];
    let is_more = |failing: &[i64]| streams::is_more_than(&blips, (100, 1801), &part(failing));
    assert!(!is_more(&[100, 101, 900, 901, 1801]));
    assert!(!is_more(&[100, 101, 500, 900, 1801]));
    assert!(is_more(&[100, 101, 500, 700, 1801]));
    // no blip lies in it
    assert!(streams::is_more_than(&blips, (300, 301), &part(&[300])));
}

/// Two and a half hours of three requests a second, and of two routes every hundred seconds, of which one fails between two
/// seconds and the other one as often all the time.
fn rare_routes(fails: std::ops::Range<i64>, broken: i64) -> String {
    let mut out = String::new();
    let begin = DateTime::<Utc>::from_timestamp(1_700_000_000, 0).unwrap();
    for i in 0..9_000 {
        let time = (begin + TimeDelta::seconds(i)).format("%d/%b/%Y:%H:%M:%S");
        let mut ask = |client: i64, path: &str, status: u16| {
            let _ = writeln!(
                out,
                "203.0.113.{} - - [{time} +0000] \"GET {path} HTTP/1.1\" {status} 5 \"-\" \"Mozilla/5.0\"",
                client % 200,
            );
        };
        for each in 0..3 {
            ask(i * 3 + each, "/", 200);
        }
        match i % 100 {
            30 => ask(i / 100 * 7, "/reports", if fails.contains(&i) { 500 } else { 200 }),
            60 => ask(i / 100 * 11, "/broken", if i / 100 % broken == 0 { 500 } else { 200 }),
            _ => (),
        }
    }
    out
}

#[test]
fn a_rare_route_that_fails_whole_is_found_by_its_own_requests() {
    let at = |second: i64| Timestamp::from_seconds(1_700_000_000 + second);
    let report = report(&[("access.log", &rare_routes(4_000..4_500, 100))]);
    let [incident] = report.incidents.as_slice() else { panic!("{:#?}", report.incidents) };
    assert_eq!((incident.start.at, incident.end.at), (at(4_030), at(4_431)));
    assert_eq!(incident.scope[0].value, Untrusted::new(b"/reports"));
    // three are too few
    let report = self::report(&[("access.log", &rare_routes(4_000..4_300, 100))]);
    assert!(report.incidents.is_empty(), "{:#?}", report.incidents);
}

#[test]
fn a_route_that_fails_all_the_time_is_no_incident() {
    for each in [1, 2, 3, 8] {
        let report = report(&[("access.log", &rare_routes(0..0, each))]);
        assert!(report.incidents.is_empty(), "{each}: {:#?}", report.incidents);
    }
}

/// An hour of the requests of one of two servers: the first has four of seven a second unless it is silent, the other one the
/// rest.
fn of_two_servers(is_first: bool, is_silent: impl Fn(i64) -> bool) -> String {
    let begin = DateTime::parse_from_rfc3339("2026-03-02T10:00:00Z").unwrap().to_utc();
    let mut out = String::new();
    for at in 0..3_600 * 7 {
        let second = at / 7;
        let is_firsts = !is_silent(second) && (at * 3 + second * 5) % 7 < 4;
        if is_firsts != is_first {
            continue;
        }
        let time = begin + TimeDelta::seconds(second);
        let _ = writeln!(
            out,
            "203.0.113.{} - - [{} +0000] \"GET /p{} HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"",
            at % 200,
            time.format("%d/%b/%Y:%H:%M:%S"),
            at % 5,
        );
    }
    out
}

#[test]
fn a_server_that_hands_back_what_it_took_over_is_not_missed() {
    let silent = |second: i64| (700..1660).contains(&second) || (2200..3160).contains(&second);
    let servers = [true, false].map(|is_first| of_two_servers(is_first, silent));
    let report = report(&[("web-01/access.log", &servers[0]), ("web-02/access.log", &servers[1])]);
    let told: Vec<&str> = report.incidents.iter().map(|incident| incident.id.as_str()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn when_a_server_hands_back_is_known_no_better_than_when_its_requests_got_fewer() {
    use crate::detect::{Audit, Baseline, Boundary, Effect, Finding, Signal};
    use crate::explain::Stream;
    use crate::model::Dimension;
    let stream = |name: &str| Stream { place: Some((Dimension::Source, name.into())), messages: false };
    let finding = |start: i64, range: (i64, i64), requests: u64| {
        let edge = |second, range| Boundary { second, range, open: false };
        Finding {
            signal: Signal::Traffic,
            effect: Effect::Traffic { expected: 1000.0, missing_range: (0.3, 1.0) },
            start: edge(start, range),
            end: edge(start + 300, (start + 300, start + 300)),
            baseline: Baseline { error_share: 0.0, requests_per_second: 3.0, window: None },
            requests,
            failures: 0,
            dominant_status: None,
            strength: 50.0,
            dispersion: 1.0,
            levels: Vec::new(),
            confidence: 0.9,
            audit: Audit::default(),
        }
    };
    let silent = finding(1000, (1000, 1000), 0);
    let left = |fewer: Finding| {
        let mut found = vec![(1, silent.clone()), (2, fewer)];
        streams::leave_out_handed_back(&mut found, &[stream(""), stream("web-01"), stream("web-02")]);
        found.len()
    };
    assert_eq!(left(finding(1320, (1305, 1340), 650)), 1, "it may have begun in the second of the return");
    assert_eq!(left(finding(1320, (1315, 1340), 650)), 2);
    assert_eq!(left(finding(1309, (1309, 1309), 650)), 1);
}
