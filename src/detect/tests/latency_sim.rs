//! A seeded generator of site-days of latencies whose truth is known. Shares no formula with the detector: it draws
//! single requests, and counts nats with the true densities.

use super::sim::{EPOCH, Rng};
use crate::detect::{LatencySeries, LatencySlot};
use crate::model::Histogram;

/// Writes a series second by second.
pub(super) struct Recorder {
    pub(super) series: LatencySeries,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self { series: LatencySeries { slot_seconds: 1, ..LatencySeries::default() } }
    }

    pub(super) fn push(&mut self, second: i64, histogram: &Histogram) {
        if histogram.is_empty() {
            return;
        }
        let from = self.series.bins.len() as u32;
        self.series.bins.extend_from_slice(histogram.counts());
        self.series.slots.push(LatencySlot { second, from, until: self.series.bins.len() as u32 });
    }
}

/// One kind of request: log-normal latencies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    pub(super) weight: f64,
    /// Median in µs.
    pub(super) median: f64,
    pub(super) sigma: f64,
}

/// An incident that was put in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Truth {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) share: f64,
    pub(super) slowdown: f64,
    /// Seconds until the slowdown is complete.
    pub(super) ramp: i64,
    /// Filled in while recording: requests, slowed requests, nats against the true density.
    pub(super) requests: f64,
    pub(super) slowed: f64,
    pub(super) nats: f64,
    /// Where one who knows the densities and the state would put start and end of a step: seconds off the truth.
    pub(super) oracle: (i64, i64),
    /// For that: nats summed outwards from the middle up to each edge, and so far.
    sums: (f64, f64),
    best: (f64, f64),
}

/// The oracle looks so far beyond either edge.
const ORACLE_SECONDS: i64 = 3600;

impl Truth {
    pub(super) fn new(start: i64, end: i64, share: f64, slowdown: f64, ramp: i64) -> Self {
        let (requests, slowed, nats, oracle) = (0.0, 0.0, 0.0, (0, 0));
        let (sums, best) = ((0.0, 0.0), (0.0, 0.0));
        Self { start, end, share, slowdown, ramp, requests, slowed, nats, oracle, sums, best }
    }

    /// Takes in a second's nats, with or without the truth in it.
    fn watch(&mut self, second: i64, nats: f64) {
        let middle = i64::midpoint(self.start, self.end);
        if second <= middle {
            // The start is where the sum of all before it is lowest.
            if self.sums.0 < self.best.0 {
                (self.best.0, self.oracle.0) = (self.sums.0, second - self.start);
            }
            self.sums.0 += nats;
        } else {
            self.sums.1 += nats;
            if self.sums.1 > self.best.1 {
                (self.best.1, self.oracle.1) = (self.sums.1, second - self.end);
            }
        }
    }

    fn ln_slowdown(&self, second: i64) -> f64 {
        let part = if self.ramp > 0 && second >= self.start {
            ((second - self.start + 1) as f64 / self.ramp as f64).min(1.0)
        } else {
            1.0
        };
        part * self.slowdown.ln()
    }
}

/// What a site is like.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) seconds: i64,
    pub(super) rate: f64,
    /// Amplitude of the traffic over a day, and where in the day the recording begins (0–1).
    pub(super) diurnal: f64,
    pub(super) phase: f64,
    /// Amplitude of ln latency with the traffic, and of the first path's part in it.
    pub(super) load: f64,
    pub(super) mix: f64,
    pub(super) paths: Vec<Path>,
    /// What all requests have in common for some seconds: standard deviation of ln latency, correlation time.
    pub(super) wobble: (f64, f64),
    /// Correlation of one request with the next.
    pub(super) correlation: f64,
    /// The clock's tick in µs.
    pub(super) tick: f64,
    /// (start, end, requests, times slower): one client.
    pub(super) clumps: Vec<(i64, i64, u32, f64)>,
    /// (start, seconds): everything five times slower.
    pub(super) blips: Vec<(i64, i64)>,
    pub(super) truths: Vec<Truth>,
}

/// What takes longer becomes a 504 and is no latency.
const TIMEOUT_US: f64 = 60e6;

