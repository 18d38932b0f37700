//! Logs as they are found just after things broke, or as somebody wrote them who wants to do harm.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;

use logtopsy::report::Format;
use serde_json::Value;

use crate::site::{self, START, Truth, combined, combined_line, fail, json, traffic};
use crate::support::{
    Logs, analyse, checked, gzip, incidents, input, instant, logtopsy, number, options, render, report_of,
    the_incident,
};

/// Twenty minutes with five in which everything fails, and what is true of them.
fn outage() -> (Vec<site::Request>, Truth) {
    let mut requests = traffic(90, 1200, 3, 0.0);
    fail(&mut requests, 91, 600, 900, 1.0, 502);
    let truth = Truth::of(&requests, 600, 900);
    (requests, truth)
}

/// Asserts that the report knows the outage, to the second and the request.
fn knows(json: &Value, truth: &Truth) {
    let incident = the_incident(json);
    let boundaries = (instant(&incident["start"]), instant(&incident["end"]));
    assert_eq!(boundaries, (truth.start, truth.end), "{:#}", incident["title"]);
    assert_eq!(number(&incident["impact"]["affected_requests"]), truth.affected);
    assert_eq!(number(&incident["impact"]["total_requests"]), truth.total);
}

fn request(at: i64, agent: &str) -> String {
    let time = chrono::DateTime::from_timestamp(at, 0).unwrap().format("%d/%b/%Y:%H:%M:%S +0000");
    format!("203.0.113.7 - - [{time}] \"GET / HTTP/1.1\" 200 5 \"-\" \"{agent}\"\n")
}

fn skipped(json: &Value, name: &str) -> u64 {
    input(json, name)["skipped"].as_object().unwrap().values().map(number).sum()
}

// Bytes.

#[test]
fn nuls_around_and_between_lines() {
    let (requests, truth) = outage();
    let log = combined(&requests);
    let (before, after) = log.split_at(log.find('\n').unwrap() + 1);
    let torn = [before.as_bytes(), &[0; 5000], after.as_bytes(), &[0; 4096]].concat();
    let json = Logs::with("access.log", torn).report();
    knows(&json, &truth);
    assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64);
}

#[test]
fn a_file_of_nuls_is_no_log() {
    let logs = Logs::with("access.log", vec![0; 100_000]);
    logs.add("other.log", request(START, "curl"));
    let json = logs.report();
    assert_ne!(input(&json, "access.log")["status"], "complete");
}

#[test]
fn invalid_utf_8_is_read_and_shown() {
    let (requests, truth) = outage();
    let log = combined(&requests);
    let broken: Vec<u8> = log.replace("ShopApp", "Sh\u{1}pApp").into_bytes();
    let broken: Vec<u8> = broken.into_iter().map(|b| if b == 1 { 0xff } else { b }).collect();
    let json = Logs::with("access.log", broken).report();
    knows(&json, &truth);
}

#[test]
fn escape_sequences_do_not_get_out() {
    let (mut requests, truth) = outage();
    for request in requests.iter_mut().filter(|r| r.status == 502) {
        request.path = "/\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\u{200b}".to_owned();
        request.agent = "\u{1b}[31mred\u{1b}[0m\r\u{8}\u{85}\u{2066}";
    }
    let logs = Logs::with("\u{1b}[31mname\n.log", combined(&requests));
    logs.add(
        "error.log",
        "2024/03/05 10:10:00 [error] 7#7: *1 \u{1b}[2Jconnect() failed (111: Connection refused)\n",
    );
    // `report` asserts that text and Markdown are harmless.
    knows(&logs.report(), &truth);
    let verbose = logs.run(&["-vv", "--color", "never"]);
    crate::support::harmless(&verbose.stdout);
    let json = logs.run(&["-f", "json"]);
    crate::support::harmless(&json.stdout);
    let missing = crate::support::run(["/no/\u{1b}[31msuch\nfile"]);
    assert!(!missing.stderr.contains('\u{1b}'), "{:?}", missing.stderr);
    assert_eq!(missing.stderr.lines().count(), 1);
}

