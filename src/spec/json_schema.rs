//! The language as a JSON Schema (draft 2020-12), for editors: made from the same tables of keys
//! that specs are read by.
//!
//! A spec that extends another may leave out what the other gives, so that what has to be there is
//! asked of specs that stand alone. Keys stand in plain `properties`, where editors look for what can
//! be written; what a kind takes in particular is in `if … then … else`.

use super::schema::{Choice, Default, Key, Kind, Language, Range, Type};
use super::{EXTENDS, SWEEP};
use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

impl Language {
    /// The whole language as a JSON Schema.
    pub fn json_schema(&self) -> Value {
        let mut properties = self.properties(self.top.iter());
        properties.insert(EXTENDS.name.into(), self.key(&EXTENDS));
        properties.insert(SWEEP.name.into(), sweep());
        let mut schema = table(properties);
        schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".into(), "a spec of indhead".into());
        schema.insert("description".into(), "An experiment: a model, what it reads, how it learns.".into());
        schema.insert("if".into(), json!({"not": {"required": [EXTENDS.name]}}));
        schema.insert("then".into(), self.standing_alone(self.top).into());
        schema.insert("$defs".into(), self.definitions().into());
        schema.into()
    }

    fn properties(&self, keys: impl Iterator<Item = &'static Key>) -> Object {
        keys.map(|key| (key.name.to_string(), self.key(key))).collect()
    }

    /// What may be written for a key, with its documentation.
    pub fn key(&self, key: &Key) -> Value {
        let mut schema = self.value(&key.ty);
        let mut words = key.doc.to_string();
        match key.default {
            Default::Required => words.push_str(" (required)"),
            Default::Computed(default) => words.push_str(&format!(" (default: {default})")),
            Default::Value("{}") => {}
            Default::Value(toml) => {
                words.push_str(&format!(" (default: {toml})"));
                schema.extend(to_json(toml).map(|value| ("default".to_string(), value)));
            }
        }
        schema.insert("description".into(), words.into());
        schema.into()
    }

