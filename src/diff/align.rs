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

/// What an alignment costs, the first number counting most: items that are not kept as they are, insertions and
/// removals, changed keys.
type Cost = [usize; 3];

/// An insertion or a removal.
const GAP: Cost = [1, 1, 0];

/// The cheapest alignment of two lists (Needleman & Wunsch 1970).
fn pairs(old: &[Option<&Value>], new: &[Value]) -> Vec<(Option<usize>, Option<usize>)> {
    let (rows, columns) = (old.len(), new.len());
    let mut cost = vec![vec![[0; 3]; columns + 1]; rows + 1];
    let pair = |i: usize, j: usize| difference(old[i]?, &new[j]);
    for i in 0..=rows {
        for j in 0..=columns {
            let up = (i > 0).then(|| sum(cost[i - 1][j], GAP));
            let left = (j > 0).then(|| sum(cost[i][j - 1], GAP));
            let both = if i > 0 && j > 0 { pair(i - 1, j - 1) } else { None };
            let both = both.map(|both| sum(cost[i - 1][j - 1], both));
            cost[i][j] = [both, up, left].into_iter().flatten().min().unwrap_or_default();
        }
    }
    let (mut i, mut j, mut found) = (rows, columns, Vec::new());
    while i > 0 || j > 0 {
        let here = cost[i][j];
        let both = if i > 0 && j > 0 { pair(i - 1, j - 1) } else { None };
        if both.is_some_and(|both| here == sum(cost[i - 1][j - 1], both)) {
            (i, j) = (i - 1, j - 1);
            found.push((Some(i), Some(j)));
        } else if j > 0 && here == sum(cost[i][j - 1], GAP) {
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

fn sum(a: Cost, b: Cost) -> Cost {
    std::array::from_fn(|i| a[i] + b[i])
}

/// What turning one into the other costs; another kind is another item.
fn difference(old: &Value, new: &Value) -> Option<Cost> {
    if old.get("kind") != new.get("kind") {
        return None;
    }
    let (Some(a), Some(b)) = (old.as_table(), new.as_table()) else { return Some([0; 3]) };
    let changed = a.iter().filter(|(key, value)| b.get(*key) != Some(value)).count();
    let added = b.keys().filter(|key| !a.contains_key(*key)).count();
    Some(if changed + added == 0 { [0; 3] } else { [2, 0, changed + added] })
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
        assert_eq!(aligned(&["c1 a2", "a2 c1"]), ["0-", "10", "-1"]);
    }

    #[test]
    fn what_is_the_same_is_kept_and_another_kind_is_another_item() {
        assert_eq!(aligned(&["c2 a2", "a2 a4"]), ["0-", "10", "-1"]);
        assert_eq!(aligned(&["a2 a4", "c2 a2"]), ["-0", "01", "1-"]);
        assert_eq!(aligned(&["c1 a2", "a4 a2 a2"]), ["0-", "-0", "-1", "12"]);
        assert_eq!(aligned(&["c1", "a1"]), ["0-", "-0"]);
        assert_eq!(aligned(&["c1 a2", "m1 a3"]), ["0-", "-0", "11"]);
    }

    #[test]
    fn more_than_two_lists_share_their_slots() {
        assert_eq!(aligned(&["c1 a1", "a1", "c1 a1 m1"]), ["0-0", "101", "--2"]);
    }
}
