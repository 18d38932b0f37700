//! The segmenter: a Viterbi path through a normal state and a grid of levels. Knows nothing of what a level means.
//!
//! A path's score is the sum of its emissions' log-likelihood ratios against the normal state, less a penalty for each
//! entry, exit and change of level, all in nats. Errors, latency and traffic differ only in their [`Emission`].

#![allow(
    clippy::indexing_slicing,
    reason = "levels are bounded by MAX_LEVELS, slots by the emission's own length"
)]

/// As many levels as one packed back pointer can tell apart.
pub(super) const MAX_LEVELS: usize = 28;

/// What the data says for each level, slot by slot.
pub(super) trait Emission {
    /// Number of slots.
    fn slots(&self) -> usize;
    /// Number of levels, at most [`MAX_LEVELS`].
    fn levels(&self) -> usize;
    /// Log-likelihood ratio of each level against normal in this slot; −∞ for a level that may not be used, never NaN.
    fn gains(&mut self, slot: usize, out: &mut [f64]);
    /// The best path enters no level in this slot, as where every level's gain is clearly below 0. May say no of one of
    /// which that is so: the answer is the same, only later.
    fn declines(&self, _slot: usize) -> bool {
        false
    }
    /// No run may cross from the previous slot into this one.
    fn breaks_before(&self, slot: usize) -> bool;
}

/// What a path pays, in nats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Penalties {
    /// From normal to a level.
    pub(super) enter: f64,
    /// From a level to normal (also at the end of the data).
    pub(super) leave: f64,
    /// From one level to another.
    pub(super) change: f64,
}

/// Slots at one level, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) level: usize,
}

/// Where a level's best predecessor lies; two bits of a [`Step`].
const STAY: u64 = 0;
const FROM_NORMAL: u64 = 1;
const FROM_LEVEL: u64 = 2;
/// Left before a break and entered again behind it.
const ACROSS: u64 = 3;

/// One slot's back pointers: two bits per level, then the best level before it, then whether normal came from there.
#[derive(Debug, Clone, Copy)]
struct Step(u64);

const BEST_SHIFT: usize = 2 * MAX_LEVELS;
const NORMAL_BIT: u64 = 1 << 63;

impl Step {
    fn choice(self, level: usize) -> u64 {
        (self.0 >> (2 * level)) & 3
    }
    fn best_level(self) -> usize {
        usize::try_from((self.0 >> BEST_SHIFT) & 31).unwrap_or(0)
    }
    fn normal_from_level(self) -> bool {
        self.0 & NORMAL_BIT != 0
    }
}

/// The best path's runs, ascending, and its score. O(slots × levels); one word of memory per slot.
pub(super) fn segment(emission: &mut impl Emission, penalties: Penalties) -> (Vec<Run>, f64) {
    let levels = emission.levels().min(MAX_LEVELS);
    let slots = emission.slots();
    let mut steps = Vec::with_capacity(slots);
    let mut scores = [f64::NEG_INFINITY; MAX_LEVELS];
    let scores = &mut scores[..levels];
    let mut gains = [0.0_f64; MAX_LEVELS];
    let gains = &mut gains[..levels];
    let mut normal = 0.0_f64;
    // no path is at a level, as for most of most recordings
    let mut idle = true;
    for slot in 0..slots {
        let best_score = if idle { f64::NEG_INFINITY } else { highest(scores) };
        if best_score <= normal - penalties.enter && emission.declines(slot) {
            // Whatever is at a level here had better enter behind it.
            if !idle {
                scores.fill(f64::NEG_INFINITY);
                idle = true;
            }
            steps.push(Step(0));
            continue;
        }
        idle = false;
        emission.gains(slot, gains);
        let left = best_score - penalties.leave;
        let broken = emission.breaks_before(slot);
        let (entered, entered_by) = if broken && left > normal {
            (left - penalties.enter, ACROSS)
        } else {
            (normal - penalties.enter, FROM_NORMAL)
        };
        // What is best for a level but to stay is so for all of them.
        let changed = if broken { f64::NEG_INFINITY } else { best_score - penalties.change };
        let (other, other_by) = if changed > entered { (changed, FROM_LEVEL) } else { (entered, entered_by) };
        // which of them that was is asked of a path that comes from there, and of no other
        let from_level = other_by != FROM_NORMAL || left > normal;
        let best = if from_level { best_level(scores) } else { 0 };
        if broken {
            scores.fill(f64::NEG_INFINITY);
        }
        let mut moved = 0_u64;
        for (level, (score, gain)) in scores.iter_mut().zip(gains.iter()).enumerate() {
            moved |= u64::from(other > *score) << (2 * level);
            // as one instruction: no score is a NaN
            *score = if other > *score { other } else { *score } + gain;
        }
        let mut packed = (moved * other_by) | ((best as u64) << BEST_SHIFT);
        if left > normal {
            normal = left;
            packed |= NORMAL_BIT;
        }
        steps.push(Step(packed));
    }
    let left = highest(scores) - penalties.leave;
    let last = if left > normal { Some(best_level(scores)) } else { None };
    (trace(&steps, last), left.max(normal))
}

fn highest(scores: &[f64]) -> f64 {
    scores.iter().fold(f64::NEG_INFINITY, |most, &score| if score > most { score } else { most })
}

/// The first of the highest.
fn best_level(scores: &[f64]) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (level, &score) in scores.iter().enumerate() {
        if score > best.1 {
            best = (level, score);
        }
    }
    best.0
}

/// Follows the back pointers from the last slot's state (`None` is normal).
fn trace(steps: &[Step], mut state: Option<usize>) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut last = steps.len();
    for (slot, step) in steps.iter().enumerate().rev() {
        let Some(level) = state else {
            if step.normal_from_level() {
                state = Some(step.best_level());
                last = slot;
            }
            continue;
        };
        let choice = step.choice(level);
        if choice == STAY {
            continue;
        }
        runs.push(Run { first: slot, last: last.saturating_sub(1), level });
        last = slot;
        state = match choice {
            FROM_NORMAL => None,
            _ => Some(step.best_level()),
        };
    }
    runs.reverse();
    runs
}