impl Site {
    pub(super) fn quiet(seconds: i64, rate: f64, median_ms: f64, sigma: f64) -> Self {
        Self {
            seconds,
            rate,
            diurnal: 0.0,
            phase: 0.0,
            load: 0.0,
            mix: 0.0,
            paths: vec![Path { weight: 1.0, median: median_ms * 1000.0, sigma }],
            wobble: (0.0, 1.0),
            correlation: 0.0,
            tick: 1.0,
            clumps: Vec::new(),
            blips: Vec::new(),
            truths: Vec::new(),
        }
    }

    pub(super) fn with(mut self, start: i64, end: i64, share: f64, slowdown: f64) -> Self {
        self.truths.push(Truth::new(start, end, share, slowdown, 0));
        self
    }

    pub(super) fn random(rng: &mut Rng, seconds: i64, rates: (f64, f64)) -> Self {
        let rate = rng.log_between(rates.0, rates.1);
        let median = rng.log_between(3.0, 1000.0);
        let mut site = Self::quiet(seconds, rate, median, 1.0);
        site.paths.clear();
        for _ in 0..=rng.below(4) {
            let spread = (0.8 * rng.normal()).exp();
            let (weight, sigma) = (rng.between(0.2, 1.0), rng.log_between(0.25, 1.2));
            site.paths.push(Path { weight, median: median * 1000.0 * spread, sigma });
        }
        site.diurnal = rng.between(0.0, 0.8);
        site.phase = rng.unit();
        site.load = rng.between(0.0, 0.4);
        site.mix = if rng.unit() < 0.4 { rng.between(0.0, 0.5) } else { 0.0 };
        if rng.unit() < 0.5 {
            site.wobble = (rng.between(0.02, 0.12), rng.log_between(5.0, 120.0));
        }
        if rng.unit() < 0.5 {
            site.correlation = rng.between(0.0, 0.5);
        }
        site.tick = if rng.unit() < 0.5 { 1.0 } else { 1000.0 };
        site.place(rng);
        site
    }

    fn place(&mut self, rng: &mut Rng) {
        let seconds = self.seconds;
        let mut busy: Vec<(i64, i64)> = Vec::new();
        let find = |rng: &mut Rng, length: i64, busy: &mut Vec<(i64, i64)>| {
            for _ in 0..20 {
                let start = 60 + rng.below((seconds - length - 120).max(1) as usize) as i64;
                if busy.iter().all(|&(a, b)| start > b + 600 || start + length < a - 600) {
                    busy.push((start, start + length));
                    return Some(start);
                }
            }
            None
        };
        for _ in 0..rng.below(4) {
            let length = rng.log_between(300.0, (seconds / 5).min(4 * 3600) as f64) as i64;
            let share = if rng.unit() < 0.4 { 1.0 } else { rng.between(0.3, 1.0) };
            let slowdown = rng.log_between(1.5, 10.0);
            let ramp = if rng.unit() < 0.3 { rng.below((length / 2) as usize) as i64 } else { 0 };
            if let Some(start) = find(rng, length, &mut busy) {
                self.truths.push(Truth::new(start, start + length - 1, share, slowdown, ramp));
            }
        }
        for _ in 0..rng.below(3) {
            let length = rng.log_between(10.0, 300.0) as i64;
            if let Some(start) = find(rng, length, &mut busy) {
                self.clumps.push((
                    start,
                    start + length,
                    3 + rng.below(7) as u32,
                    rng.log_between(10.0, 100.0),
                ));
            }
        }
        for _ in 0..rng.below(3) {
            let length = 1 + rng.below(3) as i64;
            if let Some(start) = find(rng, length, &mut busy) {
                self.blips.push((start, length));
            }
        }
        self.truths.sort_by_key(|truth| truth.start);
    }

    /// By how many times latencies scatter more than independent ones, roughly.
    fn inflation(&self) -> f64 {
        let weight: f64 = self.paths.iter().map(|path| path.weight).sum();
        let mean = |value: fn(&Path) -> f64| -> f64 {
            self.paths.iter().map(|path| path.weight / weight * value(path)).sum()
        };
        let centre = mean(|path| path.median.ln());
        let variance = mean(|path| path.sigma.powi(2) + path.median.ln().powi(2)) - centre.powi(2);
        let (amplitude, seconds) = self.wobble;
        let own = mean(|path| path.sigma.powi(2)) / variance;
        1.0 + own * 2.0 * self.correlation / (1.0 - self.correlation)
            + self.rate * 2.0 * seconds * amplitude.powi(2) / variance
    }

