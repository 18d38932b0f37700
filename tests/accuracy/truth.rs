//! What is true of a site's incidents, from the requests that it wrote.

use std::collections::BTreeSet;

use super::incident::{Fault, Incident, Scope, Shape};
use super::noise::What;
use super::play::{self, By, Played, Request};
use super::site::Site;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Errors,
    Latency,
    Traffic,
}

pub(crate) const SIGNALS: [(&str, Signal); 3] =
    [("errors", Signal::Errors), ("latency", Signal::Latency), ("traffic", Signal::Traffic)];

/// An incident as it stands in the logs. Times are seconds since the epoch, as written.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) signal: Signal,
    /// (dimension, value); `None` is everything.
    pub(crate) scope: Option<(&'static str, String)>,
    /// Of the first affected request; of silence the second after the last request.
    pub(crate) start: f64,
    /// One second past the last affected request; of silence the second of the next request.
    pub(crate) end: f64,
    /// The same, if health checks count as requests: they border silence more closely.
    pub(crate) closer: (f64, f64),
    /// Requests that the incident hit.
    pub(crate) affected: u64,
    /// Distinct clients among them.
    pub(crate) clients: usize,
    /// Users' requests from start to end.
    pub(crate) requests: u64,
    /// Share of these that failed (were slowed), 0–100; `None` where that is not the question.
    pub(crate) percent: Option<f64>,
    /// The same as the simulator drew it, before chance.
    pub(crate) expected: Option<f64>,
    /// Log-likelihood ratio at the true rates.
    pub(crate) nats: f64,
    /// The same per request in scope.
    pub(crate) nats_each: f64,
    /// Affected requests per second.
    pub(crate) rate: f64,
    /// Seconds that beginning and end take.
    pub(crate) ramps: (f64, f64),
    /// It is all there from one moment to the next.
    pub(crate) is_sudden: bool,
    /// One line for people.
    pub(crate) text: String,
}

/// From here on an incident counts as missed if nobody finds it.
pub(crate) const DETECTABLE: f64 = 15.0;
/// From here on nobody should miss it.
pub(crate) const EVIDENT: f64 = 40.0;

impl Truth {
    /// Whether it is an incident by the contract (five seconds, more than one client) and can be found.
    pub(crate) fn counts(&self, nats: f64) -> bool {
        let several = self.signal == Signal::Traffic || self.clients > 1;
        self.nats >= nats && self.end - self.start >= 5.0 && several
    }

    /// How far off its boundaries may be said to be, in seconds.
    pub(crate) fn tolerances(&self) -> (f64, f64) {
        let (wait, part) = match self.signal {
            Signal::Errors => (4.0 / self.rate, 0.5),
            Signal::Latency => (6.0 / (self.rate * self.nats_each.clamp(1e-6, 1.0)), 0.75),
            Signal::Traffic => (0.0, 0.0),
        };
        let tolerance = |ramp: f64| wait.max(part * ramp).max(2.0);
        (tolerance(self.ramps.0), tolerance(self.ramps.1))
    }
}

/// The truths of a site, by time. An incident that left no trace has none.
pub(crate) fn truths(site: &Site, played: &Played) -> Vec<Truth> {
    let of = |(i, incident): (usize, &Incident)| match incident.fault {
        Fault::Silence => silence(site, played, i),
        _ => hits(site, played, i),
    };
    site.incidents.iter().enumerate().filter_map(of).collect()
}

/// Seconds since the epoch, as precise as the lines say it.
fn written(site: &Site, at_ms: u32) -> f64 {
    let seconds = f64::from(at_ms) / 1000.0;
    site.start as f64 + if site.layout.has_millis() { seconds } else { seconds.floor() }
}

fn hits(site: &Site, played: &Played, index: usize) -> Option<Truth> {
    let incident = &site.incidents[index];
    let hit = |r: &&Request| usize::from(r.hit) == index + 1 && r.by == By::User;
    let (first, last) = (played.requests.iter().find(hit)?.at_ms, played.requests.iter().rfind(hit)?.at_ms);
    let (start, end) = (written(site, first), written(site, last) + 1.0);
    let signal =
        if matches!(incident.fault, Fault::Latency { .. }) { Signal::Latency } else { Signal::Errors };
    let users = || {
        let inside = |r: &&Request| (start..end).contains(&written(site, r.at_ms));
        played.requests.iter().filter(|r| r.by == By::User).filter(inside)
    };
    let requests = users().count() as u64;
    let affected = played.requests.iter().filter(hit).count() as u64;
    let counted = match signal {
        // failures of the background are failures as well
        Signal::Errors => users().filter(|r| r.status >= 500).count() as u64,
        _ => affected,
    };
    // of slow ones, what else fails or is elsewhere has its chance of failing
    let chance = |r: &&Request| signal == Signal::Errors || r.status < 500 && play::hits(incident.scope, r);
    let expected: f64 = users().filter(chance).map(|r| f64::from(r.expected)).sum();
    let share = |n: f64| Some(100.0 * n / requests as f64);
    let waits = matches!(incident.fault, Fault::Errors { statuses, .. } if statuses.contains(&504));
    Some(Truth {
        signal,
        scope: scope(site, incident.scope),
        start,
        end,
        closer: (start, end),
        affected,
        clients: played.requests.iter().filter(hit).map(|r| r.client).collect::<BTreeSet<_>>().len(),
        requests,
        percent: share(counted as f64),
        // who waits for a timeout leaves the window that the others are in: its share is another one
        expected: if waits { None } else { share(expected) },
        nats: played.nats[index],
        nats_each: played.nats[index] / played.exposed[index].max(1) as f64,
        rate: affected as f64 / (end - start),
        ramps: incident.ramps(),
        is_sudden: incident.shape == Shape::Step,
        text: describe(site, incident) + &beside(site, start, end),
    })
}

