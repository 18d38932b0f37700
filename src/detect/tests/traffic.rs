//! Missing requests: what must be found, what must not, and how well it does on simulated sites, against floors.

use super::sim::{EPOCH, Rng};
use super::traffic_sim::{Group, Loss, Site, series};
use crate::detect::{Effect, Finding, Sensitivity, find_missing_member, find_traffic};

/// Missing arrivals from which a loss must be found.
const DETECTABLE: f64 = 18.0;
/// What is missing is out of the ordinary by so many standard deviations: 4.24 for 18 independent arrivals.
const DEVIATIONS_OF_SILENCE: f64 = 4.2;
/// A part of the requests must besides be missing by so many standard deviations …
const DEVIATIONS: f64 = 6.0;
/// … and so many in number.
const MISSED_OF_PART: f64 = 60.0;

#[derive(Debug, Default)]
struct Score {
    days: f64,
    truths: usize,
    found: usize,
    falsely: usize,
    silences: usize,
    silences_right: usize,
    matched: usize,
    share_right: usize,
    parts: usize,
    parts_found: usize,
    edges: usize,
    covered: usize,
    part_edges: usize,
    part_covered: usize,
    part_errors: Vec<i64>,
    ranges_right: usize,
}

fn overlap(loss: &Loss, finding: &Finding) -> i64 {
    (loss.end + EPOCH).min(finding.end.second) - (loss.start + EPOCH).max(finding.start.second) + 1
}

fn missing(finding: &Finding) -> f64 {
    let Effect::Traffic { expected, .. } = finding.effect else { panic!("{finding:?}") };
    1.0 - finding.requests as f64 / expected
}

impl Score {
    fn add(&mut self, name: &str, seconds: i64, losses: &[Loss], incidents: &[Finding], note: &str) {
        let verbose = std::env::var("VERBOSE").is_ok();
        self.days += seconds as f64 / 86_400.0;
        let mut used = vec![false; incidents.len()];
        for loss in losses {
            let best = (0..incidents.len())
                .filter(|&index| !used[index] && overlap(loss, &incidents[index]) > 0)
                .max_by_key(|&index| overlap(loss, &incidents[index]));
            let detectable = loss.missed >= DETECTABLE
                && loss.deviations >= DEVIATIONS_OF_SILENCE
                && (loss.silent() || (loss.deviations >= DEVIATIONS && loss.missed >= MISSED_OF_PART));
            if detectable {
                self.truths += 1;
                self.found += usize::from(best.is_some());
                self.parts += usize::from(!loss.silent());
                self.parts_found += usize::from(!loss.silent() && best.is_some());
                if best.is_none() && verbose {
                    println!("{name}: MISSED {loss:?}\n    {note}");
                }
            }
            if let Some(index) = best {
                used[index] = true;
                if detectable {
                    self.judge(name, loss, &incidents[index], verbose, note);
                }
            }
        }
        for (finding, _) in incidents.iter().zip(&used).filter(|&(_, &used)| !used) {
            self.falsely += 1;
            if verbose {
                println!(
                    "{name}: FALSE {}..{} {:?} n {} llr {:.0} φ {:.1} {:?}\n    {note}",
                    finding.start.second - EPOCH,
                    finding.end.second - EPOCH,
                    finding.effect,
                    finding.requests,
                    finding.strength,
                    finding.dispersion,
                    finding.baseline,
                );
            }
        }
    }

    fn judge(&mut self, name: &str, loss: &Loss, finding: &Finding, verbose: bool, note: &str) {
        self.matched += 1;
        let (start, end) = (finding.start.second - EPOCH, finding.end.second - EPOCH);
        let held = usize::from(holds(finding.start.range, loss.start))
            + usize::from(holds(finding.end.range, loss.end));
        let mut right = true;
        if loss.silent() {
            self.silences += 1;
            self.edges += 2;
            self.covered += held;
            right = (start - loss.borders.0 - 1).abs() <= 2
                && (finding.end.open || (end - loss.borders.1 + 1).abs() <= 2);
            self.silences_right += usize::from(right);
        } else {
            self.part_edges += 2;
            self.part_covered += held;
            self.part_errors.extend([(start - loss.start).abs(), (end - loss.end).abs()]);
        }
        let share = (missing(finding) - loss.share).abs() <= 0.05;
        self.share_right += usize::from(share);
        if let Effect::Traffic { missing_range, .. } = finding.effect {
            self.ranges_right +=
                usize::from((missing_range.0 - 1e-9..=missing_range.1 + 1e-9).contains(&loss.share));
        }
        if verbose && (!right || !share) {
            println!(
                "{name}: {}{} {start}..{end} missing {:.3} {loss:?}\n    {note}",
                if right { "" } else { "BOUNDARY " },
                if share { "" } else { "SHARE" },
                missing(finding)
            );
        }
    }

