//! What the report says of its inputs: a row per file, and what the reader must know.

use std::collections::BTreeMap;
use std::io;

use super::assemble::{Known, main_format};
use super::closer::Found;
use super::prune::Part;
use super::reading::Reading;
use super::zones::Zone;
use super::{Tools, offset_name};
use crate::detect::Caveat;
use crate::discover::{AsideStatus, Discovery, Packing};
use crate::error::Warning;
use crate::explain::facts::{Input, InputStatus, ZoneSource};
use crate::input::End;
use crate::model::{Offset, Timestamp, Untrusted};
use crate::survey::{Clock, Merge, Span, Tally, WallZone, block_of};

/// A row per file: those read, those that failed, those set aside; by name.
pub(super) fn inputs(
    tools: &Tools,
    discovery: &Discovery,
    readings: &[std::result::Result<Reading, io::Error>],
    known: &[Known<'_>],
) -> Vec<Input> {
    let mut rows: Vec<Input> = known.iter().map(|k| input(tools, discovery, k)).collect();
    let failed = discovery.sources.iter().zip(readings).filter_map(|(s, r)| r.as_ref().err().map(|e| (s, e)));
    rows.extend(failed.map(|(source, why)| Input {
        status: InputStatus::Unreadable,
        detail: Some(plain_reason(why)),
        ..blank(&source.name)
    }));
    rows.extend(discovery.set_aside.iter().map(|aside| Input {
        status: match aside.status {
            AsideStatus::Unreadable => InputStatus::Unreadable,
            AsideStatus::Skipped => InputStatus::Skipped,
            AsideStatus::Duplicate => InputStatus::Duplicate,
        },
        detail: Some(aside.detail.clone()),
        bytes: 0,
        ..blank(&aside.name)
    }));
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    rows
}

/// What the system said, without its error number.
fn plain_reason(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::NotFound => "no such file (any more)".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => why.to_string(),
    }
}

pub(super) fn blank(name: &Untrusted) -> Input {
    Input {
        path: name.clone(),
        format: None,
        status: InputStatus::Complete,
        detail: None,
        bytes: 0,
        lines: 0,
        records: 0,
        continuation_lines: 0,
        skipped: BTreeMap::new(),
        first: None,
        last: None,
        time_zone: None,
        time_zone_source: None,
        role: None,
        example: None,
    }
}

fn input(tools: &Tools, discovery: &Discovery, known: &Known<'_>) -> Input {
    let tally = &known.reading.tally;
    let (status, detail) = status(discovery, known);
    // of what lies outside the time range only the ends were looked at
    let outside = status == InputStatus::Skipped;
    let counted = |n: u64| if outside { 0 } else { n };
    // behind what was not read the numbers of lines are not known
    let unread_from = known.reading.part.unread().first().map_or(u32::MAX, |gap| gap.start);
    let example = tally.example.as_ref().filter(|e| !outside && block_of(e.offset) < unread_from);
    let format = main_format(tally).and_then(|id| tools.formats.definition(id));
    let span = span(tally, &known.zone);
    let time_zone = known.zone.source.map(|source| match (source, known.zone.written) {
        (ZoneSource::Written, Some(offset)) => offset_name(offset),
        _ => clock_name(&known.zone.clock, span.first),
    });
    Input {
        format: format.map(|d| d.name.clone()),
        status,
        detail,
        bytes: counted(tally.bytes),
        lines: counted(tally.lines),
        records: counted(tally.record_count()),
        continuation_lines: counted(tally.continuation),
        skipped: tally.skipped.iter().filter(|_| !outside).map(|(r, n)| (r.name().to_owned(), *n)).collect(),
        first: span.first,
        // of what is packed only the head was looked at
        last: span.last.filter(|_| !outside || known.source.packing == Packing::Plain),
        time_zone,
        time_zone_source: known.zone.source,
        role: known.role,
        example: example.map(|e| (tally.line_of(e.offset), Untrusted::new(&e.text))),
        ..blank(&known.source.name)
    }
}

