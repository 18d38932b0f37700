//! Tallies → the series that detection reads.
//!
//! Each function adds up the tallies of sources that each saw different lines, between two seconds (the second one
//! excluded): all of the edge for the site, one alone for a source. `limits` are those of what is put together.

use std::borrow::Cow;
use std::ops::Range;

use super::{
    Bucket, Cell, Clock, Coarse, Count, Failing, Group, Limits, Merge, Paces, Slot, Tally, Timed, counts,
};
use crate::detect::{LatencySeries, LatencySlot, Series};

/// The site's series and the sums that go with it.
#[derive(Debug, Clone, Default)]
pub struct SiteSeries {
    /// Users' requests, per slot.
    pub series: Series,
    /// Requests of every kind in the range.
    pub requests: u64,
    /// Those answered 5xx.
    pub failures: u64,
    /// Health checks and monitors.
    pub probes: u64,
}

/// Users' requests and those answered 5xx.
pub fn series(tallies: &[(&Tally, Clock)], limits: Limits, range: Range<i64>) -> SiteSeries {
    let mut groups = requests(tallies, limits);
    let mut failing = failing(tallies, limits);
    align(&mut groups, &mut failing);
    let mut failing = failing.iter().peekable();
    let clients = clients(tallies);
    let mut site =
        SiteSeries { series: Series::new(width(groups.shift()), clients), ..SiteSeries::default() };
    let range = whole_slots(range, groups.shift());
    site.series.slots.reserve_exact(groups.cells().filter(|(second, _)| range.contains(second)).count());
    for (second, cell) in groups.cells().filter(|(second, _)| range.contains(second)) {
        let sum = |parts: &[u32]| parts.iter().map(|&n| u64::from(n)).sum::<u64>();
        site.requests += sum(&[cell.requests, cell.probes, cell.malformed]);
        site.failures += sum(&[cell.failures, cell.aside_failures]);
        site.probes += u64::from(cell.probes);
        while failing.next_if(|(at, _)| *at < second).is_some() {}
        let failing = failing.peek().filter(|(at, _)| *at == second).map(|(_, failing)| failing);
        let statuses = failing.map_or(&[][..], |f| &f.statuses);
        let buckets = failing.map(|f| f.clients);
        site.series.push(second, (cell.requests, cell.failures), statuses, buckets);
    }
    site
}

/// Users' requests and, as the failures, those that the client did not wait for (499): many are, in health as well.
pub fn gave_up_series(tallies: &[(&Tally, Clock)], limits: Limits, range: Range<i64>) -> Series {
    let mut groups = requests(tallies, limits);
    let mut gave_up = merged(tallies, |timed| &timed.gave_up, limits.failing, add);
    align(&mut groups, &mut gave_up);
    let mut gave_up = gave_up.iter().peekable();
    let mut series = Series::new(width(groups.shift()), clients(tallies));
    let range = whole_slots(range, groups.shift());
    series.slots.reserve_exact(groups.cells().filter(|(second, _)| range.contains(second)).count());
    for (second, cell) in groups.cells().filter(|(second, _)| range.contains(second)) {
        let statuses = [(499, cell.gave_up)];
        let statuses = if cell.gave_up > 0 { &statuses[..] } else { &[] };
        while gave_up.next_if(|(at, _)| *at < second).is_some() {}
        let buckets = gave_up.peek().filter(|(at, _)| *at == second).map(|(_, gave_up)| gave_up.0);
        series.push(second, (cell.requests, cell.gave_up), statuses, buckets);
    }
    series
}

/// Messages and, as the failures, those at error level or worse.
pub fn message_series(tallies: &[(&Tally, Clock)], limits: Limits, range: Range<i64>) -> Series {
    let mut groups: Coarse<Group<Count>> = Coarse::new(limits.messages);
    each(tallies, |timed, clock| add_groups(&mut groups, &timed.messages, clock));
    let mut series = Series::new(width(groups.shift()), None);
    let range = whole_slots(range, groups.shift());
    for (second, count) in groups.cells().filter(|(second, _)| range.contains(second)) {
        series.push(second, (count.all, count.bad), &[], None);
    }
    series
}

/// Latencies of users' requests that were not answered 5xx.
pub fn latency_series(tallies: &[(&Tally, Clock)], limits: Limits, range: Range<i64>) -> LatencySeries {
    let mut latency = Paces::new(limits.latency);
    each(tallies, |timed, clock| add_paces(&mut latency, &timed.latency, clock));
    latencies(&latency, range)
}

/// Adds latencies; the result is at least as wide.
pub(super) fn add_paces(into: &mut Paces, from: &Paces, clock: Option<&Clock>) {
    if clock.is_none() {
        return into.absorb(from.clone());
    }
    for (wall, bytes) in from.slots() {
        into.add(moved(wall, clock), counts(bytes));
    }
    into.settle();
    into.widen(from.shift().saturating_sub(into.shift()));
}

