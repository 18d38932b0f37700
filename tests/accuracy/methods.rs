//! What is judged: logtopsy by its JSON, and beside it the two rules that people use for alerts.

use std::path::Path;

use logtopsy::explain::facts::DisplayZone;
use logtopsy::model::{Offset, Timestamp};
use logtopsy::pipeline::{self, Options, Silent};
use logtopsy::report::{self, Format, Style};
use serde_json::Value;

use super::play::{By, Request};
use super::truth::{SIGNALS, Signal};

/// Where it hurts, as a method tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The method does not say.
    Unsaid,
    /// Nowhere in particular.
    Everywhere,
    /// Most of all in this value of this dimension.
    In { dimension: String, value: String },
}

/// An incident as a method tells it. Times are seconds since the epoch.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) signals: Vec<Signal>,
    pub(crate) start: f64,
    /// One second past the last; `end_open` if it is only the end of the data.
    pub(crate) end: f64,
    pub(crate) end_open: bool,
    pub(crate) start_range: Option<(f64, f64)>,
    pub(crate) end_range: Option<(f64, f64)>,
    pub(crate) percent: Option<f64>,
    pub(crate) percent_interval: Option<(f64, f64)>,
    pub(crate) place: Place,
    pub(crate) title: String,
}

/// Requests and failures of each second, health checks left out.
pub(crate) struct Counts {
    pub(crate) start: i64,
    pub(crate) seconds: Vec<(u32, u32)>,
}

impl Counts {
    pub(crate) fn new(start: i64, seconds: u32, requests: &[Request]) -> Self {
        let mut counts = Self { start, seconds: vec![(0, 0); seconds as usize] };
        for request in requests.iter().filter(|r| r.by != By::Check) {
            let slot = &mut counts.seconds[request.at_ms as usize / 1000];
            slot.0 += 1;
            slot.1 += u32::from(request.status >= 500);
        }
        counts
    }

    /// (requests, failures) before each second.
    fn sums(&self) -> Vec<(u64, u64)> {
        let mut sum = (0, 0);
        let mut out = vec![sum];
        for &(n, k) in &self.seconds {
            sum = (sum.0 + u64::from(n), sum.1 + u64::from(k));
            out.push(sum);
        }
        out
    }
}

/// What logtopsy says of a directory of logs.
pub(crate) fn logtopsy(logs: &Path) -> Vec<Claim> {
    let mut options =
        Options { assume_zone: Some(DisplayZone::Fixed(Offset(0))), jobs: Some(1), ..Options::default() };
    options.query.paths = vec![logs.to_path_buf()];
    let report = pipeline::analyse(&options, &Silent).unwrap_or_else(|e| panic!("no report: {e}"));
    let style =
        Style { generated_at: Timestamp::from_seconds(946_684_800), colour: false, width: None, verbose: 0 };
    let mut out = Vec::new();
    report::render(&report, Format::Json, &style, &mut out).unwrap();
    claims(&serde_json::from_slice(&out).unwrap())
}

/// The incidents of a report.
pub(crate) fn claims(json: &Value) -> Vec<Claim> {
    let data_end = time(&json["window"]["end"]).map_or(0.0, |end| end.floor() + 1.0);
    json["incidents"].as_array().unwrap().iter().map(|incident| claim(incident, data_end)).collect()
}

fn claim(json: &Value, data_end: f64) -> Claim {
    let signal = |v: &Value| SIGNALS.iter().find(|(name, _)| v == name).unwrap().1;
    let place = json["scope"].get(0).map_or(Place::Everywhere, |first| {
        let text = |key: &str| first[key].as_str().unwrap().to_owned();
        Place::In { dimension: text("dimension"), value: text("value") }
    });
    let range = |v: &Value| time(&v[0]).zip(time(&v[1]));
    Claim {
        signals: json["signals"].as_array().unwrap().iter().map(signal).collect(),
        start: time(&json["start"]).unwrap(),
        end: time(&json["end"]).unwrap_or(data_end),
        end_open: json["end"].is_null(),
        start_range: range(&json["start_range"]),
        end_range: range(&json["end_range"]),
        percent: json["impact"]["percent"].as_f64(),
        percent_interval: {
            let interval = &json["impact"]["percent_interval"];
            interval[0].as_f64().zip(interval[1].as_f64())
        },
        place,
        title: json["title"].as_str().unwrap().to_owned(),
    }
}

