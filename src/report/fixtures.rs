//! Reports as the other stages make them, for the tests of all renderers.

use std::collections::BTreeMap;

use crate::detect::{Caveat, Signal};
use crate::error::Warning;
use crate::explain::facts::*;
use crate::model::{Level, Location, Offset, SourceId, Timestamp, Untrusted};

use super::Style;

/// 2023-05-14 00:00:00 +01:00.
pub(super) const MIDNIGHT: i64 = 1_684_018_800;

pub(super) fn style() -> Style {
    Style { generated_at: at("15:02:11"), colour: false, width: Some(100), verbose: 0 }
}

/// A time of that day.
pub(super) fn at(clock: &str) -> Timestamp {
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().unwrap());
    let mut next = || parts.next().unwrap_or(0);
    Timestamp::from_seconds(MIDNIGHT + next() * 3600 + next() * 60 + next())
}

fn line(source: u32, line: u64) -> Location {
    Location { source: SourceId(source), line }
}

fn edge(clock: &str, location: Location) -> Edge {
    let at = at(clock);
    Edge { at, range: (at, at), open: false, location: Some(location) }
}

fn row(clock: &str, kind: EntryKind, fact: Fact, location: Option<Location>) -> TimelineEntry {
    TimelineEntry { time: at(clock), kind, fact, location, incident: Some(0) }
}

fn signature(meaning: &str, text: &str) -> Fact {
    Fact::Signature { meaning: meaning.into(), text: text.into(), count: 1 }
}

pub(super) fn input(path: &str, format: &str, lines: u64) -> Input {
    Input {
        path: path.into(),
        format: Some(format.into()),
        status: InputStatus::Complete,
        detail: None,
        bytes: lines * 96,
        lines,
        records: lines,
        continuation_lines: 0,
        skipped: BTreeMap::new(),
        first: Some(at("10:30:00")),
        last: Some(at("13:59:59")),
        time_zone: Some("+01:00".into()),
        time_zone_source: Some(ZoneSource::Written),
        role: Some(Role::Edge),
        example: None,
    }
}

/// Reference incident A: an application built for apache2 on an nginx host.
pub(super) fn bad_gateway() -> Report {
    let names =
        ["/var/log/nginx/access.log", "/var/log/nginx/error.log", "/var/log/dpkg.log", "/var/log/syslog"];
    Report {
        zone: DisplayZone::Fixed(Offset(3600)),
        window: Some((at("10:30:00"), at("13:59:59"))),
        totals: Totals {
            requests: 41_630,
            failed_requests: 9416,
            probe_requests: 427,
            lines: 52_311,
            bytes: 6_104_222,
            inputs: 6,
        },
        inputs: inputs(),
        source_names: names.iter().map(|&name| name.into()).collect(),
        incidents: vec![bad_gateway_incident()],
        timeline: bad_gateway_timeline(),
        warnings: vec![Warning {
            path: Some("/var/log/dpkg.log".into()),
            text: "its lines carry no time zone; +01:00 was inferred from nginx/access.log".into(),
        }],
        overview: overview(),
    }
}

fn inputs() -> Vec<Input> {
    let mut error = input("/var/log/nginx/error.log", "nginx-error", 9560);
    error.records = 9412;
    error.continuation_lines = 3;
    error.skipped = BTreeMap::from([("no-match".to_owned(), 145)]);
    error.example = Some((77, "*** Error in `nginx': double free".into()));
    error.role = Some(Role::Error);
    error.time_zone_source = Some(ZoneSource::Inferred);
    let mut old = input("/var/log/nginx/access.log.2.gz", "nginx-combined", 1121);
    old.status = InputStatus::Truncated;
    old.detail = Some("gzip data ends early after 107 616 bytes".into());
    let mut journal = input("/var/log/wtmp", "", 0);
    (journal.format, journal.status, journal.detail) = (None, InputStatus::Skipped, Some("binary".into()));
    (journal.time_zone, journal.time_zone_source, journal.role) = (None, None, None);
    vec![
        input("/var/log/nginx/access.log", "nginx-combined", 41_630),
        error,
        old,
        input("/var/log/dpkg.log", "dpkg", 84),
        input("/var/log/syslog", "syslog", 1037),
        journal,
    ]
}

fn overview() -> Overview {
    // 3 h 30 min in slices of two and a half minutes; failing from 12:00 to 12:48.
    let slices = (0..84)
        .map(|slice| match slice {
            36..=54 => (490, 488),
            55 => (490, 96),
            12 => (490, 3),
            _ => (490, 0),
        })
        .collect();
    Overview { start: at("10:30:00"), slice_seconds: 150, slices }
}

