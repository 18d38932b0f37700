//! Which chains make an incident: joined over short pauses, large enough, and not the work of one client.

use super::blip::shortest;
use super::boundary::Side;
use super::echo::without_echo;
use super::emission::Grain;
use super::segment::Run;
use super::storms::{Busiest, divergence};
use super::stream::{Stream, Sums};
use super::validate::{Chain, LEAST_CONTRAST, Scale};
use super::{BLIP_SECONDS, FEW_CLIENTS, Gate, GateKind, Series};

/// Two chains with a shorter pause between them are one flapping incident.
pub(super) const JOIN_SECONDS: i64 = 120;
/// And a pause this many times as long as the shorter of what it separates separates it: two bad seconds of a restart
/// are not the beginning of an outage a minute later.
const JOIN_TIMES: i64 = 10;
/// The same where one fails with one status and the other with another.
const JOIN_TIMES_OTHER_STATUS: i64 = 3;
/// And the same of two that are blips by themselves: a service that is restarted twice.
const JOIN_TIMES_OF_BLIPS: i64 = 2;
/// A pause this many times as long as those before it is one more of them.
pub(super) const FLAPPING_TIMES: f64 = 1.5;
/// Two incidents with no more requests between them are one.
const JOIN_REQUESTS: f64 = 60.0;
/// Failures beyond what the baseline expects: four of them, whatever little is expected.
const LEAST_EXCESS: f64 = 3.5;
/// Share of requests that fail beyond the baseline, 0.8 points.
const LEAST_SHARE: f64 = 0.008;
/// Failures against what the baseline expects.
pub(super) const LEAST_RATIO: f64 = 1.5;
/// Log-likelihood ratio as a part of β.
pub(super) const LEAST_OF_PENALTY: f64 = 0.8;
/// The same without the busiest failing client.
const LEAST_OF_PENALTY_WITHOUT_CLIENT: f64 = 0.6;
/// The same without the busiest failing client: three.
const LEAST_EXCESS_WITHOUT_CLIENT: f64 = 2.5;
/// One bucket of addresses with this share of all requests is a proxy, or all that the log knows.
const PROXY_SHARE: f64 = 0.8;
/// So many good requests tell how they spread over the clients.
const GOOD_REQUESTS: u64 = 100;
/// Failures outside of what is suspected, in so many different stretches of this length, are a background.
const BACKGROUND_TIMES: usize = 5;
/// See [`BACKGROUND_TIMES`].
const BACKGROUND_SECONDS: i64 = 600;
/// Good requests that must have been expected, and the part of them that came, for others to have gone missing.
const MISSING_EXPECTED: f64 = 10.0;
/// See [`MISSING_EXPECTED`].
const MISSING_PART: f64 = 0.3;
/// A run must keep this part of β without its busiest client, or it is neither the end of a chain nor one by itself.
const CHAIN_OF_PENALTY_WITHOUT_CLIENT: f64 = 0.2;

/// What is nearly all of the failures of others.
const REST_PART: f64 = 0.8;
/// Two clients (buckets) that hold all failures but so many more than the others have at any time …
const TWO_CLIENTS_REST: f64 = 1.0;
/// … and so many nats more of them than their part of the requests accounts for, are two of them that failed at the same
/// time: two storms are rarer than one, and no less a matter of their own.
const TWO_CLIENTS_NATS: f64 = 18.0;

/// Chains that form one incident.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) chains: Vec<Chain>,
    /// Log-likelihood ratio over φ, summed over the runs.
    pub(super) strength: f64,
    /// Failing requests by client bucket.
    pub(super) buckets: [u64; 16],
    /// The client filter could not be applied.
    pub(super) clients_unknown: bool,
    /// What it passed.
    pub(super) gates: Vec<Gate>,
}

impl Candidate {
    pub(super) fn first(&self) -> usize {
        self.chains.first().map_or(0, Chain::first)
    }
    /// Takes up the candidate that follows.
    pub(super) fn join(&mut self, next: Self) {
        self.chains.extend(next.chains);
        self.strength += next.strength;
        for (bucket, more) in self.buckets.iter_mut().zip(next.buckets) {
            *bucket = bucket.saturating_add(more);
        }
        self.clients_unknown |= next.clients_unknown;
        // Both passed by themselves: the better answer is told.
        for (gate, other) in self.gates.iter_mut().zip(next.gates).filter(|(a, b)| a.what == b.what) {
            gate.value = gate.value.max(other.value);
        }
    }
    pub(super) fn last(&self) -> usize {
        self.chains.last().map_or(0, Chain::last)
    }
}

