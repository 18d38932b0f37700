//! Plays a site: an inhomogeneous Poisson process of visits, each some requests of one client, and what became of them.

use std::f64::consts::TAU;

use super::dice::{Dice, Weighted};
use super::incident::{Fault, Incident, Scope};
use super::noise::What;
use super::site::Site;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    User,
    Check,
    Scanner,
}

/// A request that was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Request {
    /// Milliseconds since the site's start when it was answered: nginx writes its line then.
    pub(crate) at_ms: u32,
    pub(crate) latency_ms: u32,
    pub(crate) client: u32,
    /// For the route's `{n}`, the size of the answer and the like.
    pub(crate) id: u32,
    pub(crate) status: u16,
    pub(crate) route: u16,
    pub(crate) vhost: u8,
    pub(crate) upstream: u8,
    pub(crate) server: u8,
    pub(crate) by: By,
    /// One more than the index of the incident that hit it; 0 if none did.
    pub(crate) hit: u8,
    /// How likely it was to fail, or to be slowed by a latency incident.
    pub(crate) expected: f32,
}

/// A site's requests, in the order in which they were answered.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) requests: Vec<Request>,
    /// For each incident the log-likelihood ratio between the true rates and normal, in nats.
    pub(crate) nats: Vec<f64>,
    /// For each incident the requests in its scope that had a chance to be hit.
    pub(crate) exposed: Vec<u64>,
}

/// A background rarer than this cannot be known from a day of logs: no failure counts for more than −ln of it.
const RAREST: f64 = 0.001;

pub(crate) fn play(site: &Site) -> Played {
    let mut play = Play::new(site);
    for second in 0..site.seconds {
        play.second(second);
    }
    play.bursts();
    play.checks();
    let mut requests = play.requests;
    requests.sort_by_key(|r| r.at_ms);
    Played { requests, nats: play.nats, exposed: play.exposed }
}

struct Play<'a> {
    site: &'a Site,
    dice: Dice,
    requests: Vec<Request>,
    nats: Vec<f64>,
    exposed: Vec<u64>,
    clients: Weighted,
    vhosts: Weighted,
    upstreams: Weighted,
    servers: Weighted,
    routes: Vec<Weighted>,
    /// This minute's: wandering of the rate, times that the background is its usual.
    wander: f64,
    failing: f64,
    /// This second's rate as a share of the usual.
    load: f64,
}

/// Who asks for what.
#[derive(Clone, Copy)]
struct Asked {
    at: f64,
    client: usize,
    vhost: usize,
    route: usize,
    by: By,
    /// It fails whatever happens.
    doomed: bool,
}

impl<'a> Play<'a> {
    fn new(site: &'a Site) -> Self {
        let named =
            |list: &[super::site::Named]| Weighted::new(&list.iter().map(|n| n.weight).collect::<Vec<_>>());
        Self {
            site,
            dice: Dice::new(site.seed, 1000 + site.kind as u64),
            requests: Vec::new(),
            nats: vec![0.0; site.incidents.len()],
            exposed: vec![0; site.incidents.len()],
            clients: Weighted::new(&Weighted::zipf(site.clients, site.clients_zipf)),
            vhosts: named(&site.vhosts),
            upstreams: named(&site.upstreams),
            servers: named(&site.servers),
            routes: (0..site.vhosts.len()).map(|v| Weighted::new(&site.route_weights(v))).collect(),
            wander: 0.0,
            failing: 1.0,
            load: 1.0,
        }
    }

    fn second(&mut self, second: u32) {
        let (site, at) = (self.site, f64::from(second));
        if second.is_multiple_of(60) {
            self.minute(at);
        }
        let (amplitude, peak) = site.diurnal;
        let hour = ((site.start as f64 + f64::from(site.offset) + at) / 3600.0) % 24.0;
        let day = 1.0 + amplitude * ((hour - peak) / 24.0 * TAU).cos();
        let surges = site.noise.surges.iter().filter(|s| s.from <= at && at < s.until);
        self.load = day * self.wander.exp() * surges.map(|s| s.factor).product::<f64>();
        let visits = site.rate * self.load / site.visit;
        for (nats, incident) in self.nats.iter_mut().zip(&site.incidents) {
            if incident.fault == Fault::Silence && incident.level(at) > 0.0 {
                // that no visit comes is as likely as e to the minus of those expected
                *nats += visits * site.share_of(incident.scope);
            }
        }
        for _ in 0..self.dice.poisson(visits) {
            let begins = at + self.dice.uniform();
            self.visit(begins);
        }
    }