fn bad_gateway_incident() -> Incident {
    let mut start = edge("12:00:03", line(0, 14_207));
    start.range = (at("12:00:01"), at("12:00:03"));
    Incident {
        id: "20230514T110003Z-errors".into(),
        signal: Signal::Errors,
        signals: vec![Signal::Errors],
        severity: Severity::Critical,
        confidence: 0.999,
        start,
        end: edge("12:48:02", line(0, 23_640)),
        first_arrival: Some(at("12:00:03")),
        change_to_recovery_seconds: Some(2902.0),
        phases: vec![Phase {
            start: at("12:00:03"),
            end: at("12:48:02"),
            percent: 99.728_3,
            statuses: BTreeMap::from([(502, 9401), (499, 11)]),
        }],
        statuses: BTreeMap::from([(502, 9401), (499, 11)]),
        impact: Impact {
            percent: Some(99.728_3),
            percent_all_requests: Some(98.715),
            percent_interval: Some((99.599, 99.816)),
            affected_requests: Some(9412),
            total_requests: Some(9438),
            expected_requests: Some(9390.4),
            peak_percent: Some(100.0),
            peak_at: Some(at("12:07:00")),
            affected_clients: Some(812),
            total_clients: Some(815),
        },
        baseline: Vitals {
            error_percent: Some(0.012),
            requests_per_minute: Some(195.6),
            latency_p50_seconds: Some(0.034),
            latency_p95_seconds: Some(0.212),
        },
        during: Vitals {
            error_percent: Some(99.728_3),
            requests_per_minute: Some(196.7),
            latency_p50_seconds: Some(0.001),
            latency_p95_seconds: Some(0.002),
        },
        scope: vec![
            ScopeItem {
                dimension: Dimension::Upstream,
                value: "127.0.0.1:8080".into(),
                affected_share: 1.0,
                affected_percent: 100.0,
                baseline_percent: 0.012,
            },
            ScopeItem {
                dimension: Dimension::Error,
                value: "connect() failed (111: Connection refused)".into(),
                affected_share: 0.998_8,
                affected_percent: 100.0,
                baseline_percent: 0.0,
            },
        ],
        suspects: suspects(),
        remedy: Vec::new(),
        first_alert: None,
        evidence: evidence(),
        caveats: vec![],
    }
}

fn suspects() -> Vec<Suspect> {
    let suspect = |clock: &str, kind, meaning: &str, text: &str, lead, score, location| Suspect {
        time: at(clock),
        kind,
        meaning: meaning.into(),
        text: text.into(),
        lead_seconds: lead,
        score,
        location,
        change: None,
        more_packages: 0,
        next_step: "read what it changed".into(),
        reference: "https://example.org/".into(),
        why: Vec::new(),
        against: Vec::new(),
    };
    vec![
        suspect(
            "11:59:40",
            EntryKind::Change,
            "a package was installed",
            "install apache2:amd64 <none> 2.4.57-2",
            23.0,
            0.91,
            line(2, 61),
        ),
        suspect(
            "11:59:58",
            EntryKind::Restart,
            "a service was stopped",
            "systemd[1]: Stopped shop-app.service - Shop application.",
            5.0,
            0.84,
            line(3, 702),
        ),
        suspect(
            "11:59:59",
            EntryKind::Change,
            "a service could not take its port",
            "apachectl[4242]: (98)Address already in use: AH00072: make_sock: could not bind to address 0.0.0.0:80",
            4.0,
            0.8,
            line(3, 708),
        ),
    ]
}

fn evidence() -> Vec<Quote> {
    let quote = |clock: &str, role, text: &str, location| Quote {
        time: Some(at(clock)),
        role,
        text: text.into(),
        location,
    };
    vec![
        quote(
            "12:00:03",
            QuoteRole::FirstAffected,
            r#"102.89.3.14 - - [14/May/2023:12:00:03 +0100] "GET /cart HTTP/1.1" 502 157 "-" "Mozilla/5.0 (X11; Linux x86_64)""#,
            line(0, 14_207),
        ),
        quote(
            "12:00:03",
            QuoteRole::Message,
            "2023/05/14 12:00:03 [error] 811#811: *90211 connect() failed (111: Connection refused) while connecting to upstream",
            line(1, 113),
        ),
        quote(
            "12:48:01",
            QuoteRole::LastAffected,
            r#"102.91.77.2 - - [14/May/2023:12:48:01 +0100] "GET / HTTP/1.1" 502 157 "-" "curl/7.88.1""#,
            line(0, 23_640),
        ),
    ]
}

