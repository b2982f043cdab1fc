//! Reads a syntax tree by the language's tables of keys: types, ranges and defaults, unknown and
//! misplaced keys, unknown kinds. Everything wrong is reported; reading never stops at the first,
//! and a misspelt table is read as the one that was meant, so that what is wrong inside is found too.
//! A misspelt value is not: its key may be another program's, and mean something else.

use super::check::Findings;
use super::diagnostic::Diagnostic;
use super::names::nearest;
use super::schema::{Choice, Default, Key, Kind, Language, Type, one_of};
use super::source::Span;
use super::tree::{Entry, Node, Tree, Value};
use super::wrong;

/// Reads the whole tree; the result lacks the keys that were wrong.
pub fn read(root: &Tree, language: &Language, findings: &mut Findings) -> toml::Table {
    let mut reader = Reader { language, findings, missing: Vec::new() };
    let start = Span { source: 0, range: 0..0 };
    let read = reader.table(root, &start, &[language.top], "");
    let missing = std::mem::take(&mut reader.missing);
    let lacking = missing.into_iter().filter(|(key, _)| findings.lacks(key)).map(|(_, missing)| missing);
    let lacking: Vec<Diagnostic> = lacking.collect();
    findings.diagnostics.extend(lacking);
    read
}

struct Reader<'a> {
    language: &'a Language,
    findings: &'a mut Findings,
    /// What is missing, unless it turns out to stand elsewhere.
    missing: Vec<(&'static str, Diagnostic)>,
}