/// Joins chains over pauses of up to two minutes and keeps what is large enough.
pub(super) fn gate(scale: Scale<'_>, chains: Vec<Chain>, proxied: Proxied) -> Vec<Candidate> {
    let chains: Vec<Chain> =
        chains.into_iter().flat_map(|chain| without_blips(scale.stream, chain)).collect();
    let mut trimmed = chains.clone();
    let mut bridges = Vec::new();
    for (chain, whole) in trimmed.iter_mut().zip(&chains) {
        trim_one_client(scale, chain, proxied);
        // one client may be all that asks in one of the bursts of what comes and goes
        if chain.runs.is_empty() && !others_go_on(scale, std::slice::from_ref(whole), 0) {
            bridges.push((whole.first(), whole.last()));
            *chain = whole.clone();
        }
    }
    trimmed.retain(|chain| !chain.runs.is_empty());
    let groups = |chains| grouped(scale.stream, chains).into_iter();
    let held = groups(trimmed).map(|group| between_others(group, &bridges));
    let mut candidates: Vec<Candidate> = held.filter_map(|c| admit(scale, c, proxied)).collect();
    let admitted = |chains| groups(chains).filter_map(|c| admit(scale, c, proxied));
    // On a quiet site one client after the other fails: what looks like a storm of each is an outage of all.
    let apart = |whole: &Candidate, found: &[Candidate]| {
        found.iter().all(|c| c.last() < whole.first() || whole.last() < c.first())
    };
    for whole in admitted(chains) {
        if apart(&whole, &candidates) && !others_go_on(scale, &whole.chains, 0) {
            candidates.push(whole);
        }
    }
    candidates.sort_by_key(Candidate::first);
    candidates
}

/// The chains of a group from the first to the last that is none of these spans.
fn between_others(mut group: Vec<Chain>, spans: &[(usize, usize)]) -> Vec<Chain> {
    let is_one = |chain: &Chain| spans.contains(&(chain.first(), chain.last()));
    while group.last().is_some_and(is_one) {
        group.pop();
    }
    let leading = group.iter().take_while(|chain| is_one(chain)).count();
    group.drain(..leading);
    group
}

/// A chain, and the blips at its ends that have nothing to do with it: the faint level of an outage may reach as far as a
/// restart minutes later, which fails with another status.
fn without_blips(stream: &Stream<'_>, mut chain: Chain) -> Vec<Chain> {
    let mut parts = Vec::new();
    for side in [Side::Start, Side::End] {
        let at = if side == Side::Start { 0 } else { chain.runs.len().saturating_sub(1) };
        let beside = if side == Side::Start { Some(1) } else { at.checked_sub(1) };
        let Some((&blip, run)) = chain.runs.get(at).zip(beside.and_then(|beside| chain.runs.get(beside)))
        else {
            continue;
        };
        let Some(cut) = apart_from(stream, blip, *run, side) else { continue };
        chain.runs.remove(at);
        match side {
            Side::Start => chain.runs.iter_mut().take(1).for_each(|run| run.first = cut),
            Side::End => chain.runs.iter_mut().rev().take(1).for_each(|run| run.last = cut),
        }
        parts.push(Chain { runs: vec![blip], contrast: chain.contrast });
    }
    parts.push(chain);
    parts.sort_by_key(Chain::first);
    parts
}

/// The outermost slot of a run in which something fails with the run's own status, if what lies beside it on this side is a
/// blip with another one and far enough from there.
fn apart_from(stream: &Stream<'_>, blip: Run, run: Run, side: Side) -> Option<usize> {
    let status = |run: Run| stream.dominant_status((run.first, run.last));
    if stream.lasts((blip.first, blip.last)) >= BLIP_SECONDS {
        return None;
    }
    let (own, other) = (status(run)?, status(blip)?);
    let fails = |slot: &usize| stream.statuses_in((*slot, *slot)).any(|(status, _)| status == own);
    let mut slots = run.first..=run.last;
    let (cut, pause) = match side {
        Side::Start => slots.find(fails).map(|cut| (cut, health_between(stream, blip.last, cut)))?,
        Side::End => slots.rfind(fails).map(|cut| (cut, health_between(stream, cut, blip.first)))?,
    };
    (own != other && pause > JOIN_TIMES_OTHER_STATUS * BLIP_SECONDS).then_some(cut)
}

