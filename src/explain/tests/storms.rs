//! Close-ups made by hand: what one client met with alone, and what all did.

use super::scope::finding;
use crate::detect::{Audit, Signal};
use crate::explain::storms::is_of_one_client;
use crate::inspect::{Client, Closeup, Part};

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