#[test]
fn markdown_of_a_hostile_log_has_no_link_image_or_tag_of_it() {
    let (mut requests, _) = outage();
    for request in requests.iter_mut().filter(|r| r.status == 502) {
        request.path = "/![x](http://evil.example/x.png)<img/src=x>[click](javascript:1)|`a``b`".to_owned();
    }
    let logs = Logs::with("![n](http://evil.example).log", combined(&requests));
    let markdown = render(&analyse(&options(&[logs.path()])), Format::Markdown);
    let text = String::from_utf8(markdown).unwrap();
    for line in text.lines() {
        // What stands in a code span or block is text.
        let fenced = line.starts_with("203.0.") || line.starts_with("    ");
        if !fenced && !line.contains('`') {
            assert!(
                !line.contains("![x](http") && !line.contains("<img") && !line.contains("![n]("),
                "{line}"
            );
        }
    }
}

#[test]
fn a_line_of_two_mebibytes_is_over_long_and_the_next_is_read() {
    let (requests, truth) = outage();
    let log = combined(&requests);
    let (before, after) = log.split_at(log.find('\n').unwrap() + 1);
    let json = Logs::with("access.log", format!("{before}{}\n{after}", "x".repeat(2 << 20))).report();
    knows(&json, &truth);
    assert_eq!(number(&input(&json, "access.log")["skipped"]["over-long"]), 1);
    assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64);
}

#[test]
fn an_over_long_line_at_the_end_is_counted_too() {
    let json =
        Logs::with("access.log", format!("{}{}", request(START, "curl"), "x".repeat(2 << 20))).report();
    assert_eq!(number(&json["totals"]["lines"]), 2);
    assert_eq!(number(&input(&json, "access.log")["skipped"]["over-long"]), 1);
}

#[test]
fn dos_line_ends_and_a_byte_order_mark() {
    let (requests, truth) = outage();
    let log = combined(&requests).replace('\n', "\r\n");
    let json = Logs::with("access.log", format!("\u{feff}{log}")).report();
    knows(&json, &truth);
    assert_eq!(skipped(&json, "access.log"), 0);
}

#[test]
fn utf_16_in_both_orders() {
    let (requests, truth) = outage();
    let log = format!("\u{feff}{}", combined(&requests));
    let little: Vec<u8> = log.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = log.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [little, big] {
        let json = Logs::with("access.log", bytes).report();
        knows(&json, &truth);
        assert_eq!(skipped(&json, "access.log"), 0);
    }
}

#[test]
fn lone_carriage_returns_hide_nothing() {
    let log = format!("{}{}", request(START, "a\rb"), request(START + 1, "curl"));
    let json = Logs::with("access.log", log).report();
    assert_eq!(number(&json["totals"]["requests"]), 2);
}

// Lengths.

#[test]
fn an_empty_file_is_a_log_in_which_nothing_happened() {
    let json = Logs::with("access.log", "").report();
    let row = input(&json, "access.log");
    assert_eq!((row["status"].as_str(), number(&row["lines"])), (Some("complete"), 0));
    assert_eq!(incidents(&json).len(), 0);
    assert!(json["window"]["start"].is_null());
}

#[test]
fn one_line_and_no_newline_at_the_end() {
    for end in ["", "\n"] {
        let json = Logs::with("access.log", request(START, "curl").trim_end().to_owned() + end).report();
        assert_eq!((number(&json["totals"]["lines"]), number(&json["totals"]["requests"])), (1, 1));
        assert_eq!(instant(&json["window"]["start"]), START);
        assert_eq!(instant(&json["window"]["end"]), START);
    }
}

#[test]
fn all_lines_in_one_second() {
    let json = Logs::with("access.log", request(START, "curl").repeat(2000)).report();
    assert_eq!(number(&json["totals"]["requests"]), 2000);
    let failing = request(START, "curl").replace(" 200 ", " 502 ").repeat(2000);
    let json = Logs::with("access.log", failing).report();
    assert_eq!(number(&json["totals"]["failed_requests"]), 2000);
}

#[test]
fn blank_lines_are_counted_as_such() {
    let json = Logs::with("access.log", format!("\n\n{}\n \n", request(START, "curl"))).report();
    assert_eq!(number(&json["totals"]["lines"]), 5);
    assert_eq!(number(&input(&json, "access.log")["skipped"]["blank"]), 4);
}

// Times.

