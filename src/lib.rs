//! Point logtopsy at `/var/log` after an outage and get the facts of the post-mortem.

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
