//! Request lines.

use super::Fields;
use super::find::byte as find_byte;

/// No method is longer (`WebDAV`'s `VERSION-CONTROL` has 15 letters).
const MAX_METHOD: usize = 24;

/// `GET /path HTTP/1.1` into its parts. A request line that is no HTTP keeps neither method nor path.
#[allow(clippy::inline_always, reason = "the path that every line takes")]
#[inline(always)]
pub(super) fn request_line<'a>(line: &'a [u8], fields: &mut Fields<'a>) {
    let request = &mut fields.request;
    let method = if line.starts_with(b"GET ") { Some(3) } else { method(line) };
    let Some((method, [_, rest @ ..])) = method.and_then(|n| line.split_at_checked(n)) else {
        request.malformed = Some(line);
        return;
    };
    request.method = Some(method);
    (request.path, request.protocol) = match rest.split_last_chunk::<9>() {
        // the protocol has eight letters nearly always
        Some((path, [b' ', protocol @ ..])) if is_protocol(*protocol) => {
            (Some(path), Some(protocol.as_slice()))
        }
        _ => match other_protocol(rest) {
            Some((path, protocol)) => (Some(path), protocol.get(1..)),
            None => (Some(rest), None),
        },
    };
}

/// Whether it is `HTTP/` and three letters.
#[inline]
fn is_protocol(text: [u8; 8]) -> bool {
    u64::from_le_bytes(text) & 0xFF_FFFF_FFFF == u64::from_le_bytes(*b"HTTP/\0\0\0")
}

/// The path and the protocol with the blank before it, wherever it stands.
#[inline(never)]
fn other_protocol(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    rest.split_at_checked(memchr::memmem::rfind(rest, b" HTTP/")?)
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
