//! Which messages without a rule are new in an incident, or come in bursts.
//!
//! Two windows are compared by their rates; how sure it is that they differ is told by the likelihood ratio of two Poisson
//! rates against one (G = 2 Σ k ln(k / expected), compared with χ² of one degree of freedom).

use crate::model::{Location, Timestamp, Untrusted};

/// A template bursts from so many times its usual rate on.
const BURST: f64 = 5.0;
/// Likelihood ratio from which on a burst is believed: chance exceeds it once in 1,000 templates (χ², one degree).
const SURE: f64 = 10.83;
/// Templates told at most.
const MOST: usize = 10;

/// How often messages of a template occur in an incident and in the window that it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateCount {
    /// The template, as `signature::template` writes it.
    pub template: Untrusted,
    /// Messages in the incident.
    pub inside: u64,
    /// How long that is.
    pub inside_seconds: f64,
    /// Messages in the comparison window.
    pub outside: u64,
    /// How long that is; 0: there is nothing to compare with.
    pub outside_seconds: f64,
    /// The first message in the incident: when, where, and as written.
    pub first: Option<(Timestamp, Location, Untrusted)>,
}

/// In what way a template stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Novelty {
    /// None in the comparison window.
    New,
    /// Many times its rate in the comparison window.
    Bursting {
        /// How many times.
        times: f64,
    },
}

/// A template that stands out.
#[derive(Debug, Clone, PartialEq)]
pub struct NotableTemplate {
    /// In what way.
    pub novelty: Novelty,
    /// Its counts.
    pub count: TemplateCount,
    /// The likelihood ratio, 0 or more: the greater, the less by chance.
    pub strength: f64,
}

/// The templates that are new or bursting, strongest first, at most ten. Without a comparison window nothing is new.
pub fn notable(counts: &[TemplateCount]) -> Vec<NotableTemplate> {
    let mut out: Vec<NotableTemplate> = counts.iter().filter_map(judge).collect();
    out.sort_by(|a, b| {
        let first = |n: &NotableTemplate| n.count.first.as_ref().map(|f| (f.0, f.1));
        b.strength
            .total_cmp(&a.strength)
            .then_with(|| first(a).cmp(&first(b)))
            .then_with(|| a.count.template.cmp(&b.count.template))
    });
    out.truncate(MOST);
    out
}

fn judge(count: &TemplateCount) -> Option<NotableTemplate> {
    let (inside, outside) = (count.inside as f64, count.outside as f64);
    if count.inside == 0 || count.inside_seconds <= 0.0 || count.outside_seconds <= 0.0 {
        return None;
    }
    let times = (inside / count.inside_seconds) / (outside / count.outside_seconds);
    let strength = likelihood_ratio(count);
    let novelty = if count.outside == 0 {
        Novelty::New
    } else if times >= BURST && strength >= SURE {
        Novelty::Bursting { times }
    } else {
        return None;
    };
    Some(NotableTemplate { novelty, count: count.clone(), strength })
}

fn likelihood_ratio(count: &TemplateCount) -> f64 {
    let (inside, outside) = (count.inside as f64, count.outside as f64);
    let rate = (inside + outside) / (count.inside_seconds + count.outside_seconds);
    let term = |k: f64, seconds: f64| if k > 0.0 { k * (k / (rate * seconds)).ln() } else { 0.0 };
    2.0 * (term(inside, count.inside_seconds) + term(outside, count.outside_seconds)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceId;

    fn count(name: &str, inside: u64, outside: u64) -> TemplateCount {
        let location = Location { source: SourceId(0), line: inside };
        TemplateCount {
            template: name.into(),
            inside,
            inside_seconds: 600.0,
            outside,
            outside_seconds: 3_600.0,
            first: Some((Timestamp::from_seconds(0), location, name.into())),
        }
    }

    #[test]
    fn what_was_never_before_is_new() {
        let found = notable(&[count("a", 3, 0), count("b", 300, 0), count("c", 0, 9)]);
        assert_eq!(
            found.iter().map(|n| (n.novelty, n.count.inside)).collect::<Vec<_>>(),
            [(Novelty::New, 300), (Novelty::New, 3)]
        );
    }

    #[test]
    fn five_times_the_usual_rate_is_a_burst_if_it_is_no_chance() {
        // 600 seconds of an hour: one in six is usual
        let found = notable(&[count("as usual", 100, 600), count("burst", 100, 60), count("chance", 2, 2)]);
        let [only] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(only.novelty, Novelty::Bursting { times: 10.0 });
        assert_eq!(only.count.template, "burst".into());
    }

    #[test]
    fn the_strength_is_the_likelihood_ratio() {
        // 100 and 60 where 160/7 and 6·160/7 are expected
        let expected = 2.0 * (100.0 * (700.0 / 160.0f64).ln() + 60.0 * (420.0 / 960.0f64).ln());
        assert!((likelihood_ratio(&count("x", 100, 60)) - expected).abs() < 1e-9);
        assert!(likelihood_ratio(&count("x", 10, 60)).abs() < 1e-9);
    }

    #[test]
    fn without_a_comparison_nothing_is_new() {
        let lone = TemplateCount { outside_seconds: 0.0, ..count("x", 10, 0) };
        assert_eq!(notable(&[lone]), []);
    }

    #[test]
    fn the_order_of_the_counts_does_not_matter() {
        let counts = [count("a", 3, 0), count("b", 3, 0), count("c", 9, 0)];
        let mut turned = counts.to_vec();
        turned.reverse();
        assert_eq!(notable(&counts), notable(&turned));
    }
}
