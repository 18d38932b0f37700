//! Requests that did not come: silences and partial drops of a site, and of one member of a group.
//!
//! Knows counts and nothing else: a failing request came. What is expected is learned from the recording (`expected`), so
//! what stops for a whole day, at the beginning or at the end of the recording is never missed: a log that is not at hand
//! looks the same, and "logging stopped" is not told from here.

mod axis;
mod describe;
mod expected;
mod partial;
mod silence;
mod spread;

use super::{BLIP_SECONDS, Caveat, Findings, Sensitivity, Series};
use axis::{Against, Axis};
use describe::{Drafted, describe};
use expected::{Expected, Mask};
use partial::Drop;
use spread::Spread;

/// Look, mask and estimate again so often.
const ROUNDS: usize = 3;
/// Seconds beside an incident that don't count as healthy.
const MASK_MARGIN_SECONDS: i64 = 30;
/// β for one day and one stream, in nats.
const PENALTY: f64 = 18.0;
/// With fewer requests than this nothing can be missed.
const FEWEST_REQUESTS: f64 = 30.0;
/// From this φ on requests clump too much for the model.
const SUSPICIOUS: f64 = 8.0;
/// What lasts less than a blip may is one if so many requests are missing that nothing else explains it; else it is nothing.
const EVIDENT_BLIP_REQUESTS: f64 = 50.0;
/// So many partial drops may there be, and as many more each day.
const MOST_DROPS: f64 = 3.0;
/// Where there are more, that is the way it is, and only what carries so many times the nats of the strongest of the
/// rest stands out.
const STANDING_OUT: f64 = 3.0;
/// A drop of which silences hold this part of what was expected is no partial one.
const SILENT_PART: f64 = 0.7;
/// A partial drop and a silence with a shorter pause between them are one incident.
const JOIN_SECONDS: i64 = 120;

/// Finds stretches in which requests to the whole of `series` did not come: silences, and with two days of history or more
/// also partial drops. Pure, deterministic, no clock, no threads.
///
/// Only [`Slot::requests`](super::Slot::requests) counts. [`Finding::start`](super::Finding::start) is the second after the
/// last request that came (the end of its slot), [`Finding::end`](super::Finding::end) the second before the first that
/// came back. Never found: the edges of the recording; a pause of a day or more; of four hours or more when there is no
/// other day to tell that nobody sleeps then. `streams` is the number of streams that are searched, which raises the
/// penalty by its logarithm. O(slots × levels + hours recorded).
pub fn find_traffic(series: &Series, streams: usize, sensitivity: Sensitivity) -> Findings {
    find(&Axis::of_site(series), streams, sensitivity)
}

/// Finds stretches in which one member of a group got none, or less than its share, of the requests while the others went
/// on. `peers` is the sum of the other members.
///
/// While nobody gets a request nothing is missed here; that is for [`find_traffic`]. A member that was never seen before
/// is not missed. One that is silent when the peers' data ends is: [`Boundary::open`](super::Boundary::open), with the last
/// second of the peers for its end. That is also how a log looks that was copied before those of the peers.
pub fn find_missing_member(
    member: &Series,
    peers: &Series,
    streams: usize,
    sensitivity: Sensitivity,
) -> Findings {
    find(&Axis::of_member(member, peers), streams, sensitivity)
}

fn find(axis: &Axis, streams: usize, sensitivity: Sensitivity) -> Findings {
    let mut findings = Findings::default();
    if axis.len() == 0 {
        return findings;
    }
    if axis.requests() < FEWEST_REQUESTS {
        findings.caveats.push(Caveat::TooFewRequests);
        return findings;
    }
    let penalty = penalty(axis, streams, sensitivity);
    let mut mask = Mask::new();
    let mut settled = None;
    for round in 1..ROUNDS {
        let model = Model::fit(axis, &mask, round == 1);
        let drafts = model.search(axis, model.spread.while_sought(), penalty);
        let next = mask_of(axis, &drafts);
        // the same mask gives the same model once more
        settled = (round > 1 && next == mask).then_some((model, drafts));
        mask = next;
    }
    let (model, drafts) = match settled {
        Some((model, drafts)) if model.spread.while_sought() == model.spread => (model, drafts),
        settled => {
            let model = settled.map_or_else(|| Model::fit(axis, &mask, false), |(model, _)| model);
            let drafts = model.search(axis, model.spread, penalty);
            (model, drafts)
        }
    };
    if model.spread.dispersion >= SUSPICIOUS {
        findings.caveats.push(Caveat::Overdispersed);
    }
    let drafts = joined(axis, drafts);
    for (index, draft) in drafts.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| drafts.get(index));
        let after = drafts.get(index + 1);
        let finding = describe(axis, &model, draft, (before, after), penalty);
        if finding.lasted_seconds() >= BLIP_SECONDS {
            findings.incidents.push(finding);
        } else if finding.lasted_seconds() >= 1 && draft.strength >= EVIDENT_BLIP_REQUESTS {
            findings.blips.push(finding);
        }
    }
    findings.caveats.sort_unstable();
    findings
}

