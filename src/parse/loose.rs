//! Access lines that nobody declared: a time in brackets, a request in quotes, and what makes sense around them.
//!
//! Takes what no stricter format does, so it must be sure that a line is one of requests at all: there is a time in
//! brackets, and either a request line in quotes or a status behind the first quotes. Allocates nothing.

use memchr::{memchr, memmem};

use super::address::{first_of_list, without_port};
use super::ends::closing_quote;
use super::find::{byte as find_byte, either};
use super::number::{duration_us, scaled, whole};
use super::quick::{Head, is_escaped};
use super::request::request_line;
use super::{Fields, Quotes, time};
use crate::format::TimeNotation;
use crate::model::{Request, Stamp, Status};

/// Brackets that are tried for the time; addresses of IPv6 and names of upstreams stand in some, too.
const MAX_BRACKETS: usize = 4;
/// Quotes that are tried for the request.
const MAX_QUOTED: usize = 8;
/// Words behind the request that are looked at.
const MAX_WORDS: usize = 64;

/// Fills `fields` if the line is one of requests.
#[inline]
pub(super) fn read<'a>(
    line: &'a [u8],
    quotes: Quotes<'_>,
    fields: &mut Fields<'a>,
    cache: &mut time::Cache,
) -> Option<()> {
    match usual(line, quotes, fields, cache) {
        Some(after) => {
            values(Words(after).take(MAX_WORDS - 2), 2, &mut fields.request);
            Some(())
        }
        None => any_line(line, fields, cache),
    }
}

/// A line that begins as most do, with client, time, request, status, size, referrer and agent, in one go: what stands
/// behind the agent. `None`, and nothing filled, where it is not just like that. A test compares it with [`any_line`].
#[inline]
fn usual<'a>(
    line: &'a [u8],
    quotes: Quotes<'_>,
    fields: &mut Fields<'a>,
    cache: &mut time::Cache,
) -> Option<&'a [u8]> {
    let (head, rest) = Head::of(line, quotes, cache)?;
    let (agent, rest) = rest.split_at_checked(quotes.first(line, rest)?)?;
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':');
    let referred = head.referrer == b"-"
        || head.referrer.starts_with(b"http://")
        || head.referrer.starts_with(b"https://");
    let bytes = whole(head.bytes)?;
    if !referred
        || is_escaped(agent)
        || head.status.code() >= 600
        || !head.client.iter().all(is_plain)
        || !is_request(head.request)
    {
        return None;
    }
    fields.stamp = Some(head.stamp);
    request_line(head.request, fields);
    let request = &mut fields.request;
    request.client = present(client(head.client));
    request.status = Some(head.status);
    request.bytes = Some(bytes);
    request.referrer = present(head.referrer);
    request.user_agent = present(agent);
    rest.get(1..)
}

/// Any line.
#[inline(never)]
fn any_line<'a>(line: &'a [u8], fields: &mut Fields<'a>, cache: &mut time::Cache) -> Option<()> {
    // what JSON wraps is the business of what unwraps it
    if line.first() == Some(&b'{') {
        return None;
    }
    let (stamp, before, after) = bracketed_time(line, cache).or_else(|| leading_time(line, cache))?;
    fields.stamp = Some(stamp);
    if let Some(quoted) = request_in(after) {
        request_line(quoted.value, fields);
        who(before, quoted.before, fields);
        outcome(quoted.after, fields);
        // a status may stand in front of the request
        let ahead = || Words(quoted.before).find_map(status_of);
        fields.request.status = fields.request.status.or_else(ahead);
    } else {
        // the request in front of the time, and what became of it behind
        let quoted = request_in(before).filter(|quoted| is_request(quoted.value))?;
        request_line(quoted.value, fields);
        who(quoted.before, &[], fields);
        outcome(after, fields);
    }
    Some(())
}

/// The first bracketed time: it, what stands before its bracket, and what stands behind.
fn bracketed_time<'a>(line: &'a [u8], cache: &mut time::Cache) -> Option<(Stamp, &'a [u8], &'a [u8])> {
    let mut from = 0usize;
    for _ in 0..MAX_BRACKETS {
        let at = from.checked_add(memchr(b'[', line.get(from..)?)?)?;
        let inside = line.get(at.checked_add(1)?..)?;
        let notation = if matches!(inside, [_, b'/', ..] | [_, _, b'/', ..]) {
            TimeNotation::ClfLoose
        } else {
            TimeNotation::Iso
        };
        if let Some((stamp, n)) = time::read(inside, notation, cache)
            && let Some([b']', after @ ..]) = inside.get(n..)
        {
            return Some((stamp, line.get(..at)?, after));
        }
        from = at.checked_add(1)?;
    }
    None
}

