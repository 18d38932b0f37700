//! Every text of a log in a report, for what masks parts of it: one list, so that no mask forgets a place.

use crate::explain::facts::{Fact, Reason, Report};
use crate::model::Untrusted;
use crate::signature::{Change, Subject};

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A line of a log, whole or in part.
    Line,
    /// A value by which requests are told apart: a vhost, an upstream, a path, a client.
    Value(crate::model::Dimension),
}

/// Hands each text to `mask`. Names of files are left alone: they are how a figure is traced.
pub(super) fn texts(report: &mut Report, mask: &mut dyn FnMut(&mut Untrusted, Place)) {
    for incident in &mut report.incidents {
        incident.evidence.iter_mut().for_each(|quote| mask(&mut quote.text, Place::Line));
        for suspect in &mut incident.suspects {
            mask(&mut suspect.text, Place::Line);
            change(suspect.change.as_mut(), mask);
            for reason in suspect.why.iter_mut().chain(&mut suspect.against) {
                if let Reason::NamesWhatFailed { dimension, value } = reason {
                    mask(value, Place::Value(*dimension));
                }
            }
        }
        for remedy in &mut incident.remedy {
            mask(&mut remedy.text, Place::Line);
            change(remedy.change.as_mut(), mask);
        }
        incident.first_alert.iter_mut().for_each(|alert| mask(&mut alert.text, Place::Line));
        incident.scope.iter_mut().for_each(|item| mask(&mut item.value, Place::Value(item.dimension)));
        let silent = incident.silence.as_mut().and_then(|silence| silence.place.as_mut());
        let loud = incident.burst.as_mut().and_then(|burst| burst.place.as_mut());
        let found = incident.computation.iter_mut().filter_map(|c| c.place.as_mut());
        for (dimension, value) in silent.into_iter().chain(loud).chain(found) {
            mask(value, Place::Value(*dimension));
        }
    }
    for row in &mut report.timeline {
        match &mut row.fact {
            Fact::Signature { text, .. } | Fact::FirstError { text, .. } | Fact::NewMessage { text, .. } => {
                mask(text, Place::Line);
            }
            Fact::Burst { place: Some((dimension, value)), .. } => mask(value, Place::Value(*dimension)),
            _ => {}
        }
    }
    for (_, text) in report.inputs.iter_mut().filter_map(|input| input.example.as_mut()) {
        mask(text, Place::Line);
    }
}

fn change(change: Option<&mut Change>, mask: &mut dyn FnMut(&mut Untrusted, Place)) {
    if let Some(Subject::Command(text)) = change.and_then(|change| change.subject.as_mut()) {
        mask(text, Place::Line);
    }
}
