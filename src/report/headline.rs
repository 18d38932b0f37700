//! The line for a human: what broke, where, for how many, how long.

use std::collections::BTreeMap;

use crate::detect::Signal;
use crate::explain::facts::{Burst, Dimension, Incident, ScopeItem, Silence, Slowness};

use super::time;
use super::wording::{Sentence, status_name};

/// From this share on, in percent, a headline says "every request"; the exact figure stands beside it.
const EVERY_PERCENT: f64 = 99.5;
/// A place gets into the headline when it has this share of all affected requests.
const HEADLINE_SHARE: f64 = 0.9;
/// Or this share of those that fail beyond what is usual, if it is what tells where: on a site where some always fail, most of
/// the failures of an incident of one route are not its own.
const HEADLINE_EXCESS: f64 = 0.5;
/// A place with less of the site's requests than this, in percent, is told with its share of them.
const SMALL_PERCENT: f64 = 10.0;
/// A status names the incident when it has this share of the affected requests.
const DOMINANT_SHARE: f64 = 0.6;
/// From this missing share on, in percent, what came is hardly worth mentioning.
const HARDLY_PERCENT: f64 = 90.0;

/// The line for a human: `502 Bad Gateway on every request, 48 min`.
pub fn title(incident: &Incident) -> Sentence {
    let lasted = Lasted::of(incident);
    if let Some(burst) = &incident.burst {
        return lasted.end(burst_title(burst)).text("; the impact on users is unknown");
    }
    let (place, percent) = headline_place(incident);
    match (incident.signal, &incident.silence) {
        (Signal::Traffic, Some(silence)) if silence.place.is_some() => {
            member_title(incident, silence, &lasted)
        }
        (Signal::Traffic, silence) => {
            let sentence = lasted.end(also(incident, site_silence(silence.as_ref(), percent)));
            match silence {
                Some(s) if s.percent >= HARDLY_PERCENT => {
                    sentence.text(format!(" (about {} expected)", time::rate(s.expected_requests)))
                }
                _ => sentence,
            }
        }
        (Signal::Errors, _) => {
            let sentence = Sentence::new(format!("{} on ", failure_name(&incident.statuses)));
            let sentence = small(incident, place, share_of_requests(sentence, place, percent));
            lasted.end(also(incident, sentence))
        }
        (Signal::Latency, _) => {
            let sentence = match percent {
                Some(p) if p >= EVERY_PERCENT => at_place(Sentence::new("Every request"), place),
                percent => share_of_requests(Sentence::default(), place, percent),
            };
            let sentence = small(incident, place, sentence);
            let sentence = match &incident.slowness {
                Some(slowness) => sentence.text(format!(" {} slower", time::factor(slowness.factor))),
                None => sentence.text(" slower"),
            };
            lasted.end(also(incident, sentence))
        }
    }
}

/// How long it lasted, as far as the logs tell.
struct Lasted {
    duration: String,
    ongoing: bool,
}

impl Lasted {
    fn of(incident: &Incident) -> Self {
        let least = if incident.start.open || incident.end.open { "at least " } else { "" };
        let duration = format!("{least}{}", time::duration_brief(incident.duration_seconds()));
        Self { duration, ongoing: incident.end.open }
    }

    fn end(&self, sentence: Sentence) -> Sentence {
        if self.ongoing {
            sentence.text(", still going on at the end of the logs")
        } else {
            sentence.text(format!(", {}", self.duration))
        }
    }
}

/// `, with slow responses`: what broke besides.
fn also(incident: &Incident, sentence: Sentence) -> Sentence {
    let also: Vec<String> = incident
        .signals
        .iter()
        .filter(|&&signal| signal != incident.signal)
        .map(|signal| match (signal, &incident.slowness) {
            (Signal::Errors, _) => "errors".to_owned(),
            (Signal::Latency, Some(slowness)) => slower(slowness, "of requests"),
            (Signal::Latency, None) => "slow responses".to_owned(),
            (Signal::Traffic, _) => "missing requests".to_owned(),
        })
        .collect();
    if also.is_empty() { sentence } else { sentence.text(format!(", with {}", also.join(" and "))) }
}

/// `70 % of requests 2.0× slower`.
fn slower(slowness: &Slowness, what: &str) -> String {
    format!("{} {what} {} slower", time::percent(slowness.percent), time::factor(slowness.factor))
}

/// The place for the headline and the share of its requests that is affected; without a place, the share of all.
fn headline_place(incident: &Incident) -> (Option<&ScopeItem>, Option<f64>) {
    let overall = incident.impact.percent.filter(|p| p.is_finite());
    let missing = incident.signal == Signal::Traffic;
    if overall.is_some_and(|p| p >= EVERY_PERCENT) && !missing {
        return (None, overall);
    }
    let place = incident.scope.iter().enumerate().find(|(at, item)| {
        item.dimension != Dimension::Error
            && (item.affected_share >= HEADLINE_SHARE
                || *at == 0 && excess_share(incident, item) >= HEADLINE_EXCESS)
            && item.affected_percent.is_finite()
            // A place that fares like all the rest explains nothing.
            && overall.is_none_or(|p| item.affected_percent > p + 1.0)
    });
    place.map_or((None, overall), |(_, item)| (Some(item), Some(item.affected_percent)))
}

