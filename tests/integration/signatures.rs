//! How often each rule fires on quiet days of real machines, where their logs are at hand (see `corpora`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use logtopsy::explain::facts::DisplayZone;
use logtopsy::model::Offset;
use logtopsy::pipeline::{self, Options, Silent};
use logtopsy::signature::{RuleId, Rules};
use serde_json::Value;

use crate::corpora::corpora;
use crate::support::{float, root, sample_report, the_incident};

/// Day → rule → times and texts of what it fires on. One line in several logs is one.
type Days = BTreeMap<String, BTreeMap<RuleId, BTreeSet<(String, String)>>>;

/// What fires in a tree, on days on which its syslog was written: older ones are known by their packages only.
fn fired(rules: &Rules, tree: &Path) -> Days {
    let mut options = Options { assume_zone: Some(DisplayZone::Fixed(Offset(0))), ..Options::default() };
    options.query.paths = vec![tree.to_path_buf()];
    let mut out = Vec::new();
    pipeline::records(&options, false, &mut out, &Silent).unwrap();
    let mut days = Days::new();
    let mut written = BTreeSet::new();
    for line in out.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let record: Value = serde_json::from_slice(line).unwrap();
        let (Some(time), Some(message)) = (record["time"].as_str(), record["message"].as_str()) else {
            continue;
        };
        let day = time[..10].to_owned();
        if record["format"].as_str().is_some_and(|format| format.starts_with("syslog")) {
            written.insert(day.clone());
        }
        // the survey sees the first line of a message
        let first = message.lines().next().unwrap_or_default();
        if let Some(rule) = rules.find(first.as_bytes(), record["component"].as_str().map(str::as_bytes)) {
            let text = first.chars().take(300).collect();
            days.entry(day).or_default().entry(rule).or_default().insert((time[..19].to_owned(), text));
        }
    }
    for day in &written {
        days.entry(day.clone()).or_default();
    }
    days.retain(|day, _| written.contains(day));
    days
}

/// Nine days of ten are quiet: the count that one in ten exceeds.
fn on_a_quiet_day(counts: &mut [usize]) -> usize {
    counts.sort_unstable();
    counts.get((counts.len().saturating_sub(1)) * 9 / 10).copied().unwrap_or(0)
}

#[test]
fn no_rule_fires_on_quiet_days_more_than_it_says() {
    let Some(corpora) = corpora() else { return };
    let rules = Rules::built_in().unwrap();
    let mut trees: Vec<_> =
        std::fs::read_dir(corpora.join("hosts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    trees.sort();
    let mut loud = Vec::new();
    println!("{:<28}{:<26}{:>6}{:>8}{:>8}{:>8}", "tree", "rule", "days", "quiet", "most", "says");
    for tree in trees {
        let days = fired(&rules, &tree);
        let name = tree.file_name().unwrap().to_string_lossy().into_owned();
        for (id, rule) in rules.iter() {
            let mut counts: Vec<usize> =
                days.values().map(|fired| fired.get(&id).map_or(0, BTreeSet::len)).collect();
            let most = counts.iter().max().copied().unwrap_or(0);
            if most == 0 {
                continue;
            }
            let quiet = on_a_quiet_day(&mut counts);
            let says = rule.usual_per_day();
            println!("{name:<28}{:<26}{:>6}{quiet:>8}{most:>8}{says:>8}", rule.id, days.len());
            if quiet > says as usize {
                loud.push(format!("{name}: {} fires {quiet} times, it says {says}", rule.id));
            }
        }
    }
    assert_eq!(loud, Vec::<String>::new());
}

/// What the suspects of a sample say, likeliest first.
fn suspects(sample: &str) -> Vec<String> {
    let report = sample_report(&root().join("sample-logs").join(sample));
    let rows = the_incident(&report)["suspects"].as_array().unwrap().clone();
    rows.iter().map(|row| row["summary"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_port_that_was_taken_and_the_packages_before_are_suspected_first() {
    let found = suspects("bad-gateway");
    let among = |text: &str| found.iter().take(3).any(|told| told.contains(text));
    assert!(among("could not bind to address"), "{found:#?}");
    assert!(among("shop:all 1.8.2 2.0.0") && among("apache2 libapache2-mod-wsgi-py3"), "{found:#?}");
    assert!(!found.iter().any(|told| told.contains("Connection refused")), "{found:#?}");
}

#[test]
fn the_upgrade_is_suspected_before_the_reload_that_put_it_into_effect() {
    let found = suspects("web-01");
    assert!(found[0].contains("python3-shopsession:all 1.4.2 1.5.0"), "{found:#?}");
    let report = sample_report(&root().join("sample-logs/web-01"));
    let span = float(&the_incident(&report)["change_to_recovery_seconds"]);
    assert!((span - 2_208.0).abs() < 1.0, "{span}");
}

#[test]
fn the_reload_of_the_silent_server_is_suspected_first() {
    let found = suspects("one-of-two");
    assert!(found[0].contains("/usr/sbin/nginx -s reload"), "{found:#?}");
    let report = sample_report(&root().join("sample-logs/one-of-two"));
    let place = &the_incident(&report)["suspects"][0]["source"]["path"];
    assert!(place.as_str().unwrap().contains("web-02"), "{place}");
}

#[test]
fn an_upgrade_of_several_hosts_is_suspected_where_it_began() {
    for (sample, first) in [("full-outage", "www-01"), ("upgrade-500", "app-01")] {
        let report = sample_report(&root().join("sample-logs").join(sample));
        let suspect = &the_incident(&report)["suspects"][0];
        assert!(suspect["summary"].as_str().unwrap().contains(": upgrade python3-"), "{suspect}");
        assert!(suspect["source"]["path"].as_str().unwrap().contains(first), "{suspect}");
    }
}
