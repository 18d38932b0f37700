//! Compares what a method claims with what is true.

use super::methods::{Claim, Place};
use super::truth::{Signal, Truth};

/// A site's result with one method.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) site: String,
    pub(crate) days: f64,
    pub(crate) drifting: bool,
    pub(crate) found: Found,
    /// Claims that tell nothing true, fragments of what another claim tells among them.
    pub(crate) wrong: Vec<Claim>,
}

/// How right a claim is about its truth. `None` is what is not asked, or not said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    /// Seconds too late.
    pub(crate) start_error: f64,
    /// See `start_error`.
    pub(crate) end_error: f64,
    pub(crate) boundaries: bool,
    /// Off by a second at most.
    pub(crate) to_the_second: bool,
    pub(crate) impact: Option<bool>,
    pub(crate) start_covered: Option<bool>,
    pub(crate) end_covered: Option<bool>,
    pub(crate) impact_covered: Option<bool>,
    pub(crate) scope: Option<bool>,
}

/// Matches claims to truths, one to one, so that they overlap as much as possible in all; never a claim of another
/// signal.
pub(crate) fn pair(truths: &[Truth], claims: &[Claim]) -> Vec<Option<usize>> {
    // best[set] = (overlap, claim of each truth) with the truths of the set given away
    let mut best: Vec<Option<(f64, Vec<Option<usize>>)>> = vec![None; 1 << truths.len()];
    best[0] = Some((0.0, vec![None; truths.len()]));
    for (c, claim) in claims.iter().enumerate() {
        for set in (0..best.len()).rev() {
            let Some((total, pairs)) = best[set].clone() else { continue };
            for (t, truth) in truths.iter().enumerate().filter(|(t, _)| set & (1 << t) == 0) {
                let overlap = claim.end.min(truth.end) - claim.start.max(truth.start);
                if overlap <= 0.0 || !claim.signals.contains(&truth.signal) {
                    continue;
                }
                let target = &mut best[set | (1 << t)];
                if target.as_ref().is_none_or(|(known, _)| total + overlap > *known) {
                    let mut pairs = pairs.clone();
                    pairs[t] = Some(c);
                    *target = Some((total + overlap, pairs));
                }
            }
        }
    }
    let most = best.into_iter().flatten().max_by(|a, b| a.0.total_cmp(&b.0));
    most.map_or_else(Vec::new, |(_, pairs)| pairs)
}

/// How right a claim is.
pub(crate) fn judge(truth: &Truth, claim: &Claim) -> Verdict {
    let nearest =
        |said: f64, a: f64, b: f64| if (said - a).abs() <= (said - b).abs() { said - a } else { said - b };
    let start_error = nearest(claim.start, truth.start, truth.closer.0);
    let end_error = nearest(claim.end, truth.end, truth.closer.1);
    let (start_tolerance, end_tolerance) = truth.tolerances();
    let covers =
        |range: Option<(f64, f64)>, value: f64| range.map(|(low, high)| low <= value && value <= high);
    let impact = truth.percent.zip(claim.percent).map(|(truly, said)| {
        let allowed = if truth.signal == Signal::Latency { 12.0 } else { (0.05 * truly).max(1.5) };
        (said - truly).abs() <= allowed
    });
    Verdict {
        start_error,
        end_error,
        boundaries: start_error.abs() <= start_tolerance && end_error.abs() <= end_tolerance,
        to_the_second: start_error.abs() <= 1.0 && end_error.abs() <= 1.0,
        impact: if truth.percent.is_some() { Some(impact == Some(true)) } else { None },
        start_covered: covers(claim.start_range, truth.start),
        end_covered: if claim.end_open { None } else { covers(claim.end_range, truth.end) },
        impact_covered: truth.expected.and_then(|share| covers(claim.percent_interval, share)),
        scope: (claim.place != Place::Unsaid).then(|| same_place(truth, &claim.place)),
    }
}

fn same_place(truth: &Truth, said: &Place) -> bool {
    match (&truth.scope, said) {
        (None, Place::Everywhere) => true,
        // a source may be named by its path
        (Some(("source", server)), Place::In { dimension, value }) => {
            dimension == "source" && value.contains(server.as_str())
        }
        (Some((truly, name)), Place::In { dimension, value }) => truly == dimension && name == value,
        _ => false,
    }
}

/// Every truth with the claim that tells it.
pub(crate) type Found = Vec<(Truth, Option<(Claim, Verdict)>)>;

