//! Random numbers: the same for the same seed, on every machine.

use std::f64::consts::TAU;

/// `SplitMix64` (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// A stream of its own for each pair.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut dice = Self(seed ^ stream.wrapping_mul(0xA24B_AED4_963E_E407));
        dice.next();
        Self(dice.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, without, 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Log-uniform.
    pub(crate) fn log_between(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// From 0 up to, without, `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.uniform() * limit as f64) as usize
    }

    /// From `low` to `high`, both included.
    pub(crate) fn whole(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True that often.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.uniform() < share
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    /// Standard normal (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }

    /// Knuth's product for small means; rounded normal beyond, where the two are the same to the eye.
    pub(crate) fn poisson(&mut self, mean: f64) -> usize {
        if mean > 40.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as usize;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0);
        while product > limit {
            product *= self.uniform();
            count += 1;
        }
        count
    }

    /// Gamma with mean 1 and the given variance (Marsaglia and Tsang 2000).
    pub(crate) fn gamma(&mut self, variance: f64) -> f64 {
        if variance < 1e-6 {
            return 1.0;
        }
        let shape = 1.0 / variance;
        let boost = if shape < 1.0 { (1.0 - self.uniform()).powf(variance) } else { 1.0 };
        let d = if shape < 1.0 { shape + 1.0 } else { shape } - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v * boost / shape;
            }
        }
    }
}

/// Draws an index by weight in constant time (the alias method, Vose 1991).
#[derive(Debug, Clone)]
pub(crate) struct Weighted {
    share: Vec<f64>,
    alias: Vec<usize>,
}

impl Weighted {
    pub(crate) fn new(weights: &[f64]) -> Self {
        let scale = weights.len() as f64 / weights.iter().sum::<f64>();
        let mut share: Vec<f64> = weights.iter().map(|w| w * scale).collect();
        let mut alias: Vec<usize> = (0..weights.len()).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = alias.iter().partition(|&&i| share[i] < 1.0);
        while let (Some(&more), Some(less)) = (large.last(), small.pop()) {
            alias[less] = more;
            share[more] -= 1.0 - share[less];
            if share[more] < 1.0 {
                large.pop();
                small.push(more);
            }
        }
        Self { share, alias }
    }

    /// 1, 1/2^s, 1/3^s, …
    pub(crate) fn zipf(count: usize, exponent: f64) -> Vec<f64> {
        (1..=count).map(|rank| (rank as f64).powf(-exponent)).collect()
    }

    pub(crate) fn draw(&self, dice: &mut Dice) -> usize {
        let at = dice.uniform() * self.share.len() as f64;
        let index = at as usize;
        if at.fract() < self.share[index] { index } else { self.alias[index] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(n: usize, mut draw: impl FnMut() -> f64) -> f64 {
        (0..n).map(|_| draw()).sum::<f64>() / n as f64
    }

    #[test]
    fn draws_have_the_mean_that_they_are_named_for() {
        let mut dice = Dice::new(1, 2);
        for expected in [0.3, 7.0, 90.0] {
            let found = mean(20_000, || dice.poisson(expected) as f64);
            assert!((found / expected - 1.0).abs() < 0.05, "{expected}: {found}");
        }
        for variance in [0.2, 1.0, 3.0] {
            let found = mean(40_000, || dice.gamma(variance));
            assert!((found - 1.0).abs() < 0.04, "{variance}: {found}");
        }
        assert!((mean(20_000, || dice.exponential(3.0)) - 3.0).abs() < 0.1);
        assert!(mean(20_000, || dice.normal()).abs() < 0.03);
    }

    #[test]
    fn weights_are_kept() {
        let weights = [5.0, 0.0, 1.0, 2.0, 2.0];
        let (table, mut dice) = (Weighted::new(&weights), Dice::new(3, 4));
        let mut seen = [0_usize; 5];
        for _ in 0..20_000 {
            seen[table.draw(&mut dice)] += 1;
        }
        for (count, weight) in seen.iter().zip(weights) {
            assert!((*count as f64 / 2_000.0 - weight).abs() < 0.15, "{seen:?}");
        }
    }
}
