//! Secrets in quoted lines → `[redacted]`: a draft of a post-mortem is passed on.
//!
//! Works on text as it stands in the log, escapes and all. Doing it twice changes nothing more.

use super::visit;
use crate::explain::facts::Report;
use crate::model::Untrusted;

/// What stands in place of a secret.
const MASK: &[u8] = b"[redacted]";
/// Keys whose values are secrets if they contain one of these, in lower case.
const KEYS: &[&[u8]] =
    &[b"pass", b"pwd", b"token", b"secret", b"key", b"auth", b"sig", b"session", b"code", b"cookie"];
/// Words before a credential.
const SCHEMES: &[&[u8]] = &[b"bearer ", b"basic "];
/// Hexadecimal digits in a row, in a path, that are an identifier somebody could use.
const LONG_HEX: usize = 32;
/// A number this short says nothing (`code=404`).
const HARMLESS_DIGITS: usize = 3;

/// Masks the secrets in all text that a report quotes.
pub fn redact(report: &mut Report) {
    visit::texts(report, &mut |text, _| *text = Untrusted::new(&redacted(text.raw())));
}

/// A copy of `text` with its secrets masked.
pub fn redacted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let taken = secret(rest, &out);
        if let Some((shown, length)) = taken.filter(|(_, n)| *n > 0) {
            out.extend_from_slice(rest.get(..shown).unwrap_or_default());
            out.extend_from_slice(MASK);
            rest = rest.get(length..).unwrap_or_default();
        } else {
            out.push(first);
            rest = after;
        }
    }
    out
}

/// Whether a secret begins here: how many bytes to show, and how many it takes in all.
fn secret(rest: &[u8], before: &[u8]) -> Option<(usize, usize)> {
    let starts_word = !before.last().is_some_and(|b| is_word(*b));
    match rest.first()? {
        b'=' | b':' => assigned(rest, before),
        b'b' | b'B' if starts_word => credential(rest),
        b'e' if starts_word && rest.starts_with(b"eyJ") => {
            let n = length(rest, |b| is_word(b) || b == b'.' || b == b'=');
            let dots = memchr::memchr_iter(b'.', rest.get(..n)?).count();
            (dots >= 2 && n > 20).then_some((0, n))
        }
        b'/' => userinfo(rest).or_else(|| {
            let hex = length(rest.get(1..)?, |b| b.is_ascii_hexdigit() || b == b'-');
            (hex >= LONG_HEX).then_some((1, hex + 1))
        }),
        _ if starts_word => address(rest),
        _ => None,
    }
}

/// `key=value`, `"key":"value"`, `"key": value`, with quotes escaped or not.
fn assigned(rest: &[u8], before: &[u8]) -> Option<(usize, usize)> {
    let is_quote = |b: u8| matches!(b, b'"' | b'\'' | b'\\');
    let before = before.get(..before.len() - length_back(before, is_quote))?;
    let key = before.get(before.len() - length_back(before, is_word)..)?;
    // sudo and the shell name the working directory so
    if key == b"PWD" && rest.starts_with(b"=/") {
        return None;
    }
    let key = key.to_ascii_lowercase();
    if !KEYS.iter().any(|k| key.windows(k.len()).any(|w| w == *k)) {
        return None;
    }
    // after `key:` in prose anything may follow; in JSON the value is quoted or a number
    let open = 1 + length(rest.get(1..)?, |b| is_quote(b) || b == b' ' || b == b'\t');
    let quoted = rest.get(1..open)?.iter().any(|b| is_quote(*b));
    if rest.first() == Some(&b':') && !quoted {
        return None;
    }
    let value = rest.get(open..)?;
    let n = if quoted {
        length(value, |b| !is_quote(b))
    } else {
        length(value, |b| {
            !matches!(b, b'&' | b';' | b',' | b' ' | b'\t' | b'"' | b'\'' | b')' | b'}' | b'\\')
        })
    };
    let harmless = n <= HARMLESS_DIGITS && value.get(..n)?.iter().all(u8::is_ascii_digit);
    (n > 0 && !harmless).then_some((open, open + n))
}

