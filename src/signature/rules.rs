//! Known messages and what they mean.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde::Deserialize;

use super::capture::Capture;
use super::change::{Change, Deed, program_of};
use super::sieve::{Sieve, Usual, Wanted, begins, contains};
use crate::error::{Error, Result};

/// The rule files. To add a rule, add it to a file; to add a file, add its line here. Where several rules fit, the
/// first decides: commands stand before `sudo`, what names its cause before what does not.
const BUILT_IN: &[(&str, &str)] = &[
    ("commands.toml", include_str!("rules/commands.toml")),
    ("web.toml", include_str!("rules/web.toml")),
    ("packages.toml", include_str!("rules/packages.toml")),
    ("services.toml", include_str!("rules/services.toml")),
    ("operator.toml", include_str!("rules/operator.toml")),
    ("kernel.toml", include_str!("rules/kernel.toml")),
    ("stores.toml", include_str!("rules/stores.toml")),
    ("network.toml", include_str!("rules/network.toml")),
    ("apps.toml", include_str!("rules/apps.toml")),
    ("alerts.toml", include_str!("rules/alerts.toml")),
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
    /// A job ran that runs by the clock.
    Job,
    /// Something failed that may be the cause of more.
    Failure,
    /// Something failed because something else did.
    Symptom,
    /// A monitor says that something fails.
    Alert,
}

/// Rules whose messages tell of one action together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// A run of a package manager: the command, and each package that it changed.
    Packages,
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
    /// The program that says so, one of these; nothing here allows any. One that ends with `*` is how the name begins.
    #[serde(default)]
    pub component: Vec<String>,
    /// One of these stands in the message, in this case.
    #[serde(default)]
    pub any: Vec<String>,
    /// The command after the first literal is one of these: a program, or a program and how its arguments begin.
    #[serde(default)]
    pub command: Vec<String>,
    /// None of these stands in the message, in this case.
    #[serde(default)]
    pub except: Vec<String>,
    /// What was done, where the message tells of a change.
    #[serde(default)]
    pub does: Option<Deed>,
    /// How to read from the message what was changed, and by whom; the first that fits.
    #[serde(default)]
    pub capture: Vec<Capture>,
    /// What it tells together with others.
    #[serde(default)]
    pub group: Option<Group>,
    /// How likely it is to have to do with an outage that begins at once, 0–1; else by its kind.
    #[serde(default)]
    pub weight: Option<f64>,
    /// On a quiet day of a host it fires at most so often; else by its kind.
    #[serde(default)]
    pub usual_per_day: Option<u32>,
    /// What it means, for a human.
    pub meaning: String,
    /// What to check about it.
    pub next_step: String,
    /// Where the program's documentation tells of it, a URL.
    pub reference: String,
    /// Messages that must match.
    pub samples: Vec<String>,
    /// Messages that must not.
    pub counter_samples: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    rule: Vec<Rule>,
}

/// All rules, compiled when the first message asks for them: that takes as long as reading 10 MB of requests, and logs of
/// requests alone never ask.
#[derive(Debug, Default)]
pub struct Rules(OnceLock<Compiled>);

#[derive(Debug)]
struct Compiled {
    all: Vec<Rule>,
    /// One literal of each.
    sieve: Sieve,
    /// The same of those that any program may say.
    anyones: Sieve,
    /// The programs that some rules are about.
    programs: Programs,
    /// What else may and must not stand in the message, by rule.
    beside: Vec<Beside>,
}

/// The texts of `any` and `except` of a rule, each found in one pass: lists are long, and what they leave out is frequent.
#[derive(Debug, Default)]
struct Beside {
    any: Option<AhoCorasick>,
    except: Option<AhoCorasick>,
}

/// Names of programs as rules have them, by how they begin.
#[derive(Debug)]
struct Programs(Vec<Vec<String>>);

impl Programs {
    fn of(rules: &[Rule]) -> Self {
        let mut names = vec![Vec::new(); 32];
        for name in rules.iter().flat_map(|rule| &rule.component) {
            // the five bits that do not depend on the case
            match name.as_bytes() {
                [] | [b'*', ..] => names.iter_mut().for_each(|names| names.push(name.clone())),
                [first, ..] => names.iter_mut().skip(usize::from(first & 31)).take(1).for_each(|names| {
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                }),
            }
        }
        Self(names)
    }

