//! Points in time as the lines write them.

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
