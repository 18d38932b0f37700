//! A message without what changes from one to the next: its template, and the exception it tells of.
//!
//! Drain (He et al. 2017) learns templates from the messages it has seen, so what it says depends on their order and two
//! runs cannot be merged. Here what may change is recognised by its shape alone: a message has the same template
//! whatever was read before it, in any thread. The price is that words that vary (names) stay apart; a table of
//! templates must therefore be bounded by its owner.

/// Bytes of a template: enough to tell messages apart, and what a report can show.
const MAX_TEMPLATE: usize = 256;
/// Bytes of a message that are looked at: what follows is data.
const MAX_LOOKED_AT: usize = 1_024;
/// Bytes between quotes at most; farther apart they are apostrophes of different words.
const MAX_QUOTED: usize = 256;
/// What stands for the rest of a message that is longer than a template may be.
const REST: &[u8] = b"<...>";

/// Writes the template of a message into `out`, whose content is replaced.
///
/// Numbers, durations, hexadecimal numbers, UUIDs, addresses, quoted texts, paths, URLs and e-mail addresses become
/// `<n>`, `<hex>`, `<id>`, `<ip>`, `<str>`, `<path>`, `<url>`, `<mail>`. Of a message that goes over several lines the
/// first is taken, at most 256 bytes of it, and the type and the innermost frame of the exception that it tells of.
pub fn template(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let first = text.split(|b| *b == b'\n').next().unwrap_or(text);
    mask(first, out);
    if first.len() < text.len()
        && let Some(found) = super::exception(text)
    {
        // the first line may name the type already
        if memchr::memmem::find(first, found.kind).is_none() {
            out.extend_from_slice(b" ");
            append(found.kind, out);
        }
        if let Some(frame) = found.frame {
            out.extend_from_slice(b" at ");
            append(frame, out);
            if let Some(file) = found.file.filter(|file| *file != frame) {
                out.extend_from_slice(b" (");
                append(file, out);
                out.push(b')');
            }
        }
    }
}

fn append(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(text.get(..128).unwrap_or(text));
}

fn mask(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text.get(..MAX_LOOKED_AT).unwrap_or(text);
    let mut before = b' ';
    while let Some(&byte) = rest.first() {
        if out.len() >= MAX_TEMPLATE {
            // at the limit itself: what a token makes of it must not matter
            out.truncate(MAX_TEMPLATE);
            out.extend_from_slice(REST);
            return;
        }
        let length = if let Some(length) = quoted(rest, before) {
            out.extend_from_slice(b"<str>");
            length
        } else if in_token(byte) {
            let (mut length, telling) = token_at(rest);
            // the query of a URL has signs that end any other word
            if telling && rest.get(..length).is_some_and(|word| memchr::memmem::find(word, b"://").is_some())
            {
                let ends = |b: &u8| b.is_ascii_whitespace() || b"\"'<>,)".contains(b);
                length = rest.iter().position(ends).unwrap_or(rest.len());
            }
            match rest.get(..length).unwrap_or(rest) {
                word if telling => token(word, out),
                plain => out.extend_from_slice(plain),
            }
            length
        } else {
            // runs of blanks are one
            if !(byte.is_ascii_whitespace() && before.is_ascii_whitespace()) {
                out.push(if byte.is_ascii_whitespace() { b' ' } else { byte });
            }
            1
        };
        before = rest.get(length.saturating_sub(1)).copied().unwrap_or(b' ');
        rest = rest.get(length..).unwrap_or(b"");
    }
    while out.last().is_some_and(u8::is_ascii_whitespace) {
        out.pop();
    }
}

/// The length of a quoted text that begins here. An apostrophe after a letter is none.
fn quoted(text: &[u8], before: u8) -> Option<usize> {
    let quote = *text.first().filter(|b| matches!(b, b'"' | b'\'' | b'`'))?;
    if quote == b'\'' && before.is_ascii_alphanumeric() {
        return None;
    }
    let within = text.get(1..)?;
    let end = memchr::memchr(quote, within.get(..MAX_QUOTED).unwrap_or(within))?;
    Some(end + 2)
}

