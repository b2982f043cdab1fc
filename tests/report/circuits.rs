//! Made-up tables of the probes of weights and circuits, for the gallery.

use crate::probes::{STEPS, analysis, heads, noise, rise};
use indhead::record::{Analysis, Cell, Table};

/// One analysis of each.
pub fn all(layer: u64) -> Vec<Analysis> {
    vec![
        analysis("copying", "copying", "", vec![copying(layer), chance(layer)]),
        ov_eigenvalues(layer),
        composition(),
    ]
}

/// Scores of the heads of layers 0 and 1, two each.
pub fn two_layers(unit: &str, score: &dyn Fn(u64, [u64; 2]) -> f64) -> Table {
    let mut table = heads(unit, |s, h| score(s, [0, h]), 0);
    table.rows.extend(heads(unit, |s, h| score(s, [1, h]), 1).rows);
    table
}

/// Head 0 comes to copy.
fn copying(layer: u64) -> Table {
    let score = |s, h| -0.85 + (h == 0) as u64 as f64 * 1.7 * rise(s) + 0.05 * noise(s + h);
    heads("from −1 to 1", score, layer)
}

/// What the sample's other tokens get: the same from both heads.
fn chance(layer: u64) -> Table {
    let mut table = heads("from −1 to 1", |_, _| -0.86, layer);
    table.name = "chance".into();
    table
}

/// Head 0 comes to copy: its eigenvalues go to the right.
fn ov_eigenvalues(layer: u64) -> Analysis {
    let score = |s, h| (h == 0) as u64 as f64 * 0.9 * rise(s) - 0.1 + 0.1 * noise(s + h);
    let columns =
        [("step", ""), ("tokens", "tokens"), ("layer", ""), ("head", ""), ("re", "logits"), ("im", "logits")];
    let mut table = Table::new("eigenvalues", &columns);
    for (step, head) in STEPS.into_iter().flat_map(|s| (0..2u64).map(move |h| (s, h))) {
        for pair in 0..12u64 {
            let size = 30.0 / (1.0 + 0.5 * pair as f64);
            let spread = if head == 0 { 1.6 - 1.2 * rise(step) } else { 3.0 };
            let angle = spread * (noise(100 * head + pair) + 0.5);
            for sign in [1.0, -1.0] {
                let number = [size * angle.cos(), sign * size * angle.sin()].map(Cell::from);
                let place = [Cell::from(step), (4096 * step).into(), layer.into(), head.into()];
                table.push(place.into_iter().chain(number));
            }
        }
    }
    analysis("ov_eigenvalues", "ov_eigenvalues", "", vec![heads("Σ Re λ / Σ |λ|", score, layer), table])
}

/// The keys of head 1.0 come to read what head 0.1 writes.
fn composition() -> Analysis {
    let columns = [
        ("step", ""),
        ("tokens", "tokens"),
        ("earlier_layer", ""),
        ("earlier_head", ""),
        ("layer", ""),
        ("head", ""),
        ("term", ""),
        ("ratio", "ratio of norms"),
        ("score", "ratio of norms above chance"),
    ];
    let mut table = Table::new("composition", &columns);
    for (step, term) in STEPS.into_iter().flat_map(|s| ["Q", "K", "V"].map(|term| (s, term))) {
        for (earlier, later) in (0..2u64).flat_map(|e| (0..2u64).map(move |l| (e, l))) {
            let reads = term == "K" && (earlier, later) == (1, 0);
            let seed = step + 10 * earlier + 100 * later + u64::from(term.as_bytes()[0]);
            let score = if reads { 0.21 * rise(step) } else { 0.02 } + 0.03 * noise(seed);
            let place = [step, 4096 * step, 0, earlier, 1, later].map(Cell::from);
            table.push(place.into_iter().chain([term.into(), (score + 0.12).into(), score.into()]));
        }
    }
    analysis("composition", "composition", "samples = 32", vec![table])
}
