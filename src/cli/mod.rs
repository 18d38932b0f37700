//! The program around the library: arguments, progress, signals, exit status. The only place that prints.

mod args;
mod exit;
mod interrupt;
mod output;
mod progress;
mod template;
mod time;

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use chrono::{TimeZone as _, Utc};
use clap::{CommandFactory as _, Parser as _};
use logtopsy::error::Error;
use logtopsy::explain::facts::{DisplayZone, Input, InputStatus, Report};
use logtopsy::model::{Timestamp, Untrusted};
use logtopsy::pipeline::{self, Bound, Options};
use logtopsy::report::{self, Format, Style, escape, wording};

use args::{Analyse, Choice, Cli, Command, FormatsAction, Read};
pub(crate) use exit::Exit;
use output::Target;

/// Runs the program.
pub(crate) fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    interrupt::install();
    let ended = match cli.command {
        None => analyse(&cli.analyse),
        Some(Command::Explain { analyse }) => explain(*analyse),
        Some(Command::Records { read, rejects }) => records(&read, rejects),
        Some(Command::Formats { action, formats, config }) => {
            let own = args::own_formats().into_iter().chain(formats).collect();
            formats_command(action.as_ref(), &Options { formats: own, config, ..Options::default() })
        }
        Some(Command::Completions { shell }) => print(&completions(shell)),
        Some(Command::Man) => print(&man()),
        Some(Command::Schema) => print(report::schema().as_bytes()),
    };
    let exit = ended.unwrap_or_else(|error| {
        if !matches!(error, Error::Closed) {
            complain(&error.to_string());
        }
        Exit::from(&error)
    });
    if interrupt::happened() { Exit::Interrupted } else { exit }
}

/// Help and version are no failure; they go to standard output.
fn usage(error: &clap::Error) -> Exit {
    // A closed pipe leaves nobody to tell.
    let _ = error.print();
    if error.exit_code() == 0 { Exit::Done } else { Exit::Usage }
}

/// One line on standard error. Texts of errors may quote names: they are escaped.
fn complain(text: &str) {
    let text = escape::for_terminal(&Untrusted::from(text));
    let _ = writeln!(std::io::stderr(), "logtopsy: {text}");
}

fn print(text: &[u8]) -> Result<Exit, Error> {
    Target::Stdout.write(text)?;
    Ok(Exit::Done)
}

fn analyse(args: &Analyse) -> Result<Exit, Error> {
    // What is wrong with a template is told before the work begins.
    let template = template::chosen(args)?;
    let (report, style, target) = analysed(args)?;
    // Into memory first: what is interrupted leaves no half document.
    let text = if let Some(template) = template {
        report::draft::markdown(&report, &template, &style)?.into_bytes()
    } else {
        let mut text = Vec::new();
        report::render(&report, args.format(), &style, &mut text).map_err(|e| target.error(e))?;
        text
    };
    target.write(&text)?;
    say_what_is_missing(&report.inputs, args.read.quiet, "the report");
    Ok(Exit::after_report(&report.inputs, report.incidents.len(), args.fail_on_incident))
}

/// What the logs tell, and how and where it is to be shown.
fn analysed(args: &Analyse) -> Result<(Report, Style, Target), Error> {
    let target = Target::new(args.output.as_deref())?;
    let now = now();
    let options = options(args, now)?;
    let progress = progress::bar(args.read.progress, args.read.quiet);
    let analysed = pipeline::analyse(&options, progress.as_ref());
    progress.finish();
    let mut report = analysed?;
    if !args.no_redact {
        report::redact::redact(&mut report);
    }
    if args.redact_clients {
        report::clients::mask_clients(&mut report);
    }
    if !args.show_users && matches!(args.format(), Format::Markdown | Format::Html) {
        report::people::hide_people(&mut report);
    }
    let style = Style {
        generated_at: now,
        colour: colour(args.color, &target),
        width: if target.is_terminal() { Some(terminal_width()) } else { None },
        verbose: args.verbose,
    };
    Ok((report, style, target))
}

fn explain(mut args: Analyse) -> Result<Exit, Error> {
    if args.format() != Format::Text {
        let text = "explain prints text; `logtopsy --format json` has the same figures as `computation`";
        return Err(Error::Usage(text.to_owned()));
    }
    let id = args.take_incident();
    let (report, style, target) = analysed(&args)?;
    let named = |id: &str| {
        let ids = report.incidents.iter().enumerate();
        ids.filter(|(_, i)| i.id.starts_with(id)).map(|(at, _)| at).collect::<Vec<_>>()
    };
    let chosen = match id {
        None => (0..report.incidents.len()).collect(),
        Some(id) => match named(&id).as_slice() {
            [] => {
                let known: Vec<&str> = report.incidents.iter().map(|i| i.id.as_str()).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Error::Usage(format!("no incident {id} in these logs; there are: {known}")));
            }
            [only] => vec![*only],
            // One id may be the beginning of another's: it names itself.
            several => match several.iter().find(|&&at| report.incidents.get(at).is_some_and(|i| i.id == id))
            {
                Some(&exact) => vec![exact],
                None => return Err(Error::Usage(format!("{id} is the beginning of {} ids", several.len()))),
            },
        },
    };
    let mut text = Vec::new();
    report::explain(&report, &chosen, &style, &mut text).map_err(|e| target.error(e))?;
    target.write(&text)?;
    say_what_is_missing(&report.inputs, args.read.quiet, "the report");
    Ok(Exit::after_report(&report.inputs, report.incidents.len(), args.fail_on_incident))
}