#[test]
fn a_lone_line_of_1970_or_9999_moves_nothing() {
    let (requests, truth) = outage();
    let log = combined(&requests);
    let (first, last) = (requests.first().unwrap().at, requests.last().unwrap().at);
    for stray in ["01/Jan/1970:00:00:00 +0000", "31/Dec/9999:23:59:59 +0000"] {
        for status in [200, 502] {
            let line = format!("203.0.113.7 - - [{stray}] \"GET / HTTP/1.1\" {status} 5 \"-\" \"curl\"\n");
            let at = log.match_indices('\n').nth(1000).unwrap().0 + 1;
            let json = Logs::with("access.log", format!("{}{line}{}", &log[..at], &log[at..])).report();
            knows(&json, &truth);
            let window = (instant(&json["window"]["start"]), instant(&json["window"]["end"]));
            assert_eq!(window, (first, last), "{stray}");
            assert!(!json["warnings"].as_array().unwrap().is_empty(), "{stray} is said");
        }
    }
}

#[test]
fn a_clock_that_steps_back_loses_no_request() {
    let (requests, truth) = outage();
    // The lines of the first ten minutes come after those of the second.
    let half = requests.iter().position(|r| r.at >= START + 400).unwrap();
    let log = combined(&requests[half..]) + &combined(&requests[..half]);
    let json = Logs::with("access.log", log).report();
    knows(&json, &truth);
    assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64);
}

#[test]
fn four_hundred_days_of_one_request_an_hour() {
    let log = (0..400 * 24).fold(String::new(), |log, hour| log + &request(START + hour * 3600, "curl"));
    let json = Logs::with("access.log", log).report();
    assert_eq!(number(&json["totals"]["requests"]), 9600);
    assert_eq!(incidents(&json).iter().filter(|i| i["signal"] == "errors").count(), 0);
    assert_eq!(instant(&json["window"]["end"]), START + (400 * 24 - 1) * 3600);
}

#[test]
fn dates_that_are_none_do_no_harm() {
    let mut log = String::new();
    for time in [
        "30/Feb/2024:10:00:00 +0000",
        "05/Mar/2024:25:00:00 +0000",
        "05/Mar/2024:10:00:60 +0000",
        "05/Mar/0000:10:00:00 +0000",
        "05/Mar/2024:10:00:00 +9999",
        "99/Xyz/99999:99:99:99 -0000",
        "",
    ] {
        writeln!(log, "203.0.113.7 - - [{time}] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\"").unwrap();
    }
    log += &request(START, "curl").repeat(20);
    let json = Logs::with("access.log", log).report();
    assert_eq!(number(&json["totals"]["lines"]), 27);
}

// Packing.

#[test]
fn a_gzip_that_is_cut_anywhere_is_read_up_to_the_cut() {
    let (requests, _) = outage();
    let whole = gzip(combined(&requests).as_bytes());
    let mut before = 0;
    for tenths in [0, 1, 3, 5, 7, 9] {
        let length = 12 + (whole.len() - 12) * tenths / 10;
        let logs = Logs::with("access.log.1.gz", &whole[..length]);
        logs.add("other.log", request(START, "curl"));
        let json = logs.report();
        let row = input(&json, "access.log.1.gz");
        assert_eq!(row["status"], "truncated", "{row}");
        assert!(row["detail"].is_string());
        let records = number(&row["records"]);
        assert!(records >= before && records < requests.len() as u64, "{tenths}: {records} after {before}");
        before = records;
    }
    assert!(before > 1000, "{before}");
    // Only the checksum is missing: every line is there, and it is said nevertheless.
    let json = Logs::with("access.log.1.gz", &whole[..whole.len() - 4]).report();
    assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64);
    assert_eq!(input(&json, "access.log.1.gz")["status"], "truncated");
}

#[test]
fn a_gzip_that_is_damaged_says_so() {
    let (requests, _) = outage();
    let mut bytes = gzip(combined(&requests).as_bytes());
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xAA);
    let logs = Logs::with("access.log.1.gz", bytes);
    logs.add("other.log", request(START, "curl"));
    let json = logs.report();
    let status = input(&json, "access.log.1.gz")["status"].as_str().unwrap();
    assert!(["damaged", "truncated"].contains(&status), "{status}");
}

