//! When the model is saved and probed.

use crate::spec::check::nothing;
use crate::spec::{Checking, Default, Key, Kind, Type};
use std::collections::BTreeSet;
use toml::Table;

/// A kind of checkpoint schedule.
#[derive(Debug)]
pub struct CheckpointsKind {
    /// Name, documentation, keys.
    pub kind: Kind,
    /// The number of its key and the steps of the run: the steps that are saved.
    steps: fn(u64, u64) -> BTreeSet<u64>,
    key: &'static str,
}

/// The kinds of checkpoint schedule.
pub const KINDS: &[&CheckpointsKind] = &[&LOG_LINEAR, &EVERY];

const LOG_LINEAR: CheckpointsKind = CheckpointsKind {
    kind: Kind {
        name: "log_linear",
        doc: "The start, half of the checkpoints evenly in the logarithm of the step, half evenly \
              in the step, the end: early changes are fast (Olsson et al. 2022 save so too).",
        example: "kind = \"log_linear\"\ncount = 32",
        keys: &[Key {
            name: "count",
            ty: Type::Integer(2, MOST as i64),
            default: Default::Value("32"),
            doc: "about how many",
        }],
        traits: &[],
        check: nothing,
    },
    steps: log_linear,
    key: "count",
};

const EVERY: CheckpointsKind = CheckpointsKind {
    kind: Kind {
        name: "every",
        doc: "The start, every so many steps, the end.",
        example: "kind = \"every\"\nsteps = 100",
        keys: &[Key {
            name: "steps",
            ty: Type::Integer(1, i64::MAX),
            default: Default::Required,
            doc: "steps between checkpoints",
        }],
        traits: &[],
        check: check_every,
    },
    steps: |every, steps| (0..=steps / every).map(|i| i * every).collect(),
    key: "steps",
};

/// More would fill the disk with models.
const MOST: u64 = 10_000;

fn check_every(cx: &mut Checking<'_>) {
    let (Some(every), Some(steps)) = (cx.integer("steps"), cx.facts.steps) else { return };
    let count = steps / every as u64;
    if count > MOST {
        let message = format!("that is {count} checkpoints: each is saved and probed");
        cx.error("steps", message, format!("use {} or more", steps.div_ceil(MOST)));
    }
}

/// The steps after which a run of `steps` is saved; 0 and the last are always among them.
pub fn steps(kind: &CheckpointsKind, config: &Table, steps: u64) -> BTreeSet<u64> {
    let number = config.get(kind.key).and_then(toml::Value::as_integer).unwrap_or(1).max(1);
    let mut chosen = (kind.steps)(number as u64, steps);
    chosen.extend([0, steps]);
    chosen
}

fn log_linear(count: u64, steps: u64) -> BTreeSet<u64> {
    let half = (count / 2).max(1);
    let logarithmic = |i: u64| (steps as f64).powf(i as f64 / half as f64).round() as u64;
    let linear = |i: u64| (steps as f64 * i as f64 / half as f64).round() as u64;
    let points = (0..half).map(logarithmic).chain((1..=half).map(linear));
    points.filter(|&s| s <= steps).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_linear_is_dense_early_and_covers_all() {
        let chosen = log_linear(32, 3000);
        assert!(chosen.len() > 24 && chosen.len() <= 33, "{chosen:?}");
        assert!(chosen.contains(&1) && chosen.contains(&3000));
        let gaps: Vec<u64> = chosen.iter().zip(chosen.iter().skip(1)).map(|(a, b)| b - a).collect();
        assert!(gaps.iter().all(|&gap| gap <= 188), "{gaps:?}");
    }

    #[test]
    fn every_includes_both_ends() {
        let config = toml::from_str("steps = 40").unwrap();
        assert_eq!(steps(&EVERY, &config, 100), [0, 40, 80, 100].into());
        assert_eq!(steps(&EVERY, &config, 10), [0, 10].into());
    }
}
