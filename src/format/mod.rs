//! What a line looks like: definitions as data, and the strings in which nginx and Apache describe their own logs.
//!
//! Never reads a log. A definition is one TOML file under `definitions/`; to add a format is to add a file there.

mod apache;
mod catalog;
mod columns;
pub mod config;
mod nginx;
mod pattern;

pub use catalog::{Catalog, Sample};

use crate::error::{Error, Result};
use crate::model::Escape;

/// What a value in a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Client address, the first of a list.
    Client,
    /// Client address with a port behind it (`203.0.113.7:51234`, `2001:db8::7:51234`), which is not kept.
    ClientPort,
    /// A chain of addresses (`X-Forwarded-For`), of which the first is the client's.
    ClientList,
    /// Authenticated user.
    User,
    /// Time in one of the known notations.
    Time(TimeNotation),
    /// `GET /path HTTP/1.1`.
    RequestLine,
    /// Method alone.
    Method,
    /// Path alone, with or without its query.
    Path,
    /// Protocol alone.
    Protocol,
    /// Status of the response.
    Status,
    /// Size of the response.
    Bytes,
    /// Duration of the request; the number is in this many microseconds.
    Latency {
        /// Microseconds per unit of the written number: 1 000 000 for seconds, 1 for `%D`; 0 where the writer does not
        /// say: seconds if the number has a fraction, its own unit if it has one, else nothing is known.
        unit_us: u32,
        /// Nanoseconds are written: divide instead.
        nanos: bool,
    },
    /// Virtual host.
    Vhost,
    /// Upstream address, possibly a list (`10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80`).
    Upstream,
    /// Upstream status, possibly a list.
    UpstreamStatus,
    /// Referrer.
    Referrer,
    /// User agent.
    UserAgent,
    /// Severity of a message, as a word.
    Level,
    /// Severity of a message in another notation.
    LevelAs(LevelNotation),
    /// A name of a host: one word that is no level; it is not kept.
    Host,
    /// An abbreviation of a time zone: it is the time's offset where it means one only.
    Abbreviation,
    /// Program, module or logger.
    Component,
    /// Process id.
    Pid,
    /// A whole number that is not kept (thread id, connection number).
    Number,
    /// The text of a message: the rest of the line.
    Message,
    /// One word that is not kept.
    Word,
    /// Anything that is not kept.
    Ignored,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeNotation {
    /// `14/May/2023:12:00:03 +0100`
    Clf,
    /// `14/May/2023:12:00:03.123`: no zone, or any, a fraction or none, days of one digit, a space before the hour.
    ClfLoose,
    /// `2023-05-14T12:00:03.123+01:00`: `T` or a space, `.` or `,` before the fraction, any or no offset.
    Iso,
    /// The same; without an offset it is UTC, as the W3C's extended log format has it.
    IsoUtc,
    /// `1684062003.123`: seconds since the epoch.
    Epoch,
    /// `1684062003123`: milliseconds since the epoch.
    EpochMillis,
    /// `2023/05/14 12:00:03`
    Slashed,
    /// `Sun May 14 12:00:03.123456 2023`
    Asctime,
    /// `May 14 12:00:03` (RFC 3164), with a year after the day or, mostly, none at all.
    Syslog,
    /// `14-May-2023 12:00:03`, `14 May 2023 12:00:03.123`, with or without the year.
    DayFirst,
    /// `230514 12:00:03` and `23/05/14 12:00:03`: a year of two digits.
    Short,
    /// `0514 12:00:03.123456` or `20230514 12:00:03.123456`, as klog and glog write it.
    Klog,
    /// The same as `Iso`, but with a `T`.
    Rfc3339,
    /// Any of these, told apart by their look (for JSON values).
    Any,
}

/// How a severity is written where it is no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LevelNotation {
    /// One letter: `E`.
    Letter,
    /// One of redis's marks: `.`, `-`, `*`, `#`.
    Mark,
    /// The priority of a syslog line, of which the last three bits are the severity.
    Priority,
    /// The last word of what stands here.
    Last,
    /// A word or a number, told apart by their look (for JSON values).
    Any,
}

/// The year that times without one are held in until `survey::Clock` knows better: a leap year, long before any log.
pub const PLACEHOLDER_YEAR: i32 = 4;

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// Text that stands as it is.
    Literal(Vec<u8>),
    /// A run of spaces or tabs, at least one.
    Space,
    /// A value.
    Value {
        /// What it means.
        field: Field,
        /// Several values may stand here, separated by `, ` or ` : `.
        list: bool,
    },
    /// Tokens that may be missing together.
    Optional(Vec<Token>),
}

