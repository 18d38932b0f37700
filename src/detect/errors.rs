//! Stretches of failing requests: the order of the steps, from counts to findings.

use super::baseline::{self, Curve};
use super::blip::is_blip;
use super::boundary::Edge;
use super::compact::compact;
use super::dispersion::{SUSPICIOUS, dispersion};
use super::edges::edges;
use super::emission::{Errors, Grain};
use super::finding::{Context, describe, whole_recording};
use super::gate::{Candidate, Proxied, gate, hardly_apart, joins};
use super::part::{Part, Whole};
use super::segment::{Penalties, segment};
use super::statuses::of_single_statuses;
use super::storms::{Storm, divergence, storms, without};
use super::stream::{Stream, Sums};
use super::validate::{Chain, LEVEL_CHANGE_NATS, Scale, validate};
use super::{Caveat, Finding, Findings, Sensitivity, Series};

/// Segment, mask and estimate again so often; the baseline no longer moves after that.
const ROUNDS: usize = 3;
/// Seconds beside an incident that don't count as healthy.
const MASK_MARGIN_SECONDS: i64 = 30;
/// The margins may take this part of the healthy requests at most.
const LEAST_LEFT: f64 = 0.5;
const SECONDS_PER_DAY: f64 = 86_400.0;
/// With more failures than this a first baseline has enough blocks to choose from.
const FEW_FAILURES: f64 = 40.0;
/// Failures that lie together, as a part of all, where there are hardly any others.
const MOST_CLUSTERED: f64 = 0.7;
/// Nats that tell them from chance, as a part of β.
const CLUSTERED_OF_PENALTY: f64 = 0.55;
/// When so much of the traffic is flagged, the baseline is doubted.
const MOST_FLAGGED: f64 = 0.5;
/// It is believed all the same when the flagged part fails at least so often …
const MAJORITY_SHARE: f64 = 0.05;
/// … and so many times as often as the rest …
const MAJORITY_RATIO: f64 = 4.0;
/// … and the rest is so many requests and such a part of all.
const MAJORITY_REST: (f64, f64) = (30.0, 0.01);
/// A rate of failures that is nobody's normal.
const BROKEN_RATE: f64 = 0.5;
/// With fewer requests than this not even a total outage can be told from chance.
const FEWEST_REQUESTS: f64 = 30.0;
/// β is that much larger where φ is at its cap.
const OVERDISPERSED_FACTOR: f64 = 1.5;
/// What carries this part of β is worth a look at a part's own requests …
const SUSPECT_OF_PENALTY: f64 = 0.5;
/// … if no more of these fail in all: with more it is found without its own requests, or a few more tell nothing.
const FEW_TO_SUSPECT: u64 = 300;
/// And this part of it must be there, for that something is in one place has been paid for …
const CONFIRMED_OF_PENALTY: f64 = 0.6;
/// … where no larger share fails when all is well: of more failures some routes have theirs close together all the time.
const CALM_SHARE: f64 = 0.01;
/// Incidents whose own runs lie further apart than this are two, wherever drift between them lets their edges wander.
const LONGEST_JOIN_SECONDS: i64 = 600;

/// Finds stretches of failing requests in one stream. Pure, deterministic, no clock, no threads.
///
/// `streams` is the number of streams that are searched, which raises the penalty by its logarithm. O(slots × levels).
pub fn find_errors(series: &Series, streams: usize, sensitivity: Sensitivity) -> Findings {
    let whole = Whole::of(series);
    let all = Part::all(&whole);
    let fewer = compact(&all);
    let found = find(fewer.as_ref().unwrap_or(series), streams, sensitivity, Grain::Whole);
    with_single_statuses(found, &all, streams, sensitivity, Grain::Whole)
}

/// The same for the failures of a part, such as one path, against the requests of the whole: a route with few requests
/// that all fail is a small share of them and yet an incident. What share of the part fails has to be looked up.
pub fn find_errors_of_part(part: &Part<'_>, streams: usize, sensitivity: Sensitivity) -> Findings {
    let series = compact(part).unwrap_or_else(|| part.series());
    let found = find(&series, streams, sensitivity, Grain::Part);
    let mut found = with_single_statuses(found, part, streams, sensitivity, Grain::Part);
    let failures = part.failing.iter().fold(0u64, |sum, (_, slot)| sum.saturating_add(slot.failures.into()));
    if failures <= FEW_TO_SUSPECT {
        let price = Price { part: SUSPECT_OF_PENALTY, ..Price::new(streams, sensitivity) };
        found.suspects = find_priced(&series, price, Grain::Part).incidents;
    }
    found
}

