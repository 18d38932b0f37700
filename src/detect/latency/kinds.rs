//! How long requests of one kind take when all is well: routes differ from each other more than the requests of one do.

#![allow(
    clippy::indexing_slicing,
    reason = "classes are numbered as they are made, steps clamped to the table"
)]

use std::collections::BTreeMap;

use super::axis::{Axis, BINS, Counts, SLIGHTLY_SMOOTHED, Shape};
use super::normal::spread;
use crate::detect::{LatencySeries, TimedRequest};
use crate::model::Histogram;

/// Kinds whose middles differ by less than this, in ln, and whose spreads differ by less than a quarter share a shape.
const MIDDLE_STEP: f64 = 0.1;
const SPREAD_STEP: f64 = 0.25;
/// A kind's spread counts as if so many requests more had that of all kinds.
const SPREAD_PRIOR: f64 = 10.0;
/// Weight, in requests, of the common shape in that of a class.
const PRIOR_REQUESTS: f64 = 200.0;
/// Shares and slowdowns are told by so many classes at most.
const MOST_GROUPS: usize = 64;
/// The common shape is taken from kinds with so many requests.
const LEAST_OF_KIND: f64 = 5.0;
/// A request of the same kind tells at least this much about the next one, and at most so much, against any other's.
const SHRINK_RANGE: (f64, f64) = (0.05, 50.0);
/// The common shape in spreads around the middle: within this distance …
const REACH: f64 = 8.0;
/// … in so many steps.
const STEPS: usize = 640;
/// Clocks tick in seconds, hundredths or thousandths of them; what does not is exact.
const TICKS_US: [u64; 4] = [1_000_000, 100_000, 10_000, 1_000];
/// No kind's spread is less than this, in ln: clocks tick.
const LEAST_SPREAD: f64 = 0.05;

/// Number, mean and squared deviations of logarithms.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }

    fn deviations(&self) -> f64 {
        (self.squares - self.sum * self.mean()).max(0.0)
    }
}

/// Where the logarithms of a kind's latencies lie.
#[derive(Debug, Clone, Copy)]
struct Normal {
    middle: f64,
    spread: f64,
}

impl Normal {
    /// The class that it falls into.
    fn class(self) -> (i64, i64) {
        let step = |value: f64, step: f64| {
            #[allow(clippy::cast_possible_truncation, reason = "logarithms of latencies")]
            let step = (value / step).round() as i64;
            step
        };
        (step(self.middle, MIDDLE_STEP), step(self.spread.ln(), SPREAD_STEP))
    }
}

/// What kinds have in common.
#[derive(Debug, Clone, Copy)]
struct Common {
    middle: f64,
    /// Variance within a kind.
    within: f64,
    /// A kind's own middle counts as if so many requests more lay in the middle of all.
    shrink: f64,
}

impl Common {
    /// By the analysis of variance of one factor.
    fn of(kinds: &BTreeMap<u64, Moments>) -> Self {
        let mut all = Moments::default();
        let (mut inner, mut freedom, mut squares) = (0.0, 0.0, 0.0);
        for kind in kinds.values() {
            all.count += kind.count;
            all.sum += kind.sum;
            all.squares += kind.squares;
            inner += kind.deviations();
            freedom += kind.count - 1.0;
            squares += kind.count * kind.count;
        }
        let within = if freedom > 0.0 { inner / freedom } else { all.deviations() / all.count.max(1.0) };
        let within = within.max(LEAST_SPREAD * LEAST_SPREAD);
        let groups = kinds.len() as f64 - 1.0;
        let usual = (all.count - squares / all.count.max(1.0)) / groups.max(1.0);
        let between = ((all.deviations() - inner) / groups.max(1.0) - within) / usual.max(1.0);
        let shrink = if groups < 1.0 || between <= 0.0 { SHRINK_RANGE.1 } else { within / between };
        Self { middle: all.mean(), within, shrink: shrink.clamp(SHRINK_RANGE.0, SHRINK_RANGE.1) }
    }

