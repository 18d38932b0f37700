//! No more is read than has to be: the second pass reads what overlaps an incident, and a time range leaves out what
//! cannot lie within it, without changing what is found.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use chrono::DateTime;
use logtopsy::model::Timestamp;
use logtopsy::pipeline::{self, Bound, Options, Progress};
use logtopsy::report::Format;
use serde_json::Value;

use crate::support::{Logs, checked, gzip, input, instant, number, options, render, the_incident};

const DAY: i64 = 86_400;
/// 00:00 of the first day.
const START: i64 = 1_684_022_400;
/// When requests fail: from noon of the third day for ten minutes.
const FAILING: std::ops::Range<i64> = START + 2 * DAY + 43_200..START + 2 * DAY + 43_800;

fn at(second: i64, format: &str) -> String {
    DateTime::from_timestamp(second, 0).unwrap().format(format).to_string()
}

/// An access log in UTC with a request every so many seconds.
fn access(seconds: std::ops::Range<i64>, every: usize) -> String {
    let mut out = String::new();
    for second in seconds.step_by(every) {
        let status = if FAILING.contains(&second) { 502 } else { 200 };
        let _ = writeln!(
            out,
            "203.0.113.{} - - [{}] \"GET /p{} HTTP/1.1\" {status} 512 \"https://shop.example.com/\" \"Mozilla/5.0 (X11; Linux x86_64)\"",
            second / 3 % 200,
            at(second, "%d/%b/%Y:%H:%M:%S +0000"),
            second % 7,
        );
    }
    out
}

/// Four days of requests, 11 MB.
fn four_days() -> String {
    access(START..START + 4 * DAY, 4)
}

/// Counts what each stage reads; removes files before the second one.
#[derive(Default)]
struct Stages {
    bytes: Mutex<Vec<u64>>,
    remove: Vec<PathBuf>,
}

impl Progress for Stages {
    fn begin(&self, _: &'static str, _: Option<u64>) {
        let mut bytes = self.bytes.lock().unwrap();
        bytes.push(0);
        if bytes.len() == 2 {
            self.remove.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        }
    }

    fn advance(&self, read: u64) {
        if let Some(stage) = self.bytes.lock().unwrap().last_mut() {
            *stage += read;
        }
    }

    fn finish(&self) {}
}

impl Stages {
    fn analyse(&self, options: &Options) -> Value {
        checked(&render(&pipeline::analyse(options, self).unwrap(), Format::Json))
    }

    /// Bytes on disk that the first and the second pass read.
    fn read(&self) -> (u64, u64) {
        let bytes = self.bytes.lock().unwrap();
        (bytes[0], bytes[1])
    }
}

/// An hour and a half around the failures.
fn around_noon(logs: &Logs) -> Options {
    let bound = |second: i64| Some(Bound::Instant(Timestamp::from_seconds(second)));
    Options {
        since: bound(FAILING.start - 3_600),
        until: bound(FAILING.start + 1_800),
        ..options(&[logs.path()])
    }
}

/// What a report finds, in files of whatever directory, without the account of what was read for it.
fn findings(report: &Value, logs: &Logs) -> String {
    let mut report = report.clone();
    for field in ["inputs", "totals"] {
        report.as_object_mut().unwrap().remove(field);
    }
    report.to_string().replace(logs.path().to_str().unwrap(), "")
}

#[test]
fn the_second_pass_reads_what_overlaps_an_incident() {
    let text = four_days();
    let logs = Logs::with("access.log", &text);
    let stages = Stages::default();
    let report = stages.analyse(&options(&[logs.path()]));
    assert_eq!(instant(&the_incident(&report)["start"]), FAILING.start);
    let (first, second) = stages.read();
    assert_eq!(first, text.len() as u64);
    // ten minutes and the hour before, in blocks of a quarter of a megabyte
    assert!((200_000..1_100_000).contains(&second), "{second} bytes");
}

#[test]
fn packed_files_without_an_incident_are_not_opened_again() {
    let logs = Logs::new();
    let day = |n: i64| gzip(access(START + n * DAY..START + (n + 1) * DAY, 20).as_bytes());
    let others = [(0, "access.log.3.gz"), (1, "access.log.2.gz"), (3, "access.log")];
    let remove = others.map(|(n, name)| logs.add(name, day(n))).to_vec();
    logs.add("access.log.1.gz", day(2));
    let stages = Stages { remove, ..Stages::default() };
    let report = stages.analyse(&options(&[logs.path()]));
    assert_eq!(instant(&the_incident(&report)["start"]), FAILING.start);
    assert_eq!(report["warnings"], serde_json::json!([]));
}