    fn has(&self, program: &[u8]) -> bool {
        let names = self.0.get(usize::from(program.first().unwrap_or(&0) & 31));
        names.is_some_and(|names| names.iter().any(|name| is_component(name.as_bytes(), program)))
    }
}

/// Lists of texts that are compiled already: several rules have the same.
type Known<'r> = Vec<(&'r [String], AhoCorasick)>;

/// An automaton for a list of texts, unless it is empty.
fn one_of<'r>(texts: &'r [String], known: &mut Known<'r>) -> Result<Option<AhoCorasick>> {
    if texts.is_empty() {
        return Ok(None);
    }
    if let Some((_, compiled)) = known.iter().find(|(list, _)| *list == texts) {
        return Ok(Some(compiled.clone()));
    }
    // a few hundred states: no other kind is cheaper to walk, and a prefilter costs more than it finds
    let compiled = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .prefilter(false)
        .build(texts)
        .map_err(|e| Error::Usage(format!("rules: {e}")))?;
    known.push((texts, compiled.clone()));
    Ok(Some(compiled))
}

impl Beside {
    fn of(rules: &[Rule]) -> Result<Vec<Self>> {
        let mut known = Known::new();
        let mut out = Vec::with_capacity(rules.len());
        for rule in rules {
            let any = one_of(&rule.any, &mut known)?;
            out.push(Self { any, except: one_of(&rule.except, &mut known)? });
        }
        Ok(out)
    }

    fn allows(&self, message: &[u8]) -> bool {
        !self.except.as_ref().is_some_and(|texts| texts.is_match(message))
            && self.any.as_ref().is_none_or(|texts| texts.is_match(message))
    }
}

impl Rule {
    /// See the field.
    pub fn weight(&self) -> f64 {
        self.weight.unwrap_or(match self.kind {
            RuleKind::Change => 1.0,
            RuleKind::Failure => 0.95,
            RuleKind::Restart | RuleKind::Reload => 0.75,
            RuleKind::Operator => 0.6,
            RuleKind::Job => 0.4,
            RuleKind::Symptom | RuleKind::Alert => 0.0,
        })
    }

    /// See the field.
    pub fn usual_per_day(&self) -> u32 {
        self.usual_per_day.unwrap_or(match self.kind {
            RuleKind::Job => 300,
            RuleKind::Failure | RuleKind::Symptom | RuleKind::Alert => 10,
            _ => 50,
        })
    }

    /// Whether the program may say so.
    fn is_from(&self, component: Option<&[u8]>) -> bool {
        let named = |c: &[u8]| self.component.iter().any(|known| is_component(known.as_bytes(), c));
        self.component.is_empty() || component.is_some_and(named)
    }

    /// What its literals leave open.
    fn fits(&self, beside: &Beside, message: &[u8]) -> bool {
        let first = self.literals.first().map_or(&b""[..], String::as_bytes);
        (!self.prefix || begins(message, first))
            && beside.allows(message)
            && (self.command.is_empty() || self.runs(message))
    }

    /// Whether all of its literals stand in a message that has the one at `found`.
    fn is_in(&self, message: &[u8], found: usize) -> bool {
        let mut others = self.literals.iter().enumerate().filter(|(at, _)| *at != found);
        others.all(|(_, literal)| contains(message, literal.as_bytes()))
    }

    /// One of its commands is what the message tells of.
    fn runs(&self, message: &[u8]) -> bool {
        let first = self.literals.first().map_or(&b""[..], String::as_bytes);
        let at = memchr::memmem::find(message, first).map_or(0, |at| at + first.len());
        let Some(command) = message.get(at..) else { return false };
        let (program, arguments) = program_of(command);
        self.command.iter().any(|known| {
            let mut words = known.as_bytes().splitn(2, |b| *b == b' ');
            let (name, begins) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            // a folder names all that is in it
            let same = program == name || (name.ends_with(b"/") && command.starts_with(name));
            same && (begins.is_empty() || begins_with_word(arguments, begins))
        })
    }
}

