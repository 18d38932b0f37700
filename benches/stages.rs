//! Each stage on its own, over corpora from a seed: bytes per second where it reads lines, else time per run.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up ends there")]

use std::hint::black_box;
use std::io::Write as _;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use logtopsy::detect::{Sensitivity, find_errors, find_latency, find_traffic};
use logtopsy::discover::{Query, discover};
use logtopsy::format::{Catalog, from_option};
use logtopsy::input::{self, Reader};
use logtopsy::inspect::{Inspector, Kit, Subject, Visit, Window};
use logtopsy::model::{Offset, SourceId, Timestamp};
use logtopsy::parse::{Fields, LineParser, Projection, Quotes, Scratch};
use logtopsy::pipeline::{self, Options, Silent};
use logtopsy::report::{Format, Style, render};
use logtopsy::signature::{Probes, Rules};
use logtopsy::sniff::{Formats, lines};
use logtopsy::survey::{Clock, Limits, Surveyor, Tally, WallZone, latency_series, series};

#[path = "corpus/mod.rs"]
#[allow(dead_code, reason = "the corpus program uses the rest")]
mod corpus;

use corpus::{Corpus, Kind, TIMED};

const BYTES: usize = 16 << 20;
const SEED: u64 = 7;

/// What the stages share, compiled once.
struct Tools {
    formats: Formats,
    probes: Probes,
    rules: Rules,
}

impl Tools {
    fn new(kind: Kind) -> Self {
        let catalog = Catalog::built_in().unwrap();
        let formats = match kind {
            Kind::Timed | Kind::Month => Formats::only(&from_option(TIMED, &catalog).unwrap()),
            _ => Formats::new(&catalog),
        };
        Self { formats, probes: Probes::built_in().unwrap(), rules: Rules::built_in().unwrap() }
    }

    fn survey(&self, text: &str) -> Tally {
        let order = self.formats.sniff(text.as_bytes()).order;
        let mut surveyor =
            Surveyor::new(&self.formats, &order, &self.probes, &self.rules, Limits::for_sources(1));
        surveyor.lines(0, text.as_bytes());
        surveyor.finish()
    }
}

/// A corpus that spans a day, or a month.
fn text(kind: Kind) -> String {
    Corpus::new(kind, SEED, BYTES).text(BYTES)
}

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan");
    let text = text(Kind::Combined);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    for (name, bytes) in [("plain", text.as_bytes()), ("gzip", packed.finish().unwrap().as_slice())] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("access.log"), bytes).unwrap();
        let found = discover(&Query { paths: vec![folder.path().into()], ..Query::default() }).unwrap();
        let opened = input::open(found.sources.first().unwrap()).unwrap();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            let mut reader = Reader::default();
            b.iter(|| {
                let mut seen = 0;
                reader.read(&opened, 0..u64::MAX, &mut |n| seen += n, &mut |piece| {
                    black_box(piece);
                    ControlFlow::Continue(())
                });
                seen
            });
        });
    }
    group.finish();
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    group.sample_size(20);
    for (name, kind) in Kind::ALL {
        let tools = Tools::new(kind);
        let text = text(kind);
        let best = tools.formats.sniff(text.as_bytes()).order.first().copied().unwrap();
        let parser = LineParser::projected(tools.formats.definition(best).unwrap(), Projection::Counts);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            let mut scratch = Scratch::default();
            b.iter(|| {
                let mut fields = Fields::default();
                let accepted = |line| parser.fill(line, Quotes::UNKNOWN, &mut fields, &mut scratch).is_ok();
                lines(black_box(text.as_bytes())).map(accepted).filter(|&is| is).count()
            });
        });
    }
    group.finish();
}

fn survey(c: &mut Criterion) {
    let mut group = c.benchmark_group("survey");
    group.sample_size(20);
    for (name, kind) in Kind::ALL {
        let tools = Tools::new(kind);
        let text = text(kind);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| b.iter(|| tools.survey(black_box(&text)).lines));
    }
    group.finish();
}

fn detect(c: &mut Criterion) {
    let tools = Tools::new(Kind::Timed);
    let tally = tools.survey(&text(Kind::Timed));
    let part = [(&tally, Clock::new(WallZone::Fixed(Offset(0))))];
    let whole = i64::MIN / 4..i64::MAX / 4;
    let requests = series(&part, Limits::merged(), whole.clone()).series;
    let latencies = latency_series(&part, Limits::merged(), whole);
    let mut group = c.benchmark_group("detect");
    group.sample_size(20);
    let normal = Sensitivity::default();
    group.bench_function("errors", |b| b.iter(|| find_errors(black_box(&requests), 1, normal)));
    group.bench_function("latency", |b| b.iter(|| find_latency(black_box(&latencies), 1, normal)));
    group.bench_function("traffic", |b| b.iter(|| find_traffic(black_box(&requests), 1, normal)));
    group.finish();
}

fn inspect(c: &mut Criterion) {
    let tools = Tools::new(Kind::Combined);
    let text = text(Kind::Combined);
    let order = tools.formats.sniff(text.as_bytes()).order;
    let kit = Kit { formats: &tools.formats, probes: &tools.probes, rules: &tools.rules };
    let clock = Clock::new(WallZone::Fixed(Offset(0)));
    let subject = Subject {
        source: SourceId(0),
        name: b"access.log",
        order: &order,
        clock: &clock,
        edge: true,
        wanted: &[],
    };
    // every line is of the window
    let window = Window {
        start: Timestamp::from_seconds(0),
        end: Timestamp::from_seconds(4_000_000_000),
        ..Window::default()
    };
    let visit = Visit { source: SourceId(0), blocks: 0..u32::MAX, lines_before: 0 };
    let mut group = c.benchmark_group("inspect");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("combined", |b| {
        b.iter(|| {
            let mut inspector = Inspector::new(kit, subject, std::slice::from_ref(&window), &visit);
            inspector.lines(0, black_box(text.as_bytes()));
            inspector.finish()
        });
    });
    group.finish();
}

fn report(c: &mut Criterion) {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs/bad-gateway");
    let query = Query { paths: vec![sample.into()], ..Query::default() };
    let report = pipeline::analyse(&Options { query, ..Options::default() }, &Silent).unwrap();
    let style =
        Style { generated_at: Timestamp::from_seconds(0), colour: false, width: Some(120), verbose: 2 };
    let mut group = c.benchmark_group("report");
    for (name, format) in [
        ("text", Format::Text),
        ("json", Format::Json),
        ("markdown", Format::Markdown),
        ("html", Format::Html),
        ("csv", Format::Csv),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut out = Vec::new();
                render(black_box(&report), format, &style, &mut out).unwrap();
                out
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scan, parse, survey, detect, inspect, report);
criterion_main!(benches);
