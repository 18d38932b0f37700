use proptest::prelude::*;

use super::*;
use crate::format::Catalog;
use crate::model::{Dimension, Offset, SourceId, Timestamp};
use crate::signature::{Probes, Rules};
use crate::sniff::Formats;
use crate::survey::{Clock, Limits, Merge, Surveyor, WallZone};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count(u64);

impl Merge for Count {
    fn absorb(&mut self, other: Self) {
        self.0 += other.0;
    }
}

fn count(values: &[u64]) -> Distinct<Count, 8> {
    let mut d: Distinct<Count, 8> = Distinct::default();
    for v in values {
        if let Some(c) = d.entry(super::distinct::hash(&v.to_le_bytes())) {
            c.0 += 1;
        }
    }
    d
}

proptest! {
    #[test]
    fn distinct_counts_merge_exactly(a in prop::collection::vec(0u64..30, 0..60), b in prop::collection::vec(0u64..30, 0..60)) {
        let whole = count(&[a.clone(), b.clone()].concat());
        let mut ab = count(&a);
        ab.absorb(count(&b));
        let mut ba = count(&b);
        ba.absorb(count(&a));
        prop_assert_eq!(&ab, &whole);
        prop_assert_eq!(&ba, &whole);
    }
}

#[test]
fn the_number_of_distinct_values_is_estimated_beyond_the_cap() {
    let mut d: Distinct<Count, 1024> = Distinct::default();
    for v in 0u64..100_000 {
        if let Some(c) = d.entry(super::distinct::hash(&v.to_le_bytes())) {
            c.0 += 1;
        }
    }
    let estimate = d.weight() * d.iter().count() as f64;
    assert!((estimate / 100_000.0 - 1.0).abs() < 0.1, "{estimate}");
}

const LOG: &str = concat!(
    "10.0.0.1 - - [14/May/2023:11:59:58 +0100] \"GET /orders/81 HTTP/1.1\" 200 5 \"-\" \"Firefox\"\n",
    "10.0.0.2 - - [14/May/2023:12:00:03 +0100] \"GET /orders/82 HTTP/1.1\" 502 5 \"-\" \"Firefox\"\n",
    "10.0.0.2 - - [14/May/2023:12:00:04 +0100] \"GET /healthz HTTP/1.1\" 200 5 \"-\" \"kube-probe\"\n",
    "10.0.0.3 - - [14/May/2023:12:00:05 +0100] \"GET / HTTP/1.1\" 503 5 \"-\" \"Firefox\"\n",
    "10.0.0.3 - - [14/May/2023:12:00:06 +0100] \"GET /robots.txt HTTP/1.1\" 200 5 \"-\" \"Firefox\"\n",
    "10.0.0.1 - - [14/May/2023:12:00:09 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"Firefox\"\n",
);

#[test]
fn a_closeup_is_exact() {
    let formats = Formats::new(&Catalog::built_in().unwrap());
    let (probes, rules) = (Probes::built_in().unwrap(), Rules::built_in().unwrap());
    let order = formats.sniff(LOG.as_bytes()).order;
    let at = |s: i64| Timestamp::from_seconds(1_684_062_000 + s);
    let windows = [Window {
        start: at(3),
        end: at(7),
        compare: Some((at(-60), at(3))),
        messages_from: at(0),
        ..Window::default()
    }];
    let mut surveyor = Surveyor::new(&formats, &order, &probes, &rules, Limits::for_sources(1));
    surveyor.lines(0, LOG.as_bytes());
    let tally = surveyor.finish();
    let clock = Clock::new(WallZone::Fixed(Offset(0)));
    let visits = plan(SourceId(0), &tally, &clock, true, &windows, &[]);
    assert_eq!(visits.len(), 1);
    let kit = Kit { formats: &formats, probes: &probes, rules: &rules };
    let subject =
        Subject { source: SourceId(0), name: b"x", order: &order, clock: &clock, edge: true, wanted: &[] };
    let mut inspector = Inspector::new(kit, subject, &windows, &visits[0]);
    inspector.lines(0, LOG.as_bytes());
    let closeup = inspector.finish().0.remove(0);
    assert_eq!(closeup.statuses, [(200, 1), (502, 1), (503, 1)].into());
    assert_eq!(closeup.probes, Part { requests: 1, ..Part::default() });
    assert_eq!(closeup.affected.first.as_ref().unwrap().number, 2);
    assert_eq!(closeup.affected.last.as_ref().unwrap().number, 4);
    assert_eq!(closeup.clients.iter().filter(|(_, c)| c.inside.affected > 0).count(), 2);
    let paths = &closeup.dimensions[&Dimension::Path];
    let orders = paths.iter().find(|(_, t)| t.value.as_ref() == b"/orders/{n}").unwrap().1;
    assert_eq!((orders.inside.affected, orders.outside.requests), (1, 1));
}

#[test]
fn only_blocks_that_overlap_are_read_again() {
    let formats = Formats::new(&Catalog::built_in().unwrap());
    let (probes, rules) = (Probes::built_in().unwrap(), Rules::built_in().unwrap());
    let mut text = String::new();
    for i in 0..20_000 {
        let (h, m, s) = (i / 3600, i / 60 % 60, i % 60);
        let _ = std::fmt::Write::write_fmt(
            &mut text,
            format_args!(
                "10.0.0.1 - - [14/May/2023:{h:02}:{m:02}:{s:02} +0000] \"GET /orders HTTP/1.1\" 200 5 \"-\" \"Firefox\"\n"
            ),
        );
    }
    let order = formats.sniff(text.as_bytes()).order;
    let mut surveyor = Surveyor::new(&formats, &order, &probes, &rules, Limits::for_sources(1));
    surveyor.lines(0, text.as_bytes());
    let tally = surveyor.finish();
    let at = |s: i64| Timestamp::from_seconds(1_684_022_400 + s);
    let window = Window { start: at(10_000), end: at(10_010), messages_from: at(9_000), ..Window::default() };
    let visits = plan(SourceId(0), &tally, &Clock::new(WallZone::Machine), true, &[window], &[]);
    assert_eq!(visits.len(), 1);
    assert!(visits[0].blocks.len() <= 2, "{visits:?}");
    let range = read_range(&visits[0].blocks);
    let first = text.as_bytes().get(..usize::try_from(range.start + 1).unwrap()).unwrap();
    assert_eq!(visits[0].lines_before, memchr::memchr_iter(b'\n', first).count() as u64 + 1);
}
