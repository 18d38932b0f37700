//! How long requests take when all is well: first one distribution for all, then one near each few minutes.

#![allow(clippy::indexing_slicing, reason = "one cell per slot and one shape per cell, by construction")]

use super::axis::{Axis, BINS, Counts, SLIGHTLY_SMOOTHED, SMOOTHED, Shape};
use super::record::Record;

/// A distribution holds for a cell this long; ± 90 minutes don't change much within it.
const CELL_SECONDS: i64 = 300;
/// More cells than this (two weeks' worth) become longer ones: each holds a distribution of a kilobyte.
const MOST_CELLS: f64 = 4_032.0;
/// A cell holds so many slots: a distribution for each slot would take longer than all else.
const LEAST_SLOTS: i64 = 4;
/// Nor are there more cells than this on either side of one: so far away nothing changes within one of them.
const NEIGHBOURHOOD_CELLS: i64 = 18;
/// Where requests are so rare that a neighbourhood is taken for its number of them anyway, a cell holds about so many …
const SPARSE_CELL_REQUESTS: f64 = 10.0;
/// … and is no longer than this.
const LONGEST_CELL_SECONDS: f64 = 12.0 * 3600.0;
/// The healthy neighbourhood that a cell is compared with, to either side.
pub(super) const NEIGHBOURHOOD_SECONDS: i64 = 90 * 60;
/// The same as long as incidents are not masked yet: one of an hour must not be a third of its own baseline.
pub(super) const FIRST_NEIGHBOURHOOD_SECONDS: i64 = 4 * 3600;
/// Where the data begins or ends the neighbourhood is kept symmetric, so that a trend shifts nothing, down to this …
const SHORTEST_NEIGHBOURHOOD_SECONDS: i64 = 20 * 60;
/// … if so much time has so many requests.
const SHORTEST_NEIGHBOURHOOD_REQUESTS: f64 = 1000.0;
/// A distribution is taken from at least so many requests, be they hours away.
const FEWEST_REQUESTS: f64 = 60.0;
/// What is normal beside an incident is taken from half an hour, up to 90 minutes where that holds too few requests.
const LEAST_BRIDGE_CELLS: usize = 6;
const MOST_BRIDGE_CELLS: usize = 18;
const BRIDGE_REQUESTS: f64 = 300.0;
/// Weight, in requests, of the overall shape moved to the local median.
const PRIOR_REQUESTS: f64 = 60.0;
/// A hundredth of the recording makes one block, within these bounds.
const BLOCKS: f64 = 100.0;
const SHORTEST_BLOCK: f64 = 60.0;
const LONGEST_BLOCK: f64 = 600.0;
/// A block's median is taken from at least so many requests.
const BLOCK_REQUESTS: f64 = 30.0;
/// Parts of the traffic that are taken for healthy, tried in turn until they agree with each other.
const HEALTHY_TRAFFIC: [f64; 5] = [0.6, 0.3, 0.15, 0.06, 0.03];
/// Where the slowest block of such a part is so many times as slow as its lower quarter, it isn't all healthy.
const DISAGREEMENT: f64 = 1.6;
/// The residuals from the local median, in ln, within this distance of it …
const REACH: f64 = 9.0;
/// … in steps of a fifth of a bin.
const STEP: f64 = 0.04;
const STEPS: usize = 450;

/// The healthy distribution for each slot.
#[derive(Debug, Clone)]
pub(super) struct Normal {
    cells: Vec<u32>,
    shapes: Vec<Shape>,
    /// Less smooth.
    sharp: Vec<Shape>,
}

impl Normal {
    /// The same everywhere.
    pub(super) fn constant(record: Record<'_>, counts: &Counts) -> Self {
        let shapes = |part| vec![Shape::smoothed(record.axis, counts, part)];
        Self { cells: vec![0; record.len()], shapes: shapes(SMOOTHED), sharp: shapes(SLIGHTLY_SMOOTHED) }
    }

    pub(super) fn cell_of(&self, slot: usize) -> u32 {
        self.cells[slot]
    }

    pub(super) fn shape(&self, slot: usize) -> &Shape {
        &self.shapes[self.cells[slot] as usize]
    }

    /// As near to what was counted as it is known: what shares and slowdowns are told by.
    pub(super) fn sharp_shape(&self, slot: usize) -> &Shape {
        &self.sharp[self.cells[slot] as usize]
    }
}

