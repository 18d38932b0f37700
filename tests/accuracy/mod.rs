//! How often logtopsy is right: site-days whose truth is known to the request, and a scorer that compares.
//!
//! See `README.md` beside this file. Nothing here knows how logtopsy detects: it is judged by the JSON that it prints.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::float_cmp,
    clippy::similar_names,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a simulator for tests: it stops where it is wrong, its numbers are small, and two programs use parts of it"
)]

pub(crate) mod dice;
pub(crate) mod incident;
pub(crate) mod layout;
pub(crate) mod lines;
pub(crate) mod methods;
pub(crate) mod noise;
pub(crate) mod play;
pub(crate) mod run;
pub(crate) mod score;
pub(crate) mod site;
pub(crate) mod table;
pub(crate) mod truth;
