//! The bytes that a line of a format can begin with.

use super::plan::{Step, Until};
use crate::format::{Field, TimeNotation};

/// A set of bytes; an empty line, which begins with none, is taken for in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Firsts([u64; 4]);

impl Firsts {
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    /// The bytes that are wanted.
    pub(super) fn with(wanted: impl Fn(u8) -> bool) -> Self {
        let mut set = [0u64; 4];
        for byte in (0..=u8::MAX).filter(|byte| wanted(*byte)) {
            if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
        Self(set)
    }

    pub(super) fn or(self, other: Self) -> Self {
        let mut set = self.0;
        for (mine, theirs) in set.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
        Self(set)
    }

    /// Whether `line` may begin so.
    #[inline]
    pub(super) fn may_begin(&self, line: &[u8]) -> bool {
        line.first().is_none_or(|&byte| {
            self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
        })
    }
}

/// What lines that these steps fit can begin with, or more.
pub(super) fn of(steps: &[Step]) -> Firsts {
    let Some((step, rest)) = steps.split_first() else { return Firsts::ALL };
    match step {
        Step::Literal(literal) => match literal.first() {
            Some(&first) => Firsts::with(|byte| byte == first),
            None => of(rest),
        },
        Step::Space => Firsts::with(|byte| matches!(byte, b' ' | b'\t')),
        Step::Time { notation, .. } => time(*notation),
        Step::Number { .. } => Firsts::with(|byte| byte.is_ascii_digit() || byte == b'-'),
        Step::Value { field: Field::Word, until: Until::Blank, .. } => {
            Firsts::with(|byte| !matches!(byte, b' ' | b'\t'))
        }
        // around which blanks are passed over
        Step::Value { field: Field::Level, .. } => {
            Firsts::with(|byte| byte.is_ascii_alphabetic() || byte.is_ascii_whitespace())
        }
        Step::Value { field: Field::Host, .. } => {
            Firsts::with(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
        }
        Step::Value { .. } => Firsts::ALL,
        Step::Optional(inner) => of(inner).or(of(rest)),
    }
}

fn time(notation: TimeNotation) -> Firsts {
    match notation {
        TimeNotation::Asctime | TimeNotation::Syslog => Firsts::with(|byte| byte.is_ascii_alphabetic()),
        TimeNotation::DayFirst => Firsts::with(|byte| byte.is_ascii_alphanumeric()),
        TimeNotation::Any => Firsts::with(|byte| byte.is_ascii_digit() || byte == b'['),
        TimeNotation::Clf
        | TimeNotation::ClfLoose
        | TimeNotation::Iso
        | TimeNotation::IsoUtc
        | TimeNotation::Slashed
        | TimeNotation::Short
        | TimeNotation::Klog
        | TimeNotation::Rfc3339
        | TimeNotation::Epoch
        | TimeNotation::EpochMillis => Firsts::with(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Firsts;
    use crate::format::Catalog;
    use crate::parse::{Fields, LineParser, Quotes, Scratch};

    #[test]
    fn a_set_has_what_was_wanted() {
        let set = Firsts::with(|byte| byte == b'[').or(Firsts::with(|byte| byte > 0xF0));
        assert!(set.may_begin(b"[x") && set.may_begin(&[0xFF]) && set.may_begin(b""));
        assert!(!set.may_begin(b"x") && !set.may_begin(&[0xF0]));
    }

    /// Each format's samples, without their beginnings and behind others.
    #[test]
    fn no_line_is_left_out_that_a_format_takes() {
        let catalog = Catalog::built_in().unwrap();
        let parsers: Vec<LineParser> = catalog.iter().map(LineParser::new).collect();
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let cases = (0..catalog.samples().len(), 0usize..24, "[ -~\\t]{0,2}");
        let checked = runner.run(&cases, |(sample, cut, front)| {
            let line = catalog.samples()[sample].1.line.as_bytes();
            let line = [front.as_bytes(), line.get(cut.min(line.len())..).unwrap_or_default()].concat();
            for parser in parsers.iter().filter(|parser| !parser.first.may_begin(&line)) {
                prop_assert!(
                    parser
                        .read(&line, Quotes::UNKNOWN, &mut Fields::default(), &mut Scratch::default())
                        .is_err()
                );
            }
            Ok(())
        });
        checked.unwrap();
    }
}