#[test]
fn a_time_range_of_a_large_file_is_sought_and_found_the_same() {
    let text = four_days();
    let logs = Logs::with("access.log", &text);
    let stages = Stages::default();
    let part = stages.analyse(&around_noon(&logs));
    assert!(stages.read().0 < text.len() as u64 / 2, "{:?} of {}", stages.read(), text.len());
    let row = input(&part, "access.log");
    assert_eq!(row["status"], "complete");
    assert!(row["detail"].as_str().unwrap().contains("outside the time range"), "{row}");
    assert!(number(&row["bytes"]) < text.len() as u64 / 2);
    assert_eq!(row["first"], "2023-05-14T00:00:00+00:00");
    assert_eq!(row["last"], "2023-05-17T23:59:56+00:00");
    // the same file packed is read whole
    let whole = Logs::with("access.log", gzip(text.as_bytes()));
    let report = Stages::default().analyse(&around_noon(&whole));
    assert_eq!(number(&input(&report, "access.log")["bytes"]), text.len() as u64);
    the_incident(&part);
    assert_eq!(findings(&part, &logs), findings(&report, &whole));
}

#[test]
fn a_file_that_is_not_in_order_is_read_whole() {
    let (earlier, later) = (access(START..START + 2 * DAY, 4), access(START + 2 * DAY..START + 4 * DAY, 4));
    let logs = Logs::with("access.log", later + &earlier);
    let stages = Stages::default();
    let report = stages.analyse(&around_noon(&logs));
    assert_eq!(stages.read().0, number(&input(&report, "access.log")["bytes"]));
    assert_eq!(instant(&the_incident(&report)["start"]), FAILING.start);
}

/// Four days in files of a day, each behind a comment of four kilobytes that names it, or that does not: what begins
/// alike may be a copy and is read whole.
fn rotated(names: bool) -> Logs {
    let logs = Logs::new();
    for (n, name) in (0..).zip(["access.log.3.gz", "access.log.2.gz", "access.log.1", "access.log"]) {
        let title = if names { name } else { "an access log" };
        let text = format!("# {title:<4200}\n{}", access(START + n * DAY..START + (n + 1) * DAY, 20));
        let packed = if n < 2 { gzip(text.as_bytes()) } else { text.into_bytes() };
        logs.add(name, packed);
    }
    logs
}

#[test]
fn rotated_files_outside_of_a_time_range_are_left_out() {
    let (logs, whole) = (rotated(true), rotated(false));
    let part = Stages::default().analyse(&around_noon(&logs));
    let report = Stages::default().analyse(&around_noon(&whole));
    for name in ["access.log.3.gz", "access.log.2.gz", "access.log"] {
        let row = input(&part, name);
        assert_eq!((row["status"].as_str(), number(&row["lines"])), (Some("skipped"), 0), "{name}");
        assert_eq!(row["detail"], "outside the time range");
        assert_eq!(row["last"].is_null(), name.contains("gz"), "what was not unpacked may end at any time");
        assert_eq!(input(&report, name)["status"], "complete");
    }
    assert_eq!(input(&part, "access.log.1"), &{
        let mut row = input(&report, "access.log.1").clone();
        row["path"] = input(&part, "access.log.1")["path"].clone();
        row
    });
    the_incident(&part);
    assert_eq!(findings(&part, &logs), findings(&report, &whole));
}

#[test]
fn logs_without_a_zone_are_read_a_day_around_a_time_range() {
    let logs = Logs::new();
    for (n, name) in
        (0..).zip(["error.log.4.gz", "error.log.3.gz", "error.log.2.gz", "error.log.1.gz", "error.log"])
    {
        let mut text = String::new();
        for second in (START + n * DAY..START + (n + 1) * DAY).step_by(600) {
            let time = at(second, "%Y/%m/%d %H:%M:%S");
            let _ = writeln!(
                text,
                "{time} [notice] 8#8: *{second} a request body is buffered to a file, client: 203.0.113.7"
            );
        }
        logs.add(name, gzip(text.as_bytes()));
    }
    let report = Stages::default().analyse(&around_noon(&logs));
    let status = |name: &str| input(&report, name)["status"].as_str().unwrap().to_owned();
    let all =
        ["error.log.4.gz", "error.log.3.gz", "error.log.2.gz", "error.log.1.gz", "error.log"].map(status);
    assert_eq!(all, ["skipped", "complete", "complete", "complete", "complete"]);
}
