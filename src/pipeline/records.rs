//! `logtopsy records`: every line, normalised, in input order.

use std::io::Write;
use std::ops::ControlFlow;

use super::reading::{head, open};
use super::{Options, Progress, Tools, clock};
use crate::discover::discover;
use crate::error::{Error, Result};
use crate::explain::facts::{Input, InputStatus};
use crate::input::{self, End, Piece, Reader};
use crate::model::{Kind, Untrusted};
use crate::parse::{Reject, Scratch};
use crate::report::record::{Record, Rejected};
use crate::sniff::trim;
use crate::survey::{Clock, WallZone};

/// Lines that a record may be continued by; more are told apart, so that memory stays bounded.
const MAX_CONTINUATION_BYTES: usize = 1 << 20;

/// Writes every line as a normalised record (NDJSON), with `rejects` also those that no format accepts.
///
/// Returns the rows of what was read, so that the caller can say what is missing.
///
/// # Errors
/// As [`super::analyse`]; `Closed` and `Output` for what `out` returns.
pub fn records(
    options: &Options,
    rejects: bool,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<Vec<Input>> {
    let (tools, _) = Tools::new(options)?;
    let discovery = discover(&options.query)?;
    let buffer = options.buffer.unwrap_or(input::BUFFER);
    let zone = options.assume_zone.as_ref().map_or(Clock::new(WallZone::Machine), clock);
    progress.begin("reading", discovery.sources.iter().map(|s| s.length).sum::<Option<u64>>());
    let mut rows = Vec::new();
    for source in &discovery.sources {
        let opened = match open(source) {
            Ok(opened) => opened,
            Err(why) => {
                rows.push(row(&source.name, InputStatus::Unreadable, Some(why.to_string())));
                continue;
            }
        };
        let sniffed = tools.formats.sniff(&head(&opened, buffer));
        // what other logs say of the year is not known while this one is written
        let zone = Clock { reference: source.modified.or_else(|| Some(super::now())), ..zone.clone() };
        let mut writer = Writer::new(&tools, &sniffed.order, zone, &source.name, rejects, out);
        let mut failed = None;
        let outcome =
            Reader::new(buffer).read(&opened, 0..u64::MAX, &mut |n| progress.advance(n), &mut |piece| {
                let written = match piece {
                    Piece::Lines { bytes, .. } => writer.lines(bytes),
                    Piece::OverLong { .. } => writer.over_long(),
                };
                match written {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(e) => {
                        failed = Some(e);
                        ControlFlow::Break(())
                    }
                }
            });
        if failed.is_none() {
            failed = writer.flush().err();
        }
        if let Some(why) = failed {
            return Err(output_error(why));
        }
        let (status, detail) = match outcome.end {
            End::Complete | End::Stopped => (InputStatus::Complete, None),
            End::Truncated(why) => (InputStatus::Truncated, Some(why)),
            End::Damaged(why) => (InputStatus::Damaged, Some(why)),
            End::Limit(why) => (InputStatus::Limit, Some(why)),
        };
        rows.push(row(&source.name, status, detail));
    }
    for aside in &discovery.set_aside {
        let status = match aside.status {
            crate::discover::AsideStatus::Unreadable => InputStatus::Unreadable,
            crate::discover::AsideStatus::Skipped => InputStatus::Skipped,
            crate::discover::AsideStatus::Duplicate => InputStatus::Duplicate,
        };
        rows.push(row(&aside.name, status, Some(aside.detail.clone())));
    }
    progress.finish();
    if !rows.iter().any(|r| r.status != InputStatus::Unreadable && r.status != InputStatus::Skipped) {
        let why = rows.first().map_or_else(
            || "there is no file in the given paths".to_owned(),
            |r| {
                format!("{}: {}", String::from_utf8_lossy(r.path.raw()), r.detail.clone().unwrap_or_default())
            },
        );
        return Err(super::nothing(&why));
    }
    Ok(rows)
}

fn output_error(why: std::io::Error) -> Error {
    if why.kind() == std::io::ErrorKind::BrokenPipe {
        Error::Closed
    } else {
        Error::Output { target: "standard output".into(), source: why }
    }
}

fn row(name: &Untrusted, status: InputStatus, detail: Option<String>) -> Input {
    Input { status, detail, ..super::rows::blank(name) }
}

/// Writes the records of one source.
struct Writer<'a> {
    tools: &'a Tools,
    order: &'a crate::sniff::Order,
    zone: Clock,
    name: &'a Untrusted,
    rejects: bool,
    out: &'a mut dyn Write,
    scratch: Scratch,
    line: u64,
    /// A message that the next lines may continue.
    pending: Option<Record>,
}

impl<'a> Writer<'a> {
    fn new(
        tools: &'a Tools,
        order: &'a crate::sniff::Order,
        zone: Clock,
        name: &'a Untrusted,
        rejects: bool,
        out: &'a mut dyn Write,
    ) -> Self {
        Self { tools, order, zone, name, rejects, out, scratch: Scratch::default(), line: 0, pending: None }
    }

    fn lines(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut plain = Vec::new();
        bytes.split_inclusive(|&b| b == b'\n').try_for_each(|raw| self.one(trim(raw), &mut plain))
    }

    fn one(&mut self, line: &[u8], plain: &mut Vec<u8>) -> std::io::Result<()> {
        self.line = self.line.saturating_add(1);
        let formats = &self.tools.formats;
        let within = formats.unwrapped(self.order, line, plain, &mut self.scratch);
        let read = match &within {
            Some(within) => formats.parse_unwrapped(self.order, within, &mut self.scratch),
            None => formats.parse(self.order, line, &mut self.scratch),
        };
        // what continues a record is what stands in the line; what is rejected is the line
        let text = within.map_or(line, |within| within.text);
        match read {
            Ok((format, mut event)) => {
                self.flush()?;
                let Some(definition) = self.tools.formats.definition(format) else { return Ok(()) };
                if let Kind::Message(message) = &mut event.kind {
                    message.component = message.component.or_else(|| self.tools.formats.program(format));
                }
                let record = Record::new(&event, &definition.name, self.name, self.line, &|stamp| {
                    (self.zone.resolve(stamp), self.zone.offset_at(stamp.at.second()))
                });
                if definition.continuation && matches!(event.kind, Kind::Message(_)) {
                    self.pending = Some(record);
                    return Ok(());
                }
                record.write(self.out)
            }
            Err(reason) => {
                if let Some(pending) = &mut self.pending
                    && reason == Reject::Mismatch
                    && pending.continue_with(text, MAX_CONTINUATION_BYTES)
                {
                    return Ok(());
                }
                let why = match reason {
                    Reject::TooDeep => "nested too deep",
                    Reject::Comment => "comment",
                    Reject::Mismatch if text.iter().all(u8::is_ascii_whitespace) => "blank",
                    Reject::Mismatch => "no format fits",
                };
                self.reject(line, why)
            }
        }
    }

    fn over_long(&mut self) -> std::io::Result<()> {
        self.line = self.line.saturating_add(1);
        self.reject(b"", "over-long")
    }

    fn reject(&mut self, line: &[u8], why: &str) -> std::io::Result<()> {
        self.flush()?;
        if self.rejects {
            Rejected::new(self.name, self.line, why, line).write(self.out)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self.pending.take() {
            Some(record) => record.write(self.out),
            None => Ok(()),
        }
    }
}
