//! The segmenter against exhaustive search.

use super::sim::Rng;
use crate::detect::segment::{Emission, Penalties, segment};

struct Table {
    gains: Vec<Vec<f64>>,
    breaks: Vec<bool>,
}

impl Emission for Table {
    fn slots(&self) -> usize {
        self.gains.len()
    }
    fn levels(&self) -> usize {
        self.gains.first().map_or(0, Vec::len)
    }
    fn gains(&mut self, slot: usize, out: &mut [f64]) {
        out.copy_from_slice(&self.gains[slot]);
    }
    fn declines(&self, slot: usize) -> bool {
        self.gains[slot].iter().all(|&gain| gain < 0.0)
    }
    fn breaks_before(&self, slot: usize) -> bool {
        self.breaks[slot]
    }
}

/// Score of one path; `None` is normal.
fn score(table: &Table, path: &[Option<usize>], penalties: Penalties) -> f64 {
    let mut score = 0.0;
    let mut state = None;
    for (slot, &next) in path.iter().enumerate() {
        score -= match (state, next) {
            (None, None) => 0.0,
            (None, Some(_)) => penalties.enter,
            (Some(_), None) => penalties.leave,
            (Some(_), Some(_)) if table.breaks[slot] => penalties.leave + penalties.enter,
            (Some(a), Some(b)) if a == b => 0.0,
            (Some(_), Some(_)) => penalties.change,
        };
        score += next.map_or(0.0, |level: usize| table.gains[slot][level]);
        state = next;
    }
    score - if state.is_some() { penalties.leave } else { 0.0 }
}

#[test]
fn the_best_path_is_the_best_of_all_paths() {
    let mut rng = Rng::new(7);
    let penalties = Penalties { enter: 1.0, leave: 1.5, change: 1.2 };
    for round in 0..300 {
        let (slots, levels) = (1 + rng.below(6), 1 + rng.below(3));
        let mut table = Table { gains: Vec::new(), breaks: Vec::new() };
        for _ in 0..slots {
            table.gains.push((0..levels).map(|_| rng.between(-2.0, 2.5)).collect());
            table.breaks.push(rng.unit() < 0.15);
        }
        table.breaks[0] = false;
        let states = levels + 1;
        let best = (0..states.pow(slots as u32))
            .map(|mut code| {
                let path: Vec<_> = (0..slots)
                    .map(|_| {
                        let state = code % states;
                        code /= states;
                        state.checked_sub(1)
                    })
                    .collect();
                score(&table, &path, penalties)
            })
            .fold(f64::NEG_INFINITY, f64::max);
        let (runs, found) = segment(&mut table, penalties);
        assert!((best - found).abs() < 1e-9, "round {round}: {best} {found}");
        let mut path = vec![None; slots];
        for run in &runs {
            path[run.first..=run.last].fill(Some(run.level));
        }
        assert!((score(&table, &path, penalties) - best).abs() < 1e-9, "round {round}: {runs:?}");
    }
}

#[test]
fn nothing_to_look_at_is_nothing_found() {
    let mut table = Table { gains: Vec::new(), breaks: Vec::new() };
    let penalties = Penalties { enter: 1.0, leave: 1.0, change: 1.0 };
    assert_eq!(segment(&mut table, penalties), (Vec::new(), 0.0));
}
