//! JSON lines: the wanted keys are picked while the line is walked once; no document is built.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cursor::{Cursor, MAX_DEPTH};
use super::find::Literal;
use super::shape::{Part, Shapes};
use super::{Fields, Projection, Quotes, Reject, Scratch, plan, time};
use crate::format::Field;

/// The id of the next [`Keys`].
static NEXT_ID: AtomicU64 = AtomicU64::new(0);
/// More keys than this are looked up anew each time.
const MAX_CACHED_KEYS: usize = 256;

/// What to pick.
#[derive(Debug)]
pub(super) struct Keys {
    /// Tells it from all others.
    id: u64,
    /// Dotted key → its place in `wanted`.
    exact: HashMap<Box<[u8]>, usize>,
    /// The same without case and word marks, for keys that are not there as they stand.
    plain: HashMap<Box<[u8]>, usize>,
    wanted: Vec<Wanted>,
    /// A bit for each required group.
    required: u64,
}

/// What a key stands for.
#[derive(Debug)]
struct Wanted {
    field: Field,
    /// Where its field's best key so far is remembered.
    slot: usize,
    /// Its turn among the keys of the field: the earlier one is believed.
    turn: u8,
    /// The required groups that it satisfies.
    groups: u64,
}

/// Fields that a line can have; the others share the last.
const SLOTS: usize = 24;

/// A key of the last line: the next line mostly has the same at the same turn.
#[derive(Debug)]
struct Known {
    /// With the objects around it.
    full: Vec<u8>,
    /// `"key":`, if there are none.
    lead: Option<Literal>,
    /// Its place among those wanted.
    place: Option<usize>,
}

/// What is remembered of the lines before.
#[derive(Debug, Default)]
struct Memory {
    /// The keys of the last line, by turn.
    keys: Vec<Known>,
    shapes: Shapes,
}

/// One for each [`Keys`] that read with it: what a key means differs between them.
#[derive(Debug, Default)]
pub(super) struct Memories(Vec<(u64, Memory)>);

impl Memories {
    fn of(&mut self, keys: u64) -> Option<&mut Memory> {
        let at = self.0.iter().position(|(id, _)| *id == keys);
        let at = at.unwrap_or_else(|| {
            self.0.push((keys, Memory::default()));
            self.0.len().saturating_sub(1)
        });
        self.0.get_mut(at).map(|(_, memory)| memory)
    }
}

/// What was picked of a line so far.
struct Picks<'s> {
    /// Required groups of which a key was seen.
    seen: u64,
    /// For each field, the turn of the key that it was read from.
    turns: [u8; SLOTS],
    time: &'s mut time::Cache,
}

impl<'s> Picks<'s> {
    fn new(time: &'s mut time::Cache) -> Self {
        Self { seen: 0, turns: [u8::MAX; SLOTS], time }
    }
}

/// How far the walk is.
struct Walk<'a, 's> {
    cursor: Cursor<'a>,
    /// Dotted path of the objects around.
    path: Vec<u8>,
    nth: usize,
    picks: Picks<'s>,
    keys: &'s mut Vec<Known>,
    /// The values met, while the shape of the line is to be learnt.
    parts: Option<&'s mut Vec<Part>>,
}