    fn f1(&self) -> f64 {
        2.0 * self.found as f64 / ((self.found + self.falsely + self.truths) as f64).max(1.0)
    }
    fn false_per_day(&self) -> f64 {
        self.falsely as f64 / self.days.max(1e-9)
    }
    fn boundaries(&self) -> f64 {
        self.silences_right as f64 / self.silences.max(1) as f64
    }
    fn shares(&self) -> f64 {
        self.share_right as f64 / self.matched.max(1) as f64
    }

    fn print(&mut self, name: &str) {
        self.part_errors.sort_unstable();
        let part = |count: usize, of: usize| count as f64 / of.max(1) as f64;
        let at = |part: f64| {
            let index = (self.part_errors.len() as f64 * part) as usize;
            self.part_errors.get(index).copied().unwrap_or(0)
        };
        println!(
            "{name:<30} truths {:>4} F1 {:.3} (recall {:.3}; parts {}/{}) | false/day {:.4} ({}) | silences right {:.3} covered {:.3} | share {:.3} in range {:.3} | parts' edges median {} p95 {} covered {:.3}",
            self.truths,
            self.f1(),
            part(self.found, self.truths),
            self.parts_found,
            self.parts,
            self.false_per_day(),
            self.falsely,
            self.boundaries(),
            part(self.covered, self.edges),
            self.shares(),
            part(self.ranges_right, self.matched),
            at(0.5),
            at(0.95),
            part(self.part_covered, self.part_edges),
        );
    }
}

fn holds(range: (i64, i64), second: i64) -> bool {
    (range.0..=range.1).contains(&(second + EPOCH))
}

const DAY: i64 = 86_400;

type Seeds = std::ops::Range<u64>;

fn sites(name: &str, seeds: Seeds, make: impl Fn(&mut Rng) -> Site) -> Score {
    let mut score = Score::default();
    for seed in seeds {
        let mut rng = Rng::new(seed ^ 0x7EA_FF1C);
        let mut site = make(&mut rng);
        let counts = site.play(&mut rng);
        let findings = find_traffic(&series(&counts), 1, Sensitivity::Normal);
        let note = format!("{site:?}");
        score.add(&format!("{name} {seed}"), site.seconds, &site.losses, &findings.incidents, &note);
    }
    score
}

fn groups(name: &str, seeds: Seeds, make: impl Fn(&mut Rng) -> Group) -> Score {
    let mut score = Score::default();
    for seed in seeds {
        let mut rng = Rng::new(seed ^ 0x6_20FF);
        let mut group = make(&mut rng);
        let (member, peers) = group.play(&mut rng);
        let findings = find_missing_member(&member, &peers, 1, Sensitivity::Normal);
        let note = format!("{group:?}");
        score.add(&format!("{name} {seed}"), group.site.seconds, &group.losses, &findings.incidents, &note);
    }
    score
}

fn office(rng: &mut Rng, days: i64) -> Site {
    let mut site = Site::steady(days * DAY, rng.log_between(0.05, 100.0));
    let from = rng.between(6.0, 9.5);
    site.office = Some((from, from + rng.between(7.0, 12.0)));
    site.night = if rng.unit() < 0.5 { 0.0 } else { rng.log_between(0.0005, 0.1) };
    if rng.unit() < 0.5 {
        site.clump = rng.log_between(1.0, 12.0);
    }
    if rng.unit() < 0.5 {
        site.variation = rng.between(0.2, 0.7);
        site.stretch = rng.log_between(10.0, 600.0) as i64;
    }
    site
}