/// The share that a place has of the requests that fail beyond what is usual, 0–1; 0 where that is not known.
fn excess_share(incident: &Incident, item: &ScopeItem) -> f64 {
    let beyond = |percent: f64, usual: f64| if percent > usual { 1.0 - usual / percent } else { 0.0 };
    let of_all = match (incident.signal, incident.impact.percent, incident.baseline.error_percent) {
        (Signal::Errors, Some(percent), Some(usual)) => beyond(percent, usual),
        _ => 0.0,
    };
    if of_all > 0.0 {
        item.affected_share * beyond(item.affected_percent, item.baseline_percent) / of_all
    } else {
        0.0
    }
}

fn share_of_requests(sentence: Sentence, place: Option<&ScopeItem>, percent: Option<f64>) -> Sentence {
    let sentence = match percent {
        None => sentence.text("an unknown share of requests"),
        Some(p) if p >= EVERY_PERCENT => sentence.text("every request"),
        Some(p) => sentence.text(format!("{} of requests", time::percent(p))),
    };
    at_place(sentence, place)
}

fn at_place(sentence: Sentence, place: Option<&ScopeItem>) -> Sentence {
    match place {
        Some(item) => sentence.text(preposition(item.dimension)).log(&item.value),
        None => sentence,
    }
}

/// ` (0.6 % of all)`: what hits everybody at a small place hits few of the site.
fn small(incident: &Incident, place: Option<&ScopeItem>, sentence: Sentence) -> Sentence {
    match (place, incident.impact.percent) {
        (Some(_), Some(percent)) if percent < SMALL_PERCENT => {
            sentence.text(format!(" ({} of all)", time::percent(percent)))
        }
        _ => sentence,
    }
}

/// `web-02 received no requests for 45 min while its peers went on; 70 % of requests elsewhere 2.0× slower`.
fn member_title(incident: &Incident, silence: &Silence, lasted: &Lasted) -> Sentence {
    let name =
        silence.place.as_ref().map_or_else(Sentence::default, |(_, name)| Sentence::default().log(name));
    let what = if silence.observed_requests == 0 {
        "no requests".to_owned()
    } else {
        format!("{} fewer requests", time::percent(silence.percent))
    };
    let peers = if silence.carried { " while its peers went on" } else { "" };
    let sentence = name.text(format!(" received {what} for {}{peers}", lasted.duration));
    let sentence =
        if lasted.ongoing { sentence.text(", still going on at the end of the logs") } else { sentence };
    let sentence = match &incident.slowness {
        Some(slowness) => sentence.text(format!("; {}", slower(slowness, "of requests elsewhere"))),
        None => sentence,
    };
    if incident.signals.contains(&Signal::Errors) { sentence.text(", with errors") } else { sentence }
}

fn site_silence(silence: Option<&Silence>, percent: Option<f64>) -> Sentence {
    match (silence, percent) {
        (Some(silence), _) if silence.observed_requests == 0 => Sentence::new("No requests at all"),
        (Some(silence), _) if silence.percent >= HARDLY_PERCENT => Sentence::new("Hardly any requests"),
        (_, Some(p)) => Sentence::new(format!("{} of the expected requests missing", time::percent(p))),
        _ => Sentence::new("Requests missing"),
    }
}

/// `ERROR messages 14× as frequent in app.log`.
fn burst_title(burst: &Burst) -> Sentence {
    let place = |sentence: Sentence| match &burst.place {
        Some((dimension, value)) => sentence.text(preposition(*dimension)).log(value),
        None => sentence,
    };
    match burst.factor {
        Some(factor) => place(Sentence::new(format!("ERROR messages {} as frequent", time::factor(factor)))),
        None => place(Sentence::new(format!("{} ERROR messages", time::count(burst.messages))))
            .text(", where there are none at other times"),
    }
}

pub(super) fn preposition(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Vhost => " to ",
        Dimension::Upstream => " through upstream ",
        Dimension::Path => " for ",
        Dimension::Method => " with method ",
        Dimension::Client => " from ",
        Dimension::Source => " in ",
        Dimension::UserAgent => " by agent ",
        Dimension::Error => " with ",
    }
}

/// `502 Bad Gateway`, or `Server errors (500, 502)` where no status prevails.
fn failure_name(statuses: &BTreeMap<u16, u64>) -> String {
    let mut ranked: Vec<(u16, u64)> = statuses.iter().map(|(&s, &n)| (s, n)).collect();
    ranked.sort_by_key(|&(status, n)| (std::cmp::Reverse(n), status));
    let total = ranked.iter().fold(0u64, |sum, &(_, n)| sum.saturating_add(n));
    match ranked.first() {
        None => "Errors".to_owned(),
        Some(&(status, n)) if n as f64 >= DOMINANT_SHARE * total as f64 => status_name(status),
        Some(_) => {
            let names: Vec<String> = ranked.iter().take(3).map(|(status, _)| status.to_string()).collect();
            format!("Server errors ({})", names.join(", "))
        }
    }
}
