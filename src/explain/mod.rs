//! Findings and close-ups → incidents: scope, impact, suspects, timeline. Formats nothing: wording is `report`'s.

mod bouts;
mod changes;
mod evidence;
pub mod facts;
mod impact;
mod incident;
mod interval;
mod overview;
mod related;
mod scope;
mod signals;
mod storms;
mod suspects;
pub mod templates;
mod timeline;

use crate::detect::{Caveat, Finding, Merged, Series};
use crate::inspect::{Closeup, Window};
use crate::model::{Dimension, Level, Location, Timestamp, Untrusted};
use crate::signature::{Deed, RuleKind, Rules};
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

/// What a stream that was searched is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stream {
    /// Whose requests or messages; `None` is the whole site.
    pub place: Option<(Dimension, Untrusted)>,
    /// Messages of a log without requests: what its errors meant to users is not known.
    pub messages: bool,
}

/// What there is to explain.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What was found, ascending by start.
    pub incidents: &'a [Merged],
    /// One per incident.
    pub closeups: &'a [Closeup],
    /// The windows that these look into, one per incident.
    pub windows: &'a [Window],
    /// What the numbers of streams mean; the first is the site.
    pub streams: &'a [Stream],
    /// What was too short for an incident.
    pub blips: &'a [Finding],
    /// Bursts of error messages while the requests of users went on as ever, with their stream.
    pub bursts: &'a [(usize, Finding)],
    /// What limits the method on this data.
    pub caveats: &'a [Caveat],
    /// The site's requests.
    pub series: &'a Series,
    /// Rare lines of all sources, by time.
    pub sightings: &'a [Sighting],
    /// Names of the sources that a location points at, by `SourceId`.
    pub names: &'a [Untrusted],
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

    /// What a line means: the rule's words, but that dpkg writes a downgrade as an upgrade.
    fn told(&self, kind: RareKind, text: &Untrusted) -> Option<&str> {
        let RareKind::Rule(id) = kind else { return None };
        let downgrade = self.rules.change(id, text.raw()).is_some_and(|c| c.what == Deed::Downgraded);
        if downgrade { Some("a package was replaced by an older version") } else { self.meaning(kind) }
    }

    fn meaning(&self, kind: RareKind) -> Option<&str> {
        match kind {
            RareKind::Rule(id) => self.rules.get(id).map(|r| r.meaning.as_str()),
            RareKind::Severe => None,
        }
    }
}

/// What was seen of an incident, and where it was looked for.
#[derive(Clone, Copy)]
struct Look<'a> {
    closeup: &'a Closeup,
    window: Option<&'a Window>,
}

/// The incidents, ordered by start, and the timeline around them.
pub fn explain(case: &Case<'_>) -> (Vec<Incident>, Vec<TimelineEntry>) {
    let mut found: Vec<(Incident, Look<'_>)> = Vec::new();
    let mut alone = Vec::new();
    let actions = changes::actions(case);
    for (index, (merged, closeup)) in case.incidents.iter().zip(case.closeups).enumerate() {
        // one client failing alone is no incident, however much it fails
        let place = case.streams.get(merged.stream).and_then(|stream| stream.place.as_ref());
        if storms::is_of_one_client(&merged.finding, place, closeup) {
            alone.push(merged.finding.clone());
        } else {
            let look = Look { closeup, window: case.windows.get(index) };
            found.push((incident::incident(case, &actions, merged, look), look));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.start.at.cmp(&b.start.at).then_with(|| a.id.cmp(&b.id)));
    let timeline = timeline::timeline(case, &found, &alone);
    (found.into_iter().map(|(incident, _)| incident).collect(), timeline)
}

#[cfg(test)]
mod tests;
