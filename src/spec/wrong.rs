//! What to say of a value that is not what its key takes.

use super::diagnostic::Diagnostic;
use super::names::nearest;
use super::schema::{Choice, Language, Type, lost};
use super::tree::{Node, Value};
use toml::de::DeValue;

/// What is wrong with a value, and the way to write what was probably meant.
pub fn diagnostic(language: &Language, node: &Node, ty: &Type, path: &str) -> Diagnostic {
    let name = path.rsplit('.').find(|part| !is_index(part)).unwrap_or(path);
    let called = match path.rsplit('.').next() {
        Some(index) if is_index(index) => format!("item {index} of `{name}`"),
        _ => format!("`{name}`"),
    };
    let message = format!("{called} must be {}, found {}", ty.describe(), node.value.describe());
    let diagnostic = Diagnostic::error(path, node.span.clone(), message);
    if let Some(error) = unparsed(node) {
        return diagnostic.help(format!("this is not TOML: {error}"));
    }
    match (ty, &node.value) {
        (
            Type::Word(words) | Type::WordOrNumber(words, _) | Type::WordOrInteger(words, ..),
            Value::Text(word),
        ) => {
            if let Some(near) = nearest(word, words.iter().copied()) {
                return diagnostic.label(format!("did you mean \"{near}\"?"));
            }
            match language.elsewhere(name, word) {
                Some(home) => diagnostic.help(format!("\"{word}\" is for the `{name}` {home}")),
                None => diagnostic,
            }
        }
        (Type::Kind(choice), Value::Text(word)) => diagnostic.help(as_kind(language, choice, word)),
        (Type::Integer(..) | Type::Number(_) | Type::Flag, Value::Text(text)) if is_toml(text, ty) => {
            diagnostic.help(format!("write it without quotes: {text}"))
        }
        (Type::Integer(..), Value::Text(text)) if number_meant(text).is_some() => {
            diagnostic.help(format!("write it out: {}", number_meant(text).unwrap_or_default()))
        }
        (Type::Text, Value::Integer(layer)) if name == "head" => {
            diagnostic.help(format!("a layer and a head of it, as \"{layer}.0\"; or \"best\", or \"all\""))
        }
        (Type::Text | Type::Path, Value::Integer(_) | Value::Number(_)) => {
            let raw = node.raw.clone().unwrap_or_else(|| match &node.value {
                Value::Number(x) => format!("{x:?}"),
                Value::Integer(i) => i.to_string(),
                _ => String::new(),
            });
            diagnostic.help(format!("write it in quotes: \"{raw}\""))
        }
        (Type::List(Type::Text, ..), Value::Text(text)) => {
            diagnostic.help(format!("write it in brackets: [{text:?}]"))
        }
        (Type::Integer(..) | Type::WordOrInteger(..), Value::Number(x))
            if x.fract() == 0.0 && x.abs() < 1e15 =>
        {
            diagnostic.help(format!("write it as a whole number: {x:.0}"))
        }
        (Type::List(_, least, most), Value::List(items)) if items.len() > *most && least < most => {
            diagnostic.help(format!("{most} are the most"))
        }
        (Type::Number(_) | Type::WordOrNumber(..), Value::Number(x)) if lost(*x) => {
            diagnostic.help("training has 32 bits for a number: from 1.2e-38 to 3.4e38")
        }
        (Type::List(Type::Table(_) | Type::Kind(_), ..), Value::Table(_)) => {
            diagnostic.help(format!("each of a list of tables has double brackets: `[[{path}]]`"))
        }
        (Type::List(Type::Kind(choice), ..), _) => {
            diagnostic.help(format!("write each as `[[{path}]]` with `{} = \"…\"` below it", choice.word))
        }
        (Type::Table(_) | Type::Kind(_), Value::List(items))
            if items.iter().any(|item| matches!(item.value, Value::Table(_))) =>
        {
            diagnostic.help(format!("there is one such table, in single brackets: `[{path}]`"))
        }
        (Type::Kind(choice), value) if !matches!(value, Value::Table(_)) => {
            let first = language.kinds(choice.registry).first().map(|kind| kind.name);
            let name = choice.default.or(first).unwrap_or("…");
            diagnostic.help(format!("for example `{{ {} = \"{name}\" }}`", choice.word))
        }
        _ => diagnostic,
    }
}

/// The whole number that was meant by `6M`, `10 MB` or `2,000,000`, with underscores.
pub fn number_meant(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !" ,_'".contains(c)).unwrap_or(text.len());
    let groups: Vec<&str> = text[..end].trim_end().split([' ', ',', '_', '\'']).collect();
    let (first, rest) = groups.split_first()?;
    let zeros = match text[end..].trim_end_matches(['b', 'B']) {
        "" if !rest.is_empty() || end < text.len() => "",
        "k" | "K" => "000",
        "m" | "M" => "000000",
        "g" | "G" => "000000000",
        _ => return None,
    };
    let whole =
        !first.is_empty() && (rest.is_empty() || first.len() <= 3) && rest.iter().all(|g| g.len() == 3);
    let digits = groups.concat() + zeros;
    if !whole || digits.len() > 18 || digits.starts_with('0') {
        return None;
    }
    let (head, tail) = digits.split_at((digits.len() - 1) % 3 + 1);
    let tail = tail.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group));
    Some(tail.fold(head.to_string(), |number, group| number + "_" + &group))
}

fn is_index(part: &str) -> bool {
    part.parse::<usize>().is_ok()
}

fn is_toml(text: &str, ty: &Type) -> bool {
    match DeValue::parse(text).map(|value| value.into_inner()) {
        Ok(DeValue::Integer(_)) => !matches!(ty, Type::Flag),
        Ok(DeValue::Float(_)) => matches!(ty, Type::Number(_)),
        Ok(DeValue::Boolean(_)) => matches!(ty, Type::Flag),
        _ => false,
    }
}

/// A word where a table should be picks its kind.
fn as_kind(language: &Language, choice: &Choice, word: &str) -> String {
    let names = language.kinds(choice.registry).iter().map(|kind| kind.name);
    let kind = nearest(word, names).map_or("…".to_string(), |name| format!("{name:?}"));
    format!("write `{{ {} = {kind} }}`", choice.word)
}

/// What is wrong with a value from the command line that was meant to be TOML.
fn unparsed(node: &Node) -> Option<String> {
    let raw = node.raw.as_deref().filter(|raw| raw.starts_with(['{', '[', '"', '\'']))?;
    let error = DeValue::parse(raw).err()?;
    error.message().lines().next().map(str::to_string)
}