    /// The wandering of the rate (20 minutes to forget) and of the background.
    fn minute(&mut self, at: f64) {
        let site = self.site;
        let keep = (-60.0_f64 / 1200.0).exp();
        self.wander = keep * self.wander + (1.0 - keep * keep).sqrt() * site.wander * self.dice.normal();
        let drift = if site.drifting {
            let phase = f64::from(u8::try_from(site.seed % 251).unwrap());
            1.0 + 0.35 * (at / 17_000.0 * TAU + phase).sin() + 0.15 * (at / 6_100.0 * TAU + 2.0 * phase).sin()
        } else {
            1.0
        };
        let failures = 60.0 * site.rate * self.load * site.background * drift;
        let variance = ((site.dispersion - 1.0) / failures.max(1e-9)).min(0.5);
        self.failing = drift * self.dice.gamma(variance);
    }

    fn visit(&mut self, begins: f64) {
        let client = self.clients.draw(&mut self.dice);
        let vhost = self.vhosts.draw(&mut self.dice);
        let mut at = begins;
        loop {
            let route = self.site.routes_of[vhost].0 + self.routes[vhost].draw(&mut self.dice);
            self.ask(Asked { at, client, vhost, route, by: By::User, doomed: false });
            if self.dice.chance(1.0 / self.site.visit) {
                return;
            }
            at += self.dice.exponential(0.7);
        }
    }

    fn bursts(&mut self) {
        let site = self.site;
        self.failing = 1.0;
        self.load = 1.0;
        for (i, burst) in site.noise.bursts.iter().enumerate() {
            let vhost = self.vhosts.draw(&mut self.dice);
            let route = site.routes_of[vhost].0 + self.routes[vhost].draw(&mut self.dice);
            for &at in &burst.times {
                self.ask(match burst.what {
                    What::Failing => {
                        Asked { at, client: burst.client, vhost, route, by: By::User, doomed: true }
                    }
                    What::Scan => {
                        Asked { at, client: site.clients + i, vhost, route, by: By::Scanner, doomed: false }
                    }
                });
            }
        }
    }

    fn checks(&mut self) {
        let Some((every, _)) = self.site.checks else { return };
        for server in 0..self.site.servers.len() {
            for at in (0..self.site.seconds).step_by(every as usize) {
                let at = f64::from(at) + 0.13 * server as f64;
                if self.silent(at, server) {
                    continue;
                }
                self.requests.push(Request {
                    at_ms: ((at + 0.002) * 1000.0) as u32,
                    latency_ms: 2,
                    client: (self.site.clients + 1_000) as u32,
                    id: 0,
                    status: 200,
                    route: 0,
                    vhost: 0,
                    upstream: 0,
                    server: server as u8,
                    by: By::Check,
                    hit: 0,
                    expected: 0.0,
                });
            }
        }
    }

    /// Whether a server writes nothing at that time.
    fn silent(&self, at: f64, server: usize) -> bool {
        self.site.incidents.iter().any(|i| {
            let here = i.scope == Scope::Everything || i.scope == Scope::Server(server);
            i.fault == Fault::Silence && here && i.level(at) > 0.0
        })
    }

    /// A server that takes requests at that time: the balancer leaves out those that do not.
    fn server(&mut self, at: f64) -> Option<usize> {
        if (0..self.site.servers.len()).all(|s| self.silent(at, s)) {
            return None;
        }
        loop {
            let server = self.servers.draw(&mut self.dice);
            if !self.silent(at, server) {
                return Some(server);
            }
        }
    }

    /// Answers a request, if anything does.
    fn ask(&mut self, asked: Asked) {
        let upstream = self.upstreams.draw(&mut self.dice);
        let Some(server) = self.server(asked.at) else { return };
        let mut request = Request {
            at_ms: 0,
            latency_ms: 0,
            client: asked.client as u32,
            id: self.dice.next() as u32,
            status: 200,
            route: asked.route as u16,
            vhost: asked.vhost as u8,
            upstream: upstream as u8,
            server: server as u8,
            by: asked.by,
            hit: 0,
            expected: 0.0,
        };
        let seconds = self.answer(&mut request, &asked);
        let done = asked.at + seconds;
        // what a server that stops was still working on is lost, and so is what the recording ends before
        if done >= f64::from(self.site.seconds) || self.silent(done, server) {
            return;
        }
        request.at_ms = (done * 1000.0) as u32;
        request.latency_ms = (seconds * 1000.0) as u32;
        self.requests.push(request);
    }

