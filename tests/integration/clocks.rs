//! Logs without a zone beside logs with one, around a change of the clock and in two zones: one true order of events,
//! whatever zone the machine is in that they are read on.

use std::fmt::Write as _;
use std::ops::Range;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Logs, ended, float, input, instant, logtopsy, the_incident};

/// Seconds east of UTC at an instant.
type Zone = fn(DateTime<Utc>) -> i32;

/// Central Europe, around the two changes of 2024.
fn europe(at: DateTime<Utc>) -> i32 {
    if (utc("2024-03-31T01:00:00Z")..utc("2024-10-27T01:00:00Z")).contains(&at) { 7200 } else { 3600 }
}

fn utc(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().into()
}

/// The wall clock's reading.
fn wall(at: DateTime<Utc>, zone: Zone) -> DateTime<FixedOffset> {
    at.with_timezone(&FixedOffset::east_opt(zone(at)).unwrap())
}

/// One request every two seconds; they fail for a while.
fn access(span: Range<&str>, failing: &Range<DateTime<Utc>>, zone: Zone) -> String {
    let mut out = String::new();
    let (mut at, end) = (utc(span.start), utc(span.end));
    for i in 0.. {
        if at >= end {
            break;
        }
        let status = if failing.contains(&at) { 502 } else { 200 };
        let _ = writeln!(
            out,
            "203.0.113.{} - - [{}] \"GET /p{} HTTP/1.1\" {status} 5 \"-\" \"Mozilla/5.0\"",
            i % 200,
            wall(at, zone).format("%d/%b/%Y:%H:%M:%S %z"),
            i % 7,
        );
        at += TimeDelta::seconds(2);
    }
    out
}

/// An nginx message every minute, without a zone.
fn errors(span: Range<&str>, zone: Zone) -> String {
    let mut out = String::new();
    let mut at = utc(span.start);
    while at < utc(span.end) {
        let _ = writeln!(
            out,
            "{} [error] 8#8: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.7",
            wall(at, zone).format("%Y/%m/%d %H:%M:%S")
        );
        at += TimeDelta::seconds(60);
    }
    out
}

/// Upgrades, without a zone.
fn packages(times: &[&str], zone: Zone) -> String {
    let line = |at: &&str| {
        format!("{} upgrade shop:all 1.8.2 2.0.0\n", wall(utc(at), zone).format("%Y-%m-%d %H:%M:%S"))
    };
    times.iter().map(line).collect()
}

/// What the program says on machines in three zones, which must be the same, and with one thread.
fn everywhere(logs: &Logs) -> Value {
    let ask = |zone: &str, jobs: &str| {
        let mut command = logtopsy();
        command.env("TZ", zone).args(["--format", "json", "--jobs", jobs]).arg(logs.path());
        let mut json = ended(&mut command).json();
        json["generated_at"] = Value::Null;
        json
    };
    let report = ask("UTC", "1");
    for zone in ["UTC", "Europe/Paris", "America/New_York"] {
        assert_eq!(ask(zone, "2"), report, "{zone}");
    }
    report
}

/// Kinds and instants of the rows of the timeline, which must be in order.
fn timeline(json: &Value) -> Vec<(String, i64)> {
    let rows = json["timeline"].as_array().unwrap();
    let rows: Vec<_> =
        rows.iter().map(|row| (row["kind"].as_str().unwrap().to_owned(), instant(&row["time"]))).collect();
    assert!(rows.is_sorted_by_key(|row| row.1), "{rows:?}");
    rows
}

fn times(json: &Value, kind: &str) -> Vec<i64> {
    timeline(json).into_iter().filter(|row| row.0 == kind).map(|row| row.1).collect()
}

#[test]
fn clocks_that_go_forward_in_spring_are_followed() {
    let failing = utc("2024-03-31T00:50:00Z")..utc("2024-03-31T01:20:00Z");
    let logs = Logs::new();
    // the change lies in the older of two files
    let before = access("2024-03-31T00:00:00Z".."2024-03-31T01:10:00Z", &failing, europe);
    logs.add("access.log.1", before);
    logs.add("access.log", access("2024-03-31T01:10:00Z".."2024-03-31T02:10:00Z", &failing, europe));
    logs.add("error.log", errors("2024-03-31T00:50:01Z".."2024-03-31T01:20:00Z", europe));
    logs.add("dpkg.log", packages(&["2024-03-31T00:49:50Z", "2024-03-31T01:19:50Z"], europe));
    let json = everywhere(&logs);
    let incident = the_incident(&json);
    assert_eq!(incident["start"], "2024-03-31T01:50:00+01:00");
    assert_eq!(incident["end"].as_str().map(|end| &end[19..]), Some("+02:00"));
    assert!((float(&incident["duration_seconds"]) - 1_800.0).abs() <= 3.0, "{incident:#}");
    assert_eq!(json["timezone"], "+01:00");
    let told = [failing.start.timestamp() - 10, failing.end.timestamp() - 10];
    assert_eq!(times(&json, "change"), told);
    assert_eq!(input(&json, "error.log")["first"], "2024-03-31T01:50:01+01:00");
    assert_eq!(input(&json, "error.log")["last"], "2024-03-31T03:19:01+02:00");
    assert_eq!(input(&json, "error.log")["time_zone_source"], "inferred");
}

