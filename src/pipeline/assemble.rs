//! What was read → the report: zones, roles, detection, the second look, the account.

use std::collections::BTreeMap;
use std::io;

use super::closer::{Candidate, Found, look};
use super::duplicates::duplicates;
use super::edges::{Room, Told, sharpen_slow};
use super::habits::{common, habits};
use super::reading::Reading;
use super::roles::{Member, roles};
use super::routes::tell_routes;
use super::rows::{inputs, warnings};
use super::streams::search;
use super::zones::{self, Zone, zones};
use super::{Options, Progress, Tools, clock, instant, nothing, window};
use crate::discover::{Discovery, Source};
use crate::error::{Result, Warning};
use crate::explain::facts::{DisplayZone, Input, Report, Role, Totals};
use crate::explain::{Case, Sighting, explain, overview};
use crate::format::Class;
use crate::inspect::Window;
use crate::model::{MICROS, Offset, Timestamp, Untrusted};
use crate::report::time;
use crate::signature::{RuleKind, Rules};
use crate::survey::{Limits, RareKind, SiteSeries, Tally};

/// Rare lines that the timeline is made of, at most: those near an incident, then the earliest.
const MAX_SIGHTINGS: usize = 5_000;
/// Seconds around the requests' time of which messages are told as well.
const AROUND: i64 = 86_400;
/// Seconds before an incident of which no message may be cut for those of other times.
const NEAR: i64 = 2 * 3_600;
/// Seconds before an incident from which on its messages are gathered.
const PRELUDE: i64 = 15;
/// Seconds of healthy traffic to compare with, at most.
const COMPARE: i64 = 3_600;
/// Requests to compare with, about: more make no share more certain than it needs to be.
const COMPARE_REQUESTS: f64 = 20_000.0;

/// A source with all that is known of it.
pub(super) struct Known<'a> {
    pub(super) source: &'a Source,
    pub(super) reading: &'a Reading,
    pub(super) zone: Zone,
    pub(super) role: Option<Role>,
    pub(super) duplicate_of: Option<usize>,
}

impl Known<'_> {
    /// Whether its lines count.
    pub(super) fn counts(&self) -> bool {
        self.duplicate_of.is_none()
    }
}