/// The arguments begin with these words, options with a value before them left out (`git -C /srv pull`).
fn begins_with_word(arguments: &[u8], words: &[u8]) -> bool {
    let at = |rest: &[u8]| {
        rest.strip_prefix(words).is_some_and(|tail| tail.first().is_none_or(u8::is_ascii_whitespace))
    };
    let mut rest = arguments.trim_ascii_start();
    if at(rest) {
        return true;
    }
    // one option and its value
    if let Some(option) = rest.strip_prefix(b"-") {
        for _ in 0..2 {
            let skip = |text: &[u8]| text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
            let from = if rest.starts_with(b"-") { skip(option) + 1 } else { skip(rest) };
            rest = rest.get(from..).unwrap_or_default().trim_ascii_start();
            if at(rest) {
                return true;
            }
        }
    }
    false
}

fn is_component(known: &[u8], found: &[u8]) -> bool {
    match known.strip_suffix(b"*") {
        Some(head) => found.get(..head.len()).is_some_and(|f| f.eq_ignore_ascii_case(head)),
        None => known.eq_ignore_ascii_case(found),
    }
}

impl Compiled {
    /// No rules.
    fn none() -> Result<Self> {
        Self::of(Vec::new())
    }

    fn built_in() -> Result<Self> {
        let mut rules = Vec::new();
        for (name, text) in BUILT_IN {
            let file: File = toml::from_str(text).map_err(|e| Error::Usage(format!("rules {name}: {e}")))?;
            rules.extend(file.rule);
        }
        Self::of(rules)
    }

    fn of(rules: Vec<Rule>) -> Result<Self> {
        let wanted = |anyones: bool| -> Vec<Wanted<'_>> {
            let rules = (0u16..).zip(&rules).filter(|(_, rule)| !anyones || rule.component.is_empty());
            rules
                .map(|(owner, rule)| Wanted { owner, texts: &rule.literals, at_start: rule.prefix })
                .collect()
        };
        let like = rules.iter().flat_map(|rule| [&rule.literals, &rule.samples, &rule.counter_samples]);
        let usual = Usual::of(like.flatten().map(String::as_str));
        let (sieve, anyones) = (Sieve::of(&wanted(false), &usual), Sieve::of(&wanted(true), &usual));
        let (beside, programs) = (Beside::of(&rules)?, Programs::of(&rules));
        Ok(Self { all: rules, sieve, anyones, programs, beside })
    }

    /// The first rule that fits, of those whose texts a sieve finds.
    #[inline(never)]
    fn first_in(&self, sieve: &Sieve, message: &[u8], component: Option<&[u8]>) -> Option<RuleId> {
        let mut first: Option<u16> = None;
        let mut asked = Asked([0; 16]);
        sieve.each(message, |owner, literal| {
            let at = usize::from(owner);
            if asked.is_first(at)
                && first.is_none_or(|f| owner < f)
                && let (Some(rule), Some(beside)) = (self.all.get(at), self.beside.get(at))
                && rule.is_from(component)
                && rule.is_in(message, literal)
                && rule.fits(beside, message)
            {
                first = Some(owner);
            }
        });
        first.map(RuleId)
    }
}

impl Rules {
    /// The rules that come with the program.
    ///
    /// # Errors
    /// None so far: a rule file that is wrong leaves no rules, which a test rules out.
    pub fn built_in() -> Result<Self> {
        Ok(Self::default())
    }

    #[inline]
    fn compiled(&self) -> Option<&Compiled> {
        self.0.get().or_else(|| self.compile())
    }

    #[cold]
    fn compile(&self) -> Option<&Compiled> {
        let compiled = Compiled::built_in().or_else(|_| Compiled::none()).ok()?;
        Some(self.0.get_or_init(|| compiled))
    }

    /// The rule behind an id.
    pub fn get(&self, id: RuleId) -> Option<&Rule> {
        self.compiled()?.all.get(usize::from(id.0))
    }

