//! What was found of messages that come again word for word: to hold one against all rules costs ten times what it costs
//! to see that it is the same.

use super::rules::{RuleId, Rules};
use super::shapes::Shapes;
use crate::parse::{Numbers, Words, same};

/// Messages that are remembered: the usual ones of a few programs.
const SLOTS: usize = 64;
/// Longer messages are held against the rules each time.
const MAX_MESSAGE: usize = 256;
/// Messages in a row that were not known: then one in [`TURNS`] is looked up, until there is one that is.
const VAIN: u32 = 256;
const TURNS: u32 = 16;
/// Messages of which it is remembered that they came once: one that never comes again takes no slot.
const SEEN: usize = 512;

/// Bytes that the memory of beginnings is asked by.
const WORD: usize = 16;
/// Beginnings that are remembered: those of a few messages, many more so that they are in the way of each other less.
const BEGINNINGS: usize = 256;
/// Bytes of a beginning that are compared at once, however many they are: a guess how many costs more.
const AT_ONCE: usize = 128;

/// Some of the last messages that came more than once. What a message means depends on it and its program alone, so this
/// changes nothing but the time it takes.
#[derive(Debug, Default)]
pub struct Known {
    /// None until there was a message.
    slots: Vec<Slot>,
    shapes: Shapes,
    seen: Vec<u32>,
    vain: u32,
    turn: u32,
    /// Messages with what shows where they end: of texts that clients have a part in. None until there was one.
    beginnings: Vec<Beginning>,
    /// The last program, and whether there are rules about it.
    program: Option<Vec<u8>>,
    has_own: bool,
}

#[derive(Debug, Clone)]
struct Beginning {
    known: Slot,
    /// Its bytes, and which they are.
    head: [u8; AT_ONCE],
    mask: [u8; AT_ONCE],
}

#[derive(Debug, Clone, Default)]
struct Slot {
    tag: u32,
    message: Vec<u8>,
    program: Option<Vec<u8>>,
    rule: Option<RuleId>,
}

impl Slot {
    #[inline]
    fn is_by(&self, program: Option<&[u8]>) -> bool {
        is_program(self.program.as_deref(), program)
    }

    fn set(&mut self, message: &[u8], program: Option<&[u8]>, rule: Option<RuleId>) {
        self.message.clear();
        self.message.extend_from_slice(message);
        set_program(&mut self.program, program);
        self.rule = rule;
    }
}

impl Default for Beginning {
    fn default() -> Self {
        Self { known: Slot::default(), head: [0; AT_ONCE], mask: [0; AT_ONCE] }
    }
}

impl Beginning {
    fn set(&mut self, shown: &[u8], program: Option<&[u8]>, rule: Option<RuleId>) {
        self.known.set(shown, program, rule);
        (self.head, self.mask) = ([0; AT_ONCE], [0; AT_ONCE]);
        for ((head, mask), byte) in self.head.iter_mut().zip(&mut self.mask).zip(shown) {
            (*head, *mask) = (*byte, 0xFF);
        }
    }

    /// Whether a text begins so; that of none begins no text.
    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        let shown = &self.known.message;
        match text.first_chunk::<AT_ONCE>() {
            Some(text) if shown.len() <= AT_ONCE => {
                let bytes = text.iter().zip(&self.head).zip(&self.mask);
                let differ = bytes.fold(0, |differ, ((text, head), mask)| differ | (text ^ head) & mask);
                differ == 0 && !shown.is_empty()
            }
            _ => !shown.is_empty() && text.starts_with(shown),
        }
    }
}

impl Known {
    /// [`Rules::find`], which it always agrees with.
    #[inline]
    pub fn find(&mut self, rules: &Rules, message: &[u8], program: Option<&[u8]>) -> Option<RuleId> {
        self.look(rules, message, program).0
    }