/// How the lines of a format are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Any one of these sequences.
    Patterns(Vec<Vec<Token>>),
    /// `key=value` pairs.
    Logfmt {
        /// Key → meaning, the more telling first.
        keys: Vec<(String, Field)>,
        /// Each group must have one of its keys in the line.
        required: Vec<Vec<String>>,
    },
    /// A JSON object a line.
    Json {
        /// Dotted key → meaning.
        keys: Vec<(String, Field)>,
        /// Each group must have one of its keys in the line.
        required: Vec<Vec<String>>,
    },
    /// A bracketed time, a quoted request and what makes sense around them.
    Loose,
    /// Columns that a `#Fields:` line of the file names (W3C extended log format).
    Columns(Columns),
}

/// The columns of a W3C extended log.
///
/// <https://www.w3.org/TR/WD-logfile.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// What stands between two columns.
    separator: char,
    /// Name of a column → meaning; others are passed over.
    fields: Vec<(String, Field)>,
    /// The usual sets, for files that have lost their head.
    pub usual: Vec<Vec<Token>>,
}

/// What kind of log a format is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Requests.
    Access,
    /// A web server's messages.
    Error,
    /// An application's messages.
    Application,
    /// The machine's messages.
    System,
}

/// A log format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// `combined`.
    pub name: String,
    /// One line for a human.
    pub title: String,
    /// What kind of log.
    pub class: Class,
    /// How its lines are built.
    pub layout: Layout,
    /// How field values are escaped.
    pub escape: Escape,
    /// Lines that no format accepts belong to the record before them.
    pub continuation: bool,
    /// The message is a line of a log of its own, as the program in a container wrote it.
    pub wrapper: bool,
    /// The program that writes such lines, where they do not name it.
    pub program: Option<String>,
    /// The message begins with one of these; nothing here allows any.
    pub begins: Vec<String>,
    /// `, key: value` pairs at the end of a message, as nginx writes them.
    pub tail: Vec<(String, Field)>,
    /// Order among formats that accept the same lines: the higher is the more specific.
    pub rank: i64,
}

impl Definition {
    /// Whether it takes what is left: such a format may accept lines of others, and stands behind those that do.
    pub fn is_fallback(&self) -> bool {
        self.rank < 0
    }

    /// This format with the columns that a file's own `#Fields:` line names, if `line` is one and the format has any.
    pub fn declared_by(&self, line: &[u8]) -> Option<Self> {
        let Layout::Columns(columns) = &self.layout else { return None };
        let names = std::str::from_utf8(line.strip_prefix(b"#Fields:")?).ok()?;
        // a later #Fields line of the same file may go back to one of the usual sets
        let usual = std::iter::once(columns.tokens(names)?).chain(columns.usual.iter().cloned()).collect();
        Some(Self { layout: Layout::Columns(Columns { usual, ..columns.clone() }), ..self.clone() })
    }
}

/// The format that a `--log-format` value describes: a known name, an nginx `log_format` string or an Apache
/// `LogFormat` string.
///
/// # Errors
/// `Usage` naming what was not understood.
pub fn from_option(value: &str, catalog: &Catalog) -> Result<Definition> {
    if let Some(known) = catalog.get(value.trim()) {
        return Ok(known.clone());
    }
    if !value.contains(['$', '%']) {
        let names = catalog.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::Usage(format!(
            "--log-format: '{value}' is no known format ({names}), no nginx log_format (no $variable in it) and no Apache LogFormat (no %directive)"
        )));
    }
    described(value).map_err(|why| Error::Usage(format!("--log-format: {why}")))
}

/// The format that an nginx `log_format` or an Apache `LogFormat` describes.
fn described(text: &str) -> std::result::Result<Definition, String> {
    let is_nginx = text.contains('$');
    let (tokens, json) = if is_nginx { nginx::tokens(text)? } else { apache::tokens(text)? };
    Ok(Definition {
        name: "custom".into(),
        title: if is_nginx { "the given nginx log_format" } else { "the given Apache LogFormat" }.into(),
        class: Class::Access,
        escape: if json { Escape::Json } else { Escape::Backslash },
        layout: Layout::Patterns(vec![tokens]),
        continuation: false,
        wrapper: false,
        program: None,
        begins: Vec::new(),
        tail: Vec::new(),
        rank: i64::MAX,
    })
}

#[cfg(test)]
mod tests;
