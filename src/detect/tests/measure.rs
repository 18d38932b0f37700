//! How well the detector does on simulated site-days, against floors.

use super::sim::{Rng, Shape, Site, Truth};
use crate::detect::{Finding, Sensitivity, find_errors};

/// Nats from which an incident must be found, and from which it is evident.
const DETECTABLE: f64 = 28.0;
const EVIDENT: f64 = 40.0;

#[derive(Debug, Default)]
struct Score {
    sites: usize,
    days: f64,
    truths: [usize; 2],
    found: [usize; 2],
    falsely: usize,
    falsely_clean: usize,
    clean_days: f64,
    matched: usize,
    boundary_right: usize,
    impact_right: usize,
    /// Of steps with at least 200 requests inside.
    large: usize,
    large_right: usize,
    /// Edges of steps, and those of them whose interval holds the truth.
    edges: usize,
    covered: usize,
    errors: Vec<i64>,
    /// (confidence, true)
    confidences: Vec<(f64, bool)>,
}

fn overlap(truth: &Truth, finding: &Finding) -> i64 {
    truth.end.min(finding.end.second) - truth.start.max(finding.start.second) + 1
}

impl Score {
    fn add(&mut self, seed: u64, site: &Site, incidents: &[Finding], verbose: bool) {
        self.sites += 1;
        let days = site.seconds as f64 / 86_400.0;
        self.days += days;
        let mut used = vec![false; incidents.len()];
        for truth in &site.truths {
            let best = (0..incidents.len())
                .filter(|&index| !used[index] && overlap(truth, &incidents[index]) > 0)
                .max_by_key(|&index| overlap(truth, &incidents[index]));
            let lasting = truth.end - truth.start >= 5;
            for (class, nats) in [DETECTABLE, EVIDENT].into_iter().enumerate() {
                if truth.nats >= nats && truth.affected >= 6.0 && lasting {
                    self.truths[class] += 1;
                    self.found[class] += usize::from(best.is_some());
                    if class == 1 && best.is_none() && verbose {
                        println!("seed {seed}: MISSED {truth:?}\n   {}", describe(site));
                    }
                }
            }
            if let Some(index) = best {
                used[index] = true;
                if truth.nats >= EVIDENT {
                    self.judge(seed, site, truth, &incidents[index], verbose);
                }
                self.confidences.push((incidents[index].confidence, true));
            }
        }
        let falsely = used.iter().filter(|&&used| !used).count();
        self.falsely += falsely;
        if site.background <= 0.01 {
            self.falsely_clean += falsely;
            self.clean_days += days;
        }
        for (finding, _) in incidents.iter().zip(&used).filter(|&(_, &used)| !used) {
            self.confidences.push((finding.confidence, false));
            if verbose {
                let near = site.truths.iter().filter(|truth| overlap(truth, finding) > -600).count();
                println!(
                    "seed {seed}: FALSE ({near} truths near) conf {:.3} {}..{} k {} n {} llr {:.0} φ {:.1} p0 {:.5}\n   {}",
                    finding.confidence,
                    finding.start.second - super::sim::EPOCH,
                    finding.end.second - super::sim::EPOCH,
                    finding.failures,
                    finding.requests,
                    finding.strength,
                    finding.dispersion,
                    finding.baseline.error_share,
                    describe(site)
                );
            }
        }
    }

