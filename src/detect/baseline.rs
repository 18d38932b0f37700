//! What share of requests fails when all is well: first one rate for all, then a rate near each minute.

#![allow(clippy::indexing_slicing, reason = "one cell per slot and one rate per cell, by construction")]

use super::stream::Stream;

/// The baseline is constant within a cell this long.
const CELL_SECONDS: i64 = 60;
/// The healthy neighbourhood that a local rate is taken from, to either side.
const NEIGHBOURHOOD_SECONDS: i64 = 90 * 60;
/// Weight of the overall healthy rate in a local one, in failures.
const PRIOR_FAILURES: f64 = 2.0;
/// A hundredth of the recording makes one block, within these bounds.
const BLOCKS: f64 = 100.0;
const SHORTEST_BLOCK: f64 = 60.0;
const LONGEST_BLOCK: f64 = 600.0;
/// A block holds at least so many failures expected at the overall rate: fixed blocks break short logs and sparse paths.
const BLOCK_FAILURES: f64 = 4.0;
/// Parts of the traffic that are taken for healthy, tried in turn until their rate is credible.
const HEALTHY_TRAFFIC: [f64; 5] = [0.6, 0.3, 0.1, 0.03, 0.0];
/// A rate above this is nobody's normal while some other block does better.
const CREDIBLE_RATE: f64 = 0.1;

/// p₀(t), constant within a minute.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    cells: Vec<u32>,
    rates: Vec<f64>,
}

impl Curve {
    /// The same rate everywhere.
    pub(super) fn constant(slots: usize, rate: f64) -> Self {
        Self { cells: vec![0; slots], rates: vec![rate] }
    }

    pub(super) fn cell_of(&self, slot: usize) -> u32 {
        self.cells[slot]
    }

    pub(super) fn rate(&self, slot: usize) -> f64 {
        self.rates[self.cells[slot] as usize]
    }
}

/// (k + ½)/(n + 1): never 0 or 1.
fn pooled(failures: f64, requests: f64) -> f64 {
    (failures + 0.5) / (requests + 1.0)
}

/// The rate of everything.
pub(super) fn overall_rate(stream: &Stream<'_>) -> f64 {
    pooled(stream.failures, stream.requests)
}

/// The least rate that so many requests can tell from 0.
pub(super) fn least_rate(stream: &Stream<'_>) -> f64 {
    pooled(0.0, stream.requests)
}

/// A first baseline that no incident can raise: the pooled rate of the blocks with the lowest rates, 60 % of the
/// traffic or, where that can't be anybody's normal, less.
pub(super) fn lowest_blocks_rate(stream: &Stream<'_>) -> f64 {
    let overall = overall_rate(stream);
    let length = (stream.active_seconds / BLOCKS).clamp(SHORTEST_BLOCK, LONGEST_BLOCK);
    let mut blocks: Vec<(f64, f64)> = Vec::new();
    let (mut requests, mut failures) = (0.0, 0.0);
    let mut first = None;
    for slot in 0..stream.len() {
        let second = stream.second(slot);
        let began = *first.get_or_insert(second);
        requests += stream.requests_at(slot);
        failures += stream.failures_at(slot);
        let lasted = second.saturating_sub(began).saturating_add(stream.width) as f64;
        if lasted >= length && requests * overall >= BLOCK_FAILURES {
            blocks.push((requests, failures));
            (requests, failures, first) = (0.0, 0.0, None);
        }
    }
    // The rest is too short for a block of its own.
    match blocks.last_mut() {
        Some(last) => *last = (last.0 + requests, last.1 + failures),
        None => blocks.push((requests, failures)),
    }
    let share = |block: &(f64, f64)| block.1 / block.0.max(1.0);
    blocks.sort_by(|a, b| share(a).total_cmp(&share(b)).then(b.0.total_cmp(&a.0)));
    let mut rate = overall;
    for part in HEALTHY_TRAFFIC {
        rate = rate_of_lowest(&blocks, part * stream.requests);
        if rate < CREDIBLE_RATE {
            break;
        }
    }
    rate
}

/// Pooled rate of the first blocks that hold this many requests; at least one block.
fn rate_of_lowest(blocks: &[(f64, f64)], wanted: f64) -> f64 {
    let (mut requests, mut failures) = (0.0, 0.0);
    for &(n, k) in blocks {
        requests += n;
        failures += k;
        if requests >= wanted {
            break;
        }
    }
    pooled(failures, requests)
}

/// The rate of what is not masked.
pub(super) fn unmasked_rate(stream: &Stream<'_>, mask: &[bool]) -> f64 {
    let (mut requests, mut failures) = (0.0, 0.0);
    for (slot, _) in mask.iter().enumerate().filter(|&(_, &masked)| !masked) {
        requests += stream.requests_at(slot);
        failures += stream.failures_at(slot);
    }
    pooled(failures, requests)
}

/// Counts of one minute.
struct Cell {
    number: i64,
    requests: f64,
    failures: f64,
    /// Masked requests.
    masked: f64,
}

/// The local rate of unmasked traffic: (K + 2)/(N + 2/p) over ± 90 min, p the overall unmasked rate, itself
/// at least ½/(all + 1). (A floor of ½/(N + 1) on the local rate would be 5 % where ten requests are left.) Masked requests there count as if they had failed at p: otherwise the few seconds of an incident that the
/// mask left out would be all there is to learn from, and the next round would leave out more of it.
pub(super) fn local_rates(stream: &Stream<'_>, mask: &[bool]) -> Curve {
    let width = CELL_SECONDS.max(stream.width);
    let mut cells = Vec::with_capacity(stream.len());
    let mut table: Vec<Cell> = Vec::new();
    for (slot, &masked) in mask.iter().enumerate() {
        let number = stream.second(slot).div_euclid(width);
        if table.last().is_none_or(|cell| cell.number != number) {
            table.push(Cell { number, requests: 0.0, failures: 0.0, masked: 0.0 });
        }
        cells.push(u32::try_from(table.len() - 1).unwrap_or(u32::MAX));
        let Some(cell) = table.last_mut() else { continue };
        if masked {
            cell.masked += stream.requests_at(slot);
        } else {
            cell.requests += stream.requests_at(slot);
            cell.failures += stream.failures_at(slot);
        }
    }
    let overall = unmasked_rate(stream, mask);
    let reach = NEIGHBOURHOOD_SECONDS / width;
    let (mut from, mut until) = (0, 0);
    let (mut requests, mut failures, mut masked) = (0.0, 0.0, 0.0);
    let mut rates = Vec::with_capacity(table.len());
    for cell in &table {
        // Counts are whole numbers, so that adding and taking away leaves no rounding behind.
        while until < table.len() && table[until].number.saturating_sub(cell.number) <= reach {
            requests += table[until].requests;
            failures += table[until].failures;
            masked += table[until].masked;
            until += 1;
        }
        while from < until && cell.number.saturating_sub(table[from].number) > reach {
            requests -= table[from].requests;
            failures -= table[from].failures;
            masked -= table[from].masked;
            from += 1;
        }
        let prior = PRIOR_FAILURES + masked * overall;
        let local = (failures + prior) / (requests + prior / overall);
        rates.push(local.clamp(1e-12, 1.0 - 1e-9));
    }
    Curve { cells, rates }
}
