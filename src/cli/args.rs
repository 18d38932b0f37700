//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use logtopsy::detect::Sensitivity;
use logtopsy::discover::Query;
use logtopsy::explain::facts::DisplayZone;
use logtopsy::pipeline::Options;
use logtopsy::report::Format;

use super::time::{self, When};

const AFTER_HELP: &str = "\
Examples:
  logtopsy                                  all of /var/log
  logtopsy --since -3h /var/log/nginx       the last three hours of nginx
  logtopsy --format markdown -o report.md   a post-mortem to finish by hand
  logtopsy --template google-sre            the same, laid out as Google's SREs do
  ssh web-01 cat /var/log/nginx/access.log | logtopsy -

Exit status:
  0 done, whatever was found   1 nothing could be analysed   2 wrong usage
  3 some input could not be read in full   4 the report could not be written
  10 an incident (only with --fail-on-incident)   130 interrupted";

/// Reads the logs after an outage and reports the facts of the post-mortem: start, end, share of requests, suspects.
#[derive(Debug, Parser)]
#[command(name = "logtopsy", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) analyse: Analyse,
}

/// What else it can do. (A path of such a name: `./records`.)
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print every log line as one normalised JSON object
    Records {
        #[command(flatten)]
        read: Read,
        /// Print the lines that no format accepts, too
        #[arg(long)]
        rejects: bool,
    },
    /// Print how each figure of an incident was computed; without an id, of all incidents
    ///
    /// An incident is named by its id as `--format json` has it, or by the beginning of one: logtopsy explain 20230514T11
    /// /var/log
    #[command(override_usage = "logtopsy explain [OPTIONS] [INCIDENT_ID] [PATH]...")]
    Explain {
        #[command(flatten)]
        analyse: Box<Analyse>,
    },
    /// List the log formats that are known, or test a line against them
    Formats {
        #[command(subcommand)]
        action: Option<FormatsAction>,
        /// Folder with format definitions of your own (repeatable)
        #[arg(long, value_name = "DIR", global = true)]
        formats: Vec<PathBuf>,
        /// Configuration of the server whose log formats to know (repeatable)
        #[arg(long, value_name = "PATH", global = true)]
        config: Vec<PathBuf>,
    },
    /// Print a completion script
    Completions {
        /// For this shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Print the JSON Schema of `--format json`
    Schema,
}

/// What to do with the formats.
#[derive(Debug, Subcommand)]
pub(crate) enum FormatsAction {
    /// Say which format takes a line, what each field becomes, and why the runner-up lost
    Test {
        /// The line
        line: String,
    },
}

/// What to read and how; the same for a report and for records.
#[derive(Debug, Args)]
pub(crate) struct Read {
    /// Files and directories; `-` for standard input
    #[arg(value_name = "PATH", default_value = "/var/log", help_heading = "Arguments")]
    pub(crate) paths: Vec<PathBuf>,
    /// Format of all inputs: a name of `logtopsy formats`, or an nginx or Apache format string
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Configuration of the server whose log formats to know, a file or a directory (repeatable); else what lies beside
    /// the logs
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Vec<PathBuf>,

    /// Folder with format definitions of your own (repeatable); ~/.config/logtopsy/formats is always read
    #[arg(long, value_name = "DIR")]
    pub(crate) formats: Vec<PathBuf>,

    /// Read only files that match (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// Don't read files that match (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Follow symbolic links out of a directory
    #[arg(long)]
    pub(crate) follow: bool,
    /// Zone of lines that state none; else inferred, else the machine's
    #[arg(long, value_name = "ZONE", value_parser = time::zone, allow_hyphen_values = true)]
    pub(crate) assume_tz: Option<DisplayZone>,
    /// Threads; else one per core
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<usize>,
    /// Progress on standard error; auto: on a terminal
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) progress: Choice,
    /// Say nothing on standard error but why there is no report
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// A report.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Analyse {
    /// For a terminal, a post-mortem to finish by hand (markdown, html), or for other tools (json; csv: the timeline)
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) format: OutputFormat,
    /// Layout of the post-mortem in Markdown: default, google-sre, alx, pagerduty, or a file (docs/templates.md)
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) template: Option<PathBuf>,
    /// Write the report there instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Nothing before: RFC 3339, '2023-05-14 12:00', 2023-05-14, -3h, 'yesterday 10:30'
    #[arg(long, value_name = "TIME", value_parser = time::when, allow_hyphen_values = true)]
    pub(crate) since: Option<When>,
    /// Nothing from here on
    #[arg(long, value_name = "TIME", value_parser = time::when, allow_hyphen_values = true)]
    pub(crate) until: Option<When>,
    /// Show times in this zone, else the one that the logs were written in: Europe/Paris, +02:00
    #[arg(long, value_name = "ZONE", value_parser = time::zone, allow_hyphen_values = true)]
    pub(crate) tz: Option<DisplayZone>,
    /// How readily something is called an incident
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t)]
    pub(crate) sensitivity: Readiness,
    /// Access logs in front of all others (repeatable): only their requests count; else inferred from the requests
    #[arg(long, value_name = "GLOB")]
    pub(crate) edge: Vec<String>,
    /// Quote lines as they are, with passwords, tokens and e-mail addresses in them
    #[arg(long)]
    pub(crate) no_redact: bool,
    /// Quote networks instead of client addresses: /24 of IPv4, /48 of IPv6
    #[arg(long)]
    pub(crate) redact_clients: bool,
    /// Name the accounts of people in a post-mortem; else they are "an operator"
    #[arg(long)]
    pub(crate) show_users: bool,

    /// Exit with status 10 if there is an incident
    #[arg(long)]
    pub(crate) fail_on_incident: bool,
    /// Colours in the text report; auto: on a terminal, unless `NO_COLOR` is set
    #[arg(long, alias = "colour", value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) color: Choice,
    /// More: all rows and a table of the inputs; twice: also those that are no logs
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(flatten, next_help_heading = "Reading")]
    pub(crate) read: Read,
}

