//! Plans laid over one another, key by key.

use super::align::{Slot, align};
use super::{Difference, Shown, Subject};
use crate::record::Origins;
use toml::{Table, Value};

/// A value of one subject, and where it stands in that subject's plan.
type Place<'a> = Option<(&'a Value, String)>;

/// Every key of every subject, with its value in each.
pub fn merge(subjects: &[Subject]) -> Vec<Difference> {
    let roots: Vec<Option<(&Table, String)>> =
        subjects.iter().map(|s| Some((&s.plan, String::new()))).collect();
    let mut merger = Merger { subjects, found: Vec::new() };
    merger.tables(&roots, "");
    merger.found
}

struct Merger<'a> {
    subjects: &'a [Subject],
    found: Vec<Difference>,
}

impl<'a> Merger<'a> {
    fn tables(&mut self, tables: &[Option<(&'a Table, String)>], shown: &str) {
        let mut keys: Vec<&str> = Vec::new();
        for (table, _) in tables.iter().flatten() {
            keys.extend(
                table.keys().map(String::as_str).filter(|key| !keys.contains(key)).collect::<Vec<_>>(),
            );
        }
        for key in keys {
            let join = |path: &str| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
            let values: Vec<Place<'a>> = tables
                .iter()
                .map(|of| of.as_ref().and_then(|(table, path)| Some((table.get(key)?, join(path)))))
                .collect();
            self.value(&values, shown, key);
        }
    }

    fn value(&mut self, values: &[Place<'a>], table: &str, key: &str) {
        let shown = if table.is_empty() { key.to_string() } else { format!("{table}.{key}") };
        let present = || values.iter().flatten().map(|(value, _)| *value);
        if present().all(Value::is_table) {
            let tables: Vec<_> = values.iter().map(as_table).collect();
            return self.tables(&tables, &shown);
        }
        let of_tables = |value: &Value| value.as_array().is_some_and(|a| a.iter().all(Value::is_table));
        let any = present().any(|value| value.as_array().is_some_and(|items| !items.is_empty()));
        if present().all(of_tables) && any {
            return self.lists(values, &shown);
        }
        self.leaf(values, table, key);
    }

    fn lists(&mut self, values: &[Place<'a>], shown: &str) {
        let items = |place: &Place<'a>| -> &'a [Value] {
            place.as_ref().and_then(|(value, _)| value.as_array()).map_or(&[], Vec::as_slice)
        };
        let lists: Vec<&[Value]> = values.iter().map(items).collect();
        let named = |item: &Value| item.get("id").and_then(Value::as_str).map(str::to_string);
        let slots = match lists.iter().copied().flatten().all(|item| named(item).is_some()) {
            true => by_name(&lists, named),
            false => align(&lists),
        };
        for (place, slot) in slots.iter().enumerate() {
            let item = |(at, list): (usize, &&'a [Value])| {
                let i = slot[at]?;
                let path = values[at].as_ref().map_or("", |(_, path)| path);
                Some((&list[i], format!("{path}.{i}")))
            };
            let items: Vec<Place<'a>> = lists.iter().enumerate().map(item).collect();
            let name = items.iter().flatten().find_map(|(item, _)| named(item));
            // Among many, an index is of one of them and would be read as of all.
            let index = index(slot).filter(|_| lists.len() <= 2 || slot.iter().all(Option::is_some));
            let name = name.or(index).unwrap_or_else(|| by_kind(&lists, &slots, place));
            let label = format!("{shown}[{name}]");
            match items.iter().all(Option::is_some) {
                true => self.tables(&items.iter().map(as_table).collect::<Vec<_>>(), &label),
                false => self.leaf(&items, "", &label),
            }
        }
    }

    fn leaf(&mut self, values: &[Place<'a>], table: &str, key: &str) {
        let place = |(subject, place): (&Subject, &Place<'a>)| {
            let (value, path) = place.as_ref()?;
            Some(Shown {
                text: said(value),
                value: serde_json::to_value(value).unwrap_or_default(),
                origin: origin(&subject.origins, path),
            })
        };
        let values = self.subjects.iter().zip(values).map(place).collect();
        // A whole item of a list stands in the table that the list is in.
        let (table, name) = match (table, key.rsplit_once('[')) {
            ("", Some((list, index))) if key.ends_with(']') => match list.rsplit_once('.') {
                Some((table, list)) => (table.to_string(), format!("{list}[{index}")),
                None => (String::new(), key.to_string()),
            },
            _ => (table.to_string(), key.to_string()),
        };
        self.found.push(Difference { table, name, values });
    }
}

/// Where a value comes from; a whole table only says whether nobody wrote any of it.
fn origin(origins: &Origins, path: &str) -> Option<String> {
    let below = format!("{path}.");
    let mut inside = origins.range(below.clone()..).take_while(|(key, _)| key.starts_with(&below)).peekable();
    let defaults = inside.peek().is_some() && inside.all(|(_, origin)| origin == "default");
    origins.get(path).cloned().or(defaults.then(|| "default".into()))
}

fn as_table<'a>(place: &Place<'a>) -> Option<(&'a Table, String)> {
    let (value, path) = place.as_ref()?;
    Some((value.as_table()?, path.clone()))
}

/// Items of one name share a slot, wherever they stand.
fn by_name(lists: &[&[Value]], named: impl Fn(&Value) -> Option<String>) -> Vec<Slot> {
    let mut names: Vec<String> = Vec::new();
    for name in lists.iter().copied().flatten().filter_map(&named) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let slot = |name: String| {
        lists.iter().map(|list| list.iter().position(|item| named(item).as_ref() == Some(&name))).collect()
    };
    names.into_iter().map(slot).collect()
}

/// The index, where it is the same in every list.
fn index(slot: &Slot) -> Option<String> {
    let mut present = slot.iter().flatten();
    let first = present.next()?;
    present.all(|other| other == first).then(|| first.to_string())
}

/// `attention` where it is the only one of its kind, `2nd attention` where it is not.
fn by_kind(lists: &[&[Value]], slots: &[Slot], place: usize) -> String {
    let kind = |slot: &Slot| {
        let (of, item) = slot.iter().enumerate().find_map(|(of, item)| Some((of, (*item)?)))?;
        lists[of].get(item)?.get("kind")?.as_str()
    };
    let wanted = kind(&slots[place]);
    let alike: Vec<usize> = (0..slots.len()).filter(|&other| kind(&slots[other]) == wanted).collect();
    let word = wanted.unwrap_or("?");
    match (alike.len(), alike.iter().position(|&other| other == place)) {
        (1, _) | (_, None) => word.to_string(),
        (_, Some(n)) => format!("{} {word}", ordinal(n + 1)),
    }
}

fn ordinal(n: usize) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// A value as a person would write it: `1e-8`, not `0.00000001`; a table on one line.
fn said(value: &Value) -> String {
    match value {
        Value::Float(x) => format!("{x:?}"),
        Value::Array(items) => format!("[{}]", items.iter().map(said).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let entry = |(key, value): (&String, &Value)| format!("{key} = {}", said(value));
            format!("{{ {} }}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => format!("{text:?}"),
        value => value.to_string(),
    }
}
