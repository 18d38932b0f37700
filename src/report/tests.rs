use super::*;
use crate::detect::Signal;
use crate::explain::facts::*;
use crate::model::Offset;
use fixtures::{
    HOSTILE, at, bad_gateway, empty, hostile, input, messages_only, one_of_two, quiet, silent_site,
    slow_site, style,
};
use serde_json::Value;

fn rendered(report: &Report, format: Format, style: &Style) -> String {
    let mut out = Vec::new();
    render(report, format, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(report: &Report) -> Value {
    let text = rendered(report, Format::Json, &style());
    assert!(text.ends_with("}\n") && !text.ends_with("\n\n"));
    serde_json::from_str(&text).unwrap()
}

fn everything() -> [(&'static str, Report); 8] {
    [
        ("bad_gateway", bad_gateway()),
        ("one_of_two", one_of_two()),
        ("slow_site", slow_site()),
        ("silent_site", silent_site()),
        ("messages_only", messages_only()),
        ("quiet", quiet()),
        ("empty", empty()),
        ("hostile", hostile()),
    ]
}

#[test]
fn text_looks_like_this() {
    for (name, report) in everything() {
        insta::assert_snapshot!(format!("text_{name}"), rendered(&report, Format::Text, &style()));
    }
    let narrow = Style { width: Some(80), verbose: 2, ..style() };
    insta::assert_snapshot!("text_narrow_verbose", rendered(&bad_gateway(), Format::Text, &narrow));
    let piped = rendered(&bad_gateway(), Format::Text, &Style { width: None, ..style() });
    assert!(piped.contains("curl/7.88.1") && piped.contains("(X11; Linux x86_64)"), "a pipe has no edge");
    assert!(piped.contains("could not bind to address 0.0.0.0:80  syslog:708"));
    let mut two = bad_gateway();
    let mut second = one_of_two().incidents.remove(0);
    (second.start.at, second.end.at) = (at("13:10:00"), at("13:31:30"));
    two.incidents.push(second);
    insta::assert_snapshot!("text_two_incidents", rendered(&two, Format::Text, &style()));
    insta::assert_snapshot!("markdown_two_incidents", rendered(&two, Format::Markdown, &style()));
}

#[test]
fn markdown_looks_like_this() {
    for (name, report) in everything() {
        insta::assert_snapshot!(format!("markdown_{name}"), rendered(&report, Format::Markdown, &style()));
    }
}

#[test]
fn json_looks_like_this() {
    insta::assert_snapshot!("json_bad_gateway", rendered(&bad_gateway(), Format::Json, &style()));
    insta::assert_snapshot!("schema", schema());
}

#[test]
fn explain_looks_like_this() {
    let explained = |report: &Report| {
        let mut out = Vec::new();
        let all: Vec<usize> = (0..report.incidents.len()).collect();
        explain(report, &all, &style(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    insta::assert_snapshot!("explain_bad_gateway", explained(&bad_gateway()));
    insta::assert_snapshot!("explain_one_of_two", explained(&one_of_two()));
    assert!(explained(&quiet()).starts_with("No incident found"));
    for (name, report) in everything() {
        for line in explained(&report).lines() {
            assert!(page::columns(line) <= 100, "{name}: {line}");
        }
    }
}

#[test]
fn one_incident_fits_one_screen() {
    let text = rendered(&bad_gateway(), Format::Text, &style());
    assert!(text.lines().count() <= 40, "{} lines", text.lines().count());
    for width in [60, 80, 100, 200] {
        for (name, report) in everything() {
            let text = rendered(&report, Format::Text, &Style { width: Some(width), verbose: 2, ..style() });
            for line in text.lines() {
                assert!(page::columns(line) <= usize::from(width), "{name} at {width}: {line}");
            }
        }
    }
}

#[test]
fn every_report_is_as_its_schema_says() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, report) in everything() {
        let document = json(&report);
        let errors: Vec<String> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

/// The names that the contract lists; more are allowed, fewer are not.
const CONTRACT: [(&str, &str); 13] = [
    ("", "schema tool generated_at timezone window totals inputs incidents timeline warnings"),
    ("/tool", "name version"),
    ("/window", "start end"),
    ("/totals", "requests failed_requests probe_requests lines bytes inputs"),
    (
        "/inputs/0",
        "path format status detail bytes lines records continuation_lines skipped first last time_zone \
         time_zone_source role",
    ),
    (
        "/incidents/0",
        "id signal signals title severity confidence start end start_range end_range first_arrival duration_seconds \
         change_to_recovery_seconds phases statuses impact baseline during scope suspects evidence",
    ),
    ("/incidents/0/phases/0", "start end percent statuses"),
    (
        "/incidents/0/impact",
        "percent percent_all_requests percent_interval affected_requests total_requests expected_requests \
         peak_percent affected_clients total_clients clients_percent",
    ),
    ("/incidents/0/baseline", "error_percent requests_per_minute latency_p50_seconds latency_p95_seconds"),
    ("/incidents/0/scope/0", "dimension value affected_share affected_percent baseline_percent"),
    ("/incidents/0/suspects/0", "time kind summary score source"),
    ("/incidents/0/evidence/0", "time text source"),
    ("/timeline/0", "time kind summary source incident"),
];

#[test]
fn all_names_of_the_contract_are_there() {
    let document = json(&bad_gateway());
    for (pointer, names) in CONTRACT {
        let object = document.pointer(pointer).and_then(Value::as_object).expect(pointer);
        for name in names.split_whitespace() {
            assert!(object.contains_key(name), "{pointer}/{name}");
        }
    }
    // The schema asks for the same.
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let required = |object: &Value| -> Vec<String> {
        object["required"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    for name in CONTRACT[0].1.split_whitespace() {
        assert!(required(&schema).contains(&name.to_owned()), "{name}");
    }
    for (place, names) in [("Incident", CONTRACT[5].1), ("Impact", CONTRACT[7].1), ("Input", CONTRACT[4].1)] {
        for name in names.split_whitespace() {
            let object = &schema["$defs"][place];
            assert!(object["properties"][name].is_object(), "{place}.{name}");
            assert!(required(object).contains(&name.to_owned()), "{place}.{name} is not required");
        }
    }
}

#[test]
fn what_is_unknown_is_null() {
    let document = json(&hostile());
    let incident = &document["incidents"][0];
    assert_eq!(incident["end"], Value::Null);
    assert_eq!(incident["impact"]["percent"], Value::Null);
    assert_eq!(incident["impact"]["percent_interval"], Value::Null);
    assert_eq!(incident["confidence"], Value::Null);
    assert_eq!(incident["scope"][0]["baseline_percent"], Value::Null);
    assert_eq!(document["timeline"][0]["incident"], Value::Null);
    let document = json(&empty());
    assert_eq!(document["window"]["start"], Value::Null);
    assert_eq!(document["timezone"], "Europe/Paris");
}

#[test]
fn json_keeps_what_logs_say() {
    let document = json(&hostile());
    let expected = String::from_utf8_lossy(HOSTILE).into_owned();
    assert_eq!(document["inputs"][0]["path"], expected);
    assert_eq!(document["incidents"][0]["evidence"][0]["text"], expected);
}

#[test]
fn no_control_code_reaches_the_reader() {
    for format in [Format::Text, Format::Markdown, Format::Json, Format::Csv, Format::Html] {
        let verbose = Style { verbose: 2, ..style() };
        let text = rendered(&hostile(), format, &verbose).replace("\r\n", "\n");
        let bad = text.chars().find(|&c| c != '\n' && escape::is_hidden(c));
        assert_eq!(bad, None, "{format:?}");
    }
    let coloured = rendered(&hostile(), Format::Text, &Style { colour: true, verbose: 2, ..style() });
    for code in coloured.split('\x1b').skip(1) {
        let (numbers, _) = code.strip_prefix('[').and_then(|c| c.split_once('m')).expect("only colours");
        assert!(numbers.bytes().all(|b| b.is_ascii_digit() || b == b';'), "{numbers:?}");
    }
    assert!(!coloured.contains('\x07'));
}

#[test]
fn no_report_is_larger_than_eight_megabytes() {
    let mut report = bad_gateway();
    let long = "x".repeat(600);
    report.inputs = (0..12_000).map(|n| input(&format!("{long}{n}"), "f", 1)).collect();
    let row = report.timeline[3].clone();
    report.timeline = vec![row; 9000];
    let text = rendered(&report, Format::Json, &style());
    assert!(text.len() <= 8_000_000, "{}", text.len());
    let document: Value = serde_json::from_str(&text).unwrap();
    let warnings = document["warnings"].to_string();
    assert!(warnings.contains("of 12000 inputs"), "{warnings}");
    assert!(document["totals"]["inputs"].is_u64());
}

#[test]
fn titles() {
    let title = |change: &dyn Fn(&mut Incident)| {
        let mut incident = bad_gateway().incidents.remove(0);
        change(&mut incident);
        wording::title(&incident).render(str::to_owned, escape::for_terminal)
    };
    assert_eq!(title(&|_| ()), "502 Bad Gateway on every request, 48 min");
    let partly = |i: &mut Incident| {
        i.impact.percent = Some(37.2);
        i.scope.clear();
        i.statuses = [(500, 90), (502, 10)].into();
        i.end.at = i.start.at.plus_seconds(720);
    };
    assert_eq!(title(&partly), "500 Internal Server Error on 37.2 % of requests, 12 min");
    let one_vhost = |i: &mut Incident| {
        partly(i);
        i.scope = vec![ScopeItem {
            dimension: Dimension::Vhost,
            value: "shop.example.com".into(),
            affected_share: 0.99,
            affected_percent: 98.4,
            baseline_percent: 0.0,
        }];
    };
    assert_eq!(
        title(&one_vhost),
        "500 Internal Server Error on 98.4 % of requests to shop.example.com, 12 min"
    );
    // most of what fails beside it fails always
    let one_route = |share: f64| {
        move |i: &mut Incident| {
            partly(i);
            i.impact.percent = Some(5.1);
            i.baseline.error_percent = Some(2.1);
            i.scope = vec![ScopeItem {
                dimension: Dimension::Path,
                value: "/orders".into(),
                affected_share: share,
                affected_percent: 85.5,
                baseline_percent: 2.8,
            }];
        }
    };
    assert_eq!(
        title(&one_route(0.376)),
        "500 Internal Server Error on 85.5 % of requests for /orders (5.1 % of all), 12 min"
    );
    assert_eq!(title(&one_route(0.2)), "500 Internal Server Error on 5.1 % of requests, 12 min");
    let ongoing = |i: &mut Incident| i.end.open = true;
    assert_eq!(title(&ongoing), "502 Bad Gateway on every request, still going on at the end of the logs");
    let mixed = |i: &mut Incident| i.statuses = [(500, 50), (502, 50)].into();
    assert_eq!(title(&mixed), "Server errors (500, 502) on every request, 48 min");
    let unknown = |i: &mut Incident| i.impact.percent = None;
    assert!(
        title(&unknown).contains("on 100 % of requests through") || title(&unknown).contains("every request")
    );
}

#[test]
fn titles_of_slow_missing_and_logged_trouble() {
    let title = |mut report: Report, change: &dyn Fn(&mut Incident)| {
        let mut incident = report.incidents.remove(0);
        change(&mut incident);
        wording::title(&incident).render(str::to_owned, escape::for_terminal)
    };
    let lasting = |i: &mut Incident, minutes: i64| {
        i.start.open = false;
        i.end.at = i.start.at.plus_seconds(60 * minutes);
    };
    assert_eq!(title(slow_site(), &|i| lasting(i, 45)), "69.8 % of requests 2.0× slower, 45 min");
    let path = |i: &mut Incident| {
        lasting(i, 45);
        i.impact.percent = Some(3.1);
        i.scope = vec![ScopeItem {
            dimension: Dimension::Path,
            value: "/search".into(),
            affected_share: 0.97,
            affected_percent: 81.0,
            baseline_percent: 0.0,
        }];
    };
    assert_eq!(title(slow_site(), &path), "81 % of requests for /search (3.1 % of all) 2.0× slower, 45 min");
    let all = |i: &mut Incident| {
        lasting(i, 45);
        i.impact.percent = Some(100.0);
    };
    assert_eq!(title(slow_site(), &all), "Every request 2.0× slower, 45 min");

    let short = |i: &mut Incident| {
        lasting(i, 12);
        i.silence.as_mut().unwrap().expected_requests = 340.0;
    };
    assert_eq!(title(silent_site(), &short), "No requests at all, 12 min (about 340 expected)");
    let few = |i: &mut Incident| {
        short(i);
        let silence = i.silence.as_mut().unwrap();
        (silence.observed_requests, silence.percent) = (4, 98.8);
    };
    assert_eq!(title(silent_site(), &few), "Hardly any requests, 12 min (about 340 expected)");
    let partly = |i: &mut Incident| {
        few(i);
        i.silence.as_mut().unwrap().percent = 40.0;
        i.impact.percent = Some(40.0);
    };
    assert_eq!(title(silent_site(), &partly), "40 % of the expected requests missing, 12 min");

    assert_eq!(
        title(one_of_two(), &|i| lasting(i, 45)),
        "web-02/nginx/access.log received no requests for 45 min while its peers went on; \
         69.8 % of requests elsewhere 2.0× slower"
    );
    let dropped = |i: &mut Incident| {
        lasting(i, 45);
        i.slowness = None;
        i.signals = vec![Signal::Traffic];
        let silence = i.silence.as_mut().unwrap();
        (silence.observed_requests, silence.percent, silence.carried) = (1900, 59.5, false);
    };
    assert_eq!(
        title(one_of_two(), &dropped),
        "web-02/nginx/access.log received 59.5 % fewer requests for 45 min"
    );

    let unknown = "; the impact on users is unknown";
    assert_eq!(
        title(messages_only(), &|i| lasting(i, 9)),
        format!("ERROR messages 14× as frequent in app.log, 9 min{unknown}")
    );
    let never = |i: &mut Incident| {
        lasting(i, 9);
        i.burst.as_mut().unwrap().factor = None;
    };
    assert_eq!(
        title(messages_only(), &never),
        format!("320 ERROR messages in app.log, where there are none at other times, 9 min{unknown}")
    );
    let both = |i: &mut Incident| {
        i.signals.push(Signal::Latency);
        i.slowness = slow_site().incidents[0].slowness;
    };
    assert_eq!(
        title(bad_gateway(), &both),
        "502 Bad Gateway on every request, with 69.8 % of requests 2.0× slower, 48 min"
    );
}

#[test]
fn a_boundary_that_is_hardly_known_is_said_to_be_uncertain() {
    let text = |low: &str, minutes: i64| {
        let mut report = bad_gateway();
        let incident = &mut report.incidents[0];
        incident.start.range = (at(low), at("12:00:03"));
        incident.end.at = incident.start.at.plus_seconds(60 * minutes);
        rendered(&report, Format::Text, &style())
    };
    assert!(text("11:59:55", 48).contains("start between 11:59:55 and 12:00:03 (95 %)"));
    assert!(text("11:59:55", 1).contains("start uncertain: between 11:59:55"));
    assert!(text("11:54:00", 600).contains("start uncertain: between 11:54:00"));
}

#[test]
fn a_share_is_all_or_nothing_only_if_it_is() {
    for (value, shown) in [
        (100.0, "100 %"),
        (99.97, "99.97 %"),
        (99.999, "99.999 %"),
        (99.999_999_999, "99.9999999 %"),
        (99.5, "99.50 %"),
        (98.99, "99 %"),
        (37.2, "37.2 %"),
        (37.0, "37 %"),
        (0.5, "0.5 %"),
        (0.012, "0.01 %"),
        (0.000_4, "0.0004 %"),
        (0.0, "0 %"),
        (f64::NAN, "unknown"),
    ] {
        assert_eq!(time::percent(value), shown);
    }
}

#[test]
fn durations_counts_and_rates() {
    for (seconds, shown) in [
        (0.4, "0.4 s"),
        (42.0, "42 s"),
        (1324.0, "22 min 4 s"),
        (2880.0, "48 min"),
        (7620.0, "2 h 07 min"),
        (7200.0, "2 h"),
        (200_000.0, "2 d 7 h"),
        (f64::INFINITY, "unknown"),
    ] {
        assert_eq!(time::duration(seconds), shown);
    }
    assert_eq!(time::duration_brief(2879.0), "48 min");
    assert_eq!(time::duration_brief(3590.0), "1 h");
    assert_eq!(time::duration_brief(62.0), "1 min 2 s");
    assert_eq!(time::count(1234), "1234");
    assert_eq!(time::count(1_234_567), "1 234 567");
    assert_eq!(time::bytes(6_104_222), "6.1 MB");
}

#[test]
fn times_in_zones() {
    let lagos = DisplayZone::Named(chrono_tz::Africa::Lagos);
    let fixed = DisplayZone::Fixed(Offset(-12_600));
    assert_eq!(time::rfc3339(&lagos, at("12:00:03")), "2023-05-14T12:00:03+01:00");
    assert_eq!(time::rfc3339(&fixed, at("12:00:03")), "2023-05-14T07:30:03-03:30");
    assert_eq!(time::zone_name(&fixed, Timestamp::default()), "-03:30");
    let fraction = |micros| Timestamp::from_micros(at("12:00:03").micros() + micros);
    assert_eq!(time::rfc3339(&lagos, fraction(250_000)), "2023-05-14T12:00:03.250+01:00");
    assert_eq!(time::rfc3339(&lagos, fraction(1)), "2023-05-14T12:00:03.000001+01:00");
    for micros in [i64::MIN, i64::MAX, -1, 0] {
        let text = time::rfc3339(&lagos, Timestamp::from_micros(micros));
        assert!(chrono::DateTime::parse_from_rfc3339(&text).is_ok(), "{text}");
    }
    let none = time::Open::default();
    let span = |zone, a, b, open| time::span(zone, a, b, open);
    assert_eq!(span(&lagos, at("12:00:03"), at("12:48:02"), none), "2023-05-14 12:00:03–12:48:02 +01:00");
    assert_eq!(
        span(&lagos, at("23:00:00"), at("25:00:00"), time::Open { start: true, end: true }),
        "2023-05-14 ≤23:00:00 – 2023-05-15 ≥01:00:00 +01:00"
    );
    // The night in which clocks go forward.
    let paris = DisplayZone::Named(chrono_tz::Europe::Paris);
    let before = Timestamp::from_seconds(1_679_791_800);
    assert_eq!(
        span(&paris, before, before.plus_seconds(3600), none),
        "2023-03-26 01:50:00 +01:00 – 03:50:00 +02:00"
    );
}

#[test]
fn wall_clocks_that_are_skipped_or_doubled() {
    let paris = DisplayZone::Named(chrono_tz::Europe::Paris);
    let wall = |text: &str| {
        let at = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc();
        time::rfc3339(&paris, time::instant(&paris, Timestamp::from_micros(at.timestamp_micros())))
    };
    assert_eq!(wall("2023-05-14 12:00"), "2023-05-14T12:00:00+02:00");
    assert_eq!(wall("2023-03-26 02:30"), "2023-03-26T03:30:00+02:00");
    assert_eq!(wall("2023-10-29 02:30"), "2023-10-29T02:30:00+02:00");
}

#[test]
fn extreme_values_are_rendered() {
    let (first, last) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1.0] {
        let mut report = bad_gateway();
        report.window = Some((first, last));
        report.totals = Totals {
            requests: u64::MAX,
            failed_requests: u64::MAX,
            probe_requests: u64::MAX,
            lines: u64::MAX,
            bytes: u64::MAX,
            inputs: u64::MAX,
        };
        report.overview =
            Overview { start: first, slice_seconds: i64::MAX, slices: vec![(u64::MAX, u64::MAX); 3] };
        report.source_names.truncate(1);
        for input in &mut report.inputs {
            input.skipped = [("a".to_owned(), u64::MAX), ("b".to_owned(), u64::MAX)].into();
        }
        let incident = &mut report.incidents[0];
        (incident.start.at, incident.end.at) = (first, last);
        (incident.start.range, incident.end.range) = ((first, last), (last, first));
        incident.statuses = [(502, u64::MAX), (0, u64::MAX)].into();
        incident.impact.percent = Some(float);
        incident.impact.peak_percent = Some(float);
        incident.impact.expected_requests = Some(float);
        incident.impact.total_clients = Some(0);
        incident.baseline.latency_p95_seconds = Some(float);
        incident.baseline.requests_per_minute = Some(float);
        incident.change_to_recovery_seconds = Some(float);
        incident.phases = vec![Phase { start: last, end: first, percent: float, statuses: [].into() }; 9];
        incident.suspects[0].lead_seconds = float;
        report.timeline[0].incident = Some(usize::MAX);
        for signal in
            [crate::detect::Signal::Errors, crate::detect::Signal::Latency, crate::detect::Signal::Traffic]
        {
            report.incidents[0].signal = signal;
            rendered(&report, Format::Text, &Style { width: Some(0), verbose: 9, ..style() });
            rendered(&report, Format::Markdown, &style());
            rendered(&report, Format::Html, &style());
            rendered(&report, Format::Csv, &style());
            json(&report);
        }
    }
}
