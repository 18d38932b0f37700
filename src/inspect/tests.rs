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
fn where_requests_are_gathered_no_message_is() {
    let at = Timestamp::from_seconds;
    for (watch, gathered) in
        [(Watch::Requests, false), (Watch::Paces, false), (Watch::Failures { gave_up: false }, true)]
    {
        let window = Window { watch, start: at(10), end: at(20), ..Window::default() };
        assert_eq!(window.wants_message(at(15)), gathered, "{watch:?}");
    }
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

/// What one window makes of a log whose first line is number `before` + 1.
fn looked(log: &str, before: u64, window: &Window) -> Closeup {
    let formats = Formats::new(&Catalog::built_in().unwrap());
    let (probes, rules) = (Probes::built_in().unwrap(), Rules::built_in().unwrap());
    let order = formats.sniff(TIMED.as_bytes()).order;
    let clock = Clock::new(WallZone::Fixed(Offset(0)));
    let kit = Kit { formats: &formats, probes: &probes, rules: &rules };
    let subject = Subject {
        source: SourceId(0),
        name: b"web-02",
        order: &order,
        clock: &clock,
        edge: true,
        wanted: &[],
    };
    let visit = Visit { source: SourceId(0), blocks: 0..1, lines_before: before };
    let mut inspector = Inspector::new(kit, subject, std::slice::from_ref(window), &visit);
    inspector.lines(before * 1000, log.as_bytes());
    inspector.finish().0.remove(0)
}

const TIMED: &str = concat!(
    r#"{"time":"2023-05-14T11:59:57+00:00","remote_addr":"10.0.0.1","request_method":"GET","request_uri":"/a","status":200,"request_time":"0.050"}"#,
    "\n",
    r#"{"time":"2023-05-14T11:59:58+00:00","remote_addr":"10.0.0.2","request_method":"GET","request_uri":"/b","status":200,"request_time":"0.150"}"#,
    "\n",
    r#"{"time":"2023-05-14T12:00:03+00:00","remote_addr":"10.0.0.2","request_method":"GET","request_uri":"/a","status":200,"request_time":"0.400"}"#,
    "\n",
    r#"{"time":"2023-05-14T12:00:04+00:00","remote_addr":"10.0.0.3","request_method":"GET","request_uri":"/b","status":200,"request_time":"0.300"}"#,
    "\n",
    r#"{"time":"2023-05-14T12:00:05+00:00","remote_addr":"10.0.0.3","request_method":"GET","request_uri":"/a","status":504,"request_time":"9.000"}"#,
    "\n",
    r#"{"time":"2023-05-14T12:00:06+00:00","remote_addr":"10.0.0.4","request_method":"GET","request_uri":"/a","status":499,"request_time":"0.020"}"#,
    "\n",
    r#"{"time":"2023-05-14T12:00:09+00:00","remote_addr":"10.0.0.1","request_method":"GET","request_uri":"/a","status":200,"request_time":"0.040"}"#,
    "\n",
);

fn timed(watch: Watch) -> Window {
    let at = |s: i64| Timestamp::from_seconds(1_684_065_600 + s);
    Window {
        start: at(3),
        end: at(7),
        compare: Some((at(-60), at(3))),
        messages_from: at(0),
        watch,
        slow_us: Some(100_000),
        ..Window::default()
    }
}

/// (number of the first, of the last) affected line.
fn edges(closeup: &Closeup) -> (Option<u64>, Option<u64>) {
    let number = |line: &Option<Line>| line.as_ref().map(|l| l.number);
    (number(&closeup.affected.first), number(&closeup.affected.last))
}

#[test]
fn slow_are_those_over_the_threshold_that_did_not_fail() {
    let closeup = looked(TIMED, 0, &timed(Watch::Slow));
    assert_eq!(edges(&closeup), (Some(3), Some(4)));
    let Tone { inside, paced_inside, paced_outside, .. } = closeup.total;
    assert_eq!((inside.requests, inside.affected), (4, 2));
    assert_eq!((paced_inside.requests, paced_inside.affected), (3, 2));
    assert_eq!((paced_outside.requests, paced_outside.affected), (2, 1));
    // of one path alone
    let place = Some((Dimension::Path, b"/b"[..].into()));
    let closeup = looked(TIMED, 0, &Window { place, ..timed(Watch::Slow) });
    assert_eq!(edges(&closeup), (Some(4), Some(4)));
    assert_eq!((closeup.total.inside.affected, closeup.total.inside.within), (2, 1));
}

#[test]
fn what_is_slow_may_depend_on_what_was_asked() {
    let everything = Watch::Paces;
    let Window { start, end, compare, .. } = timed(everything);
    let paced = Paced { beside: vec![compare.unwrap()], inside: vec![(start, end)], ..Paced::default() };
    let window = Window { paced, ..timed(everything) };
    let of_place = looked(TIMED, 0, &window).paces.place;
    let kind_of_b = of_place.inside.iter().find(|(_, p)| p.latency_us == 300_000).unwrap().1.kind;
    // what failed tells nothing
    assert_eq!((of_place.beside.iter().count(), of_place.inside.iter().count()), (2, 3));
    let slow_kinds = Some(SlowKinds { by_kind: [(kind_of_b, 400_000)].into(), others: 10_000 });
    let closeup = looked(TIMED, 0, &Window { slow_kinds, ..timed(Watch::Slow) });
    let Tone { paced_inside, paced_outside, .. } = closeup.total;
    assert_eq!((paced_inside.affected, paced_outside.affected), (2, 1));
    // lines are still told by one threshold
    assert_eq!(edges(&closeup), (Some(3), Some(4)));
}

#[test]
fn single_requests_are_gathered_where_they_are_asked_for() {
    let at = |s: i64| Timestamp::from_seconds(1_684_065_600 + s);
    let place = Some((Dimension::Path, b"/a"[..].into()));
    let beside = vec![(at(-9), at(0))];
    let paced = Paced {
        beside,
        inside: vec![(at(3), at(7))],
        edges: [(at(-3), at(4)), (at(4), at(10))],
        ..Paced::default()
    };
    let closeup = looked(TIMED, 0, &Window { place, paced, ..timed(Watch::Paces) });
    let latencies = |sample: Vec<u64>| {
        let mut sample = sample;
        sample.sort_unstable();
        sample
    };
    macro_rules! of {
        ($sample:expr) => {
            latencies($sample.iter().map(|(_, pace)| pace.latency_us).collect())
        };
    }
    let Paces { place, rest, edges: [start, end] } = &closeup.paces;
    assert_eq!((of!(place.beside), of!(place.inside)), (vec![50_000], vec![20_000, 400_000]));
    assert_eq!((of!(rest.beside), of!(rest.inside)), (vec![150_000], vec![300_000]));
    assert_eq!((of!(start), of!(end)), (vec![50_000, 400_000], vec![20_000, 40_000]));
    assert_eq!(closeup.total, Tone::default());
}

#[test]
fn around_an_end_those_under_way_may_be_all_that_is_asked_for() {
    let at = |s: i64| Timestamp::from_seconds(1_684_065_600 + s);
    let gathered = |from: Timestamp, until: Timestamp| {
        let edges = [(at(0), at(0)), (at(-3), at(10))];
        let paced = Paced { edges, under_way: Some((from, until)), ..Paced::default() };
        let closeup = looked(TIMED, 0, &Window { paced, ..timed(Watch::Paces) });
        let mut found: Vec<u64> = closeup.paces.edges[1].iter().map(|(_, pace)| pace.latency_us).collect();
        found.sort_unstable();
        found
    };
    let ms = |s: i64, ms: i64| Timestamp::from_micros(at(s).micros() + ms * 1000);
    // what arrives at 2.6 s and at 3.7 s ends at 3 s and at 4 s
    assert_eq!(gathered(at(3), at(5)), [300_000, 400_000]);
    assert_eq!(gathered(at(3), ms(3, 650)), [400_000]);
    assert_eq!(gathered(at(4), ms(3, 750)), [300_000]);
    assert!(gathered(at(4), ms(3, 650)).is_empty());
}

#[test]
fn the_first_and_the_last_slow_line_may_be_known() {
    // the lines of the fourth and of the sixth request
    let offset = |line: usize| TIMED.split_inclusive('\n').take(line).map(|l| l.len() as u64).sum::<u64>();
    let named = Some([(SourceId(0), offset(3)), (SourceId(0), offset(5))]);
    let closeup = looked(TIMED, 0, &Window { named, ..timed(Watch::Slow) });
    assert_eq!(edges(&closeup), (Some(4), Some(6)));
}

#[test]
fn clients_that_gave_up_are_affected_when_told_so() {
    assert_eq!(edges(&looked(TIMED, 0, &timed(Watch::Failures { gave_up: false }))), (Some(5), Some(5)));
    let closeup = looked(TIMED, 0, &timed(Watch::Failures { gave_up: true }));
    assert_eq!(edges(&closeup), (Some(5), Some(6)));
    assert_eq!(closeup.within, [(499, 1), (504, 1)].into());
}

#[test]
fn a_silence_is_bordered_by_the_requests_around_it() {
    let closeup = looked(TIMED, 0, &timed(Watch::Missing));
    assert_eq!(edges(&closeup), (None, None));
    let number = |line: &Option<Line>| line.as_ref().map(|l| l.number);
    assert_eq!((number(&closeup.around.before), number(&closeup.around.after)), (Some(2), Some(7)));
    let place = Some((Dimension::Source, b"web-01"[..].into()));
    let other = looked(TIMED, 0, &Window { place, ..timed(Watch::Missing) });
    assert_eq!(other.around, Around::default());
}

#[test]
fn of_a_log_without_requests_severe_messages_are_affected() {
    let log = "2023-05-14T12:00:01Z ERROR early\n2023-05-14T12:00:04Z ERROR first\n2023-05-14T12:00:05Z INFO fine\n\
               2023-05-14T12:00:06Z ERROR last\n";
    let formats = Formats::new(&Catalog::built_in().unwrap());
    let order = formats.sniff(log.as_bytes()).order;
    let (probes, rules) = (Probes::built_in().unwrap(), Rules::built_in().unwrap());
    let clock = Clock::new(WallZone::Fixed(Offset(0)));
    let kit = Kit { formats: &formats, probes: &probes, rules: &rules };
    let subject = Subject {
        source: SourceId(0),
        name: b"app.log",
        order: &order,
        clock: &clock,
        edge: false,
        wanted: &[],
    };
    let visit = Visit { source: SourceId(0), blocks: 0..1, lines_before: 0 };
    let window = Window { place: Some((Dimension::Source, b"app.log"[..].into())), ..timed(Watch::Messages) };
    let mut inspector = Inspector::new(kit, subject, std::slice::from_ref(&window), &visit);
    inspector.lines(0, log.as_bytes());
    assert_eq!(edges(&inspector.finish().0.remove(0)), (Some(2), Some(4)));
}

#[test]
fn closeups_of_parts_merge_to_the_closeup_of_the_whole() {
    let lines: Vec<&str> = TIMED.split_inclusive('\n').collect();
    for watch in [Watch::Slow, Watch::Missing, Watch::Failures { gave_up: true }] {
        let window = Window { place: Some((Dimension::Path, b"/a"[..].into())), ..timed(watch) };
        let parts: Vec<Closeup> =
            lines.iter().zip(0u64..).map(|(line, number)| looked(line, number, &window)).collect();
        let merged = |order: &[usize]| {
            let mut all = Closeup::default();
            for &at in order {
                all.absorb(parts[at].clone());
            }
            all
        };
        let whole = merged(&[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(merged(&[6, 2, 4, 0, 5, 1, 3]), whole);
        assert_eq!(merged(&[3, 6, 5, 4, 2, 1, 0]), whole);
        // grouped otherwise, with an empty one among them
        let (mut left, mut right) = (merged(&[0, 1, 2]), merged(&[3, 4, 5, 6]));
        right.absorb(Closeup::default());
        left.absorb(right);
        assert_eq!(left, whole);
        let mut read_at_once = looked(TIMED, 0, &window);
        // offsets of lines differ: the parts were given made-up ones
        for line in [&mut read_at_once.affected.first, &mut read_at_once.affected.last].into_iter().flatten()
        {
            line.offset = (line.number - 1) * 1000;
        }
        for line in [&mut read_at_once.around.before, &mut read_at_once.around.after].into_iter().flatten() {
            line.offset = (line.number - 1) * 1000;
        }
        assert_eq!(read_at_once, whole);
    }
}

#[test]
fn paces_of_parts_merge_to_those_of_the_whole() {
    let offset = |line: usize| TIMED.split_inclusive('\n').take(line).map(|l| l.len() as u64).sum::<u64>();
    let pace = |line: usize, latency_us| Pace { offset: offset(line), latency_us, ..Pace::default() };
    let paces = |lines: &[usize]| {
        let mut paces = Paces::default();
        for &line in lines {
            paces.see(
                pace(line, 7 + line as u64),
                line % 2 == 0,
                (line < 4, line > 2),
                [line == 1, line == 2],
            );
        }
        paces
    };
    let whole = paces(&[0, 1, 2, 3, 4, 5, 6]);
    for (a, b) in [(&[0, 3, 5][..], &[1, 2, 4, 6][..]), (&[6, 5, 4, 3][..], &[2, 1, 0][..])] {
        let mut merged = paces(a);
        merged.absorb(paces(b));
        assert_eq!(merged, whole);
    }
}

#[test]
fn messages_that_no_rule_knows_are_counted_by_template() {
    let log = "2023-05-14 12:00:04,000 ERROR shop.cart: flux of basket 17 ran dry\n\
               2023-05-14 12:00:05,000 ERROR shop.cart: flux of basket 4711 ran dry\n\
               2023-05-14 12:00:06,000 INFO shop.cart: basket 4711 was filled\n";
    let closeup = looked(log, 0, &timed(Watch::Failures { gave_up: false }));
    let tones: Vec<_> = closeup.templates.iter().map(|(_, tone)| tone).collect();
    assert_eq!(tones.len(), 1, "{tones:?}");
    assert_eq!((tones[0].inside, tones[0].outside), (2, 0));
    assert_eq!(tones[0].first.as_ref().unwrap().line.number, 1);
}
