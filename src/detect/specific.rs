//! Whether failures of a part are the part's own, or what all of the site went through.

use super::stream::Sums;
use super::{Finding, Series, Slot};

/// What is compared with lasts as long as the finding to either side of it, within these bounds.
const BESIDE_SECONDS: (i64, i64) = (1800, 7200);
/// Seconds beside any finding that are not compared with.
const MARGIN_SECONDS: i64 = 30;
/// So many of the part's requests are needed for a comparison.
const FEWEST_REQUESTS: f64 = 50.0;
/// Failures that the rest is given on either side of its ratio: a few say little of how it rose.
const PRIOR_FAILURES: f64 = 2.0;
/// Log-likelihood ratio as a part of β, as the gates ask it.
const LEAST_OF_PENALTY: f64 = 0.8;
/// Failures against what is expected, as the gates ask it.
const LEAST_RATIO: f64 = 1.5;
/// What a status usually has of a part's failures is what it has of the site's, as if so many failures told it: of a few
/// failures of a part each rare status is seen in some stretches and in none of the others.
const STATUS_FAILURES: f64 = 4.0;

/// The failures of a part (a server, a vhost, an upstream, a path) stand out when they are more than those of the rest of
/// the site account for: the part is expected to fail as often as beside the finding, times the factor by which the rest
/// failed more often meanwhile. A background that drifts everywhere is found wherever its chance is smallest, and means
/// nothing there.
///
/// `found` are the spans, [first, last], of everything found, which no comparison is made with. `part` has its own
/// requests or the site's. Where one status shows the finding, failures are those with it.
pub fn stands_out(finding: &Finding, part: &Series, site: &Series, found: &[(i64, i64)]) -> bool {
    let beside = Beside::of(finding, found);
    let Some(alone) = finding.audit.alone else { return rises_alone(finding, part, site, &beside, None) };
    let (of_part, of_site) = (with_status(part, alone.status), with_status(site, alone.status));
    // of all failures: how many fail in the part, and which part of the site's has the status
    let share = |failures: f64, all: f64| if all > 0.0 { failures / all } else { 0.0 };
    let (part_beside, site_beside) = (beside.sums(part).1, beside.sums(site).1);
    let of_status = share(beside.sums(&of_site).1.failures, site_beside.failures);
    let usual = share(part_beside.failures, part_beside.requests) * of_status;
    rises_alone(finding, &of_part, &of_site, &beside, Some(usual))
}

/// Where a finding is, and what it is compared with.
struct Beside<'a> {
    start: i64,
    end: i64,
    reach: i64,
    found: &'a [(i64, i64)],
}

impl<'a> Beside<'a> {
    fn of(finding: &Finding, found: &'a [(i64, i64)]) -> Self {
        let (start, end) = (finding.start.second, finding.end.second);
        let reach = end.saturating_sub(start).clamp(BESIDE_SECONDS.0, BESIDE_SECONDS.1);
        Self { start, end, reach, found }
    }

    /// Counts in the finding, and beside it where nothing was found.
    fn sums(&self, series: &Series) -> (Sums, Sums) {
        let near = |second: i64, &(first, last): &(i64, i64)| {
            second >= first.saturating_sub(MARGIN_SECONDS) && second <= last.saturating_add(MARGIN_SECONDS)
        };
        let (mut inside, mut outside) = (Sums::default(), Sums::default());
        let from = series.slots.partition_point(|slot| slot.second < self.start.saturating_sub(self.reach));
        let slots = series.slots.iter().skip(from);
        for slot in slots.take_while(|slot| slot.second <= self.end.saturating_add(self.reach)) {
            let (requests, failures) = (f64::from(slot.requests), f64::from(slot.failures));
            if slot.second >= self.start && slot.second <= self.end {
                inside.add(requests, failures, 0.0);
            } else if !self.found.iter().any(|span| near(slot.second, span)) {
                outside.add(requests, failures, 0.0);
            }
        }
        (inside, outside)
    }
}

/// The failures with one status, slot by slot.
fn with_status(series: &Series, status: u16) -> Series {
    let mut slots: Vec<Slot> = series.slots.iter().map(|slot| Slot { failures: 0, ..*slot }).collect();
    for &(slot, _, count) in series.statuses.iter().filter(|(_, of, _)| *of == status) {
        if let Some(slot) = slots.get_mut(slot as usize) {
            slot.failures = slot.failures.saturating_add(count);
        }
    }
    Series { slots, slot_seconds: series.slot_seconds, ..Series::default() }
}

