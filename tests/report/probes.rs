//! Tables as the probes emit them, made up.

use indhead::record::{Analysis, Cell, Table};

/// Steps of the twelve checkpoints; 4096 tokens a step.
pub const STEPS: [u64; 12] = [0, 8, 32, 100, 175, 250, 350, 500, 700, 1000, 1250, 1464];
/// The unit of attention.
pub const SHARE: &str = "share of attention";
/// A number between −0.5 and 0.5 that looks random and never changes.
pub fn noise(seed: u64) -> f64 {
    let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

/// From 0 to 1 around step 280.
pub fn rise(step: u64) -> f64 {
    let at_start = 1.0 / (1.0 + (280.0f64 / 22.0).exp());
    1.0 / (1.0 + ((280.0 - step as f64) / 22.0).exp()) - at_start
}

pub fn analysis(probe: &str, id: &str, parameters: &str, tables: Vec<Table>) -> Analysis {
    Analysis {
        format: 1,
        probe: probe.into(),
        id: id.into(),
        definition: format!("The definition of {probe}, with its source."),
        parameters: parameters.parse().expect("parameters are TOML"),
        version: 1,
        measured_on: String::new(),
        tables,
    }
}

pub fn heads(unit: &str, score: impl Fn(u64, u64) -> f64, layer: u64) -> Table {
    let columns = [("step", ""), ("tokens", "tokens"), ("layer", ""), ("head", ""), ("score", unit)];
    let mut table = Table::new("heads", &columns);
    for step in STEPS {
        for head in 0..2 {
            let score = score(step, head);
            table.push([step.into(), (4096 * step).into(), layer.into(), head.into(), score.into()]);
        }
    }
    table
}

pub fn positions(loss: impl Fn(u64, u64) -> f64, last: u64) -> Table {
    let columns = [("step", ""), ("tokens", "tokens"), ("position", ""), ("loss", "nats")];
    let mut table = Table::new("positions", &columns);
    for step in STEPS {
        for position in 1..=last {
            let loss = loss(step, position) + 0.2 * noise(step * 1000 + position);
            table.push([step.into(), (4096 * step).into(), position.into(), loss.into()]);
        }
    }
    table
}

pub fn losses(name: &str, columns: [&str; 3], row: impl Fn(u64) -> [f64; 3]) -> Table {
    let mut all = vec![("step", ""), ("tokens", "tokens")];
    all.extend(columns.iter().filter(|c| !c.is_empty()).map(|c| (*c, "nats")));
    let mut table = Table::new(name, &all);
    for step in STEPS {
        let numbers = row(step).map(Cell::from);
        let row = [Cell::from(step), Cell::from(4096 * step)].into_iter().chain(numbers);
        table.push(row.take(all.len()));
    }
    table
}

/// An attention map of heads `layer.0` and `layer.1`; the first lands where an induction head does.
pub fn attention_map(tokens: &[&str], layer: u64, strength: f64) -> Analysis {
    let mut labels = Table::new("tokens", &[("position", ""), ("token", "")]);
    for (i, token) in tokens.iter().enumerate() {
        labels.push([i.into(), (*token).into()]);
    }
    let columns = [("layer", ""), ("head", ""), ("query", ""), ("key", ""), ("attention", SHARE)];
    let mut pattern = Table::new("pattern", &columns);
    for (head, strength) in [(0u64, strength), (1, 0.0)] {
        for query in 0..tokens.len() {
            let target = |key: usize| key > 0 && tokens[key - 1] == tokens[query];
            let targets = (0..=query).filter(|&key| target(key)).count();
            let strength = if targets == 0 { 0.0 } else { strength };
            let seed = |key: usize| head * 1_000_000 + (query * 1000 + key) as u64;
            let raw = |key: usize| match (head, key) {
                (0, 0) => 3.0,
                (0, _) => 0.6 + noise(seed(key)),
                _ => (-0.4 * (query - key) as f64).exp() * (1.0 + noise(seed(key))),
            };
            let sum: f64 = (0..=query).map(raw).sum();
            for key in 0..=query {
                let on = if target(key) { strength / targets as f64 } else { 0.0 };
                let share = on + (1.0 - strength) * raw(key) / sum;
                let share = Cell::from(share);
                pattern.push([layer.into(), head.into(), query.into(), key.into(), share]);
            }
        }
    }
    let text = toml::Value::String(tokens.concat());
    analysis("attention_map", "attention_map", &format!("text = {text}"), vec![labels, pattern])
}

pub fn conv_weights() -> Analysis {
    let columns =
        [("step", ""), ("tokens", "tokens"), ("layer", ""), ("offset", ""), ("norm", ""), ("share", "share")];
    let mut offsets = Table::new("offsets", &columns);
    for step in STEPS {
        for offset in 0..2u64 {
            let previous = 0.5 + 0.15 * rise(step) + 0.01 * noise(step);
            let share = if offset == 1 { previous } else { 1.0 - previous };
            let tokens = 4096 * step;
            let numbers = [(9.0 * share).into(), share.into()];
            offsets.push([step.into(), tokens.into(), 0u64.into(), offset.into()].into_iter().chain(numbers));
        }
    }
    let columns = [("layer", ""), ("channel", ""), ("offset", ""), ("norm", "")];
    let mut channels = Table::new("channels", &columns);
    for channel in 0..64u64 {
        for offset in 0..2u64 {
            let norm = 1.0 + noise(channel) * if offset == 1 { 1.6 } else { -1.4 };
            channels.push([0u64.into(), channel.into(), offset.into(), norm.into()]);
        }
    }
    analysis("conv_weights", "conv_weights", "", vec![offsets, channels])
}

pub fn offset_profile(layer: u64, strength: f64) -> Analysis {
    let columns =
        [("step", ""), ("tokens", "tokens"), ("layer", ""), ("head", ""), ("offset", ""), ("score", SHARE)];
    let mut table = Table::new("offsets", &columns);
    for step in STEPS {
        for (head, offset) in (0..2u64).flat_map(|h| (0..5u64).map(move |o| (h, o))) {
            let peak = if (head, offset) == (0, 1) { strength * rise(step) } else { 0.0 };
            let score = 0.02 + peak + 0.01 * noise(step + head * 10 + offset);
            let tokens = 4096 * step;
            table.push([step.into(), tokens.into(), layer.into(), head.into(), offset.into(), score.into()]);
        }
    }
    analysis("offset_profile", "offset_profile", "", vec![table])
}
