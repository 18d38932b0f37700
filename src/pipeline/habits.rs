//! Which offsets the logs write, and when their clock changed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Offset, Steps, Timestamp, Untrusted};
use crate::survey::{Coarse, Merge, Tally, Written};

/// Changes of one clock that are followed: summer time for thirty years. One with more does not keep time.
const MAX_CHANGES: usize = 64;
/// Changing clocks that are tried on a log without a zone.
const MAX_STEPS: usize = 64;

/// What the files of one rotation set write.
pub(super) struct Habit {
    /// Records with each offset.
    offsets: BTreeMap<Offset, u64>,
    /// The stretches of time in which one offset was written, by time; `None` where they overlap: two clocks wrote.
    runs: Option<Vec<Run>>,
}

/// A stretch of time with one offset.
#[derive(Debug, Clone, Copy)]
struct Run {
    offset: Offset,
    first: Timestamp,
    last: Timestamp,
}

/// Records with each offset of a rotation set, and when it was written.
type Seen = (BTreeMap<Offset, u64>, Option<Coarse<Written>>);

/// What each rotation set writes.
pub(super) fn habits<'a>(sources: impl Iterator<Item = (&'a Untrusted, &'a Tally)>) -> Vec<Habit> {
    let mut sets: BTreeMap<&Untrusted, Seen> = BTreeMap::new();
    for (group, tally) in sources.filter(|(_, tally)| !tally.offsets.is_empty()) {
        let (offsets, written) = sets.entry(group).or_default();
        offsets.absorb(tally.offsets.clone());
        match written {
            Some(written) => written.absorb(tally.written.clone()),
            None => *written = Some(tally.written.clone()),
        }
    }
    let runs_of = |written: Option<Coarse<Written>>| written.as_ref().and_then(runs);
    sets.into_values().map(|(offsets, written)| Habit { offsets, runs: runs_of(written) }).collect()
}

/// The stretches with one offset each. A set that writes two offsets at a time has none: what changes there is who
/// writes, not the clock.
fn runs(written: &Coarse<Written>) -> Option<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    for (_, day) in written.iter() {
        let spans = day.spans()?.filter_map(|(offset, span)| {
            let (first, last) = span.first.zip(span.last)?;
            Some(Run { offset, first, last })
        });
        let mut spans: Vec<Run> = spans.collect();
        spans.sort_by_key(|run| run.first);
        for run in spans {
            match runs.last_mut() {
                Some(before) if before.offset == run.offset => before.last = before.last.max(run.last),
                Some(before) if run.first <= before.last => return None,
                _ => runs.push(run),
            }
        }
    }
    (runs.len() <= MAX_CHANGES).then_some(runs)
}

/// The clock that writes these stretches.
fn steps(runs: &[Run]) -> Option<Steps> {
    let first = runs.first()?.offset;
    let changes: Vec<(i64, Offset)> = runs
        .windows(2)
        .filter_map(|pair| match pair {
            [before, after] => Some((change(before.last, after.first), after.offset)),
            _ => None,
        })
        .collect();
    Some(Steps::new(first, &changes))
}

/// When a clock changed that showed the old offset at `before` and the new one at `after`: at the full hour where one
/// lies between, since summer time begins and ends at one.
fn change(before: Timestamp, after: Timestamp) -> i64 {
    let second = after.second();
    let hour = second.div_euclid(3_600).saturating_mul(3_600);
    if hour > before.second() { hour } else { second }
}

impl Habit {
    /// The clock of a set that changed.
    fn changed(&self) -> Option<Steps> {
        self.runs.as_deref().filter(|runs| runs.len() > 1).and_then(steps)
    }

    /// Records that a clock explains. A set that changed is explained by a clock that changed as it did, not in half
    /// by one that never did.
    fn explained(&self, clock: &Steps) -> u64 {
        let agrees = |run: &Run| {
            clock.at(run.first.second()) == run.offset && clock.at(run.last.second()) == run.offset
        };
        match &self.runs {
            Some(runs) if !runs.is_empty() => {
                if runs.iter().all(agrees) {
                    self.offsets.values().fold(0, |sum, n| sum.saturating_add(*n))
                } else {
                    0
                }
            }
            _ => clock.constant().and_then(|offset| self.offsets.get(&offset)).copied().unwrap_or(0),
        }
    }
}

