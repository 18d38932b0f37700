//! A format definition of the user's own has to do what its samples say: the checks that the built-in ones pass in
//! the tests.

use crate::error::{Error, Result};
use crate::format::{Catalog, Definition, Sample};
use crate::model::{Offset, Stamp, Timestamp, Untrusted};
use crate::parse::{LineParser, Scratch};
use crate::report::record::Record;

/// Checks the definitions whose samples come from `first` on against all samples.
///
/// # Errors
/// `Usage` that names the format, the sample and what is wrong.
pub(super) fn check(catalog: &Catalog, first: usize) -> Result<()> {
    let (others, own) = catalog.samples().split_at_checked(first).unwrap_or_default();
    for (name, sample) in own {
        let Some(definition) = catalog.get(name) else { continue };
        one(definition, sample)?;
    }
    let mut names: Vec<&String> = own.iter().map(|(name, _)| name).collect();
    names.dedup();
    for definition in names.into_iter().filter_map(|name| catalog.get(name)) {
        // what takes what is left may accept lines of others
        if !definition.is_fallback() {
            takes_only_its_own(definition, others)?;
        }
    }
    Ok(())
}

fn wrong(name: &str, why: &str) -> Error {
    Error::Usage(format!("format definition {name}: {why}"))
}

fn one(definition: &Definition, sample: &Sample) -> Result<()> {
    let line = &sample.line;
    let parser = LineParser::new(definition);
    let mut scratch = Scratch::default();
    let event = match (parser.parse(line.as_bytes(), &mut scratch), sample.reject) {
        (Err(_), true) => return Ok(()),
        (Ok(_), true) => {
            return Err(wrong(&definition.name, &format!("it accepts '{line}', which it should reject")));
        }
        (Err(_), false) => {
            return Err(wrong(&definition.name, &format!("it does not accept its sample '{line}'")));
        }
        (Ok(event), false) => event,
    };
    let zoned = event.stamp.is_some_and(|stamp| stamp.offset.is_some());
    let utc = |stamp: Stamp| (stamp.at, i64::from(stamp.offset.unwrap_or(Offset(0)).0));
    let fields = Record::new(&event, &definition.name, &Untrusted::default(), 1, &utc).fields();
    for (field, expected) in &sample.expect {
        let expected = text(expected);
        let read = fields.iter().find(|(name, _)| name == field);
        let read = read.map(|(_, value)| String::from_utf8_lossy(value.raw()).into_owned());
        let same = match (field.as_str(), &read) {
            ("time", Some(read)) => same_time(read, &expected, zoned),
            (_, Some(read)) => *read == expected || same_number(read, &expected),
            (_, None) => false,
        };
        if !same {
            let read = read.unwrap_or_else(|| "nothing".to_owned());
            let why = format!("of '{line}' it reads {field} as {read}, not as {expected}");
            return Err(wrong(&definition.name, &why));
        }
    }
    Ok(())
}

/// A value of a definition file as a record has it.
fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(is) => is.to_string(),
        toml::Value::Datetime(time) => time.to_string(),
        toml::Value::Array(_) | toml::Value::Table(_) => String::new(),
    }
}

/// A time without a zone is compared as the clock showed it.
fn same_time(read: &str, expected: &str, zoned: bool) -> bool {
    let micros = |text: &str| {
        let instant = chrono::DateTime::parse_from_rfc3339(text).map(|t| t.timestamp_micros());
        let wall = text.parse::<chrono::NaiveDateTime>().map(|t| t.and_utc().timestamp_micros());
        instant.or(wall).ok().map(Timestamp::from_micros)
    };
    let stated = chrono::DateTime::parse_from_rfc3339(expected).is_ok();
    zoned == stated && micros(read).is_some() && micros(read) == micros(expected)
}

/// `1.0` and `1` are one number.
fn same_number(read: &str, expected: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok().map(f64::to_bits);
    number(read).is_some() && number(read) == number(expected)
}

fn takes_only_its_own(definition: &Definition, others: &[(String, Sample)]) -> Result<()> {
    let parser = LineParser::new(definition);
    let mut scratch = Scratch::default();
    let of_others = others.iter().filter(|(name, sample)| !sample.reject && *name != definition.name);
    for (other, sample) in of_others {
        if parser.parse(sample.line.as_bytes(), &mut scratch).is_ok() {
            let why = format!(
                "it also accepts '{}', a line of the format {other}: make it more specific, or give it a rank \
                 below 0 if it is to take what no other format fits",
                sample.line
            );
            return Err(wrong(&definition.name, &why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: &str = r#"
name = "till"
title = "Our tills"
class = "access"
rank = 60

[layout]
patterns = ["{client} {time:iso} till {status} {latency:s} {path}"]
"#;

    /// What is said of the definition with this sample.
    fn said(sample: &str) -> String {
        said_of(&format!("{DEFINITION}\n[[sample]]\n{sample}"))
    }

    fn said_of(text: &str) -> String {
        let mut catalog = Catalog::built_in().unwrap();
        let known = catalog.samples().len();
        catalog.add("till.toml", text).unwrap();
        check(&catalog, known).map_or_else(|error| error.to_string(), |()| "right".to_owned())
    }

    const LINE: &str = "line = '192.0.2.7 2024-05-12T10:00:03+01:00 till 502 1.5 /pay'";

    #[test]
    fn a_definition_that_reads_its_samples_is_right() {
        let expect = "expect = { client = '192.0.2.7', status = 502, path = '/pay', latency_seconds = 1.5, time = '2024-05-12T10:00:03+01:00' }";
        assert_eq!(said(&format!("{LINE}\n{expect}")), "right");
    }

    #[test]
    fn a_field_that_becomes_something_else_is_named() {
        let text = said(&format!("{LINE}\nexpect = {{ status = 500 }}"));
        assert!(text.contains("it reads status as 502, not as 500"), "{text}");
        let text = said(&format!("{LINE}\nexpect = {{ method = 'GET' }}"));
        assert!(text.contains("it reads method as nothing, not as GET"), "{text}");
        let text = said(&format!("{LINE}\nexpect = {{ time = '2024-05-12T10:00:03' }}"));
        assert!(text.contains("reads time"), "{text}");
    }

    #[test]
    fn a_sample_that_is_not_accepted_or_not_rejected_is_named() {
        assert!(said("line = 'nothing of the kind'").contains("does not accept its sample"));
        assert!(said(&format!("{LINE}\nreject = true")).contains("should reject"));
    }

    #[test]
    fn a_definition_that_takes_the_lines_of_others_is_refused() {
        let greedy =
            DEFINITION.replace("{client} {time:iso} till {status} {latency:s} {path}", "{client} {message}");
        let text = said_of(&format!("{greedy}\n[[sample]]\nline = '192.0.2.7 x'"));
        assert!(text.contains("a line of the format"), "{text}");
    }
}