/// Chains with only short pauses between them.
fn grouped(stream: &Stream<'_>, chains: Vec<Chain>) -> Vec<Vec<Chain>> {
    let mut groups: Vec<Vec<Chain>> = Vec::new();
    for chain in chains {
        let span = (chain.first(), chain.last());
        match groups.last_mut() {
            Some(group) if joins(stream, span_of(group), span) => group.push(chain),
            _ => groups.push(vec![chain]),
        }
    }
    let mut flapping: Vec<Vec<Chain>> = Vec::new();
    for group in groups {
        // a blip in one of its pauses ends nothing, whatever it fails with
        let over_a_blip = match flapping.as_slice() {
            [.., before, blip] => {
                stream.lasts(span_of(blip)) < BLIP_SECONDS
                    && (joins(stream, span_of(before), span_of(&group)) || goes_on(stream, before, &group))
            }
            _ => false,
        };
        let blip = if over_a_blip { flapping.pop() } else { None };
        match flapping.last_mut() {
            Some(before) if over_a_blip || goes_on(stream, before, &group) => {
                before.extend(blip.into_iter().flatten().chain(group));
            }
            _ => flapping.push(group),
        }
    }
    flapping
}

/// What comes and goes goes on: after (before) a pause that is not much longer than those it has had, with the same status,
/// however short the last (first) burst of it is.
fn goes_on(stream: &Stream<'_>, before: &[Chain], after: &[Chain]) -> bool {
    let pause = |one: &Chain, next: &Chain| health_between(stream, one.last(), next.first());
    let longest =
        |group: &[Chain]| group.iter().zip(group.iter().skip(1)).map(|(one, next)| pause(one, next)).max();
    let (Some(usual), Some(one), Some(next)) =
        (longest(before).max(longest(after)), before.last(), after.first())
    else {
        return false;
    };
    let statuses = (stream.dominant_status(span_of(before)), stream.dominant_status(span_of(after)));
    let pause = pause(one, next);
    pause as f64 <= FLAPPING_TIMES * usual as f64
        && statuses.0.is_some()
        && statuses.0 == statuses.1
        && !stream.breaks_between(one.last(), next.first())
}

fn span_of(chains: &[Chain]) -> (usize, usize) {
    (chains.first().map_or(0, Chain::first), chains.last().map_or(0, Chain::last))
}

/// The pause between two spans of slots is short, by itself and against either of them, and has data around it.
pub(super) fn joins(stream: &Stream<'_>, before: (usize, usize), after: (usize, usize)) -> bool {
    let shorter = stream.lasts(before).min(stream.lasts(after));
    let pause = health_between(stream, before.1, after.0);
    let statuses = (stream.dominant_status(before), stream.dominant_status(after));
    let differ = statuses.0.zip(statuses.1).is_some_and(|(before, after)| before != after);
    let longer = stream.lasts(before).max(stream.lasts(after));
    let times = if longer < BLIP_SECONDS {
        JOIN_TIMES_OF_BLIPS
    } else if differ {
        JOIN_TIMES_OTHER_STATUS
    } else {
        JOIN_TIMES
    };
    pause <= JOIN_SECONDS.min(shorter.saturating_mul(times)) && !stream.breaks_between(before.1, after.0)
}

/// Seconds from the first to the last request between two slots: while nobody asks, nothing tells of health.
pub(super) fn health_between(stream: &Stream<'_>, before: usize, after: usize) -> i64 {
    if before + 1 >= after {
        return 0;
    }
    stream.lasts((before + 1, after - 1))
}

/// So few requests lie between two incidents that their pause says as little as two minutes of a busier site.
pub(super) fn hardly_apart(stream: &Stream<'_>, before: (usize, usize), after: (usize, usize)) -> bool {
    let between: f64 = (before.1 + 1..after.0).map(|slot| stream.requests_at(slot)).sum();
    between <= JOIN_REQUESTS && !stream.breaks_between(before.1, after.0)
}

/// Takes runs that are one client's storm off either end of a chain: it may lead into an incident of everybody.
fn trim_one_client(scale: Scale<'_>, chain: &mut Chain, proxied: Proxied) {
    if proxied == Proxied::Yes {
        return;
    }
    let stormy = |run: &Run| {
        let alone = Chain { runs: vec![*run], contrast: 0.0 };
        is_one_client(scale, &[alone], proxied, CHAIN_OF_PENALTY_WITHOUT_CLIENT, 1.0)
    };
    while chain.runs.last().is_some_and(stormy) {
        chain.runs.pop();
    }
    let leading = chain.runs.iter().take_while(|run| stormy(run)).count();
    chain.runs.drain(..leading);
}

