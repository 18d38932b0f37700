//! A quick way through what the lines of a message format begin with: behind the time stand the same level, program and
//! process as in other lines nearly always.
//!
//! A head is what the first steps of a plan took behind the time. Where a line has the same bytes there, those steps take
//! the same and read the same from it, for none of them looks farther than that. A test compares the ways.

use std::ops::{Deref, Range};
use std::sync::Arc;

use super::find::digits;
use super::marks::Quotes;
use super::plan::{Plan, Step, Until, run};
use super::taken::{fails, local};
use super::{Fields, quick, time};
use crate::format::{Field, TimeNotation};
use crate::model::{Level, Stamp};

/// Heads that are remembered: a few levels of a few processes.
const SLOTS: usize = 16;
/// Longer heads are read anew each time.
const MAX_HEAD: usize = 64;
/// Bytes that are compared at once; where fewer stand behind the time, the line is read anew.
const WORD: usize = 16;
/// Lines that are to be read by their head for each head that is noted.
const PRICE: u32 = 16;
/// Heads that may be noted before one is of use; from then on one in so many lines.
const CREDIT: u32 = 32 * PRICE;
const RETRY: u32 = 256;

/// The plans of a format.
#[derive(Debug)]
pub(super) struct Plans {
    all: Vec<Plan>,
    /// Tells them apart from those of other formats.
    mark: Arc<()>,
}

/// Heads of lines; what is remembered of one format is of no use to another.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// None until there was one.
    slots: Vec<Head>,
    notation: Option<TimeNotation>,
    /// What noting cost, in lines, less those that it was of use for.
    debt: u32,
    missed: u32,
}

#[derive(Debug)]
struct Head {
    of: Option<Arc<()>>,
    /// The first byte of the line: it tells some plans apart.
    first: u8,
    notation: Option<TimeNotation>,
    bytes: [u8; MAX_HEAD],
    length: usize,
    /// Its first bytes, and which bits of a word they are.
    word: u128,
    mask: u128,
    /// Its last bytes, if it is longer.
    last: u128,
    /// The last step took all blanks there were.
    blank: bool,
    plan: usize,
    steps: usize,
    then: Then,
    level: Option<Level>,
    pid: Option<u64>,
    component: Option<Range<usize>>,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    /// The text.
    Text,
    /// The text, perhaps behind a number that nobody asks for.
    NumberedText,
    /// What is left of the steps.
    Steps,
}

/// All that is counted of a message's line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opening<'a> {
    /// When, as written.
    pub stamp: Stamp,
    /// Severity, where written.
    pub level: Option<Level>,
    /// Program, module or logger.
    pub component: Option<&'a [u8]>,
    /// The text.
    pub text: &'a [u8],
}

impl Default for Head {
    fn default() -> Self {
        Self {
            of: None,
            first: 0,
            notation: None,
            bytes: [0; MAX_HEAD],
            length: 0,
            word: 0,
            mask: 0,
            last: 0,
            blank: false,
            plan: 0,
            steps: 0,
            then: Then::Steps,
            level: None,
            pid: None,
            component: None,
        }
    }
}

impl Deref for Plans {
    type Target = [Plan];

    fn deref(&self) -> &[Plan] {
        &self.all
    }
}

impl Plans {
    pub(super) fn new(all: Vec<Plan>) -> Self {
        Self { all, mark: Arc::new(()) }
    }

