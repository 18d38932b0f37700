//! How many requests should have come: the shape of the day, times a level near each moment that no incident drags along.

#![allow(clippy::indexing_slicing, reason = "one rate per cell, one bin per cell length, by construction")]

use super::axis::{Against, Axis};

const DAY: i64 = 86_400;
/// Lengths of a cell, each a part of a day: the first that holds [`CELL_REQUESTS`] on average.
const CELL_SECONDS: [i64; 14] =
    [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY];
/// So many requests make a rate that a median can be taken of.
const CELL_REQUESTS: f64 = 15.0;
/// Cells are five minutes long where requests allow it …
const USUAL_CELL_SECONDS: i64 = 300;
/// … and shorter in a short recording, so that it has about so many.
const CELLS_OF_SHORT: f64 = 30.0;
/// Longer recordings get longer cells: two hundred thousand hold two years at five minutes.
const MOST_CELLS: f64 = 200_000.0;
/// The level is taken from this much to either side, in turn until enough is left unmasked.
const REACH_SECONDS: [i64; 3] = [2 * 3600, 4 * 3600, 8 * 3600];
/// But from so many cells at least.
const REACH_CELLS: i64 = 6;
/// Unmasked time that makes a level.
const ENOUGH_SECONDS: f64 = 3600.0;
/// A cell with more than so many times the median is a surge, and no part of what is normal.
const SURGE: f64 = 2.5;
/// Cells with less than this part of the largest weight are too noisy for the median.
const LEAST_WEIGHT: f64 = 0.2;
/// The shape of a day is smoothed until it is taken from so many requests each day …
const SMOOTH_REQUESTS: f64 = 120.0;
/// … but not over more than this to either side.
const SMOOTH_SECONDS: i64 = 1800;
/// From so many days on the day has a shape.
const HISTORY_DAYS: f64 = 1.9;

/// A night has what is expected in it at its ends, when the hours differ a little from day to day. At least
/// this part of it …
const CORE_EXPECTED: f64 = 0.4;
/// … must be in this part in the middle.
const CORE: f64 = 0.8;

/// Stretches that tell nothing about what is normal, half-open, ascending.
pub(super) type Mask = Vec<(i64, i64)>;

/// Half-open seconds with one rate.
#[derive(Debug, Clone, Copy)]
struct Step {
    from: i64,
    until: i64,
    /// Requests expected per second.
    rate: f64,
    /// Requests per second at that time of the other days.
    typical: f64,
}

/// Requests that each piece of an axis should have had.
#[derive(Debug)]
pub(super) struct Expected {
    /// Ascending, of a site.
    steps: Vec<Step>,
    pieces: Vec<f64>,
    /// Sums before each piece; one more entry than pieces.
    sums: Vec<f64>,
    /// The days' own rhythm is known.
    pub(super) history: bool,
}

impl Expected {
    /// Of one piece.
    pub(super) fn of(&self, piece: usize) -> f64 {
        self.pieces.get(piece).copied().unwrap_or(0.0)
    }

    /// Of a half-open range of pieces.
    pub(super) fn within(&self, from: usize, until: usize) -> f64 {
        let at = |index: usize| self.sums.get(index).or(self.sums.last()).copied().unwrap_or(0.0);
        (at(until) - at(from)).max(0.0)
    }

    /// Hardly anything is expected but at the ends.
    pub(super) fn hollow(&self, axis: &Axis, from: usize, until: usize) -> bool {
        let (start, end) = (axis.start(from), axis.end(until.saturating_sub(1)));
        #[allow(clippy::cast_possible_truncation, reason = "a part of a day")]
        let margin = (end.saturating_sub(start) as f64 * (1.0 - CORE) / 2.0) as i64;
        let (start, end) = (start.saturating_add(margin), end.saturating_sub(margin));
        let core = self.over(start, end, |step| step.rate);
        core < CORE_EXPECTED * self.within(from, until)
    }

    /// What comes on most days at the time of some pieces of a site.
    pub(super) fn typical(&self, axis: &Axis, from: usize, until: usize) -> f64 {
        self.over(axis.start(from), axis.end(until.saturating_sub(1)), |step| step.typical)
    }

