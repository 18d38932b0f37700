//! Failing vhosts, upstreams and paths → the series that detection reads.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::series::{add_groups, clients, each, failing, moved, whole_slots, width};
use super::{Clock, Coarse, Count, FailingValue, Group, Limits, Name, Names, Tally};
use crate::detect::{ClientBuckets, Part, Series, Whole};
use crate::model::Dimension;

/// Paths with the most failures, as many with the densest, and as many whose failures those of all account for least.
const MAX_PATHS: usize = 12;
/// Vhosts and upstreams with the most failures.
const MAX_OTHERS: usize = 32;
/// Failures that a status is owed at most: what was rare for long is not made up for all at once.
const MOST_OWED: f64 = 1.0;
/// Failures are dense where most of them fall into a stretch of this length.
const DENSE_SECONDS: i64 = 600;

/// Failures of one value. Its [`series`](Self::series) is as long as the site's, so it is made when it is asked for: one
/// at a time is small.
#[derive(Debug, Clone)]
pub struct ValueSeries {
    /// What the value is.
    pub dimension: Dimension,
    /// The value, cut to 128 bytes.
    pub value: Box<[u8]>,
    /// (first second of the slot, failures), ascending.
    failing: Vec<(i64, FailingValue)>,
    /// Where so many values failed that it is not known whether this one did: [first, last] second each, ascending.
    unknown: Vec<(i64, i64)>,
    /// Where the value's own requests were counted.
    own: Option<Own>,
}

/// A value's own counts.
#[derive(Debug, Clone)]
struct Own {
    counts: Coarse<Group<Count>>,
    clients: Option<[u64; 16]>,
    range: Range<i64>,
}

impl ValueSeries {
    /// The value's own requests, where they are known; else its series has all of the site's.
    pub fn own_requests(&self) -> Option<u64> {
        let own = self.own.as_ref()?;
        Some(own.cells().map(|(_, count)| u64::from(count.all)).sum())
    }

    /// How many requests failed.
    pub fn failures(&self) -> u64 {
        match &self.own {
            Some(own) => own.cells().map(|(_, count)| u64::from(count.bad)).sum(),
            None => self.failing.iter().map(|(_, v)| u64::from(v.count)).sum(),
        }
    }

    /// The counts: the value's own requests where they are known, else all of `site`'s, and the value's failures. How
    /// these spread over clients is known only as far as which occur in a slot; they are taken to fail equally often
    /// there. Their statuses are lent by `site`, whose slots say how many failed with each.
    ///
    /// Of values without own requests, slots are missing where more than 24 values of the site failed and it is not known
    /// whether this one did: no failures there would say that it was well.
    pub fn series(&self, site: &Whole<'_>) -> Series {
        match &self.own {
            Some(own) => self.with_own(own, site.series()),
            None => self.where_known(site, |site| self.part(site).series()),
        }
    }

