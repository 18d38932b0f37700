//! Exit statuses, as the contract names them.

use logtopsy::error::Error;
use logtopsy::explain::facts::Input;
use logtopsy::report::wording;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, whatever was found.
    Done,
    /// Nothing could be analysed.
    Nothing,
    /// Wrong usage.
    Usage,
    /// The report is written, but some input could not be read in full.
    Partial,
    /// The report could not be written.
    Output,
    /// `--fail-on-incident`, and there is one.
    Incident,
    /// SIGINT or SIGTERM.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Nothing => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Output => 4,
            Self::Incident => 10,
            Self::Interrupted => 130,
        }
    }

    /// After a written report: an incident counts only if asked for, and then more than an unreadable input.
    pub(crate) fn after_report(inputs: &[Input], incidents: usize, fail_on_incident: bool) -> Self {
        if fail_on_incident && incidents > 0 {
            Self::Incident
        } else if inputs.iter().any(|input| wording::is_partial(input.status)) {
            Self::Partial
        } else {
            Self::Done
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error {
            Error::Usage(_) => Self::Usage,
            Error::Output { .. } => Self::Output,
            Error::Closed => Self::Done,
            // The library may learn of more reasons; none of them leaves a report.
            _ => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use logtopsy::explain::facts::InputStatus;

    fn input(status: InputStatus) -> Input {
        Input {
            path: "a".into(),
            format: None,
            status,
            detail: None,
            bytes: 0,
            lines: 0,
            records: 0,
            continuation_lines: 0,
            skipped: std::collections::BTreeMap::new(),
            first: None,
            last: None,
            time_zone: None,
            time_zone_source: None,
            role: None,
            example: None,
        }
    }

    #[test]
    fn an_input_that_is_missing_in_part_is_3() {
        use InputStatus::{
            Complete, Damaged, Duplicate, Limit, Skipped, Truncated, Unreadable, Unrecognised,
        };
        let code = |status| Exit::after_report(&[input(Complete), input(status)], 2, false).code();
        for status in [Truncated, Damaged, Limit, Unreadable] {
            assert_eq!(code(status), 3, "{status:?}");
        }
        for status in [Complete, Duplicate, Skipped, Unrecognised] {
            assert_eq!(code(status), 0, "{status:?}");
        }
    }

    #[test]
    fn an_incident_counts_only_if_asked_for_and_then_first() {
        let damaged = [input(InputStatus::Damaged)];
        assert_eq!(Exit::after_report(&damaged, 1, true).code(), 10);
        assert_eq!(Exit::after_report(&damaged, 0, true).code(), 3);
        assert_eq!(Exit::after_report(&[], 1, false).code(), 0);
    }

    #[test]
    fn errors_have_their_statuses() {
        let output = Error::Output { target: "r".into(), source: std::io::ErrorKind::StorageFull.into() };
        assert_eq!(Exit::from(&output).code(), 4);
        assert_eq!(Exit::from(&Error::Usage(String::new())).code(), 2);
        assert_eq!(Exit::from(&Error::NothingToAnalyse(String::new())).code(), 1);
        assert_eq!(Exit::from(&Error::Closed).code(), 0);
    }
}
