//! Reports as the other stages make them, for the tests of all renderers.

use std::collections::BTreeMap;

use crate::detect::{
    Audit, Baseline, Boundary, Caveat, Effect, Finding, Gate, GateKind, Latencies, Level as Stretch,
    RunnerUp, Signal,
};
use crate::error::Warning;
use crate::explain::facts::*;
use crate::model::{Level, Location, Offset, SourceId, Timestamp, Untrusted};
use crate::signature::{Change, Deed, Subject};

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
            lost_requests: Some(0.0),
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
        remedy: remedies(),
        first_alert: Some(Alert {
            time: at("12:10:00"),
            meaning: "a monitor raised an alert".into(),
            text: "ALERT http-5xx: 99.1% of 196 requests failed in the last 60 s".into(),
            location: line(3, 731),
        }),
        evidence: evidence(),
        caveats: vec![],
        slowness: None,
        silence: None,
        burst: None,
        computation: vec![Computation { place: None, messages: false, finding: failing() }],
    }
}

/// What detection found of it.
fn failing() -> Finding {
    let second = |clock| at(clock).second();
    let edge = |clock, low, high| Boundary {
        second: second(clock),
        range: (second(low), second(high)),
        open: false,
    };
    let gate = |what, value, needed| Gate { what, value, needed };
    let next = |clock, nats| Some(RunnerUp { second: second(clock), nats });
    Finding {
        signal: Signal::Errors,
        effect: Effect::Errors,
        start: edge("12:00:03", "12:00:01", "12:00:03"),
        end: edge("12:48:01", "12:48:01", "12:48:01"),
        baseline: Baseline {
            error_share: 0.000_12,
            requests_per_second: 3.26,
            window: Some((second("11:00:02"), second("11:59:32"))),
        },
        requests: 9438,
        failures: 9401,
        dominant_status: Some(502),
        strength: 84_630.4,
        dispersion: 1.0,
        levels: vec![Stretch { start: second("12:00:03"), end: second("12:48:01"), share: 0.996 }],
        confidence: 0.999,
        audit: Audit {
            penalty: 22.0,
            gates: vec![
                gate(GateKind::Excess, 9399.9, 4.0),
                gate(GateKind::Share, 0.996, 0.008),
                gate(GateKind::Ratio, 8301.0, 1.5),
                gate(GateKind::Strength, 84_630.4, 17.6),
                gate(GateKind::Contrast, 412.7, 6.0),
                gate(GateKind::ExcessWithoutTopClient, 8807.2, 3.0),
                gate(GateKind::StrengthWithoutTopClient, 79_010.8, 13.2),
            ],
            start_runner_up: next("12:00:04", 9.1),
            end_runner_up: next("12:48:00", 27.3),
            alone: None,
        },
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
    let mut suspects = vec![
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
    ];
    suspects[0].more_packages = 13;
    suspects[0].change = Some(Change {
        what: Deed::Installed,
        subject: Some(Subject::Package("apache2".into())),
        from: None,
        to: Some("2.4.57-2".into()),
        user: None,
        packages: Vec::new(),
    });
    suspects[0].why = vec![Reason::ShortlyBefore { seconds: 23.0 }, Reason::Undone { at: at("12:30:24") }];
    suspects[1].next_step = "find out who or what stopped it".into();
    suspects[1].why = vec![
        Reason::ShortlyBefore { seconds: 5.0 },
        Reason::NamesWhatFailed { dimension: Dimension::Vhost, value: "shop.example".into() },
    ];
    suspects[1].against = vec![Reason::Follows { at: at("11:59:40") }];
    suspects[2].next_step = "find out what holds the port (ss -ltnp)".into();
    suspects[2].why = vec![Reason::CanCauseIt];
    suspects
}

fn remedies() -> Vec<Remedy> {
    let remedy = |clock: &str, kind, meaning: &str, text: &str, lead, location, undoes| Remedy {
        time: at(clock),
        kind,
        meaning: meaning.into(),
        text: text.into(),
        location,
        change: None,
        lead_seconds: lead,
        undoes_suspect: undoes,
    };
    vec![
        remedy(
            "12:30:24",
            EntryKind::Change,
            "a package was removed",
            "remove apache2:amd64 2.4.57-2 <none>",
            1058.0,
            line(2, 79),
            true,
        ),
        remedy(
            "12:47:58",
            EntryKind::Restart,
            "a service was started",
            "systemd[1]: Started shop-app.service - Shop application.",
            4.0,
            line(3, 811),
            false,
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
        Fact::Blip { failures: 3, duration_seconds: 2, status: Some(502), signal: Signal::Errors },
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
    incident.suspects[0].why =
        vec![Reason::NamesWhatFailed { dimension: Dimension::Vhost, value: text.clone() }];
    incident.remedy.iter_mut().for_each(|r| r.text = text.clone());
    incident.first_alert.iter_mut().for_each(|alert| alert.text = text.clone());
    incident.evidence.iter_mut().for_each(|q| q.text = text.clone());
    incident.caveats = vec![Caveat::NoHealthyPeriod];
    report
}

/// Reference incident C: one of two servers falls silent, the other gets slow.
pub(super) fn one_of_two() -> Report {
    let mut report = bad_gateway();
    report.source_names[0] = "web-02/nginx/access.log".into();
    let place = (Dimension::Source, Untrusted::from("web-02/nginx/access.log"));
    let incident = &mut report.incidents[0];
    incident.signal = Signal::Traffic;
    incident.signals = vec![Signal::Traffic, Signal::Latency];
    incident.severity = Severity::Critical;
    incident.id = "20230514T110003Z-traffic-0badcafe".into();
    incident.statuses.clear();
    incident.phases.clear();
    incident.slowness = Some(slowness());
    incident.silence = Some(Silence {
        percent: 100.0,
        percent_interval: (99.92, 100.0),
        expected_requests: 4690.2,
        observed_requests: 0,
        place: Some(place.clone()),
        carried: true,
    });
    incident.impact = Impact {
        percent: Some(69.8),
        percent_interval: Some((66.1, 73.2)),
        affected_requests: Some(6588),
        total_requests: Some(9438),
        expected_requests: Some(9390.4),
        lost_requests: Some(0.0),
        total_clients: Some(815),
        ..Impact::default()
    };
    incident.during = Vitals {
        error_percent: Some(0.011),
        requests_per_minute: Some(196.7),
        latency_p50_seconds: Some(0.061),
        latency_p95_seconds: Some(0.431),
    };
    incident.scope = vec![ScopeItem {
        dimension: Dimension::Source,
        value: place.1.clone(),
        affected_share: 1.0,
        affected_percent: 100.0,
        baseline_percent: 0.0,
    }];
    let mut silent = failing();
    silent.signal = Signal::Traffic;
    silent.effect = Effect::Traffic { expected: 4690.2, missing_range: (0.9992, 1.0) };
    (silent.requests, silent.failures, silent.strength) = (0, 0, 4401.2);
    silent.audit = Audit::default();
    incident.computation = vec![
        Computation { place: Some(place), messages: false, finding: silent },
        Computation { place: None, messages: false, finding: slow() },
    ];
    let quote = |role, clock, number, text: &str| Quote {
        time: Some(at(clock)),
        role,
        text: text.into(),
        location: line(0, number),
    };
    incident.evidence = vec![
        quote(
            QuoteRole::LastBefore,
            "12:00:02",
            14_206,
            r#"102.89.3.14 - - [14/May/2023:12:00:02 +0100] "GET /cart HTTP/1.1" 200 157 0.034"#,
        ),
        quote(
            QuoteRole::FirstAfter,
            "12:48:02",
            14_207,
            r#"102.91.77.2 - - [14/May/2023:12:48:02 +0100] "GET / HTTP/1.1" 200 157 0.021"#,
        ),
    ];
    report
}

fn slowness() -> Slowness {
    Slowness { percent: 69.8, percent_interval: (66.1, 73.2), factor: 2.04, factor_interval: (1.93, 2.16) }
}

fn slow() -> Finding {
    let mut slow = failing();
    slow.signal = Signal::Latency;
    slow.effect = Effect::Latency {
        share: 0.698,
        share_range: (0.661, 0.732),
        slowdown: 2.04,
        slowdown_range: (1.93, 2.16),
        usual: Latencies { median_us: 34e3, p95_us: 212e3 },
        during: Latencies { median_us: 61e3, p95_us: 431e3 },
    };
    (slow.failures, slow.strength, slow.dispersion) = (0, 1204.3, 2.31);
    slow.audit = Audit::default();
    slow
}

/// Slow answers everywhere, from before the logs begin.
pub(super) fn slow_site() -> Report {
    let mut report = one_of_two();
    let incident = &mut report.incidents[0];
    incident.signal = Signal::Latency;
    incident.signals = vec![Signal::Latency];
    incident.id = "20230514T110003Z-latency".into();
    incident.silence = None;
    incident.scope.clear();
    incident.start.open = true;
    incident.start.range = (at("11:57:00"), at("12:03:10"));
    incident.impact.affected_clients = Some(640);
    incident.computation.remove(0);
    incident.evidence.clear();
    for row in report.timeline.iter_mut().filter(|row| row.kind == EntryKind::IncidentStart) {
        row.fact = Fact::Onset { status: None, open: true };
    }
    report.timeline.retain(|row| row.kind != EntryKind::IncidentPeak);
    report
}

/// Nobody came.
pub(super) fn silent_site() -> Report {
    let mut report = one_of_two();
    let incident = &mut report.incidents[0];
    incident.signals = vec![Signal::Traffic];
    incident.id = "20230514T110003Z-traffic".into();
    incident.slowness = None;
    incident.scope.clear();
    let silence = Silence {
        percent: 100.0,
        percent_interval: (99.96, 100.0),
        expected_requests: 9390.4,
        observed_requests: 0,
        place: None,
        carried: false,
    };
    incident.impact = Impact {
        percent: Some(100.0),
        percent_interval: Some(silence.percent_interval),
        affected_requests: Some(9390),
        total_requests: Some(0),
        expected_requests: Some(9390.4),
        lost_requests: Some(9390.4),
        ..Impact::default()
    };
    incident.during = Vitals { requests_per_minute: Some(0.0), ..Vitals::default() };
    incident.silence = Some(silence);
    incident.computation.truncate(1);
    incident.computation[0].place = None;
    report.timeline.retain(|row| row.kind != EntryKind::IncidentPeak);
    report
}

/// Errors in the log of an application that logs no requests.
pub(super) fn messages_only() -> Report {
    let mut report = bad_gateway();
    let place = (Dimension::Source, Untrusted::from("app.log"));
    let incident = &mut report.incidents[0];
    incident.severity = Severity::Minor;
    incident.statuses.clear();
    incident.phases.clear();
    incident.impact = Impact::default();
    (incident.baseline, incident.during) = (Vitals::default(), Vitals::default());
    incident.burst = Some(Burst { messages: 320, factor: Some(14.2), place: Some(place.clone()) });
    incident.scope = vec![ScopeItem {
        dimension: Dimension::Source,
        value: place.1.clone(),
        affected_share: f64::NAN,
        affected_percent: f64::NAN,
        baseline_percent: f64::NAN,
    }];
    incident.computation[0].place = Some(place);
    incident.computation[0].messages = true;
    report.timeline.retain(|row| row.kind != EntryKind::IncidentPeak);
    report
}
