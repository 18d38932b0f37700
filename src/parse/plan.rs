//! A pattern as steps over bytes: literals to be met, values to be taken.

use memchr::memchr2;

use super::find::{byte as find_byte, starts_with};
use super::number::{digits, scaled, two, whole};
use super::{Captures, time};
use crate::format::{Field, TimeNotation, Token};
use crate::model::{Level, Status};

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Literal(Box<[u8]>),
    Space,
    Value { field: Field, until: Until, list: bool },
    Optional(Vec<Step>),
}

/// Where a value ends.
#[derive(Debug, Clone, PartialEq)]
enum Until {
    /// Its own grammar says.
    Grammar,
    /// At this byte.
    Byte(u8),
    /// At a `"` that no backslash escapes.
    Quote,
    /// At these bytes.
    Literal(Box<[u8]>),
    /// At a space or the end of the line.
    Blank,
    /// At the end of the line.
    LineEnd,
}

/// Compiles tokens to steps.
pub(super) fn compile(tokens: &[Token]) -> Plan {
    Plan { steps: steps(tokens, None) }
}

fn steps(tokens: &[Token], after: Option<&Token>) -> Vec<Step> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut quoted = false;
    for (i, token) in tokens.iter().enumerate() {
        let next = tokens.get(i.saturating_add(1)).or(after);
        out.push(match token {
            Token::Literal(bytes) => {
                quoted = bytes.last() == Some(&b'"');
                Step::Literal(bytes.as_slice().into())
            }
            Token::Space => Step::Space,
            Token::Optional(inner) => Step::Optional(steps(inner, next)),
            Token::Value { field, list } => {
                let until = until(*field, quoted, next);
                Step::Value { field: *field, until, list: *list }
            }
        });
    }
    out
}

fn until(field: Field, quoted: bool, next: Option<&Token>) -> Until {
    match (field, next) {
        (Field::Time(_) | Field::Status | Field::Bytes | Field::Pid | Field::Number, _) => Until::Grammar,
        (Field::Message, None) => Until::LineEnd,
        (_, Some(Token::Literal(l))) if quoted && l.first() == Some(&b'"') => Until::Quote,
        (_, Some(Token::Literal(l))) => match l.as_slice() {
            [one] => Until::Byte(*one),
            more => Until::Literal(more.into()),
        },
        (_, Some(Token::Space)) => Until::Byte(b' '),
        (Field::Word, _) => Until::Blank,
        (_, None | Some(Token::Value { .. } | Token::Optional(_))) => Until::LineEnd,
    }
}

impl Plan {
    /// Whether the whole line fits; fills `captures`, with rubbish where it does not.
    pub(super) fn run<'a>(
        &self,
        line: &'a [u8],
        captures: &mut Captures<'a>,
        cache: &mut time::Cache,
    ) -> bool {
        run(&self.steps, line, captures, cache).is_some_and(<[u8]>::is_empty)
    }
}

/// What is left of `rest` after all steps; `None` where one does not fit.
fn run<'a>(
    steps: &[Step],
    mut rest: &'a [u8],
    captures: &mut Captures<'a>,
    cache: &mut time::Cache,
) -> Option<&'a [u8]> {
    for step in steps {
        rest = match step {
            Step::Literal(bytes) => {
                if !starts_with(rest, bytes) {
                    return None;
                }
                rest.get(bytes.len()..)?
            }
            Step::Space => {
                let n = rest.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(rest.len());
                if n == 0 {
                    return None;
                }
                rest.get(n..)?
            }
            Step::Optional(inner) => run(inner, rest, captures, cache).unwrap_or(rest),
            Step::Value { field: Field::Time(notation), .. } => take_time(*notation, rest, captures, cache)?,
            Step::Value { field, until: Until::Grammar, .. } => take_number(*field, rest, captures)?,
            Step::Value { field, until, list } => {
                let end = find_end(rest, until, *list)?;
                let (value, after) = rest.split_at_checked(end)?;
                keep(*field, value, captures)?;
                after
            }
        };
    }
    Some(rest)
}

