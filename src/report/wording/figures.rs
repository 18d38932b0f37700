//! How each figure of an incident is known: file and line, or the formula.

use super::story::{counted, interval};
use super::{Sentence, burst, is_slowness};
use crate::detect::Signal;
use crate::explain::facts::{DisplayZone, Incident, Report, Suspect};
use crate::model::{Location, MICROS, Timestamp, Untrusted};
use crate::report::time;

/// Gives the file and line of a location.
type PlaceOf<'a> = &'a dyn Fn(Location) -> Option<Untrusted>;

/// A figure of the report, its value, and how it came about.
pub(in crate::report) struct Figure {
    /// Its name.
    pub(in crate::report) name: &'static str,
    /// Its value, worded.
    pub(in crate::report) value: String,
    /// Files with lines, or the formula.
    pub(in crate::report) how: Sentence,
}

/// How each figure of an incident is known. `place` gives the file and line of a location.
pub(in crate::report) fn figures(report: &Report, i: &Incident, place: PlaceOf<'_>) -> Vec<Figure> {
    let zone = &report.zone;
    let mut figures = edges(zone, i, place);
    let m = &i.impact;
    let counts = counted(i).map_or_else(String::new, |(affected, total)| {
        format!(", {} of {}", time::count(affected), time::count(total))
    });
    let range = lines(i, place);
    if let Some(percent) = m.percent.filter(|p| p.is_finite()) {
        let interval = interval(i).map(|range| format!(" ({range})")).unwrap_or_default();
        let what = match i.signal {
            Signal::Errors => {
                "answers 5xx (and 499 beyond its usual share) ÷ user requests between start and end"
            }
            Signal::Latency => {
                "requests slower than the baseline explains ÷ user requests between start and end"
            }
            Signal::Traffic if is_slowness(i) => {
                "requests slower than the baseline explains ÷ user requests between start and end"
            }
            Signal::Traffic => "(expected − those that came) ÷ expected requests",
        };
        figures.push(Figure {
            name: "share of requests",
            value: format!("{}{interval}{counts}", time::percent(percent)),
            how: Sentence::new(what).then(range),
        });
    }
    if let (Some(affected), Some(total)) = (m.affected_clients, m.total_clients) {
        figures.push(Figure {
            name: "clients",
            value: format!("{} of {}", time::count(affected), time::count(total)),
            how: Sentence::new(
                "distinct client addresses with at least one affected request ÷ all, same lines",
            ),
        });
    }
    if let Some(burst) = burst(i) {
        let how = "messages of level ERROR and above between start and end, against other times";
        figures.push(Figure { name: "messages", value: burst, how: Sentence::new(how) });
    }
    figures.extend(compared(report, i, place));
    figures
}

fn edges(zone: &DisplayZone, i: &Incident, place: PlaceOf<'_>) -> Vec<Figure> {
    let clock = |at| time::clock_near(zone, i.start.at, at);
    let silent = i.signal == Signal::Traffic;
    let edge = |name, edge: &crate::explain::facts::Edge, what: &'static str| {
        let what = if edge.open { "where the logs end in it" } else { what };
        let sentence = match edge.location.and_then(place) {
            Some(place) => Sentence::new(format!("{what}, ")).log(&place),
            None => Sentence::new(what),
        };
        let (low, high) = edge.range;
        let range = format!("; 95 % interval {}–{}", clock(low), clock(high));
        let how = if edge.open { sentence } else { sentence.text(range) };
        Figure { name, value: clock(edge.at), how }
    };
    let (first, last) = if silent {
        ("first missing second, after the line", "first second back, with the line")
    } else if i.burst.is_some() {
        ("time of the first message", "one second past the last message")
    } else {
        ("time written in the first affected line", "one second past the last affected line")
    };
    let bound = if i.start.open || i.end.open { "at least " } else { "" };
    let mut figures = vec![edge("start", &i.start, first), edge("end", &i.end, last)];
    figures.push(Figure {
        name: "duration",
        value: format!("{bound}{}", time::duration(i.duration_seconds())),
        how: Sentence::new("end − start"),
    });
    figures
}

/// Baseline, expectation, worst minute, and the span from the change.
fn compared(report: &Report, i: &Incident, place: PlaceOf<'_>) -> Vec<Figure> {
    let zone = &report.zone;
    let clock = |at| time::clock_near(zone, i.start.at, at);
    let mut figures = Vec::new();
    if i.burst.is_none() {
        // Of a place or of other signals, normal is all that is outside.
        let site = i.computation.first().filter(|c| c.place.is_none() && i.signal == Signal::Errors);
        let window = site.and_then(|c| c.finding.baseline.window).map(|(from, to)| {
            let (from, to) = (Timestamp::from_seconds(from), Timestamp::from_seconds(to));
            format!("the same logs, {}–{}", clock(from), clock(to))
        });
        let how = window.unwrap_or_else(|| "the same logs outside of the incident".to_owned());
        let error = i.baseline.error_percent.map(|p| format!("{} of requests fail", time::percent(p)));
        let rate = i.baseline.requests_per_minute.map(|r| format!("{} requests a minute", time::rate(r)));
        let value: Vec<String> = error.into_iter().chain(rate).collect();
        if !value.is_empty() {
            figures.push(Figure { name: "normal", value: value.join(", "), how: Sentence::new(how) });
        }
    }
    if let Some(lost) = i.impact.lost_requests.filter(|lost| lost.is_finite() && *lost >= 1.0) {
        figures.push(Figure {
            name: "lost requests",
            value: format!("about {}", time::rate(lost)),
            how: Sentence::new("requests of a normal time of that length − those that came"),
        });
    }
    if let (Some(percent), Some(at)) = (i.impact.peak_percent, i.impact.peak_at) {
        figures.push(Figure {
            name: "worst minute",
            value: format!("{} from {}", time::percent(percent), clock(at)),
            how: Sentence::new("the highest share of any minute by the clock"),
        });
    }
    if let Some(seconds) = i.change_to_recovery_seconds.filter(|_| !i.end.open) {
        let span = |s: &&Suspect| i.end.at.micros().saturating_sub(s.time.micros()) as f64 / MICROS as f64;
        let change = i.suspects.iter().find(|s| (span(s) - seconds).abs() < 0.001);
        let place = change.and_then(|s| place(s.location));
        let how = Sentence::new("end − time of the likeliest suspect that is a change");
        figures.push(Figure {
            name: "change to recovery",
            value: time::duration(seconds),
            how: match place {
                Some(place) => how.text(", ").log(&place),
                None => how,
            },
        });
    }
    figures
}

/// ` (a.log:3 to b.log:9)`: the lines between which requests were counted.
fn lines(i: &Incident, place: PlaceOf<'_>) -> Sentence {
    match (i.start.location.and_then(place), i.end.location.and_then(place)) {
        (Some(first), Some(last)) => Sentence::new(", ").log(&first).text(" to ").log(&last),
        _ => Sentence::default(),
    }
}