/// The pairs with their verdicts, and the claims that are left.
pub(crate) fn settle(truths: Vec<Truth>, claims: &[Claim]) -> (Found, Vec<Claim>) {
    let pairs = pair(&truths, claims);
    let left = (0..claims.len()).filter(|c| !pairs.contains(&Some(*c))).map(|c| claims[c].clone()).collect();
    let found = truths.into_iter().zip(pairs).map(|(truth, claim)| {
        let told = claim.map(|c| (claims[c].clone(), judge(&truth, &claims[c])));
        (truth, told)
    });
    (found.collect(), left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(start: f64, end: f64) -> Truth {
        Truth {
            signal: Signal::Errors,
            scope: None,
            start,
            end,
            closer: (start, end),
            affected: 100,
            clients: 10,
            requests: 200,
            percent: Some(50.0),
            expected: Some(49.0),
            nats: 100.0,
            nats_each: 0.5,
            rate: 1.0,
            ramps: (0.0, 0.0),
            is_sudden: true,
            text: String::new(),
        }
    }

    fn claim(start: f64, end: f64) -> Claim {
        Claim {
            signals: vec![Signal::Errors],
            start,
            end,
            end_open: false,
            start_range: Some((start - 2.0, start + 2.0)),
            end_range: Some((end, end)),
            percent: Some(51.0),
            percent_interval: Some((45.0, 55.0)),
            place: Place::Everywhere,
            title: String::new(),
        }
    }

    #[test]
    fn pairs_overlap_as_much_as_possible() {
        let truths = [truth(0.0, 100.0), truth(200.0, 300.0)];
        assert_eq!(pair(&truths, &[]), [None, None]);
        assert_eq!(pair(&truths, &[claim(90.0, 290.0)]), [None, Some(0)]);
        // the long one could tell either; the short one only the second
        assert_eq!(pair(&truths, &[claim(50.0, 300.0), claim(210.0, 290.0)]), [Some(0), Some(1)]);
        // a fragment more
        assert_eq!(pair(&truths, &[claim(0.0, 20.0), claim(30.0, 90.0)]), [Some(1), None]);
        let slow = Claim { signals: vec![Signal::Latency], ..claim(0.0, 100.0) };
        assert_eq!(pair(&truths, &[slow]), [None, None]);
    }

    #[test]
    fn boundaries_may_be_off_by_what_nobody_can_know() {
        let right = |claim: &Claim| judge(&truth(100.0, 200.0), claim).boundaries;
        assert!(right(&claim(104.0, 196.0)) && !right(&claim(105.0, 200.0)) && !right(&claim(100.0, 205.0)));
        let ramp = Truth { ramps: (60.0, 0.0), ..truth(100.0, 200.0) };
        assert!(judge(&ramp, &claim(130.0, 200.0)).boundaries);
        assert!(!judge(&ramp, &claim(131.0, 200.0)).boundaries);
    }

    #[test]
    fn figures_are_judged_by_their_tolerances() {
        let verdict = judge(&truth(100.0, 200.0), &claim(101.0, 201.0));
        assert!(verdict.to_the_second);
        assert_eq!((verdict.impact, verdict.impact_covered), (Some(true), Some(true)));
        assert_eq!((verdict.start_covered, verdict.end_covered), (Some(true), Some(false)));
        assert_eq!(verdict.scope, Some(true));
        let off = Claim { percent: Some(52.6), percent_interval: None, ..claim(100.0, 200.0) };
        let verdict = judge(&truth(100.0, 200.0), &off);
        assert_eq!((verdict.impact, verdict.impact_covered), (Some(false), None));
    }

    #[test]
    fn places_are_right_if_they_are_the_same() {
        let said =
            |dimension: &str, value: &str| Place::In { dimension: dimension.into(), value: value.into() };
        let at = |dimension, value: &str| Truth { scope: Some((dimension, value.into())), ..truth(0.0, 1.0) };
        assert!(!same_place(&truth(0.0, 1.0), &said("path", "/")));
        assert!(same_place(&at("path", "/a"), &said("path", "/a")));
        assert!(!same_place(&at("path", "/a"), &said("vhost", "/a")));
        assert!(!same_place(&at("path", "/a"), &Place::Everywhere));
        assert!(same_place(&at("source", "web-02"), &said("source", "/tmp/web-02/access.log")));
    }
}
