//! The error share over the whole window, for a sparkline.

use super::facts::Overview;
use crate::detect::Series;
use crate::model::Timestamp;

/// Slices of the window: what fits beside a label on 100 columns.
const SLICES: i64 = 88;

/// The site's requests in equal slices.
pub fn overview(series: &Series, window: Option<(Timestamp, Timestamp)>) -> Overview {
    let Some((first, last)) = window.map(|(a, b)| (a.second(), b.second())) else {
        return Overview::default();
    };
    let span = last.saturating_sub(first).saturating_add(1).max(1);
    let slice_seconds = span.saturating_add(SLICES - 1) / SLICES;
    let count = usize::try_from(span.saturating_add(slice_seconds - 1) / slice_seconds).unwrap_or(0);
    let mut slices = vec![(0u64, 0u64); count];
    for slot in &series.slots {
        let at = usize::try_from(slot.second.saturating_sub(first).div_euclid(slice_seconds)).ok();
        if let Some(slice) = at.and_then(|i| slices.get_mut(i)) {
            slice.0 += u64::from(slot.requests);
            slice.1 += u64::from(slot.failures);
        }
    }
    Overview { start: Timestamp::from_seconds(first), slice_seconds, slices }
}
