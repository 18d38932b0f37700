//! The figures, and what they were made of.

use std::fmt::Write as _;

use super::methods::{Claim, Place};
use super::run::METHODS;
use super::score::{Outcome, Verdict};
use super::truth::{DETECTABLE, EVIDENT, Signal, Truth};

/// A figure and how many cases it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) of: f64,
}

type Sites<'a> = &'a [&'a Outcome];

/// 2·found ÷ (2·found + missed + false) over incidents of a signal that `nats` make worth finding.
pub(crate) fn f1(sites: Sites<'_>, signal: Signal, nats: f64) -> Figure {
    let due = || sites.iter().flat_map(|s| &s.found).filter(|(t, _)| t.signal == signal && t.counts(nats));
    let (of, found) = (due().count() as f64, due().filter(|(_, claim)| claim.is_some()).count() as f64);
    let about = |claim: &&Claim| claim.signals.first() == Some(&signal);
    let wrong = sites.iter().flat_map(|s| &s.wrong).filter(about).count() as f64;
    Figure { value: 2.0 * found / (found + of + wrong), of }
}

/// False incidents per day of recording; rests on days.
pub(crate) fn false_per_day(sites: Sites<'_>) -> Figure {
    let days = sites.iter().fold(0.0, |sum, s| sum + s.days);
    Figure { value: sites.iter().map(|s| s.wrong.len()).sum::<usize>() as f64 / days, of: days }
}

/// How many of the evident incidents of a signal that were found are right in some way.
pub(crate) fn right(
    sites: Sites<'_>,
    signal: Signal,
    asked: impl Fn(&Truth) -> bool,
    is_right: impl Fn(&Verdict) -> Option<bool>,
) -> Figure {
    let due = sites.iter().flat_map(|s| &s.found).filter(|(t, _)| t.signal == signal && t.counts(EVIDENT));
    let asked = due.filter(|(t, _)| asked(t));
    let answers: Vec<bool> = asked.filter_map(|(_, told)| is_right(&told.as_ref()?.1)).collect();
    let good = answers.iter().filter(|r| **r).count() as f64;
    Figure { value: good / answers.len() as f64, of: answers.len() as f64 }
}

/// Where several attributes were to be named, or none.
fn scopes(sites: Sites<'_>, narrow: bool) -> Figure {
    let mut sum = (0.0, 0.0);
    for signal in [Signal::Errors, Signal::Latency, Signal::Traffic] {
        let figure = right(sites, signal, |t| t.scope.is_some() == narrow, |v| v.scope);
        if figure.of > 0.0 {
            sum = (sum.0 + figure.value * figure.of, sum.1 + figure.of);
        }
    }
    Figure { value: sum.0 / sum.1, of: sum.1 }
}

/// All rows for one method.
pub(crate) fn figures(all: Sites<'_>) -> Vec<(&'static str, Figure)> {
    let class = |drifting: bool| -> Vec<&Outcome> {
        all.iter().filter(|s| s.drifting == drifting).copied().collect()
    };
    let (calm, drifting) = (&class(false)[..], &class(true)[..]);
    let any = |_: &Truth| true;
    let (errors, latency, traffic) = (Signal::Errors, Signal::Latency, Signal::Traffic);
    vec![
        ("errors F1, background ≤ 1 %, evident (LLR ≥ 40)", f1(calm, errors, EVIDENT)),
        ("errors F1, background ≤ 1 %, LLR ≥ 15", f1(calm, errors, DETECTABLE)),
        ("errors F1, 3 % drifting background, evident", f1(drifting, errors, EVIDENT)),
        ("errors F1, 3 % drifting background, LLR ≥ 15", f1(drifting, errors, DETECTABLE)),
        ("false incidents per site-day, background ≤ 1 %", false_per_day(calm)),
        ("false incidents per site-day, 3 % drifting", false_per_day(drifting)),
        ("errors: both boundaries right", right(all, errors, any, |v| Some(v.boundaries))),
        (
            "  off by ≤ 1 s, steps of ≥ 10 affected requests/s",
            right(all, errors, |t| t.rate >= 10.0 && t.is_sudden, |v| Some(v.to_the_second)),
        ),
        ("errors: impact right", right(all, errors, any, |v| v.impact)),
        ("  95 % interval covers the start", right(all, errors, any, |v| v.start_covered)),
        ("  95 % interval covers the start, steps", right(all, errors, |t| t.is_sudden, |v| v.start_covered)),
        ("  95 % interval covers the end", right(all, errors, any, |v| v.end_covered)),
        ("  95 % interval covers the end, steps", right(all, errors, |t| t.is_sudden, |v| v.end_covered)),
        ("  95 % interval covers the impact", right(all, errors, any, |v| v.impact_covered)),
        ("latency F1, LLR ≥ 15", f1(all, latency, DETECTABLE)),
        ("latency F1, evident", f1(all, latency, EVIDENT)),
        ("latency: both boundaries right", right(all, latency, any, |v| Some(v.boundaries))),
        ("latency: impact right", right(all, latency, any, |v| v.impact)),
        ("traffic F1, LLR ≥ 15", f1(all, traffic, DETECTABLE)),
        ("traffic F1, evident", f1(all, traffic, EVIDENT)),
        ("traffic: both boundaries right", right(all, traffic, any, |v| Some(v.boundaries))),
        ("scope exact, one attribute", scopes(all, true)),
        ("scope exact, everything", scopes(all, false)),
    ]
}

/// The table.
pub(crate) fn table(outcomes: &[[Outcome; 3]]) -> String {
    let columns: Vec<_> =
        (0..METHODS.len()).map(|m| figures(&outcomes.iter().map(|o| &o[m]).collect::<Vec<_>>())).collect();
    let mut out = format!("{:<52}", format!("{} sites", outcomes.len()));
    for method in METHODS {
        let _ = write!(out, "{method:>16}");
    }
    out.push('\n');
    for (row, (name, _)) in columns[0].iter().enumerate() {
        let _ = write!(out, "{name:<52}");
        for column in &columns {
            let Figure { value, of } = column[row].1;
            let value = if value.is_nan() { "–".to_owned() } else { format!("{value:.3}") };
            let of = if name.contains("per site-day") { format!("{of:.1} d") } else { format!("n {of:.0}") };
            let _ = write!(out, "{:>16}", format!("{value} {of:>7}"));
        }
        out.push('\n');
    }
    out
}

/// Everything that a site's outcome has wrong, a line each, the site's own line first; nothing if all is right.
pub(crate) fn mistakes(outcome: &Outcome) -> String {
    let mut out = String::new();
    for (truth, told) in &outcome.found {
        let what = format!(
            "{} ({:.0} s, {} hit, {:.2}/s, LLR {:.0})",
            truth.text,
            truth.end - truth.start,
            truth.affected,
            truth.rate,
            truth.nats
        );
        match told {
            None if truth.counts(DETECTABLE) => {
                let _ = writeln!(out, "  missed: {what} from {}", super::run::clock(truth.start, 0));
            }
            Some((claim, verdict)) if truth.counts(EVIDENT) => {
                for wrong in wrongs(truth, claim, verdict) {
                    let _ = writeln!(out, "  {wrong}: {what} from {}", super::run::clock(truth.start, 0));
                }
            }
            _ => {}
        }
    }
    for claim in &outcome.wrong {
        let (from, lasts) = (super::run::clock(claim.start, 0), claim.end - claim.start);
        let over = outcome.found.iter().any(|(t, _)| t.start < claim.end && claim.start < t.end);
        let kind = if over { "fragment" } else { "false" };
        let _ = writeln!(out, "  {kind}: {} ({lasts:.0} s) from {from}", claim.title);
    }
    if out.is_empty() { out } else { format!("{}\n{out}", outcome.site) }
}

fn wrongs(truth: &Truth, claim: &Claim, verdict: &Verdict) -> Vec<String> {
    let mut wrongs = Vec::new();
    if !verdict.boundaries {
        let (start, end) = truth.tolerances();
        wrongs.push(format!(
            "boundaries off by {:+.1} s of ±{start:.0}, {:+.1} s of ±{end:.0}",
            verdict.start_error, verdict.end_error
        ));
    }
    if verdict.impact == Some(false) {
        let percent = |p: Option<f64>| p.map_or("nothing".to_owned(), |p| format!("{p:.2} %"));
        wrongs.push(format!("impact {} instead of {}", percent(claim.percent), percent(truth.percent)));
    }
    if verdict.scope == Some(false) {
        let said = match &claim.place {
            Place::In { dimension, value } => format!("{dimension} {value}"),
            _ => "everything".to_owned(),
        };
        wrongs.push(format!("scope {said}"));
    }
    for (covered, name, range) in [
        (verdict.start_covered, "start", claim.start_range.map(|r| (r.0 - truth.start, r.1 - truth.start))),
        (verdict.end_covered, "end", claim.end_range.map(|r| (r.0 - truth.end, r.1 - truth.end))),
        (
            verdict.impact_covered,
            "impact",
            claim.percent_interval.zip(truth.expected).map(|(i, e)| (i.0 - e, i.1 - e)),
        ),
    ] {
        if let (Some(false), Some((low, high))) = (covered, range) {
            wrongs.push(format!("{name} outside of its interval ({low:+.2} to {high:+.2} of the truth)"));
        }
    }
    wrongs
}
