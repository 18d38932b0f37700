//! Logs of containers: what a program wrote counts as if it stood in a file of its own.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::site::{self, Request, START, Truth, combined, combined_line, fail, traffic};
use crate::support::{Logs, float, input, instant, number, run_with_input, the_incident};

const HOUR: i64 = 3600;

fn stamp(at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0).unwrap().format("%Y-%m-%dT%H:%M:%S.123456789Z").to_string()
}

fn docker(at: i64, stream: &str, line: &str) -> String {
    format!("{}\n", json!({ "log": format!("{line}\n"), "stream": stream, "time": stamp(at) }))
}

fn cri(at: i64, stream: &str, line: &str) -> String {
    format!("{} {stream} F {line}\n", stamp(at))
}

fn outage() -> Vec<Request> {
    let mut requests = traffic(61, HOUR, 5, 0.0);
    fail(&mut requests, 62, 1800, 2400, 1.0, 502);
    requests
}

fn is(incident: &Value, truth: &Truth) {
    let impact = &incident["impact"];
    assert_eq!((instant(&incident["start"]), instant(&incident["end"])), (truth.start, truth.end));
    assert_eq!(number(&impact["affected_requests"]), truth.affected);
    assert_eq!(number(&impact["total_requests"]), truth.total);
    assert_eq!(number(&impact["affected_clients"]), truth.affected_clients);
    assert!((float(&impact["percent"]) - truth.percent()).abs() < 1e-6, "{impact}");
}

fn records(log: &str) -> Vec<Value> {
    let ended = run_with_input(["records", "--rejects", "--assume-tz", "UTC", "-"], log);
    assert_eq!(ended.stderr, "");
    ended.ndjson()
}

#[test]
fn an_outage_in_a_container_is_the_same_outage() {
    let requests = outage();
    let truth = Truth::of(&requests, 1800, 2400);
    for wrap in [docker, cri] {
        let log = requests.iter().map(|r| wrap(r.at, "stdout", &combined_line(r))).collect::<String>();
        let logs = Logs::with("web-json.log", log);
        let json = logs.report();
        is(the_incident(&json), &truth);
        let row = input(&json, "web-json.log");
        assert_eq!((row["role"].as_str(), row["format"].as_str()), (Some("edge"), Some("combined")));
        assert_eq!(number(&row["records"]), requests.len() as u64);
    }
}

#[test]
fn requests_logged_as_json_are_found_within_json() {
    let requests = outage();
    let lines = site::json(&requests);
    let log = requests.iter().zip(lines.lines()).map(|(r, l)| docker(r.at, "stdout", l)).collect::<String>();
    is(the_incident(&Logs::with("web-json.log", log).report()), &Truth::of(&requests, 1800, 2400));
}

#[test]
fn the_messages_between_requests_are_read_too() {
    let requests = outage();
    let mut log = cri(START, "stdout", "/docker-entrypoint.sh: Configuration complete; ready for start up");
    for request in &requests {
        if request.status == 502 {
            let time = chrono::DateTime::from_timestamp(request.at, 0).unwrap().format("%Y/%m/%d %H:%M:%S");
            let error = format!(
                "{time} [error] 29#29: *7 connect() failed (111: Connection refused) while connecting to upstream"
            );
            log.push_str(&cri(request.at, "stderr", &error));
        }
        log.push_str(&cri(request.at, "stdout", &combined_line(request)));
    }
    let json = Logs::with("0.log", log).report();
    is(the_incident(&json), &Truth::of(&requests, 1800, 2400));
    let failed = requests.iter().filter(|r| r.status == 502).count();
    assert_eq!(number(&input(&json, "0.log")["records"]), (1 + failed + requests.len()) as u64);
}

#[test]
fn records_tell_what_stands_within() {
    let requests = outage();
    let plain = records(&combined(&requests[..3]));
    for wrap in [docker, cri] {
        let log = requests[..3].iter().map(|r| wrap(r.at, "stdout", &combined_line(r))).collect::<String>();
        assert_eq!(records(&log), plain);
    }
}

#[test]
fn a_stack_trace_in_a_container_is_one_record() {
    let trace = [
        "2024-03-05 10:00:01,000 INFO app started",
        "2024-03-05 10:00:02,000 ERROR app boom",
        "Traceback (most recent call last):",
        "  File \"app.py\", line 3, in <module>",
        "ValueError: no \u{fc}ml\u{e4}ut",
        "2024-03-05 10:00:03,000 INFO app went on",
    ];
    for wrap in [docker, cri] {
        let log = trace.iter().map(|line| wrap(START, "stderr", line)).collect::<String>();
        let found = records(&log);
        assert_eq!(found.len(), 3, "{found:#?}");
        let message = found[1]["message"].as_str().unwrap();
        assert!(message.ends_with(&trace[2..5].join("\n")), "{message}");
        assert_eq!(found[1]["level"], "error");
    }
}

#[test]
fn what_no_format_accepts_is_the_containers_message() {
    let mut log = String::new();
    for line in ["starting \"all\" of it", "\tsecond line", "done"] {
        write!(log, "{}", docker(START, "stdout", line)).unwrap();
    }
    let found = records(&log);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(found[0]["message"], "starting \"all\" of it\n\tsecond line");
    assert_eq!(found[0]["format"], "docker");
    assert_eq!(found[1]["time"], "2024-03-05T10:00:00.123456+00:00");
}
