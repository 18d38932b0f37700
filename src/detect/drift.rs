//! Whether a stretch rises from its surroundings by a jump, or as a background does that wanders.
//!
//! Intervention analysis (Box and Tiao 1975; Harvey 1989, ch. 7): the share of failures in cells of time is a level that
//! wanders at random plus noise, and the stretch may add a constant. One pass of the Kalman filter over the counts and
//! over each regressor whitens them; ordinary least squares on what is left gives the nats that the constant is worth.

use super::segment::Run;
use super::validate::{Chain, Scale};

/// The level wanders by this part of itself in an hour, one standard deviation.
const WANDERS: f64 = 0.35;
const HOUR_SECONDS: f64 = 3600.0;
/// Cells last a tenth of the stretch within these bounds, longer where it would have more than [`MOST_CELLS`].
const CELL_SECONDS: (i64, i64) = (10, 60);
const CELLS: i64 = 10;
const MOST_CELLS: i64 = 200;
/// The surroundings reach as far as the stretch lasts to either side, within these bounds.
const BESIDE_SECONDS: (i64, i64) = (3600, 3 * 3600);

/// A neighbour with this part of the excess of a run is no better, …
const NO_BETTER: f64 = 0.8;
/// … and one with so many times its excess is another matter.
const MUCH_WORSE: f64 = 2.0;

/// Nats by which a stretch is better explained with a jump at either end than by drift.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Jump {
    /// Against a level that wanders.
    pub(super) against_drift: f64,
    /// Against one that wanders and jumps once, at the beginning or the end of the stretch, and stays.
    pub(super) against_shift: f64,
}

/// Some seconds of requests.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    requests: f64,
    failures: f64,
    /// Seconds; the middle of it.
    time: f64,
}

/// How a run of a chain differs from the slots in `beside` (first, one past the last): together with the neighbours that are
/// no better, but without what is more than twice as bad: that jumps by itself.
pub(super) fn jump(scale: Scale<'_>, run: Run, chain: &Chain, beside: (usize, usize)) -> Jump {
    let stream = scale.stream;
    let share = |run: &Run| scale.sums(run.first..=run.last).share();
    let own = share(&run);
    let no_better = |other: &&Run| share(other) >= NO_BETTER * own;
    let (earlier, later) = chain.runs.split_at(chain.runs.partition_point(|other| other.first <= run.first));
    let first = earlier.iter().rev().take_while(no_better).last().map_or(run.first, |run| run.first);
    let last = later.iter().take_while(no_better).last().map_or(run.last, |run| run.last);
    let run = Run { first, last, ..run };
    let (start, end) = (stream.second(run.first), stream.last_second(run.last));
    let lasts = end.saturating_sub(start).saturating_add(1);
    let reach = lasts.clamp(BESIDE_SECONDS.0, BESIDE_SECONDS.1);
    let length = (lasts / CELLS).clamp(CELL_SECONDS.0, CELL_SECONDS.1);
    let length = length.max(lasts / MOST_CELLS).max(stream.width);
    // Cells are counted from the edges, so that none holds slots of both sides.
    let worse: Vec<&Run> = chain.runs.iter().filter(|other| share(other) > MUCH_WORSE * own).collect();
    let calm = |slot: &usize| !worse.iter().any(|other| (other.first..=other.last).contains(slot));
    let inside = cells(scale, (run.first..=run.last).filter(calm), length);
    let near = |slot: &usize| {
        let second = stream.second(*slot);
        second >= start.saturating_sub(reach) && second <= end.saturating_add(reach)
    };
    let before = (beside.0..run.first).rev().take_while(near).filter(calm);
    let after = (run.last + 1..beside.1).take_while(near).filter(calm);
    let (before, after) = (cells(scale, before, length), cells(scale, after, length));
    compare(scale.dispersion, &before, &inside, &after)
}

/// The same of counts; `before` leads away from the stretch.
fn compare(dispersion: f64, before: &[Cell], inside: &[Cell], after: &[Cell]) -> Jump {
    let rate = |cells: &[&[Cell]]| {
        let sum = |of: fn(&Cell) -> f64| cells.iter().copied().flatten().map(of).sum::<f64>();
        ((sum(|c| c.failures) + 0.5) / (sum(|c| c.requests) + 1.0)).clamp(1e-9, 1.0 - 1e-9)
    };
    let (usual, raised) = (rate(&[before, after]), rate(&[inside]));
    let mut filter = Filter::new(WANDERS * usual);
    let parts = [
        (before.iter().rev().collect::<Vec<_>>(), usual, [0.0, 0.0, 1.0]),
        (inside.iter().collect(), raised, [1.0, 1.0, 1.0]),
        (after.iter().collect(), usual, [0.0, 1.0, 0.0]),
    ];
    for (cells, rate, [stretch, from_start, until_end]) in parts {
        for cell in cells {
            let noise = dispersion * rate * (1.0 - rate) / cell.requests;
            let columns = [cell.failures / cell.requests, stretch, from_start, until_end];
            filter.take(cell.time, columns, noise);
        }
    }
    let [stretch, from_start, until_end] = filter.nats();
    Jump { against_drift: stretch, against_shift: (stretch - from_start.max(until_end)).max(0.0) }
}

