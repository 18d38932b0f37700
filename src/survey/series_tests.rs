//! What the series hold of lines whose counts are known.

use std::fmt::Write as _;

use super::tests::Tools;
use super::*;
use crate::detect::{Sensitivity, Series, Whole, find_errors};
use crate::model::{Dimension, Histogram, Offset};

const ALL: std::ops::Range<i64> = i64::MIN..i64::MAX;
/// 2023-05-14 12:00:00 UTC.
const NOON: i64 = 1_684_065_600;

/// One request: (second after noon, client, status, vhost, path).
type Line<'a> = (i64, u32, u16, &'a str, &'a str);

fn json(lines: &[Line<'_>]) -> String {
    let mut text = String::new();
    for (second, client, status, vhost, path) in lines {
        let (h, m, s) = (12 + second / 3600, second / 60 % 60, second % 60);
        let _ = writeln!(
            text,
            r#"{{"time":"2023-05-14T{h:02}:{m:02}:{s:02}Z","remote_addr":"10.0.{client}.7","status":"{status}","request_time":"0.{client:03}","request":"GET {path} HTTP/1.1","http_host":"{vhost}","upstream_addr":"10.1.1.1:80, 10.1.1.2:80"}}"#
        );
    }
    text
}

fn tally(text: &str) -> Tally {
    Tools::new().survey(text.as_bytes(), &[], Limits::merged())
}

fn utc() -> Clock {
    Clock::new(WallZone::Fixed(Offset(0)))
}

/// (seconds after noon, requests, failures).
fn slots(series: &Series) -> Vec<(i64, u32, u32)> {
    series.slots.iter().map(|s| (s.second - NOON, s.requests, s.failures)).collect()
}

const FEW: &[Line<'_>] = &[
    (0, 1, 200, "a", "/x"),
    (0, 2, 502, "a", "/orders/1?q"),
    (0, 3, 502, "b", "/orders/2"),
    (1, 1, 200, "b", "/x"),
    (70, 4, 499, "b", "/x"),
    (71, 2, 503, "b", "/y"),
];

#[test]
fn a_vhost_has_its_own_requests_and_a_path_those_of_the_site() {
    let tally = tally(&json(FEW));
    let all = [(&tally, utc())];
    let site = series(&all, Limits::merged(), ALL).series;
    assert_eq!(slots(&site), [(0, 3, 2), (1, 1, 0), (70, 1, 0), (71, 1, 1)]);
    let values = value_series(&all, Limits::merged(), ALL);
    let seen = |dimension, value: &str| {
        let found =
            values.iter().find(|v| v.dimension == dimension && &*v.value == value.as_bytes()).unwrap();
        (found.own_requests().is_some(), found.failures(), slots(&found.series(&Whole::of(&site))))
    };
    assert_eq!(seen(Dimension::Vhost, "a"), (true, 1, vec![(0, 2, 1)]));
    assert_eq!(seen(Dimension::Vhost, "b"), (true, 2, vec![(0, 1, 1), (1, 1, 0), (70, 1, 0), (71, 1, 1)]));
    assert!(seen(Dimension::Upstream, "10.1.1.2:80").0);
    let orders = seen(Dimension::Path, "/orders/{n}");
    assert_eq!(orders, (false, 2, vec![(0, 3, 2), (1, 1, 0), (70, 1, 0), (71, 1, 0)]));
    // /x never failed
    assert_eq!(values.len(), 5);
    let within = value_series(&all, Limits::merged(), NOON + 60..NOON + 90);
    let names: Vec<_> = within.iter().map(|v| String::from_utf8_lossy(&v.value).into_owned()).collect();
    assert_eq!(names, ["b", "10.1.1.2:80", "/y"]);
}

#[test]
fn failures_of_a_value_keep_their_clients() {
    let tally = tally(&json(FEW));
    let all = [(&tally, utc())];
    let site = series(&all, Limits::merged(), ALL).series;
    let values = value_series(&all, Limits::merged(), ALL);
    let of_site = &site.failing_clients[site.slots[0].clients.unwrap() as usize];
    let orders = values.iter().find(|v| &*v.value == b"/orders/{n}").unwrap().series(&Whole::of(&site));
    // each failed once: even shares are exact
    assert_eq!(&orders.failing_clients[orders.slots[0].clients.unwrap() as usize], of_site);
    assert_eq!(orders.active_client_buckets, site.active_client_buckets);
    assert!(orders.slots[1].clients.is_none());
}

#[test]
fn where_too_many_paths_fail_at_once_none_is_taken_to_be_well() {
    let paths: Vec<String> =
        ('a'..='z').flat_map(|one| ["x", "y"].map(|two| format!("/{one}{two}"))).collect();
    // one after the other fails, each more often than the one before, and then all at once
    let times = paths.iter().zip(1_usize..).zip(0_i64..);
    let alone = times.flat_map(|((path, times), second)| vec![(second, 1, 503, "a", path.as_str()); times]);
    let together = paths.iter().map(|path| (90, 1, 503, "a", path.as_str()));
    let tally = tally(&json(&alone.chain(together).collect::<Vec<_>>()));
    let all = [(&tally, utc())];
    let site = series(&all, Limits::merged(), ALL).series;
    let whole = Whole::of(&site);
    let mut hidden = 0;
    for value in value_series(&all, Limits::merged(), ALL).iter().filter(|v| v.dimension == Dimension::Path) {
        let seen = slots(&value.series(&whole));
        let at = paths.iter().position(|path| path.as_bytes() == &*value.value).unwrap();
        let (_, requests, failures) = seen[at];
        assert!(requests == failures && requests > 0, "{:?}", seen[at]);
        match seen.last() {
            Some(&(90, requests, failures)) => assert_eq!((requests, failures), (52, 1)),
            _ => hidden += 1,
        }
    }
    assert!(hidden > 0);
}

#[test]
fn sources_are_added_up_and_stand_alone() {
    let (one, two) = (tally(&json(FEW)), tally(&json(&[(0, 5, 500, "a", "/y"), (90, 5, 200, "a", "/y")])));
    let both = [(&one, utc()), (&two, utc())];
    let site = series(&both, Limits::merged(), ALL).series;
    assert_eq!(slots(&site), [(0, 4, 3), (1, 1, 0), (70, 1, 0), (71, 1, 1), (90, 1, 0)]);
    let values = value_series(&both, Limits::merged(), ALL);
    let a = values.iter().find(|v| &*v.value == b"a").unwrap();
    assert_eq!(slots(&a.series(&Whole::of(&site))), [(0, 3, 2), (90, 1, 0)]);
    assert_eq!(slots(&series(&both[1..], Limits::merged(), ALL).series), [(0, 1, 1), (90, 1, 0)]);
}

#[test]
fn who_gave_up_is_no_failure_of_the_site() {
    let tally = tally(&json(FEW));
    let gave_up = gave_up_series(&[(&tally, utc())], Limits::merged(), ALL);
    assert_eq!(slots(&gave_up), [(0, 3, 0), (1, 1, 0), (70, 1, 1), (71, 1, 0)]);
    assert_eq!(gave_up.statuses, [(2, 499, 1)]);
    assert_eq!(gave_up.failing_clients.iter().flatten().sum::<u16>(), 1);
}

#[test]
fn latencies_are_kept_per_second_without_those_of_failures() {
    let tally = tally(&json(FEW));
    let series = latency_series(&[(&tally, utc())], Limits::merged(), ALL);
    let bin = |ms: u64| Histogram::bin_of(ms * 1000);
    let seen: Vec<_> = series
        .slots
        .iter()
        .map(|s| (s.second - NOON, series.bins[s.from as usize..s.until as usize].to_vec()))
        .collect();
    assert_eq!(seen, [(0, vec![(bin(1), 1)]), (1, vec![(bin(1), 1)]), (70, vec![(bin(4), 1)])]);
    assert_eq!(series.slot_seconds, 1);
}

#[test]
fn a_vhost_and_an_upstream_have_latencies_of_their_own() {
    let tally = tally(&json(FEW));
    let all = [(&tally, utc())];
    let bin = |ms: u64| Histogram::bin_of(ms * 1000);
    let seen: Vec<_> = paced_values(&all, &ALL)
        .iter()
        .map(|value| {
            let series = value.series(&all, Limits::merged(), ALL);
            let slots: Vec<_> = series.slots.iter().map(|s| s.second - NOON).collect();
            (String::from_utf8_lossy(&value.name.value).into_owned(), value.requests, slots, series.bins)
        })
        .collect();
    let expected = [
        ("a", 2, vec![0], vec![(bin(1), 1)]),
        ("b", 4, vec![1, 70], vec![(bin(1), 1), (bin(4), 1)]),
        ("10.1.1.2:80", 6, vec![0, 1, 70], vec![(bin(1), 1), (bin(1), 1), (bin(4), 1)]),
    ];
    assert_eq!(seen, expected.map(|(name, requests, slots, bins)| (name.to_owned(), requests, slots, bins)));
}

#[test]
fn messages_are_counted_with_those_that_are_errors() {
    let text = "2023-05-14 12:00:03,000 ERROR app boom\nTraceback:\n  File x\n2023-05-14 12:00:03,500 INFO app ok\n2023-05-14 12:01:30,000 INFO app ok\n";
    let tally = tally(text);
    let messages = message_series(&[(&tally, utc())], Limits::merged(), ALL);
    assert_eq!(slots(&messages), [(3, 2, 1), (90, 1, 0)]);
    assert!(series(&[(&tally, utc())], Limits::merged(), ALL).series.slots.is_empty());
}

#[test]
fn a_source_without_failures_keeps_none_of_it() {
    let text = "10.0.0.1 - - [14/May/2023:12:00:03 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"Firefox\"\n";
    let tally = tally(text);
    let timed = &tally.zoned;
    assert!(timed.failing.is_empty() && timed.gave_up.is_empty() && timed.latency.is_empty());
    assert!(timed.own.is_empty() && timed.messages.is_empty() && tally.names.iter().next().is_none());
}

#[test]
fn hostile_lines_fill_no_memory() {
    let mut text = String::new();
    let mut state = 7u64;
    for n in 0..3_000u32 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (year, day, second) = (1975 + (state >> 40) % 200, 1 + (state >> 33) % 28, (state >> 20) % 60);
        let status = [500, 499, 200][n as usize % 3];
        let _ = writeln!(
            text,
            r#"{{"time":"{year}-05-{day:02}T12:00:{second:02}Z","remote_addr":"10.0.0.{}","status":"{status}","request_time":"{n}","request":"GET /p{n:x}z{} HTTP/1.1","http_host":"h{n}","upstream_addr":"u{n}:80"}}"#,
            n % 250,
            "x".repeat(300)
        );
    }
    let limits = Limits {
        groups: 20,
        failing: 40,
        rare: 4,
        latency: 30,
        own: 3,
        own_latency: 320,
        messages: 5,
        names: 50,
    };
    let tools = Tools::new();
    let tally = tools.survey(text.as_bytes(), &[], limits);
    assert_eq!(tally, tools.survey(text.as_bytes(), &[500, 501, 2_000], limits));
    let timed = &tally.zoned;
    assert!(timed.groups.len() <= 20 && timed.failing.len() <= 40 && timed.gave_up.len() <= 40);
    assert!(timed.latency.len() <= 30);
    assert!(timed.failing.iter().all(|(_, f)| f.values().len() <= 24));
    assert_eq!(timed.own.iter().count(), 32);
    assert!(timed.own.iter().all(|(_, v)| v.counts.len() <= 3 && v.latency.len() <= 10));
    assert_eq!(tally.names.iter().count(), 50);
    assert!(tally.names.iter().all(|(_, name)| name.value.len() <= 128));
    let all = [(&tally, utc())];
    let site = series(&all, limits, ALL).series;
    let values = value_series(&all, limits, ALL);
    assert!(values.len() <= 62);
    assert!(
        values.iter().all(|v| v.series(&Whole::of(&site)).slots.iter().all(|s| s.failures <= s.requests))
    );
}

