//! Incidents that a generator played, so that what is true of them is known to the request.

use serde_json::Value;

use crate::site::{self, Dice, Request, START, Truth, combined, fail, traffic, user_request};
use crate::support::{Logs, float, incidents, instant, number, the_incident};

const HOUR: i64 = 3600;

/// A site with five requests a second of which 0.2 % fail at all times.
fn steady(seed: u64, seconds: i64) -> Vec<Request> {
    traffic(seed, seconds, 5, 0.002)
}

fn report(requests: &[Request]) -> Value {
    Logs::with("access.log", combined(requests)).report()
}

/// Asserts that the incident is the truth: boundaries to the second, counts to the request.
fn is(incident: &Value, truth: &Truth) {
    let impact = &incident["impact"];
    let found = Truth {
        start: instant(&incident["start"]),
        end: instant(&incident["end"]),
        affected: number(&impact["affected_requests"]),
        total: number(&impact["total_requests"]),
        affected_clients: number(&impact["affected_clients"]),
        total_clients: number(&impact["total_clients"]),
    };
    assert_eq!(&found, truth);
    assert!((float(&impact["percent"]) - truth.percent()).abs() < 1e-6, "{impact}");
}

/// Kinds of the rows of the timeline.
fn kinds(json: &Value) -> Vec<&str> {
    json["timeline"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect()
}

#[test]
fn a_total_outage_of_ten_minutes() {
    for seed in 0..3 {
        let mut requests = steady(seed, 2 * HOUR);
        fail(&mut requests, seed, 3000, 3600, 1.0, 502);
        let json = report(&requests);
        let incident = the_incident(&json);
        is(incident, &Truth::of(&requests, 3000, 3600));
        assert_eq!(incident["signal"], "errors");
        assert_eq!(incident["severity"], "critical");
        assert_eq!(incident["statuses"].as_object().unwrap().keys().collect::<Vec<_>>(), ["502"]);
        assert!((float(&incident["baseline"]["error_percent"]) - 0.2).abs() < 0.2);
        assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64);
        assert_eq!(
            number(&json["totals"]["failed_requests"]),
            requests.iter().filter(|r| r.status >= 500).count() as u64
        );
        assert_eq!(kinds(&json), ["incident_start", "incident_peak", "incident_end"]);
    }
}

#[test]
fn thirty_percent_fail_for_ten_minutes() {
    let mut requests = traffic(11, 2 * HOUR, 5, 0.0);
    fail(&mut requests, 12, 3000, 3600, 0.3, 500);
    let json = report(&requests);
    is(the_incident(&json), &Truth::of(&requests, 3000, 3600));
}

#[test]
fn thirty_percent_fail_over_a_background_of_failures() {
    for seed in 20..25 {
        let mut requests = steady(seed, 2 * HOUR);
        fail(&mut requests, seed, 3000, 3600, 0.3, 500);
        let json = report(&requests);
        let incident = the_incident(&json);
        // A failure of the background right beside it cannot be told apart.
        let (start, end) = (instant(&incident["start"]), instant(&incident["end"]));
        assert!((START + 2980..START + 3010).contains(&start), "{seed}: starts {}", start - START);
        assert!((START + 3590..START + 3620).contains(&end), "{seed}: ends {}", end - START);
        let truth = Truth::of(&requests, start - START, end - START);
        is(incident, &truth);
        let (low, high) = (instant(&incident["start_range"][0]), instant(&incident["start_range"][1]));
        assert!(low <= start && start <= high);
    }
}

#[test]
fn an_outage_that_goes_on_at_the_end() {
    let mut requests = steady(3, HOUR);
    fail(&mut requests, 3, 3000, 3600, 1.0, 503);
    let json = report(&requests);
    let incident = the_incident(&json);
    assert!(incident["end"].is_null(), "{incident:#}");
    let truth = Truth::of(&requests, 3000, 3600);
    assert_eq!(instant(&incident["start"]), truth.start);
    assert_eq!(number(&incident["impact"]["affected_requests"]), truth.affected);
    let last = json["timeline"].as_array().unwrap().last().unwrap();
    assert!(!last["summary"].as_str().unwrap().contains("back to normal"), "{last}");
}

