//! Which exception a stack trace tells of, and where it was thrown.
//!
//! A trace is known by its first lines and its last; how much of it the log kept is not known, so every part may be missing.

/// Lines of a trace that are looked at: what is thrown deeper than this is not told.
const MAX_LINES: usize = 400;

/// An exception or error that a program did not handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception<'a> {
    /// Its type as the language names it: `TypeError`, `java.sql.SQLException`.
    pub kind: &'a [u8],
    /// What it says.
    pub message: &'a [u8],
    /// The function it was thrown in; where the trace names none, the file.
    pub frame: Option<&'a [u8]>,
    /// The file of that frame, without its folders.
    pub file: Option<&'a [u8]>,
}

/// The exception that a message tells of, with the lines that continue it.
///
/// Reads the traces of Python, Java (the innermost `Caused by`), Node, PHP, Ruby and Go.
pub fn exception(text: &[u8]) -> Option<Exception<'_>> {
    let contains = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
    if contains(b"Traceback (most recent call last)") {
        return python(text);
    }
    if let Some(at) = memchr::memmem::find(text, b"panic: ") {
        return go(text.get(at..)?);
    }
    if let Some(at) = memchr::memmem::find(text, b"PHP Fatal error:") {
        return php(text.get(at..)?);
    }
    if contains(b":in `") || contains(b":in '") {
        return ruby(text);
    }
    if contains(b"\n\tat ") || contains(b"\n    at ") || contains(b"\n  at ") {
        return stack_of_ats(text);
    }
    None
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == b'\n').take(MAX_LINES).map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// `Type: message`, if the line begins with a name that an exception can have.
fn named(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line).unwrap_or(line.len());
    let (kind, rest) = line.split_at_checked(colon)?;
    let name = |b: &u8| b.is_ascii_alphanumeric() || b"_.$\\".contains(b);
    let last = kind.rsplit(|b| b".\\".contains(b)).next()?;
    let good = kind.iter().all(name) && last.first().is_some_and(u8::is_ascii_uppercase);
    good.then(|| (kind, rest.get(1..).unwrap_or(b"").trim_ascii()))
}

/// The last part of a path.
fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|b| matches!(b, b'/' | b'\\')).next().unwrap_or(path)
}

/// The innermost frame is the last `File`, the type stands in the last line without indentation.
fn python(text: &[u8]) -> Option<Exception<'_>> {
    let (mut frame, mut file, mut found) = (None, None, None);
    for line in lines(text) {
        if let Some(rest) = line.trim_ascii_start().strip_prefix(b"File \"") {
            let end = memchr::memchr(b'"', rest)?;
            file = rest.get(..end).map(file_name);
            frame = memchr::memmem::find(rest, b", in ").and_then(|at| rest.get(at + 5..));
            found = None;
        } else if frame.is_some() && !line.starts_with(b" ") && found.is_none() {
            found = named(line);
        }
    }
    let (kind, message) = found?;
    Some(Exception { kind, message, frame, file })
}

/// Java and Node: `Type: message`, then frames that begin with `at`, innermost first.
fn stack_of_ats(text: &[u8]) -> Option<Exception<'_>> {
    let mut found: Option<Exception<'_>> = None;
    let mut before: &[u8] = b"";
    let mut awaits_frame = false;
    for line in lines(text) {
        let trimmed = line.trim_ascii_start();
        if let Some(cause) = trimmed.strip_prefix(b"Caused by: ") {
            before = cause;
            awaits_frame = false;
            if let Some((kind, message)) = named(cause) {
                found = Some(Exception { kind, message, frame: None, file: None });
                awaits_frame = true;
            }
        } else if let Some(frame) = trimmed.strip_prefix(b"at ").filter(|_| trimmed.len() < line.len()) {
            if found.is_none() {
                let (kind, message) = thrown(before)?;
                found = Some(Exception { kind, message, frame: None, file: None });
                awaits_frame = true;
            }
            if let Some(open) = found.as_mut().filter(|_| std::mem::take(&mut awaits_frame)) {
                (open.frame, open.file) = frame_at(frame);
            }
        } else {
            before = line;
        }
    }
    found
}

