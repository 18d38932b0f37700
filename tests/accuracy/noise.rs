//! What looks bad and is no incident.

use super::dice::Dice;
use super::site::Site;

/// Requests of one client that come on top.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Burst {
    pub(crate) what: What,
    /// Seconds since the site's start, ascending.
    pub(crate) times: Vec<f64>,
    /// Which client.
    pub(crate) client: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A client whose requests all fail.
    Failing,
    /// A scanner that asks for what does not exist.
    Scan,
}

/// More good traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Surge {
    pub(crate) from: f64,
    pub(crate) until: f64,
    pub(crate) factor: f64,
}

/// A restart: everything fails for less than five seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Blip {
    pub(crate) from: f64,
    pub(crate) until: f64,
    pub(crate) status: u16,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Noise {
    pub(crate) bursts: Vec<Burst>,
    pub(crate) surges: Vec<Surge>,
    pub(crate) blips: Vec<Blip>,
}

/// How often each comes a day.
const SURGES: f64 = 1.5;
const BLIPS: f64 = 1.5;
const STORMS: f64 = 1.5;
const CLUMPS: f64 = 4.0;
const LONE: f64 = 4.0;
const SCANS: f64 = 2.0;

impl Noise {
    pub(crate) fn draw(dice: &mut Dice, site: &Site) -> Self {
        let (seconds, days) = (f64::from(site.seconds), site.days().max(0.25));
        let mut noise = Self::default();
        for _ in 0..dice.poisson(SURGES * days) {
            let (from, lasts) = (dice.uniform() * seconds, dice.log_between(60.0, 1500.0).min(seconds / 5.0));
            noise.surges.push(Surge { from, until: from + lasts, factor: dice.between(1.5, 5.0) });
        }
        for _ in 0..dice.poisson(BLIPS * days) {
            let (from, status) = (dice.uniform() * seconds, *dice.pick(&[502, 503]));
            noise.blips.push(Blip { from, until: from + dice.between(0.5, 3.0), status });
        }
        let mut burst = |dice: &mut Dice, what, count, lasts: f64| {
            let from = dice.uniform() * seconds;
            let mut times: Vec<f64> = (0..count).map(|_| from + lasts * dice.uniform()).collect();
            times.sort_by(f64::total_cmp);
            noise.bursts.push(Burst { what, times, client: dice.below(site.clients) });
        };
        for _ in 0..dice.poisson(STORMS * days) {
            let (count, lasts) = (dice.log_between(20.0, 400.0) as usize, dice.log_between(20.0, 900.0));
            burst(dice, What::Failing, count, lasts);
        }
        for _ in 0..dice.poisson(CLUMPS * days) {
            let (count, lasts) = (dice.whole(3, 7), dice.log_between(2.0, 40.0));
            burst(dice, What::Failing, count, lasts);
        }
        for _ in 0..dice.poisson(LONE * days) {
            burst(dice, What::Failing, 1, 1.0);
        }
        for _ in 0..dice.poisson(SCANS * days) {
            let (count, lasts) = (dice.log_between(50.0, 1500.0) as usize, dice.log_between(30.0, 900.0));
            burst(dice, What::Scan, count, lasts);
        }
        noise
    }
}
