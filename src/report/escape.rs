//! The only ways out of [`Untrusted`], one per medium.
//!
//! Nothing is dropped: what could act on the reader's terminal, page or eyes is shown as an escape.

use std::fmt::Write as _;

use crate::model::Untrusted;

/// For a terminal or any plain text: one line, no control or invisible character, invalid bytes as `\xHH`.
pub fn for_terminal(text: &Untrusted) -> String {
    let mut out = String::with_capacity(text.raw().len());
    for chunk in text.raw().utf8_chunks() {
        for c in chunk.valid().chars() {
            push_visible(&mut out, c);
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// For a JSON string, before JSON's own escaping: invalid UTF-8 becomes U+FFFD, all else stays.
pub fn for_json(text: &Untrusted) -> String {
    String::from_utf8_lossy(text.raw()).into_owned()
}

/// For Markdown, a cell of a table included: a code span, in which nothing is a link, an image or markup, with a fence
/// longer than any inside.
///
/// A pipe would end the cell, in a code span too, and its escapes are read in two ways; a text that has one comes out with
/// all its punctuation escaped instead, in quotes.
pub fn for_markdown(text: &Untrusted) -> String {
    let shown = for_terminal(text);
    if !shown.contains('|') {
        return code_span(&shown);
    }
    // The quotes keep it apart from the words around it.
    format!("“{}”", for_markdown_text(&shown))
}

/// For a field of CSV after RFC 4180, quotes included where it needs them. A spreadsheet would run what begins like a
/// formula: it gets a leading `'`.
pub fn for_csv(text: &Untrusted) -> String {
    let shown = for_terminal(text);
    let formula = text.raw().first().is_some_and(|b| matches!(b, b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r'));
    let guard = if formula { "'" } else { "" };
    if shown.contains([',', '"', '\n', '\r']) {
        format!("\"{guard}{}\"", shown.replace('"', "\"\""))
    } else {
        format!("{guard}{shown}")
    }
}

/// For the text of an HTML element or the value of a quoted attribute.
pub fn for_html(text: &Untrusted) -> String {
    let shown = for_terminal(text);
    let mut out = String::with_capacity(shown.len());
    for c in shown.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// For running Markdown text that this program words itself but whose parts may quote a name: punctuation is escaped.
pub fn for_markdown_text(text: &str) -> String {
    let shown = for_terminal(&Untrusted::from(text));
    let mut out = String::with_capacity(shown.len());
    let mut rest = shown.chars();
    while let Some(c) = rest.next() {
        // What GitHub turns into a link by itself: a scheme, `www.` and whatever has an `@`.
        let link = match c {
            ':' => rest.as_str().starts_with('/'),
            'w' | 'W' => rest.as_str().to_ascii_lowercase().starts_with("ww."),
            c => c == '@',
        };
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' => out.push_str("&#124;"),
            c if link => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Whether a character may not stand as it is: it moves the cursor, turns the reading direction or can't be seen.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c.is_ascii_control() => {
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        }
        c if is_hidden(c) => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}

fn code_span(text: &str) -> String {
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    // One space on both sides is stripped again by the reader, but keeps a backtick apart from the fence; a text
    // that has spaces on both sides itself would lose them without.
    let pad = text.starts_with('`') || text.ends_with('`') || (text.starts_with(' ') && text.ends_with(' '));
    let pad = if pad { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(text: &[u8]) -> Untrusted {
        Untrusted::new(text)
    }

    #[test]
    fn hidden_characters_become_visible() {
        let hostile = bytes(b"a\x1b[31m\r\n\t\x7f\xff\xc2\x9b\xe2\x80\xae\xe2\x80\x8bz");
        assert_eq!(for_terminal(&hostile), r"a\x1b[31m\r\n\t\x7f\xff\u{9b}\u{202e}\u{200b}z");
    }

    #[test]
    fn json_replaces_only_invalid_bytes() {
        assert_eq!(for_json(&bytes(b"a\xff\x1b")), "a\u{fffd}\u{1b}");
    }

    #[test]
    fn a_code_span_cannot_be_left() {
        assert_eq!(for_markdown(&bytes(b"a`b``c")), "```a`b``c```");
        assert_eq!(for_markdown(&bytes(b"`a")), "`` `a ``");
        assert_eq!(for_markdown(&bytes(b"![x](http://e)")), "`![x](http://e)`");
        assert_eq!(for_markdown(&bytes(b"")), "(empty)");
    }

    #[test]
    fn a_text_with_a_pipe_has_no_bare_pipe() {
        assert_eq!(for_markdown(&bytes(br"a|b\|`c` <d>")), r"“a&#124;b\\&#124;\`c\` &lt;d&gt;”");
    }

    #[test]
    fn a_cell_of_csv_is_no_formula() {
        for (raw, cell) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("@x, \"y\"", "\"'@x, \"\"y\"\"\""),
            ("\t=1", "'\\t=1"),
            ("a\r\nb", "a\\r\\nb"),
            ("", ""),
        ] {
            assert_eq!(for_csv(&bytes(raw.as_bytes())), cell);
        }
    }

    #[test]
    fn html_has_no_tag_of_a_log() {
        assert_eq!(for_html(&bytes(b"<a href='x'>&\"\x00")), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\\x00");
    }

    #[test]
    fn our_own_text_keeps_its_meaning() {
        assert_eq!(
            for_markdown_text("a_b <c> | at 12:00: http://d"),
            r"a\_b &lt;c&gt; &#124; at 12:00: http&#58;//d"
        );
        assert_eq!(for_markdown_text("www.e x@y"), "&#119;ww.e x&#64;y");
    }

    proptest! {
        #[test]
        fn nothing_hidden_comes_out(raw in prop::collection::vec(any::<u8>(), 0..200)) {
            let shown = for_terminal(&bytes(&raw));
            prop_assert!(!shown.chars().any(is_hidden), "{shown:?}");
            prop_assert!(!for_markdown(&bytes(&raw)).contains('|'));
            prop_assert!(!for_html(&bytes(&raw)).contains(['<', '>', '"', '\'']));
        }
    }
}