    /// Asks something of the site as far as the value's failures are known.
    pub fn where_known<T>(&self, site: &Whole<'_>, ask: impl FnOnce(&Whole<'_>) -> T) -> T {
        if self.unknown.is_empty() {
            return ask(site);
        }
        ask(&Whole::of(&site.series().outside(&self.unknown)))
    }

    /// The value's failures against all of the site's requests, to be asked [where they are known](Self::where_known).
    pub fn part<'a>(&self, site: &'a Whole<'a>) -> Part<'a> {
        let mut part = Part::new(site);
        let series = site.series();
        let mut of_site = Statuses::new(series, series.slot_seconds);
        for (second, values) in self.by_slot(series.slot_seconds) {
            let Some((index, slot)) = site.slot_at(second) else { continue };
            let failures = values.iter().map(|v| u32::from(v.count)).sum::<u32>().min(slot.requests);
            part.push(index, failures, spread(&values, failures), &of_site.at(second, failures));
        }
        part
    }

    fn with_own(&self, own: &Own, site: &Series) -> Series {
        let mut series = Series::new(width(own.counts.shift()), own.clients);
        let mut failing = self.by_slot(series.slot_seconds).into_iter().peekable();
        let mut of_site = Statuses::new(site, series.slot_seconds);
        for (second, count) in own.cells() {
            while failing.next_if(|(at, _)| *at < second).is_some() {}
            let buckets =
                failing.peek().filter(|(at, _)| *at == second).map(|(_, values)| spread(values, count.bad));
            let statuses = if count.bad > 0 { of_site.at(second, count.bad) } else { Vec::new() };
            series.push(second, (count.all, count.bad), &statuses, buckets);
        }
        series
    }

    /// The failures of each slot of this width.
    fn by_slot(&self, slot_seconds: u32) -> BTreeMap<i64, Vec<FailingValue>> {
        let width = i64::from(slot_seconds.max(1));
        let mut slots: BTreeMap<i64, Vec<FailingValue>> = BTreeMap::new();
        for (second, value) in &self.failing {
            slots.entry(second.saturating_sub(second.rem_euclid(width))).or_default().push(*value);
        }
        slots
    }
}

impl Own {
    fn cells(&self) -> impl Iterator<Item = (i64, &Count)> {
        let range = whole_slots(self.range.clone(), self.counts.shift());
        self.counts.cells().filter(move |(second, _)| range.contains(second))
    }
}

/// A status's part of some failures.
struct Share {
    status: u16,
    /// How many of the site's failures have it.
    count: u64,
    /// How many of the value's should.
    quota: f64,
    /// The same in whole failures.
    whole: f64,
}

/// The statuses of the site's failures, walked along with the slots of a value.
struct Statuses<'a> {
    site: &'a Series,
    width: i64,
    next: usize,
    /// Parts of a failure that a status is owed where it is not known which the value's failures had.
    owed: BTreeMap<u16, f64>,
}

impl<'a> Statuses<'a> {
    fn new(site: &'a Series, slot_seconds: u32) -> Self {
        Self { site, width: i64::from(slot_seconds.max(1)), next: 0, owed: BTreeMap::new() }
    }

    /// The statuses of so many failures in the slot that begins at `second`, ascending. Known where no others failed
    /// or all did with one status; else the value's failures are taken to have those of the site in proportion, and what
    /// is lost to whole numbers is made up for later: else each status would be told only where it is the most frequent
    /// one. Ask for ascending slots.
    fn at(&mut self, second: i64, failures: u32) -> Vec<(u16, u32)> {
        let start = |index: u32| self.site.slots.get(index as usize).map_or(i64::MAX, |slot| slot.second);
        let rest = self.site.statuses.get(self.next..).unwrap_or_default();
        self.next += rest.partition_point(|&(slot, ..)| start(slot) < second);
        let rest = self.site.statuses.get(self.next..).unwrap_or_default();
        if failures == 0 {
            return Vec::new();
        }
        let until = second.saturating_add(self.width);
        let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
        for &(_, status, count) in rest.iter().take_while(|&&(slot, ..)| start(slot) < until) {
            let known = counts.entry(status).or_default();
            *known = known.saturating_add(u64::from(count));
        }
        let all: u64 = counts.values().sum();
        let is_known = counts.len() == 1 || u64::from(failures) >= all;
        let mut shares: Vec<Share> = counts
            .into_iter()
            .map(|(status, count)| {
                let owed = if is_known { 0.0 } else { self.owed.get(&status).copied().unwrap_or(0.0) };
                let quota = count as f64 * f64::from(failures) / all.max(1) as f64 + owed;
                Share { status, count, quota, whole: quota.floor().max(0.0) }
            })
            .collect();
        // the largest remainders first
        shares.sort_unstable_by(|a, b| {
            let rest = |share: &Share| share.quota - share.whole;
            rest(b).total_cmp(&rest(a)).then(b.count.cmp(&a.count)).then(a.status.cmp(&b.status))
        });
        let mut left = f64::from(failures);
        let mut over = (left - shares.iter().map(|share| share.whole).sum::<f64>()).max(0.0);
        let mut out = Vec::new();
        for Share { status, quota, whole, .. } in shares {
            let part = (whole + over.min(1.0)).min(left);
            over = (over - 1.0).max(0.0);
            left -= part;
            if !is_known {
                self.owed.insert(status, (quota - part).clamp(-MOST_OWED, MOST_OWED));
            }
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most the failures"
            )]
            let part = part as u32;
            if part > 0 {
                out.push((status, part));
            }
        }
        out.sort_unstable();
        out
    }
}

