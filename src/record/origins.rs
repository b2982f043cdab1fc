//! Where the values of a `plan.toml` come from, as the comments beside them say.

use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Origins by dotted path, list items by index: `architecture.blocks.1.n_heads` → `a.toml:17`.
pub type Origins = BTreeMap<String, String>;

/// Reads the comment beside every value; empty for a text without comments, or that is no TOML.
pub fn origins(text: &str) -> Origins {
    let mut found = Origins::new();
    if let Ok(table) = DeTable::parse(text) {
        walk(table.get_ref(), "", text, &mut found);
    }
    found
}

fn walk(table: &DeTable<'_>, path: &str, text: &str, found: &mut Origins) {
    for (key, value) in table {
        let dot = if path.is_empty() { "" } else { "." };
        of_value(value, &format!("{path}{dot}{}", key.get_ref()), text, found);
    }
}

fn of_value(value: &Spanned<DeValue<'_>>, path: &str, text: &str, found: &mut Origins) {
    match value.get_ref() {
        DeValue::Table(inner) => walk(inner, path, text, found),
        DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
            for (i, item) in items.iter().enumerate() {
                of_value(item, &format!("{path}.{i}"), text, found);
            }
        }
        _ => {
            let rest = text.get(value.span().end..).and_then(|rest| rest.lines().next()).unwrap_or("");
            if let Some(comment) = rest.trim_start().strip_prefix('#') {
                found.insert(path.to_string(), comment.trim().to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::origins;

    #[test]
    fn the_comment_beside_a_value_is_its_origin() {
        let text = "seed = 0  # default\nname = \"a # b\"   # x.toml:1\n[a]\nlist = [1, 2]  # --set\n\
                    [[a.blocks]]\nkind = \"c\"  # x.toml:4\n[[a.blocks]]\nn = 1\n";
        let found = origins(text);
        let wanted =
            [("a.blocks.0.kind", "x.toml:4"), ("a.list", "--set"), ("name", "x.toml:1"), ("seed", "default")];
        assert_eq!(found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), wanted);
        assert!(origins("[").is_empty());
    }
}
