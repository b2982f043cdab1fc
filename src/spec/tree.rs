//! The syntax tree of a spec: TOML values with the place each was written.

use super::source::Span;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where.
    pub span: Span,
    /// The text as typed, for values from `--set`: a bare word is a string where one is wanted.
    pub raw: Option<String>,
}

/// What can be written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `"text"`
    Text(String),
    /// `3`
    Integer(i64),
    /// `3.0`
    Number(f64),
    /// `true`
    Flag(bool),
    /// A date or time: TOML has them, the language does not.
    Date(String),
    /// `[1, 2]`, or `[[tables]]`
    List(Vec<Node>),
    /// `{ a = 1 }`, or `[table]`
    Table(Tree),
    /// A whole number beyond 64 bits.
    Huge(String),
    /// Something that is no TOML, which was said already.
    Unreadable,
}

/// A table: entries in the order of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tree {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// A key, where it stands, and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value.
    pub node: Node,
}

impl Tree {
    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|e| e.key == key)
    }

    /// Lays `over` on top, key by key.
    pub fn merge(&mut self, over: Tree) {
        for entry in over.entries {
            match self.get_mut(&entry.key) {
                Some(old) => {
                    old.key_span = entry.key_span;
                    old.node.lay(entry.node);
                }
                None => self.entries.push(entry),
            }
        }
    }
}

impl Node {
    /// Lays `over` on top: tables merge, unless the new one is of another kind, which has other
    /// keys; everything else (lists of tables too) is replaced whole.
    pub fn lay(&mut self, over: Node) {
        match (&mut self.value, over) {
            (Value::Table(old), Node { value: Value::Table(new), .. }) if !of_other_kind(old, &new) => {
                old.merge(new);
            }
            (_, over) => *self = over,
        }
    }
}

fn of_other_kind(old: &Tree, new: &Tree) -> bool {
    ["kind", "probe"].iter().any(|word| match (old.get(word), new.get(word)) {
        (Some(old), Some(new)) => old.node.value != new.node.value,
        _ => false,
    })
}

/// Copies a parsed table out of `toml`'s borrowed form.
pub fn from_toml(table: &DeTable<'_>, source: usize) -> Tree {
    let entry = |(key, value): (&Spanned<toml::de::DeString<'_>>, &Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().to_string(),
        key_span: Span { source, range: key.span() },
        node: node_from_toml(value, source),
    };
    let mut entries: Vec<Entry> = table.iter().map(entry).collect();
    entries.sort_by_key(|e| e.key_span.range.start);
    Tree { entries }
}

/// Copies a parsed value out of `toml`'s borrowed form.
pub fn node_from_toml(value: &Spanned<DeValue<'_>>, source: usize) -> Node {
    let read = match value.get_ref() {
        DeValue::String(s) => Value::Text(s.to_string()),
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix())
            .map_or_else(|_| Value::Huge(i.as_str().to_string()), Value::Integer),
        DeValue::Float(x) => Value::Number(x.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(b) => Value::Flag(*b),
        DeValue::Datetime(d) => Value::Date(d.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|v| node_from_toml(v, source)).collect()),
        DeValue::Table(t) => Value::Table(from_toml(t, source)),
    };
    Node { value: read, span: Span { source, range: value.span() }, raw: None }
}

impl Value {
    /// What it is, for "expected …, found …".
    pub fn describe(&self) -> String {
        match self {
            Value::Text(s) if s.chars().count() <= 40 => format!("the text {s:?}"),
            Value::Text(_) => "a long text".into(),
            Value::Integer(i) => format!("the integer {i}"),
            Value::Number(x) if x.is_nan() => "`nan`".into(),
            Value::Number(x) if x.is_infinite() => "a number that is not finite".into(),
            Value::Number(x) => format!("the number {x:?}"),
            Value::Flag(b) => format!("`{b}`"),
            Value::Date(d) => format!("the date {d}"),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Table(_) => "a table".into(),
            Value::Huge(digits) if digits.is_empty() => "a number without digits".into(),
            Value::Huge(digits) => format!("{digits}, which is beyond 64 bits"),
            Value::Unreadable => "nothing that can be read".into(),
        }
    }
}
