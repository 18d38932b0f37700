//! How well the latency detector does on simulated site-days, against floors.

use super::latency_sim::{Site, Truth};
use super::sim::{EPOCH, Rng};
use crate::detect::{Effect, Finding, Sensitivity, find_latency};

/// Nats from which an incident must be found, and from which it is evident.
const DETECTABLE: f64 = 28.0;
const EVIDENT: f64 = 40.0;
/// f·ln s of the smallest incident that is looked for.
const LEAST_EFFECT: f64 = 0.18;

#[derive(Debug, Default)]
struct Score {
    days: f64,
    truths: [usize; 2],
    found: [usize; 2],
    falsely: usize,
    matched: usize,
    boundary_right: usize,
    share_right: usize,
    share_covered: usize,
    slowdown_covered: usize,
    steps: usize,
    steps_right: usize,
    oracle_right: usize,
    /// Edges of steps, and those of them whose interval holds the truth.
    edges: usize,
    edges_covered: usize,
    errors: Vec<i64>,
    confidences: Vec<(f64, bool)>,
}

fn overlap(truth: &Truth, finding: &Finding) -> i64 {
    truth.end.min(finding.end.second) - truth.start.max(finding.start.second) + 1
}

fn within((low, high): (f64, f64), value: f64) -> bool {
    (low..=high).contains(&value)
}

impl Score {
    fn add(&mut self, seed: u64, site: &Site, incidents: &[Finding], verbose: bool) {
        self.days += site.seconds as f64 / 86_400.0;
        let mut used = vec![false; incidents.len()];
        for truth in &site.truths {
            let best = (0..incidents.len())
                .filter(|&index| !used[index] && overlap(truth, &incidents[index]) > 0)
                .max_by_key(|&index| overlap(truth, &incidents[index]));
            let sought = truth.share * truth.slowdown.ln() >= LEAST_EFFECT && truth.slowed >= 6.0;
            for (class, nats) in [DETECTABLE, EVIDENT].into_iter().enumerate() {
                if truth.nats >= nats && sought {
                    self.truths[class] += 1;
                    self.found[class] += usize::from(best.is_some());
                    if class == 0 && best.is_none() && verbose {
                        println!("seed {seed}: MISSED {truth:?}\n   {}", describe(site));
                    }
                }
            }
            if let Some(index) = best {
                used[index] = true;
                self.confidences.push((incidents[index].confidence, true));
                if truth.nats >= EVIDENT && sought {
                    self.judge(seed, site, truth, &incidents[index], verbose);
                }
            }
        }
        for (finding, _) in incidents.iter().zip(&used).filter(|&(_, &used)| !used) {
            self.falsely += 1;
            self.confidences.push((finding.confidence, false));
            if verbose {
                println!(
                    "seed {seed}: FALSE conf {:.3} {}..{} n {} llr {:.0} φ {:.1} {:?}\n   {}",
                    finding.confidence,
                    finding.start.second - EPOCH,
                    finding.end.second - EPOCH,
                    finding.requests,
                    finding.strength,
                    finding.dispersion,
                    finding.effect,
                    describe(site)
                );
            }
        }
    }

    fn judge(&mut self, seed: u64, site: &Site, truth: &Truth, finding: &Finding, verbose: bool) {
        let Effect::Latency { share, share_range, slowdown, slowdown_range, .. } = finding.effect else {
            panic!("{finding:?}");
        };
        self.matched += 1;
        let slowed_per_second = truth.slowed / (truth.end - truth.start + 1) as f64;
        let each = truth.nats / truth.slowed;
        let allowed = 2.0_f64.max(6.0 / (slowed_per_second * each.min(1.0)));
        let early = (finding.start.second - truth.start).abs();
        let late = (finding.end.second - truth.end).abs();
        self.errors.extend([early, late]);
        let right = early as f64 <= allowed.max(0.75 * truth.ramp as f64) && late as f64 <= allowed;
        self.boundary_right += usize::from(right);
        let actual = truth.slowed / truth.requests;
        let impact = (share - actual).abs() <= 0.12;
        self.share_right += usize::from(impact);
        if truth.ramp == 0 {
            let (a, b) = (finding.start.range, finding.end.range);
            self.steps += 1;
            self.steps_right += usize::from(right);
            let (start, end) = truth.oracle;
            self.oracle_right += usize::from(start.abs().max(end.abs()) as f64 <= allowed);
            self.edges += 2;
            self.edges_covered += usize::from((a.0..=a.1).contains(&truth.start))
                + usize::from((b.0..=b.1).contains(&truth.end));
            self.share_covered += usize::from(within(share_range, actual));
            self.slowdown_covered += usize::from(within(slowdown_range, truth.slowdown));
        }
        if verbose && (!right || !impact) {
            println!(
                "seed {seed}: {}{} start {:+} {:?} end {:+} {:?} allowed {allowed:.1} share {share:.2} {share_range:.2?} actual {actual:.2} slowdown {slowdown:.2} {slowdown_range:.2?} φ {:.1} {truth:?}\n   {}",
                if right { "" } else { "BOUNDARY " },
                if impact { "" } else { "IMPACT" },
                finding.start.second - truth.start,
                (finding.start.range.0 - truth.start, finding.start.range.1 - truth.start),
                finding.end.second - truth.end,
                (finding.end.range.0 - truth.end, finding.end.range.1 - truth.end),
                finding.dispersion,
                describe(site),
            );
        }
    }

