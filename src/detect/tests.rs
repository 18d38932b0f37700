//! Tests of the errors detector.

mod measure;
mod sim;
mod viterbi;
