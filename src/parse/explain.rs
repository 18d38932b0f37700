//! How far a format gets with a line that it does not take, for people who wonder why.
//!
//! Slow on purpose: it runs what the fast path runs, again and again, so that both can never disagree.

use super::plan::{Plan, Step, Until, run};
use super::{Engine, Fields, LineParser, Quotes, Reject, Scratch, time};

/// Where a format gave up on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Bytes of the line that fitted.
    pub at: usize,
    /// What should have stood there, for a human.
    pub wanted: String,
}

impl LineParser {
    /// Why the line is no record of this format; `None` if it is one.
    pub fn stop(&self, line: &[u8]) -> Option<Stop> {
        let reject =
            self.fill(line, Quotes::UNKNOWN, &mut Fields::default(), &mut Scratch::default()).err()?;
        let said = |wanted: &str| Stop { at: 0, wanted: wanted.to_owned() };
        Some(match (reject, &self.engine) {
            (Reject::Comment, _) => said("a record; this is a directive of the log"),
            (Reject::TooDeep, _) => said("less deeply nested JSON"),
            (Reject::Mismatch, Engine::Plans(plans)) => {
                furthest(plans.iter(), line).unwrap_or_else(|| said("a pattern"))
            }
            (Reject::Mismatch, Engine::Columns(plans)) => {
                let separator = plans.first().map_or(b' ', |p| p.separator);
                let count = memchr::memchr_iter(separator, line).count();
                let same = plans.iter().filter(|p| p.count == count).map(|p| &p.plan);
                furthest(same, line).unwrap_or_else(|| said("as many columns as a known set of them has"))
            }
            (Reject::Mismatch, Engine::Json(_)) => {
                said("a JSON object with the keys that make it one of these records")
            }
            (Reject::Mismatch, Engine::Logfmt(_)) => {
                said("key=value pairs with the keys that make it one of these records")
            }
            (Reject::Mismatch, Engine::Loose) => {
                said("a time in brackets, and a request in quotes or a status behind the first quotes")
            }
        })
    }
}

fn furthest<'a>(plans: impl Iterator<Item = &'a Plan>, line: &[u8]) -> Option<Stop> {
    let stops = plans.map(|plan| plan.stop(line));
    // of equals the first: the patterns of a format stand in order
    stops.reduce(|best, stop| if stop.at > best.at { stop } else { best })
}

impl Plan {
    /// How many bytes of a line fit, and what the step that does not fit is.
    fn stop(&self, line: &[u8]) -> Stop {
        let reach = |steps: &[Step]| {
            run(steps, (line, Quotes::UNKNOWN), line, &mut Fields::default(), &mut time::Cache::default())
                .map(<[u8]>::len)
        };
        let mut prefixes = (0..=self.steps.len()).filter_map(|n| Some((n, reach(self.steps.get(..n)?)?)));
        // a step that does not fit ends it: those behind it run into the same
        let (fitting, rest) = prefixes.next_back().unwrap_or((0, line.len()));
        let wanted = self.steps.get(fitting).map_or_else(|| "the end of the line".to_owned(), Step::describe);
        Stop { at: line.len().saturating_sub(rest), wanted }
    }
}

impl Step {
    fn describe(&self) -> String {
        let with = |what: String, then: &[u8]| match then {
            [] => what,
            then => format!("{what}, then '{}'", then.escape_ascii()),
        };
        match self {
            Self::Literal(bytes) => format!("'{}'", bytes.escape_ascii()),
            Self::Space => "a blank".to_owned(),
            Self::Time { notation, then } => with(format!("a time ({notation:?})"), then),
            Self::Number { field, then } => with(format!("a number ({field:?})"), then),
            Self::Value { field, until, then, .. } => {
                let end = match until {
                    Until::Byte(b) => b.escape_ascii().to_string(),
                    Until::Quote | Until::FarQuote => "\"".to_owned(),
                    Until::Literal(l) | Until::Word(l) | Until::User(l) => l.escape_ascii().to_string(),
                    Until::Blank | Until::One | Until::LineEnd => String::new(),
                };
                let end = format!("{end}{}", then.escape_ascii());
                if end.is_empty() {
                    format!("a value ({field:?})")
                } else {
                    format!("a value ({field:?}) before '{end}'")
                }
            }
            Self::Optional(_) => "an optional part".to_owned(),
        }
    }
}
