//! Known messages and what they mean.

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use crate::error::{Error, Result};

/// The rule files. To add a rule, add it to a file; to add a file, add its line here.
const BUILT_IN: &[(&str, &str)] = &[("web.toml", include_str!("rules/web.toml"))];

/// The index of a rule in [`Rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u16);

/// What a message of a rule tells about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Something was installed, removed, configured.
    Change,
    /// A service started or stopped.
    Restart,
    /// A service took up a new configuration.
    Reload,
    /// A person did something.
    Operator,
    /// Something failed that may be the cause of more.
    Failure,
    /// Something failed because something else did.
    Symptom,
}

/// A known message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stable name.
    pub id: String,
    /// What it tells about.
    pub kind: RuleKind,
    /// All of these stand in the message, in any case.
    pub literals: Vec<String>,
    /// What it means, for a human.
    pub meaning: String,
    /// Messages that must match.
    pub samples: Vec<String>,
    /// Messages that must not.
    pub counter_samples: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    rule: Vec<Rule>,
}

/// All rules, compiled.
#[derive(Debug)]
pub struct Rules {
    all: Vec<Rule>,
    literals: AhoCorasick,
    /// Literal → (rule, bit of the literal in it).
    owners: Vec<(usize, u32)>,
}

impl Rules {
    /// The rules that come with the program.
    ///
    /// # Errors
    /// Only if a rule file is wrong, which a test rules out.
    pub fn built_in() -> Result<Self> {
        let mut rules = Vec::new();
        for (name, text) in BUILT_IN {
            let file: File = toml::from_str(text).map_err(|e| Error::Usage(format!("rules {name}: {e}")))?;
            rules.extend(file.rule);
        }
        let mut owners = Vec::new();
        let mut needles = Vec::new();
        for (owner, rule) in rules.iter().enumerate() {
            for (bit, literal) in (0..32).zip(&rule.literals) {
                needles.push(literal.as_str());
                owners.push((owner, bit));
            }
        }
        let literals = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&needles)
            .map_err(|e| Error::Usage(format!("rules: {e}")))?;
        Ok(Self { all: rules, literals, owners })
    }

    /// The rule behind an id.
    pub fn get(&self, id: RuleId) -> Option<&Rule> {
        self.all.get(usize::from(id.0))
    }

    /// The first rule whose literals all stand in the message.
    pub fn find(&self, message: &[u8]) -> Option<RuleId> {
        let mut hits: Vec<(usize, u32)> = Vec::new();
        for found in self.literals.find_overlapping_iter(message) {
            let &(owner, bit) = self.owners.get(found.pattern().as_usize())?;
            match hits.iter_mut().find(|(o, _)| *o == owner) {
                Some((_, bits)) => *bits |= 1 << bit,
                None => hits.push((owner, 1 << bit)),
            }
        }
        let complete = |&&(owner, bits): &&(usize, u32)| {
            self.all.get(owner).is_some_and(|r| bits.count_ones() as usize == r.literals.len().min(32))
        };
        let first = hits.iter().filter(complete).map(|h| h.0).min()?;
        u16::try_from(first).ok().map(RuleId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_takes_its_samples_and_leaves_its_counter_samples() {
        let rules = Rules::built_in().unwrap();
        for rule in &rules.all {
            let found =
                |m: &str| rules.find(m.as_bytes()).and_then(|id| rules.get(id)).map(|r| r.id.as_str());
            assert!(
                !rule.samples.is_empty() && !rule.counter_samples.is_empty(),
                "{} lacks samples",
                rule.id
            );
            for sample in &rule.samples {
                assert_eq!(found(sample), Some(rule.id.as_str()), "{sample}");
            }
            for sample in &rule.counter_samples {
                assert_ne!(found(sample), Some(rule.id.as_str()), "{sample}");
            }
        }
    }
}
