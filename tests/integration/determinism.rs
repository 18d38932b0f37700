//! The same bytes out for any number of threads, any size of buffer and any order of paths.

use std::path::PathBuf;
use std::sync::OnceLock;

use logtopsy::pipeline::Options;
use logtopsy::report::Format;
use proptest::prelude::*;

use crate::site;
use crate::support::{Logs, analyse, gzip, options, render, root};

const FORMATS: [Format; 5] = [Format::Text, Format::Markdown, Format::Json, Format::Csv, Format::Html];

fn all_formats(options: &Options) -> Vec<String> {
    let report = analyse(options);
    FORMATS.iter().map(|&format| String::from_utf8(render(&report, format)).unwrap()).collect()
}

/// A small tree with all that has a seam: several units, gzip members, another format in mid-file, stack traces, a
/// line that is longer than small buffers, an outage.
fn tree() -> &'static (Logs, Vec<String>) {
    static TREE: OnceLock<(Logs, Vec<String>)> = OnceLock::new();
    TREE.get_or_init(|| {
        let mut requests = site::traffic(7, 900, 3, 0.01);
        site::fail(&mut requests, 8, 400, 520, 1.0, 502);
        let (old, new) = requests.split_at(requests.len() / 2);
        let half = old.len() / 2;
        let logs = Logs::new();
        let mut members = gzip(site::combined(&old[..half]).as_bytes());
        members.extend(gzip(site::combined(&old[half..]).as_bytes()));
        logs.add("nginx/access.log.1.gz", members);
        let mut current = site::combined(&new[..200]);
        current += &"x".repeat(90_000);
        current += "\n\u{feff}\n\r\n";
        current += &site::json(&new[200..400]);
        current += site::combined(&new[400..]).trim_end();
        logs.add("nginx/access.log", current);
        let mut app = String::new();
        for second in (395..530).step_by(3) {
            let time = chrono::DateTime::from_timestamp(site::START + second, 0).unwrap();
            app += &time.format("%Y-%m-%d %H:%M:%S ERROR cannot reach the database\nTraceback (most recent call last):\n  File \"a.py\", line 1\nOSError: refused\n").to_string();
        }
        logs.add("app/app.log", app);
        let reference = all_formats(&options(&[logs.path()]));
        assert!(reference[0].contains("502 Bad Gateway"), "{}", reference[0]);
        (logs, reference)
    })
}

#[test]
fn one_thread_or_eight_say_the_same() {
    for sample in ["sample-logs/bad-gateway", "sample-logs/web-01"] {
        let with = |jobs| all_formats(&Options { jobs: Some(jobs), ..options(&[root().join(sample)]) });
        assert_eq!(with(1), with(8), "{sample}");
    }
}

#[test]
fn a_tiny_buffer_says_the_same_of_a_sample() {
    let paths = [root().join("sample-logs/web-01")];
    let with = |buffer| all_formats(&Options { buffer, ..options(&paths) });
    assert_eq!(with(Some(4096)), with(None));
}

#[test]
fn the_order_of_paths_does_not_matter() {
    let (logs, _) = tree();
    let mut paths: Vec<PathBuf> =
        ["nginx/access.log", "nginx/access.log.1.gz", "app/app.log"].map(|p| logs.path().join(p)).into();
    let first = all_formats(&options(&paths));
    paths.reverse();
    assert_eq!(all_formats(&options(&paths)), first);
    paths.rotate_left(1);
    assert_eq!(all_formats(&options(&paths)), first);
}

#[test]
fn a_second_run_says_the_same() {
    let (logs, reference) = tree();
    assert_eq!(&all_formats(&options(&[logs.path()])), reference);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_size_of_the_buffer_does_not_matter(
        buffer in prop_oneof![64_usize..300, 300_usize..5000, 5000_usize..70_000],
        jobs in 1_usize..5,
    ) {
        let (logs, reference) = tree();
        let options = Options { buffer: Some(buffer), jobs: Some(jobs), ..options(&[logs.path()]) };
        prop_assert_eq!(&all_formats(&options), reference);
    }
}
