//! A site from its seed to its verdicts.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::lines;
use super::methods::{self, Counts};
use super::play::{Played, play};
use super::score::{Outcome, settle};
use super::site::{KINDS, Kind, Site, Size, kind_of};
use super::truth::{Truth, truths};

/// What is compared, in the order of the table's columns.
pub(crate) const METHODS: [&str; 3] = ["logtopsy", "5 % a minute", "burn rate"];

/// What to judge.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seeds: RangeInclusive<u64>,
    /// `None`: as each seed has it.
    pub(crate) kind: Option<Kind>,
    pub(crate) size: Size,
    pub(crate) threads: usize,
}

/// The outcomes of every method, by seed.
pub(crate) fn run(plan: &Plan) -> Vec<[Outcome; 3]> {
    let next = AtomicU64::new(*plan.seeds.start());
    let done = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !plan.seeds.contains(&seed) {
                return;
            }
            let root = tempfile::tempdir().unwrap();
            let outcome = judge(seed, plan.kind, plan.size, root.path());
            done.lock().unwrap_or_else(PoisonError::into_inner).push((seed, outcome));
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.threads).map(|_| scope.spawn(work)).collect();
        // a site that cannot be judged ends the run
        for worker in workers {
            worker.join().unwrap();
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(seed, _)| *seed);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Writes a site below `root` and compares what every method says of it with the truth.
pub(crate) fn judge(seed: u64, kind: Option<Kind>, size: Size, root: &Path) -> [Outcome; 3] {
    let site = Site::draw(seed, kind.unwrap_or_else(|| kind_of(seed)), size);
    let played = play(&site);
    let logs = lines::write(&site, &played.requests, root).unwrap();
    let truths = truths(&site, &played);
    fs::write(root.join("truth.json"), told(&site, &truths)).unwrap();
    let counts = Counts::new(site.start, site.seconds, &played.requests);
    let about = describe(&site, &played);
    drop(played);
    let claims = [methods::logtopsy(&logs), methods::per_minute(&counts), methods::burn_rate(&counts)];
    claims.map(|claims| {
        let (found, wrong) = settle(truths.clone(), &claims);
        Outcome { site: about.clone(), days: site.days(), drifting: site.drifting, found, wrong }
    })
}

fn describe(site: &Site, played: &Played) -> String {
    let kind = KINDS.iter().find(|k| k.1 == site.kind).map_or("", |k| k.0);
    format!(
        "--kind {kind} --seeds {}: {} lines in {:.1} h, {:.3} % {}, {}, {} vhosts, {} upstreams, {} servers, {} clients",
        site.seed,
        played.requests.len(),
        site.days() * 24.0,
        site.background * 100.0,
        if site.drifting { "drifting" } else { "background" },
        site.layout.name,
        site.vhosts.len(),
        site.upstreams.len(),
        site.servers.len(),
        site.clients
    )
}

/// The truth as JSON, for whoever keeps the logs.
fn told(site: &Site, truths: &[Truth]) -> String {
    let clock = |at: f64| clock(at, site.offset);
    let one = |t: &Truth| {
        let scope =
            t.scope.as_ref().map(|(dimension, value)| json!({"dimension": dimension, "value": value}));
        json!({
            "signal": format!("{:?}", t.signal).to_lowercase(),
            "start": clock(t.start),
            "end": clock(t.end),
            "affected_requests": t.affected,
            "total_requests": t.requests,
            "percent": t.percent,
            "scope": scope,
            "log_likelihood_ratio": t.nats,
            "affected_per_second": t.rate,
            "what": t.text,
        })
    };
    let noise = &site.noise;
    let at = |seconds: f64| clock(site.start as f64 + seconds);
    let bursts = noise.bursts.iter().map(|b| {
        let (from, until) = (b.times.first().copied().unwrap_or(0.0), b.times.last().copied().unwrap_or(0.0));
        json!({"what": format!("{:?}", b.what).to_lowercase(), "start": at(from), "end": at(until), "requests": b.times.len()})
    });
    let surges =
        noise.surges.iter().map(|s| json!({"start": at(s.from), "end": at(s.until), "factor": s.factor}));
    let blips =
        noise.blips.iter().map(|b| json!({"start": at(b.from), "end": at(b.until), "status": b.status}));
    let all = json!({
        "incidents": truths.iter().map(one).collect::<Vec<_>>(),
        "no_incidents": {
            "one_client": bursts.collect::<Vec<_>>(),
            "surges": surges.collect::<Vec<_>>(),
            "blips": blips.collect::<Vec<_>>(),
        },
    });
    format!("{all:#}\n")
}

/// A time as the site's servers would write it.
pub(crate) fn clock(at: f64, offset: i32) -> String {
    let zone = chrono::FixedOffset::east_opt(offset).unwrap();
    let time = chrono::DateTime::from_timestamp_millis((at * 1000.0) as i64).unwrap();
    time.with_timezone(&zone).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::super::play::By;
    use super::super::site::SMALL;
    use super::*;

    fn written(seed: u64, kind: Kind) -> (Site, Played, String) {
        let site = Site::draw(seed, kind, SMALL);
        let played = play(&site);
        let root = tempfile::tempdir().unwrap();
        let logs = lines::write(&site, &played.requests, root.path()).unwrap();
        let mut text = String::new();
        for server in &site.servers {
            let name = if site.servers.len() > 1 { &server.name } else { "nginx" };
            text += &fs::read_to_string(logs.join(name).join("access.log")).unwrap();
        }
        (site, played, text)
    }

    #[test]
    fn a_seed_gives_the_same_bytes() {
        for (_, kind, _) in KINDS {
            assert_eq!(written(5, kind).2, written(5, kind).2);
        }
        assert_ne!(written(5, Kind::Errors).2, written(6, Kind::Errors).2);
    }

    /// Failures in lines of combined, counted without the simulator.
    fn failures(text: &str) -> usize {
        text.lines().filter(|l| l.split('"').nth(2).is_some_and(|rest| rest.starts_with(" 5"))).count()
    }

    #[test]
    fn the_lines_tell_what_the_truth_counts() {
        for seed in (0..40).filter(|&seed| Site::draw(seed, Kind::Errors, SMALL).layout.name == "combined") {
            let (site, played, text) = written(seed, Kind::Errors);
            assert_eq!(text.lines().count(), played.requests.len());
            let failed = played.requests.iter().filter(|r| r.status >= 500).count();
            assert_eq!(failures(&text), failed);
            for (i, truth) in truths(&site, &played).iter().enumerate() {
                let hit = played.requests.iter().filter(|r| usize::from(r.hit) == i + 1 && r.by == By::User);
                assert_eq!(hit.count() as u64, truth.affected);
                let percent = truth.percent.unwrap();
                let counts = Counts::new(site.start, site.seconds, &played.requests);
                let (from, until) = (truth.start as i64 - site.start, truth.end as i64 - site.start);
                let inside = &counts.seconds[from as usize..until as usize];
                let (n, k) = inside.iter().fold((0, 0), |sum, s| (sum.0 + s.0, sum.1 + s.1));
                // scanners are no users
                assert!(
                    u64::from(n) >= truth.requests
                        && f64::from(k) >= percent / 100.0 * truth.requests as f64 - 0.5
                );
            }
        }
    }
}
