//! Findings of many streams → incidents: what overlaps is one.

use super::{Finding, GateKind, Signal, TIMEOUT_SECONDS};
use crate::model::Status;

/// A further signal belongs to an incident if its finding covers this part of it.
const COVERS: f64 = 0.5;

/// The site speaks for failures if it has so many times the excess of the part that is surest of them.
const MORE_OF_THE_SITE: f64 = 1.9;

/// Clients that give up so many seconds before (after) the first (last) failure belong to it.
const GAVE_UP_SECONDS: u64 = 120;

/// A stretch in which something broke, as all streams tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The stream that shows it best, as the caller numbers them.
    pub stream: usize,
    /// What it shows there: boundaries, baseline and strength of the incident.
    pub finding: Finding,
    /// What other streams and signals show of it, strongest first.
    pub others: Vec<(usize, Finding)>,
    /// All that broke for at least half of it; the one that the incident is about first, then the strongest.
    pub signals: Vec<Signal>,
    /// Clients gave up waiting (499) more often than they do in health: these requests are affected as well.
    pub gave_up: bool,
}

impl Merged {
    /// The finding at this place among the others speaks for the incident instead.
    pub fn lead_with(&mut self, at: usize) {
        if let Some((stream, other)) = self.others.get_mut(at) {
            std::mem::swap(stream, &mut self.stream);
            std::mem::swap(other, &mut self.finding);
        }
    }
}

/// Makes incidents of the findings of numbered streams (0 is the site), ascending by start.
///
/// The strongest finding becomes an incident; weaker ones that overlap it are absorbed and never extend it: chained
/// overlaps would glue separate incidents together. Of equally strong ones the lower stream speaks.
pub fn merge(findings: Vec<(usize, Finding)>) -> Vec<Merged> {
    let mut left = findings;
    left.sort_by(|(a_stream, a), (b_stream, b)| {
        let key = |f: &Finding| (f.start.second, f.end.second, f.signal);
        of_several(b).total_cmp(&of_several(a)).then(a_stream.cmp(b_stream)).then(key(a).cmp(&key(b)))
    });
    let of_site: Vec<Finding> =
        left.iter().filter(|(stream, _)| *stream == 0).map(|(_, f)| f.clone()).collect();
    let (left, glue): (Vec<_>, Vec<_>) =
        left.into_iter().partition(|(stream, finding)| *stream == 0 || !is_glue(finding, &of_site));
    let mut incidents: Vec<Merged> = Vec::new();
    for (stream, finding) in left.into_iter().chain(glue) {
        if let Some(incident) = incidents.iter_mut().find(|i| i.finding.overlap(&finding) > 0) {
            incident.others.push((stream, finding));
            continue;
        }
        let signals = vec![finding.signal];
        let gave_up = is_gave_up(&finding);
        incidents.push(Merged { stream, signals, finding, others: Vec::new(), gave_up });
    }
    join_waiting(&mut incidents);
    for own in 0..incidents.len() {
        // Those before it may have moved: where they lie now is what counts.
        let others: Vec<(i64, i64)> = incidents
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != own)
            .map(|(_, i)| i.finding.span())
            .collect();
        let Some(incident) = incidents.get_mut(own) else { continue };
        lead_with_silence(incident, &others);
        lead_with_the_site(incident, &others);
        join_those_who_gave_up(incident, &others);
        let mut signals = vec![incident.finding.signal];
        for (_, other) in &incident.others {
            if !signals.contains(&other.signal) && covers(other, &incident.finding) {
                signals.push(other.signal);
            }
        }
        incident.signals = signals;
    }
    incidents.sort_by_key(|incident| (incident.finding.start.second, incident.stream));
    incidents
}

/// Nats without the client that was hit most, where that is known: one client's storm in the midst of it makes no finding
/// surer.
fn of_several(finding: &Finding) -> f64 {
    let gates = finding.audit.gates.iter();
    let without = gates.filter(|gate| gate.what == GateKind::StrengthWithoutTopClient);
    without.map(|gate| gate.value).fold(finding.strength, f64::min)
}

/// What looks like one stretch in a part of the site, and is several in all of it, where more speaks for them.
fn is_glue(finding: &Finding, of_site: &[Finding]) -> bool {
    let inside = |of: &&Finding| of.signal == finding.signal && of.overlap(finding) > 0;
    let several: Vec<&Finding> = of_site.iter().filter(inside).collect();
    several.len() > 1 && several.iter().map(|of| of_several(of)).sum::<f64>() >= of_several(finding)
}