/// A time that the line begins with, if a request with its protocol follows in quotes: anything less is an application's message.
fn leading_time<'a>(line: &'a [u8], cache: &mut time::Cache) -> Option<(Stamp, &'a [u8], &'a [u8])> {
    let (stamp, n) = time::read(line, TimeNotation::Any, cache).filter(|(_, n)| *n >= 10)?;
    let after = line.get(n..).filter(|after| matches!(after, [b' ' | b'\t', ..]))?;
    let quoted = memchr(b'"', after).and_then(|at| after.get(at.checked_add(1)?..))?;
    (is_request(quoted) && memmem::find(quoted, b" HTTP/").is_some()).then_some((stamp, &[], after))
}

/// A value in quotes and what stands around it.
struct Quoted<'a> {
    before: &'a [u8],
    value: &'a [u8],
    after: &'a [u8],
}

/// The request: the first quotes that hold one, else the first quotes if a status or its absence follows.
fn request_in(text: &[u8]) -> Option<Quoted<'_>> {
    let mut from = 0usize;
    let mut first = None;
    for _ in 0..MAX_QUOTED {
        let Some(open) = memchr(b'"', text.get(from..)?).and_then(|n| from.checked_add(n)) else { break };
        let inside = text.get(open.checked_add(1)?..)?;
        let length = value_length(inside);
        let value = inside.get(..length)?;
        let after = inside.get(length.saturating_add(1)..).unwrap_or_default();
        let quoted = Quoted { before: text.get(..open)?, value, after };
        if is_request(value) {
            return Some(quoted);
        }
        if first.is_none() {
            first = Some(quoted);
        }
        from = text.len().checked_sub(after.len())?;
    }
    first.filter(|quoted| {
        let status = Words(quoted.after).next().unwrap_or_default();
        status == b"-" || status_of(status).is_some()
    })
}

/// Where the value ends: at the quote behind which a status stands, for the sake of writers that escape no quotes;
/// else at the first one; else, where the line was cut off, at its end.
fn value_length(inside: &[u8]) -> usize {
    let first = closing_quote(inside).unwrap_or(inside.len());
    let ends = memchr::memchr_iter(b'"', inside).skip_while(|&at| at < first).take(MAX_QUOTED);
    let with_status = |&at: &usize| {
        inside.get(at..).is_some_and(|rest| {
            let word = rest.get(2..).and_then(|after| Words(after).next()).unwrap_or_default();
            rest.starts_with(b"\" ") && (status_of(word).is_some() || word == b"-")
        })
    };
    ends.into_iter().find(with_status).filter(|_| is_request(inside)).unwrap_or(first)
}

/// `GET /path …`: a method of capital letters and a target.
fn is_request(value: &[u8]) -> bool {
    let Some((method, [b' ', target, ..])) = memchr(b' ', value).and_then(|n| value.split_at_checked(n))
    else {
        return false;
    };
    let spelt = |wanted: fn(&u8) -> bool| method.len() >= 3 && method.iter().all(wanted);
    (spelt(u8::is_ascii_uppercase) && (matches!(target, b'/' | b'*') || target.is_ascii_alphanumeric()))
        || (spelt(u8::is_ascii_alphabetic) && memmem::rfind(value, b" HTTP/").is_some())
}

/// Words of a line: what blanks separate, where quotes and brackets hold together.
struct Words<'a>(&'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|b| !matches!(b, b' ' | b'\t'))?;
        let text = self.0.get(start..)?;
        let close = |open: usize, n: Option<usize>| n.map_or(text.len(), |n| n.saturating_add(open));
        let end = match text {
            [b'"', inside @ ..] => close(2, closing_quote(inside)),
            [b'[', inside @ ..] => close(2, memchr(b']', inside)),
            _ => close(0, either(text, b' ', b'\t')),
        };
        // `[::1]:80` is one word
        let end = match text.first() {
            Some(b'[') => {
                let more = text.get(end..).and_then(|rest| either(rest, b' ', b'\t'));
                more.map_or(text.len(), |n| end.saturating_add(n))
            }
            _ => end,
        };
        let (word, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        Some(word)
    }
}

