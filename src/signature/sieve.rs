//! Many texts sought in a message at once, in any case: a look at every fifth place rules out nearly all messages.
//!
//! Of each text a few grams of four bytes are known, so chosen that wherever the text stands, one of them lies at a
//! multiple of five. An automaton over all texts has to take every byte, and its table leaves the cache.

use crate::parse::is_joint;

/// Bytes of a gram.
const GRAM: usize = 4;
/// Places from one look to the next: as many as a text of six bytes allows, of which three are in one of the looks.
const STRIDE: usize = 5;
/// Looks at once.
const LOOKS: usize = 4;
/// Bits of a gram's hash: a thousand grams set a bit in a hundred and thirty.
const HASH_BITS: u32 = 17;
/// Words that hold a bit for each.
const WORDS: usize = 1 << (HASH_BITS - 6);
/// Bits of the hash of two grams, one behind the other.
const PAIR_BITS: u32 = 16;
/// Of the hash, the bits that tell apart where the texts of a gram are listed.
const LIST_BITS: u32 = 11;
/// In place of a gram: no four bytes make this one.
const ALONE: u32 = 0;
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
    /// Counted from the byte before the text.
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
            at: u16::try_from(at + 1).ok()?,
            other_at: u16::try_from(other_at).ok()?,
        })
    }

    /// The places of a text that is too short for whole grams alone: those, and the one that begins a byte before it and
    /// the one that ends a byte behind it, whatever that byte is. None if they are too few.
    fn of_short(text: &[u8], needle: u16) -> Vec<Self> {
        let last = text.len().saturating_sub(GRAM);
        let (Some(other), Some(tail)) = (gram_at(text, 0), text.get(last + 1..)) else { return Vec::new() };
        // one before the text, those within, and one over its end
        if last + 3 < STRIDE {
            return Vec::new();
        }
        let mut places: Vec<Self> = (0..=last).filter_map(|at| Self::new(text, needle, at)).collect();
        for any in (0..=u8::MAX).filter(|any| any & 0x20 != 0) {
            let ends = [([&[any], text].concat(), 0), ([tail, &[any]].concat(), last + 2)];
            places.extend(ends.into_iter().filter_map(|(bytes, at)| {
                let (gram, at) = (gram_at(&bytes, 0)?, u16::try_from(at).ok()?);
                Some(Self { gram, other, needle, at, other_at: 0 })
            }));
        }
        places
    }
}

