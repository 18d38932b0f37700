//! Whose wall clock a line without a zone was written by.

use std::collections::{BTreeMap, BTreeSet};

use super::habits::{clocks, common, habits};
use super::{now, window::last_dated};

use crate::explain::facts::ZoneSource;
use crate::model::{Offset, Steps, Timestamp, Untrusted};
use crate::survey::{Clock, Coarse, RareKind, Tally, WallZone};

/// The clock of a source and how it is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Zone {
    /// What readings without a zone mean.
    pub clock: Clock,
    /// How that is known; `None` when no line has a time.
    pub source: Option<ZoneSource>,
    /// The offset that its lines state most often.
    pub written: Option<Offset>,
}

/// A source, as far as its zone depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    /// Its counts.
    pub tally: &'a Tally,
    /// Its rotation set, which shares a zone.
    pub group: &'a Untrusted,
    /// When it was last written to.
    pub modified: Option<Timestamp>,
}

/// The zone of each source: written in its lines, else as the option says, else the one in which its errors fall on
/// the minutes in which requests failed, else as its siblings write, with every change of their clock, else the
/// machine's.
///
/// `is_symptom` says of which rare lines one is written whenever a request fails.
pub(super) fn zones(
    members: &[Member<'_>],
    is_symptom: &dyn Fn(RareKind) -> bool,
    assume: Option<&WallZone>,
) -> Vec<Zone> {
    let tallies: Vec<&Tally> = members.iter().map(|m| m.tally).collect();
    let dated = last_dated(&tallies);
    let habits = habits(members.iter().map(|m| (m.group, m.tally)));
    let common = common(&habits);
    let failed = failed_minutes(&tallies);
    let likely = assume.cloned().or_else(|| common.clone().map(WallZone::from));
    let believed = times_of_files_hold(members);
    let references: Vec<_> = members
        .iter()
        .map(|m| reference(m.tally, likely.as_ref(), dated, m.modified.filter(|_| believed)))
        .collect();
    let mut minutes: BTreeMap<&Untrusted, BTreeSet<i64>> = BTreeMap::new();
    for (member, reference) in members.iter().zip(&references) {
        // wall-clock minutes, with their year
        let clock = Clock { zone: WallZone::Fixed(Offset(0)), reference: *reference };
        let rare = member.tally.naive.rare.iter().filter(|(kind, _)| is_symptom(**kind));
        let walls = rare.filter(|(_, lines)| lines.shift() == 0).flat_map(|(_, lines)| lines.iter());
        let walls =
            walls.map(|(minute, _)| clock.instant(Timestamp::from_seconds(minute.saturating_mul(60))));
        minutes.entry(member.group).or_default().extend(walls.map(|t| t.second().div_euclid(60)));
    }
    // the common one first: of clocks that read all messages alike it is the one to take
    let candidates: Vec<Steps> = common.iter().cloned().chain(clocks(&habits)).collect();
    members
        .iter()
        .zip(references)
        .map(|(member, reference)| {
            let tally = member.tally;
            let written = commonest(tally.offsets.iter().map(|(o, n)| (*o, *n)));
            let coincident =
                || minutes.get(member.group).and_then(|mine| coinciding(mine, &failed, &candidates));
            let (zone, source) = match assume {
                Some(zone) => (zone.clone(), ZoneSource::Option),
                None => match coincident().or_else(|| common.clone()) {
                    Some(steps) => (WallZone::from(steps), ZoneSource::Inferred),
                    None => (WallZone::Machine, ZoneSource::Assumed),
                },
            };
            let clock = Clock { zone, reference };
            let source =
                if tally.naive_records > 0 { Some(source) } else { written.map(|_| ZoneSource::Written) };
            Zone { clock, source, written }
        })
        .collect()
}

/// Coinciding minutes that are needed to tell a zone by.
const ENOUGH: usize = 3;
/// How many times as many as in any other zone.
const CLEARLY: usize = 2;

/// The minutes in which requests failed whose lines state their zone.
fn failed_minutes(tallies: &[&Tally]) -> BTreeSet<i64> {
    let failing = tallies.iter().map(|t| &t.zoned.failing).filter(|f| f.shift() <= 5);
    failing.flat_map(Coarse::iter).map(|(second, _)| second.div_euclid(60)).collect()
}

/// The clock by which error messages fall on failed requests, if it is clearly one of those that may be. Those that
/// read all messages alike are one.
fn coinciding(messages: &BTreeSet<i64>, failed: &BTreeSet<i64>, candidates: &[Steps]) -> Option<Steps> {
    let first = *messages.first()?;
    let machine = Clock::new(WallZone::Machine).offset_at(first.saturating_mul(60));
    let machine = Offset(i32::try_from(machine).unwrap_or(0));
    let utc_minute = |clock: &Steps, minute: i64| {
        let shift = i64::from(clock.at_wall(minute.saturating_mul(60)).0).div_euclid(60);
        minute.saturating_sub(shift)
    };
    let score = |clock: &Steps| {
        // a request is logged when it has ended, up to a minute after the message about it
        let meets = |m: &&i64| {
            let minute = utc_minute(clock, **m);
            failed.contains(&minute) || failed.contains(&minute.saturating_add(1))
        };
        messages.iter().filter(meets).count()
    };
    let others = [Steps::always(Offset(0)), Steps::always(machine)];
    let mut scores: Vec<(usize, &Steps)> =
        candidates.iter().chain(&others).map(|clock| (score(clock), clock)).collect();
    scores.sort_by_key(|&(score, _)| std::cmp::Reverse(score));
    let &(best, clock) = scores.first()?;
    let differs = |other: &Steps| messages.iter().any(|&m| utc_minute(clock, m) != utc_minute(other, m));
    let second = scores.iter().skip(1).find(|(_, other)| differs(other)).map_or(0, |s| s.0);
    (best >= ENOUGH && best >= second.saturating_mul(CLEARLY).saturating_add(1)).then(|| clock.clone())
}

/// Seconds between a source's last line and its last modification up to which the latter is believed.
const PROMPT: i64 = 36 * 3_600;

/// Whether the times of modification are those of the writing, and not those of a copy: among the sources that state
/// their years there is one whose last line is as old as its file says, or there are none to tell it by.
fn times_of_files_hold(members: &[Member<'_>]) -> bool {
    let mut told = members.iter().filter_map(|m| last_dated(&[m.tally]).zip(m.modified)).peekable();
    // a wall clock is at most fourteen hours off
    told.peek().is_none()
        || told.any(|(last, modified)| last.second().abs_diff(modified.second()) <= PROMPT.unsigned_abs())
}

/// What the years of lines without one are told by: the file's own time of modification where its last line is as
/// old, else the last line of any log that states a year, else that time all the same, else now.
fn reference(
    tally: &Tally,
    zone: Option<&WallZone>,
    dated: Option<Timestamp>,
    modified: Option<Timestamp>,
) -> Option<Timestamp> {
    let prompt = modified.filter(|modified| {
        let zone = zone.cloned().unwrap_or(WallZone::Machine);
        let clock = Clock { zone, reference: Some(*modified) };
        let yearless = tally.naive.days.iter().filter_map(|(_, day)| day.span.last);
        let last = yearless.filter(|t| Clock::is_yearless(t.second())).map(|t| clock.instant(t)).max();
        last.is_some_and(|last| modified.second().abs_diff(last.second()) <= PROMPT.unsigned_abs())
    });
    prompt.or(dated).or(modified).or_else(|| Some(now()))
}

/// The offset that most records state; of equal ones the smallest.
fn commonest(offsets: impl Iterator<Item = (Offset, u64)>) -> Option<Offset> {
    let mut sums = std::collections::BTreeMap::new();
    for (offset, n) in offsets {
        *sums.entry(offset).or_insert(0u64) += n;
    }
    sums.into_iter().max_by_key(|&(offset, n)| (n, std::cmp::Reverse(offset))).map(|(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Level, Stamp};
    use crate::survey::{Limits, Rare};

    const NOON: i64 = 1_684_065_600;

    /// An access log at +01:00 in which requests failed in these minutes after noon UTC.
    fn access(minutes: &[i64]) -> Tally {
        let mut tally = Tally::new(Limits::for_sources(1));
        tally.offsets.insert(Offset(3600), 1_000);
        for minute in minutes {
            tally.zoned.failing.bucket(NOON + minute * 60 + 20).add(502, 1);
        }
        tally.zoned.days.bucket(NOON / 86_400).span.see(Timestamp::from_seconds(NOON));
        tally
    }

    /// An error log without a zone, with messages in these minutes after noon of its own clock.
    fn errors(start: i64, minutes: &[i64]) -> Tally {
        let mut tally = Tally::new(Limits::for_sources(1));
        tally.naive_records = 100;
        let rare = tally.naive.rare.entry(RareKind::Severe).or_insert_with(|| Coarse::new(100));
        for minute in minutes {
            let stamp = Stamp { at: Timestamp::from_seconds(start + minute * 60 + 5), offset: None };
            *rare.bucket(stamp.at.second() / 60) = Rare {
                count: 1,
                first: Some(crate::survey::Sample {
                    at: stamp.at,
                    offset: 0,
                    level: Some(Level::Error),
                    text: Box::default(),
                }),
            };
        }
        tally
    }

    fn zone_of(error: &Tally, assume: Option<&WallZone>) -> Zone {
        let access = access(&[0, 1, 2, 7, 8, 30]);
        let (a, e) = (Untrusted::from("access.log"), Untrusted::from("error.log"));
        let members = [
            Member { tally: &access, group: &a, modified: None },
            Member { tally: error, group: &e, modified: None },
        ];
        zones(&members, &|kind| kind == RareKind::Severe, assume)[1].clone()
    }

    #[test]
    fn errors_fall_on_failed_requests_in_their_true_zone() {
        // written in UTC beside an access log at +01:00
        let zone = zone_of(&errors(NOON, &[0, 1, 2, 7]), None);
        assert_eq!(zone.clock.zone, WallZone::Fixed(Offset(0)));
        assert_eq!(zone.source, Some(ZoneSource::Inferred));
        let zone = zone_of(&errors(NOON + 3600, &[0, 1, 2, 7]), None);
        assert_eq!(zone.clock.zone, WallZone::Fixed(Offset(3600)));
    }

    #[test]
    fn too_few_coincidences_leave_it_to_the_siblings_and_an_option_to_nobody() {
        let zone = zone_of(&errors(NOON, &[0, 1]), None);
        assert_eq!(zone.clock.zone, WallZone::Fixed(Offset(3600)));
        let zone = zone_of(&errors(NOON, &[0, 1, 2, 7]), Some(&WallZone::Fixed(Offset(7200))));
        assert_eq!((zone.clock.zone, zone.source), (WallZone::Fixed(Offset(7200)), Some(ZoneSource::Option)));
    }

    /// The last second of 13 May in the year that stands for an unknown one.
    fn yearless_days() -> Tally {
        let mut tally = Tally::new(Limits::for_sources(1));
        tally.naive_records = 1;
        let date = chrono::NaiveDate::from_ymd_opt(crate::format::PLACEHOLDER_YEAR, 5, 13).unwrap();
        let at = Timestamp::from_seconds(date.and_hms_opt(23, 59, 59).unwrap().and_utc().timestamp());
        tally.naive.days.bucket(at.second().div_euclid(86_400)).span.see(at);
        tally
    }

    #[test]
    fn files_that_were_copied_tell_no_year_by_their_times() {
        let access = access(&[0]);
        let (a, e) = (Untrusted::from("access.log"), Untrusted::from("syslog"));
        let syslog = yearless_days();
        let day = |n: i64| Some(Timestamp::from_seconds(NOON + n * 86_400));
        let year_of = |written: Option<Timestamp>, modified: Option<Timestamp>| {
            let members = [
                Member { tally: &access, group: &a, modified: written },
                Member { tally: &syslog, group: &e, modified },
            ];
            zones(&members, &|_| false, None).pop().and_then(|z| z.clock.reference)
        };
        // the access log ends in May 2023; its file says four years later, and the other's is on the same day of the year
        assert_eq!(year_of(day(4 * 365 + 1), day(4 * 365 + 1)), day(0));
        assert_eq!(year_of(day(0), day(0)), day(0));
    }

    #[test]
    fn a_year_comes_from_a_prompt_modification_else_from_dated_logs() {
        let at = |year: i32, day: u32| {
            let date = chrono::NaiveDate::from_ymd_opt(year, 5, day).unwrap();
            Some(Timestamp::from_seconds(date.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp()))
        };
        let (tally, utc) = (yearless_days(), Some(WallZone::Fixed(Offset(0))));
        assert_eq!(reference(&tally, utc.as_ref(), at(2019, 2), at(2021, 14)), at(2021, 14));
        assert_eq!(reference(&tally, utc.as_ref(), at(2019, 2), at(2021, 25)), at(2019, 2));
        assert_eq!(reference(&tally, utc.as_ref(), None, at(2021, 25)), at(2021, 25));
    }
}
