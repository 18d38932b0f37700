//! Which of two Debian versions is the older one: dpkg writes a downgrade as `upgrade`.
//!
//! The order is that of the Debian Policy Manual, section 5.6.12 (`[epoch:]upstream[-revision]`), as deb-version(7)
//! tells it. Versions that break the rules (an epoch that is no number) are compared all the same.

use std::cmp::Ordering;

/// Compares two Debian versions.
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let ((epoch_a, rest_a), (epoch_b, rest_b)) = (epoch(a), epoch(b));
    let ((upstream_a, revision_a), (upstream_b, revision_b)) = (revision(rest_a), revision(rest_b));
    number(epoch_a, epoch_b)
        .then_with(|| part(upstream_a, upstream_b))
        .then_with(|| part(revision_a, revision_b))
}

/// What stands before the first colon, and the rest. No epoch is epoch zero.
fn epoch(version: &[u8]) -> (&[u8], &[u8]) {
    split(version, memchr::memchr(b':', version))
}

/// Upstream version and revision, which begins after the last hyphen. No revision is revision zero.
fn revision(version: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'-', version) {
        None => (version, b""),
        at => split(version, at),
    }
}

fn split(text: &[u8], at: Option<usize>) -> (&[u8], &[u8]) {
    match at.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?))) {
        Some(parts) => parts,
        None => (b"", text),
    }
}

/// Compares stretches without digits and numbers by turns.
fn part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !(a.is_empty() && b.is_empty()) {
        let ((words_a, rest_a), (words_b, rest_b)) = (leading(a, false), leading(b, false));
        let ((digits_a, rest_a), (digits_b, rest_b)) = (leading(rest_a, true), leading(rest_b, true));
        let order = words(words_a, words_b).then_with(|| number(digits_a, digits_b));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

/// The longest head of digits, or of anything else.
fn leading(text: &[u8], digits: bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| b.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, b""))
}

/// Letters sort before all else, `~` before even the end.
fn words(a: &[u8], b: &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(&letter) if letter.is_ascii_alphabetic() => i32::from(letter),
        Some(&other) => i32::from(other) + 256,
    };
    (0..a.len().max(b.len()))
        .map(|at| weight(a.get(at)).cmp(&weight(b.get(at))))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

/// Numbers of any length; nothing is zero.
fn number(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (significant(a), significant(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn significant(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().position(|b| *b != b'0').unwrap_or(digits.len());
    digits.get(zeros..).unwrap_or(b"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        let ascending = [
            ("1.0~~", "1.0~~a"),
            ("1.0~~a", "1.0~"),
            ("1.0~", "1.0"),
            ("1.0~beta1", "1.0"),
            ("1.0~beta1~svn1245", "1.0~beta1"),
            ("1.0", "1.0a"),
            ("1.0a", "1.0+b1"),
            ("1.0-1", "1.0-1+b1"),
            ("1.0-1~bpo11+1", "1.0-1"),
            ("1.0-1", "1.0-1.1"),
            ("1.9", "1.10"),
            ("9.9", "1:0.1"),
            ("1:9", "2:0"),
            ("0:1.2", "1.3"),
            ("1.8.2", "2.0.0"),
            ("2.0.0", "2.0.1"),
            ("2.4.57-2", "2.4.68-1~deb12u1"),
            ("2.4.68-1~deb12u1", "2.4.68-1"),
            ("3.0.11-1~deb12u2", "3.0.11-1~deb12u10"),
            ("7.4.33-1+deb11u4", "2:7.4+76"),
            ("1.2-3-4", "1.2-3-5"),
            ("", "0a"),
            ("1.99999999999999999998", "1.99999999999999999999"),
        ];
        for (older, newer) in ascending {
            assert_eq!(compare(older.as_bytes(), newer.as_bytes()), Ordering::Less, "{older} < {newer}");
            assert_eq!(compare(newer.as_bytes(), older.as_bytes()), Ordering::Greater, "{newer} > {older}");
        }
    }

    #[test]
    fn different_spellings_of_a_version_are_equal() {
        for (a, b) in [("0:1.2", "1.2"), ("1.2", "1.2-0"), ("1.02", "1.2"), ("1.2-00", "1.2-0"), ("", "0")] {
            assert_eq!(compare(a.as_bytes(), b.as_bytes()), Ordering::Equal, "{a} = {b}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_an_order(
            a in "[0-9]{0,2}:?[a-z0-9.+~]{0,6}-?[a-z0-9.+~]{0,3}",
            b in "[0-9]{0,2}:?[a-z0-9.+~]{0,6}-?[a-z0-9.+~]{0,3}",
            c in "[0-9]{0,2}:?[a-z0-9.+~]{0,6}-?[a-z0-9.+~]{0,3}",
        ) {
            let (a, b, c) = (a.as_bytes(), b.as_bytes(), c.as_bytes());
            prop_assert_eq!(compare(a, b), compare(b, a).reverse());
            prop_assert_eq!(compare(a, a), Ordering::Equal);
            if compare(a, b) != Ordering::Greater && compare(b, c) != Ordering::Greater {
                prop_assert_ne!(compare(a, c), Ordering::Greater);
            }
        }
    }
}