#[test]
fn what_comes_before_damage_is_read_whatever_the_size_of_the_buffer() {
    let (requests, _) = outage();
    let log = combined(&requests);
    let part = log.len() / 2;
    let bzip2 = |bytes: &[u8]| {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(1));
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let xz = |bytes: &[u8]| {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    let (one, other) = log.as_bytes().split_at(part);
    for (name, first, second) in [
        ("gzip", gzip(one), gzip(other)),
        ("bzip2", bzip2(one), bzip2(other)),
        ("xz", xz(one), xz(other)),
        ("zstd", zstd(one), zstd(other)),
    ] {
        let mut bytes = first;
        let first = bytes.len();
        bytes.extend(second);
        let at = first + (bytes.len() - first) / 3;
        bytes[at..at + 64].fill(0x5A);
        let logs = Logs::with("access.log", bytes);
        logs.add("other.log", request(START, "curl"));
        for buffer in [64, 4096, 100_000, 1 << 20] {
            let options = logtopsy::pipeline::Options { buffer: Some(buffer), ..options(&[logs.path()]) };
            let json = checked(&render(&analyse(&options), Format::Json));
            let row = input(&json, "access.log");
            assert_eq!(row["status"], "damaged", "{name}: {row}");
            assert!(number(&row["bytes"]) >= part as u64, "{name} lost a good part at {buffer}: {row}");
        }
    }
}

#[test]
fn a_damaged_block_takes_no_other_with_it() {
    let (requests, _) = outage();
    let log = combined(&requests);
    assert!(log.len() > 250_000, "more than two blocks");
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(1));
    std::io::Write::write_all(&mut encoder, log.as_bytes()).unwrap();
    let mut bytes = encoder.finish().unwrap();
    let at = bytes.len() - bytes.len() / 4;
    bytes[at..at + 64].fill(0x5A);
    let logs = Logs::with("access.log", bytes);
    for buffer in [64, 4096, 100_000, 1 << 20] {
        let options = logtopsy::pipeline::Options { buffer: Some(buffer), ..options(&[logs.path()]) };
        let json = checked(&render(&analyse(&options), Format::Json));
        let row = input(&json, "access.log");
        assert_eq!(row["status"], "damaged");
        assert!(number(&row["bytes"]) > 199_000, "at {buffer}: {row}");
    }
}

#[test]
fn a_gzip_of_several_members_and_padding_is_read_whole() {
    let (requests, truth) = outage();
    let half = requests.len() / 2;
    let mut bytes = gzip(combined(&requests[..half]).as_bytes());
    bytes.extend(gzip(b""));
    bytes.extend(gzip(combined(&requests[half..]).as_bytes()));
    bytes.extend([0; 512]);
    let json = Logs::with("access.log.1.gz", bytes).report();
    knows(&json, &truth);
    assert_eq!(input(&json, "access.log.1.gz")["status"], "complete");
}

#[test]
fn the_name_says_nothing_about_the_packing() {
    let (requests, truth) = outage();
    knows(&Logs::with("access.log", gzip(combined(&requests).as_bytes())).report(), &truth);
    knows(&Logs::with("access.log.gz", combined(&requests)).report(), &truth);
    knows(&Logs::with("access.log.bz2", gzip(combined(&requests).as_bytes())).report(), &truth);
}

#[test]
fn other_packings_are_read() {
    let (requests, truth) = outage();
    let log = combined(&requests);
    let zstd = zstd::encode_all(log.as_bytes(), 3).unwrap();
    knows(&Logs::with("access.log.zst", zstd).report(), &truth);
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    std::io::Write::write_all(&mut bzip2, log.as_bytes()).unwrap();
    knows(&Logs::with("access.log.bz2", bzip2.finish().unwrap()).report(), &truth);
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    std::io::Write::write_all(&mut xz, log.as_bytes()).unwrap();
    knows(&Logs::with("access.log.xz", xz.finish().unwrap()).report(), &truth);
}

#[test]
fn the_same_content_twice_counts_once() {
    let (requests, truth) = outage();
    let log = combined(&requests);
    let logs = Logs::with("access.log.1", &log);
    logs.add("access.log.1.gz", gzip(log.as_bytes()));
    let json = logs.report();
    knows(&json, &truth);
    assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64);
    let duplicates =
        json["inputs"].as_array().unwrap().iter().filter(|row| row["status"] == "duplicate").count();
    assert_eq!(duplicates, 1);
}

