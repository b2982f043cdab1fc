//! Numbers out of tables, whatever state they are in.

use super::FigureError;
use super::axis::drawable;
use super::chart::Mark;
use super::{heads, text};
use crate::record::{Analysis, Outcome, Record, Table};

/// The points of a line.
pub type Points = Vec<(f64, f64)>;

/// Lines, each with what its points have in common.
pub type Groups<const N: usize> = Vec<([i64; N], Points)>;

/// The named columns of every row, `NaN` where there is no number.
pub fn numbers<const N: usize>(table: &Table, columns: [&str; N]) -> Result<Vec<[f64; N]>, FigureError> {
    let mut at = [0; N];
    for (at, column) in at.iter_mut().zip(columns) {
        *at = table
            .index(column)
            .ok_or_else(|| FigureError::NoColumn { table: table.name.clone(), column: column.to_string() })?;
    }
    let number = |row: &Vec<_>, i: usize| row.get(i).and_then(crate::record::Cell::number);
    let row = |row: &Vec<_>| at.map(|i| number(row, i).unwrap_or(f64::NAN));
    Ok(table.rows.iter().map(row).collect())
}

/// One column against another, from left to right.
pub fn curve(table: &Table, x: &str, y: &str) -> Result<Points, FigureError> {
    let rows = numbers(table, [x, y])?;
    Ok(sorted(rows.into_iter().map(|[x, y]| (x, y)).collect()))
}

/// The points in the order of their horizontal places, those without one left out.
pub fn sorted(mut points: Points) -> Points {
    points.retain(|p| drawable(p.0));
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// The number in the rows whose other columns are all of this group's: `(group, points)` in the
/// order of the groups.
pub fn grouped<const N: usize>(rows: impl IntoIterator<Item = ([f64; N], (f64, f64))>) -> Groups<N> {
    let mut groups: std::collections::BTreeMap<[i64; N], Points> = Default::default();
    for (group, point) in rows {
        if group.iter().all(|&x| drawable(x)) {
            groups.entry(group.map(|x| x as i64)).or_default().push(point);
        }
    }
    groups.into_iter().map(|(group, points)| (group, sorted(points))).collect()
}

/// The step of the last checkpoint in a table.
pub fn last_step(table: &Table) -> Option<f64> {
    super::axis::range(table.numbers("step")).map(|(_, last)| last)
}

/// The phase change, where the verdict names one. Only where heads formed is it called that.
pub fn phase_change(record: &Record) -> Option<Mark> {
    let verdict = record.verdict.as_ref()?;
    let change = verdict.phase_change.as_ref()?;
    let (from, to) = (change.from_tokens as f64, change.to_tokens as f64);
    let name = match verdict.verdict {
        Outcome::Found => "phase change",
        Outcome::NotFound | Outcome::Inconclusive => "in-context learning moves most",
    };
    let key = format!("{name}: {}–{} tokens", text::count(from), text::count(to));
    Some(Mark::Band(from, to, key))
}

/// The threshold the verdict holds copying to, on the score's own scale: it counts from chance, which is nearly the
/// same for all heads. None where chance was not measured.
///
/// # Errors
/// If the table of chance is not one of heads.
pub fn copying_threshold(record: &Record, copying: &Analysis) -> Result<Option<Mark>, FigureError> {
    let chance = copying.table("chance").map(heads::last).transpose()?.unwrap_or_default();
    let chance = chance.iter().map(|(_, score)| score).sum::<f64>() / chance.len() as f64;
    Ok(match threshold(record, &["copying"]) {
        Some(Mark::Level(value, key)) if chance.is_finite() => {
            let key = key.replace("threshold", "threshold, copying");
            let key = format!("{key} above chance, which is {}", text::decimal(chance, 2));
            Some(Mark::Level(chance + value, key))
        }
        _ => None,
    })
}

/// The threshold the verdict holds a measure to.
pub fn threshold(record: &Record, measures: &[&str]) -> Option<Mark> {
    let criteria = &record.verdict.as_ref()?.criteria;
    let of = |measure: &&str| criteria.iter().find(|c| c.measure == **measure);
    let criterion = measures.iter().find_map(of).filter(|c| drawable(c.threshold))?;
    let unit = match criterion.unit.as_str() {
        unit @ ("" | "nats") => unit,
        _ => "", // the axis says it
    };
    let key = format!("the verdict's threshold: {} {unit}", criterion.threshold);
    Some(Mark::Level(criterion.threshold, key.trim_end().to_string()))
}