    /// Whether the whole line fits one of the plans, the first of which decides; fills `fields`, which are fresh.
    #[inline]
    pub(super) fn read<'a>(
        &self,
        line: &'a [u8],
        fields: &mut Fields<'a>,
        cache: &mut time::Cache,
        heads: &mut Heads,
    ) -> bool {
        match self.known(line, fields, cache, heads) {
            Some(true) => {
                heads.debt = heads.debt.saturating_sub(1);
                return true;
            }
            Some(false) => *fields = Fields::default(),
            None => {}
        }
        self.read_anew(line, fields, cache, heads)
    }

    #[inline(never)]
    fn read_anew<'a>(
        &self,
        line: &'a [u8],
        fields: &mut Fields<'a>,
        cache: &mut time::Cache,
        heads: &mut Heads,
    ) -> bool {
        let fits = match self.all.as_slice() {
            [plan] => plan.run(line, Quotes::UNKNOWN, fields, cache),
            plans => quick::any_of(plans, line, Quotes::UNKNOWN, fields, cache),
        };
        if fits {
            heads.missed = heads.missed.wrapping_add(1);
            if heads.debt < CREDIT || heads.missed.is_multiple_of(RETRY) {
                heads.debt = heads.debt.saturating_add(PRICE);
                self.note(line, cache, heads);
            }
        }
        fits
    }

    /// What is counted of a line whose head is known, and which fits; it is what [`Self::read`] reads.
    #[allow(
        clippy::inline_always,
        reason = "the path that nearly every message takes: as a call it costs a tenth more"
    )]
    #[inline(always)]
    pub(super) fn opening<'a>(
        &self,
        line: &'a [u8],
        cache: &mut time::Cache,
        heads: &mut Heads,
    ) -> Option<Opening<'a>> {
        let (stamp, head, taken, rest) = self.head(line, cache, heads)?;
        let text = match head.then {
            Then::Text => rest,
            Then::NumberedText => behind_number(self.steps(head)?, rest)?,
            Then::Steps => return None,
        };
        let component = head.component.clone().and_then(|at| taken.get(at));
        let opening = Opening { stamp, level: head.level, component, text };
        heads.debt = heads.debt.saturating_sub(1);
        Some(opening)
    }

    /// Whether the line fits, where its head is known; else `fields` are left alone.
    #[inline]
    fn known<'a>(
        &self,
        line: &'a [u8],
        fields: &mut Fields<'a>,
        cache: &mut time::Cache,
        heads: &Heads,
    ) -> Option<bool> {
        let (stamp, head, taken, rest) = self.head(line, cache, heads)?;
        fields.stamp = Some(stamp);
        fields.message.level = head.level;
        fields.message.pid = head.pid;
        fields.message.component = head.component.clone().and_then(|at| taken.get(at));
        if head.then == Then::Text {
            fields.message.text = rest;
            return Some(true);
        }
        let steps = self.steps(head)?;
        Some(run(steps, (rest, Quotes::UNKNOWN), rest, fields, cache).is_some_and(<[u8]>::is_empty))
    }

    /// The time and the head of a line, where that is known, its bytes, and what follows.
    #[allow(
        clippy::inline_always,
        reason = "the path that nearly every message takes: as a call it costs a tenth more"
    )]
    #[inline(always)]
    fn head<'a, 'h>(
        &self,
        line: &'a [u8],
        cache: &mut time::Cache,
        heads: &'h Heads,
    ) -> Option<(Stamp, &'h Head, &'a [u8], &'a [u8])> {
        let (stamp, n) = time::read(line, heads.notation?, cache)?;
        let rest = line.get(n..)?;
        let word = rest.first_chunk().map(|word| u128::from_le_bytes(*word))?;
        let head = heads.slots.get(slot_of(word))?;
        let (taken, rest) = rest.split_at_checked(head.length)?;
        if (word ^ head.word) & head.mask != 0
            || (head.length > WORD && !head.goes_on(taken))
            || line.first() != Some(&head.first)
            || (head.blank && rest.first().is_none_or(|next| is_blank(*next)))
            || head.notation != heads.notation
            || !head.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &self.mark))
        {
            return None;
        }
        Some((stamp, head, taken, rest))
    }

    /// The steps behind a head.
    #[inline]
    fn steps(&self, head: &Head) -> Option<&[Step]> {
        self.all.get(head.plan)?.steps.get(head.steps..)
    }

    /// Takes note of the head of a line that fits.
    fn note(&self, line: &[u8], cache: &mut time::Cache, heads: &mut Heads) -> Option<()> {
        let nth = self
            .all
            .iter()
            .position(|plan| plan.run(line, Quotes::UNKNOWN, &mut Fields::default(), cache))?;
        let plan = self.all.get(nth)?;
        let notation = notation(plan)?;
        let (_, n) = time::read(line, notation, cache)?;
        let rest = line.get(n..)?;
        let mut fields = Fields::default();
        let (steps, after) = local(plan, rest, &mut fields)?;
        let taken = rest.get(..rest.len().checked_sub(after)?)?;
        let told = |other: &Plan| {
            !other.first.may_begin(line) || (self::notation(other) == Some(notation) && fails(other, taken))
        };
        let component = match fields.message.component {
            Some(name) => Some(range_of(name, taken)?),
            None => None,
        };
        if taken.is_empty() || taken.len() > MAX_HEAD || !self.all.iter().take(nth).all(told) {
            return None;
        }
        if heads.slots.is_empty() {
            heads.slots.resize_with(SLOTS, Head::default);
        }
        heads.notation = Some(notation);
        let word = rest.first_chunk().map(|word| u128::from_le_bytes(*word))?;
        let head = heads.slots.get_mut(slot_of(word))?;
        if !head.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &self.mark)) {
            head.of = Some(Arc::clone(&self.mark));
        }
        head.bytes.get_mut(..taken.len())?.copy_from_slice(taken);
        head.length = taken.len();
        head.mask = u128::MAX >> (8 * WORD.saturating_sub(taken.len()));
        head.word = word & head.mask;
        head.last = taken.last_chunk().map_or(0, |last| u128::from_le_bytes(*last));
        head.first = *line.first()?;
        head.notation = Some(notation);
        head.blank = matches!(plan.steps.get(steps.checked_sub(1)?), Some(Step::Space));
        (head.plan, head.steps) = (nth, steps);
        head.then = plan.steps.get(steps..).map_or(Then::Steps, Then::of);
        (head.level, head.pid, head.component) = (fields.message.level, fields.message.pid, component);
        Some(())
    }
}