/// The type in a line that may have words of the logger before it.
fn thrown(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(found) = named(line) {
        return Some(found);
    }
    let mut rest = line;
    while let Some(blank) = memchr::memchr(b' ', rest) {
        rest = rest.get(blank + 1..)?;
        let kind_like = |kind: &[u8]| {
            [&b"Error"[..], b"Exception", b"Throwable", b"Failure"].iter().any(|end| kind.ends_with(end))
        };
        if let Some(found) = named(rest).filter(|(kind, _)| kind_like(kind)) {
            return Some(found);
        }
    }
    None
}

/// `pkg.Class.method(File.java:12)` or `method (/srv/app/file.js:1:2)` or `/srv/app/file.js:1:2`.
fn frame_at(frame: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let Some(open) = memchr::memchr(b'(', frame) else {
        let place = frame.split(|b| *b == b':').next();
        return (place.map(file_name), place.map(file_name));
    };
    let place = frame.get(open + 1..).and_then(|p| p.split(|b| b":)".contains(b)).next());
    (frame.get(..open).map(<[u8]>::trim_ascii), place.map(file_name))
}

/// `PHP Fatal error:  Uncaught Type: message in /srv/app/file.php:12`.
fn php(text: &[u8]) -> Option<Exception<'_>> {
    let line = lines(text).next()?;
    let place =
        memchr::memmem::rfind(line, b" in /").and_then(|at| Some((line.get(..at)?, line.get(at + 4..)?)));
    let (head, path) = place.map_or((line, None), |(head, path)| (head, Some(path)));
    let head = head.strip_prefix(b"PHP Fatal error:").unwrap_or(head).trim_ascii();
    let (kind, message) =
        head.strip_prefix(b"Uncaught ").and_then(named).unwrap_or((b"PHP Fatal error", head));
    let file = path.and_then(|p| p.split(|b| b": ".contains(b)).next()).map(file_name);
    Some(Exception { kind, message, frame: file, file })
}

/// ``file.rb:12:in `method': message (Type)``.
fn ruby(text: &[u8]) -> Option<Exception<'_>> {
    let line = lines(text).find(|line| memchr::memmem::find(line, b":in ").is_some())?;
    let at = memchr::memmem::find(line, b":in ")?;
    let file = line.get(..at).and_then(|place| place.split(|b| *b == b':').next()).map(file_name);
    let rest = line.get(at + 5..)?;
    let end = rest.iter().position(|b| *b == b'\'')?;
    let frame = rest.get(..end);
    let tail = rest.get(end + 1..)?;
    // with the type in parentheses, or in the line before (Rails)
    let inline = tail.strip_prefix(b": ").and_then(|told| {
        let open = memchr::memrchr(b'(', told)?;
        let kind = told.get(open + 1..)?.strip_suffix(b")")?;
        Some((kind, told.get(..open)?.trim_ascii()))
    });
    let above = || {
        let name = lines(text).take(4).find_map(|l| {
            let open = memchr::memchr(b'(', l)?;
            named(l.get(..open)?.trim_ascii()).map(|(kind, _)| (kind, l.get(open..).unwrap_or(b"")))
        })?;
        Some(name)
    };
    let (kind, message) = inline.or_else(above)?;
    Some(Exception { kind, message, frame, file })
}

