//! Time stamps: a fast way through the last line's minute, and a grammar for the rest.

use chrono::NaiveDate;
use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while_m_n};
use nom::character::complete::{one_of, satisfy};
use nom::combinator::{map_opt, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::find::{digits, same};
use super::number::{scaled, two, whole};
use crate::format::{PLACEHOLDER_YEAR, TimeNotation};
use crate::model::{MICROS, Offset, Stamp, Timestamp};

/// The minute prefix of the last line and what it means.
#[derive(Debug)]
pub(super) struct Cache {
    /// `14/May/2023:12:00`; of the shorter notations the first 16 bytes and a letter that tells them apart, so that
    /// a line is never accepted for what another notation left here.
    prefix: [u8; PREFIX],
    /// Seconds since the epoch of that minute's start, read as if UTC.
    minute: i64,
    zone: [u8; 6],
    offset: i32,
    year: [u8; 4],
    /// The last time in the common log format, and what it means.
    clf: [u8; CLF],
    clf_stamp: Stamp,
    /// The last time of whole seconds with an offset in ISO 8601, and what it means.
    iso: [u8; ISO],
    iso_stamp: Stamp,
    /// The last seconds in two notations.
    iso_second: Second,
    slashed_second: Second,
}

/// A time up to its seconds, and what it means, in µs since the epoch, read as if UTC.
#[derive(Debug)]
struct Second {
    text: [u8; SECOND],
    wall: i64,
}

impl Default for Cache {
    /// A true entry: whatever matches it is read right.
    fn default() -> Self {
        Self {
            prefix: *b"01/Jan/1970:00:00",
            minute: 0,
            zone: *b" +0000",
            offset: 0,
            year: *b"1970",
            clf: *b"01/Jan/1970:00:00:00 +0000",
            clf_stamp: Stamp { at: Timestamp::from_micros(0), offset: Some(Offset(0)) },
            iso: *b"1970-01-01T00:00:00+00:00",
            iso_stamp: Stamp { at: Timestamp::from_micros(0), offset: Some(Offset(0)) },
            iso_second: Second { text: *b"1970-01-01 00:00:00", wall: 0 },
            slashed_second: Second { text: *b"1970/01/01 00:00:00", wall: 0 },
        }
    }
}

impl Cache {
    #[cold]
    fn clf_minute(&mut self, prefix: &[u8; PREFIX]) -> Option<()> {
        self.minute = minute_of(clf_prefix, prefix)?;
        self.prefix = *prefix;
        Some(())
    }

    #[cold]
    fn clf_zone(&mut self, zone: [u8; 6]) -> Option<()> {
        self.offset = offset(zone.strip_prefix(b" ")?).filter(|(_, n)| *n == 5)?.0?;
        self.zone = zone;
        Some(())
    }

    #[inline(never)]
    fn learn_iso(&mut self, head: &[u8; SECOND]) -> Option<()> {
        self.iso_second = self.second_of(head, b'i', iso_prefix)?;
        Some(())
    }

    #[inline(never)]
    fn learn_slashed(&mut self, head: &[u8; SECOND]) -> Option<()> {
        self.slashed_second = self.second_of(head, b's', slashed_prefix)?;
        Some(())
    }

    /// What a time up to its seconds means, in a notation that has this letter.
    fn second_of(
        &mut self,
        head: &[u8; SECOND],
        letter: u8,
        grammar: fn(&[u8]) -> IResult<&[u8], Minute>,
    ) -> Option<Second> {
        let &[d @ .., b':', tens, ones] = head else { return None };
        let prefix = tagged(&d, letter);
        if prefix != self.prefix {
            self.minute = minute_of(grammar, &d)?;
            self.prefix = prefix;
        }
        Some(Second { text: *head, wall: (self.minute + second(tens, ones)?) * MICROS })
    }
}

/// Long enough for each notation up to its minutes.
const PREFIX: usize = 17;

/// Bytes of a time in the common log format.
pub(super) const CLF: usize = 26;

/// Bytes of `2023-05-14T12:00:03+01:00`.
const ISO: usize = 25;

/// Bytes of `2023-05-14 12:00:03`.
const SECOND: usize = 19;

/// A stamp and how many bytes it takes.
type Read = Option<(Stamp, usize)>;

/// Reads a time at the beginning of `text`.
#[inline]
pub(super) fn read(text: &[u8], notation: TimeNotation, cache: &mut Cache) -> Read {
    match notation {
        TimeNotation::Clf => clf(text, cache),
        TimeNotation::ClfLoose => clf_loose(text, cache),
        TimeNotation::Iso => iso(text, cache),
        TimeNotation::IsoUtc => iso(text, cache).map(|(stamp, n)| (in_utc(stamp), n)),
        TimeNotation::Slashed => slashed(text, cache),
        TimeNotation::Asctime => asctime(text, cache),
        TimeNotation::Syslog => syslog(text, cache),
        TimeNotation::DayFirst => day_first(text),
        TimeNotation::Short => short(text),
        TimeNotation::Klog => klog(text),
        TimeNotation::Rfc3339 => text.get(10).filter(|b| **b == b'T').and_then(|_| iso(text, cache)),
        TimeNotation::Epoch => epoch(text, 1_000_000),
        TimeNotation::EpochMillis => epoch(text, 1_000),
        TimeNotation::Any => any(text, cache),
    }
}

/// What all of `text` means, where it is the time of the last line as many write it: whole seconds, and an offset.
#[inline]
pub(super) fn known(text: &[u8], notation: TimeNotation, cache: &Cache) -> Option<Stamp> {
    let is_iso = matches!(notation, TimeNotation::Any | TimeNotation::Iso);
    (is_iso && same(text, &cache.iso)).then_some(cache.iso_stamp)
}

fn any(text: &[u8], cache: &mut Cache) -> Read {
    match text {
        [_, _, _, _, b'-', ..] => iso(text, cache),
        [_, _, b'/', ..] => clf(text, cache).or_else(|| clf_loose(text, cache)),
        [b'[', rest @ ..] => clf(rest, cache).map(|(stamp, n)| (stamp, n + 1)),
        [_, _, _, _, b'/', ..] => slashed(text, cache),
        // 13 digits are milliseconds from 2001 on, 16 microseconds, 19 nanoseconds
        _ => match digits(text) {
            0..=11 => epoch(text, 1_000_000),
            12..=14 => epoch(text, 1_000),
            15..=17 => epoch(text, 1),
            n => {
                let nanos = whole(text.get(..n)?)?;
                Some((stamp(i64::try_from(nanos / 1_000).ok()?, None)?, n))
            }
        },
    }
}

/// A stamp from microseconds of wall clock and the offset they were read at.
#[inline]
fn stamp(wall_micros: i64, offset: Option<i32>) -> Option<Stamp> {
    let shift = i64::from(offset.unwrap_or(0)).checked_mul(MICROS)?;
    Some(Stamp { at: Timestamp::from_micros(wall_micros.checked_sub(shift)?), offset: offset.map(Offset) })
}

/// `14/May/2023:12:00:03 +0100`
#[inline]
fn clf(text: &[u8], cache: &mut Cache) -> Read {
    clf_of(text.first_chunk()?, cache).map(|stamp| (stamp, CLF))
}

/// A time in the common log format.
#[allow(clippy::inline_always, reason = "the path that every line takes")]
#[inline(always)]
pub(super) fn clf_of(text: &[u8; CLF], cache: &mut Cache) -> Option<Stamp> {
    if *text == cache.clf { Some(cache.clf_stamp) } else { clf_second(text, cache) }
}

fn clf_second(head: &[u8; CLF], cache: &mut Cache) -> Option<Stamp> {
    let prefix: &[u8; PREFIX] = head.first_chunk()?;
    let zone: &[u8; 6] = head.last_chunk()?;
    if prefix != &cache.prefix {
        cache.clf_minute(prefix)?;
    }
    if zone != &cache.zone {
        cache.clf_zone(*zone)?;
    }
    let &[.., b':', tens, ones, _, _, _, _, _, _] = head else { return None };
    let wall = (cache.minute + second(tens, ones)?) * MICROS;
    cache.clf_stamp = stamp(wall, Some(cache.offset))?;
    cache.clf = *head;
    Some(cache.clf_stamp)
}

/// `14/May/2023:12:00:03.123 +0100`, `1/Apr/2014:00:00:01`, `29/Aug/2023 22:02:58`
fn clf_loose(text: &[u8], cache: &mut Cache) -> Read {
    let mut head = [0u8; PREFIX];
    let short = usize::from(text.get(1) == Some(&b'/'));
    let written = text.get(..PREFIX - short)?;
    // a day of one digit gets its zero, so that the prefix is the same as in the strict notation
    head.first_mut().map(|first| *first = b'0')?;
    head.get_mut(short..)?.copy_from_slice(written);
    if let Some(between @ b' ') = head.get_mut(11) {
        *between = b':';
    }
    if head != cache.prefix {
        cache.clf_minute(&head)?;
    }
    let at = PREFIX - short;
    let [b':', tens, ones] = *text.get(at..at + 3)? else { return None };
    let (fraction, mut at) = fraction(text, at + 3);
    let (offset, n) = offset(text.get(at..)?).unwrap_or((None, 0));
    at += n;
    let wall = (cache.minute + second(tens, ones)?) * MICROS + fraction;
    Some((stamp(wall, offset)?, at))
}

/// A time without an offset, known to be UTC.
fn in_utc(stamp: Stamp) -> Stamp {
    Stamp { offset: stamp.offset.or(Some(Offset(0))), ..stamp }
}

/// `2023-05-14T12:00:03.123+01:00`; apt has two spaces before the hour.
#[inline]
fn iso(text: &[u8], cache: &mut Cache) -> Read {
    if let Some(at) = iso_millis(text, cache) {
        return Some((Stamp { at, offset: None }, SECOND + 4));
    }
    iso_any(text, cache)
}

/// A time of the last second with milliseconds and without an offset, as most applications write it.
#[inline]
fn iso_millis(text: &[u8], cache: &Cache) -> Option<Timestamp> {
    let states = |byte: u8| matches!(byte, b'Z' | b'+' | b'-' | b'U' | b'G');
    let (head, rest) = text.split_first_chunk::<SECOND>()?;
    let &[b'.' | b',', a, b, c, next, after, ..] = rest else { return None };
    let known = same(head, &cache.iso_second.text) && !next.is_ascii_digit();
    if !known || states(next) || (next == b' ' && states(after)) {
        return None;
    }
    let millis = two(a, b)? * 10 + two(b'0', c)?;
    Some(Timestamp::from_micros(cache.iso_second.wall + millis * 1_000))
}

#[inline(never)]
fn iso_any(text: &[u8], cache: &mut Cache) -> Read {
    if text.first_chunk::<ISO>().is_some_and(|head| same(head, &cache.iso)) {
        return Some((cache.iso_stamp, ISO));
    }
    // a second that is known has not two spaces
    let (stamp, n) = match text.first_chunk::<SECOND>() {
        Some(head) if same(head, &cache.iso_second.text) => iso_behind(text, cache)?,
        _ => iso_anew(text, cache)?,
    };
    // a colon within the offset: there is no fraction, and nothing behind it belongs to the time
    if let (ISO, Some(head), Some([b'+' | b'-', _, _, b':', ..])) = (n, text.first_chunk(), text.get(19..)) {
        (cache.iso, cache.iso_stamp) = (*head, stamp);
    }
    Some((stamp, n))
}

#[inline(never)]
fn iso_anew(text: &[u8], cache: &mut Cache) -> Read {
    if let Some([b' ', b' ', b'0'..=b'2', b'0'..=b'9', ..]) = text.get(10..20) {
        let mut narrow = [0u8; 19];
        narrow.get_mut(..11)?.copy_from_slice(text.get(..11)?);
        narrow.get_mut(11..)?.copy_from_slice(text.get(12..20)?);
        return iso_narrow(&narrow, cache).map(|(stamp, _)| (stamp, 20));
    }
    iso_narrow(text, cache)
}

fn iso_narrow(text: &[u8], cache: &mut Cache) -> Read {
    let head = text.first_chunk()?;
    if *head != cache.iso_second.text {
        cache.learn_iso(head)?;
    }
    iso_behind(text, cache)
}

/// What follows a second that is known.
#[inline]
fn iso_behind(text: &[u8], cache: &Cache) -> Read {
    let (fraction, mut at) = fraction(text, SECOND);
    let (offset, n) = offset(text.get(at..)?).unwrap_or((None, 0));
    at += n;
    Some((stamp(cache.iso_second.wall + fraction, offset)?, at))
}

/// `2023/05/14 12:00:03`
#[inline]
fn slashed(text: &[u8], cache: &mut Cache) -> Read {
    let head = text.first_chunk::<SECOND>()?;
    if !same(head, &cache.slashed_second.text) {
        cache.learn_slashed(head)?;
    }
    let (fraction, at) = fraction(text, SECOND);
    Some((stamp(cache.slashed_second.wall + fraction, None)?, at))
}

/// `Sun May 14 12:00:03.123456 2023`
fn asctime(text: &[u8], cache: &mut Cache) -> Read {
    let head: &[u8; 19] = text.first_chunk()?;
    let &[d @ .., b':', tens, ones] = head else { return None };
    let (fraction, at) = fraction(text, 19);
    let [b' ', year @ ..] = text.get(at..at + 5)? else { return None };
    let year: &[u8; 4] = year.first_chunk()?;
    let prefix = tagged(&d, b'a');
    if prefix != cache.prefix || *year != cache.year {
        let year_number = i32::try_from(whole(year)?).ok()?;
        let (_, (month, day, hour, minute)) = asctime_prefix(&d).ok()?;
        cache.minute = minute_start(year_number, month, day, hour, minute)?;
        cache.prefix = prefix;
        cache.year = *year;
    }
    Some((stamp((cache.minute + second(tens, ones)?) * MICROS + fraction, None)?, at + 5))
}

/// `May 14 12:00:03`, `May  4 12:00:03.123`; less often `May 14 2023 12:00:03`.
fn syslog(text: &[u8], cache: &mut Cache) -> Read {
    /// Up to the minutes.
    const HEAD: usize = 12;
    let head: &[u8; HEAD + 3] = text.first_chunk()?;
    if let &[ref d @ .., b':', tens, ones] = head
        && let Some(second) = second(tens, ones)
    {
        let mut prefix = [b'y'; PREFIX];
        prefix.get_mut(..HEAD)?.copy_from_slice(d);
        if prefix != cache.prefix
            && let Ok((_, (month, day, hour, minute))) = syslog_prefix(d)
        {
            cache.minute = minute_start(PLACEHOLDER_YEAR, month, day, hour, minute)?;
            cache.prefix = prefix;
        }
        if prefix == cache.prefix {
            let (fraction, at) = fraction(text, HEAD + 3);
            return Some((stamp((cache.minute + second) * MICROS + fraction, None)?, at));
        }
    }
    let (rest, (month, _, day)) = (month, tag(&b" "[..]), number_of(1, 2)).parse(text).ok()?;
    let (rest, year) = opt(preceded(tag(&b" "[..]), number(4))).parse(rest).ok()?;
    clock_time(text, rest, year, month, day)
}

/// `14-May-2023 12:00:03`, `14 May 12:00:03.123`, `Sun, 14 May 2023 12:00:03 GMT`.
fn day_first(text: &[u8]) -> Read {
    let letter = || satisfy(|c| c.is_ascii_alphabetic());
    let weekday = (letter(), letter(), letter(), tag(&b", "[..]));
    let separator = || one_of("- ");
    let (rest, (_, day, _, month)) = (opt(weekday), number_of(1, 2), separator(), month).parse(text).ok()?;
    let (rest, year) = opt(preceded(separator(), number(4))).parse(rest).ok()?;
    clock_time(text, rest, year, month, day)
}

/// `230514 12:00:03`, `230514  9:00:03`, `23/05/14 12:00:03`.
fn short(text: &[u8]) -> Read {
    let slash = || opt(tag(&b"/"[..]));
    let (rest, (year, _, month, _, day)) =
        (number(2), slash(), number(2), slash(), number(2)).parse(text).ok()?;
    // two digits say nothing of the century, and no log is older than this one
    clock_time(text, rest, Some(2000 + year), month, day)
}

/// `0514 12:00:03.123456`, `20230514 12:00:03.123456`, `230514 12:00:03.123456`.
fn klog(text: &[u8]) -> Read {
    if digits(text) == 6 {
        return short(text);
    }
    let (rest, year) = nom::combinator::cond(digits(text) == 8, number(4)).parse(text).ok()?;
    let (rest, (month, day)) = (number(2), number(2)).parse(rest).ok()?;
    clock_time(text, rest, year, month, day)
}

/// What follows a date: a space or `T`, the time of day, perhaps a fraction and an offset. `text` is the whole.
fn clock_time(text: &[u8], rest: &[u8], year: Option<u32>, month: u32, day: u32) -> Read {
    let (rest, _) = one_of::<_, _, nom::error::Error<&[u8]>>(" T").parse(rest).ok()?;
    let (rest, (hour, _, minute, _)) =
        (padded, tag(&b":"[..]), number(2), tag(&b":"[..])).parse(rest).ok()?;
    let &[tens, ones, ..] = rest else { return None };
    let (fraction, at) = fraction(text, text.len().checked_sub(rest.len())? + 2);
    let (offset, n) = match year {
        Some(_) => offset(text.get(at..)?).unwrap_or((None, 0)),
        None => (None, 0),
    };
    let year = year.map_or(Some(PLACEHOLDER_YEAR), |y| i32::try_from(y).ok())?;
    let wall = (minute_start(year, month, day, hour, minute)? + second(tens, ones)?) * MICROS + fraction;
    Some((stamp(wall, offset)?, at + n))
}

/// `1684062003.123`, in units of `micros_per_unit`.
fn epoch(text: &[u8], micros_per_unit: u32) -> Read {
    let mut n = digits(text);
    if n == 0 {
        return None;
    }
    if text.get(n) == Some(&b'.') {
        n += 1 + digits(text.get(n + 1..)?);
    }
    let micros = i64::try_from(scaled(text.get(..n)?, micros_per_unit)?).ok()?;
    // a written epoch is an instant; UTC is the only offset it states
    Some((Stamp { at: Timestamp::from_micros(micros), offset: Some(Offset(0)) }, n))
}

fn tagged(minute: &[u8; 16], tag: u8) -> [u8; PREFIX] {
    let mut prefix = [tag; PREFIX];
    if let Some(head) = prefix.first_chunk_mut() {
        *head = *minute;
    }
    prefix
}

/// 00–60: a leap second is read as the next minute's first.
fn second(tens: u8, ones: u8) -> Option<i64> {
    two(tens, ones).filter(|&s| s <= 60)
}

/// Microseconds of `.123` or `,123` at `at`, and where it ends.
#[inline]
fn fraction(text: &[u8], at: usize) -> (i64, usize) {
    let Some([b'.' | b',', rest @ ..]) = text.get(at..) else { return (0, at) };
    // milliseconds, mostly
    if let &[a, b, c, ref after @ ..] = rest
        && !after.first().is_some_and(u8::is_ascii_digit)
        && let (Some(high), Some(low)) = (two(a, b), two(b'0', c))
    {
        return ((high * 10 + low) * 1_000, at + 4);
    }
    any_fraction(rest, at)
}

/// The same of what stands behind the point, however long it is.
#[inline(never)]
fn any_fraction(rest: &[u8], at: usize) -> (i64, usize) {
    let n = digits(rest).min(9);
    if n == 0 {
        return (0, at);
    }
    let mut weight = 100_000;
    let mut micros = 0;
    for &b in rest.iter().take(n) {
        micros += i64::from(b - b'0') * weight;
        weight /= 10;
    }
    (micros, at + 1 + n)
}

/// `Z`, `+01:00`, `+0100`, `+01`, ` +0100`, ` UTC`: seconds east and bytes taken.
#[inline]
fn offset(text: &[u8]) -> Option<(Option<i32>, usize)> {
    // most messages state none
    match text {
        [b'Z' | b'+' | b'-' | b'U' | b'G', ..] | [b' ', b'+' | b'-' | b'U' | b'G', ..] => stated(text),
        _ => None,
    }
}

#[inline(never)]
fn stated(text: &[u8]) -> Option<(Option<i32>, usize)> {
    let (rest, space) = match text {
        [b' ', rest @ ..] => (rest, 1),
        _ => (text, 0),
    };
    let (sign, digits) = match rest {
        [b'Z', ..] if space == 0 => return Some((Some(0), 1)),
        [b'U', b'T', b'C', ..] | [b'G', b'M', b'T', ..] => return Some((Some(0), space + 3)),
        [b'+', d @ ..] => (1, d),
        [b'-', d @ ..] => (-1, d),
        _ => return None,
    };
    let (minutes, n) = match digits {
        [a, b, b':', c, d, ..] | [a, b, c, d, ..] if two(*c, *d).is_some() => {
            let colon = usize::from(digits.get(2) == Some(&b':'));
            (two(*a, *b)? * 60 + two(*c, *d)?, 5 + colon)
        }
        [a, b, ..] if space == 0 => (two(*a, *b)? * 60, 3),
        _ => return None,
    };
    let seconds = i32::try_from(minutes * 60).ok().filter(|s| *s <= 16 * 3600)?;
    Some((Some(sign * seconds), space + n))
}

type Minute = (i32, u32, u32, u32, u32);

fn minute_of(grammar: fn(&[u8]) -> IResult<&[u8], Minute>, prefix: &[u8]) -> Option<i64> {
    let (_, (year, month, day, hour, minute)) = grammar(prefix).ok()?;
    minute_start(year, month, day, hour, minute)
}

fn minute_start(year: i32, month: u32, day: u32, hour: u32, minute: u32) -> Option<i64> {
    let time = NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(hour, minute, 0)?;
    Some(time.and_utc().timestamp())
}

fn number<'a>(width: usize) -> impl Parser<&'a [u8], Output = u32, Error = nom::error::Error<&'a [u8]>> {
    map_opt(take(width), |d: &[u8]| whole(d).and_then(|n| u32::try_from(n).ok()))
}

