//! A seeded generator of site-days whose truth is known. Written apart from the detector: it shares no formula with it.

use crate::detect::{ClientBuckets, Series, Slot};

/// xorshift64*, enough for counts.
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            rng.next();
        }
        rng
    }
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    pub(super) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
    pub(super) fn log_between(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f64) as usize
    }
    pub(super) fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 40.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let limit = (-mean).exp();
        let (mut product, mut count) = (self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
    pub(super) fn binomial(&mut self, n: u32, p: f64) -> u32 {
        if p <= 0.0 || n == 0 {
            return 0;
        }
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let mean = f64::from(n) * p;
        if n <= 30 {
            return (0..n).filter(|_| self.unit() < p).count() as u32;
        }
        if mean < 30.0 {
            // Gaps between successes are geometric.
            let (mut at, mut count) = (0.0, 0);
            loop {
                at += (self.unit().ln() / (1.0 - p).ln()).floor() + 1.0;
                if at > f64::from(n) {
                    return count;
                }
                count += 1;
            }
        }
        let sampled = mean + (mean * (1.0 - p)).sqrt() * self.normal();
        sampled.round().clamp(0.0, f64::from(n)) as u32
    }
    /// Gamma with the given mean and a coefficient of variation, by summing exponentials of a whole shape.
    pub(super) fn gamma(&mut self, mean: f64, variation: f64) -> f64 {
        let shape = (1.0 / variation.powi(2)).round().max(1.0) as u32;
        let sum: f64 = (0..shape).map(|_| -self.unit().ln()).sum();
        mean * sum / f64::from(shape)
    }
}

/// Writes a series second by second.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) series: Series,
    active: [u64; 16],
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self { series: Series { slot_seconds: 1, ..Series::default() }, active: [0; 16] }
    }

    /// One second: requests, failures by status, failing clients.
    pub(super) fn push(
        &mut self,
        second: i64,
        requests: u32,
        failures: &[(u16, u32)],
        clients: ClientBuckets,
    ) {
        if requests == 0 {
            return;
        }
        let index = self.series.slots.len() as u32;
        let failed: u32 = failures.iter().map(|&(_, count)| count).sum();
        let mut ordered: Vec<_> = failures.iter().filter(|&&(_, count)| count > 0).collect();
        ordered.sort();
        for &&(status, count) in &ordered {
            match self.series.statuses.last_mut() {
                Some(last) if last.0 == index && last.1 == status => last.2 += count,
                _ => self.series.statuses.push((index, status, count)),
            }
        }
        let clients = (failed > 0).then(|| {
            self.series.failing_clients.push(clients);
            self.series.failing_clients.len() as u32 - 1
        });
        self.active[index as usize % 16] += u64::from(requests);
        self.series.slots.push(Slot { second, requests, failures: failed, clients });
    }

    pub(super) fn finish(mut self, with_active: bool) -> Series {
        self.series.active_client_buckets = with_active.then_some(self.active);
        self.series
    }
}

/// Failures spread over many clients.
pub(super) fn spread(rng: &mut Rng, count: u32, buckets: &mut ClientBuckets) {
    let each = if count > 64 { count / 16 } else { 0 };
    for bucket in buckets.iter_mut() {
        *bucket = bucket.saturating_add(each as u16);
    }
    for _ in 0..count - each * 16 {
        let bucket = rng.below(16);
        buckets[bucket] = buckets[bucket].saturating_add(1);
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Step,
    Ramp(i64),
    /// Seconds on, seconds off.
    Flap(i64, i64),
}

/// An incident that was put in.
#[derive(Debug, Clone)]
pub(super) struct Truth {
    /// First and last second of the fault.
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) share: f64,
    pub(super) shape: Shape,
    pub(super) status: u16,
    /// Filled in while recording: requests, failures inside; nats against the true background.
    pub(super) requests: f64,
    pub(super) affected: f64,
    pub(super) nats: f64,
}