    fn f1(&self, class: usize) -> f64 {
        let found = self.found[class] as f64;
        2.0 * found / (found + self.falsely as f64 + self.truths[class] as f64)
    }

    fn part(&self, count: usize) -> f64 {
        count as f64 / self.matched.max(1) as f64
    }

    fn print(&mut self, name: &str) {
        self.errors.sort_unstable();
        let at =
            |part: f64| self.errors.get((self.errors.len() as f64 * part) as usize).copied().unwrap_or(0);
        println!(
            "{name:<24} | truths {:>4} F1 {:.3} | evident {:>4} F1 {:.3} recall {:.3} | false/day {:.3} | boundary median {} p95 {} right {:.3} (steps {:.3}, oracle {:.3}) covered {:.3} | share {:.3} covered {:.3}, slowdown covered {:.3}",
            self.truths[0],
            self.f1(0),
            self.truths[1],
            self.f1(1),
            self.found[1] as f64 / self.truths[1].max(1) as f64,
            self.falsely as f64 / self.days,
            at(0.5),
            at(0.95),
            self.part(self.boundary_right),
            self.steps_right as f64 / self.steps.max(1) as f64,
            self.oracle_right as f64 / self.steps.max(1) as f64,
            self.edges_covered as f64 / self.edges.max(1) as f64,
            self.part(self.share_right),
            self.share_covered as f64 / self.steps.max(1) as f64,
            self.slowdown_covered as f64 / self.steps.max(1) as f64,
        );
    }
}

fn describe(site: &Site) -> String {
    let incidents: Vec<_> = site
        .truths
        .iter()
        .map(|t| (t.start - EPOCH, t.end - EPOCH, t.share, t.slowdown, t.nats as i64))
        .collect();
    format!("{:.3?}", Site { truths: Vec::new(), ..site.clone() }) + &format!(" incidents {incidents:.2?}")
}

fn run(
    seeds: std::ops::Range<u64>,
    seconds: i64,
    rates: (f64, f64),
    incidents: bool,
    verbose: bool,
) -> Score {
    let mut score = Score::default();
    for seed in seeds {
        let mut rng = Rng::new(seed ^ 0x51_0E);
        let mut site = Site::random(&mut rng, seconds, rates);
        if !incidents {
            site.truths.clear();
        }
        let series = site.record(&mut rng);
        let findings = find_latency(&series, 1, Sensitivity::Normal);
        score.add(seed, &site, &findings.incidents, verbose);
    }
    score
}

/// A slice small enough for every run of the tests; the floors lie a little under what it measures.
#[test]
fn simulated_latencies_are_reconstructed() {
    let mut score = run(1..25, 6 * 3600, (0.3, 5.0), true, false);
    score.print("slice");
    assert!(score.f1(0) >= 0.96, "F1 {}", score.f1(0));
    assert!(score.f1(1) >= 0.96, "evident F1 {}", score.f1(1));
    assert!(score.falsely == 0, "{} false incidents", score.falsely);
    assert!(score.part(score.boundary_right) >= 0.92, "boundaries {}", score.part(score.boundary_right));
    assert!(score.part(score.share_right) >= 0.95, "share {}", score.part(score.share_right));
    assert!(
        score.share_covered as f64 >= 0.88 * score.steps as f64,
        "{} shares covered",
        score.share_covered
    );
}

/// `SEEDS=from-to cargo test --release --lib detect::tests::latency_measure::table -- --ignored --nocapture`;
/// `VERBOSE=1` lists every miss, `ROWS=…` restricts it to rows with that in their name.
#[test]
#[ignore = "minutes of simulation; prints the table"]
fn table() {
    let range = std::env::var("SEEDS").unwrap_or_else(|_| "1-200".to_owned());
    let (from, to) = range.split_once('-').unwrap();
    let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
    let verbose = std::env::var("VERBOSE").is_ok();
    let mut all = Vec::new();
    let rows = std::env::var("ROWS").unwrap_or_default();
    let mut row = |name: &str, seconds: i64, rates: (f64, f64), incidents: bool| {
        if !name.contains(&rows) {
            return;
        }
        // A busy site takes seconds to simulate.
        let to = if rates.1 > 100.0 { from + (to - from).div_ceil(4) } else { to };
        let mut score = run(from..to, seconds, rates, incidents, verbose);
        score.print(name);
        all.append(&mut score.confidences);
    };
    row("day, 0.3–3 rps", 86_400, (0.3, 3.0), true);
    row("day, 3–50 rps", 86_400, (3.0, 50.0), true);
    row("day, 50–500 rps", 86_400, (50.0, 500.0), true);
    row("three hours, 0.3–50 rps", 10_800, (0.3, 50.0), true);
    row("day, 0.02–0.3 rps", 86_400, (0.02, 0.3), true);
    row("day, 0.3–50 rps, healthy", 86_400, (0.3, 50.0), false);
    for (low, high) in [(0.0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 0.99), (0.99, 1.0)] {
        let band = all.iter().filter(|(confidence, _)| (low..high).contains(confidence));
        let (count, right) = band.fold((0, 0), |(all, right), &(_, is)| (all + 1, right + usize::from(is)));
        println!("   confidence {low}–{high}: {count} findings, {right} true");
    }
}