/// Two digits, or a space and one: `MariaDB` pads its hours so.
fn padded(text: &[u8]) -> IResult<&[u8], u32> {
    alt((number(2), preceded(tag(&b" "[..]), number(1)))).parse(text)
}

fn month(text: &[u8]) -> IResult<&[u8], u32> {
    let (rest, name) = take(3usize).parse(text)?;
    let number = match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return Err(nom::Err::Error(nom::error::make_error(text, nom::error::ErrorKind::OneOf))),
    };
    Ok((rest, number))
}

fn clf_prefix(text: &[u8]) -> IResult<&[u8], Minute> {
    let (rest, (day, _, month, _, year)) = (number(2), tag("/"), month, tag("/"), number(4)).parse(text)?;
    let (rest, (_, hour, _, minute)) = (tag(":"), number(2), tag(":"), number(2)).parse(rest)?;
    Ok((rest, (year.try_into().unwrap_or(0), month, day, hour, minute)))
}

fn iso_prefix(text: &[u8]) -> IResult<&[u8], Minute> {
    // CloudFront has a tab between date and time, which are two columns there; runit's svlogd an underscore
    dated(text, "-", "T _\t")
}

fn slashed_prefix(text: &[u8]) -> IResult<&[u8], Minute> {
    dated(text, "/", " ")
}