    /// What a request of a kind is expected to take, as far as its others tell.
    fn normal(&self, kind: Moments) -> Normal {
        let known = kind.count + self.shrink;
        let middle = (kind.sum + self.shrink * self.middle) / known;
        let freedom = (kind.count - 1.0).max(0.0) + SPREAD_PRIOR;
        let own = (kind.deviations() + SPREAD_PRIOR * self.within) / freedom;
        Normal { middle, spread: (own + self.within / known).sqrt() }
    }
}

/// The shape that all kinds have, in spreads around their middles.
struct Standard {
    /// Mass below each step, 1 in all.
    below: [f64; STEPS + 1],
}

impl Standard {
    fn step(value: f64) -> f64 {
        ((value + REACH) / (2.0 * REACH) * STEPS as f64).clamp(0.0, STEPS as f64)
    }

    fn of(axis: &Axis, requests: impl Iterator<Item = (usize, Normal)>) -> Self {
        let mut mass = vec![0.0; STEPS];
        for (bin, Normal { middle, spread: wide }) in requests {
            let at = |edge: f64| Self::step((edge - middle) / wide);
            spread(&mut mass, at(axis.low(bin)), at(axis.high(bin)), 1.0);
        }
        let total: f64 = mass.iter().sum();
        let mut below = [0.0; STEPS + 1];
        let mut sum = 0.0;
        for (edge, mass) in below.iter_mut().skip(1).zip(&mass) {
            sum += mass;
            *edge = sum / total.max(f64::MIN_POSITIVE);
        }
        Self { below }
    }

    fn below(&self, value: f64) -> f64 {
        let at = Self::step(value);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the steps")]
        let step = (at as usize).min(STEPS - 1);
        self.below[step] + (at - step as f64) * (self.below[step + 1] - self.below[step])
    }

    /// Adds it, moved and widened, to some counts.
    fn add_to(&self, axis: &Axis, counts: &mut Counts, normal: Normal, weight: f64) {
        let mut before = 0.0;
        for (bin, count) in counts.iter_mut().enumerate() {
            let below = self.below((axis.high(bin) - normal.middle) / normal.spread);
            *count += weight * (below - before);
            before = below;
        }
    }
}

/// Kinds of requests with the healthy shape of each.
pub(super) struct Kinds {
    pub(super) axis: Axis,
    tick: u64,
    shapes: Vec<Shape>,
    classes: BTreeMap<u64, usize>,
    /// The class of what was never seen.
    unknown: usize,
}