impl Keys {
    pub(super) fn new(keys: &[(String, Field)], required: &[Vec<String>], projection: Projection) -> Self {
        let (mut exact, mut loose) = (HashMap::new(), HashMap::new());
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut kinds = Vec::new();
        for (key, field) in keys.iter().filter(|k| projection.wants(k.1)) {
            let kind = std::mem::discriminant(match field {
                Field::ClientPort | Field::ClientList => &Field::Client,
                other => other,
            });
            let slot = kinds.iter().position(|k| *k == kind).unwrap_or_else(|| {
                kinds.push(kind);
                kinds.len().saturating_sub(1)
            });
            let turn = wanted.iter().filter(|w| w.slot == slot).count();
            let groups = (0u32..).zip(required).filter(|(_, group)| group.contains(key));
            let groups = groups.filter_map(|(bit, _)| 1u64.checked_shl(bit)).fold(0, |all, bit| all | bit);
            exact.insert(key.as_bytes().into(), wanted.len());
            loose.entry(plain(key.as_bytes()).into_boxed_slice()).or_insert(wanted.len());
            wanted.push(Wanted {
                field: *field,
                slot: slot.min(SLOTS.saturating_sub(1)),
                turn: u8::try_from(turn).unwrap_or(u8::MAX),
                groups,
            });
        }
        let required = (0u32..).zip(required).filter_map(|(bit, _)| 1u64.checked_shl(bit));
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            exact,
            plain: loose,
            wanted,
            required: required.fold(0, |all, bit| all | bit),
        }
    }

    /// Reads a line.
    #[allow(clippy::inline_always, reason = "the path that every line takes")]
    #[inline(always)]
    pub(super) fn run<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        captures: &mut Fields<'a>,
        scratch: &mut Scratch,
    ) -> Result<(), Reject> {
        let Some(memory) = scratch.json.of(self.id) else { return Err(Reject::Mismatch) };
        let Memory { keys, shapes } = memory;
        for shape in shapes.worth_trying() {
            if shape.read_directly(line, quotes, captures, &mut scratch.time) {
                shapes.heed(true);
                return Ok(());
            }
        }
        self.run_carefully(line, quotes, captures, (keys, shapes), &mut scratch.time)
    }

    /// Reads a line of which some value needs a second look.
    #[inline(never)]
    fn run_carefully<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        captures: &mut Fields<'a>,
        (keys, shapes): (&mut Vec<Known>, &mut Shapes),
        time: &mut time::Cache,
    ) -> Result<(), Reject> {
        let mut touched = true;
        for shape in shapes.worth_trying() {
            if std::mem::take(&mut touched) {
                *captures = Fields::default();
            }
            let mut picks = Picks::new(time);
            if shape.read(line, quotes, &mut |place, value| {
                touched = true;
                self.keep(place, value, &mut picks, captures);
            }) {
                shapes.heed(true);
                return if picks.seen == self.required { Ok(()) } else { Err(Reject::Mismatch) };
            }
        }
        if touched {
            *captures = Fields::default();
        }
        shapes.heed(false);
        self.walk(line, captures, (keys, shapes), time)
    }

    /// Reads a line whose shape is new.
    #[inline(never)]
    fn walk<'a>(
        &self,
        line: &'a [u8],
        captures: &mut Fields<'a>,
        (keys, shapes): (&mut Vec<Known>, &mut Shapes),
        time: &mut time::Cache,
    ) -> Result<(), Reject> {
        let (path, picks) = (Vec::new(), Picks::new(time));
        let mut walk =
            Walk { cursor: Cursor { line, at: 0 }, path, nth: 0, picks, keys, parts: shapes.learn() };
        walk.cursor.blanks();
        if walk.cursor.peek() != Some(b'{') {
            return Err(Reject::Mismatch);
        }
        self.object(&mut walk, captures, 1)?;
        walk.cursor.blanks();
        if walk.cursor.at < line.len() || walk.picks.seen != self.required {
            return Err(Reject::Mismatch);
        }
        if walk.parts.is_some() {
            shapes.add(line, |places| self.apart(places));
        }
        Ok(())
    }

    /// What values at these places are kept as, if each is alone in its field and all that is required is among them.
    fn apart(&self, places: &[Option<usize>]) -> Option<Vec<Option<Field>>> {
        let (mut slots, mut seen) = (0u64, 0);
        let fields = places.iter().map(|place| {
            let Some(place) = place else { return Some(None) };
            let Wanted { field, slot, groups, .. } = self.wanted.get(*place)?;
            let bit = 1u64.checked_shl(u32::try_from(*slot).ok()?)?;
            seen |= groups;
            let fresh = slots & bit == 0;
            slots |= bit;
            fresh.then_some(Some(*field))
        });
        let fields = fields.collect::<Option<_>>()?;
        (seen == self.required).then_some(fields)
    }

    fn object<'a>(
        &self,
        walk: &mut Walk<'a, '_>,
        captures: &mut Fields<'a>,
        depth: usize,
    ) -> Result<(), Reject> {
        if depth > MAX_DEPTH {
            return Err(Reject::TooDeep);
        }
        walk.cursor.bump();
        walk.cursor.blanks();
        if walk.cursor.eat(b'}') {
            return Ok(());
        }
        let outer = walk.path.len();
        loop {
            walk.cursor.blanks();
            if let Some(place) = walk.guess() {
                self.value(walk, captures, place, depth)?;
                walk.cursor.blanks();
                if walk.cursor.eat(b',') {
                    continue;
                }
                return if walk.cursor.eat(b'}') { Ok(()) } else { Err(Reject::Mismatch) };
            }
            let key = walk.cursor.string()?;
            walk.cursor.blanks();
            if !walk.cursor.eat(b':') {
                return Err(Reject::Mismatch);
            }
            walk.cursor.blanks();
            if walk.cursor.peek() == Some(b'{') {
                walk.path.extend_from_slice(key);
                walk.path.push(b'.');
                self.object(walk, captures, depth.saturating_add(1))?;
                walk.path.truncate(outer);
            } else {
                let place = self.place(walk, key);
                self.value(walk, captures, place, depth)?;
            }
            walk.cursor.blanks();
            if walk.cursor.eat(b'}') {
                return Ok(());
            }
            if !walk.cursor.eat(b',') {
                return Err(Reject::Mismatch);
            }
        }
    }

    /// Takes the value of a key that belongs at `place`.
    fn value<'a>(
        &self,
        walk: &mut Walk<'a, '_>,
        captures: &mut Fields<'a>,
        place: Option<usize>,
        depth: usize,
    ) -> Result<(), Reject> {
        let start = walk.cursor.at;
        let first = walk.cursor.peek();
        let value = walk.cursor.value(depth)?;
        if let Some(parts) = &mut walk.parts {
            Part::note(parts, (first, depth), start..walk.cursor.at, place);
        }
        if let (Some(place), Some(value)) = (place, value) {
            self.keep(place, value, &mut walk.picks, captures);
        }
        Ok(())
    }

    /// Where a key belongs, from the last line if it had the same key at the same turn.
    fn place(&self, walk: &mut Walk<'_, '_>, key: &[u8]) -> Option<usize> {
        let nth = walk.nth;
        walk.nth = nth.saturating_add(1);
        let prefix = walk.path.as_slice();
        if let Some(known) = walk.keys.get(nth)
            && known.full.strip_prefix(prefix) == Some(key)
        {
            return known.place;
        }
        let full = [prefix, key].concat();
        let place =
            self.exact.get(full.as_slice()).or_else(|| self.plain.get(plain(&full).as_slice())).copied();
        let lead = prefix.is_empty().then(|| Literal::new(&[b"\"", key, b"\":"].concat()));
        let known = Known { full, lead, place };
        if let Some(slot) = walk.keys.get_mut(nth) {
            *slot = known;
        } else if nth < MAX_CACHED_KEYS {
            walk.keys.push(known);
        }
        place
    }

    #[inline]
    fn keep<'a>(&self, place: usize, value: &'a [u8], picks: &mut Picks<'_>, captures: &mut Fields<'a>) {
        let Some(&Wanted { field, slot, turn, groups }) = self.wanted.get(place) else { return };
        let Some(best) = picks.turns.get_mut(slot) else { return };
        if turn >= *best || value.is_empty() || value == b"-" {
            // what is there already is believed more; its key counts as seen all the same
            picks.seen |= groups;
            return;
        }
        let kept = if let Field::Time(notation) = field {
            match time::read(value, notation, picks.time) {
                Some((stamp, n)) if n == value.len() || value.get(n..) == Some(b"]") => {
                    captures.stamp = Some(stamp);
                    true
                }
                _ => false,
            }
        } else {
            plan::keep(field, value, captures).is_some()
        };
        if kept {
            *best = turn;
            picks.seen |= groups;
        }
    }
}

