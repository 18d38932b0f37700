//! What a site is like: everything that a seed decides before the first request comes.

use super::dice::{Dice, Weighted};
use super::incident::{Incident, Scope, Shape};
use super::layout::{COMBINED, Layout, TIMED};
use super::noise::Noise;

/// What kind of incidents a site has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Failures of everything.
    Errors,
    /// Failures of one vhost, upstream or path.
    Needle,
    /// Slow requests.
    Latency,
    /// Silence of everything.
    Traffic,
    /// Silence of one server of several.
    Server,
    /// None at all.
    Noise,
}

/// Names of the kinds, and how often each comes.
pub(crate) const KINDS: [(&str, Kind, f64); 6] = [
    ("errors", Kind::Errors, 0.3),
    ("needle", Kind::Needle, 0.25),
    ("latency", Kind::Latency, 0.17),
    ("traffic", Kind::Traffic, 0.1),
    ("server", Kind::Server, 0.08),
    ("noise", Kind::Noise, 0.1),
];

/// How large a site may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Size {
    /// Requests that a recording has at most, about; a busier site is recorded for a shorter time.
    pub(crate) requests: f64,
    /// Requests per second, from and to.
    pub(crate) rate: (f64, f64),
    /// Hours, from and to.
    pub(crate) hours: (f64, f64),
}

pub(crate) const FULL: Size = Size { requests: 1_500_000.0, rate: (0.05, 2000.0), hours: (6.0, 24.0) };
/// For tests that run with every build.
pub(crate) const SMALL: Size = Size { requests: 40_000.0, rate: (0.5, 20.0), hours: (2.0, 6.0) };

/// A part of the traffic with a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) weight: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    /// `{n}` stands for an id.
    pub(crate) pattern: String,
    pub(crate) is_post: bool,
    /// Share of its requests that fail when all is well.
    pub(crate) failing: f64,
    /// Median latency in seconds and the σ of its logarithm.
    pub(crate) latency: (f64, f64),
    /// Fails at all times.
    pub(crate) broken: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    /// First second, since the epoch.
    pub(crate) start: i64,
    /// Seconds east of UTC.
    pub(crate) offset: i32,
    pub(crate) seconds: u32,
    /// Requests of users per second, on average.
    pub(crate) rate: f64,
    /// Requests that a visit makes, on average.
    pub(crate) visit: f64,
    /// Amplitude of the day's cycle and the hour of its peak.
    pub(crate) diurnal: (f64, f64),
    /// σ of the slow wandering of the rate.
    pub(crate) wander: f64,
    /// Share of requests that fail when all is well.
    pub(crate) background: f64,
    /// The background wanders up and down by half.
    pub(crate) drifting: bool,
    /// Failures in a minute vary so many times more than chance would have it.
    pub(crate) dispersion: f64,
    pub(crate) layout: Layout,
    pub(crate) vhosts: Vec<Named>,
    pub(crate) upstreams: Vec<Named>,
    pub(crate) servers: Vec<Named>,
    pub(crate) routes: Vec<Route>,
    /// Which routes each vhost has: the first and one past the last.
    pub(crate) routes_of: Vec<(usize, usize)>,
    /// Exponent of the routes' weights.
    pub(crate) routes_zipf: f64,
    pub(crate) clients: usize,
    pub(crate) clients_zipf: f64,
    /// Seconds between the health checks of each server.
    pub(crate) checks: Option<(u32, &'static str)>,
    /// After so many seconds the proxy gives up waiting.
    pub(crate) timeout: f64,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) noise: Noise,
}

/// The kind that a seed has where none is asked for.
pub(crate) fn kind_of(seed: u64) -> Kind {
    let weights: Vec<f64> = KINDS.iter().map(|k| k.2).collect();
    KINDS[Weighted::new(&weights).draw(&mut Dice::new(seed, 11))].1
}

