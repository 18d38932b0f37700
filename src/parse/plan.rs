//! A pattern as steps over bytes: literals to be met, values to be taken.

use memchr::memchr2;

use super::address::{first_of_list, may_be_address, without_port};
use super::find::{byte as find_byte, digits, starts_with};
use super::level::{level, level_as};
use super::number::{latency_us, two, whole};
use super::{Fields, Projection, time, zone};
use crate::format::{Field, LevelNotation, TimeNotation, Token};
use crate::model::Status;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Step {
    Literal(Box<[u8]>),
    Space,
    Time {
        notation: TimeNotation,
        then: Box<[u8]>,
    },
    Number {
        field: Field,
        then: Box<[u8]>,
    },
    /// A value and the literal behind it, at which it ends: `skip` bytes of that literal are known to be there.
    Value {
        field: Field,
        until: Until,
        list: bool,
        then: Box<[u8]>,
        skip: usize,
    },
    Optional(Vec<Step>),
}

/// Where a value ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Until {
    /// At this byte.
    Byte(u8),
    /// At a `"` that no backslash escapes.
    Quote,
    /// At these bytes.
    Literal(Box<[u8]>),
    /// At these bytes, which begin with a blank, and no blank is in the value.
    Word(Box<[u8]>),
    /// At these bytes; a user may have blanks in the name, but the `-` of other fields is no part of it.
    User(Box<[u8]>),
    /// At a space or the end of the line.
    Blank,
    /// Behind one byte.
    One,
    /// At the end of the line.
    LineEnd,
}

/// Compiles tokens to steps.
pub(super) fn compile(tokens: &[Token], projection: Projection) -> Plan {
    Plan { steps: steps(tokens, None, projection) }
}

fn steps(tokens: &[Token], after: Option<&Token>, projection: Projection) -> Vec<Step> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut quoted = false;
    let mut rest = tokens.iter().peekable();
    while let Some(token) = rest.next() {
        let next = rest.peek().copied().or(after);
        let inside = rest.peek().is_some();
        match token {
            Token::Literal(bytes) => {
                quoted = bytes.last() == Some(&b'"');
                out.push(Step::Literal(bytes.as_slice().into()));
            }
            Token::Space => out.push(Step::Space),
            Token::Optional(inner) => out.push(Step::Optional(steps(inner, next, projection))),
            Token::Value { field, list } => {
                // the literal behind belongs to the same step, unless it is the caller's
                let then: Box<[u8]> = match next {
                    Some(Token::Literal(l)) if inside => l.as_slice().into(),
                    _ => Box::default(),
                };
                out.push(value(*field, *list, quoted, next, then.clone(), projection));
                if !then.is_empty() {
                    quoted = then.last() == Some(&b'"');
                    rest.next();
                }
            }
        }
    }
    out
}

fn value(
    field: Field,
    list: bool,
    quoted: bool,
    next: Option<&Token>,
    then: Box<[u8]>,
    projection: Projection,
) -> Step {
    match field {
        Field::Time(notation) => return Step::Time { notation, then },
        Field::Status | Field::Bytes | Field::Pid | Field::Number => {
            let field = if projection.wants(field) { field } else { Field::Number };
            return Step::Number { field, then };
        }
        _ => {}
    }
    let until = until(field, quoted, next);
    let known = match &until {
        Until::Byte(_) | Until::Quote => 1,
        Until::Literal(l) | Until::Word(l) | Until::User(l) => l.len(),
        Until::Blank | Until::One | Until::LineEnd => 0,
    };
    let skip = known.min(then.len());
    let field = if projection.wants(field) { field } else { Field::Ignored };
    Step::Value { field, until, list, then: then.get(skip..).unwrap_or_default().into(), skip }
}

fn until(field: Field, quoted: bool, next: Option<&Token>) -> Until {
    match (field, next) {
        (Field::LevelAs(LevelNotation::Letter | LevelNotation::Mark), _) => Until::One,
        (_, Some(Token::Literal(l))) if quoted && l.first() == Some(&b'"') => Until::Quote,
        (_, Some(Token::Literal(l))) => match l.as_slice() {
            [one] => Until::Byte(*one),
            more @ [b' ', ..] if field == Field::Client => Until::Word(more.into()),
            more if field == Field::User => Until::User(more.into()),
            more => Until::Literal(more.into()),
        },
        (_, Some(Token::Space)) | (Field::Word, _) => Until::Blank,
        (_, None | Some(Token::Value { .. } | Token::Optional(_))) => Until::LineEnd,
    }
}

