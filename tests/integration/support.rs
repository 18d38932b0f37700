//! How the tests run logtopsy: as a program or as a library, always with its JSON checked.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use assert_cmd::Command;
use flate2::Compression;
use flate2::write::GzEncoder;
use logtopsy::explain::facts::{DisplayZone, Report};
use logtopsy::model::{Offset, Timestamp};
use logtopsy::pipeline::{self, Options, Silent};
use logtopsy::report::{self, Format, Style};
use serde_json::Value;

/// The project's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program, started in the project's root, on a machine in UTC without colour settings.
pub(crate) fn logtopsy() -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("logtopsy");
    command.current_dir(root()).env("TZ", "UTC").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// The same for tests that need the process itself.
pub(crate) fn process() -> std::process::Command {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("logtopsy"));
    command.current_dir(root()).env("TZ", "UTC");
    command
}

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// What it printed, which must be text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("the output is UTF-8")
    }

    /// What it printed, as a checked report.
    pub(crate) fn json(&self) -> Value {
        checked(&self.stdout)
    }

    /// The one or more JSON objects, one a line.
    pub(crate) fn ndjson(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
    }
}

/// Runs the program to its end.
pub(crate) fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ended {
    ended(logtopsy().args(args))
}

/// Runs the program with `input` on its standard input.
pub(crate) fn run_with_input<S: AsRef<OsStr>>(
    args: impl IntoIterator<Item = S>,
    input: impl Into<Vec<u8>>,
) -> Ended {
    ended(logtopsy().args(args).write_stdin(input))
}

/// Runs a prepared command.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the program starts");
    Ended {
        status: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
    }
}

static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(&report::schema()).expect("the schema is JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("the schema is a schema")
});

/// Reads a JSON report and checks what holds for every one: its schema, one trailing newline, no line unaccounted for.
pub(crate) fn checked(bytes: &[u8]) -> Value {
    let json: Value = serde_json::from_slice(bytes).unwrap_or_else(|e| panic!("not JSON: {e}"));
    assert!(bytes.ends_with(b"}\n") && !bytes.ends_with(b"\n\n"), "one newline ends the report");
    let wrong: Vec<String> =
        VALIDATOR.iter_errors(&json).map(|e| format!("{} at {}", e, e.instance_path)).collect();
    assert!(wrong.is_empty(), "the report does not fit its schema: {wrong:#?}");
    let inputs = json["inputs"].as_array().unwrap();
    for input in inputs {
        let skipped: u64 = input["skipped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        let known = number(&input["records"]) + number(&input["continuation_lines"]) + skipped;
        assert_eq!(number(&input["lines"]), known, "every line is accounted for: {input:#}");
    }
    assert_eq!(number(&json["totals"]["inputs"]), inputs.len() as u64);
    let lines: u64 = inputs.iter().map(|input| number(&input["lines"])).sum();
    assert_eq!(number(&json["totals"]["lines"]), lines);
    json
}

/// What the program says of a sample; it is asked once.
pub(crate) fn sample_report(sample: &Path) -> Value {
    static REPORTS: Mutex<BTreeMap<PathBuf, Value>> = Mutex::new(BTreeMap::new());
    let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let ask = || {
        let ended = ended(logtopsy().args(["--format", "json"]).arg(sample));
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{}", sample.display());
        ended.json()
    };
    reports.entry(sample.to_path_buf()).or_insert_with(ask).clone()
}

/// A whole number in a report.
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// A number in a report.
pub(crate) fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The instant of a time in a report, in seconds since the epoch.
pub(crate) fn instant(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no time"));
    chrono::DateTime::parse_from_rfc3339(text).unwrap_or_else(|e| panic!("{text}: {e}")).timestamp()
}

/// The row of the input whose path ends in `name`.
pub(crate) fn input<'a>(json: &'a Value, name: &str) -> &'a Value {
    let inputs = json["inputs"].as_array().unwrap();
    let ends = |row: &&Value| row["path"].as_str().unwrap().ends_with(name);
    inputs.iter().find(ends).unwrap_or_else(|| panic!("{name} has no row in {:#}", json["inputs"]))
}

/// The incidents of a report.
pub(crate) fn incidents(json: &Value) -> &[Value] {
    json["incidents"].as_array().unwrap()
}

/// The only incident of a report.
pub(crate) fn the_incident(json: &Value) -> &Value {
    let incidents = incidents(json);
    let titles: Vec<_> = incidents.iter().map(|i| i["title"].as_str().unwrap()).collect();
    assert_eq!(incidents.len(), 1, "one incident is expected: {titles:?}");
    &incidents[0]
}

/// Asks the library to read `paths`, on a machine in UTC.
pub(crate) fn options<P: AsRef<Path>>(paths: &[P]) -> Options {
    let mut options = Options { assume_zone: Some(DisplayZone::Fixed(Offset(0))), ..Options::default() };
    options.query.paths = paths.iter().map(|p| p.as_ref().to_path_buf()).collect();
    options
}

/// What the library finds.
pub(crate) fn analyse(options: &Options) -> Report {
    pipeline::analyse(options, &Silent).unwrap_or_else(|e| panic!("no report: {e}"))
}

/// The report in a format, as if it were made at the turn of the millennium.
pub(crate) fn render(report: &Report, format: Format) -> Vec<u8> {
    let generated_at = Timestamp::from_seconds(946_684_800);
    let style = Style { generated_at, colour: false, width: None, verbose: 2 };
    let mut out = Vec::new();
    report::render(report, format, &style, &mut out).expect("a vector takes everything");
    out
}

/// What the library finds in `paths`, as checked JSON; the other formats are rendered on the way and must be harmless.
pub(crate) fn report_of<P: AsRef<Path>>(paths: &[P]) -> Value {
    let report = analyse(&options(paths));
    for format in [Format::Text, Format::Markdown, Format::Html] {
        harmless(&render(&report, format));
    }
    harmless(&String::from_utf8_lossy(&render(&report, Format::Csv)).replace("\r\n", "\n").into_bytes());
    checked(&render(&report, Format::Json))
}

/// Asserts that a report without colour holds nothing that a terminal obeys.
pub(crate) fn harmless(report: &[u8]) {
    let text = std::str::from_utf8(report).expect("reports are UTF-8");
    let obeyed = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}')
    };
    assert_eq!(text.chars().find(|&c| obeyed(c)), None, "a control character got out");
}

/// A directory of log files that goes away with the test.
#[derive(Debug)]
pub(crate) struct Logs(tempfile::TempDir);

impl Logs {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// With one file in it.
    pub(crate) fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        let logs = Self::new();
        logs.add(name, content);
        logs
    }

    /// Writes a file, and the directories on its way.
    pub(crate) fn add(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// What the library says of it.
    pub(crate) fn report(&self) -> Value {
        report_of(&[self.path()])
    }

    /// What the program says of it.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        let mut command = logtopsy();
        ended(command.args(args).arg(self.path()))
    }
}

/// One gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
