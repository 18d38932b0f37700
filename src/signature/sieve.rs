//! Many texts sought in a message at once, in any case: a look at every third place rules out nearly all messages.
//!
//! Of each text a few grams of four bytes are known, so chosen that wherever the text stands, one of them lies at a
//! multiple of three. An automaton over all texts has to take every byte, and its table leaves the cache.

/// Bytes of a gram.
const GRAM: usize = 4;
/// Places from one look to the next.
const STRIDE: usize = 3;
/// Bits of a gram's hash: a thousand grams set a bit in a hundred and thirty.
const HASH_BITS: u32 = 17;
/// Words that hold a bit for each.
const WORDS: usize = 1 << (HASH_BITS - 6);
/// Of the hash, the bits that tell apart where the texts of a gram are listed.
const LIST_BITS: u32 = 11;
/// Makes the letters A–Z lower case, and of other bytes what they share with another: for ruling out only.
const FOLD: u32 = 0x2020_2020;

/// A text and who wants to know of it.
#[derive(Debug)]
struct Needle {
    owner: u16,
    /// Which of the owner's texts it is.
    nth: usize,
    text: Box<[u8]>,
}

/// A place in a text where a gram begins, and another of its grams: one alone stands in many messages.
#[derive(Debug, Clone, Copy)]
struct Place {
    gram: u32,
    other: u32,
    needle: u16,
    at: u16,
    other_at: u16,
}

impl Place {
    fn new(text: &[u8], needle: u16, at: usize) -> Option<Self> {
        let before = at.checked_sub(GRAM);
        let other_at = before.unwrap_or(at + GRAM).min(text.len().checked_sub(GRAM)?);
        Some(Self {
            gram: gram_at(text, at)?,
            other: gram_at(text, other_at)?,
            needle,
            at: u16::try_from(at).ok()?,
            other_at: u16::try_from(other_at).ok()?,
        })
    }
}

/// Gram → texts.
#[derive(Debug)]
struct Grams {
    /// A bit for each hash.
    bits: Box<[u64; WORDS]>,
    /// Where the places of a list begin; one more, where the last ends.
    starts: Vec<u16>,
    places: Vec<Place>,
}

/// Texts to be sought.
#[derive(Debug)]
pub(super) struct Sieve {
    needles: Vec<Needle>,
    /// Of the texts that may stand anywhere.
    within: Grams,
    /// Of those that the message must begin with.
    heads: Grams,
    /// Texts too short for grams: with (true) or without standing at the beginning.
    short: Vec<(u16, bool)>,
}

/// One who seeks: any of the texts will do, for each of them stands in what is sought; or the first, at the beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) owner: u16,
    pub(super) texts: &'a [String],
    pub(super) at_start: bool,
}

impl Sieve {
    /// A sieve for one text of each of `wanted`, which is told apart best from what messages are `like`.
    pub(super) fn of<'t>(wanted: &[Wanted<'_>], like: impl Iterator<Item = &'t str>) -> Self {
        let mut needles: Vec<Needle> = Vec::with_capacity(wanted.len());
        let (mut within, mut heads, mut short) = (Vec::new(), Vec::new(), Vec::new());
        let usual = Usual::of(like);
        for one in wanted {
            let Ok(needle) = u16::try_from(needles.len()) else { break };
            let nth = if one.at_start { 0 } else { usual.rarest(one.texts) };
            let Some(text) = one.texts.get(nth).map(String::as_bytes) else { continue };
            let places: Vec<Place> = match usual.window(text) {
                _ if one.at_start => Place::new(text, needle, 0).into_iter().collect(),
                Some((from, _)) => {
                    (from..from + STRIDE).filter_map(|at| Place::new(text, needle, at)).collect()
                }
                None => Vec::new(),
            };
            match (one.at_start, places.is_empty()) {
                (_, true) => short.push((needle, one.at_start)),
                (true, false) => heads.extend(places),
                (false, false) => within.extend(places),
            }
            needles.push(Needle { owner: one.owner, nth, text: text.into() });
        }
        Self { needles, within: Grams::of(within), heads: Grams::of(heads), short }
    }

    /// Calls `found` for each text that stands in `message`, with its owner and which of the owner's it is; more than
    /// once where it stands there more than once.
    pub(super) fn each(&self, message: &[u8], mut found: impl FnMut(u16, usize)) {
        if let Some(gram) = gram_at(message, 0)
            && self.heads.may_have(gram)
        {
            self.look(&self.heads, gram, message, 0, &mut found);
        }
        let mut at = 0;
        // two looks a word
        while let Some(word) = message.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*word) | u64::from(FOLD) << 32 | u64::from(FOLD);
            let [first, second] = [low(word), low(word >> (8 * STRIDE))];
            let [here, there] = [first, second].map(|gram| self.within.may_have(gram));
            if here | there {
                if here {
                    self.look(&self.within, first, message, at, &mut found);
                }
                if there {
                    self.look(&self.within, second, message, at + STRIDE, &mut found);
                }
            }
            at += 2 * STRIDE;
        }
        while let Some(gram) = gram_at(message, at) {
            if self.within.may_have(gram) {
                self.look(&self.within, gram, message, at, &mut found);
            }
            at += STRIDE;
        }
        for &(needle, at_start) in &self.short {
            let Some(needle) = self.needles.get(usize::from(needle)) else { continue };
            let stands =
                if at_start { begins(message, &needle.text) } else { contains(message, &needle.text) };
            if stands {
                found(needle.owner, needle.nth);
            }
        }
    }

    /// The texts of a gram that lies at `at`.
    #[inline(never)]
    fn look(&self, grams: &Grams, gram: u32, message: &[u8], at: usize, found: &mut impl FnMut(u16, usize)) {
        for place in grams.places(gram).iter().filter(|place| place.gram == gram) {
            let text = at.checked_sub(usize::from(place.at)).and_then(|from| message.get(from..));
            let Some(text) =
                text.filter(|text| gram_at(text, usize::from(place.other_at)) == Some(place.other))
            else {
                continue;
            };
            let Some(needle) = self.needles.get(usize::from(place.needle)) else { continue };
            if begins(text, &needle.text) {
                found(needle.owner, needle.nth);
            }
        }
    }
}