/// The clocks that the logs show: those that changed, and the offsets of sets that did not.
pub(super) fn clocks(habits: &[Habit]) -> BTreeSet<Steps> {
    let changed: BTreeSet<Steps> = habits.iter().filter_map(Habit::changed).collect();
    let constant = habits.iter().filter(|habit| habit.changed().is_none());
    let constant = constant.flat_map(|habit| habit.offsets.keys().copied().map(Steps::always));
    changed.into_iter().take(MAX_STEPS).chain(constant).collect()
}

/// The clock that most records agree with; of equal ones one that changed, then the smallest.
pub(super) fn common(habits: &[Habit]) -> Option<Steps> {
    let explained = |clock: &Steps| habits.iter().fold(0u64, |n, h| n.saturating_add(h.explained(clock)));
    let ranked =
        clocks(habits).into_iter().map(|clock| (explained(&clock), clock.constant().is_none(), clock));
    ranked.max_by_key(|(n, changed, clock)| (*n, *changed, Reverse(clock.clone()))).map(|(_, _, clock)| clock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::{Limits, Span};

    /// 01:00 UTC on a day on which clocks in Europe go forward.
    const CHANGE: i64 = 1_711_846_800;

    /// A log that writes (seconds after the change, hours east).
    fn log(lines: &[(i64, i32)]) -> Tally {
        let mut tally = Tally::new(Limits::for_sources(1));
        for &(second, hours) in lines {
            let (second, offset) = (CHANGE + second, Offset(hours * 3600));
            let mut span = Span::default();
            span.see(Timestamp::from_seconds(second));
            tally.written.bucket(second.div_euclid(86_400)).see(offset, span);
            tally.offsets.entry(offset).or_default().absorb(1);
        }
        tally
    }

    fn common_of(logs: &[(&str, &[(i64, i32)])]) -> Steps {
        let logs: Vec<_> = logs.iter().map(|(group, lines)| (Untrusted::from(*group), log(lines))).collect();
        common(&habits(logs.iter().map(|(group, tally)| (group, tally)))).unwrap()
    }

    fn forward(at: i64) -> Steps {
        Steps::new(Offset(3600), &[(at, Offset(7200))])
    }

    #[test]
    fn a_change_is_at_the_full_hour_that_its_bracket_holds() {
        assert_eq!(common_of(&[("a", &[(-90_000, 1), (-5, 1), (7, 2), (9, 2)])]), forward(CHANGE));
        assert_eq!(common_of(&[("a", &[(60, 1), (70, 2)])]), forward(CHANGE + 70));
        // rotated files are one log
        assert_eq!(common_of(&[("a", &[(7, 2), (9, 2)]), ("a", &[(-5, 1)])]), forward(CHANGE));
    }

    #[test]
    fn a_clock_may_change_back() {
        let back = 210 * 86_400;
        let steps = Steps::new(Offset(3600), &[(CHANGE, Offset(7200)), (CHANGE + back, Offset(3600))]);
        assert_eq!(common_of(&[("a", &[(-5, 1), (5, 2), (back - 5, 2), (back + 5, 1)])]), steps);
    }

    #[test]
    fn two_clocks_at_a_time_make_no_steps() {
        let one = Steps::always(Offset(3600));
        assert_eq!(common_of(&[("a", &[(-5, 1), (-4, 2), (-3, 1), (9, 1), (10, 2)])]), one);
        assert_eq!(common_of(&[("a", &[(-5, 1), (9, 1)]), ("b", &[(3, 0)])]), one);
        // each constant, one after the other
        assert_eq!(common_of(&[("a", &[(-5, 1), (-4, 1)]), ("b", &[(3, 2)])]), one);
    }

    #[test]
    fn logs_from_one_side_of_a_change_agree_with_it() {
        let summer: &[(i64, i32)] = &[(5, 2), (6, 2), (7, 2), (8, 2)];
        assert_eq!(common_of(&[("a", &[(-5, 1), (5, 2)]), ("b", summer)]), forward(CHANGE));
    }
}