impl Truth {
    pub(super) fn new(start: i64, end: i64, share: f64, shape: Shape, status: u16) -> Self {
        Self { start, end, share, shape, status, requests: 0.0, affected: 0.0, nats: 0.0 }
    }
    fn share_at(&self, second: i64) -> f64 {
        if second < self.start || second > self.end {
            return 0.0;
        }
        match self.shape {
            Shape::Step => self.share,
            Shape::Ramp(seconds) => {
                self.share * ((second - self.start + 1) as f64 / seconds.max(1) as f64).min(1.0)
            }
            Shape::Flap(on, off) => {
                if (second - self.start) % (on + off) < on {
                    self.share
                } else {
                    0.0
                }
            }
        }
    }
}

/// What a site is like.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) seconds: i64,
    pub(super) rate: f64,
    pub(super) diurnal: f64,
    pub(super) background: f64,
    /// Coefficient of variation of the background from one ten seconds to the next.
    pub(super) variation: f64,
    pub(super) drift: f64,
    /// (start, end, failures per second): one client.
    pub(super) clumps: Vec<(i64, i64, f64)>,
    /// (start, seconds)
    pub(super) blips: Vec<(i64, i64)>,
    pub(super) truths: Vec<Truth>,
    /// Traffic while an incident lasts, as a multiple: retries, or users who give up.
    pub(super) traffic: f64,
}

/// Midnight UTC of some day.
pub(super) const EPOCH: i64 = 1_683_936_000;

impl Site {
    pub(super) fn quiet(seconds: i64, rate: f64, background: f64) -> Self {
        Self {
            seconds,
            rate,
            diurnal: 0.0,
            background,
            variation: 0.0,
            drift: 0.0,
            clumps: Vec::new(),
            blips: Vec::new(),
            truths: Vec::new(),
            traffic: 1.0,
        }
    }

    pub(super) fn with(mut self, start: i64, end: i64, share: f64, shape: Shape, status: u16) -> Self {
        self.truths.push(Truth::new(start, end, share, shape, status));
        self
    }

    /// Storms and blips may lie anywhere, incidents within minutes of each other; traffic changes with an incident.
    pub(super) fn crowded(rng: &mut Rng, seconds: i64, rates: (f64, f64), most_background: f64) -> Self {
        let mut site = Self::random(rng, seconds, rates, most_background);
        let shift = |rng: &mut Rng, truths: &[Truth]| match truths.get(rng.below(truths.len().max(1))) {
            Some(truth) if rng.unit() < 0.5 => Some(truth.start - 100 + rng.below(300) as i64),
            _ => None,
        };
        for clump in &mut site.clumps {
            if let Some(start) = shift(rng, &site.truths) {
                *clump = (start, start + clump.1 - clump.0, clump.2);
            }
        }
        for blip in &mut site.blips {
            if let Some(start) = shift(rng, &site.truths) {
                // Nearer than two minutes it would rightly count as the beginning.
                blip.0 = start - 125;
            }
        }
        site.traffic = rng.log_between(0.3, 3.0);
        site
    }

