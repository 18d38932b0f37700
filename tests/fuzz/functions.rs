//! What the fuzz targets do with their data. They end with a panic where logtopsy breaks a promise.

#![allow(dead_code, reason = "each target uses one of them")]
#![allow(missing_docs)]

use std::ops::ControlFlow;
use std::sync::LazyLock;

use logtopsy::discover::{Query, discover};
use logtopsy::explain::facts::DisplayZone;
use logtopsy::format::{Catalog, from_option};
use logtopsy::input::{self, Piece, Reader};
use logtopsy::model::{Offset, Timestamp};
use logtopsy::parse::{Fields, LineParser, Scratch};
use logtopsy::pipeline::{self, Options, Silent};
use logtopsy::report::{self, Format, Style};
use logtopsy::sniff::{Formats, trim};

/// How times are typed belongs to the program, not to the library.
#[path = "../../src/cli/time.rs"]
mod time;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::built_in().expect("sound definitions"));
static FORMATS: LazyLock<Formats> = LazyLock::new(|| Formats::new(&CATALOG));
static PARSERS: LazyLock<Vec<LineParser>> = LazyLock::new(|| CATALOG.iter().map(LineParser::new).collect());

/// A line as each format reads it: what is counted agrees with what is read in full.
pub(crate) fn line(data: &[u8]) {
    let line = trim(data.split(|&b| b == b'\n').next().unwrap_or_default());
    let mut scratch = Scratch::default();
    let order = FORMATS.sniff(data).order;
    for &id in order.iter() {
        let one = order.only(id);
        let full = FORMATS.parse(&one, line, &mut scratch).map(|(_, event)| event.stamp);
        let mut fields = Fields::default();
        let counted = FORMATS.count(&one, line, &mut fields, &mut Scratch::default()).map(|_| fields.stamp);
        let name = FORMATS.definition(id).map(|d| d.name.as_str());
        assert_eq!(full, counted, "{name:?} reads and counts differently: {}", String::from_utf8_lossy(line));
    }
}

/// Lines one after the other: each is read as if it stood alone, whatever the parser remembers of those before.
pub(crate) fn lines(data: &[u8]) {
    for parser in PARSERS.iter() {
        let mut scratch = Scratch::default();
        for line in data.split(|&b| b == b'\n').map(trim).take(64) {
            let after_others = parser.parse(line, &mut scratch);
            let alone = parser.parse(line, &mut Scratch::default());
            assert_eq!(after_others, alone, "{}", String::from_utf8_lossy(line));
        }
    }
}

/// The first bytes of a file.
pub(crate) fn sniff(data: &[u8]) {
    let sniffed = FORMATS.sniff(data);
    assert!(sniffed.confidence_percent <= 100);
    let mut ids: Vec<u16> = sniffed.order.iter().map(|id| id.0).collect();
    assert_eq!(ids.len(), CATALOG.iter().count(), "every format is tried");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), sniffed.order.len(), "and once");
}

/// A format string in the first line, log lines after it.
pub(crate) fn log_format(data: &[u8]) {
    let mut lines = data.split(|&b| b == b'\n');
    let Ok(format) = std::str::from_utf8(lines.next().unwrap_or_default()) else { return };
    let Ok(definition) = from_option(format, &CATALOG) else { return };
    let parser = LineParser::new(&definition);
    let mut scratch = Scratch::default();
    for line in lines {
        let _ = parser.parse(trim(line), &mut scratch);
    }
}

/// A time or zone as it is typed.
pub(crate) fn time_spec(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let today = chrono::NaiveDate::from_ymd_opt(2024, 3, 5).expect("a date");
    for line in text.lines() {
        if let Ok(when) = time::when(line) {
            let _ = when.resolve(Timestamp::from_seconds(1_709_632_800), today);
        }
        if let Ok(DisplayZone::Fixed(offset)) = time::zone(line) {
            assert!(offset.0.abs() < 15 * 3600, "{line}");
        }
    }
}

