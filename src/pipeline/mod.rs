//! The order of the stages; the only module that names rayon.

mod assemble;
mod closer;
mod duplicates;
mod edges;
mod habits;
mod line;
mod places;
mod prune;
mod reading;
mod records;
mod replicas;
mod roles;
mod routes;
mod rows;
mod samples;
mod streams;
mod window;
mod zones;

use crate::detect::Sensitivity;
use crate::discover::{Names, Query, Source, discover};
use crate::error::{Error, Result, Warning};
use crate::explain::facts::{DisplayZone, Report};
use crate::format::{Catalog, config, from_option};
use crate::input;
use crate::model::{Offset, Timestamp};
use crate::signature::{Probes, Rules};
use crate::sniff::Formats;
use crate::survey::{Clock, Limits, WallZone};

use prune::Part;

pub use line::{LineTest, test_line};
pub use records::records;

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
    /// The server's configuration, files or directories; else what lies beside the logs.
    pub config: Vec<std::path::PathBuf>,
    /// Globs of the access logs that stand in front of all others; else inferred.
    pub edge: Vec<String>,
    /// Folders with format definitions of the user's own.
    pub formats: Vec<std::path::PathBuf>,
    /// Threads; else one per core.
    pub jobs: Option<usize>,
    /// How readily a finding is reported.
    pub sensitivity: Sensitivity,
    /// Bytes read at a time; else [`input::BUFFER`]. The report does not depend on it.
    pub buffer: Option<usize>,
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

/// The data that every stage shares, compiled once.
struct Tools {
    formats: Formats,
    probes: Probes,
    rules: Rules,
    edge: Names,
}

impl Tools {
    /// Compiles the formats that may occur. The second value says what of the server's configuration was not understood.
    fn new(options: &Options) -> Result<(Self, Vec<String>)> {
        let mut catalog = Catalog::built_in()?;
        for folder in &options.formats {
            let known = catalog.samples().len();
            catalog.add_folder(folder)?;
            samples::check(&catalog, known)?;
        }
        let mut problems = Vec::new();
        let formats = if let Some(value) = &options.log_format {
            Formats::only(&from_option(value, &catalog)?)
        } else {
            let beside = if options.config.is_empty() {
                config::beside(&options.query.paths)
            } else {
                options.config.clone()
            };
            let declared = config::read(&beside);
            catalog.declare(declared.formats);
            // what was not asked for may well hold formats that are none of requests
            if !options.config.is_empty() {
                problems = declared.problems;
            }
            Formats::new(&catalog)
        };
        Ok((
            Self {
                formats,
                probes: Probes::built_in()?,
                rules: Rules::built_in()?,
                edge: Names::new(&options.edge)?,
            },
            problems,
        ))
    }
}

/// Reads the logs and finds out what happened.
///
/// # Errors
/// `Usage` for a wrong request, `NothingToAnalyse` when no input could be read.
pub fn analyse(options: &Options, progress: &dyn Progress) -> Result<Report> {
    let (tools, problems) = Tools::new(options)?;
    let threads = rayon::ThreadPoolBuilder::new().num_threads(options.jobs.unwrap_or(0)).build();
    let mut report = match threads {
        Ok(pool) => pool.install(|| run(options, &tools, progress)),
        // no threads to be had: rayon's fallback runs everything on this one
        Err(_) => run(options, &tools, progress),
    }?;
    report.warnings.extend(problems.into_iter().map(|text| Warning { path: None, text }));
    Ok(report)
}

fn run(options: &Options, tools: &Tools, progress: &dyn Progress) -> Result<Report> {
    let discovery = discover(&options.query)?;
    let limits = Limits::for_sources(discovery.sources.len());
    let buffer = options.buffer.unwrap_or(input::BUFFER);
    let parts = prune::parts(options, tools, &discovery.sources, buffer);
    let length = |(source, part): (&Source, &Part)| source.length.map(|length| part.bytes(length));
    progress.begin("reading", discovery.sources.iter().zip(&parts).map(length).sum::<Option<u64>>());
    let readings = reading::read_all(&discovery.sources, parts, tools, limits, buffer, progress);
    let report = assemble::assemble(options, tools, &discovery, &readings, buffer, progress)?;
    progress.finish();
    Ok(report)
}

/// The clock that an option names.
fn clock(zone: &DisplayZone) -> Clock {
    Clock::new(match zone {
        DisplayZone::Fixed(offset) => WallZone::Fixed(*offset),
        DisplayZone::Stepped(steps) => WallZone::Steps(steps.clone()),
        DisplayZone::Named(tz) => WallZone::Named(*tz),
    })
}

/// The machine's own time, for lines whose year nothing else tells.
fn now() -> Timestamp {
    Timestamp::from_micros(chrono::Utc::now().timestamp_micros())
}

/// The instant that a bound means in the display zone.
fn instant(bound: Bound, zone: &DisplayZone) -> Timestamp {
    match bound {
        Bound::Instant(at) => at,
        Bound::Wall(wall) => clock(zone).instant(wall),
    }
}

/// `+01:00`.
fn offset_name(offset: Offset) -> String {
    let minutes = offset.0.unsigned_abs() / 60;
    let sign = if offset.0 < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// (name, title) of every known format, the user's own and the server's included, by name.
///
/// # Errors
/// `Usage` for a wrong format definition.
pub fn formats(options: &Options) -> Result<Vec<(String, String)>> {
    let (tools, _) = Tools::new(options)?;
    let mut list: Vec<_> = tools.formats.definitions().map(|d| (d.name.clone(), d.title.clone())).collect();
    list.sort();
    Ok(list)
}

/// One line that says that nothing could be analysed, and why.
fn nothing(why: &str) -> Error {
    Error::NothingToAnalyse(format!("nothing could be analysed: {why}"))
}

#[cfg(test)]
mod tests;