    fn value(&self, ty: &Type) -> Object {
        let schema = match ty {
            Type::Flag => json!({"type": "boolean"}),
            Type::Text => json!({"type": "string"}),
            Type::Path => json!({"type": "string", "minLength": 1}),
            Type::Word(words) => json!({"type": "string", "enum": words}),
            Type::Integer(min, i64::MAX) => json!({"type": "integer", "minimum": min}),
            Type::Integer(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
            Type::Number(range) => number(range),
            Type::WordOrNumber(words, range) => {
                json!({"anyOf": [{"type": "string", "enum": words}, number(range)]})
            }
            Type::WordOrInteger(words, min, max) => {
                let integer = self.value(&Type::Integer(*min, *max));
                json!({"anyOf": [{"type": "string", "enum": words}, integer]})
            }
            Type::List(of, min, max) => {
                // Lists are replaced whole: what is in them stands alone in any spec.
                let mut items = self.value(of);
                items.extend(self.asked_of(of));
                json!({"type": "array", "items": items, "minItems": min, "maxItems": max})
            }
            Type::Table(keys) => return table(self.properties(keys.iter())),
            Type::Kind(choice) => return self.of_some_kind(choice),
        };
        object(schema)
    }

    /// A table of some kind: every key of every kind, and the kind it has narrows them down.
    fn of_some_kind(&self, choice: &Choice) -> Object {
        let kinds = self.kinds(choice.registry);
        let mut properties = self.properties(choice.common.iter());
        for key in kinds.iter().flat_map(|kind| kind.keys) {
            let new = self.key(key);
            match properties.get_mut(key.name) {
                None => drop(properties.insert(key.name.into(), new)),
                Some(Value::Object(old)) if old.contains_key("anyOf") => {
                    if let Some(Value::Array(any)) = old.get_mut("anyOf") {
                        any.push(new);
                    }
                }
                Some(old) if *old != new => *old = json!({"anyOf": [old.take(), new]}),
                Some(_) => {}
            }
        }
        properties.insert(choice.word.into(), word(choice, kinds));
        let mut schema = table(properties);
        let narrow = |kind: &&Kind| json!({"$ref": reference(choice, kind)});
        schema.extend(choose(choice, kinds, false, &narrow));
        schema
    }

    /// What has to be there in a table of a spec that extends no other.
    fn standing_alone(&self, keys: &[Key]) -> Object {
        let mut properties = Object::new();
        for key in keys {
            let asked = self.asked_of(&key.ty);
            if !asked.is_empty() && !matches!(key.ty, Type::List(..)) {
                properties.insert(key.name.into(), asked.into());
            }
        }
        let mut schema = Object::new();
        let required = required(keys.iter());
        if !required.is_empty() {
            schema.insert("required".into(), required.into());
        }
        if !properties.is_empty() {
            schema.insert("properties".into(), properties.into());
        }
        schema
    }

    fn asked_of(&self, ty: &Type) -> Object {
        match ty {
            Type::Table(keys) => self.standing_alone(keys),
            Type::Kind(choice) => {
                let kinds = self.kinds(choice.registry);
                let needs = |kind: &&Kind| {
                    let required = required(choice.common.iter().chain(kind.keys));
                    json!({"$ref": reference(choice, kind), "required": required})
                };
                let mut schema = Object::new();
                if choice.default.is_none() {
                    schema.insert("required".into(), json!([choice.word]));
                }
                schema.extend(choose(choice, kinds, true, &needs));
                schema
            }
            _ => Object::new(),
        }
    }

    /// The tables of every kind.
    fn definitions(&self) -> Object {
        let mut definitions = Object::new();
        for (_, choice) in self.choices() {
            for kind in self.kinds(choice.registry) {
                let mut properties = self.properties(choice.common.iter().chain(kind.keys));
                properties.insert(choice.word.into(), json!({"const": kind.name}));
                let mut definition = table(properties);
                definition.insert("description".into(), kind.doc.into());
                definitions.insert(name(choice, kind), definition.into());
            }
        }
        let values = json!({"anyOf": [
            {"type": "array", "minItems": 1},
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/sweep"}},
        ]});
        definitions.insert("sweep".into(), values);
        definitions
    }
}

/// `if` a table is of the first kind `then …`, `else if` of the second …; with `alone`, a table that
/// does not say is of the default kind.
fn choose(
    choice: &Choice,
    kinds: &[&'static Kind],
    alone: bool,
    then: &dyn Fn(&&'static Kind) -> Value,
) -> Object {
    kinds.iter().rev().fold(Object::new(), |otherwise, kind| {
        let mut is = object(json!({"properties": {choice.word: {"const": kind.name}}}));
        if !alone || choice.default != Some(kind.name) {
            is.insert("required".into(), json!([choice.word]));
        }
        let mut chosen = Object::new();
        chosen.insert("if".into(), is.into());
        chosen.insert("then".into(), then(kind));
        if !otherwise.is_empty() {
            chosen.insert("else".into(), otherwise.into());
        }
        chosen
    })
}

/// The key that picks a kind; `x-taplo` is how Even Better TOML takes a text for each word.
fn word(choice: &Choice, kinds: &[&'static Kind]) -> Value {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let docs: Vec<&str> = kinds.iter().map(|kind| kind.doc).collect();
    let mut schema = object(json!({
        "type": "string",
        "enum": names,
        "description": format!("the kind of {}", choice.registry),
        "x-taplo": {"docs": {"enumValues": docs}},
    }));
    schema.extend(choice.default.map(|default| ("default".to_string(), default.into())));
    schema.into()
}

fn sweep() -> Value {
    // `a.b = […]` without quotes is a table in a table.
    json!({
        "type": "object",
        "description": SWEEP.doc,
        "additionalProperties": {"$ref": "#/$defs/sweep"},
    })
}

fn reference(choice: &Choice, kind: &Kind) -> String {
    format!("#/$defs/{}", name(choice, kind))
}

fn name(choice: &Choice, kind: &Kind) -> String {
    format!("{}.{}", choice.registry.replace(' ', "_"), kind.name)
}

fn table(properties: Object) -> Object {
    object(json!({"type": "object", "properties": properties, "additionalProperties": false}))
}

fn number(range: &Range) -> Value {
    let least = if range.min_included { "minimum" } else { "exclusiveMinimum" };
    let mut schema = object(json!({"type": "number", least: range.min}));
    if range.max < f64::MAX {
        schema.insert("maximum".into(), range.max.into());
    }
    schema.into()
}

fn required<'a>(keys: impl Iterator<Item = &'a Key>) -> Vec<&'static str> {
    keys.filter(|key| matches!(key.default, Default::Required)).map(|key| key.name).collect()
}

fn to_json(toml: &str) -> Option<Value> {
    let value = toml::from_str::<toml::Table>(&format!("x = {toml}")).ok()?.remove("x")?;
    serde_json::to_value(value).ok()
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
