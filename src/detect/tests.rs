//! Tests of the detectors.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::similar_names,
    reason = "simulated counts are small, seconds positive, and a share has a shape"
)]

mod clients;
mod edges;
mod fuzz;
mod incidents;
mod latency;
mod latency_fuzz;
mod latency_measure;
mod latency_sim;
mod measure;
mod sim;
mod statuses;
mod traffic;
mod traffic_cases;
mod traffic_sim;
mod viterbi;
