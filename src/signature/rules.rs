//! Known messages and what they mean.

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use crate::error::{Error, Result};

/// The rule files. To add a rule, add it to a file; to add a file, add its line here.
const BUILT_IN: &[(&str, &str)] = &[
    ("web.toml", include_str!("rules/web.toml")),
    ("packages.toml", include_str!("rules/packages.toml")),
    ("services.toml", include_str!("rules/services.toml")),
    ("operator.toml", include_str!("rules/operator.toml")),
    ("kernel.toml", include_str!("rules/kernel.toml")),
    ("stores.toml", include_str!("rules/stores.toml")),
];

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
    /// The message begins with the first of them.
    #[serde(default)]
    pub prefix: bool,
    /// The program that says so, one of these; nothing here allows any.
    #[serde(default)]
    pub component: Vec<String>,
    /// None of these stands in the message, in this case.
    #[serde(default)]
    pub except: Vec<String>,
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

impl Rule {
    /// What its literals leave open.
    fn fits(&self, message: &[u8], component: Option<&[u8]>) -> bool {
        let named = |c: &[u8]| self.component.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(c));
        if !self.component.is_empty() && !component.is_some_and(named) {
            return false;
        }
        let first = self.literals.first().map_or(&b""[..], String::as_bytes);
        let begins = message.get(..first.len()).is_some_and(|head| head.eq_ignore_ascii_case(first));
        (begins || !self.prefix)
            && !self.except.iter().any(|text| memchr::memmem::find(message, text.as_bytes()).is_some())
    }
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

    /// The first rule whose literals all stand in the message, which a program wrote, if that is known.
    pub fn find(&self, message: &[u8], component: Option<&[u8]>) -> Option<RuleId> {
        let mut hits: Vec<(usize, u32)> = Vec::new();
        for found in self.literals.find_overlapping_iter(message) {
            let &(owner, bit) = self.owners.get(found.pattern().as_usize())?;
            match hits.iter_mut().find(|(o, _)| *o == owner) {
                Some((_, bits)) => *bits |= 1 << bit,
                None => hits.push((owner, 1 << bit)),
            }
        }
        let complete = |&&(owner, bits): &&(usize, u32)| {
            self.all.get(owner).is_some_and(|r| {
                bits.count_ones() as usize == r.literals.len().min(32) && r.fits(message, component)
            })
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
            let component = rule.component.first().map(String::as_bytes);
            let found = |m: &str| {
                let id = rules.find(m.as_bytes(), component)?;
                rules.get(id).map(|r| r.id.as_str())
            };
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

    #[test]
    fn a_program_s_message_is_no_other_program_s() {
        let rules = Rules::built_in().unwrap();
        let message = b"install apache2:amd64 <none> 2.4.57-2";
        assert!(rules.find(message, Some(b"dpkg")).is_some());
        assert!(rules.find(message, Some(b"shop")).is_none());
        assert!(rules.find(message, None).is_none());
        assert!(rules.find(b"status installed install x", Some(b"dpkg")).is_none());
    }
}
