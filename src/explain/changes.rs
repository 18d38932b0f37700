//! Sightings → actions: what one person or program did, told once however many lines tell of it.

use std::collections::BTreeMap;

use super::facts::Alert;
use super::{Case, Sighting};
use crate::model::{Location, MICROS, Timestamp, Untrusted};
use crate::signature::{Change, Deed, Group, RuleId, RuleKind, Subject};
use crate::survey::RareKind;

/// Seconds between the lines of one run of a package manager: unpacking a large package takes no longer.
const RUN_SECONDS: i64 = 90;
/// Seconds between the line that apt begins a run with and the first package.
const START_SECONDS: i64 = 5;
/// Seconds in which one service stops and starts, by its own lines and those of what runs it.
const SERVICE_SECONDS: i64 = 120;
/// Seconds in which several programs tell of one restart.
const TOGETHER_SECONDS: i64 = 30;
/// Seconds in which one failure is told by several lines of a log.
const FAILURE_SECONDS: i64 = 15;
/// Seconds in which lines of one rule are one action.
const SAME_SECONDS: i64 = 60;

/// Something that was done or that failed, at a time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Action {
    /// When: the line that speaks for it.
    pub(super) time: Timestamp,
    /// The last line that tells of it.
    pub(super) last: Timestamp,
    /// The rule of the line that speaks for it.
    pub(super) rule: RuleId,
    pub(super) kind: RuleKind,
    /// See `Rule::weight`: the greatest of its lines.
    pub(super) weight: f64,
    pub(super) change: Option<Change>,
    /// The line that speaks for it, without the name of a person.
    pub(super) text: Untrusted,
    pub(super) location: Location,
    /// Packages that were changed, if it is a run of a package manager.
    pub(super) packages: u64,
    /// The machine, where there are several and the source tells which.
    pub(super) host: Option<u32>,
    group: Option<Group>,
    /// Packages that the command names.
    asked: Vec<Untrusted>,
    user: Option<Untrusted>,
}

impl Action {
    fn new(case: &Case<'_>, hosts: &[Option<u32>], sighting: &Sighting) -> Option<Self> {
        let RareKind::Rule(id) = sighting.kind else { return None };
        let rule = case.rules.get(id)?;
        if rule.weight() <= 0.0 {
            return None;
        }
        let change = case.rules.change(id, sighting.text.raw());
        let command = change.as_ref().and_then(|c| match &c.subject {
            Some(Subject::Command(command)) => Some(command.clone()),
            _ => None,
        });
        let package = change.as_ref().is_some_and(|c| matches!(c.subject, Some(Subject::Package(_))));
        Some(Self {
            time: sighting.time,
            last: sighting.time,
            rule: id,
            kind: rule.kind,
            weight: rule.weight(),
            // who ran a command stands beside it
            text: command.unwrap_or_else(|| sighting.text.clone()),
            location: sighting.location,
            packages: if package { sighting.count } else { 0 },
            host: hosts.get(sighting.location.source.0 as usize).copied().flatten(),
            group: rule.group,
            asked: change.as_ref().map(|c| c.packages.clone()).unwrap_or_default(),
            user: change.as_ref().and_then(|c| c.user.clone()),
            change,
        })
    }

    /// What it is about: the package, service or command.
    pub(super) fn name(&self) -> Option<&[u8]> {
        self.change.as_ref()?.name().map(Untrusted::raw)
    }

