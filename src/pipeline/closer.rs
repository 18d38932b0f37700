//! The second pass: only what overlaps an incident, and the numbers of the lines that are named.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;

use super::reading::open;
use super::{Progress, Tools};
use crate::discover::{Packing, Source};
use crate::explain::facts::Role;
use crate::input::{Piece, Reader};
use crate::inspect::{Closeup, Inspector, Kit, Subject, Visit, Window, plan, read_range};
use crate::model::Location;
use crate::survey::{Clock, Merge};

use super::reading::Reading;

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
    let bytes: u64 = visits
        .iter()
        .flat_map(|(_, v)| {
            v.iter().map(|v| {
                let r = read_range(&v.blocks);
                r.end - r.start
            })
        })
        .sum();
    progress.begin("looking closer", Some(bytes));
    let mut found = visits
        .par_iter()
        .filter_map(|(i, visits)| candidates.get(*i).map(|c| (c, visits)))
        .map(|(candidate, visits)| look_at(candidate, visits, windows, tools, buffer, progress))
        .reduce(Found::default, |mut a, b| {
            a.absorb(b);
            a
        });
    found.closeups.resize_with(windows.len(), Closeup::default);
    found
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
    let packing = candidate.reading.kept.as_ref().map_or(candidate.source.packing, |opened| opened.packing());
    if packing != Packing::Plain && visits.len() > 1 {
        let end = visits.last().map_or(0, |v| v.blocks.end);
        visits.truncate(1);
        if let Some(first) = visits.first_mut() {
            first.blocks.end = end;
        }
    }
    visits
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
    let runs = visits.par_iter().map_init(
        || Reader::new(buffer),
        |reader, visit| {
            let mut inspector = Inspector::new(kit, subject, windows, visit);
            let range = read_range(&visit.blocks);
            progress.advance(range.end - range.start);
            let read = catch_unwind(AssertUnwindSafe(|| {
                reader.read(opened, range, &mut |_| {}, &mut |piece| {
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