impl Plan {
    /// Whether the whole line fits; fills `fields`, with rubbish where it does not.
    #[inline]
    pub(super) fn run<'a>(&self, line: &'a [u8], fields: &mut Fields<'a>, cache: &mut time::Cache) -> bool {
        run(&self.steps, line, fields, cache).is_some_and(<[u8]>::is_empty)
    }
}

/// What is left of `rest` after all steps; `None` where one does not fit.
pub(super) fn run<'a>(
    steps: &[Step],
    mut rest: &'a [u8],
    fields: &mut Fields<'a>,
    cache: &mut time::Cache,
) -> Option<&'a [u8]> {
    for step in steps {
        rest = match step {
            Step::Value { field, until, list, then, skip } => {
                let end = find_end(rest, until, *list)?;
                let (value, after) = rest.split_at_checked(end)?;
                if *field != Field::Ignored {
                    keep(*field, value, fields)?;
                }
                expect(after.get(*skip..)?, then)?
            }
            Step::Literal(bytes) => expect(rest, bytes)?,
            Step::Number { field, then } => expect(take_number(*field, rest, fields)?, then)?,
            Step::Time { notation, then } => {
                let (stamp, n) = time::read(rest, *notation, cache)?;
                fields.stamp = Some(stamp);
                expect(rest.get(n..)?, then)?
            }
            Step::Space => {
                let n = rest.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(rest.len());
                if n == 0 {
                    return None;
                }
                rest.get(n..)?
            }
            Step::Optional(inner) => run(inner, rest, fields, cache).unwrap_or(rest),
        };
    }
    Some(rest)
}

/// What follows a literal.
#[inline]
fn expect<'a>(rest: &'a [u8], literal: &[u8]) -> Option<&'a [u8]> {
    if starts_with(rest, literal) { rest.get(literal.len()..) } else { None }
}

#[inline]
fn find_end(rest: &[u8], until: &Until, list: bool) -> Option<usize> {
    match until {
        Until::Byte(b) if list => list_end(rest, &[*b]),
        Until::Literal(l) | Until::Word(l) if list => list_end(rest, l),
        Until::Byte(b) => find_byte(rest, *b),
        Until::Quote => closing_quote(rest),
        Until::Literal(l) => find_literal(rest, l),
        Until::Word(l) => {
            let at = find_byte(rest, *l.first()?)?;
            starts_with(rest.get(at..)?, l).then_some(at)
        }
        Until::User(l) => find_literal(rest, l).filter(|&at| at <= 1 || is_user(rest.get(..at))),
        Until::Blank => Some(memchr2(b' ', b'\t', rest).unwrap_or(rest.len())),
        Until::One => (!rest.is_empty()).then_some(1),
        Until::LineEnd => Some(rest.len()),
    }
}

/// Whether a name of more than a letter holds no `-` that stands alone: addresses and other fields in front of the
/// client would look like a name otherwise.
fn is_user(name: Option<&[u8]>) -> bool {
    name.is_some_and(|name| !name.starts_with(b"- ") && memchr::memmem::find(name, b" - ").is_none())
}

/// The first `"` with an even number of backslashes before it.
#[inline]
pub(super) fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut from = 0usize;
    loop {
        let at = from.checked_add(find_byte(text.get(from..)?, b'"')?)?;
        let before = text.get(..at)?;
        if before.last() != Some(&b'\\') || before.iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 0
        {
            return Some(at);
        }
        from = at.checked_add(1)?;
    }
}

#[inline]
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

/// Takes a number, or `-` for none.
#[inline]
fn take_number<'a>(field: Field, rest: &'a [u8], fields: &mut Fields<'a>) -> Option<&'a [u8]> {
    // a status is three digits nearly always: worth a way of its own
    if let (Field::Status, &[h, t, o, ref after @ ..]) = (field, rest)
        && !after.first().is_some_and(u8::is_ascii_digit)
        && let (Some(high), Some(low)) = (two(h, t), two(b'0', o))
    {
        let code = u16::try_from(high * 10 + low).ok()?;
        // 000: the client left before there was any
        fields.request.status = Status::new(code);
        return (code == 0 || code >= 100).then_some(after);
    }
    // `-1` says the same: HAProxy and load balancers have it
    if let [b'-', after @ ..] = rest {
        return after.get(digits(after)..);
    }
    let n = digits(rest);
    let (number, after) = rest.split_at_checked(n).filter(|_| n > 0)?;
    if field == Field::Number {
        return Some(after);
    }
    let number = whole(number)?;
    match field {
        Field::Status => fields.request.status = Status::new(u16::try_from(number).ok()?),
        Field::Bytes => {
            fields.request.bytes = Some(number);
            fields.message.bytes = Some(number);
        }
        Field::Pid => fields.message.pid = Some(number),
        _ => {}
    }
    Some(after)
}