impl Site {
    pub(crate) fn draw(seed: u64, kind: Kind, size: Size) -> Self {
        let dice = &mut Dice::new(seed, 100 + kind as u64);
        let (low, high) = size.rate;
        let rate = match kind {
            Kind::Traffic => dice.log_between(low.max(0.1), high.min(50.0)),
            Kind::Latency | Kind::Server => dice.log_between(low.max(0.3), high.min(500.0)),
            _ => dice.log_between(low, high),
        };
        let three_days = kind == Kind::Traffic && size == FULL && dice.chance(0.4);
        let hours = if three_days { 72.0 } else { dice.between(size.hours.0, size.hours.1) };
        let seconds = (hours * 3600.0).min(size.requests / rate).max(900.0) as u32;
        let drifting = dice.chance(0.25);
        let layout = match kind {
            Kind::Latency => *dice.pick(&TIMED),
            _ if dice.chance(0.3) => COMBINED,
            _ => *dice.pick(&TIMED),
        };
        let background = if drifting { dice.between(0.02, 0.035) } else { dice.log_between(0.000_01, 0.008) };
        let hour = 3600 * i64::try_from(dice.below(24)).unwrap();
        let mut site = Self {
            seed,
            kind,
            // days of 2024
            start: 1_704_067_200 + 86_400 * i64::try_from(dice.below(360)).unwrap() + hour,
            offset: *dice.pick(&[0, 0, 3600, 3600, 7200, -18_000, 19_800, 32_400]),
            seconds,
            rate,
            visit: if dice.chance(0.25) { 1.0 } else { dice.between(1.3, 6.0) },
            diurnal: (dice.between(0.1, 0.7), dice.between(10.0, 21.0)),
            wander: dice.between(0.02, 0.15),
            background,
            drifting,
            dispersion: dice.log_between(1.0, 4.0),
            layout,
            vhosts: Vec::new(),
            upstreams: upstreams(dice),
            servers: servers(dice, kind),
            routes: Vec::new(),
            routes_of: Vec::new(),
            routes_zipf: dice.between(0.7, 1.1),
            clients: dice.log_between(20.0, 5000.0) as usize,
            clients_zipf: dice.between(0.3, 0.9),
            checks: dice.chance(0.4).then(|| *dice.pick(&CHECKS)),
            timeout: *dice.pick(&[10.0, 30.0, 60.0, 60.0]),
            incidents: Vec::new(),
            noise: Noise::default(),
        };
        site.draw_hosts(dice);
        site.draw_incidents(dice);
        site.noise = Noise::draw(dice, &site);
        site
    }

    pub(crate) fn days(&self) -> f64 {
        f64::from(self.seconds) / 86_400.0
    }

    /// Weight of each route of a vhost.
    pub(crate) fn route_weights(&self, vhost: usize) -> Vec<f64> {
        let (from, until) = self.routes_of[vhost];
        let weights = Weighted::zipf(until - from, self.routes_zipf);
        // something that always fails is something that hardly anybody asks for
        weights
            .iter()
            .zip(&self.routes[from..until])
            .map(|(w, r)| if r.broken { w * 0.2 } else { *w })
            .collect()
    }

    /// Share of the traffic that a scope has, 0–1.
    pub(crate) fn share_of(&self, scope: Scope) -> f64 {
        let part = |list: &[Named], i: usize| list[i].weight / list.iter().map(|n| n.weight).sum::<f64>();
        match scope {
            Scope::Everything => 1.0,
            Scope::Vhost(i) => part(&self.vhosts, i),
            Scope::Upstream(i) => part(&self.upstreams, i),
            Scope::Server(i) => part(&self.servers, i),
            Scope::Route(route) => (0..self.vhosts.len())
                .filter(|&v| (self.routes_of[v].0..self.routes_of[v].1).contains(&route))
                .map(|v| {
                    let weights = self.route_weights(v);
                    part(&self.vhosts, v) * weights[route - self.routes_of[v].0] / weights.iter().sum::<f64>()
                })
                .sum(),
        }
    }

