//! The share of failing requests over the window as rectangles: only where they stand, the page draws them.

use serde::Serialize;

use crate::detect::Signal;
use crate::explain::facts::Report;
use crate::model::{MICROS, Timestamp};
use crate::report::time;

/// Units of the drawing.
const WIDTH: f64 = 720.0;
/// See `WIDTH`.
const HEIGHT: f64 = 80.0;
/// Bars; more are narrower than a pixel.
const MAX_BARS: usize = 240;
/// Incidents that are marked.
const MAX_MARKS: usize = 50;

/// A drawing of `width` × `height` units.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    width: f64,
    height: f64,
    /// What the bars are.
    what: &'static str,
    bars: Vec<Bar>,
    /// The incidents.
    marks: Vec<Bar>,
    /// Wall clocks at both ends.
    from: String,
    to: String,
}

/// A rectangle, rounded to hundredths.
#[derive(Debug, Serialize)]
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// The chart, if there is anything to draw.
pub(super) fn chart(report: &Report) -> Option<Chart> {
    let overview = &report.overview;
    let cells = cells(&overview.slices);
    if cells.len() < 2 || overview.slice_seconds <= 0 {
        return None;
    }
    let failing = report.incidents.is_empty() || report.incidents.iter().any(|i| i.signal == Signal::Errors);
    let most = cells.iter().map(|&(requests, _)| requests).max().unwrap_or(0);
    let slices = i64::try_from(overview.slices.len()).unwrap_or(i64::MAX);
    let seconds = slices.saturating_mul(overview.slice_seconds);
    let width = WIDTH / cells.len() as f64;
    let bars = cells.iter().enumerate().filter_map(|(at, &(requests, failures))| {
        let (part, whole) = if failing { (failures, requests) } else { (requests, most) };
        let height = part as f64 / whole.max(1) as f64 * HEIGHT;
        (part > 0).then(|| bar(at as f64 * width, height, width * 0.9))
    });
    let x = |at: Timestamp| {
        let since = at.micros().saturating_sub(overview.start.micros()) as f64 / MICROS as f64;
        (since / seconds as f64).clamp(0.0, 1.0) * WIDTH
    };
    let marks = report.incidents.iter().take(MAX_MARKS);
    Some(Chart {
        width: WIDTH,
        height: HEIGHT,
        what: if failing { "share of requests that failed" } else { "requests" },
        bars: bars.collect(),
        marks: marks.map(|i| bar(x(i.start.at), HEIGHT, (x(i.end.at) - x(i.start.at)).max(1.0))).collect(),
        from: time::minute(&report.zone, overview.start),
        to: time::minute(&report.zone, overview.start.plus_seconds(seconds)),
    })
}

fn bar(x: f64, height: f64, width: f64) -> Bar {
    let round = |value: f64| if value.is_finite() { (value * 100.0).round() / 100.0 } else { 0.0 };
    let height = height.clamp(0.0, HEIGHT);
    Bar { x: round(x), y: round(HEIGHT - height), width: round(width), height: round(height) }
}

/// Slices merged into at most `MAX_BARS` cells.
fn cells(slices: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let size = slices.len().div_ceil(MAX_BARS).max(1);
    let sum = |cell: &[(u64, u64)]| {
        cell.iter().fold((0u64, 0u64), |(n, f), slice| (n.saturating_add(slice.0), f.saturating_add(slice.1)))
    };
    slices.chunks(size).map(sum).collect()
}
