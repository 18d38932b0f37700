//! What was found of messages that come again word for word: to hold one against all rules costs ten times what it costs
//! to see that it is the same.

use super::rules::{RuleId, Rules};

/// Messages that are remembered: the usual ones of a few programs.
const SLOTS: usize = 64;
/// Longer messages are held against the rules each time.
const MAX_MESSAGE: usize = 256;
/// Messages in a row that were not known: then one in [`TURNS`] is looked up, until there is one that is.
const VAIN: u32 = 256;
const TURNS: u32 = 16;
/// Messages of which it is remembered that they came once: one that never comes again takes no slot.
const SEEN: usize = 512;

/// Some of the last messages that came more than once. What a message means depends on it and its program alone, so this
/// changes nothing but the time it takes.
#[derive(Debug, Default)]
pub struct Known {
    /// None until there was a message.
    slots: Vec<Slot>,
    seen: Vec<u32>,
    vain: u32,
    turn: u32,
}

#[derive(Debug, Clone, Default)]
struct Slot {
    tag: u32,
    message: Vec<u8>,
    program: Option<Vec<u8>>,
    rule: Option<RuleId>,
}

impl Known {
    /// [`Rules::find`], which it always agrees with.
    #[inline]
    pub fn find(&mut self, rules: &Rules, message: &[u8], program: Option<&[u8]>) -> Option<RuleId> {
        if self.vain >= VAIN {
            self.turn = self.turn.wrapping_add(1);
            if !self.turn.is_multiple_of(TURNS) {
                return rules.find(message, program);
            }
        }
        let mixed = mix(message);
        match self.slots.get(slot_of(mixed)) {
            Some(slot)
                if slot.tag == tag_of(mixed)
                    && slot.message == message
                    && slot.program.as_deref() == program =>
            {
                self.vain = 0;
                slot.rule
            }
            _ => self.find_anew(rules, message, program, mixed),
        }
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
        let rule = rules.find(message, program);
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
            slot.message.clear();
            slot.message.extend_from_slice(message);
            match (&mut slot.program, program) {
                (Some(old), Some(program)) => {
                    old.clear();
                    old.extend_from_slice(program);
                }
                (old, program) => *old = program.map(<[u8]>::to_vec),
            }
            slot.rule = rule;
        }
        rule
    }
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
    }
}