/// The same as [`find_errors`] where something is suspected between two seconds, first and last: what the few requests of a
/// part usually do is what they do outside of it. `usual` is the share of the whole's requests that fail when all is well.
pub fn find_suspected_errors(
    series: &Series,
    suspected: (i64, i64),
    usual: f64,
    streams: usize,
    sensitivity: Sensitivity,
) -> Vec<Finding> {
    let part = if usual <= CALM_SHARE { CONFIRMED_OF_PENALTY } else { 1.0 };
    let price = Price { suspected: Some(suspected), part, ..Price::new(streams, sensitivity) };
    let found = find_priced(series, price, Grain::Whole);
    // a route that is broken for good
    if found.caveats.contains(&Caveat::NoHealthyPeriod) { Vec::new() } else { found.incidents }
}

fn with_single_statuses(
    mut found: Findings,
    all: &Part<'_>,
    streams: usize,
    sensitivity: Sensitivity,
    grain: Grain,
) -> Findings {
    if !found.caveats.contains(&Caveat::NoHealthyPeriod) {
        let hidden = of_single_statuses(all, streams, sensitivity, &found, grain);
        found.incidents.extend(hidden);
        found.incidents.sort_by_key(|finding| finding.start.second);
    }
    found
}

pub(super) fn find(series: &Series, streams: usize, sensitivity: Sensitivity, grain: Grain) -> Findings {
    find_priced(series, Price::new(streams, sensitivity), grain)
}

fn find_priced(series: &Series, price: Price, grain: Grain) -> Findings {
    let (findings, storms) = find_in(series, price, grain);
    if storms.is_empty() {
        return findings;
    }
    find_in(&without(series, &storms), price, grain).0
}

/// What makes a finding dear.
#[derive(Debug, Clone, Copy)]
struct Price {
    streams: usize,
    sensitivity: Sensitivity,
    /// This part of β is asked for.
    part: f64,
    /// First and last second of what is suspected.
    suspected: Option<(i64, i64)>,
}

impl Price {
    fn new(streams: usize, sensitivity: Sensitivity) -> Self {
        Self { streams, sensitivity, part: 1.0, suspected: None }
    }

    fn of(self, stream: &Stream<'_>) -> f64 {
        self.part * penalty(stream, self.streams, self.sensitivity)
    }
}

/// What is found, and the storms of one client that it may be distorted by.
fn find_in(series: &Series, price: Price, grain: Grain) -> (Findings, Vec<Storm>) {
    let stream = Stream::new(series);
    let mut findings = Findings::default();
    if stream.requests <= 0.0 {
        return (findings, Vec::new());
    }
    if stream.requests < FEWEST_REQUESTS {
        findings.caveats.push(Caveat::TooFewRequests);
    }
    let penalty = price.of(&stream);
    let proxied = Proxied::of(series);
    let mut model = Model::fit(&stream, penalty, grain, price.suspected);
    if baseline::unmasked_rate(&stream, &model.mask) >= BROKEN_RATE {
        findings.caveats.push(Caveat::NoHealthyPeriod);
        findings.incidents.extend(whole_recording(&stream, penalty));
        return (findings, Vec::new());
    }
    if model.dispersion >= SUSPICIOUS {
        findings.caveats.push(Caveat::Overdispersed);
    }
    // Failures that clump this much have heavier tails than φ tells.
    let factor = if model.dispersion >= SUSPICIOUS { OVERDISPERSED_FACTOR } else { 1.0 };
    let penalty = penalty * factor;
    let chains = model.settled.take().unwrap_or_else(|| model.chains(&stream, penalty));
    let scale = model.scale(&stream, penalty);
    let storms = storms(&stream, chains.iter().flat_map(|chain| &chain.runs), proxied);
    let candidates = gate(scale, chains, proxied);
    let context = Context::new(scale, &model.mask);
    for finding in locate_all(&context, candidates) {
        if is_blip(&stream, &finding) {
            findings.blips.push(finding);
        } else {
            findings.incidents.push(finding);
        }
    }
    findings.caveats.sort_unstable();
    (findings, storms)
}