fn covers(finding: &Finding, of: &Finding) -> bool {
    finding.overlap(of) as f64 >= COVERS * of.lasted_seconds().max(1) as f64
}

/// The silence of requests that wait belongs to the timeouts that they end with: it is what goes before the first of them.
fn join_waiting(incidents: &mut Vec<Merged>) {
    let timeouts: Vec<(i64, usize)> = incidents
        .iter()
        .filter(|i| i.finding.dominant_status == Some(Status::GATEWAY_TIMEOUT.code()))
        .map(|i| (i.finding.start.second, i.stream))
        .collect();
    for (start, stream) in timeouts {
        let waits = |incident: &mut Merged| {
            let end = incident.finding.end.second;
            let near = end < start && start.saturating_sub(end) <= TIMEOUT_SECONDS;
            near && incident.finding.is_silence()
        };
        let waiting: Vec<Merged> = incidents.extract_if(.., waits).collect();
        let is_theirs = |i: &&mut Merged| i.finding.start.second == start && i.stream == stream;
        let Some(incident) = incidents.iter_mut().find(is_theirs) else { continue };
        for silence in waiting {
            incident.others.push((silence.stream, silence.finding));
            incident.others.extend(silence.others);
        }
    }
}

/// One of several servers falls silent and the rest get slow: the silence explains the slowness, not the other way
/// round, however many slow requests speak for the latter.
fn lead_with_silence(incident: &mut Merged, others: &[(i64, i64)]) {
    if incident.finding.signal != Signal::Latency {
        return;
    }
    let silent = |(_, other): &(usize, Finding)| {
        other.is_silence() && covers(other, &incident.finding) && is_clear(other.span(), others)
    };
    let Some(at) = incident.others.iter().position(silent) else { return };
    let (stream, finding) = incident.others.remove(at);
    let slow = (incident.stream, std::mem::replace(&mut incident.finding, finding));
    incident.stream = stream;
    incident.others.insert(0, slow);
}

/// Where the whole site is silent so are its parts, some of which may show it better by being steadier. And where requests
/// fail everywhere, a part whose failures clump less may be surer of it, but the site has more of them to tell when.
fn lead_with_the_site(incident: &mut Merged, others: &[(i64, i64)]) {
    if incident.stream == 0 {
        return;
    }
    let part = &incident.finding;
    let shows_more = |site: &Finding| match part.signal {
        Signal::Traffic => part.is_silence() && site.is_silence() && covers(site, part),
        Signal::Errors => {
            site.signal == Signal::Errors
                && !is_gave_up(site)
                && covers(site, part)
                && covers(part, site)
                && excess(site) >= MORE_OF_THE_SITE * excess(part)
        }
        Signal::Latency => false,
    };
    let found = incident
        .others
        .iter()
        .position(|(stream, other)| *stream == 0 && shows_more(other) && is_clear(other.span(), others));
    if let Some(at) = found {
        incident.lead_with(at);
    }
}

/// It reaches into none of the other incidents, given by their first and last second.
fn is_clear((start, end): (i64, i64), others: &[(i64, i64)]) -> bool {
    others.iter().all(|(other_start, other_end)| *other_end < start || end < *other_start)
}

/// Failures beyond what the baseline expects.
fn excess(finding: &Finding) -> f64 {
    finding.failures as f64 - finding.requests as f64 * finding.baseline.error_share
}

/// Clients gave up waiting more often than they do in health.
fn is_gave_up(finding: &Finding) -> bool {
    finding.dominant_status == Some(Status::GAVE_UP.code())
}