/// A file of any packing: the same lines come out for any size of buffer, without gaps.
pub(crate) fn decode(data: &[u8]) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("file");
    std::fs::write(&path, data).expect("a file");
    let query = Query { paths: vec![path], ..Query::default() };
    let discovery = discover(&query).expect("no globs");
    let Some(source) = discovery.sources.first() else { return };
    let Ok(opened) = input::open(source) else { return };
    let read = |buffer: usize| {
        let (mut lines, mut next) = (Vec::new(), 0);
        let outcome = Reader::new(buffer).read(&opened, 0..u64::MAX, &mut |_| {}, &mut |piece| {
            let (offset, length) = match piece {
                Piece::Lines { offset, bytes } => {
                    assert!(!bytes.is_empty());
                    let mut at = offset;
                    for line in bytes.split_inclusive(|&b| b == b'\n') {
                        lines.push((at, line.to_vec()));
                        at += line.len() as u64;
                    }
                    (offset, bytes.len() as u64)
                }
                Piece::OverLong { offset, length } => (offset, length),
            };
            assert!(offset >= next, "pieces overlap");
            next = offset + length;
            ControlFlow::Continue(())
        });
        assert!(next <= outcome.bytes);
        (lines, outcome)
    };
    let whole = read(1 << 20);
    for buffer in [64, 4097] {
        let (lines, outcome) = read(buffer);
        assert_eq!(whole.1, outcome, "it ends differently with {buffer} bytes at a time");
        assert_eq!(whole.0.len(), lines.len(), "other lines come with {buffer} bytes at a time");
        let differing = whole.0.iter().zip(&lines).find(|(a, b)| a != b).map(|(a, b)| {
            let same = a.1.iter().zip(&b.1).take_while(|(a, b)| a == b).count();
            (a.0, a.1.len(), b.1.len(), same, a.1.get(same..same + 20), b.1.get(same..same + 20))
        });
        assert_eq!(differing, None, "a line differs with {buffer} bytes at a time");
    }
}

/// Files, parted by lines of `====`, from end to end: every line is accounted for, nothing harmful gets out, and a
/// second run with tiny buffers says the same.
pub(crate) fn end_to_end(data: &[u8]) {
    let directory = tempfile::tempdir().expect("a directory");
    for (n, content) in parts(data).into_iter().enumerate() {
        std::fs::write(directory.path().join(format!("{n}.log")), content).expect("a file");
    }
    let mut options = Options { assume_zone: Some(DisplayZone::Fixed(Offset(3600))), ..Options::default() };
    options.query.paths = vec![directory.path().into()];
    let Ok(report) = pipeline::analyse(&options, &Silent) else { return };
    for input in &report.inputs {
        let known = input.records + input.continuation_lines + input.skipped.values().sum::<u64>();
        assert_eq!(input.lines, known, "every line is accounted for");
    }
    let rendered = render(&report);
    options.buffer = Some(64);
    options.jobs = Some(1);
    let again = pipeline::analyse(&options, &Silent).expect("it could be read before");
    assert_eq!(rendered, render(&again), "the report depends on the size of the buffer");
}

fn parts(data: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    for line in data.split_inclusive(|&b| b == b'\n').take(100_000) {
        match parts.last_mut() {
            Some(part) if line != b"====\n" => part.extend_from_slice(line),
            _ => parts.push(Vec::new()),
        }
    }
    parts
}

fn render(report: &logtopsy::explain::facts::Report) -> Vec<String> {
    let style =
        Style { generated_at: Timestamp::from_seconds(0), colour: false, width: Some(80), verbose: 2 };
    let render = |format| {
        let mut out = Vec::new();
        report::render(report, format, &style, &mut out).expect("a vector takes everything");
        let text = String::from_utf8(out).expect("reports are UTF-8").replace("\r\n", "\n");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "a control character got out");
        text
    };
    let all: Vec<String> = [Format::Text, Format::Markdown, Format::Json, Format::Csv, Format::Html]
        .into_iter()
        .map(render)
        .collect();
    let json: serde_json::Value = serde_json::from_str(&all[2]).expect("JSON");
    assert!(json["incidents"].is_array());
    all
}
