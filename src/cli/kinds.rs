//! `indhead kinds`: what can be written in a spec, from the registries' own documentation.

use super::printed::{Format, json};
use super::{Failure, Outcome, console};
use crate::figures;
use crate::language::language;
use crate::spec::describe::flat;
use crate::spec::schema::one_of;
use crate::spec::{Default, Key, Kind, Language, nearest};
use serde_json::Value;
use std::fmt::Write;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A kind (`attention`), or all of a registry (`block`); without one, the list of all
    name: Option<String>,
    /// As text, or as JSON
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A kind, as it is told.
struct Entry {
    registry: &'static str,
    name: &'static str,
    doc: &'static str,
    example: String,
    keys: Vec<(String, &'static Key)>,
}

/// Tells of all kinds, or of those of a name.
pub fn kinds(arguments: Arguments) -> Outcome {
    let language = language();
    let all = entries(&language);
    let told: Vec<&Entry> = match &arguments.name {
        None => all.iter().collect(),
        Some(name) => named(&all, name)?,
    };
    let text = match (arguments.format, &arguments.name) {
        (Format::Json, _) => json(&told.iter().map(|e| e.json(&language)).collect::<Vec<_>>()),
        (Format::Text, None) => overview(&told),
        (Format::Text, Some(_)) => told.iter().map(|e| e.text()).collect::<Vec<_>>().join("\n"),
    };
    console::out(&text);
    Ok(())
}

fn entries(language: &Language) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (registry, kinds) in &language.registries {
        let (header, choice) = language.choice(registry).unzip();
        let header = header.map_or(String::new(), |header| format!("{header}\n"));
        let common: &[Key] = choice.map_or(&[], |choice| choice.common);
        // A part of a mixture is told of as the dataset that it also is.
        let told = |kind: &&&'static Kind| entries.iter().any(|e: &Entry| std::ptr::eq(e.doc, kind.doc));
        let new: Vec<_> = kinds.iter().filter(|kind| !told(kind)).collect();
        entries.extend(new.into_iter().map(|kind: &&'static Kind| Entry {
            registry,
            name: kind.name,
            doc: kind.doc,
            example: format!("{header}{}", kind.example),
            keys: flat(kind.keys.iter().chain(common)),
        }));
    }
    entries.extend(figures::KINDS.iter().map(|kind| Entry {
        registry: "figure",
        name: kind.name,
        doc: kind.reading,
        example: kind.example.into(),
        keys: Vec::new(),
    }));
    entries
}

/// The kinds of a name, or of a registry of that name.
fn named<'a>(all: &'a [Entry], name: &str) -> Result<Vec<&'a Entry>, Failure> {
    let wanted = name.replace('_', " ");
    let registry = |e: &Entry| [wanted.as_str(), wanted.trim_end_matches('s')].contains(&e.registry);
    let told: Vec<&Entry> = all.iter().filter(|e| e.name == name || registry(e)).collect();
    if !told.is_empty() {
        return Ok(told);
    }
    let mut registries: Vec<&str> = all.iter().map(|e| e.registry).collect();
    registries.dedup();
    let near = nearest(name, all.iter().map(|e| e.name).chain(registries.iter().copied()));
    let help = match near {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("`indhead kinds` lists them all; or name a registry: {}", one_of(&registries)),
    };
    Err(Failure::Usage(format!("error: there is no kind and no registry {name:?}\nhelp: {help}")))
}

/// One line a kind.
fn overview(all: &[&Entry]) -> String {
    let mut out = String::new();
    let mut registry = "";
    for entry in all {
        if entry.registry != registry {
            registry = entry.registry;
            let _ = writeln!(out, "{}{registry}", if out.is_empty() { "" } else { "\n" });
        }
        let _ = writeln!(out, "  {:<20} {}", entry.name, shortened(first_sentence(entry.doc), 74));
    }
    out + "\n`indhead kinds NAME` tells all about one, or about all of a registry.\n"
}

/// A text up to its first full stop; the one of "et al. 2022" is none.
fn first_sentence(text: &str) -> &str {
    let ends = |at: usize| text[at + 2..].starts_with(|c: char| c.is_uppercase());
    let end = text.match_indices(". ").map(|(at, _)| at).find(|at| ends(*at));
    text[..end.unwrap_or(text.len())].trim_end_matches('.')
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    let start: String = text.chars().take(most).collect();
    format!("{} …", start.rsplit_once(' ').map_or(start.as_str(), |(start, _)| start))
}

impl Entry {
    fn text(&self) -> String {
        let mut out = format!("{} \"{}\"\n\n", self.registry, self.name);
        out += &wrapped(self.doc, "  ");
        if !self.keys.is_empty() {
            out.push('\n');
        }
        let width = self.keys.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, key) in &self.keys {
            let _ = writeln!(out, "  {name:<width$}  {}", key.doc);
            out += &wrapped(&key.describe(), &" ".repeat(width + 4));
        }
        out += "\n  for example\n\n";
        self.example.lines().for_each(|line| {
            let _ = writeln!(out, "    {line}");
        });
        out
    }

    fn json(&self, language: &Language) -> Value {
        let key = |(name, key): &(String, &'static Key)| {
            serde_json::json!({
                "key": name,
                "doc": key.doc,
                "takes": key.ty.describe(),
                "required": matches!(key.default, Default::Required),
                "default": match key.default {
                    Default::Required | Default::Value("{}") => None,
                    Default::Value(default) | Default::Computed(default) => Some(default),
                },
                "schema": language.key(key),
            })
        };
        serde_json::json!({
            "registry": self.registry,
            "name": self.name,
            "doc": self.doc,
            "keys": self.keys.iter().map(key).collect::<Vec<_>>(),
            "example": self.example,
        })
    }
}

/// Words in lines of a hundred columns, each with an indent.
fn wrapped(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > 100 {
            out.push('\n');
            column = 0;
        }
        let before = if column == 0 { indent } else { " " };
        column += before.len() + width;
        out = out + before + word;
    }
    out + "\n"
}