/// The slots of a range.
pub(super) fn latencies(latency: &Paces, range: Range<i64>) -> LatencySeries {
    let mut series = LatencySeries { slot_seconds: width(latency.shift()), ..LatencySeries::default() };
    let range = whole_slots(range, latency.shift());
    for (second, bytes) in latency.slots().filter(|(second, _)| range.contains(second)) {
        let from = u32::try_from(series.bins.len()).unwrap_or(u32::MAX);
        series.bins.extend(counts(bytes));
        let until = u32::try_from(series.bins.len()).unwrap_or(u32::MAX);
        series.slots.push(LatencySlot { second, from, until });
    }
    series
}

/// The range from the beginning of the slot that its first second lies in: what stands in wider slots would be lost
/// with it else.
pub(super) fn whole_slots(range: Range<i64>, shift: u8) -> Range<i64> {
    let into = range.start.rem_euclid(i64::from(width(shift)));
    range.start.saturating_sub(into)..range.end
}

/// Seconds per slot.
pub(super) fn width(shift: u8) -> u32 {
    1u32.checked_shl(u32::from(shift)).unwrap_or(u32::MAX)
}

/// All requests of users by client; `None` where no log names clients.
pub(super) fn clients(tallies: &[(&Tally, Clock)]) -> Option<[u64; 16]> {
    let mut clients = [0u64; 16];
    for (tally, _) in tallies {
        for (sum, count) in clients.iter_mut().zip(tally.clients) {
            sum.absorb(count);
        }
    }
    clients.iter().any(|&n| n > 0).then_some(clients)
}

fn requests<'a>(tallies: &[(&'a Tally, Clock)], limits: Limits) -> Cow<'a, Coarse<Group<Cell>>> {
    merged(tallies, |timed| &timed.groups, limits.groups, add_groups)
}

pub(super) fn failing<'a>(tallies: &[(&'a Tally, Clock)], limits: Limits) -> Cow<'a, Coarse<Failing>> {
    merged(tallies, |timed| &timed.failing, limits.failing, add)
}

/// What several tallies counted; what one alone did is borrowed.
fn merged<'a, T: Bucket + Clone>(
    tallies: &[(&'a Tally, Clock)],
    of: impl Fn(&'a Timed) -> &'a Coarse<T>,
    cap: usize,
    add: impl Fn(&mut Coarse<T>, &Coarse<T>, Option<&Clock>),
) -> Cow<'a, Coarse<T>> {
    let both = tallies.iter().flat_map(|(tally, clock)| [(&tally.zoned, None), (&tally.naive, Some(clock))]);
    let parts: Vec<_> =
        both.map(|(timed, clock)| (of(timed), clock)).filter(|(part, _)| !part.is_empty()).collect();
    if let [(only, None)] = parts[..] {
        return Cow::Borrowed(only);
    }
    let mut sum = Coarse::new(cap);
    for (part, clock) in parts {
        add(&mut sum, part, clock);
    }
    Cow::Owned(sum)
}

/// Everything that is counted by time, with the clock of what states no zone.
pub(super) fn each(tallies: &[(&Tally, Clock)], mut of: impl FnMut(&Timed, Option<&Clock>)) {
    for (tally, clock) in tallies {
        of(&tally.zoned, None);
        of(&tally.naive, Some(clock));
    }
}

/// The instant of a slot that begins at `wall`.
pub(super) fn moved(wall: i64, clock: Option<&Clock>) -> i64 {
    wall.saturating_sub(clock.map_or(0, |c| c.offset_at(wall)))
}

/// Adds groups; the result is at least as wide.
pub(super) fn add_groups<C: Slot>(
    into: &mut Coarse<Group<C>>,
    from: &Coarse<Group<C>>,
    clock: Option<&Clock>,
) {
    if clock.is_none() {
        return into.absorb(from.clone());
    }
    for (wall, cell) in from.cells() {
        into.add(moved(wall, clock), cell);
    }
    into.widen(from.shift().saturating_sub(into.shift()));
}

/// Adds slots; the result is at least as wide.
fn add<T: Bucket + Clone>(into: &mut Coarse<T>, from: &Coarse<T>, clock: Option<&Clock>) {
    if clock.is_none() {
        return into.absorb(from.clone());
    }
    for (wall, slot) in from.iter() {
        into.bucket(moved(wall, clock)).absorb(slot.clone());
    }
    into.widen(from.shift().saturating_sub(into.shift()));
}

/// Makes the slots of both equally wide.
fn align<A: Bucket + Clone, B: Bucket + Clone>(a: &mut Cow<'_, Coarse<A>>, b: &mut Cow<'_, Coarse<B>>) {
    let shift = a.shift().max(b.shift());
    widen_to(shift, a);
    widen_to(shift, b);
}

fn widen_to<T: Bucket + Clone>(shift: u8, slots: &mut Cow<'_, Coarse<T>>) {
    let times = shift.saturating_sub(slots.shift());
    if times > 0 {
        slots.to_mut().widen(times);
    }
}
