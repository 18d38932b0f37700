//! What nginx would write for a `log_format` is read back to the values it was written from.
//!
//! The escaping is nginx's own: `ngx_http_log_escape` for `escape=default`, `ngx_escape_json` for `escape=json`.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::format::{Catalog, from_option};

/// A variable, its value, and what it must be read as.
#[derive(Debug, Clone)]
struct Written {
    name: &'static str,
    /// As the client or nginx has it; `None` is logged as `-`, or as nothing in JSON.
    value: Option<Vec<u8>>,
    /// May hold blanks, so it needs something around it.
    is_text: bool,
}

/// Which variables a format may have; of those that mean the same, one.
const GROUPS: &[&[&str]] = &[
    &["time_local", "time_iso8601", "msec"],
    &["remote_addr"],
    &["remote_user"],
    &["request"],
    &["status"],
    &["body_bytes_sent", "bytes_sent"],
    &["request_time"],
    &["host", "http_host", "server_name"],
    &["http_referer"],
    &["http_user_agent"],
    &["upstream_addr"],
    &["upstream_status"],
    // known to nginx, passed over here
    &["connection", "ssl_protocol", "gzip_ratio", "request_length", "http_cookie"],
];

fn text() -> BoxedStrategy<Option<Vec<u8>>> {
    let byte = prop_oneof![
        6 => 0x20u8..0x7F,
        1 => any::<u8>(),
        1 => select(b"\"\\-,: ".to_vec()),
    ];
    prop::option::weighted(0.9, prop::collection::vec(byte, 1..24)).boxed()
}

fn pick(pattern: &'static [&'static str]) -> BoxedStrategy<Option<Vec<u8>>> {
    select(pattern).prop_map(|v| Some(v.as_bytes().to_vec())).boxed()
}

fn value(name: &'static str) -> BoxedStrategy<Written> {
    let values = match name {
        "time_local" => pick(&["14/May/2023:12:00:03 +0100", "29/Feb/2024:23:59:59 -0730"]),
        "time_iso8601" => pick(&["2023-05-14T12:00:03+01:00", "2024-02-29T23:59:59-07:30"]),
        "msec" => pick(&["1684062003.125", "1709278199.000"]),
        "remote_addr" => pick(&["203.0.113.7", "2001:db8::7", "unix:"]),
        "request" => (select(&["GET", "POST", "M-SEARCH"][..]), text(), select(&["1.0", "1.1", "2.0"][..]))
            .prop_map(|(method, path, version)| {
                let mut line = format!("{method} /").into_bytes();
                line.extend(path.unwrap_or_default());
                line.extend(format!(" HTTP/{version}").bytes());
                Some(line)
            })
            .boxed(),
        "status" => (100u16..600).prop_map(|n| Some(n.to_string().into_bytes())).boxed(),
        "body_bytes_sent" | "bytes_sent" | "connection" | "request_length" => {
            any::<u32>().prop_map(|n| Some(n.to_string().into_bytes())).boxed()
        }
        "request_time" => (0u32..100_000)
            .prop_map(|ms| Some(format!("{}.{:03}", ms / 1000, ms % 1000).into_bytes()))
            .boxed(),
        "upstream_addr" => prop::option::of(select(
            &["10.0.0.1:80", "10.0.0.1:80, 10.0.0.2:80 : [::1]:81", "unix:/run/app.sock"][..],
        ))
        .prop_map(|v| v.map(|v| v.as_bytes().to_vec()))
        .boxed(),
        "upstream_status" => prop::option::of(select(&["200", "502, 504 : 200"][..]))
            .prop_map(|v| v.map(|v| v.as_bytes().to_vec()))
            .boxed(),
        // a name that begins with the `-` of another field cannot be told from it
        "remote_user" => {
            let free = |v: &Vec<u8>| !v.starts_with(b"- ") && memchr::memmem::find(v, b" - ").is_none();
            text().prop_filter("a name", move |v| v.as_ref().is_none_or(free)).boxed()
        }
        _ => text(),
    };
    let is_text = matches!(
        name,
        "remote_user"
            | "request"
            | "host"
            | "http_host"
            | "server_name"
            | "http_referer"
            | "http_user_agent"
            | "ssl_protocol"
            | "gzip_ratio"
            | "http_cookie"
    );
    values.prop_map(move |value| Written { name, value, is_text }).boxed()
}

