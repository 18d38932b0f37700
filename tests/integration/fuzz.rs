//! What the fuzz targets do, over their committed corpora and over variations of them.
//!
//! `LOGTOPSY_FUZZ_RUNS=1000 cargo test fuzz` tries more variations of each file.

use std::fs;
use std::path::Path;

use crate::site::Dice;
use crate::support::root;

#[path = "../fuzz/functions.rs"]
mod functions;

type Target = fn(&[u8]);
const TARGETS: [(&str, Target); 7] = [
    ("line", functions::line),
    ("lines", functions::lines),
    ("sniff", functions::sniff),
    ("log_format", functions::log_format),
    ("time_spec", functions::time_spec),
    ("decode", functions::decode),
    ("end_to_end", functions::end_to_end),
];

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = root().join("tests/fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|e| panic!("{}: {e}", directory.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_file_of_the_corpora_is_survived() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(files.len() >= 3, "{name} has a corpus");
        for (file, data) in files {
            println!("{name}/{file}");
            target(&data);
            // and cut short
            for tenths in 1..10 {
                target(&data[..data.len() * tenths / 10]);
            }
        }
    }
}

#[test]
fn variations_of_the_corpora_are_survived() {
    let runs = std::env::var("LOGTOPSY_FUZZ_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    for (name, target) in TARGETS {
        for (file, data) in corpus(name) {
            for seed in 0..runs {
                println!("{name}/{file}, variation {seed}");
                target(&varied(&data, seed));
            }
        }
    }
}

/// The data with a few bytes changed, dropped, doubled, or moved.
fn varied(data: &[u8], seed: u64) -> Vec<u8> {
    const SPECIAL: &[u8] = b"\0\n\r\t\x1b\"\\[]{}:,-+.%$ 0129aT\x7f\x80\xff\xfe";
    let mut dice = Dice::new(seed);
    let mut data = data.to_vec();
    for _ in 0..=dice.below(5) {
        let length = data.len() as u64;
        let at = usize::try_from(dice.below(length + 1)).unwrap();
        let some = usize::try_from(1 + dice.below(16)).unwrap().min(data.len() - at);
        let byte = SPECIAL[usize::try_from(dice.below(SPECIAL.len() as u64)).unwrap()];
        match dice.below(6) {
            0 if at < data.len() => data[at] ^= 1 << dice.below(8),
            1 if at < data.len() => data[at] = byte,
            2 => data.insert(at, byte),
            3 => drop(data.drain(at..at + some)),
            4 => {
                let piece = data[at..at + some].to_vec();
                let to = usize::try_from(dice.below(length + 1)).unwrap();
                data.splice(to..to, piece);
            }
            _ => {
                let piece = vec![byte; some * 20];
                data.splice(at..at, piece);
            }
        }
    }
    data
}

#[test]
fn every_target_is_built_and_has_a_corpus() {
    let directory = root().join("tests/fuzz");
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        assert!(directory.join("fuzz_targets").join(format!("{name}.rs")).exists(), "{name}");
    }
    let count = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!(count(&directory.join("fuzz_targets")), TARGETS.len());
    assert_eq!(count(&directory.join("corpus")), TARGETS.len());
}
