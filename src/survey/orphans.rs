//! Lines that no format accepts and that come again and again, as the frames of stack traces do.
//!
//! To try every format on such a line costs twenty times what another line does.

use super::requests::ends;

/// Slots: the frames of a few kinds of traces.
const SLOTS: usize = 128;
/// Longer lines are tried anew each time.
const MAX_LINE: usize = 256;

/// Some of the last lines that no format accepted. What a line is read as depends on that line alone, so this changes
/// nothing but the time it takes.
#[derive(Debug, Default)]
pub struct Orphans {
    /// Empty until there was one.
    slots: Vec<Vec<u8>>,
}

impl Orphans {
    /// Whether no format accepts `line`, as far as is known.
    pub fn has(&self, line: &[u8]) -> bool {
        !line.is_empty() && self.slots.get(slot_of(line)).is_some_and(|known| known == line)
    }

    /// Takes note of a line that no format accepts.
    pub fn note(&mut self, line: &[u8]) {
        if line.len() > MAX_LINE {
            return;
        }
        if self.slots.is_empty() {
            self.slots = vec![Vec::new(); SLOTS];
        }
        if let Some(slot) = self.slots.get_mut(slot_of(line)) {
            slot.clear();
            slot.extend_from_slice(line);
        }
    }
}

/// A cheap hash over length, head, middle and tail: a collision costs time, nothing else.
fn slot_of(line: &[u8]) -> usize {
    let middle = line.get(line.len() / 2..).and_then(|rest| rest.first_chunk::<8>());
    let middle = middle.map_or(0, |chunk| u64::from_le_bytes(*chunk));
    let mixed = ends(line) ^ middle.rotate_left(13) ^ (line.len() as u64) << 8;
    usize::try_from(mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 57).unwrap_or(0) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_were_noted_are_known() {
        let mut orphans = Orphans::default();
        assert!(!orphans.has(b"\tat shop.Cart.add(Cart.java:7)") && !orphans.has(b""));
        for n in 0..1_000 {
            orphans.note(format!("\tat shop.Cart.add(Cart.java:{n})").as_bytes());
        }
        assert!(orphans.has(b"\tat shop.Cart.add(Cart.java:999)"));
        assert!(!orphans.has(b"\tat shop.Cart.add(Cart.java:1000)"));
        orphans.note(&[b' '; MAX_LINE + 1]);
        assert!(!orphans.has(&[b' '; MAX_LINE + 1]));
    }
}
