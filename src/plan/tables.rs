//! Tables as they are while a plan is made: by path, and in the order of the language.

use super::keys;
use crate::spec::{Key, Language, Type};
use toml::{Table, Value};

/// The value at a path; numbers reach into lists.
pub fn get<'a>(root: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(root.get(*first)?, |value, key| match key.parse::<usize>() {
        Ok(i) => value.get(i),
        Err(_) => value.get(*key),
    })
}

/// The same, to change it.
pub fn get_mut<'a>(root: &'a mut Table, path: &[&str]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(root.get_mut(*first)?, |value, key| match key.parse::<usize>() {
        Ok(i) => value.get_mut(i),
        Err(_) => value.get_mut(*key),
    })
}

/// The size at a path.
pub fn integer(root: &Table, path: &[&str]) -> Option<usize> {
    get(root, path)?.as_integer().map(|i| i as usize)
}

/// The text at a path.
pub fn text<'a>(root: &'a Table, path: &[&str]) -> Option<&'a str> {
    get(root, path)?.as_str()
}

/// The keys of every table in the order of the language, whatever the order they were filled in.
pub fn in_order(root: Table, language: &Language) -> Table {
    table(root, [keys::TOP].into_iter(), language)
}

fn table(mut from: Table, keys: impl Iterator<Item = &'static [Key]>, language: &Language) -> Table {
    let mut ordered = Table::new();
    for key in keys.flatten() {
        if let Some(value) = from.remove(key.name) {
            ordered.insert(key.name.into(), ordered_value(value, &key.ty, language));
        }
    }
    ordered
}

fn ordered_value(value: Value, ty: &Type, language: &Language) -> Value {
    match (ty, value) {
        (Type::Table(keys), Value::Table(from)) => table(from, [*keys].into_iter(), language).into(),
        (Type::List(of, ..), Value::Array(items)) => {
            items.into_iter().map(|item| ordered_value(item, of, language)).collect::<Vec<_>>().into()
        }
        (Type::Kind(choice), Value::Table(from)) => {
            let name = from.get(choice.word).cloned();
            let kind = name.as_ref().and_then(Value::as_str).and_then(|n| language.kind(choice.registry, n));
            let keys = [choice.common].into_iter().chain(kind.map(|kind| kind.keys));
            let mut ordered = Table::new();
            ordered.extend(name.map(|name| (choice.word.to_string(), name)));
            ordered.extend(table(from, keys, language));
            ordered.into()
        }
        (_, value) => value,
    }
}
