//! The second pass: only what overlaps an incident, and the numbers of the lines that are named.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;

use super::prune::runs;
use super::reading::{Reading, open};
use super::{Progress, Tools};
use crate::discover::{Packing, Source};
use crate::explain::facts::Role;
use crate::input::{Opened, Piece, Reader};
use crate::inspect::{Closeup, Inspector, Kit, Subject, Visit, Window, plan, read_range};
use crate::model::Location;
use crate::survey::{Clock, Merge};

/// Blocks whose lines are counted at a time: 8 MiB.
const RUN: u32 = 32;

/// A source to look at again.
pub(super) struct Candidate<'a> {
    pub source: &'a Source,
    pub reading: &'a Reading,
    pub clock: Clock,
    pub role: Option<Role>,
    /// Offsets whose line number is asked for, ascending.
    pub offsets: Vec<u64>,
}

/// What the second pass found: a close-up per window, and the asked-for line numbers by source and offset.
#[derive(Default)]
pub(super) struct Found {
    pub closeups: Vec<Closeup>,
    pub locations: BTreeMap<(u32, u64), Location>,
    /// Sources that could not be read again, with the reason.
    pub failed: BTreeMap<u32, String>,
}

impl Found {
    fn absorb(&mut self, other: Self) {
        if self.closeups.is_empty() {
            self.closeups = other.closeups;
        } else {
            for (mine, theirs) in self.closeups.iter_mut().zip(other.closeups) {
                mine.absorb(theirs);
            }
        }
        self.locations.extend(other.locations);
        self.failed.extend(other.failed);
    }
}

