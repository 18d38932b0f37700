//! Tests of the errors detector.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "simulated counts are small and seconds positive"
)]

mod fuzz;
mod incidents;
mod measure;
mod sim;
mod viterbi;
