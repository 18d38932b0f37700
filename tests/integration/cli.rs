//! The program as people and scripts meet it: exit statuses, messages, streams, options.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::site;
use crate::support::{Logs, ended, gzip, incidents, input, logtopsy, number, process, run, run_with_input};

const LINE: &str = "203.0.113.7 - - [14/May/2023:12:00:03 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n";
const SAMPLE: &str = "sample-logs/web-01";

/// Half an hour with five minutes in which everything fails.
fn outage() -> String {
    let mut requests = site::traffic(1, 1800, 3, 0.0);
    site::fail(&mut requests, 2, 900, 1200, 1.0, 502);
    site::combined(&requests)
}

// Exit statuses.

#[test]
fn done_is_0_whatever_was_found() {
    for (log, found) in [(outage(), 1), (site::combined(&site::traffic(1, 600, 3, 0.0)), 0)] {
        let logs = Logs::with("access.log", log);
        let ended = logs.run(&["-f", "json"]);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
        assert_eq!(incidents(&ended.json()).len(), found);
    }
}

#[test]
fn a_missing_file_alone_is_1_and_named() {
    let ended = run(["/no/such/access.log"]);
    assert_eq!(ended.status, Some(1));
    assert!(ended.stdout.is_empty());
    assert!(ended.stderr.contains("/no/such/access.log"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[test]
fn a_missing_file_beside_a_good_one_is_3_and_named() {
    let ended = run(["-f", "json", "/no/such/access.log", SAMPLE]);
    assert_eq!(ended.status, Some(3));
    assert!(ended.stderr.contains("/no/such/access.log"), "{}", ended.stderr);
    assert_eq!(input(&ended.json(), "/no/such/access.log")["status"], "unreadable");
    assert_eq!(incidents(&ended.json()).len(), 1);
}

#[test]
fn prose_alone_is_1() {
    let logs = Logs::with("notes.txt", "Dear all,\nthe site was down.\n");
    let ended = logs.run(&[]);
    assert_eq!(ended.status, Some(1));
    assert!(ended.stderr.contains("notes.txt"), "{}", ended.stderr);
    let empty = Logs::new();
    assert_eq!(empty.run(&[]).status, Some(1));
}

#[test]
fn a_wrong_option_is_2_and_named() {
    for (args, named) in [
        (vec!["--colour-of-the-sky"], "--colour-of-the-sky"),
        (vec!["--since", "soon", "."], "--since"),
        (vec!["--format", "pdf", "."], "--format"),
        (vec!["--tz", "Mars/Olympus", "."], "--tz"),
        (vec!["--jobs", "0", "."], "--jobs"),
        (vec!["--include", "a[", "."], "a["),
        (vec!["--exclude", "{x", "."], "{x"),
        (vec!["--log-format", "no-such-format", "."], "no-such-format"),
        (vec!["--since", "2023-05-14", "--until", "2023-05-13", "."], "--since"),
        (vec!["records", "--log-format", "$nonsense", "."], "--log-format"),
    ] {
        let ended = run(&args);
        assert_eq!(ended.status, Some(2), "{args:?}: {}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{args:?}");
        assert!(ended.stderr.contains(named), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn a_report_that_cannot_be_written_is_4_and_says_where() {
    let logs = Logs::with("access.log", LINE);
    let nowhere = logs.path().join("no/report.json");
    let ended = ended(logtopsy().arg("-o").arg(&nowhere).arg(logs.path()));
    assert_eq!(ended.status, Some(4));
    assert!(ended.stderr.contains("report.json"), "{}", ended.stderr);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = process().arg(logs.path()).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(!output.stderr.is_empty());
}

#[test]
fn a_directory_that_may_not_be_written_to_is_4() {
    let logs = Logs::with("access.log", LINE);
    let closed = logs.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(closed.join("probe"), "").is_ok() {
        println!("skipped: this user may write anywhere");
        return;
    }
    let ended = ended(logtopsy().arg("-o").arg(closed.join("report")).arg(logs.path().join("access.log")));
    assert_eq!(ended.status, Some(4));
}

#[test]
fn an_incident_is_10_only_when_asked_for() {
    let logs = Logs::with("access.log", outage());
    assert_eq!(logs.run(&[]).status, Some(0));
    assert_eq!(logs.run(&["--fail-on-incident"]).status, Some(10));
    let quiet = Logs::with("access.log", site::combined(&site::traffic(1, 600, 3, 0.0)));
    assert_eq!(quiet.run(&["--fail-on-incident"]).status, Some(0));
}

#[test]
fn a_truncated_gzip_is_3_and_named() {
    let whole = gzip(outage().as_bytes());
    let logs = Logs::with("access.log.1.gz", &whole[..whole.len() / 2]);
    logs.add("other.log", LINE);
    let ended = logs.run(&["-f", "json"]);
    assert_eq!(ended.status, Some(3));
    assert!(ended.stderr.contains("access.log.1.gz"), "{}", ended.stderr);
    let json = ended.json();
    let row = input(&json, "access.log.1.gz");
    assert_eq!(row["status"], "truncated");
    assert!(number(&row["records"]) > 100, "what came before the cut is analysed: {row}");
    assert_eq!(logs.run(&["-q"]).stderr, "");
}

// Streams.

#[test]
fn standard_input_is_read_as_a_file() {
    let piped = run_with_input(["-f", "json", "-"], outage());
    assert_eq!((piped.status, piped.stderr.as_str()), (Some(0), ""));
    let logs = Logs::with("access.log", outage());
    let file = logs.run(&["-f", "json"]).json();
    let piped = piped.json();
    for part in ["window", "totals"] {
        assert_eq!(piped[part], file[part]);
    }
    assert_eq!(piped["incidents"][0]["impact"], file["incidents"][0]["impact"]);
    assert_eq!(piped["inputs"][0]["path"], "-");
}

#[test]
fn packed_standard_input_is_unpacked() {
    let piped = run_with_input(["-f", "json", "-"], gzip(outage().as_bytes()));
    assert_eq!(incidents(&piped.json()).len(), 1);
}

#[test]
fn a_descriptor_can_be_named() {
    let logs = Logs::with("access.log", outage());
    let file = fs::File::open(logs.path().join("access.log")).unwrap();
    let output = process().args(["-f", "json", "/dev/fd/0"]).stdin(file).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(incidents(&crate::support::checked(&output.stdout)).len(), 1);
    let piped = run_with_input(["-f", "json", "/dev/fd/0"], outage());
    assert_eq!(incidents(&piped.json()).len(), 1);
}

#[test]
fn a_fifo_that_is_named_is_read() {
    let logs = Logs::new();
    let fifo = make_fifo(&logs);
    let mut child = process()
        .args(["-f", "json"])
        .arg(&fifo)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut writer = fs::File::options().write(true).open(&fifo).unwrap();
    writer.write_all(outage().as_bytes()).unwrap();
    drop(writer);
    let mut json = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut json).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(incidents(&crate::support::checked(&json)).len(), 1);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    for args in [vec!["-f", "json", SAMPLE], vec!["records", SAMPLE], vec!["man"], vec!["formats"]] {
        let mut child = process().args(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_reader_that_leaves_in_the_middle_ends_it_quietly() {
    let mut child =
        process().args(["records", SAMPLE]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut some = [0; 100];
    stdout.read_exact(&mut some).unwrap();
    drop(stdout);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

fn make_fifo(logs: &Logs) -> std::path::PathBuf {
    let fifo = logs.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fifo
}

/// Waits for the end of a child that has been told to end; kills it when it doesn't.
fn ends_within(child: &mut Child, limit: Duration) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("it did not end within {limit:?}");
}

#[test]
fn a_signal_ends_it_soon_even_on_an_endless_input() {
    for signal in ["-TERM", "-INT"] {
        let logs = Logs::new();
        let fifo = make_fifo(&logs);
        let mut child = process()
            .args(["-f", "json"])
            .arg(&fifo)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Opening succeeds when the program has opened its end: from then on it reads, and nothing more comes.
        let mut writer = fs::File::options().write(true).open(&fifo).unwrap();
        writer.write_all(LINE.as_bytes()).unwrap();
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert_eq!(ends_within(&mut child, Duration::from_secs(3)), Some(130), "{signal}");
        let mut stdout = String::new();
        child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        assert_eq!(stdout, "", "no half document");
    }
}

// Options.

#[test]
fn nothing_is_said_beside_the_report_when_piped() {
    let logs = Logs::with("access.log", outage());
    for format in ["text", "markdown", "json"] {
        let ended = logs.run(&["-f", format]);
        assert_eq!(ended.stderr, "");
        assert!(!ended.stdout.contains(&0x1b), "{format} without colour");
        assert!(ended.text().contains("502 Bad Gateway"));
    }
}

#[test]
fn colour_comes_when_asked_for() {
    let logs = Logs::with("access.log", outage());
    assert!(logs.run(&["--color", "always"]).stdout.contains(&0x1b));
    assert!(!logs.run(&["--color", "always", "-f", "json"]).stdout.contains(&0x1b));
}

#[test]
fn the_report_goes_into_the_file_that_is_named() {
    let logs = Logs::with("access.log", outage());
    let out = Logs::new();
    let path = out.path().join("report.json");
    let ended = ended(logtopsy().args(["-f", "json", "-o"]).arg(&path).arg(logs.path()));
    assert_eq!((ended.status, ended.stdout.len(), ended.stderr.as_str()), (Some(0), 0, ""));
    assert_eq!(incidents(&crate::support::checked(&fs::read(&path).unwrap())).len(), 1);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
}

#[test]
fn since_and_until_narrow_the_window() {
    let json = |args: &[&str]| run([&["-f", "json"], args, &[SAMPLE]].concat()).json();
    let healthy = json(&["--until", "2024-05-12T09:30:00+01:00"]);
    assert_eq!(incidents(&healthy).len(), 0);
    assert!(healthy["window"]["end"].as_str().unwrap() < "2024-05-12T09:30:00+01:00");
    let whole = json(&[]);
    let part = json(&["--since", "2024-05-12 09:30", "--until", "2024-05-12 11:00"]);
    assert_eq!(part["window"]["start"].as_str().unwrap().get(..16), Some("2024-05-12T09:30"));
    for field in ["start", "end", "statuses"] {
        assert_eq!(part["incidents"][0][field], whole["incidents"][0][field], "{field}");
    }
    assert!(number(&part["totals"]["requests"]) < number(&whole["totals"]["requests"]));
    // Wall-clock readings are meant in the zone that is shown.
    let utc = json(&["--tz", "UTC", "--since", "2024-05-12 08:30", "--until", "2024-05-12 10:00"]);
    assert_eq!(utc["totals"], part["totals"]);
}

#[test]
fn tz_changes_how_times_are_shown_and_nothing_else() {
    let json = |tz: &str| run(["-f", "json", "--tz", tz, SAMPLE]).json();
    let (paris, utc) = (json("europe/paris"), json("UTC"));
    assert_eq!(paris["timezone"], "Europe/Paris");
    assert_eq!(paris["incidents"][0]["start"], "2024-05-12T11:00:07+02:00");
    assert_eq!(utc["incidents"][0]["start"], "2024-05-12T09:00:07+00:00");
    assert_eq!(paris["incidents"][0]["impact"]["percent"], utc["incidents"][0]["impact"]["percent"]);
    assert_eq!(paris["incidents"][0]["id"], utc["incidents"][0]["id"]);
}

#[test]
fn assume_tz_gives_lines_without_a_zone_theirs() {
    let logs = Logs::with("error.log", "2023/05/14 12:00:03 [error] 7#7: *1 connect() failed\n");
    let first = |zone: &str| logs.run(&["-f", "json", "--assume-tz", zone]).json();
    let json = first("+02:00");
    let row = input(&json, "error.log");
    assert_eq!(
        (row["first"].as_str(), row["time_zone_source"].as_str()),
        (Some("2023-05-14T12:00:03+02:00"), Some("option"))
    );
    let lagos = first("Africa/Lagos");
    assert_eq!(crate::support::instant(&input(&lagos, "error.log")["first"]), 1_684_062_003);
    assert_eq!(input(&lagos, "error.log")["time_zone"], "Africa/Lagos");
}

#[test]
fn include_and_exclude_choose_files() {
    let logs = Logs::new();
    for name in ["a/access.log", "a/error.log", "b/access.log"] {
        logs.add(name, LINE);
    }
    // three times the same line would be the same file three times
    logs.add("b/access.log", LINE.repeat(2));
    logs.add("a/error.log", LINE.repeat(3));
    let requests =
        |args: &[&str]| number(&logs.run(&[&["-f", "json"], args].concat()).json()["totals"]["lines"]);
    assert_eq!(requests(&[]), 6);
    assert_eq!(requests(&["--include", "access.log"]), 3);
    assert_eq!(requests(&["--exclude", "b"]), 4);
    assert_eq!(requests(&["--include", "*.log", "--exclude", "error*", "--exclude", "b/**"]), 1);
}

#[test]
fn verbose_shows_a_line_that_was_skipped() {
    let logs = Logs::with("access.log", format!("{LINE}{LINE}what is this\n"));
    assert!(!logs.run(&[]).text().contains("what is this"));
    assert!(logs.run(&["-v"]).text().contains("what is this"));
}

#[test]
fn completions_man_schema_formats_and_help_are_printed() {
    for (args, part) in [
        (vec!["completions", "bash"], "_logtopsy()"),
        (vec!["completions", "zsh"], "#compdef logtopsy"),
        (vec!["man"], ".TH logtopsy"),
        (vec!["schema"], "logtopsy/report/1"),
        (vec!["formats"], "combined"),
        (vec!["--help"], "Exit status"),
        (vec!["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let ended = run(&args);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(ended.text().contains(part), "{args:?} lacks {part}");
    }
}

#[test]
fn formats_lists_every_definition() {
    let ended = run(["formats"]);
    let named: Vec<&str> = ended.text().lines().map(|l| l.split_whitespace().next().unwrap()).collect();
    let catalog = logtopsy::format::Catalog::built_in().unwrap();
    for definition in catalog.iter() {
        assert!(named.contains(&definition.name.as_str()), "{} is not listed", definition.name);
    }
}

#[test]
fn records_are_one_object_a_line_in_input_order() {
    let log = format!("{LINE}nonsense\n{LINE}");
    let plain = run_with_input(["records", "-"], log.clone());
    assert_eq!((plain.status, plain.stderr.as_str()), (Some(0), ""));
    let lines: Vec<u64> = plain.ndjson().iter().map(|r| number(&r["line"])).collect();
    assert_eq!(lines, [1, 3]);
    assert_eq!(plain.ndjson()[0]["status"], 200);
    let all = run_with_input(["records", "--rejects", "-"], log).ndjson();
    assert_eq!(all.len(), 3);
    assert_eq!((all[1]["line"].as_u64(), all[1]["raw"].as_str()), (Some(2), Some("nonsense")));
    assert!(all[1]["reject"].is_string());
}

#[test]
fn a_path_may_begin_with_a_hyphen_after_two_of_them() {
    let logs = Logs::with("-access.log", LINE);
    let ended = ended(logtopsy().current_dir(logs.path()).args(["-f", "json", "--", "-access.log"]));
    assert_eq!(ended.status, Some(0));
    assert_eq!(ended.json()["totals"]["requests"], 1);
}

#[test]
fn explain_tells_how_an_incident_was_computed() {
    let logs = Logs::with("access.log", outage());
    let path = logs.path().to_str().unwrap();
    let json = logs.report();
    let incident = &incidents(&json)[0];
    let id = incident["id"].as_str().unwrap();
    let computed = &incident["computation"][0];
    assert_eq!(computed["affected"], incident["impact"]["affected_requests"]);
    assert!(computed["gates"].as_array().unwrap().len() >= 5, "{computed:#}");
    for named in [vec!["explain", path], vec!["explain", id, path], vec!["explain", &id[..4], path]] {
        let ended = run(&named);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        let text = ended.text();
        for word in
            [id, "failing requests of the site", "gates", "nats", "baseline", "next best", "confidence"]
        {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
    let verbose = run(["-v", path]);
    assert!(verbose.text().contains("Computed") && verbose.text().contains("affected beyond expected"));
    let unknown = run(["explain", "1999", path]);
    assert_eq!(unknown.status, Some(2));
    assert!(unknown.stderr.contains(id), "{}", unknown.stderr);
    assert_eq!(run(["explain", "--format", "json", path]).status, Some(2));
}