/// What a byte is in a token: 0 ends one, 2 tells a word that may vary from all that stand as they are.
fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' | b'/' | b'\\' | b'@' => 2,
        b'a'..=b'z'
        | b'A'..=b'Z'
        | 0x80..
        | b'_'
        | b'.'
        | b':'
        | b'%'
        | b'+'
        | b'-'
        | b'~'
        | b'#'
        | b'*'
        | b'&'
        | b'?'
        | b'$' => 1,
        _ => 0,
    }
}

fn in_token(byte: u8) -> bool {
    kind(byte) > 0
}

/// The length of the token that `text` begins with, and whether anything in it may vary.
fn token_at(text: &[u8]) -> (usize, bool) {
    let mut telling = false;
    let ends = |b: &u8| {
        let kind = kind(*b);
        telling |= kind == 2;
        kind == 0
    };
    let length = text.iter().position(ends).unwrap_or(text.len());
    (length, telling)
}

/// Writes what stands for a token.
fn token(whole: &[u8], out: &mut Vec<u8>) {
    let end = whole.iter().rposition(|b| !b":.?".contains(b)).map_or(0, |at| at + 1);
    let (word, tail) = whole.split_at_checked(end).unwrap_or((whole, b""));
    match shape(word) {
        Some(name) => out.extend_from_slice(name),
        None => digits(word, out),
    }
    out.extend_from_slice(tail);
}

/// What a word is by its shape.
fn shape(word: &[u8]) -> Option<&'static [u8]> {
    let has = |byte| memchr::memchr(byte, word).is_some();
    let digit = word.iter().any(u8::is_ascii_digit);
    if has(b'/') || has(b'\\') {
        let slashes = word.iter().filter(|b| matches!(b, b'/' | b'\\')).count();
        let url = memchr::memmem::find(word, b"://").is_some();
        let path = word.len() > 1 && (word.starts_with(b"/") || slashes > 1 || word.starts_with(b"./"));
        return if url { Some(b"<url>") } else { path.then_some(b"<path>") };
    }
    if memchr::memchr(b'@', word)
        .is_some_and(|at| at > 0 && word.get(at..).is_some_and(|d| d.contains(&b'.')))
    {
        return Some(b"<mail>");
    }
    if !digit {
        return None;
    }
    if is_address(word) {
        return Some(b"<ip>");
    }
    let hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    if word.len() == 36 && word.split(|b| *b == b'-').map(<[u8]>::len).eq([8, 4, 4, 4, 12]) {
        return Some(b"<id>");
    }
    if word.strip_prefix(b"0x").is_some_and(hex)
        || (word.len() >= 7 && hex(word) && !word.iter().all(u8::is_ascii_digit))
    {
        return Some(b"<hex>");
    }
    None
}

/// IPv4 or IPv6, with or without a port or a prefix length.
fn is_address(word: &[u8]) -> bool {
    let dots = memchr::memchr_iter(b'.', word).count();
    let colons = memchr::memchr_iter(b':', word).count();
    let octets = |text: &[u8]| {
        text.split(|b| *b == b'.').all(|o| (1..=3).contains(&o.len()) && o.iter().all(u8::is_ascii_digit))
    };
    if dots == 3 && colons <= 1 {
        return word.split(|b| *b == b':').next().is_some_and(octets);
    }
    let hexadecimal = |b: &u8| b.is_ascii_hexdigit() || *b == b':' || *b == b'.';
    // a time of day has two colons and digits only
    let clock = colons == 2
        && word.iter().all(|b| b.is_ascii_digit() || b":.".contains(b))
        && memchr::memmem::find(word, b"::").is_none();
    colons >= 2 && word.iter().all(hexadecimal) && !clock
}