pub(super) fn assemble(
    options: &Options,
    tools: &Tools,
    discovery: &Discovery,
    readings: &[std::result::Result<Reading, io::Error>],
    buffer: usize,
    progress: &dyn Progress,
) -> Result<Report> {
    let twins = duplicates(&discovery.sources, readings, buffer);
    let known = know(options, tools, discovery, readings, &twins);
    refuse_nothing(discovery, readings, &known)?;

    let counted: Vec<(&Tally, &Zone)> =
        known.iter().filter(|k| k.counts()).map(|k| (&k.reading.tally, &k.zone)).collect();
    let zone = options.display_zone.clone().unwrap_or_else(|| display_zone(&known));
    // requests say what the time is about; a package that was installed years before does not
    let edge = |k: &&Known<'_>| k.counts() && k.role == Some(Role::Edge);
    let requested: Vec<(&Tally, &Zone)> =
        known.iter().filter(edge).map(|k| (&k.reading.tally, &k.zone)).collect();
    let (all, outside) = match window::window(&requested) {
        (Some(all), outside) => (Some(all), outside),
        (None, _) => window::window(&counted),
    };
    let told = all.map(|(first, last)| (first.plus_seconds(-AROUND), last.plus_seconds(AROUND)));
    let told = range(options, &zone, told);
    let range = range(options, &zone, all);
    let seconds = range.map_or(0..0, |(from, to)| from.second()..to.second().saturating_add(1));
    let mut search = search(&known, Limits::merged(), seconds.clone(), options.sensitivity);
    let bare = candidates(&known, &[]);
    let room = Room { candidates: &bare, tools, buffer, progress };
    tell_routes(&mut search, &seconds, room, options.sensitivity);
    let of_slow = sharpen_slow(&mut search.incidents, &search.streams, room);
    let site = &search.site;

    let windows: Vec<Window> = search
        .incidents
        .iter()
        .zip(of_slow)
        .map(|(m, Told { named, slow_kinds })| {
            let stream = search.streams.get(m.stream).cloned().unwrap_or_default();
            let place = stream.place.as_ref().map(|(dimension, value)| (*dimension, value.raw()));
            Window { slow_kinds, named, ..closer_window(&m.finding).watching(m, place, stream.messages) }
        })
        .collect();
    let (rare, cut) = rare_lines(&known, told, &windows, &tools.rules);
    let candidates = candidates(&known, &rare);
    let found = look(&candidates, &windows, tools, buffer, progress);
    let sightings = sightings(rare, &found);
    let names: Vec<Untrusted> = discovery.sources.iter().map(|s| s.name.clone()).collect();
    let case = Case {
        incidents: &search.incidents,
        streams: &search.streams,
        windows: &windows,
        bursts: &search.bursts,
        blips: &search.blips,
        caveats: &search.caveats,
        closeups: &found.closeups,
        series: &site.series,
        sightings: &sightings,
        names: &names,
        rules: &tools.rules,
    };
    let (incidents, timeline) = explain(&case);
    let inputs = inputs(tools, discovery, readings, &known);
    let mut warnings = warnings(&inputs, &search.caveats, &found, discovery, outside);
    if cut > 0 {
        let text = format!("{cut} known messages far from any incident are left out of the timeline");
        warnings.push(Warning { path: None, text });
    }
    if let (None, Some((first, last))) = (range, all) {
        let at = |t| time::rfc3339(&zone, t);
        let text = format!(
            "the asked-for time range lies outside the logs, which run from {} to {}",
            at(first),
            at(last)
        );
        warnings.push(Warning { path: None, text });
    }
    Ok(Report {
        zone,
        window: range,
        totals: totals(site, &inputs),
        warnings,
        source_names: discovery.sources.iter().map(|s| s.name.clone()).collect(),
        overview: overview(&site.series, range),
        incidents,
        timeline,
        inputs,
    })
}

/// Zones and roles of everything that could be read.
fn know<'a>(
    options: &Options,
    tools: &Tools,
    discovery: &'a Discovery,
    readings: &'a [std::result::Result<Reading, io::Error>],
    twins: &[Option<usize>],
) -> Vec<Known<'a>> {
    let read: Vec<(&Source, &Reading, Option<usize>)> = discovery
        .sources
        .iter()
        .zip(readings)
        .zip(twins)
        .filter_map(|((source, reading), twin)| reading.as_ref().ok().map(|r| (source, r, *twin)))
        .collect();
    let sources: Vec<zones::Member<'_>> = read
        .iter()
        .map(|(source, reading, _)| zones::Member {
            tally: &reading.tally,
            group: &source.group,
            modified: source.modified,
        })
        .collect();
    let is_symptom = |kind| match kind {
        RareKind::Severe => true,
        RareKind::Rule(id) => tools.rules.get(id).is_some_and(|rule| rule.kind == RuleKind::Symptom),
    };
    let assume = options.assume_zone.as_ref().map(|zone| clock(zone).zone);
    let zones = zones(&sources, &is_symptom, assume.as_ref());
    let members: Vec<Member<'_>> = read
        .iter()
        .zip(&zones)
        .map(|((source, reading, _), zone)| Member {
            group: &source.group,
            class: class(tools, &reading.tally),
            stated_edge: tools.edge.fit(&source.name),
            tally: &reading.tally,
            clock: zone.clock.clone(),
        })
        .collect();
    let roles = roles(&members);
    read.into_iter()
        .zip(zones)
        .zip(roles)
        .map(|(((source, reading, duplicate_of), zone), role)| Known {
            source,
            reading,
            zone,
            role,
            duplicate_of,
        })
        .collect()
}

