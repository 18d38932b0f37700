//! Close-ups made by hand: who is named, and who is not.

use crate::detect::{Audit, Baseline, Boundary, Effect, Finding, Latencies, Signal};
use crate::explain::facts::ScopeItem;
use crate::explain::scope::scope;
use crate::inspect::{Closeup, Group as Few, Part, Tone, client_group};
use crate::model::{Dimension, Untrusted};

/// Requests with the same values: inside (all, affected), in the comparison window (all, affected).
struct Group {
    path: String,
    vhost: &'static str,
    upstream: &'static str,
    inside: (u64, u64),
    outside: (u64, u64),
}

fn group(path: &str, inside: (u64, u64), outside: (u64, u64)) -> Group {
    Group { path: path.to_owned(), vhost: "shop", upstream: "10.0.0.1:80", inside, outside }
}

fn part((requests, affected): (u64, u64)) -> Part {
    Part { requests, affected, within: affected }
}

/// A close-up in which the groups are told by all three dimensions, and by one source.
fn closeup(groups: &[Group], signal: Signal) -> Closeup {
    let mut closeup = Closeup::default();
    let count = |tone: &mut Tone, group: &Group| {
        use crate::survey::Merge;
        let (inside, outside) = if signal == Signal::Latency {
            (&mut tone.paced_inside, &mut tone.paced_outside)
        } else {
            (&mut tone.inside, &mut tone.outside)
        };
        inside.absorb(part(group.inside));
        outside.absorb(part(group.outside));
    };
    for group in groups {
        count(&mut closeup.total, group);
        let values = [
            (Dimension::Path, group.path.as_str()),
            (Dimension::Vhost, group.vhost),
            (Dimension::Upstream, group.upstream),
            (Dimension::Source, "web-01"),
        ];
        for (dimension, value) in values {
            let hash = value.bytes().fold(7u64, |h, b| h.wrapping_mul(131).wrapping_add(u64::from(b)));
            let tone = closeup.dimensions.entry(dimension).or_default().entry(hash).unwrap();
            tone.value = value.as_bytes().into();
            count(tone, group);
        }
    }
    closeup
}

pub(super) fn finding(signal: Signal) -> Finding {
    let edge = Boundary { second: 0, range: (0, 0), open: false };
    let latencies = Latencies { median_us: 40e3, p95_us: 90e3 };
    Finding {
        signal,
        effect: match signal {
            Signal::Latency => Effect::Latency {
                share: 0.2,
                share_range: (0.15, 0.25),
                slowdown: 3.0,
                slowdown_range: (2.8, 3.2),
                usual: latencies,
                during: latencies,
            },
            _ => Effect::Errors,
        },
        start: edge,
        end: edge,
        baseline: Baseline { error_share: 0.001, requests_per_second: 5.0, window: None },
        requests: 0,
        failures: 0,
        dominant_status: None,
        strength: 500.0,
        dispersion: 1.0,
        levels: vec![],
        confidence: 0.9,
        audit: Audit::default(),
    }
}

fn named(items: &[ScopeItem]) -> Vec<(Dimension, String)> {
    items
        .iter()
        .map(|item| (item.dimension, String::from_utf8_lossy(item.value.raw()).into_owned()))
        .collect()
}

fn found(groups: &[Group]) -> Vec<(Dimension, String)> {
    named(&scope(&finding(Signal::Errors), None, &closeup(groups, Signal::Errors)))
}

fn path(value: &str) -> (Dimension, String) {
    (Dimension::Path, value.to_owned())
}

/// Fifty paths with a Zipf distribution of requests and one failure in 500 of them.
fn fifty() -> Vec<Group> {
    (1..=50u64).map(|n| group(&format!("/p{n}"), (4000 / n, 8 / n), (40_000 / n, 80 / n))).collect()
}

