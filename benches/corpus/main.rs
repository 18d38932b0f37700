//! Writes a corpus to standard output: `cargo run --release --example corpus -- combined 1000 > access.log` (MB).
//! The names are those of `Kind::ALL`.

#[path = "mod.rs"]
mod generator;

use std::io::Write as _;

use generator::{Corpus, Kind};

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let named = args.next().unwrap_or_default();
    let kind = Kind::ALL.iter().find(|(name, _)| *name == named).map_or(Kind::Combined, |(_, kind)| *kind);
    let megabytes: usize = args.next().and_then(|n| n.parse().ok()).unwrap_or(10);
    let mut corpus = Corpus::new(kind, 7, megabytes * 1_000_000);
    let mut out = std::io::stdout().lock();
    for _ in 0..megabytes {
        out.write_all(corpus.text(1_000_000).as_bytes())?;
    }
    out.flush()
}