/// β: nats per incident, more of them where there is more to look through.
pub(super) fn penalty(stream: &Stream<'_>, streams: usize, sensitivity: Sensitivity) -> f64 {
    let base = match sensitivity {
        Sensitivity::Low => 28.0,
        Sensitivity::Normal => 22.0,
        Sensitivity::High => 16.0,
    };
    let days = (stream.active_seconds / SECONDS_PER_DAY).max(1.0);
    base + days.ln() + (streams.max(1) as f64).ln()
}

/// Baseline and dispersion, and which slots they were not taken from.
struct Model {
    curve: Curve,
    dispersion: f64,
    mask: Vec<bool>,
    grain: Grain,
    /// The chains that one more look would find, if the last one changed nothing.
    settled: Option<Vec<Chain>>,
}

impl Model {
    /// `known`: first and last second of what the first baseline is not to know.
    fn fit(stream: &Stream<'_>, penalty: f64, grain: Grain, known: Option<(i64, i64)>) -> Self {
        let slots = stream.len();
        let mask = masked(stream, known.as_slice());
        let start = match known {
            Some(_) => baseline::unmasked_rate(stream, &mask),
            None => baseline::lowest_blocks_rate(stream),
        };
        let mut model =
            Self { curve: Curve::constant(slots, start), dispersion: 1.0, mask, grain, settled: None };
        let mut found = 1.0;
        for round in 0..ROUNDS {
            let mut chains = model.chains(stream, penalty);
            let mut mask = suspected(stream, &chains);
            if round == 0 && known.is_none() && chains.is_empty() && stream.failures <= FEW_FAILURES {
                model.curve = Curve::constant(slots, baseline::least_rate(stream));
                (chains, mask) = model.clustered(stream, penalty).unwrap_or((chains, mask));
            }
            if round == 0 && !credible(stream, &mask) {
                model.curve = Curve::constant(slots, baseline::overall_rate(stream));
                chains = model.chains(stream, penalty);
                mask = suspected(stream, &chains);
            }
            if round > 0 && mask == model.mask {
                // The same mask gives the same baseline, and so it stays.
                model.settled = (found < SUSPICIOUS).then_some(chains);
                break;
            }
            model.curve = baseline::local_rates(stream, &mask);
            found = dispersion(stream, &model.curve, &mask);
            model.dispersion = found.min(SUSPICIOUS);
            model.mask = mask;
        }
        model.dispersion = found;
        model
    }

    /// The chains that hold most of the failures in less than half of the traffic, and their slots.
    ///
    /// Where nearly nothing ever fails, the few failures of an incident are all that a first baseline knows. But then
    /// nothing else is known of what is usual either: they must lie much closer together than chance has them lie
    /// (generalised likelihood ratio of two shares against one).
    fn clustered(&self, stream: &Stream<'_>, penalty: f64) -> Option<(Vec<Chain>, Vec<bool>)> {
        let chains = self.chains(stream, penalty);
        let mask = suspected(stream, &chains);
        let inside = masked_sums(stream, &mask);
        let outside = (stream.requests - inside.requests, stream.failures - inside.failures);
        let share = |requests: f64, failures: f64| if requests > 0.0 { failures / requests } else { 0.0 };
        let all = share(stream.requests, stream.failures);
        let nats = inside.requests * divergence(share(inside.requests, inside.failures), all)
            + outside.0 * divergence(share(outside.0, outside.1), all);
        let together = inside.requests <= MOST_FLAGGED * stream.requests
            && inside.failures >= MOST_CLUSTERED * stream.failures
            && nats >= CLUSTERED_OF_PENALTY * penalty;
        together.then_some((chains, mask))
    }

    fn scale<'a>(&'a self, stream: &'a Stream<'a>, penalty: f64) -> Scale<'a> {
        Scale { stream, curve: &self.curve, dispersion: self.dispersion, penalty, grain: self.grain }
    }

    fn chains(&self, stream: &Stream<'_>, penalty: f64) -> Vec<Chain> {
        let mut emission = Errors::new(stream, &self.curve, self.dispersion, self.grain);
        let half = penalty / 2.0;
        let penalties = Penalties { enter: half, leave: half, change: LEVEL_CHANGE_NATS };
        let (runs, _) = segment(&mut emission, penalties);
        validate(self.scale(stream, penalty), &runs)
    }
}