#[test]
fn logs_that_begin_in_an_outage() {
    let mut requests = steady(4, HOUR);
    fail(&mut requests, 4, 0, 600, 1.0, 502);
    let json = report(&requests);
    is(the_incident(&json), &Truth::of(&requests, 0, 600));
}

#[test]
fn two_outages_are_two() {
    let mut requests = steady(5, 3 * HOUR);
    fail(&mut requests, 5, 2000, 2600, 1.0, 502);
    fail(&mut requests, 6, 7000, 7300, 1.0, 500);
    let json = report(&requests);
    let found = incidents(&json);
    assert_eq!(found.len(), 2);
    is(&found[0], &Truth::of(&requests, 2000, 2600));
    is(&found[1], &Truth::of(&requests, 7000, 7300));
    assert_ne!(found[0]["id"], found[1]["id"]);
}

#[test]
fn three_seconds_are_a_blip() {
    let mut requests = steady(9, HOUR);
    fail(&mut requests, 9, 1800, 1803, 1.0, 502);
    let json = report(&requests);
    assert_eq!(incidents(&json).len(), 0);
    assert_eq!(kinds(&json), ["blip"]);
}

#[test]
fn five_seconds_are_an_incident_and_four_are_none() {
    for (seconds, count) in [(5, 1), (4, 0)] {
        let mut requests = traffic(10, 2 * HOUR, 20, 0.002);
        fail(&mut requests, 10, 3000, 3000 + seconds, 1.0, 502);
        let json = report(&requests);
        assert_eq!(incidents(&json).len(), count, "{seconds} s");
        assert_eq!(kinds(&json).contains(&"blip"), count == 0, "{seconds} s");
    }
}