fn admit(scale: Scale<'_>, chains: Vec<Chain>, proxied: Proxied) -> Option<Candidate> {
    let mut total = Sums::default();
    let mut strength = 0.0;
    for run in chains.iter().flat_map(|chain| &chain.runs) {
        let sums = scale.sums(run.first..=run.last);
        strength += sums.llr() / scale.dispersion;
        total = total.plus(sums);
    }
    let least_share = if scale.grain == Grain::Part { 0.0 } else { LEAST_SHARE };
    let mut gates = vec![
        Gate { what: GateKind::Excess, value: total.excess(), needed: LEAST_EXCESS },
        Gate { what: GateKind::Share, value: total.share(), needed: least_share },
        Gate {
            what: GateKind::Ratio,
            // Off 0, so that it can be told.
            value: total.failures / total.expected.max(f64::MIN_POSITIVE),
            needed: LEAST_RATIO,
        },
        Gate { what: GateKind::Strength, value: strength, needed: LEAST_OF_PENALTY * scale.penalty },
    ];
    if gates.iter().any(|gate| gate.value < gate.needed) {
        return None;
    }
    let spans: Vec<(usize, usize)> =
        chains.iter().flat_map(|chain| &chain.runs).map(|run| (run.first, run.last)).collect();
    let told = without_echo(scale.stream, &spans, total);
    let is_echo = told.excess() < LEAST_EXCESS
        || told.failures < LEAST_RATIO * told.expected
        || told.llr() / scale.dispersion < LEAST_OF_PENALTY * scale.penalty;
    if told.failures < total.failures && is_echo {
        return None;
    }
    let contrast = chains.iter().map(|chain| chain.contrast).fold(0.0, f64::max);
    gates.push(Gate { what: GateKind::Contrast, value: contrast, needed: LEAST_CONTRAST });
    let buckets = buckets_of(scale, &chains);
    if is_one_client(scale, &chains, proxied, LEAST_OF_PENALTY_WITHOUT_CLIENT, LEAST_EXCESS_WITHOUT_CLIENT) {
        return None;
    }
    let clients_unknown = proxied != Proxied::No || buckets.iter().all(|&count| count == 0);
    if let Some((excess, strength)) =
        without_top_client(scale, &chains, &buckets).filter(|_| !clients_unknown)
    {
        let needed = LEAST_EXCESS_WITHOUT_CLIENT;
        gates.push(Gate { what: GateKind::ExcessWithoutTopClient, value: excess, needed });
        let needed = LEAST_OF_PENALTY_WITHOUT_CLIENT * scale.penalty;
        gates.push(Gate { what: GateKind::StrengthWithoutTopClient, value: strength, needed });
    }
    Some(Candidate { chains, strength, buckets, clients_unknown, gates })
}

/// Whether one client can be told from all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxied {
    /// Many addresses: the client filter applies.
    No,
    /// The stream's requests come from one address (bucket), a proxy's, or from a handful: the filter would condemn
    /// everything.
    Yes,
    /// All failures come from one bucket, and how the other requests spread is not known.
    Unknown,
}

impl Proxied {
    pub(super) fn of(series: &Series) -> Self {
        if let Some(active) = &series.active_client_buckets {
            let total: u64 = active.iter().fold(0, |sum, &count| sum.saturating_add(count));
            let top = active.iter().copied().max().unwrap_or(0);
            let proxied = total > 0 && top as f64 >= PROXY_SHARE * total as f64;
            return if proxied || few_clients(series, *active) { Self::Yes } else { Self::No };
        }
        let mut used = [false; 16];
        for buckets in &series.failing_clients {
            for (used, &count) in used.iter_mut().zip(buckets) {
                *used |= count > 0;
            }
        }
        if used.iter().filter(|&&used| used).count() > 1 { Self::No } else { Self::Unknown }
    }
}

/// Good requests come from a handful of clients (buckets).
fn few_clients(series: &Series, active: [u64; 16]) -> bool {
    let mut good = active;
    for failing in &series.failing_clients {
        for (good, &count) in good.iter_mut().zip(failing) {
            *good = good.saturating_sub(u64::from(count));
        }
    }
    let total = good.iter().fold(0u64, |sum, &count| sum.saturating_add(count));
    let squares: f64 = good.iter().map(|&count| (count as f64 / total.max(1) as f64).powi(2)).sum();
    total >= GOOD_REQUESTS && squares * FEW_CLIENTS >= 1.0
}

