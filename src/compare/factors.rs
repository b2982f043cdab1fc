//! What runs were varied by, and pairs of them that differ in one thing alone.

use crate::diff::Difference;

/// Keys whose values change together in a set of configurations: one thing, as far as these can tell.
#[derive(Debug)]
pub struct Factor {
    /// The keys; the first is the one that says most.
    rows: Vec<Difference>,
}

impl Factor {
    /// The key that says most.
    pub fn telling(&self) -> &Difference {
        &self.rows[0]
    }

    /// Every key of it.
    pub fn rows(&self) -> &[Difference] {
        &self.rows
    }

    /// The keys that say something of a configuration in a word: of positions that are none for the architecture and a
    /// bias in the first block, the block's.
    fn telling_of(&self, configuration: usize) -> Vec<&Difference> {
        let says = |row: &&Difference| !says_nothing(text(row, configuration));
        let short = |row: &&Difference| value(row, configuration).chars().count() <= 24;
        let mut rows: Vec<&Difference> = self.rows.iter().filter(says).filter(short).collect();
        rows.dedup_by_key(|row| (row.name.as_str(), value(row, configuration)));
        match rows.is_empty() {
            true => vec![self.rows.iter().find(says).unwrap_or_else(|| self.telling())],
            false => rows,
        }
    }

    /// Its value in a configuration, in words.
    pub fn value(&self, configuration: usize) -> String {
        let values = self.telling_of(configuration).into_iter().map(|row| value(row, configuration));
        values.collect::<Vec<_>>().join(", ")
    }

    /// `name = value`
    pub fn says(&self, configuration: usize) -> String {
        let says = |row: &Difference| match row.values[configuration] {
            Some(_) => format!("{} = {}", row.name, value(row, configuration)),
            None => format!("no {}", row.name),
        };
        self.telling_of(configuration).into_iter().map(says).collect::<Vec<_>>().join(", ")
    }

    fn is_same(&self, a: usize, b: usize) -> bool {
        text(self.telling(), a) == text(self.telling(), b)
    }
}

/// A key's value in a configuration, in words.
pub fn value(row: &Difference, configuration: usize) -> &str {
    row.values[configuration].as_ref().map_or("–", |shown| shown.text.trim_matches('"'))
}

fn text(row: &Difference, configuration: usize) -> Option<&str> {
    row.values[configuration].as_ref().map(|shown| shown.text.as_str())
}

/// The keys that differ, those that change together as one.
pub fn factors(rows: Vec<Difference>) -> Vec<Factor> {
    // For every configuration the first that has the same value.
    let partition = |row: &Difference| -> Vec<usize> {
        let first = |i: usize| (0..i).find(|&j| text(row, j) == text(row, i)).unwrap_or(i);
        (0..row.values.len()).map(first).collect()
    };
    let mut factors: Vec<(Vec<usize>, Factor)> = Vec::new();
    for row in rows {
        let partition = partition(&row);
        match factors.iter_mut().find(|(other, _)| *other == partition) {
            Some((_, factor)) => factor.rows.push(row),
            None => factors.push((partition, Factor { rows: vec![row] })),
        }
    }
    let mut factors: Vec<Factor> = factors.into_iter().map(|(_, factor)| factor).collect();
    for factor in &mut factors {
        // Of `positions = "none"` and a block's `positions = "relative_bias"` the second says what there is.
        factor.rows.sort_by_key(|row| (0..row.values.len()).filter(|&i| says_nothing(text(row, i))).count());
    }
    factors
}

fn says_nothing(value: Option<&str>) -> bool {
    matches!(value, None | Some("\"none\"" | "false" | "0" | "0.0"))
}

/// A change of one factor, all else being equal: from a configuration to a later one.
pub struct Change {
    /// Which factor.
    pub factor: usize,
    /// The configurations.
    pub between: [usize; 2],
}

/// Every pair of configurations that differ in one factor alone, by factor. Where that factor takes many values,
/// each is set beside the first.
pub fn changes(factors: &[Factor], configurations: usize) -> Vec<Change> {
    let mut changes = Vec::new();
    for (factor, changed) in factors.iter().enumerate() {
        let others = || factors.iter().enumerate().filter(|(i, _)| *i != factor).map(|(_, other)| other);
        let pair = |a: usize, b: usize| !changed.is_same(a, b) && others().all(|other| other.is_same(a, b));
        for b in 0..configurations {
            changes.extend((0..b).find(|&a| pair(a, b)).map(|a| Change { factor, between: [a, b] }));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Shown;

    fn row(name: &str, values: &[&str]) -> Difference {
        let shown = |v: &&str| {
            (!v.is_empty()).then(|| Shown {
                text: v.to_string(),
                value: serde_json::Value::Null,
                origin: None,
            })
        };
        Difference { table: String::new(), name: name.into(), values: values.iter().map(shown).collect() }
    }

    #[test]
    fn keys_that_change_together_are_one_thing_named_by_what_says_most() {
        let rows = vec![
            row("positions", &["\"learned\"", "\"learned\"", "\"none\"", "\"none\""]),
            row("lr", &["0.001", "0.01", "0.001", "0.01"]),
            row(
                "blocks[0].positions",
                &["\"learned\"", "\"learned\"", "\"relative_bias\"", "\"relative_bias\""],
            ),
        ];
        let factors = factors(rows);
        let names: Vec<&str> = factors.iter().map(|factor| factor.telling().name.as_str()).collect();
        assert_eq!(names, ["blocks[0].positions", "lr"]);
        assert_eq!(factors[0].says(3), "blocks[0].positions = relative_bias");
        let changes: Vec<(usize, [usize; 2])> =
            changes(&factors, 4).iter().map(|change| (change.factor, change.between)).collect();
        assert_eq!(changes, [(0, [0, 2]), (0, [1, 3]), (1, [0, 1]), (1, [2, 3])]);
    }

    #[test]
    fn no_key_that_changes_is_left_out_of_what_a_configuration_is_called() {
        let factors = factors(vec![row("embedding_std", &["0.02", "0.5"]), row("lr", &["0.01", "0.001"])]);
        assert_eq!(factors.len(), 1);
        assert_eq!(factors[0].says(1), "embedding_std = 0.5, lr = 0.001");
        assert_eq!(factors[0].value(0), "0.02, 0.01");
    }

    #[test]
    fn a_configuration_is_called_by_what_there_is() {
        let factors = factors(vec![
            row("positions", &["\"learned\"", "\"none\""]),
            row("first.positions", &["\"none\"", "\"relative_bias\""]),
        ]);
        let said = [0, 1].map(|configuration| factors[0].says(configuration));
        assert_eq!(said, ["positions = learned", "first.positions = relative_bias"]);
    }

    #[test]
    fn configurations_that_differ_in_two_things_are_no_pair() {
        let factors = factors(vec![row("a", &["1", "2", "2"]), row("b", &["1", "2", "1"])]);
        let changes: Vec<[usize; 2]> = changes(&factors, 3).iter().map(|change| change.between).collect();
        assert_eq!(changes, [[0, 2], [1, 2]]);
    }
}