impl Reader<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.findings.diagnostics.push(diagnostic);
    }

    fn place(&mut self, path: &str, entry: &Entry) {
        self.findings.places.put(path, entry.key_span.clone(), entry.node.span.clone());
    }

    fn table(&mut self, tree: &Tree, span: &Span, keys: &[&'static [Key]], path: &str) -> toml::Table {
        let meant = self.unknown_keys(tree, keys, path);
        let mut read = toml::Table::new();
        for key in keys.iter().copied().flatten() {
            let at = join(path, key.name);
            let misspelt = meant.iter().find(|(name, _)| *name == key.name).map(|(_, entry)| *entry);
            let value = match (tree.get(key.name), misspelt, &key.default) {
                (Some(entry), None, _) => {
                    self.place(&at, entry);
                    self.value(&entry.node, &key.ty, &at)
                }
                (None, Some(entry), _) => {
                    self.place(&at, entry);
                    of_tables(&entry.node, &key.ty).then(|| self.value(&entry.node, &key.ty, &at)).flatten()
                }
                (Some(entry), Some(other), _) => {
                    // Lists replace one another: part of one may be out of sight.
                    self.findings.incomplete = true;
                    let mut both = entry.clone();
                    both.node.lay(other.node.clone());
                    self.place(&at, &both);
                    self.value(&both.node, &key.ty, &at)
                }
                (None, None, Default::Value(toml)) => self.default(toml, &key.ty, &at),
                (None, None, Default::Computed(_)) => None,
                (None, None, Default::Required) => {
                    self.missing(key, span, path);
                    None
                }
            };
            read.extend(value.map(|value| (key.name.to_string(), value)));
        }
        read
    }

    fn missing(&mut self, key: &'static Key, span: &Span, path: &str) {
        let at = join(path, key.name);
        let written = match &key.ty {
            Type::Table(_) | Type::Kind(_) => format!("[{at}]"),
            Type::List(Type::Table(_) | Type::Kind(_), ..) => format!("[[{at}]]"),
            _ => key.name.to_string(),
        };
        let message = format!("{} has no `{}`", called(path), key.name);
        let help = format!("add `{written}`, {}: {}", key.ty.describe(), key.doc);
        self.missing.push((key.name, Diagnostic::error(&at, span.clone(), message).absent().help(help)));
    }

    /// A default is written in TOML like any value; it has no place.
    fn default(&mut self, toml: &str, ty: &Type, path: &str) -> Option<toml::Value> {
        let nothing = Tree::default();
        let around = self.findings.places.nearest(path);
        match ty {
            Type::Table(keys) => Some(self.table(&nothing, &around, &[keys], path).into()),
            Type::Kind(choice) => self.kind(&nothing, &around, choice, path),
            _ => toml::from_str::<toml::Table>(&format!("x = {toml}")).ok()?.remove("x"),
        }
    }

    fn value(&mut self, node: &Node, ty: &Type, path: &str) -> Option<toml::Value> {
        let fits = |range: &super::schema::Range, x: f64| range.contains(x).then(|| x.into());
        let read = match (ty, &node.value) {
            (_, Value::Unreadable) => return None,
            (Type::Flag, Value::Flag(b)) => Some((*b).into()),
            (Type::Text, Value::Text(s)) => Some(s.as_str().into()),
            (Type::Text, _) if node.raw.is_some() => node.raw.as_deref().map(Into::into),
            (Type::Path, Value::Text(s)) if !s.is_empty() => Some(self.path(s, &node.span).into()),
            (Type::Path, Value::Integer(_) | Value::Number(_) | Value::Flag(_)) if node.raw.is_some() => {
                node.raw.as_deref().map(|raw| self.path(raw, &node.span).into())
            }
            (
                Type::Word(words) | Type::WordOrNumber(words, _) | Type::WordOrInteger(words, ..),
                Value::Text(s),
            ) => words.contains(&s.as_str()).then(|| s.as_str().into()),
            (Type::Integer(min, max) | Type::WordOrInteger(_, min, max), Value::Integer(i)) => {
                (min..=max).contains(&i).then(|| (*i).into())
            }
            (Type::Number(r) | Type::WordOrNumber(_, r), Value::Integer(i)) => fits(r, *i as f64),
            (Type::Number(r) | Type::WordOrNumber(_, r), Value::Number(x)) => fits(r, *x),
            (Type::Table(keys), Value::Table(tree)) => {
                return Some(self.table(tree, &node.span, &[keys], path).into());
            }
            (Type::Kind(choice), Value::Table(tree)) => return self.kind(tree, &node.span, choice, path),
            (Type::List(of, min, max), Value::List(items)) if (min..=max).contains(&&items.len()) => {
                return self.list(items, of, path);
            }
            _ => None,
        };
        if read.is_none() {
            self.report(wrong::diagnostic(self.language, node, ty, path));
        }
        read
    }

    fn list(&mut self, items: &[Node], of: &Type, path: &str) -> Option<toml::Value> {
        let mut read = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let at = join(path, &i.to_string());
            self.findings.places.put(&at, item.span.clone(), item.span.clone());
            read.push(self.value(item, of, &at));
        }
        // A table that cannot be read keeps its place: the others keep their index, and are checked.
        let unread = matches!(of, Type::Kind(_)).then(|| toml::Table::new().into());
        read.into_iter().map(|item| item.or(unread.clone())).collect::<Option<Vec<_>>>().map(Into::into)
    }

    fn kind(&mut self, tree: &Tree, span: &Span, choice: &'static Choice, path: &str) -> Option<toml::Value> {
        let (word, kind) = self.picked(tree, span, choice, path)?;
        let rest = tree.entries.iter().filter(|e| Some(e.key.as_str()) != word).cloned();
        let rest = Tree { entries: rest.collect() };
        let mut read = toml::Table::new();
        read.insert(choice.word.into(), kind.name.into());
        read.extend(self.table(&rest, span, &[choice.common, kind.keys], path));
        Some(read.into())
    }

    /// The kind that a table picks, and the key by which it does.
    fn picked<'t>(
        &mut self,
        tree: &'t Tree,
        span: &Span,
        choice: &'static Choice,
        path: &str,
    ) -> Option<(Option<&'t str>, &'static Kind)> {
        let kinds = self.language.kinds(choice.registry);
        let names: Vec<&str> = kinds.iter().map(|k| k.name).collect();
        let allowed = format!("allowed: {}", one_of(&names));
        let at = join(path, choice.word);
        let instead = |e: &&Entry| {
            ["kind", "type", "probe"].contains(&e.key.as_str()) || nearest(&e.key, [choice.word]).is_some()
        };
        // `name = "adamw"`, too.
        let named = |e: &&Entry| {
            e.key == "name"
                && matches!(&e.node.value, Value::Text(s) if nearest(s, names.iter().copied()).is_some())
        };
        let misspelt = || tree.entries.iter().find(instead).or_else(|| tree.entries.iter().find(named));
        let Some(entry) = tree.get(choice.word).or_else(misspelt) else {
            if let Some(name) = choice.default {
                return Some((None, self.language.kind(choice.registry, name)?));
            }
            let message = format!("{} has no `{}`", called(path), choice.word);
            let help = format!("add `{} = …`: {}", choice.word, one_of(&names));
            let diagnostic = Diagnostic::error(&at, span.clone(), message).absent();
            self.missing.push((choice.word, diagnostic.help(help)));
            return None;
        };
        if matches!(entry.node.value, Value::Unreadable) {
            self.place(&at, entry);
            return None;
        }
        if entry.key != choice.word {
            let message = format!("{} has no key `{}`", called(path), entry.key);
            let diagnostic = Diagnostic::error(&join(path, &entry.key), entry.key_span.clone(), message);
            self.report(diagnostic.label(format!("did you mean `{}`?", choice.word)));
        }
        self.place(&at, entry);
        let span = entry.node.span.clone();
        let name = match &entry.node.value {
            Value::Text(name) => name,
            other => {
                let (word, registry, found) = (choice.word, choice.registry, other.describe());
                let message = format!("`{word}` must be the name of a {registry}, found {found}");
                self.report(Diagnostic::error(&at, span, message).help(allowed));
                return None;
            }
        };
        if let Some(kind) = kinds.iter().find(|k| k.name == *name) {
            return Some((Some(&entry.key), kind));
        }
        let near = nearest(name, names.iter().copied());
        let message = format!("there is no {} {name:?}", choice.registry);
        let mut diagnostic = Diagnostic::error(&at, span, message).help(allowed);
        if let Some(near) = near {
            diagnostic = diagnostic.label(format!("did you mean \"{near}\"?"));
        }
        self.report(diagnostic);
        Some((Some(&entry.key), self.language.kind(choice.registry, near?)?))
    }

    /// Reports the keys that do not belong here; gives those that are misspelt, with what was meant.
    fn unknown_keys<'t>(
        &mut self,
        tree: &'t Tree,
        keys: &[&'static [Key]],
        path: &str,
    ) -> Vec<(&'static str, &'t Entry)> {
        let mut names: Vec<&'static str> = keys.iter().copied().flatten().map(|k| k.name).collect();
        if path.is_empty() {
            names.extend([super::EXTENDS.name, super::SWEEP.name]);
        }
        let mut meant: Vec<(&'static str, &'t Entry)> = Vec::new();
        for entry in tree.entries.iter().filter(|e| !names.contains(&e.key.as_str())) {
            let message = format!("{} has no key `{}`", called(path), entry.key);
            let mut diagnostic = Diagnostic::error(&join(path, &entry.key), entry.key_span.clone(), message);
            let near = nearest(&entry.key, names.iter().copied());
            let homes = self.language.homes(&entry.key, &entry.node, near.is_some());
            if !homes.is_empty() {
                self.findings.misplaced.insert(entry.key.clone());
                let help = format!("`{}` belongs {}", entry.key, homes.join(", or "));
                diagnostic = diagnostic.label("not here").help(help);
            } else if let Some(near) = near {
                diagnostic = diagnostic.label(format!("did you mean `{near}`?"));
                self.findings.incomplete |= near == super::EXTENDS.name;
            } else if let Some(meant) = self.language.meant(&entry.key, &entry.node, path) {
                diagnostic = diagnostic.help(meant);
            }
            let is_table = |entry: &Entry| matches!(entry.node.value, Value::Table(_));
            let free = |near: &&str| tree.get(near).is_none_or(|right| is_table(right) && is_table(entry));
            let unclaimed = |near: &&str| meant.iter().all(|(name, _)| name != near);
            if let Some(near) = near.filter(|_| homes.is_empty()) {
                match free(&near) && unclaimed(&near) {
                    true => meant.push((near, entry)),
                    // A part of a list, it may be.
                    false => self.findings.incomplete |= matches!(entry.node.value, Value::List(_)),
                }
            }
            // What stands on a line that is no TOML may be anything.
            if !matches!(entry.node.value, Value::Unreadable) {
                self.report(diagnostic.help(format!("keys here: {}", names.join(", "))));
            }
        }
        meant
    }

    /// Relative paths start from the folder of the file they are written in; `~` and `$VAR` stay,
    /// so that a plan reads the same on another machine.
    fn path(&self, written: &str, span: &Span) -> String {
        if written.starts_with(['~', '$', '/']) || std::path::Path::new(written).is_absolute() {
            return written.to_string();
        }
        let folder = &self.findings.sources.of(span).folder;
        let joined = folder.join(written);
        let absolute = std::path::absolute(&joined).unwrap_or(joined);
        absolute.to_string_lossy().into_owned()
    }
}

/// Whether a table stands where one belongs, or a list of tables where they do.
fn of_tables(node: &Node, ty: &Type) -> bool {
    match (ty, &node.value) {
        (Type::Table(_) | Type::Kind(_), Value::Table(_)) => true,
        (Type::List(of, ..), Value::List(items)) => items.iter().all(|item| of_tables(item, of)),
        _ => false,
    }
}

/// A table in a message.
fn called(path: &str) -> String {
    if path.is_empty() { "the spec".into() } else { format!("`{path}`") }
}

/// A dotted path.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}
