//! Where it hurt: the values that explain more than "everything".
//!
//! For each dimension the requests fall into cells, one per value, each with the share that is affected when all is
//! well: its own, in the comparison window. A set S of values is judged by a likelihood ratio, LLR(S at f₁) + LLR(the
//! rest at f₂ < f₁) against LLR(all at f), every f by maximum likelihood and every cell with the same expectations, so
//! that what is always broken takes no blame and what hit everything names nobody.

use super::facts::ScopeItem;
use super::storms::Storms;
use crate::detect::{Effect, Finding, Signal, divergence};
use crate::inspect::{Closeup, Part, Tone};
use crate::model::{Dimension, Untrusted};

/// Share of the excess that the named values must hold.
const EXPLAINS: f64 = 0.8;
/// A place that is hit so many times as hard as the rest is another matter than whatever the rest went through.
const APART: f64 = 5.0;
/// How many times as often requests are affected with the values as without.
const CONTRAST: f64 = 5.0;
/// Affected requests beyond the expected ones that the named values must have.
const LEAST_EXCESS: f64 = 4.0;
/// Values named of one dimension, at most: more are no place.
const MOST: usize = 4;
/// Values with the largest excess that are tried, per dimension.
const TRIED: usize = 8;
/// Two values are the same requests when their counts agree so far.
const SAME: f64 = 0.02;
/// A narrower value with this part of the excess is what broke.
const CHILD_HOLDS: f64 = 0.9;
/// Nats by which another explanation must be better than the stream that detection found it in.
const CONTRADICTS: f64 = 6.0;
/// Nats by which a value that is affected more often than the site when all is well is a place of its own …
const OWN_SHARE: f64 = 8.0;
/// … of which so many requests are taken to be like the site's.
const OWN_SHRINK: f64 = 2.0;
/// Halvings in the search for f: to 10⁻⁹.
const HALVINGS: usize = 30;

/// Requests of one value: how many, how many affected, and the share affected when all is well.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    requests: f64,
    affected: f64,
    usual: f64,
}

impl Cell {
    fn excess(&self) -> f64 {
        self.affected - self.requests * self.usual
    }
}

/// What a set of cells amounts to.
#[derive(Debug, Clone, Copy, Default)]
struct Fit {
    /// Share of requests affected beyond what is usual.
    share: f64,
    /// Nats against "as usual".
    gain: f64,
}

/// Maximum likelihood of f in P(affected) = p + f(1 − p), over cells: the derivative falls, so halving finds its root.
fn fit<'a>(cells: impl Iterator<Item = &'a Cell> + Clone) -> Fit {
    let slope = |f: f64| {
        cells.clone().fold(0.0, |sum, cell| {
            let up = cell.affected * (1.0 - cell.usual) / (cell.usual + f * (1.0 - cell.usual));
            sum + up - (cell.requests - cell.affected) / (1.0 - f)
        })
    };
    let (mut low, mut high) = (0.0, 1.0 - 1e-9);
    if slope(low) <= 0.0 {
        return Fit::default();
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    let share: f64 = low;
    let gain = cells.fold(0.0, |sum, cell| {
        let passed = cell.requests - cell.affected;
        let failed = cell.affected * (share * (1.0 - cell.usual) / cell.usual).ln_1p();
        sum + failed + if passed > 0.0 { passed * (-share).ln_1p() } else { 0.0 }
    });
    Fit { share, gain: gain.max(0.0) }
}

/// One dimension, cut into cells; the last one is what has no value.
struct Cut<'a> {
    dimension: Dimension,
    tones: Vec<&'a Tone>,
    cells: Vec<Cell>,
    everything: Fit,
    excess: f64,
}

/// Values of one dimension that may be named.
#[derive(Debug, Clone)]
struct Set {
    dimension: Dimension,
    /// Positions in [`Cut::tones`], the one with the largest excess first.
    members: Vec<usize>,
    /// Nats beyond "everything", after its price.
    score: f64,
    share: f64,
    requests: f64,
    affected: f64,
    excess: f64,
}

/// What all cuts share.
struct Scale {
    all: Part,
    /// Those of single clients as well, which a figure does not leave out.
    whole: Part,
    usual: f64,
    dispersion: f64,
    candidates: f64,
}

