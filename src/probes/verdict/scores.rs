//! Looking heads up in the tables of a verdict's evidence.

use crate::record::{Cell, Table};

/// `(layer, head)`
pub type Head = (usize, usize);

/// The tables that scores are looked up in.
pub struct Scores<'a> {
    pub random: Option<&'a Table>,
    pub passages: Option<&'a Table>,
    pub previous: Option<&'a Table>,
    pub copying: Option<&'a Table>,
    /// By zero, and with patterns preserved.
    pub ablation: [Option<&'a Table>; 2],
    pub offsets: Option<&'a Table>,
    pub last_step: u64,
}

impl Scores<'_> {
    /// Every head that any table knows, in order.
    pub fn heads(&self) -> Vec<Head> {
        let tables = [self.random, self.passages, self.previous, self.copying];
        let mut heads: Vec<Head> = tables
            .into_iter()
            .chain(self.ablation)
            .flatten()
            .flat_map(|t| t.rows.iter().filter_map(|r| head_of(t, r)))
            .collect();
        heads.sort_unstable();
        heads.dedup();
        heads
    }

    /// The offset after an earlier occurrence that a head attends to most at the last checkpoint.
    pub fn best_offset(&self, head: Head) -> Option<(i64, f64)> {
        let table = self.offsets?;
        let (step, offset, score) = (table.index("step")?, table.index("offset")?, table.index("score")?);
        let of_head =
            |row: &&Vec<Cell>| head_of(table, row) == Some(head) && row[step] == Cell::from(self.last_step);
        let rows = table.rows.iter().filter(of_head);
        let pairs = rows.filter_map(|row| Some((row[offset].integer()?, row[score].number()?)));
        pairs.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The first checkpoint from which the head's prefix matching stayed at the threshold or above.
    pub fn formed(&self, head: Head, threshold: f64) -> Option<(u64, u64)> {
        let series = |table: Option<&Table>| -> Vec<(u64, u64, f64)> {
            let Some(table) = table else { return Vec::new() };
            let column = |name: &str| table.index(name);
            let (Some(step), Some(tokens), Some(score)) = (column("step"), column("tokens"), column("score"))
            else {
                return Vec::new();
            };
            let rows = table.rows.iter().filter(|row| head_of(table, row) == Some(head));
            let point = |row: &Vec<Cell>| {
                Some((row[step].integer()? as u64, row[tokens].integer()? as u64, row[score].number()?))
            };
            rows.filter_map(point).collect()
        };
        let (random, passages) = (series(self.random), series(self.passages));
        let best = |&(step, tokens, score): &(u64, u64, f64)| {
            let other = passages.iter().find(|p| p.0 == step).map_or(score, |p| p.2);
            (step, tokens, score.max(other))
        };
        let points: Vec<(u64, u64, f64)> = random.iter().map(best).collect();
        let stayed = points.iter().rev().take_while(|p| p.2 >= threshold);
        stayed.last().map(|&(step, tokens, _)| (step, tokens))
    }
}

fn head_of(table: &Table, row: &[Cell]) -> Option<Head> {
    let index = |name: &str| row.get(table.index(name)?)?.integer();
    Some((index("layer")? as usize, index("head")? as usize))
}

/// A head's score at a step.
pub fn score(table: Option<&Table>, head: Head, step: u64) -> Option<f64> {
    cell(table, head, step)?.number()
}

/// Whether a head was measured at a step, be the outcome a number or not.
pub fn measured(table: Option<&Table>, head: Head, step: u64) -> bool {
    cell(table, head, step).is_some()
}

fn cell(table: Option<&Table>, head: Head, step: u64) -> Option<&Cell> {
    let table = table?;
    let (at, score) = (table.index("step")?, table.index("score")?);
    let row = table.rows.iter().find(|r| r[at] == Cell::from(step) && head_of(table, r) == Some(head))?;
    row.get(score)
}
