//! Addresses of clients → their networks: /24 of IPv4, /48 of IPv6 (`--redact-clients`).
//!
//! In a line of a log nothing says whose an address is, so all are masked but the machine's own (`127.0.0.1`, `0.0.0.0`, `::1`,
//! `::`) and those that are told as an upstream's. Doing it twice changes nothing more.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::visit::{self, Place};
use crate::explain::facts::Report;
use crate::model::{Dimension, Untrusted};

/// Longer runs of digits, colons and dots are no address.
const MAX_LENGTH: usize = 60;
/// What stands before an address of an upstream in nginx's error.log.
const UPSTREAM: &[u8] = b"upstream: \"";

/// Masks the client addresses in all text that a report quotes.
pub fn mask_clients(report: &mut Report) {
    visit::texts(report, &mut |text, place| {
        if place != Place::Value(Dimension::Upstream) {
            *text = Untrusted::new(&masked(text.raw()));
        }
    });
}

/// A copy of `text` with its addresses masked.
pub fn masked(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let inside = out.last().is_some_and(|&b: &u8| is_part(b) || b.is_ascii_alphanumeric());
        if inside || !is_part(first) || is_upstream(&out) || is_product(&out) {
            out.push(first);
            rest = after;
            continue;
        }
        let run = rest.iter().position(|&b| !is_part(b)).unwrap_or(rest.len());
        let (token, behind) = rest.split_at_checked(run).unwrap_or((rest, b""));
        match network(token, behind) {
            Some((shown, length)) => {
                out.extend_from_slice(shown.as_bytes());
                out.extend_from_slice(token.get(length..).unwrap_or_default());
            }
            None => out.extend_from_slice(token),
        }
        rest = behind;
    }
    out
}

/// A character of an address.
fn is_part(b: u8) -> bool {
    b.is_ascii_hexdigit() || b == b':' || b == b'.'
}

/// Behind `upstream: "http://`.
fn is_upstream(before: &[u8]) -> bool {
    let tail = before.get(before.len().saturating_sub(UPSTREAM.len() + 10)..).unwrap_or_default();
    let Some(at) = memchr::memmem::rfind(tail, UPSTREAM) else { return false };
    tail.get(at + UPSTREAM.len()..).is_some_and(|scheme| {
        scheme.iter().all(|&b| b.is_ascii_alphabetic() || matches!(b, b':' | b'/' | b'['))
    })
}

/// Behind `Chrome/`: a version of a product, whose name stands alone before the slash.
fn is_product(before: &[u8]) -> bool {
    let Some(name) = before.strip_suffix(b"/") else { return false };
    let letters = name.iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
    let ahead = name.len().checked_sub(letters + 1).and_then(|at| name.get(at));
    letters > 0 && ahead.is_none_or(|b| matches!(b, b' ' | b'"' | b'(' | b'+'))
}

/// The network of the address that `token` begins with, and how many bytes the address has.
fn network(token: &[u8], behind: &[u8]) -> Option<(String, usize)> {
    // A version (`1.2.3.4-1`) goes on with what no address does.
    if token.len() > MAX_LENGTH
        || behind.first().is_some_and(|b| b.is_ascii_alphabetic() || b"-_+~".contains(b))
    {
        return None;
    }
    let text = std::str::from_utf8(token).ok()?;
    let masked_before = behind.first() == Some(&b'/') && behind.get(1).is_some_and(u8::is_ascii_digit);
    let whole = text.trim_end_matches([':', '.']);
    if let Ok(address) = whole.parse::<Ipv6Addr>() {
        if let Some(mapped) = address.to_ipv4_mapped() {
            return v4(mapped, masked_before).map(|shown| (format!("::ffff:{shown}"), whole.len()));
        }
        let [a, b, c, rest @ ..] = address.segments();
        let own = address.is_loopback() || address.is_unspecified();
        let done = masked_before && rest.iter().all(|&part| part == 0);
        let network = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0);
        return (!own && !done).then(|| (format!("{network}/48"), whole.len()));
    }
    let length = text.bytes().position(|b| b != b'.' && !b.is_ascii_digit()).unwrap_or(text.len());
    let (address, port) = text.split_at_checked(length)?;
    let address = address.trim_end_matches('.');
    if !port.is_empty() && !port.starts_with(':') {
        return None;
    }
    v4(address.parse().ok()?, masked_before && port.is_empty()).map(|shown| (shown, address.len()))
}

fn v4(address: Ipv4Addr, masked_before: bool) -> Option<String> {
    let [a, b, c, d] = address.octets();
    let own = address.is_loopback() || address.is_unspecified();
    let done = masked_before && d == 0;
    (!own && !done).then(|| format!("{a}.{b}.{c}.0/24"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        String::from_utf8_lossy(&masked(text.as_bytes())).into_owned()
    }

    #[test]
    fn addresses_become_networks() {
        for (line, expected) in [
            (
                r#"102.89.3.14 - - [14/May/2023:12:00:03 +0100] "GET /"#,
                r#"102.89.3.0/24 - - [14/May/2023:12:00:03 +0100] "GET /"#,
            ),
            ("client: 10.1.2.3, server: shop.example", "client: 10.1.2.0/24, server: shop.example"),
            ("198.51.100.7:50312 [14/May", "198.51.100.0/24:50312 [14/May"),
            ("from 2001:db8:1:2::99 port 22", "from 2001:db8:1::/48 port 22"),
            ("[client 2001:db8::1]", "[client 2001:db8::/48]"),
            ("[2001:db8:7:8::1]:443", "[2001:db8:7::/48]:443"),
            ("::ffff:203.0.113.9 x", "::ffff:203.0.113.0/24 x"),
            ("refused by 203.0.113.9.", "refused by 203.0.113.0/24."),
        ] {
            assert_eq!(shown(line), expected);
        }
    }

    #[test]
    fn what_is_no_clients_address_stays() {
        for line in [
            "bind to 0.0.0.0:80 and [::]:80, 127.0.0.1:8000, ::1",
            r#"upstream: "http://10.0.0.5:8080/cart", host"#,
            "2023-05-14 12:00:03,599 at 12:00:03",
            "install libapr1:amd64 <none> 1.7.2-3+deb12u1",
            "upgrade tomcat 8.0.33.1-2 8.0.34.1-1",
            "nginx/1.22.1 Chrome/112.0.0.0 Safari",
            "aa:bb:cc:dd:ee:ff 300.1.2.3 1.2.3.4.5",
        ] {
            assert_eq!(shown(line), line);
        }
    }

    proptest! {
        #[test]
        fn twice_is_once(text in "[0-9a-f:./ \\[\\]-]{0,50}|([0-9]{1,3}\\.){3}[0-9]{1,3}(/24|:80|, )?|2001:db8(:[0-9a-f]{0,4}){1,6}(/48)?") {
            let once = masked(text.as_bytes());
            prop_assert_eq!(masked(&once), once);
        }
    }
}