    /// Vhosts with their routes: each its own, or all the same.
    fn draw_hosts(&mut self, dice: &mut Dice) {
        let count = if self.layout.has_vhost() { dice.whole(1, 4) } else { 1 };
        let names = ["www", "shop", "api", "intranet"];
        self.vhosts = (0..count)
            .map(|i| Named { name: format!("{}.example.com", names[i]), weight: dice.between(0.2, 1.0) })
            .collect();
        let shared = dice.chance(0.3);
        let total = dice.log_between(20.0, 200.0) as usize;
        let broken = [0, 0, 1, 2][dice.below(4)];
        let sets = if shared { 1 } else { count };
        let spread = dice.between(0.2, 0.9);
        let latency = dice.log_between(0.02, 0.3);
        let mut used = 0;
        for _ in 0..sets {
            let from = self.routes.len();
            for _ in 0..(total / sets).max(5) {
                let pattern = pattern(used, dice);
                used += 1;
                let latency = (latency * (0.5 * dice.normal()).exp(), dice.between(0.25, 0.6));
                let failing = (spread * dice.normal()).exp();
                self.routes.push(Route {
                    pattern,
                    is_post: dice.chance(0.15),
                    failing,
                    latency,
                    broken: false,
                });
            }
            self.routes_of.push((from, self.routes.len()));
        }
        while self.routes_of.len() < count {
            self.routes_of.push(self.routes_of[0]);
        }
        self.set_background();
        for _ in 0..broken {
            // among the rarest of its vhost
            let (from, until) = self.routes_of[dice.below(count)];
            let at = until - 1 - dice.below((until - from).div_ceil(4));
            (self.routes[at].broken, self.routes[at].failing) = (true, dice.between(0.3, 1.0));
        }
    }

    /// Makes the routes fail so often that all together do as often as the site's background says.
    fn set_background(&mut self) {
        let mut mean = 0.0;
        for (vhost, share) in (0..self.vhosts.len()).map(|v| (v, self.share_of(Scope::Vhost(v)))) {
            let weights = self.route_weights(vhost);
            let sum: f64 = weights.iter().sum();
            for (i, weight) in weights.iter().enumerate() {
                mean += share * weight / sum * self.routes[self.routes_of[vhost].0 + i].failing;
            }
        }
        for route in &mut self.routes {
            route.failing = (route.failing * self.background / mean).min(0.5);
        }
    }

    fn draw_incidents(&mut self, dice: &mut Dice) {
        let wanted = match self.kind {
            Kind::Noise => 0,
            _ => [0, 1, 1, 1, 2, 2][dice.below(6)],
        };
        let seconds = f64::from(self.seconds);
        for _ in 0..wanted {
            let scope = self.draw_scope(dice);
            let mut incident = Incident::draw(dice, self.kind, scope, seconds);
            self.make_felt(&mut incident, dice.log_between(5.0, 80.0));
            let lasts = incident.until;
            if let Shape::Ramp { up, down } = &mut incident.shape {
                (*up, *down) = (up.min(lasts / 2.0), down.min(lasts / 3.0));
            }
            let goes_on = dice.chance(0.08);
            let apart = (seconds / 10.0).min((40.0 / self.rate).max(900.0));
            for _ in 0..50 {
                incident.from =
                    if goes_on { seconds - lasts } else { dice.between(0.04, 0.94) * seconds - lasts / 2.0 };
                incident.until = incident.from + lasts;
                let fits = goes_on || incident.until < 0.97 * seconds;
                let clear = |other: &Incident| {
                    incident.from > other.until + apart || incident.until < other.from - apart
                };
                if incident.from > 0.03 * seconds && fits && self.incidents.iter().all(clear) {
                    self.incidents.push(incident);
                    break;
                }
            }
        }
        self.incidents.sort_by(|a, b| a.from.total_cmp(&b.from));
    }

    /// Lets an incident last until it hits `wanted` requests, if it can.
    fn make_felt(&self, incident: &mut Incident, wanted: f64) {
        let most = (f64::from(self.seconds) / 4.0).min(10_800.0);
        let per_second = self.rate * self.share_of(incident.scope) * incident.share;
        incident.until = incident.until.max((wanted / per_second).min(most));
    }

