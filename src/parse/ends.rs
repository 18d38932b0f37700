//! Where values end.

use memchr::memchr2;

use super::Quotes;
use super::find::{byte as find_byte, starts_with};
use super::plan::Until;

/// Where the value ends that `rest`, the end of `line`, begins with.
#[inline]
pub(super) fn find_end(
    (line, quotes): (&[u8], Quotes<'_>),
    rest: &[u8],
    until: &Until,
    list: bool,
) -> Option<usize> {
    match until {
        Until::Byte(b) if list => item_end(rest, *b).or_else(|| list_end(rest, &[*b])),
        Until::Literal(l) | Until::Word(l) if list => list_end(rest, l),
        Until::Byte(b) => find_byte(rest, *b),
        Until::Quote if !quotes.known() => closing_quote(rest),
        Until::Quote | Until::FarQuote => far_closing_quote(line, quotes, rest),
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

/// The first `"` with an even number of backslashes before it, near nearly always.
#[inline]
pub(super) fn closing_quote(text: &[u8]) -> Option<usize> {
    unescaped(text, find_byte(text, b'"')?)
}

/// The same in `rest`, the end of `line`.
#[inline]
pub(super) fn far_closing_quote(line: &[u8], quotes: Quotes<'_>, rest: &[u8]) -> Option<usize> {
    unescaped(rest, quotes.first(line, rest)?)
}

/// The quote at this place, or one behind it.
#[inline]
fn unescaped(text: &[u8], quote: usize) -> Option<usize> {
    if is_escaped(text, quote) { quote_behind(text, quote) } else { Some(quote) }
}

#[inline]
fn is_escaped(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'\\')
        && text.get(..at).unwrap_or_default().iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 1
}

#[cold]
fn quote_behind(text: &[u8], quote: usize) -> Option<usize> {
    let from = quote.checked_add(1)?;
    let mut quotes = memchr::memchr_iter(b'"', text.get(from..)?).map(|at| from.saturating_add(at));
    quotes.find(|&at| !is_escaped(text, at))
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

/// The end of a list of one item; `None` where it may be one of more.
#[inline]
fn item_end(text: &[u8], delimiter: u8) -> Option<usize> {
    let at = find_byte(text, delimiter)?;
    let joins = |at: usize| matches!(text.get(at), Some(b',' | b':'));
    let many = joins(at.wrapping_sub(1)) || joins(at.wrapping_add(1));
    (!many).then_some(at)
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
