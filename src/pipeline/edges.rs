//! The edges of slow incidents, from single requests: what the first pass counts per second does not tell routes apart.

use super::Progress;
use super::Tools;
use super::closer::{Candidate, look};
use crate::detect::{Beside, Boundary, Finding, Merged, Sharp, Signal, TimedRequest, sharpen};
use crate::explain::Stream;
use crate::inspect::{Distinct, Pace, Paced, Paces, SlowKinds, Watch, Window};
use crate::model::{SourceId, Timestamp};

/// Health is taken from so long on either side of an incident, at least and at most, …
const BESIDE: (i64, i64) = (300, 2 * 3600);
/// … and from so many requests of its place, about.
const BESIDE_REQUESTS: f64 = 5_000.0;
/// Nor from nearer than this to any incident.
const MARGIN: i64 = 30;
/// Of an incident with more requests than this …
const INSIDE_REQUESTS: f64 = 16_000.0;
/// … so many stretches tell, evenly spread over it, with as many requests together.
const PIECES: i64 = 16;
/// An edge is looked for this far beyond its interval, at least and at most.
const OUTWARDS: (i64, i64) = (30, 7200);
/// The same, in requests of its place: enough to be sure that these are healthy.
const OUTWARD_REQUESTS: f64 = 400.0;
/// Into the incident it is looked for at least this far, and so many requests.
const INWARDS: i64 = 60;
/// See [`INWARDS`].
const INWARD_REQUESTS: f64 = 1500.0;
/// But no further than this part of it: the rest belongs to the other edge.
const INWARD_PART: f64 = 0.75;
/// The same in widths of the edge's interval.
const WIDTHS: i64 = 2;

/// What single requests told of an incident, for the close-up.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// The lines of the first and the last slow request.
    pub(super) named: Option<[(SourceId, u64); 2]>,
    pub(super) slow_kinds: Option<SlowKinds>,
}

/// Where the second pass reads.
#[derive(Clone, Copy)]
pub(super) struct Room<'a> {
    pub(super) candidates: &'a [Candidate<'a>],
    pub(super) tools: &'a Tools,
    pub(super) buffer: usize,
    pub(super) progress: &'a dyn Progress,
}

/// Tells slow incidents from single requests: where they begin and end, how many were slow, and whether it was the place
/// that shows it best or all of the site.
pub(super) fn sharpen_slow(incidents: &mut [Merged], streams: &[Stream], room: Room<'_>) -> Vec<Told> {
    let mut told = vec![Told::default(); incidents.len()];
    let is_slow = |(_, incident): &(usize, &Merged)| incident.finding.signal == Signal::Latency;
    let mut slow: Vec<usize> = incidents.iter().enumerate().filter(is_slow).map(|(index, _)| index).collect();
    // what turns out to be the site's is looked at again, as such
    let mut sampled = Vec::new();
    while !slow.is_empty() {
        let windows: Vec<Window> = slow.iter().map(|&index| window(incidents, index, streams)).collect();
        let found = look(room.candidates, &windows, room.tools, room.buffer, room.progress);
        let mut again = Vec::new();
        for ((index, closeup), window) in slow.into_iter().zip(found.closeups).zip(windows) {
            let (Some(incident), Some(told)) = (incidents.get_mut(index), told.get_mut(index)) else {
                continue;
            };
            let Some(seen) = sharpen_one(incident, told, &closeup.paces, &[]) else { continue };
            if seen.everywhere && incident.stream != 0 {
                lead_with_the_site(incident);
                again.push(index);
            } else if let Some(window) = seen.ended.and_then(|ended| under_way(&window, ended))
                && closeup.paces.edges[1].weight() > 1.0
            {
                sampled.push((index, closeup.paces, window));
            }
        }
        slow = again;
    }
    let windows: Vec<Window> = sampled.iter().map(|(_, _, window)| window.clone()).collect();
    if !windows.is_empty() {
        let found = look(room.candidates, &windows, room.tools, room.buffer, room.progress);
        for ((index, paces, _), closeup) in sampled.into_iter().zip(found.closeups) {
            if let (Some(incident), Some(told)) = (incidents.get_mut(index), told.get_mut(index)) {
                sharpen_one(incident, told, &paces, &timed(&closeup.paces.edges[1]));
            }
        }
    }
    told
}

