//! What can go wrong: a bad request is an [`Error`]; bad input is data, at most a [`Warning`].

use std::path::PathBuf;

/// Why the run ends without a (whole) report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request itself is wrong: an option, a glob, a time, a format string. Exit status 2.
    #[error("{0}")]
    Usage(String),
    /// None of the inputs could be analysed. Exit status 1.
    #[error("{0}")]
    NothingToAnalyse(String),
    /// The report could not be written. Exit status 4.
    #[error("{}: cannot write the report: {source}", target.display())]
    Output {
        /// Where it should have gone.
        target: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The reader of our output closed the pipe: the run ends quietly, exit status 0.
    #[error("the reader closed the pipe")]
    Closed,
}

/// A `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What the reader of the report must know: one line, already free of hostile characters where it quotes a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The file that it is about.
    pub path: Option<crate::model::Untrusted>,
    /// What is wrong and what it means.
    pub text: String,
}