fn time(value: &Value) -> Option<f64> {
    let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).unwrap();
    Some(time.timestamp_millis() as f64 / 1000.0)
}

/// Every minute in which 5 % of the requests fail; minutes in a row are one incident.
pub(crate) fn per_minute(counts: &Counts) -> Vec<Claim> {
    let sums = counts.sums();
    let fails = |second: usize| {
        let from = second / 60 * 60;
        let (n, k) = between(&sums, from, (from + 60).min(counts.seconds.len()));
        n > 0 && k as f64 >= 0.05 * n as f64
    };
    stretches(counts, &sums, fails)
}

/// The two paging alerts of the SRE workbook for an objective of 99.9 %: a burn rate of 14.4 over an hour and over five
/// minutes, or of 6 over six hours and over thirty minutes. An incident lasts as long as either fires.
pub(crate) fn burn_rate(counts: &Counts) -> Vec<Claim> {
    let sums = counts.sums();
    let burns = |second: usize, window: usize, times: f64| {
        let (n, k) = between(&sums, (second + 1).saturating_sub(window), second + 1);
        n > 0 && k as f64 / n as f64 > times * 0.001
    };
    let fires = |second: usize| {
        (burns(second, 3600, 14.4) && burns(second, 300, 14.4))
            || (burns(second, 21_600, 6.0) && burns(second, 1800, 6.0))
    };
    stretches(counts, &sums, fires)
}

/// (requests, failures) from a second up to another.
fn between(sums: &[(u64, u64)], from: usize, until: usize) -> (u64, u64) {
    (sums[until].0 - sums[from].0, sums[until].1 - sums[from].1)
}

fn stretches(counts: &Counts, sums: &[(u64, u64)], bad: impl Fn(usize) -> bool) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mut since = None;
    for second in 0..=counts.seconds.len() {
        if second < counts.seconds.len() && bad(second) {
            since.get_or_insert(second);
        } else if let Some(from) = since.take() {
            let (n, k) = between(sums, from, second);
            claims.push(Claim {
                signals: vec![Signal::Errors],
                start: (counts.start + from as i64) as f64,
                end: (counts.start + second as i64) as f64,
                end_open: second == counts.seconds.len(),
                start_range: None,
                end_range: None,
                percent: (n > 0).then(|| 100.0 * k as f64 / n as f64),
                percent_interval: None,
                place: Place::Unsaid,
                title: "threshold".to_owned(),
            });
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(seconds: usize, failing: std::ops::Range<usize>) -> Counts {
        let one = |s: usize| (10, if failing.contains(&s) { 10 } else { 0 });
        Counts { start: 1000, seconds: (0..seconds).map(one).collect() }
    }

    #[test]
    fn a_minute_of_failures_passes_the_threshold() {
        let claims = per_minute(&counts(3600, 130..200));
        assert_eq!(claims.len(), 1);
        assert_eq!((claims[0].start, claims[0].end), (1120.0, 1240.0));
        assert!((claims[0].percent.unwrap() - 100.0 * 70.0 / 120.0).abs() < 1e-9);
    }

    #[test]
    fn budgets_burn_later_and_longer() {
        let claims = burn_rate(&counts(36_000, 20_000..20_600));
        assert_eq!(claims.len(), 1);
        // 1.44 % of an hour's requests are those of 52 seconds
        assert_eq!(claims[0].start, 1000.0 + 20_051.0);
        assert!(claims[0].end > 21_600.0 && !claims[0].end_open);
    }
}
