//! Tidy tables: what probes emit, and all that figures, templates and comparisons consume.

use serde::{Deserialize, Serialize};

/// One observation a row, one variable a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What a row is, in the plural: `heads`, `positions`, `pattern`.
    pub name: String,
    /// The variables, in the order of each row's cells.
    pub columns: Vec<Column>,
    /// The observations; every row has one cell a column.
    pub rows: Vec<Vec<Cell>>,
}

/// A variable of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, in the field's words.
    pub name: String,
    /// Its unit (`nats`, `tokens`, `share`), empty for names and indices.
    pub unit: String,
}

/// One value. JSON has no NaN or infinity: a number that is not finite becomes [`Cell::Missing`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// A count or an index.
    Integer(i64),
    /// A measurement.
    Number(f64),
    /// A name, a token.
    Text(String),
    /// Nothing was measured here.
    Missing(()),
}

impl Table {
    /// An empty table with the given `(name, unit)` columns.
    pub fn new(name: &str, columns: &[(&str, &str)]) -> Self {
        let column = |&(name, unit): &(&str, &str)| Column { name: name.to_string(), unit: unit.to_string() };
        Table { name: name.to_string(), columns: columns.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Appends a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        let row: Vec<Cell> = row.into_iter().collect();
        debug_assert_eq!(row.len(), self.columns.len(), "table `{}`", self.name);
        self.rows.push(row);
    }

    /// The position of a column, if the table has it.
    pub fn index(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == column)
    }

    /// The unit of a column, empty if it has none.
    pub fn unit(&self, column: &str) -> &str {
        self.index(column).map_or("", |i| &self.columns[i].unit)
    }

    /// A column's cells from the first row to the last; empty if there is no such column.
    pub fn column<'a>(&'a self, column: &str) -> impl Iterator<Item = &'a Cell> + 'a {
        let index = self.index(column);
        self.rows.iter().filter_map(move |row| row.get(index?))
    }

    /// A column's numbers, `NaN` where nothing was measured.
    pub fn numbers(&self, column: &str) -> Vec<f64> {
        self.column(column).map(|c| c.number().unwrap_or(f64::NAN)).collect()
    }

    /// The rows in which a column holds this value.
    pub fn filter(&self, column: &str, value: impl Into<Cell>) -> Table {
        let (index, value) = (self.index(column), value.into());
        let keep = |row: &&Vec<Cell>| index.and_then(|i| row.get(i)) == Some(&value);
        Table {
            name: self.name.clone(),
            columns: self.columns.clone(),
            rows: self.rows.iter().filter(keep).cloned().collect(),
        }
    }

    /// The distinct values of a column, in order of first appearance.
    pub fn distinct(&self, column: &str) -> Vec<Cell> {
        let mut seen: Vec<Cell> = Vec::new();
        for cell in self.column(column) {
            if !seen.contains(cell) {
                seen.push(cell.clone());
            }
        }
        seen
    }
}

impl Cell {
    /// The value as a number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Cell::Integer(i) => Some(*i as f64),
            Cell::Number(x) => Some(*x),
            Cell::Text(_) | Cell::Missing(()) => None,
        }
    }

    /// The value as a count, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Cell::Integer(i) => Some(*i),
            _ => None,
        }
    }

    /// The value as text, if it is text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Cell::Text(s) => Some(s),
            _ => None,
        }
    }
}

impl From<f64> for Cell {
    fn from(x: f64) -> Self {
        if x.is_finite() { Cell::Number(x) } else { Cell::Missing(()) }
    }
}
impl From<f32> for Cell {
    fn from(x: f32) -> Self {
        Cell::from(f64::from(x))
    }
}
impl From<usize> for Cell {
    fn from(x: usize) -> Self {
        Cell::Integer(x as i64)
    }
}
impl From<u64> for Cell {
    fn from(x: u64) -> Self {
        Cell::Integer(x as i64)
    }
}
impl From<i64> for Cell {
    fn from(x: i64) -> Self {
        Cell::Integer(x)
    }
}
impl From<&str> for Cell {
    fn from(x: &str) -> Self {
        Cell::Text(x.to_string())
    }
}
impl From<String> for Cell {
    fn from(x: String) -> Self {
        Cell::Text(x)
    }
}
