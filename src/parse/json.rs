//! JSON lines: the wanted keys are picked while the line is walked once; no document is built.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use super::find::{Literal, either};
use super::{Fields, Projection, Reject, Scratch, plan, time};
use crate::format::Field;

/// Deeper nesting makes the line a reject: nothing legitimate needs it.
const MAX_DEPTH: usize = 128;
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

/// By turn.
type KeyCache = Vec<Known>;

/// One for each [`Keys`] that read with it: what a key means differs between them.
#[derive(Debug, Default)]
pub(super) struct KeyCaches(BTreeMap<u64, KeyCache>);

impl KeyCaches {
    fn of(&mut self, keys: u64) -> &mut KeyCache {
        self.0.entry(keys).or_default()
    }
}

/// How far the walk is.
struct Walk<'a, 's> {
    line: &'a [u8],
    at: usize,
    /// Dotted path of the objects around.
    path: Vec<u8>,
    nth: usize,
    /// Required groups of which a key was seen.
    seen: u64,
    /// For each field, the turn of the key that it was read from.
    turns: [u8; SLOTS],
    cache: &'s mut KeyCache,
    time: &'s mut time::Cache,
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
    pub(super) fn run<'a>(
        &self,
        line: &'a [u8],
        captures: &mut Fields<'a>,
        scratch: &mut Scratch,
    ) -> Result<(), Reject> {
        let mut walk = Walk {
            line,
            at: 0,
            path: Vec::new(),
            nth: 0,
            seen: 0,
            turns: [u8::MAX; SLOTS],
            cache: scratch.keys.of(self.id),
            time: &mut scratch.time,
        };
        walk.blanks();
        if walk.peek() != Some(b'{') {
            return Err(Reject::Mismatch);
        }
        self.object(&mut walk, captures, 1)?;
        walk.blanks();
        if walk.at < line.len() || walk.seen != self.required {
            return Err(Reject::Mismatch);
        }
        Ok(())
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
        walk.bump();
        walk.blanks();
        if walk.eat(b'}') {
            return Ok(());
        }
        let outer = walk.path.len();
        loop {
            walk.blanks();
            if let Some(place) = walk.guess() {
                let value = walk.value(depth)?;
                if let (Some(place), Some(value)) = (place, value) {
                    self.keep(place, value, walk, captures);
                }
                walk.blanks();
                if walk.eat(b',') {
                    continue;
                }
                return if walk.eat(b'}') { Ok(()) } else { Err(Reject::Mismatch) };
            }
            let key = walk.string()?;
            walk.blanks();
            if !walk.eat(b':') {
                return Err(Reject::Mismatch);
            }
            walk.blanks();
            if walk.peek() == Some(b'{') {
                walk.path.extend_from_slice(key);
                walk.path.push(b'.');
                self.object(walk, captures, depth.saturating_add(1))?;
                walk.path.truncate(outer);
            } else {
                let place = self.place(walk, key);
                let value = walk.value(depth)?;
                if let (Some(place), Some(value)) = (place, value) {
                    self.keep(place, value, walk, captures);
                }
            }
            walk.blanks();
            if walk.eat(b'}') {
                return Ok(());
            }
            if !walk.eat(b',') {
                return Err(Reject::Mismatch);
            }
        }
    }

    /// Where a key belongs, from the last line if it had the same key at the same turn.
    fn place(&self, walk: &mut Walk<'_, '_>, key: &[u8]) -> Option<usize> {
        let nth = walk.nth;
        walk.nth = nth.saturating_add(1);
        let prefix = walk.path.as_slice();
        if let Some(known) = walk.cache.get(nth)
            && known.full.strip_prefix(prefix) == Some(key)
        {
            return known.place;
        }
        let full = [prefix, key].concat();
        let place =
            self.exact.get(full.as_slice()).or_else(|| self.plain.get(plain(&full).as_slice())).copied();
        let lead = prefix.is_empty().then(|| Literal::new(&[b"\"", key, b"\":"].concat()));
        let known = Known { full, lead, place };
        if let Some(slot) = walk.cache.get_mut(nth) {
            *slot = known;
        } else if nth < MAX_CACHED_KEYS {
            walk.cache.push(known);
        }
        place
    }

    fn keep<'a>(&self, place: usize, value: &'a [u8], walk: &mut Walk<'a, '_>, captures: &mut Fields<'a>) {
        let Some(&Wanted { field, slot, turn, groups }) = self.wanted.get(place) else { return };
        let Some(best) = walk.turns.get_mut(slot) else { return };
        if turn >= *best || value.is_empty() || value == b"-" {
            // what is there already is believed more; its key counts as seen all the same
            walk.seen |= groups;
            return;
        }
        let kept = if let Field::Time(notation) = field {
            match time::read(value, notation, walk.time) {
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
            walk.seen |= groups;
        }
    }
}

