//! The path that a model takes through the space of its losses.

use super::{Context, ProbeKind, mean};
use crate::error::Result;
use crate::record::{Cell, Table};
use crate::spec::{Checking, Default, Key, Kind, Type};
use nalgebra::{DMatrix, SymmetricEigen};
use serde::Deserialize;

/// The registry's entry.
pub const KIND: ProbeKind = ProbeKind {
    version: 1,
    kind: Kind {
        name: "loss_pca",
        doc: "Olsson et al. 2022: the losses of many held-out tokens are a point at every checkpoint; \
              the checkpoints' points on the two principal components of all of them, and the share \
              of the variance each explains. Every token of the windows is taken, where the paper takes \
              one an example. Nats, root mean square over tokens; each axis points so that the last \
              checkpoint lies above the first. The path turns at a phase change.",
        example: "probe = \"loss_pca\"",
        keys: &[Key {
            name: "sequences",
            ty: Type::Integer(1, 1000),
            default: Default::Value("32"),
            doc: "held-out windows whose losses are taken",
        }],
        traits: &[],
        check,
    },
    measure,
    finish: Some(finish),
};

fn check(cx: &mut Checking<'_>) {
    if cx.text("at") == Some("final") {
        cx.error("at", "one checkpoint is no path", "leave `at` out, or write \"every\"");
    }
}

#[derive(Debug, Deserialize)]
struct Config {
    sequences: usize,
}

/// The losses at one checkpoint, a row a prediction.
fn measure(cx: &Context<'_>) -> Result<Vec<Table>> {
    let Config { sequences } = cx.config()?;
    let losses = cx.subject.losses(&cx.material.validation(sequences))?;
    let columns = [("step", "steps"), ("tokens", "tokens"), ("loss", "nats")];
    let mut table = Table::new("losses", &columns);
    losses.iter().flatten().for_each(|&loss| table.push(cx.row([loss.into()])));
    Ok(vec![table])
}

/// The losses of all checkpoints to their path. A checkpoint with a loss that is no number is no
/// place on it.
fn finish(tables: Vec<Table>) -> Vec<Table> {
    let rows = tables.iter().filter(|table| table.name == "losses").flat_map(|table| &table.rows);
    let rows: Vec<&[Cell]> = rows.map(Vec::as_slice).filter(|row| row.len() == 3).collect();
    let (mut places, mut points) = (Vec::new(), Vec::<Vec<f64>>::new());
    for checkpoint in rows.chunk_by(|a, b| a[0] == b[0]) {
        let losses: Option<Vec<f64>> = checkpoint.iter().map(|row| row[2].number()).collect();
        if let Some(losses) = losses.filter(|losses| points.first().is_none_or(|p| p.len() == losses.len())) {
            places.push([checkpoint[0][0].clone(), checkpoint[0][1].clone()]);
            points.push(losses);
        }
    }
    let components = principal(&points);
    let names = ["component_1", "component_2"];
    let mut path = Table::new(
        "path",
        &[("step", "steps"), ("tokens", "tokens"), (names[0], "nats"), (names[1], "nats")],
    );
    for (i, place) in places.into_iter().enumerate() {
        path.push(place.into_iter().chain(components.iter().map(|(_, along)| along[i].into())));
    }
    let mut explained = Table::new("explained", &[("component", ""), ("share", "share of variance")]);
    for (name, (share, _)) in names.into_iter().zip(components) {
        explained.push([name.into(), share.into()]);
    }
    vec![path, explained]
}