impl Kinds {
    /// From healthy requests; `others` are those that will be asked about. Ascending by time.
    pub(super) fn of(healthy: &[TimedRequest], others: &[&[TimedRequest]]) -> Self {
        let all = || std::iter::once(healthy).chain(others.iter().copied()).flatten();
        let ticks = |tick: &u64| all().all(|request| request.latency_us.is_multiple_of(*tick));
        let tick = TICKS_US.into_iter().find(ticks).unwrap_or(1);
        let at = |request: &TimedRequest| row(request, tick);
        let bin = |request: &TimedRequest| (bin(request, tick), 1);
        let axis = Axis::of(&LatencySeries { bins: all().map(bin).collect(), ..LatencySeries::default() });
        let mut moments: BTreeMap<u64, Moments> = BTreeMap::new();
        // What never gets slower lies far below the rest: a middle between the two is nobody's.
        let apart = axis.still().is_some();
        let kind = |request: &TimedRequest| if apart { 0 } else { request.kind };
        for request in healthy {
            moments.entry(kind(request)).or_default().add(axis.middle(at(request)));
        }
        let common = Common::of(&moments);
        for request in others.iter().copied().flatten() {
            moments.entry(kind(request)).or_default();
        }
        let normals: BTreeMap<u64, Normal> =
            moments.iter().map(|(&kind, &moments)| (kind, common.normal(moments))).collect();
        let known = |request: &&TimedRequest| {
            moments.get(&kind(request)).is_some_and(|moments| moments.count >= LEAST_OF_KIND)
        };
        let placed = |request: &TimedRequest| Some((at(request), *normals.get(&kind(request))?));
        let standard = Standard::of(&axis, healthy.iter().filter(known).filter_map(placed));
        let mut numbers: BTreeMap<(i64, i64), usize> = BTreeMap::new();
        let mut classes = BTreeMap::new();
        let mut sums: Vec<(Counts, Normal)> = Vec::new();
        for (&kind, &normal) in &normals {
            let number = *numbers.entry(normal.class()).or_insert_with(|| {
                sums.push(([0.0; BINS], normal));
                sums.len() - 1
            });
            classes.insert(kind, number);
        }
        let nothing = common.normal(Moments::default());
        let unknown = *numbers.entry(nothing.class()).or_insert_with(|| {
            sums.push(([0.0; BINS], nothing));
            sums.len() - 1
        });
        for request in healthy {
            if let Some(&class) = classes.get(&kind(request)) {
                sums[class].0[at(request)] += 1.0;
            }
        }
        let shapes = sums.into_iter().map(|(mut counts, normal)| {
            standard.add_to(&axis, &mut counts, normal, PRIOR_REQUESTS);
            Shape::smoothed(&axis, &counts, SLIGHTLY_SMOOTHED)
        });
        let shapes = shapes.collect();
        // of one kind all are in the first class
        let (classes, unknown) = if apart { (BTreeMap::new(), 0) } else { (classes, unknown) };
        Self { axis, tick, shapes, classes, unknown }
    }

    /// The number of the shape that a request should have.
    pub(super) fn class(&self, request: &TimedRequest) -> usize {
        self.classes.get(&request.kind).copied().unwrap_or(self.unknown)
    }

    /// Counts of requests by shape, those of the most requests.
    pub(super) fn groups(&self, requests: &[TimedRequest]) -> Vec<(&Shape, Counts)> {
        let mut counts: BTreeMap<usize, (usize, Counts)> = BTreeMap::new();
        for request in requests {
            let (sum, counts) = counts.entry(self.class(request)).or_insert((0, [0.0; BINS]));
            *sum += 1;
            counts[self.row(request)] += 1.0;
        }
        let mut groups: Vec<(usize, (usize, Counts))> = counts.into_iter().collect();
        groups.sort_by_key(|&(class, (sum, _))| (std::cmp::Reverse(sum), class));
        groups.truncate(MOST_GROUPS);
        groups.into_iter().map(|(class, (_, counts))| (&self.shapes[class], counts)).collect()
    }

    /// By kind the middle, in µs, between what half of its requests take and what they would take if slower; and the same of
    /// a kind that is not among these.
    pub(super) fn thresholds(&self, slowdown: f64) -> (BTreeMap<u64, u64>, u64) {
        let middle = |shape: &Shape| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a latency in µs; a float cast saturates"
            )]
            let middle = (shape.quantile(&self.axis, 0.5).exp() * slowdown.max(1.0).sqrt()) as u64;
            middle
        };
        let by_class: Vec<u64> = self.shapes.iter().map(middle).collect();
        let of = |class: usize| by_class.get(class).copied().unwrap_or(u64::MAX);
        (self.classes.iter().map(|(&kind, &class)| (kind, of(class))).collect(), of(self.unknown))
    }

    pub(super) fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// The row of a request's latency.
    pub(super) fn row(&self, request: &TimedRequest) -> usize {
        row(request, self.tick)
    }
}

fn row(request: &TimedRequest, tick: u64) -> usize {
    super::axis::row(bin(request, tick))
}

/// What a clock that ticks calls 8 ms took between 8 and 9. What it calls 0 is told apart.
fn bin(request: &TimedRequest, tick: u64) -> u8 {
    Histogram::bin_of(if request.latency_us == 0 { 0 } else { request.latency_us.saturating_add(tick / 2) })
}
