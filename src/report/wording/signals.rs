//! What each signal of an incident came to, in words.

use crate::detect::Signal;
use crate::explain::facts::{Dimension, Incident, ScopeItem};

use super::super::time;
use super::{Sentence, dimension, scope};

/// One place where it hurt, in the words that go with what broke there.
pub fn scope_of(incident: &Incident, item: &ScopeItem) -> Sentence {
    let named = || Sentence::new(format!("{} ", dimension(item.dimension))).log(&item.value);
    let percent = time::percent(item.affected_percent);
    match (incident.signal, &incident.silence) {
        _ if incident.burst.is_some() || item.dimension == Dimension::Error => scope(item),
        (Signal::Traffic, Some(silence)) => {
            let carried = if silence.carried { "; its peers carried its load" } else { "" };
            named().text(format!(
                ": {percent} of its requests missing, about {} expected{carried}",
                time::rate(silence.expected_requests)
            ))
        }
        (Signal::Latency, _) if item.affected_share.is_finite() => named().text(format!(
            ": {} of the slow requests; {percent} of its requests slowed",
            time::percent(item.affected_share * 100.0)
        )),
        _ => scope(item),
    }
}

/// What the share of an incident is a share of.
pub fn share_of(incident: &Incident) -> &'static str {
    let carried = incident.silence.as_ref().is_some_and(|silence| silence.carried);
    match incident.signal {
        Signal::Errors => "of user requests failed",
        Signal::Latency => "of user requests slower than the baseline explains",
        Signal::Traffic if !carried => "of the expected requests missing",
        Signal::Traffic if incident.slowness.is_some() => {
            "of user requests slower than the baseline explains"
        }
        Signal::Traffic => "of user requests missing: peers carried the load",
    }
}

/// Whether the share of an incident is the share of slow requests.
pub fn is_slowness(incident: &Incident) -> bool {
    let carried = incident.silence.as_ref().is_some_and(|silence| silence.carried);
    incident.slowness.is_some() && (incident.signal == Signal::Latency || carried)
}

/// `these took 2.0× as long (95 %: 1.9–2.2×)`.
pub fn slowdown(incident: &Incident) -> Option<String> {
    incident.slowness.map(|s| {
        let (low, high) = s.factor_interval;
        format!(
            "these took {} as long (95 %: {}–{})",
            time::factor(s.factor),
            time::factor_number(low),
            time::factor(high)
        )
    })
}

/// `70 % of user requests 2.0× slower (95 %: 66–74 %, 1.9–2.1×)`.
pub fn slowness(incident: &Incident) -> Option<String> {
    incident.slowness.map(|s| {
        let ((low, high), (slow, slower)) = (s.percent_interval, s.factor_interval);
        format!(
            "{} of user requests {} slower (95 %: {}–{}, {}–{})",
            time::percent(s.percent),
            time::factor(s.factor),
            time::percent_number(low),
            time::percent(high),
            time::factor_number(slow),
            time::factor(slower),
        )
    })
}

/// `0 of about 340 expected requests came (95 %: 99–100 % missing)`.
pub fn missing(incident: &Incident) -> Option<String> {
    incident.silence.as_ref().map(|s| {
        let (low, high) = s.percent_interval;
        format!(
            "{} of about {} expected requests came (95 %: {}–{} missing)",
            time::count(s.observed_requests),
            time::rate(s.expected_requests),
            time::percent_number(low),
            time::percent(high),
        )
    })
}

/// `ERROR messages: 320, 14× as many as usual`.
pub fn burst(incident: &Incident) -> Option<String> {
    incident.burst.as_ref().map(|burst| {
        let usual = burst.factor.map_or_else(
            || "none at other times".to_owned(),
            |factor| format!("{} as many as usual", time::factor(factor)),
        );
        format!("{} ERROR messages, {usual}", time::count(burst.messages))
    })
}