/// Without its quotes or brackets; a quote that is never closed is one, too.
fn bare(word: &[u8]) -> &[u8] {
    match word {
        [b'"', inside @ .., b'"'] | [b'[', inside @ .., b']'] | [b'"', inside @ ..] => inside,
        _ => word,
    }
}

fn present(value: &[u8]) -> Option<&[u8]> {
    (!value.is_empty() && value != b"-").then_some(value)
}

fn is_address(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|text| {
        text.parse::<std::net::IpAddr>().is_ok() || text.parse::<std::net::SocketAddr>().is_ok()
    })
}

/// Client, virtual host and user from what stands before the time, else the client from between it and the request.
fn who<'a>(before: &'a [u8], between: &'a [u8], fields: &mut Fields<'a>) {
    let request = &mut fields.request;
    if Words(before).next().is_none() {
        request.client = Words(between).map(bare).find(|word| is_address(word)).map(client);
        return;
    }
    if let Some(list) = address_list(before) {
        let offset = before.len().saturating_sub(list.len());
        request.vhost =
            before.get(..offset).and_then(|head| Words(head).last()).and_then(present).map(without_port);
        request.client = present(client(first_of_list(bare(list))));
    } else {
        one_client(before, request);
    }
    // ` - user [`: behind the identity that nobody sends
    let user = memmem::find(before, b" - ").and_then(|at| before.get(at.saturating_add(3)..));
    request.user = user.map(<[u8]>::trim_ascii).and_then(present);
}

/// An address, without a port if it has one.
fn client(word: &[u8]) -> &[u8] {
    let dotted = memchr(b'.', word).is_some();
    if dotted || word.first() == Some(&b'[') { without_port(word) } else { word }
}

/// From where a list of addresses begins (`10.0.0.2, 10.0.0.1`, in quotes or not); `None` if there is none.
fn address_list(before: &[u8]) -> Option<&[u8]> {
    let comma = memmem::find(before, b", ")?;
    let head = before.get(..comma)?;
    let start = memchr::memrchr2(b' ', b'"', head).map_or(0, |at| at.saturating_add(1));
    before.get(start..)
}

/// `client - user`, `vhost client - user`, `client vhost user`.
fn one_client<'a>(before: &'a [u8], request: &mut Request<'a>) {
    let ident = Words(before).position(|word| word == b"-");
    let nth = |n: Option<usize>| n.and_then(|n| Words(before).nth(n)).map(bare);
    let (named, behind) = match ident {
        Some(0) => return,
        Some(at) => (nth(at.checked_sub(2)), nth(at.checked_sub(1))),
        // nothing says where the identity is: the last address, else the first word
        None => {
            let address = Words(before).map(bare).filter(|word| is_address(word)).last();
            (None, address.or_else(|| nth(Some(0))))
        }
    };
    // a name with a port is a server's
    let has_port = |word: &[u8]| !is_address(word) && without_port(word).len() < word.len();
    let (vhost, from) = match (named, behind) {
        (Some(address), Some(name)) if is_address(address) && has_port(name) => (Some(name), Some(address)),
        // `nginx:` and `web-1 |` are put in front by what carries the line
        (Some([.., b':' | b'|']), client) => (None, client),
        pair => pair,
    };
    request.vhost = vhost.and_then(present).map(without_port);
    request.client = from.and_then(present).map(client);
}

/// Three digits that are a status.
fn status_of(word: &[u8]) -> Option<Status> {
    if word.len() != 3 {
        return None;
    }
    Status::new(u16::try_from(whole(word)?).ok()?).filter(|status| status.code() < 600)
}

/// Status, size, latency, referrer, agent and upstream from what stands behind the request.
fn outcome<'a>(after: &'a [u8], fields: &mut Fields<'a>) {
    let request = &mut fields.request;
    let mut words = Words(after).peekable();
    let first = words.next_if(|word| *word == b"-" || status_of(word).is_some());
    request.status = first.and_then(status_of);
    // a lone number that may be either is a status only if another one follows it
    if let Some(size) = words.next_if(|word| *word == b"-" || whole(word).is_some()) {
        request.bytes = whole(size);
    }
    values(words.take(MAX_WORDS), 0, request);
}

/// What the values say that stand behind the size, or so many of them that stand in quotes.
fn values<'a>(words: impl Iterator<Item = &'a [u8]>, mut quoted: usize, request: &mut Request<'a>) {
    for word in words {
        match word {
            [b'"', ..] => {
                quoted = quoted.saturating_add(1);
                text(bare(word), quoted, request);
            }
            // a referrer that is absent may lack its quotes
            b"-" if quoted == 0 => quoted = 1,
            _ => number(word, request),
        }
    }
}

