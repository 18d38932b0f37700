//! How often each rule fires on quiet days of real machines, where their logs are at hand (see `corpora`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use logtopsy::explain::facts::DisplayZone;
use logtopsy::model::Offset;
use logtopsy::pipeline::{self, Options, Silent};
use logtopsy::signature::{RuleId, Rules};
use serde_json::Value;

use crate::corpora::corpora;

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
