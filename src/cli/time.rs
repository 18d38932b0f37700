//! Times and zones as people type them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use logtopsy::explain::facts::DisplayZone;
use logtopsy::model::{Offset, Timestamp};
use logtopsy::pipeline::Bound;

/// A limit of the time range before it is known what "now" and "today" are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// An instant or a wall-clock reading.
    Fixed(Bound),
    /// Seconds before now.
    Ago(i64),
    /// A time of the day that many days before today.
    Day(i64, NaiveTime),
}

impl When {
    /// The limit, given what now is and today's date in the zone that the user thinks in.
    pub(crate) fn resolve(self, now: Timestamp, today: NaiveDate) -> Bound {
        match self {
            Self::Fixed(bound) => bound,
            Self::Ago(seconds) => Bound::Instant(now.plus_seconds(-seconds)),
            Self::Day(days, time) => {
                let days = chrono::Days::new(days.unsigned_abs());
                wall(today.checked_sub_days(days).unwrap_or(today).and_time(time))
            }
        }
    }
}

fn wall(at: NaiveDateTime) -> Bound {
    Bound::Wall(Timestamp::from_micros(at.and_utc().timestamp_micros()))
}

/// Reads RFC 3339, `2023-05-14 12:00[:SS]`, `2023-05-14`, `12:00`, `-3h`, `yesterday 10:30`, `today`, `now`.
pub(crate) fn when(text: &str) -> Result<When, String> {
    let trimmed = text.trim();
    let known = instant(trimmed)
        .or_else(|| date_and_time(trimmed).map(|at| When::Fixed(wall(at))))
        .or_else(|| ago(trimmed))
        .or_else(|| named_day(trimmed))
        .or_else(|| time_of_day(trimmed).map(|time| When::Day(0, time)));
    known.ok_or_else(|| {
        "not a time; use 2023-05-14T12:00:00+01:00, '2023-05-14 12:00', 2023-05-14, -3h, 'yesterday 10:30' or now"
            .to_owned()
    })
}

fn instant(text: &str) -> Option<When> {
    let at = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f %z"))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M %z"))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%z"))
        .ok()?;
    Some(When::Fixed(Bound::Instant(Timestamp::from_micros(at.timestamp_micros()))))
}

fn date_and_time(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, time_of_day(time.trim_start())?),
        None => (text, NaiveTime::MIN),
    };
    Some(NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?.and_time(time))
}

fn time_of_day(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M:%S%.f").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M")).ok()
}

fn named_day(text: &str) -> Option<When> {
    let lower = text.to_ascii_lowercase();
    if lower == "now" {
        return Some(When::Ago(0));
    }
    let (day, rest) = lower.split_once(' ').unwrap_or((&lower, ""));
    let days = match day {
        "today" => 0,
        "yesterday" => 1,
        _ => return None,
    };
    let time = if rest.is_empty() { NaiveTime::MIN } else { time_of_day(rest.trim_start())? };
    Some(When::Day(days, time))
}

/// `-3h`, `-90m`, `-1h30m`, `-2d`; `3h ago` means the same.
fn ago(text: &str) -> Option<When> {
    let digits = text.strip_prefix('-').or_else(|| text.strip_suffix(" ago"))?;
    let mut total: i64 = 0;
    let mut number: Option<i64> = None;
    for c in digits.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(i64::from(digit))?);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    // A number without its unit could mean anything.
    (number.is_none() && !digits.is_empty()).then_some(When::Ago(total))
}

/// An IANA name in any case, or an offset: `+01:00`, `-0530`, `+2`, `Z`.
pub(crate) fn zone(text: &str) -> Result<DisplayZone, String> {
    if let Some(offset) = offset(text) {
        return Ok(DisplayZone::Fixed(offset));
    }
    chrono_tz::TZ_VARIANTS
        .iter()
        .find(|tz| tz.name().eq_ignore_ascii_case(text))
        .map(|&tz| DisplayZone::Named(tz))
        .ok_or_else(|| {
            "no such time zone; use a name such as Europe/Paris or an offset such as +02:00".to_owned()
        })
}

fn offset(text: &str) -> Option<Offset> {
    if text.eq_ignore_ascii_case("z") {
        return Some(Offset(0));
    }
    let (sign, digits) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix('-')?),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if digits.len() > 2 => digits.split_at_checked(digits.len().checked_sub(2)?)?,
        None => (digits, "0"),
    };
    let number = |text: &str, most: i32| {
        let all_digits = !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|&n| all_digits && n <= most)
    };
    Some(Offset(sign * (number(hours, 14)? * 3600 + number(minutes, 59)? * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Bound {
        // 2023-05-15 09:30:00 UTC
        let now = Timestamp::from_seconds(1_684_143_000);
        when(text).unwrap().resolve(now, NaiveDate::from_ymd_opt(2023, 5, 15).unwrap())
    }

    fn utc(text: &str) -> Timestamp {
        Timestamp::from_micros(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    }

    #[test]
    fn an_offset_makes_an_instant() {
        let noon = Bound::Instant(utc("2023-05-14T11:00:00Z"));
        for text in [
            "2023-05-14T12:00:00+01:00",
            "2023-05-14 12:00:00+01:00",
            "2023-05-14 12:00 +0100",
            "2023-05-14T11:00:00Z",
            "2023-05-14T12:00+01:00",
        ] {
            assert_eq!(resolved(text), noon, "{text}");
        }
    }

    #[test]
    fn without_one_it_is_the_wall_clock() {
        let noon = Bound::Wall(utc("2023-05-14T12:00:00Z"));
        for text in ["2023-05-14 12:00", "2023-05-14T12:00:00", "2023-05-14  12:00:00", "yesterday 12:00"] {
            assert_eq!(resolved(text), noon, "{text}");
        }
        assert_eq!(resolved("2023-05-14"), Bound::Wall(utc("2023-05-14T00:00:00Z")));
        assert_eq!(resolved("today 09:00"), Bound::Wall(utc("2023-05-15T09:00:00Z")));
        assert_eq!(resolved("09:00"), resolved("today 09:00"));
        assert_eq!(resolved("Yesterday"), resolved("2023-05-14"));
    }

    #[test]
    fn relative_times_are_instants() {
        assert_eq!(resolved("-3h"), Bound::Instant(utc("2023-05-15T06:30:00Z")));
        assert_eq!(resolved("-90m"), resolved("-1h30m"));
        assert_eq!(resolved("-2d"), resolved("48h ago"));
        assert_eq!(resolved("now"), Bound::Instant(utc("2023-05-15T09:30:00Z")));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "-",
            "-3",
            "3h",
            "-3y",
            "tomorrow",
            "2023-13-01",
            "2023-05-14 25:00",
            "yesterday x",
            "-99999999999999999999h",
            "-9999999999999999w",
        ] {
            assert!(when(text).is_err(), "{text}");
        }
    }

    #[test]
    fn zones_by_name_and_offset() {
        assert_eq!(zone("Europe/Paris"), Ok(DisplayZone::Named(chrono_tz::Europe::Paris)));
        assert_eq!(zone("africa/lagos"), Ok(DisplayZone::Named(chrono_tz::Africa::Lagos)));
        for (text, seconds) in
            [("+01:00", 3600), ("-0530", -19_800), ("+2", 7200), ("Z", 0), ("-03", -10_800)]
        {
            assert_eq!(zone(text), Ok(DisplayZone::Fixed(Offset(seconds))), "{text}");
        }
        for text in ["", "+", "+1:0", "+25:00", "+01:60", "Mars/Olympus", "++1", "+1+1"] {
            assert!(zone(text).is_err(), "{text}");
        }
    }
}
