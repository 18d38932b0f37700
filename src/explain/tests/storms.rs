//! Close-ups made by hand: what one client met with alone, and what all did.

use super::scope::finding;
use crate::detect::{Audit, Signal};
use crate::explain::storms::is_of_one_client;
use crate::inspect::{Client, Closeup, Part, Span};

/// A hundred clients with fifty requests each in the window and as many beside it, of which one in fifty fails; in the window
/// so many more fail for each of them, and so many for the first one alone.
fn closeup(for_all: u64, for_one: u64) -> Closeup {
    let mut closeup = Closeup::default();
    for number in 0..100_u64 {
        let failed = 1 + for_all + if number == 0 { for_one } else { 0 };
        let inside = Part { requests: 49 + failed, affected: failed, within: failed };
        let client = Client { inside, good_inside: 49, outside: 50, good_outside: 49, ..Client::default() };
        *closeup.clients.entry(number << 57).unwrap() = client;
        closeup.total.inside.requests += inside.requests;
        closeup.total.inside.affected += inside.affected;
        closeup.total.inside.within += inside.within;
        closeup.total.outside.requests += 50;
        closeup.total.outside.affected += 1;
    }
    closeup
}

fn is_one_clients(closeup: &Closeup) -> bool {
    let finding = crate::detect::Finding {
        dispersion: 1.5,
        audit: Audit { penalty: 25.0, ..Audit::default() },
        ..finding(Signal::Errors)
    };
    is_of_one_client(&finding, None, closeup)
}

#[test]
fn the_storm_of_one_client_on_a_site_that_always_fails_a_little_is_no_incident() {
    assert!(is_one_clients(&closeup(0, 260)));
}

#[test]
fn an_incident_of_all_beside_the_storm_of_one_is_one() {
    assert!(!is_one_clients(&closeup(3, 260)));
    assert!(!is_one_clients(&closeup(3, 0)));
}

/// The same, where nothing else fails, and the second client's storm begins in the second in which the first one's ends, or
/// in the next one.
fn two_storms(overlap: bool) -> Closeup {
    let mut closeup = closeup(0, 0);
    closeup.total.outside.affected = 0;
    closeup.total.inside.affected = 0;
    closeup.total.inside.within = 0;
    for (hash, client) in closeup.clients.clone().iter() {
        let (failed, first) = match hash >> 57 {
            0 => (60, 0),
            1 => (40, if overlap { 20 } else { 21 }),
            _ => (0, i64::MAX),
        };
        let inside = Part { requests: 49 + failed, affected: failed, within: failed };
        let hit = if failed > 0 { Span { first, last: first + 20 } } else { Span::default() };
        *closeup.clients.entry(hash).unwrap() = Client { inside, hit, ..*client };
        closeup.total.inside.affected += failed;
        closeup.total.inside.within += failed;
    }
    closeup
}

#[test]
fn storms_one_after_the_other_are_no_incident_and_at_the_same_time_they_may_be() {
    assert!(is_one_clients(&two_storms(false)));
    assert!(!is_one_clients(&two_storms(true)));
}

/// A hundred clients with ten requests each; some fail so often each, one second after the other client if `in_turn`.
fn some_fail(clients: u64, failures: u64, in_turn: bool) -> Closeup {
    let mut closeup = Closeup::default();
    for number in 0..100_u64 {
        let failed = if number < clients { failures } else { 0 };
        let inside = Part { requests: 10, affected: failed, within: failed };
        let first = if in_turn { i64::try_from(number).unwrap() * 20 } else { 0 };
        let hit = if failed > 0 { Span { first, last: first + 19 } } else { Span::default() };
        let client = Client {
            inside,
            hit,
            good_inside: 10 - failed,
            outside: 50,
            good_outside: 50,
            ..Client::default()
        };
        *closeup.clients.entry(number << 57).unwrap() = client;
        closeup.total.inside.requests += 10;
        closeup.total.inside.affected += failed;
        closeup.total.inside.within += failed;
        closeup.total.outside.requests += 50;
    }
    closeup
}

#[test]
fn what_a_few_try_again_and_again_in_turn_is_no_incident() {
    assert!(is_one_clients(&some_fail(2, 5, true)));
    assert!(!is_one_clients(&some_fail(2, 5, false)), "at the same time");
    assert!(!is_one_clients(&some_fail(12, 5, true)), "of many");
    assert!(!is_one_clients(&some_fail(3, 2, true)), "once or twice each");
}

#[test]
fn a_failure_of_every_day_beside_a_few_who_fail_in_turn_makes_no_incident() {
    let with = |beside: u64| {
        let mut closeup = some_fail(2, 5, true);
        for (hash, client) in closeup.clients.clone().iter().filter(|(hash, _)| hash >> 57 >= 100 - beside) {
            let inside = Part { affected: 1, within: 1, ..client.inside };
            let hit = Span { first: 5, last: 5 };
            *closeup.clients.entry(hash).unwrap() = Client { inside, hit, ..*client };
            closeup.total.inside.affected += 1;
            closeup.total.inside.within += 1;
        }
        closeup
    };
    assert!(is_one_clients(&with(2)));
    assert!(!is_one_clients(&with(3)), "three others tell of something");
}

#[test]
fn clients_that_fail_in_turn_are_known_by_what_they_meet_with_elsewhere_too() {
    let mut closeup = some_fail(2, 5, true);
    for (hash, client) in closeup.clients.clone().iter().filter(|(hash, _)| hash >> 57 < 2) {
        let inside = Part { within: 2, ..client.inside };
        *closeup.clients.entry(hash).unwrap() = Client { inside, ..*client };
        closeup.total.inside.within -= 3;
    }
    assert!(is_one_clients(&closeup));
}

#[test]
fn what_one_of_three_people_meets_with_is_an_incident() {
    let mut closeup = closeup(0, 260);
    for (hash, client) in closeup.clients.clone().iter() {
        if hash >> 57 > 2 {
            let client = Client { good_inside: 0, good_outside: 0, ..*client };
            *closeup.clients.entry(hash).unwrap() = client;
        }
    }
    assert!(!is_one_clients(&closeup));
}