/// The distribution of everything.
pub(super) fn overall(record: Record<'_>) -> Counts {
    record.counts(0..record.len())
}

/// A first baseline that no incident drags along: the blocks with the lowest medians, 60 % of the traffic or, where
/// these are of two minds, less.
pub(super) fn lowest_blocks(record: Record<'_>) -> Counts {
    let mut blocks = blocks(record);
    blocks.sort_by(|a, b| a.median.total_cmp(&b.median).then(b.requests.total_cmp(&a.requests)));
    let total: f64 = blocks.iter().map(|block| block.requests).sum();
    let median_at = |part: f64| {
        let mut sum = 0.0;
        let reached = blocks.iter().find(|block| {
            sum += block.requests;
            sum >= part * total
        });
        reached.or(blocks.last()).map_or(0.0, |block| block.median)
    };
    let agrees = |part: &f64| median_at(*part) - median_at(part / 4.0) <= DISAGREEMENT.ln();
    let part = HEALTHY_TRAFFIC.iter().copied().find(agrees).unwrap_or(0.0);
    let mut counts = [0.0; BINS];
    let mut sum = 0.0;
    for block in &blocks {
        if sum > 0.0 && sum >= part * total {
            break;
        }
        sum += block.requests;
        add(&mut counts, &record.counts(block.slots.clone()), 1.0);
    }
    counts
}

struct Block {
    slots: std::ops::Range<usize>,
    requests: f64,
    median: f64,
}

fn blocks(record: Record<'_>) -> Vec<Block> {
    let stream = record.stream;
    let length = (stream.active_seconds / BLOCKS).clamp(SHORTEST_BLOCK, LONGEST_BLOCK);
    let mut blocks: Vec<Block> = Vec::new();
    let (mut first, mut requests) = (0, 0.0);
    for slot in 0..record.len() {
        requests += stream.requests_at(slot);
        let lasted = stream.last_second(slot).saturating_sub(stream.second(first)) as f64;
        if lasted >= length && requests >= BLOCK_REQUESTS {
            blocks.push(Block { slots: first..slot + 1, requests, median: 0.0 });
            (first, requests) = (slot + 1, 0.0);
        }
    }
    // The rest is too short for a block of its own.
    match blocks.last_mut() {
        Some(last) => {
            last.slots.end = record.len();
            last.requests += requests;
        }
        None => blocks.push(Block { slots: 0..record.len(), requests, median: 0.0 }),
    }
    for block in &mut blocks {
        block.median = Shape::of(&record.counts(block.slots.clone())).quantile(record.axis, 0.5);
    }
    blocks
}

fn add(sum: &mut Counts, counts: &Counts, weight: f64) {
    for (sum, count) in sum.iter_mut().zip(counts) {
        *sum += weight * count;
    }
}

/// The unmasked latencies of some minutes.
struct Cell {
    number: i64,
    requests: f64,
    counts: Vec<(usize, f64)>,
}

impl Cell {
    fn add_to(&self, sum: &mut Counts, sign: f64) {
        for &(bin, count) in &self.counts {
            sum[bin] += sign * count;
        }
    }
}

/// The local distribution of what is not masked, over a neighbourhood in seconds to either side, wider where requests
/// are few.
pub(super) fn local(record: Record<'_>, mask: &[bool], neighbourhood: i64) -> Normal {
    let active = record.stream.active_seconds;
    #[allow(clippy::cast_possible_truncation, reason = "a float cast saturates")]
    let longer = (active / MOST_CELLS).ceil() as i64;
    let rate = record.stream.requests / active.max(1.0);
    let sparse = rate * (2 * NEIGHBOURHOOD_SECONDS) as f64 <= FEWEST_REQUESTS;
    #[allow(clippy::cast_possible_truncation, reason = "at most the longest cell")]
    let stretched = if sparse { (SPARSE_CELL_REQUESTS / rate).min(LONGEST_CELL_SECONDS) as i64 } else { 0 };
    let shortest = CELL_SECONDS.max(neighbourhood / NEIGHBOURHOOD_CELLS);
    let width = shortest.max(record.stream.width.saturating_mul(LEAST_SLOTS)).max(longer).max(stretched);
    let (cells, table) = cells(record, mask, width);
    let busy = rate * SHORTEST_NEIGHBOURHOOD_SECONDS as f64 >= SHORTEST_NEIGHBOURHOOD_REQUESTS;
    let most = neighbourhood / width;
    let least = if busy { (SHORTEST_NEIGHBOURHOOD_SECONDS / width).min(most) } else { most };
    let sums = neighbourhoods(&table, (least, most));
    let medians: Vec<f64> = sums.iter().map(|sum| Shape::of(sum).quantile(record.axis, 0.5)).collect();
    let usual = Residuals::of(record.axis, &table, &medians);
    let (shapes, sharp) = sums
        .iter()
        .zip(&medians)
        .map(|(sum, &median)| {
            let mut counts = *sum;
            usual.add_to(record.axis, &mut counts, median);
            [SMOOTHED, SLIGHTLY_SMOOTHED].map(|part| Shape::smoothed(record.axis, &counts, part)).into()
        })
        .unzip();
    Normal { cells, shapes, sharp }
}