fn jobs(rng: &mut Rng) -> Site {
    let mut site = Site::steady(DAY, if rng.unit() < 0.5 { 1e-9 } else { rng.log_between(0.001, 0.1) });
    let period = [60, 300, 600, 900, 3600][rng.below(5)];
    site.job = Some((period, 2 * (1 + rng.below(40) as u32)));
    site
}

fn any(rng: &mut Rng, days: i64, rates: (f64, f64), losses: Option<bool>) -> Site {
    Site::random(rng, days * DAY, rates, losses)
}

/// `SEEDS=from-to cargo test --release --lib detect::tests::traffic::table -- --ignored --nocapture`; `VERBOSE=1` lists
/// every miss.
#[test]
#[ignore = "minutes of simulation; prints the table"]
fn table() {
    let range = std::env::var("SEEDS").unwrap_or_else(|_| "9000-9200".to_owned());
    let (from, to) = range.split_once('-').unwrap();
    let seeds = || from.parse().unwrap()..to.parse().unwrap();
    let only = std::env::var("ROW").unwrap_or_default();
    let row = |name: &str, score: &dyn Fn(&str) -> Score| {
        if name.contains(&only) {
            score(name).print(name);
        }
    };
    row("day, 0.05–1 rps", &|name| sites(name, seeds(), |rng| any(rng, 1, (0.05, 1.0), Some(false))));
    row("day, 1–30 rps", &|name| sites(name, seeds(), |rng| any(rng, 1, (1.0, 30.0), Some(false))));
    row("day, 30–500 rps", &|name| sites(name, seeds(), |rng| any(rng, 1, (30.0, 500.0), Some(false))));
    row("3 days, 0.05–1 rps", &|name| sites(name, seeds(), |rng| any(rng, 3, (0.05, 1.0), Some(true))));
    row("3 days, 1–500 rps", &|name| sites(name, seeds(), |rng| any(rng, 3, (1.0, 500.0), Some(true))));
    row("day, nothing", &|name| sites(name, seeds(), |rng| any(rng, 1, (0.05, 500.0), None)));
    row("3 days, nothing", &|name| sites(name, seeds(), |rng| any(rng, 3, (0.05, 500.0), None)));
    row("office, 2 days, nothing", &|name| sites(name, seeds(), |rng| office(rng, 2)));
    row("office, 9 days, nothing", &|name| sites(name, fewer(seeds()), |rng| office(rng, 9)));
    row("jobs, nothing", &|name| sites(name, seeds(), jobs));
    row("member, 0.3–500 rps", &|name| {
        groups(name, seeds(), |rng| Group::random(rng, DAY, (0.3, 500.0), true))
    });
    row("member, 0.05–1 rps", &|name| {
        groups(name, seeds(), |rng| Group::random(rng, DAY, (0.05, 1.0), true))
    });
    row("member, nothing", &|name| {
        groups(name, seeds(), |rng| Group::random(rng, DAY, (0.05, 500.0), false))
    });
}

fn fewer(seeds: Seeds) -> Seeds {
    seeds.start..seeds.start + (seeds.end - seeds.start) / 4
}

/// A slice small enough for every run of the tests; the floors lie a little under what it measures.
#[test]
fn simulated_losses_are_found() {
    let mut days = sites("days", 1..9, |rng| any(rng, 1, (0.05, 30.0), Some(false)));
    days.print("slice: days");
    assert!(days.f1() >= 0.95 && days.false_per_day() <= 0.02, "{days:?}");
    assert!(days.boundaries() >= 0.95 && days.shares() >= 0.95, "{days:?}");
    let mut members = groups("members", 1..7, |rng| Group::random(rng, DAY, (0.3, 30.0), true));
    members.print("slice: members");
    assert!(members.f1() >= 0.8 && members.boundaries() >= 0.95, "{members:?}");
    let nothing = sites("nothing", 1..5, |rng| any(rng, 1, (0.05, 30.0), None));
    assert_eq!(nothing.falsely, 0, "{nothing:?}");
}