fn find_end(rest: &[u8], until: &Until, list: bool) -> Option<usize> {
    match until {
        Until::Byte(b) if list => list_end(rest, &[*b]),
        Until::Literal(l) if list => list_end(rest, l),
        Until::Byte(b) => find_byte(rest, *b),
        Until::Quote => closing_quote(rest),
        Until::Literal(l) => find_literal(rest, l),
        Until::Blank => Some(memchr2(b' ', b'\t', rest).unwrap_or(rest.len())),
        Until::LineEnd | Until::Grammar => Some(rest.len()),
    }
}

/// The first `"` with an even number of backslashes before it.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut from = 0usize;
    loop {
        let at = from.checked_add(find_byte(text.get(from..)?, b'"')?)?;
        let before = text.get(..at)?;
        if before.last() != Some(&b'\\') || before.iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 0 {
            return Some(at);
        }
        from = at.checked_add(1)?;
    }
}

fn find_literal(text: &[u8], literal: &[u8]) -> Option<usize> {
    let first = *literal.first()?;
    let mut from = 0usize;
    loop {
        let at = from.checked_add(find_byte(text.get(from..)?, first)?)?;
        if starts_with(text.get(at..)?, literal) {
            return Some(at);
        }
        from = at.checked_add(1)?;
    }
}

/// The end of a list whose items are separated by `, ` or ` : `, as nginx writes upstreams.
fn list_end(text: &[u8], delimiter: &[u8]) -> Option<usize> {
    let mut from = 0usize;
    loop {
        let at = from.checked_add(find_literal(text.get(from..)?, delimiter)?)?;
        let before = text.get(..at)?;
        let after = text.get(at..)?;
        if delimiter.first() == Some(&b' ')
            && (before.ends_with(b",") || before.ends_with(b" :") || after.starts_with(b" : "))
        {
            from = at.checked_add(1)?;
        } else {
            return Some(at);
        }
    }
}

fn take_time<'a>(
    notation: TimeNotation,
    rest: &'a [u8],
    captures: &mut Captures<'a>,
    cache: &mut time::Cache,
) -> Option<&'a [u8]> {
    let (stamp, n) = time::read(rest, notation, cache)?;
    captures.stamp = Some(stamp);
    rest.get(n..)
}

/// Takes a number, or `-` for none.
fn take_number<'a>(field: Field, rest: &'a [u8], captures: &mut Captures<'a>) -> Option<&'a [u8]> {
    // a status is three digits nearly always: worth a way of its own
    if let (Field::Status, &[h, t, o, ref after @ ..]) = (field, rest)
        && !after.first().is_some_and(u8::is_ascii_digit)
        && let (Some(high), Some(low)) = (two(h, t), two(b'0', o))
    {
        let code = u16::try_from(high * 10 + low).ok()?;
        captures.request.status = Some(Status::new(code)?);
        return Some(after);
    }
    if let [b'-', after @ ..] = rest {
        return Some(after);
    }
    let n = digits(rest);
    let (number, after) = rest.split_at_checked(n)?;
    let number = whole(number)?;
    match field {
        Field::Status => captures.request.status = Status::new(u16::try_from(number).ok()?),
        Field::Bytes => captures.request.bytes = Some(number),
        Field::Pid => captures.message.pid = Some(number),
        _ => {}
    }
    Some(after)
}

/// Stores a value; `None` where it cannot be what the field says.
pub(super) fn keep<'a>(field: Field, value: &'a [u8], captures: &mut Captures<'a>) -> Option<()> {
    let present = (value != b"-" && !value.is_empty()).then_some(value);
    let request = &mut captures.request;
    match field {
        Field::Client => {
            if !may_be_address(value) {
                return None;
            }
            request.client = present;
        }
        Field::User => request.user = present,
        Field::RequestLine => request_line(value, captures),
        Field::Method => request.method = present,
        Field::Path => request.path = present,
        Field::Protocol => request.protocol = present,
        Field::Status => request.status = Status::new(u16::try_from(whole(value)?).ok()?),
        Field::Bytes => request.bytes = whole(value),
        Field::Latency { unit_us, nanos } => {
            let text = present.map(first_of_list);
            let number = text.and_then(|t| scaled(t, unit_us));
            request.latency_us = if nanos { number.map(|n| n / 1_000) } else { number };
        }
        Field::Vhost => request.vhost = present,
        Field::Upstream => request.upstream = present,
        Field::UpstreamStatus => request.upstream_status = present,
        Field::Referrer => request.referrer = present,
        Field::UserAgent => request.user_agent = present,
        Field::Level => captures.message.level = Some(level(value)?),
        Field::Component => {
            if value.is_empty() || memchr2(b' ', b'"', value).is_some() {
                return None;
            }
            captures.message.component = Some(value);
        }
        Field::Pid => captures.message.pid = Some(whole(value)?),
        Field::Message => captures.message.text = value,
        Field::Word => {
            if value.is_empty() || find_byte(value, b' ').is_some() {
                return None;
            }
        }
        Field::Number | Field::Ignored | Field::Time(_) => {}
    }
    // a message's client stands where a request's would
    if field == Field::Client {
        captures.message.client = present;
    }
    Some(())
}

