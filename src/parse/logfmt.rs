//! `key=value` pairs, the values quoted or not.

use std::collections::HashMap;

use super::ends::closing_quote;
use super::find::byte as find_byte;
use super::{Fields, plan, time};
use crate::format::Field;

/// What to pick.
#[derive(Debug)]
pub(super) struct Keys {
    /// Key → (field, the required groups that it satisfies).
    wanted: HashMap<Box<[u8]>, (Field, u64)>,
    /// A bit for each required group.
    required: u64,
}

impl Keys {
    pub(super) fn new(keys: &[(String, Field)], required: &[Vec<String>]) -> Self {
        let bits = || (0u32..).map_while(|bit| 1u64.checked_shl(bit));
        let groups = |key: &String| {
            let mine = bits().zip(required).filter(|(_, group)| group.contains(key));
            mine.fold(0, |all, (bit, _)| all | bit)
        };
        let wanted = keys.iter().map(|(key, field)| (key.as_bytes().into(), (*field, groups(key)))).collect();
        Self { wanted, required: bits().zip(required).fold(0, |all, (bit, _)| all | bit) }
    }

    /// Reads a line; words that are no pair are passed over, but it must begin with a pair.
    pub(super) fn run<'a>(
        &self,
        line: &'a [u8],
        fields: &mut Fields<'a>,
        cache: &mut time::Cache,
    ) -> Option<()> {
        let mut rest = line.trim_ascii();
        let mut seen = 0u64;
        let mut first = true;
        while !rest.is_empty() {
            let end = rest.iter().position(|b| matches!(b, b'=' | b' ')).unwrap_or(rest.len());
            let (key, after) = rest.split_at_checked(end)?;
            let Some(value) = after.strip_prefix(b"=") else {
                if first {
                    return None;
                }
                rest = after.trim_ascii_start();
                continue;
            };
            let (value, after) = value_of(value)?;
            if let Some(&(field, groups)) = self.wanted.get(key)
                && keep(field, value, fields, cache)
            {
                seen |= groups;
            }
            first = false;
            rest = after.trim_ascii_start();
        }
        (seen == self.required).then_some(())
    }
}

/// A value without its quotes, and what follows.
fn value_of(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let end = closing_quote(quoted)?;
        return Some((quoted.get(..end)?, quoted.get(end.checked_add(1)?..)?));
    }
    text.split_at_checked(find_byte(text, b' ').unwrap_or(text.len()))
}

fn keep<'a>(field: Field, value: &'a [u8], fields: &mut Fields<'a>, cache: &mut time::Cache) -> bool {
    let Field::Time(notation) = field else { return plan::keep(field, value, fields).is_some() };
    match time::read(value, notation, cache) {
        Some((stamp, n)) if n == value.len() => {
            fields.stamp.get_or_insert(stamp);
            true
        }
        _ => false,
    }
}
