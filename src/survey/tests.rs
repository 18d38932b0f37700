use proptest::prelude::*;

use super::*;
use crate::format::Catalog;
use crate::model::{Offset, Timestamp};
use crate::signature::{Probes, Rules};
use crate::sniff::Formats;

pub(super) struct Tools {
    formats: Formats,
    probes: Probes,
    rules: Rules,
}

impl Tools {
    pub(super) fn new() -> Self {
        Self {
            formats: Formats::new(&Catalog::built_in().unwrap()),
            probes: Probes::built_in().unwrap(),
            rules: Rules::built_in().unwrap(),
        }
    }

    /// Surveys `text` in pieces that end at these line numbers, and puts them together.
    pub(super) fn survey(&self, text: &[u8], cuts: &[usize], limits: Limits) -> Tally {
        let mut whole = Tally::new(limits);
        // last first: the order must not matter
        self.pieces(text, cuts, limits).into_iter().rev().for_each(|p| whole.absorb(p));
        whole.settle();
        whole
    }

    fn pieces(&self, text: &[u8], cuts: &[usize], limits: Limits) -> Vec<Tally> {
        let order = self.formats.sniff(text).order;
        let lines: Vec<&[u8]> = text.split_inclusive(|&b| b == b'\n').collect();
        let mut cuts: Vec<usize> =
            cuts.iter().map(|c| c % (lines.len() + 1)).chain([0, lines.len()]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut pieces: Vec<Tally> = Vec::new();
        for pair in cuts.windows(2) {
            let offset: usize = lines[..pair[0]].iter().map(|l| l.len()).sum();
            let mut surveyor = Surveyor::new(&self.formats, &order, &self.probes, &self.rules, limits);
            surveyor.lines(offset as u64, &lines[pair[0]..pair[1]].concat());
            pieces.push(surveyor.finish());
        }
        pieces
    }
}

/// Limits so low that everything must give way.
fn tight(n: usize) -> Limits {
    Limits {
        groups: n,
        failing: n + 1,
        rare: 2,
        latency: n + 2,
        own: n,
        own_latency: 40 * n,
        messages: n,
        names: 5 * n,
    }
}

fn log(kinds: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, kind) in kinds.iter().enumerate() {
        let (minute, second) = (i * 7 / 60 % 60, i * 7 % 60);
        let clf = format!("14/May/2023:12:{minute:02}:{second:02} +0{}00", kind % 3);
        let line = match kind % 11 {
            0 | 1 => format!(r#"10.0.0.{kind} - - [{clf}] "GET /{i} HTTP/1.1" 200 5 "-" "Firefox""#),
            2 => format!(r#"10.0.0.{kind} - - [{clf}] "GET / HTTP/1.1" 502 5 "-" "Firefox""#),
            3 => format!(r#"10.0.0.{kind} - - [{clf}] "GET /healthz HTTP/1.1" 200 5 "-" "kube-probe/1""#),
            4 => format!("2023-05-14 12:{minute:02}:{second:02},000 ERROR app boom"),
            5 => "Traceback (most recent call last):".to_owned(),
            6 => String::new(),
            7 => format!(
                "2023/05/14 12:{minute:02}:{second:02} [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream"
            ),
            8 => format!(
                r#"{{"time":"2023-05-14T12:{minute:02}:{second:02}Z","status":"503","request_time":"0.{kind}","uri":"/"}}"#
            ),
            9 => request((minute, second), 200 + 300 * u32::from(kind % 2), usize::from(*kind)),
            _ => format!(r#"10.0.0.{kind} - - [{clf}] "GET /{i} HTTP/1.1" 499 5 "-" "Firefox""#),
        };
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out
}

/// A request that names its vhost, upstreams and latency; `n` says which.
fn request((minute, second): (usize, usize), status: u32, n: usize) -> String {
    let (host, upstream, client) = (n % 41, n % 37, n % 13);
    format!(
        r#"{{"time":"2023-05-14T12:{minute:02}:{second:02}Z","remote_addr":"10.0.0.{client}","status":"{status}","request_time":"{n}.25","request":"GET /route{n}/7?q=1 HTTP/1.1","http_host":"h{host}","upstream_addr":"10.0.0.9:80, 10.0.0.{upstream}:80"}}"#
    )
}

/// Many requests in few seconds, mostly of different values.
fn crowd(kinds: &[(u8, u8, u8)]) -> Vec<u8> {
    let mut out = String::new();
    for &(second, status, n) in kinds {
        let status = [200, 500, 503, 499, 404].get(usize::from(status)).copied().unwrap_or(502);
        out.push_str(&request((0, usize::from(second % 60)), status, usize::from(n)));
        out.push('\n');
    }
    out.into_bytes()
}

#[test]
fn users_probes_and_junk_are_counted_apart() {
    let text = concat!(
        "10.0.0.1 - - [14/May/2023:12:00:03 +0100] \"GET / HTTP/1.1\" 502 5 \"-\" \"Firefox\"\n",
        "10.0.0.2 - - [14/May/2023:12:00:03 +0100] \"GET /a HTTP/1.1\" 200 5 \"-\" \"Firefox\"\n",
        "10.0.0.3 - - [14/May/2023:12:00:03 +0100] \"GET /healthz HTTP/1.1\" 502 5 \"-\" \"x\"\n",
        "10.0.0.4 - - [14/May/2023:12:00:04 +0100] \"\\x16\\x03\" 400 5 \"-\" \"-\"\n",
    );
    let tally = Tools::new().survey(text.as_bytes(), &[], Limits::for_sources(1));
    let site = series(&[(&tally, Clock::new(WallZone::Machine))], Limits::for_sources(1), i64::MIN..i64::MAX);
    assert_eq!((site.requests, site.failures, site.probes), (4, 2, 1));
    let slots: Vec<_> = site.series.slots.iter().map(|s| (s.second, s.requests, s.failures)).collect();
    assert_eq!(slots, [(1_684_062_003, 2, 1)]);
    assert_eq!(site.series.statuses, [(0, 502, 1)]);
}

#[test]
fn lines_of_a_stack_trace_belong_to_their_record() {
    let text = "2023-05-14 12:00:03,000 ERROR app boom\nTraceback:\n  File x\n\n2023-05-14 12:00:04,000 INFO app ok\n";
    let tally = Tools::new().survey(text.as_bytes(), &[2], Limits::for_sources(1));
    assert_eq!((tally.lines, tally.record_count(), tally.continuation), (5, 2, 3));
    assert!(tally.skipped.is_empty());
}

#[test]
fn junk_in_an_access_log_is_skipped_with_its_reason() {
    let text =
        "10.0.0.1 - - [14/May/2023:12:00:03 +0100] \"GET / HTTP/1.1\" 502 5 \"-\" \"Firefox\"\nrubbish\n\n";
    let tally = Tools::new().survey(text.as_bytes(), &[], Limits::for_sources(1));
    assert_eq!(tally.skipped.get(&Reason::NoFormat), Some(&1));
    assert_eq!(tally.skipped.get(&Reason::Blank), Some(&1));
    assert_eq!(tally.example.as_ref().unwrap().text.as_ref(), b"rubbish");
}

#[test]
fn times_all_over_the_calendar_make_buckets_wider_not_more() {
    let mut text = String::new();
    for year in 1970..2200 {
        let _ = std::fmt::Write::write_fmt(
            &mut text,
            format_args!(
                "10.0.0.1 - - [14/May/{year}:12:00:03 +0100] \"GET / HTTP/1.1\" 502 5 \"-\" \"x\"\n"
            ),
        );
    }
    let limits = tight(15);
    let tally = Tools::new().survey(text.as_bytes(), &[100], limits);
    assert!(tally.zoned.groups.len() <= 16 && tally.zoned.failing.len() <= 16);
    let site = series(&[(&tally, Clock::new(WallZone::Machine))], limits, i64::MIN..i64::MAX);
    assert_eq!(site.requests, 230);
    assert_eq!(site.series.slots.iter().map(|s| s.failures).sum::<u32>(), 230);
}

/// Lines of so many offsets on so many days, as one count.
fn written(lines: &[(i64, i32)], cap: usize) -> Coarse<Written> {
    let mut all: Coarse<Written> = Coarse::new(cap);
    for &(second, offset) in lines {
        let mut span = Span::default();
        span.see(Timestamp::from_seconds(second));
        all.bucket(second.div_euclid(86_400)).see(Offset(offset * 900), span);
    }
    all
}

#[test]
fn offsets_are_told_apart_until_there_are_too_many() {
    let spans = |lines: &[(i64, i32)]| {
        let written = written(lines, 4);
        let (_, day) = written.iter().next().unwrap();
        day.spans().map(Iterator::count)
    };
    assert_eq!(spans(&[(1, 4), (9, 8), (2, 4)]), Some(2));
    assert_eq!(spans(&[(1, 4), (9, 8), (2, 5), (3, 6), (4, 7)]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn written_offsets_merge(a in prop::collection::vec((0i64..900_000, 0i32..8), 0..40), b in prop::collection::vec((-90_000i64..400_000, 0i32..8), 0..40), c in prop::collection::vec((0i64..90_000, 0i32..8), 0..40), cap in 1usize..6) {
        let whole = written(&[a.clone(), b.clone(), c.clone()].concat(), cap);
        let (a, b, c) = (written(&a, cap), written(&b, cap), written(&c, cap));
        let (mut left, mut right, mut rest) = (a.clone(), c.clone(), b.clone());
        left.absorb(b);
        left.absorb(c);
        rest.absorb(a);
        right.absorb(rest);
        prop_assert_eq!(&left, &whole);
        prop_assert_eq!(&right, &whole);
    }

    #[test]
    fn pieces_merge_to_the_whole(kinds in prop::collection::vec(0u8..60, 1..80), cuts in prop::collection::vec(0usize..1000, 0..6), groups in 1usize..6) {
        let tools = Tools::new();
        let text = log(&kinds);
        let limits = tight(groups);
        let whole = tools.survey(&text, &[], limits);
        let merged = tools.survey(&text, &cuts, limits);
        prop_assert_eq!(whole.lines, whole.record_count() + whole.continuation + whole.skipped.values().sum::<u64>());
        prop_assert_eq!(whole, merged);
    }

    #[test]
    fn crowded_seconds_merge_to_the_whole(kinds in prop::collection::vec((0u8..3, 0u8..5, 0u8..90), 1..200), cuts in prop::collection::vec(0usize..1000, 0..6), n in 1usize..4) {
        let tools = Tools::new();
        let text = crowd(&kinds);
        let limits = tight(n);
        let whole = tools.survey(&text, &[], limits);
        prop_assert_eq!(&whole, &tools.survey(&text, &cuts, limits));
        let (mut left, mut right) = (Tally::new(limits), Tally::new(limits));
        for piece in tools.pieces(&text, &cuts, limits) {
            // from the front, and into what follows: neither order nor grouping matters
            left.absorb(piece.clone());
            let before = std::mem::replace(&mut right, piece);
            right.absorb(before);
        }
        left.settle();
        right.settle();
        prop_assert_eq!(&whole, &left);
        prop_assert_eq!(&whole, &right);
    }

    #[test]
    fn times_in_any_order_merge_to_the_whole(kinds in prop::collection::vec((0u8..60, 0u8..5, 0u8..90), 1..80), cuts in prop::collection::vec(0usize..1000, 0..6), n in 1usize..9) {
        let tools = Tools::new();
        let text = crowd(&kinds);
        prop_assert_eq!(tools.survey(&text, &[], tight(n)), tools.survey(&text, &cuts, tight(n)));
    }

    #[test]
    fn pieces_of_wrapped_lines_merge_to_the_whole(kinds in prop::collection::vec(0u8..60, 1..80), cuts in prop::collection::vec(0usize..1000, 0..6)) {
        let tools = Tools::new();
        let inner = String::from_utf8(log(&kinds)).unwrap();
        let mut text = String::new();
        for line in inner.lines() {
            text.push_str("2023-05-14T12:00:00.123456789Z stdout F ");
            text.push_str(line);
            text.push('\n');
        }
        let limits = Limits::for_sources(1);
        let whole = tools.survey(text.as_bytes(), &[], limits);
        let merged = tools.survey(text.as_bytes(), &cuts, limits);
        prop_assert_eq!(whole.lines, whole.record_count() + whole.continuation + whole.skipped.values().sum::<u64>());
        prop_assert_eq!(whole, merged);
    }
}

/// Messages of nginx or of an application, and what goes on with them.
fn messages(nginx: bool, kinds: &[(u8, u8)]) -> Vec<u8> {
    let mut out = String::new();
    for &(kind, n) in kinds {
        let (level, second) = (["info", "error", "warn", "crit"][usize::from(kind % 4)], 10 + n % 40);
        let text = match kind % 7 {
            0 => "connect() failed (111: Connection refused) while connecting to upstream",
            1 => "Out of memory: Killed process 7",
            2 => "all is well",
            3 => "no space left on device, client: ",
            _ => "upstream timed out (110: Connection timed out)",
        };
        let client = if n % 3 == 0 { "" } else { ", client: 10.0.0.1, server: shop" };
        let line = match kind {
            200.. => "  at shop.Cart.add(Cart.java:7)".to_owned(),
            190.. => String::new(),
            _ if nginx => {
                let number = ["", "*7 ", "*-7 ", "*x "][usize::from(n % 4)];
                format!("2023/05/14 12:00:{second} [{level}] 812#{}: {number}{text}{client}", n % 2)
            }
            _ => {
                let level = level.to_uppercase();
                format!("2023-05-14 12:00:{second},{:03} {level} shop.{}: {text}{client}", n, n % 3)
            }
        };
        out.push_str(&line);
        out.push('\n');
    }
    out.into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Nothing is known of lines that are surveyed alone.
    #[test]
    fn messages_are_counted_as_if_each_stood_alone(
        nginx in any::<bool>(),
        kinds in prop::collection::vec((any::<u8>(), any::<u8>()), 1..200),
    ) {
        let tools = Tools::new();
        let text = messages(nginx, &kinds);
        let alone: Vec<usize> = (0..kinds.len()).collect();
        let limits = Limits::for_sources(1);
        prop_assert_eq!(tools.survey(&text, &[], limits), tools.survey(&text, &alone, limits));
        prop_assert_eq!(tools.survey(&text, &[], tight(3)), tools.survey(&text, &alone, tight(3)));
    }

    /// What most requests of a second have in common is counted for all of them; alone, each has it for itself.
    #[test]
    fn requests_are_counted_as_if_each_stood_alone(
        kinds in prop::collection::vec(
            (0u8..3, 0u8..5, prop_oneof![3 => Just(0u8), 2 => Just(41), 2 => 1u8..3, 1 => Just(9)]),
            1..150,
        ),
    ) {
        let tools = Tools::new();
        // some name no vhost
        let text = String::from_utf8(crowd(&kinds)).unwrap().replace("\"h9\"", "\"-\"").into_bytes();
        let alone: Vec<usize> = (0..kinds.len()).collect();
        let limits = Limits::for_sources(1);
        prop_assert_eq!(tools.survey(&text, &[], limits), tools.survey(&text, &alone, limits));
    }
}
