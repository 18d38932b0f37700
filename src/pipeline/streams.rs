//! Which streams are searched for incidents, and the search: the site, its servers, vhosts, upstreams and failing paths;
//! errors, latency and traffic; and, where there are no requests, the messages of applications.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use super::assemble::Known;
use super::replicas::{Set, replicas};
use crate::detect::{
    BLIP_SECONDS, Caveat, Finding, Findings, LatencySeries, Merged, Sensitivity, Series, Signal, Whole,
    find_errors, find_errors_of_part, find_latency, find_missing_member, find_traffic, merge, slows_alone,
    stands_out,
};
use crate::explain::Stream;
use crate::explain::facts::Role;
use crate::model::{Dimension, Untrusted};
use crate::survey::{
    Clock, Limits, Merge, PacedValue, SiteSeries, Tally, ValueSeries, Windows, gave_up_series,
    latency_series, message_series, paced_values, series, value_series,
};

/// A vhost or upstream with this part of the site's requests is the site.
const ALL_OF_IT: f64 = 0.98;
/// Servers searched on their own, at most: those with the most requests.
const MAX_SOURCES: usize = 64;
/// Application logs searched, at most: those with the most lines.
const MAX_APPLICATIONS: usize = 64;
/// A blip of the site explains a finding of one of its parts if it covers this part of it.
const BLIP_COVERS: f64 = 0.5;
/// Failures that a part needs beside those in blips of the site: fewer are no incident.
const LEAST_BESIDE_BLIPS: u64 = 4;
/// The site shows a finding of one of its parts if it has findings for this part of it.
const SHOWN: f64 = 0.5;
/// Two servers share a service if their logs cover the same time for this part of the longer one.
const SHARED_TIME: f64 = 0.5;

/// A server that was silent is asked again, and its peers less, within so many seconds.
const HANDS_BACK_SECONDS: u64 = 10;

/// What was searched, and what was found.
pub(super) struct Search {
    /// The site's requests.
    pub(super) site: SiteSeries,
    /// What the numbers of streams mean.
    pub(super) streams: Vec<Stream>,
    /// The incidents, ascending by start.
    pub(super) incidents: Vec<Merged>,
    /// What may be incidents of routes, with their streams: their own requests have to say.
    pub(super) suspects: Vec<(usize, Finding)>,
    /// What was too short for an incident.
    pub(super) blips: Vec<Finding>,
    /// Bursts of error messages while the requests of users went on as ever, with their stream.
    pub(super) bursts: Vec<(usize, Finding)>,
    /// What limits the method on this data.
    pub(super) caveats: Vec<Caveat>,
}

impl Search {
    /// Leaves of blips and bursts what lies outside of all incidents.
    pub(super) fn keep_apart(&mut self) {
        let incidents = &self.incidents;
        let apart = |finding: &Finding| incidents.iter().all(|i| i.finding.overlap(finding) == 0);
        self.bursts.retain(|(_, finding)| apart(finding));
        self.blips.retain(apart);
    }
}

/// Tallies with the clocks of their sources.
type Part<'a> = Vec<(&'a Tally, Clock)>;

/// A rotation set of access logs.
struct Server<'a> {
    name: &'a Untrusted,
    role: Role,
    part: Part<'a>,
}

