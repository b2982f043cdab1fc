//! Training and validation loss over the tokens of training.

use super::axis::{Axis, drawable};
use super::chart::{Chart, Series};
use super::tables::Points;
use super::{Figure, FigureError, FigureKind, chart, colour, tables};
use crate::record::Record;

/// The loss over training.
pub const KIND: FigureKind = FigureKind {
    name: "loss",
    reading: "The mean loss of every step's batch (faint), its centred moving average over a tenth \
              of the steps so far to either side (dark), and the loss on held-out text (dots). A \
              bump or a bend where the heads form is the phase change as the loss sees it.",
    example: "[training]\nvalidation_sequences = 64",
    draw,
};

fn draw(record: &Record) -> Result<Vec<Figure>, FigureError> {
    let title = "Loss over training".to_string();
    let every = tables::curve(&record.metrics, "tokens", "loss")?;
    let every: Vec<_> = every.into_iter().filter(|p| drawable(p.1)).collect();
    let held_out = match record.metrics.index("validation_loss") {
        Some(_) => tables::curve(&record.metrics, "tokens", "validation_loss")?,
        None => Vec::new(),
    };
    let held_out: Vec<_> = held_out.into_iter().filter(|p| drawable(p.1)).collect();
    let smooth = smoothed(&every);
    let x = Axis::tokens(every.iter().chain(&held_out).map(|p| p.0));
    let y = Axis::around(every.iter().chain(&held_out).map(|p| p.1), "loss (nats a token)");
    let validation = Series { dots: true, ..Series::new("held-out text", colour::LINES[1], held_out) };
    let raw = Series {
        label: None,
        opacity: 0.35,
        width: 1.0,
        ..Series::new("", colour::LINES[0], thinned(&every, &x))
    };
    let series = vec![raw, Series::new("training", colour::LINES[0], thinned(&smooth, &x)), validation];
    let marks = tables::phase_change(record).into_iter().collect();
    let chart = Chart { x, y, series, marks, height: 260.0 };
    if chart.is_empty() {
        return Ok(Vec::new());
    }
    let svg = chart::page(&title, &[chart])?;
    let (name, reading) = (KIND.name.to_string(), KIND.reading.to_string());
    Ok(vec![Figure { name, title, reading, svg }])
}

/// The mean over a window that grows with the steps, as long to either side, so that it lags behind
/// nothing.
fn smoothed(points: &[(f64, f64)]) -> Points {
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(points.iter().scan(0.0, |sum, p| {
            *sum += p.1;
            Some(*sum)
        }))
        .collect();
    let mean = |(i, point): (usize, &(f64, f64))| {
        let (from, to) = (i - i / 10, (i + i / 10 + 1).min(points.len()));
        (point.0, (sums[to] - sums[from]) / (to - from) as f64)
    };
    points.iter().enumerate().map(mean).collect()
}

/// Of the points that share a pixel of the axis, the first, the lowest, the highest and the last.
fn thinned(points: &[(f64, f64)], x: &Axis) -> Points {
    let pixel = |p: &(f64, f64)| (x.at(p.0) * 600.0) as i64;
    let mut thin = Vec::new();
    for group in points.chunk_by(|a, b| pixel(a) == pixel(b)) {
        let order = |&a: &usize, &b: &usize| group[a].1.total_cmp(&group[b].1);
        let low = (0..group.len()).min_by(order).unwrap_or(0);
        let high = (0..group.len()).max_by(order).unwrap_or(0);
        let mut kept = [0, low, high, group.len() - 1];
        kept.sort_unstable();
        let kept = kept.iter().enumerate().filter(|&(i, k)| i == 0 || kept[i - 1] != *k);
        thin.extend(kept.map(|(_, &k)| group[k]));
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_a_line_a_line() {
        let line: Vec<_> = (0..200).map(|i| (f64::from(i), 3.0 * f64::from(i))).collect();
        for (a, b) in smoothed(&line).iter().zip(&line).take(180) {
            assert!((a.1 - b.1).abs() < 1e-9, "{a:?} {b:?}");
        }
        assert!(smoothed(&[]).is_empty());
    }

    #[test]
    fn thinning_keeps_the_peaks() {
        let mut points: Vec<_> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        points[77_777].1 = 9.0;
        let thin = thinned(&points, &Axis::tokens([1e5]));
        assert!(thin.len() <= 2404 && thin.contains(&(77_777.0, 9.0)), "{}", thin.len());
    }
}