    /// Packages, service and words of the command: what its name may be compared with.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.name().into_iter().chain(self.asked.iter().map(Untrusted::raw))
    }

    pub(super) fn what(&self) -> Option<Deed> {
        self.change.as_ref().map(|c| c.what)
    }

    fn is_command(&self) -> bool {
        self.change.as_ref().is_some_and(|c| matches!(c.subject, Some(Subject::Command(_))))
    }

    /// How well its line speaks for a run: best the package that was asked for first, then the command, which names it, then
    /// any other package.
    fn telling(&self, asked: &[Untrusted]) -> u8 {
        match self.change.as_ref().and_then(|c| c.subject.as_ref()) {
            Some(Subject::Package(name)) if asked.first() == Some(name) => 4,
            Some(Subject::Command(_)) if !asked.is_empty() => 3,
            Some(Subject::Package(_)) => 2,
            Some(Subject::Command(_)) => 1,
            _ => 0,
        }
    }

    /// Whether a later action tells of the same.
    fn takes(&self, later: &Self) -> bool {
        let apart = seconds_between(self.last, later.time);
        let within = |most: i64| apart <= most as f64;
        if self.host != later.host && self.host.is_some() && later.host.is_some() {
            return false;
        }
        if self.group.is_some() || later.group.is_some() {
            // a new command is a new run; apt's own line may come after the first package of its run
            let open = self.packages == 0 && later.asked.is_empty();
            let begins = later.is_command() || (later.change.is_none() && !within(START_SECONDS));
            return self.group == later.group && within(RUN_SECONDS) && (!begins || open);
        }
        if self.rule == later.rule && self.text == later.text && within(SAME_SECONDS) {
            return true;
        }
        let (mine, theirs) = (self.name(), later.name());
        let service = |a: &Self| matches!(a.kind, RuleKind::Restart | RuleKind::Reload);
        if service(self) && service(later) {
            let same = mine.is_some() && mine == theirs && within(SERVICE_SECONDS);
            let one_unnamed = mine.is_none() || theirs.is_none();
            return same || (one_unnamed && self.what() == later.what() && within(TOGETHER_SECONDS));
        }
        if self.kind == RuleKind::Failure && later.kind == RuleKind::Failure {
            let source = self.location.source == later.location.source;
            return (source && within(FAILURE_SECONDS)) || (self.rule == later.rule && within(SAME_SECONDS));
        }
        self.rule == later.rule && mine == theirs && within(SAME_SECONDS)
    }

    fn absorb(&mut self, later: Self) {
        let last = self.last.max(later.last);
        let packages = self.packages.saturating_add(later.packages);
        let asked = if self.asked.is_empty() { later.asked.clone() } else { self.asked.clone() };
        let user = self.user.clone().or_else(|| later.user.clone());
        let weight = self.weight.max(later.weight);
        let better = if self.group.is_some() {
            later.telling(&asked) > self.telling(&asked)
        } else {
            later.weight > self.weight
                || (self.name().is_none() && later.name().is_some() && self.kind == later.kind)
        };
        if better {
            *self = later;
        }
        (self.last, self.packages, self.asked, self.user, self.weight) =
            (last, packages, asked, user, weight);
    }

    /// Whose command it was belongs to the change, whichever line speaks for it.
    fn settle(&mut self) {
        if self.group == Some(Group::Packages) && (self.packages > 0 || !self.asked.is_empty()) {
            self.kind = RuleKind::Change;
            self.weight = self.weight.max(if self.packages > 0 { 1.0 } else { 0.0 });
        }
        if let Some(change) = &mut self.change {
            change.user = change.user.take().or_else(|| self.user.clone());
        }
    }
}

/// Seconds from one time to a later one; negative if it is earlier.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.micros().saturating_sub(from.micros()) as f64 / MICROS as f64
}

/// What was done and what failed, by time; symptoms and alerts are neither.
pub(super) fn actions(case: &Case<'_>) -> Vec<Action> {
    let hosts = hosts(case.names);
    let mut out: Vec<Action> = Vec::new();
    for action in case.sightings.iter().filter_map(|s| Action::new(case, &hosts, s)) {
        let near = |open: &&mut Action| seconds_between(open.last, action.time) <= SERVICE_SECONDS as f64;
        // sightings come by time: what is older than the longest fold is closed, and no more than this many are open
        match out.iter_mut().rev().take(64).filter(near).find(|open| open.takes(&action)) {
            Some(open) => open.absorb(action),
            None => out.push(action),
        }
    }
    out.iter_mut().for_each(Action::settle);
    out.sort_by_key(|a| (a.time, a.rule, a.location));
    out
}

