//! What breaks: how, where, when and how badly.

use super::dice::Dice;
use super::site::Kind;

/// The requests that an incident may hit. Numbers are indices into the site's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Everything,
    Vhost(usize),
    Upstream(usize),
    Route(usize),
    Server(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// Requests fail, with the first status or, `mixed` of them, with the second.
    Errors { statuses: [u16; 2], mixed: f64 },
    /// Requests take so many times longer.
    Latency { slowdown: f64 },
    /// Nothing is written.
    Silence,
}

/// How the share of requests that are hit changes over the incident.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Step,
    /// Rises for `up` seconds and falls for `down`.
    Ramp {
        up: f64,
        down: f64,
    },
    /// Hits for `on` seconds, then not for `off`.
    Flap {
        on: f64,
        off: f64,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Incident {
    pub(crate) fault: Fault,
    pub(crate) scope: Scope,
    /// Seconds since the site's start.
    pub(crate) from: f64,
    /// See `from`; a recording may end before.
    pub(crate) until: f64,
    /// Share of the requests in scope that are hit at its height, 0–1.
    pub(crate) share: f64,
    pub(crate) shape: Shape,
}

impl Incident {
    /// Share of the requests in scope that are hit if they come at `at`.
    pub(crate) fn level(&self, at: f64) -> f64 {
        if at < self.from || at >= self.until {
            return 0.0;
        }
        let (since, left) = (at - self.from, self.until - at);
        self.share
            * match self.shape {
                Shape::Step => 1.0,
                Shape::Ramp { up, down } => {
                    let rising = if up > 0.0 { since / up } else { 1.0 };
                    let falling = if down > 0.0 { left / down } else { 1.0 };
                    rising.min(falling).min(1.0)
                }
                Shape::Flap { on, off } => f64::from(u8::from(since % (on + off) < on)),
            }
    }

    /// Seconds that the beginning and the end take.
    pub(crate) fn ramps(&self) -> (f64, f64) {
        match self.shape {
            Shape::Ramp { up, down } => (up, down),
            _ => (0.0, 0.0),
        }
    }

    /// What breaks and how, its time aside.
    pub(crate) fn draw(dice: &mut Dice, kind: Kind, scope: Scope, seconds: f64) -> Self {
        let until = dice.log_between(30.0, 10_800.0).min(seconds / 4.0);
        let (fault, share) = match kind {
            Kind::Latency => {
                let (share, slowdown) = slowness(dice);
                (Fault::Latency { slowdown }, share)
            }
            Kind::Traffic | Kind::Server => (Fault::Silence, 1.0),
            Kind::Errors | Kind::Needle | Kind::Noise => (errors(dice), share(dice)),
        };
        let shape = match dice.uniform() {
            _ if fault == Fault::Silence => Shape::Step,
            u if u < 0.6 => Shape::Step,
            u if u < 0.8 => {
                let up = until * dice.between(0.1, 0.5);
                let down = if dice.chance(0.5) { until * dice.between(0.1, 0.3) } else { 0.0 };
                Shape::Ramp { up, down }
            }
            // slow requests that come and go are slower requests
            _ if kind == Kind::Latency => Shape::Step,
            _ => Shape::Flap { on: dice.between(20.0, 90.0), off: dice.between(10.0, 60.0) },
        };
        Self { fault, scope, from: 0.0, until, share, shape }
    }
}

fn errors(dice: &mut Dice) -> Fault {
    let first = *dice.pick(&[500, 500, 500, 502, 502, 502, 503, 504]);
    let second = *dice.pick(&[500, 502, 503]);
    let mixed = if dice.chance(0.3) { dice.between(0.05, 0.5) } else { 0.0 };
    Fault::Errors { statuses: [first, second], mixed }
}

/// Total outages are what people call about; the rest is anything from 2 % on.
fn share(dice: &mut Dice) -> f64 {
    match dice.uniform() {
        u if u < 0.2 => 1.0,
        u if u < 0.35 => dice.between(0.8, 1.0),
        _ => dice.log_between(0.02, 1.0),
    }
}

/// An effect that somebody would notice: the typical request a quarter slower at least.
fn slowness(dice: &mut Dice) -> (f64, f64) {
    loop {
        let (share, slowdown) = (dice.between(0.3, 1.0), dice.log_between(1.5, 10.0));
        if share * slowdown.ln() >= 0.25 {
            return (share, slowdown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_the_shape() {
        let fault = Fault::Errors { statuses: [500, 500], mixed: 0.0 };
        let with = |shape| Incident {
            fault,
            scope: Scope::Everything,
            from: 100.0,
            until: 200.0,
            share: 0.5,
            shape,
        };
        let step = with(Shape::Step);
        assert_eq!([99.9, 100.0, 199.9, 200.0].map(|at| step.level(at)), [0.0, 0.5, 0.5, 0.0]);
        let ramp = with(Shape::Ramp { up: 50.0, down: 20.0 });
        assert_eq!([100.0, 125.0, 160.0, 190.0].map(|at| ramp.level(at)), [0.0, 0.25, 0.5, 0.25]);
        let flap = with(Shape::Flap { on: 20.0, off: 10.0 });
        assert_eq!([100.0, 119.0, 121.0, 131.0].map(|at| flap.level(at)), [0.5, 0.5, 0.0, 0.5]);
    }
}
