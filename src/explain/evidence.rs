//! The lines that prove it.

use super::Case;
use super::facts::{Quote, QuoteRole};
use crate::inspect::{Closeup, Line};
use crate::model::{Location, Untrusted};

/// Messages quoted beside the first and last affected request: the most frequent kinds.
const MESSAGES: usize = 4;

pub(super) fn evidence(case: &Case<'_>, closeup: &Closeup) -> Vec<Quote> {
    let mut out = Vec::new();
    out.extend(closeup.around.before.as_ref().map(|l| quote(l, QuoteRole::LastBefore)));
    out.extend(closeup.around.after.as_ref().map(|l| quote(l, QuoteRole::FirstAfter)));
    out.extend(closeup.affected.first.as_ref().map(|l| quote(l, QuoteRole::FirstAffected)));
    let mut kinds: Vec<_> = closeup
        .messages
        .iter()
        .filter(|(kind, _)| {
            use crate::signature::RuleKind::{Failure, Symptom};
            matches!(case.rule_kind(**kind), None | Some(Failure | Symptom))
        })
        .collect();
    kinds.sort_by(|a, b| b.1.count.cmp(&a.1.count).then(a.0.cmp(b.0)));
    let firsts = kinds.iter().take(MESSAGES).filter_map(|(_, m)| m.first.as_ref());
    out.extend(firsts.map(|first| quote(&first.line, QuoteRole::Message)));
    out.extend(closeup.affected.last.as_ref().map(|l| quote(l, QuoteRole::LastAffected)));
    out.sort_by(|a, b| a.time.cmp(&b.time).then(a.role.cmp(&b.role)).then(a.location.cmp(&b.location)));
    out
}

fn quote(line: &Line, role: QuoteRole) -> Quote {
    Quote {
        time: Some(line.time),
        role,
        text: Untrusted::new(&line.text),
        location: Location { source: line.source, line: line.number },
    }
}