/// A name with a port (`www.example.com:443`) is a virtual host, not a client: a colon belongs to IPv6, to an
/// address with a port, or to nginx's `unix:`.
fn may_be_address(value: &[u8]) -> bool {
    find_byte(value, b':').is_none()
        || value == b"unix:"
        || value
            .iter()
            .all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'%' | b'[' | b']' | b',' | b' '))
}

fn first_of_list(value: &[u8]) -> &[u8] {
    value.split(|b| matches!(b, b',' | b' ')).next().unwrap_or(value)
}

/// `GET /path HTTP/1.1` into its parts. A request line that is no HTTP keeps neither method nor path.
fn request_line<'a>(line: &'a [u8], captures: &mut Captures<'a>) {
    let request = &mut captures.request;
    let method =
        line.iter().take(24).position(|b| !b.is_ascii_uppercase() && !matches!(b, b'-' | b'_')).unwrap_or(0);
    let Some((method, [b' ', rest @ ..])) = line.split_at_checked(method).filter(|(m, _)| !m.is_empty())
    else {
        request.malformed = Some(line);
        return;
    };
    request.method = Some(method);
    let protocol = rest
        .len()
        .checked_sub(9)
        .and_then(|at| rest.split_at_checked(at))
        .filter(|(_, p)| p.starts_with(b" HTTP/"));
    let (path, protocol) = match protocol {
        Some((path, protocol)) => (path, protocol.get(1..)),
        None => match memchr::memmem::rfind(rest, b" HTTP/").and_then(|at| rest.split_at_checked(at)) {
            Some((path, protocol)) => (path, protocol.get(1..)),
            None => (rest, None),
        },
    };
    request.path = Some(path);
    request.protocol = protocol;
}

/// Names of levels, by upper case.
const LEVELS: &[(&[u8], Level)] = &[
    (b"INFO", Level::Info),
    (b"ERROR", Level::Error),
    (b"WARN", Level::Warning),
    (b"WARNING", Level::Warning),
    (b"DEBUG", Level::Debug),
    (b"NOTICE", Level::Notice),
    (b"ERR", Level::Error),
    (b"CRIT", Level::Critical),
    (b"CRITICAL", Level::Critical),
    (b"FATAL", Level::Critical),
    (b"SEVERE", Level::Error),
    (b"ALERT", Level::Alert),
    (b"EMERG", Level::Emergency),
    (b"EMERGENCY", Level::Emergency),
    (b"PANIC", Level::Emergency),
    (b"TRACE", Level::Debug),
    (b"TRACE1", Level::Debug),
    (b"TRACE2", Level::Debug),
    (b"TRACE3", Level::Debug),
    (b"TRACE4", Level::Debug),
    (b"TRACE5", Level::Debug),
    (b"TRACE6", Level::Debug),
    (b"TRACE7", Level::Debug),
    (b"TRACE8", Level::Debug),
    (b"VERBOSE", Level::Debug),
    (b"FINE", Level::Debug),
    (b"FINER", Level::Debug),
    (b"FINEST", Level::Debug),
    (b"CONFIG", Level::Info),
    (b"INFORMATION", Level::Info),
];

/// The level that a word names.
pub(super) fn level(word: &[u8]) -> Option<Level> {
    LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, level)| level)
}
