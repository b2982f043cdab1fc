//! Reads a syntax tree by the language's tables of keys: types, ranges and defaults, unknown and
//! misplaced keys, unknown kinds. Everything wrong is reported; reading never stops at the first.

use super::check::Findings;
use super::diagnostic::{Diagnostic, nearest};
use super::schema::{Choice, Default, Key, Language, Type, one_of};
use super::source::Span;
use super::tree::{Entry, Node, Tree, Value};

/// Reads the whole tree; the result lacks the keys that were wrong.
pub fn read(root: &Tree, language: &Language, findings: &mut Findings) -> toml::Table {
    // What a broken syntax swallowed is not missing.
    let broken = findings.failed();
    let mut reader = Reader { language, findings, broken };
    let start = Span { source: 0, range: 0..0 };
    reader.table(root, &start, &[language.top], "")
}

struct Reader<'a> {
    language: &'a Language,
    findings: &'a mut Findings,
    broken: bool,
}

impl Reader<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.findings.diagnostics.push(diagnostic);
    }

    fn table(&mut self, tree: &Tree, span: &Span, keys: &[&[Key]], path: &str) -> toml::Table {
        let mut read = toml::Table::new();
        for key in keys.iter().copied().flatten() {
            let at = join(path, key.name);
            if let Some(entry) = tree.get(key.name) {
                let (key_span, span) = (entry.key_span.clone(), entry.node.span.clone());
                self.findings.places.put(&at, key_span, span);
                let node = with_default_kind(&entry.node, key);
                if let Some(value) = self.value(&node, &key.ty, &at) {
                    read.insert(key.name.into(), value);
                }
                continue;
            }
            match key.default {
                Default::Computed(_) => {}
                Default::Value(toml) => {
                    if let Some(value) = self.default(toml, &key.ty, &at) {
                        read.insert(key.name.into(), value);
                    }
                }
                Default::Required if self.misspelt(tree, keys, key.name) => {}
                Default::Required => {
                    let table = if path.is_empty() { "the spec".into() } else { format!("`{path}`") };
                    let missing = format!("{table} has no `{}`", key.name);
                    let diagnostic = Diagnostic::error(&at, span.clone(), missing).help(format!(
                        "add `{}`: {}; {}",
                        key.name,
                        key.ty.describe(),
                        key.doc
                    ));
                    self.report(diagnostic);
                }
            }
        }
        self.unknown_keys(tree, keys, path);
        read
    }

    /// Whether a key that is not there may well be: under a misspelt name, which is reported, or lost
    /// to a mistake in the syntax.
    fn misspelt(&self, tree: &Tree, keys: &[&[Key]], name: &str) -> bool {
        let names = || keys.iter().copied().flatten().map(|k| k.name);
        let unknown = tree.entries.iter().filter(|e| !names().any(|n| n == e.key));
        self.broken || unknown.map(|e| nearest(&e.key, names())).any(|near| near == Some(name))
    }

    /// A default is written in TOML like any value; it has no place.
    fn default(&mut self, toml: &str, ty: &Type, path: &str) -> Option<toml::Value> {
        let document = format!("x = {toml}");
        let parsed: toml::Table = toml::from_str(&document).ok()?;
        let value = parsed.get("x")?;
        match (ty, value) {
            (Type::Table(keys), toml::Value::Table(_)) => {
                let table = self.table(&Tree::default(), &self.findings.places.nearest(path), &[keys], path);
                Some(table.into())
            }
            (Type::Kind(choice), toml::Value::Table(table)) => {
                let name = table.get(choice.word)?.as_str()?;
                let kind = self.language.kind(choice.registry, name)?;
                let around = self.findings.places.nearest(path);
                let mut read = toml::Table::new();
                read.insert(choice.word.into(), name.into());
                read.extend(self.table(&Tree::default(), &around, &[choice.common, kind.keys], path));
                Some(read.into())
            }
            _ => Some(value.clone()),
        }
    }

    fn value(&mut self, node: &Node, ty: &Type, path: &str) -> Option<toml::Value> {
        let fits = |range: &super::schema::Range, x: f64| range.contains(x).then(|| x.into());
        let read = match (ty, &node.value) {
            (Type::Flag, Value::Flag(b)) => Some((*b).into()),
            (Type::Text, Value::Text(s)) => Some(s.as_str().into()),
            (Type::Text, _) if node.raw.is_some() => node.raw.as_deref().map(Into::into),
            (Type::Path, Value::Text(s)) if !s.is_empty() => Some(self.path(s, &node.span).into()),
            (Type::Word(words), Value::Text(s)) | (Type::WordOrNumber(words, _), Value::Text(s)) => {
                words.contains(&s.as_str()).then(|| s.as_str().into())
            }
            (Type::Integer(min, max), Value::Integer(i)) => (min..=max).contains(&i).then(|| (*i).into()),
            (Type::Number(r) | Type::WordOrNumber(_, r), Value::Integer(i)) => fits(r, *i as f64),
            (Type::Number(r) | Type::WordOrNumber(_, r), Value::Number(x)) => fits(r, *x),
            (Type::Table(keys), Value::Table(tree)) => {
                return Some(self.table(tree, &node.span, &[keys], path).into());
            }
            (Type::Kind(choice), Value::Table(tree)) => return self.kind(tree, node, choice, path),
            (Type::List(of, min, max), Value::List(items)) if (min..=max).contains(&&items.len()) => {
                let item = |(i, item): (usize, &Node)| {
                    let at = join(path, &i.to_string());
                    self.findings.places.put(&at, item.span.clone(), item.span.clone());
                    self.value(item, of, &at)
                };
                let read: Vec<Option<toml::Value>> = items.iter().enumerate().map(item).collect();
                return read.into_iter().collect::<Option<Vec<_>>>().map(Into::into);
            }
            _ => None,
        };
        if read.is_none() {
            self.wrong(node, ty, path);
        }
        read
    }

    fn wrong(&mut self, node: &Node, ty: &Type, path: &str) {
        let key = path.rsplit('.').find(|p| p.parse::<usize>().is_err()).unwrap_or(path);
        let found = match &node.value {
            Value::List(items) => format!("a list of {}", items.len()),
            other => other.describe(),
        };
        let message = format!("`{key}` must be {}, found {found}", ty.describe());
        let mut diagnostic = Diagnostic::error(path, node.span.clone(), message);
        if let (Type::Word(words) | Type::WordOrNumber(words, _), Value::Text(word)) = (ty, &node.value) {
            diagnostic = match nearest(word, words.iter().copied()) {
                Some(name) => diagnostic.label(format!("did you mean \"{name}\"?")),
                None => diagnostic,
            };
            diagnostic = diagnostic.help(format!("allowed: {}", ty.describe()));
        } else if let (Type::List(Type::Kind(_), ..), Value::Table(_)) = (ty, &node.value) {
            diagnostic = diagnostic.help(format!("write `[[{path}]]`, once for each"));
        } else if let (Type::Kind(choice), Value::Text(word)) = (ty, &node.value) {
            diagnostic = diagnostic.help(format!("write `{{ {} = {word:?} }}` to pick a kind", choice.word));
        } else {
            diagnostic = diagnostic.label(format!("expected {}", ty.describe()));
        }
        self.report(diagnostic);
    }

    fn kind(&mut self, tree: &Tree, node: &Node, choice: &Choice, path: &str) -> Option<toml::Value> {
        let kinds = self.language.kinds(choice.registry);
        let names: Vec<&str> = kinds.iter().map(|k| k.name).collect();
        let at = join(path, choice.word);
        let Some(entry) = tree.get(choice.word) else {
            let message = format!("`{path}` has no `{}`", choice.word);
            let mut diagnostic = Diagnostic::error(&at, node.span.clone(), message).help(format!(
                "add `{} = …`: {}",
                choice.word,
                one_of(&names)
            ));
            let other_word = |key: &str| key == "kind" || key == "probe";
            let close = |key: &str| nearest(key, [choice.word]).is_some() || other_word(key);
            let near = tree.entries.iter().find(|e| close(&e.key));
            if let Some(near) = near {
                diagnostic.span = near.key_span.clone();
                diagnostic = diagnostic.label(format!("did you mean `{}`?", choice.word));
            }
            self.report(diagnostic);
            return None;
        };
        let (key_span, span) = (entry.key_span.clone(), entry.node.span.clone());
        self.findings.places.put(&at, key_span, span.clone());
        let Value::Text(name) = &entry.node.value else {
            let message = format!(
                "`{}` must be the name of a {}, found {}",
                choice.word,
                choice.registry,
                entry.node.value.describe()
            );
            self.report(Diagnostic::error(&at, span, message).help(format!("allowed: {}", one_of(&names))));
            return None;
        };
        let Some(kind) = kinds.iter().find(|k| k.name == *name) else {
            let message = format!("there is no {} {name:?}", choice.registry);
            let mut diagnostic =
                Diagnostic::error(&at, span, message).help(format!("allowed: {}", one_of(&names)));
            if let Some(near) = nearest(name, names.iter().copied()) {
                diagnostic = diagnostic.label(format!("did you mean \"{near}\"?"));
            }
            self.report(diagnostic);
            return None;
        };
        let mut read = toml::Table::new();
        read.insert(choice.word.into(), name.as_str().into());
        let without_word =
            Tree { entries: tree.entries.iter().filter(|e| e.key != choice.word).cloned().collect() };
        read.extend(self.table(&without_word, &node.span, &[choice.common, kind.keys], path));
        Some(read.into())
    }

    fn unknown_keys(&mut self, tree: &Tree, keys: &[&[Key]], path: &str) {
        let names: Vec<&str> = keys.iter().copied().flatten().map(|k| k.name).collect();
        for entry in tree.entries.iter().filter(|e| !names.contains(&e.key.as_str())) {
            let table = if path.is_empty() { "the top level".into() } else { format!("`{path}`") };
            let message = format!("{table} has no key `{}`", entry.key);
            let at = join(path, &entry.key);
            let mut diagnostic = Diagnostic::error(&at, entry.key_span.clone(), message);
            let homes = self.language.homes(&entry.key);
            let close = nearest(&entry.key, names.iter().copied());
            if let Some(near) = close.filter(|_| homes.is_empty()) {
                diagnostic = diagnostic.label(format!("did you mean `{near}`?"));
            } else if !homes.is_empty() {
                let help = format!("`{}` belongs {}", entry.key, homes.join(", or "));
                diagnostic = diagnostic.label("not here").help(help);
            } else if let Some((near, home)) = self.language.nearest_home(&entry.key) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`, which belongs {home}?"));
            }
            if !names.is_empty() {
                diagnostic = diagnostic.help(format!("keys here: {}", names.join(", ")));
            }
            self.report(diagnostic);
        }
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

/// A table that does not say its kind is of the default one, if its key has a default:
/// `--set training.optimizer.lr=1e-3` need not name the optimizer.
fn with_default_kind(node: &Node, key: &Key) -> Node {
    let mut node = node.clone();
    if let (Type::Kind(choice), Value::Table(tree), Default::Value(toml)) =
        (&key.ty, &mut node.value, &key.default)
        && tree.get(choice.word).is_none()
    {
        let document: toml::Table = toml::from_str(&format!("x = {toml}")).unwrap_or_default();
        let kind = document.get("x").and_then(|x| x.get(choice.word)?.as_str());
        let span = node.span.clone();
        tree.entries.extend(kind.map(|kind| Entry {
            key: choice.word.to_string(),
            key_span: span.clone(),
            node: Node { value: Value::Text(kind.to_string()), span: span.clone(), raw: None },
        }));
    }
    node
}

/// A dotted path.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

impl Language {
    /// Where a key of that name belongs, in words; empty if nowhere.
    fn homes(&self, key: &str) -> Vec<String> {
        let mut homes = Vec::new();
        self.walk(self.top, "", &mut |name, home| {
            if name == key && !homes.iter().any(|h| h == home) {
                homes.push(home.to_string());
            }
        });
        homes.truncate(3);
        homes
    }

    fn nearest_home(&self, key: &str) -> Option<(&'static str, String)> {
        let mut all: Vec<(&'static str, String)> = Vec::new();
        self.walk(self.top, "", &mut |name, home| all.push((name, home.to_string())));
        let near = nearest(key, all.iter().map(|(name, _)| *name))?;
        all.iter().find(|(name, _)| *name == near).cloned()
    }

    /// Visits every key of the language with the place it belongs to, in words.
    fn walk(&self, keys: &'static [Key], path: &str, visit: &mut dyn FnMut(&'static str, &str)) {
        let home = match path {
            "" => "at the top, before any [table]".to_string(),
            table if table.contains('.') && !table.starts_with("architecture") => {
                format!("in `{table}`")
            }
            table => format!("under `[{table}]`"),
        };
        for key in keys {
            visit(key.name, &home);
            let path = join(path, key.name);
            let (ty, brackets) = match &key.ty {
                Type::List(of, ..) => (*of, ("[[", "]]")),
                ty => (ty, ("[", "]")),
            };
            match ty {
                Type::Table(keys) => self.walk(keys, &path, visit),
                Type::Kind(choice) => {
                    let table = format!("under `{}{path}{}`", brackets.0, brackets.1);
                    for key in choice.common {
                        visit(key.name, &table);
                    }
                    for kind in self.kinds(choice.registry) {
                        let home = format!("{table} with `{} = {:?}`", choice.word, kind.name);
                        for key in kind.keys {
                            visit(key.name, &home);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