/// First and last time of a source, as instants.
fn span(tally: &Tally, zone: &Zone) -> Span {
    let mut whole = Span::default();
    for (timed, naive) in [(&tally.zoned, false), (&tally.naive, true)] {
        for (_, day) in timed.days.iter() {
            let at = |t: Timestamp| if naive { zone.clock.instant(t) } else { t };
            whole.absorb(Span { first: day.span.first.map(at), last: day.span.last.map(at) });
        }
    }
    whole
}

/// IANA name, or the offset at the time of the log.
fn clock_name(clock: &Clock, at: Option<Timestamp>) -> String {
    match &clock.zone {
        WallZone::Fixed(offset) => offset_name(*offset),
        WallZone::Steps(steps) => offset_name(steps.at(at.map_or(0, Timestamp::second))),
        WallZone::Named(tz) => tz.name().to_owned(),
        WallZone::Machine => {
            let seconds = clock.offset_at(at.map_or(0, Timestamp::second));
            offset_name(Offset(i32::try_from(seconds).unwrap_or(0)))
        }
    }
}

fn status(discovery: &Discovery, known: &Known<'_>) -> (InputStatus, Option<String>) {
    let tally = &known.reading.tally;
    if let Some(original) = known.duplicate_of.and_then(|i| discovery.sources.get(i)) {
        let name = String::from_utf8_lossy(original.name.raw()).into_owned();
        return (InputStatus::Duplicate, Some(format!("the same content as {name}")));
    }
    let after = |why: &str| Some(format!("{why} after {} lines", tally.lines));
    match &known.reading.end {
        End::Truncated(why) => (InputStatus::Truncated, after(why)),
        End::Damaged(why) => (InputStatus::Damaged, after(why)),
        End::Limit(why) => (InputStatus::Limit, after(why)),
        End::Complete | End::Stopped if tally.lines > 0 && tally.record_count() == 0 => {
            (InputStatus::Unrecognised, Some("no known format fits its lines".into()))
        }
        End::Complete | End::Stopped => match known.reading.part {
            Part::Whole => (InputStatus::Complete, None),
            Part::Blocks { outside: true, .. } => {
                (InputStatus::Skipped, Some("outside the time range".into()))
            }
            Part::Blocks { .. } => {
                let length = known.source.length.unwrap_or(tally.bytes);
                let text = format!(
                    "{} of {} bytes were read: the others lie outside the time range",
                    tally.bytes, length
                );
                (InputStatus::Complete, Some(text))
            }
        },
    }
}

pub(super) fn warnings(
    inputs: &[Input],
    caveats: &[Caveat],
    found: &Found,
    discovery: &Discovery,
    outside: u64,
) -> Vec<Warning> {
    let mut out = Vec::new();
    let general = |text: String| Warning { path: None, text };
    for input in inputs {
        let lost = matches!(
            input.status,
            InputStatus::Truncated | InputStatus::Damaged | InputStatus::Limit | InputStatus::Unreadable
        );
        if lost && let Some(detail) = &input.detail {
            out.push(Warning { path: Some(input.path.clone()), text: detail.clone() });
        }
    }
    out.extend(found.failed.iter().filter_map(|(id, why)| {
        let source = discovery.sources.get(*id as usize)?;
        let text = format!("could not be read a second time ({why}): quotes and clients from it are missing");
        Some(Warning { path: Some(source.name.clone()), text })
    }));
    let assumed = inputs.iter().filter(|i| i.time_zone_source == Some(ZoneSource::Assumed)).count();
    if assumed > 0 {
        out.push(general(format!(
            "{assumed} of the files state no time zone and no other file tells it: this machine's zone is assumed (--assume-tz names another)"
        )));
    }
    if outside > 0 {
        out.push(general(format!(
            "{outside} lines have times far from all others (a clock gone wrong): they are left out"
        )));
    }
    for caveat in caveats {
        out.push(general(
            match caveat {
                Caveat::NoHealthyPeriod => {
                    "no healthy period seen: the logs begin and end broken, so nothing tells what normal was"
                }
                Caveat::Overdispersed => "failures come in clumps: the intervals are wider than they look",
                Caveat::TooFewRequests => "too few requests to find anything but a total outage",
            }
            .into(),
        ));
    }
    out
}
