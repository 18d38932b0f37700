//! The path that messages take, and the lines that go on with them.

use super::surveyor::cut;
use super::tally::Sample;
use super::{Coarse, RareKind, Surveyor};
use crate::model::{Level, Message, Stamp, Timestamp};
use crate::parse::{Fields, Line, Lines, Marks, Numbers, Opening, Quotes};
use crate::signature::RuleId;
use crate::sniff::{Best, FormatId, trim};

/// Kinds of rare messages whose counts are kept out of the maps: those that come with each other.
const KINDS: usize = 8;

/// Rare messages of the last minutes, as far as they are in no map yet.
#[derive(Default)]
pub(super) struct Rares([Option<RareMinute>; KINDS]);

/// Messages of one kind and minute behind one that is in the map, in the order of time.
#[derive(Clone, Copy)]
struct RareMinute {
    kind: RareKind,
    zoned: bool,
    minute: i64,
    /// Where the earliest is.
    first: (Timestamp, u64),
    count: u64,
}

/// What is to be known of a rare message.
#[derive(Clone, Copy)]
struct Told<'a> {
    offset: u64,
    at: Timestamp,
    zoned: bool,
    level: Option<Level>,
    text: &'a [u8],
}

impl<'s> Surveyor<'s> {
    /// [`Self::lines`] where lines go on with the record before them: those that come again are told before any format
    /// is asked, and records that begin as others did are not read whole.
    #[inline(never)]
    pub(super) fn message_lines(&mut self, offset: u64, bytes: &[u8]) {
        let best = self.formats.best(self.order);
        let own = best.and_then(|best| self.formats.program(best.id));
        let mut marks = self.marks.take().unwrap_or_else(|| Marks::of_messages(false));
        let mut lines = Lines::of(&mut marks, bytes);
        let mut lead = None;
        while let Some(Line { start, raw, numbers }) = lines.next() {
            let at = offset.saturating_add(start as u64);
            let line = trim(raw);
            // they begin otherwise than records, mostly
            let first = raw.first().copied();
            if first != lead && self.seam.open == Some(true) && self.orphans.has(line) {
                self.enter_block(at);
                self.tally.continuation = self.tally.continuation.saturating_add(1);
            } else if let Some(best) = best
                && let Some(opening) = best.parser.opening(line, &mut self.scratch)
            {
                // what is trimmed in front moves them
                let numbers = numbers.filter(|_| !matches!(raw, [0 | 0xEF, ..]));
                let numbers = numbers.map(|numbers| numbers.behind(line.len() - opening.text.len()));
                self.opened(at, best, own, &opening, numbers);
                lead = first;
            } else if self.message_line(best, at, raw) {
                lead = first;
            }
        }
        self.marks = Some(marks);
    }

    /// Any line; says whether it is a record.
    #[inline(never)]
    fn message_line(&mut self, best: Option<Best<'s>>, offset: u64, raw: &[u8]) -> bool {
        self.line(best, offset, raw, Quotes::UNKNOWN, &mut Fields::default())
    }

    /// Counts a record of which no more than its opening was read, and the numbers of its text, perhaps; `own` is the program
    /// where none is named.
    #[inline]
    fn opened(
        &mut self,
        offset: u64,
        Best { id: format, parser }: Best<'_>,
        own: Option<&[u8]>,
        opening: &Opening<'_>,
        numbers: Option<Numbers<'_>>,
    ) {
        let &Opening { stamp, level, component, text } = opening;
        self.enter_block(offset);
        self.count_record(format, false);
        self.follow(stamp);
        let severe = is_severe(level);
        self.count_message(stamp, severe);
        let program = component.or(own);
        let rule = if parser.quotes_clients() {
            self.known.find_words(self.rules, text, program, |text| parser.words(text))
        } else {
            self.known.find_marked(self.rules, (text, numbers), program)
        };
        if severe || rule.is_some() {
            let zoned = stamp.offset.is_some();
            self.rare(rule, Told { offset, at: stamp.at, zoned, level, text });
        }
    }

    pub(super) fn message(&mut self, offset: u64, format: FormatId, stamp: Stamp, message: &Message<'_>) {
        let severe = is_severe(message.level);
        self.count_message(stamp, severe);
        let program = message.component.or_else(|| self.formats.program(format));
        let rule = self.known.find(self.rules, message.words(), program);
        if severe || rule.is_some() {
            let (zoned, level, text) = (stamp.offset.is_some(), message.level, message.text);
            self.rare(rule, Told { offset, at: stamp.at, zoned, level, text });
        }
    }

    #[inline]
    fn count_message(&mut self, stamp: Stamp, severe: bool) {
        let (at, zoned) = (self.run.second, stamp.offset.is_some());
        if at != self.messages.at || zoned != self.messages.zoned {
            self.leave_messages();
            self.messages.at = at;
            self.messages.zoned = zoned;
        }
        self.messages.count.all += 1;
        self.messages.count.bad += u32::from(severe);
    }

    pub(super) fn leave_messages(&mut self) {
        let super::second::MessageSecond { at, zoned, count } = std::mem::take(&mut self.messages);
        if count.all > 0 {
            self.timed(zoned).messages.add(at, &count);
        }
    }

    /// Counts a message of a rule, or else a severe one.
    fn rare(&mut self, rule: Option<RuleId>, told: Told<'_>) {
        let kind = rule.map_or(RareKind::Severe, RareKind::Rule);
        let slot = rule.map_or(0, |rule| usize::from(rule.0) % (KINDS - 1) + 1);
        let minute = told.at.second().div_euclid(60);
        if let Some(Some(known)) = self.rares.0.get_mut(slot)
            && (known.kind, known.zoned, known.minute) == (kind, told.zoned, minute)
            && known.first <= (told.at, told.offset)
        {
            known.count = known.count.saturating_add(1);
            return;
        }
        let first = self.rare_in_map(kind, minute, told);
        if let Some(slot) = self.rares.0.get_mut(slot) {
            let zoned = told.zoned;
            let left = slot.replace(RareMinute { kind, zoned, minute, first, count: 0 });
            self.leave_rare(left);
        }
    }

    /// The same in the map; where the earliest of that minute is.
    #[inline(never)]
    fn rare_in_map(&mut self, kind: RareKind, minute: i64, told: Told<'_>) -> (Timestamp, u64) {
        let Told { offset, at, zoned, level, text } = told;
        let cap = self.limits.rare;
        let kinds = &mut self.timed(zoned).rare;
        let rare = kinds.entry(kind).or_insert_with(|| Coarse::new(cap)).bucket(minute);
        rare.count = rare.count.saturating_add(1);
        match &rare.first {
            Some(first) if (first.at, first.offset) <= (at, offset) => (first.at, first.offset),
            _ => {
                rare.first = Some(Sample { at, offset, level, text: cut(text).into() });
                (at, offset)
            }
        }
    }

    fn leave_rare(&mut self, left: Option<RareMinute>) {
        if let Some(RareMinute { kind, zoned, minute, count, .. }) = left
            && count > 0
            && let Some(minutes) = self.timed(zoned).rare.get_mut(&kind)
        {
            let rare = minutes.bucket(minute);
            rare.count = rare.count.saturating_add(count);
        }
    }

    pub(super) fn leave_rares(&mut self) {
        for left in std::mem::take(&mut self.rares).0 {
            self.leave_rare(left);
        }
    }
}

/// Whether a level is that of an error, or above.
fn is_severe(level: Option<Level>) -> bool {
    level.is_some_and(|level| level <= Level::Error)
}
