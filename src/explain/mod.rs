//! Findings and close-ups → incidents: scope, impact, suspects, timeline. Formats nothing: wording is `report`'s.

mod evidence;
pub mod facts;
mod impact;
mod incident;
mod overview;
mod scope;
mod suspects;
mod timeline;

use crate::detect::{Findings, Series};
use crate::inspect::Closeup;
use crate::model::{Level, Location, Timestamp, Untrusted};
use crate::signature::{RuleKind, Rules};
use crate::survey::RareKind;
use facts::{Incident, TimelineEntry};

pub use overview::overview;

/// Rare lines of one kind within a minute, seen anywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// When the first occurred.
    pub time: Timestamp,
    /// What kind.
    pub kind: RareKind,
    /// Level of the first.
    pub level: Option<Level>,
    /// Text of the first.
    pub text: Untrusted,
    /// How many.
    pub count: u64,
    /// Where the first stands.
    pub location: Location,
}

/// What there is to explain.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What was found.
    pub findings: &'a Findings,
    /// One per incident of `findings`.
    pub closeups: &'a [Closeup],
    /// What it was found in.
    pub series: &'a Series,
    /// Rare lines of all sources, by time.
    pub sightings: &'a [Sighting],
    /// What they mean.
    pub rules: &'a Rules,
}

impl Case<'_> {
    fn rule_kind(&self, kind: RareKind) -> Option<RuleKind> {
        match kind {
            RareKind::Rule(id) => self.rules.get(id).map(|r| r.kind),
            RareKind::Severe => None,
        }
    }

    fn meaning(&self, kind: RareKind) -> Option<&str> {
        match kind {
            RareKind::Rule(id) => self.rules.get(id).map(|r| r.meaning.as_str()),
            RareKind::Severe => None,
        }
    }
}

/// The incidents, ordered by start, and the timeline around them.
pub fn explain(case: &Case<'_>) -> (Vec<Incident>, Vec<TimelineEntry>) {
    let mut found: Vec<(Incident, &Closeup)> = Vec::new();
    let mut alone = Vec::new();
    for (finding, closeup) in case.findings.incidents.iter().zip(case.closeups) {
        // one client failing alone is no incident, however much it fails
        if impact::one_client_alone(closeup) {
            alone.push(finding.clone());
        } else {
            found.push((incident::incident(case, finding, closeup), closeup));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.start.at.cmp(&b.start.at).then_with(|| a.id.cmp(&b.id)));
    let timeline = timeline::timeline(case, &found, &alone);
    (found.into_iter().map(|(incident, _)| incident).collect(), timeline)
}

#[cfg(test)]
mod tests;