fn records(read: &Read, rejects: bool) -> Result<Exit, Error> {
    // Records on the same terminal would run through the bar.
    let quiet = read.quiet || (std::io::stdout().is_terminal() && read.progress == Choice::Auto);
    let progress = progress::bar(read.progress, quiet);
    let mut out = output::Stdout::new();
    let written = pipeline::records(&read.options(), rejects, &mut out, progress.as_ref());
    progress.finish();
    // The pipe's end is told by the writer, whatever the error became on its way.
    out.finish()?;
    let inputs = written?;
    say_what_is_missing(&inputs, read.quiet, "the records");
    Ok(Exit::after_report(&inputs, 0, false))
}

fn now() -> Timestamp {
    Timestamp::from_micros(Utc::now().timestamp_micros())
}

fn options(args: &Analyse, now: Timestamp) -> Result<Options, Error> {
    let today = match &args.tz {
        Some(zone) => today(zone, now),
        None => chrono::Local::now().date_naive(),
    };
    let since = args.since.map(|when| when.resolve(now, today));
    let until = args.until.map(|when| when.resolve(now, today));
    let empty = match (since, until) {
        (Some(Bound::Instant(a)), Some(Bound::Instant(b))) | (Some(Bound::Wall(a)), Some(Bound::Wall(b))) => {
            a >= b
        }
        // Which comes first is known with the zone of the logs only.
        _ => false,
    };
    if empty {
        return Err(Error::Usage("--since is not before --until: nothing lies between".to_owned()));
    }
    Ok(Options {
        since,
        until,
        display_zone: args.tz.clone(),
        sensitivity: args.sensitivity.into(),
        edge: args.edge.clone(),
        ..args.read.options()
    })
}

fn today(zone: &DisplayZone, now: Timestamp) -> chrono::NaiveDate {
    let utc = chrono::DateTime::<Utc>::from_timestamp_micros(now.micros()).unwrap_or_default().naive_utc();
    match zone {
        DisplayZone::Named(tz) => tz.from_utc_datetime(&utc).date_naive(),
        DisplayZone::Stepped(steps) => {
            (utc + chrono::TimeDelta::seconds(steps.at(now.second()).0.into())).date()
        }
        DisplayZone::Fixed(offset) => (utc + chrono::TimeDelta::seconds(offset.0.into())).date(),
    }
}

fn colour(choice: Choice, target: &Target) -> bool {
    match choice {
        Choice::Always => true,
        Choice::Never => false,
        Choice::Auto => {
            let set = |name: &str| std::env::var_os(name).unwrap_or_default();
            target.is_terminal() && set("NO_COLOR").is_empty() && set("TERM") != "dumb"
        }
    }
}

/// Columns of the terminal. clap measures it for its own help; of all that we depend on, nothing else would tell.
fn terminal_width() -> u16 {
    let words = "x ".repeat(400);
    let help =
        clap::Command::new("x").max_term_width(240).help_template("{about}").about(words).render_help();
    let longest = help.to_string().lines().map(str::len).max().unwrap_or(0);
    u16::try_from(longest).unwrap_or(100).clamp(40, 240)
}

/// Names each input that is missing in part: exit status 3 alone would not say which.
fn say_what_is_missing(inputs: &[Input], quiet: bool, from: &str) {
    if quiet {
        return;
    }
    for input in inputs.iter().filter(|input| wording::is_partial(input.status)) {
        let detail = input.detail.as_deref().unwrap_or_else(|| wording::input_status(input.status));
        let what = if input.status == InputStatus::Unreadable { "it" } else { "the rest" };
        let path = escape::for_terminal(&input.path);
        complain(&format!("{path}: {detail}; {what} is missing from {from}"));
    }
}

fn formats_command(action: Option<&FormatsAction>, options: &Options) -> Result<Exit, Error> {
    match action {
        None => print(list(&pipeline::formats(options)?).as_bytes()),
        Some(FormatsAction::Test { line }) => {
            let test = pipeline::test_line(options, line.as_bytes())?;
            print(tested(&test).as_bytes())?;
            Ok(if test.taken_by.is_some() { Exit::Done } else { Exit::Nothing })
        }
    }
}

/// Two columns.
fn list(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut list, (name, title)| {
        // A `String` takes whatever is written.
        let _ = writeln!(list, "{name:<width$}  {title}");
        list
    })
}

fn tested(test: &pipeline::LineTest) -> String {
    let mut out = match &test.taken_by {
        Some((name, title)) => format!("taken by {name}: {title}\n"),
        None => "no format takes it\n".to_owned(),
    };
    let fields: Vec<_> =
        test.fields.iter().map(|(name, value)| (format!("  {name}"), escape::for_terminal(value))).collect();
    out.push_str(&list(&fields));
    if let Some((name, why)) = &test.runner_up {
        let _ = writeln!(out, "next best {name}: {why}");
    }
    out
}

fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "logtopsy", &mut text);
    text
}

fn man() -> Vec<u8> {
    let mut text = Vec::new();
    // A `Vec` takes whatever is written.
    let _ = clap_mangen::Man::new(Cli::command()).render(&mut text);
    text
}
