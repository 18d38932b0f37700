//! What each signal came to and how it was found, in the published shape.

use crate::detect::{Effect, Level, RunnerUp};
use crate::explain::facts;
use crate::model::{Timestamp, Untrusted};

use super::super::schema::{self, Alone, Burst, Computation, Gate, Missing, Slowness, Time};
use super::super::wording;
use super::{Context, dimension, finite, pair, signal};

pub(super) fn slowness(s: &facts::Slowness) -> Slowness {
    Slowness {
        percent: finite(s.percent),
        percent_interval: pair(s.percent_interval),
        factor: finite(s.factor),
        factor_interval: pair(s.factor_interval),
    }
}

impl Context<'_> {
    fn value(&self, place: Option<&(facts::Dimension, Untrusted)>) -> Option<String> {
        place.map(|(_, value)| self.log(value))
    }

    pub(super) fn missing(&self, s: &facts::Silence) -> Missing {
        Missing {
            percent: finite(s.percent),
            percent_interval: pair(s.percent_interval),
            expected_requests: finite(s.expected_requests),
            observed_requests: s.observed_requests,
            source: self.value(s.place.as_ref()),
            carried: s.carried,
        }
    }

    pub(super) fn burst(&self, b: &facts::Burst) -> Burst {
        Burst {
            messages: b.messages,
            factor: b.factor.and_then(finite),
            source: self.value(b.place.as_ref()),
        }
    }

    pub(super) fn computation(&self, c: &facts::Computation) -> Computation {
        let f = &c.finding;
        let second = |second| self.time(Timestamp::from_seconds(second));
        let range = |(from, to)| [second(from), second(to)];
        let runner_up = |r: RunnerUp| schema::RunnerUp { time: second(r.second), nats: finite(r.nats) };
        let n = self.limits.nested;
        let (affected, expected) = match f.effect {
            Effect::Errors => (Some(f.failures), finite(f.baseline.error_share * f.requests as f64)),
            Effect::Latency { .. } => (None, None),
            Effect::Traffic { expected, .. } => (None, finite(expected)),
        };
        Computation {
            signal: signal(f.signal),
            dimension: c.place.as_ref().map(|(d, _)| dimension(*d)),
            value: self.value(c.place.as_ref()),
            messages: c.messages,
            start: second(f.start.second),
            end: second(f.end.second),
            start_range: range(f.start.range),
            end_range: range(f.end.range),
            start_runner_up: f.audit.start_runner_up.map(runner_up),
            end_runner_up: f.audit.end_runner_up.map(runner_up),
            baseline_window: f.baseline.window.map(range),
            baseline_share: finite(f.baseline.error_share),
            baseline_per_second: finite(f.baseline.requests_per_second),
            requests: f.requests,
            affected,
            expected,
            alone: f.audit.alone.map(|alone| Alone {
                status: alone.status,
                failures: alone.failures,
                expected: finite(alone.expected),
            }),
            likelihood_ratio_nats: finite(f.strength),
            dispersion: finite(f.dispersion),
            penalty_nats: finite(f.audit.penalty).filter(|penalty| *penalty > 0.0),
            gates: f.audit.gates.iter().take(n).map(gate).collect(),
            levels: f.levels.iter().take(n).map(|level| self.level(level)).collect(),
            confidence: finite(f.confidence),
        }
    }

    fn level(&self, level: &Level) -> schema::Level {
        let at = |second| -> Time { self.time(Timestamp::from_seconds(second)) };
        schema::Level { start: at(level.start), end: at(level.end), share: finite(level.share) }
    }
}

fn gate(gate: &crate::detect::Gate) -> Gate {
    Gate { what: wording::gate(gate.what), value: finite(gate.value), needed: finite(gate.needed) }
}
