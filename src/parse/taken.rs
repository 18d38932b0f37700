//! What the steps of a plan make of a text of which only the beginning is known.

use memchr::memchr2;

use super::Fields;
use super::find::{Literal, byte as find_byte, digits, starts_with};
use super::heads::is_blank;
use super::plan::{Plan, Step, Until, keep};
use crate::format::Field;

/// What a step does with a text of which only the beginning is known.
enum Taken {
    /// It takes so many bytes, whatever follows them.
    Bytes(usize),
    /// It does not fit, whatever follows.
    Misfit,
    /// That depends on what follows.
    Open,
}

/// How many of a plan's steps take what they take whatever follows, up to a place where that shows, and how many bytes
/// of `rest`, which stands behind the time, they leave.
pub(super) fn local<'a>(plan: &Plan, rest: &'a [u8], fields: &mut Fields<'a>) -> Option<(usize, usize)> {
    let Step::Time { then, .. } = plan.steps.first()? else { return None };
    let mut rest = then.strip(rest)?;
    let mut whole = None;
    for (nth, step) in plan.steps.iter().enumerate().skip(1) {
        let Taken::Bytes(n) = take(step, rest, fields) else { break };
        rest = rest.get(n..)?;
        // what ends with blanks or with digits shows its end in the byte behind
        let ends = match step {
            Step::Space => rest.first().is_some_and(|next| !is_blank(*next)),
            Step::Literal(_) => true,
            Step::Number { then, .. } => !then.is_empty(),
            Step::Value { until, skip, .. } => *skip > 0 || *until == Until::One,
            Step::Time { .. } | Step::Optional(_) => false,
        };
        if ends {
            whole = Some((nth + 1, rest.len()));
        }
    }
    whole
}

/// Whether a plan does not fit any line that has `taken` behind the time.
pub(super) fn fails(plan: &Plan, taken: &[u8]) -> bool {
    let Some(Step::Time { then, .. }) = plan.steps.first() else { return false };
    let mut fields = Fields::default();
    let mut rest = match literal(then, taken) {
        Taken::Bytes(n) => taken.get(n..).unwrap_or_default(),
        Taken::Misfit => return true,
        Taken::Open => return false,
    };
    for step in plan.steps.iter().skip(1) {
        match take(step, rest, &mut fields) {
            Taken::Bytes(n) => rest = rest.get(n..).unwrap_or_default(),
            Taken::Misfit => return true,
            Taken::Open => return false,
        }
    }
    false
}

fn literal(literal: &Literal, text: &[u8]) -> Taken {
    match text.get(..literal.len()) {
        Some(head) if *head == **literal => Taken::Bytes(literal.len()),
        None if literal.starts_with(text) => Taken::Open,
        _ => Taken::Misfit,
    }
}

/// A step where `text` begins the rest of a line.
fn take<'a>(step: &Step, text: &'a [u8], fields: &mut Fields<'a>) -> Taken {
    let (taken, then) = match step {
        Step::Literal(wanted) => return literal(wanted, text),
        Step::Space => {
            return match text.iter().position(|b| !is_blank(*b)) {
                Some(0) => Taken::Misfit,
                Some(n) => Taken::Bytes(n),
                None => Taken::Open,
            };
        }
        Step::Number { field: field @ (Field::Pid | Field::Number), then } => {
            let sign = usize::from(text.first() == Some(&b'-'));
            let Some(number) = text.get(sign..) else { return Taken::Open };
            let n = digits(number);
            match (n == number.len(), n + sign) {
                (true, _) => return Taken::Open,
                (_, 0) => return Taken::Misfit,
                (_, taken) => {
                    let number = number.get(..n).unwrap_or_default();
                    if *field == Field::Pid && sign == 0 && keep(*field, number, fields).is_none() {
                        return Taken::Misfit;
                    }
                    (taken, then)
                }
            }
        }
        Step::Value { field, until, list: false, then, skip, dash: None } if is_local(*field) => {
            let Some(end) = end_of(until, text) else { return Taken::Open };
            let value = text.get(..end).unwrap_or_default();
            if *field != Field::Ignored && keep(*field, value, fields).is_none() {
                return Taken::Misfit;
            }
            (end + skip, then)
        }
        _ => return Taken::Open,
    };
    match literal(then, text.get(taken..).unwrap_or_default()) {
        Taken::Bytes(n) => Taken::Bytes(taken + n),
        other => other,
    }
}

/// Fields of which a head keeps the value, or which have none.
fn is_local(field: Field) -> bool {
    matches!(
        field,
        Field::Level
            | Field::LevelAs(_)
            | Field::Component
            | Field::Pid
            | Field::Host
            | Field::Word
            | Field::Ignored
    )
}

/// Where a value ends, if that shows in what is known of the line.
fn end_of(until: &Until, text: &[u8]) -> Option<usize> {
    match until {
        Until::Byte(byte) => find_byte(text, *byte),
        Until::Blank => memchr2(b' ', b'\t', text),
        Until::One => (!text.is_empty()).then_some(1),
        Until::Literal(wanted) => memchr::memmem::find(text, wanted),
        Until::Word(wanted) => {
            let at = find_byte(text, *wanted.first()?)?;
            starts_with(text.get(at..)?, wanted).then_some(at)
        }
        Until::Quote | Until::FarQuote | Until::User(_) | Until::LineEnd => None,
    }
}
