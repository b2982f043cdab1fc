//! Lists of tables laid beside one another, so that one inserted block is one insertion.

use toml::Value;

/// A place in the aligned list: the index of each list's item there, if it has one.
pub type Slot = Vec<Option<usize>>;

/// Aligns lists item by item: what costs least to turn each into the ones before it.
pub fn align(lists: &[&[Value]]) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for (n, list) in lists.iter().enumerate() {
        // Of each slot, the item that was last added to it stands for all.
        let known = |slot: &Slot| {
            let (of, item) = slot.iter().enumerate().rev().find_map(|(of, item)| Some((of, (*item)?)))?;
            lists[of].get(item)
        };
        let row: Vec<Option<&Value>> = slots.iter().map(known).collect();
        let mut merged = Vec::new();
        for (slot, item) in pairs(&row, list) {
            let mut entry = slot.map_or_else(|| vec![None; n], |slot| slots[slot].clone());
            entry.push(item);
            merged.push(entry);
        }
        slots = merged;
    }
    slots
}

/// What an insertion or a removal costs; a pair costs what differs in it, and a pair of other kinds
/// more than one of these and less than both.
const GAP: u64 = 1000;

/// The cheapest alignment of two lists (Needleman & Wunsch 1970).
fn pairs(old: &[Option<&Value>], new: &[Value]) -> Vec<(Option<usize>, Option<usize>)> {
    let (rows, columns) = (old.len(), new.len());
    let mut cost = vec![vec![0u64; columns + 1]; rows + 1];
    for i in 0..=rows {
        for j in 0..=columns {
            let up = (i > 0).then(|| cost[i - 1][j] + GAP);
            let left = (j > 0).then(|| cost[i][j - 1] + GAP);
            let both = (i > 0 && j > 0).then(|| cost[i - 1][j - 1] + difference(old[i - 1], &new[j - 1]));
            cost[i][j] = [both, up, left].into_iter().flatten().min().unwrap_or(0);
        }
    }
    let (mut i, mut j, mut found) = (rows, columns, Vec::new());
    while i > 0 || j > 0 {
        let here = cost[i][j];
        if i > 0 && j > 0 && here == cost[i - 1][j - 1] + difference(old[i - 1], &new[j - 1]) {
            (i, j) = (i - 1, j - 1);
            found.push((Some(i), Some(j)));
        } else if j > 0 && here == cost[i][j - 1] + GAP {
            j -= 1;
            found.push((None, Some(j)));
        } else {
            i -= 1;
            found.push((Some(i), None));
        }
    }
    found.reverse();
    found
}

fn difference(old: Option<&Value>, new: &Value) -> u64 {
    let Some(old) = old else { return 2 * GAP };
    if old.get("kind") != new.get("kind") {
        return GAP * 3 / 2;
    }
    let (Some(a), Some(b)) = (old.as_table(), new.as_table()) else { return 0 };
    let changed = a.iter().filter(|(key, value)| b.get(*key) != Some(value)).count();
    let added = b.keys().filter(|key| !a.contains_key(*key)).count();
    (changed + added).min(9) as u64 * 100
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks by letter (the kind) and digit (a key).
    fn blocks(words: &str) -> Vec<Value> {
        let block = |word: &str| {
            let (kind, n) = word.split_at(1);
            Value::Table(toml::from_str(&format!("kind = \"{kind}\"\nn = {n}")).unwrap())
        };
        words.split_whitespace().map(block).collect()
    }

    fn aligned(lists: &[&str]) -> Vec<String> {
        let lists: Vec<Vec<Value>> = lists.iter().map(|words| blocks(words)).collect();
        let lists: Vec<&[Value]> = lists.iter().map(Vec::as_slice).collect();
        let index = |i: &Option<usize>| i.map_or("-".to_string(), |i| i.to_string());
        align(&lists).iter().map(|slot| slot.iter().map(index).collect()).collect()
    }

    #[test]
    fn an_insertion_is_no_cascade() {
        assert_eq!(aligned(&["a1 a1", "c2 a1 a1"]), ["-0", "01", "12"]);
        assert_eq!(aligned(&["a1 a1", "a1 m1 a1"]), ["00", "-1", "12"]);
        assert_eq!(aligned(&["a1 m1 a1 m1", "a1 a1"]), ["00", "1-", "21", "3-"]);
        assert_eq!(aligned(&["a1 a8", "a8"]), ["0-", "10"]);
        assert_eq!(aligned(&["a1", ""]), ["0-"]);
    }

    #[test]
    fn what_is_changed_in_place_stays_in_place() {
        assert_eq!(aligned(&["a1 a2", "a3 a2"]), ["00", "11"]);
        assert_eq!(aligned(&["c1 a2", "a2 a2"]), ["00", "11"]);
        assert_eq!(aligned(&["c1 a2", "a2 c1"]), ["0-", "10", "-1"]);
    }

    #[test]
    fn more_than_two_lists_share_their_slots() {
        assert_eq!(aligned(&["c1 a1", "a1", "c1 a1 m1"]), ["0-0", "101", "--2"]);
    }
}
