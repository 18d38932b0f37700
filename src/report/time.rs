//! Times, spans, durations, counts and percentages as people and tools read them.

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset as _, TimeZone as _, Utc};

use crate::explain::facts::{DisplayZone, Report};
use crate::model::{MICROS, Timestamp};

/// RFC 3339 knows the years 0000–9999; a day is left on both sides for the offset.
const EARLIEST: i64 = -62_167_132_800;
/// See `EARLIEST`.
const LATEST: i64 = 253_402_214_400;

/// The wall clock at an instant, with its offset in whole minutes (RFC 3339 has no seconds there).
fn local(zone: &DisplayZone, at: Timestamp) -> DateTime<FixedOffset> {
    let second = at.second().clamp(EARLIEST, LATEST);
    let utc = DateTime::<Utc>::from_timestamp(second, nanos(at)).unwrap_or_default();
    let seconds = match zone {
        DisplayZone::Fixed(offset) => offset.0,
        DisplayZone::Stepped(steps) => steps.at(at.second()).0,
        DisplayZone::Named(tz) => tz.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc(),
    };
    let minutes = (seconds.clamp(-86_340, 86_340) + 30).div_euclid(60);
    FixedOffset::east_opt(minutes * 60)
        .map_or_else(|| utc.fixed_offset(), |offset| utc.with_timezone(&offset))
}

/// Nanoseconds within the second.
fn nanos(at: Timestamp) -> u32 {
    u32::try_from(at.micros().rem_euclid(MICROS)).unwrap_or(0).saturating_mul(1000)
}

/// `2023-05-14T12:00:03+01:00`, with a fraction only where there is one.
pub fn rfc3339(zone: &DisplayZone, at: Timestamp) -> String {
    let local = local(zone, at);
    let fraction = match at.micros().rem_euclid(MICROS) {
        0 => String::new(),
        micros if micros % 1000 == 0 => format!(".{:03}", micros / 1000),
        micros => format!(".{micros:06}"),
    };
    format!("{}{fraction}{}", local.format("%Y-%m-%dT%H:%M:%S"), local.format("%:z"))
}

/// The name of a zone: IANA, or an offset such as `+01:00`; of offsets that change the one at an instant.
pub fn zone_name(zone: &DisplayZone, at: Timestamp) -> String {
    match zone {
        DisplayZone::Named(tz) => tz.name().to_owned(),
        DisplayZone::Fixed(_) | DisplayZone::Stepped(_) => offset(zone, at),
    }
}

/// The name of the zone that a report's times are shown in, where its first incident begins, else the logs.
pub fn report_zone(report: &Report) -> String {
    let incident = report.incidents.first().map(|i| i.start.at);
    let at = incident.or(report.window.map(|(start, _)| start)).unwrap_or_default();
    zone_name(&report.zone, at)
}

/// `+01:00`: the offset at an instant.
pub fn offset(zone: &DisplayZone, at: Timestamp) -> String {
    local(zone, at).format("%:z").to_string()
}

/// `12:00:03`.
pub fn clock(zone: &DisplayZone, at: Timestamp) -> String {
    local(zone, at).format("%H:%M:%S").to_string()
}

/// `12:00`.
pub fn minute(zone: &DisplayZone, at: Timestamp) -> String {
    local(zone, at).format("%H:%M").to_string()
}

/// `2023-05-14`.
pub fn date(zone: &DisplayZone, at: Timestamp) -> String {
    local(zone, at).format("%Y-%m-%d").to_string()
}

/// `Sun 2023-05-14`.
pub fn day(zone: &DisplayZone, at: Timestamp) -> String {
    local(zone, at).format("%a %Y-%m-%d").to_string()
}

/// `12:00:03` on the day of `reference`, else `05-13 23:59:58`, or with the year where it differs.
pub fn clock_near(zone: &DisplayZone, reference: Timestamp, at: Timestamp) -> String {
    let (there, here) = (local(zone, reference), local(zone, at));
    let format = if there.date_naive() == here.date_naive() {
        "%H:%M:%S"
    } else if there.format("%Y").to_string() == here.format("%Y").to_string() {
        "%m-%d %H:%M:%S"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    here.format(format).to_string()
}

/// Whether a span's edges are known (`open` = there may be more beyond).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Open {
    /// It may have begun earlier: `≤`.
    pub start: bool,
    /// It may have ended later: `≥`.
    pub end: bool,
}

/// `2023-05-14 12:00:03–12:48:02 +01:00`; the date and the offset are said twice only where they change.
pub fn span(zone: &DisplayZone, start: Timestamp, end: Timestamp, open: Open) -> String {
    span_with(zone, start, end, open, "%Y-%m-%d")
}

/// [`span`] with the day of the week.
pub fn span_with_day(zone: &DisplayZone, start: Timestamp, end: Timestamp, open: Open) -> String {
    span_with(zone, start, end, open, "%a %Y-%m-%d")
}

