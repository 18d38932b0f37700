//! Counts in logarithmic bins: a latency sketch that merges exactly.

/// Bins per factor of two.
const PER_OCTAVE: u32 = 4;
/// Octaves from 1 µs up to 2^36 µs (19 hours).
const OCTAVES: u32 = 36;

/// Latencies in µs, four bins per octave: a quantile is right within ±9 %.
///
/// Merging adds; the empty histogram is the identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// Ascending (bin, count), only bins that occur.
    counts: Vec<(u8, u32)>,
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, latency_us: u64) {
        self.add(bin(latency_us), 1);
    }

    /// Empty, with room for so many bins.
    pub fn with_capacity(bins: usize) -> Self {
        Self { counts: Vec::with_capacity(bins) }
    }

    /// The bin that a latency is counted in.
    #[inline]
    pub fn bin_of(latency_us: u64) -> u8 {
        bin(latency_us)
    }

    /// Counts so many latencies of one bin.
    pub fn add(&mut self, bin: u8, count: u32) {
        match self.counts.binary_search_by_key(&bin, |&(b, _)| b) {
            Ok(at) => {
                if let Some((_, n)) = self.counts.get_mut(at) {
                    *n = n.saturating_add(count);
                }
            }
            Err(at) => self.counts.insert(at, (bin, count)),
        }
    }

    /// Adds another histogram's counts.
    pub fn merge(&mut self, other: &Self) {
        for &(bin, count) in &other.counts {
            self.add(bin, count);
        }
    }

    /// How many latencies were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|&(_, n)| u64::from(n)).sum()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// (bin, count), ascending, only bins that occur; [`Self::middle`] says what a bin stands for.
    pub fn counts(&self) -> &[(u8, u32)] {
        &self.counts
    }

    /// The geometric middle of a bin, in µs. Neighbouring bins are a factor of 1.14 to 1.25 apart.
    pub fn middle(bin: u8) -> f64 {
        middle(bin)
    }

    /// (geometric middle of the bin in µs, count), ascending.
    pub fn bins(&self) -> impl Iterator<Item = (f64, u32)> + '_ {
        self.counts.iter().map(|&(b, n)| (middle(b), n))
    }

    /// The latency in µs below which a share `q` (0–1) lies; `None` when empty.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.count();
        let rank = (q.clamp(0.0, 1.0) * total as f64).max(1.0);
        let mut seen = 0.0;
        self.bins().find_map(|(value, n)| {
            seen += f64::from(n);
            (seen >= rank).then_some(value)
        })
    }
}

/// The bin of a latency: octave × 4 + quarter within the octave (linear within an octave, as HDR histograms do).
#[inline]
fn bin(latency_us: u64) -> u8 {
    let v = latency_us.max(1);
    let octave = v.ilog2();
    let quarter = if octave >= 2 { (v >> (octave - 2)) & 3 } else { (v << (2 - octave)) & 3 };
    let index = u64::from(octave.min(OCTAVES - 1)) * u64::from(PER_OCTAVE) + quarter;
    u8::try_from(index).unwrap_or(u8::MAX)
}

fn middle(bin: u8) -> f64 {
    let octave = i32::from(bin / 4);
    let quarter = f64::from(bin % 4);
    let low = 2f64.powi(octave) * (1.0 + quarter / 4.0);
    let high = 2f64.powi(octave) * (1.0 + (quarter + 1.0) / 4.0);
    (low * high).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quantile_is_within_nine_percent() {
        let mut h = Histogram::default();
        for ms in 1..=1000 {
            h.record(ms * 1000);
        }
        let p95 = h.quantile(0.95).unwrap();
        assert!((p95 / 950_000.0 - 1.0).abs() < 0.1, "{p95}");
    }

    proptest! {
        #[test]
        fn merging_is_counting_together(a in prop::collection::vec(0u64..u64::MAX, 0..50), b in prop::collection::vec(0u64..1 << 40, 0..50)) {
            let count = |v: &[u64]| { let mut h = Histogram::default(); for &x in v { h.record(x); } h };
            let mut ab = count(&a);
            ab.merge(&count(&b));
            let mut ba = count(&b);
            ba.merge(&count(&a));
            prop_assert_eq!(&ab, &count(&[a, b].concat()));
            prop_assert_eq!(&ab, &ba);
        }
    }
}
