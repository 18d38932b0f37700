//! Addresses, alone, with a port, or in a chain.

use super::find::{byte as find_byte, digits};

/// A name with a port (`www.example.com:443`) is a virtual host, not a client: a colon belongs to IPv6, to an
/// address with a port, or to nginx's `unix:`.
pub(super) fn may_be_address(value: &[u8]) -> bool {
    find_byte(value, b':').is_none()
        || value == b"unix:"
        || value
            .iter()
            .all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'%' | b'[' | b']' | b',' | b' '))
}

/// An address without the port behind it: the digits after its last colon.
pub(super) fn without_port(value: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', value).and_then(|at| value.split_at_checked(at)) {
        Some((host, [_, port @ ..])) if digits(port) == port.len() => {
            host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host)
        }
        _ => value,
    }
}

pub(super) fn first_of_list(value: &[u8]) -> &[u8] {
    value.split(|b| matches!(b, b',' | b' ')).next().unwrap_or(value)
}
