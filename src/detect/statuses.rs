//! Stretches in which one status is raised and the failures of all statuses together are not: gateway timeouts beside
//! the errors that an application has all day.

use std::collections::BTreeMap;

use super::compact::compact;
use super::emission::Grain;
use super::errors::find;
use super::gate::{LEAST_OF_PENALTY, LEAST_RATIO};
use super::part::Part;
use super::storms::divergence;
use super::{Alone, Audit, Finding, Findings, Sensitivity, Slot, lies_in};

/// Failures that a status needs to be searched: less is no incident.
const LEAST_FAILURES: u64 = 4;
/// The usual status is the one with the most failures in most blocks of so many seconds.
const BLOCK_SECONDS: i64 = 600;
/// What lasts less is a restart that a failure of every day lies beside; what is short and has no other failures around
/// it shows in all of them.
const LEAST_SECONDS: i64 = 30;
/// Seconds beside any finding that tell nothing of what is usual.
const MARGIN_SECONDS: i64 = 30;
/// Statuses searched at most: those with the most failures.
const MOST_STATUSES: usize = 6;

/// What is found in the failures of single statuses of a series and overlaps nothing that is `known` of all of them.
pub(super) fn of_single_statuses(
    all: &Part<'_>,
    streams: usize,
    sensitivity: Sensitivity,
    known: &Findings,
    grain: Grain,
) -> Vec<Finding> {
    let mut found: Vec<(u16, Finding)> = Vec::new();
    let apart = |a: &Finding, b: &Finding| a.end.second < b.start.second || b.end.second < a.start.second;
    let statuses = worth_a_look(all);
    let streams = streams.saturating_mul(statuses.len().saturating_add(1));
    for status in statuses {
        let part = of_status(all, status);
        let series = compact(&part).unwrap_or_else(|| part.series());
        let findings = find(&series, streams, sensitivity, grain);
        let spans: Vec<(i64, i64)> = known
            .incidents
            .iter()
            .chain(&known.blips)
            .chain(&findings.incidents)
            .map(|found| (found.start.second, found.end.second))
            .collect();
        let usual = usual_share(&part, &spans);
        let lasting = findings
            .incidents
            .into_iter()
            .filter(|found| found.lasted_seconds() >= LEAST_SECONDS && stands_out(found, usual));
        found.extend(lasting.map(|finding| (status, finding)));
    }
    found.sort_by(|(_, a), (_, b)| b.strength.total_cmp(&a.strength));
    let mut kept: Vec<Finding> = Vec::new();
    for (status, finding) in found {
        if known.incidents.iter().chain(&known.blips).chain(&kept).all(|other| apart(other, &finding)) {
            kept.push(with_all(finding, status, all));
        }
    }
    kept
}

/// The share of requests that fail with the part's status but in some spans, first and last seconds.
fn usual_share(part: &Part<'_>, spans: &[(i64, i64)]) -> f64 {
    let spans = united(spans);
    let outside = |slot: &&Slot| !lies_in(&spans, slot.second);
    let requests: f64 =
        part.whole.series.slots.iter().filter(outside).map(|slot| f64::from(slot.requests)).sum();
    let failing = part.failing.iter().map(|(_, slot)| slot).filter(outside);
    failing.map(|slot| f64::from(slot.failures)).sum::<f64>() / requests.max(1.0)
}

/// The same spans with what lies beside them, ascending, none of which overlap.
fn united(spans: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let wide = |&(first, last): &(i64, i64)| {
        (first.saturating_sub(MARGIN_SECONDS), last.saturating_add(MARGIN_SECONDS))
    };
    let mut spans: Vec<(i64, i64)> = spans.iter().map(wide).collect();
    spans.sort_unstable();
    spans.dedup_by(|next, before| {
        let overlap = next.0 <= before.1;
        if overlap {
            before.1 = before.1.max(next.1);
        }
        overlap
    });
    spans
}

/// Whether it passes the gates against the mean of all other times as well: of a rare status a baseline that is taken
/// from the best of them knows of hardly any failure.
fn stands_out(finding: &Finding, usual: f64) -> bool {
    let (requests, failures) = (finding.requests as f64, finding.failures as f64);
    let share = failures / requests.max(1.0);
    share >= LEAST_RATIO * usual
        && requests * divergence(share, usual.max(f64::MIN_POSITIVE)) / finding.dispersion
            >= LEAST_OF_PENALTY * finding.audit.penalty
}

