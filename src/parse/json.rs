//! JSON lines: the wanted keys are picked while the line is walked once; no document is built.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::memchr2;

use super::{Fields, Projection, Reject, Scratch, plan, time};
use crate::format::Field;

/// Deeper nesting makes the line a reject: nothing legitimate needs it.
const MAX_DEPTH: usize = 128;
/// More keys than this are looked up anew each time.
const MAX_CACHED_KEYS: usize = 256;
/// Definitions with a cache of their own; more take turns.
const MAX_CACHES: usize = 64;

/// What to pick.
#[derive(Debug)]
pub(super) struct Keys {
    /// Which cache in [`Scratch`] is its own.
    id: usize,
    /// Dotted key → its place in `fields`.
    places: HashMap<Box<[u8]>, usize>,
    fields: Vec<Field>,
    /// For each required group, the places of its keys.
    required: Vec<Vec<usize>>,
}

/// Formats are compiled once or twice: the count stays small.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The n-th key of the last line and its place: the next line has mostly the same.
pub(super) type KeyCache = Vec<(Vec<u8>, Option<usize>)>;

/// How far the walk is.
struct Walk<'a, 's> {
    line: &'a [u8],
    at: usize,
    /// Dotted path of the objects around.
    path: Vec<u8>,
    nth: usize,
    seen: u128,
    cache: &'s mut KeyCache,
    time: &'s mut time::Cache,
}

impl Keys {
    pub(super) fn new(keys: &[(String, Field)], required: &[Vec<String>], projection: Projection) -> Self {
        let keys: Vec<(&str, Field)> =
            keys.iter().filter(|k| projection.wants(k.1)).map(|(k, f)| (k.as_str(), *f)).collect();
        let places: HashMap<Box<[u8]>, usize> =
            keys.iter().enumerate().map(|(i, (key, _))| (key.as_bytes().into(), i)).collect();
        let required = required
            .iter()
            .map(|group| group.iter().filter_map(|k| places.get(k.as_bytes()).copied()).collect())
            .collect();
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { id, places, fields: keys.iter().map(|&(_, f)| f).collect(), required }
    }

    /// Reads a line.
    pub(super) fn run<'a>(
        &self,
        line: &'a [u8],
        captures: &mut Fields<'a>,
        scratch: &mut Scratch,
    ) -> Result<(), Reject> {
        let turn = self.id % MAX_CACHES;
        if scratch.keys.len() <= turn {
            scratch.keys.resize_with(turn.saturating_add(1), Default::default);
        }
        let Some((owner, cache)) = scratch.keys.get_mut(turn) else { return Err(Reject::Mismatch) };
        if *owner != self.id {
            *owner = self.id;
            cache.clear();
        }
        let mut walk =
            Walk { line, at: 0, path: Vec::new(), nth: 0, seen: 0, cache, time: &mut scratch.time };
        walk.blanks();
        if walk.peek() != Some(b'{') {
            return Err(Reject::Mismatch);
        }
        self.object(&mut walk, captures, 1)?;
        walk.blanks();
        let has = |place: &usize| walk.seen >> (*place).min(127) & 1 == 1;
        if walk.at < line.len() || !self.required.iter().all(|group| group.iter().any(has)) {
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
        if let Some((known, place)) = walk.cache.get(nth)
            && known.strip_prefix(prefix) == Some(key)
        {
            return *place;
        }
        let full = [prefix, key].concat();
        let place = self.places.get(full.as_slice()).copied();
        if let Some(slot) = walk.cache.get_mut(nth) {
            *slot = (full, place);
        } else if nth < MAX_CACHED_KEYS {
            walk.cache.push((full, place));
        }
        place
    }

    fn keep<'a>(&self, place: usize, value: &'a [u8], walk: &mut Walk<'a, '_>, captures: &mut Fields<'a>) {
        let Some(&field) = self.fields.get(place) else { return };
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
            walk.seen |= 1 << place.min(127);
        }
    }
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

    /// The inside of a string, still escaped.
    fn string(&mut self) -> Result<&'a [u8], Reject> {
        if !self.eat(b'"') {
            return Err(Reject::Mismatch);
        }
        let start = self.at;
        loop {
            let rest = self.line.get(self.at..).unwrap_or_default();
            let n = memchr2(b'"', b'\\', rest).ok_or(Reject::Mismatch)?;
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

    /// A value that is no object: the text of a string or number; `None` for `null` and arrays.
    fn value(&mut self, depth: usize) -> Result<Option<&'a [u8]>, Reject> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            Some(b'[') => self.skip_array(depth).map(|()| None),
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
