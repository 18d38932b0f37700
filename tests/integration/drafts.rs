//! What is passed on: drafts by template, as a page, as CSV; and what is masked in them.

use std::fs;

use crate::site;
use crate::support::{Ended, Logs, run};

const SAMPLE: &str = "sample-logs/bad-gateway";

fn sample(args: &[&str]) -> String {
    let ended = run([args, &["-q", SAMPLE]].concat());
    assert_eq!(ended.status, Some(0), "{args:?}: {}", ended.stderr);
    text(&ended)
}

fn text(ended: &Ended) -> String {
    String::from_utf8(ended.stdout.clone()).unwrap()
}

#[test]
fn the_draft_tells_the_story_of_the_sample() {
    let draft = sample(&["--format", "markdown"]);
    for told in [
        "99.55 % of user requests failed (95 % interval 99.25–99.73 %); 360 of 360 client addresses",
        "| 11:59:58 +01:00 | a package was replaced by another version: `upgrade shop:all 1.8.2 2.0.0` | `dpkg.log:126` |",
        "The first alert after the start came at 12:10:00 +01:00, 9 min 51 s later",
        "could have shown it from 12:00:09 +01:00 on",
        "a package was replaced by an older version: `upgrade shop:all 2.0.0 1.8.2` (`dpkg.log:137`), which took back",
        "time written in the first affected line, `nginx/access.log.3.gz:1615`",
        "**TODO**: the cause, once it is known",
    ] {
        assert!(draft.contains(told), "{told}\n{draft}");
    }
    let rows = draft.lines().filter(|line| line.starts_with("| 1") && line.contains(" +01:00 | ")).count();
    assert!((10..=30).contains(&rows), "{rows} rows");
}

#[test]
fn each_template_keeps_its_length() {
    for (template, least, most) in
        [("default", 600, 1250), ("google-sre", 500, 1100), ("alx", 400, 600), ("pagerduty", 500, 1200)]
    {
        for sample in ["sample-logs/bad-gateway", "sample-logs/web-01"] {
            let draft = text(&run(["--template", template, "-q", sample]));
            let words = draft.split_whitespace().filter(|word| *word != "|").count();
            assert!((least..=most).contains(&words), "{template} of {sample}: {words} words");
            assert!(draft.contains("**TODO**"));
        }
    }
}

#[test]
fn people_are_roles_unless_they_are_asked_for() {
    for format in [&["--format", "markdown"][..], &["--format", "html"], &["--template", "alx"]] {
        let draft = sample(format);
        assert!(!draft.contains("deploy"), "{format:?}: {draft}");
    }
    let draft = sample(&["--format", "markdown"]);
    assert!(draft.contains("an operator ran the package manager"), "{draft}");
    let named = sample(&["--format", "markdown", "--show-users"]);
    assert!(named.contains("`deploy : PWD=/home/deploy ; USER=root"), "{named}");
}

#[test]
fn clients_are_masked_in_every_format() {
    let mut requests = site::traffic(1, 1800, 3, 0.0);
    site::fail(&mut requests, 2, 900, 1200, 1.0, 502);
    let logs = Logs::with("access.log", site::combined(&requests));
    let clients: Vec<String> = requests.iter().map(|request| request.client.clone()).collect();
    for format in ["text", "markdown", "html", "json", "csv"] {
        let ended = logs.run(&["-q", "-vv", "-f", format, "--redact-clients"]);
        assert_eq!(ended.status, Some(0));
        let shown = text(&ended);
        // An address that ends where it ends, not the beginning of another.
        let told = clients.iter().find(|client| shown.contains(&format!("{client} ")));
        assert_eq!(told, None, "{format}");
        assert!(format == "csv" || shown.contains(".0/24 - - ["), "{format}: {shown}");
    }
    assert!(text(&logs.run(&["-q", "-f", "json"])).contains(" - - ["));
}

#[test]
fn csv_has_all_rows_and_timesketchs_columns() {
    let csv = sample(&["--format", "csv"]);
    assert!(csv.starts_with("message,timestamp,datetime,timestamp_desc,source,file,line,incident\r\n"));
    let json: serde_json::Value = serde_json::from_str(&sample(&["--format", "json"])).unwrap();
    assert_eq!(csv.matches("\r\n").count(), json["timeline"].as_array().unwrap().len() + 1);
    let start = csv.lines().find(|line| line.contains(",incident_start,")).unwrap();
    assert!(
        start.starts_with(
            "requests begin to fail: 502 Bad Gateway,1684062009000000,2023-05-14T12:00:09+01:00,incident_start,combined,"
        ),
        "{start}"
    );
    assert!(start.contains("/nginx/access.log.3.gz,1615,"), "{start}");
}

#[test]
fn a_template_of_ones_own() {
    let logs =
        Logs::with("t/mine.j2", "{% for i in incidents %}\n{{ i.start }} {{ i.share }}\n{% endfor %}\n");
    let path = logs.path().join("t/mine.j2");
    let path = path.to_str().unwrap();
    assert_eq!(sample(&["--template", path]), "12:00:09 +01:00 99.55 %\n");
    for (source, why) in
        [("\n{{ incidents[0].nothing }}", "line 2"), ("{% if %}", "line 1"), ("\u{fffd}{{", "line 1")]
    {
        fs::write(path, source).unwrap();
        let ended = run(["--template", path, "-q", SAMPLE]);
        assert_eq!(ended.status, Some(2), "{source}");
        assert!(ended.stderr.contains("mine.j2") && ended.stderr.contains(why), "{}", ended.stderr);
        assert!(ended.stdout.is_empty() && ended.stderr.lines().count() == 1, "{}", ended.stderr);
    }
    for (args, why) in [
        (["--template", "no-such-template", "-f", "markdown"], "google-sre"),
        (["--template", "alx", "-f", "json"], "--template"),
        (["--template", "/", "-f", "markdown"], "--template"),
    ] {
        let ended = run([&args[..], &[SAMPLE]].concat());
        assert_eq!(ended.status, Some(2), "{args:?}");
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
}

/// The drafts of the five reference incidents as they stand, to be read as the engineer on call would.
#[test]
fn the_five_drafts() {
    for sample in ["bad-gateway", "upgrade-500", "one-of-two", "web-01", "full-outage"] {
        let ended = run(["--format", "markdown", "-q", &format!("sample-logs/{sample}")]);
        let draft = text(&ended);
        // all but the line that says when it was made
        let (made, lines): (Vec<&str>, Vec<&str>) = draft.lines().partition(|line| line.starts_with("Made "));
        assert_eq!(made.len(), 1);
        insta::assert_snapshot!(sample, lines.join("\n"));
    }
}