#[test]
fn a_rotation_that_was_cut_short_counts_once() {
    let (requests, truth) = outage();
    let log = combined(&requests);
    let packed = gzip(log.as_bytes());
    for part in [3, 10] {
        let logs = Logs::with("access.log.1", &log);
        logs.add("access.log.1.gz", &packed[..packed.len() * part / 11]);
        logs.add("access.log", request(START + 2000, "curl"));
        let json = logs.report();
        knows(&json, &truth);
        assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64 + 1);
        assert_eq!(input(&json, "access.log.1.gz")["status"], "duplicate");
    }
    // Another file that ends early is no copy.
    let logs = Logs::with("access.log.1", &log);
    logs.add("access.log.2.gz", &gzip(log.replace("203.0", "203.1").as_bytes())[..packed.len() / 2]);
    assert_eq!(input(&logs.report(), "access.log.2.gz")["status"], "truncated");
}

#[test]
fn a_path_given_twice_counts_once() {
    let (requests, truth) = outage();
    let logs = Logs::with("access.log", combined(&requests));
    let file = logs.path().join("access.log");
    let json = report_of(&[logs.path(), &file, &file]);
    knows(&json, &truth);
    assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64);
}

// Trees.

#[test]
fn a_link_out_of_the_tree_is_not_followed_unless_asked() {
    let secret = Logs::with("shadow.log", request(START, "secret-agent"));
    let logs = Logs::with("access.log", request(START, "curl"));
    symlink(secret.path().join("shadow.log"), logs.path().join("error.log")).unwrap();
    let ended = logs.run(&["-f", "json", "-vv"]);
    assert!(!ended.text().contains("secret-agent"));
    let json = ended.json();
    assert_eq!(number(&json["totals"]["requests"]), 1);
    assert_eq!(input(&json, "error.log")["status"], "skipped");
    let followed = logs.run(&["-f", "json", "--follow"]).json();
    assert_eq!(number(&followed["totals"]["requests"]), 2);
}

#[test]
fn links_in_a_circle_end() {
    let logs = Logs::with("a/access.log", request(START, "curl"));
    symlink(logs.path(), logs.path().join("a/up")).unwrap();
    symlink("self", logs.path().join("self")).unwrap();
    symlink("nowhere", logs.path().join("dangling.log")).unwrap();
    for follow in [&["-f", "json"][..], &["-f", "json", "--follow"]] {
        let json = logs.run(follow).json();
        assert_eq!(number(&json["totals"]["requests"]), 1, "{follow:?}");
    }
}

#[test]
fn a_fifo_in_a_tree_is_not_opened() {
    let logs = Logs::with("access.log", request(START, "curl"));
    let fifo = logs.path().join("pipe.log");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(logs.path().join("socket.log")).unwrap();
    let json = logs.report();
    for name in ["pipe.log", "socket.log"] {
        assert_eq!(input(&json, name)["status"], "skipped");
    }
}

#[test]
fn what_is_no_log_is_never_complete() {
    let logs = Logs::with("access.log", request(START, "curl"));
    logs.add("lastlog", [1, 0, 0, 7, 255, 254, 0, 0].repeat(1000));
    logs.add("notes.txt", "Dear all,\nthe site was down.\n");
    logs.add("backup.zip", b"PK\x03\x04\x14\x00\x00\x00\x08\x00abcdef");
    logs.add("image.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR");
    let json = logs.report();
    for name in ["lastlog", "notes.txt", "backup.zip", "image.png"] {
        let row = input(&json, name);
        let status = row["status"].as_str().unwrap();
        assert!(["skipped", "unrecognised"].contains(&status), "{row}");
        assert!(row["detail"].is_string(), "{row}");
    }
}

#[test]
fn many_small_files_are_all_accounted_for() {
    let logs = Logs::new();
    for n in 0..300 {
        logs.add(&format!("{:02}/{n}.log", n % 17), request(START + n, "curl"));
    }
    let json = logs.report();
    assert_eq!(json["inputs"].as_array().unwrap().len(), 300);
    assert_eq!(number(&json["totals"]["requests"]), 300);
}

// Contents.