/// Writes a word with a placeholder for each number in it; numbers joined by signs (a version, a time of day) are one, and
/// so is a number with its unit.
fn digits(word: &[u8], out: &mut Vec<u8>) {
    let mut rest = word;
    while let Some(&byte) = rest.first() {
        if !byte.is_ascii_digit() {
            out.push(byte);
            rest = rest.get(1..).unwrap_or(b"");
            continue;
        }
        if out.last().is_some_and(|b| matches!(b, b'-' | b'+')) && rest.len() == word.len() - 1 {
            out.pop();
        }
        out.extend_from_slice(b"<n>");
        let mut end = 0;
        while let Some(&b) = rest.get(end) {
            let joined = b".,:-%T".contains(&b) && rest.get(end + 1).is_some_and(u8::is_ascii_digit);
            if !(b.is_ascii_digit() || joined) {
                break;
            }
            end += 1;
        }
        rest = rest.get(end..).unwrap_or(b"");
        if UNITS.contains(&rest) {
            rest = b"";
        }
    }
}

/// What follows a number at the end of a word and changes with its size.
const UNITS: &[&[u8]] = &[
    b"s",
    b"ms",
    b"us",
    b"ns",
    b"\xc2\xb5s",
    b"m",
    b"h",
    b"d",
    b"B",
    b"b",
    b"k",
    b"K",
    b"M",
    b"G",
    b"T",
    b"kB",
    b"KB",
    b"MB",
    b"GB",
    b"KiB",
    b"MiB",
    b"GiB",
    b"%",
    b"Z",
    b"sec",
    b"secs",
    b"min",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> String {
        let mut out = Vec::new();
        template(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_changes_is_masked_by_its_shape() {
        for (text, masked) in [
            ("low stock: item=317 left=2", "low stock: item=<n> left=<n>"),
            ("request took 12ms", "request took <n>"),
            ("request took 1.25s, 3 retries", "request took <n>, <n> retries"),
            ("worker-12 restarted at 12:00:03", "worker-<n> restarted at <n>"),
            ("connect to 10.0.0.5:5432 failed", "connect to <ip> failed"),
            ("from 2001:db8::7: refused", "from <ip>: refused"),
            ("order 6f1c2b9e-11aa-4c3d-9e8f-0123456789ab lost", "order <id> lost"),
            ("at 0x7fff12ab and deadbeef01", "at <hex> and <hex>"),
            ("open \"/etc/x y\" failed", "open <str> failed"),
            ("can't open '/etc/x': no", "can't open <str>: no"),
            (
                "cannot open /var/lib/x.sock (13: Permission denied)",
                "cannot open <path> (<n>: Permission denied)",
            ),
            ("GET https://shop.example/a?b=1 gave 503", "GET <url> gave <n>"),
            ("mail to ann@shop.example bounced", "mail to <mail> bounced"),
            ("version 2.4.57-2 loaded", "version <n> loaded"),
            ("offset -12", "offset <n>"),
            ("too   many\tblanks ", "too many blanks"),
        ] {
            assert_eq!(of(text), masked, "{text}");
        }
    }

    #[test]
    fn messages_that_differ_in_words_differ() {
        assert_ne!(of("cache miss"), of("cache hit"));
        assert_eq!(of("took 1 s"), of("took 25 s"));
    }

    #[test]
    fn lists_of_any_length_share_a_template() {
        let list = |n: usize| format!("keys: {}", "12 ".repeat(n));
        assert_eq!(of(&list(200)), of(&list(220)));
        assert!(of(&list(2_000)).len() <= MAX_TEMPLATE + REST.len());
    }

    #[test]
    fn an_exception_is_told_by_its_type_and_frame() {
        let text = "Exception on /products [GET]\nTraceback (most recent call last):\n  File \"/srv/app/shop.py\", line 46, in \
                    open_session\n    x()\nTypeError: object of type 'NoneType' has no len()";
        assert_eq!(of(text), "Exception on <path> [GET] TypeError at open_session (shop.py)");
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_bounded_template(text in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let mut out = Vec::new();
            template(&text, &mut out);
            prop_assert!(out.len() <= MAX_TEMPLATE + REST.len() + 450);
            // the same whatever the buffer held
            let seen = out.clone();
            template(&text, &mut out);
            prop_assert_eq!(out, seen);
        }
    }
}
