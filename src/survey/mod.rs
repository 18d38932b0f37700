//! Events → [`Tally`]: one pass over every line that keeps counts per second, not lines.
//!
//! A `Tally` of a whole file equals the merged tallies of its pieces, in any order and however it was cut: that is
//! what makes threads invisible in the result. No thresholds, no clock.

mod cells;
mod clock;
mod coarse;
mod failing;
mod limits;
mod merge;
mod messages;
mod orphans;
mod own;
mod paces;
mod requests;
mod second;
mod series;
mod slow;
mod surveyor;
mod tally;
mod times;
mod values;
mod windows;

pub use cells::{Cell, Count, Group, Seconds, Slot};
pub use clock::{Clock, WallZone};
pub use coarse::{Bucket, Coarse};
pub use failing::{Failing, FailingValue, GaveUp, Name, Names};
pub use limits::Limits;
pub use merge::Merge;
pub use orphans::Orphans;
pub use own::{Own, OwnValue};
pub use paces::{Paces, counts};
pub use series::{SiteSeries, gave_up_series, latency_series, message_series, series};
pub use slow::{PacedValue, paced_values};
pub use surveyor::Surveyor;
pub use tally::{
    BLOCK, Day, Example, Rare, RareKind, Reason, Sample, Seam, Span, Tally, Timed, Written, block_of,
};
pub use values::{ValueSeries, value_series};
pub use windows::{Contained, FEWEST, Windows};

#[cfg(test)]
mod series_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trees;