#[test]
fn clocks_that_go_back_in_autumn_are_followed() {
    let failing = utc("2024-10-27T00:40:00Z")..utc("2024-10-27T01:20:00Z");
    let logs = Logs::new();
    logs.add("access.log", access("2024-10-27T00:00:00Z".."2024-10-27T02:30:00Z", &failing, europe));
    // what is read twice is taken for the first time
    logs.add("error.log", errors("2024-10-27T00:40:01Z".."2024-10-27T01:00:00Z", europe));
    logs.add("dpkg.log", packages(&["2024-10-27T00:39:50Z", "2024-10-27T02:05:00Z"], europe));
    let json = everywhere(&logs);
    let incident = the_incident(&json);
    assert_eq!(incident["start"], "2024-10-27T02:40:00+02:00");
    assert_eq!(incident["end"].as_str().map(|end| &end[11..14]), Some("02:"));
    assert!((float(&incident["duration_seconds"]) - 2_400.0).abs() <= 3.0, "{incident:#}");
    assert_eq!(json["timezone"], "+02:00");
    let told = [failing.start.timestamp() - 10, utc("2024-10-27T02:05:00Z").timestamp()];
    assert_eq!(times(&json, "change"), told);
    assert_eq!(input(&json, "dpkg.log")["last"], "2024-10-27T03:05:00+01:00");
}

#[test]
fn a_log_in_utc_keeps_its_zone_where_the_others_change_theirs() {
    let failing = utc("2024-03-31T00:50:00Z")..utc("2024-03-31T01:20:00Z");
    let logs = Logs::new();
    logs.add("access.log", access("2024-03-31T00:00:00Z".."2024-03-31T02:10:00Z", &failing, europe));
    logs.add("error.log", errors("2024-03-31T00:50:01Z".."2024-03-31T01:20:00Z", |_| 0));
    logs.add("dpkg.log", packages(&["2024-03-31T01:19:50Z"], europe));
    let json = everywhere(&logs);
    assert_eq!(input(&json, "error.log")["time_zone"], "+00:00");
    assert_eq!(input(&json, "error.log")["first"], "2024-03-31T01:50:01+01:00");
    assert_eq!(input(&json, "error.log")["last"], "2024-03-31T03:19:01+02:00");
    assert_eq!(times(&json, "change"), [failing.end.timestamp() - 10]);
}

#[test]
fn two_zones_on_one_host_make_one_timeline() {
    let failing = utc("2024-02-14T11:00:00Z")..utc("2024-02-14T11:10:00Z");
    let logs = Logs::new();
    logs.add("access.log", access("2024-02-14T10:30:00Z".."2024-02-14T11:40:00Z", &failing, europe));
    let mut app = String::new();
    for minute in 0..40 {
        let _ = writeln!(
            app,
            r#"{{"time":"2024-02-14T10:{minute:02}:00Z","level":"info","msg":"order shipped"}}"#
        );
    }
    app += "{\"time\":\"2024-02-14T11:00:02Z\",\"level\":\"error\",\"msg\":\"database is gone\"}\n";
    logs.add("app.log", app);
    logs.add("error.log", errors("2024-02-14T11:00:01Z".."2024-02-14T11:10:00Z", europe));
    logs.add("dpkg.log", packages(&["2024-02-14T10:59:50Z"], europe));
    // in UTC, as its messages about failed requests tell
    let mut syslog = "Feb 14 10:59:55 web-01 systemd[1]: Stopping shop.service - The shop...\n".to_owned();
    for minute in 0..10 {
        let _ = writeln!(
            syslog,
            "Feb 14 11:{minute:02}:03 web-01 nginx: connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.7"
        );
    }
    logs.add("syslog", syslog);
    let json = everywhere(&logs);
    let start = failing.start.timestamp();
    assert_eq!(instant(&the_incident(&json)["start"]), start);
    assert_eq!(times(&json, "change"), [start - 10]);
    assert_eq!(times(&json, "restart"), [start - 5]);
    let zone = |name| input(&json, name)["time_zone"].as_str().unwrap().to_owned();
    assert_eq!(
        ["access.log", "app.log", "error.log", "dpkg.log", "syslog"].map(zone),
        ["+01:00", "+00:00", "+01:00", "+01:00", "+00:00"]
    );
}

#[test]
fn a_clock_that_is_set_back_at_a_reboot_breaks_nothing() {
    let failing = utc("2024-02-14T11:00:00Z")..utc("2024-02-14T11:10:00Z");
    let logs = Logs::new();
    logs.add("access.log", access("2024-02-14T10:30:00Z".."2024-02-14T11:40:00Z", &failing, europe));
    let syslog = "Feb 14 11:59:55 web-01 systemd[1]: Stopping shop.service - The shop...\n\
                  Feb 14 11:40:00 web-01 systemd[1]: Stopping mail.service - The mail...\n\
                  Feb 14 12:09:58 web-01 systemd[1]: Started shop.service - The shop.\n";
    logs.add("syslog", syslog);
    let json = everywhere(&logs);
    assert_eq!(instant(&the_incident(&json)["start"]), failing.start.timestamp());
    assert_eq!(input(&json, "syslog")["records"], 3);
    assert_eq!(input(&json, "syslog")["first"], "2024-02-14T11:40:00+01:00");
    let restarts = times(&json, "restart");
    assert!(restarts.contains(&(failing.start.timestamp() - 5)), "{restarts:?}");
}
