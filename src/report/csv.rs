//! Timeline → CSV, for spreadsheets and for Timesketch, whose names the columns have: all rows.

use std::collections::BTreeMap;
use std::io;

use crate::explain::facts::{Report, TimelineEntry};
use crate::model::Untrusted;

use super::{escape, time, wording};

/// The columns. `timestamp` is in microseconds since 1970, `source` is the format of the log.
const HEADER: &str = "message,timestamp,datetime,timestamp_desc,source,file,line,incident";

/// The format of each input, by its name.
type Formats<'a> = BTreeMap<&'a Untrusted, Option<&'a str>>;

/// Writes the timeline, lines ended as RFC 4180 has it.
pub(super) fn render(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    write!(out, "{HEADER}\r\n")?;
    let formats: Formats<'_> = report.inputs.iter().map(|i| (&i.path, i.format.as_deref())).collect();
    for entry in &report.timeline {
        let incident = entry.incident.and_then(|at| report.incidents.get(at));
        let [format, file, line] = place(report, &formats, entry);
        let cells = [
            cell(&message(report, entry)),
            entry.time.micros().to_string(),
            time::rfc3339(&report.zone, entry.time),
            wording::kind_name(entry.kind).to_owned(),
            format,
            file,
            line,
            incident.map(|i| cell(i.id.as_bytes())).unwrap_or_default(),
        ];
        write!(out, "{}\r\n", cells.join(","))?;
    }
    Ok(())
}

fn cell(raw: &[u8]) -> String {
    escape::for_csv(&Untrusted::new(raw))
}

/// The sentence as bytes: what it quotes is escaped with the cell, once.
fn message(report: &Report, entry: &TimelineEntry) -> Vec<u8> {
    let incident = entry.incident.and_then(|at| report.incidents.get(at));
    let sentence = wording::fact_of(incident, &entry.fact);
    let parts = sentence.parts().iter().map(|part| match part {
        wording::Part::Text(own) => own.as_bytes(),
        wording::Part::Log(text) => text.raw(),
    });
    parts.collect::<Vec<_>>().concat()
}

/// Format, file and line, as far as the row has a place.
fn place(report: &Report, formats: &Formats<'_>, entry: &TimelineEntry) -> [String; 3] {
    let Some(location) = entry.location else { return Default::default() };
    let name = usize::try_from(location.source.0).ok().and_then(|at| report.source_names.get(at));
    let Some(name) = name else { return [String::new(), String::new(), location.line.to_string()] };
    let format = formats.get(name).copied().flatten();
    [
        format.map(|format| cell(format.as_bytes())).unwrap_or_default(),
        cell(name.raw()),
        location.line.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{bad_gateway, hostile};
    use proptest::prelude::*;

    /// Fields of lines, as RFC 4180 has them.
    fn parsed(text: &str) -> Vec<Vec<String>> {
        let (mut lines, mut line, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '"' if quoted && rest.peek() == Some(&'"') => field.extend(rest.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => line.push(std::mem::take(&mut field)),
                '\r' if !quoted && rest.peek() == Some(&'\n') => {
                    rest.next();
                    line.push(std::mem::take(&mut field));
                    lines.push(std::mem::take(&mut line));
                }
                c => field.push(c),
            }
        }
        assert!(field.is_empty() && line.is_empty() && !quoted, "the last line is ended");
        lines
    }

    fn rendered(report: &Report) -> String {
        let mut out = Vec::new();
        render(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_looks_like_this() {
        insta::assert_snapshot!("csv_bad_gateway", rendered(&bad_gateway()));
        let rows = parsed(&rendered(&hostile()));
        assert!(rows.iter().all(|row| row.len() == 8), "{rows:?}");
        assert_eq!(rows.len(), hostile().timeline.len() + 1);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(texts in prop::collection::vec(prop_oneof![any::<Vec<u8>>(), "[=+@\\-,\"\r\n\t a]{0,8}".prop_map(String::into_bytes)], 1..5)) {
            let mut report = bad_gateway();
            let row = report.timeline[1].clone();
            report.timeline = texts
                .iter()
                .map(|text| {
                    let fact = crate::explain::facts::Fact::Signature { meaning: String::new(), text: Untrusted::new(text), count: 1 };
                    TimelineEntry { fact, ..row.clone() }
                })
                .collect();
            report.source_names[2] = Untrusted::new(&texts[0]);
            let rows = parsed(&rendered(&report));
            prop_assert_eq!(rows.len(), texts.len() + 1);
            for (row, text) in rows.iter().skip(1).zip(&texts) {
                prop_assert_eq!(row.len(), 8);
                prop_assert_eq!(&row[0], &format!(": {}", escape::for_terminal(&Untrusted::new(text))));
                let file = &row[5];
                prop_assert!(!file.starts_with(['=', '+', '-', '@', '\t', '\r']), "{}", file);
                let named = escape::for_terminal(&Untrusted::new(&texts[0]));
                prop_assert_eq!(file.trim_start_matches('\''), named.trim_start_matches('\''));
            }
        }
    }
}
