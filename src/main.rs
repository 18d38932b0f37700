//! `logtopsy`: reads the logs after an outage and reports the facts of the post-mortem.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cli::run().code())
}