    fn draw_scope(&self, dice: &mut Dice) -> Scope {
        let several = |list: &[Named]| list.len() > 1;
        let vhost = several(&self.vhosts).then(|| Scope::Vhost(dice.below(self.vhosts.len())));
        let upstream = (several(&self.upstreams) && self.layout.has_upstream())
            .then(|| Scope::Upstream(dice.below(self.upstreams.len())));
        match self.kind {
            Kind::Needle => {
                let route = self.draw_route(dice);
                *dice.pick(&[vhost.unwrap_or(route), upstream.unwrap_or(route), route])
            }
            Kind::Latency => {
                let all = Scope::Everything;
                *dice.pick(&[all, all, vhost.unwrap_or(all), upstream.unwrap_or(all)])
            }
            Kind::Server => Scope::Server(dice.below(self.servers.len())),
            Kind::Errors | Kind::Traffic | Kind::Noise => Scope::Everything,
        }
    }

    /// A route that works, by its traffic.
    fn draw_route(&self, dice: &mut Dice) -> Scope {
        loop {
            let vhost = dice.below(self.vhosts.len());
            let at = self.routes_of[vhost].0 + Weighted::new(&self.route_weights(vhost)).draw(dice);
            if !self.routes[at].broken {
                return Scope::Route(at);
            }
        }
    }
}

const CHECKS: [(u32, &str); 4] = [
    (5, "ELB-HealthChecker/2.0"),
    (10, "kube-probe/1.29"),
    (30, "ELB-HealthChecker/2.0"),
    (10, "GoogleHC/1.0"),
];

fn upstreams(dice: &mut Dice) -> Vec<Named> {
    let port = *dice.pick(&[8080, 8000, 3000, 9000]);
    (1..=dice.whole(1, 4))
        .map(|i| Named { name: format!("10.0.3.{}:{port}", 10 + i), weight: dice.between(0.7, 1.0) })
        .collect()
}

fn servers(dice: &mut Dice, kind: Kind) -> Vec<Named> {
    let count = match kind {
        Kind::Server => dice.whole(2, 3),
        _ => [1, 1, 2, 3][dice.below(4)],
    };
    (1..=count).map(|i| Named { name: format!("web-{i:02}"), weight: dice.between(0.4, 1.0) }).collect()
}

const WORDS: [&str; 20] = [
    "products", "orders", "cart", "checkout", "search", "account", "reviews", "offers", "prices", "stock",
    "invoices", "messages", "images", "news", "events", "tickets", "users", "teams", "reports", "settings",
];

/// The `n`-th route; none comes twice.
fn pattern(n: usize, dice: &mut Dice) -> String {
    if n == 0 {
        return "/".to_owned();
    }
    let (first, second) = (WORDS[n % WORDS.len()], n / WORDS.len());
    let base = match second {
        0 => format!("/{first}"),
        _ => format!("/{first}/{}", WORDS[(n + second) % WORDS.len()]),
    };
    if dice.chance(0.3) { format!("{base}/{{n}}") } else { base }
}

#[cfg(test)]
mod tests {
    use super::super::incident::Fault;
    use super::*;

    #[test]
    fn sites_are_what_they_are_meant_to_be() {
        for seed in 0..300 {
            let site = Site::draw(seed, kind_of(seed), FULL);
            let requests = site.rate * f64::from(site.seconds);
            assert!(requests < 2_000_000.0 && site.seconds >= 900, "{seed}: {requests}");
            let patterns: std::collections::BTreeSet<&str> =
                site.routes.iter().map(|r| r.pattern.as_str()).collect();
            assert_eq!(patterns.len(), site.routes.len());
            let all: f64 = (0..site.routes.len()).map(|r| site.share_of(Scope::Route(r))).sum();
            assert!((all - 1.0).abs() < 1e-9, "{seed}: {all}");
            for incident in &site.incidents {
                assert!(incident.from > 0.0 && incident.until > incident.from + 10.0);
                assert!(
                    matches!(incident.fault, Fault::Errors { .. })
                        == matches!(site.kind, Kind::Errors | Kind::Needle)
                );
            }
        }
    }
}
