//! Site-days and groups of servers whose missing requests are known. Shares no formula with the detector.

use super::sim::{EPOCH, Rng};
use crate::detect::{Series, Slot};

/// Requests that are kept away.
#[derive(Debug, Clone)]
pub(super) struct Loss {
    /// First and last second, from the beginning of the recording.
    pub(super) start: i64,
    pub(super) end: i64,
    /// Part that does not come.
    pub(super) share: f64,
    /// Filled in while recording: arrivals kept away on average, requests expected, seconds of the requests that border it.
    pub(super) missed: f64,
    pub(super) expected: f64,
    pub(super) borders: (i64, i64),
    /// Standard deviations by which the loss is out of the ordinary.
    pub(super) deviations: f64,
}

impl Loss {
    pub(super) fn new(start: i64, end: i64, share: f64) -> Self {
        let borders = (i64::MIN, i64::MAX);
        Self { start, end, share, missed: 0.0, expected: 0.0, borders, deviations: 0.0 }
    }
    pub(super) fn silent(&self) -> bool {
        self.share > 0.99
    }
}

/// Where the traffic of a site comes from.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) seconds: i64,
    /// Requests per second at the busiest time.
    pub(super) rate: f64,
    /// Traffic at the quietest time as a part of that.
    pub(super) night: f64,
    /// Seconds by which the rhythm is shifted.
    pub(super) phase: i64,
    /// Traffic between these hours only, on weekdays only.
    pub(super) office: Option<(f64, f64)>,
    /// Requests per arrival, on average.
    pub(super) clump: f64,
    /// Coefficient of variation of the rate from one stretch of so many seconds to the next.
    pub(super) variation: f64,
    pub(super) stretch: i64,
    /// (start, end, factor)
    pub(super) surges: Vec<(i64, i64, f64)>,
    /// (start, end, requests per second)
    pub(super) crawlers: Vec<(i64, i64, f64)>,
    /// (period, requests): a job that calls at a fixed time.
    pub(super) job: Option<(i64, u32)>,
    pub(super) losses: Vec<Loss>,
}

impl Site {
    pub(super) fn steady(seconds: i64, rate: f64) -> Self {
        Self {
            seconds,
            rate,
            night: 1.0,
            phase: 0,
            office: None,
            clump: 1.0,
            variation: 0.0,
            stretch: 60,
            surges: Vec::new(),
            crawlers: Vec::new(),
            job: None,
            losses: Vec::new(),
        }
    }

    pub(super) fn with(mut self, start: i64, end: i64, share: f64) -> Self {
        self.losses.push(Loss::new(start, end, share));
        self
    }

    /// A site with any of the habits that sites have, and up to three losses if asked for.
    pub(super) fn random(rng: &mut Rng, seconds: i64, rates: (f64, f64), losses: Option<bool>) -> Self {
        let mut site = Self::steady(seconds, rng.log_between(rates.0, rates.1));
        site.night = match rng.below(4) {
            0 => 0.0,
            1 => rng.between(0.0, 0.1),
            _ => rng.between(0.1, 1.0),
        };
        site.phase = rng.below(86_400) as i64;
        if rng.unit() < 0.4 {
            site.clump = rng.log_between(1.0, 12.0);
        }
        if rng.unit() < 0.5 {
            // What many people do varies less.
            site.variation = rng.between(0.2, if site.rate > 30.0 { 0.35 } else { 0.7 });
            site.stretch = rng.log_between(10.0, 400.0) as i64;
        }
        let mut busy: Vec<(i64, i64)> = Vec::new();
        let mut place = |rng: &mut Rng, length: i64| {
            for _ in 0..20 {
                let start = 600 + rng.below((seconds - length - 1200).max(1) as usize) as i64;
                if busy.iter().all(|&(a, b)| start > b + 900 || start + length < a - 900) {
                    busy.push((start, start + length));
                    return Some(start);
                }
            }
            None
        };
        if let Some(partial) = losses {
            for _ in 0..=rng.below(3) {
                let part = partial && rng.unit() < 0.5;
                let length = rng.log_between(if part { 300.0 } else { 30.0 }, 7200.0) as i64;
                if let Some(start) = place(rng, length) {
                    let share = if part { rng.between(0.4, 0.95) } else { 1.0 };
                    site.losses.push(Loss::new(start, start + length - 1, share));
                }
            }
        }
        for _ in 0..rng.below(3) {
            let length = rng.log_between(30.0, 5400.0) as i64;
            if let Some(start) = place(rng, length) {
                site.surges.push((start, start + length, rng.log_between(1.5, 10.0)));
            }
        }
        for _ in 0..rng.below(3) {
            let length = rng.log_between(300.0, 20_000.0) as i64;
            let start = rng.below(seconds as usize) as i64;
            site.crawlers.push((start, start + length, site.rate * rng.log_between(0.1, 3.0)));
        }
        site.losses.sort_by_key(|loss| loss.start);
        site
    }

    /// The mean number of requests in a second, habits and all, without chance.
    fn mean(&self, second: i64) -> f64 {
        let at = (second + self.phase).rem_euclid(86_400) as f64;
        let wave = f64::midpoint(1.0, (std::f64::consts::TAU * at / 86_400.0).sin());
        let mut mean = self.rate * (self.night + (1.0 - self.night) * wave);
        if let Some((from, until)) = self.office {
            let (hour, day) = (second as f64 / 3600.0 % 24.0, second / 86_400 % 7);
            // People come and go within three quarters of an hour.
            let open = ((hour - from) / 0.75).clamp(0.0, 1.0).min(((until - hour) / 0.75).clamp(0.0, 1.0));
            mean = if day >= 5 { self.rate * self.night } else { self.rate * open.max(self.night) };
        }
        for &(start, end, factor) in &self.surges {
            if second >= start && second < end {
                mean *= factor;
            }
        }
        mean
    }