    /// Plays the site; fills in what the truths came to.
    pub(super) fn record(&mut self, rng: &mut Rng) -> LatencySeries {
        let mut recorder = Recorder::new();
        let inflation = self.inflation();
        let (mut wobble, mut noise) = (0.0, 0.0);
        let keep = (-1.0 / self.wobble.1).exp();
        let mut paths = self.paths.clone();
        for second in 0..self.seconds {
            let day = (std::f64::consts::TAU * (second as f64 / 86_400.0 + self.phase)).sin();
            wobble = keep * wobble + (1.0 - keep * keep).sqrt() * self.wobble.0 * rng.normal();
            let common = self.load * day + wobble;
            if let (Some(path), Some(now)) = (self.paths.first(), paths.first_mut()) {
                now.weight = path.weight * (1.0 + self.mix * day);
            }
            let weight: f64 = paths.iter().map(|path| path.weight).sum();
            let density = |x: f64| -> f64 {
                let of = |path: &Path| {
                    let z = (x - path.median.ln() - common) / path.sigma;
                    path.weight / path.sigma * (-0.5 * z * z).exp()
                };
                paths.iter().map(of).sum::<f64>() + 1e-12
            };
            let blip = self.blips.iter().any(|&(start, length)| second >= start && second < start + length);
            let inside = self.truths.iter().position(|truth| (truth.start..=truth.end).contains(&second));
            let near = self.truths.iter().position(|truth| {
                (truth.start - ORACLE_SECONDS..=truth.end + ORACLE_SECONDS).contains(&second)
            });
            let mut truth = inside.or(near).map(|index| self.truths[index]);
            let mut oracle = 0.0;
            let mut histogram = Histogram::default();
            for _ in 0..rng.poisson(self.rate * (1.0 + self.diurnal * day)) {
                let mut at = rng.unit() * weight;
                let path = paths.iter().find(|path| {
                    at -= path.weight;
                    at <= 0.0
                });
                let Some(path) = path.or(paths.last()) else { continue };
                noise = if self.correlation > 0.0 {
                    self.correlation * noise + (1.0 - self.correlation.powi(2)).sqrt() * rng.normal()
                } else {
                    rng.normal()
                };
                let mut x = path.median.ln() + common + path.sigma * noise;
                if blip {
                    x += 5.0_f64.ln();
                }
                if let Some(truth) = &mut truth {
                    let slow = inside.is_some() && rng.unit() < truth.share;
                    let shift = truth.ln_slowdown(second);
                    if slow {
                        x += shift;
                    }
                    if x.exp() < TIMEOUT_US {
                        let ratio = density(x - shift) / density(x);
                        let nats = ((1.0 - truth.share) + truth.share * ratio).ln();
                        oracle += nats;
                        if inside.is_some() {
                            truth.requests += 1.0;
                            truth.slowed += f64::from(u8::from(slow));
                            truth.nats += nats / inflation;
                        }
                    }
                }
                self.count(&mut histogram, x.exp());
            }
            for &(start, end, requests, slower) in &self.clumps {
                let due = |at: i64| (at - start) * i64::from(requests) / (end - start);
                for _ in 0..if (start..end).contains(&second) { due(second + 1) - due(second) } else { 0 } {
                    self.count(&mut histogram, self.paths[0].median * slower);
                }
            }
            if let Some((index, mut truth)) = inside.or(near).zip(truth) {
                truth.watch(second, oracle);
                self.truths[index] = truth;
            }
            recorder.push(EPOCH + second, &histogram);
        }
        for truth in &mut self.truths {
            truth.start += EPOCH;
            truth.end += EPOCH;
        }
        recorder.series
    }

    fn count(&self, histogram: &mut Histogram, latency: f64) {
        if latency < TIMEOUT_US {
            histogram.record(((latency / self.tick).floor() * self.tick) as u64);
        }
    }
}