/// A key without what writers differ in: `remote_addr`, `remoteAddr`, `RemoteAddr` and `remote-addr` are one.
fn plain(key: &[u8]) -> Vec<u8> {
    key.iter().filter(|b| !matches!(b, b'_' | b'-')).map(u8::to_ascii_lowercase).collect()
}

impl<'a> Walk<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn bump(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.bump();
        }
        there
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.bump();
        }
    }

    /// Where the key belongs that stands here, if the last line had it at the same turn, and stands before the value of
    /// it then; an object's key has no turn.
    #[allow(clippy::option_option, reason = "a known key may be one that nobody wants")]
    #[inline]
    fn guess(&mut self) -> Option<Option<usize>> {
        let known = self.cache.get(self.nth).filter(|_| self.path.is_empty())?;
        let rest = known.lead.as_ref()?.strip(self.line.get(self.at..)?)?;
        if matches!(rest, [] | [b'{' | b' ' | b'\t' | b'\r', ..]) {
            return None;
        }
        self.at = self.line.len().saturating_sub(rest.len());
        self.nth = self.nth.saturating_add(1);
        Some(known.place)
    }

    /// The inside of a string, still escaped.
    #[inline]
    fn string(&mut self) -> Result<&'a [u8], Reject> {
        if !self.eat(b'"') {
            return Err(Reject::Mismatch);
        }
        let start = self.at;
        loop {
            let rest = self.line.get(self.at..).unwrap_or_default();
            let n = either(rest, b'"', b'\\').ok_or(Reject::Mismatch)?;
            self.at = self.at.saturating_add(n);
            if self.peek() == Some(b'"') {
                let inside = self.line.get(start..self.at).unwrap_or_default();
                self.bump();
                return Ok(inside);
            }
            // a backslash and what it escapes
            self.at = self.at.saturating_add(2);
        }
    }

    /// A value that is no object: the text of a string or number, of an array its first string; `None` for `null`.
    fn value(&mut self, depth: usize) -> Result<Option<&'a [u8]>, Reject> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            Some(b'[') => self.array(depth),
            Some(_) => {
                let rest = self.line.get(self.at..).unwrap_or_default();
                let n = rest
                    .iter()
                    .position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\r'))
                    .unwrap_or(rest.len());
                let word = rest.get(..n).unwrap_or_default();
                self.at = self.at.saturating_add(n);
                match word {
                    b"null" => Ok(None),
                    b"true" | b"false" => Ok(Some(word)),
                    [b'-' | b'0'..=b'9', tail @ ..]
                        if tail
                            .iter()
                            .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) =>
                    {
                        Ok(Some(word))
                    }
                    _ => Err(Reject::Mismatch),
                }
            }
            None => Err(Reject::Mismatch),
        }
    }

    /// The first of an array's values if it is a string, as HTTP headers are logged; the others are passed over.
    fn array(&mut self, depth: usize) -> Result<Option<&'a [u8]>, Reject> {
        let start = self.at;
        self.bump();
        self.blanks();
        let first = if self.peek() == Some(b'"') { Some(self.string()?) } else { None };
        self.at = start;
        self.skip_array(depth)?;
        Ok(first)
    }

    /// Passes over an array, whatever is in it; brackets must pair up.
    fn skip_array(&mut self, depth: usize) -> Result<(), Reject> {
        let mut open = depth;
        loop {
            match self.peek().ok_or(Reject::Mismatch)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'{' => {
                    open = open.saturating_add(1);
                    if open > MAX_DEPTH {
                        return Err(Reject::TooDeep);
                    }
                }
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            self.bump();
            if open <= depth {
                return Ok(());
            }
        }
    }
}
