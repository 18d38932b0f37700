//! Values as the client sent them.

use std::borrow::Cow;

use crate::model::Escape;

/// Undoes one level of escaping; what is no valid escape stays as it is.
pub fn unescape(value: &[u8], escape: Escape) -> Cow<'_, [u8]> {
    if escape == Escape::None || memchr::memchr(b'\\', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    unescape_into(value, escape, &mut out);
    Cow::Owned(out)
}

/// [`unescape`] into a buffer.
pub fn unescape_into(value: &[u8], escape: Escape, out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\\', rest).filter(|_| escape != Escape::None) {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        rest = match escape {
            Escape::Backslash => backslash(tail, out),
            Escape::Json | Escape::None => json(tail, out),
        };
    }
    out.extend_from_slice(rest);
}

/// Takes one escape sequence off the front of `tail` (which begins with a backslash).
fn backslash<'a>(tail: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    match tail {
        [_, b'x', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            out.push(hex(*high) << 4 | hex(*low));
            rest
        }
        [_, c, rest @ ..] if simple(*c).is_some() => {
            out.extend(simple(*c));
            rest
        }
        [first, rest @ ..] => {
            out.push(*first);
            rest
        }
        [] => tail,
    }
}

fn json<'a>(tail: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    match tail {
        [_, b'u', a, b, c, d, rest @ ..] if [a, b, c, d].iter().all(|h| h.is_ascii_hexdigit()) => {
            let high = unit([*a, *b, *c, *d]);
            // a pair of surrogates is one character
            if let ([b'\\', b'u', a, b, c, d, after @ ..], 0xD800..0xDC00) = (rest, high)
                && [a, b, c, d].iter().all(|h| h.is_ascii_hexdigit())
                && let low @ 0xDC00..0xE000 = unit([*a, *b, *c, *d])
            {
                push_char(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), out);
                return after;
            }
            push_char(high, out);
            rest
        }
        [_, b'b', rest @ ..] => {
            out.push(8);
            rest
        }
        [_, b'f', rest @ ..] => {
            out.push(12);
            rest
        }
        _ => backslash(tail, out),
    }
}

fn push_char(code: u32, out: &mut Vec<u8>) {
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn unit(digits: [u8; 4]) -> u32 {
    digits.iter().fold(0, |n, &d| n << 4 | u32::from(hex(d)))
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

fn simple(c: u8) -> Option<u8> {
    Some(match c {
        b'"' | b'\\' | b'/' | b'\'' => c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        _ => return None,
    })
}