    /// Decides the status; returns the seconds that the answer takes.
    fn answer(&mut self, request: &mut Request, asked: &Asked) -> f64 {
        let (site, at) = (self.site, asked.at);
        let route = &site.routes[asked.route];
        let is_scan = asked.by == By::Scanner;
        let usual = if is_scan { 0.0 } else { (route.failing * self.failing).min(0.95) };
        let seconds = self.healthy_latency(route.latency);
        if let Some(blip) = site.noise.blips.iter().find(|b| b.from <= at && at < b.until) {
            (request.status, request.expected) = (blip.status, 1.0);
            return 0.003;
        }
        let active = |i: &&Incident| at >= i.from && at < i.until && i.fault != Fault::Silence;
        let incident = site.incidents.iter().position(|i| active(&i) && hits(i.scope, request));
        let level = incident.map_or(0.0, |i| site.incidents[i].level(at));
        request.expected = if asked.doomed { 1.0 } else { usual as f32 };
        if let Some(i) = incident.filter(|_| level > 0.0) {
            self.exposed[i] += u64::from(asked.by == By::User);
            match site.incidents[i].fault {
                Fault::Errors { statuses, mixed } => {
                    let fails = 1.0 - (1.0 - usual) * (1.0 - level);
                    request.expected = if asked.doomed { 1.0 } else { fails as f32 };
                    let hit = self.dice.chance(level);
                    if hit {
                        request.hit = i as u8 + 1;
                        request.status = statuses[usize::from(self.dice.chance(mixed))];
                    }
                    let failed = hit || asked.doomed || self.dice.chance(usual);
                    self.weigh_failure(i, asked, usual.max(RAREST), fails.max(RAREST), failed);
                    if hit {
                        return self.failing_latency(request.status, seconds);
                    }
                    if failed {
                        return self.fail(request, seconds);
                    }
                }
                Fault::Latency { slowdown } => {
                    let hit = self.dice.chance(level);
                    let taken = if hit { seconds * slowdown } else { seconds };
                    request.status = self.good_status(is_scan);
                    if asked.doomed || self.dice.chance(usual) {
                        return self.fail(request, seconds);
                    }
                    self.weigh_slowness(i, asked, taken, (level, slowdown), route.latency);
                    request.expected = level as f32;
                    request.hit = if hit { i as u8 + 1 } else { 0 };
                    return taken;
                }
                Fault::Silence => {}
            }
        } else if asked.doomed || self.dice.chance(usual) {
            return self.fail(request, seconds);
        }
        request.status = self.good_status(is_scan);
        seconds
    }

    /// Median of a route at this load: a tenth more at twice the usual, a third at four times. A surge that made
    /// everything three times as slow would be an incident, not a distraction.
    fn median(&self, usual: f64) -> f64 {
        usual * (1.0 + 0.1 * (self.load.min(4.0) - 1.0))
    }

    fn healthy_latency(&mut self, (median, sigma): (f64, f64)) -> f64 {
        (self.median(median) * (sigma * self.dice.normal()).exp()).clamp(0.001, self.site.timeout * 0.95)
    }

    fn failing_latency(&mut self, status: u16, usual: f64) -> f64 {
        match status {
            // nobody listens there, or nobody is let in
            502 | 503 => self.dice.between(0.001, 0.02),
            504 => self.site.timeout + self.dice.between(0.001, 0.02),
            _ => usual,
        }
    }

    /// A failure of the background.
    fn fail(&mut self, request: &mut Request, usual: f64) -> f64 {
        request.status = *self.dice.pick(&[500, 500, 500, 500, 500, 502, 503, 504]);
        self.failing_latency(request.status, usual)
    }

    fn good_status(&mut self, is_scan: bool) -> u16 {
        match self.dice.uniform() {
            _ if is_scan => 404,
            u if u < 0.87 => 200,
            u if u < 0.93 => 304,
            u if u < 0.97 => 302,
            u if u < 0.99 => 404,
            _ => 403,
        }
    }

    fn weigh_failure(&mut self, incident: usize, asked: &Asked, usual: f64, fails: f64, failed: bool) {
        if asked.by == By::User && !asked.doomed {
            let fails = fails.min(1.0 - 1e-6);
            self.nats[incident] +=
                if failed { (fails / usual).ln() } else { ((1.0 - fails) / (1.0 - usual)).ln() };
        }
    }

    /// Log-normal against a mixture of it with a slower one.
    fn weigh_slowness(
        &mut self,
        incident: usize,
        asked: &Asked,
        taken: f64,
        (share, slowdown): (f64, f64),
        (median, sigma): (f64, f64),
    ) {
        if asked.by == By::User {
            let z = (taken / self.median(median)).ln() / sigma;
            let shift = slowdown.ln() / sigma;
            let ratio = (z * shift - shift * shift / 2.0).min(700.0).exp();
            self.nats[incident] += (1.0 - share + share * ratio).ln();
        }
    }
}

/// Whether a scope holds a request.
pub(crate) fn hits(scope: Scope, request: &Request) -> bool {
    match scope {
        Scope::Everything => true,
        Scope::Vhost(i) => usize::from(request.vhost) == i,
        Scope::Upstream(i) => usize::from(request.upstream) == i,
        Scope::Route(i) => usize::from(request.route) == i && request.by != By::Scanner,
        Scope::Server(i) => usize::from(request.server) == i,
    }
}
