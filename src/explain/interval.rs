//! 95 % intervals of a share.

use crate::inspect::Part;

/// The two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_985;
/// With fewer affected (or unaffected) requests than this the interval is the exact one.
const FEW: u64 = 10;
/// Halvings in the search for a bound: to 10⁻¹².
const HALVINGS: usize = 40;

/// The 95 % interval of affected ÷ requests in percent, for n/φ independent requests (φ as in quasi-likelihood).
///
/// Wilson's score interval (Wilson 1927); Clopper and Pearson's (1934) where few are affected, or few are not.
pub(super) fn share(part: Part, dispersion: f64) -> Option<(f64, f64)> {
    let rest = part.requests.saturating_sub(part.affected);
    if part.affected.min(rest) < FEW { clopper_pearson(part, dispersion) } else { wilson(part, dispersion) }
}

/// The same where the requests are those from the first affected one to the last: these two were not drawn, the window
/// was drawn around them, and in a small one they would raise the share.
pub(super) fn share_between_affected(part: Part, dispersion: f64) -> Option<(f64, f64)> {
    let drawn = Part {
        requests: part.requests.saturating_sub(2),
        affected: part.affected.saturating_sub(2),
        ..Part::default()
    };
    let Some((low, high)) = share(drawn, dispersion).filter(|_| part.affected > 2) else {
        return share(part, dispersion);
    };
    let percent = part.affected as f64 / part.requests.max(1) as f64 * 100.0;
    Some((low.min(percent), high.max(percent)))
}

pub(super) fn wilson(part: Part, dispersion: f64) -> Option<(f64, f64)> {
    if part.requests == 0 {
        return None;
    }
    let n = part.requests as f64 / dispersion.max(1.0);
    let p = part.affected as f64 / part.requests as f64;
    let denominator = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / denominator;
    let half = Z / denominator * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some((((centre - half) * 100.0).clamp(0.0, p * 100.0), ((centre + half) * 100.0).clamp(p * 100.0, 100.0)))
}

/// The exact interval: all shares under which neither so many nor so few affected requests have a chance under 2.5 %.
pub(super) fn clopper_pearson(part: Part, dispersion: f64) -> Option<(f64, f64)> {
    let affected = part.affected.min(part.requests);
    let rest = part.requests.saturating_sub(affected);
    if part.requests == 0 {
        return None;
    }
    // By symmetry the rarer outcome is what is counted.
    if affected > rest {
        let mirrored = Part { affected: rest, ..part };
        return clopper_pearson(mirrored, dispersion).map(|(low, high)| (100.0 - high, 100.0 - low));
    }
    let n = part.requests as f64 / dispersion.max(1.0);
    let k = affected as f64 / dispersion.max(1.0);
    let p = affected as f64 / part.requests as f64;
    // Of a fraction of a request the next whole ones to either side are taken: too wide rather than too narrow.
    let low = if affected == 0 { 0.0 } else { root(|p| 1.0 - at_most(k.floor() - 1.0, n, p) < 0.025) };
    let high = root(|p| at_most(k.ceil(), n, p) > 0.025);
    Some(((low * 100.0).clamp(0.0, p * 100.0), (high * 100.0).clamp(p * 100.0, 100.0)))
}

/// The share up to which something holds.
fn root(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if holds(middle) { low = middle } else { high = middle }
    }
    low
}

/// The chance of at most `k` affected requests among `n` at a share `p`: a sum of k + 1 terms of the binomial.
fn at_most(k: f64, n: f64, p: f64) -> f64 {
    if k < 0.0 {
        return 0.0;
    }
    if k >= n {
        return 1.0;
    }
    let odds = (p / (1.0 - p)).ln();
    let mut term = n * (-p).ln_1p();
    let (mut sum, mut i) = (term.exp(), 0.0);
    while i < k {
        term += ((n - i) / (i + 1.0)).ln() + odds;
        sum += term.exp();
        i += 1.0;
    }
    sum.min(1.0)
}