fn cells(record: Record<'_>, mask: &[bool], width: i64) -> (Vec<u32>, Vec<Cell>) {
    let mut cells = Vec::with_capacity(record.len());
    let mut table: Vec<Cell> = Vec::new();
    let mut sum = [0.0; BINS];
    let close = |table: &mut Vec<Cell>, sum: &mut Counts| {
        if let Some(cell) = table.last_mut() {
            cell.counts = sum.iter().copied().enumerate().filter(|&(_, count)| count > 0.0).collect();
            cell.requests = cell.counts.iter().map(|&(_, count)| count).sum();
        }
        *sum = [0.0; BINS];
    };
    for (slot, &masked) in mask.iter().enumerate() {
        let number = record.stream.second(slot).div_euclid(width);
        if table.last().is_none_or(|cell| cell.number != number) {
            close(&mut table, &mut sum);
            table.push(Cell { number, requests: 0.0, counts: Vec::new() });
        }
        cells.push(u32::try_from(table.len() - 1).unwrap_or(u32::MAX));
        if !masked {
            for (bin, count) in record.bins_at(slot) {
                sum[bin] += count;
            }
        }
    }
    close(&mut table, &mut sum);
    (cells, table)
}

/// The counts around each cell.
fn neighbourhoods(table: &[Cell], (least, most): (i64, i64)) -> Vec<Counts> {
    let healthy: Vec<usize> = (0..table.len()).filter(|&index| table[index].requests > 0.0).collect();
    let (Some(begin), Some(end)) =
        (table.first().map(|cell| cell.number), table.last().map(|cell| cell.number))
    else {
        return Vec::new();
    };
    let (mut from, mut until, mut sum, mut requests) = (0, 0, [0.0; BINS], 0.0);
    let mut sums = Vec::with_capacity(table.len());
    for (index, cell) in table.iter().enumerate() {
        let to_edge = cell.number.saturating_sub(begin).min(end.saturating_sub(cell.number));
        let reach = to_edge.clamp(least, most);
        // Counts are whole numbers, so that adding and taking away leaves no rounding behind.
        while until < table.len() && table[until].number.saturating_sub(cell.number) <= reach {
            table[until].add_to(&mut sum, 1.0);
            requests += table[until].requests;
            until += 1;
        }
        while from < until && cell.number.saturating_sub(table[from].number) > reach {
            table[from].add_to(&mut sum, -1.0);
            requests -= table[from].requests;
            from += 1;
        }
        sums.push(if cell.requests <= 0.0 {
            bridged(table, &healthy, index)
        } else if requests >= FEWEST_REQUESTS {
            sum
        } else {
            nearest(table, &healthy, index)
        });
    }
    sums
}

/// For a cell within an incident: what was normal before it and after it, the nearer one with the more weight, so that
/// hours of an incident don't hide that load, and latency with it, moves on.
fn bridged(table: &[Cell], healthy: &[usize], index: usize) -> Counts {
    let after = healthy.partition_point(|&at| at < index);
    let (before, after) = healthy.split_at(after);
    let here = table[index].number;
    let mut sum = [0.0; BINS];
    let sides = [side(table, before.iter().rev(), here), side(table, after.iter(), here)];
    let [(_, before, far_before), (_, after, far_after)] = &sides;
    let both = before + after;
    let weights = match (*before > 0.0, *after > 0.0) {
        (true, true) => [far_after / (far_before + far_after), far_before / (far_before + far_after)],
        (true, false) => [1.0, 0.0],
        _ => [0.0, 1.0],
    };
    for ((counts, requests, _), weight) in sides.iter().zip(weights) {
        add(&mut sum, counts, weight * both / requests.max(1.0));
    }
    sum
}

