//! The recorded incidents: what logtopsy says of them is what an independent script counted (`truth.toml`).

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{ended, float, incidents, logtopsy, number, root, sample_report, the_incident};

#[derive(Debug, Deserialize)]
struct Truth {
    timezone: String,
    totals: Totals,
    incident: Vec<Incident>,
}

#[derive(Debug, Deserialize)]
struct Totals {
    requests: u64,
    failed_requests: u64,
}

#[derive(Debug, Deserialize)]
struct Incident {
    signal: String,
    status: Option<u16>,
    #[serde(default)]
    signals: Vec<String>,
    change_to_recovery_seconds: Option<f64>,
    first_arrival: Option<String>,
    #[serde(default)]
    scope: Vec<Scope>,
    silent: Option<Silent>,
    start: String,
    end: String,
    duration_seconds: f64,
    affected_requests: u64,
    total_requests: u64,
    impact_percent: f64,
    impact_percent_all_requests: Option<f64>,
    affected_clients: f64,
    total_clients: f64,
    statuses: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
struct Scope {
    dimension: String,
    value: String,
}

#[derive(Debug, Deserialize)]
struct Silent {
    source: String,
}

/// Every sample with its truth.
fn samples() -> Vec<(PathBuf, Truth)> {
    let mut samples: Vec<_> = std::fs::read_dir(root().join("sample-logs"))
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let truth = std::fs::read_to_string(path.join("truth.toml")).ok()?;
            let name = Path::new("sample-logs").join(path.file_name().unwrap());
            Some((name, toml::from_str(&truth).expect("truth.toml is sound")))
        })
        .collect();
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(samples.len() >= 9, "the samples are part of the project");
    samples
}

/// Those with an incident of failing requests.
fn failing() -> impl Iterator<Item = (PathBuf, Truth)> {
    samples().into_iter().filter(|(_, truth)| truth.incident.iter().any(|i| i.status.is_some()))
}

fn json_in_zone(sample: &Path, zone: &str) -> Vec<u8> {
    let ended = ended(logtopsy().env("TZ", zone).args(["--format", "json"]).arg(sample));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{}", sample.display());
    ended.stdout
}

fn close(what: &str, found: f64, truth: f64, tolerance: f64) {
    assert!((found - truth).abs() <= tolerance, "{what}: {found} is not {truth} ± {tolerance}");
}

#[test]
fn each_sample_has_exactly_the_incident_of_its_truth() {
    for (sample, truth) in samples() {
        let json = sample_report(&sample);
        assert_eq!(json["timezone"], truth.timezone.as_str());
        assert_eq!(number(&json["totals"]["requests"]), truth.totals.requests);
        assert_eq!(number(&json["totals"]["failed_requests"]), truth.totals.failed_requests);
        assert_eq!(incidents(&json).len(), truth.incident.len(), "{}", sample.display());
        for (found, truth) in incidents(&json).iter().zip(&truth.incident) {
            compare(found, truth);
        }
    }
}

fn compare(found: &Value, truth: &Incident) {
    assert_eq!(found["signal"], truth.signal.as_str());
    if !truth.signals.is_empty() {
        assert_eq!(found["signals"], serde_json::json!(truth.signals));
    }
    assert_eq!(found["start"], truth.start.as_str());
    assert_eq!(found["end"], truth.end.as_str());
    close("duration", float(&found["duration_seconds"]), truth.duration_seconds, 0.0);
    if let Some(seconds) = truth.change_to_recovery_seconds {
        close("from change to recovery", float(&found["change_to_recovery_seconds"]), seconds, 2.0);
    }
    if let Some(arrival) = &truth.first_arrival {
        // the truth's is cut to seconds
        let found = found["first_arrival"].as_str().unwrap();
        assert_eq!(found.get(..19), arrival.get(..19));
    }
    // the narrowest place is the one that the truth names last
    if let Some(place) = truth.scope.last() {
        assert_eq!(found["scope"][0]["dimension"], place.dimension.as_str());
        assert_eq!(found["scope"][0]["value"], place.value.as_str());
    }
    match &truth.silent {
        Some(silent) => compare_slow(found, truth, silent),
        None => compare_failing(found, truth),
    }
}

/// One server silent, the others slow.
fn compare_slow(found: &Value, truth: &Incident, silent: &Silent) {
    assert_eq!(found["scope"][0]["dimension"], "source");
    assert!(found["scope"][0]["value"].as_str().unwrap().contains(&silent.source));
    close("percent", float(&found["impact"]["percent"]), truth.impact_percent, 10.0);
    assert!(found["statuses"].as_object().unwrap().is_empty());
}

