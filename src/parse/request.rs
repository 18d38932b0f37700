//! Request lines.

use super::Fields;
use super::find::byte as find_byte;

/// No method is longer (`WebDAV`'s `VERSION-CONTROL` has 15 letters).
const MAX_METHOD: usize = 24;

/// `GET /path HTTP/1.1` into its parts. A request line that is no HTTP keeps neither method nor path.
#[inline]
pub(super) fn request_line<'a>(line: &'a [u8], fields: &mut Fields<'a>) {
    let request = &mut fields.request;
    let method = match line {
        [b'G', b'E', b'T', b' ', ..] => Some(3),
        [b'P', b'O', b'S', b'T', b' ', ..] => Some(4),
        _ => method(line),
    };
    let Some((method, [_, rest @ ..])) = method.and_then(|n| line.split_at_checked(n)) else {
        request.malformed = Some(line);
        return;
    };
    request.method = Some(method);
    // the protocol has eight letters nearly always
    let near =
        rest.len().checked_sub(9).filter(|at| rest.get(*at..).is_some_and(|p| p.starts_with(b" HTTP/")));
    let split =
        near.or_else(|| memchr::memmem::rfind(rest, b" HTTP/")).and_then(|at| rest.split_at_checked(at));
    (request.path, request.protocol) = match split {
        Some((path, protocol)) => (Some(path), protocol.get(1..)),
        None => (Some(rest), None),
    };
}

/// How long the method is that a request line begins with, a blank behind it.
#[inline(never)]
fn method(line: &[u8]) -> Option<usize> {
    let end = find_byte(line.get(..MAX_METHOD).unwrap_or(line), b' ')?;
    let method = line.get(..end).filter(|m| !m.is_empty())?;
    let is_method = method.iter().all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_'));
    // a method that is none, in a request that is one (`geti / HTTP/1.1`), is what the client sent
    let is_spelt_wrong =
        || method.iter().all(u8::is_ascii_alphabetic) && memchr::memmem::rfind(line, b" HTTP/").is_some();
    (is_method || is_spelt_wrong()).then_some(end)
}
