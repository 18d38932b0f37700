//! Where it hurt: the values that explain more than "everything".

use super::facts::ScopeItem;
use super::impact;
use crate::detect::Finding;
use crate::inspect::{Closeup, Part, Tone};
use crate::model::{Dimension, Untrusted};

/// Share of the excess failures that a value must hold to be named.
const EXPLAINS: f64 = 0.8;
/// How many times more often requests fail with the value than without it.
const CONTRAST: f64 = 5.0;
/// Values named at most.
const MOST: usize = 4;

/// Values of a dimension that hold nearly all failures while the rest of the traffic is well; strongest first.
///
/// A value is named if its G-statistic against "the same rate everywhere" (Dunning 1993) beats the price of a further
/// parameter, ln n, and of having had so many candidates. Failures that a value always has count as its own baseline.
pub(super) fn scope(finding: &Finding, closeup: &Closeup) -> Vec<ScopeItem> {
    let site = impact::users(closeup);
    let mut found: Vec<(f64, ScopeItem)> = Vec::new();
    for (&dimension, values) in &closeup.dimensions {
        let candidates = values.iter().count();
        // a value that all requests have tells nothing
        if candidates < 2 {
            continue;
        }
        for (_, tone) in values.iter() {
            if let Some((gain, item)) = judge(finding, site, dimension, tone, candidates) {
                found.push((gain, item));
            }
        }
    }
    found.sort_by(|a, b| {
        b.0.total_cmp(&a.0).then_with(|| (a.1.dimension, &a.1.value).cmp(&(b.1.dimension, &b.1.value)))
    });
    found.into_iter().take(MOST).map(|(_, item)| item).collect()
}

fn judge(
    finding: &Finding,
    site: Part,
    dimension: Dimension,
    tone: &Tone,
    candidates: usize,
) -> Option<(f64, ScopeItem)> {
    let usual = usual_rate(finding, tone.outside);
    let with = tone.inside;
    let without = Part {
        requests: site.requests.saturating_sub(with.requests),
        affected: site.affected.saturating_sub(with.affected),
    };
    let excess = |part: Part, rate: f64| (part.affected as f64 - part.requests as f64 * rate).max(0.0);
    let mine = excess(with, usual);
    let others = excess(without, finding.baseline.error_share);
    let rate = |part: Part| part.affected as f64 / part.requests.max(1) as f64;
    if mine < 4.0 || mine / (mine + others) < EXPLAINS || without.requests < 10 {
        return None;
    }
    if rate(with) < CONTRAST * rate(without).max(0.5 / without.requests as f64) || rate(with) < 1.5 * usual {
        return None;
    }
    let all = Part { requests: with.requests + without.requests, affected: with.affected + without.affected };
    let gain =
        (log_likelihood(with) + log_likelihood(without) - log_likelihood(all)) / finding.dispersion.max(1.0);
    let price = 0.5 * (all.requests.max(2) as f64).ln() + (candidates as f64).ln() + 3.0;
    (gain > price).then(|| {
        let item = ScopeItem {
            dimension,
            value: Untrusted::new(&tone.value),
            affected_share: with.affected as f64 / site.affected.max(1) as f64,
            affected_percent: rate(with) * 100.0,
            baseline_percent: usual * 100.0,
        };
        (gain, item)
    })
}

/// How often requests with a value fail when all is well, shrunk towards the site's rate by 20 requests.
fn usual_rate(finding: &Finding, outside: Part) -> f64 {
    const SHRINK: f64 = 20.0;
    (outside.affected as f64 + SHRINK * finding.baseline.error_share) / (outside.requests as f64 + SHRINK)
}

/// Of a binomial sample at its own rate.
fn log_likelihood(part: Part) -> f64 {
    let (n, k) = (part.requests as f64, part.affected.min(part.requests) as f64);
    let term = |count: f64| if count > 0.0 { count * (count / n).ln() } else { 0.0 };
    term(k) + term(n - k)
}
