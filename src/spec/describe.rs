//! The language telling of itself: where kinds are written, and every key in words.

use super::schema::{Choice, Default, Key, Language, Type};

impl Language {
    /// Where a kind of each registry is written, as a table's header: `[[architecture.blocks]]`.
    pub fn choices(&self) -> Vec<(String, &'static Choice)> {
        let mut found = Vec::new();
        self.choices_in(self.top, "", &mut found);
        found
    }

    fn choices_in(&self, keys: &'static [Key], path: &str, found: &mut Vec<(String, &'static Choice)>) {
        for key in keys {
            let path = super::read::join(path, key.name);
            let (choice, header) = match &key.ty {
                Type::Table(keys) => {
                    self.choices_in(keys, &path, found);
                    continue;
                }
                Type::Kind(choice) => (choice, format!("[{path}]")),
                Type::List(Type::Kind(choice), ..) => (choice, format!("[[{path}]]")),
                _ => continue,
            };
            found.push((header, choice));
            self.kinds(choice.registry).iter().for_each(|kind| self.choices_in(kind.keys, &path, found));
        }
    }

    /// The one of a registry.
    pub fn choice(&self, registry: &str) -> Option<(String, &'static Choice)> {
        self.choices().into_iter().find(|(_, choice)| choice.registry == registry)
    }
}

/// Keys with those of the tables inside them, by dotted path.
pub fn flat(keys: impl IntoIterator<Item = &'static Key>) -> Vec<(String, &'static Key)> {
    let mut all = Vec::new();
    for key in keys {
        match key.ty {
            Type::Table(inner) => {
                let below = flat(inner).into_iter();
                all.extend(below.map(|(name, inner)| (format!("{}.{name}", key.name), inner)));
            }
            _ => all.push((key.name.to_string(), key)),
        }
    }
    all
}

impl Key {
    /// What it takes and what holds without it, in words.
    pub fn describe(&self) -> String {
        let takes = self.ty.describe();
        match self.default {
            Default::Required => format!("{takes}; required"),
            Default::Value("{}") => takes,
            Default::Value(default) | Default::Computed(default) => format!("{takes}; default: {default}"),
        }
    }
}
