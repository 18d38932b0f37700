//! Events → [`Tally`]: one pass over every line that keeps counts per second, not lines.
//!
//! A `Tally` of a whole file equals the merged tallies of its pieces, in any order and however it was cut: that is
//! what makes threads invisible in the result. No thresholds, no clock.

mod clock;
mod coarse;
mod merge;
mod series;
mod surveyor;
mod tally;
mod windows;

pub use clock::{Clock, WallZone};
pub use coarse::{Bucket, Coarse};
pub use merge::Merge;
pub use series::{SiteSeries, series};
pub use surveyor::Surveyor;
pub use tally::{
    BLOCK, Cell, Day, Example, Failing, Group, Limits, Rare, RareKind, Reason, Sample, Seam, Span, Tally,
    Timed, Written, block_of,
};
pub use windows::{Contained, FEWEST, Windows};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod trees;
