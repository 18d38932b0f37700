//! The shape of JSON lines: what stands between their values. One program writes most lines of a log, with the same keys
//! in the same order, so that a line is what was there before with other values in it.
//!
//! Whatever stands between two values leads the walk of [`super::json`] from the one to the other, whatever the values
//! are. So a line that has between its values what a line before had is read as the walk would read it; any other is
//! left to the walk, and a test compares the two.

use std::ops::Range;

use super::cursor::{Cursor, word};
use super::ends::far_closing_quote;
use super::find::LongLiteral;
use super::number::three;
use super::plan::{self, present};
use super::request::request_line;
use super::{Fields, Quotes, time};
use crate::format::Field;
use crate::model::Status;

/// Shapes that are known at a time: a log has a few.
const MAX_SHAPES: usize = 4;
/// Values of a line that has a shape.
const MAX_PARTS: usize = 256;
/// Bytes between the values of such a line.
const MAX_BETWEEN: usize = 8 * 1024;
/// Once there are enough shapes, one line of another in so many is learnt: looking at lines is not for free.
const PATIENCE: u32 = 64;
/// A value of more bytes is long mostly.
const LONG: usize = 40;
/// How many lines of known shapes make up for one of another: trying them was in vain there.
const MISS: i32 = 4;
/// Trust lies within this, on both sides of nothing.
const TRUSTED: i32 = 64;
/// Lines that are left to the walk once trust is gone.
const REST: u32 = 4_096;

/// A sort of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// In quotes.
    Text,
    /// A number, `true`, `false` or `null`.
    Word,
    /// An array, so deep.
    Array(usize),
}

/// A value of the line that is learnt.
#[derive(Debug)]
pub(super) struct Part {
    sort: Sort,
    range: Range<usize>,
    place: Option<usize>,
}

impl Part {
    /// Notes a value that begins with `first` at a depth, where it stands, its quotes included, and where it belongs.
    pub(super) fn note(
        parts: &mut Vec<Self>,
        (first, depth): (Option<u8>, usize),
        range: Range<usize>,
        place: Option<usize>,
    ) {
        let sort = match first {
            Some(b'"') => Sort::Text,
            Some(b'[') => Sort::Array(depth),
            _ => Sort::Word,
        };
        // one more tells that there are too many
        if parts.len() <= MAX_PARTS {
            parts.push(Self { sort, range, place });
        }
    }
}

/// What stands before a value, from the end of the one before, and the value.
#[derive(Debug)]
struct Step {
    lead: LongLiteral,
    sort: Sort,
    /// Whether the value was long.
    is_long: bool,
    place: Option<usize>,
    /// What the value is kept as, where that does not depend on other values.
    field: Option<Field>,
}

/// What stands between the values of a line.
#[derive(Debug)]
pub(super) struct Shape {
    steps: Vec<Step>,
    end: LongLiteral,
    /// Whether no value of a line decides what becomes of another, so that nothing is to be remembered of them.
    direct: bool,
}

impl Shape {
    fn of(
        line: &[u8],
        parts: &[Part],
        fields: impl FnOnce(&[Option<usize>]) -> Option<Vec<Option<Field>>>,
    ) -> Option<Self> {
        if parts.len() > MAX_PARTS {
            return None;
        }
        let mut at = 0;
        let mut steps = Vec::with_capacity(parts.len());
        for Part { sort, range, place } in parts {
            // quotes belong to what is between
            let quote = usize::from(*sort == Sort::Text);
            let inside = range.start.checked_add(quote)?..range.end.checked_sub(quote)?;
            let lead = LongLiteral::new(line.get(at..inside.start)?);
            let is_long = inside.len() > LONG;
            steps.push(Step { lead, sort: *sort, is_long, place: *place, field: None });
            at = inside.end;
        }
        let places: Vec<_> = steps.iter().map(|step| step.place).collect();
        let flat = steps.iter().all(|step| !matches!(step.sort, Sort::Array(_)));
        let fields = fields(&places).filter(|_| flat);
        let direct = fields.is_some();
        for (step, field) in steps.iter_mut().zip(fields.into_iter().flatten()) {
            step.field = field;
        }
        let end = LongLiteral::new(line.get(at..)?);
        let between = steps.iter().fold(end.len(), |sum, step| sum.saturating_add(step.lead.len()));
        (between <= MAX_BETWEEN).then_some(Self { steps, end, direct })
    }

