//! File names → which rotated set a file belongs to and how old it is within it.
//!
//! Looks at names only: what logrotate, savelog, newsyslog, log4j, Tomcat and `rotatelogs` write.

use std::cmp::Reverse;

/// Suffixes that compressors append.
const COMPRESSED: [&[u8]; 8] = [b".gz", b".bz2", b".xz", b".zst", b".zstd", b".lz4", b".lzma", b".z"];

/// Endings behind which a rotation may stand in front: `access.1.log`.
const ENDINGS: [&[u8]; 7] = [b".log", b".txt", b".json", b".jsonl", b".err", b".out", b".csv"];

/// The age of a file within its set; the greater, the younger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Age {
    /// Rotated at a date: digits of date and time as a number, filled up to 14, and what followed them.
    Dated(u64, u32),
    /// The n-th before the one being written: greater is older.
    Numbered(Reverse<u32>),
    /// The one being written.
    Current,
}

/// A name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rotation {
    /// The path without the suffixes.
    pub(super) group: Vec<u8>,
    pub(super) age: Age,
    /// The number stood before the ending, where it may be a part of the name (`mysql-8.0.log`): only to be believed
    /// when the set has other files.
    pub(super) doubtful: bool,
}

/// Takes a path apart. Only its last component matters.
pub(super) fn rotation(path: &[u8]) -> Rotation {
    let name_at = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let (directory, name) = path.split_at(name_at);
    let group = |stem: &[u8], ending: &[u8]| [directory, stem, ending].concat();
    let name = COMPRESSED.iter().find_map(|suffix| strip(name, suffix)).unwrap_or(name);
    if let Some(stem) = strip(name, b".old") {
        return Rotation { group: group(stem, b""), age: Age::Numbered(Reverse(1)), doubtful: false };
    }
    if let Some((stem, age)) = dated(name).or_else(|| numbered(name)) {
        return Rotation { group: group(stem, b""), age, doubtful: false };
    }
    for ending in ENDINGS {
        let Some(stem) = strip(name, ending) else { continue };
        if let Some((stem, age)) = dated(stem) {
            return Rotation { group: group(stem, ending), age, doubtful: false };
        }
        if let Some((stem, age)) = numbered(stem) {
            return Rotation { group: group(stem, ending), age, doubtful: true };
        }
    }
    Rotation { group: group(name, b""), age: Age::Current, doubtful: false }
}

/// `name` without `suffix`, unless nothing would be left.
fn strip<'a>(name: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    name.strip_suffix(suffix).filter(|stem| !stem.is_empty())
}

/// `access.log.2` → (`access.log`, 2).
fn numbered(name: &[u8]) -> Option<(&[u8], Age)> {
    let (stem, digits) = trailing_digits(name);
    let stem = strip(stem, b".")?;
    // Five digits and more are process ids or dates.
    let number = if (1..=4).contains(&digits.len()) { number(digits)? } else { return None };
    Some((stem, Age::Numbered(Reverse(u32::try_from(number).ok()?))))
}

/// `access.log-20230514`, `.2023-05-14`, `_2023-05-14-13`, `-20230514.1`, `-1684022400` → the stem and the date.
fn dated(name: &[u8]) -> Option<(&[u8], Age)> {
    if let Some(found) = date_at_end(name) {
        return Some((found.0, Age::Dated(found.1, 0)));
    }
    // An index among the files of a day.
    let (stem, digits) = trailing_digits(name);
    let stem = [b".", b"-", b"_"].iter().find_map(|separator| strip(stem, *separator))?;
    let index =
        if (1..=4).contains(&digits.len()) { u32::try_from(number(digits)?).ok()? } else { return None };
    let (stem, date) = date_at_end(stem)?;
    Some((stem, Age::Dated(date, index)))
}

fn date_at_end(name: &[u8]) -> Option<(&[u8], u64)> {
    // The longest tail of digits and the separators between them that begins behind a separator.
    let tail = name.iter().rev().take_while(|byte| byte.is_ascii_digit() || b"-_.T:".contains(byte)).count();
    let tail_at = name.len() - tail;
    (tail_at..name.len()).find_map(|at| {
        let (stem, rest) = name.split_at_checked(at)?;
        let (separator, rest) = rest.split_first()?;
        if stem.is_empty() || !b"-_.".contains(separator) {
            return None;
        }
        Some((stem, date(rest)?))
    })
}

/// `20230514`, `2023-05-14`, both with hour, minute and second; seconds since 1970. As 14 digits.
fn date(text: &[u8]) -> Option<u64> {
    if !text.first()?.is_ascii_digit() || !text.last()?.is_ascii_digit() {
        return None;
    }
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
    if digits.len() == 10 && digits.len() == text.len() && digits.starts_with(b"1") {
        let seconds = i64::try_from(number(&digits)?).ok()?;
        let time = chrono::DateTime::from_timestamp(seconds, 0)?;
        return time.format("%Y%m%d%H%M%S").to_string().parse().ok();
    }
    let separated = text.iter().any(|byte| !byte.is_ascii_digit());
    let shape_fits = !separated || {
        let first = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let second = text.iter().skip(first + 1).take_while(|byte| byte.is_ascii_digit()).count();
        (first == 4 && second == 2) || (first == 8 && [2, 4, 6].contains(&second))
    };
    if !shape_fits || ![8, 10, 12, 14].contains(&digits.len()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to).and_then(number);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    if !(1970..=2999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let scale = 10u64.pow(u32::try_from(14 - digits.len()).ok()?);
    Some(number(&digits)? * scale)
}

fn trailing_digits(name: &[u8]) -> (&[u8], &[u8]) {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    name.split_at(name.len() - digits)
}

/// Decimal digits as a number; `None` beyond 19 of them.
fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