/// A quoted value: the first is the referrer and the second the agent, unless the first looks like no referrer.
fn text<'a>(value: &'a [u8], nth: usize, request: &mut Request<'a>) {
    let is_link = memmem::find(value, b"://").is_some() || value.first() == Some(&b'/');
    match nth {
        1 if is_link => request.referrer = present(value),
        1 | 2 if request.user_agent.is_none() => request.user_agent = present(value),
        _ => {}
    }
}

/// An unquoted value: a latency if it has a unit or a fraction, an upstream if it is an address with a port.
fn number<'a>(word: &'a [u8], request: &mut Request<'a>) {
    let (key, value) = match find_byte(word, b'=').and_then(|at| word.split_at_checked(at)) {
        Some((key, [_, value @ ..])) => (Some(key), bare(value)),
        _ => (None, word),
    };
    let is_latency = match key {
        Some(b"rt" | b"request_time" | b"duration") => true,
        Some(_) => return,
        None => find_byte(value, b'.').is_some(),
    };
    if request.latency_us.is_none() {
        let seconds = if is_latency && is_decimal(value) { scaled(value, 1_000_000) } else { None };
        request.latency_us = seconds.or_else(|| duration_us(value));
    }
    if request.upstream.is_none() && key.is_none() && is_upstream(value) {
        request.upstream = Some(value.strip_suffix(b",").unwrap_or(value));
    }
}

fn is_decimal(value: &[u8]) -> bool {
    value.iter().all(|b| matches!(b, b'0'..=b'9' | b'.'))
}

fn is_upstream(value: &[u8]) -> bool {
    if find_byte(value, b':').is_none() {
        return false;
    }
    let text = std::str::from_utf8(value.strip_suffix(b",").unwrap_or(value));
    text.is_ok_and(|text| text.parse::<std::net::SocketAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parse::Marks;

    fn client_words() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "203.0.113.7",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "shop",
            "-",
            "[::1]:80",
            "10.0.0.1:80",
            "\"a\"",
            "a:",
            "a\tb",
        ])
    }

    fn requests() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "GET / HTTP/1.1",
            "POST /a?b=[c] HTTP/2.0",
            "get /x HTTP/1.1",
            "GET / \" HTTP/1.0",
            "\\x16\\x03",
            "-",
            "GET \\\\",
            "OPTIONS * HTTP/1.1",
            "GET \\\"",
            "PRI",
        ])
    }

    fn referrers() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "-",
            "https://shop.example.com/",
            "http://a\\\"b",
            "/a",
            "android-app://x",
            "a",
            "",
            "http://\\",
        ])
    }

    proptest! {
        #[test]
        fn lines_that_begin_as_most_do_are_read_as_any_line(
            (client, request, referrer) in (client_words(), requests(), referrers()),
            (status, size) in ("200|502|404|099|600|999|-|20", "0|157|12345678901234567890|-|0.5"),
            agent in "Mozilla/5\\.0 \\(X11\\)|-|a \\\\\" b|b\\\\|cu\"rl|",
            tail in prop::collection::vec("[0-9]\\.[0-9]{3}|-|10\\.0\\.0\\.[0-9]:80|\\[::1\\]:80|\"x\"|rt=0\\.5|12ms|[a-z.:,]{1,9}|[\\[\"]", 0..6),
            blank in " |  |\t|",
        ) {
            let line = format!(
                "{client} - - [14/May/2023:12:00:03 +0100] \"{request}\" {status} {size} \"{referrer}\" \"{agent}\"{blank}{}",
                tail.join(" ")
            );
            let line = line.as_bytes();
            let mut marks = Marks::default();
            marks.sweep(line);
            let (mut read, mut expected) = (Fields::default(), Fields::default());
            let found = super::read(line, marks.quotes_at(0), &mut read, &mut time::Cache::default());
            prop_assert_eq!(found, any_line(line, &mut expected, &mut time::Cache::default()));
            prop_assert_eq!(format!("{read:?}"), format!("{expected:?}"), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn most_lines_are_read_in_one_go() {
        let line = b"203.0.113.7 - - [14/May/2023:12:00:03 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\" 0.1 10.0.0.3:80";
        let mut marks = Marks::default();
        marks.sweep(line);
        let after = usual(line, marks.quotes_at(0), &mut Fields::default(), &mut time::Cache::default());
        assert_eq!(after, Some(&b" 0.1 10.0.0.3:80"[..]));
    }
}
