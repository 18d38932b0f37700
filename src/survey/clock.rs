//! What the wall clock of a log without zones means.

use chrono::{Local, MappedLocalTime, NaiveDateTime, Offset as _, TimeZone};

use crate::model::{Offset, Stamp, Timestamp};

/// The zone of a source whose lines state none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clock {
    /// Always the same offset.
    Fixed(Offset),
    /// A named zone.
    Named(chrono_tz::Tz),
    /// The zone of the machine that this runs on.
    Machine,
}

impl Clock {
    /// Seconds east of UTC at a wall-clock reading (seconds, as if UTC). A reading that occurs twice means the first
    /// time; one that the clock jumped over is read as if it had not jumped.
    pub fn offset_at(self, wall_second: i64) -> i64 {
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
            Self::Named(zone) => of(&zone, wall),
            Self::Machine => of(&Local, wall),
        }
    }

    /// The instant of a wall-clock reading.
    #[must_use]
    pub fn instant(self, wall: Timestamp) -> Timestamp {
        wall.plus_seconds(self.offset_at(wall.second()).saturating_neg())
    }

    /// The instant of a stamp, whether or not it states its zone.
    #[must_use]
    pub fn resolve(self, stamp: Stamp) -> Timestamp {
        if stamp.offset.is_some() { stamp.at } else { self.instant(stamp.at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_readings_become_instants() {
        let noon = Timestamp::from_seconds(1_684_065_600);
        assert_eq!(Clock::Fixed(Offset(3600)).instant(noon), noon.plus_seconds(-3600));
        assert_eq!(Clock::Named(chrono_tz::Europe::Paris).instant(noon), noon.plus_seconds(-7200));
    }

    #[test]
    fn an_hour_that_occurs_twice_and_one_that_does_not_occur_are_read() {
        let paris = Clock::Named(chrono_tz::Europe::Paris);
        // 2023-10-29 02:30 occurs twice, 2023-03-26 02:30 not at all
        assert_eq!(paris.offset_at(1_698_546_600), 7200);
        assert_eq!(paris.offset_at(1_679_797_800), 3600);
        assert_eq!(paris.offset_at(i64::MAX), 0);
    }
}
