//! What each signal of an incident came to, and how it was found.

use crate::detect::Finding;
use crate::model::{Dimension, Untrusted};

/// Requests slower than the baseline explains. Percentages are 0–100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slowness {
    /// Share of all user requests.
    pub percent: f64,
    /// 95 % interval of `percent`.
    pub percent_interval: (f64, f64),
    /// How many times slower these were.
    pub factor: f64,
    /// 95 % interval of `factor`.
    pub factor_interval: (f64, f64),
}

/// Requests that did not come.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    /// Missing ÷ expected, 0–100, of `place`.
    pub percent: f64,
    /// 95 % interval of `percent`.
    pub percent_interval: (f64, f64),
    /// Requests that a healthy time of that length has.
    pub expected_requests: f64,
    /// Those that came.
    pub observed_requests: u64,
    /// Whose requests; `None`: the site's.
    pub place: Option<(Dimension, Untrusted)>,
    /// Others of its group took its load over: for users nothing is missing.
    pub carried: bool,
}

/// Severe messages where there are few at other times.
#[derive(Debug, Clone, PartialEq)]
pub struct Burst {
    /// How many.
    pub messages: u64,
    /// How many times as frequent as usual; `None` where there are none at other times.
    pub factor: Option<f64>,
    /// The log.
    pub place: Option<(Dimension, Untrusted)>,
}

/// A finding and whose requests or messages it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Computation {
    /// `None`: the site's.
    pub place: Option<(Dimension, Untrusted)>,
    /// Messages instead of requests.
    pub messages: bool,
    /// The figures.
    pub finding: Finding,
}