#[test]
fn logs_in_which_everything_fails_are_one_incident_with_a_warning() {
    let mut requests = steady(100, 2 * HOUR);
    fail(&mut requests, 100, 0, 2 * HOUR, 1.0, 502);
    let json = report(&requests);
    let incident = the_incident(&json);
    assert_eq!(number(&incident["impact"]["affected_requests"]), requests.len() as u64);
    assert!(incident["end"].is_null());
    let warnings = json["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|w| w.as_str().unwrap().contains("healthy")), "{warnings:?}");
}

#[test]
fn minutes_of_failure_with_minutes_of_health_between_are_one() {
    let mut requests = steady(101, 2 * HOUR);
    for start in (3000..3600).step_by(120) {
        fail(&mut requests, 101, start, start + 60, 1.0, 502);
    }
    is(the_incident(&report(&requests)), &Truth::of(&requests, 3000, 3600));
}

#[test]
fn another_status_in_the_middle_is_the_same_incident() {
    let mut requests = traffic(102, 2 * HOUR, 5, 0.0);
    fail(&mut requests, 102, 3000, 3300, 1.0, 500);
    fail(&mut requests, 103, 3300, 3600, 1.0, 503);
    let json = report(&requests);
    let incident = the_incident(&json);
    is(incident, &Truth::of(&requests, 3000, 3600));
    assert_eq!(incident["statuses"].as_object().unwrap().keys().collect::<Vec<_>>(), ["500", "503"]);
}

#[test]
fn an_outage_that_hardly_anybody_asks_in() {
    let mut requests = steady(104, 2 * HOUR);
    let mut dice = Dice::new(105);
    requests.retain(|r| !(START + 3000..START + 3600).contains(&r.at) || dice.chance(0.01));
    fail(&mut requests, 106, 3000, 3600, 1.0, 502);
    is(the_incident(&report(&requests)), &Truth::of(&requests, 3000, 3600));
}

#[test]
fn a_small_site_with_two_requests_a_minute() {
    let mut dice = Dice::new(107);
    let mut requests: Vec<Request> =
        (0..2000).map(|n| user_request(&mut dice, START + n * 30 + n % 7, 0.0)).collect();
    assert_eq!(incidents(&report(&requests)).len(), 0);
    fail(&mut requests, 108, 30_000, 31_200, 1.0, 502);
    is(the_incident(&report(&requests)), &Truth::of(&requests, 30_000, 31_200));
}

#[test]
fn one_path_that_fails_is_the_scope() {
    let mut requests = traffic(109, HOUR, 5, 0.0);
    let inside = START + 1800..START + 2400;
    for request in requests.iter_mut().filter(|r| r.path == "/checkout" && inside.contains(&r.at)) {
        request.status = 500;
    }
    let json = report(&requests);
    let incident = the_incident(&json);
    is(incident, &Truth::of(&requests, 1800, 2400));
    assert_eq!(incident["scope"][0]["dimension"], "path");
    assert_eq!(incident["scope"][0]["value"], "/checkout");
}

#[test]
fn servers_that_write_in_different_zones_are_put_together() {
    let mut requests = traffic(110, HOUR, 10, 0.0);
    fail(&mut requests, 111, 1800, 2400, 1.0, 502);
    let mut dice = Dice::new(112);
    let (one, other): (Vec<Request>, Vec<Request>) = requests.iter().cloned().partition(|_| dice.chance(0.5));
    let later: Vec<Request> = other.iter().map(|r| Request { at: r.at + 7200, ..r.clone() }).collect();
    let logs = Logs::with("web-01/access.log", combined(&one));
    logs.add("web-02/access.log", combined(&later).replace("+0000", "+0200"));
    is(the_incident(&logs.report()), &Truth::of(&requests, 1800, 2400));
}

#[test]
fn lines_out_of_order_are_put_in_order() {
    let mut requests = steady(113, HOUR);
    fail(&mut requests, 114, 1800, 2400, 1.0, 502);
    let truth = Truth::of(&requests, 1800, 2400);
    // Apache writes a line when the request ends, with the time when it came.
    let mut dice = Dice::new(115);
    requests.sort_by_cached_key(|r| r.at + i64::try_from(dice.below(60)).unwrap());
    is(the_incident(&report(&requests)), &truth);
}

#[test]
fn clients_that_give_up_are_affected_too() {
    let mut requests = traffic(116, HOUR, 5, 0.0);
    fail(&mut requests, 117, 1800, 2400, 0.6, 504);
    let inside = START + 1800..START + 2400;
    let mut expected = 0;
    for request in requests.iter_mut().filter(|r| inside.contains(&r.at)) {
        if request.status == 200 {
            request.status = 499;
        }
        expected += 1;
    }
    let json = report(&requests);
    let affected = number(&the_incident(&json)["impact"]["affected_requests"]);
    assert_eq!(affected, expected);
}

#[test]
fn one_client_failing_alone_is_none() {
    let mut requests = steady(13, HOUR);
    let mut dice = Dice::new(14);
    for second in 1800..2400 {
        let mut request = user_request(&mut dice, START + second, 0.0);
        "198.51.100.66".clone_into(&mut request.client);
        request.status = 500;
        requests.push(request);
    }
    requests.sort_by_key(|r| r.at);
    assert_eq!(incidents(&report(&requests)).len(), 0);
}

#[test]
fn a_scan_is_none() {
    let mut requests = steady(15, HOUR);
    for n in 0..6000 {
        requests.push(Request {
            at: START + 1800 + n / 20,
            client: "198.51.100.67".to_owned(),
            method: "GET",
            path: format!("/wp-admin/{n}.php"),
            status: 404,
            bytes: 150,
            agent: "zgrab/0.x",
            latency_ms: 1,
        });
    }
    requests.sort_by_key(|r| r.at);
    let json = report(&requests);
    assert_eq!(incidents(&json).len(), 0);
    assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64);
}