fn dated<'a>(text: &'a [u8], separator: &str, between: &str) -> IResult<&'a [u8], Minute> {
    let (rest, (year, _, month, _, day)) =
        (number(4), tag(separator), number(2), tag(separator), number(2)).parse(text)?;
    let (rest, (_, hour, _, minute)) = (one_of(between), padded, tag(":"), number(2)).parse(rest)?;
    Ok((rest, (year.try_into().unwrap_or(0), month, day, hour, minute)))
}

/// `May 14 12:00` or `May  4 12:00`.
fn syslog_prefix(text: &[u8]) -> IResult<&[u8], (u32, u32, u32, u32)> {
    let (rest, (month, _, day, _)) = (month, tag(" "), padded, tag(" ")).parse(text)?;
    let (rest, (hour, _, minute)) = (number(2), tag(":"), number(2)).parse(rest)?;
    Ok((rest, (month, day, hour, minute)))
}

/// A number of so many digits.
fn number_of<'a>(
    least: usize,
    most: usize,
) -> impl Parser<&'a [u8], Output = u32, Error = nom::error::Error<&'a [u8]>> {
    map_opt(take_while_m_n(least, most, |b: u8| b.is_ascii_digit()), |d: &[u8]| {
        whole(d).and_then(|n| u32::try_from(n).ok())
    })
}

/// `Sun May 14 12:00` or `Sun May  4 12:00`.
fn asctime_prefix(text: &[u8]) -> IResult<&[u8], (u32, u32, u32, u32)> {
    let letter = || satisfy(|c| c.is_ascii_alphabetic());
    let (rest, (_, _, _, _, month, _)) =
        (letter(), letter(), letter(), tag(" "), month, tag(" ")).parse(text)?;
    let (rest, padded) = opt(tag(" ")).parse(rest)?;
    let (rest, day) = number(if padded.is_some() { 1 } else { 2 }).parse(rest)?;
    let (rest, (_, hour, _, minute)) = (tag(" "), number(2), tag(":"), number(2)).parse(rest)?;
    Ok((rest, (month, day, hour, minute)))
}