impl Head {
    /// Whether more bytes than a word are its own, the first of which are.
    #[allow(clippy::inline_always, reason = "the path that nearly every message takes")]
    #[inline(always)]
    fn goes_on(&self, taken: &[u8]) -> bool {
        if self.length <= 2 * WORD {
            return taken.last_chunk().is_some_and(|last| u128::from_le_bytes(*last) == self.last);
        }
        self.bytes.get(WORD..self.length) == taken.get(WORD..)
    }
}

impl Then {
    fn of(steps: &[Step]) -> Self {
        match steps {
            [text] if is_text(text) => Self::Text,
            [Step::Optional(number), text] if is_text(text) && is_number(number) => Self::NumberedText,
            _ => Self::Steps,
        }
    }
}

/// Whether a step takes the rest of the line as the text.
fn is_text(step: &Step) -> bool {
    matches!(step, Step::Value { field: Field::Message, until: Until::LineEnd, .. })
}

/// Whether steps take a number that nobody asks for, and what stands around it.
fn is_number(steps: &[Step]) -> bool {
    matches!(
        steps,
        [Step::Literal(_), Step::Number { field: Field::Number, .. }]
            | [Step::Literal(_), Step::Number { field: Field::Number, .. }, Step::Space]
    )
}

/// What follows the number of [`Then::NumberedText`], if there is one.
#[inline]
fn behind_number<'a>(steps: &[Step], rest: &'a [u8]) -> Option<&'a [u8]> {
    let Some(Step::Optional(steps)) = steps.first() else { return None };
    let [Step::Literal(before), Step::Number { then, .. }, space @ ..] = &**steps else { return None };
    let number = |text: &'a [u8]| {
        let dash = usize::from(text.first() == Some(&b'-'));
        let digits = digits(text.get(dash..)?);
        text.get(dash + digits..).filter(|_| dash + digits > 0)
    };
    let blanks = |text: &'a [u8]| {
        let blanks = text.iter().take_while(|b| is_blank(**b)).count();
        text.get(blanks..).filter(|_| blanks > 0)
    };
    let after = before.strip(rest).and_then(number).and_then(|after| then.strip(after));
    let after = if space.is_empty() { after } else { after.and_then(blanks) };
    Some(after.unwrap_or(rest))
}