    /// Requests of each second.
    pub(super) fn play(&mut self, rng: &mut Rng) -> Vec<u32> {
        let mut counts = vec![0_u32; self.seconds as usize];
        let mut modulation = 1.0;
        for second in 0..self.seconds {
            if self.variation > 0.0 && second % self.stretch.max(1) == 0 {
                modulation = rng.gamma(1.0, self.variation);
            }
            let crawling: f64 = self
                .crawlers
                .iter()
                .filter(|&&(start, end, _)| second >= start && second < end)
                .map(|&(.., rate)| rate)
                .sum();
            let usual = self.mean(second);
            let mut left = 1.0;
            for loss in &mut self.losses {
                if second >= loss.start && second <= loss.end {
                    loss.expected += usual + crawling;
                    loss.missed += usual / self.clump * loss.share;
                    left = 1.0 - loss.share;
                }
            }
            let arrivals = rng.poisson(usual * modulation / self.clump * left);
            let mut count = arrivals + rng.poisson(crawling * left);
            if self.clump > 1.0 {
                count += rng.poisson((self.clump - 1.0) * f64::from(arrivals));
            }
            if let Some((_, requests)) = self.job.filter(|&(period, _)| second % period < 2) {
                count += requests / 2;
            }
            counts[second as usize] = count;
        }
        for loss in &mut self.losses {
            let length = (loss.end - loss.start + 1) as f64;
            let wander = self.variation.powi(2) * (self.stretch as f64 / length).min(1.0);
            loss.deviations = loss.share / (self.clump / loss.expected.max(1e-9) + wander).sqrt();
        }
        border(&mut self.losses, &counts);
        counts
    }
}

/// Finds the requests that border each loss.
fn border(losses: &mut [Loss], counts: &[u32]) {
    for loss in losses {
        let before = counts[..loss.start as usize].iter().rposition(|&count| count > 0);
        let after = counts[loss.end as usize + 1..].iter().position(|&count| count > 0);
        loss.borders = (
            before.map_or(i64::MIN, |index| index as i64),
            after.map_or(i64::MAX, |index| loss.end + 1 + index as i64),
        );
    }
}

/// The series of counts per second that begin at the epoch.
pub(super) fn series(counts: &[u32]) -> Series {
    let mut series = Series { slot_seconds: 1, ..Series::default() };
    for (second, &requests) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
        series.slots.push(Slot { second: EPOCH + second as i64, requests, failures: 0, clients: None });
    }
    series
}

/// A group of servers behind a balancer, seen from its first member.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) site: Site,
    /// Share of the first member.
    pub(super) share: f64,
    /// How far the share wanders, as a part of itself, over hours.
    pub(super) drift: f64,
    /// Seconds of one round of that.
    pub(super) turn: f64,
    /// The others take over what the member does not get.
    pub(super) balanced: bool,
    /// (start, end, requests per second): a client that sticks to the others.
    pub(super) sticky: Vec<(i64, i64, f64)>,
    pub(super) losses: Vec<Loss>,
}

impl Group {
    pub(super) fn random(rng: &mut Rng, seconds: i64, rates: (f64, f64), losses: bool) -> Self {
        let mut site = Site::random(rng, seconds, rates, losses.then_some(true));
        let losses = std::mem::take(&mut site.losses);
        let members = 2 + rng.below(3);
        let share = (rng.between(0.6, 1.5) / members as f64).min(0.7);
        let mut sticky = Vec::new();
        if rng.unit() < 0.3 {
            let start = rng.below(seconds as usize) as i64;
            let length = rng.log_between(600.0, 10_000.0) as i64;
            sticky.push((start, start + length, site.rate * rng.between(0.1, 1.0)));
        }
        let drift = if rng.unit() < 0.5 { rng.between(0.0, 0.4) } else { 0.0 };
        let turn = rng.between(30_000.0, 90_000.0);
        Self { site, share, drift, turn, balanced: rng.unit() < 0.6, sticky, losses }
    }

    /// (member, peers)
    pub(super) fn play(&mut self, rng: &mut Rng) -> (Series, Series) {
        let all = self.site.play(rng);
        let mut member = vec![0_u32; all.len()];
        let mut peers = vec![0_u32; all.len()];
        for (index, &count) in all.iter().enumerate() {
            let second = index as i64;
            let turn = (std::f64::consts::TAU * second as f64 / self.turn).sin();
            let share = self.share * (1.0 + self.drift * turn);
            let mut own = rng.binomial(count, share);
            let mut others = count - own;
            for loss in &mut self.losses {
                if second >= loss.start && second <= loss.end {
                    let lost = rng.binomial(own, loss.share);
                    own -= lost;
                    others += if self.balanced { lost } else { 0 };
                    let usual = self.site.mean(second) * share;
                    loss.expected += usual;
                    // A clump falls apart over the members.
                    loss.missed += usual * loss.share;
                }
            }
            for &(start, end, rate) in &self.sticky {
                if second >= start && second < end {
                    others += rng.poisson(rate);
                }
            }
            member[index] = own;
            peers[index] = others;
        }
        for loss in &mut self.losses {
            loss.deviations = loss.share / (1.5 / loss.expected.max(1e-9)).sqrt();
        }
        border(&mut self.losses, &member);
        (series(&member), series(&peers))
    }
}
