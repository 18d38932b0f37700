//! Other projects' parser cases: web access lines with the values that their authors expect.
//!
//! The data is not part of this project. Without the folder (`LOGTOPSY_CORPORA`, else `../shared/corpora` beside the
//! checkout) the test says so and passes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::model::{Kind, MICROS, Request};
use crate::parse::unescape;

/// Parts of a kind's name that make it one of web access logs, and those that take it out again.
const WEB: &[&str] = &[
    "nginx",
    "apache",
    "haproxy",
    "traefik",
    "iis.access",
    "datadog.iis",
    "ingress",
    "elb",
    "alb",
    "caddy",
    "cloudfront",
    "httpd",
    "access_log",
    "envoy",
    "istio",
    "gunicorn",
    "uvicorn",
    "kong",
    "varnish",
    "lighttpd",
    "common",
    "s3_log",
    "aws",
    "uwsgi",
    "squid",
    "web_",
];
const NOT_WEB: &[&str] = &["error", "ossec.nginx", "ossec.apache", "modsecurity"];
/// The share that must pass, in percent.
const FLOOR: usize = 98;

struct Case {
    peer: String,
    kind: String,
    raw: String,
    ok: bool,
    expect: Value,
}

fn cases() -> Option<Vec<Case>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora");
    let folder = std::env::var_os("LOGTOPSY_CORPORA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let text = std::fs::read_to_string(folder.join("parser-cases.jsonl")).ok()?;
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let case = |row: Value| Case {
        peer: row["peer"].as_str().unwrap().to_owned(),
        kind: row["kind"].as_str().unwrap().to_owned(),
        raw: row["raw"].as_str().unwrap().to_owned(),
        ok: row["parse_ok"] == true,
        expect: row["expect"].clone(),
    };
    let is = |kind: &str, names: &[&str]| names.iter().any(|name| kind.contains(name));
    Some(rows.map(case).filter(|c| is(&c.kind, WEB) && !is(&c.kind, NOT_WEB)).collect())
}

fn plain(value: Option<&[u8]>, event: &Event<'_>) -> Option<String> {
    let value = value.filter(|v| !v.is_empty() && *v != b"-")?;
    Some(String::from_utf8_lossy(&unescape(value, event.escape)).into_owned())
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

fn number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_f64().and_then(|f| f.to_string().parse().ok()))
        .or_else(|| value.as_str()?.parse().ok())
}

fn micros(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_micros())
}

fn expects_request(case: &Case) -> bool {
    ["status", "method", "path", "bytes"].iter().any(|field| !case.expect[*field].is_null())
}

/// The fields of a case that are not as expected.
fn wrong(case: &Case, event: &Event<'_>) -> Vec<String> {
    let request = match &event.kind {
        Kind::Request(r) => *r,
        Kind::Message(m) => {
            let request = m.request.map(crate::parse::request_parts).unwrap_or_default();
            Request { client: m.client, bytes: m.bytes, ..request }
        }
    };
    let zone = if case.peer == "beats" { -2 * 3600 } else { 0 };
    let mut out = Vec::new();
    let mut check = |field: &str, holds: bool, got: String| {
        if !holds {
            out.push(format!("{field}: {got} for {}", case.expect[field]));
        }
    };
    // 1970 stands for a time without a date
    if let Some(at) = case.expect["ts"].as_str().filter(|t| !t.starts_with("1970")).and_then(micros) {
        let got = event.stamp.map(|s| s.at.micros() - if s.offset.is_some() { 0 } else { zone * MICROS });
        // milliseconds are what some of them keep
        let holds = got.is_some_and(|got| got.div_euclid(1000) == at.div_euclid(1000));
        check("ts", holds, format!("{got:?}"));
    }
    if let Some(status) = number(&case.expect["status"]) {
        let got = request.status.map(|s| u64::from(s.code()));
        check("status", got == Some(status), format!("{got:?}"));
    }
    if let Some(bytes) = number(&case.expect["bytes"]) {
        check("bytes", request.bytes == Some(bytes), format!("{:?}", request.bytes));
    }
    if let Some(method) = case.expect["method"].as_str() {
        let got = plain(request.method, event);
        check("method", got.as_deref() == Some(method), format!("{got:?}"));
    }
    if let Some(path) = case.expect["path"].as_str() {
        let got = plain(request.path, event);
        let holds = got
            .as_deref()
            .is_some_and(|got| got == path || !path.contains('?') && got.split('?').next() == Some(path));
        check("path", holds, format!("{got:?}"));
    }
    let clients = strings(&case.expect["client"]);
    if !case.expect["client"].is_null() && clients != ["-"] {
        let got = plain(request.client, event);
        // of a list, its first counts as well as the first public one, which some take
        let first = case.raw.split_once(", ").and_then(|(head, _)| head.split([' ', '"']).next_back());
        let holds = got.as_ref().is_some_and(|g| clients.contains(g) || Some(g.as_str()) == first);
        check("client", holds, format!("{got:?}"));
    }
    out
}

#[test]
fn other_projects_web_cases_are_read_as_they_expect() {
    let Some(cases) = cases() else {
        eprintln!("skipped: no parser-cases.jsonl in LOGTOPSY_CORPORA or ../shared/corpora");
        return;
    };
    let formats = Formats::new(&Catalog::built_in().unwrap());
    let mut figures: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for case in &cases {
        let order = formats.sniff(case.raw.as_bytes()).order;
        let mut scratch = Scratch::default();
        let read = lines(case.raw.as_bytes()).find_map(|line| formats.parse(&order, line, &mut scratch).ok());
        if !case.ok {
            // ossec's say only that no rule of theirs matched
            let request = read.is_some_and(|(_, event)| matches!(event.kind, Kind::Request(_)));
            assert!(case.peer != "vrl" || !request, "no request: {}", case.raw);
            continue;
        }
        let problems = match &read {
            // messages of the same programs, and lines of which nothing but being a log line is expected
            _ if !expects_request(case) => continue,
            None => vec!["no format fits".to_owned()],
            Some((_, event)) => wrong(case, event),
        };
        let figure = figures.entry(case.kind.clone()).or_default();
        figure.1 += 1;
        figure.0 += usize::from(problems.is_empty());
        if !problems.is_empty() {
            let name = read.and_then(|r| formats.definition(r.0)).map_or("-", |d| d.name.as_str());
            let raw: String = case.raw.chars().take(300).collect();
            eprintln!("{} as {name}: {}\n    {raw}", case.kind, problems.join("; "));
        }
    }
    for (kind, (good, all)) in &figures {
        eprintln!("{kind:32} {good:4} of {all:4}");
    }
    let (good, all) = figures.values().fold((0, 0), |sum, f| (sum.0 + f.0, sum.1 + f.1));
    eprintln!("web access lines: {good} of {all}");
    assert!(good * 100 >= all * FLOOR, "{good} of {all}");
}
