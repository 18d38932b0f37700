//! Logs of other people's machines and the parser cases of our peers, where they are at hand: `LOGTOPSY_CORPORA`, or
//! `../shared/corpora` beside the project.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, FixedOffset};
use logtopsy::explain::facts::DisplayZone;
use logtopsy::model::Offset;
use logtopsy::pipeline::{self, Options, Silent};
use serde_json::Value;

use crate::support::{incidents, input, logtopsy, number, report_of, root};

/// The corpora, unless they are absent, which is said.
pub(crate) fn corpora() -> Option<PathBuf> {
    let path =
        std::env::var_os("LOGTOPSY_CORPORA").map_or_else(|| root().join("../shared/corpora"), PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: there is no {}; LOGTOPSY_CORPORA says where the corpora are", path.display());
    None
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn each_file_of_the_hosts_is_accounted_for() {
    let Some(corpora) = corpora() else { return };
    let mut hosts: Vec<_> =
        fs::read_dir(corpora.join("hosts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    hosts.sort();
    assert_eq!(hosts.len(), 4);
    for host in hosts {
        let json = report_of(&[&host]);
        let listed: Vec<&str> =
            json["inputs"].as_array().unwrap().iter().map(|row| row["path"].as_str().unwrap()).collect();
        for file in files(&host) {
            assert!(listed.contains(&file.to_str().unwrap()), "{} is not in the report", file.display());
        }
        assert_eq!(listed.len(), files(&host).len());
        let titles: Vec<_> = incidents(&json).iter().map(|i| (&i["start"], &i["title"])).collect();
        println!("{}: {} requests, {titles:?}", host.display(), json["totals"]["requests"]);
    }
}

#[test]
fn quiet_nights_are_no_incidents() {
    let Some(corpora) = corpora() else { return };
    for host in ["link-debian8-nginx-php", "kibblebit-rpi-apache", "ubuntu1404-aws-mysql"] {
        let json = report_of(&[corpora.join("hosts").join(host)]);
        let traffic = incidents(&json).iter().filter(|i| i["signal"] == "traffic").count();
        assert_eq!(traffic, 0, "{host}");
    }
}

#[test]
fn ten_thousand_lines_in_any_order_hold_no_incident() {
    let Some(corpora) = corpora() else { return };
    let json = report_of(&[corpora.join("access/elastic-apache_logs")]);
    assert_eq!(incidents(&json).len(), 0, "{:#}", json["incidents"]);
    assert!(number(&json["totals"]["requests"]) > 9_900);
}

#[test]
fn json_whose_numbers_are_texts_is_read() {
    let Some(corpora) = corpora() else { return };
    let json = report_of(&[corpora.join("access/private-isu-nginx-json.log")]);
    let row = input(&json, "private-isu-nginx-json.log");
    let (records, lines) = (number(&row["records"]), number(&row["lines"]));
    assert!(records * 1000 >= lines * 995, "{records} of {lines}");
}

#[test]
fn application_logs_are_survived() {
    let Some(corpora) = corpora() else { return };
    for file in files(&corpora.join("loghub")) {
        let output = logtopsy().args(["-f", "json"]).arg(&file).output().unwrap();
        // 1: no format fits, so far
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", file.display());
        if output.status.success() {
            let json = crate::support::checked(&output.stdout);
            println!(
                "{}: {} of {} lines",
                file.display(),
                json["inputs"][0]["records"],
                json["totals"]["lines"]
            );
        } else {
            println!("{}: no format fits", file.display());
        }
    }
}

/// The records of one case.
fn read(row: &Value) -> Vec<Value> {
    let raw = row["raw"].as_str().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("case.log");
    fs::write(&path, format!("{raw}\n")).unwrap();
    // The zone that the peers' own tests assume.
    let offset = if row["peer"] == "beats" { -7200 } else { 0 };
    let mut options = Options { assume_zone: Some(DisplayZone::Fixed(Offset(offset))), ..Options::default() };
    options.query.paths = vec![path];
    let mut out = Vec::new();
    let read = pipeline::records(&options, true, &mut out, &Silent);
    if let Err(e) = read {
        assert!(matches!(e, logtopsy::error::Error::NothingToAnalyse(_)), "{}: {e}", row["id"]);
    }
    String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The first expectation that is not met.
fn unmet(row: &Value) -> Option<String> {
    let found = read(row);
    let rejected = found.iter().all(|record| record["reject"].is_string());
    if row["parse_ok"] == false {
        return (!rejected).then(|| "must be rejected".to_owned());
    }
    let Some(record) = found.first().filter(|_| !rejected) else { return Some("rejected".to_owned()) };
    let expect = row["expect"].as_object()?;
    for (theirs, ours) in [
        ("ts", "time"),
        ("status", "status"),
        ("method", "method"),
        ("path", "path"),
        ("bytes", "bytes"),
        ("client", "client"),
        ("user", "user"),
        ("referer", "referrer"),
        ("ua", "user_agent"),
        ("level", "level"),
    ] {
        if let Some(expected) = expect.get(theirs)
            && !same(theirs, &record[ours], expected)
        {
            return Some(format!("{theirs} is {}, not {expected}", record[ours]));
        }
    }
    None
}

fn same(field: &str, found: &Value, expected: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match field {
        _ if matches!(expected.as_str(), Some("-" | "")) || expected.is_null() => found.is_null(),
        "ts" => {
            let time = |value: &Value| DateTime::<FixedOffset>::parse_from_rfc3339(value.as_str()?).ok();
            time(found).map(|t| t.timestamp_millis()) == time(expected).map(|t| t.timestamp_millis())
        }
        "path" => {
            let (found, expected) = (text(found), text(expected));
            found == expected || found.split('?').next() == Some(&expected)
        }
        // syslog's eight levels know no finer than debug
        "level" if text(expected).starts_with("trace") => found == "debug",
        "level" => {
            text(found).get(..2).map(str::to_lowercase) == text(expected).get(..2).map(str::to_lowercase)
        }
        _ => text(found) == text(expected),
    }
}

#[test]
fn the_cases_of_our_peers_are_survived() {
    let Some(corpora) = corpora() else { return };
    let cases = fs::read_to_string(corpora.join("parser-cases.jsonl")).unwrap();
    let mut kinds: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut examples = Vec::new();
    for line in cases.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let kind = row["kind"].as_str().unwrap().to_owned();
        if !kind.contains("nginx") && !kind.contains("apache") {
            continue;
        }
        let entry = kinds.entry(kind.clone()).or_default();
        entry.1 += 1;
        match unmet(&row) {
            None => entry.0 += 1,
            Some(why) => examples.push(format!("{} ({kind}): {why}: {}", row["id"], row["raw"])),
        }
    }
    let (passed, all) = kinds.values().fold((0, 0), |sum, kind| (sum.0 + kind.0, sum.1 + kind.1));
    println!("{passed} of {all} web cases pass: {kinds:#?}");
    for example in &examples {
        println!("{}", example.chars().take(300).collect::<String>());
    }
    assert!(all > 100, "the cases are there");
}
