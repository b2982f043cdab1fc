//! The learning rate over the steps.

use crate::spec::check::nothing;
use crate::spec::{Default, Key, Kind, Range, Type};
use std::f64::consts::PI;
use toml::Table;

/// A kind of schedule: the share of the full rate, given its table and how far training is.
#[derive(Debug)]
pub struct ScheduleKind {
    /// Name, documentation, keys.
    pub kind: Kind,
    /// From the progress after the warm-up, 0 to 1, and the final share: the share of the rate.
    shape: fn(f64, f64) -> f64,
}

/// The kinds of schedule.
pub const KINDS: &[&ScheduleKind] = &[&COSINE, &LINEAR, &CONSTANT];

const WARMUP: Key = Key {
    name: "warmup_fraction",
    ty: Type::Number(Range::SHARE),
    default: Default::Value("0.05"),
    doc: "share of the steps in which the rate rises from 0",
};
const FINAL: Key = Key {
    name: "final_fraction",
    ty: Type::Number(Range::SHARE),
    default: Default::Value("0.1"),
    doc: "share of the rate that is left at the end",
};

const COSINE: ScheduleKind = ScheduleKind {
    kind: Kind {
        name: "cosine",
        doc: "Warm-up, then half a cosine down to a share of the rate (Loshchilov and Hutter 2017).",
        example: "kind = \"cosine\"\nwarmup_fraction = 0.05\nfinal_fraction = 0.1",
        keys: &[WARMUP, FINAL],
        traits: &[],
        check: nothing,
    },
    shape: |progress, last| last + (1.0 - last) * 0.5 * (1.0 + (PI * progress).cos()),
};

const LINEAR: ScheduleKind = ScheduleKind {
    kind: Kind {
        name: "linear",
        doc: "Warm-up, then a straight line down to a share of the rate.",
        example: "kind = \"linear\"\nfinal_fraction = 0.0",
        keys: &[WARMUP, FINAL],
        traits: &[],
        check: nothing,
    },
    shape: |progress, last| 1.0 - (1.0 - last) * progress,
};

const CONSTANT: ScheduleKind = ScheduleKind {
    kind: Kind {
        name: "constant",
        doc: "Warm-up, then the full rate.",
        example: "kind = \"constant\"\nwarmup_fraction = 0.05",
        keys: &[WARMUP],
        traits: &[],
        check: nothing,
    },
    shape: |_, _| 1.0,
};

/// The share of the full rate at a step (from 1) of a run of `steps`.
pub fn share(kind: &ScheduleKind, config: &Table, step: u64, steps: u64) -> f64 {
    let number = |key: &str| config.get(key).and_then(toml::Value::as_float).unwrap_or(0.0);
    let warmup = (number("warmup_fraction") * steps as f64).round();
    let step = step as f64;
    if step < warmup {
        return step / warmup;
    }
    let progress = (step - warmup) / (steps as f64 - warmup).max(1.0);
    (kind.shape)(progress, number("final_fraction"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(warmup: f64, last: f64) -> Table {
        toml::from_str(&format!("warmup_fraction = {warmup:?}\nfinal_fraction = {last:?}")).unwrap()
    }

    #[test]
    fn cosine_warms_up_and_comes_down() {
        let share = |step| share(&COSINE, &config(0.1, 0.1), step, 100);
        assert!((share(1) - 0.1).abs() < 1e-12 && (share(10) - 1.0).abs() < 1e-12);
        assert!((share(55) - 0.55).abs() < 1e-12 && (share(100) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn linear_and_constant_are_what_they_say() {
        assert!((share(&LINEAR, &config(0.0, 0.2), 50, 100) - 0.6).abs() < 1e-12);
        assert_eq!(share(&CONSTANT, &config(0.0, 0.0), 99, 100), 1.0);
        assert_eq!(share(&COSINE, &config(1.0, 0.1), 1, 1), 1.0);
    }
}