/// Two hours of a healthy site, in which a route with a request in sixty fails for twelve minutes, for some clients.
fn needle(clients: u32) -> (Series, Vec<ValueSeries>) {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for second in 0..7_200i64 {
        for n in 0..3u32 {
            let client = (u32::try_from(second).unwrap() * 7 + n * 31) % 200;
            lines.push((second, client, 200, "a", "/x"));
        }
        if second % 20 == 0 {
            let failing = (3_600..4_320).contains(&second);
            let client = u32::try_from(second / 20).unwrap() % clients;
            lines.push((second, client, if failing { 500 } else { 200 }, "a", "/rare"));
        }
    }
    let tally = tally(&json(&lines));
    let all = [(&tally, utc())];
    (series(&all, Limits::merged(), ALL).series, value_series(&all, Limits::merged(), ALL))
}

#[test]
fn a_broken_route_behind_a_healthy_site_shows_unless_one_client_alone_meets_it() {
    for (clients, found) in [(150, 1), (1, 0)] {
        let (site, values) = needle(clients);
        let route = values.iter().find(|v| v.dimension == Dimension::Path).unwrap();
        let findings = find_errors(&route.series(&Whole::of(&site)), 62, Sensitivity::Normal);
        assert_eq!(findings.incidents.len(), found, "{clients}: {:?}", findings.incidents);
    }
}

#[test]
fn what_stands_in_a_slot_that_began_before_the_range_is_not_lost() {
    // so few groups that an hour of requests has wide slots
    let lines: Vec<Line<'_>> = (0..60).map(|n| (3 + 60 * n, 1, 200, "a", "/x")).collect();
    let limits = Limits { groups: 2, ..Limits::merged() };
    let tally = Tools::new().survey(json(&lines).as_bytes(), &[], limits);
    let site = series(&[(&tally, utc())], limits, NOON + 3..NOON + 3 + 60 * 60);
    assert!(site.series.slot_seconds > 4);
    assert_eq!(site.requests, 60);
}
