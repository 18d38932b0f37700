//! Quick ways through plans: what several steps do in one go, what several plans begin with once for all.
//!
//! A test compares them with the steps themselves.

use super::address::may_be_address;
use super::find::{byte as find_byte, digits, word_without};
use super::number::three;
use super::plan::{Plan, Step, Until, present, run};
use super::request::request_line;
use super::{Fields, Quotes, time};
use crate::format::{Field, TimeNotation};
use crate::model::{Stamp, Status};

impl Plan {
    /// Whether the whole line fits; fills `fields`, with rubbish where it does not.
    #[allow(clippy::inline_always, reason = "the path that nearly every request takes")]
    #[inline(always)]
    pub(super) fn run<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        fields: &mut Fields<'a>,
        cache: &mut time::Cache,
    ) -> bool {
        if self.long_head > 0
            && let Some((agent, rest)) = combined_head(line, quotes, fields, cache)
        {
            fields.request.user_agent = present(agent);
            return match &self.trail {
                Some(trail) if trail.read(rest, fields).is_some() => true,
                None if rest.is_empty() && self.steps.len() == self.long_head => true,
                _ => self.run_behind_agent(line, quotes, rest, fields, cache),
            };
        }
        self.run_from_start(line, quotes, fields, cache)
    }

    /// [`Self::run`] from behind the quote of the agent on.
    #[inline(never)]
    fn run_behind_agent<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        rest: &'a [u8],
        fields: &mut Fields<'a>,
        cache: &mut time::Cache,
    ) -> bool {
        // what stands behind the quote belongs to the last step of the head
        let (head, steps) = self.steps.split_at_checked(self.long_head).unwrap_or_default();
        let Some(Step::Value { then, .. }) = head.last() else { return false };
        let rest = then.strip(rest).and_then(|rest| run(steps, (line, quotes), rest, fields, cache));
        rest.is_some_and(<[u8]>::is_empty)
    }

    /// [`Self::run`] where the line is nothing out of the ordinary up to its status at most.
    #[inline(never)]
    fn run_from_start<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        fields: &mut Fields<'a>,
        cache: &mut time::Cache,
    ) -> bool {
        let head = if self.head > 0 { clf_head(line, quotes, fields, cache) } else { None };
        let (steps, rest) = match head {
            Some(rest) => (self.steps.get(self.head..).unwrap_or_default(), rest),
            None => (self.steps.as_slice(), line),
        };
        run(steps, (line, quotes), rest, fields, cache).is_some_and(<[u8]>::is_empty)
    }

    /// Whether values stand in quotes.
    pub(super) fn is_quoted(&self) -> bool {
        self.steps.iter().any(|s| matches!(s, Step::Value { until: Until::Quote | Until::FarQuote, .. }))
    }
}

/// Whether the whole line fits one of the plans, the first of which decides; fills `fields`, which are fresh.
#[inline]
pub(super) fn any_of<'a>(
    plans: &[Plan],
    line: &'a [u8],
    quotes: Quotes<'_>,
    fields: &mut Fields<'a>,
    cache: &mut time::Cache,
) -> bool {
    // the time that several plans begin with is read once
    let mut known = None;
    let mut time = None;
    let mut fresh = true;
    for plan in plans.iter().filter(|plan| plan.first.may_begin(line)) {
        let mut behind = None;
        if let Some((Step::Time { notation, then }, steps)) = plan.steps.split_first() {
            if known != Some(*notation) {
                known = Some(*notation);
                time = time::read(line, *notation, cache);
            }
            let Some((stamp, n)) = time else { continue };
            let rest = line.get(n..).and_then(|rest| then.strip(rest));
            let Some(rest) = rest.filter(|rest| plan.second.may_begin(rest)) else { continue };
            behind = Some((stamp, steps, rest));
        }
        if !std::mem::take(&mut fresh) {
            *fields = Fields::default();
        }
        let fits = match behind {
            Some((stamp, steps, rest)) => {
                fields.stamp = Some(stamp);
                run(steps, (line, quotes), rest, fields, cache).is_some_and(<[u8]>::is_empty)
            }
            None => plan.run(line, quotes, fields, cache),
        };
        if fits {
            return true;
        }
    }
    false
}

/// How many of the steps [`clf_head`] takes at once, all from the client to the status or none, and how many
/// [`combined_head`] does.
pub(super) fn head_steps(steps: &[Step]) -> (usize, usize) {
    let head = clf_steps(steps);
    let long = match steps.get(head..) {
        Some(
            [
                Step::Number { field: Field::Number, then },
                Step::Value {
                    field: Field::Ignored,
                    until: Until::FarQuote,
                    list: false,
                    then: between,
                    skip: 1,
                    ..
                },
                Step::Value { field: Field::UserAgent, until: Until::FarQuote, list: false, skip: 1, .. },
                ..,
            ],
        ) if head > 0 && **then == *b" \"" && **between == *b" \"" => head + 3,
        _ => 0,
    };
    (head, long)
}