fn bad_gateway_timeline() -> Vec<TimelineEntry> {
    let first = Fact::FirstError {
        level: Some(Level::Error),
        text: "connect() failed (111: Connection refused) while connecting to upstream".into(),
        count: 9401,
    };
    let mut blip = row(
        "11:01:12",
        EntryKind::Blip,
        Fact::Blip { failures: 3, duration_seconds: 2, status: Some(502) },
        Some(line(0, 6101)),
    );
    blip.incident = None;
    vec![
        blip,
        row(
            "11:59:40",
            EntryKind::Change,
            signature("a package was installed", "install apache2:amd64 <none> 2.4.57-2"),
            Some(line(2, 61)),
        ),
        row(
            "11:59:58",
            EntryKind::Restart,
            signature("a service was stopped", "systemd[1]: Stopped shop-app.service - Shop application."),
            Some(line(3, 702)),
        ),
        row("12:00:03", EntryKind::FirstError, first, Some(line(1, 113))),
        row(
            "12:00:03",
            EntryKind::IncidentStart,
            Fact::Onset { status: Some(502), open: false },
            Some(line(0, 14_207)),
        ),
        row("12:07:00", EntryKind::IncidentPeak, Fact::Peak { percent: 100.0 }, None),
        row(
            "12:30:11",
            EntryKind::Operator,
            signature("a command was run as root", "ops : COMMAND=/usr/bin/apt-get remove apache2"),
            Some(line(3, 790)),
        ),
        row(
            "12:30:24",
            EntryKind::Change,
            signature("a package was removed", "remove apache2:amd64 2.4.57-2 <none>"),
            Some(line(2, 79)),
        ),
        row(
            "12:47:58",
            EntryKind::Restart,
            signature("a service was started", "systemd[1]: Started shop-app.service - Shop application."),
            Some(line(3, 811)),
        ),
        row(
            "12:48:02",
            EntryKind::IncidentEnd,
            Fact::Recovery { duration_seconds: 2879.0 },
            Some(line(0, 23_640)),
        ),
    ]
}

/// Nothing happened.
pub(super) fn quiet() -> Report {
    let mut report = bad_gateway();
    report.incidents.clear();
    report.timeline.retain(|row| row.incident.is_none());
    report.inputs.truncate(1);
    report.warnings.clear();
    report.totals = Totals {
        requests: 1_234_567,
        failed_requests: 148,
        probe_requests: 0,
        lines: 1_234_567,
        bytes: 118_518_432,
        inputs: 1,
    };
    report.window = Some((at("00:00:00"), at("23:59:59")));
    report.overview.slices.iter_mut().for_each(|slice| slice.1 = slice.1.min(3) * u64::from(slice.1 < 10));
    report
}

/// Nothing was read at all.
pub(super) fn empty() -> Report {
    Report {
        zone: DisplayZone::Named(chrono_tz::Europe::Paris),
        window: None,
        totals: Totals::default(),
        inputs: vec![],
        source_names: vec![],
        incidents: vec![],
        timeline: vec![],
        warnings: vec![],
        overview: Overview::default(),
    }
}

/// What a stranger can write into names, paths and agents.
pub(super) const HOSTILE: &[u8] =
    b"\x1b]0;owned\x07\x1b[2J|<script>alert(1)</script>`![x](http://e.example/)\xe2\x80\xae\xe2\x80\x8b\xff\xfe\r\nGET /\xc2\x9b";

/// Still going on, and every text of a log is hostile.
pub(super) fn hostile() -> Report {
    let mut report = bad_gateway();
    let text = Untrusted::new(HOSTILE);
    report.source_names.iter_mut().for_each(|name| *name = text.clone());
    for input in &mut report.inputs {
        input.path = text.clone();
        input.example = Some((3, text.clone()));
        input.format = Some("bad\u{1b}[1m|format".into());
        input.detail = Some("bad\u{1b}[1m|detail".into());
    }
    report.warnings = vec![Warning { path: Some(text.clone()), text: "bad\u{1b}[1m|text <b>".into() }];
    for row in &mut report.timeline {
        match &mut row.fact {
            Fact::Signature { text: t, .. } | Fact::FirstError { text: t, .. } => *t = text.clone(),
            _ => {}
        }
    }
    report.timeline.pop();
    report.timeline.push(row("13:59:59", EntryKind::Note, Fact::Ongoing, None));
    let incident = &mut report.incidents[0];
    incident.end.at = at("14:00:00");
    incident.end.open = true;
    incident.impact.percent = Some(f64::NAN);
    incident.impact.percent_interval = Some((f64::NEG_INFINITY, f64::INFINITY));
    incident.confidence = f64::NAN;
    incident.scope[0] = ScopeItem {
        dimension: Dimension::Vhost,
        value: text.clone(),
        affected_share: 1.0,
        affected_percent: 98.6,
        baseline_percent: f64::NAN,
    };
    incident.scope[1].value = text.clone();
    incident.suspects.iter_mut().for_each(|s| s.text = text.clone());
    incident.evidence.iter_mut().for_each(|q| q.text = text.clone());
    incident.caveats = vec![Caveat::NoHealthyPeriod];
    report
}

/// Reference incident C: one of two servers falls silent, the other gets slow.
pub(super) fn one_of_two() -> Report {
    let mut report = bad_gateway();
    report.source_names[0] = "web-02/nginx/access.log".into();
    let incident = &mut report.incidents[0];
    incident.signal = Signal::Traffic;
    incident.signals = vec![Signal::Traffic, Signal::Latency];
    incident.severity = Severity::Major;
    incident.statuses.clear();
    incident.phases.clear();
    incident.impact = Impact {
        percent: Some(49.8),
        total_requests: Some(4711),
        expected_requests: Some(9390.4),
        ..Impact::default()
    };
    incident.scope = vec![ScopeItem {
        dimension: Dimension::Source,
        value: "web-02/nginx/access.log".into(),
        affected_share: 1.0,
        affected_percent: 100.0,
        baseline_percent: 0.0,
    }];
    report
}
