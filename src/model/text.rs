//! Text that strangers wrote.

use std::fmt;

/// Bytes from a log, a file name or any other place that an attacker can write to.
///
/// It has no `Display` on purpose: the only ways out are the functions of `report::escape`, one per medium.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Untrusted(Box<[u8]>);

impl Untrusted {
    /// Wraps a copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes as they came. For escaping, comparing and measuring, never for printing.
    pub fn raw(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl From<&std::path::Path> for Untrusted {
    fn from(path: &std::path::Path) -> Self {
        Self::new(path.as_os_str().as_encoded_bytes())
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Untrusted(\"{}\")", self.0.escape_ascii())
    }
}

/// How a line's writer escaped its field values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Escape {
    /// Values stand as they are.
    #[default]
    None,
    /// nginx's `escape=default` and Apache: `\xHH`, `\"`, `\\`, `\n`, `\t`, …
    Backslash,
    /// JSON string escapes.
    Json,
}
