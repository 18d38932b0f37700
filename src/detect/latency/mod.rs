//! Stretches of slow requests: the order of the steps, from latencies to findings.

mod axis;
mod boundary;
mod dispersion;
mod effect;
mod emission;
mod exact;
mod finding;
mod gate;
mod groups;
mod kinds;
mod load;
mod normal;
mod profile;
mod record;
mod specific;
mod validate;

pub use exact::{Beside, Sharp, Sharpened, TimedRequest, sharpen};
pub use specific::slows_alone;

use axis::Axis;
use dispersion::{Dispersion, HIGHEST, SUSPICIOUS};
use emission::Slow;
use finding::{Frame, describe};
use gate::{Candidate, gate};
use groups::Groups;
use normal::{FIRST_NEIGHBOURHOOD_SECONDS, NEIGHBOURHOOD_SECONDS, Normal};
use record::Record;
use validate::{Scale, validate};

use super::baseline::Curve;
use super::boundary::{Edge, Side};
use super::finding::Context;
use super::gate::joins;
use super::segment::{Penalties, Run, segment};
use super::stream::Stream;
use super::validate::{Chain, LEVEL_CHANGE_NATS};
use super::{BLIP_SECONDS, Caveat, Finding, Findings, LatencySeries, Sensitivity};

/// Segment, mask and estimate again so often; the baseline no longer moves after that.
const ROUNDS: usize = 3;
/// Seconds beside an incident that don't count as healthy.
const MASK_MARGIN_SECONDS: i64 = 30;
/// The margins may take this part of the healthy requests at most.
const LEAST_LEFT: f64 = 0.5;
/// When so much of the traffic is flagged, the baseline is doubted.
const MOST_FLAGGED: f64 = 0.5;
/// It is believed all the same when the flagged part is slower by so much (f·ln s) …
const MAJORITY_EFFECT: f64 = 0.3;
/// … and the rest is so many requests and such a part of all.
const MAJORITY_REST: (f64, f64) = (30.0, 0.02);
/// With fewer requests than this not even a tenfold slowdown can be told from chance.
const FEWEST_REQUESTS: f64 = 30.0;

/// Finds stretches of slow requests in one stream. Pure, deterministic, no clock, no threads.
///
/// `streams` is the number of streams that are searched, which raises the penalty by its logarithm.
/// O(slots × (bins + levels)). Slow is against the latencies of the hours around it, not against a limit.
pub fn find_latency(series: &LatencySeries, streams: usize, sensitivity: Sensitivity) -> Findings {
    let counted = record::counted(series);
    let stream = Stream::new(&counted);
    let mut findings = Findings::default();
    if stream.requests <= 0.0 {
        return findings;
    }
    if stream.requests < FEWEST_REQUESTS {
        findings.caveats.push(Caveat::TooFewRequests);
    }
    let axis = Axis::of(series);
    let record = Record::new(series, &axis, &stream);
    let penalty = super::errors::penalty(&stream, streams, sensitivity);
    let groups = Groups::of(record);
    let mut model = Model::fit(record, groups.as_ref(), penalty);
    let runs = model.settled.take().unwrap_or_else(|| model.runs(record, groups.as_ref(), penalty));
    if model.dispersion.far >= HIGHEST {
        findings.caveats.push(Caveat::Overdispersed);
    }
    let scale = model.scale(record, penalty);
    let candidates = gate(scale, validate(scale, &runs, false));
    let curve = Curve::constant(stream.len(), 0.0);
    let counts = super::validate::Scale {
        stream: &stream,
        curve: &curve,
        dispersion: scale.dispersion,
        penalty,
        grain: super::emission::Grain::Whole,
    };
    let context = Context::new(counts, &model.mask);
    let frame = Frame { scale, dispersion: model.dispersion, context };
    for finding in locate_all(&frame, candidates) {
        if finding.lasted_seconds() < BLIP_SECONDS {
            findings.blips.push(finding);
        } else {
            findings.incidents.push(finding);
        }
    }
    findings
}

/// Baseline and dispersion, and which slots they were not taken from.
struct Model {
    normal: Normal,
    dispersion: Dispersion,
    mask: Vec<bool>,
    /// The runs that one more look would find, if the last one changed nothing.
    settled: Option<Vec<Run>>,
}

impl Model {
    fn fit(record: Record<'_>, groups: Option<&Groups>, penalty: f64) -> Self {
        let slots = record.len();
        let surges = load::surges(record.stream);
        let mut model = Self {
            normal: Normal::constant(record, &normal::lowest_blocks(record)),
            dispersion: Dispersion::NONE,
            mask: vec![false; slots],
            settled: None,
        };
        let mut found = Dispersion::NONE;
        for round in 0..ROUNDS {
            let mut runs = model.runs(record, groups, penalty);
            let mut mask = model.suspected(record, penalty, &runs);
            if round == 0 && !model.credible(record, penalty, &mask) {
                model.normal = Normal::constant(record, &normal::overall(record));
                runs = model.runs(record, groups, penalty);
                mask = model.suspected(record, penalty, &runs);
            }
            let reach = if round == 0 { FIRST_NEIGHBOURHOOD_SECONDS } else { NEIGHBOURHOOD_SECONDS };
            // the same mask as in the last round makes the same baseline
            let changed = round < 2 || mask != model.mask;
            if changed {
                // surges hold most requests of their hours, and tell how fast these are under that load alone
                let left_out: Vec<bool> = mask.iter().zip(&surges).map(|(a, b)| *a || *b).collect();
                model.normal = normal::local(record, &left_out, reach);
                found = Dispersion::of(record, &model.normal, &left_out);
            }
            let dispersion = if round + 1 < ROUNDS { found.at_most(SUSPICIOUS) } else { found };
            model.settled = (!changed && dispersion == model.dispersion).then_some(runs);
            model.dispersion = dispersion;
            model.mask = mask;
        }
        model
    }