#[test]
fn a_scan_beside_an_outage_does_not_dilute_it() {
    let mut requests = steady(16, HOUR);
    fail(&mut requests, 16, 1800, 2400, 1.0, 502);
    let truth = Truth::of(&requests, 1800, 2400);
    for n in 0..6000 {
        requests.push(Request {
            at: START + 1800 + n / 10,
            client: "198.51.100.67".to_owned(),
            method: "GET",
            path: format!("/wp-admin/{n}.php"),
            status: 404,
            bytes: 150,
            agent: "zgrab/0.x",
            latency_ms: 1,
        });
    }
    requests.sort_by_key(|r| r.at);
    is(the_incident(&report(&requests)), &truth);
}

#[test]
fn health_checks_are_no_user_requests() {
    let mut requests = steady(17, HOUR);
    fail(&mut requests, 17, 1800, 2400, 1.0, 502);
    let truth = Truth::of(&requests, 1800, 2400);
    for second in (0..HOUR).step_by(2) {
        requests.push(Request {
            at: START + second,
            client: "10.0.0.9".to_owned(),
            method: "GET",
            path: "/healthz".to_owned(),
            status: 200,
            bytes: 2,
            agent: "kube-probe/1.29",
            latency_ms: 1,
        });
    }
    requests.sort_by_key(|r| r.at);
    let json = report(&requests);
    let incident = the_incident(&json);
    is(incident, &truth);
    assert_eq!(number(&json["totals"]["probe_requests"]), 1800);
    let all = float(&incident["impact"]["percent_all_requests"]);
    assert!(all < truth.percent() - 1.0, "{all} counts the health checks");
}

#[test]
fn what_always_fails_now_and_then_is_none() {
    for seed in 30..33 {
        assert_eq!(incidents(&report(&traffic(seed, 4 * HOUR, 5, 0.005))).len(), 0, "{seed}");
    }
}

#[test]
fn a_surge_is_none() {
    let mut requests = steady(18, HOUR);
    let mut dice = Dice::new(19);
    for second in 1800..2400 {
        for _ in 0..50 {
            requests.push(user_request(&mut dice, START + second, 0.002));
        }
    }
    requests.sort_by_key(|r| r.at);
    assert_eq!(incidents(&report(&requests)).len(), 0);
}

#[test]
fn a_json_log_with_latency_knows_the_first_arrival() {
    let mut requests = traffic(40, HOUR, 5, 0.0);
    fail(&mut requests, 41, 1800, 2400, 1.0, 504);
    for request in requests.iter_mut().filter(|r| r.status == 504) {
        request.latency_ms = 30_000;
    }
    let logs = Logs::with("access.json.log", site::json(&requests));
    let json = logs.report();
    let truth = Truth::of(&requests, 1800, 2400);
    let incident = the_incident(&json);
    is(incident, &truth);
    assert_eq!(instant(&incident["first_arrival"]), truth.start - 30);
    assert!(float(&incident["baseline"]["latency_p95_seconds"]) < 0.2);
}

#[test]
fn a_proxy_and_the_application_behind_it_count_once() {
    let mut requests = traffic(50, HOUR, 5, 0.0);
    fail(&mut requests, 51, 1800, 2400, 1.0, 502);
    // What the proxy answers itself never reaches the application, and it sees the proxy's address alone.
    let behind: Vec<Request> = requests
        .iter()
        .filter(|r| r.status != 502)
        .map(|r| Request { client: "127.0.0.1".to_owned(), ..r.clone() })
        .collect();
    let logs = Logs::with("nginx/access.log", combined(&requests));
    logs.add("app/gunicorn-access.log", combined(&behind));
    let json = logs.report();
    is(the_incident(&json), &Truth::of(&requests, 1800, 2400));
    assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64);
    let role = |name| crate::support::input(&json, name)["role"].as_str().unwrap().to_owned();
    assert_eq!((role("nginx/access.log"), role("gunicorn-access.log")), ("edge".into(), "backend".into()));
}

