//! What may have set an incident off, what may have ended it, and who noticed.

use super::EntryKind;
use crate::model::{Dimension, Location, Timestamp, Untrusted};
use crate::signature::Change;

/// A change or signature near the onset.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// When.
    pub time: Timestamp,
    /// The signature's kind: `change`, `restart`, `reload`, `failure`.
    pub kind: EntryKind,
    /// What happened, from the signature's rule ("the nginx configuration was reloaded").
    pub meaning: String,
    /// The line, shortened.
    pub text: Untrusted,
    /// Seconds from it to the onset (negative: after it).
    pub lead_seconds: f64,
    /// 0–1.
    pub score: f64,
    /// Where it stands.
    pub location: Location,
    /// What was changed, where the line tells.
    pub change: Option<Change>,
    /// Packages that the same run of a package manager changed beside the one named.
    pub more_packages: u64,
    /// What to check about it.
    pub next_step: String,
    /// Where the program's documentation tells of it, a URL.
    pub reference: String,
    /// What speaks for it.
    pub why: Vec<Reason>,
    /// What speaks against it.
    pub against: Vec<Reason>,
}

/// A monitor's alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// When.
    pub time: Timestamp,
    /// What it means, from the signature's rule.
    pub meaning: String,
    /// The line, shortened.
    pub text: Untrusted,
    /// Where it stands.
    pub location: Location,
}

/// What speaks for a suspect, or against it.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// For: it happened so many seconds before the onset, at most an hour.
    ShortlyBefore {
        /// Seconds, 0 or more.
        seconds: f64,
    },
    /// For: what it changed was taken up by a reload or start right before the onset.
    TookEffect {
        /// When that was.
        at: Timestamp,
    },
    /// For: its name is in what failed.
    NamesWhatFailed {
        /// Vhost, upstream or source.
        dimension: Dimension,
        /// The value that it names.
        value: Untrusted,
    },
    /// For: of several machines, it happened on the one that failed.
    SameHost,
    /// For: such a failure by itself keeps a server from answering.
    CanCauseIt,
    /// For: taking it back came before the recovery.
    Undone {
        /// When it was taken back.
        at: Timestamp,
    },
    /// Against: it happened more than an hour before.
    LongBefore {
        /// Seconds, more than 3600.
        seconds: f64,
    },
    /// Against: it was written after the onset.
    AfterOnset {
        /// Seconds, more than 0.
        seconds: f64,
    },
    /// Against: it happens at this time of day on other days too.
    EveryDay {
        /// Other days on which it does.
        days: u64,
    },
    /// Against: it happened at other times without an outage.
    Recurs {
        /// How many.
        times: u64,
    },
    /// Against: it happened on another machine than the failures.
    OtherHost,
    /// Against: it followed from another suspect (a package stops its service).
    Follows {
        /// When the other happened.
        at: Timestamp,
    },
}

/// Something that was done before the recovery and may have brought it.
#[derive(Debug, Clone, PartialEq)]
pub struct Remedy {
    /// When.
    pub time: Timestamp,
    /// What kind of action.
    pub kind: EntryKind,
    /// What it means, from the rule.
    pub meaning: String,
    /// The line, or the command without who ran it.
    pub text: Untrusted,
    /// Where it stands.
    pub location: Location,
    /// What was changed.
    pub change: Option<Change>,
    /// Seconds from it to the recovery, 0 or more.
    pub lead_seconds: f64,
    /// It took back the change of a suspect.
    pub undoes_suspect: bool,
}

impl Suspect {
    /// Everything in it that came from the logs and may hold a secret.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut Untrusted> {
        let values = self.why.iter_mut().filter_map(|reason| match reason {
            Reason::NamesWhatFailed { value, .. } => Some(value),
            _ => None,
        });
        [&mut self.text].into_iter().chain(values).chain(self.change.iter_mut().flat_map(Change::texts_mut))
    }
}

impl Remedy {
    /// Everything in it that came from the logs and may hold a secret.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut Untrusted> {
        [&mut self.text].into_iter().chain(self.change.iter_mut().flat_map(Change::texts_mut))
    }
}