/// What is asked of one stream.
enum Question<'a> {
    SiteErrors,
    SiteGaveUp,
    SiteLatency,
    SiteTraffic,
    Errors(&'a Server<'a>),
    Latency(&'a Server<'a>),
    Traffic(&'a Server<'a>),
    /// One of several servers, and its peers.
    Member(&'a Server<'a>, Vec<&'a Server<'a>>),
    ValueErrors(&'a ValueSeries),
    ValueTraffic(&'a ValueSeries),
    ValueLatency(&'a PacedValue),
    Messages(&'a Part<'a>),
}

/// Where and how to look.
struct Searcher<'a> {
    edge: &'a Part<'a>,
    site: &'a Whole<'a>,
    paces: &'a LatencySeries,
    limits: Limits,
    range: Range<i64>,
    sensitivity: Sensitivity,
    /// Streams searched, which raises the price of a finding.
    streams: usize,
}

impl Searcher<'_> {
    fn answer(&self, question: &Question<'_>) -> Findings {
        let (streams, sensitivity) = (self.streams, self.sensitivity);
        let errors = |series: &Series| find_errors(series, streams, sensitivity);
        match question {
            Question::SiteErrors => errors(self.site.series()),
            Question::SiteGaveUp => errors(&gave_up_series(self.edge, self.limits, self.range.clone())),
            Question::SiteLatency => find_latency(self.paces, streams, sensitivity),
            Question::SiteTraffic => find_traffic(self.site.series(), streams, sensitivity),
            Question::Errors(server) => errors(&self.requests(&server.part)),
            Question::Latency(server) => find_latency(&self.latencies(&server.part), streams, sensitivity),
            Question::ValueLatency(value) => find_latency(&self.value_latencies(value), streams, sensitivity),
            Question::Traffic(server) => find_traffic(&self.requests(&server.part), streams, sensitivity),
            Question::Member(server, peers) => {
                let peers: Part<'_> = peers.iter().flat_map(|peer| peer.part.iter().cloned()).collect();
                find_missing_member(
                    &self.requests(&server.part),
                    &self.requests(&peers),
                    streams,
                    sensitivity,
                )
            }
            Question::ValueErrors(value) if value.own_requests().is_some() => {
                errors(&value.series(self.site))
            }
            Question::ValueErrors(value) => value
                .where_known(self.site, |site| find_errors_of_part(&value.part(site), streams, sensitivity)),
            Question::ValueTraffic(value) => find_traffic(&value.series(self.site), streams, sensitivity),
            Question::Messages(part) => errors(&message_series(part, self.limits, self.range.clone())),
        }
    }

    /// Leaves of what parts went through what the site shows as well and what is the part's own: what all of the site went
    /// through and what is nothing there is nothing in one of its parts. Slow requests of a part are its own, or what the
    /// site shows itself, or else what only the part shows.
    fn keep_own(&self, questions: &[(usize, Question<'_>)], answers: &mut [Findings]) {
        let answered = |asked: fn(&Question<'_>) -> bool| {
            let both = questions.iter().zip(&*answers);
            both.filter(move |((_, question), _)| asked(question)).map(|(_, findings)| findings)
        };
        let of_site = || answered(|question| matches!(question, Question::SiteErrors));
        let blips: Vec<(i64, i64)> =
            of_site().flat_map(|findings| findings.blips.iter().map(Finding::span)).collect();
        let of_site: Vec<(i64, i64)> =
            of_site().flat_map(|findings| findings.incidents.iter().map(Finding::span)).collect();
        let slow_site = answered(|question| matches!(question, Question::SiteLatency));
        let slow_site: Vec<(i64, i64)> =
            slow_site.flat_map(|findings| findings.incidents.iter().map(Finding::span)).collect();
        let all = |signal: Option<Signal>| -> Vec<(i64, i64)> {
            let found = answers.iter().flat_map(|f| &f.incidents);
            found.filter(|f| signal.is_none_or(|signal| f.signal == signal)).map(Finding::span).collect()
        };
        let (found, slow) = (all(None), all(Some(Signal::Latency)));
        let shown = |finding: &Finding| covered(finding, of_site.iter().copied());
        let failures = answers.iter().flat_map(|f| &f.incidents).filter(|f| f.signal == Signal::Errors);
        let failing: Vec<((i64, i64), f64)> = failures.map(|f| (f.span(), f.strength)).collect();
        // Who gives up on a request that fails later has waited for it: that is no further trouble.
        let gave_up = |finding: &Finding| {
            let stronger = failing.iter().filter(|(_, strength)| *strength >= finding.strength);
            covered(finding, stronger.map(|(span, _)| *span))
        };
        questions.par_iter().zip(answers).with_max_len(1).for_each(|((_, question), findings)| {
            if findings.incidents.is_empty() {
                return;
            }
            let paces = match question {
                Question::Latency(server) => Some(self.latencies(&server.part)),
                Question::ValueLatency(value) => Some(self.value_latencies(value)),
                _ => None,
            };
            if let Some(part) = paces {
                // what the site does not show is told by the part that does, be it all of the site's
                let own = |finding: &Finding| {
                    !meets(&slow_site, finding.span()) || slows_alone(finding, &part, self.paces, &slow)
                };
                return findings.incidents.retain(|finding| !gave_up(finding) && own(finding));
            }
            if findings.incidents.iter().all(shown) {
                return;
            }
            let part = match question {
                Question::Errors(server) => self.requests(&server.part),
                Question::ValueErrors(value) => value.series(self.site),
                _ => return,
            };
            let own = |finding: &Finding| {
                is_more_than(&blips, finding.span(), &part)
                    && stands_out(finding, &part, self.site.series(), &found)
            };
            findings.incidents.retain(|finding| shown(finding) || own(finding));
        });
    }

    fn requests(&self, part: &Part<'_>) -> Series {
        series(part, self.limits, self.range.clone()).series
    }

    fn latencies(&self, part: &Part<'_>) -> LatencySeries {
        latency_series(part, self.limits, self.range.clone())
    }

    fn value_latencies(&self, value: &PacedValue) -> LatencySeries {
        value.series(self.edge, self.limits, self.range.clone())
    }
}

/// Whether a finding of a part, [first, last], is more than what the site's blips, [first, last], in it did to the part.
pub(super) fn is_more_than(blips: &[(i64, i64)], (start, end): (i64, i64), part: &Series) -> bool {
    let inside: Vec<&(i64, i64)> =
        blips.iter().filter(|(first, last)| *first <= end && *last >= start).collect();
    let first = part.slots.partition_point(|slot| slot.second < start);
    let slots = part.slots.iter().skip(first).take_while(|slot| slot.second <= end);
    let beside = slots.filter(|slot| !inside.iter().any(|b| (b.0..=b.1).contains(&slot.second)));
    let failures = beside.fold(0u64, |sum, slot| sum.saturating_add(slot.failures.into()));
    inside.is_empty() || failures >= LEAST_BESIDE_BLIPS
}

/// Whether one of these spans, [first, last], has a second of another.
fn meets(spans: &[(i64, i64)], (start, end): (i64, i64)) -> bool {
    spans.iter().any(|&(from, until)| from <= end && until >= start)
}

/// Whether these spans, [first, last], cover a finding for [`SHOWN`] of it.
fn covered(finding: &Finding, spans: impl Iterator<Item = (i64, i64)>) -> bool {
    let (start, end) = finding.span();
    let common =
        |(from, until): (i64, i64)| until.min(end).saturating_sub(from.max(start)).saturating_add(1).max(0);
    let seconds = spans.map(common).fold(0, i64::saturating_add);
    seconds as f64 >= SHOWN * end.saturating_sub(start).saturating_add(1) as f64
}

/// Searches all streams between two seconds (the second one excluded).
pub(super) fn search(
    known: &[Known<'_>],
    limits: Limits,
    range: Range<i64>,
    sensitivity: Sensitivity,
) -> Search {
    let servers = servers(known);
    let edges: Vec<&Server<'_>> = servers.iter().filter(|s| s.role == Role::Edge).collect();
    let edge: Part<'_> = edges.iter().flat_map(|server| server.part.iter().cloned()).collect();
    let site = series(&edge, limits, range.clone());
    let values: Vec<ValueSeries> = value_series(&edge, limits, range.clone())
        .into_iter()
        .filter(|value| value.own_requests().is_none_or(|requests| !is_all_of_it(requests, &site.series)))
        .collect();
    let mut own_latencies = paced_values(&edge, &range);
    own_latencies.retain(|value| !is_all_of_it(value.requests, &site.series));
    let applications = applications(known, site.series.slots.is_empty());
    let mut streams = vec![Stream::default()];
    let mut questions: Vec<(usize, Question<'_>)> =
        [Question::SiteErrors, Question::SiteGaveUp, Question::SiteLatency, Question::SiteTraffic]
            .into_iter()
            .map(|question| (0, question))
            .collect();
    ask_of_servers(&servers, edges.len(), &range, &mut streams, &mut questions);
    for value in &values {
        let stream = new_stream(&mut streams, value.dimension, Untrusted::new(&value.value));
        questions.push((stream, Question::ValueErrors(value)));
        if value.own_requests().is_some() && value.dimension == Dimension::Vhost {
            questions.push((stream, Question::ValueTraffic(value)));
        }
    }
    for value in &own_latencies {
        let of = (value.name.dimension, Untrusted::new(&value.name.value));
        let known = streams.iter().position(|stream| stream.place.as_ref() == Some(&of));
        let stream = known.unwrap_or_else(|| new_stream(&mut streams, of.0, of.1));
        questions.push((stream, Question::ValueLatency(value)));
    }
    for (name, part) in &applications {
        let stream = new_stream(&mut streams, Dimension::Source, (*name).clone());
        if let Some(stream) = streams.get_mut(stream) {
            stream.messages = true;
        }
        questions.push((stream, Question::Messages(part)));
    }
    let whole = Whole::of(&site.series);
    let paces = latency_series(&edge, limits, range.clone());
    let searcher = Searcher {
        edge: &edge,
        site: &whole,
        paces: &paces,
        limits,
        range,
        sensitivity,
        streams: streams.len(),
    };
    let mut answers: Vec<Findings> =
        questions.par_iter().with_max_len(1).map(|(_, question)| searcher.answer(question)).collect();
    searcher.keep_own(&questions, &mut answers);
    let answers = questions.iter().map(|(stream, _)| *stream).zip(answers).collect();
    weigh(site, streams, answers)
}

/// Incidents, blips and bursts of what was found.
fn weigh(site: SiteSeries, streams: Vec<Stream>, answers: Vec<(usize, Findings)>) -> Search {
    let of_messages = |stream: usize| streams.get(stream).is_some_and(|s| s.messages);
    let mut found = Vec::new();
    let mut bursts = Vec::new();
    let mut blips: Vec<Finding> = Vec::new();
    let mut caveats = Vec::new();
    let mut suspects = Vec::new();
    for (stream, findings) in answers {
        suspects.extend(findings.suspects.into_iter().map(|finding| (stream, finding)));
        for finding in findings.incidents {
            // what messages say of users who went on as ever is not an outage of theirs
            let beside = of_messages(stream) && !site.series.slots.is_empty();
            if beside { bursts.push((stream, finding)) } else { found.push((stream, finding)) }
        }
        if stream == 0 {
            blips.extend(findings.blips);
            caveats.extend(findings.caveats);
        }
    }
    // a blip of the site is no incident of one of its paths, where one failure more makes it a second longer
    found.retain(|(stream, finding)| *stream == 0 || !blips.iter().any(|blip| explains(blip, finding)));
    leave_out_handed_back(&mut found, &streams);
    let mut incidents = merge(found);
    // edges may have moved towards each other
    incidents.retain(|merged| merged.finding.lasted_seconds() >= BLIP_SECONDS);
    blips.sort_by_key(|blip| (blip.start.second, blip.signal));
    caveats.sort_unstable();
    caveats.dedup();
    let mut search = Search { site, streams, incidents, suspects, blips, bursts, caveats };
    search.keep_apart();
    search
}

/// What is none: a server that has fewer requests from when a silent one is back has had its part as well, and hands it
/// back. Where the silence lasted for most of the recording, that looks like what is usual.
pub(super) fn leave_out_handed_back(found: &mut Vec<(usize, Finding)>, streams: &[Stream]) {
    let is_server = |stream: usize| {
        let place = streams.get(stream).and_then(|stream| stream.place.as_ref());
        place.is_some_and(|(dimension, _)| *dimension == Dimension::Source)
    };
    let silent = found.iter().filter(|(stream, finding)| is_server(*stream) && finding.is_silence());
    let back: Vec<(usize, i64)> = silent.map(|(stream, finding)| (*stream, finding.end.second)).collect();
    found.retain(|(stream, finding)| {
        let fewer = finding.signal == Signal::Traffic && is_server(*stream) && !finding.is_silence();
        // when fewer came is known to some seconds, when none did at once
        let (from, until) = finding.start.range;
        let begins = from.min(finding.start.second)..=until.max(finding.start.second);
        let hands_back = |(other, end): &(usize, i64)| {
            let nearest = (*end).clamp(*begins.start(), *begins.end());
            other != stream && nearest.abs_diff(*end) <= HANDS_BACK_SECONDS
        };
        !(fewer && back.iter().any(hands_back))
    });
}

/// A blip is of the same signal as a finding, shows it better, and there is not much more to it.
fn explains(blip: &Finding, finding: &Finding) -> bool {
    blip.signal == finding.signal
        && blip.strength >= finding.strength
        && blip.overlap(finding) as f64 >= BLIP_COVERS * finding.lasted_seconds() as f64
}

fn new_stream(streams: &mut Vec<Stream>, dimension: Dimension, value: Untrusted) -> usize {
    streams.push(Stream { place: Some((dimension, value)), messages: false });
    streams.len().saturating_sub(1)
}

/// Each server on its own where there are several, and each of a group against its peers.
fn ask_of_servers<'a>(
    servers: &'a [Server<'a>],
    edges: usize,
    range: &Range<i64>,
    streams: &mut Vec<Stream>,
    questions: &mut Vec<(usize, Question<'a>)>,
) {
    let groups = groups(servers, range);
    for (index, server) in servers.iter().enumerate().take(MAX_SOURCES) {
        let peers = groups.iter().find(|group| group.contains(&index));
        let alone = server.role != Role::Edge || edges < 2;
        if peers.is_none() && alone {
            continue;
        }
        let stream = new_stream(streams, Dimension::Source, server.name.clone());
        if !alone {
            questions.push((stream, Question::Errors(server)));
            questions.push((stream, Question::Latency(server)));
        }
        match peers {
            Some(group) => {
                let others = group.iter().filter(|&&other| other != index);
                let peers = others.filter_map(|&other| servers.get(other)).collect();
                questions.push((stream, Question::Member(server, peers)));
            }
            None => questions.push((stream, Question::Traffic(server))),
        }
    }
}

/// Rotation sets of access logs, the busiest first.
fn servers<'a>(known: &'a [Known<'a>]) -> Vec<Server<'a>> {
    let mut sets: BTreeMap<&Untrusted, (Role, Part<'a>, u64)> = BTreeMap::new();
    for k in known.iter().filter(|k| k.counts()) {
        let Some(role @ (Role::Edge | Role::Backend)) = k.role else { continue };
        let (_, part, requests) = sets.entry(&k.source.group).or_insert_with(|| (role, Vec::new(), 0));
        part.push((&k.reading.tally, k.zone.clock.clone()));
        *requests = k.reading.tally.statuses.values().fold(*requests, |sum, n| sum.saturating_add(*n));
    }
    let mut servers: Vec<(u64, Server<'a>)> =
        sets.into_iter().map(|(name, (role, part, n))| (n, Server { name, role, part })).collect();
    servers.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.name.cmp(b.1.name)));
    servers.into_iter().map(|(_, server)| server).collect()
}

/// Groups of servers (by index) that share a service and have logs of the same time.
fn groups(servers: &[Server<'_>], range: &Range<i64>) -> Vec<Vec<usize>> {
    let sets: Vec<Set<'_>> = servers
        .iter()
        .map(|server| {
            let mut windows = Windows::default();
            for (tally, clock) in &server.part {
                windows.absorb(tally.windows(clock));
            }
            Set { name: server.name, role: server.role, windows }
        })
        .collect();
    let spans: Vec<Range<i64>> = servers.iter().map(|server| span(server, range)).collect();
    let length = |span: &Range<i64>| span.end.saturating_sub(span.start).max(1) as f64;
    let of = |index: usize| spans.get(index).cloned().unwrap_or_default();
    let mut groups = replicas(&sets);
    for group in &mut groups {
        let longest = group.iter().map(|&i| of(i)).max_by(|a, b| length(a).total_cmp(&length(b)));
        let Some(longest) = longest else { continue };
        group.retain(|&i| {
            let (from, to) = (of(i).start.max(longest.start), of(i).end.min(longest.end));
            length(&(from..to.max(from))) >= SHARED_TIME * length(&longest)
        });
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// First and last second of a server's records within the range.
fn span(server: &Server<'_>, range: &Range<i64>) -> Range<i64> {
    let mut span: Option<(i64, i64)> = None;
    for (tally, clock) in &server.part {
        let zoned = tally.zoned.days.iter().map(|(_, day)| (day.span, None));
        let naive = tally.naive.days.iter().map(|(_, day)| (day.span, Some(clock)));
        for (day, clock) in zoned.chain(naive) {
            let (Some(first), Some(last)) = (day.first, day.last) else { continue };
            let second = |t| clock.map_or(t, |c| c.instant(t)).second().clamp(range.start, range.end);
            let (first, last) = (second(first), second(last));
            span = Some(span.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
        }
    }
    span.map_or(0..0, |(first, last)| first..last)
}

fn is_all_of_it(requests: u64, site: &Series) -> bool {
    let all = site.slots.iter().map(|slot| u64::from(slot.requests)).sum::<u64>() as f64;
    requests as f64 >= ALL_OF_IT * all
}

/// Logs of applications (of servers' errors as well, where there are no requests), those with the most lines.
fn applications<'a>(known: &'a [Known<'a>], no_requests: bool) -> Vec<(&'a Untrusted, Part<'a>)> {
    let mut sets: BTreeMap<&Untrusted, (Part<'a>, u64)> = BTreeMap::new();
    for k in known.iter().filter(|k| k.counts()) {
        let wanted = match k.role {
            Some(Role::Application) => true,
            Some(Role::Error) => no_requests,
            _ => false,
        };
        if wanted {
            let (part, lines) = sets.entry(&k.source.group).or_default();
            part.push((&k.reading.tally, k.zone.clock.clone()));
            *lines = lines.saturating_add(k.reading.tally.lines);
        }
    }
    let mut sets: Vec<_> = sets.into_iter().map(|(name, (part, lines))| (lines, name, part)).collect();
    sets.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    sets.truncate(MAX_APPLICATIONS);
    sets.into_iter().map(|(_, name, part)| (name, part)).collect()
}
