//! How much more alike the latencies of neighbouring requests are than independent ones: φ, the divisor of every
//! log-likelihood ratio.

use super::emission::{PROBE, STATES, State, Table};
use super::normal::Normal;
use super::record::Record;

/// Windows whose nats are compared with what independent requests would scatter by. The shortest tells what neighbours
/// have in common, and is what the edges go by; the longest also what wanders from one minute to the next.
const WINDOWS_SECONDS: [i64; 4] = [10, 60, 200, 600];
/// A window says something from so many requests on.
const LEAST_REQUESTS: f64 = 5.0;
/// So few windows say nothing.
const LEAST_WINDOWS: usize = 12;
/// This part of the windows, the highest, is left out: it may be what is looked for.
const TRIM: f64 = 0.1;
/// Mean of χ² with one degree of freedom below its 90th percentile: F₃(2.706)/0.9, from E[X; X < c] = F₃(c).
const TRIMMED_MEAN: f64 = 0.623;
/// While incidents are not all masked yet they inflate φ: so much and no more.
pub(super) const SUSPICIOUS: f64 = 8.0;
/// Beyond this no interval means anything.
pub(super) const HIGHEST: f64 = 256.0;

/// φ over seconds and over minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dispersion {
    /// Of the shortest windows that hold enough requests.
    pub(super) near: f64,
    /// The largest.
    pub(super) far: f64,
}

impl Dispersion {
    pub(super) const NONE: Self = Self { near: 1.0, far: 1.0 };

    pub(super) fn at_most(self, most: f64) -> Self {
        Self { near: self.near.min(most), far: self.far.min(most) }
    }

    /// φ = trimmed Pearson χ²/df of the unmasked windows, 1–[`HIGHEST`].
    pub(super) fn of(record: Record<'_>, normal: &Normal, mask: &[bool]) -> Self {
        Self::of_terms(terms(record, normal, mask))
    }

    /// The same of χ² by windows, the shortest ones first.
    pub(super) fn of_terms<const N: usize>(terms: [Vec<f64>; N]) -> Self {
        let mut found = Self::NONE;
        let mut nearest = true;
        for terms in terms {
            let Some((value, windows)) = trimmed_chi2(terms) else { continue };
            if nearest {
                found.near = value.clamp(1.0, HIGHEST);
                found.far = found.near;
                nearest = false;
            }
            // The largest of several estimates from a few windows each is large by chance: each counts for no more than
            // its own error leaves of it. The relative error of a mean of n χ² is √(2/n).
            let surely = value * (1.0 - (2.0 / windows).sqrt());
            found.far = found.far.max(surely.min(HIGHEST));
        }
        found
    }
}

#[derive(Default)]
struct Window {
    number: Option<i64>,
    requests: f64,
    surplus: f64,
    variance: f64,
}

impl Window {
    fn push_to(&self, terms: &mut Vec<f64>) {
        if self.requests >= LEAST_REQUESTS && self.variance > 0.0 {
            terms.push(self.surplus.powi(2) / self.variance);
        }
    }
}

/// χ² of each window, by the windows' lengths.
fn terms(record: Record<'_>, normal: &Normal, mask: &[bool]) -> [Vec<f64>; WINDOWS_SECONDS.len()] {
    const PROBED: [State; 1] = [STATES[PROBE]];
    let lengths = WINDOWS_SECONDS.map(|seconds| seconds.max(record.stream.width));
    let mut terms: [Vec<f64>; WINDOWS_SECONDS.len()] = Default::default();
    let mut windows: [Window; WINDOWS_SECONDS.len()] = Default::default();
    let mut probe: Option<(u32, Table<1>, f64)> = None;
    for (slot, _) in mask.iter().enumerate().filter(|&(_, &masked)| !masked) {
        let cell = normal.cell_of(slot);
        let known = probe.take().filter(|(of, ..)| *of == cell);
        let (_, table, variance) = probe.insert(known.unwrap_or_else(|| {
            let shape = normal.shape(slot);
            let table = Table::of(record.axis, shape, &PROBED);
            let square = table.gains.iter().enumerate().map(|(bin, [gain])| shape.mass(bin) * gain * gain);
            let variance = square.sum::<f64>() - table.expected.iter().map(|nats| nats * nats).sum::<f64>();
            (cell, table, variance)
        }));
        let requests = record.stream.requests_at(slot);
        let gain = |bin: usize| table.gains.get(bin).map_or(0.0, |[gain]| *gain);
        let nats: f64 = record.bins_at(slot).map(|(bin, count)| count * gain(bin)).sum();
        let surplus = nats - requests * table.expected.iter().sum::<f64>();
        let second = record.stream.second(slot);
        for ((window, terms), length) in windows.iter_mut().zip(&mut terms).zip(lengths) {
            let number = Some(second.div_euclid(length));
            if window.number != number {
                window.push_to(terms);
                *window = Window { number, ..Window::default() };
            }
            window.requests += requests;
            window.surplus += surplus;
            window.variance += requests * *variance;
        }
    }
    for (window, terms) in windows.iter().zip(&mut terms) {
        window.push_to(terms);
    }
    terms
}

/// χ²/df of windows, the highest left out, and how many these are.
fn trimmed_chi2(mut terms: Vec<f64>) -> Option<(f64, f64)> {
    if terms.len() < LEAST_WINDOWS {
        return None;
    }
    terms.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
    let kept = ((terms.len() as f64) * (1.0 - TRIM)).ceil() as usize;
    let kept_terms = terms.iter().take(kept).sum::<f64>();
    Some((kept_terms / (kept as f64) / TRIMMED_MEAN, kept as f64))
}