/// Which counts an incident is about: affected requests, or slow ones among those with a latency. What single clients
/// met with alone is left out.
fn parts((signal, storms): (Signal, Storms), tone: &Tone) -> (Part, Part) {
    match signal {
        Signal::Latency => (tone.paced_inside, tone.paced_outside),
        Signal::Errors | Signal::Traffic => (storms.without(tone), tone.outside),
    }
}

/// The values that explain a finding of failing or slow requests, the one that explains it best first, equivalent ones
/// after it; empty when it was everything. `place` is what the stream is about that detection found it in.
pub(super) fn scope(
    finding: &Finding,
    place: Option<&(Dimension, Untrusted)>,
    closeup: &Closeup,
) -> Vec<ScopeItem> {
    let about = (finding.signal, Storms::of(closeup));
    let (all, outside) = parts(about, &closeup.total);
    let known = outside.requests > 0;
    let usual = if known {
        (outside.affected as f64 + 0.5) / (outside.requests as f64 + 1.0)
    } else {
        finding.baseline.error_share
    };
    let count = |tone: &&Tone| parts(about, tone).0.requests > 0;
    let candidates: usize = closeup
        .dimensions
        .values()
        .map(|values| values.iter().map(|(_, tone)| tone).filter(count).count())
        .sum();
    let scale = Scale {
        all,
        whole: parts((finding.signal, Storms::default()), &closeup.total).0,
        usual: usual.clamp(1e-6, 0.999),
        dispersion: finding.dispersion.max(1.0),
        candidates: candidates.max(1) as f64,
    };
    let cuts: Vec<Cut<'_>> = closeup
        .dimensions
        .iter()
        .filter_map(|(&dimension, values)| {
            let tones: Vec<&Tone> = values.iter().map(|(_, tone)| tone).filter(count).collect();
            cut(&scale, about, dimension, tones)
        })
        .collect();
    let sets: Vec<Set> = cuts.iter().flat_map(|cut| sets(&scale, cut)).collect();
    let chosen = choose(&scale, &cuts, &sets, place);
    let mut items = Vec::new();
    for set in chosen {
        let Some(cut) = cuts.iter().find(|cut| cut.dimension == set.dimension) else { continue };
        items.extend(set.members.iter().filter_map(|&at| item(&scale, finding, place, cut, at)));
    }
    items.truncate(2 * MOST);
    if items.is_empty() { unseen(finding, place, closeup).into_iter().collect() } else { items }
}

fn cut<'a>(
    scale: &Scale,
    about: (Signal, Storms),
    dimension: Dimension,
    mut tones: Vec<&'a Tone>,
) -> Option<Cut<'a>> {
    // A value that all requests have tells nothing.
    if tones.len() < 2 || scale.all.affected == 0 {
        return None;
    }
    tones.sort_by(|a, b| a.value.cmp(&b.value));
    let mut cells: Vec<Cell> = tones
        .iter()
        .map(|tone| {
            let (inside, outside) = parts(about, tone);
            Cell {
                requests: inside.requests as f64,
                affected: inside.affected as f64,
                usual: usual_of(outside, scale.usual).min(0.999),
            }
        })
        .collect();
    let sum = |of: fn(&Cell) -> f64| cells.iter().map(of).sum::<f64>();
    let requests = (scale.all.requests as f64 - sum(|c| c.requests)).max(0.0);
    let affected = (scale.all.affected as f64 - sum(|c| c.affected)).clamp(0.0, requests);
    cells.push(Cell { requests, affected, usual: scale.usual });
    let everything = fit(cells.iter());
    let excess = cells.iter().map(Cell::excess).sum();
    Some(Cut { dimension, tones, cells, everything, excess })
}

/// How often a value's requests are affected when all is well, from what it had beside the incident: shrunk towards the
/// share of the site, unless it is a place of its own, such as a route that is always broken, as a few requests can tell.
fn usual_of(outside: Part, site: f64) -> f64 {
    let (requests, affected) = (outside.requests as f64, outside.affected as f64);
    let share = affected / requests.max(1.0);
    // BIC's half logarithm for a share of its own
    let nats = requests * divergence(share, site) - 0.5 * requests.max(1.0).ln();
    let shrink = if share > site && nats >= OWN_SHARE { OWN_SHRINK } else { 20.0_f64.max(2.0 / site) };
    (affected + shrink * site) / (requests + shrink)
}

