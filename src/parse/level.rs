//! Severities as logs write them.

use super::number::whole;
use crate::format::LevelNotation;
use crate::model::Level;

/// Names of levels, by upper case.
const LEVELS: &[(&[u8], Level)] = &[
    (b"INFO", Level::Info),
    (b"ERROR", Level::Error),
    (b"WARN", Level::Warning),
    (b"WARNING", Level::Warning),
    (b"DEBUG", Level::Debug),
    (b"NOTICE", Level::Notice),
    (b"ERR", Level::Error),
    (b"CRIT", Level::Critical),
    (b"CRITICAL", Level::Critical),
    (b"FATAL", Level::Critical),
    (b"SEVERE", Level::Error),
    (b"ALERT", Level::Alert),
    (b"EMERG", Level::Emergency),
    (b"EMERGENCY", Level::Emergency),
    (b"PANIC", Level::Emergency),
    (b"TRACE", Level::Debug),
    (b"TRACE1", Level::Debug),
    (b"TRACE2", Level::Debug),
    (b"TRACE3", Level::Debug),
    (b"TRACE4", Level::Debug),
    (b"TRACE5", Level::Debug),
    (b"TRACE6", Level::Debug),
    (b"TRACE7", Level::Debug),
    (b"TRACE8", Level::Debug),
    (b"VERBOSE", Level::Debug),
    (b"FINE", Level::Debug),
    (b"FINER", Level::Debug),
    (b"FINEST", Level::Debug),
    (b"CONFIG", Level::Info),
    (b"INFORMATION", Level::Info),
    (b"INF", Level::Info),
    (b"LOG", Level::Info),
    (b"ANY", Level::Info),
    (b"WRN", Level::Warning),
    (b"DEPRECATION", Level::Warning),
    (b"DEPRECATED", Level::Notice),
    (b"NOTE", Level::Notice),
    (b"SYSTEM", Level::Notice),
    (b"FATAL ERROR", Level::Critical),
    (b"PARSE ERROR", Level::Critical),
    (b"FTL", Level::Critical),
    (b"DPANIC", Level::Critical),
    (b"ERRO", Level::Error),
    (b"FATA", Level::Critical),
    (b"DEBU", Level::Debug),
    (b"TRC", Level::Debug),
    (b"TRAC", Level::Debug),
    (b"BLAT", Level::Debug),
    (b"DBG", Level::Debug),
    (b"DEBG", Level::Debug),
    (b"DEBUG1", Level::Debug),
    (b"DEBUG2", Level::Debug),
    (b"DEBUG3", Level::Debug),
    (b"DEBUG4", Level::Debug),
    (b"DEBUG5", Level::Debug),
    (b"DETAIL", Level::Info),
    (b"HINT", Level::Info),
    (b"STATEMENT", Level::Info),
    (b"CONTEXT", Level::Info),
    (b"QUERY", Level::Info),
    (b"LOCATION", Level::Info),
];

/// The level that a word names.
pub(super) fn level(word: &[u8]) -> Option<Level> {
    LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, level)| level)
}

/// The level that a text says in a notation other than a word.
pub(super) fn level_as(text: &[u8], notation: LevelNotation) -> Option<Level> {
    match notation {
        LevelNotation::Letter => letter(*text.first()?),
        LevelNotation::Mark => match text {
            b"." => Some(Level::Debug),
            b"-" => Some(Level::Info),
            b"*" => Some(Level::Notice),
            b"#" => Some(Level::Warning),
            _ => None,
        },
        // RFC 5424, section 6.2.1: facility times eight plus severity, at most 23 × 8 + 7
        LevelNotation::Priority => whole(text).filter(|n| *n <= 191).and_then(|n| severity(n % 8)),
        LevelNotation::Last => level(text.rsplit(|&b| b == b' ').next()?),
        LevelNotation::Any => match (text, whole(text)) {
            (_, Some(n)) => number(n),
            ([one], None) => letter(*one),
            _ => level(text.trim_ascii()),
        },
    }
}

fn letter(letter: u8) -> Option<Level> {
    Some(match letter {
        // some write A for what is always logged
        b'I' | b'i' | b'A' => Level::Info,
        b'W' | b'w' => Level::Warning,
        b'E' | b'e' => Level::Error,
        b'F' | b'f' | b'C' => Level::Critical,
        b'N' => Level::Notice,
        b'D' | b'd' | b'V' | b'T' => Level::Debug,
        _ => return None,
    })
}

/// Syslog's 0–7, pino's and bunyan's 10–60, Monolog's 100–600.
fn number(n: u64) -> Option<Level> {
    Some(match n {
        0..=7 => return severity(n),
        10..=29 | 100..=199 => Level::Debug,
        30..=39 | 200..=249 => Level::Info,
        250..=299 => Level::Notice,
        40..=49 | 300..=399 => Level::Warning,
        50..=59 | 400..=499 => Level::Error,
        60..=69 | 500..=549 => Level::Critical,
        550..=599 => Level::Alert,
        600..=699 => Level::Emergency,
        _ => return None,
    })
}

fn severity(n: u64) -> Option<Level> {
    const ALL: [Level; 8] = [
        Level::Emergency,
        Level::Alert,
        Level::Critical,
        Level::Error,
        Level::Warning,
        Level::Notice,
        Level::Info,
        Level::Debug,
    ];
    ALL.get(usize::try_from(n).ok()?).copied()
}