fn clf_steps(steps: &[Step]) -> usize {
    let is_client = |step: &Step| match step {
        Step::Value { field: Field::Client, until: Until::Byte(b' '), list: false, .. } => Some(true),
        Step::Value { field: Field::Client, until: Until::Word(l), list: false, .. } if **l == *b" - " => {
            Some(false)
        }
        _ => None,
    };
    let Some((first, rest)) = steps.split_first() else { return 0 };
    let ((
        Some(true),
        [Step::Value { field: Field::Ignored, until: Until::Byte(b' '), dash: Some(_), .. }, rest @ ..],
    )
    | (Some(false), rest)) = (is_client(first), rest)
    else {
        return 0;
    };
    match rest {
        [
            Step::Value { field: Field::Ignored | Field::User, until: Until::User(l), list: false, .. },
            Step::Time { notation: TimeNotation::Clf, then },
            Step::Value {
                field: Field::RequestLine, until: Until::FarQuote, list: false, then: behind, ..
            },
            Step::Number { field: Field::Status, then: blank },
            after @ ..,
        ] if **l == *b" [" && **then == *b"] \"" && **behind == *b" " && **blank == *b" " => {
            steps.len() - after.len()
        }
        _ => 0,
    }
}

/// `203.0.113.7 - - [14/May/2023:12:00:03 +0100] "GET / HTTP/1.1" 200 `: what nearly all access lines begin with, in
/// one go; `None`, and nothing filled, where it is not just like that.
#[inline]
fn clf_head<'a>(
    line: &'a [u8],
    quotes: Quotes<'_>,
    fields: &mut Fields<'a>,
    cache: &mut time::Cache,
) -> Option<&'a [u8]> {
    let (address, rest) = line.split_at_checked(address_length(line)?)?;
    let rest = rest.strip_prefix(b" - - [")?;
    let (stamp, n) = time::read(rest, TimeNotation::Clf, cache)?;
    let rest = rest.get(n..)?.strip_prefix(b"] \"")?;
    let (request, rest) = rest.split_at_checked(quotes.first(line, rest)?)?;
    let &[b'"', b' ', h, t, o, b' ', ref after @ ..] = rest else { return None };
    let status = Status::new(three([h, t, o])?)?;
    if is_escaped(request) {
        return None;
    }
    fields.stamp = Some(stamp);
    request_line(request, fields);
    fields.request.client = present(address);
    fields.message.client = fields.request.client;
    fields.request.status = Some(status);
    Some(after)
}

/// What [`clf_head`] takes, and behind it bytes, referrer and agent in quotes: the line is cut where its quotes stand.
/// The agent and what stands behind its quote; `None`, and nothing kept, where it is not just like that.
#[allow(clippy::inline_always, reason = "the path that nearly every request takes")]
#[inline(always)]
fn combined_head<'a>(
    line: &'a [u8],
    quotes: Quotes<'_>,
    fields: &mut Fields<'a>,
    cache: &mut time::Cache,
) -> Option<(&'a [u8], &'a [u8])> {
    let (head, rest) = Head::of(line, quotes, cache)?;
    let (agent, rest) = rest.split_at_checked(quotes.first_far(line, rest)?)?;
    if is_escaped(agent) {
        return None;
    }
    fields.stamp = Some(head.stamp);
    request_line(head.request, fields);
    fields.request.client = present(head.client);
    fields.message.client = fields.request.client;
    fields.request.status = Some(head.status);
    Some((agent, rest.get(1..)?))
}

/// The values of a line up to the agent.
pub(super) struct Head<'a> {
    pub(super) stamp: Stamp,
    /// An address, or a short word without a colon.
    pub(super) client: &'a [u8],
    pub(super) request: &'a [u8],
    pub(super) status: Status,
    /// Digits.
    pub(super) bytes: &'a [u8],
    pub(super) referrer: &'a [u8],
}