    fn judge(&mut self, seed: u64, site: &Site, truth: &Truth, finding: &Finding, verbose: bool) {
        self.matched += 1;
        let seconds = (truth.end - truth.start + 1) as f64;
        let rate = truth.requests / seconds * truth.share;
        let ramp = if let Shape::Ramp(seconds) = truth.shape { seconds as f64 } else { 0.0 };
        let early = (finding.start.second - truth.start).abs();
        let late = (finding.end.second - truth.end).abs();
        self.errors.extend([early, late]);
        let allowed = 2.0_f64.max(4.0 / rate);
        let right = early as f64 <= allowed.max(ramp / 2.0) && late as f64 <= allowed;
        self.boundary_right += usize::from(right);
        let (n, k, p0) = (finding.requests as f64, finding.failures as f64, finding.baseline.error_share);
        let share = (k / n - p0) / (1.0 - p0);
        let actual = truth.affected / truth.requests;
        let impact = (share - actual).abs() <= 0.015_f64.max(0.05 * actual);
        self.impact_right += usize::from(impact);
        if truth.shape == Shape::Step {
            let (a, b) = (finding.start.range, finding.end.range);
            self.edges += 2;
            self.covered += usize::from((a.0..=a.1).contains(&truth.start))
                + usize::from((b.0..=b.1).contains(&truth.end));
        }
        if truth.requests >= 200.0 && ramp == 0.0 {
            self.large += 1;
            self.large_right += usize::from(impact);
        }
        if verbose && (!right || !impact) {
            println!(
                "seed {seed}: {}{} start {:+} {:?} end {:+} {:?} allowed {allowed:.1} share {share:.3} actual {actual:.3} φ {:.1} p0 {p0:.5} {truth:?}\n   {}",
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
            "{name:<28} sites {:>4} | truths {:>4} F1 {:.3} | evident {:>4} F1 {:.3} recall {:.3} | false/day {:.3} (≤1 %: {:.3}) | boundary median {} p95 {} right {:.3} covered {:.3} | impact {:.3} (steps, ≥ 200 requests: {:.3})",
            self.sites,
            self.truths[0],
            self.f1(0),
            self.truths[1],
            self.f1(1),
            self.found[1] as f64 / self.truths[1].max(1) as f64,
            self.falsely as f64 / self.days,
            self.falsely_clean as f64 / self.clean_days.max(1e-9),
            at(0.5),
            at(0.95),
            self.part(self.boundary_right),
            self.covered as f64 / self.edges.max(1) as f64,
            self.part(self.impact_right),
            self.large_right as f64 / self.large.max(1) as f64,
        );
    }
}

fn describe(site: &Site) -> String {
    format!(
        "rate {:.2} bg {:.5} var {:.2} drift {:.2} clumps {:?} blips {:?} incidents {:?}",
        site.rate,
        site.background,
        site.variation,
        site.drift,
        site.clumps,
        site.blips,
        site.truths
            .iter()
            .map(|t| (t.start - super::sim::EPOCH, t.end - super::sim::EPOCH, t.share))
            .collect::<Vec<_>>()
    )
}

type Kind = fn(&mut Rng, i64, (f64, f64), f64) -> Site;

fn run(
    seeds: std::ops::Range<u64>,
    seconds: i64,
    rates: (f64, f64),
    background: f64,
    verbose: bool,
) -> Score {
    run_kind(Site::random, seeds, seconds, (rates, background), verbose)
}

fn run_kind(
    kind: Kind,
    seeds: std::ops::Range<u64>,
    seconds: i64,
    (rates, background): ((f64, f64), f64),
    verbose: bool,
) -> Score {
    let mut score = Score::default();
    for seed in seeds {
        let mut rng = Rng::new(seed);
        let mut site = kind(&mut rng, seconds, rates, background);
        let series = site.record(&mut rng);
        let findings = find_errors(&series, 1, Sensitivity::Normal);
        score.add(seed, &site, &findings.incidents, verbose);
    }
    score
}

/// Nothing happens, but much that looks like it: a high background that drifts, and clients that storm.
fn drifting(seeds: std::ops::Range<u64>, verbose: bool) -> Score {
    let mut score = Score::default();
    for seed in seeds {
        let mut rng = Rng::new(seed ^ 0xD1F7);
        let mut site = Site::random(&mut rng, 86_400, (0.3, 100.0), 0.03);
        site.truths.clear();
        site.background = rng.between(0.01, 0.03);
        site.drift = rng.between(0.2, 0.8);
        let series = site.record(&mut rng);
        score.add(seed, &site, &find_errors(&series, 1, Sensitivity::Normal).incidents, verbose);
    }
    score
}

/// A slice small enough for every run of the tests; the floors lie a little under what it measures.
#[test]
fn simulated_sites_are_reconstructed() {
    let mut score = run(1..25, 6 * 3600, (0.3, 30.0), 0.01, false);
    score.print("slice");
    assert!(score.f1(0) >= 0.96, "F1 {}", score.f1(0));
    assert!(score.f1(1) >= 0.985, "evident F1 {}", score.f1(1));
    assert!(score.falsely as f64 <= 0.2 * score.days, "{} false incidents", score.falsely);
    assert!(score.part(score.boundary_right) >= 0.95, "boundaries {}", score.part(score.boundary_right));
    assert!(score.part(score.impact_right) >= 0.9, "impact {}", score.part(score.impact_right));
}

/// `SEEDS=from-to cargo test --release --lib detect::tests::measure::table -- --ignored --nocapture`; `VERBOSE=1` lists
/// every miss.
#[test]
#[ignore = "minutes of simulation; prints the table"]
fn table() {
    let range = std::env::var("SEEDS").unwrap_or_else(|_| "1000-1200".to_owned());
    let (from, to) = range.split_once('-').unwrap();
    let seeds = from.parse().unwrap()..to.parse().unwrap();
    let verbose = std::env::var("VERBOSE").is_ok();
    let mut all = Vec::new();
    let mut row = |name: &str, mut score: Score| {
        score.print(name);
        all.append(&mut score.confidences);
    };
    let seeds = || seeds.clone();
    row("day, 0.1–1 rps, ≤ 1 %", run(seeds(), 86_400, (0.1, 1.0), 0.01, verbose));
    row("day, 1–30 rps, ≤ 1 %", run(seeds(), 86_400, (1.0, 30.0), 0.01, verbose));
    row("day, 30–2000 rps, ≤ 1 %", run(seeds(), 86_400, (30.0, 2000.0), 0.01, verbose));
    row("day, 0.1–2000 rps, ≤ 3 %", run(seeds(), 86_400, (0.1, 2000.0), 0.03, verbose));
    row("two hours, ≤ 3 %", run(seeds(), 7200, (0.3, 300.0), 0.03, verbose));
    row("day, 1–6 a minute, ≤ 1 %", run(seeds(), 86_400, (0.02, 0.1), 0.01, verbose));
    let crowded = run_kind(Site::crowded, seeds(), 43_200, ((0.3, 300.0), 0.02), verbose);
    row("crowded half days, ≤ 2 %", crowded);
    row("1–3 %, drifting, no incident", drifting(seeds(), verbose));
    calibration(&all);
}

/// How often findings of some confidence are true.
fn calibration(confidences: &[(f64, bool)]) {
    for (low, high) in
        [(0.0, 0.5), (0.5, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 0.98), (0.98, 0.99), (0.99, 1.0)]
    {
        let of_band = confidences.iter().filter(|(confidence, _)| (low..high).contains(confidence));
        let (all, right) = of_band.fold((0, 0), |(all, right), &(_, is)| (all + 1, right + usize::from(is)));
        println!("   confidence {low}–{high}: {all} findings, {right} true");
    }
}
