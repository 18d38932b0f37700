//! Which runs of the best path are an abrupt change and not drift.

use super::baseline::Curve;
use super::drift::jump;
use super::emission::Grain;
use super::gate::JOIN_SECONDS;
use super::segment::Run;
use super::stream::{Stream, Sums};

/// What a change of level costs, in nats: cheap ones chain unrelated clumps together.
pub(super) const LEVEL_CHANGE_NATS: f64 = 16.0;
/// A run carries at least this part of the penalty β.
const LEAST_OF_PENALTY: f64 = 0.35;
/// Nats by which inside and outside differ at an edge.
pub(super) const LEAST_CONTRAST: f64 = 6.0;
/// The same for a run with less than [`WEAK_RATIO`] times the expected failures: what drift amounts to, and with a
/// dozen windows to choose from chance makes 6 nats of it.
const LEAST_WEAK_CONTRAST: f64 = 12.0;
/// The same for what lasts so long and is within what a background may drift to.
const LEAST_LONG_CONTRAST: f64 = 12.0;
/// See [`LEAST_LONG_CONTRAST`].
const LONG_SECONDS: i64 = 1800;
/// A background may drift to so many times its usual rate: a run with less must jump by so many nats, …
const DRIFT_RATIO: f64 = 4.0;
/// See [`DRIFT_RATIO`].
const JUMP_NATS: f64 = 15.0;
/// … and with less than this, where a background may as well jump and stay, jump back by so many.
const WEAK_RATIO: f64 = 2.5;
/// See [`WEAK_RATIO`].
const JUMP_BACK_NATS: f64 = 4.0;
/// Factor by which the rate inside exceeds the one outside at that edge.
const LEAST_RATIO: f64 = 1.4;
/// Lengths, to either side of an edge, over which the rates are compared.
const WINDOWS_SECONDS: [i64; 6] = [30, 60, 180, 600, 1800, 7200];
/// The last window, 2 h, is for runs with fewer failures than this in half an hour …
const SPARSE_FAILURES: f64 = 12.0;
/// … and this one for those with fewer in two hours, where they are more than drift amounts to.
const SPARSE_WINDOW_SECONDS: i64 = 21_600;
/// However slow the stream, so many requests beside a run tell what is normal there.
const ENOUGH_REQUESTS: f64 = 20.0;

/// What fails in a respite, as a part of what does at the worst on either side.
const RESPITE_PART: f64 = 0.02;

/// With fewer requests than this between a chain and the end of the data, the chain touches it.
const EDGE_REQUESTS: f64 = 5.0;

/// Runs without a normal second between them, with the contrast of their better edge.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) runs: Vec<Run>,
    /// Nats, φ divided out.
    pub(super) contrast: f64,
}

impl Chain {
    pub(super) fn first(&self) -> usize {
        self.runs.first().map_or(0, |run| run.first)
    }
    pub(super) fn last(&self) -> usize {
        self.runs.last().map_or(0, |run| run.last)
    }
}

/// What runs are measured against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale<'a> {
    pub(super) stream: &'a Stream<'a>,
    pub(super) curve: &'a Curve,
    pub(super) dispersion: f64,
    /// β, in nats.
    pub(super) penalty: f64,
    /// What the requests are.
    pub(super) grain: Grain,
}

impl Scale<'_> {
    pub(super) fn sums(&self, slots: impl Iterator<Item = usize>) -> Sums {
        let mut sums = Sums::default();
        for slot in slots {
            sums.add(self.stream.requests_at(slot), self.stream.failures_at(slot), self.curve.rate(slot));
        }
        sums
    }

    /// Log-likelihood ratio of some slots against the baseline, divided by φ.
    pub(super) fn strength(&self, slots: impl Iterator<Item = usize>) -> f64 {
        self.sums(slots).llr() / self.dispersion
    }
}

/// Chains cut down to what the data carries: weak or drifting runs fall off either end; a chain of nothing else is gone.
pub(super) fn validate(scale: Scale<'_>, runs: &[Run]) -> Vec<Chain> {
    let mut chains = chains_of(scale.stream, runs);
    for chain in &mut chains {
        merge_like_runs(scale, &mut chain.runs);
    }
    cut(scale.stream, &chains, |run, beside, chain| {
        let judged = Judged::of(scale, run, chain, beside);
        if is_respite(scale, run, chain) { Judged { contrast: None, weak: true, ..judged } } else { judged }
    })
}

/// Minutes in which next to nothing fails, against what does before and behind them: it divides two incidents, though a
/// little more may fail than usually.
fn is_respite(scale: Scale<'_>, run: Run, chain: &Chain) -> bool {
    if scale.stream.lasts((run.first, run.last)) <= JOIN_SECONDS || chain.runs.len() < 3 {
        return false;
    }
    let share = |run: &Run| scale.sums(run.first..=run.last).share();
    let (before, after) = chain.runs.split_at(chain.runs.partition_point(|other| other.first <= run.first));
    let most = |runs: &[Run]| runs.iter().filter(|other| **other != run).map(share).fold(0.0, f64::max);
    share(&run) <= RESPITE_PART * most(before).min(most(after))
}

