//! What the wall clock of a log without zones means.

use chrono::{Datelike as _, Local, MappedLocalTime, NaiveDateTime, Offset as _, TimeZone};

use crate::model::{Offset, Stamp, Steps, Timestamp};

/// What a source's lines leave out of their times.
#[derive(Debug, Clone, PartialEq)]
pub struct Clock {
    /// The zone of lines that state none.
    pub zone: WallZone,
    /// A time that no line is much later than, for lines that state no year; `None` where there are none.
    pub reference: Option<Timestamp>,
}

/// The zone of a source whose lines state none.
#[derive(Debug, Clone, PartialEq)]
pub enum WallZone {
    /// Always the same offset.
    Fixed(Offset),
    /// An offset that changed as other logs of the machine write.
    Steps(Steps),
    /// A named zone.
    Named(chrono_tz::Tz),
    /// The zone of the machine that this runs on.
    Machine,
}

/// Seconds that a line without a year may be later than the reference.
const AHEAD: i64 = 30 * 86_400;
/// First and last second of the year that stands for an unknown one.
const PLACEHOLDER: std::ops::Range<i64> = -62_040_988_800..-62_009_366_400;

impl Clock {
    /// A clock for lines that state their year.
    pub const fn new(zone: WallZone) -> Self {
        Self { zone, reference: None }
    }

    /// Whether a wall-clock reading is one of a line that states no year.
    pub fn is_yearless(wall_second: i64) -> bool {
        PLACEHOLDER.contains(&wall_second)
    }

    /// A reading with its year: the latest one in which it is not more than a month after the reference. Readings of
    /// the year before and the year after New Year find their own, whatever the order of the lines.
    fn dated(&self, wall_second: i64) -> i64 {
        let (Some(reference), true) = (self.reference, Self::is_yearless(wall_second)) else {
            return wall_second;
        };
        let latest = reference.second().saturating_add(AHEAD);
        let at = |second| chrono::DateTime::from_timestamp(second, 0).map(|t| t.naive_utc());
        let (Some(wall), Some(last)) = (at(wall_second), at(latest)) else { return wall_second };
        // 29 February is at most eight years back
        let years = (0..9).map(|back| last.year().saturating_sub(back));
        let dated = years.filter_map(|year| wall.with_year(year)).find(|t| *t <= last);
        dated.map_or(wall_second, |t| t.and_utc().timestamp())
    }

    /// Seconds east of UTC at a wall-clock reading (seconds, as if UTC). A reading that occurs twice means the first
    /// time; one that the clock jumped over is read as if it had not jumped.
    pub fn offset_at(&self, wall_second: i64) -> i64 {
        self.zone.offset_at(self.dated(wall_second))
    }

    /// The instant of a wall-clock reading.
    #[must_use]
    pub fn instant(&self, wall: Timestamp) -> Timestamp {
        let dated = self.dated(wall.second());
        let moved = dated.saturating_sub(wall.second());
        wall.plus_seconds(moved.saturating_sub(self.zone.offset_at(dated)))
    }

    /// The instant of a stamp, whether or not it states its zone.
    #[must_use]
    pub fn resolve(&self, stamp: Stamp) -> Timestamp {
        if stamp.offset.is_some() { stamp.at } else { self.instant(stamp.at) }
    }
}

impl From<Steps> for WallZone {
    fn from(steps: Steps) -> Self {
        steps.constant().map_or(Self::Steps(steps), Self::Fixed)
    }
}

impl WallZone {
    fn offset_at(&self, wall_second: i64) -> i64 {
        fn of<Z: TimeZone>(zone: &Z, wall: NaiveDateTime) -> i64 {
            let east = |local: MappedLocalTime<Z::Offset>| match local {
                MappedLocalTime::Single(o) | MappedLocalTime::Ambiguous(o, _) => {
                    Some(i64::from(o.fix().local_minus_utc()))
                }
                MappedLocalTime::None => None,
            };
            let before = || east(zone.offset_from_local_datetime(&(wall - chrono::TimeDelta::hours(3))));
            east(zone.offset_from_local_datetime(&wall)).or_else(before).unwrap_or(0)
        }
        let Some(wall) = chrono::DateTime::from_timestamp(wall_second, 0).map(|t| t.naive_utc()) else {
            return 0;
        };
        // the first and last years of the calendar leave no room for an offset
        if !(-60_000_000_000..=250_000_000_000).contains(&wall_second) {
            return 0;
        }
        match self {
            Self::Fixed(offset) => i64::from(offset.0),
            Self::Steps(steps) => i64::from(steps.at_wall(wall_second).0),
            Self::Named(zone) => of(zone, wall),
            Self::Machine => of(&Local, wall),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_readings_become_instants() {
        let noon = Timestamp::from_seconds(1_684_065_600);
        assert_eq!(Clock::new(WallZone::Fixed(Offset(3600))).instant(noon), noon.plus_seconds(-3600));
        assert_eq!(
            Clock::new(WallZone::Named(chrono_tz::Europe::Paris)).instant(noon),
            noon.plus_seconds(-7200)
        );
    }

    #[test]
    fn an_hour_that_occurs_twice_and_one_that_does_not_occur_are_read() {
        let paris = Clock::new(WallZone::Named(chrono_tz::Europe::Paris));
        // 2023-10-29 02:30 occurs twice, 2023-03-26 02:30 not at all
        assert_eq!(paris.offset_at(1_698_546_600), 7200);
        assert_eq!(paris.offset_at(1_679_797_800), 3600);
        assert_eq!(paris.offset_at(i64::MAX), 0);
    }

    /// A reading without a year, as parsing leaves it.
    fn yearless(month: u32, day: u32) -> Timestamp {
        let date = chrono::NaiveDate::from_ymd_opt(crate::format::PLACEHOLDER_YEAR, month, day).unwrap();
        Timestamp::from_seconds(date.and_hms_opt(12, 0, 0).unwrap().and_utc().timestamp())
    }

    fn resolved(reference: &str, month: u32, day: u32) -> String {
        let reference = chrono::DateTime::parse_from_rfc3339(reference).unwrap().timestamp();
        let clock = Clock {
            zone: WallZone::Fixed(Offset(3600)),
            reference: Some(Timestamp::from_seconds(reference)),
        };
        clock.instant(yearless(month, day)).compact_utc()
    }

    #[test]
    fn a_year_is_the_latest_that_is_not_after_the_reference() {
        assert_eq!(resolved("2024-01-03T10:00:00Z", 12, 31), "20231231T110000Z");
        assert_eq!(resolved("2024-01-03T10:00:00Z", 1, 2), "20240102T110000Z");
        // a month of grace: other logs may have ended before this one
        assert_eq!(resolved("2023-12-30T10:00:00Z", 1, 2), "20240102T110000Z");
        assert_eq!(resolved("2023-05-14T10:00:00Z", 5, 14), "20230514T110000Z");
    }

    #[test]
    fn the_29th_of_february_is_in_a_leap_year() {
        assert_eq!(resolved("2023-05-14T10:00:00Z", 2, 29), "20200229T110000Z");
        assert_eq!(resolved("2024-03-01T00:00:00Z", 2, 29), "20240229T110000Z");
        assert_eq!(resolved("1907-03-01T00:00:00Z", 2, 29), "19040229T110000Z");
    }

    #[test]
    fn the_placeholder_is_the_parser_s() {
        assert!(Clock::is_yearless(yearless(1, 1).second()) && Clock::is_yearless(yearless(12, 31).second()));
        assert!(!Clock::is_yearless(0));
    }
}