    /// The same of a message whose numbers are known, perhaps.
    #[inline]
    pub fn find_marked(
        &mut self,
        rules: &Rules,
        (message, numbers): (&[u8], Option<Numbers<'_>>),
        program: Option<&[u8]>,
    ) -> Option<RuleId> {
        // the last message of a chunk has too few bytes behind it
        let Some(numbers) = numbers.filter(|numbers| numbers.bytes(message.len()).is_some()) else {
            return self.find(rules, message, program);
        };
        let ruled_out = self.shapes.rule_out(message, numbers);
        if ruled_out == Some(true) {
            return None;
        }
        let rule = self.find(rules, message, program);
        if rule.is_none() && ruled_out.is_none() {
            self.shapes.missed(rules, message, numbers);
        }
        rule
    }

    /// The same of a program's own words at the beginning of `text`. What clients are told to have said follows them and
    /// is never the same, so it is not even looked at where the words are known.
    #[inline]
    pub fn find_words(
        &mut self,
        rules: &Rules,
        text: &[u8],
        program: Option<&[u8]>,
        words: impl FnOnce(&[u8]) -> Words,
    ) -> Option<RuleId> {
        let slot = text.first_chunk().map(beginning_of);
        if let Some(begun) = slot.and_then(|slot| self.beginnings.get(slot))
            && begun.begins(text)
            && begun.known.is_by(program)
        {
            return begun.known.rule;
        }
        let Words { end, shown } = words(text);
        let (rule, came_before) = self.look(rules, text.get(..end).unwrap_or(text), program);
        if came_before && let (Some(slot), Some(shown)) = (slot, shown.and_then(|end| text.get(..end))) {
            if self.beginnings.is_empty() {
                self.beginnings = vec![Beginning::default(); BEGINNINGS];
            }
            if let Some(begun) = self.beginnings.get_mut(slot) {
                begun.set(shown, program, rule);
            }
        }
        rule
    }

    /// What the rules say of a message, and whether it is known that it came before.
    #[inline]
    fn look(&mut self, rules: &Rules, message: &[u8], program: Option<&[u8]>) -> (Option<RuleId>, bool) {
        if self.vain >= VAIN {
            self.turn = self.turn.wrapping_add(1);
            if !self.turn.is_multiple_of(TURNS) {
                return (self.ask(rules, message, program), false);
            }
        }
        let mixed = mix(message);
        match self.slots.get(slot_of(mixed)) {
            Some(slot) if slot.tag == tag_of(mixed) && slot.message == message && slot.is_by(program) => {
                self.vain = 0;
                (slot.rule, true)
            }
            _ => (self.find_anew(rules, message, program, mixed), false),
        }
    }

    /// [`Rules::find`]; most messages are by the program of the last one.
    #[inline]
    fn ask(&mut self, rules: &Rules, message: &[u8], program: Option<&[u8]>) -> Option<RuleId> {
        if !is_program(self.program.as_deref(), program) {
            set_program(&mut self.program, program);
            self.has_own = rules.has_own(program);
        }
        rules.find_among(self.has_own, message, program)
    }

    #[inline(never)]
    fn find_anew(
        &mut self,
        rules: &Rules,
        message: &[u8],
        program: Option<&[u8]>,
        mixed: u64,
    ) -> Option<RuleId> {
        self.vain = self.vain.saturating_add(1);
        let rule = self.ask(rules, message, program);
        if message.is_empty() || message.len() + program.map_or(0, <[u8]>::len) > MAX_MESSAGE {
            return rule;
        }
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); SLOTS];
            self.seen = vec![0; SEEN];
        }
        let tag = tag_of(mixed);
        let came = self
            .seen
            .get_mut(usize::try_from(mixed >> 16 & 0xFFFF).unwrap_or(0) % SEEN)
            .map(|seen| std::mem::replace(seen, tag));
        if came == Some(tag)
            && let Some(slot) = self.slots.get_mut(slot_of(mixed))
        {
            slot.tag = tag;
            slot.set(message, program, rule);
        }
        rule
    }
}

/// Whether a program is the one that is known.
#[inline]
fn is_program(known: Option<&[u8]>, program: Option<&[u8]>) -> bool {
    match (known, program) {
        (Some(known), Some(program)) => same(known, program),
        (None, None) => true,
        _ => false,
    }
}