    /// A rate summed over half-open seconds.
    fn over(&self, start: i64, end: i64, rate: impl Fn(&Step) -> f64) -> f64 {
        let first = self.steps.partition_point(|step| step.until <= start);
        let of_step =
            |step: &Step| rate(step) * step.until.min(end).saturating_sub(step.from.max(start)).max(0) as f64;
        self.steps.iter().skip(first).take_while(|step| step.from < end).map(of_step).sum()
    }

    /// Fits what is expected to what is not masked; `first` says that nothing could be masked yet, so that the level is
    /// taken from a wider neighbourhood, whose median an incident of hours can't reach.
    pub(super) fn fit(axis: &Axis, mask: &Mask, first: bool) -> Self {
        let length = cell_length(axis);
        let mut cells = cells(axis, mask, length);
        let history = axis.against == Against::Time && axis.days() >= HISTORY_DAYS;
        let shape = if history { shape(&cells, length) } else { Vec::new() };
        for cell in &mut cells {
            cell.shape = shape.get(bin(cell.begin, length)).copied().unwrap_or(1.0);
        }
        let rates = levels(&cells, length, first);
        let mut pieces = Vec::with_capacity(axis.len());
        let mut at = 0;
        for piece in axis.pieces() {
            while at < cells.len() && cells[at].begin.saturating_add(length) <= piece.start {
                at += 1;
            }
            let seconds = piece.end.saturating_sub(piece.start).max(1) as f64;
            let overlapped = cells[at..].iter().zip(&rates[at..]);
            let expected: f64 = overlapped
                .take_while(|(cell, _)| cell.begin < piece.end)
                .map(|(cell, rate)| cell.part(piece.start, piece.end, length) * cell.shape * rate)
                .sum();
            pieces.push(expected / seconds * piece.exposure);
        }
        let mut sums = Vec::with_capacity(pieces.len() + 1);
        let mut sum = 0.0;
        for expected in &pieces {
            sums.push(sum);
            sum += expected;
        }
        sums.push(sum);
        let usual = overall(&cells);
        let step = |(cell, rate): (&Cell, &f64)| Step {
            from: cell.begin,
            until: cell.begin.saturating_add(length),
            rate: cell.shape * rate,
            typical: cell.shape * usual,
        };
        let steps = cells.iter().zip(&rates).map(step).collect();
        Self { steps, pieces, sums, history }
    }
}

/// A stretch of time with one level.
#[derive(Debug, Clone, Copy)]
struct Cell {
    begin: i64,
    /// Unmasked requests, exposure and seconds.
    count: f64,
    exposure: f64,
    seconds: f64,
    /// The same, masked or not.
    all_count: f64,
    all_seconds: f64,
    shape: f64,
}

impl Cell {
    /// Seconds of the half-open range that lie in this cell.
    fn part(&self, from: i64, until: i64, length: i64) -> f64 {
        let end = self.begin.saturating_add(length).min(until);
        end.saturating_sub(self.begin.max(from)).max(0) as f64
    }
    fn weight(&self) -> f64 {
        self.exposure * self.shape
    }
}

fn bin(begin: i64, length: i64) -> usize {
    usize::try_from(begin.rem_euclid(DAY) / length).unwrap_or(0)
}

fn cell_length(axis: &Axis) -> i64 {
    let seconds = axis.active_seconds.max(1.0);
    let rate = axis.requests() / seconds;
    let usual = (seconds / CELLS_OF_SHORT).min(USUAL_CELL_SECONDS as f64);
    let fits = |length: i64| {
        let long = length as f64;
        length >= axis.width
            && long * rate >= CELL_REQUESTS
            && seconds / long <= MOST_CELLS
            && long * 2.0 > usual
    };
    CELL_SECONDS.into_iter().find(|&length| fits(length)).unwrap_or(DAY)
}

