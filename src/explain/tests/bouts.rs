//! Close-ups made by hand: several clients' bouts and a restart within minutes of each other, and what they are taken for.

use super::scope::finding;
use crate::detect::{Audit, Boundary, Finding, Signal};
use crate::explain::storms::is_of_one_client;
use crate::inspect::{Client, Closeup, Group, Part, Span, Tone, client_group};
use crate::model::Dimension;

/// Of a hundred clients with twenty requests each in ten minutes, some that fail: (client, seconds).
fn closeup(failing: &[(u64, &[i64])]) -> Closeup {
    let mut closeup = Closeup::default();
    for number in 0..100_u64 {
        let hash = number << 57;
        let seconds: Vec<i64> =
            failing.iter().filter(|of| of.0 == number).flat_map(|of| of.1.iter().copied()).collect();
        let failed = seconds.len() as u64;
        let inside = Part { requests: 20 + failed, affected: failed, within: failed };
        let ends = seconds.first().zip(seconds.last());
        let hit = ends.map_or(Span::default(), |(&first, &last)| Span { first, last });
        let client =
            Client { inside, hit, good_inside: 20, outside: 50, good_outside: 50, ..Client::default() };
        *closeup.clients.entry(hash).unwrap() = client;
        for second in seconds {
            closeup.hits.see(hash, second, 502);
        }
        see(&mut closeup.total, hash, inside);
        closeup.total.outside.requests += 50;
    }
    closeup
}

fn see(tone: &mut Tone, hash: u64, part: Part) {
    tone.inside.requests += part.requests;
    tone.inside.affected += part.affected;
    tone.inside.within += part.within;
    let Group { requests, affected } = &mut tone.by_client[client_group(hash)];
    *requests += u32::try_from(part.requests).unwrap();
    *affected += u32::try_from(part.affected).unwrap();
}

fn found() -> Finding {
    let edge = |second| Boundary { second, range: (second, second), open: false };
    let audit = Audit { penalty: 25.0, ..Audit::default() };
    let mut finding = Finding { start: edge(0), end: edge(599), audit, ..finding(Signal::Errors) };
    finding.baseline.error_share = 0.000_1;
    finding
}

fn is_none(closeup: &Closeup) -> bool {
    is_of_one_client(&found(), None, closeup)
}

const FIRST: (u64, &[i64]) = (3, &[0, 1, 1, 2, 4, 5]);
const SECOND: (u64, &[i64]) = (40, &[150, 151, 151, 155]);
const THIRD: (u64, &[i64]) = (70, &[300, 301, 303, 304, 306]);
/// A restart that meets five clients.
const RESTART: [(u64, &[i64]); 5] =
    [(8, &[500, 501, 501]), (21, &[501, 501, 501]), (33, &[501, 502]), (55, &[502]), (90, &[502])];

#[test]
fn clients_that_fail_again_and_again_and_a_restart_are_no_incident() {
    assert!(is_none(&closeup(&[&[FIRST, SECOND, THIRD][..], &RESTART].concat())));
    assert!(is_none(&closeup(&[&[FIRST, (3, &[580, 581, 582])][..], &RESTART].concat())), "one client twice");
}

#[test]
fn what_is_left_of_an_incident_without_them_is_told() {
    let others: Vec<(u64, &[i64])> = (10..16).map(|client| (client, &[250_i64][..])).collect();
    let apart: Vec<(u64, &[i64])> = [80_i64, 160, 240, 320, 400, 480]
        .iter()
        .zip(10..)
        .map(|(second, client)| (client, std::slice::from_ref(second)))
        .collect();
    assert!(is_none(&closeup(&[&[FIRST, SECOND][..], &others].concat())), "all at once, as in a restart");
    assert!(!is_none(&closeup(&[&[FIRST, SECOND][..], &apart].concat())));
}

#[test]
fn where_all_fail_in_one_place_clients_that_do_so_again_and_again_are_some_of_all() {
    let failing = [FIRST, SECOND, THIRD, (85, &[400, 401, 404][..]), (5, &[500, 520])];
    let mut closeup = closeup(&failing);
    assert!(is_none(&closeup));
    // a route that only these asked for, and of which no request was served
    let mut tone = Tone { value: b"/reports".as_slice().into(), ..Tone::default() };
    for (client, seconds) in failing {
        let failed = seconds.len() as u64;
        see(&mut tone, client << 57, Part { requests: failed, affected: failed, within: failed });
    }
    *closeup.dimensions.entry(Dimension::Path).or_default().entry(9).unwrap() = tone;
    assert!(!is_none(&closeup));
}

#[test]
fn clients_that_fail_at_the_same_time_are_one_anothers_coincidence_only_if_hardly_anybody_else_does() {
    let at_once: Vec<i64> = (0..30).map(|second| second * 20).collect();
    let both = [(3, at_once.as_slice()), (40, at_once.as_slice()), (70, &at_once[..8])];
    assert!(is_none(&closeup(&both)));
    let few = [(3, &[0, 50, 100][..]), (40, &[20, 70, 120][..]), (70, &[30, 80, 130][..])];
    assert!(!is_none(&closeup(&few)));
}
