//! Where a key belongs: the search through the whole language that a misplaced key starts.

use super::names::{almost, foreign};
use super::schema::{Choice, Key, Language, Type};
use super::tree::{Node, Value};

/// A key and the table it belongs to.
struct Home {
    key: &'static Key,
    /// The table in words: `under [training]`.
    table: String,
    /// The kinds of table that have it, and the word that picks them; none if every such table does.
    kinds: Option<(&'static str, Vec<&'static str>)>,
}

impl Home {
    fn describe(&self) -> String {
        match &self.kinds {
            None => self.table.clone(),
            Some((word, kinds)) => {
                let kinds: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
                format!("{} with `{word} = {}`", self.table, kinds.join("` or `"))
            }
        }
    }
}

impl Language {
    /// Where a key with such a value belongs, in words; empty if nowhere. With a `near` name where it
    /// stands, only where its value fits.
    pub(super) fn homes(&self, name: &str, node: &Node, near: bool) -> Vec<String> {
        let mut homes = self.all();
        homes.retain(|home| home.key.name == name);
        let is_kind = self.registries.iter().any(|(registry, _)| self.kind(registry, name).is_some());
        if near || is_kind || homes.iter().any(|home| takes(&home.key.ty, node)) {
            homes.retain(|home| takes(&home.key.ty, node));
        }
        homes.truncate(3);
        homes.iter().map(Home::describe).collect()
    }

    /// What was meant by a name that is no key: a kind, a key spelt almost so, or one whose
    /// documentation has the words. Said of the table `here`.
    pub(super) fn meant(&self, wrong: &str, node: &Node, here: &str) -> Option<String> {
        let has = |choice: &Choice| self.kind(choice.registry, wrong).is_some();
        if let Some((header, choice)) = self.choices().into_iter().find(|(_, choice)| has(choice)) {
            let (registry, word) = (choice.registry, choice.word);
            return Some(format!(
                "\"{wrong}\" is a {registry}: write `{word} = \"{wrong}\"` under `{header}`"
            ));
        }
        let mut homes = self.all();
        if !foreign(wrong) && homes.iter().any(|home| takes(&home.key.ty, node)) {
            homes.retain(|home| takes(&home.key.ty, node));
        }
        let spelt = almost(wrong, homes.iter().map(|home| home.key.name));
        let bare = ["num_", "n_", "d_"].iter().find_map(|start| wrong.strip_prefix(start)).unwrap_or(wrong);
        let words = bare.to_lowercase().replace(['_', '-'], " ");
        let (words, many) = (format!(" {words} "), format!(" {words}s "));
        let gist = |home: &Home| home.key.doc.split(';').next().unwrap_or("").to_string();
        let said = |home: &&Home| match spelt {
            Some(name) => home.key.name == name,
            None => {
                let gist = format!(" {} ", gist(home)).replace(',', " ");
                words.len() > 6 && !foreign(wrong) && (gist.contains(&words) || gist.contains(&many))
            }
        };
        let home = homes.iter().find(said)?;
        let meant = format!("did you mean `{}` ({})?", home.key.name, gist(home));
        match home.describe() {
            table if table == format!("under `[{here}]`") => Some(meant),
            table => Some(format!("{meant} It belongs {table}")),
        }
    }

    /// Where a word that is not allowed here is allowed for a key of the same name.
    pub(super) fn elsewhere(&self, name: &str, word: &str) -> Option<String> {
        let allows = |home: &Home| matches!(home.key.ty, Type::Word(words) if words.contains(&word));
        let home = self.all().into_iter().find(|home| home.key.name == name && allows(home))?;
        Some(home.describe())
    }

    /// Every key of the language.
    fn all(&self) -> Vec<Home> {
        let top = "at the top of the file, before any [table]";
        let mut homes: Vec<Home> =
            [&super::EXTENDS, &super::SWEEP].map(|key| Home { key, table: top.into(), kinds: None }).into();
        self.walk(self.top, "", top, &mut homes);
        homes
    }

    fn walk(&self, keys: &'static [Key], path: &str, table: &str, homes: &mut Vec<Home>) {
        for key in keys {
            homes.push(Home { key, table: table.into(), kinds: None });
            let path = if path.is_empty() { key.name.to_string() } else { format!("{path}.{}", key.name) };
            let (ty, header) = match &key.ty {
                Type::List(of, ..) => (*of, format!("under `[[{path}]]`")),
                ty => (ty, format!("under `[{path}]`")),
            };
            match ty {
                Type::Table(keys) => self.walk(keys, &path, &header, homes),
                Type::Kind(choice) => {
                    self.walk(choice.common, &path, &header, homes);
                    self.of_kinds(choice, &header, homes);
                }
                _ => {}
            }
        }
    }

    fn of_kinds(&self, choice: &'static Choice, table: &str, homes: &mut Vec<Home>) {
        let kinds = self.kinds(choice.registry);
        let first = homes.len();
        for kind in kinds {
            for key in kind.keys {
                let known = homes[first..].iter_mut().find(|home| home.key.name == key.name);
                match known.and_then(|home| home.kinds.as_mut()) {
                    Some((_, names)) => names.push(kind.name),
                    None => {
                        let kinds = Some((choice.word, vec![kind.name]));
                        homes.push(Home { key, table: table.into(), kinds });
                    }
                }
            }
        }
        for home in &mut homes[first..] {
            home.kinds = home.kinds.take().filter(|(_, names)| names.len() < kinds.len());
        }
    }
}

/// Whether a value has the shape of a type: `[blocks]` is no standard deviation.
fn takes(ty: &Type, node: &Node) -> bool {
    match (ty, &node.value) {
        (Type::Table(_) | Type::Kind(_), value) => matches!(value, Value::Table(_)),
        (Type::List(Type::Table(_) | Type::Kind(_), ..), Value::Table(_)) => true,
        (Type::List(..), value) => matches!(value, Value::List(_)),
        (_, value) => !matches!(value, Value::Table(_) | Value::List(_)),
    }
}