/// Counts of slots, in their order, by cells of a length; only those with requests.
fn cells(scale: Scale<'_>, slots: impl Iterator<Item = usize>, length: i64) -> Vec<Cell> {
    let stream = scale.stream;
    let mut out: Vec<Cell> = Vec::new();
    let mut began: Option<i64> = None;
    for slot in slots {
        let second = stream.second(slot);
        let origin = *began.get_or_insert(second);
        let is_new = out.is_empty() || second.abs_diff(origin) >= length.unsigned_abs();
        if is_new {
            out.push(Cell::default());
            began = Some(second);
        }
        let Some(cell) = out.last_mut() else { continue };
        let requests = stream.requests_at(slot);
        let sum = cell.requests + requests;
        if sum > 0.0 {
            cell.time += (second as f64 - cell.time) * requests / sum;
        }
        cell.requests = sum;
        cell.failures += stream.failures_at(slot);
    }
    out.retain(|cell| cell.requests > 0.0);
    out
}

/// The share that fails, and three regressors.
const COLUMNS: usize = 4;

/// A Kalman filter of the local level model, run over several columns at once: their gains are the same.
struct Filter {
    /// Variance that the level gains in a second.
    wanders: f64,
    state: Option<State>,
    /// Σ of products of the first column with each, and of each with itself, after whitening.
    products: [f64; COLUMNS],
    squares: [f64; COLUMNS],
}

struct State {
    time: f64,
    levels: [f64; COLUMNS],
    variance: f64,
}

impl Filter {
    /// `wanders`: the standard deviation that the level gains in an hour.
    fn new(wanders: f64) -> Self {
        let wanders = wanders * wanders / HOUR_SECONDS;
        Self { wanders, state: None, products: [0.0; COLUMNS], squares: [0.0; COLUMNS] }
    }

    fn take(&mut self, time: f64, columns: [f64; COLUMNS], noise: f64) {
        let Some(state) = &mut self.state else {
            // Nothing is known of the level before.
            self.state = Some(State { time, levels: columns, variance: noise });
            return;
        };
        let before = state.variance + self.wanders * (time - state.time).max(0.0);
        let total = before + noise;
        let gain = before / total;
        let [failing, ..] = columns;
        let [level, ..] = state.levels;
        let surprise = failing - level;
        let sums = self.products.iter_mut().zip(&mut self.squares);
        for ((column, level), (product, square)) in columns.iter().zip(&mut state.levels).zip(sums) {
            let innovation = column - *level;
            *product += surprise * innovation / total;
            *square += innovation * innovation / total;
            *level += gain * innovation;
        }
        (state.time, state.variance) = (time, before * (1.0 - gain));
    }

    /// What each regressor takes off half of the sum of squares, 0 where its coefficient is negative.
    fn nats(&self) -> [f64; COLUMNS - 1] {
        let [_, products @ ..] = self.products;
        let [_, squares @ ..] = self.squares;
        let mut nats = [0.0; COLUMNS - 1];
        for ((nats, product), square) in nats.iter_mut().zip(products).zip(squares) {
            if square > 0.0 {
                *nats = product.max(0.0).powi(2) / (2.0 * square);
            }
        }
        nats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::baseline::Curve;
    use crate::detect::emission::Grain;
    use crate::detect::stream::Stream;
    use crate::detect::{Series, Slot};

    /// The jump of 3,600–7,199 where 10 requests a second fail at 3 %, times what `times` says of each second.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few failures")]
    fn of(times: impl Fn(f64) -> f64) -> Jump {
        let mut due = 0.0;
        let slots = (0..10_800).map(|second| {
            due += 0.3 * times(f64::from(second));
            let failures = due as u32;
            due -= f64::from(failures);
            Slot { second: i64::from(second), requests: 10, failures, clients: None }
        });
        let series = Series { slots: slots.collect(), slot_seconds: 1, ..Series::default() };
        let stream = Stream::new(&series);
        let curve = Curve::constant(stream.len(), 0.03);
        let scale =
            Scale { stream: &stream, curve: &curve, dispersion: 1.0, penalty: 22.0, grain: Grain::Whole };
        let run = Run { first: 3600, last: 7199, level: 3 };
        jump(scale, run, &Chain { runs: vec![run], contrast: 0.0 }, (0, stream.len()))
    }

    #[test]
    fn what_rises_and_falls_within_an_hour_each_does_not_jump() {
        let wave = of(|second| 1.5 - 0.5 * (second / 10_800.0 * std::f64::consts::TAU).cos());
        assert!(wave.against_drift < 3.0, "{wave:?}");
    }

    #[test]
    fn what_doubles_from_one_second_to_the_next_and_back_jumps() {
        let step = of(|second| if (3600.0..7200.0).contains(&second) { 2.0 } else { 1.0 });
        assert!(step.against_drift > 20.0 && step.against_shift > 10.0, "{step:?}");
    }

    #[test]
    fn what_doubles_and_stays_may_be_a_new_background() {
        let stays = of(|second| if second >= 3600.0 { 2.0 } else { 1.0 });
        assert!(stays.against_drift > 3.0 && stays.against_shift < 1.0, "{stays:?}");
    }
}