/// Failures by client: each slot's spread evenly over the clients that occur in it. `failures` is their number where it
/// is known better.
fn spread(values: &[FailingValue], failures: u32) -> ClientBuckets {
    let mut buckets = [0u16; 16];
    for value in values {
        let alone = values.len() == 1;
        let count = if alone { u16::try_from(failures).unwrap_or(u16::MAX) } else { value.count };
        let clients = u16::try_from(value.clients.count_ones()).unwrap_or(0).max(1);
        let mut more = count % clients;
        for (bit, bucket) in buckets.iter_mut().enumerate() {
            if value.clients >> bit & 1 == 1 {
                *bucket = bucket.saturating_add(count / clients).saturating_add(u16::from(more > 0));
                more = more.saturating_sub(1);
            }
        }
    }
    buckets
}

/// The values whose failures are worth a search: at most 36 paths and 32 vhosts and upstreams, by dimension and value.
pub fn value_series(tallies: &[(&Tally, Clock)], limits: Limits, range: Range<i64>) -> Vec<ValueSeries> {
    let mut names = Names::new(tallies.len().saturating_mul(limits.names));
    for (tally, _) in tallies {
        names.absorb(tally.names.clone());
    }
    let failing = failing(tallies, limits);
    let mut values: BTreeMap<u32, Vec<(i64, FailingValue)>> = BTreeMap::new();
    let mut full: Vec<(i64, u32)> = Vec::new();
    let slots = whole_slots(range.clone(), failing.shift());
    for (second, slot) in failing.iter().filter(|(second, _)| slots.contains(second)) {
        full.extend(slot.known_until().map(|hash| (second, hash)));
        for value in slot.values() {
            values.entry(value.hash).or_default().push((second, *value));
        }
    }
    let own = own_failures(tallies, &range);
    let mut chosen = paths(&values, &names);
    chosen.extend(others(&values, &names, &own));
    let mut counts = own_counts(tallies, limits, &chosen);
    let clients = clients(tallies);
    let mut out: Vec<ValueSeries> = chosen
        .into_iter()
        .filter_map(|hash| {
            let name = own.get(&hash).map(|(name, _)| *name).or_else(|| names.get(hash))?;
            let own = counts.remove(&hash).map(|mut counts| {
                // a slot of failures must lie within one of these
                counts.widen(failing.shift().saturating_sub(counts.shift()));
                Own { counts, clients, range: range.clone() }
            });
            let hidden = full.iter().filter(|(_, until)| own.is_none() && *until < hash);
            let unknown = spans(hidden.map(|(second, _)| *second), i64::from(width(failing.shift())));
            Some(ValueSeries {
                dimension: name.dimension,
                value: name.value.clone(),
                failing: values.remove(&hash).unwrap_or_default(),
                unknown,
                own,
            })
        })
        .collect();
    out.sort_by(|a, b| (a.dimension, &a.value).cmp(&(b.dimension, &b.value)));
    out
}

/// The spans, [first, last] second, of slots of this width, ascending.
fn spans(slots: impl Iterator<Item = i64>, width: i64) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for first in slots {
        let last = first.saturating_add(width - 1);
        match spans.last_mut() {
            Some(span) if span.1.saturating_add(1) >= first => span.1 = last,
            _ => spans.push((first, last)),
        }
    }
    spans
}