/// `panic: message`, then the goroutine's frames, innermost first; those of the runtime itself are passed over.
fn go(text: &[u8]) -> Option<Exception<'_>> {
    let message = lines(text).next()?.strip_prefix(b"panic: ")?;
    let mut frames = lines(text).skip_while(|line| !line.starts_with(b"goroutine ")).skip(1);
    let own = |line: &&[u8]| {
        !line.starts_with(b"\t")
            && !line.starts_with(b"panic(")
            && !line.starts_with(b"runtime.")
            && !line.is_empty()
    };
    let frame = frames.find(own).and_then(|line| {
        let open = memchr::memrchr(b'(', line)?;
        line.get(..open)
    });
    let file = frames.next().and_then(|l| l.trim_ascii().split(|b| *b == b':').next()).map(file_name);
    Some(Exception { kind: b"panic", message, frame, file })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> (String, Option<String>, Option<String>) {
        let own = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
        let found = exception(text.as_bytes()).unwrap();
        (own(found.kind), found.frame.map(own), found.file.map(own))
    }

    fn expect(kind: &str, frame: &str, file: &str) -> (String, Option<String>, Option<String>) {
        (kind.into(), Some(frame.into()), Some(file.into()))
    }

    #[test]
    fn pythons_innermost_frame_is_the_last() {
        let text = "Exception on / [GET]\nTraceback (most recent call last):\n  File \"/srv/a.py\", line 1, in outer\n    \
                    inner()\n  File \"/srv/b.py\", line 2, in inner\n    ^^^\nValueError: bad: value";
        assert_eq!(told(text), expect("ValueError", "inner", "b.py"));
    }

    #[test]
    fn a_chain_of_pythons_ends_with_what_was_not_handled() {
        let text = "Traceback (most recent call last):\n  File \"/srv/a.py\", line 1, in read\nKeyError: 'x'\n\nDuring \
                    handling of the above exception, another exception occurred:\n\nTraceback (most recent call \
                    last):\n  File \"/srv/b.py\", line 2, in main\nshop.errors.NotFound: no x";
        assert_eq!(told(text), expect("shop.errors.NotFound", "main", "b.py"));
    }

    #[test]
    fn javas_cause_is_the_innermost() {
        let text = "Servlet.service() threw exception\njava.lang.RuntimeException: no\n\tat shop.Cart.add(Cart.java:12)\n\t\
                    at x.Y.z(Y.java:1)\nCaused by: java.sql.SQLException: gone\n\tat shop.Db.open(Db.java:7)\n\t... 2 more";
        assert_eq!(told(text), expect("java.sql.SQLException", "shop.Db.open", "Db.java"));
    }

    #[test]
    fn nodes_first_frame_is_the_innermost() {
        let text = "unhandled TypeError: Cannot read properties of undefined\n    at load (/srv/app/cart.js:4:11)\n    at /srv/x.js:1:2";
        assert_eq!(told(text), expect("TypeError", "load", "cart.js"));
    }

    #[test]
    fn php_ruby_and_go_are_read() {
        let php = "PHP Fatal error:  Uncaught Error: Class \"Shop\" not found in /srv/index.php:3\nStack trace:\n#0 {main}";
        assert_eq!(told(php), expect("Error", "index.php", "index.php"));
        let ruby = "/srv/app.rb:12:in `total': undefined method `x' for nil:NilClass (NoMethodError)\n\tfrom /srv/b.rb:1:in `y'";
        assert_eq!(told(ruby), expect("NoMethodError", "total", "app.rb"));
        let go = "panic: runtime error: index out of range\n\ngoroutine 7 [running]:\npanic({0x1})\n\t/go/panic.go:8\nmain.total(0x2)\n\t/srv/total.go:9 +0x1";
        assert_eq!(told(go), expect("panic", "main.total", "total.go"));
    }

    #[test]
    fn what_is_no_trace_tells_no_exception() {
        for text in
            ["all is well", "Traceback (most recent call last):", "see you\nat the shop", "panic over"]
        {
            assert_eq!(exception(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(head in 0usize..6, tail in "[ -~\n\t]{0,200}") {
            let heads = ["Traceback (most recent call last)\n", "panic: ", "PHP Fatal error: ", "a:in `", "E: x\n\tat ", ""];
            let _ = exception(format!("{}{tail}", heads[head]).as_bytes());
        }
    }
}
