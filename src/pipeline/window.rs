//! The time that the logs are about.

use std::collections::BTreeMap;

use super::zones::Zone;
use crate::model::Timestamp;
use crate::survey::{Clock, Merge, Span, Tally};

/// Days without a line after which what follows is another age: a clock that has not been set yet, or a year misread.
const AGE_GAP: i64 = 400;
/// An age with fewer than one record in this many is left out.
const AGE_SHARE: u64 = 200;

/// First and last time of the lines that belong together, and how many lines lie outside.
///
/// One line from 1970 or 9999 may not stretch the window: ages far from all others with hardly a record are left out.
pub(super) fn window(tallies: &[(&Tally, &Zone)]) -> (Option<(Timestamp, Timestamp)>, u64) {
    let mut days: BTreeMap<i64, (u64, Span)> = BTreeMap::new();
    for (tally, zone) in tallies {
        for (timed, naive) in [(&tally.zoned, false), (&tally.naive, true)] {
            for (day, counts) in timed.days.iter() {
                let at = |t: Timestamp| if naive { zone.clock.instant(t) } else { t };
                let span = Span { first: counts.span.first.map(at), last: counts.span.last.map(at) };
                // lines without a year are filed under one that is none
                let day = span.first.map_or(day, |t| t.second().div_euclid(86_400));
                let entry = days.entry(day).or_default();
                entry.0 = entry.0.saturating_add(counts.records);
                entry.1.absorb(span);
            }
        }
    }
    ages(days)
}

/// The last time of the lines that state their year, whatever zone they mean: good enough to tell a year by.
pub(super) fn last_dated(tallies: &[&Tally]) -> Option<Timestamp> {
    let mut days: BTreeMap<i64, (u64, Span)> = BTreeMap::new();
    let timed = tallies.iter().flat_map(|t| [&t.zoned, &t.naive]).flat_map(|t| t.days.iter());
    for (day, counts) in timed.filter(|(day, _)| !Clock::is_yearless(day.saturating_mul(86_400))) {
        let entry = days.entry(day).or_default();
        entry.0 = entry.0.saturating_add(counts.records);
        entry.1.absorb(counts.span);
    }
    ages(days).0.map(|(_, last)| last)
}

fn ages(days: BTreeMap<i64, (u64, Span)>) -> (Option<(Timestamp, Timestamp)>, u64) {
    let total: u64 = days.values().map(|d| d.0).sum();
    let mut ages: Vec<(i64, u64, Span)> = Vec::new();
    for (day, (records, span)) in days {
        match ages.last_mut() {
            Some((last, count, whole)) if day.saturating_sub(*last) <= AGE_GAP => {
                *last = day;
                *count = count.saturating_add(records);
                whole.absorb(span);
            }
            _ => ages.push((day, records, span)),
        }
    }
    let mut whole = Span::default();
    let mut outside = 0;
    for (_, records, span) in ages {
        if records.saturating_mul(AGE_SHARE) >= total {
            whole.absorb(span);
        } else {
            outside += records;
        }
    }
    (whole.first.zip(whole.last), outside)
}