/// A format's variables in any order, with their values; a time is always among them.
fn variables() -> impl Strategy<Value = Vec<Written>> {
    (1..GROUPS.len())
        .prop_flat_map(|n| subsequence(GROUPS.get(1..).unwrap().to_vec(), n))
        .prop_flat_map(|mut groups| {
            groups.push(GROUPS[0]);
            groups.into_iter().map(|group| select(group).prop_flat_map(value)).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

fn escaped(value: Option<&[u8]>) -> Vec<u8> {
    let Some(value) = value else { return b"-".to_vec() };
    value
        .iter()
        .flat_map(|&b| match b {
            b'"' | b'\\' | 0..=31 | 127.. => format!("\\x{b:02X}").into_bytes(),
            _ => vec![b],
        })
        .collect()
}

fn escaped_json(value: Option<&[u8]>) -> Vec<u8> {
    let named = |b: u8| match b {
        b'\n' => b"\\n".to_vec(),
        b'\r' => b"\\r".to_vec(),
        b'\t' => b"\\t".to_vec(),
        8 => b"\\b".to_vec(),
        12 => b"\\f".to_vec(),
        b'"' | b'\\' => vec![b'\\', b],
        0..=31 => format!("\\u{b:04X}").into_bytes(),
        _ => vec![b],
    };
    value.unwrap_or_default().iter().flat_map(|&b| named(b)).collect()
}

/// The value of a variable in what was read, unescaped, or of a number its digits.
fn read_back(name: &str, event: &Event<'_>) -> Option<Vec<u8>> {
    let Kind::Request(r) = &event.kind else { panic!("a request") };
    let undone = |v: &[u8]| unescape(v, event.escape).into_owned();
    let value = match name {
        "remote_addr" => r.client,
        "remote_user" => r.user,
        "host" | "http_host" | "server_name" => r.vhost,
        "http_referer" => r.referrer,
        "http_user_agent" => r.user_agent,
        "upstream_addr" => r.upstream,
        "upstream_status" => r.upstream_status,
        "status" => return r.status.map(|s| s.code().to_string().into_bytes()),
        "body_bytes_sent" | "bytes_sent" => return r.bytes.map(|n| n.to_string().into_bytes()),
        "request_time" => {
            return r.latency_us.map(|us| format!("{}.{:03}", us / 1_000_000, us / 1000 % 1000).into_bytes());
        }
        "request" => {
            let parts = [r.method?, r.path?, r.protocol?];
            return Some(parts.map(undone).join(&b' '));
        }
        other => panic!("{other} is not read"),
    };
    value.map(undone)
}

/// Reads the line and compares every value that has a meaning.
fn check(format: &str, line: &[u8], written: &[Written]) -> Result<(), TestCaseError> {
    let parser = LineParser::new(&from_option(format, &Catalog::built_in().unwrap()).unwrap());
    let shown = String::from_utf8_lossy(line).into_owned();
    let Ok(event) = parser.parse(line, &mut Scratch::default()) else {
        return Err(TestCaseError::fail(format!("{format} does not take {shown}")));
    };
    let times = [
        ("14/May/2023:12:00:03 +0100", 1_684_062_003_000_000),
        ("2023-05-14T12:00:03+01:00", 1_684_062_003_000_000),
        ("1684062003.125", 1_684_062_003_125_000),
    ];
    for Written { name, value, .. } in written {
        if GROUPS[0].contains(name) {
            let at = event.stamp.unwrap().at.micros();
            let known = times.iter().find(|(text, _)| Some(text.as_bytes()) == value.as_deref());
            prop_assert_eq!(known.map_or(1_709_278_199_000_000, |t| t.1), at, "{}: {}", name, shown);
        } else if !GROUPS[GROUPS.len() - 1].contains(name) {
            let expected = value.clone().filter(|v| v != b"-");
            prop_assert_eq!(read_back(name, &event), expected, "{}: {}", name, shown);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_log_format_reads_what_nginx_writes_with_it(
        written in variables(),
        bars in any::<bool>(),
        brackets in any::<u16>(),
    ) {
        let (mut format, mut line) = (String::new(), Vec::new());
        let mut written = written;
        for (nth, Written { name, value, is_text }) in written.iter_mut().enumerate() {
            let in_brackets = brackets >> nth & 1 == 1;
            let (open, close) = match (bars, *is_text, in_brackets) {
                (false, _, true) => ("[", "]"),
                (false, true, false) => ("\"", "\""),
                _ => ("", ""),
            };
            // what separates values must not be part of one: nginx escapes quotes only
            if bars || in_brackets {
                for b in value.iter_mut().flatten().filter(|b| matches!(b, b'|' | b']')) {
                    *b = b'_';
                }
                // an address keeps its bracket's pair
                if in_brackets && !*is_text && value.as_ref().is_some_and(|v| v.contains(&b'[')) {
                    *value = None;
                }
            }
            if bars && *name == "upstream_addr" {
                *value = None;
            }
            if nth > 0 {
                let between = if bars { "|" } else { " " };
                format.push_str(between);
                line.extend(between.bytes());
            }
            format.extend([open, "$", name, close]);
            line.extend([open.as_bytes(), &escaped(value.as_deref()), close.as_bytes()].concat());
        }
        check(&format, &line, &written)?;
    }

    #[test]
    fn so_does_one_that_writes_json(written in variables()) {
        let mut format = String::from("log_format j escape=json '{");
        let mut line = b"{".to_vec();
        for (nth, Written { name, value, .. }) in written.iter().enumerate() {
            let comma = if nth > 0 { "," } else { "" };
            format.extend([comma, &format!("\"k{nth}\":\"${name}\"")]);
            line.extend(format!("{comma}\"k{nth}\":\"").bytes());
            line.extend(escaped_json(value.as_deref()));
            line.push(b'"');
        }
        format.push_str("}';");
        line.push(b'}');
        check(&format, &line, &written)?;
    }
}