/// `Bearer …`, `Basic …`.
fn credential(rest: &[u8]) -> Option<(usize, usize)> {
    let scheme =
        SCHEMES.iter().find(|s| rest.get(..s.len()).is_some_and(|head| head.eq_ignore_ascii_case(s)))?;
    let n =
        length(rest.get(scheme.len()..)?, |b| is_word(b) || matches!(b, b'.' | b'=' | b'+' | b'/' | b'~'));
    (n >= 8).then_some((scheme.len(), scheme.len() + n))
}

/// `//user:password@`.
fn userinfo(rest: &[u8]) -> Option<(usize, usize)> {
    let inside = rest.strip_prefix(b"//")?;
    let n = length(inside, |b| !matches!(b, b'/' | b'@' | b' ' | b'"' | b'?' | b'#' | b'\\'));
    (inside.get(n) == Some(&b'@') && n > 0).then_some((2, n + 2))
}

/// `someone@example.com`, also with `%40`.
fn address(rest: &[u8]) -> Option<(usize, usize)> {
    let is_local = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-');
    let local = length(rest, is_local);
    let after = rest.get(local..)?;
    let at = match after {
        [b'@', ..] => 1,
        [b'%', b'4', b'0', ..] => 3,
        _ => return None,
    };
    let domain = after.get(at..)?;
    let n = length(domain, |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    let name = domain.get(..n)?;
    let whole = local > 0 && name.iter().rev().skip(1).any(|b| *b == b'.') && !name.starts_with(b".");
    whole.then_some((0, local + at + n))
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
}

fn length(text: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|b| !wanted(*b)).unwrap_or(text.len())
}

fn length_back(text: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    text.iter().rev().position(|b| !wanted(*b)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        String::from_utf8_lossy(&redacted(text.as_bytes())).into_owned()
    }

    #[test]
    fn values_of_telling_keys_are_masked() {
        assert_eq!(
            shown("GET /login?user=ann&password=hunter2&x=1 HTTP/1.1"),
            "GET /login?user=ann&password=[redacted]&x=1 HTTP/1.1"
        );
        assert_eq!(shown(r#"{"api_key": "abc", "n":1}"#), r#"{"api_key": "[redacted]", "n":1}"#);
        assert_eq!(shown(r#"{\"session\":\"abc\"}"#), r#"{\"session\":\"[redacted]\"}"#);
        assert_eq!(shown("/cb?code=404&state=x"), "/cb?code=404&state=x");
    }

    #[test]
    fn credentials_addresses_and_long_identifiers_are_masked() {
        assert_eq!(shown("Authorization: Bearer abcdefghijkl.x"), "Authorization: Bearer [redacted]");
        assert_eq!(shown("postgres://app:pw@db/x"), "postgres://[redacted]@db/x");
        assert_eq!(shown("mail to ann.lee+x@example.com now"), "mail to [redacted] now");
        assert_eq!(shown("/reset/0123456789abcdef0123456789abcdef HTTP"), "/reset/[redacted] HTTP");
        assert_eq!(shown("t eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def end"), "t [redacted] end");
    }

    #[test]
    fn what_is_no_secret_stays() {
        let line = r#"203.0.113.7 - - [14/May/2023:12:00:03 +0100] "GET /cart?id=4 HTTP/1.1" 502 157 "https://shop.example.com/" "Mozilla/5.0""#;
        assert_eq!(shown(line), line);
        let error = "connect() failed (111: Connection refused) while connecting to upstream, upstream: \"http://127.0.0.1:8000/\"";
        assert_eq!(shown(error), error);
        assert_eq!(shown("KeyError: missing"), "KeyError: missing");
        let sudo = "ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/usr/sbin/nginx -s reload";
        assert_eq!(shown(sudo), sudo);
    }

    proptest! {
        #[test]
        fn twice_is_once(text in "[a-z=&\"':@./\\\\ ?{}0-9-]{0,60}") {
            let once = redacted(text.as_bytes());
            prop_assert_eq!(redacted(&once), once);
        }

        #[test]
        fn twice_is_once_around_keys(parts in prop::collection::vec(prop_oneof![Just("token="), Just("\"key\":\""), Just("Bearer "), Just("a@b.co"), Just("eyJ"), Just("://"), Just("."), Just("%40"), Just("x"), Just("[redacted]"), Just("&"), Just("0123456789abcdef")], 0..20)) {
            let text: String = parts.concat();
            let once = redacted(text.as_bytes());
            prop_assert_eq!(redacted(&once), once, "{}", text);
        }
    }
}