fn compare_failing(found: &Value, truth: &Incident) {
    let statuses: BTreeMap<String, u64> =
        found["statuses"].as_object().unwrap().iter().map(|(s, n)| (s.clone(), number(n))).collect();
    // where one place is hit, failures elsewhere are the background's
    let loose = if truth.scope.is_empty() { 1 } else { 3 };
    for (status, count) in &truth.statuses {
        let told = statuses.get(status).copied().unwrap_or(0);
        assert!(told.abs_diff(*count) <= loose, "{status} × {told}, {:?}", truth.statuses);
    }
    let dominant = statuses.iter().max_by_key(|(_, n)| **n).unwrap().0;
    assert_eq!(Some(dominant), truth.status.map(|status| status.to_string()).as_ref());

    let impact = &found["impact"];
    close("percent", float(&impact["percent"]), truth.impact_percent, 0.5);
    let all = truth.impact_percent_all_requests.expect("errors have it");
    close("percent of all requests", float(&impact["percent_all_requests"]), all, 1.0);
    assert!(number(&impact["affected_requests"]).abs_diff(truth.affected_requests) <= loose);
    assert!(number(&impact["total_requests"]).abs_diff(truth.total_requests) <= 2);
    let about = (truth.total_clients / 100.0).max(2.0);
    close("clients affected", float(&impact["affected_clients"]), truth.affected_clients, about);
    close("clients", float(&impact["total_clients"]), truth.total_clients, about);
    let interval = &impact["percent_interval"];
    assert!(float(&interval[0]) <= truth.impact_percent && truth.impact_percent <= float(&interval[1]));
}

#[test]
fn the_zone_of_the_machine_changes_no_byte() {
    for (sample, _) in samples() {
        let without_clock = |zone| {
            let text = String::from_utf8(json_in_zone(&sample, zone)).unwrap();
            let (clock, rest): (Vec<&str>, Vec<&str>) =
                text.lines().partition(|line| line.contains("\"generated_at\""));
            assert_eq!(clock.len(), 1);
            rest.join("\n")
        };
        let utc = without_clock("UTC");
        for zone in ["Africa/Lagos", "America/New_York"] {
            assert_eq!(without_clock(zone), utc, "{} under {zone}", sample.display());
        }
    }
}

#[test]
fn the_first_and_last_affected_request_are_quoted() {
    for (sample, truth) in failing() {
        let json = sample_report(&sample);
        let incident = the_incident(&json);
        let quote = |role: &str| {
            let quotes = incident["evidence"].as_array().unwrap();
            quotes.iter().find(|q| q["role"] == role).unwrap_or_else(|| panic!("no {role}")).clone()
        };
        assert_eq!(quote("first_affected")["time"], truth.incident[0].start.as_str());
        let text = quote("last_affected")["text"].as_str().unwrap().to_owned();
        assert!([" 500 ", " 502 ", " 503 ", "504"].iter().any(|status| text.contains(status)), "{text}");
    }
}

#[test]
fn quoted_lines_stand_where_the_report_says() {
    for (sample, _) in failing() {
        let json = sample_report(&sample);
        for quote in the_incident(&json)["evidence"].as_array().unwrap() {
            let path = root().join(quote["source"]["path"].as_str().unwrap());
            let bytes = std::fs::read(&path).unwrap();
            let text = if bytes.starts_with(&[0x1f, 0x8b]) {
                let mut text = String::new();
                let mut decoder = flate2::read::MultiGzDecoder::new(bytes.as_slice());
                std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
                text
            } else {
                String::from_utf8(bytes).unwrap()
            };
            let line = usize::try_from(number(&quote["source"]["line"])).unwrap();
            let quoted = quote["text"].as_str().unwrap().lines().next().unwrap();
            assert_eq!(text.lines().nth(line - 1), Some(quoted), "{}:{line}", path.display());
        }
    }
}

/// The impact of a sample, counted from its raw lines by the contract's words alone.
#[test]
fn the_impact_can_be_counted_again_from_the_raw_lines() {
    let sample = Path::new("sample-logs/bad-gateway");
    let report = sample_report(sample);
    let incident = the_incident(&report);
    let (start, end) =
        (crate::support::instant(&incident["start"]), crate::support::instant(&incident["end"]));
    let (mut total, mut failed) = (0_u64, 0_u64);
    for file in std::fs::read_dir(root().join(sample).join("var/log/nginx")).unwrap() {
        let path = file.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with("access.log") {
            continue;
        }
        let mut text = String::new();
        let bytes = std::fs::read(&path).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut decoder = flate2::read::MultiGzDecoder::new(bytes.as_slice());
            std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
        } else {
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        for line in text.lines() {
            let quoted: Vec<&str> = line.split('"').collect();
            let [head, request, sizes, _, _, agent, ..] = quoted.as_slice() else { continue };
            let time = head.split(['[', ']']).nth(1).unwrap();
            let at = chrono::DateTime::parse_from_str(time, "%d/%b/%Y:%H:%M:%S %z").unwrap().timestamp();
            let machine =
                ["Health", "kube-probe", "UptimeRobot", "http-watch"].iter().any(|name| agent.contains(name));
            let asked = request.split(' ').count() == 3 && !request.contains("/healthz");
            if (start..end).contains(&at) && asked && !machine {
                total += 1;
                failed += u64::from(sizes.trim_start().starts_with('5'));
            }
        }
    }
    let impact = &incident["impact"];
    assert!(number(&impact["affected_requests"]).abs_diff(failed) <= 2, "{failed} of {total}: {impact}");
    assert!(number(&impact["total_requests"]).abs_diff(total) <= 4, "{failed} of {total}: {impact}");
}