/// Requests that clients gave up on and requests that failed are affected by the same thing: the first (last) of either
/// is the edge.
fn join_those_who_gave_up(incident: &mut Merged, others: &[(i64, i64)]) {
    if incident.finding.signal != Signal::Errors || is_gave_up(&incident.finding) {
        return;
    }
    let Some((_, other)) = incident.others.iter().find(|(_, other)| is_gave_up(other)) else { return };
    incident.gave_up = true;
    let finding = &mut incident.finding;
    let near = |a: i64, b: i64| a.abs_diff(b) <= GAVE_UP_SECONDS;
    let (start, end) = finding.span();
    let (earlier, later) = (other.start.second, other.end.second);
    if earlier < start && near(earlier, start) && is_clear((earlier, end), others) {
        finding.start = other.start;
    }
    if later > end && near(later, end) && is_clear((start, later), others) {
        finding.end = other.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Audit, Baseline, Boundary, Effect, Gate, Latencies, Level};

    fn finding(signal: Signal, (start, end): (i64, i64), strength: f64) -> Finding {
        let edge = |second| Boundary { second, range: (second, second), open: false };
        let effect = match signal {
            Signal::Errors => Effect::Errors,
            Signal::Latency => Effect::Latency {
                share: 0.7,
                share_range: (0.6, 0.8),
                slowdown: 2.0,
                slowdown_range: (1.8, 2.2),
                usual: Latencies { median_us: 40e3, p95_us: 90e3 },
                during: Latencies { median_us: 80e3, p95_us: 180e3 },
            },
            Signal::Traffic => Effect::Traffic { expected: 500.0, missing_range: (0.99, 1.0) },
        };
        Finding {
            signal,
            effect,
            start: edge(start),
            end: edge(end),
            baseline: Baseline { error_share: 0.001, requests_per_second: 5.0, window: None },
            requests: 0,
            failures: 0,
            dominant_status: None,
            strength,
            dispersion: 1.0,
            levels: vec![Level { start, end, share: 0.9 }],
            confidence: 0.9,
            audit: Audit::default(),
        }
    }

    #[test]
    fn what_overlaps_is_one_incident_and_never_extended() {
        let found = merge(vec![
            (0, finding(Signal::Errors, (100, 199), 500.0)),
            (3, finding(Signal::Errors, (150, 400), 90.0)),
            (4, finding(Signal::Errors, (390, 500), 80.0)),
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].finding.start.second, found[0].finding.end.second), (100, 199));
        assert_eq!(found[0].others.len(), 1);
        assert_eq!(found[1].stream, 4);
    }

    #[test]
    fn one_server_does_not_glue_two_incidents_of_the_site() {
        let site = [(100, 199), (600, 900)].map(|span| (0, finding(Signal::Errors, span, 800.0)));
        let of_server = |strength| (2, finding(Signal::Errors, (100, 900), strength));
        let found = merge([site.to_vec(), vec![of_server(1500.0)]].concat());
        assert_eq!(found.iter().map(|i| i.stream).collect::<Vec<_>>(), [0, 0]);
        let found = merge([site.to_vec(), vec![of_server(1700.0)]].concat());
        assert_eq!(found.iter().map(|i| i.stream).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_clients_storm_in_a_part_does_not_glue_two_incidents_of_the_site() {
        let site = [(100, 199), (600, 900)].map(|span| (0, finding(Signal::Errors, span, 800.0)));
        let mut of_server = finding(Signal::Errors, (100, 900), 1700.0);
        let without = Gate { what: GateKind::StrengthWithoutTopClient, value: 1500.0, needed: 15.0 };
        of_server.audit.gates = vec![without];
        let found = merge([site.to_vec(), vec![(2, of_server)]].concat());
        assert_eq!(found.iter().map(|i| i.stream).collect::<Vec<_>>(), [0, 0]);
    }

    #[test]
    fn of_equal_streams_the_site_speaks() {
        let same = finding(Signal::Errors, (100, 199), 500.0);
        let found = merge(vec![(7, same.clone()), (0, same)]);
        assert_eq!((found.len(), found[0].stream), (1, 0));
    }

    #[test]
    fn signals_are_those_that_lasted() {
        let found = merge(vec![
            (0, finding(Signal::Errors, (100, 199), 500.0)),
            (0, finding(Signal::Latency, (120, 190), 50.0)),
            (0, finding(Signal::Traffic, (190, 210), 40.0)),
        ]);
        assert_eq!(found[0].signals, [Signal::Errors, Signal::Latency]);
    }

    #[test]
    fn a_silent_server_leads_the_slowness_of_its_peers() {
        let found = merge(vec![
            (0, finding(Signal::Latency, (105, 199), 900.0)),
            (2, finding(Signal::Traffic, (100, 199), 200.0)),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].stream, found[0].finding.start.second), (2, 100));
        assert_eq!(found[0].signals, [Signal::Traffic, Signal::Latency]);
    }

    #[test]
    fn a_silent_site_is_not_told_as_one_of_its_parts() {
        let silent = |strength| finding(Signal::Traffic, (100, 199), strength);
        let site = merge(vec![(2, silent(700.0)), (3, silent(500.0)), (0, silent(30.0))]);
        assert_eq!((site.len(), site[0].stream, site[0].others.len()), (1, 0, 2));
        let part = merge(vec![(2, silent(700.0)), (0, finding(Signal::Traffic, (150, 160), 30.0))]);
        assert_eq!(part[0].stream, 2);
    }

    #[test]
    fn silence_before_the_first_timeout_belongs_to_the_timeouts() {
        let timeouts =
            |status| Finding { dominant_status: Some(status), ..finding(Signal::Errors, (100, 199), 500.0) };
        let silent = |span| (2, Finding { requests: 0, ..finding(Signal::Traffic, span, 30.0) });
        let found = merge(vec![(0, timeouts(504)), silent((50, 95))]);
        assert_eq!((found.len(), found[0].finding.start.second, found[0].others.len()), (1, 100, 1));
        assert_eq!(merge(vec![(0, timeouts(504)), silent((10, 35))]).len(), 2);
        assert_eq!(merge(vec![(0, timeouts(503)), silent((50, 95))]).len(), 2);
    }

    #[test]
    fn clients_that_gave_up_first_are_affected_first() {
        let gave_up = Finding { dominant_status: Some(499), ..finding(Signal::Errors, (90, 150), 60.0) };
        let found = merge(vec![(3, finding(Signal::Errors, (100, 199), 500.0)), (0, gave_up)]);
        assert_eq!((found[0].finding.start.second, found[0].finding.end.second), (90, 199));
        assert!(found[0].gave_up);
    }

    #[test]
    fn two_incidents_do_not_turn_into_each_other_where_the_site_speaks_for_both() {
        let errors =
            |span, strength, failures| Finding { failures, ..finding(Signal::Errors, span, strength) };
        let found = merge(vec![
            (1, errors((0, 52), 2.0, 100)),
            (1, errors((106, 187), 2.0, 100)),
            (0, errors((0, 105), 1.0, 300)),
            (0, errors((92, 255), 1.0, 300)),
        ]);
        assert_eq!(found.iter().map(|i| i.finding.span()).collect::<Vec<_>>(), [(0, 105), (106, 187)]);
    }

    #[test]
    fn clients_that_gave_up_do_not_join_two_incidents() {
        let gave_up = Finding { dominant_status: Some(499), ..finding(Signal::Errors, (150, 250), 60.0) };
        let found = merge(vec![
            (0, finding(Signal::Errors, (100, 199), 500.0)),
            (0, finding(Signal::Errors, (220, 300), 400.0)),
            (3, gave_up),
        ]);
        assert_eq!(found.iter().map(|i| i.finding.span()).collect::<Vec<_>>(), [(100, 199), (220, 300)]);
    }

    proptest::proptest! {
        #[test]
        fn incidents_never_overlap_and_the_order_of_findings_is_no_matter(
            spans in proptest::collection::vec((0i64..1000, 0i64..200, 1u32..50, 0usize..4, 0usize..5), 0..20)
        ) {
            let kinds = [
                (Signal::Errors, None),
                (Signal::Errors, Some(499)),
                (Signal::Errors, Some(504)),
                (Signal::Latency, None),
                (Signal::Traffic, None),
            ];
            let findings: Vec<_> = spans
                .iter()
                .map(|&(start, length, strength, stream, kind)| {
                    let (signal, dominant_status) = kinds[kind];
                    let failures = u64::from(strength) * if stream == 0 { 9 } else { 1 };
                    let found = finding(signal, (start, start + length), f64::from(strength));
                    (stream, Finding { failures, dominant_status, ..found })
                })
                .collect();
            let found = merge(findings.clone());
            for pair in found.windows(2) {
                proptest::prop_assert!(pair[0].finding.end.second < pair[1].finding.start.second);
            }
            let all = found.iter().map(|i| 1 + i.others.len()).sum::<usize>();
            proptest::prop_assert_eq!(all, findings.len());
            let mut turned = findings;
            turned.reverse();
            let turned = merge(turned);
            let edges = |m: &[Merged]| m.iter().map(|i| (i.stream, i.finding.start.second)).collect::<Vec<_>>();
            proptest::prop_assert_eq!(edges(&found), edges(&turned));
        }
    }
}