/// Of very many requests around an end a sample is kept, and in a sample the last slow one to be written is hardly ever the
/// last of all. So those that were under way when it ended are asked for: they are few.
fn under_way(window: &Window, (from, until): (Timestamp, Timestamp)) -> Option<Window> {
    let [_, (_, last)] = window.paced.edges;
    (from <= until && from < last).then(|| Window {
        paced: Paced {
            beside: Vec::new(),
            inside: Vec::new(),
            edges: [(from, from), (from, last)],
            under_way: Some((from, until)),
        },
        ..window.clone()
    })
}

/// What single requests showed.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// The rest of the site was slow as well.
    everywhere: bool,
    /// Between which moments those that arrived ceased to be slow.
    ended: Option<(Timestamp, Timestamp)>,
}

/// Tells a slow incident again; `more` are requests around its end beside those of `paces`. `None` if these tell nothing.
fn sharpen_one(incident: &mut Merged, told: &mut Told, paces: &Paces, more: &[Pace]) -> Option<Shown> {
    let requests = |paces: &[Pace]| paces.iter().map(request).collect::<Vec<_>>();
    let mut edges = paces.edges.each_ref().map(timed);
    edges[1].extend(more);
    edges[1].sort_unstable();
    edges[1].dedup();
    let of_edges = edges.each_ref().map(|edge| requests(edge));
    let [start, end] = &of_edges;
    let beside = Beside {
        healthy: &requests(&timed(&paces.place.beside)),
        inside: &requests(&timed(&paces.place.inside)),
        rest: [&requests(&timed(&paces.rest.beside)), &requests(&timed(&paces.rest.inside))],
        start,
        end,
    };
    let sharpened = sharpen(&incident.finding, beside)?;
    let (by_kind, others) = sharpened.slow_us;
    told.slow_kinds = Some(SlowKinds { by_kind, others });
    // what is a sample tells no number
    let counted = (paces.place.inside.weight() <= 1.0 && incident.finding.requests as f64 <= INSIDE_REQUESTS)
        .then_some(sharpened.requests);
    let [start, end] = &edges;
    let line = |sharp: Sharp, paces: &[Pace]| paces.get(sharp.request).copied();
    let ended = sharpened.edges.map(|(_, last)| {
        let (from, until) = last.changed;
        // lines may tell whole seconds only
        (Timestamp::from_micros(from).plus_seconds(-1), Timestamp::from_micros(until).plus_seconds(1))
    });
    let edges = sharpened
        .edges
        .and_then(|(first, last)| Some(((first.range, line(first, start)?), (last.range, line(last, end)?))));
    let finding = &mut incident.finding;
    if let Some(((start_range, first), (end_range, last))) = edges {
        (finding.start.second, finding.start.range) = (first.time.second(), start_range);
        (finding.end.second, finding.end.range) = (last.time.second(), end_range);
        told.named = Some([first, last].map(|pace| (pace.source, pace.offset)));
    }
    finding.retell(sharpened.effect, counted);
    Some(Shown { everywhere: sharpened.everywhere, ended })
}

/// The site's own finding speaks for the incident, if it has one.
fn lead_with_the_site(incident: &mut Merged) {
    let of_site = |(stream, other): &(usize, Finding)| *stream == 0 && other.signal == Signal::Latency;
    match incident.others.iter().position(of_site) {
        Some(at) => incident.lead_with(at),
        None => incident.stream = 0,
    }
}

fn timed<const CAP: usize>(paces: &Distinct<Pace, CAP>) -> Vec<Pace> {
    let mut out: Vec<Pace> = paces.iter().map(|(_, pace)| *pace).collect();
    out.sort_unstable();
    out
}

fn request(pace: &Pace) -> TimedRequest {
    TimedRequest { time_us: pace.time.micros(), latency_us: pace.latency_us, kind: pace.kind }
}