    /// All rules with their ids, in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        (0u16..).map(RuleId).zip(self.compiled().map_or(&[][..], |compiled| &compiled.all))
    }

    /// What a message of a rule says was changed, where the rule knows how to read it.
    pub fn change(&self, id: RuleId, message: &[u8]) -> Option<Change> {
        let rule = self.get(id)?;
        Change::read(rule.does?, &rule.capture, message)
    }

    /// The first rule whose literals all stand in the message, which a program wrote, if that is known.
    pub fn find(&self, message: &[u8], component: Option<&[u8]>) -> Option<RuleId> {
        self.find_among(self.has_own(component), message, component)
    }

    /// Whether no rule is about a message, whoever says it, nor about any that differs from it in its numbers alone.
    pub(super) fn rule_out_alike(&self, message: &[u8]) -> bool {
        self.compiled().is_some_and(|compiled| compiled.sieve.rules_out_alike(message))
    }

    /// Whether some rules are about this program.
    pub(super) fn has_own(&self, component: Option<&[u8]>) -> bool {
        let has = |program| self.compiled().is_some_and(|compiled| compiled.programs.has(program));
        component.is_some_and(has)
    }

    /// [`Self::find`], where it is known whether some rules are about the program.
    #[inline]
    pub(super) fn find_among(
        &self,
        its_own: bool,
        message: &[u8],
        component: Option<&[u8]>,
    ) -> Option<RuleId> {
        let compiled = self.compiled()?;
        let sieve = if its_own { &compiled.sieve } else { &compiled.anyones };
        if sieve.rules_out(message) { None } else { compiled.first_in(sieve, message, component) }
    }
}

/// The rules that a message was held against, of the first 1,024: one whose literal stands there a thousand times is asked
/// once.
struct Asked([u64; 16]);

impl Asked {
    fn is_first(&mut self, rule: usize) -> bool {
        let Some(word) = self.0.get_mut(rule >> 6) else { return true };
        let before = *word;
        *word |= 1 << (rule & 63);
        before != *word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_takes_its_samples_and_leaves_its_counter_samples() {
        let mut wrong = Vec::new();
        let rules = Rules::built_in().unwrap();
        for (_, rule) in rules.iter() {
            let component = rule.component.first().map(|c| c.trim_end_matches('*').as_bytes());
            let found = |m: &str| {
                let id = rules.find(m.as_bytes(), component)?;
                rules.get(id).map(|r| r.id.as_str())
            };
            let short = |text: &str| !text.is_empty() && text.len() < 160;
            assert!(short(&rule.meaning) && short(&rule.next_step), "{}", rule.id);
            assert!(rule.reference.starts_with("http"), "{}", rule.id);
            assert!((0.0..=1.0).contains(&rule.weight()), "{}", rule.id);
            assert!(
                !rule.samples.is_empty() && !rule.counter_samples.is_empty(),
                "{} lacks samples",
                rule.id
            );
            for sample in &rule.samples {
                if found(sample) != Some(&rule.id) {
                    wrong.push(format!("{sample}: {:?}, not {}", found(sample), rule.id));
                }
            }
            for sample in &rule.counter_samples {
                if found(sample) == Some(&rule.id) {
                    wrong.push(format!("{sample}: {}", rule.id));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
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

    #[test]
    fn each_rule_has_a_name_of_its_own() {
        let rules = Rules::built_in().unwrap();
        let mut names: Vec<&str> = rules.iter().map(|(_, rule)| rule.id.as_str()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn each_capture_reads_a_sample_of_its_rule() {
        let rules = Rules::built_in().unwrap();
        for (id, rule) in rules.iter().filter(|(_, rule)| !rule.capture.is_empty()) {
            // apt's history has the command in a line below
            if rule.id == "apt-run" {
                continue;
            }
            for sample in &rule.samples {
                let change = rules.change(id, sample.as_bytes());
                assert!(
                    change.is_some_and(|c| c.subject.is_some() || c.to.is_some()),
                    "{}: {sample}",
                    rule.id
                );
            }
        }
    }

    #[test]
    fn a_command_is_told_by_its_program_and_its_first_words() {
        let rules = Rules::built_in().unwrap();
        let name = |command: &str| {
            let text = format!("ann : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND={command}");
            rules.get(rules.find(text.as_bytes(), Some(b"sudo")).unwrap()).unwrap().id.clone()
        };
        for (command, rule) in [
            ("/usr/bin/tail -n 40 /var/log/apt/history.log", "sudo-looked"),
            ("/usr/sbin/nginx -t", "sudo-looked"),
            ("/usr/sbin/nginx -s reload", "sudo-reload"),
            ("/usr/sbin/nginx", "sudo-service"),
            ("/usr/bin/systemctl restart shop", "sudo-service"),
            ("/etc/init.d/apache2 restart", "sudo-service"),
            ("/usr/bin/git -C /srv/shop pull", "sudo-deploy"),
            ("/usr/bin/systemctl reboot", "sudo-power"),
            ("/opt/shop/tool --now", "sudo"),
        ] {
            assert_eq!(name(command), rule, "{command}");
        }
    }
}
