//! How much more failures clump than independent ones would: φ, the divisor of every log-likelihood ratio.

use super::baseline::Curve;
use super::stream::Stream;

/// Windows that failures are counted over.
const WINDOWS_SECONDS: [i64; 2] = [10, 60];
/// And where they are too few in all of those.
const LONG_WINDOW_SECONDS: i64 = 240;
/// A window says something if so many failures are expected in it.
const LEAST_EXPECTED: f64 = 2.0;
/// So few windows say nothing.
const LEAST_WINDOWS: usize = 20;
/// This part of the windows, the highest, is left out: it may be what is looked for.
const TRIM: f64 = 0.02;
/// Mean of χ² with one degree of freedom below its 98th percentile: F₃(5.41)/0.98, from E[X; X < c] = F₃(c).
const TRIMMED_MEAN: f64 = 0.8735;
/// Median of χ² with one degree of freedom.
const MEDIAN: f64 = 0.4549;
/// Beyond this the model is wrong, not merely too narrow; or an incident is not masked yet, and inflates what should
/// find it. So φ is cut off here while the baseline is still sought.
pub(super) const SUSPICIOUS: f64 = 8.0;
/// The last estimate may be larger: failures of a busy site that double from one ten seconds to the next have a φ that
/// grows with the traffic.
pub(super) const HIGHEST: f64 = 256.0;

/// φ = trimmed Pearson χ²/df of the unmasked windows, the larger of two window lengths, else by the median of long ones, 1–[`HIGHEST`].
pub(super) fn dispersion(stream: &Stream<'_>, curve: &Curve, mask: &[bool]) -> f64 {
    let lengths = WINDOWS_SECONDS.iter().map(|&seconds| trimmed_chi2(&terms(stream, curve, mask, seconds)));
    let known = lengths.flatten().reduce(f64::max);
    let known = known.or_else(|| median_chi2(&terms(stream, curve, mask, LONG_WINDOW_SECONDS)));
    known.unwrap_or(1.0).clamp(1.0, HIGHEST)
}

/// Of few and long windows an incident that is not masked yet would be a good part: their median doesn't mind.
fn median_chi2(terms: &[f64]) -> Option<f64> {
    (terms.len() >= LEAST_WINDOWS).then(|| terms.get(terms.len() / 2).copied().unwrap_or(0.0) / MEDIAN)
}

fn trimmed_chi2(terms: &[f64]) -> Option<f64> {
    if terms.len() < LEAST_WINDOWS {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
    let kept = ((terms.len() as f64) * (1.0 - TRIM)).ceil() as usize;
    Some(terms.iter().take(kept).sum::<f64>() / (kept as f64) / TRIMMED_MEAN)
}

/// Pearson's terms of the windows of so many seconds, ascending.
fn terms(stream: &Stream<'_>, curve: &Curve, mask: &[bool], seconds: i64) -> Vec<f64> {
    let seconds = seconds.max(stream.width);
    let mut terms = Vec::new();
    let (mut failures, mut expected, mut variance) = (0.0, 0.0, 0.0);
    let mut window = None;
    for slot in 0..stream.len() {
        let number = stream.second(slot).div_euclid(seconds);
        if window != Some(number) {
            push_term(&mut terms, failures, expected, variance);
            (failures, expected, variance) = (0.0, 0.0, 0.0);
            window = Some(number);
        }
        if mask.get(slot).copied().unwrap_or(true) {
            continue;
        }
        let (requests, rate) = (stream.requests_at(slot), curve.rate(slot));
        failures += stream.failures_at(slot);
        expected += requests * rate;
        variance += requests * rate * (1.0 - rate);
    }
    push_term(&mut terms, failures, expected, variance);
    terms.sort_by(f64::total_cmp);
    terms
}

fn push_term(terms: &mut Vec<f64>, failures: f64, expected: f64, variance: f64) {
    if expected >= LEAST_EXPECTED && variance > 0.0 {
        terms.push((failures - expected).powi(2) / variance);
    }
}
