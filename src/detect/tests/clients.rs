//! What one client meets with, and what everybody does: behind a proxy, on a quiet site, beside a busy client.

use super::incidents::{HOUR, assert_near, find, only};
use super::sim::{EPOCH, Recorder, Rng, Shape, Site};
use crate::detect::Series;

/// Everything comes through one proxy: one bucket for all.
fn behind_one_proxy(background: f64, seed: u64, hint: bool) -> Series {
    let mut site = Site::quiet(12 * HOUR, 5.0, background).with(HOUR, HOUR + 900, 0.95, Shape::Step, 502);
    let mut series = site.record(&mut Rng::new(seed));
    for buckets in &mut series.failing_clients {
        let all = buckets.iter().sum();
        *buckets = [0; 16];
        buckets[5] = all;
    }
    let all = series.slots.iter().map(|slot| u64::from(slot.requests)).sum();
    series.active_client_buckets = hint.then(|| {
        let mut active = [0; 16];
        active[5] = all;
        active
    });
    series
}

#[test]
fn an_outage_behind_one_proxy_is_found() {
    for (background, hint) in [(0.0, true), (0.001, true), (0.001, false), (0.0, false)] {
        let findings = find(&behind_one_proxy(background, 70, hint));
        assert_near(only(&findings).start.second, EPOCH + HOUR, 2);
    }
}

#[test]
fn an_outage_in_a_log_without_clients_is_found() {
    let mut series = behind_one_proxy(0.001, 71, false);
    series.failing_clients.clear();
    for slot in &mut series.slots {
        slot.clients = None;
    }
    assert_near(only(&find(&series)).start.second, EPOCH + HOUR, 2);
}

#[test]
fn one_client_after_the_other_that_finds_a_quiet_site_down_is_an_outage() {
    let mut recorder = Recorder::new();
    for second in 0..20_000_i64 {
        // visits of one client each, eight requests in a row, one visit a minute
        let (visit, step) = (second / 60, second % 60);
        if step >= 8 {
            continue;
        }
        let down = (9_000..9_300).contains(&second);
        let mut clients = [0; 16];
        clients[(visit * 7 % 16) as usize] = u16::from(down);
        recorder.push(EPOCH + second, 1, &[(502, u32::from(down))], clients);
    }
    let findings = find(&recorder.finish(true));
    let finding = only(&findings);
    assert_eq!((finding.start.second, finding.end.second), (EPOCH + 9_000, EPOCH + 9_247));
    assert_eq!((finding.requests, finding.failures), (40, 40));
}

/// One client sends half of the requests; a share of them fails between two seconds, all of them another client's, or
/// everybody's.
fn beside_a_busy_client(everybody: bool) -> Series {
    let mut recorder = Recorder::new();
    let mut active = [0; 16];
    for second in 0..7200_i64 {
        // of the others, those of bucket 9 ask least often
        let other = if second % 64 == 9 { 9 } else { (second % 9 * 5 % 9) as usize };
        active[3] += 2;
        active[other] += 2;
        let down = (3000..3120).contains(&second);
        let mut clients = [0; 16];
        if down && everybody {
            (clients[3], clients[other]) = (1, clients[other] + 1);
        } else if down {
            clients[9] = 12;
        }
        let failures = clients.iter().map(|&n| u32::from(n)).sum();
        recorder.push(EPOCH + second, 4 + u32::from(down && !everybody) * 12, &[(500, failures)], clients);
    }
    Series { active_client_buckets: Some(active), ..recorder.finish(true) }
}

#[test]
fn a_storm_is_one_beside_a_client_who_sends_half_of_the_requests() {
    assert!(find(&beside_a_busy_client(false)).incidents.is_empty());
    let findings = find(&beside_a_busy_client(true));
    assert_near(only(&findings).start.second, EPOCH + 3000, 0);
    assert_near(only(&findings).end.second, EPOCH + 3119, 0);
}

#[test]
fn one_clients_clump_and_a_blip_are_no_incident() {
    for lasts in [2, 60] {
        let mut recorder = Recorder::new();
        for second in 0..7200_i64 {
            let mut clients = [0; 16];
            if (3000..3014).contains(&second) && second % 2 == 0 {
                clients[3] = 1;
            }
            if (3014..3014 + lasts).contains(&second) {
                clients[4..8].fill(1);
            }
            let failures = clients.iter().map(|&n| u32::from(n)).sum();
            recorder.push(EPOCH + second, 16, &[(502, failures)], clients);
        }
        let found = find(&recorder.finish(true)).incidents;
        assert_eq!(found.is_empty(), lasts == 2, "{lasts}: {found:#?}");
    }
}

/// A site that comes and goes, 85 s down and a minute up, for fifty minutes; in one of its bursts one client alone asks.
#[test]
fn a_burst_of_which_one_client_tells_divides_no_flapping_incident() {
    let mut recorder = Recorder::new();
    let mut rng = Rng::new(72);
    for second in 0..20_000_i64 {
        let (burst, within) = ((second - 9_000).div_euclid(145), (second - 9_000).rem_euclid(145));
        let down = (9_000..12_000).contains(&second) && within < 85;
        let lonely = burst == 11 && within < 85;
        // and the burst after it begins more than two minutes later
        let asks = if lonely { (5..23).contains(&within) && within % 2 == 0 } else { true };
        if !asks {
            continue;
        }
        let client = if lonely { 3 } else { rng.below(16) };
        let mut clients = [0; 16];
        clients[client] = u16::from(down);
        recorder.push(EPOCH + second, 1, &[(500, u32::from(down))], clients);
    }
    let findings = find(&recorder.finish(true));
    let finding = only(&findings);
    assert_eq!((finding.start.second, finding.end.second), (EPOCH + 9_000, EPOCH + 11_984));
}