fn cells(axis: &Axis, mask: &Mask, length: i64) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut masked = mask.iter().peekable();
    // The cell that a piece begins in is the last one so far, or it is new.
    for piece in axis.pieces() {
        while masked.next_if(|&&(_, until)| until <= piece.start).is_some() {}
        let hidden = masked.peek().is_some_and(|&&(from, _)| from < piece.end);
        let seconds = piece.end.saturating_sub(piece.start).max(1) as f64;
        let mut begin = piece.start.div_euclid(length).saturating_mul(length);
        let mut count = piece.count;
        while begin < piece.end {
            if cells.last().is_none_or(|cell| cell.begin < begin) {
                cells.push(Cell {
                    begin,
                    count: 0.0,
                    exposure: 0.0,
                    seconds: 0.0,
                    all_count: 0.0,
                    all_seconds: 0.0,
                    shape: 1.0,
                });
            }
            let Some(cell) = cells.last_mut() else { break };
            let part = cell.part(piece.start, piece.end, length);
            cell.all_count += count;
            cell.all_seconds += part;
            if !hidden {
                cell.count += count;
                cell.seconds += part;
                cell.exposure += piece.exposure * part / seconds;
            }
            count = 0.0;
            let next = begin.saturating_add(length);
            if next <= begin {
                break;
            }
            begin = next;
        }
    }
    cells
}

/// Requests per second at each time of the day: the median over the days of their smoothed rates. Days that are masked at
/// that time don't count, unless that is most of them: what is missing on most days is not missed.
fn shape(cells: &[Cell], length: i64) -> Vec<f64> {
    let bins = usize::try_from(DAY / length).unwrap_or(1).max(1);
    let rate = overall(cells);
    #[allow(clippy::cast_possible_truncation, reason = "at most half an hour")]
    let reach = (SMOOTH_REQUESTS / rate / 2.0).min(SMOOTH_SECONDS as f64) as i64;
    let reach = reach.max(length);
    let mut clear: Vec<Vec<f64>> = vec![Vec::new(); bins];
    let mut all: Vec<Vec<f64>> = vec![Vec::new(); bins];
    let (mut from, mut until) = (0, 0);
    let mut sums = [0.0_f64; 4];
    for cell in cells {
        while until < cells.len() && cells[until].begin.saturating_sub(cell.begin) <= reach {
            add(&mut sums, &cells[until], 1.0);
            until += 1;
        }
        while from < until && cell.begin.saturating_sub(cells[from].begin) > reach {
            add(&mut sums, &cells[from], -1.0);
            from += 1;
        }
        let [count, seconds, all_count, all_seconds] = sums;
        let bin = bin(cell.begin, length).min(bins - 1);
        if cell.seconds >= length as f64 / 2.0 && seconds > 0.0 {
            clear[bin].push((count / seconds).max(0.0));
        }
        if cell.all_seconds >= length as f64 / 2.0 && all_seconds > 0.0 {
            all[bin].push((all_count / all_seconds).max(0.0));
        }
    }
    let mut shape: Vec<f64> = clear
        .iter_mut()
        .zip(&mut all)
        .map(|(clear, all)| {
            let masked = all.len().saturating_sub(clear.len());
            if clear.is_empty() || clear.len() < masked {
                return middle(all).unwrap_or(rate);
            }
            if masked > 0 && clear.len() == 2 {
                // Of two that are left one may be a crawler's; what it made the third day lack is not missed.
                return clear.iter().copied().fold(f64::INFINITY, f64::min);
            }
            middle(clear).unwrap_or(rate)
        })
        .collect();
    for of_bin in &mut shape {
        *of_bin /= rate;
    }
    shape
}

/// Requests per second of all, masked or not; never 0.
fn overall(cells: &[Cell]) -> f64 {
    let add =
        |(count, seconds): (f64, f64), cell: &Cell| (count + cell.all_count, seconds + cell.all_seconds);
    let (count, seconds) = cells.iter().fold((0.0, 0.0), add);
    (count / f64::max(seconds, 1.0)).max(f64::MIN_POSITIVE)
}

fn add(sums: &mut [f64; 4], cell: &Cell, sign: f64) {
    let values = [cell.count, cell.seconds, cell.all_count, cell.all_seconds];
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += sign * value;
    }
}

/// The median; of an even number the mean of the middle two.
fn middle(values: &mut [f64]) -> Option<f64> {
    let half = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let odd = values.len() % 2 == 1;
    let (below, &mut upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| !odd);
    Some(lower.map_or(upper, |lower| f64::midpoint(lower, upper)))
}