#[test]
fn what_hits_everything_names_nobody() {
    for share in [0.03, 0.3, 0.9, 1.0] {
        let mut groups = fifty();
        for group in &mut groups {
            let hit = (group.inside.0 as f64 * share).round();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let hit = hit as u64;
            group.inside.1 = hit;
        }
        assert_eq!(found(&groups), [], "{share}");
    }
}

#[test]
fn one_path_of_fifty() {
    let mut groups = fifty();
    groups[3].inside.1 = groups[3].inside.0 * 7 / 10;
    assert_eq!(found(&groups), [path("/p4")]);
    let item = scope(&finding(Signal::Errors), None, &closeup(&groups, Signal::Errors)).remove(0);
    assert!((item.affected_percent - 70.0).abs() < 0.1, "{item:?}");
    assert!(item.affected_share > 0.9 && item.baseline_percent < 0.5, "{item:?}");
}

#[test]
fn one_path_with_less_than_a_hundredth_of_the_requests() {
    let mut groups = fifty();
    // 80 of 17 996
    groups[49].inside.1 = groups[49].inside.0;
    assert_eq!(found(&groups), [path("/p50")]);
}

#[test]
fn a_storm_of_one_client_on_another_path_does_not_hide_the_one_that_is_hit() {
    let mut groups = fifty();
    groups[3].inside.1 = groups[3].inside.0 / 2;
    let mut stormy = closeup(&groups, Signal::Errors);
    for client in 0..100_u64 {
        let seen = stormy.clients.entry(client << 57).unwrap();
        (seen.inside, seen.outside) = (part((170, 5)), 1700);
    }
    assert_eq!(named(&scope(&finding(Signal::Errors), None, &stormy)), [path("/p4")]);
    // 600 failures of a client that is hardly ever seen
    let storm = u64::MAX;
    stormy.clients.entry(storm).unwrap().inside = part((600, 600));
    let group = Few { requests: 600, affected: 600 };
    let paths = stormy.dimensions.get_mut(&Dimension::Path).unwrap();
    let hashes: Vec<u64> =
        paths.iter().filter(|(_, tone)| *tone.value == *b"/p9").map(|(hash, _)| hash).collect();
    for tone in [&mut stormy.total, paths.entry(hashes[0]).unwrap()] {
        tone.inside.requests += 600;
        tone.inside.affected += 600;
        tone.by_client[client_group(storm)] = group;
    }
    let items = scope(&finding(Signal::Errors), None, &stormy);
    assert_eq!(named(&items), [path("/p4")]);
    // but the figures are those of all
    assert!(items[0].affected_share < 0.5, "{items:?}");
}

#[test]
fn one_upstream_of_three() {
    let upstreams = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];
    let mut groups = Vec::new();
    for upstream in upstreams {
        for mut group in fifty() {
            group.upstream = upstream;
            if upstream == upstreams[1] {
                group.inside.1 = group.inside.0 * 4 / 10;
            }
            groups.push(group);
        }
    }
    assert_eq!(found(&groups), [(Dimension::Upstream, upstreams[1].to_owned())]);
}

#[test]
fn a_vhost_whose_paths_are_its_own() {
    let mut groups = fifty();
    for (n, group) in groups.iter_mut().enumerate() {
        if n % 5 == 2 {
            group.vhost = "blog";
            group.inside.1 = group.inside.0 * 6 / 10;
        }
    }
    assert_eq!(found(&groups), [(Dimension::Vhost, "blog".to_owned())]);
}

#[test]
fn a_path_that_is_all_of_its_vhost_comes_first_and_the_vhost_after_it() {
    let mut groups = fifty();
    groups[4].vhost = "api";
    groups[4].inside.1 = groups[4].inside.0 / 2;
    let both = [path("/p5"), (Dimension::Vhost, "api".to_owned())];
    assert_eq!(found(&groups), both);
    // unless detection found it in the vhost
    let place = (Dimension::Vhost, Untrusted::from("api"));
    let closeup = closeup(&groups, Signal::Errors);
    let items = scope(&finding(Signal::Errors), Some(&place), &closeup);
    assert_eq!(named(&items), [both[1].clone(), both[0].clone()]);
}