/// All failures come from one bucket: a proxy's if failures outside of the chains, at many different times, do too,
/// or if everybody else's good requests went missing meanwhile.
fn looks_proxied(scale: Scale<'_>, chains: &[Chain]) -> bool {
    let stream = scale.stream;
    let (Some(first), Some(last)) = (chains.first().map(Chain::first), chains.last().map(Chain::last)) else {
        return false;
    };
    let mut times = 0;
    let mut before = None;
    for slot in (0..first).chain(last + 1..stream.len()).filter(|&slot| stream.failures_at(slot) > 0.0) {
        let time = stream.second(slot).div_euclid(BACKGROUND_SECONDS);
        times += usize::from(before != Some(time));
        before = Some(time);
    }
    if times >= BACKGROUND_TIMES {
        return true;
    }
    let inside = scale.sums(first..=last);
    let lasted = stream.lasts((first, last)) as f64;
    let passed_outside = (stream.requests - stream.failures) - (inside.requests - inside.failures);
    let expected = lasted * passed_outside / (stream.active_seconds - lasted).max(1.0);
    expected >= MISSING_EXPECTED && inside.requests - inside.failures < MISSING_PART * expected
}

/// Failing requests of some slots by client bucket.
pub(super) fn buckets_in(stream: &Stream<'_>, slots: impl Iterator<Item = usize>) -> [u64; 16] {
    let mut total = [0_u64; 16];
    for buckets in slots.filter_map(|slot| stream.clients_at(slot)) {
        for (total, &count) in total.iter_mut().zip(buckets) {
            *total += u64::from(count);
        }
    }
    total
}

fn sums_of(scale: Scale<'_>, chains: &[Chain]) -> Sums {
    let runs = chains.iter().flat_map(|chain| &chain.runs);
    scale.sums(runs.flat_map(|run| run.first..=run.last))
}

fn buckets_of(scale: Scale<'_>, chains: &[Chain]) -> [u64; 16] {
    let runs = chains.iter().flat_map(|chain| &chain.runs);
    buckets_in(scale.stream, runs.flat_map(|run| run.first..=run.last))
}

/// Too little is left without the client bucket that failed most often.
fn is_one_client(
    scale: Scale<'_>,
    chains: &[Chain],
    proxied: Proxied,
    least_of_penalty: f64,
    least_excess: f64,
) -> bool {
    let buckets = buckets_of(scale, chains);
    let Some((excess, strength)) = without_top_client(scale, chains, &buckets) else { return false };
    let little = excess < least_excess
        || strength < least_of_penalty * scale.penalty
        || (least_excess >= LEAST_EXCESS_WITHOUT_CLIENT
            && ((others_go_on(scale, chains, busiest(&buckets).map_or(0, |top| top.1))
                && are_two_clients(scale.stream, &buckets, sums_of(scale, chains)))
                || rest_is_blip(scale, chains, &buckets)));
    little
        && match proxied {
            Proxied::No => true,
            // who is but one of those behind it, or beside the busiest, can still fail alone
            Proxied::Yes => {
                excess < least_excess
                    && Busiest::of(scale.stream, buckets).is_some_and(|busiest| busiest.fails_alone())
            }
            Proxied::Unknown => !looks_proxied(scale, chains),
        }
}

/// Good answers from the first to the last failure are at least this part of the failures, where others go on unharmed
/// beside two clients. On a quiet site two clients may be all that ask while it is down.
const OTHERS_PART: f64 = 0.5;

///
/// `but`: failures that don't count, those of the busier one.
fn others_go_on(scale: Scale<'_>, chains: &[Chain], but: u64) -> bool {
    let (Some(first), Some(last)) = (chains.first().map(Chain::first), chains.last().map(Chain::last)) else {
        return false;
    };
    let sums = scale.sums(first..=last);
    sums.requests - sums.failures >= OTHERS_PART * (sums.failures - but as f64)
}