/// What has to be read of an incident.
fn window(incidents: &[Merged], index: usize, streams: &[Stream]) -> Window {
    let Some(incident) = incidents.get(index) else { return Window::default() };
    let finding = &incident.finding;
    let stream = streams.get(incident.stream).cloned().unwrap_or_default();
    let (start, end) = (finding.start, finding.end);
    let lasted = finding.lasted_seconds();
    let reach = |requests: f64, rate: f64, (least, most): (i64, i64)| {
        let seconds = requests / rate.max(1e-9);
        #[allow(clippy::cast_possible_truncation, reason = "a float cast saturates")]
        let seconds = seconds as i64;
        seconds.clamp(least, most.max(least))
    };
    let inside = finding.requests as f64 / lasted.max(1) as f64;
    let usual = finding.baseline.requests_per_second;
    let spans = || incidents.iter().map(|other| (other.finding.start.range.0, other.finding.end.range.1));
    let before = spans().filter(|(_, until)| *until < start.second).map(|(_, until)| until).max();
    let after = spans().filter(|(from, _)| *from > end.second).map(|(from, _)| from).min();
    let width = |boundary: Boundary| boundary.range.1.saturating_sub(boundary.range.0).saturating_mul(WIDTHS);
    let outwards = |boundary| reach(OUTWARD_REQUESTS, usual, (width(boundary).max(OUTWARDS.0), OUTWARDS.1));
    #[allow(clippy::cast_possible_truncation, reason = "a part of a length")]
    let part = (INWARD_PART * lasted as f64) as i64;
    let inwards = |boundary| reach(INWARD_REQUESTS, inside, (width(boundary).max(INWARDS), i64::MAX));
    let edges = [
        (
            start.range.0.saturating_sub(outwards(start)).max(before.map_or(i64::MIN, |until| until + 1)),
            start.range.1.saturating_add(inwards(start)).min(start.second.saturating_add(part)),
        ),
        (
            end.range.0.saturating_sub(inwards(end)).max(end.second.saturating_sub(part)),
            end.range.1.saturating_add(outwards(end)).min(after.unwrap_or(i64::MAX)),
        ),
    ];
    let at = |(from, until): (i64, i64)| (Timestamp::from_seconds(from), Timestamp::from_seconds(until));
    // healthy is what lies between incidents
    let far = reach(BESIDE_REQUESTS, usual, BESIDE);
    let mut beside = Vec::new();
    let (mut from, until) = (start.second.saturating_sub(far), end.second.saturating_add(far));
    for (first, last) in spans() {
        let first = first.saturating_sub(MARGIN).min(until);
        if first > from {
            beside.push(at((from, first)));
        }
        from = from.max(last.saturating_add(MARGIN));
    }
    if until > from {
        beside.push(at((from, until)));
    }
    let place = stream.place.as_ref().map(|(dimension, value)| (*dimension, value.raw().into()));
    let [(first, _), (_, last)] = edges;
    Window {
        watch: Watch::Paces,
        place,
        paced: Paced {
            beside,
            inside: pieces((first, last), finding.requests as f64).into_iter().map(at).collect(),
            edges: edges.map(at),
            under_way: None,
        },
        ..Window::default()
    }
}

/// All of a stretch, or evenly spread pieces of one that has more requests than needed.
fn pieces((first, last): (i64, i64), requests: f64) -> Vec<(i64, i64)> {
    let length = last.saturating_sub(first).max(1);
    if requests <= INSIDE_REQUESTS || length < PIECES * PIECES {
        return vec![(first, last)];
    }
    let each = length / PIECES;
    #[allow(clippy::cast_possible_truncation, reason = "a part of a length")]
    let read = ((each as f64 * INSIDE_REQUESTS / requests) as i64).max(1);
    (0..PIECES)
        .map(|piece| first.saturating_add(piece * each + (each - read) / 2))
        .map(|from| (from, from.saturating_add(read)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_busy_incident_pieces_of_all_its_time_are_read() {
        assert_eq!(pieces((100, 700), 16_000.0), [(100, 700)]);
        let pieces = pieces((1000, 4200), 160_000.0);
        assert_eq!(pieces.len(), 16);
        assert!(pieces.iter().all(|(from, until)| until - from == 20), "{pieces:?}");
        assert_eq!((pieces[0], pieces[15]), ((1090, 1110), (4090, 4110)));
    }
}