    /// Reads a line whose quotes are known, where no value needs a second look; `false`, and `fields` filled with rubbish,
    /// if there is one, or if the line has another shape.
    #[allow(clippy::inline_always, reason = "the path that every line takes")]
    #[inline(always)]
    pub(super) fn read_directly<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        fields: &mut Fields<'a>,
        time: &mut time::Cache,
    ) -> bool {
        self.direct && quotes.known() && self.direct_values(line, quotes, fields, time).is_some()
    }

    #[allow(clippy::inline_always, reason = "the path that every line takes")]
    #[inline(always)]
    fn direct_values<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        fields: &mut Fields<'a>,
        time: &mut time::Cache,
    ) -> Option<()> {
        let mut rest = line;
        for Step { lead, sort, is_long, field, .. } in &self.steps {
            rest = lead.strip(rest)?;
            let value = if *sort == Sort::Text {
                let end = if *is_long { quotes.first_far(line, rest) } else { quotes.first(line, rest) };
                let (value, after) = rest.split_at_checked(end?)?;
                rest = after;
                // that quote may be escaped
                if value.last() == Some(&b'\\') {
                    return None;
                }
                Some(value)
            } else {
                let (value, after) = word(rest)?;
                rest = after;
                value
            };
            if let Some(field) = field {
                keep(*field, value?, fields, time)?;
            }
        }
        self.end.is(rest).then_some(())
    }

    /// Hands over the values of a line with the place where they belong; `false` if it has another shape, or may have.
    #[inline]
    pub(super) fn read<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        keep: &mut impl FnMut(usize, &'a [u8]),
    ) -> bool {
        self.values(line, quotes, keep).is_some()
    }

    #[inline]
    fn values<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        keep: &mut impl FnMut(usize, &'a [u8]),
    ) -> Option<()> {
        let mut rest = line;
        for Step { lead, sort, place, .. } in &self.steps {
            rest = lead.strip(rest)?;
            let (value, after) = match sort {
                Sort::Text => {
                    let (value, after) = rest.split_at_checked(far_closing_quote(line, quotes, rest)?)?;
                    (Some(value), after)
                }
                Sort::Word => word(rest)?,
                Sort::Array(depth) if rest.first() == Some(&b'[') => {
                    let mut cursor = Cursor { line: rest, at: 0 };
                    (cursor.value(*depth).ok()?, cursor.rest())
                }
                Sort::Array(_) => return None,
            };
            if let (Some(place), Some(value)) = (*place, value) {
                keep(place, value);
            }
            rest = after;
        }
        self.end.is(rest).then_some(())
    }
}

/// Keeps a value that is no other's rival; `None` where it cannot be what the field says.
#[allow(clippy::inline_always, reason = "the path that every line takes")]
#[inline(always)]
fn keep<'a>(field: Field, value: &'a [u8], fields: &mut Fields<'a>, time: &mut time::Cache) -> Option<()> {
    let value = present(value);
    match (field, value) {
        (_, None) => {}
        (Field::UserAgent, _) => fields.request.user_agent = value,
        (Field::Client, Some(value)) => plan::client(value, fields)?,
        (Field::Status, Some(&[h, t, o])) => fields.request.status = Status::new(three([h, t, o])?),
        (Field::RequestLine, Some(value)) => request_line(value, fields),
        (Field::Latency { unit_us, nanos }, Some(value)) => {
            plan::latency(value, (unit_us, nanos), fields);
        }
        (Field::Time(notation), Some(value)) => {
            if let Some(stamp) = time::known(value, notation, time) {
                fields.stamp = Some(stamp);
                return Some(());
            }
            let (stamp, n) = time::read(value, notation, time)?;
            if n != value.len() && value.get(n..) != Some(b"]") {
                return None;
            }
            fields.stamp = Some(stamp);
        }
        (field, Some(value)) => plan::keep(field, value, fields)?,
    }
    Some(())
}

/// The shapes of the lines before.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    known: Vec<Shape>,
    /// The one that makes room for the next one.
    oldest: usize,
    /// Lines since the last one learnt.
    missed: u32,
    parts: Vec<Part>,
    /// Rises with each line of a known shape, falls by more with each other.
    trust: i32,
    /// Lines to leave to the walk.
    resting: u32,
}

impl Shapes {
    /// Those to try, none where lines have too many for them to pay.
    #[inline]
    pub(super) fn worth_trying(&self) -> &[Shape] {
        if self.resting > 0 { &[] } else { &self.known }
    }

    /// Whether the line had a shape that is known.
    #[inline]
    pub(super) fn heed(&mut self, known: bool) {
        if known {
            self.trust = (self.trust + 1).min(TRUSTED);
        } else if self.resting > 0 {
            self.resting -= 1;
        } else if !self.known.is_empty() {
            self.trust -= MISS;
            if self.trust < -TRUSTED {
                (self.trust, self.resting) = (0, REST);
            }
        }
    }

    /// Where to note the values of the line to come, if it is to be learnt.
    pub(super) fn learn(&mut self) -> Option<&mut Vec<Part>> {
        self.missed = self.missed.saturating_add(1);
        let wanted = self.known.len() < MAX_SHAPES || self.missed >= PATIENCE;
        (wanted && self.resting == 0).then(|| {
            self.parts.clear();
            &mut self.parts
        })
    }

    /// Learns the line whose values were noted. `fields` says what values at some places are kept as, if none of them
    /// decides what becomes of another.
    pub(super) fn add(
        &mut self,
        line: &[u8],
        fields: impl FnOnce(&[Option<usize>]) -> Option<Vec<Option<Field>>>,
    ) {
        self.missed = 0;
        let Some(shape) = Shape::of(line, &self.parts, fields) else { return };
        if self.known.len() < MAX_SHAPES {
            self.known.push(shape);
        } else if let Some(slot) = self.known.get_mut(self.oldest) {
            *slot = shape;
            self.oldest = (self.oldest + 1) % MAX_SHAPES;
        }
    }
}
