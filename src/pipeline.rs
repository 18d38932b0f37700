//! The order of the stages; the only file that names rayon.

use crate::detect::Sensitivity;
use crate::discover::Query;
use crate::error::Result;
use crate::explain::facts::{DisplayZone, Input, Report};
use crate::model::Timestamp;

/// A limit of the time range as the user gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// An instant: it was given with an offset, or relative to now.
    Instant(Timestamp),
    /// A wall-clock reading (held as if UTC), meant in the display zone.
    Wall(Timestamp),
}

/// What a run is asked to do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What to read.
    pub query: Query,
    /// Analyse nothing before.
    pub since: Option<Bound>,
    /// Analyse nothing from here on.
    pub until: Option<Bound>,
    /// Zone to show times in; else the one the logs were written in.
    pub display_zone: Option<DisplayZone>,
    /// Zone of lines that state none; else inferred, else the machine's.
    pub assume_zone: Option<DisplayZone>,
    /// A format's name, or an nginx `log_format` / Apache `LogFormat` string; skips detection.
    pub log_format: Option<String>,
    /// Threads; else one per core.
    pub jobs: Option<usize>,
    /// How readily a finding is reported.
    pub sensitivity: Sensitivity,
}

/// Is told how far the run is. All methods may be called from several threads.
pub trait Progress: Sync {
    /// A stage begins (`reading`, `looking closer`); `bytes` on disk lie before it, if known.
    fn begin(&self, stage: &'static str, bytes: Option<u64>);
    /// Bytes on disk that have been read since the last call.
    fn advance(&self, bytes: u64);
    /// The run is over; nothing stays on the screen.
    fn finish(&self);
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &'static str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
}

/// Reads the logs and finds out what happened.
///
/// # Errors
/// `Usage` for a wrong request, `NothingToAnalyse` when no input could be read.
pub fn analyse(_options: &Options, _progress: &dyn Progress) -> Result<Report> {
    Err(crate::error::Error::NothingToAnalyse("nothing could be analysed".into()))
}

/// Writes every line as a normalised record (NDJSON), with `rejects` also those that no format accepts.
///
/// Returns the rows of what was read, so that the caller can say what is missing.
///
/// # Errors
/// As [`analyse`]; `Closed` and `Output` for what `out` returns.
pub fn records(
    _options: &Options,
    _rejects: bool,
    _out: &mut dyn std::io::Write,
    _progress: &dyn Progress,
) -> Result<Vec<Input>> {
    Err(crate::error::Error::NothingToAnalyse("nothing could be analysed".into()))
}

/// (name, title) of every known format, by name.
pub fn formats() -> Vec<(String, String)> {
    Vec::new()
}
