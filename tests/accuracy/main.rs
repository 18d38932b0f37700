//! Judges logtopsy on simulated site-days: `cargo run --release --example accuracy -- --seeds 1..200`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

#[path = "mod.rs"]
mod accuracy;

use std::path::PathBuf;
use std::process::ExitCode;

use accuracy::run::{Plan, judge, run};
use accuracy::site::{FULL, KINDS, Kind, SMALL};
use accuracy::table::{mistakes, table};

const USAGE: &str = "usage: accuracy [--seeds A..B] [--kind errors|needle|latency|traffic|server|noise|all]
                [--small] [--verbose] [--threads N] [--keep DIR]

  --seeds A..B  the sites to simulate, B included (1..60)
  --kind        what kind of incidents they have (all: as each seed says)
  --small       sites of a few ten thousand lines
  --verbose     every miss, false incident and wrong figure, with the arguments that repeat it
  --keep DIR    of a single seed: leave the logs and the truth there";

struct Arguments {
    plan: Plan,
    verbose: bool,
    keep: Option<PathBuf>,
}

fn arguments() -> Result<Arguments, String> {
    let plan = Plan { seeds: 1..=60, kind: None, size: FULL, threads: 2 };
    let mut asked = Arguments { plan, verbose: false, keep: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--seeds" => asked.plan.seeds = seeds(&value()?)?,
            "--kind" => asked.plan.kind = kind(&value()?)?,
            "--small" => asked.plan.size = SMALL,
            "--verbose" => asked.verbose = true,
            "--threads" => asked.plan.threads = value()?.parse().map_err(|e| format!("--threads: {e}"))?,
            "--keep" => asked.keep = Some(value()?.into()),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(asked)
}

/// `7` or `1..60`.
fn seeds(text: &str) -> Result<std::ops::RangeInclusive<u64>, String> {
    let (from, until) = text.split_once("..").unwrap_or((text, text));
    let number =
        |text: &str| text.trim_start_matches('=').parse().map_err(|e| format!("--seeds {text}: {e}"));
    Ok(number(from)?..=number(until)?)
}

fn kind(text: &str) -> Result<Option<Kind>, String> {
    if text == "all" {
        return Ok(None);
    }
    let known = KINDS.iter().find(|k| k.0 == text);
    known.map(|k| Some(k.1)).ok_or_else(|| format!("--kind {text}: there is no such kind"))
}

fn main() -> ExitCode {
    let asked = match arguments() {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let plan = &asked.plan;
    let outcomes = match &asked.keep {
        Some(directory) if plan.seeds.start() == plan.seeds.end() => {
            vec![judge(*plan.seeds.start(), plan.kind, plan.size, directory)]
        }
        Some(_) => {
            eprintln!("--keep wants a single seed");
            return ExitCode::from(2);
        }
        None => run(plan),
    };
    if asked.verbose || asked.keep.is_some() {
        for outcome in &outcomes {
            print!("{}", mistakes(&outcome[0]));
        }
        println!();
    }
    print!("{}", table(&outcomes));
    ExitCode::SUCCESS
}