/// Gram → texts.
#[derive(Debug)]
struct Grams {
    /// A bit for each hash.
    bits: Box<[u64; WORDS]>,
    /// A bit for each hash of a gram and the one before or behind it; of a gram that has neither, with [`ALONE`].
    pairs: Box<[u64; 1 << (PAIR_BITS - 6)]>,
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
    /// A sieve for one text of each of `wanted`, which is told apart best from what is `usual`.
    pub(super) fn of(wanted: &[Wanted<'_>], usual: &Usual) -> Self {
        let mut needles: Vec<Needle> = Vec::with_capacity(wanted.len());
        let (mut within, mut heads, mut short) = (Vec::new(), Vec::new(), Vec::new());
        for one in wanted {
            let Ok(needle) = u16::try_from(needles.len()) else { break };
            let nth = if one.at_start { 0 } else { usual.rarest(one.texts) };
            let Some(text) = one.texts.get(nth).map(String::as_bytes) else { continue };
            let places: Vec<Place> = match usual.window(text) {
                _ if one.at_start => Place::new(text, needle, 0).into_iter().collect(),
                Some((from, _)) => {
                    (from..from + STRIDE).filter_map(|at| Place::new(text, needle, at)).collect()
                }
                None => Place::of_short(text, needle),
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

    /// Whether surely none of the texts stands in `message`, as in nearly all where that is so.
    pub(super) fn rules_out(&self, message: &[u8]) -> bool {
        let begins = |gram| self.heads.may_have(gram) && self.heads.may_go_on(gram, message, 0);
        if !self.short.is_empty() || gram_at(message, 0).is_some_and(begins) {
            return false;
        }
        let (steps, rest) = message.as_chunks::<STRIDE>();
        let (blocks, steps) = steps.as_chunks::<LOOKS>();
        let mut at = 0;
        for &[a, b, c, d] in blocks {
            if self.within.may_stand([head(a), head(b), head(c), head(d)], message, at) {
                return false;
            }
            at += LOOKS * STRIDE;
        }
        let gram = |nth: usize| steps.get(nth).copied().map_or(0, head);
        let last = last_gram(rest).unwrap_or(0);
        let at_end = at + steps.len() * STRIDE;
        let ends = |gram| self.within.may_have(gram) && self.within.may_go_on(gram, message, at_end);
        !(self.within.may_stand([gram(0), gram(1), gram(2), 0], message, at) || ends(last))
    }

    /// Calls `found` for each text that stands in `message`, with its owner and which of the owner's it is; perhaps
    /// more than once.
    pub(super) fn each(&self, message: &[u8], mut found: impl FnMut(u16, usize)) {
        if let Some(gram) = gram_at(message, 0)
            && self.heads.may_have(gram)
        {
            self.look(&self.heads, gram, message, 0, &mut found);
        }
        let (steps, rest) = message.as_chunks::<STRIDE>();
        let (blocks, steps) = steps.as_chunks::<LOOKS>();
        let mut at = 0;
        for &[a, b, c, d] in blocks {
            self.look_at([head(a), head(b), head(c), head(d)], message, at, &mut found);
            at += LOOKS * STRIDE;
        }
        // fewer than four, without a guess how many; no gram is 0
        let gram = |nth: usize| steps.get(nth).copied().map_or(0, head);
        self.look_at([gram(0), gram(1), gram(2), 0], message, at, &mut found);
        if let Some(gram) = last_gram(rest)
            && self.within.may_have(gram)
        {
            self.look(&self.within, gram, message, at + steps.len() * STRIDE, &mut found);
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

    /// Whether none of the texts stands in `message`, nor in any other that differs from it in its numbers alone.
    pub(super) fn rules_out_alike(&self, message: &[u8]) -> bool {
        let mut any = false;
        self.each(message, |_, _| any = true);
        let stands = |text: &[u8]| (0..message.len()).any(|at| begins_alike(message.get(at..), text));
        // what has neither a digit nor begins with a joint lies between numbers, where all of them are the same
        let numbered = |text: &&[u8]| {
            text.iter().any(u8::is_ascii_digit) || text.first().is_some_and(|first| is_joint(*first))
        };
        !any && !self.needles.iter().map(|needle| &*needle.text).filter(numbered).any(stands)
    }

    /// The texts of grams that lie at `at` and behind it.
    #[inline]
    fn look_at(&self, grams: [u32; LOOKS], message: &[u8], at: usize, found: &mut impl FnMut(u16, usize)) {
        let [a, b, c, d] = grams.map(|gram| u32::from(self.within.may_have(gram)));
        let hits = a | b << 1 | c << 2 | d << 3;
        if hits != 0 {
            self.look_closer(hits, &grams, message, at, found);
        }
    }

    #[inline(never)]
    fn look_closer(
        &self,
        mut hits: u32,
        grams: &[u32; LOOKS],
        message: &[u8],
        at: usize,
        found: &mut impl FnMut(u16, usize),
    ) {
        while hits != 0 {
            let nth = usize::try_from(hits.trailing_zeros()).unwrap_or(0);
            hits &= hits - 1;
            let gram = grams.get(nth).copied().unwrap_or(0);
            self.look(&self.within, gram, message, at + nth * STRIDE, found);
        }
    }

    /// The texts of a gram that lies at `at`.
    #[inline]
    fn look(&self, grams: &Grams, gram: u32, message: &[u8], at: usize, found: &mut impl FnMut(u16, usize)) {
        if grams.may_go_on(gram, message, at) {
            self.compare(grams, gram, message, at, found);
        }
    }

    #[inline(never)]
    fn compare(
        &self,
        grams: &Grams,
        gram: u32,
        message: &[u8],
        at: usize,
        found: &mut impl FnMut(u16, usize),
    ) {
        for place in grams.places(gram).iter().filter(|place| place.gram == gram) {
            let text = (at + 1).checked_sub(usize::from(place.at)).and_then(|from| message.get(from..));
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
        let mut pairs = Box::new([0u64; 1 << (PAIR_BITS - 6)]);
        let set = |bits: &mut [u64], hash: usize| {
            if let Some(word) = bits.get_mut(hash >> 6) {
                *word |= 1 << (hash & 63);
            }
        };
        for place in &places {
            set(&mut bits[..], hash(place.gram));
            let is_next = (place.other_at + 1).abs_diff(place.at) == 4;
            set(&mut pairs[..], pair(place.gram, if is_next { place.other } else { ALONE }));
        }
        let starts = (0..=1usize << LIST_BITS)
            .map(|n| u16::try_from(places.partition_point(|p| list(p.gram) < n)).unwrap_or(u16::MAX));
        Self { bits, pairs, starts: starts.collect(), places }
    }

    #[inline]
    fn may_have(&self, gram: u32) -> bool {
        let hash = hash(gram);
        self.bits.get(hash >> 6).is_some_and(|word| word >> (hash & 63) & 1 == 1)
    }

    /// Whether a text may have one of these grams, which lie at `at` and behind it, and what stands beside that.
    #[inline]
    fn may_stand(&self, grams: [u32; LOOKS], message: &[u8], at: usize) -> bool {
        let [a, b, c, d] = grams.map(|gram| u32::from(self.may_have(gram)));
        let hits = a | b << 1 | c << 2 | d << 3;
        hits != 0 && self.any_goes_on(hits, &grams, message, at)
    }

    #[inline(never)]
    fn any_goes_on(&self, mut hits: u32, grams: &[u32; LOOKS], message: &[u8], at: usize) -> bool {
        while hits != 0 {
            let nth = hits.trailing_zeros() as usize;
            hits &= hits - 1;
            if grams.get(nth).is_some_and(|gram| self.may_go_on(*gram, message, at + nth * STRIDE)) {
                return true;
            }
        }
        false
    }

    /// Whether what stands before or behind a gram may be what does so in a text.
    #[inline]
    fn may_go_on(&self, gram: u32, message: &[u8], at: usize) -> bool {
        let has = |other: u32| {
            let hash = pair(gram, other);
            self.pairs.get(hash >> 6).is_some_and(|word| word >> (hash & 63) & 1 == 1)
        };
        at.checked_sub(GRAM).and_then(|before| gram_at(message, before)).is_some_and(has)
            || gram_at(message, at + GRAM).is_some_and(has)
            || has(ALONE)
    }

    /// The places of a gram, and of others.
    fn places(&self, gram: u32) -> &[Place] {
        let list = list(gram);
        let at = |n: usize| self.starts.get(n).map_or(0, |start| usize::from(*start));
        self.places.get(at(list)..at(list + 1)).unwrap_or_default()
    }
}

/// How often the grams of a hash stand in texts like those that are searched.
pub(super) struct Usual(Vec<u32>);

impl Usual {
    pub(super) fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
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

/// The gram of what is left behind the last step: a text may end with the message, a byte before its last gram does.
#[inline]
fn last_gram(rest: &[u8]) -> Option<u32> {
    let last = match *rest {
        [a, b, c, d] => [a, b, c, d],
        [a, b, c] => [a, b, c, b' '],
        _ => return None,
    };
    Some(u32::from_le_bytes(last) | FOLD)
}

/// The gram that a step begins with.
#[inline]
fn head([a, b, c, d, _]: [u8; STRIDE]) -> u32 {
    u32::from_le_bytes([a, b, c, d]) | FOLD
}

#[inline]
fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize
}

#[inline]
fn pair(gram: u32, other: u32) -> usize {
    ((gram ^ other.rotate_left(15)).wrapping_mul(0x85EB_CA6B) >> (32 - PAIR_BITS)) as usize
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

/// Whether a message begins with a text, in any case, if all that numbers are made of is equal.
fn begins_alike(message: Option<&[u8]>, text: &[u8]) -> bool {
    let (mut message, mut text) = (message.unwrap_or_default(), text);
    let behind = |text: &'_ [u8]| text.iter().take_while(|b| is_joint(**b)).count();
    loop {
        match (message, text) {
            (_, []) => return true,
            ([a, ..], [b, ..]) if is_joint(*a) && is_joint(*b) => {
                message = message.get(behind(message)..).unwrap_or_default();
                text = text.get(behind(text)..).unwrap_or_default();
            }
            ([a, message_rest @ ..], [b, text_rest @ ..]) if a.eq_ignore_ascii_case(b) => {
                (message, text) = (message_rest, text_rest);
            }
            _ => return false,
        }
    }
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
            texts in prop::collection::vec(prop::collection::vec("[abAB {]{1,14}", 1..3), 1..6),
            starts in prop::collection::vec(any::<bool>(), 6),
            (before, after) in ("[abAB {]{0,45}", "[abAB {]{0,45}"),
            (within, upper) in (any::<prop::sample::Index>(), any::<bool>()),
        ) {
            let all: Vec<(u16, &Vec<String>, bool)> =
                (0u16..).zip(&texts).zip(&starts).map(|((owner, texts), start)| (owner, texts, *start)).collect();
            let wanted: Vec<Wanted<'_>> =
                all.iter().map(|&(owner, texts, at_start)| Wanted { owner, texts, at_start }).collect();
            let mut found = Vec::new();
            let like = texts.iter().flatten().map(String::as_str);
            let within = within.get(&texts).concat();
            let message = format!("{before}{}{after}", if upper { within.to_ascii_uppercase() } else { within });
            let sieve = Sieve::of(&wanted, &Usual::of(like));
            sieve.each(message.as_bytes(), |owner, _| found.push(owner));
            prop_assert!(found.is_empty() || !sieve.rules_out(message.as_bytes()));
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

        #[test]
        fn a_text_is_found_wherever_it_stands(text in "[a-cA-C0(:]{6,16}", before in 0usize..24, after in 0usize..24) {
            let texts = [text.clone()];
            let wanted = [Wanted { owner: 0, texts: &texts, at_start: false }];
            let sieve = Sieve::of(&wanted, &Usual::of(["abc"].into_iter()));
            let message = format!("{}{}{}", "x".repeat(before), text.to_ascii_uppercase(), "\u{fd}".repeat(after));
            let mut found = 0;
            sieve.each(message.as_bytes(), |_, _| found += 1);
            prop_assert!(found > 0 && !sieve.rules_out(message.as_bytes()));
        }
    }
}
