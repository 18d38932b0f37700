//! One normalised line, as `logtopsy records` prints it: the published shape of a record.

use std::io::{self, Write};

use serde::Serialize;

use super::escape::for_json;
use super::time;
use crate::explain::facts::DisplayZone;
use crate::model::{Escape, Event, Kind, Message, Offset, Stamp, Timestamp, Untrusted};
use crate::parse::{request_parts, unescape};

/// A line of a log. Absent fields are left out.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    kind: &'static str,
    format: String,
    source: String,
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vhost: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// A line that no format accepts.
#[derive(Debug, Serialize)]
pub struct Rejected {
    source: String,
    line: u64,
    reject: String,
    raw: String,
}

/// A value as the client sent it: unescaped once, `-` and nothing are absent.
fn text(value: Option<&[u8]>, escape: Escape) -> Option<String> {
    let value = value.filter(|v| !v.is_empty() && *v != b"-")?;
    Some(for_json(&Untrusted::new(&unescape(value, escape))))
}

impl Record {
    /// A record from an event; `resolve` gives the instant of a stamp without a zone and its offset in seconds.
    pub fn new(
        event: &Event<'_>,
        format: &str,
        source: &Untrusted,
        line: u64,
        resolve: &dyn Fn(Stamp) -> (Timestamp, i64),
    ) -> Self {
        let escape = event.escape;
        let base = Self {
            time: event.stamp.map(|stamp| written_time(stamp, resolve)),
            format: format.to_owned(),
            source: for_json(source),
            line,
            ..Self::default()
        };
        match &event.kind {
            Kind::Request(r) => Self {
                kind: "request",
                client: text(r.client, escape),
                user: text(r.user, escape),
                method: text(r.method, escape),
                path: text(r.path, escape),
                protocol: text(r.protocol, escape),
                status: r.status.map(crate::model::Status::code),
                bytes: r.bytes,
                referrer: text(r.referrer, escape),
                user_agent: text(r.user_agent, escape),
                vhost: text(r.vhost, escape),
                upstream: text(r.upstream, escape),
                upstream_status: text(r.upstream_status, escape),
                latency_seconds: r.latency_us.map(|us| us as f64 / 1e6),
                message: text(r.malformed, escape),
                ..base
            },
            Kind::Message(m) => Self::message(m, escape, base),
        }
    }

    fn message(m: &Message<'_>, escape: Escape, base: Self) -> Self {
        let request = m.request.map(request_parts).unwrap_or_default();
        Self {
            kind: "message",
            client: text(m.client, escape),
            method: text(request.method, escape),
            path: text(request.path, escape),
            protocol: text(request.protocol, escape),
            bytes: m.bytes,
            vhost: text(m.vhost, escape),
            upstream: text(m.upstream, escape),
            level: m.level.map(crate::model::Level::name),
            component: text(m.component, escape),
            pid: m.pid,
            message: Some(for_json(&Untrusted::new(&unescape(m.text, escape)))),
            ..base
        }
    }

    /// Field → value, those that the line has, without where it stands.
    pub fn fields(&self) -> Vec<(String, Untrusted)> {
        let Ok(serde_json::Value::Object(map)) = serde_json::to_value(self) else { return Vec::new() };
        let own = map.into_iter().filter(|(name, _)| !matches!(name.as_str(), "source" | "line" | "format"));
        own.map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            (name, Untrusted::from(text.as_str()))
        })
        .collect()
    }

    /// Joins a continuation line to the message; `false` if it would grow beyond `most` bytes.
    #[must_use]
    pub fn continue_with(&mut self, line: &[u8], most: usize) -> bool {
        let message = self.message.get_or_insert_default();
        if message.len().saturating_add(line.len()) > most {
            return false;
        }
        message.push('\n');
        message.push_str(&for_json(&Untrusted::new(line)));
        true
    }

    /// Writes the record as one line of JSON.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        line(self, out)
    }
}

impl Rejected {
    /// A line and why it is no record.
    pub fn new(source: &Untrusted, line: u64, reason: &str, raw: &[u8]) -> Self {
        Self {
            source: for_json(source),
            line,
            reject: reason.to_owned(),
            raw: for_json(&Untrusted::new(raw)),
        }
    }

    /// Writes it as one line of JSON.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        line(self, out)
    }
}

fn line<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    let mut text = serde_json::to_vec(value).map_err(io::Error::other)?;
    text.push(b'\n');
    out.write_all(&text)
}

/// RFC 3339 with the offset that the line states, or that its zone has.
fn written_time(stamp: Stamp, resolve: &dyn Fn(Stamp) -> (Timestamp, i64)) -> String {
    let (at, offset) = if let Some(offset) = stamp.offset {
        (stamp.at, offset)
    } else {
        let (at, seconds) = resolve(stamp);
        (at, Offset(i32::try_from(seconds).unwrap_or(0)))
    };
    time::rfc3339(&DisplayZone::Fixed(offset), at)
}