/// A key without what writers differ in: `remote_addr`, `remoteAddr`, `RemoteAddr` and `remote-addr` are one.
fn plain(key: &[u8]) -> Vec<u8> {
    key.iter().filter(|b| !matches!(b, b'_' | b'-')).map(u8::to_ascii_lowercase).collect()
}

impl Walk<'_, '_> {
    /// Where the key belongs that stands here, if the last line had it at the same turn, and stands before the value of
    /// it then; an object's key has no turn.
    #[allow(clippy::option_option, reason = "a known key may be one that nobody wants")]
    #[inline]
    fn guess(&mut self) -> Option<Option<usize>> {
        let known = self.keys.get(self.nth).filter(|_| self.path.is_empty())?;
        let rest = known.lead.as_ref()?.strip(self.cursor.rest())?;
        if matches!(rest, [] | [b'{' | b' ' | b'\t' | b'\r', ..]) {
            return None;
        }
        self.cursor.at = self.cursor.line.len().saturating_sub(rest.len());
        self.nth = self.nth.saturating_add(1);
        Some(known.place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::format::{Catalog, Layout};
    use crate::parse::Marks;
    use crate::parse::shape::Shape;

    /// What the walk alone reads.
    fn walked(keys: &Keys, line: &[u8]) -> Result<String, Reject> {
        let (mut fields, mut memory) = (Fields::default(), Memory::default());
        let parts = (&mut memory.keys, &mut memory.shapes);
        keys.walk(line, &mut fields, parts, &mut time::Cache::default()).map(|()| format!("{fields:?}"))
    }

    #[test]
    fn shapes_are_no_longer_tried_where_each_line_has_another() {
        let keys = Keys::new(&[("a".into(), Field::Message)], &[], Projection::All);
        let mut scratch = Scratch::default();
        let mut rested = 0;
        for n in 0..10_000 {
            let line = format!("{{\"a\":\"{n}\",\"k{}\":1}}", n % 97);
            let mut fields = Fields::default();
            assert_eq!(keys.run(line.as_bytes(), Quotes::UNKNOWN, &mut fields, &mut scratch), Ok(()));
            assert_eq!(fields.message.text, n.to_string().as_bytes());
            rested += usize::from(scratch.json.of(keys.id).unwrap().shapes.worth_trying().is_empty());
        }
        assert!((8_000..10_000).contains(&rested), "{rested}");
    }

    #[test]
    fn lines_of_known_shapes_are_read_as_the_walk_reads_them() {
        let catalog = Catalog::built_in().unwrap();
        let lines: Vec<&str> =
            catalog.samples().iter().map(|(_, s)| s.line.as_str()).filter(|l| l.starts_with('{')).collect();
        let all: Vec<Keys> = catalog
            .iter()
            .filter_map(|d| match &d.layout {
                Layout::Json { keys, required } => Some(Keys::new(keys, required, Projection::All)),
                _ => None,
            })
            .collect();
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let change = (any::<Index>(), 0usize..3, "[-\"\\\\{}\\[\\]:, a0n.]{0,3}");
        // a few lines in a row that differ from one sample in a few places
        let cases = (any::<Index>(), prop::collection::vec(prop::collection::vec(change, 0..3), 1..12));
        let (known, direct) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        let checked = runner.run(&cases, |(sample, row)| {
            let mut scratch = Scratch::default();
            for changes in row {
                let mut line = sample.get(&lines).as_bytes().to_vec();
                for (at, gone, new) in changes {
                    let at = at.index(line.len());
                    drop(line.splice(at..(at + gone).min(line.len()), new.bytes()));
                    line.extend(line.is_empty().then_some(b'{'));
                }
                let mut marks = Marks::default();
                marks.sweep(&line);
                for keys in &all {
                    let shapes = &scratch.json.of(keys.id).unwrap().shapes;
                    let fits = |shape: &Shape| shape.read(&line, Quotes::UNKNOWN, &mut |_, _| ());
                    known.set(known.get() + usize::from(shapes.worth_trying().iter().any(fits)));
                    let mut fields = Fields::default();
                    let mut directly = |shape: &Shape| {
                        let (quotes, mut time) = (marks.quotes_at(0), time::Cache::default());
                        shape.read_directly(&line, quotes, &mut fields, &mut time)
                    };
                    direct.set(direct.get() + usize::from(shapes.worth_trying().iter().any(&mut directly)));
                    for quotes in [Quotes::UNKNOWN, marks.quotes_at(0)] {
                        let mut fields = Fields::default();
                        let read = keys.run(&line, quotes, &mut fields, &mut scratch);
                        let read = read.map(|()| format!("{fields:?}"));
                        prop_assert_eq!(&read, &walked(keys, &line), "{}", line.escape_ascii());
                    }
                }
            }
            Ok(())
        });
        checked.unwrap();
        assert!(known.get() > 400 && direct.get() > 200, "{} {}", known.get(), direct.get());
    }
}