/// The two principal components of points: the share of variance each explains, and where each
/// point lies along it, root mean square over coordinates.
///
/// The points are few and their coordinates many: the eigenvectors of the small matrix of inner
/// products give the same components as those of the covariance.
fn principal(points: &[Vec<f64>]) -> [(f64, Vec<f64>); 2] {
    let (n, width) = (points.len(), points.first().map_or(0, Vec::len));
    let centre: Vec<f64> = (0..width).map(|j| mean(points.iter().map(|p| p[j]))).collect();
    let centred: Vec<Vec<f64>> =
        points.iter().map(|p| p.iter().zip(&centre).map(|(x, c)| x - c).collect()).collect();
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / width as f64;
    let products = DMatrix::from_fn(n, n, |i, j| inner(&centred[i], &centred[j]));
    let none = || (f64::NAN, vec![0.0; n]);
    let total = products.trace();
    if !total.is_finite() || total <= 0.0 {
        return [none(), none()];
    }
    let Some(eigen) = SymmetricEigen::try_new(products, f64::EPSILON, 10_000) else {
        return [none(), none()];
    };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    [0, 1].map(|k| {
        let Some(&k) = order.get(k) else { return none() };
        let value = eigen.eigenvalues[k].max(0.0);
        let vector = eigen.eigenvectors.column(k);
        let length = if vector[n - 1] < vector[0] { -value.sqrt() } else { value.sqrt() };
        (value / total, vector.iter().map(|x| length * x).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    fn close(ours: &[f64], theirs: &[f64]) {
        let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9;
        assert!(ours.len() == theirs.len() && ours.iter().zip(theirs).all(near), "{ours:?} {theirs:?}");
    }

    #[test]
    fn a_straight_path_has_one_component() {
        // Along (3, 4)/5, whose root mean square is 1/√2.
        let at = |x: f64| vec![7.0 + 3.0 * x, 1.0 + 4.0 * x];
        let [(first, along), (second, across)] = principal(&[at(0.0), at(-1.0), at(4.0)]);
        close(&[first, second], &[1.0, 0.0]);
        close(&along, &[-1.0, -2.0, 3.0].map(|x| x * 5.0 / 2f64.sqrt()));
        assert!(across.iter().all(|x| x.abs() < 1e-6), "{across:?}");
    }

    #[test]
    fn a_bent_path_keeps_its_distances() {
        let points = [vec![0.0, 0.0, 5.0], vec![-6.0, 0.0, 5.0], vec![-6.0, 1.0, 5.0], vec![-6.0, 2.0, 5.0]];
        let [(first, x), (second, y)] = principal(&points);
        assert!(first > second && (first + second - 1.0).abs() < 1e-9, "{first} {second}");
        let apart = |i: usize, j: usize| (x[i] - x[j]).hypot(y[i] - y[j]);
        // Root mean square over three coordinates.
        close(&[apart(0, 1), apart(1, 3)], &[6.0 / 3f64.sqrt(), 2.0 / 3f64.sqrt()]);
        assert!(x[3] > x[0] && y[3] > y[0]);
    }

    #[test]
    fn what_is_no_path_has_no_components() {
        for points in [vec![], vec![vec![1.0, 2.0]], vec![vec![1.0]; 3], vec![vec![]; 2]] {
            let n = points.len();
            for (share, along) in principal(&points) {
                assert!(share.is_nan());
                assert_eq!(along, vec![0.0; n]);
            }
        }
    }

    #[test]
    fn checkpoints_become_a_path_without_those_that_broke() {
        let bench = Bench::new(8, 20);
        let measured = bench.measure(&KIND, "sequences = 1", &|s| vec![0.0; s.len() * s.len()]);
        assert_eq!(measured[0].rows.len(), 8);
        let mut all = measured[0].clone();
        for (step, by) in [(4, 1.0), (5, f64::NAN), (6, 2.0)] {
            let moved = measured[0].numbers("loss").into_iter().map(|loss| Cell::from(loss - by));
            moved.for_each(|loss| all.push([Cell::Integer(step), Cell::Integer(100 * step), loss]));
        }
        let [path, explained] = &finish(vec![all])[..] else { panic!() };
        assert_eq!(path.numbers("step"), [3.0, 4.0, 6.0]);
        // Every loss falls by one: so does the root mean square.
        close(&path.numbers("component_1"), &[-1.0, 0.0, 1.0]);
        close(&explained.numbers("share"), &[1.0, 0.0]);
    }
}