type Seen = [(i64, FailingValue)];

fn total(seen: &Seen) -> u64 {
    seen.iter().map(|(_, value)| u64::from(value.count)).sum()
}

/// The paths with the most failures and those with the densest; of equal ones the lowest hashes.
fn paths(values: &BTreeMap<u32, Vec<(i64, FailingValue)>>, names: &Names) -> BTreeSet<u32> {
    let paths = values
        .iter()
        .filter(|(hash, _)| names.get(**hash).is_some_and(|name| name.dimension == Dimension::Path));
    let paths: Vec<(u32, &Seen)> = paths.map(|(hash, seen)| (*hash, seen.as_slice())).collect();
    let most = |worth: fn(&Seen) -> u64| {
        let mut ranked: Vec<(Reverse<u64>, u32)> =
            paths.iter().map(|(hash, seen)| (Reverse(worth(seen)), *hash)).collect();
        ranked.sort_unstable();
        ranked.into_iter().take(MAX_PATHS).map(|(_, hash)| hash)
    };
    let alone = most_alone(&paths);
    most(total).chain(most(densest)).chain(alone).collect()
}

/// The paths whose failures in some stretch are least accounted for by those of all paths: what one route goes through alone
/// is told from what the site does.
fn most_alone(paths: &[(u32, &Seen)]) -> Vec<u32> {
    let mut all: BTreeMap<i64, u64> = BTreeMap::new();
    for (second, value) in paths.iter().flat_map(|(_, seen)| seen.iter()) {
        *all.entry(second.div_euclid(DENSE_SECONDS)).or_default() += u64::from(value.count);
    }
    let sum: u64 = all.values().sum();
    let surprise = |seen: &Seen| {
        let usual = total(seen) as f64 / sum.max(1) as f64;
        let mut blocks: BTreeMap<i64, u64> = BTreeMap::new();
        for (second, value) in seen {
            *blocks.entry(second.div_euclid(DENSE_SECONDS)).or_default() += u64::from(value.count);
        }
        let nats = |(block, count): (i64, u64)| {
            let expected = usual * all.get(&block).copied().unwrap_or(0) as f64;
            let count = count as f64;
            if count > expected {
                count * (count / expected.max(f64::MIN_POSITIVE)).ln() - (count - expected)
            } else {
                0.0
            }
        };
        blocks.into_iter().map(nats).fold(0.0, f64::max)
    };
    let mut ranked: Vec<(f64, u32)> = paths.iter().map(|(hash, seen)| (surprise(seen), *hash)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    ranked.into_iter().take(MAX_PATHS).map(|(_, hash)| hash).collect()
}

/// The vhosts and upstreams with the most failures; of equal ones the lowest hashes.
fn others(
    values: &BTreeMap<u32, Vec<(i64, FailingValue)>>,
    names: &Names,
    own: &BTreeMap<u32, (&Name, u64)>,
) -> impl Iterator<Item = u32> {
    let mut failures: BTreeMap<u32, u64> =
        own.iter().map(|(hash, (_, failures))| (*hash, *failures)).collect();
    for (hash, seen) in values {
        if names.get(*hash).is_some_and(|name| name.dimension != Dimension::Path) {
            failures.entry(*hash).or_insert_with(|| total(seen));
        }
    }
    let mut ranked: Vec<(Reverse<u64>, u32)> =
        failures.into_iter().map(|(hash, failures)| (Reverse(failures), hash)).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(MAX_OTHERS).map(|(_, hash)| hash)
}

/// The most failures in any ten minutes.
fn densest(seen: &[(i64, FailingValue)]) -> u64 {
    let mut behind = seen.iter().peekable();
    let (mut inside, mut most) = (0u64, 0u64);
    for (second, value) in seen {
        inside = inside.saturating_add(u64::from(value.count));
        while let Some((_, left)) =
            behind.next_if(|(first, _)| second.saturating_sub(*first) >= DENSE_SECONDS)
        {
            inside = inside.saturating_sub(u64::from(left.count));
        }
        most = most.max(inside);
    }
    most
}

/// The vhosts and upstreams whose requests were counted and of which some failed, with how many did.
fn own_failures<'a>(tallies: &'a [(&Tally, Clock)], range: &Range<i64>) -> BTreeMap<u32, (&'a Name, u64)> {
    let mut own: BTreeMap<u32, (&Name, u64)> = BTreeMap::new();
    for (tally, clock) in tallies {
        for (timed, clock) in [(&tally.zoned, None), (&tally.naive, Some(clock))] {
            for (hash, value) in timed.own.iter() {
                let inside = value.counts.cells().filter(|(_, count)| count.bad > 0);
                let inside = inside.filter(|(wall, _)| range.contains(&moved(*wall, clock)));
                let failures = inside.map(|(_, count)| u64::from(count.bad)).sum::<u64>();
                if failures > 0 {
                    let known = own.entry(hash).or_insert((&value.name, 0));
                    known.0 = known.0.min(&value.name);
                    known.1 = known.1.saturating_add(failures);
                }
            }
        }
    }
    own
}

