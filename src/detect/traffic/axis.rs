//! The time axis that missing requests are looked for on: slots that have requests, and each pause between them as one
//! piece, so that its size follows the slots and not the seconds.

use super::super::{Series, Slot};

/// A pause this long is no silence: a rotated file that is not at hand looks the same. Neither is one line dated 1970.
pub(super) const SESSION_BREAK_SECONDS: i64 = 86_400;
/// Slots are never this wide; an input that says so is cut down to it.
const WIDEST_SLOT_SECONDS: i64 = 86_400;

/// Seconds with one expectation: a slot, or a pause between two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// First second.
    pub(super) start: i64,
    /// One past the last.
    pub(super) end: i64,
    /// Requests that came.
    pub(super) count: f64,
    /// What these are counted against: seconds, or the requests of the whole group.
    pub(super) exposure: f64,
}

/// What an axis counts its requests against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    /// Time: the requests of a whole site.
    Time,
    /// The requests of the whole group: one member's share.
    Group,
}

/// Pieces, ascending, without overlap; within a session without gaps, unless nothing was exposed in them. There may be
/// millions: what they hold is kept as sums, which are exact, being sums of whole numbers.
#[derive(Debug)]
pub(super) struct Axis {
    /// First second of each piece.
    starts: Vec<i64>,
    /// Seconds of each piece, a day at most.
    lengths: Vec<u32>,
    pub(super) against: Against,
    /// Requests in the pieces before each index; one more entry than pieces.
    counts: Vec<f64>,
    /// Exposure in the pieces before each index.
    exposures: Vec<f64>,
    /// First piece of each session, ascending.
    sessions: Vec<usize>,
    /// Recorded time, without the pauses between sessions.
    pub(super) active_seconds: f64,
    /// Seconds per slot.
    pub(super) width: i64,
}

impl Axis {
    /// The requests of a whole site against time.
    pub(super) fn of_site(series: &Series) -> Self {
        let width = width_of(series);
        let next_to = |pair: &[Slot]| matches!(pair, [a, b] if a.second.saturating_add(width) >= b.second);
        let pauses = series.slots.windows(2).filter(|pair| !next_to(pair)).count();
        let mut axis = Self::new(series.slots.len().saturating_add(pauses), Against::Time, width);
        let mut before: Option<i64> = None;
        for (second, count) in counted(series, width) {
            let end = second.saturating_add(width);
            if let Some(from) = before.filter(|&from| from < second) {
                let seconds = second.saturating_sub(from);
                if seconds < SESSION_BREAK_SECONDS {
                    axis.push(Piece { start: from, end: second, count: 0.0, exposure: seconds as f64 });
                }
            }
            axis.push(Piece { start: second, end, count, exposure: width as f64 });
            before = Some(end);
        }
        axis
    }

    /// One member's requests against all of its group, from slots that have any. Nothing before its first request: it
    /// may not have been there yet.
    pub(super) fn of_member(member: &Series, peers: &Series) -> Self {
        let width = width_of(member).max(width_of(peers));
        let mut of_member = counted(member, width).peekable();
        let mut of_peers = counted(peers, width).peekable();
        let mut axis = Self::new(member.slots.len().max(peers.slots.len()), Against::Group, width);
        let mut seen = false;
        loop {
            let next = match (of_member.peek(), of_peers.peek()) {
                (Some(&(a, _)), Some(&(b, _))) => a.min(b),
                (Some(&(a, _)), None) => a,
                (None, Some(&(b, _))) => b,
                (None, None) => break,
            };
            let own = of_member.next_if(|&(second, _)| second == next).map_or(0.0, |(_, count)| count);
            let others = of_peers.next_if(|&(second, _)| second == next).map_or(0.0, |(_, count)| count);
            seen |= own > 0.0;
            if seen {
                let end = next.saturating_add(width);
                axis.push(Piece { start: next, end, count: own, exposure: own + others });
            }
        }
        axis
    }

    /// Without pieces yet, and room for so many.
    fn new(pieces: usize, against: Against, width: i64) -> Self {
        let sums = || {
            let mut sums = Vec::with_capacity(pieces.saturating_add(1));
            sums.push(0.0);
            sums
        };
        Self {
            starts: Vec::with_capacity(pieces),
            lengths: Vec::with_capacity(pieces),
            against,
            counts: sums(),
            exposures: sums(),
            sessions: Vec::new(),
            active_seconds: 0.0,
            width,
        }
    }

