//! The published shape: what is written fits it, and it holds what the contract names.

use serde_json::Value;

use crate::support::{checked, run};

fn schema() -> Value {
    let ended = run(["schema"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
    serde_json::from_slice(&ended.stdout).unwrap()
}

fn report(sample: &str) -> Value {
    crate::support::sample_report(sample.as_ref())
}

/// Asserts that `value` is an object with these fields.
fn has(value: &Value, fields: &str) {
    let object = value.as_object().unwrap_or_else(|| panic!("{value} is no object"));
    for field in fields.split_whitespace() {
        assert!(object.contains_key(field), "{field} is missing from {:?}", object.keys());
    }
}

#[test]
fn what_is_printed_fits_the_printed_schema() {
    let validator =
        jsonschema::options().should_validate_formats(true).build(&schema()).expect("a sound schema");
    for sample in ["sample-logs/bad-gateway", "sample-logs/web-01", "sample-logs/README.md"] {
        let ended = run(["--format", "json", sample]);
        if ended.status == Some(1) {
            continue; // prose alone leaves no report
        }
        let json: Value = serde_json::from_slice(&ended.stdout).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&json).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{sample}: {wrong:?}");
    }
}

#[test]
fn a_report_that_does_not_fit_is_refused() {
    let mut json = report("sample-logs/web-01");
    json["totals"]["requests"] = Value::from("many");
    let validator = jsonschema::validator_for(&schema()).unwrap();
    assert!(!validator.is_valid(&json));
    json["totals"]["requests"] = Value::from(3);
    assert!(validator.is_valid(&json));
    json.as_object_mut().unwrap().remove("incidents");
    assert!(!validator.is_valid(&json));
}

#[test]
fn the_fields_of_the_contract_are_there() {
    for sample in ["sample-logs/bad-gateway", "sample-logs/web-01"] {
        let json = report(sample);
        assert_eq!(json["schema"], "logtopsy/report/1");
        has(&json, "schema tool generated_at timezone window totals inputs incidents timeline warnings");
        has(&json["tool"], "name version");
        has(&json["window"], "start end");
        has(&json["totals"], "requests failed_requests probe_requests lines bytes inputs");
        for input in json["inputs"].as_array().unwrap() {
            has(
                input,
                "path format status detail bytes lines records continuation_lines skipped first last time_zone \
                 time_zone_source role",
            );
        }
        for incident in json["incidents"].as_array().unwrap() {
            has(
                incident,
                "id signal signals title severity confidence start end start_range end_range first_arrival \
                 duration_seconds change_to_recovery_seconds phases statuses impact baseline during scope \
                 suspects evidence",
            );
            has(
                &incident["impact"],
                "percent percent_all_requests percent_interval affected_requests total_requests \
                 expected_requests peak_percent affected_clients total_clients clients_percent",
            );
            for vitals in ["baseline", "during"] {
                let fields = "error_percent requests_per_minute latency_p50_seconds latency_p95_seconds";
                has(&incident[vitals], fields);
            }
            incident["phases"].as_array().unwrap().iter().for_each(|p| has(p, "start end percent statuses"));
            for row in incident["scope"].as_array().unwrap() {
                has(row, "dimension value affected_share affected_percent baseline_percent");
            }
            for row in incident["suspects"].as_array().unwrap() {
                has(row, "time kind summary score source");
                has(&row["source"], "path line");
            }
            for row in incident["evidence"].as_array().unwrap() {
                has(row, "time text source");
                has(&row["source"], "path line");
            }
        }
        json["timeline"].as_array().unwrap().iter().for_each(|e| has(e, "time kind summary source incident"));
    }
}

#[test]
fn a_hostile_log_fits_too() {
    let hostile =
        b"\xff\xfe\x00\x1b[31m\n203.0.113.7 - - [99/Foo/2023:12:00:03 +0100] \"\x1b]0;x\x07\" 999 5\n\
        {\"status\":1e999,\"time\":\"9999-99-99\"}\n{\"a\":{\"a\":{\"a\":[[[[[[\n";
    let mut log = hostile.to_vec();
    for n in 0..200 {
        log.extend_from_slice(
            format!(
                "203.0.113.{n} - - [14/May/2023:12:00:{:02} +0100] \"GET /\x1b[2J{n} HTTP/1.1\" {} 5 \"\u{202e}\" \"\x07\"\n",
                n % 60,
                if n % 2 == 0 { 200 } else { 503 }
            )
            .as_bytes(),
        );
    }
    let logs = crate::support::Logs::with("access.log", &log[3..]);
    let ended = logs.run(&["--format", "json"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let json = checked(&ended.stdout);
    assert!(!ended.stdout.contains(&0x1b));
    assert_eq!(json["totals"]["requests"], 200);
}