/// What the busiest failing client leaves lies within a few seconds nearly all: its clump and a blip, or another's clump,
/// minutes apart make no incident.
fn rest_is_blip(scale: Scale<'_>, chains: &[Chain], buckets: &[u64; 16]) -> bool {
    let Some((top, _)) = busiest(buckets) else { return false };
    let stream = scale.stream;
    let (first, last) = span_of(chains);
    if stream.last_second(last).saturating_sub(stream.second(first)) < 2 * BLIP_SECONDS {
        return false;
    }
    let mut rest: Vec<(i64, u64)> = Vec::new();
    for slot in chains.iter().flat_map(|chain| &chain.runs).flat_map(|run| run.first..=run.last) {
        let Some(clients) = stream.clients_at(slot) else { continue };
        let others = clients.iter().enumerate().filter(|(bucket, _)| *bucket != top);
        let count: u64 = others.map(|(_, &count)| u64::from(count)).sum();
        if count > 0 {
            rest.push((stream.second(slot), count));
        }
    }
    shortest(&rest, REST_PART).saturating_add(stream.width) < BLIP_SECONDS
}

/// The bucket with the most failures, of equal ones the first, and how many it has.
pub(super) fn busiest(buckets: &[u64; 16]) -> Option<(usize, u64)> {
    let top = buckets.iter().enumerate().max_by_key(|&(index, &count)| (count, usize::MAX - index));
    top.map(|(bucket, &count)| (bucket, count))
}

/// All failures but one, and those that others have at any time (and as chance has it), are those of two clients, who are
/// few of those that are there. `sums`: all requests meanwhile, and how many of them fail when all is well.
fn are_two_clients(stream: &Stream<'_>, buckets: &[u64; 16], sums: Sums) -> bool {
    let Some(active) = stream.series().active_client_buckets else { return false };
    let mut order: Vec<(u64, usize)> = buckets.iter().copied().zip(0..).collect();
    order.sort_unstable_by(|a, b| b.cmp(a));
    let all: u64 = buckets.iter().sum();
    let of_two: u64 = order.iter().take(2).map(|(count, _)| count).sum();
    let active = active.map(|requests| requests as f64);
    let requests: f64 = order.iter().take(2).filter_map(|(_, bucket)| active.get(*bucket)).sum();
    let usual = requests / active.iter().sum::<f64>().max(1.0);
    let part = of_two as f64 / all.max(1) as f64;
    let beside = (sums.requests - of_two as f64).max(0.0);
    let of_others = sums.expected * beside / sums.requests.max(1.0);
    all.saturating_sub(of_two) as f64 <= TWO_CLIENTS_REST + of_others + of_others.sqrt()
        && part > usual
        && all as f64 * divergence(part, usual) >= TWO_CLIENTS_NATS
}

/// Excess failures and nats ÷ φ that are left without the client bucket that failed most often.
fn without_top_client(scale: Scale<'_>, chains: &[Chain], buckets: &[u64; 16]) -> Option<(f64, f64)> {
    let (top, _) = busiest(buckets)?;
    let (mut excess, mut strength) = (0.0, 0.0);
    for run in chains.iter().flat_map(|chain| &chain.runs) {
        let mut rest = Sums::default();
        for slot in run.first..=run.last {
            let removed = scale.stream.clients_at(slot).and_then(|buckets| buckets.get(top));
            let failures = scale.stream.failures_at(slot);
            let removed = f64::from(removed.copied().unwrap_or(0)).min(failures);
            let requests = scale.stream.requests_at(slot);
            rest.add(requests - removed, failures - removed, scale.curve.rate(slot));
        }
        excess += rest.excess();
        strength += rest.llr() / scale.dispersion;
    }
    Some((excess, strength))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clients_of_many_are_no_incident_and_two_of_few_may_be() {
        let sums = |expected| Sums { requests: 212.0, expected, ..Sums::default() };
        let many = Series { active_client_buckets: Some([50; 16]), ..Series::default() };
        let mut failing = [0; 16];
        (failing[2], failing[9]) = (6, 6);
        assert!(are_two_clients(&Stream::new(&many), &failing, sums(0.0)));
        failing[4] = 2;
        assert!(!are_two_clients(&Stream::new(&many), &failing, sums(0.0)));
        // where others have one in as many requests at any time
        assert!(are_two_clients(&Stream::new(&many), &failing, sums(0.53)));
        failing[4] = 0;
        let mut active = [5; 16];
        (active[2], active[9]) = (400, 300);
        let few = Series { active_client_buckets: Some(active), ..Series::default() };
        assert!(!are_two_clients(&Stream::new(&few), &failing, sums(0.0)));
    }
}