    pub(super) fn random(rng: &mut Rng, seconds: i64, rates: (f64, f64), most_background: f64) -> Self {
        let mut site = Self::quiet(seconds, rng.log_between(rates.0, rates.1), 0.0);
        site.diurnal = rng.between(0.0, 0.8);
        site.background = match rng.below(10) {
            0..=2 => 0.0,
            3..=6 => rng.log_between(1e-5, 1e-2).min(most_background),
            7 | 8 => rng.between(0.005, 0.01).min(most_background),
            _ => rng.between(0.0, most_background),
        };
        site.variation = if rng.unit() < 0.5 { 0.0 } else { rng.between(0.2, 0.8) };
        site.drift = rng.between(0.0, 0.5);
        let mut busy: Vec<(i64, i64)> = Vec::new();
        let place = |rng: &mut Rng, length: i64, busy: &mut Vec<(i64, i64)>| {
            for _ in 0..20 {
                let start = 60 + rng.below((seconds - length - 120).max(1) as usize) as i64;
                if busy.iter().all(|&(a, b)| start > b + 300 || start + length < a - 300) {
                    busy.push((start, start + length));
                    return Some(start);
                }
            }
            None
        };
        for _ in 0..rng.below(4) {
            let length = rng.log_between(10.0, (seconds / 6) as f64) as i64;
            let share = if rng.unit() < 0.4 { rng.between(0.9, 1.0) } else { rng.log_between(0.02, 0.9) };
            let shape = match rng.below(10) {
                0..=5 => Shape::Step,
                6 | 7 => Shape::Ramp(rng.below((length / 2) as usize) as i64 + 1),
                _ if length > 200 => Shape::Flap(30 + rng.below(90) as i64, 20 + rng.below(70) as i64),
                _ => Shape::Step,
            };
            let length = match shape {
                // Ends with a failing stretch.
                Shape::Flap(on, off) => length / (on + off) * (on + off) + on,
                _ => length,
            };
            if let Some(start) = place(rng, length, &mut busy) {
                let status = if rng.unit() < 0.7 { 502 } else { 0 };
                site.truths.push(Truth::new(start, start + length - 1, share, shape, status));
            }
        }
        for _ in 0..rng.below(4) {
            let length = rng.log_between(3.0, 600.0) as i64;
            if let Some(start) = place(rng, length, &mut busy) {
                let rate = (rng.between(5.0, 200.0) / length as f64).min(site.rate.max(0.5));
                site.clumps.push((start, start + length, rate));
            }
        }
        for _ in 0..rng.below(4) {
            let length = 1 + rng.below(3) as i64;
            if let Some(start) = place(rng, length, &mut busy) {
                site.blips.push((start, length));
            }
        }
        site.truths.sort_by_key(|truth| truth.start);
        site
    }

    /// Plays the site; fills in what the truths came to.
    pub(super) fn record(&mut self, rng: &mut Rng) -> Series {
        let mut recorder = Recorder::new();
        let mut modulation = 1.0;
        for second in 0..self.seconds {
            let day = std::f64::consts::TAU * second as f64 / 86_400.0;
            if second % 10 == 0 && self.variation > 0.0 {
                modulation = rng.gamma(1.0, self.variation);
            }
            let hurt = self.truths.iter().any(|truth| truth.share_at(second) > 0.0);
            let mean = self.rate * (1.0 + self.diurnal * day.sin()) * if hurt { self.traffic } else { 1.0 };
            let healthy = (self.background * modulation * (1.0 + self.drift * (day * 2.0).cos())).min(0.5);
            let requests = rng.poisson(mean);
            let background = rng.binomial(requests, healthy);
            let mut left = requests - background;
            let mut failures =
                [(500, background - background / 3), (502, 0), (503, 0), (504, background / 3)];
            let mut clients = [0; 16];
            let mut hit = 0;
            for truth in &mut self.truths {
                let share = truth.share_at(second);
                if second >= truth.start && second <= truth.end {
                    let affected = rng.binomial(left, share);
                    truth.requests += f64::from(requests);
                    truth.affected += f64::from(affected);
                    let base: f64 = self.background.max(1e-4);
                    if share > 0.0 && requests > 0 {
                        let rate = (base + (1.0 - base) * share).min(0.9999);
                        let (k, n) = (f64::from(affected + background), f64::from(requests));
                        truth.nats += k * (rate / base).ln() + (n - k) * ((1.0 - rate) / (1.0 - base)).ln();
                    }
                    left -= affected;
                    hit += affected;
                    if truth.status == 0 {
                        failures[0].1 += affected / 2;
                        failures[2].1 += affected - affected / 2;
                    } else {
                        let slot = failures.iter_mut().find(|slot| slot.0 == truth.status).unwrap();
                        slot.1 += affected;
                    }
                }
            }
            if self.blips.iter().any(|&(start, length)| second >= start && second < start + length) {
                failures[1].1 += left;
                hit += left;
            }
            spread(rng, background + hit, &mut clients);
            let mut extra = 0;
            for &(start, end, rate) in &self.clumps {
                if second >= start && second < end {
                    extra += rng.poisson(rate);
                }
            }
            clients[3] += extra as u16;
            failures[0].1 += extra;
            recorder.push(EPOCH + second, requests + extra, &failures, clients);
        }
        for truth in &mut self.truths {
            truth.start += EPOCH;
            truth.end += EPOCH;
        }
        recorder.finish(true)
    }
}