/// A cheap hash of the bytes behind the time: a collision costs time, nothing else.
#[inline]
fn slot_of(word: u128) -> usize {
    let mixed = (word ^ word >> 64).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 60;
    usize::try_from(mixed & 15).unwrap_or(0)
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Where a part of a text stands in it.
fn range_of(part: &[u8], text: &[u8]) -> Option<Range<usize>> {
    let at = memchr::memmem::find_iter(text, part)
        .find(|&at| text.get(at..at + part.len()).is_some_and(|same| std::ptr::eq(same, part)))?;
    Some(at..at + part.len())
}

/// The notation of the time that the lines of a plan begin with.
fn notation(plan: &Plan) -> Option<TimeNotation> {
    match plan.steps.first() {
        Some(Step::Time { notation, .. }) => Some(*notation),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::format::Catalog;
    use crate::model::Message;
    use crate::parse::quick::tests::slowly;
    use crate::parse::{Engine, LineParser, Projection, Scratch};

    /// Lines that differ from samples behind their heads, in them, or not at all.
    fn changes() -> impl Strategy<Value = (Index, usize, Vec<(Index, String)>)> {
        (
            any::<Index>(),
            0usize..3,
            prop::collection::vec((any::<Index>(), "[-\\[\\]: \t|*1aIEé]{0,3}"), 0..3),
        )
    }

    #[test]
    fn a_known_head_reads_what_the_steps_read() {
        let catalog = Catalog::built_in().unwrap();
        let all: Vec<LineParser> = catalog
            .iter()
            .flat_map(|d| [Projection::All, Projection::Counts].map(|p| LineParser::projected(d, p)))
            .filter(|parser| !parser.is_access())
            .collect();
        let of_plans = |parser| match parser {
            &LineParser { engine: Engine::Plans(ref plans), .. } => Some(plans),
            _ => None,
        };
        let plans: Vec<&Plans> = all.iter().filter_map(of_plans).collect();
        let samples: Vec<&[u8]> = catalog
            .samples()
            .iter()
            .map(|(_, sample)| sample.line.as_bytes())
            .filter(|line| plans.iter().any(|plans| slowly(plans, line).is_some()))
            .collect();
        // one of all formats, so that what one leaves there could mislead another
        let mut scratch = Scratch::default();
        let (mut known, mut opened) = (0, 0);
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let cases = prop::collection::vec(changes(), 2_048);
        let cases = proptest::strategy::ValueTree::current(&cases.new_tree(&mut runner).unwrap());
        for (sample, behind, changes) in cases {
            let mut line = sample.get(&samples).to_vec();
            let (seen, from) = (line.clone(), line.len() * behind / 3);
            for (at, other) in changes {
                let at = from + at.index((line.len() - from).max(1));
                drop(line.splice(at.min(line.len())..(at + 1).min(line.len()), other.bytes()));
            }
            for line in [&seen, &line, &seen, &line] {
                for plans in &plans {
                    let mut fields = Fields::default();
                    let quick = plans.known(line, &mut fields, &mut scratch.time, &scratch.heads);
                    known += usize::from(quick == Some(true));
                    let debt = scratch.heads.debt;
                    let opening = plans.opening(line, &mut scratch.time, &mut scratch.heads);
                    scratch.heads.debt = debt;
                    let mut fields = Fields::default();
                    let read = plans.read(line, &mut fields, &mut scratch.time, &mut scratch.heads);
                    if let Some(Opening { stamp, level, component, text }) = opening {
                        let Message { level: its, component: of, text: told, .. } = fields.message;
                        assert!(read, "{}", line.escape_ascii());
                        assert_eq!((Some(stamp), level, component, text), (fields.stamp, its, of, told));
                        opened += 1;
                    }
                    let read = read.then(|| format!("{fields:?}"));
                    assert_eq!(read, slowly(plans, line), "{}", line.escape_ascii());
                }
            }
        }
        assert!(known > 1_000 && opened > 800, "{known}, {opened}");
    }
}