/// Single values that may be named, and the best set of several.
fn sets(scale: &Scale, cut: &Cut<'_>) -> Vec<Set> {
    let mut order: Vec<usize> = (0..cut.tones.len()).collect();
    let excess = |at: usize| cut.cells.get(at).map_or(0.0, Cell::excess);
    order.sort_by(|&a, &b| excess(b).total_cmp(&excess(a)).then(a.cmp(&b)));
    order.truncate(TRIED);
    let mut out: Vec<Set> = order.iter().filter_map(|&at| judge(scale, cut, &[at], true)).collect();
    let mut several: Option<Set> = None;
    let mut members: Vec<usize> = Vec::new();
    for _ in 0..MOST {
        let grown = order.iter().filter(|at| !members.contains(at)).filter_map(|&at| {
            let members = [members.as_slice(), &[at]].concat();
            judge(scale, cut, &members, false)
        });
        let Some(best) = grown.max_by(|a, b| a.score.total_cmp(&b.score).then(b.members.cmp(&a.members)))
        else {
            break;
        };
        members.clone_from(&best.members);
        let named = best.members.len() > 1 && judge(scale, cut, &best.members, true).is_some();
        if named && several.as_ref().is_none_or(|before| best.score > before.score) {
            several = Some(best);
        }
    }
    out.extend(several);
    out
}

/// What naming these values explains; `None` if the rest is hit harder or, for what is to be `named`, it is too little.
fn judge(scale: &Scale, cut: &Cut<'_>, members: &[usize], named: bool) -> Option<Set> {
    let with: Vec<Cell> = members.iter().filter_map(|&at| cut.cells.get(at)).copied().collect();
    let rest: Vec<Cell> =
        cut.cells.iter().enumerate().filter(|(at, _)| !members.contains(at)).map(|(_, cell)| *cell).collect();
    let (inside, outside) = (fit(with.iter()), fit(rest.iter()));
    if inside.share <= outside.share {
        return None;
    }
    let gain = (inside.gain + outside.gain - cut.everything.gain) / scale.dispersion;
    // BIC's half logarithm for the further share, and the choice among so many for each value.
    let price = 0.5 * (scale.all.requests.max(2) as f64).ln() + members.len() as f64 * scale.candidates.ln();
    let sum = |of: fn(&Cell) -> f64| with.iter().map(of).sum::<f64>();
    let set = Set {
        dimension: cut.dimension,
        members: members.to_vec(),
        score: gain - price,
        share: inside.share,
        requests: sum(|c| c.requests),
        affected: sum(|c| c.affected),
        excess: sum(Cell::excess),
    };
    let enough = set.score > 0.0
        && set.excess >= LEAST_EXCESS
        && set.excess >= EXPLAINS * cut.excess
        && inside.share >= CONTRAST * outside.share;
    (enough || !named).then_some(set)
}

/// Which of equivalent values is named first.
fn order(dimension: Dimension) -> usize {
    [Dimension::Path, Dimension::Upstream, Dimension::Vhost, Dimension::Source]
        .iter()
        .position(|&d| d == dimension)
        .unwrap_or(4)
}

fn same(a: &Set, b: &Set) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= SAME * a.max(b);
    near(a.requests, b.requests) && near(a.affected, b.affected)
}