impl Grams {
    fn of(mut places: Vec<Place>) -> Self {
        places.sort_by_key(|place| (list(place.gram), place.gram, place.needle, place.at));
        let mut bits = Box::new([0u64; WORDS]);
        for place in &places {
            let hash = hash(place.gram);
            if let Some(word) = bits.get_mut(hash >> 6) {
                *word |= 1 << (hash & 63);
            }
        }
        let starts = (0..=1usize << LIST_BITS)
            .map(|n| u16::try_from(places.partition_point(|p| list(p.gram) < n)).unwrap_or(u16::MAX));
        Self { bits, starts: starts.collect(), places }
    }

    #[inline]
    fn may_have(&self, gram: u32) -> bool {
        let hash = hash(gram);
        self.bits.get(hash >> 6).is_some_and(|word| word >> (hash & 63) & 1 == 1)
    }

    /// The places of a gram, and of others.
    fn places(&self, gram: u32) -> &[Place] {
        let list = list(gram);
        let at = |n: usize| self.starts.get(n).map_or(0, |start| usize::from(*start));
        self.places.get(at(list)..at(list + 1)).unwrap_or_default()
    }
}

/// How often the grams of a hash stand in texts like those that are searched.
struct Usual(Vec<u32>);

impl Usual {
    fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut times = vec![0u32; 1 << HASH_BITS];
        for text in texts {
            for gram in text.as_bytes().windows(GRAM).filter_map(|gram| gram_at(gram, 0)) {
                if let Some(times) = times.get_mut(hash(gram)) {
                    *times = times.saturating_add(1);
                }
            }
        }
        Self(times)
    }

    /// Where in a text the least frequent run of grams begins that no look can miss, and how frequent it is.
    fn window(&self, text: &[u8]) -> Option<(usize, u32)> {
        let last = text.len().checked_sub(GRAM + STRIDE - 1)?;
        let times = |at: usize| gram_at(text, at).and_then(|g| self.0.get(hash(g))).copied().unwrap_or(0);
        let run = |from: usize| (from..from + STRIDE).fold(0u32, |sum, at| sum.saturating_add(times(at)));
        (0..=last).map(|from| (from, run(from))).min_by_key(|(_, times)| *times)
    }

    /// Which of the texts is found with the fewest looks in vain.
    fn rarest(&self, texts: &[String]) -> usize {
        let times = |text: &String| self.window(text.as_bytes()).map_or(u32::MAX, |(_, times)| times);
        texts.iter().enumerate().min_by_key(|(_, text)| times(text)).map_or(0, |(nth, _)| nth)
    }
}

fn gram_at(text: &[u8], at: usize) -> Option<u32> {
    let bytes = text.get(at..)?.first_chunk::<GRAM>()?;
    Some(u32::from_le_bytes(*bytes) | FOLD)
}

#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low(word: u64) -> u32 {
    word as u32
}

#[inline]
fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize
}

#[inline]
fn list(gram: u32) -> usize {
    hash(gram) >> (HASH_BITS - LIST_BITS)
}

/// Whether a message begins with a text, in any case.
pub(super) fn begins(message: &[u8], text: &[u8]) -> bool {
    // most differ in their first bytes
    message
        .get(..text.len())
        .is_some_and(|head| head.iter().zip(text).all(|(a, b)| a.eq_ignore_ascii_case(b)))
}

/// Whether a text stands in a message, in any case.
pub(super) fn contains(message: &[u8], text: &[u8]) -> bool {
    let Some(first) = text.first() else { return true };
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), message)
        .any(|at| message.get(at..).is_some_and(|rest| begins(rest, text)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_stands_in_a_message_is_found(
            texts in prop::collection::vec(prop::collection::vec("[abAB {]{1,9}", 1..3), 1..6),
            starts in prop::collection::vec(any::<bool>(), 6),
            message in "[abAB {]{0,40}",
        ) {
            let all: Vec<(u16, &Vec<String>, bool)> =
                (0u16..).zip(&texts).zip(&starts).map(|((owner, texts), start)| (owner, texts, *start)).collect();
            let wanted: Vec<Wanted<'_>> =
                all.iter().map(|&(owner, texts, at_start)| Wanted { owner, texts, at_start }).collect();
            let mut found = Vec::new();
            let like = texts.iter().flatten().map(String::as_str);
            Sieve::of(&wanted, like).each(message.as_bytes(), |owner, _| found.push(owner));
            for (owner, texts, at_start) in all {
                let lower = message.to_ascii_lowercase();
                let stands = |text: &String| lower.contains(&text.to_ascii_lowercase());
                if at_start {
                    let begins = lower.starts_with(&texts[0].to_ascii_lowercase());
                    prop_assert_eq!(found.contains(&owner), begins);
                } else if texts.iter().all(stands) {
                    prop_assert!(found.contains(&owner));
                } else if !texts.iter().any(stands) {
                    prop_assert!(!found.contains(&owner));
                }
            }
        }
    }
}