/// Cuts chains where the runs that `judge` finds weak end them; it gets a run, the slots between the neighbours of
/// its chain (the upper one excluded), and the chain.
pub(super) fn cut(
    stream: &Stream<'_>,
    chains: &[Chain],
    judge: impl Fn(Run, (usize, usize), &Chain) -> Judged,
) -> Vec<Chain> {
    let mut valid = Vec::new();
    for (index, chain) in chains.iter().enumerate() {
        let lower = if index == 0 { 0 } else { chains.get(index - 1).map_or(0, |chain| chain.last() + 1) };
        let upper = chains.get(index + 1).map_or(stream.len(), Chain::first);
        let judged = chain.runs.iter().map(|&run| judge(run, (lower, upper), chain)).collect::<Vec<_>>();
        let open_start = touches_data_edge(stream, lower, chain.first());
        let open_end = touches_data_edge(stream, chain.last() + 1, upper);
        // A weak run holds nothing together: two incidents with hours of drift between them are two.
        for piece in judged.split(|run| run.contrast.is_none() && run.weak) {
            let Some(first) = piece.iter().position(|run| run.contrast.is_some()) else { continue };
            let last = piece.iter().rposition(|run| run.contrast.is_some()).unwrap_or(first);
            // Where the data begins or ends inside a chain there is no outside to differ from: nothing speaks for
            // drift.
            let at_start = open_start && piece.first().is_some_and(|run| run.run.first == chain.first());
            let at_end = open_end && piece.last().is_some_and(|run| run.run.last == chain.last());
            let kept = if at_start { 0 } else { first }..if at_end { piece.len() } else { last + 1 };
            let kept = piece.get(kept).unwrap_or_default();
            valid.push(Chain {
                runs: kept.iter().map(|run| run.run).collect(),
                contrast: kept.iter().filter_map(|run| run.contrast).fold(0.0, f64::max),
            });
        }
    }
    valid
}

/// A run and what speaks for it.
pub(super) struct Judged {
    pub(super) run: Run,
    /// Nats at its better edge, if it is valid by itself.
    pub(super) contrast: Option<f64>,
    /// So little more than expected that drift may be all there is.
    pub(super) weak: bool,
}

impl Judged {
    fn of(scale: Scale<'_>, run: Run, chain: &Chain, beside: (usize, usize)) -> Self {
        let sums = scale.sums(run.first..=run.last);
        let weak = is_weak(sums);
        let is_drift = || {
            if sums.failures >= DRIFT_RATIO * sums.expected {
                return false;
            }
            let jump = jump(scale, run, chain, beside);
            jump.against_drift < JUMP_NATS || weak && jump.against_shift < JUMP_BACK_NATS
        };
        let contrast = contrast_if_valid(scale, run, beside).filter(|_| !is_drift());
        Self { run, contrast, weak }
    }
}

/// Hardly any request lies between a chain and the limit of its session of data.
fn touches_data_edge(stream: &Stream<'_>, from: usize, until: usize) -> bool {
    let at_limit = until <= from || from == 0 || until == stream.len();
    at_limit && (from..until).map(|slot| stream.requests_at(slot)).sum::<f64>() < EDGE_REQUESTS
}

pub(super) fn chains_of(stream: &Stream<'_>, runs: &[Run]) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    for &run in runs {
        match chains.last_mut() {
            Some(chain) if chain.last() + 1 == run.first && !stream.breaks_before(run.first) => {
                chain.runs.push(run);
            }
            _ => chains.push(Chain { runs: vec![run], contrast: 0.0 }),
        }
    }
    chains
}

/// Neighbouring runs whose own rates differ by less than a change of level costs become one: the grid may lie to either
/// side of a constant rate, and the path hops between its two nearest levels.
fn merge_like_runs(scale: Scale<'_>, runs: &mut Vec<Run>) {
    merge_alike(
        runs,
        |run| scale.sums(run.first..=run.last),
        |one, other| one.plus(*other),
        |sums| sums.llr() / scale.dispersion,
    );
}