/// The class of the format that most records have.
fn class(tools: &Tools, tally: &Tally) -> Option<Class> {
    main_format(tally).and_then(|id| tools.formats.definition(id)).map(|d| d.class)
}

pub(super) fn main_format(tally: &Tally) -> Option<crate::sniff::FormatId> {
    tally.records.iter().max_by_key(|&(id, n)| (*n, std::cmp::Reverse(*id))).map(|(id, _)| *id)
}

/// An error if there is nothing that says anything.
fn refuse_nothing(
    discovery: &Discovery,
    readings: &[std::result::Result<Reading, io::Error>],
    known: &[Known<'_>],
) -> Result<()> {
    // an empty file is a log in which nothing happened
    let useful = known.iter().any(|k| k.reading.tally.record_count() > 0 || k.reading.tally.lines == 0);
    if useful {
        return Ok(());
    }
    let unreadable = readings.iter().filter_map(|r| r.as_ref().err()).map(ToString::to_string).next();
    let name = |n: &Untrusted| String::from_utf8_lossy(n.raw()).into_owned();
    let why = if let Some(source) = discovery.sources.first() {
        let reason =
            unreadable.unwrap_or_else(|| "no known format fits its lines; name one with --log-format".into());
        let others = discovery.sources.len().saturating_sub(1);
        let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
        format!("{}{more}: {reason}", name(&source.name))
    } else if let Some(aside) = discovery.set_aside.first() {
        let others = discovery.set_aside.len().saturating_sub(1);
        let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
        format!("{}{more}: {}", name(&aside.name), aside.detail)
    } else {
        "there is no file in the given paths".into()
    };
    Err(nothing(&why))
}

/// The zone that most requests state; where none do, that most messages state, else the machine's.
fn display_zone(known: &[Known<'_>]) -> DisplayZone {
    let of = |role: Option<Role>| {
        let chosen = known.iter().filter(|k| role.is_none() || k.role == role);
        common(&habits(chosen.map(|k| (&k.source.group, &k.reading.tally))))
    };
    if let Some(steps) = of(Some(Role::Edge)).or_else(|| of(None)) {
        return steps.constant().map_or(DisplayZone::Stepped(steps), DisplayZone::Fixed);
    }
    let any = known
        .iter()
        .find_map(|k| k.reading.tally.naive.days.iter().next().map(|(day, _)| (&k.zone.clock, day)));
    let seconds = any.map_or(0, |(clock, day)| clock.offset_at(day.saturating_mul(86_400)));
    DisplayZone::Fixed(Offset(i32::try_from(seconds).unwrap_or(0)))
}

/// What is analysed: the logs' own time within the asked-for range.
fn range(
    options: &Options,
    zone: &DisplayZone,
    all: Option<(Timestamp, Timestamp)>,
) -> Option<(Timestamp, Timestamp)> {
    let (first, last) = all?;
    let since = options.since.map(|b| instant(b, zone)).map_or(first, |s| s.max(first));
    // `until` itself is excluded
    let until = options
        .until
        .map(|b| Timestamp::from_seconds(instant(b, zone).micros().saturating_sub(1).div_euclid(MICROS)));
    let until = until.map_or(last, |u| u.min(last));
    (since <= until).then_some((since, until))
}

/// The window of a finding, and health before it, up to an hour, to compare with (after it where there is none).
fn closer_window(finding: &crate::detect::Finding) -> Window {
    let at = Timestamp::from_seconds;
    let enough = COMPARE_REQUESTS / finding.baseline.requests_per_second.max(1e-9);
    #[allow(clippy::cast_possible_truncation, reason = "clamped to the range of COMPARE")]
    let most = enough.clamp(60.0, COMPARE as f64) as i64;
    let compare = finding.baseline.window.map(|(from, to)| {
        let before = to.min(finding.start.second.saturating_sub(1));
        if before > from {
            (at(from.max(before.saturating_sub(most))), at(before.saturating_add(1)))
        } else {
            (at(from), at(to.min(from.saturating_add(most)).saturating_add(1)))
        }
    });
    Window {
        start: at(finding.start.second),
        end: at(finding.end.second.saturating_add(1)),
        compare,
        messages_from: at(finding.start.second.saturating_sub(PRELUDE)),
        ..Window::default()
    }
}

/// A rare line whose number is not known yet.
struct Rare {
    time: Timestamp,
    source: u32,
    offset: u64,
    kind: RareKind,
    level: Option<crate::model::Level>,
    text: Untrusted,
    count: u64,
}

/// Known messages of all sources within the range, by time, and how many more there are than are kept.
fn rare_lines(
    known: &[Known<'_>],
    range: Option<(Timestamp, Timestamp)>,
    windows: &[Window],
    rules: &Rules,
) -> (Vec<Rare>, usize) {
    let Some((from, to)) = range else { return (Vec::new(), 0) };
    let mut out = Vec::new();
    for k in known.iter().filter(|k| k.counts()) {
        for (timed, naive) in [(&k.reading.tally.zoned, false), (&k.reading.tally.naive, true)] {
            for (&kind, lines) in &timed.rare {
                // what no rule knows is told per incident, from the second pass
                if kind == RareKind::Severe {
                    continue;
                }
                out.extend(lines.iter().filter_map(|(_, rare)| {
                    let first = rare.first.as_ref()?;
                    let time = if naive { k.zone.clock.instant(first.at) } else { first.at };
                    (from <= time && time <= to).then(|| Rare {
                        time,
                        source: k.source.id.0,
                        offset: first.offset,
                        kind,
                        level: first.level,
                        text: Untrusted::new(&first.text),
                        count: rare.count,
                    })
                }));
            }
        }
    }
    let mut cut = out.len().saturating_sub(MAX_SIGHTINGS);
    if cut > 0 {
        // jobs are in no timeline: they go first, and nobody misses them
        let job = |kind| matches!(kind, RareKind::Rule(id) if rules.get(id).is_some_and(|r| r.kind == RuleKind::Job));
        let near = |r: &Rare| windows.iter().any(|w| w.start.plus_seconds(-NEAR) <= r.time && r.time < w.end);
        out.sort_by_cached_key(|r| (!near(r), job(r.kind), r.time, r.kind, r.source, r.offset));
        cut = out.iter().skip(MAX_SIGHTINGS).filter(|r| !job(r.kind)).count();
        out.truncate(MAX_SIGHTINGS);
    }
    out.sort_by_key(|r| (r.time, r.kind, r.source, r.offset));
    (out, cut)
}

fn candidates<'a>(known: &'a [Known<'a>], rare: &[Rare]) -> Vec<Candidate<'a>> {
    let mut offsets: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for line in rare {
        offsets.entry(line.source).or_default().push(line.offset);
    }
    known
        .iter()
        .filter(|k| k.counts())
        .map(|k| {
            let mut offsets = offsets.remove(&k.source.id.0).unwrap_or_default();
            offsets.sort_unstable();
            offsets.dedup();
            Candidate {
                source: k.source,
                reading: k.reading,
                clock: k.zone.clock.clone(),
                role: k.role,
                offsets,
            }
        })
        .collect()
}

fn sightings(rare: Vec<Rare>, found: &Found) -> Vec<Sighting> {
    rare.into_iter()
        .filter_map(|line| {
            let location = *found.locations.get(&(line.source, line.offset))?;
            Some(Sighting {
                time: line.time,
                kind: line.kind,
                level: line.level,
                text: line.text,
                count: line.count,
                location,
            })
        })
        .collect()
}

fn totals(site: &SiteSeries, inputs: &[Input]) -> Totals {
    Totals {
        requests: site.requests,
        failed_requests: site.failures,
        probe_requests: site.probes,
        lines: inputs.iter().map(|i| i.lines).sum(),
        bytes: inputs.iter().map(|i| i.bytes).sum(),
        inputs: inputs.len() as u64,
    }
}
