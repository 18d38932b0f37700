//! The published shape of what each signal came to, and of how it was found.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Count, Dimension, Signal, Time};

/// Requests slower than the baseline explains.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::report) struct Slowness {
    /// Of all user requests, 0–100.
    pub(in crate::report) percent: Option<f64>,
    /// 95 % interval.
    pub(in crate::report) percent_interval: Option<[f64; 2]>,
    /// How many times slower these were.
    pub(in crate::report) factor: Option<f64>,
    /// 95 % interval.
    pub(in crate::report) factor_interval: Option<[f64; 2]>,
}

/// Requests that did not come.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::report) struct Missing {
    /// Missing ÷ expected, 0–100.
    pub(in crate::report) percent: Option<f64>,
    /// 95 % interval.
    pub(in crate::report) percent_interval: Option<[f64; 2]>,
    pub(in crate::report) expected_requests: Option<f64>,
    pub(in crate::report) observed_requests: Count,
    /// The one of a group that was silent; null: the whole site.
    pub(in crate::report) source: Option<String>,
    /// Its peers carried its load.
    pub(in crate::report) carried: bool,
}

/// Severe messages.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::report) struct Burst {
    pub(in crate::report) messages: Count,
    /// How many times as frequent as usual; null where there are none at other times.
    pub(in crate::report) factor: Option<f64>,
    pub(in crate::report) source: Option<String>,
}

/// A finding: what was compared with what, and what it passed. Nats are natural units of a log-likelihood ratio ÷ φ.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::report) struct Computation {
    pub(in crate::report) signal: Signal,
    /// Whose; null: the site's.
    pub(in crate::report) dimension: Option<Dimension>,
    pub(in crate::report) value: Option<String>,
    /// Messages are counted, not requests.
    pub(in crate::report) messages: bool,
    pub(in crate::report) start: Time,
    /// Of the last affected second.
    pub(in crate::report) end: Time,
    pub(in crate::report) start_range: [Time; 2],
    pub(in crate::report) end_range: [Time; 2],
    pub(in crate::report) start_runner_up: Option<RunnerUp>,
    pub(in crate::report) end_runner_up: Option<RunnerUp>,
    /// The stretch that was compared with.
    pub(in crate::report) baseline_window: Option<[Time; 2]>,
    /// 0–1.
    pub(in crate::report) baseline_share: Option<f64>,
    pub(in crate::report) baseline_per_second: Option<f64>,
    pub(in crate::report) requests: Count,
    pub(in crate::report) affected: Option<Count>,
    pub(in crate::report) expected: Option<f64>,
    /// Where one status alone shows it: strength and gates are of its failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::report) alone: Option<Alone>,
    pub(in crate::report) likelihood_ratio_nats: Option<f64>,
    /// φ: 1 is binomial.
    pub(in crate::report) dispersion: Option<f64>,
    /// β.
    pub(in crate::report) penalty_nats: Option<f64>,
    pub(in crate::report) gates: Vec<Gate>,
    pub(in crate::report) levels: Vec<Level>,
    /// 0–1.
    pub(in crate::report) confidence: Option<f64>,
}

/// Failures with one status.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::report) struct Alone {
    pub(in crate::report) status: u16,
    pub(in crate::report) failures: Count,
    pub(in crate::report) expected: Option<f64>,
}

/// The next best place for a boundary.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::report) struct RunnerUp {
    pub(in crate::report) time: Time,
    /// By how much it is less likely.
    pub(in crate::report) nats: Option<f64>,
}

/// Passed, as `value` ≥ `needed`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::report) struct Gate {
    pub(in crate::report) what: &'static str,
    /// Null where it is beyond all bounds (nothing is expected).
    pub(in crate::report) value: Option<f64>,
    pub(in crate::report) needed: Option<f64>,
}

/// A stretch of constant impact.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::report) struct Level {
    pub(in crate::report) start: Time,
    /// Of its last second.
    pub(in crate::report) end: Time,
    /// 0–1.
    pub(in crate::report) share: Option<f64>,
}