/// Joins neighbouring runs that are worth less than a change of level more apart than together.
pub(super) fn merge_alike<E>(
    runs: &mut Vec<Run>,
    evidence: impl Fn(Run) -> E,
    plus: impl Fn(&E, &E) -> E,
    nats: impl Fn(&E) -> f64,
) {
    let mut summed: Vec<(Run, E)> = runs.iter().map(|&run| (run, evidence(run))).collect();
    loop {
        let before = summed.len();
        let mut merged: Vec<(Run, E)> = Vec::with_capacity(before);
        for (run, own) in summed {
            if let Some((last, of_last)) = merged.last_mut() {
                let both = plus(of_last, &own);
                if nats(of_last) + nats(&own) - nats(&both) < LEVEL_CHANGE_NATS {
                    *last = Run { last: run.last, ..*last };
                    *of_last = both;
                    continue;
                }
            }
            merged.push((run, own));
        }
        summed = merged;
        if summed.len() == before {
            break;
        }
    }
    *runs = summed.into_iter().map(|(run, _)| run).collect();
}

fn is_weak(sums: Sums) -> bool {
    sums.failures < WEAK_RATIO * sums.expected
}

fn contrast_if_valid(scale: Scale<'_>, run: Run, (lower, upper): (usize, usize)) -> Option<f64> {
    if scale.strength(run.first..=run.last) < LEAST_OF_PENALTY * scale.penalty {
        return None;
    }
    let stream = scale.stream;
    let of_run = scale.sums(run.first..=run.last);
    let rate = of_run.failures / of_run.requests.max(1.0);
    let drifts = of_run.failures < DRIFT_RATIO * of_run.expected;
    let longest = if drifts { None } else { Some(SPARSE_WINDOW_SECONDS) };
    let windows: Vec<i64> = WINDOWS_SECONDS.into_iter().chain(longest).collect();
    let at_start =
        contrast(scale, rate, &windows, (run.first..=run.last, (lower..run.first).rev()), |slot| {
            stream.second(slot).abs_diff(stream.second(run.first))
        });
    let at_end =
        contrast(scale, rate, &windows, ((run.first..=run.last).rev(), run.last + 1..upper), |slot| {
            stream.second(slot).abs_diff(stream.second(run.last))
        });
    let best = at_start.max(at_end);
    let least = if is_weak(of_run) {
        LEAST_WEAK_CONTRAST
    } else if stream.lasts((run.first, run.last)) >= LONG_SECONDS && drifts {
        LEAST_LONG_CONTRAST
    } else {
        LEAST_CONTRAST
    };
    (best >= least).then_some(best)
}

/// The largest two-sample likelihood ratio, divided by φ, of the slots (inside, outside) an edge over all windows in
/// which the rate inside is the higher by [`LEAST_RATIO`]; 0 if there is none.
///
/// Inside counts for no more than the rate of the whole run: a blip at its edge makes no abrupt change of a drift.
fn contrast(
    scale: Scale<'_>,
    rate: f64,
    windows: &[i64],
    (inside, outside): (impl Iterator<Item = usize>, impl Iterator<Item = usize>),
    distance: impl Fn(usize) -> u64,
) -> f64 {
    let (mut inside, mut outside) = (inside.peekable(), outside.peekable());
    let (mut within, mut beyond) = (Sums::default(), Sums::default());
    let mut best = 0.0_f64;
    for &window in windows {
        if window > 1800 && within.failures >= SPARSE_FAILURES {
            break;
        }
        let reach = window.unsigned_abs();
        while let Some(slot) = inside.next_if(|&slot| distance(slot) < reach) {
            within.add(scale.stream.requests_at(slot), scale.stream.failures_at(slot), 0.0);
        }
        while let Some(slot) = outside.next_if(|&slot| distance(slot) <= reach) {
            beyond.add(scale.stream.requests_at(slot), scale.stream.failures_at(slot), 0.0);
        }
        best = best.max(two_sample(within.at_most(rate), beyond));
    }
    for slot in outside {
        if beyond.requests >= ENOUGH_REQUESTS {
            break;
        }
        beyond.add(scale.stream.requests_at(slot), scale.stream.failures_at(slot), 0.0);
    }
    for slot in inside {
        if within.requests >= ENOUGH_REQUESTS {
            break;
        }
        within.add(scale.stream.requests_at(slot), scale.stream.failures_at(slot), 0.0);
    }
    best.max(two_sample(within.at_most(rate), beyond)) / scale.dispersion
}

/// 2 samples, one rate or two: Σ k·ln(k/n ÷ K/N) over failed and passed; 0 unless the first rate is the higher.
fn two_sample(a: Sums, b: Sums) -> f64 {
    if a.requests <= 0.0 || b.requests <= 0.0 {
        return 0.0;
    }
    if a.failures * b.requests < LEAST_RATIO * b.failures * a.requests || a.failures <= 0.0 {
        return 0.0;
    }
    let both = (a.failures + b.failures) / (a.requests + b.requests);
    let term =
        |count: f64, of: f64, rate: f64| if count > 0.0 { count * (count / of / rate).ln() } else { 0.0 };
    let side =
        |s: Sums| term(s.failures, s.requests, both) + term(s.requests - s.failures, s.requests, 1.0 - both);
    side(a) + side(b)
}
