//! How much more counts vary than independent requests would: φ for how they clump, τ for how the level wanders.

use super::axis::Axis;
use super::expected::{Expected, Mask};

/// Windows over which a wandering level shows.
const WANDER_SECONDS: [i64; 2] = [60, 600];
/// φ is taken from the shortest window in which so many requests are expected.
const LEAST_EXPECTED: f64 = 2.0;
/// Windows that are tried for it.
const CLUMP_SECONDS: [i64; 6] = [1, 4, 16, 64, 256, 1024];
/// So few windows say nothing.
const LEAST_WINDOWS: usize = 20;
/// This part of the windows, the furthest off, is left out: it may be what is looked for.
const TRIM: f64 = 0.05;
/// Mean of χ² with one degree of freedom below its 95th percentile: F₃(3.84)/0.95.
const TRIMMED_MEAN: f64 = 0.7587;
/// φ is cut off here: beyond it the model is wrong.
pub(super) const HIGHEST: f64 = 256.0;

/// τ² is cut off here while the baseline is still sought.
const WIDEST_SOUGHT: f64 = 0.01;

/// Variance of a count with mean Λ: φΛ + τ²Λ².
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// φ, 1–[`HIGHEST`].
    pub(super) dispersion: f64,
    /// τ² over a minute.
    pub(super) minute: f64,
    /// τ² over ten minutes and more.
    pub(super) long: f64,
}

impl Spread {
    /// Taken from what is not masked.
    pub(super) fn of(axis: &Axis, expected: &Expected, mask: &Mask) -> Self {
        let dispersion = CLUMP_SECONDS
            .into_iter()
            .filter(|&seconds| seconds >= axis.width)
            .find_map(|seconds| chi2(axis, expected, mask, seconds))
            .map_or(1.0, |(chi2, _)| chi2.clamp(1.0, HIGHEST));
        let [minute, long] = WANDER_SECONDS.map(|seconds| {
            let (chi2, mean) = chi2(axis, expected, mask, seconds.max(axis.width))?;
            Some(((chi2 - dispersion) / mean).max(0.0))
        });
        let minute = minute.unwrap_or(0.0);
        Self { dispersion, minute, long: long.unwrap_or(minute) }
    }

    /// No wider than [`WIDEST_SOUGHT`]: what is not masked yet must not hide itself.
    pub(super) fn while_sought(self) -> Self {
        let Self { dispersion, minute, long } = self;
        Self { dispersion, minute: minute.min(WIDEST_SOUGHT), long: long.min(WIDEST_SOUGHT) }
    }

    /// τ² over so many seconds.
    pub(super) fn wander(&self, seconds: f64) -> f64 {
        if seconds >= 600.0 { self.long } else { self.minute.max(self.long) }
    }
}

/// Trimmed Pearson χ²/df over windows of a length, and the mean expected in them. Of windows with too few requests only:
/// surges and crawlers say nothing about how few may come.
fn chi2(axis: &Axis, expected: &Expected, mask: &Mask, seconds: i64) -> Option<(f64, f64)> {
    let mut terms: Vec<f64> = Vec::new();
    let (mut all, mut number) = (0.0, None);
    let (mut count, mut mean) = (0.0, 0.0);
    let mut masked = mask.iter().peekable();
    let mut close = |count: &mut f64, mean: &mut f64| {
        if *mean >= LEAST_EXPECTED && *count < *mean {
            terms.push((*count - *mean).powi(2) / *mean);
            all += *mean;
        }
        (*count, *mean) = (0.0, 0.0);
    };
    for (index, piece) in axis.pieces().enumerate() {
        // A pause belongs to the windows it covers, all but the first and last of which are empty.
        let (first, last) = (
            piece.start.div_euclid(seconds),
            piece.end.saturating_sub(1).max(piece.start).div_euclid(seconds),
        );
        if number != Some(first) {
            close(&mut count, &mut mean);
            number = Some(first);
        }
        while masked.next_if(|&&(_, until)| until <= piece.start).is_some() {}
        let hidden = masked.peek().is_some_and(|&&(from, _)| from < piece.end);
        if hidden {
            continue;
        }
        let of_piece = expected.of(index);
        if first == last {
            count += piece.count;
            mean += of_piece;
            continue;
        }
        let long = piece.end.saturating_sub(piece.start).max(1) as f64;
        let head = (first + 1).saturating_mul(seconds).saturating_sub(piece.start) as f64 / long;
        let tail = piece.end.saturating_sub(last.saturating_mul(seconds)) as f64 / long;
        count += piece.count * head;
        mean += of_piece * head;
        close(&mut count, &mut mean);
        let part = seconds as f64 / long;
        // Windows that say nothing are not walked through: there may be days of them.
        if of_piece * part >= LEAST_EXPECTED {
            for _ in first + 1..last {
                (count, mean) = (piece.count * part, of_piece * part);
                close(&mut count, &mut mean);
            }
        }
        (count, mean) = (piece.count * tail, of_piece * tail);
        number = Some(last);
    }
    close(&mut count, &mut mean);
    if terms.len() < LEAST_WINDOWS {
        return None;
    }
    let average = all / terms.len() as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
    let kept = ((terms.len() as f64) * (1.0 - TRIM)).ceil() as usize;
    terms.sort_by(f64::total_cmp);
    let sum: f64 = terms.iter().take(kept).sum();
    Some((sum / (kept.max(1) as f64) / TRIMMED_MEAN, average))
}
