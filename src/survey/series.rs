//! Tallies of the edge → the series that detection reads.

use std::collections::BTreeMap;

use super::tally::{Cell, Failing, Group, Limits};
use super::{Clock, Coarse, Merge, Tally, Timed};
use crate::detect::{Series, Slot};

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

/// Adds up the tallies of sources that each saw different requests, between two seconds (the second one excluded).
pub fn series(tallies: &[(&Tally, Clock)], limits: Limits, range: std::ops::Range<i64>) -> SiteSeries {
    let mut groups: Coarse<Group> = Coarse::new(limits.groups);
    let mut failing: Coarse<Failing> = Coarse::new(limits.failing);
    let mut clients = [0u64; 16];
    for (tally, clock) in tallies {
        for (timed, clock) in [(&tally.zoned, None), (&tally.naive, Some(clock))] {
            add_groups(&mut groups, timed, clock);
            add_failing(&mut failing, timed, clock);
        }
        for (sum, count) in clients.iter_mut().zip(tally.clients) {
            sum.absorb(count);
        }
    }
    let shift = groups.shift().max(failing.shift());
    groups.widen(shift.saturating_sub(groups.shift()));
    failing.widen(shift.saturating_sub(failing.shift()));
    flatten(&groups, &failing, shift, clients, range)
}

/// The instant of a slot that begins at `wall`.
fn moved(wall: i64, clock: Option<&Clock>) -> i64 {
    wall.saturating_sub(clock.map_or(0, |c| c.offset_at(wall)))
}

fn add_groups(groups: &mut Coarse<Group>, timed: &Timed, clock: Option<&Clock>) {
    let width = timed.groups.shift();
    for (unit, group) in timed.groups.iter() {
        for (slot, cell) in (0i64..).zip(group.0.iter()).filter(|(_, c)| **c != Cell::default()) {
            let second = moved((unit << 6).saturating_add(slot << width), clock);
            // making the bucket may widen all of them, which moves the slot
            groups.bucket(second >> 6);
            let at = usize::try_from((second >> groups.shift()) & 63).unwrap_or(0);
            if let Some(mine) = groups.bucket(second >> 6).0.get_mut(at) {
                mine.add(cell);
            }
        }
    }
    groups.widen(width.saturating_sub(groups.shift()));
}

fn add_failing(failing: &mut Coarse<Failing>, timed: &Timed, clock: Option<&Clock>) {
    for (wall, slot) in timed.failing.iter() {
        failing.bucket(moved(wall, clock)).absorb(slot.clone());
    }
    failing.widen(timed.failing.shift().saturating_sub(failing.shift()));
}

fn flatten(
    groups: &Coarse<Group>,
    failing: &Coarse<Failing>,
    shift: u8,
    clients: [u64; 16],
    range: std::ops::Range<i64>,
) -> SiteSeries {
    let mut site = SiteSeries::default();
    let by_second: BTreeMap<i64, &Failing> = failing.iter().collect();
    let known_clients = clients.iter().any(|&n| n > 0);
    let series = &mut site.series;
    series.slot_seconds = 1u32.checked_shl(u32::from(shift)).unwrap_or(u32::MAX);
    series.active_client_buckets = known_clients.then_some(clients);
    for (unit, group) in groups.iter() {
        for (slot, cell) in (0i64..).zip(group.0.iter()) {
            let second = (unit << 6).saturating_add(slot << shift);
            if *cell == Cell::default() || !range.contains(&second) {
                continue;
            }
            let sum = |parts: &[u32]| parts.iter().map(|&n| u64::from(n)).sum::<u64>();
            site.requests += sum(&[cell.requests, cell.probes, cell.malformed]);
            site.failures += sum(&[cell.failures, cell.aside_failures]);
            site.probes += u64::from(cell.probes);
            if cell.requests == 0 {
                continue;
            }
            let index = u32::try_from(series.slots.len()).unwrap_or(u32::MAX);
            let mut buckets = None;
            if let Some(fails) = by_second.get(&second) {
                series.statuses.extend(fails.statuses.iter().map(|&(status, n)| (index, status, n)));
                if known_clients {
                    buckets = u32::try_from(series.failing_clients.len()).ok();
                    series.failing_clients.push(fails.clients);
                }
            }
            series.slots.push(Slot {
                second,
                requests: cell.requests,
                failures: cell.failures,
                clients: buckets,
            });
        }
    }
    site
}
