//! Names of time zones behind a time.

use crate::model::{Offset, Stamp};

/// Abbreviations of zones that mean one offset, in hours; BST, CST, IST and others mean several.
const ABBREVIATIONS: &[(&[u8], i32)] = &[
    (b"WET", 0),
    (b"WEST", 1),
    (b"CET", 1),
    (b"CEST", 2),
    (b"EET", 2),
    (b"EEST", 3),
    (b"MSK", 3),
    (b"WAT", 1),
    (b"SAST", 2),
    (b"EAT", 3),
    (b"HKT", 8),
    (b"JST", 9),
    (b"KST", 9),
    (b"AEST", 10),
    (b"AEDT", 11),
    (b"NZST", 12),
    (b"NZDT", 13),
    (b"EST", -5),
    (b"EDT", -4),
    (b"CDT", -5),
    (b"MST", -7),
    (b"MDT", -6),
    (b"PST", -8),
    (b"PDT", -7),
];

/// Gives a stamp without an offset the one that an abbreviation behind it means, if it means one.
pub(super) fn abbreviated(name: &[u8], written: &mut Stamp) {
    let known = ABBREVIATIONS.iter().find(|(abbreviation, _)| *abbreviation == name);
    if let (Some((_, hours)), None) = (known, written.offset) {
        let east = hours * 3_600;
        *written = Stamp { at: written.at.plus_seconds(-i64::from(east)), offset: Some(Offset(east)) };
    }
}
