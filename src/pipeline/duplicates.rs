//! The same content twice, as `.1` and `.1.gz` after a rotation that was cut short.

use std::hash::Hasher;
use std::ops::ControlFlow;

use super::reading::{Reading, open};
use crate::discover::{Packing, Source};
use crate::input::{End, Opened, Piece, Reader};

/// For each source the earlier one with the same content, if there is one.
///
/// Only sources whose counts are equal in every respect are read again and hashed, and packed ones that end early
/// beside others of their rotation set: whoever packed them was stopped before the original was removed.
pub(super) fn duplicates(
    sources: &[Source],
    readings: &[Result<Reading, std::io::Error>],
    buffer: usize,
) -> Vec<Option<usize>> {
    let mut out: Vec<Option<usize>> = vec![None; sources.len()];
    let mut by_size: std::collections::BTreeMap<(u64, u64), Vec<usize>> = std::collections::BTreeMap::new();
    for (i, reading) in readings.iter().enumerate() {
        if let Ok(r) = reading
            && r.tally.lines > 0
            && r.end == End::Complete
        {
            by_size.entry((r.tally.bytes, r.tally.lines)).or_default().push(i);
        }
    }
    for same in by_size.into_values().filter(|s| s.len() > 1) {
        let mut originals: Vec<(usize, Option<u64>)> = Vec::new();
        for i in same {
            let twin = originals.iter_mut().find_map(|(original, hash)| {
                let (Some(Ok(a)), Some(Ok(b))) = (readings.get(*original), readings.get(i)) else {
                    return None;
                };
                if a.tally != b.tally {
                    return None;
                }
                let original_source = sources.get(*original)?;
                let known = (*hash).or_else(|| content(original_source, a, buffer, u64::MAX));
                *hash = known;
                let equal = known.is_some() && known == content(sources.get(i)?, b, buffer, u64::MAX);
                equal.then_some(*original)
            });
            match twin {
                Some(original) => {
                    if let Some(slot) = out.get_mut(i) {
                        *slot = Some(original);
                    }
                }
                None => originals.push((i, None)),
            }
        }
    }
    for (i, slot) in out.iter_mut().enumerate() {
        if let Some(original) = unfinished_copy_of(i, sources, readings, buffer) {
            *slot = Some(original);
        }
    }
    out
}

/// The complete source of the same rotation set that begins with all that there is of a packed one that ends early.
fn unfinished_copy_of(
    i: usize,
    sources: &[Source],
    readings: &[Result<Reading, std::io::Error>],
    buffer: usize,
) -> Option<usize> {
    let (source, Ok(copy)) = (sources.get(i)?, readings.get(i)?) else { return None };
    if !matches!(copy.end, End::Truncated(_)) || source.packing == Packing::Plain || copy.tally.bytes == 0 {
        return None;
    }
    let begins_alike = |other: &Source, original: &Reading| {
        let size = copy.tally.bytes;
        original.end == End::Complete
            && other.group == source.group
            && original.tally.bytes >= size
            && content(other, original, buffer, size)
                .is_some_and(|h| Some(h) == content(source, copy, buffer, size))
    };
    sources.iter().zip(readings).position(|(other, reading)| {
        other.id != source.id && reading.as_ref().is_ok_and(|original| begins_alike(other, original))
    })
}

/// A hash of the first `size` bytes.
fn content(source: &Source, reading: &Reading, buffer: usize, size: u64) -> Option<u64> {
    match &reading.kept {
        Some(opened) => hash(opened, buffer, size),
        None => hash(&open(source).ok()?, buffer, size),
    }
}

/// A hash of all lines; of bytes one by one where pieces end, so that it does not depend on where they do.
fn hash(opened: &Opened, buffer: usize, size: u64) -> Option<u64> {
    // SipHash with fixed keys: the sizes are equal already and no one gains by a collision
    #[allow(
        deprecated,
        reason = "its write() takes a stream: how it is cut does not matter, as SipHash defines it"
    )]
    let mut hasher = std::hash::SipHasher::new();
    let mut left = size;
    let outcome = Reader::new(buffer).read(opened, 0..u64::MAX, &mut |_| {}, &mut |piece| {
        match piece {
            Piece::Lines { offset, bytes } => {
                let wanted = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
                hasher.write(bytes.get(..wanted).unwrap_or(bytes));
                left = size.saturating_sub(offset.saturating_add(bytes.len() as u64));
            }
            Piece::OverLong { length, .. } => hasher.write(&length.to_le_bytes()),
        }
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (left == 0 || outcome.end == End::Complete).then(|| hasher.finish())
}