/// The own counts of the values chosen, as far as there are any.
fn own_counts(
    tallies: &[(&Tally, Clock)],
    limits: Limits,
    chosen: &BTreeSet<u32>,
) -> BTreeMap<u32, Coarse<Group<Count>>> {
    let mut own: BTreeMap<u32, Coarse<Group<Count>>> = BTreeMap::new();
    each(tallies, |timed, clock| {
        for (hash, value) in timed.own.iter().filter(|(hash, _)| chosen.contains(hash)) {
            let counts = own.entry(hash).or_insert_with(|| Coarse::new(limits.own));
            add_groups(counts, &value.counts, clock);
        }
    });
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Slot;

    #[test]
    fn a_rarer_status_is_lent_as_often_as_it_occurs() {
        let slots = (0..300).map(|second| Slot { second, requests: 90, failures: 10, clients: None });
        let statuses = (0..300).flat_map(|slot| [(slot, 500, 7), (slot, 502, 2), (slot, 504, 1)]);
        let site = Series {
            slots: slots.collect(),
            slot_seconds: 1,
            statuses: statuses.collect(),
            ..Series::default()
        };
        let mut lent = Statuses::new(&site, 1);
        let mut counts: BTreeMap<u16, u32> = BTreeMap::new();
        for (status, count) in (0..300).flat_map(|second| lent.at(second, 1)) {
            *counts.entry(status).or_default() += count;
        }
        assert_eq!(counts, [(500, 210), (502, 60), (504, 30)].into());
    }

    #[test]
    fn the_site_lends_a_value_the_statuses_of_its_failures() {
        let slot = |second, failures| Slot { second, requests: 9, failures, clients: None };
        let site = Series {
            slots: vec![slot(10, 3), slot(11, 0), slot(12, 4), slot(13, 2)],
            slot_seconds: 1,
            statuses: vec![(0, 500, 1), (0, 504, 2), (2, 500, 1), (2, 504, 3), (3, 502, 2)],
            ..Series::default()
        };
        let mut lent = Statuses::new(&site, 1);
        assert_eq!(lent.at(10, 3), [(500, 1), (504, 2)]);
        assert_eq!(lent.at(11, 0), []);
        assert_eq!(lent.at(12, 2), [(504, 2)]);
        assert_eq!(lent.at(13, 1), [(502, 1)]);
        assert_eq!(lent.at(14, 1), []);
        // one of two in four is owed to the other
        assert_eq!(lent.owed, [(500, 0.5), (504, -0.5)].into());
        // slots of a value that are wider than the site's
        assert_eq!(Statuses::new(&site, 4).at(12, 6), [(500, 1), (502, 2), (504, 3)]);
    }
}