/// The healthy cells on one side: counts, requests, and the distance of the nearest in cells.
fn side<'a>(table: &[Cell], outward: impl Iterator<Item = &'a usize>, here: i64) -> (Counts, f64, f64) {
    let (mut sum, mut requests, mut nearest) = ([0.0; BINS], 0.0, None);
    for (taken, &at) in outward.enumerate() {
        if requests >= FEWEST_REQUESTS
            && (taken >= MOST_BRIDGE_CELLS || requests >= BRIDGE_REQUESTS && taken >= LEAST_BRIDGE_CELLS)
        {
            break;
        }
        let cell = &table[at];
        nearest.get_or_insert(cell.number.abs_diff(here) as f64);
        cell.add_to(&mut sum, 1.0);
        requests += cell.requests;
    }
    (sum, requests, nearest.unwrap_or(1.0))
}

/// The healthy cells nearest to a cell, evenly from either side as far as there are some, until they suffice.
fn nearest(table: &[Cell], healthy: &[usize], index: usize) -> Counts {
    let (mut sum, mut requests) = ([0.0; BINS], 0.0);
    let mut after = healthy.partition_point(|&at| at < index);
    let mut before = after;
    while requests < FEWEST_REQUESTS && (before > 0 || after < healthy.len()) {
        if before > 0 {
            before -= 1;
            table[healthy[before]].add_to(&mut sum, 1.0);
            requests += table[healthy[before]].requests;
        }
        if let Some(&at) = healthy.get(after) {
            table[at].add_to(&mut sum, 1.0);
            requests += table[at].requests;
            after += 1;
        }
    }
    sum
}

/// How latencies lie around the local median, over the whole recording.
struct Residuals {
    /// Mass below each step, [`PRIOR_REQUESTS`] in all.
    below: [f64; STEPS + 1],
}

impl Residuals {
    fn of(axis: &Axis, table: &[Cell], medians: &[f64]) -> Self {
        let mut mass = [0.0; STEPS];
        let step = |x: f64| ((x + REACH) / STEP).clamp(0.0, STEPS as f64);
        for (cell, median) in table.iter().zip(medians) {
            for &(bin, count) in &cell.counts {
                spread(&mut mass, step(axis.low(bin) - median), step(axis.high(bin) - median), count);
            }
        }
        let mut below = [0.0; STEPS + 1];
        let total: f64 = mass.iter().sum();
        let mut sum = 0.0;
        for (edge, mass) in below.iter_mut().skip(1).zip(&mass) {
            sum += mass / total.max(1.0) * PRIOR_REQUESTS;
            *edge = sum;
        }
        Self { below }
    }

    fn below(&self, residual: f64) -> f64 {
        let at = ((residual + REACH) / STEP).clamp(0.0, STEPS as f64);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the steps")]
        let step = (at as usize).min(STEPS - 1);
        self.below[step] + (at - step as f64) * (self.below[step + 1] - self.below[step])
    }

    fn add_to(&self, axis: &Axis, counts: &mut Counts, median: f64) {
        let mut before = 0.0;
        for (bin, count) in counts.iter_mut().enumerate().take(axis.span().end) {
            let below = if bin + 1 < axis.span().start { 0.0 } else { self.below(axis.high(bin) - median) };
            *count += below - before;
            before = below;
        }
    }
}

/// Spreads a count evenly over the steps between two positions.
pub(super) fn spread(mass: &mut [f64], low: f64, high: f64, count: f64) {
    let steps = mass.len().saturating_sub(1);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the steps")]
    let (first, last) = ((low as usize).min(steps), (high as usize).min(steps));
    let length = high - low;
    for (step, mass) in mass.iter_mut().enumerate().take(last + 1).skip(first) {
        let part = (high.min((step + 1) as f64) - low.max(step as f64)) / length;
        *mass += if length > 0.0 { part.clamp(0.0, 1.0) * count } else { count };
    }
}