impl<'a> Head<'a> {
    /// It, and what stands behind the first quote of the agent; `None` where the line is not just like that.
    #[allow(clippy::inline_always, reason = "the path that nearly every request takes")]
    #[inline(always)]
    pub(super) fn of(
        line: &'a [u8],
        quotes: Quotes<'_>,
        cache: &mut time::Cache,
    ) -> Option<(Self, &'a [u8])> {
        if !quotes.known() {
            return None;
        }
        let (client, rest) = line.split_at_checked(address_length(line)?)?;
        let rest = strip(rest, b" - - [")?;
        let (time, rest) = rest.split_first_chunk::<{ time::CLF }>()?;
        let stamp = time::clf_of(time, cache)?;
        let rest = strip(rest, b"] \"")?;
        let (request, rest) = rest.split_at_checked(quotes.first(line, rest)?)?;
        let (code, rest) = strip(rest, b"\" ")?.split_first_chunk()?;
        let status = Status::new(three(*code)?)?;
        let rest = strip(rest, b" ")?;
        let (bytes, rest) = rest.split_at_checked(digits(rest))?;
        let rest = strip(rest, b" \"")?;
        let (referrer, rest) = rest.split_at_checked(quotes.first(line, rest)?)?;
        let rest = strip(rest, b"\" \"")?;
        if bytes.is_empty() || is_escaped(request) || is_escaped(referrer) {
            return None;
        }
        Some((Self { stamp, client, request, status, bytes, referrer }, rest))
    }
}

/// What follows some bytes that are to be there, which are compared all at once.
#[allow(clippy::inline_always, reason = "the number of bytes is known where it is called")]
#[inline(always)]
fn strip<'a, const N: usize>(text: &'a [u8], wanted: &[u8; N]) -> Option<&'a [u8]> {
    text.split_first_chunk::<N>().filter(|(head, _)| *head == wanted).map(|(_, rest)| rest)
}

/// Whether the quote behind a value may be part of it.
#[inline]
pub(super) fn is_escaped(value: &[u8]) -> bool {
    value.last() == Some(&b'\\')
}

/// How long the address is that a line begins with, a blank behind it.
#[allow(clippy::inline_always, reason = "the path that every line takes")]
#[inline(always)]
fn address_length(line: &[u8]) -> Option<usize> {
    // what has no colon, and is as short as most are, is taken for one
    word_without(line, b':').or_else(|| other_address_length(line))
}

#[inline(never)]
fn other_address_length(line: &[u8]) -> Option<usize> {
    find_byte(line, b' ').filter(|n| line.get(..*n).is_some_and(may_be_address))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;
    use proptest::strategy::ValueTree as _;

    use super::*;
    use crate::format::Catalog;
    use crate::parse::{Engine, LineParser, Marks, Projection};

    /// What the steps of the first plan that fits read.
    pub(in crate::parse) fn slowly(plans: &[Plan], line: &[u8]) -> Option<String> {
        plans.iter().find_map(|plan| {
            let mut fields = Fields::default();
            let rest =
                run(&plan.steps, (line, Quotes::UNKNOWN), line, &mut fields, &mut time::Cache::default());
            rest.is_some_and(<[u8]>::is_empty).then(|| format!("{fields:?}"))
        })
    }

    pub(in crate::parse) fn quickly(
        plans: &[Plan],
        line: &[u8],
        quotes: Quotes<'_>,
        cache: &mut time::Cache,
    ) -> Option<String> {
        let mut fields = Fields::default();
        any_of(plans, line, quotes, &mut fields, cache).then(|| format!("{fields:?}"))
    }

    /// A line of a sample, some bytes of it replaced.
    fn lines() -> impl Strategy<Value = (Index, Vec<(Index, String)>)> {
        (any::<Index>(), prop::collection::vec((any::<Index>(), "[-\"\\\\ :a0\\[]{0,2}"), 0..4))
    }

    #[test]
    fn quick_ways_read_what_the_steps_read() {
        let catalog = Catalog::built_in().unwrap();
        let parsers: Vec<LineParser> = catalog
            .iter()
            .flat_map(|d| [Projection::All, Projection::Counts].map(|p| LineParser::projected(d, p)))
            .collect();
        let mut cache = time::Cache::default();
        let mut quick = 0;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let cases = prop::collection::vec(lines(), 1_024);
        let cases = cases.new_tree(&mut runner).unwrap().current();
        for (sample, changes) in cases {
            let mut line = sample.get(catalog.samples()).1.line.clone().into_bytes();
            for (at, other) in changes {
                let at = at.index(line.len());
                drop(line.splice(at..=at, other.bytes()));
                if line.is_empty() {
                    line.push(b'-');
                }
            }
            let mut marks = Marks::default();
            marks.sweep(&line);
            for parser in &parsers {
                let Engine::Plans(plans) = &parser.engine else { continue };
                let read = quickly(plans, &line, Quotes::UNKNOWN, &mut cache);
                assert_eq!(read, slowly(plans, &line), "{}", line.escape_ascii());
                let marked = quickly(plans, &line, marks.quotes_at(0), &mut cache);
                assert_eq!(read, marked, "{}", line.escape_ascii());
                quick += usize::from(read.is_some() && plans.iter().any(|plan| plan.head > 0));
            }
        }
        assert!(quick > 20, "{quick}");
    }
}
