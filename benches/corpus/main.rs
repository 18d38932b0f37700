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
    // the whole corpus spans a day (a month), whatever its size
    let lines = u64::try_from(megabytes * 1_000_000 / kind.line_bytes()).unwrap_or(1);
    let mut corpus = Corpus::new(kind, 7, kind.days() * 86_400_000 / lines.max(1));
    let mut out = std::io::stdout().lock();
    for _ in 0..megabytes {
        out.write_all(corpus.text(1_000_000).as_bytes())?;
    }
    out.flush()
}
