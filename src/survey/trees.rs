//! Real `/var/log` trees and other people's log lines, where they are at hand: how much of them is read.
//!
//! They lie beside the project, or where `LOGTOPSY_CORPORA` says; none of their lines may be copied here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Limits, Reason, Surveyor, Tally};
use crate::discover::{Query, discover};
use crate::format::Catalog;
use crate::input::{self, Piece, Reader};
use crate::parse::Scratch;
use crate::signature::{Probes, Rules};
use crate::sniff::{Formats, lines};

/// Lines that become records or continue one, of those that are not blank.
const FLOOR_PERCENT: f64 = 99.5;

fn corpora() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let path = std::env::var_os("LOGTOPSY_CORPORA").map_or_else(beside, PathBuf::from);
    if !path.is_dir() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// What the survey counts in a file.
fn survey(formats: &Formats, source: &crate::discover::Source, tools: &(Probes, Rules)) -> Tally {
    let opened = input::open(source).unwrap();
    let mut text = Vec::new();
    Reader::new(1 << 20).read(&opened, 0..u64::MAX, &mut |_| {}, &mut |piece| {
        if let Piece::Lines { bytes, .. } = piece {
            text.extend_from_slice(bytes);
        }
        std::ops::ControlFlow::Continue(())
    });
    let sniffed = formats.sniff(&text);
    let mut surveyor = Surveyor::new(formats, &sniffed.order, &tools.0, &tools.1, Limits::for_sources(1));
    surveyor.lines(0, &text);
    let mut tally = surveyor.finish();
    tally.settle();
    tally
}

/// Reads all logs under `folder`, prints what was read and by which format, and gives the share of lines in percent.
fn share_read(folder: &Path) -> f64 {
    let formats = Formats::new(&Catalog::built_in().unwrap());
    let tools = (Probes::built_in().unwrap(), Rules::built_in().unwrap());
    let query = Query { paths: vec![folder.to_owned()], ..Query::default() };
    let (mut read, mut all) = (0, 0);
    let mut by_format: BTreeMap<String, u64> = BTreeMap::new();
    for source in &discover(&query).unwrap().sources {
        let tally = survey(&formats, source, &tools);
        let blank = tally.skipped.get(&Reason::Blank).copied().unwrap_or(0);
        all += tally.lines - blank;
        read += tally.record_count() + tally.continuation;
        for (id, n) in &tally.records {
            *by_format.entry(formats.definition(*id).unwrap().name.clone()).or_default() += n;
        }
        let lost: u64 = tally.skipped.iter().filter(|(r, _)| **r != Reason::Blank).map(|(_, n)| n).sum();
        if lost > 0 {
            let name = String::from_utf8_lossy(source.name.raw()).into_owned();
            println!("  {name}: {lost} of {} lines: {:?}", tally.lines, tally.skipped);
        }
    }
    let percent = 100.0 * read as f64 / all as f64;
    println!("{}: {read} of {all} lines, {percent:.3} %: {by_format:?}", folder.display());
    percent
}

#[test]
fn nearly_every_line_of_real_trees_is_read() {
    let Some(corpora) = corpora() else { return };
    let mut hosts: Vec<PathBuf> =
        std::fs::read_dir(corpora.join("hosts")).unwrap().map(|e| e.unwrap().path()).collect();
    hosts.sort();
    hosts.push(corpora.join("loghub"));
    for folder in hosts {
        let percent = share_read(&folder);
        assert!(percent >= FLOOR_PERCENT, "{}: {percent:.3} %", folder.display());
    }
}

/// Kinds of rows that are requests, which have a test of their own.
const WEB: &[&str] = &[
    "apache",
    "nginx",
    "haproxy",
    "traefik",
    "iis",
    "vrl.alb",
    "vrl.common",
    "vrl.apache",
    "vrl.nginx",
    "lnav.elb",
    "lnav.alb",
    "lnav.access",
    "lnav.haproxy",
    "lnav.s3",
    "logstash.haproxy",
    "logstash.httpd",
    "logstash.aws",
];
/// Rows of which the time is read as their authors expect it.
const TIMES_PERCENT: f64 = 94.0;

/// Whether a line is read with the time that its authors expect, by the conventions of the corpora's README.
fn has_time(formats: &Formats, raw: &str, expected: chrono::DateTime<chrono::FixedOffset>) -> bool {
    let sniffed = formats.sniff(raw.as_bytes());
    let mut scratch = Scratch::default();
    let stamps = lines(raw.as_bytes())
        .filter_map(|line| formats.parse(&sniffed.order, line, &mut scratch).ok()?.1.stamp)
        .take(3)
        .collect::<Vec<_>>();
    let near = |at: i64| (at - expected.timestamp_micros()).abs() <= 1_000;
    let of_day = |t: chrono::NaiveDateTime| t.format("%m-%dT%H:%M:%S").to_string();
    stamps.iter().any(|stamp| {
        let at = stamp.at.micros();
        if stamp.offset.is_some() {
            return near(at);
        }
        let wall = chrono::DateTime::from_timestamp_micros(at).unwrap().naive_utc();
        // without a zone: UTC, or two hours behind it; without a year: whichever
        near(at)
            || near(at + 2 * 3_600_000_000)
            || of_day(wall) == of_day(expected.naive_utc())
            || of_day(wall) == of_day(expected.naive_local())
    })
}

#[test]
fn other_people_s_lines_have_the_times_that_they_expect() {
    let Some(corpora) = corpora() else { return };
    let formats = Formats::new(&Catalog::built_in().unwrap());
    let text = std::fs::read_to_string(corpora.join("parser-cases.jsonl")).unwrap();
    let mut kinds: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for row in text.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let kind = row["kind"].as_str().unwrap();
        let Some(time) = row["expect"]["ts"].as_str().filter(|_| !WEB.iter().any(|w| kind.starts_with(w)))
        else {
            continue;
        };
        let Ok(time) = chrono::DateTime::parse_from_rfc3339(time) else { continue };
        // a millisecond past the epoch says that its authors expect none
        if time.timestamp() < 10 && time.timestamp() >= 0 {
            continue;
        }
        let seen = kinds.entry(kind.to_owned()).or_default();
        seen.0 += u32::from(has_time(&formats, row["raw"].as_str().unwrap(), time));
        seen.1 += 1;
    }
    let (right, all) = kinds.values().fold((0, 0), |sum, k| (sum.0 + k.0, sum.1 + k.1));
    for (kind, (right, all)) in kinds.iter().filter(|(_, n)| n.0 < n.1) {
        println!("  {kind}: {right} of {all}");
    }
    let percent = 100.0 * f64::from(right) / f64::from(all);
    println!("times: {right} of {all} rows, {percent:.2} %");
    assert!(percent >= TIMES_PERCENT, "{percent:.2} %");
}
