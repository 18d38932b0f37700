//! Where a line stands.

/// The index of a source in `Discovery::sources`: stable for the same input in any run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceId(pub u32);

/// A line of a source: what every figure can be traced to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The file or stream.
    pub source: SourceId,
    /// 1-based line number.
    pub line: u64,
}

/// A dimension along which requests are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the contract's")]
pub enum Dimension {
    Vhost,
    Upstream,
    Path,
    Method,
    Client,
    Source,
    UserAgent,
    Error,
}