/// β: nats per incident, more of them where there is more to look through.
fn penalty(axis: &Axis, streams: usize, sensitivity: Sensitivity) -> f64 {
    let base = match sensitivity {
        Sensitivity::Low => PENALTY + 5.0,
        Sensitivity::Normal => PENALTY,
        Sensitivity::High => PENALTY - 5.0,
    };
    base + axis.days().max(1.0).ln() + (streams.max(1) as f64).ln()
}

/// What normal is.
struct Model {
    expected: Expected,
    spread: Spread,
}

impl Model {
    fn fit(axis: &Axis, mask: &Mask, first: bool) -> Self {
        let expected = Expected::fit(axis, mask, first);
        let spread = Spread::of(axis, &expected, mask);
        Self { expected, spread }
    }

    fn search(&self, axis: &Axis, spread: Spread, penalty: f64) -> Vec<Drafted> {
        let silences = silence::silences(axis, &self.expected, spread.dispersion, penalty);
        let partly = axis.against == Against::Group || self.expected.history;
        let mut drafts: Vec<Drafted> = silences.iter().map(Drafted::silent).collect();
        if partly {
            let drops = partial::drops(axis, &self.expected, spread, penalty);
            for drop in standing_out(drops, MOST_DROPS * (1.0 + axis.days())) {
                // A drop that is a silence for the most part is told by that; else what is silent in it is chance.
                let inside =
                    drafts.iter().filter(|draft| draft.from < drop.until && draft.until > drop.from).map(
                        |draft| self.expected.within(draft.from.max(drop.from), draft.until.min(drop.until)),
                    );
                if inside.sum::<f64>() < SILENT_PART * self.expected.within(drop.from, drop.until) {
                    drafts.retain(|draft| draft.from < drop.from || draft.until > drop.until);
                    drafts.push(Drafted::partial(&drop));
                }
            }
        }
        drafts.sort_by_key(|draft| (draft.from, draft.until));
        drafts
    }
}

/// All drops if there are at most so many; else those that are far stronger than all the rest.
fn standing_out(mut drops: Vec<Drop>, most: f64) -> Vec<Drop> {
    let mut strengths: Vec<f64> = drops.iter().map(|drop| drop.strength).collect();
    strengths.sort_by(|a, b| b.total_cmp(a));
    let usual = strengths.iter().enumerate().find(|&(rank, _)| rank as f64 >= most.floor());
    if let Some((_, usual)) = usual {
        drops.retain(|drop| drop.strength >= STANDING_OUT * usual);
    }
    drops
}

fn mask_of(axis: &Axis, drafts: &[Drafted]) -> Mask {
    let mut mask = Mask::new();
    for draft in drafts {
        let from = axis.start(draft.from).saturating_sub(MASK_MARGIN_SECONDS);
        let until = axis.end(draft.until.saturating_sub(1)).saturating_add(MASK_MARGIN_SECONDS);
        match mask.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => mask.push((from, until)),
        }
    }
    mask
}

/// Drafts that are close to each other become one, unless both are silences: between those requests came.
fn joined(axis: &Axis, drafts: Vec<Drafted>) -> Vec<Drafted> {
    let mut joined: Vec<Drafted> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        match joined.last_mut() {
            Some(last)
                if draft.from < last.until
                    || ((last.partial || draft.partial)
                        && axis.start(draft.from).saturating_sub(axis.end(last.until - 1))
                            <= JOIN_SECONDS) =>
            {
                last.join(draft);
            }
            _ => joined.push(draft),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn among_many_drops_only_what_is_far_stronger_stands_out() {
        let drop = |from: usize, strength: f64| Drop {
            from,
            until: from + 1,
            strength,
            start_range: (0, 0),
            end_range: (0, 0),
            open: false,
        };
        let few = vec![drop(0, 20.0), drop(2, 30.0)];
        assert_eq!(standing_out(few.clone(), 6.0), few);
        let many: Vec<Drop> = (0..10).map(|i| drop(2 * i, if i == 4 { 200.0 } else { 20.0 })).collect();
        assert_eq!(standing_out(many, 6.0), [drop(8, 200.0)]);
    }
}