#[test]
fn one_path_of_a_vhost_is_narrower_than_the_vhost() {
    let mut groups = fifty();
    for group in groups.iter_mut().skip(40) {
        group.vhost = "api";
    }
    groups[41].inside.1 = groups[41].inside.0;
    assert_eq!(found(&groups), [path("/p42")]);
    // also when detection found it in the vhost
    let place = (Dimension::Vhost, Untrusted::from("api"));
    let items = scope(&finding(Signal::Errors), Some(&place), &closeup(&groups, Signal::Errors));
    assert_eq!(named(&items)[0], path("/p42"));
}

#[test]
fn two_paths_of_fifty() {
    let mut groups = fifty();
    groups[6].inside.1 = groups[6].inside.0 * 9 / 10;
    groups[9].inside.1 = groups[9].inside.0 * 9 / 10;
    assert_eq!(found(&groups), [path("/p7"), path("/p10")]);
}

#[test]
fn what_is_always_broken_takes_no_blame() {
    let mut groups = fifty();
    let broken = |group: &mut Group| {
        group.inside.1 = group.inside.0;
        group.outside.1 = group.outside.0;
    };
    broken(&mut groups[2]);
    // nothing else happens …
    assert_eq!(found(&groups), []);
    // … a quarter of everything fails …
    for group in groups.iter_mut().filter(|g| g.path != "/p3") {
        group.inside.1 = group.inside.0 / 4;
    }
    assert_eq!(found(&groups), []);
    // … or another path does
    let mut groups = fifty();
    broken(&mut groups[2]);
    groups[30].inside.1 = groups[30].inside.0;
    assert_eq!(found(&groups), [path("/p31")]);
}

#[test]
fn few_requests_name_only_what_is_evident() {
    let few = |hit: (u64, u64), others: u64, well: u64| {
        let mut groups: Vec<Group> =
            (0..well).map(|n| group(&format!("/p{n}"), (others, 0), (100, 0))).collect();
        groups.push(group("/hit", hit, (50, 0)));
        found(&groups)
    };
    assert_eq!(few((30, 30), 2, 8), [path("/hit")]);
    assert_eq!(few((4, 4), 1, 2), []);
    assert_eq!(few((3, 3), 5, 5), []);
}

#[test]
fn a_site_with_one_vhost_names_none() {
    let groups = [group("/", (1000, 300), (10_000, 10))];
    assert_eq!(found(&groups), []);
    let place = (Dimension::Vhost, Untrusted::from("shop"));
    let closeup = closeup(&groups, Signal::Errors);
    assert_eq!(named(&scope(&finding(Signal::Errors), Some(&place), &closeup)), []);
}

#[test]
fn a_stream_that_the_close_up_contradicts_is_not_named() {
    let mut groups = fifty();
    for group in &mut groups {
        group.inside.1 = group.inside.0 / 3;
    }
    let place = (Dimension::Path, Untrusted::from("/p1"));
    let items = scope(&finding(Signal::Errors), Some(&place), &closeup(&groups, Signal::Errors));
    assert_eq!(named(&items), []);
}

#[test]
fn slow_requests_are_found_by_their_counts_over_the_threshold() {
    let mut groups = fifty();
    // One in twenty is slow when all is well.
    for group in &mut groups {
        group.inside.1 = group.inside.0 / 20;
        group.outside.1 = group.outside.0 / 20;
    }
    let slowed = &mut groups[1];
    slowed.inside.1 = slowed.inside.0 * 8 / 10;
    let items = scope(&finding(Signal::Latency), None, &closeup(&groups, Signal::Latency));
    assert_eq!(named(&items), [path("/p2")]);
    // detection says that 20 % of all requests were slowed: those are all of this path
    assert!(items[0].affected_percent > 90.0, "{:?}", items[0]);
}
