//! Statuses of the failures of an incident and of the background: gateway timeouts beside the errors that an application
//! has all day tell an edge better than all failures do.

/// Failures like those of the background that are added to what is seen, so that no status is impossible.
const PRIOR_FAILURES: f64 = 1.0;
/// The estimate moves no more after so many rounds.
const ROUNDS: usize = 30;

/// What part of the failures has which status.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mix {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    status: u16,
    /// Of the background's failures, 0–1; never 0.
    usual: f64,
    /// Of the incident's, 0–1.
    raised: f64,
}

impl Mix {
    /// The mixture behind the failures of some requests, of which a share `rate` fails in the background:
    /// expectation–maximisation of the share that the incident adds and of the parts that its statuses have of it.
    ///
    /// `counts`: (status, failures, its part of the background's failures). `None` if there are none.
    pub(super) fn fit(requests: f64, rate: f64, counts: &[(u16, f64, f64)]) -> Option<Self> {
        let failures: f64 = counts.iter().map(|&(_, count, _)| count).sum();
        if failures <= 0.0 || requests <= 0.0 {
            return None;
        }
        let part =
            |&(status, count, usual): &(u16, f64, f64)| Part { status, usual, raised: count / failures };
        let mut mix = Self { parts: counts.iter().map(part).collect() };
        let all_usual: f64 = mix.parts.iter().map(|part| part.usual).sum();
        let mut level = ((failures / requests - rate) / (1.0 - rate)).clamp(rate / 2.0, 1.0 - 1e-9);
        for _ in 0..ROUNDS {
            let mut raised = 0.0;
            for (part, &(_, count, _)) in mix.parts.iter_mut().zip(counts) {
                let (ours, theirs) = (level * part.raised, (1.0 - level) * rate * part.usual);
                part.raised = count * ours / (ours + theirs).max(f64::MIN_POSITIVE);
                raised += part.raised;
            }
            level = (raised / requests).min(1.0 - 1e-9);
            for part in &mut mix.parts {
                let prior = PRIOR_FAILURES * part.usual / all_usual.max(f64::MIN_POSITIVE);
                part.raised = (part.raised + prior) / (raised + PRIOR_FAILURES);
            }
        }
        Some(mix)
    }

    /// The statuses, with how many times the part of the incident's failures is that of the background's.
    pub(super) fn odds(&self) -> impl Iterator<Item = (u16, f64)> {
        self.parts.iter().map(|part| (part.status, part.raised / part.usual))
    }

    /// The part of the incident's failures that have a status, 0–1.
    pub(super) fn raised(&self, status: u16) -> f64 {
        self.parts.iter().find(|part| part.status == status).map_or(0.0, |part| part.raised)
    }

    /// The likeliest share of requests that the incident makes fail of some, 0–1: expectation–maximisation.
    ///
    /// `counts`: (status, failures).
    pub(super) fn level(&self, requests: f64, rate: f64, counts: &[(u16, f64)]) -> f64 {
        let failures: f64 = counts.iter().map(|&(_, count)| count).sum();
        let mut level = ((failures / requests.max(1.0) - rate) / (1.0 - rate)).clamp(rate / 2.0, 1.0 - 1e-9);
        for _ in 0..ROUNDS {
            let mut raised = 0.0;
            for &(status, count) in counts {
                let odds = self.odds().find(|&(of, _)| of == status).map_or(0.0, |(_, odds)| odds);
                let (ours, theirs) = (level * odds, (1.0 - level) * rate);
                raised += count * ours / (ours + theirs).max(f64::MIN_POSITIVE);
            }
            level = (raised / requests.max(1.0)).min(1.0 - 1e-9);
        }
        level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odds(mix: &Mix, status: u16) -> f64 {
        mix.odds().find(|&(of, _)| of == status).unwrap().1
    }

    #[test]
    fn the_background_is_not_taken_for_the_incident() {
        // 30 of 1,000 fail with 500 as ever, and 40 more with 502, of which there are 3 usually
        let mix = Mix::fit(1000.0, 0.033, &[(500, 30.0, 0.9), (502, 43.0, 0.1)]).unwrap();
        assert!(odds(&mix, 500) < 0.3, "{mix:?}");
        assert!(odds(&mix, 502) > 8.0, "{mix:?}");
        let level = mix.level(1000.0, 0.033, &[(500, 30.0), (502, 43.0)]);
        assert!((level - 0.0414).abs() < 0.005, "{level}");
    }

    #[test]
    fn what_raises_all_statuses_alike_tells_none_apart() {
        let mix = Mix::fit(1000.0, 0.02, &[(500, 80.0, 0.8), (503, 20.0, 0.2)]).unwrap();
        assert!((odds(&mix, 500) - 1.0).abs() < 0.05, "{mix:?}");
        assert!((odds(&mix, 503) - 1.0).abs() < 0.2, "{mix:?}");
    }

    #[test]
    fn nothing_that_fails_has_no_mixture() {
        assert_eq!(Mix::fit(1000.0, 0.02, &[(500, 0.0, 1.0)]), None);
    }
}