/// Looks closer.
pub(super) fn look(
    candidates: &[Candidate<'_>],
    windows: &[Window],
    tools: &Tools,
    buffer: usize,
    progress: &dyn Progress,
) -> Found {
    let visits: Vec<(usize, Vec<Visit>)> = candidates
        .iter()
        .enumerate()
        .map(|(i, c)| (i, visits(c, windows)))
        .filter(|(_, v)| !v.is_empty())
        .collect();
    let of_candidate =
        |(i, visits): &(usize, Vec<Visit>)| candidates.get(*i).map(|c| bytes_to_read(c, visits));
    progress.begin("looking closer", Some(visits.iter().filter_map(of_candidate).sum()));
    let mut found = visits
        .par_iter()
        .with_max_len(1)
        .filter_map(|(i, visits)| candidates.get(*i).map(|c| (c, visits)))
        .map(|(candidate, visits)| look_at(candidate, visits, windows, tools, buffer, progress))
        .reduce(Found::default, |mut a, b| {
            a.absorb(b);
            a
        });
    found.closeups.resize_with(windows.len(), Closeup::default);
    found
}

/// Bytes on disk that the visits need, about: what is packed is unpacked from its start.
fn bytes_to_read(candidate: &Candidate<'_>, visits: &[Visit]) -> u64 {
    let kept = candidate.reading.kept.as_ref().map(|opened| opened.length());
    let length = kept.or(candidate.source.length).unwrap_or_default();
    if packing(candidate) != Packing::Plain {
        return length;
    }
    let ranges = visits.iter().map(|visit| read_range(&visit.blocks));
    ranges.map(|range| range.end.min(length).saturating_sub(range.start)).sum()
}

fn packing(candidate: &Candidate<'_>) -> Packing {
    candidate.reading.kept.as_ref().map_or(candidate.source.packing, |opened| opened.packing())
}

fn visits(candidate: &Candidate<'_>, windows: &[Window]) -> Vec<Visit> {
    let (requests, windows) = match candidate.role {
        Some(Role::Edge) => (true, windows),
        Some(Role::Error | Role::System | Role::Application) => (false, windows),
        // only the numbers of the lines that are asked for
        Some(Role::Backend) | None => (true, [].as_slice()),
    };
    let tally = &candidate.reading.tally;
    let mut visits =
        plan(candidate.source.id, tally, &candidate.clock, requests, windows, &candidate.offsets);
    // what is packed has to be unpacked from its start for every visit: one is enough
    if packing(candidate) != Packing::Plain && visits.len() > 1 {
        let end = visits.last().map_or(0, |v| v.blocks.end);
        visits.truncate(1);
        if let Some(first) = visits.first_mut() {
            first.blocks.end = end;
        }
    }
    visits
}

/// The visits with the lines counted before them that the first pass left out.
fn numbered(
    opened: &Opened,
    reading: &Reading,
    visits: &[Visit],
    buffer: usize,
    progress: &dyn Progress,
) -> Vec<Visit> {
    let last = visits.iter().map(|visit| visit.blocks.start).max().unwrap_or(0);
    let gaps: Vec<(u32, u64)> = reading
        .part
        .unread()
        .into_iter()
        .filter(|gap| gap.end <= last)
        .map(|gap| (gap.end, lines_in(opened, &gap, buffer, progress)))
        .collect();
    let left_out = |visit: &Visit| {
        gaps.iter().filter(|(end, _)| *end <= visit.blocks.start).map(|(_, lines)| lines).sum::<u64>()
    };
    let numbered = |visit: &Visit| Visit {
        lines_before: visit.lines_before.saturating_add(left_out(visit)),
        ..visit.clone()
    };
    visits.iter().map(numbered).collect()
}

/// Lines that begin in these blocks.
fn lines_in(opened: &Opened, blocks: &Range<u32>, buffer: usize, progress: &dyn Progress) -> u64 {
    let runs: Vec<Range<u32>> = runs(blocks, RUN).collect();
    let counts = runs.par_iter().map_init(
        || Reader::new(buffer),
        |reader, blocks| {
            let mut lines = 0;
            reader.read(opened, read_range(blocks), &mut |n| progress.advance(n), &mut |piece| {
                lines += match piece {
                    Piece::Lines { bytes, .. } => {
                        memchr::memchr_iter(b'\n', bytes).count() + usize::from(!bytes.ends_with(b"\n"))
                    }
                    Piece::OverLong { .. } => 1,
                };
                ControlFlow::Continue(())
            });
            lines as u64
        },
    );
    counts.sum()
}

fn look_at(
    candidate: &Candidate<'_>,
    visits: &[Visit],
    windows: &[Window],
    tools: &Tools,
    buffer: usize,
    progress: &dyn Progress,
) -> Found {
    let reopened;
    let opened = if let Some(kept) = &candidate.reading.kept {
        kept.as_ref()
    } else {
        match open(candidate.source) {
            Ok(opened) => {
                reopened = opened;
                &reopened
            }
            Err(why) => {
                return Found {
                    failed: [(candidate.source.id.0, why.to_string())].into(),
                    ..Found::default()
                };
            }
        }
    };
    let kit = Kit { formats: &tools.formats, probes: &tools.probes, rules: &tools.rules };
    let subject = Subject {
        source: candidate.source.id,
        name: candidate.source.group.raw(),
        order: &candidate.reading.sniffed.order,
        clock: &candidate.clock,
        edge: candidate.role == Some(Role::Edge),
        wanted: &candidate.offsets,
    };
    let id = candidate.source.id;
    let visits = numbered(opened, candidate.reading, visits, buffer, progress);
    let runs = visits.par_iter().map_init(
        || Reader::new(buffer).unpacking_ahead(rayon::current_num_threads() > 1),
        |reader, visit| {
            let mut inspector = Inspector::new(kit, subject, windows, visit);
            let range = read_range(&visit.blocks);
            let read = catch_unwind(AssertUnwindSafe(|| {
                reader.read(opened, range, &mut |n| progress.advance(n), &mut |piece| {
                    match piece {
                        Piece::Lines { offset, bytes } => inspector.lines(offset, bytes),
                        Piece::OverLong { offset, .. } => inspector.over_long(offset),
                    }
                    ControlFlow::Continue(())
                })
            }));
            if read.is_err() {
                let failed = [(id.0, "a part of it made the reader fail".to_owned())].into();
                return Found { failed, ..Found::default() };
            }
            let (closeups, numbers) = inspector.finish();
            let locations = numbers
                .into_iter()
                .map(|(offset, line)| ((id.0, offset), Location { source: id, line }))
                .collect();
            Found { closeups, locations, failed: BTreeMap::new() }
        },
    );
    runs.reduce(Found::default, |mut a, b| {
        a.absorb(b);
        a
    })
}