    fn scale<'a>(&'a self, record: Record<'a>, penalty: f64) -> Scale<'a> {
        Scale { record, normal: &self.normal, dispersion: self.dispersion.far, penalty }
    }

    fn runs(&self, record: Record<'_>, groups: Option<&Groups>, penalty: f64) -> Vec<Run> {
        let half = penalty / 2.0;
        let penalties = Penalties { enter: half, leave: half, change: LEVEL_CHANGE_NATS };
        let (normal, dispersion) = (&self.normal, self.dispersion.far);
        let worth = groups.map(|groups| groups.worth(record, normal, dispersion, penalties));
        let mut emission = Slow::new(record, normal, dispersion, worth);
        segment(&mut emission, penalties).0
    }

    /// Slots that the baseline should not be taken from: every valid chain, be it too small for an incident, and 30 s
    /// to either side, unless that leaves too little of a short recording.
    fn suspected(&self, record: Record<'_>, penalty: f64, runs: &[Run]) -> Vec<bool> {
        let stream = record.stream;
        let chains = validate(self.scale(record, penalty), runs, true);
        let mask = |margin: i64| {
            let mut mask = vec![false; stream.len()];
            for chain in &chains {
                let from = stream.second(chain.first()).saturating_sub(margin);
                let until = stream.last_second(chain.last()).saturating_add(margin + 1);
                if let Some(masked) = mask.get_mut(stream.slots_between(from, until)) {
                    masked.fill(true);
                }
            }
            mask
        };
        let (wide, narrow) = (mask(MASK_MARGIN_SECONDS), mask(0));
        let healthy = |mask: &[bool]| stream.requests - requests_in(stream, mask);
        if healthy(&wide) < LEAST_LEFT * healthy(&narrow) { narrow } else { wide }
    }

    /// At most half of the traffic is flagged, or the flagged part is so much slower than what remains that the
    /// remainder is normal and the majority is not.
    fn credible(&self, record: Record<'_>, penalty: f64, mask: &[bool]) -> bool {
        let stream = record.stream;
        let flagged = requests_in(stream, mask);
        if flagged <= MOST_FLAGGED * stream.requests {
            return true;
        }
        let slots = mask.iter().enumerate().filter(|&(_, &masked)| masked).map(|(slot, _)| slot);
        let (state, _) = self.scale(record, penalty).evidence(slots).best();
        let rest = stream.requests - flagged;
        state.effect() >= MAJORITY_EFFECT && rest >= MAJORITY_REST.0.max(MAJORITY_REST.1 * stream.requests)
    }
}

fn requests_in(stream: &Stream<'_>, mask: &[bool]) -> f64 {
    let masked = mask.iter().enumerate().filter(|&(_, &masked)| masked);
    masked.map(|(slot, _)| stream.requests_at(slot)).sum()
}

/// A candidate with its edges.
struct Located {
    candidate: Candidate,
    start: Edge,
    end: Edge,
}

/// Exact edges for each candidate; those that turn out to lie close to each other become one.
fn locate_all(frame: &Frame<'_>, candidates: Vec<Candidate>) -> Vec<Finding> {
    let stream = frame.scale.record.stream;
    let mut found: Vec<Located> = Vec::new();
    let mut candidates = candidates.into_iter().peekable();
    while let Some(mut candidate) = candidates.next() {
        let upper = candidates.peek().map_or(stream.len(), Candidate::first);
        loop {
            let lower = found.last().map_or(0, |before| before.candidate.last() + 1);
            let Some((start, end)) = edges(frame, &candidate, lower, upper) else { break };
            let close = |before: &mut Located| {
                joins(stream, (before.start.slot, before.end.slot), (start.slot, end.slot))
            };
            let Some(mut before) = found.pop_if(close) else {
                found.push(Located { candidate, start, end });
                break;
            };
            before.candidate.join(candidate);
            candidate = before.candidate;
        }
    }
    found.into_iter().filter_map(|found| describe(frame, &found.candidate, found.start, found.end)).collect()
}

/// Both edges of a candidate, between its neighbours; `None` if they exclude each other.
fn edges(frame: &Frame<'_>, candidate: &Candidate, lower: usize, upper: usize) -> Option<(Edge, Edge)> {
    let stream = frame.scale.record.stream;
    let first = candidate.chains.first()?;
    let last = candidate.chains.last()?;
    let edge = |chain: &Chain, side, limit| {
        boundary::locate(frame.scale, frame.dispersion.near, (chain.first(), chain.last()), side, limit)
    };
    // Neither edge is looked for beyond a break in the data.
    let lower = (lower..=first.first()).rev().find(|&slot| stream.breaks_before(slot)).unwrap_or(lower);
    let upper = (last.last() + 1..upper).find(|&slot| stream.breaks_before(slot)).unwrap_or(upper);
    let start = edge(first, Side::Start, lower)?;
    let end = edge(last, Side::End, upper.saturating_sub(1))?;
    (start.slot <= end.slot).then_some((start, end))
}
