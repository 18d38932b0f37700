//! Point logtopsy at `/var/log` after an outage and get the facts of the post-mortem.

pub mod detect;
pub mod discover;
pub mod error;
pub mod explain;
pub mod input;
pub mod model;
pub mod pipeline;
pub mod report;
