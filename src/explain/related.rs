//! What failed, by its names: which vhosts, upstreams and logs, and on which machine.

use super::Case;
use super::changes::hosts;
use super::facts::ScopeItem;
use crate::inspect::Closeup;
use crate::model::{Dimension, SourceId, Untrusted};

/// Values of a dimension that are compared: those with the most failures.
const VALUES: usize = 5;
/// Letters of a word that may be the beginning of another (`shop` in `shopsession`).
const PREFIX: usize = 4;
/// Words that stand in names of any kind and tell nothing.
const COMMON: &[&str] = &[
    "access",
    "agent",
    "all",
    "amd64",
    "api",
    "app",
    "apt",
    "bin",
    "cloud",
    "com",
    "common",
    "conf",
    "config",
    "core",
    "data",
    "dev",
    "error",
    "etc",
    "example",
    "get",
    "host",
    "http",
    "https",
    "install",
    "internal",
    "lib",
    "local",
    "localhost",
    "log",
    "logs",
    "main",
    "net",
    "node",
    "opt",
    "org",
    "other",
    "php",
    "prod",
    "python",
    "restart",
    "run",
    "sbin",
    "server",
    "service",
    "src",
    "srv",
    "start",
    "status",
    "stop",
    "systemctl",
    "update",
    "upgrade",
    "usr",
    "utils",
    "var",
    "vhosts",
    "web",
    "www",
];

/// What failed.
#[derive(Debug, Default)]
pub(super) struct Failing {
    /// Values of what failed, each with its words.
    values: Vec<(Dimension, Untrusted, Vec<Vec<u8>>)>,
    /// The machine that most failures are of, where there are several.
    pub(super) host: Option<u32>,
}

/// Part of what is affected that stands in one log where one machine failed.
const ONE_LOG: f64 = 0.9;

/// What is affected stands in one log, as far as logs were told apart: an outage of two machines is not the first one's.
fn one_log_holds_all(closeup: &Closeup) -> bool {
    let Some(logs) = closeup.dimensions.get(&Dimension::Source) else { return true };
    let affected = |tone: &crate::inspect::Tone| tone.inside.affected as f64;
    let all: f64 = logs.iter().map(|(_, tone)| affected(tone)).sum();
    let most = logs.iter().map(|(_, tone)| affected(tone)).fold(0.0, f64::max);
    most >= ONE_LOG * all
}

impl Failing {
    pub(super) fn new(case: &Case<'_>, closeup: &Closeup, scope: &[ScopeItem]) -> Self {
        let mut failing = Self::default();
        for item in scope {
            failing.add(item.dimension, &item.value);
        }
        for dimension in [Dimension::Vhost, Dimension::Upstream] {
            let Some(values) = closeup.dimensions.get(&dimension) else { continue };
            let mut most: Vec<_> =
                values.iter().map(|(_, tone)| tone).filter(|t| t.inside.affected > 0).collect();
            most.sort_by(|a, b| {
                b.inside.affected.cmp(&a.inside.affected).then_with(|| a.value.cmp(&b.value))
            });
            for tone in most.into_iter().take(VALUES) {
                failing.add(dimension, &Untrusted::new(&tone.value));
            }
        }
        let first = closeup.affected.first.as_ref().map(|line| line.source);
        if let Some(name) = first.and_then(|SourceId(id)| case.names.get(id as usize)) {
            failing.add(Dimension::Source, name);
        }
        let host = first.and_then(|SourceId(id)| hosts(case.names).get(id as usize).copied().flatten());
        failing.host = host.filter(|_| one_log_holds_all(closeup));
        failing
    }

    fn add(&mut self, dimension: Dimension, value: &Untrusted) {
        if !matches!(dimension, Dimension::Vhost | Dimension::Upstream | Dimension::Path | Dimension::Source)
        {
            return;
        }
        if self.values.iter().any(|(d, v, _)| *d == dimension && v == value) {
            return;
        }
        let words = words(value.raw());
        if !words.is_empty() {
            self.values.push((dimension, value.clone(), words));
        }
    }

    /// The value that a name has a word of.
    pub(super) fn named(&self, name: &[u8]) -> Option<(Dimension, &Untrusted)> {
        let mine = words(name);
        let kin = |theirs: &[Vec<u8>]| theirs.iter().any(|t| mine.iter().any(|m| akin(m, t)));
        self.values.iter().find(|(_, _, theirs)| kin(theirs)).map(|(dimension, value, _)| (*dimension, value))
    }
}

/// The words of a name that tell it from others, in lower case, without numbers at their ends.
fn words(name: &[u8]) -> Vec<Vec<u8>> {
    name.split(|b| !b.is_ascii_alphanumeric())
        .map(<[u8]>::to_ascii_lowercase)
        .map(|word| {
            let end = word.iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |at| at + 1);
            word.get(..end).unwrap_or_default().to_vec()
        })
        .filter(|word| word.len() >= 3 && !COMMON.iter().any(|common| common.as_bytes() == word.as_slice()))
        .take(32)
        .collect()
}

/// The same word, or one begins with the other.
fn akin(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    short == long || (short.len() >= PREFIX && long.starts_with(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_by_its_words() {
        let mut failing = Failing::default();
        failing.add(Dimension::Vhost, &"shop.example".into());
        failing.add(Dimension::Source, &"/var/log/apache2/access.log".into());
        let of = |name: &str| failing.named(name.as_bytes()).map(|(dimension, _)| dimension);
        for (name, expected) in [
            ("shop", Some(Dimension::Vhost)),
            ("python3-shopsession", Some(Dimension::Vhost)),
            ("apache2-bin", Some(Dimension::Source)),
            ("libxml2", None),
            ("example-data", None),
            ("/usr/bin/systemctl restart blog", None),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
    }
}