/// `usual`: the share of the part's requests that should have the failures, by what is known beside them.
fn rises_alone(
    finding: &Finding,
    part: &Series,
    site: &Series,
    beside: &Beside<'_>,
    usual: Option<f64>,
) -> bool {
    let (within, without) = beside.sums(part);
    let (all_within, all_without) = beside.sums(site);
    if without.requests < FEWEST_REQUESTS || all_without.requests < FEWEST_REQUESTS {
        return true;
    }
    // Of a path the requests are the site's, and so are those of the rest.
    let own = within.requests < all_within.requests;
    let rest = |all: Sums, part: Sums| Sums {
        requests: if own { (all.requests - part.requests).max(0.0) } else { all.requests },
        failures: (all.failures - part.failures).max(0.0),
        expected: 0.0,
    };
    let (rest_within, rest_without) = (rest(all_within, within), rest(all_without, without));
    let rest_expected = rest_without.failures / rest_without.requests.max(1.0) * rest_within.requests;
    let rise = (rest_within.failures + PRIOR_FAILURES) / (rest_expected + PRIOR_FAILURES);
    let expected = finding.audit.alone.map(|alone| alone.expected / (finding.requests as f64).max(1.0));
    let baseline = expected.unwrap_or(finding.baseline.error_share);
    let seen = match usual.filter(|share| *share > 0.0) {
        Some(share) => (without.failures + STATUS_FAILURES) / (without.requests + STATUS_FAILURES / share),
        None => without.failures / without.requests,
    };
    let usual = seen.max(baseline);
    let judged = Sums { expected: within.requests * (usual * rise.max(1.0)).min(1.0), ..within };
    judged.failures >= LEAST_RATIO * judged.expected
        && judged.llr() / finding.dispersion.max(1.0) >= LEAST_OF_PENALTY * finding.audit.penalty
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Audit, Baseline, Boundary, Effect, Signal};

    fn finding((start, end): (i64, i64)) -> Finding {
        let edge = |second| Boundary { second, range: (second, second), open: false };
        Finding {
            signal: Signal::Errors,
            effect: Effect::Errors,
            start: edge(start),
            end: edge(end),
            baseline: Baseline { error_share: 0.02, requests_per_second: 50.0, window: None },
            requests: 0,
            failures: 0,
            dominant_status: None,
            strength: 100.0,
            dispersion: 1.5,
            levels: Vec::new(),
            confidence: 0.9,
            audit: Audit { penalty: 25.0, ..Audit::default() },
        }
    }

    /// 50 requests a second; so many in a hundred seconds fail, within 4,000–8,000 and without.
    fn series(within: i64, without: i64) -> Series {
        let slot = |second: i64| {
            let rate = if (4000..8000).contains(&second) { within } else { without };
            let failures = u32::try_from(second * rate / 100 - (second - 1) * rate / 100).unwrap_or(0);
            Slot { second, requests: 50, failures, clients: None }
        };
        Series { slots: (0..12_000).map(slot).collect(), slot_seconds: 1, ..Series::default() }
    }

    #[test]
    fn what_rises_with_the_rest_is_not_the_parts_own() {
        let span = (4000, 7999);
        // a path whose failures double while those of the site do
        assert!(!stands_out(&finding(span), &series(160, 80), &series(400, 200), &[span]));
        // and one that does so alone
        assert!(stands_out(&finding(span), &series(260, 80), &series(380, 200), &[span]));
    }

    #[test]
    fn what_fails_on_a_flawless_site_is_its_own() {
        let span = (4000, 7999);
        let flawless = Baseline { error_share: 1e-6, requests_per_second: 50.0, window: None };
        let finding = Finding { baseline: flawless, ..finding(span) };
        assert!(stands_out(&finding, &series(20, 0), &series(21, 0), &[span]));
    }

    #[test]
    fn a_rare_status_of_a_part_is_expected_as_often_as_on_the_site() {
        use crate::detect::Alone;
        let span = (4000, 7999);
        // 3 % fail; of the part's failures nine have 503, all within the span, of the site's one in eight or none
        let with = |each: u32, is_503: &dyn Fn(i64) -> bool| {
            let mut series = Series { slot_seconds: 1, ..Series::default() };
            for second in 0..12_000 {
                let failures = u32::from(second % 33 == 0) * each;
                series.slots.push(Slot { second, requests: each, failures, clients: None });
                if failures > 0 {
                    let status = if is_503(second / 33) { 503 } else { 500 };
                    series.statuses.push((u32::try_from(second).unwrap(), status, failures));
                }
            }
            series
        };
        let part = with(1, &|nth| (130..139).contains(&nth));
        let alone = Some(Alone { status: 503, failures: 9, expected: 0.1 });
        let finding = Finding {
            requests: 4000,
            dispersion: 1.0,
            audit: Audit { penalty: 25.0, alone, ..Audit::default() },
            ..finding(span)
        };
        assert!(!stands_out(&finding, &part, &with(4, &|nth| nth % 8 == 0), &[span]));
        assert!(stands_out(&finding, &part, &with(4, &|_| false), &[span]));
    }
}
