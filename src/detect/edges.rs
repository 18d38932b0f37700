//! Which failures the edges of an incident are about: those of a status, those of everybody but one client, the burst
//! after a pause.

use std::ops::Range;

use super::TIMEOUT_SECONDS;
use super::boundary::{Affected, Clump, Edge, Side, Table, locate};
use super::finding::Context;
use super::gate::{
    Candidate, FLAPPING_TIMES, JOIN_SECONDS, LEAST_RATIO, buckets_in, busiest, health_between, joins,
};
use super::mix::Mix;
use super::stream::Stream;
use super::validate::{Chain, Scale};
use crate::model::Status;

/// Excess failures, and nats ÷ φ, beyond the edge of the dominant status that make it everybody's edge.
const WIDER_EXCESS: f64 = 3.0;
/// See [`WIDER_EXCESS`].
const WIDER_NATS: f64 = 10.0;
/// The same in the minute before the first timeouts, where it is expected that something failed.
const EARLY_NATS: f64 = 5.0;
/// Part of them that one client may have.
const WIDER_TOP: f64 = 0.7;
/// Nats ÷ φ of a burst beyond a pause: far less than an incident of its own costs, for it comes on the heels of one.
const BURST_NATS: f64 = 12.0;
/// Failures beyond what is expected that make a burst: three of them, whatever little is expected.
const BURST_EXCESS: f64 = 2.5;
/// The same after a pause like those before: two of them.
const LATER_EXCESS: f64 = 1.5;
/// One client's failures are a burst after such a pause if they are this part of all requests meanwhile: nobody else was served.
const NOBODY_ELSE: f64 = 0.7;
/// The level that a burst is looked for with is at most this: not every request of a failing second fails.
const BURST_LEVEL: f64 = 0.9;
/// Pauses that an edge is moved over, at most.
const MOST_BURSTS: usize = 8;
/// Part of an incident's failures that are timeouts, so that it ends when they do.
const TIMEOUT_PART: f64 = 0.25;
/// So many requests that should have come and did not are waiting for something …
const WAITING_REQUESTS: f64 = 12.0;
/// … by the rate of so long before …
const USUAL_SECONDS: i64 = 600;
/// … and what failed just before they began to, in so many requests, is not the first of what they end with.
const LONE_FAILURES: f64 = 2.0;
/// Failures of one client within so many seconds of the first (last) one are one event …
const CLUMP_SECONDS: u64 = 10;
/// … if they are so many …
const CLUMP_FAILURES: u64 = 3;
/// … and this part of what fails there …
const CLUMP_PART: f64 = 0.75;
/// … and the client has no more than this part of the failures of all.
const CLUMP_PART_OF_ALL: f64 = 0.4;

/// Both edges of a candidate, between its neighbours; `None` if they exclude each other.
pub(super) fn edges(
    context: &Context<'_>,
    candidate: &Candidate,
    lower: usize,
    upper: usize,
) -> Option<(Edge, Edge)> {
    let stream = context.scale.stream;
    let (first, last) = (candidate.chains.first()?, candidate.chains.last()?);
    // Neither edge is looked for beyond a break in the data.
    let lower = (lower..=first.first()).rev().find(|&slot| stream.breaks_before(slot)).unwrap_or(lower);
    let upper = (last.last() + 1..upper).find(|&slot| stream.breaks_before(slot)).unwrap_or(upper);
    let start = edge(context, candidate, first, Side::Start, lower)?;
    let end = edge(context, candidate, last, Side::End, upper.saturating_sub(1))?;
    (start.slot <= end.slot).then_some((start, end))
}