fn set_program(known: &mut Option<Vec<u8>>, program: Option<&[u8]>) {
    match (known, program) {
        (Some(old), Some(program)) => {
            old.clear();
            old.extend_from_slice(program);
        }
        (old, program) => *old = program.map(<[u8]>::to_vec),
    }
}

/// A cheap hash of how a text begins.
#[inline]
fn beginning_of(word: &[u8; WORD]) -> usize {
    let word = u128::from_le_bytes(*word);
    let mixed = u64::try_from((word ^ word >> 64) & u128::from(u64::MAX)).unwrap_or(0);
    usize::try_from(mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 56).unwrap_or(0) % BEGINNINGS
}

#[inline]
fn slot_of(mixed: u64) -> usize {
    usize::try_from(mixed & 0xFFFF).unwrap_or(0) % SLOTS
}

#[inline]
fn tag_of(mixed: u64) -> u32 {
    u32::try_from(mixed >> 32).unwrap_or(0)
}

/// A cheap hash over the length and four places: a collision costs time, nothing else.
#[inline]
fn mix(message: &[u8]) -> u64 {
    let word = |at: usize| {
        let chunk = message.get(at..).and_then(|rest| rest.first_chunk::<8>());
        chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk))
    };
    let n = message.len();
    let ends = word(0) ^ word(n.saturating_sub(8)).rotate_left(29);
    let middle = word(n / 3).rotate_left(13) ^ word(n / 2).rotate_left(43);
    let mixed = (ends ^ middle ^ (n as u64) << 8).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed ^ mixed >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_known_is_what_the_rules_say(
            messages in prop::collection::vec((0usize..6, prop::option::of(0usize..3)), 1..200),
        ) {
            let rules = Rules::built_in().unwrap();
            let texts = ["Out of memory: x", "out of memory", "Out of memory: y", "", "all is well", "install a:b <none> 1"];
            let programs = ["dpkg", "kernel", "shop"];
            let mut known = Known::default();
            for (text, program) in messages {
                let (text, program) = (texts[text].as_bytes(), program.map(|p| programs[p].as_bytes()));
                prop_assert_eq!(known.find(&rules, text, program), rules.find(text, program));
            }
        }

        #[test]
        fn words_that_are_known_end_where_they_end(
            messages in prop::collection::vec((0usize..7, 0usize..5, prop::option::of(0usize..3)), 1..200),
        ) {
            let rules = Rules::built_in().unwrap();
            let texts = [
                "connect() failed (111: Connection refused)", "connect() failed (110: Connection timed out)", "upstream timed out",
                "connect() failed (111: Connection refused) while", "", "Out of memory: x", "worker process 7 exited on signal 9",
            ];
            let far = format!(", client: 10.0.0.1, request: \"GET /{}\"", "a".repeat(AT_ONCE));
            let ends = [", client: 10.0.0.1", ", client: Out of memory, client: ", ", client", "", &far];
            let programs = ["nginx", "kernel", "shop"];
            let mut known = Known::default();
            for (text, end, program) in messages {
                let text = [texts[text], ends[end]].concat();
                let program = program.map(|p| programs[p].as_bytes());
                let at = text.find(", client: ");
                let words = Words { end: at.unwrap_or(text.len()), shown: at.map(|at| at + 10) };
                let found = known.find_words(&rules, text.as_bytes(), program, |_| words);
                prop_assert_eq!(found, rules.find(&text.as_bytes()[..words.end], program));
            }
        }
    }

    #[test]
    fn what_clients_say_is_not_looked_at_where_the_words_are_known() {
        let rules = Rules::built_in().unwrap();
        let mut known = Known::default();
        let asked = (0..5).filter(|n| {
            let text = format!("client intended to send too large body, client: 10.0.0.{n}");
            let mut asked = false;
            let words = |_: &[u8]| {
                asked = true;
                Words { end: 38, shown: Some(48) }
            };
            known.find_words(&rules, text.as_bytes(), Some(b"nginx"), words);
            asked
        });
        // seen, noted, and noted with how they end
        assert_eq!(asked.count(), 3);
    }
}