/// The best set, narrowed where a narrower one holds nearly all of it, and those equivalent to it.
fn choose(scale: &Scale, cuts: &[Cut<'_>], sets: &[Set], place: Option<&(Dimension, Untrusted)>) -> Vec<Set> {
    let better = |a: &&Set, b: &&Set| {
        a.score
            .total_cmp(&b.score)
            .then(order(b.dimension).cmp(&order(a.dimension)))
            .then(b.members.cmp(&a.members))
    };
    let best = sets.iter().max_by(better).map(|best| {
        let holds = |set: &&Set| {
            set.dimension != best.dimension
                && set.members.len() == 1
                && set.excess >= CHILD_HOLDS * best.excess
                && set.requests < (1.0 - SAME) * best.requests
                && set.share > best.share
        };
        sets.iter()
            .filter(holds)
            .max_by(|a, b| a.share.total_cmp(&b.share).then(better(a, b)))
            .unwrap_or(best)
    });
    let stream = place.and_then(|place| of_stream(scale, cuts, place));
    let best = match (best, &stream) {
        (Some(best), Some(stream)) if stream.score + CONTRADICTS >= best.score || same(stream, best) => {
            stream
        }
        (Some(best), _) => best,
        (None, Some(stream)) => return vec![stream.clone()],
        (None, None) => return Vec::new(),
    };
    let mut named: Vec<Set> =
        sets.iter().filter(|set| set.members.len() == 1 && same(set, best)).cloned().collect();
    if best.members.len() > 1 {
        named.clear();
    }
    if !named.iter().any(|set| (set.dimension, &set.members) == (best.dimension, &best.members)) {
        named.push(best.clone());
    }
    let first = |set: &Set| {
        let is_stream =
            stream.as_ref().is_some_and(|s| (s.dimension, &s.members) == (set.dimension, &set.members));
        (!is_stream, order(set.dimension), set.dimension)
    };
    named.sort_by(|a, b| first(a).cmp(&first(b)).then(a.members.cmp(&b.members)));
    named
}

/// The value whose stream detection found the incident in, unless what was read again contradicts it.
fn of_stream(scale: &Scale, cuts: &[Cut<'_>], (dimension, value): &(Dimension, Untrusted)) -> Option<Set> {
    let cut = cuts.iter().find(|cut| cut.dimension == *dimension)?;
    let at = cut.tones.iter().position(|tone| *tone.value == *value.raw())?;
    let set = judge(scale, cut, &[at], false)?;
    let rest = cut.cells.iter().enumerate().filter(|&(other, _)| other != at).map(|(_, cell)| cell);
    let times = set.share / fit(rest).share.max(f64::MIN_POSITIVE);
    // A background that is somewhat higher meanwhile may come to more failures than a route that fails entirely.
    let apart = set.score > 0.0 && times >= APART;
    (times >= 2.0 && (apart || set.excess >= EXPLAINS * cut.excess)).then_some(set)
}

fn item(
    scale: &Scale,
    finding: &Finding,
    place: Option<&(Dimension, Untrusted)>,
    cut: &Cut<'_>,
    at: usize,
) -> Option<ScopeItem> {
    let (tone, cell) = (cut.tones.get(at)?, cut.cells.get(at)?);
    let (inside, _) = parts((finding.signal, Storms::default()), tone);
    let share = |affected: f64, of: f64| if of > 0.0 { affected / of } else { 0.0 };
    let (affected_percent, baseline_percent) = match finding.effect {
        Effect::Latency { share: slowed, .. } => {
            // Slow ones are counted over a threshold: their density says where, detection's share how many.
            let density =
                share(cell.excess(), cell.requests) / share(cut.excess, scale.all.requests as f64).max(1e-9);
            (slowed * if place.is_some() { 1.0 } else { density.max(0.0) }, 0.0)
        }
        Effect::Errors | Effect::Traffic { .. } => {
            (share(inside.affected as f64, inside.requests as f64), cell.usual)
        }
    };
    Some(ScopeItem {
        dimension: cut.dimension,
        value: Untrusted::new(&tone.value),
        affected_share: share(inside.affected as f64, scale.whole.affected as f64).min(1.0),
        affected_percent: affected_percent.clamp(0.0, 1.0) * 100.0,
        baseline_percent: baseline_percent * 100.0,
    })
}

/// A place of which nothing was read again (its value fell out of a sample): as detection tells it.
fn unseen(finding: &Finding, place: Option<&(Dimension, Untrusted)>, closeup: &Closeup) -> Option<ScopeItem> {
    let (dimension, value) = place?;
    let values = closeup.dimensions.get(dimension);
    if values.is_some_and(|v| v.iter().any(|(_, tone)| *tone.value == *value.raw())) {
        return None;
    }
    Some(ScopeItem {
        dimension: *dimension,
        value: value.clone(),
        affected_share: f64::NAN,
        affected_percent: f64::NAN,
        baseline_percent: finding.baseline.error_share * 100.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_is_always_broken_is_known_from_a_dozen_requests() {
        let part = |requests, affected| Part { requests, affected, ..Part::default() };
        assert!(usual_of(part(20, 12), 0.006) > 0.5);
        // one failure of a few requests is chance
        assert!(usual_of(part(20, 1), 0.006) < 0.01);
        // and so is none
        assert!(usual_of(part(20, 0), 0.006) > 0.005);
    }
}
