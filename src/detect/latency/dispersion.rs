//! How much more alike the latencies of neighbouring requests are than independent ones: φ, the divisor of every
//! log-likelihood ratio.

use super::emission::{PROBE, Reader};

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
    pub(super) fn of(reader: &mut Reader<'_>, mask: &[bool]) -> Self {
        let mut found = Self::NONE;
        let mut nearest = true;
        for seconds in WINDOWS_SECONDS {
            let Some((value, windows)) = trimmed_chi2(reader, mask, seconds) else { continue };
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

/// χ²/df of the windows of some length, and how many there are.
fn trimmed_chi2(reader: &mut Reader<'_>, mask: &[bool], seconds: i64) -> Option<(f64, f64)> {
    let record = reader.record;
    let seconds = seconds.max(record.stream.width);
    let mut terms = Vec::new();
    let mut window = Window::default();
    for (slot, _) in mask.iter().enumerate().filter(|&(_, &masked)| !masked) {
        let number = Some(record.stream.second(slot).div_euclid(seconds));
        if window.number != number {
            window.push_to(&mut terms);
            window = Window { number, ..Window::default() };
        }
        let requests = record.stream.requests_at(slot);
        let table = reader.table(slot);
        let gain = |bin: usize| table.gains.get(bin).and_then(|row| row.get(PROBE)).copied().unwrap_or(0.0);
        let nats: f64 = record.bins_at(slot).map(|(bin, count)| count * gain(bin)).sum();
        window.requests += requests;
        window.surplus += nats - requests * table.expected.get(PROBE).copied().unwrap_or(0.0);
        window.variance += requests * table.variance;
    }
    window.push_to(&mut terms);
    if terms.len() < LEAST_WINDOWS {
        return None;
    }
    terms.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
    let kept = ((terms.len() as f64) * (1.0 - TRIM)).ceil() as usize;
    let kept_terms = terms.iter().take(kept).sum::<f64>();
    Some((kept_terms / (kept as f64) / TRIMMED_MEAN, kept as f64))
}
