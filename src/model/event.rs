//! What one line says.

use super::{Escape, Stamp};

/// An HTTP status code, 100–999. 0 never occurs: an unknown status is `None` where it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

impl Status {
    /// 499: the client closed the connection before there was an answer, as nginx logs it.
    pub const GAVE_UP: Self = Self(499);
    /// 504: whoever was to answer did not in time.
    pub const GATEWAY_TIMEOUT: Self = Self(504);

    /// A status from its number, `None` outside 100–999.
    pub const fn new(code: u16) -> Option<Self> {
        if code >= 100 && code <= 999 { Some(Self(code)) } else { None }
    }

    /// The number.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// 500–599: the server failed.
    pub const fn is_server_error(self) -> bool {
        self.0 >= 500 && self.0 < 600
    }

    /// 400–499.
    pub const fn is_client_error(self) -> bool {
        self.0 >= 400 && self.0 < 500
    }
}

/// Severity of a message: syslog's eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are syslog's own")]
pub enum Level {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

impl Level {
    /// The name as published in records: `emergency` … `debug`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Alert => "alert",
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// One parsed line. Field values borrow from the line and are still escaped as `escape` says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event<'a> {
    /// When, as written; `None` if the line has no time.
    pub stamp: Option<Stamp>,
    /// How field values are escaped.
    pub escape: Escape,
    /// What.
    pub kind: Kind<'a>,
}

/// The two kinds of line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind<'a> {
    /// An HTTP request, from an access log.
    Request(Request<'a>),
    /// Anything else.
    Message(Message<'a>),
}

/// A request. Absent fields (and a logged `-`) are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Request<'a> {
    /// The status answered.
    pub status: Option<Status>,
    /// Bytes of the response body (or of the response, as the format has it).
    pub bytes: Option<u64>,
    /// How long the request took, in microseconds.
    pub latency_us: Option<u64>,
    /// Client address.
    pub client: Option<&'a [u8]>,
    /// Authenticated user.
    pub user: Option<&'a [u8]>,
    /// `GET`, …; `None` where the request line is no HTTP.
    pub method: Option<&'a [u8]>,
    /// Path as logged, with its query.
    pub path: Option<&'a [u8]>,
    /// `HTTP/1.1`.
    pub protocol: Option<&'a [u8]>,
    /// The whole request line where it is no HTTP (binary junk, `-`, nothing), else `None`.
    pub malformed: Option<&'a [u8]>,
    /// Referrer.
    pub referrer: Option<&'a [u8]>,
    /// User agent.
    pub user_agent: Option<&'a [u8]>,
    /// Virtual host.
    pub vhost: Option<&'a [u8]>,
    /// Upstream address(es).
    pub upstream: Option<&'a [u8]>,
    /// Status the upstream answered.
    pub upstream_status: Option<&'a [u8]>,
}

impl Request<'_> {
    /// Whether nobody asked for anything: TLS bytes on a plain port, a connection that was closed without a request.
    #[inline]
    pub fn is_no_request(&self) -> bool {
        self.malformed.is_some() || (self.method.is_none() && self.path.is_none() && self.status.is_none())
    }

    /// How long the request took, in µs, if that tells how fast the site serves: not where it failed, nor where it was
    /// refused (400–498): a scan for what does not exist is one client's, at its own pace. A client that gave up (499)
    /// did wait.
    #[inline]
    pub fn pace_us(&self) -> Option<u64> {
        let untold = |status: Status| status.code() >= 400 && status.code() < 600 && status.code() != 499;
        if self.status.is_some_and(untold) { None } else { self.latency_us }
    }
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Message<'a> {
    /// Severity, where written.
    pub level: Option<Level>,
    /// Program, module or logger.
    pub component: Option<&'a [u8]>,
    /// Process id.
    pub pid: Option<u64>,
    /// Client address, where the message is about a request.
    pub client: Option<&'a [u8]>,
    /// Upstream, where named.
    pub upstream: Option<&'a [u8]>,
    /// Virtual host, where named.
    pub vhost: Option<&'a [u8]>,
    /// The request line, where the message is about a request.
    pub request: Option<&'a [u8]>,
    /// Bytes sent, where the message is about a connection.
    pub bytes: Option<u64>,
    /// The text.
    pub text: &'a [u8],
    /// Bytes at the end of the text that a server put there about the request: most of them a client wrote.
    pub about_request: usize,
}

impl<'a> Message<'a> {
    /// What the program itself says: the text without what it is told by clients.
    #[inline]
    pub fn words(&self) -> &'a [u8] {
        let end = self.text.len().saturating_sub(self.about_request);
        self.text.get(..end).unwrap_or(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_served_or_waited_for_tells_how_fast_a_site_is() {
        let pace = |code| {
            let request = Request { status: Status::new(code), latency_us: Some(7), ..Request::default() };
            request.pace_us()
        };
        assert_eq!([200, 302, 499].map(pace), [Some(7); 3]);
        assert_eq!([400, 404, 429, 500, 504].map(pace), [None; 5]);
    }
}