/// Statuses with some failures but the usual one, which drifts as all failures do; ascending.
fn worth_a_look(all: &Part<'_>) -> Vec<u16> {
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    let mut blocks: BTreeMap<i64, BTreeMap<u16, u64>> = BTreeMap::new();
    for &(index, status, count) in all.statuses.iter() {
        let Some(slot) = all.whole.series.slots.get(index as usize) else { continue };
        let count = u64::from(count);
        *counts.entry(status).or_default() += count;
        *blocks.entry(slot.second.div_euclid(BLOCK_SECONDS)).or_default().entry(status).or_default() += count;
    }
    let most =
        |of: &BTreeMap<u16, u64>| of.iter().max_by_key(|&(_, count)| *count).map(|(status, _)| *status);
    let mut leads: BTreeMap<u16, u64> = BTreeMap::new();
    for status in blocks.values().filter_map(most) {
        *leads.entry(status).or_default() += 1;
    }
    let usual = most(&leads);
    let wanted = |&(status, count): &(u16, u64)| count >= LEAST_FAILURES && Some(status) != usual;
    let mut wanted: Vec<(u16, u64)> = counts.into_iter().filter(wanted).collect();
    wanted.sort_by_key(|&(status, count)| (std::cmp::Reverse(count), status));
    wanted.truncate(MOST_STATUSES);
    wanted.sort_unstable();
    wanted.into_iter().map(|(status, _)| status).collect()
}

/// The failures of one status. Whose they are is known of all failures of a second only, which errs towards one client.
fn of_status<'a>(all: &'a Part<'a>, status: u16) -> Part<'a> {
    let mut part = Part { clients: all.clients.clone(), ..Part::new(all.whole) };
    let mut failing = all.failing.iter().peekable();
    for &(index, _, count) in all.statuses.iter().filter(|&&(_, of, _)| of == status) {
        let at = index as usize;
        while failing.next_if(|(slot, _)| *slot < at).is_some() {}
        if let Some((_, slot)) = failing.peek().filter(|(slot, _)| *slot == at) {
            part.failing.push((at, Slot { failures: count, ..*slot }));
            part.statuses.to_mut().push((index, status, count));
        }
    }
    part
}

/// The finding with the counts of all failures beside those of its status.
fn with_all(finding: Finding, status: u16, all: &Part<'_>) -> Finding {
    let sums = |from: i64, until: i64| {
        let slots = &all.whole.series.slots;
        let first = slots.partition_point(|slot| slot.second < from);
        let inside = slots.iter().skip(first).take_while(|slot| slot.second <= until);
        let (mut requests, mut end) = (0u64, first);
        for slot in inside {
            requests = requests.saturating_add(slot.requests.into());
            end += 1;
        }
        // the same slots, so that no more fail than there are, whatever their order
        let begins = all.failing.partition_point(|(at, _)| *at < first);
        let inside = all.failing.iter().skip(begins).take_while(|(at, _)| *at < end);
        let failed = inside.map(|(_, slot)| u64::from(slot.failures.min(slot.requests)));
        (requests, failed.fold(0u64, u64::saturating_add))
    };
    let share = |(requests, failures): (u64, u64)| failures as f64 / requests.max(1) as f64;
    let (requests, failures) = sums(finding.start.second, finding.end.second);
    let expected = finding.baseline.error_share * finding.requests as f64;
    let alone = Some(Alone { status, failures: finding.failures, expected });
    let audit = Audit { alone, ..finding.audit };
    let mut finding = Finding { requests, failures, audit, ..finding };
    if let Some((from, until)) = finding.baseline.window {
        let usual = share(sums(from, until));
        finding.baseline.error_share = finding.baseline.error_share.max(usual);
        for level in &mut finding.levels {
            let raised = share(sums(level.start, level.end));
            level.share = ((raised - usual) / (1.0 - usual).max(f64::EPSILON)).clamp(level.share, 1.0);
        }
    }
    finding
}