/// The edge of a chain, the first or the last of its candidate.
fn edge(
    context: &Context<'_>,
    candidate: &Candidate,
    chain: &Chain,
    side: Side,
    limit: usize,
) -> Option<Edge> {
    let scale = context.scale;
    let run = (chain.first(), chain.last());
    let all = Affected::of(scale);
    let without = context.storm_at_edge(run, side, candidate);
    let mix = if without.is_none() { context.mix_at_edge(run, side) } else { None };
    let late = side == Side::End && mix.as_ref().is_some_and(has_timeouts);
    let affected = Affected { mix: mix.as_ref(), without, late, ..all };
    let Some(found) = locate(affected, run, side, limit) else { return locate(all, run, side, limit) };
    // Who runs into a timeout shows that much later than those who fail at once.
    let wider = mix.as_ref().and_then(|_| locate(all, run, side, limit));
    let wider = wider.filter(|wider| begins_before(scale, beyond(found.slot, wider.slot, side), WIDER_NATS));
    let mut found = wider.unwrap_or(found);
    if let Some(clump) = clump_at(scale, candidate, found.slot, side) {
        let once = Affected { clump: Some(clump), ..affected };
        let inner = locate(once, run, side, limit);
        if let Some(inner) = inner.filter(|inner| !(clump.first..=clump.last).contains(&inner.slot)) {
            found = inner;
        }
    }
    if side == Side::Start && mix.as_ref().is_some_and(has_timeouts) {
        if let Some(answered) = after_waiting(scale, chain, found.slot)
            && let Some(inner) = locate(affected, (answered, run.1), side, answered)
        {
            return Some(inner);
        }
        found = before_timeouts(all, scale, found, limit);
    }
    let inside = match side {
        Side::Start => found.slot..candidate.last() + 1,
        Side::End => candidate.first()..found.slot + 1,
    };
    let usual_pause = longest_pause(scale.stream, inside);
    for _ in 0..MOST_BURSTS {
        let Some(burst) = burst_beyond(affected, scale, chain, (found.slot, limit), side, usual_pause) else {
            break;
        };
        let Some(next) = locate(affected, burst, side, limit) else { break };
        let further = match side {
            Side::Start => next.slot < found.slot,
            Side::End => next.slot > found.slot,
        };
        if !further {
            break;
        }
        found = next;
    }
    Some(found)
}

/// A good part of the failures are timeouts: they go on while what was asked for after the end succeeds.
fn has_timeouts(mix: &Mix) -> bool {
    mix.raised(Status::GATEWAY_TIMEOUT.code()) >= TIMEOUT_PART
}

/// The first slot after a silence of the requests that wait for their timeouts, which a failure of every day goes before:
/// where everything waits nothing is written from the moment it broke to the first timeout.
fn after_waiting(scale: Scale<'_>, chain: &Chain, edge: usize) -> Option<usize> {
    let stream = scale.stream;
    let second = stream.second(edge);
    let before = stream.slots_between(second.saturating_sub(USUAL_SECONDS), second);
    let usual = before.map(|slot| stream.requests_at(slot)).sum::<f64>() / USUAL_SECONDS as f64;
    let waits = |&slot: &usize| {
        let pause = stream.pause_before(slot);
        pause <= TIMEOUT_SECONDS.saturating_add(1) && usual * pause as f64 >= WAITING_REQUESTS
    };
    let near = stream.slots_between(second, second.saturating_add(TIMEOUT_SECONDS).saturating_add(2));
    let answered = (edge + 1..near.end.min(chain.last() + 1)).find(waits)?;
    let failures: f64 = (edge..answered).map(|slot| stream.failures_at(slot)).sum();
    (failures <= LONE_FAILURES).then_some(answered)
}

/// Timeouts show a minute late: what failed at once before that, with any status, is where it began.
fn before_timeouts(all: Affected<'_>, scale: Scale<'_>, found: Edge, limit: usize) -> Edge {
    let stream = scale.stream;
    let second = stream.second(found.slot);
    let minute = stream.slots_between(second.saturating_sub(TIMEOUT_SECONDS), second);
    let mut failing = (minute.start.max(limit)..found.slot).filter(|&slot| stream.failures_at(slot) > 0.0);
    let Some(first) = failing.next() else { return found };
    let last = failing.next_back().unwrap_or(first);
    // where thousands fail each minute a background that drifts is thousands of nats
    let sums = scale.sums(first..found.slot);
    let drifts = sums.failures < LEAST_RATIO * sums.expected;
    if drifts || !begins_before(scale, first..found.slot, EARLY_NATS) {
        return found;
    }
    let early = locate(all, (first, last), Side::Start, minute.start.max(limit));
    early.filter(|early| early.slot < found.slot).unwrap_or(found)
}

/// The longest time without a failure in some slots, in seconds.
fn longest_pause(stream: &Stream<'_>, slots: Range<usize>) -> i64 {
    let failing = || slots.clone().filter(|&slot| stream.failures_at(slot) > 0.0);
    let pauses = failing().zip(failing().skip(1)).map(|(one, next)| health_between(stream, one, next));
    pauses.max().unwrap_or(0)
}

/// The slots after an edge up to another one further out.
fn beyond(edge: usize, other: usize, side: Side) -> Range<usize> {
    match side {
        Side::Start => other..edge,
        Side::End => edge + 1..other + 1,
    }
}

/// What failed with other statuses in these slots, between the edge of the dominant status and that of all failures,
/// is more than chance and more than one client's.
fn begins_before(scale: Scale<'_>, between: Range<usize>, least_nats: f64) -> bool {
    let sums = scale.sums(between.clone());
    sums.excess() >= WIDER_EXCESS
        && sums.llr() / scale.dispersion >= least_nats
        && is_several_clients(scale, between)
}

