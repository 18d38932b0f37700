//! What logtopsy promises, held against the program as a whole: one binary, a module per promise.
//!
//! Every JSON report that any test gets is checked against the published schema and the accounting identity on its way
//! (see [`support::checked`]). Nothing here depends on the network, the machine's zone or how fast it is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test ends where it is wrong, and says so"
)]

mod accuracy;
mod allocations;
mod cli;
mod clocks;
mod corpora;
mod determinism;
mod docs;
mod drafts;
mod fuzz;
mod hostile;
mod imports;
mod incidents;
mod ranges;
mod records;
mod samples;
mod schema;
mod signatures;
mod site;
mod support;
mod wrapped;
