//! Point logtopsy at `/var/log` after an outage and get the facts of the post-mortem: when it began, when it ended,
//! what share of the requests it hit, and a draft to fill in.
//!
//! The stages and the rules between them are in `src/README.md`.
//!
//! ```
//! use logtopsy::pipeline::{Options, Silent, analyse};
//! use logtopsy::discover::Query;
//!
//! # fn main() -> logtopsy::error::Result<()> {
//! let query = Query { paths: vec!["sample-logs/web-01/var".into()], ..Query::default() };
//! let report = analyse(&Options { query, ..Options::default() }, &Silent)?;
//! let incident = &report.incidents[0];
//! assert_eq!(incident.start.at.compact_utc(), "20240512T090007Z");
//! assert!(incident.impact.percent.is_some_and(|p| p > 99.0));
//! # Ok(())
//! # }
//! ```

pub mod detect;
pub mod discover;
pub mod error;
pub mod explain;
pub mod format;
pub mod input;
pub mod inspect;
pub mod model;
pub mod parse;
pub mod pipeline;
pub mod report;
pub mod signature;
pub mod sniff;
pub mod survey;
