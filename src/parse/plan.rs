//! A pattern as steps over bytes: literals to be met, values to be taken.

use memchr::memchr2;

use super::address::{first_of_list, may_be_address, without_port};
use super::ends::find_end;
use super::find::{Literal, byte as find_byte, digits};
use super::first::{self, Firsts};
use super::level::{level, level_as};
use super::number::{latency_us, nginx_seconds_us, three, whole};
use super::request::request_line;
use super::trail::Trail;
use super::{Fields, Projection, Quotes, quick, time, zone};
use crate::format::{Field, LevelNotation, TimeNotation, Token};
use crate::model::Status;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What its lines begin with: nearly all lines of other kinds are told by that.
    pub(super) first: Firsts,
    /// The same of what stands behind the time that they begin with, if they do.
    pub(super) second: Firsts,
    /// Steps from the client to the status that are taken in one go; 0 where there are others.
    pub(super) head: usize,
    /// The same from the client to the agent.
    pub(super) long_head: usize,
    /// What stands behind the agent, if it is values with a blank before each.
    pub(super) trail: Option<Trail>,
}

#[derive(Debug)]
pub(super) enum Step {
    Literal(Literal),
    Space,
    Time {
        notation: TimeNotation,
        then: Literal,
    },
    Number {
        field: Field,
        then: Literal,
    },
    /// A value and the literal behind it, at which it ends: `skip` bytes of that literal are known to be there.
    Value {
        field: Field,
        until: Until,
        list: bool,
        then: Literal,
        skip: usize,
        /// `-` and the literal behind it, where that is all there is to know of a value that is not kept.
        dash: Option<Literal>,
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
    /// The same, of a value that is long nearly always.
    FarQuote,
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
    let steps = steps(tokens, None, projection);
    let second = steps.get(1..).filter(|rest| !rest.is_empty()).map_or(Firsts::ALL, first::of);
    let (head, long_head) = quick::head_steps(&steps);
    let trail = match steps.split_at(long_head) {
        ([.., Step::Value { then, .. }], behind) => Trail::of(then, behind),
        _ => None,
    };
    Plan { first: first::of(&steps), second, head, long_head, trail, steps }
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
                out.push(Step::Literal(Literal::new(bytes)));
            }
            Token::Space => out.push(Step::Space),
            Token::Optional(inner) => out.push(Step::Optional(steps(inner, next, projection))),
            Token::Value { field, list } => {
                // the literal behind belongs to the same step, unless it is the caller's
                let then: &[u8] = match next {
                    Some(Token::Literal(l)) if inside => l,
                    _ => &[],
                };
                out.push(value(*field, *list, quoted, next, then, projection));
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
    then: &[u8],
    projection: Projection,
) -> Step {
    match field {
        Field::Time(notation) => return Step::Time { notation, then: Literal::new(then) },
        Field::Status | Field::Bytes | Field::Pid | Field::Number => {
            let field = if projection.wants(field) { field } else { Field::Number };
            return Step::Number { field, then: Literal::new(then) };
        }
        _ => {}
    }
    let until = until(field, quoted, next);
    let known = match &until {
        Until::Byte(_) | Until::Quote | Until::FarQuote => 1,
        Until::Literal(l) | Until::Word(l) | Until::User(l) => l.len(),
        Until::Blank | Until::One | Until::LineEnd => 0,
    };
    let skip = known.min(then.len());
    let field = if projection.wants(field) { field } else { Field::Ignored };
    // a list may go on behind what looks like its end
    let ends_at_literal = known > 0 && skip == known && then.first() != Some(&b'-') && !list;
    let dash = (field == Field::Ignored && ends_at_literal).then(|| Literal::new(&[b"-", then].concat()));
    Step::Value { field, until, list, then: Literal::new(then.get(skip..).unwrap_or_default()), skip, dash }
}

fn until(field: Field, quoted: bool, next: Option<&Token>) -> Until {
    match (field, next) {
        (Field::LevelAs(LevelNotation::Letter | LevelNotation::Mark), _) => Until::One,
        (_, Some(Token::Literal(l))) if quoted && l.first() == Some(&b'"') => match field {
            Field::RequestLine | Field::UserAgent | Field::Referrer => Until::FarQuote,
            _ => Until::Quote,
        },
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

/// What is left of `rest`, the end of `line`, after all steps; `None` where one does not fit.
pub(super) fn run<'a>(
    steps: &[Step],
    (line, quotes): (&'a [u8], Quotes<'_>),
    mut rest: &'a [u8],
    fields: &mut Fields<'a>,
    cache: &mut time::Cache,
) -> Option<&'a [u8]> {
    for step in steps {
        rest = match step {
            Step::Value { field, until, list, then, skip, dash } => {
                // where the end is known, whether there is a value is not worth a guess
                if let Some(dash) = dash.as_ref().filter(|_| !quotes.known() || *until != Until::FarQuote)
                    && let Some(after) = dash.strip(rest)
                {
                    after
                } else {
                    let end = find_end((line, quotes), rest, until, *list)?;
                    let (value, after) = rest.split_at_checked(end)?;
                    match *field {
                        Field::Ignored => {}
                        Field::Message => fields.message.text = value,
                        Field::UserAgent => fields.request.user_agent = present(value),
                        Field::RequestLine => request_line(value, fields),
                        Field::Client => client(value, fields)?,
                        Field::Vhost => fields.request.vhost = present(value),
                        Field::Upstream => fields.request.upstream = present(value),
                        Field::Latency { unit_us, nanos } => latency(value, (unit_us, nanos), fields),
                        other => keep(other, value, fields)?,
                    }
                    then.strip(after.get(*skip..)?)?
                }
            }
            Step::Literal(literal) => literal.strip(rest)?,
            Step::Number { field, then } => then.strip(take_number(*field, rest, fields)?)?,
            Step::Time { notation, then } => {
                let (stamp, n) = time::read(rest, *notation, cache)?;
                fields.stamp = Some(stamp);
                then.strip(rest.get(n..)?)?
            }
            Step::Space => {
                let n = rest.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(rest.len());
                if n == 0 {
                    return None;
                }
                rest.get(n..)?
            }
            Step::Optional(inner) => run(inner, (line, quotes), rest, fields, cache).unwrap_or(rest),
        };
    }
    Some(rest)
}

/// Takes a number, or `-` for none.
#[inline]
fn take_number<'a>(field: Field, rest: &'a [u8], fields: &mut Fields<'a>) -> Option<&'a [u8]> {
    // a status is three digits nearly always: worth a way of its own
    if let (Field::Status, &[h, t, o, ref after @ ..]) = (field, rest)
        && !after.first().is_some_and(u8::is_ascii_digit)
        && let Some(code) = three([h, t, o])
    {
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

/// A value, unless it says that there is none.
#[inline]
pub(super) fn present(value: &[u8]) -> Option<&[u8]> {
    if matches!(value, [] | [b'-']) { None } else { Some(value) }
}

/// Stores a value; `None` where it cannot be what the field says.
#[inline]
pub(super) fn keep<'a>(field: Field, value: &'a [u8], fields: &mut Fields<'a>) -> Option<()> {
    let present = present(value);
    let request = &mut fields.request;
    match field {
        Field::Client => return client(value, fields),
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
            latency(value, (unit_us, nanos), fields);
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
    if matches!(field, Field::ClientPort | Field::ClientList) {
        fields.message.client = fields.request.client;
    }
    Some(())
}

/// Stores a client's address; a message's stands where a request's would.
#[inline]
pub(super) fn client<'a>(value: &'a [u8], fields: &mut Fields<'a>) -> Option<()> {
    if !may_be_address(value) {
        return None;
    }
    fields.request.client = present(value);
    fields.message.client = fields.request.client;
    Some(())
}

/// Stores a latency, if it is one.
#[allow(clippy::inline_always, reason = "the path that every request takes")]
#[inline(always)]
pub(super) fn latency(value: &[u8], (unit_us, nanos): (u32, bool), fields: &mut Fields<'_>) {
    // nginx's seconds are no list
    let seconds = nginx_seconds_us(value, unit_us, nanos);
    fields.request.latency_us = seconds.or_else(|| latency_of_list_us(value, unit_us, nanos));
}

#[inline(never)]
fn latency_of_list_us(value: &[u8], unit_us: u32, nanos: bool) -> Option<u64> {
    latency_us(first_of_list(present(value)?), unit_us, nanos)
}
