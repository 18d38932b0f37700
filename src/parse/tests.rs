use super::*;
use crate::format::Catalog;
use crate::model::Status;

fn catalog() -> Catalog {
    Catalog::built_in().unwrap()
}

#[test]
fn a_line_is_accepted_by_its_own_format_only() {
    let catalog = catalog();
    let parsers: Vec<_> = catalog.iter().map(|d| (d.name.clone(), LineParser::new(d))).collect();
    // what takes what is left may accept lines of others
    let is_fallback = |name: &str| catalog.get(name).is_some_and(Definition::is_fallback);
    let mut wrong = Vec::new();
    for (owner, sample) in catalog.samples() {
        let takers: Vec<_> = parsers
            .iter()
            .filter(|(_, p)| p.parse(sample.line.as_bytes(), &mut Scratch::default()).is_ok())
            .map(|(n, _)| n.as_str())
            .filter(|n| n == owner || !is_fallback(n))
            .collect();
        let right =
            if sample.reject { !takers.contains(&owner.as_str()) } else { takers == [owner.as_str()] };
        if !right {
            wrong.push(format!("{owner}, reject {}: taken by {takers:?}: {}", sample.reject, sample.line));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A message's values as text, by the names that records have.
fn message_values(event: &Event<'_>) -> Vec<(&'static str, String)> {
    let Kind::Message(m) = event.kind else { return Vec::new() };
    let text = |v: &[u8]| String::from_utf8_lossy(&unescape(v, event.escape)).into_owned();
    let mut out = vec![("message", text(m.text))];
    out.extend(m.level.map(|l| ("level", l.name().to_owned())));
    out.extend(m.component.map(|c| ("component", text(c))));
    out.extend(m.client.map(|c| ("client", text(c))));
    out.extend(m.pid.map(|p| ("pid", p.to_string())));
    out
}

#[test]
fn messages_are_read_as_their_samples_say() {
    let catalog = catalog();
    let mut wrong = Vec::new();
    for (owner, sample) in catalog.samples().iter().filter(|(_, s)| !s.reject) {
        let parser = LineParser::new(catalog.get(owner).unwrap());
        let event = parser.parse(sample.line.as_bytes(), &mut Scratch::default()).unwrap();
        if parser.is_access() {
            continue;
        }
        let values = message_values(&event);
        for (name, expected) in &sample.expect {
            let expected = match expected {
                toml::Value::Integer(n) => n.to_string(),
                other => other.as_str().unwrap_or_default().to_owned(),
            };
            let right = match name.as_str() {
                "time" => event.stamp.is_some_and(|stamp| {
                    let zoned = chrono::DateTime::parse_from_rfc3339(&expected).map(|t| t.timestamp_micros());
                    let wall =
                        expected.parse::<chrono::NaiveDateTime>().map(|t| t.and_utc().timestamp_micros());
                    let micros = if stamp.offset.is_some() { zoned.ok() } else { wall.ok() };
                    micros == Some(stamp.at.micros())
                }),
                "vhost" | "upstream" | "method" | "path" | "protocol" | "bytes" => true,
                other => values.iter().any(|(n, v)| *n == other && *v == expected),
            };
            if !right {
                wrong.push(format!(
                    "{owner}: {name} is not {expected}: {values:?} {:?}: {}",
                    event.stamp, sample.line
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn custom(format: &str) -> LineParser {
    LineParser::new(&crate::format::from_option(format, &catalog()).unwrap())
}

fn request<'a>(parser: &LineParser, line: &'a str) -> Request<'a> {
    match parser.parse(line.as_bytes(), &mut Scratch::default()).unwrap().kind {
        Kind::Request(r) => r,
        Kind::Message(_) => panic!("a message"),
    }
}

#[test]
fn an_nginx_log_format_string_is_a_format() {
    let parser = custom(
        "$remote_addr [$time_iso8601] \"$request\" $status $request_time $upstream_addr $upstream_status \"$host\"",
    );
    let r = request(
        &parser,
        r#"203.0.113.7 [2023-05-14T12:00:03+01:00] "GET /a HTTP/1.1" 504 60.001 10.0.0.1:80, 10.0.0.2:80 : [::1]:81 502, 504 : 504 "shop""#,
    );
    assert_eq!(r.status, Status::new(504));
    assert_eq!(r.latency_us, Some(60_001_000));
    assert_eq!(r.upstream, Some(&b"10.0.0.1:80, 10.0.0.2:80 : [::1]:81"[..]));
    assert_eq!(r.upstream_status, Some(&b"502, 504 : 504"[..]));
    assert_eq!(r.vhost, Some(&b"shop"[..]));
}

#[test]
fn an_apache_logformat_string_is_a_format() {
    let parser = custom(
        r#"LogFormat "%{X-Forwarded-For}i %v:%p %h %l %u %t \"%r\" %>s %O %D \"%{User-Agent}i\"" proxy"#,
    );
    let r = request(
        &parser,
        r#"1.2.3.4, 10.0.0.1 www:443 10.0.0.9 - - [14/May/2023:12:00:03 +0100] "GET /a HTTP/1.1" 200 12 1500 "x""#,
    );
    assert_eq!(r.latency_us, Some(1_500));
    assert_eq!(r.vhost, Some(&b"www"[..]));
    assert_eq!(r.client, Some(&b"10.0.0.9"[..]));
}

#[test]
fn the_finer_of_two_latencies_counts() {
    let line = r#"203.0.113.7 [14/May/2023:12:00:03 +0100] "GET /a HTTP/1.1" 200 1 1500"#;
    for format in [r#"%h %t "%r" %>s %T %D"#, r#"%a %t \"%r\" %>s %{s}T %{us}T"#] {
        assert_eq!(request(&custom(format), line).latency_us, Some(1_500), "{format}");
    }
}

#[test]
fn a_format_without_a_time_is_refused() {
    let error = crate::format::from_option("$remote_addr $status", &catalog()).unwrap_err().to_string();
    assert!(error.contains("$time_local"), "{error}");
}

#[test]
fn escapes_are_undone_once() {
    let undone = |v: &str, e| String::from_utf8_lossy(&unescape(v.as_bytes(), e)).into_owned();
    assert_eq!(undone(r"a\x22b\x5Cn", Escape::Backslash), "a\"b\\n");
    assert_eq!(undone(r"\u00e9\ud83d\ude00\/", Escape::Json), "é😀/");
    assert_eq!(undone(r"\xZZ\", Escape::Backslash), r"\xZZ\");
    assert_eq!(undone(r"\n", Escape::None), r"\n");
}

#[test]
fn json_nested_too_deep_is_a_reject_of_its_own() {
    let parser = LineParser::new(catalog().get("json-access").unwrap());
    let line = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
    assert_eq!(parser.parse(line.as_bytes(), &mut Scratch::default()).unwrap_err(), Reject::TooDeep);
    let array = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(parser.parse(array.as_bytes(), &mut Scratch::default()).unwrap_err(), Reject::TooDeep);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_parsed_without_a_panic(line in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let mut scratch = Scratch::default();
        for definition in catalog().iter() {
            let _ = LineParser::new(definition).parse(&line, &mut scratch);
        }
    }

    #[test]
    fn what_was_read_before_changes_nothing(picks in proptest::collection::vec((0usize..100, 0usize..60), 1..12)) {
        let catalog = catalog();
        let samples = catalog.samples();
        let mut scratch = Scratch::default();
        for (which, cut) in picks {
            let line = &samples[which % samples.len()].1.line;
            let line = line.as_bytes().get(cut..).unwrap_or_default();
            for definition in catalog.iter() {
                let parser = LineParser::new(definition);
                proptest::prop_assert_eq!(parser.parse(line, &mut scratch), parser.parse(line, &mut Scratch::default()));
            }
        }
    }
}

#[test]
fn what_a_client_wrote_is_none_of_a_server_s_words() {
    let catalog = Catalog::built_in().unwrap();
    let definition = catalog.iter().find(|d| d.name == "nginx-error").unwrap();
    let line = br#"2023/05/14 12:00:03 [info] 1#1: *2 client timed out, client: 203.0.113.7, request: "GET /?q=Out of memory, client: x HTTP/1.1""#;
    for projection in [Projection::All, Projection::Counts] {
        let mut fields = Fields::default();
        LineParser::projected(definition, projection)
            .fill(line, Quotes::UNKNOWN, &mut fields, &mut Scratch::default())
            .unwrap();
        assert_eq!(fields.message.words(), b"client timed out");
        assert!(fields.message.text.ends_with(b"HTTP/1.1\""));
    }
}

/// Times in the notations of messages, some of them wrong.
fn times() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let date = prop::sample::select(&["2023-05-14", "2023/05/14", "1970-01-01", "2023-02-30"][..]);
    let between = prop::sample::select(&[" ", "T", "  "][..]);
    let clock =
        prop::sample::select(&["12:00:03", "12:00:61", "9:00:03", "00:00:00", "12:01:03", "12:00x03"][..]);
    let fraction = prop::sample::select(&["", ",123", ".999", ",12", ".1234567", ",", ".12a"][..]);
    let offset = prop::sample::select(
        &["", "Z", "+01:00", "-0130", " +0100", " UTC", " GMT", " Z", " G", "+01", " U", " INFO x", "]: x"][..],
    );
    (date, between, clock, fraction, offset).prop_map(|(d, b, c, f, o)| [d, b, c, f, o, " "].concat())
}

proptest::proptest! {
    #[test]
    fn a_time_is_read_the_same_whatever_came_before(texts in proptest::collection::vec(times(), 1..20)) {
        use crate::format::TimeNotation;
        let mut cache = time::Cache::default();
        for text in &texts {
            for notation in [TimeNotation::Iso, TimeNotation::IsoUtc, TimeNotation::Slashed, TimeNotation::Any] {
                let read = |cache: &mut time::Cache| time::read(text.as_bytes(), notation, cache);
                let afresh = read(&mut time::Cache::default());
                proptest::prop_assert_eq!(read(&mut cache), afresh, "{}", text);
                proptest::prop_assert_eq!(read(&mut cache), afresh, "{} again", text);
            }
        }
    }
}