#[test]
fn the_edge_can_be_stated() {
    // A cache answers most requests itself: what reaches the server behind it looks like a server of its own.
    let (front, back) = (traffic(54, HOUR, 5, 0.0), traffic(55, HOUR, 1, 0.0));
    let logs = Logs::with("cache/access.log", combined(&front));
    logs.add("server/access.log", combined(&back));
    assert_eq!(number(&logs.report()["totals"]["requests"]), (front.len() + back.len()) as u64);
    let json = logs.run(&["--format", "json", "--edge", "cache/*.log"]).json();
    assert_eq!(number(&json["totals"]["requests"]), front.len() as u64);
    let role = |name| crate::support::input(&json, name)["role"].as_str().unwrap().to_owned();
    assert_eq!((role("cache/access.log"), role("server/access.log")), ("edge".into(), "backend".into()));
}

#[test]
fn an_application_that_logs_the_very_requests_of_its_proxy_is_behind_it() {
    let mut requests = traffic(52, HOUR, 5, 0.0);
    fail(&mut requests, 53, 1800, 2400, 1.0, 500);
    let behind: Vec<Request> =
        requests.iter().map(|r| Request { client: "127.0.0.1".to_owned(), ..r.clone() }).collect();
    // Neither name nor number tells which is in front.
    for (front, back) in [("a/access.log", "b/access.log"), ("b/access.log", "a/access.log")] {
        let logs = Logs::with(front, combined(&requests));
        logs.add(back, combined(&behind));
        let json = logs.report();
        assert_eq!(crate::support::input(&json, front)["role"], "edge");
        assert_eq!(crate::support::input(&json, back)["role"], "backend");
        is(the_incident(&json), &Truth::of(&requests, 1800, 2400));
    }
}

#[test]
fn two_servers_of_one_site_count_both() {
    let mut requests = traffic(60, HOUR, 6, 0.0);
    fail(&mut requests, 61, 1800, 2400, 1.0, 502);
    let mut dice = Dice::new(62);
    let (one, other): (Vec<Request>, Vec<Request>) = requests.iter().cloned().partition(|_| dice.chance(0.5));
    let logs = Logs::with("web-01/access.log", combined(&one));
    logs.add("web-02/access.log", combined(&other));
    let json = logs.report();
    assert_eq!(number(&json["totals"]["requests"]), requests.len() as u64);
    is(the_incident(&json), &Truth::of(&requests, 1800, 2400));
}

#[test]
fn rotation_makes_no_difference() {
    let mut requests = steady(70, HOUR);
    fail(&mut requests, 71, 1800, 2400, 1.0, 502);
    let third = requests.len() / 3;
    let logs = Logs::with("access.log.2.gz", crate::support::gzip(combined(&requests[..third]).as_bytes()));
    // The seam lies in the outage.
    logs.add("access.log.1", combined(&requests[third..requests.len() / 2 + 500]));
    logs.add("access.log", combined(&requests[requests.len() / 2 + 500..]));
    is(the_incident(&logs.report()), &Truth::of(&requests, 1800, 2400));
}

#[test]
fn a_quiet_night_is_none() {
    let mut requests = steady(80, 6 * HOUR);
    requests.retain(|r| !(START + 2 * HOUR..START + 4 * HOUR).contains(&r.at));
    let json = report(&requests);
    let errors = incidents(&json).iter().filter(|i| i["signal"] == "errors").count();
    assert_eq!(errors, 0);
}

#[test]
fn slow_minutes_with_a_blip_in_them_are_an_incident() {
    // the blip is shown better than the slowness, but is not much of it
    let mut requests = traffic(60, 3 * HOUR, 10, 0.0);
    for request in requests.iter_mut().filter(|r| (START + 5400..START + 5700).contains(&r.at)) {
        request.latency_ms = request.latency_ms * 17 / 10;
    }
    fail(&mut requests, 61, 5500, 5504, 1.0, 502);
    let json = Logs::with("access.json.log", site::json(&requests)).report();
    let incident = the_incident(&json);
    assert_eq!(incident["signal"], "latency");
    assert!((instant(&incident["start"]) - (START + 5400)).abs() <= 5, "{}", incident["start"]);
    assert!((instant(&incident["end"]) - (START + 5700)).abs() <= 5, "{}", incident["end"]);
}
