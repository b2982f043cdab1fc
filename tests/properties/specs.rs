//! Specs at random, drawn from the language's own tables of keys: each value is one that its key allows.

use indhead::language::language;
use indhead::spec::{Choice, Default, Key, Kind, Language, Range, Trait, Type};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use toml::{Table, Value};

/// Specs of every kind of everything. What is between keys mostly fits, too, and not always.
pub fn specs() -> impl Strategy<Value = Table> {
    let language = language();
    table(&language, &[language.top]).prop_map(move |spec| fitting(spec, &language))
}

fn table(language: &Language, keys: &[&'static [Key]]) -> BoxedStrategy<Table> {
    let entry = |key: &'static Key| {
        let value = value(language, key.name, &key.ty).prop_map(|value| (key.name.to_string(), value));
        match key.default {
            Default::Required => value.prop_map(Some).boxed(),
            _ => weighted(0.3, value).boxed(),
        }
    };
    let entries: Vec<_> = keys.iter().copied().flatten().map(entry).collect();
    entries.prop_map(|entries| entries.into_iter().flatten().collect()).boxed()
}

fn value(language: &Language, name: &'static str, ty: &Type) -> BoxedStrategy<Value> {
    let texts = |words: &'static [&'static str]| select(words).prop_map(Value::from);
    match ty {
        Type::Flag => any::<bool>().prop_map(Value::from).boxed(),
        Type::Text => text(name),
        Type::Path => "/nowhere/[a-z é'\"\\\\.]{1,9}".prop_map(Value::from).boxed(),
        Type::Word(words) => texts(words).boxed(),
        Type::Integer(min, max) => integer(name, *min, *max).prop_map(Value::from).boxed(),
        Type::Number(range) => number(*range),
        Type::WordOrNumber(words, range) => prop_oneof![texts(words), number(*range)].boxed(),
        Type::WordOrInteger(words, min, max) => {
            prop_oneof![texts(words), integer(name, *min, *max).prop_map(Value::from)].boxed()
        }
        Type::List(of, min, max) => {
            let items = vec(value(language, name, of), *min..=(*max).min(min + 3));
            items.prop_map(ascending).boxed()
        }
        Type::Table(keys) => table(language, &[keys]).prop_map(Value::from).boxed(),
        Type::Kind(choice) => kind(language, choice),
    }
}

fn kind(language: &Language, choice: &'static Choice) -> BoxedStrategy<Value> {
    let of = |kind: &&'static Kind| {
        let name = kind.name;
        table(language, &[choice.common, kind.keys])
            .prop_map(move |mut table| {
                table.insert(choice.word.into(), name.into());
                Value::from(table)
            })
            .boxed()
    };
    Union::new(language.kinds(choice.registry).iter().map(of)).boxed()
}

fn text(name: &str) -> BoxedStrategy<Value> {
    let pattern = match name {
        "name" => "[a-z0-9é][a-zA-Z0-9_.=+,-]{0,6}(/[a-z]{1,3})?",
        "id" => "[a-z0-9_-]{1,8}",
        "head" => "best|all|0\\.0|1\\.0",
        "repo" => "[a-z]{1,4}/[a-z]{1,4}",
        "revision" => "[a-z0-9]{1,8}",
        "include" | "files" => "\\*\\*/\\*\\.[a-z]{1,3}",
        "template" => "report",
        _ => "(\\PC|[\n\t\"'\\\\#=]){1,12}",
    };
    pattern.prop_map(Value::from).boxed()
}

/// Small ones mostly, and the ends of the range.
fn integer(name: &str, min: i64, max: i64) -> BoxedStrategy<i64> {
    match name {
        "d_model" => select(&[8, 16, 24, 60][..]).boxed(),
        "n_heads" => select(&[1, 2, 4][..]).boxed(),
        "n_ctx" => select(&[9, 16, 100, 512][..]).boxed(),
        "d_head" => select(&[2, 4, 6][..]).boxed(),
        "micro_batch_size" => Just(1).boxed(),
        _ => {
            let small = min..=max.min(min.saturating_add(8));
            prop_oneof![6 => small, 1 => min..=max, 1 => select(vec![min, max])].boxed()
        }
    }
}

/// Plain ones mostly, whole ones as well, and any within what 32 bits hold.
fn number(range: Range) -> BoxedStrategy<Value> {
    let plain = (0..=16).map(|n| Value::from(f64::from(n) / 16.0));
    let all = plain.chain([0, 1, 2].map(Value::from)).chain([range.min, range.max].map(Value::from));
    let number = |value: &Value| value.as_float().or(value.as_integer().map(|n| n as f64));
    let plain: Vec<Value> = all.filter(|value| number(value).is_some_and(|x| range.contains(x))).collect();
    let (least, most) = (range.min.max(1e-37).ln(), range.max.min(1e38).ln());
    let any = (0.001..0.999f64).prop_map(move |share| Value::from((least + share * (most - least)).exp()));
    prop_oneof![5 => select(plain), 1 => any].boxed()
}

/// A pair of numbers is the ends of a range.
fn ascending(mut items: Vec<Value>) -> Value {
    if let [Value::Integer(a), Value::Integer(b)] = &mut items[..] {
        (*a, *b) = ((*a).min(*b), (*a).max(*b));
    }
    items.into()
}

/// The same spec, where what must agree does so more often.
fn fitting(mut spec: Table, language: &Language) -> Table {
    let dataset = spec["dataset"]["kind"].as_str().and_then(|name| language.kind("dataset", name));
    let tokenizer = match dataset {
        Some(kind) if kind.is(Trait::ReadsText) => "bpe",
        Some(kind) if kind.name == "tokens" => "bytes",
        _ => "ids",
    };
    let chosen = spec.get("tokenizer").and_then(|t| t.get("kind")?.as_str());
    if (chosen == Some("ids")) != (tokenizer == "ids") || tokenizer == "bytes" {
        let mut table = Table::new();
        table.insert("kind".into(), tokenizer.into());
        if tokenizer == "ids" {
            table.insert("d_vocab".into(), 40.into());
        }
        spec.insert("tokenizer".into(), table.into());
    }
    let training = spec.entry("training").or_insert_with(|| Table::new().into());
    if let Value::Table(training) = training {
        match training.contains_key("tokens") {
            true => drop(training.remove("steps")),
            false => drop(training.entry("steps").or_insert(100.into())),
        }
    }
    if let Some(Value::Array(analyses)) = spec.get_mut("analyses") {
        for (i, analysis) in analyses.iter_mut().enumerate() {
            if let Value::Table(analysis) = analysis {
                analysis.insert("id".into(), format!("{i}").into());
            }
        }
    }
    spec
}