#[test]
fn a_json_line_too_deep_is_skipped_with_its_reason() {
    let mut log = json(&traffic(92, 60, 3, 0.0));
    let requests = log.lines().count() as u64;
    for depth in [10, 127, 129, 5000, 200_000] {
        writeln!(log, "{{\"a\":{}1{},\"status\":200}}", "[".repeat(depth), "]".repeat(depth)).unwrap();
        writeln!(log, "{}", "{\"a\":".repeat(depth)).unwrap();
    }
    let json = Logs::with("access.json", log).report();
    assert!(number(&json["totals"]["requests"]) <= requests + 5);
    let skipped = input(&json, "access.json")["skipped"].as_object().unwrap();
    assert!(skipped.keys().any(|reason| reason.contains("deep")), "{skipped:?}");
}

#[test]
fn odd_json_is_data() {
    let mut log = json(&traffic(92, 60, 3, 0.0));
    for line in [
        "{\"status\":200,\"status\":502,\"time\":\"2024-03-05T10:00:30Z\"}",
        "{\"status\":1e400,\"time\":\"2024-03-05T10:00:30Z\"}",
        "{\"status\":-5,\"time\":1e308}",
        "{\"status\":\"\\ud800\",\"time\":\"2024-03-05T10:00:30Z\"}",
        "{\"status\":200,\"time\":\"2024-03-05T10:00:30Z\",\"request_time\":-1}",
        "{\"status\":200,\"time\":\"2024-03-05T10:00:30Z\",\"request_time\":1e300}",
        "{\"status\":200,\"time\":\"2024-03-05T10:00:30Z\",\"request_time\":\"NaN\",\"bytes\":99999999999999999999}",
        "[]",
        "{}",
        "null",
        "\"",
    ] {
        log += line;
        log += "\n";
    }
    Logs::with("access.json", log).report();
}

#[test]
fn a_flood_of_distinct_paths_and_clients_hides_no_outage() {
    let (requests, truth) = outage();
    let mut all = requests.clone();
    for n in 0..20_000_i64 {
        all.push(site::Request {
            at: START + n * 1200 / 20_000,
            client: format!("10.{}.{}.{}", n / 65_536, n / 256 % 256, n % 256),
            method: "GET",
            path: format!("/{n:x}/{}", "a".repeat(40)),
            status: 404,
            bytes: 1,
            agent: "scan",
            latency_ms: 1,
        });
    }
    all.sort_by_key(|r| r.at);
    let report = analyse(&options(&[Logs::with("access.log", combined(&all)).path()]));
    let rendered = render(&report, Format::Json);
    assert!(rendered.len() < 8_000_000);
    let json = checked(&rendered);
    let incident = the_incident(&json);
    assert_eq!((instant(&incident["start"]), instant(&incident["end"])), (truth.start, truth.end));
    assert_eq!(number(&incident["impact"]["affected_requests"]), truth.affected);
}

#[test]
fn a_format_that_changes_in_mid_file_is_followed() {
    let (requests, truth) = outage();
    let half = requests.len() / 2;
    let log = combined(&requests[..half]) + &json(&requests[half..]);
    let report = Logs::with("access.log", log).report();
    knows(&report, &truth);
    assert_eq!(skipped(&report, "access.log"), 0);
}

#[test]
fn two_formats_that_alternate_are_both_read() {
    let (requests, truth) = outage();
    let log = requests.iter().enumerate().fold(String::new(), |log, (n, r)| {
        log + &if n % 2 == 0 { combined_line(r) + "\n" } else { json(std::slice::from_ref(r)) }
    });
    knows(&Logs::with("access.log", log).report(), &truth);
}

#[test]
fn a_stack_trace_belongs_to_its_record() {
    let mut log = String::new();
    for n in 0..20 {
        writeln!(log, "2024-03-05 10:00:{n:02} ERROR boom\nTraceback (most recent call last):\n  File \"x.py\", line 3\nValueError: no").unwrap();
    }
    let json = Logs::with("app.log", log).report();
    let row = input(&json, "app.log");
    assert_eq!((number(&row["records"]), number(&row["continuation_lines"])), (20, 60));
}

#[test]
fn a_small_address_space_is_enough() {
    let (requests, _) = outage();
    let logs = Logs::with("access.log", combined(&requests));
    let program = logtopsy().get_program().to_owned();
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 524288; ulimit -n 32; exec \"$0\" -f json \"$1\""])
        .arg(program)
        .arg(logs.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(incidents(&checked(&output.stdout)).len(), 1);
}