// No comments on the values: they would make `--help` twice as long for words that speak for themselves.
/// `--format`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum OutputFormat {
    #[default]
    Text,
    Markdown,
    Html,
    Json,
    Csv,
}

impl From<OutputFormat> for Format {
    fn from(format: OutputFormat) -> Self {
        match format {
            OutputFormat::Text => Self::Text,
            OutputFormat::Markdown => Self::Markdown,
            OutputFormat::Html => Self::Html,
            OutputFormat::Json => Self::Json,
            OutputFormat::Csv => Self::Csv,
        }
    }
}

/// When to show what only some terminals want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Choice {
    #[default]
    Auto,
    Always,
    Never,
}

/// `--sensitivity`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Readiness {
    Low,
    #[default]
    Normal,
    High,
}

impl From<Readiness> for Sensitivity {
    fn from(readiness: Readiness) -> Self {
        match readiness {
            Readiness::Low => Self::Low,
            Readiness::Normal => Self::Normal,
            Readiness::High => Self::High,
        }
    }
}

/// More threads than any machine has only cost memory.
const MAX_JOBS: usize = 1024;

fn jobs(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| (1..=MAX_JOBS).contains(n))
        .ok_or_else(|| format!("use a number from 1 to {MAX_JOBS}"))
}

impl Read {
    /// The request to the library.
    pub(crate) fn options(&self) -> Options {
        Options {
            query: Query {
                paths: self.paths.clone(),
                include: self.include.clone(),
                exclude: self.exclude.clone(),
                follow: self.follow,
            },
            assume_zone: self.assume_tz.clone(),
            log_format: self.log_format.clone(),
            jobs: self.jobs,
            config: self.config.clone(),
            formats: own_formats().into_iter().chain(self.formats.iter().cloned()).collect(),
            ..Options::default()
        }
    }
}

impl Analyse {
    /// What is to be made: a template alone asks for a post-mortem in Markdown.
    pub(crate) fn format(&self) -> Format {
        match (self.format, &self.template) {
            (OutputFormat::Text, Some(_)) => Format::Markdown,
            (format, _) => format.into(),
        }
    }

    /// The incident that the first of the paths names: an id begins with a digit and has no `/` or `.`, and a file of that
    /// name is a file.
    pub(crate) fn take_incident(&mut self) -> Option<String> {
        let first = self.read.paths.first()?;
        let name = first.to_str()?;
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !plain || !name.starts_with(|c: char| c.is_ascii_digit()) || first.exists() {
            return None;
        }
        let id = name.to_owned();
        self.read.paths.remove(0);
        if self.read.paths.is_empty() {
            self.read.paths.push(PathBuf::from("/var/log"));
        }
        Some(id)
    }
}

/// The user's own format definitions, where there are some.
pub(crate) fn own_formats() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let config = config.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
    config.map(|c| c.join("logtopsy/formats")).filter(|p| p.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["logtopsy"], args].concat())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults() {
        let cli = parse(&[]).unwrap();
        assert_eq!(cli.analyse.read.paths, [PathBuf::from("/var/log")]);
        assert!(cli.command.is_none());
    }

    #[test]
    fn values_may_begin_with_a_hyphen() {
        let cli = parse(&["--since", "-3h", "--until=-90m", "--tz", "-05:00", "-"]).unwrap();
        assert_eq!(cli.analyse.since, Some(When::Ago(10_800)));
        assert_eq!(cli.analyse.until, Some(When::Ago(5400)));
        assert!(cli.analyse.tz.is_some());
        assert_eq!(cli.analyse.read.paths, [PathBuf::from("-")]);
    }

    #[test]
    fn an_incident_may_be_named_before_the_paths() {
        let taken = |args: &[&str]| {
            let Some(Command::Explain { mut analyse }) =
                parse(&[&["explain"], args].concat()).unwrap().command
            else {
                panic!("explain is a command");
            };
            let id = analyse.take_incident();
            (id, analyse.read.paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>())
        };
        let owned = |paths: &[&str]| paths.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        assert_eq!(taken(&[]), (None, owned(&["/var/log"])));
        assert_eq!(taken(&["20230514T11"]), (Some("20230514T11".to_owned()), owned(&["/var/log"])));
        assert_eq!(
            taken(&["20230514T110003Z-errors", "web-01"]),
            (Some("20230514T110003Z-errors".to_owned()), owned(&["web-01"]))
        );
        assert_eq!(taken(&["1.log"]), (None, owned(&["1.log"])));
        assert_eq!(taken(&["-"]), (None, owned(&["-"])));
    }

    #[test]
    fn a_path_may_be_named_like_a_subcommand() {
        assert!(matches!(parse(&["records", "a.log"]).unwrap().command, Some(Command::Records { .. })));
        assert_eq!(parse(&["./records"]).unwrap().analyse.read.paths, [PathBuf::from("./records")]);
    }

    #[test]
    fn a_wrong_value_names_its_option_and_is_usage() {
        for args in [
            ["--since", "soon"],
            ["--tz", "Mars/Olympus"],
            ["--format", "pdf"],
            ["--jobs", "0"],
            ["--progress", "maybe"],
            ["--sensitivity", "extreme"],
        ] {
            let error = parse(&args).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(args[0]), "{error}");
        }
    }
}
