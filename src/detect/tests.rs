//! Tests of the errors detector.

mod fuzz;
mod incidents;
mod measure;
mod sim;
mod viterbi;