fn span_with(zone: &DisplayZone, start: Timestamp, end: Timestamp, open: Open, day: &str) -> String {
    let (a, b) = (local(zone, start), local(zone, end));
    let before = if open.start { "≤" } else { "" };
    let after = if open.end { "≥" } else { "" };
    let same_day = a.date_naive() == b.date_naive();
    let (a_offset, b_offset) = (a.format("%:z").to_string(), b.format("%:z").to_string());
    let mut out = format!("{} {before}{}", a.format(day), a.format("%H:%M:%S"));
    if a_offset != b_offset {
        out.push(' ');
        out.push_str(&a_offset);
    }
    out.push_str(if same_day && a_offset == b_offset { "–" } else { " – " });
    if !same_day {
        out.push_str(&b.format(day).to_string());
        out.push(' ');
    }
    format!("{out}{after}{} {b_offset}", b.format("%H:%M:%S"))
}

/// `3.2 s`, `22 min 4 s`, `48 min`, `2 h 07 min`, `3 d 4 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".to_owned();
    }
    let seconds = seconds.abs();
    if seconds < 10.0 && (seconds - seconds.round()).abs() >= 0.05 {
        return format!("{seconds:.1} s");
    }
    let whole = whole_seconds(seconds);
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 if whole.is_multiple_of(60) => format!("{} min", whole / 60),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => long(whole),
    }
}

/// [`duration`] for a headline: from five minutes on, to the minute.
pub fn duration_brief(seconds: f64) -> String {
    let whole = whole_seconds(seconds.abs());
    if seconds.is_finite() && (300..3600).contains(&whole) {
        let minutes = whole.saturating_add(30) / 60;
        return if minutes == 60 { "1 h".to_owned() } else { format!("{minutes} min") };
    }
    duration(seconds)
}

fn long(whole: u64) -> String {
    let minutes = whole.saturating_add(30) / 60;
    let (hours, rest) = (minutes / 60, minutes % 60);
    match (hours, rest) {
        (0..48, 0) => format!("{hours} h"),
        (0..48, _) => format!("{hours} h {rest:02} min"),
        _ if hours % 24 == 0 => format!("{} d", hours / 24),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, NaN becomes 0"
)]
fn whole_seconds(seconds: f64) -> u64 {
    seconds.round() as u64
}

/// `1 234 567`; four digits stay together.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    if digits.len() <= 4 {
        return digits;
    }
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// `37.2 %`. Never rounded to 100 or 0 unless it is.
pub fn percent(value: f64) -> String {
    if value.is_finite() { format!("{} %", percent_number(value)) } else { percent_number(value) }
}

/// [`percent`] without its sign.
pub fn percent_number(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    let value = value.clamp(0.0, 100.0);
    if value <= 0.0 || value >= 100.0 {
        return format!("{value:.0}");
    }
    let start = if (0.1..=99.0).contains(&value) { 1 } else { 2 };
    for digits in start..8 {
        let shown = format!("{value:.digits$}");
        let parsed = shown.parse::<f64>().unwrap_or(value);
        if parsed > 0.0 && parsed < 100.0 {
            return shown.strip_suffix(".0").map_or_else(|| shown.clone(), str::to_owned);
        }
    }
    if value > 50.0 { "99.9999999".to_owned() } else { "0.0000001".to_owned() }
}

/// `2.0×`, `14×`.
pub fn factor(value: f64) -> String {
    if value.is_finite() { format!("{}×", factor_number(value)) } else { factor_number(value) }
}

/// [`factor`] without its sign.
pub fn factor_number(value: f64) -> String {
    match value {
        v if !v.is_finite() => "unknown".to_owned(),
        v if v.abs() < 9.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// `0.214 s`, `12 ms`: a latency to three digits.
pub fn latency(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => "unknown".to_owned(),
        s if s < 0.0995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.95 => format!("{s:.2} s"),
        s => format!("{s:.0} s"),
    }
}

/// `196`, `0.4`: a rate to about three digits.
pub fn rate(value: f64) -> String {
    match value {
        v if !v.is_finite() => "unknown".to_owned(),
        0.0 => "0".to_owned(),
        v if v < 9.95 => format!("{v:.1}"),
        v => count(whole_seconds(v)),
    }
}

/// `1.2 GB`.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if value < 999.5 {
            return if unit == "B" || value >= 9.95 {
                format!("{value:.0} {unit}")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} PB")
}

/// A wall-clock reading in a zone as an instant; a reading that occurs twice means the earlier, one that is skipped the next that exists.
pub fn instant(zone: &DisplayZone, wall: Timestamp) -> Timestamp {
    match zone {
        DisplayZone::Fixed(offset) => wall.plus_seconds(-i64::from(offset.0)),
        DisplayZone::Stepped(steps) => wall.plus_seconds(-i64::from(steps.at_wall(wall.second()).0)),
        DisplayZone::Named(tz) => {
            let naive: NaiveDateTime =
                DateTime::<Utc>::from_timestamp(wall.second().clamp(EARLIEST, LATEST), nanos(wall))
                    .unwrap_or_default()
                    .naive_utc();
            let found = tz.from_local_datetime(&naive).earliest().or_else(|| {
                // Clocks jump by an hour or less where a reading is skipped.
                tz.from_local_datetime(&(naive + chrono::TimeDelta::hours(1))).earliest()
            });
            found.map_or(wall, |at| Timestamp::from_micros(at.timestamp_micros()))
        }
    }
}