/// Requests per unit of weight near each cell: the mean without surges of the unmasked cells around it.
fn levels(cells: &[Cell], length: i64, first: bool) -> Vec<f64> {
    let overall = Around::new(cells).level(0, cells.len()).map_or(0.0, |(rate, _)| rate);
    let mut rates = vec![f64::NAN; cells.len()];
    let mut around = Around::new(cells);
    for (round, reach) in REACH_SECONDS.into_iter().enumerate().skip(usize::from(first)) {
        let reach = reach.max(REACH_CELLS.saturating_mul(length));
        let (mut from, mut until) = (0, 0);
        for (index, cell) in cells.iter().enumerate() {
            while until < cells.len() && cells[until].begin.saturating_sub(cell.begin) <= reach {
                until += 1;
            }
            while cell.begin.saturating_sub(cells[from].begin) > reach {
                from += 1;
            }
            if rates[index].is_nan()
                && let Some((rate, seconds)) = around.level(from, until)
                && (seconds >= ENOUGH_SECONDS.max(length as f64 * 3.0) || round + 1 == REACH_SECONDS.len())
            {
                rates[index] = rate;
            }
        }
        if rates.iter().all(|rate| !rate.is_nan()) {
            break;
        }
    }
    for rate in &mut rates {
        if rate.is_nan() {
            *rate = overall;
        }
    }
    rates
}

/// Cells in a window that moves along, with their rates in order: a median costs no sorting.
struct Around<'a> {
    cells: &'a [Cell],
    /// The half-open range of cells that stand below.
    window: (usize, usize),
    /// (requests per unit of weight, weight) of those with any weight, ascending.
    rates: Vec<(f64, f64)>,
}

impl<'a> Around<'a> {
    fn new(cells: &'a [Cell]) -> Self {
        Self { cells, window: (0, 0), rates: Vec::new() }
    }

    /// Rate and unmasked seconds of the cells of a half-open range; `None` if nothing in them can tell. Cheap where the
    /// range is hardly another than the last time.
    fn level(&mut self, from: usize, until: usize) -> Option<(f64, f64)> {
        self.move_to(from, until);
        let cells = &self.cells[from..until];
        let largest = self.rates.iter().map(|rate| rate.1).fold(0.0, f64::max);
        if largest <= 0.0 {
            return None;
        }
        let least = LEAST_WEIGHT * largest;
        let median = self.median(least)?;
        let (mut count, mut weight, mut seconds) = (0.0, 0.0, 0.0);
        for cell in cells.iter().filter(|cell| cell.weight() >= least) {
            let usual = median * cell.weight();
            if cell.count <= SURGE * usual + 3.0 * usual.sqrt() {
                count += cell.count;
                weight += cell.weight();
            }
            seconds += cell.seconds;
        }
        (weight > 0.0).then(|| (count / weight, seconds))
    }

    fn move_to(&mut self, from: usize, until: usize) {
        let (old_from, old_until) = self.window;
        self.window = (from, until);
        let moved = from.abs_diff(old_from).saturating_add(until.abs_diff(old_until));
        if from < old_from || until < old_until || from > old_until || moved > (until - from) / 4 {
            self.rates = self.cells[from..until].iter().filter_map(rate_of).collect();
            self.rates.sort_unstable_by(by_rate);
            return;
        }
        for gone in self.cells[old_from..from].iter().filter_map(rate_of) {
            if let Ok(at) = self.rates.binary_search_by(|rate| by_rate(rate, &gone)) {
                self.rates.remove(at);
            }
        }
        for new in self.cells[old_until..until].iter().filter_map(rate_of) {
            let at = self.rates.partition_point(|rate| by_rate(rate, &new).is_lt());
            self.rates.insert(at, new);
        }
    }

    /// The median of the rates of cells with at least this weight; of an even number the mean of the middle two.
    fn median(&self, least: f64) -> Option<f64> {
        let told = || self.rates.iter().filter(|rate| rate.1 >= least).map(|rate| rate.0);
        let count = told().count();
        let upper = told().nth(count / 2)?;
        if count % 2 == 1 {
            return Some(upper);
        }
        Some(f64::midpoint(told().nth((count / 2).checked_sub(1)?)?, upper))
    }
}

/// (requests per unit of weight, weight) of a cell that has any.
fn rate_of(cell: &Cell) -> Option<(f64, f64)> {
    let weight = cell.weight();
    (weight > 0.0).then(|| (cell.count / weight, weight))
}

fn by_rate(a: &(f64, f64), b: &(f64, f64)) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
}