    fn push(&mut self, piece: Piece) {
        let before = self.starts.last().map(|_| self.end(self.len()));
        match before.map(|end| piece.start.saturating_sub(end)).filter(|&pause| pause < SESSION_BREAK_SECONDS)
        {
            Some(pause) => self.active_seconds += pause.max(0) as f64,
            None => self.sessions.push(self.len()),
        }
        let seconds = piece.end.saturating_sub(piece.start);
        self.active_seconds += seconds as f64;
        self.counts.push(self.requests() + piece.count);
        self.exposures.push(self.exposures.last().copied().unwrap_or(0.0) + piece.exposure);
        self.starts.push(piece.start);
        self.lengths.push(u32::try_from(seconds).unwrap_or(0));
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece> {
        let counts = self.counts.iter().zip(self.counts.iter().skip(1));
        let exposures = self.exposures.iter().zip(self.exposures.iter().skip(1));
        let places = self.starts.iter().zip(&self.lengths);
        places.zip(counts.zip(exposures)).map(|((&start, &length), (count, exposure))| Piece {
            start,
            end: start.saturating_add(i64::from(length)),
            count: count.1 - count.0,
            exposure: exposure.1 - exposure.0,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// All requests.
    pub(super) fn requests(&self) -> f64 {
        self.counts.last().copied().unwrap_or(0.0)
    }

    pub(super) fn days(&self) -> f64 {
        self.active_seconds / 86_400.0
    }

    /// Requests in the half-open range of pieces.
    pub(super) fn count_in(&self, from: usize, until: usize) -> f64 {
        difference(&self.counts, from, until)
    }

    /// Exposure in the half-open range of pieces.
    pub(super) fn exposure_in(&self, from: usize, until: usize) -> f64 {
        difference(&self.exposures, from, until)
    }

    /// The half-open range of pieces of the session that holds this one.
    pub(super) fn session_of(&self, piece: usize) -> (usize, usize) {
        let next = self.sessions.partition_point(|&first| first <= piece);
        let from = next.checked_sub(1).and_then(|index| self.sessions.get(index)).copied().unwrap_or(0);
        (from, self.sessions.get(next).copied().unwrap_or(self.len()))
    }

    /// The first piece such that those from it up to `until` (excluded) hold at most so many requests less one: walking
    /// back from `until`, where `wanted` requests are reached. Not before `limit`.
    pub(super) fn back_to_count(&self, until: usize, wanted: f64, limit: usize) -> usize {
        let all = self.counts.get(until).copied().unwrap_or(0.0);
        // counts[i] ≤ all − wanted for the last i that leaves enough.
        let past = self.counts.partition_point(|&before| before <= all - wanted);
        past.saturating_sub(1).clamp(limit.min(until), until)
    }

    /// One past the last piece that is needed for `wanted` requests from `from` on. Not beyond `limit`.
    pub(super) fn on_to_count(&self, from: usize, wanted: f64, limit: usize) -> usize {
        let already = self.counts.get(from).copied().unwrap_or(0.0);
        let reached = self.counts.partition_point(|&before| before < already + wanted);
        reached.clamp(from, limit.max(from))
    }

    /// The same for exposure.
    pub(super) fn back_to_exposure(&self, until: usize, wanted: f64, limit: usize) -> usize {
        let all = self.exposures.get(until).copied().unwrap_or(0.0);
        let past = self.exposures.partition_point(|&before| before <= all - wanted);
        past.saturating_sub(1).clamp(limit.min(until), until)
    }

    /// See [`back_to_exposure`](Self::back_to_exposure).
    pub(super) fn on_to_exposure(&self, from: usize, wanted: f64, limit: usize) -> usize {
        let already = self.exposures.get(from).copied().unwrap_or(0.0);
        let reached = self.exposures.partition_point(|&before| before < already + wanted);
        reached.clamp(from, limit.max(from))
    }

    /// First second of a piece; of the one past the last, its end.
    pub(super) fn start(&self, piece: usize) -> i64 {
        self.starts.get(piece).copied().unwrap_or_else(|| self.end(piece))
    }

    /// One past the last second of a piece.
    pub(super) fn end(&self, piece: usize) -> i64 {
        let place = |at: usize| Some((*self.starts.get(at)?, *self.lengths.get(at)?));
        let known = place(piece).or_else(|| place(self.len().checked_sub(1)?));
        known.map_or(0, |(start, length)| start.saturating_add(i64::from(length)))
    }

    pub(super) fn count(&self, piece: usize) -> f64 {
        match (self.counts.get(piece), self.counts.get(piece.saturating_add(1))) {
            (Some(before), Some(with)) => with - before,
            _ => 0.0,
        }
    }

    /// The piece is the first of a session other than the first.
    pub(super) fn breaks_before(&self, piece: usize) -> bool {
        piece > 0 && self.sessions.binary_search(&piece).is_ok()
    }

    /// Half-open range of pieces that begin in the half-open range of seconds.
    pub(super) fn between(&self, from: i64, until: i64) -> (usize, usize) {
        let first = self.starts.partition_point(|&start| start < from);
        let end = self.starts.partition_point(|&start| start < until);
        (first, end.max(first))
    }
}

fn difference(sums: &[f64], from: usize, until: usize) -> f64 {
    let at = |index: usize| sums.get(index).or(sums.last()).copied().unwrap_or(0.0);
    (at(until) - at(from)).max(0.0)
}

fn width_of(series: &Series) -> i64 {
    i64::from(series.slot_seconds.max(1)).min(WIDEST_SLOT_SECONDS)
}

/// (first second, requests) of a series' slots, widened to `width`, strictly ascending and without overlap whatever the
/// input is like; slots without requests are left out.
fn counted(series: &Series, width: i64) -> impl Iterator<Item = (i64, f64)> + '_ {
    let rebinned = i64::from(series.slot_seconds.max(1)) < width;
    let place = move |second: i64| {
        if rebinned { second.div_euclid(width).saturating_mul(width) } else { second }
    };
    let mut slots = series.slots.iter().filter(|slot| slot.requests > 0).peekable();
    let mut least = i64::MIN;
    std::iter::from_fn(move || {
        let first = slots.next()?;
        let second = place(first.second).max(least);
        let mut count = f64::from(first.requests);
        while let Some(slot) = slots.next_if(|slot| place(slot.second) < second.saturating_add(width)) {
            count += f64::from(slot.requests);
        }
        least = second.saturating_add(width);
        Some((second, count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(seconds: &[i64], width: u32) -> Series {
        let slots = seconds.iter().map(|&second| Slot { second, requests: 2, failures: 0, clients: None });
        Series { slots: slots.collect(), slot_seconds: width, ..Series::default() }
    }

    #[test]
    fn a_pause_is_one_piece_and_a_day_of_pause_is_none() {
        let axis = Axis::of_site(&series(&[10, 11, 5000, 200_000], 1));
        let spans: Vec<_> = axis.pieces().map(|piece| (piece.start, piece.end)).collect();
        assert_eq!(spans, [(10, 11), (11, 12), (12, 5000), (5000, 5001), (200_000, 200_001)]);
        assert_eq!(axis.session_of(3), (0, 4));
        assert_eq!(axis.session_of(4), (4, 5));
        assert!((axis.active_seconds - 4992.0).abs() < 1e-9);
    }

    #[test]
    fn a_member_counts_against_its_group_from_its_first_request_on() {
        let axis = Axis::of_member(&series(&[12, 20], 1), &series(&[5, 12, 13], 1));
        let told: Vec<_> = axis.pieces().map(|piece| (piece.start, piece.count, piece.exposure)).collect();
        assert_eq!(told, [(12, 2.0, 4.0), (13, 0.0, 2.0), (20, 2.0, 2.0)]);
    }

    #[test]
    fn slots_of_two_widths_meet_in_the_wider() {
        let axis = Axis::of_member(&series(&[0, 1, 5], 1), &series(&[0, 4], 4));
        let told: Vec<_> = axis.pieces().map(|piece| (piece.start, piece.count, piece.exposure)).collect();
        assert_eq!(told, [(0, 4.0, 6.0), (4, 2.0, 4.0)]);
    }

    #[test]
    fn walks_by_count() {
        let axis = Axis::of_site(&series(&[0, 1, 2, 3], 1));
        assert_eq!(axis.back_to_count(4, 3.0, 0), 2);
        assert_eq!(axis.back_to_count(4, 4.0, 0), 2);
        assert_eq!(axis.back_to_count(4, 100.0, 1), 1);
        assert_eq!(axis.on_to_count(0, 3.0, 4), 2);
        assert_eq!(axis.on_to_count(1, 100.0, 3), 3);
    }
}