fn is_several_clients(scale: Scale<'_>, slots: Range<usize>) -> bool {
    let buckets = buckets_in(scale.stream, slots);
    let all: u64 = buckets.iter().sum();
    let top = buckets.iter().copied().max().unwrap_or(0);
    top as f64 <= WIDER_TOP * all as f64
}

/// The failures of one client next to an edge that are one event rather than several: the longest such stretch.
fn clump_at(scale: Scale<'_>, candidate: &Candidate, edge: usize, side: Side) -> Option<Clump> {
    if candidate.clients_unknown {
        return None;
    }
    let stream = scale.stream;
    let near = |slot: &usize| stream.second(*slot).abs_diff(stream.second(edge)) <= CLUMP_SECONDS;
    let inward: Box<dyn Iterator<Item = usize>> = match side {
        Side::Start => Box::new(edge..stream.len()),
        Side::End => Box::new((0..=edge).rev()),
    };
    let all = candidate.buckets.iter().sum::<u64>() as f64;
    let (mut buckets, mut failures) = ([0u64; 16], 0.0);
    let mut longest = None;
    for slot in inward.take_while(near) {
        failures += stream.failures_at(slot);
        let clients = stream.clients_at(slot);
        for (sum, &count) in buckets.iter_mut().zip(clients.into_iter().flatten()) {
            *sum += u64::from(count);
        }
        let Some((bucket, count)) = busiest(&buckets) else { continue };
        let of_it = candidate.buckets.get(bucket).copied().unwrap_or(0);
        let at_edge = stream.clients_at(edge).and_then(|clients| clients.get(bucket));
        if count >= CLUMP_FAILURES
            && at_edge.is_some_and(|&count| count > 0)
            && count as f64 >= CLUMP_PART * failures
            && of_it as f64 <= CLUMP_PART_OF_ALL * all
        {
            longest = Some(Clump { first: edge.min(slot), last: edge.max(slot), edge, bucket });
        }
    }
    longest
}

/// The likeliest stretch of failing slots beyond an edge, not far from it and of more than one client: an incident that
/// comes and goes may end with too few failures for a chain of their own.
fn burst_beyond(
    affected: Affected<'_>,
    scale: Scale<'_>,
    chain: &Chain,
    (edge, limit): (usize, usize),
    side: Side,
    usual_pause: i64,
) -> Option<(usize, usize)> {
    let stream = scale.stream;
    let level = scale.sums(chain.first()..=chain.last()).share().min(BURST_LEVEL);
    if level <= 0.0 {
        return None;
    }
    let outward: Box<dyn Iterator<Item = usize>> = match side {
        Side::Start => Box::new((limit..edge).rev()),
        Side::End => Box::new(edge + 1..=limit.max(edge)),
    };
    let near =
        |slot: &usize| stream.second(*slot).abs_diff(stream.second(edge)) <= JOIN_SECONDS.unsigned_abs();
    // The stretch with the largest sum (Kadane).
    let (mut sum, mut from) = (0.0_f64, None);
    let mut best: Option<(f64, usize, usize)> = None;
    let mut table = Table::new(affected, level);
    for slot in outward.take_while(near) {
        let gain = table.nats(slot).whole();
        if sum + gain <= 0.0 {
            (sum, from) = (0.0, None);
            continue;
        }
        sum += gain;
        let from = *from.get_or_insert(slot);
        if best.is_none_or(|(most, ..)| sum > most) {
            best = Some((sum, from, slot));
        }
    }
    let (sum, from, to) = best?;
    let (first, last) = (from.min(to), from.max(to));
    let burst = scale.sums(first..=last);
    let (before, after) = match side {
        Side::Start => ((first, last), (edge, edge.max(chain.last()))),
        Side::End => ((edge.min(chain.first()), edge), (first, last)),
    };
    // after a pause like those before, however short it is
    let goes_on = health_between(stream, before.1, after.0) as f64 <= FLAPPING_TIMES * usual_pause as f64
        && !stream.breaks_between(before.1, after.0);
    let (near, needed) =
        if goes_on { (true, LATER_EXCESS) } else { (joins(stream, before, after), BURST_EXCESS) };
    // on a quiet site one client may be all that asks in a burst
    let of_others = is_several_clients(scale, first..last + 1)
        || goes_on && burst.failures >= BURST_EXCESS && burst.share() >= NOBODY_ELSE;
    (sum >= BURST_NATS && burst.excess() >= needed && near && of_others).then_some((first, last))
}
