//! Points in time as the lines write them.

use std::sync::Arc;

/// Microseconds in a second.
pub const MICROS: i64 = 1_000_000;

/// Microseconds since 1970-01-01T00:00:00 UTC (no leap seconds), or, for a line that states no zone, the same
/// count taken from its wall-clock reading as if it were UTC (see [`Stamp`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the epoch; saturates.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn second(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// This time, `seconds` later (earlier when negative); saturates.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(MICROS)))
    }
}

impl Timestamp {
    /// `20230514T110003Z`: for names of things. Years beyond chrono's calendar are given in seconds.
    pub fn compact_utc(self) -> String {
        chrono::DateTime::from_timestamp(self.second(), 0)
            .map_or_else(|| format!("{}s", self.second()), |t| t.format("%Y%m%dT%H%M%SZ").to_string())
    }
}

/// Seconds east of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(pub i32);

/// What a wall clock shows over time: an offset, and the instants from which on it is another.
///
/// Cheap to clone: the instants are shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Steps {
    first: Offset,
    changes: Arc<[(i64, Offset)]>,
}

impl Steps {
    /// A clock that shows `first` until the first of `changes`: (second of UTC, offset from then on), ascending.
    pub fn new(first: Offset, changes: &[(i64, Offset)]) -> Self {
        Self { first, changes: changes.into() }
    }

    /// A clock that never changes.
    pub fn always(offset: Offset) -> Self {
        Self::new(offset, &[])
    }

    /// The only offset of a clock that never changes.
    pub fn constant(&self) -> Option<Offset> {
        self.changes.is_empty().then_some(self.first)
    }

    /// The offset at an instant.
    pub fn at(&self, second: i64) -> Offset {
        self.changes.iter().rev().find(|(from, _)| *from <= second).map_or(self.first, |(_, offset)| *offset)
    }

    /// The offset at a wall-clock reading (seconds, as if UTC). A reading that occurs twice means the first time: no
    /// line tells which, and its neighbours may not decide. One that the clock jumped over is read with the offset
    /// before, as by a clock that was changed late.
    pub fn at_wall(&self, wall_second: i64) -> Offset {
        let mut offset = self.first;
        for &(from, after) in self.changes.iter() {
            // the later of the two offsets' readings ends what the change makes doubtful, in either direction
            if wall_second.saturating_sub(i64::from(offset.0.max(after.0))) < from {
                break;
            }
            offset = after;
        }
        offset
    }
}

/// The time of a line as it was written.
///
/// With an `offset` the `at` is a true UTC instant. Without one it is the wall-clock reading taken as if it were
/// UTC, until the source's zone is known (`pipeline` resolves it after the survey).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The instant (or the wall-clock reading, when `offset` is `None`).
    pub at: Timestamp,
    /// The offset written in the line.
    pub offset: Option<Offset>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock in central Europe in 2024: 02:00 became 03:00 in spring, 03:00 became 02:00 in autumn.
    fn europe() -> (Steps, i64, i64) {
        let (spring, autumn) = (1_711_846_800, 1_729_990_800);
        let steps = Steps::new(Offset(3600), &[(spring, Offset(7200)), (autumn, Offset(3600))]);
        (steps, spring, autumn)
    }

    #[test]
    fn readings_around_a_change_are_read_before_and_after_it() {
        let (steps, spring, autumn) = europe();
        for (wall, expected) in [
            (spring + 3599, 3600),
            // jumped over
            (spring + 3600, 3600),
            (spring + 7199, 3600),
            (spring + 7200, 7200),
            (autumn + 3599, 7200),
            // occurs twice
            (autumn + 3600, 7200),
            (autumn + 7199, 7200),
            (autumn + 7200, 3600),
            (i64::MIN, 3600),
            (i64::MAX, 3600),
        ] {
            assert_eq!(steps.at_wall(wall), Offset(expected), "{wall}");
        }
    }

    #[test]
    fn an_instant_has_one_offset() {
        let (steps, spring, autumn) = europe();
        assert_eq!([steps.at(spring - 1), steps.at(spring)], [Offset(3600), Offset(7200)]);
        assert_eq!([steps.at(autumn - 1), steps.at(autumn)], [Offset(7200), Offset(3600)]);
        assert_eq!((steps.constant(), Steps::always(Offset(0)).constant()), (None, Some(Offset(0))));
    }
}