fn silence(site: &Site, played: &Played, index: usize) -> Option<Truth> {
    let incident = &site.incidents[index];
    let here = |r: &&Request| match incident.scope {
        Scope::Server(server) => usize::from(r.server) == server,
        _ => true,
    };
    let user = |r: &&Request| r.by != By::Check;
    let middle = (500.0 * (incident.from + incident.until.min(f64::from(site.seconds)))) as u32;
    let split = played.requests.partition_point(|r| r.at_ms < middle);
    let (before, after) = played.requests.split_at(split);
    let start = |r: &Request| written(site, r.at_ms).floor() + 1.0;
    let end = |r: &Request| written(site, r.at_ms).floor();
    // what nothing comes back from is the end of the recording, unless others go on
    let over = match incident.scope {
        Scope::Server(_) => Some(written(site, played.requests.last()?.at_ms).floor() + 1.0),
        _ => None,
    };
    let from = before.iter().rfind(|r| here(r) && user(r)).map(start)?;
    let until = after.iter().find(|r| here(r) && user(r)).map(end).or(over)?;
    let closer = (before.iter().rfind(here).map(start)?, after.iter().find(here).map(end).or(over)?);
    let all = incident.scope == Scope::Everything;
    let rate = site.rate * site.share_of(incident.scope);
    Some(Truth {
        signal: Signal::Traffic,
        scope: scope(site, incident.scope),
        start: from,
        end: until,
        closer,
        affected: (rate * (until - from)) as u64,
        clients: 0,
        requests: 0,
        percent: all.then_some(100.0),
        expected: None,
        nats: played.nats[index],
        nats_each: 1.0,
        rate,
        ramps: (0.0, 0.0),
        is_sudden: true,
        text: describe(site, incident),
    })
}

/// How the report names a scope; nothing where it is all that there is.
fn scope(site: &Site, scope: Scope) -> Option<(&'static str, String)> {
    let named = |list: &[super::site::Named], i: usize| (list.len() > 1).then(|| list[i].name.clone());
    match scope {
        Scope::Everything => None,
        Scope::Vhost(i) => Some(("vhost", named(&site.vhosts, i)?)),
        Scope::Upstream(i) => Some(("upstream", named(&site.upstreams, i)?)),
        Scope::Server(i) => Some(("source", named(&site.servers, i)?)),
        Scope::Route(i) => Some(("path", site.routes[i].pattern.clone())),
    }
}

/// Failures of single clients that happen to fall into an incident, or next to it.
fn beside(site: &Site, start: f64, end: f64) -> String {
    let near = start - site.start as f64 - 120.0..end - site.start as f64 + 120.0;
    let failing = site.noise.bursts.iter().filter(|b| b.what == What::Failing).flat_map(|b| &b.times);
    match failing.filter(|at| near.contains(at)).count() {
        0..3 => String::new(),
        n => format!(", {n} failures of single clients there too"),
    }
}

fn describe(site: &Site, incident: &Incident) -> String {
    let what = match incident.fault {
        Fault::Errors { statuses: [first, second], mixed } if mixed == 0.0 || first == second => {
            format!("{first}")
        }
        Fault::Errors { statuses: [first, second], .. } => format!("{first}/{second}"),
        Fault::Latency { slowdown } => format!("{slowdown:.1}x slower"),
        Fault::Silence => "silence".to_owned(),
    };
    let how = match incident.shape {
        Shape::Step => "step".to_owned(),
        Shape::Ramp { up, down } => format!("ramp {up:.0}/{down:.0} s"),
        Shape::Flap { on, off } => format!("flap {on:.0}/{off:.0} s"),
    };
    let place =
        scope(site, incident.scope).map_or_else(|| "everything".to_owned(), |(d, v)| format!("{d} {v}"));
    let share = 100.0 * incident.share;
    let part = 100.0 * site.share_of(incident.scope);
    format!("{what} on {share:.0} % of {place} ({part:.1} % of traffic), {how}")
}
