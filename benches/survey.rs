//! Bytes per second of the path that every line takes.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use logtopsy::format::Catalog;
use logtopsy::signature::{Probes, Rules};
use logtopsy::sniff::Formats;
use logtopsy::survey::{Limits, Surveyor};

#[path = "corpus/mod.rs"]
#[allow(dead_code)]
mod corpus;

use corpus::{Corpus, Kind};

const BYTES: usize = 16 << 20;

fn survey(c: &mut Criterion) {
    let (Ok(catalog), Ok(probes), Ok(rules)) = (Catalog::built_in(), Probes::built_in(), Rules::built_in())
    else {
        return;
    };
    let formats = Formats::new(&catalog);
    let mut group = c.benchmark_group("survey");
    for (name, kind) in [("combined", Kind::Combined), ("json", Kind::Json)] {
        let text = Corpus::new(kind, 7, 20).text(BYTES);
        let order = formats.sniff(text.as_bytes()).order;
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.sample_size(20);
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut surveyor = Surveyor::new(&formats, &order, &probes, &rules, Limits::for_sources(1));
                surveyor.lines(0, black_box(text.as_bytes()));
                surveyor.finish().lines
            });
        });
    }
    group.finish();
}

criterion_group!(benches, survey);
criterion_main!(benches);
