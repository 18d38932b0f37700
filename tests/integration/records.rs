//! The samples in the format definitions, read as `logtopsy records` reads them.

use std::collections::BTreeMap;

use chrono::DateTime;
use logtopsy::format::Catalog;
use serde_json::Value;

use crate::support::run_with_input;

fn records(format: &str, line: &str) -> Vec<Value> {
    let args = ["records", "--rejects", "--log-format", format, "--assume-tz", "UTC", "-"];
    let ended = run_with_input(args, format!("{line}\n"));
    assert_eq!(ended.stderr, "", "{format}: {line}");
    ended.ndjson()
}

/// A time without an offset means UTC, as it was assumed.
fn with_offset(time: &str) -> String {
    if DateTime::parse_from_rfc3339(time).is_ok() { time.to_owned() } else { format!("{time}+00:00") }
}

fn same(field: &str, found: &Value, expected: &Value) -> bool {
    match (field, found, expected) {
        ("time", Value::String(found), Value::String(expected)) => {
            let expected = with_offset(expected);
            let (a, b) = (DateTime::parse_from_rfc3339(found), DateTime::parse_from_rfc3339(&expected));
            // the same instant, written with the same offset
            a.is_ok() && a == b && a.unwrap().offset() == b.unwrap().offset()
        }
        (_, Value::Number(found), Value::Number(expected)) => {
            let (a, b) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            (a - b).abs() < 1e-9
        }
        _ => found == expected,
    }
}

#[test]
fn each_format_reads_its_samples_and_refuses_those_it_must() {
    let catalog = Catalog::built_in().unwrap();
    let (mut read, mut refused) = (BTreeMap::new(), BTreeMap::new());
    let mut wrong = Vec::new();
    for (format, sample) in catalog.samples() {
        let found = records(format, &sample.line);
        assert!(!found.is_empty(), "{format} lost {}", sample.line);
        if sample.reject {
            *refused.entry(format.as_str()).or_insert(0) += 1;
            if found.len() != 1 || !found[0]["reject"].is_string() {
                wrong.push(format!("{format} must refuse {}: {found:?}", sample.line));
            }
            continue;
        }
        *read.entry(format.as_str()).or_insert(0) += 1;
        for (field, expected) in &sample.expect {
            let expected = serde_json::to_value(expected).unwrap();
            if !same(field, &found[0][field], &expected) {
                wrong.push(format!(
                    "{format}.{field} is {}, not {expected}: {}",
                    found[0][field], sample.line
                ));
            }
        }
        if found[0]["format"] != format.as_str() {
            wrong.push(format!("{format} is called {}", found[0]["format"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for definition in catalog.iter() {
        let name = definition.name.as_str();
        assert!(read.contains_key(name) && refused.contains_key(name), "{name} needs both kinds of samples");
    }
}

#[test]
fn a_sample_is_read_without_naming_its_format_too() {
    for (format, sample) in Catalog::built_in().unwrap().samples().iter().filter(|(_, s)| !s.reject) {
        let ended =
            run_with_input(["records", "--rejects", "--assume-tz", "UTC", "-"], format!("{}\n", sample.line));
        let found = ended.ndjson();
        assert!(!found[0]["format"].is_null(), "{format}: {} is read by none", sample.line);
    }
}