/// Stores a value; `None` where it cannot be what the field says.
#[inline]
pub(super) fn keep<'a>(field: Field, value: &'a [u8], fields: &mut Fields<'a>) -> Option<()> {
    let present = (value != b"-" && !value.is_empty()).then_some(value);
    let request = &mut fields.request;
    match field {
        Field::Client => {
            if !may_be_address(value) {
                return None;
            }
            request.client = present;
        }
        Field::ClientPort => {
            let host = without_port(value);
            // what else ends in a number after a colon has blanks in it
            if value != b"-" && (host.len() == value.len() || find_byte(host, b' ').is_some()) {
                return None;
            }
            request.client = Some(host).filter(|host| *host != b"-" && !host.is_empty());
        }
        Field::ClientList => request.client = present.map(first_of_list),
        Field::User => request.user = present,
        Field::RequestLine => request_line(value, fields),
        Field::Method => {
            if !value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
                return None;
            }
            request.method = present;
        }
        Field::Path => request.path = present,
        Field::Protocol => request.protocol = present,
        Field::Status => request.status = Status::new(u16::try_from(whole(value)?).ok()?),
        Field::Bytes => request.bytes = whole(value),
        Field::Latency { unit_us, nanos } => {
            request.latency_us = present.map(first_of_list).and_then(|t| latency_us(t, unit_us, nanos));
        }
        Field::Vhost => request.vhost = present,
        Field::Upstream => request.upstream = present,
        Field::UpstreamStatus => request.upstream_status = present,
        Field::Referrer => request.referrer = present,
        Field::UserAgent => request.user_agent = present,
        Field::Level => fields.message.level = Some(level(value.trim_ascii())?),
        Field::LevelAs(notation) => fields.message.level = Some(level_as(value, notation)?),
        Field::Host => {
            let name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
            if value.is_empty() || !value.iter().all(name) || level(value).is_some() {
                return None;
            }
        }
        Field::Abbreviation => {
            let name = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-');
            if value.is_empty() || value.len() > 6 || !value.iter().all(name) {
                return None;
            }
            if let Some(stamp) = &mut fields.stamp {
                zone::abbreviated(value, stamp);
            }
        }
        Field::Component => {
            let value = value.trim_ascii();
            if value.is_empty() || memchr2(b' ', b'"', value).is_some() {
                return None;
            }
            fields.message.component = Some(value);
        }
        Field::Pid => fields.message.pid = Some(whole(value)?),
        Field::Message => fields.message.text = value,
        Field::Word => {
            if value.is_empty() || find_byte(value, b' ').is_some() {
                return None;
            }
        }
        Field::Number | Field::Ignored | Field::Time(_) => {}
    }
    // a message's client stands where a request's would
    match field {
        Field::Client => fields.message.client = present,
        Field::ClientPort | Field::ClientList => fields.message.client = fields.request.client,
        _ => {}
    }
    Some(())
}

/// No method is longer (`WebDAV`'s `VERSION-CONTROL` has 15 letters).
const MAX_METHOD: usize = 24;

/// `GET /path HTTP/1.1` into its parts. A request line that is no HTTP keeps neither method nor path.
pub(super) fn request_line<'a>(line: &'a [u8], fields: &mut Fields<'a>) {
    let request = &mut fields.request;
    let end = find_byte(line.get(..MAX_METHOD).unwrap_or(line), b' ').unwrap_or(0);
    let is_method =
        |m: &[u8]| !m.is_empty() && m.iter().all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_'));
    // a method that is none, in a request that is one (`geti / HTTP/1.1`), is what the client sent
    let is_spelt_wrong = |m: &[u8]| {
        !m.is_empty()
            && m.iter().all(u8::is_ascii_alphabetic)
            && memchr::memmem::rfind(line, b" HTTP/").is_some()
    };
    let Some((method, [b' ', rest @ ..])) =
        line.split_at_checked(end).filter(|(m, _)| is_method(m) || is_spelt_wrong(m))
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