/// Slots that the baseline should not be taken from: every valid chain, be it too small for an incident or one
/// client's, and 30 s to either side, unless that leaves too little of a short recording.
fn suspected(stream: &Stream<'_>, chains: &[Chain]) -> Vec<bool> {
    let span = |chain: &Chain| (stream.second(chain.first()), stream.last_second(chain.last()));
    masked(stream, &chains.iter().map(span).collect::<Vec<_>>())
}

/// The slots of some spans, first and last seconds, and of the margins beside them.
fn masked(stream: &Stream<'_>, spans: &[(i64, i64)]) -> Vec<bool> {
    let mask = |margin: i64| {
        let mut mask = vec![false; stream.len()];
        for (first, last) in spans {
            let from = first.saturating_sub(margin);
            let until = last.saturating_add(margin + 1);
            if let Some(masked) = mask.get_mut(stream.slots_between(from, until)) {
                masked.fill(true);
            }
        }
        mask
    };
    let (wide, narrow) = (mask(MASK_MARGIN_SECONDS), mask(0));
    let healthy = |mask: &[bool]| stream.requests - masked_sums(stream, mask).requests;
    if healthy(&wide) < LEAST_LEFT * healthy(&narrow) { narrow } else { wide }
}

fn masked_sums(stream: &Stream<'_>, mask: &[bool]) -> Sums {
    let mut sums = Sums::default();
    for (slot, _) in mask.iter().enumerate().filter(|&(_, &masked)| masked) {
        sums.add(stream.requests_at(slot), stream.failures_at(slot), 0.0);
    }
    sums
}

/// At most half of the traffic is flagged, or the flagged part fails so much more often than what remains that the
/// remainder is normal and the majority is not.
fn credible(stream: &Stream<'_>, mask: &[bool]) -> bool {
    let Sums { requests, failures, .. } = masked_sums(stream, mask);
    if requests <= MOST_FLAGGED * stream.requests {
        return true;
    }
    let rest = stream.requests - requests;
    let rest_rate = (stream.failures - failures + 0.5) / (rest + 1.0);
    let rate = failures / requests;
    rate >= MAJORITY_SHARE
        && rate >= MAJORITY_RATIO * rest_rate
        && rest >= MAJORITY_REST.0.max(MAJORITY_REST.1 * stream.requests)
}

/// A candidate with its edges.
struct Located {
    candidate: Candidate,
    start: Edge,
    end: Edge,
}

/// Exact edges for each candidate; those that turn out to lie close to each other become one.
fn locate_all(context: &Context<'_>, candidates: Vec<Candidate>) -> Vec<Finding> {
    let stream = context.scale.stream;
    let mut found: Vec<Located> = Vec::new();
    let mut candidates = candidates.into_iter().peekable();
    while let Some(mut candidate) = candidates.next() {
        let upper = candidates.peek().map_or(stream.len(), Candidate::first);
        loop {
            let far = |before: &Located| {
                let pause = stream
                    .second(candidate.first())
                    .saturating_sub(stream.last_second(before.candidate.last()));
                pause > LONGEST_JOIN_SECONDS
            };
            let lower = found.last().map_or(0, |before| {
                let edge = if far(before) { before.end.slot } else { 0 };
                edge.max(before.candidate.last()) + 1
            });
            let Some((start, end)) = edges(context, &candidate, lower, upper) else { break };
            let close = |before: &mut Located| {
                let spans = ((before.start.slot, before.end.slot), (start.slot, end.slot));
                !far(before) && (joins(stream, spans.0, spans.1) || hardly_apart(stream, spans.0, spans.1))
            };
            let Some(mut before) = found.pop_if(close) else {
                found.push(Located { candidate, start, end });
                break;
            };
            before.candidate.join(candidate);
            candidate = before.candidate;
        }
    }
    found.into_iter().map(|found| describe(context, &found.candidate, found.start, found.end)).collect()
}