/// The first alert of an incident.
pub(super) fn first_alert(case: &Case<'_>, onset: Timestamp, end: Timestamp) -> Option<Alert> {
    let alert = |s: &&Sighting| case.rule_kind(s.kind) == Some(RuleKind::Alert);
    let first = case.sightings.iter().filter(alert).find(|s| onset <= s.time && s.time <= end)?;
    Some(Alert {
        time: first.time,
        meaning: case.meaning(first.kind)?.to_owned(),
        text: first.text.clone(),
        location: first.location,
    })
}

/// Which machine each source is of, where the names of the sources tell several apart: by what stands before `var/log`
/// (trees of several machines side by side), or by folders that differ in a number only (`web-01`, `web-02`).
pub(super) fn hosts(names: &[Untrusted]) -> Vec<Option<u32>> {
    let before = |name: &Untrusted| {
        let at = memchr::memmem::find(name.raw(), b"var/log/")?;
        name.raw().get(..at).map(<[u8]>::to_vec)
    };
    let roots: Vec<Option<Vec<u8>>> = names.iter().map(before).collect();
    let told = numbered(&roots);
    if told.iter().flatten().max().is_some_and(|most| *most > 0) {
        return told;
    }
    // folder without its last digits → the folders
    let mut stems: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
    for name in names {
        for folder in folders(name.raw()) {
            let Some(stem) = stem(folder) else { continue };
            let known = stems.entry(stem).or_default();
            if !known.contains(&folder) {
                known.push(folder);
            }
        }
    }
    let machine = |name: &Untrusted| {
        folders(name.raw())
            .find(|f| stem(f).and_then(|s| stems.get(s)).is_some_and(|found| found.len() > 1))
            .map(<[u8]>::to_vec)
    };
    numbered(&names.iter().map(machine).collect::<Vec<_>>())
}

/// Equal names have equal numbers, by the order of the names.
fn numbered(names: &[Option<Vec<u8>>]) -> Vec<Option<u32>> {
    let mut distinct: Vec<&Vec<u8>> = names.iter().flatten().collect();
    distinct.sort();
    distinct.dedup();
    let number = |name: &Vec<u8>| distinct.binary_search(&name).ok().and_then(|at| u32::try_from(at).ok());
    if distinct.len() < 2 {
        return vec![None; names.len()];
    }
    names.iter().map(|name| name.as_ref().and_then(number)).collect()
}

fn folders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = memchr::memrchr(b'/', path).unwrap_or(0);
    path.get(..end).unwrap_or_default().split(|b| *b == b'/')
}

/// The folder's name without the number at its end.
fn stem(folder: &[u8]) -> Option<&[u8]> {
    let end = folder.iter().rposition(|b| !b.is_ascii_digit())? + 1;
    folder.get(..end).filter(|stem| stem.len() < folder.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<Option<u32>> {
        hosts(&names.iter().map(|n| Untrusted::from(*n)).collect::<Vec<_>>())
    }

    #[test]
    fn trees_side_by_side_are_several_machines() {
        let names = ["x/web/var/log/syslog", "x/db/var/log/syslog", "x/web/var/log/nginx/access.log"];
        assert_eq!(of(&names), [Some(1), Some(0), Some(1)]);
    }

    #[test]
    fn folders_that_differ_in_a_number_are_several_machines() {
        let names = ["logs/web-01/access.log", "logs/web-02/access.log", "logs/syslog"];
        assert_eq!(of(&names), [Some(0), Some(1), None]);
    }

    #[test]
    fn one_machine_is_not_told_apart_from_itself() {
        assert_eq!(
            of(&["/var/log/syslog", "/var/log/apache2/access.log", "/var/log/nginx/access.log"]),
            [None; 3]
        );
    }
}
