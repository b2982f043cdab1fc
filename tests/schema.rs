//! The JSON Schema of the language: it takes every good spec, and no bad one that it can tell.

mod common;

use common::{complaints, planned, up_to_date};
use indhead::language::language;
use indhead::spec::Default;
use jsonschema::Validator;
use serde_json::Value;
use std::path::Path;

fn validator() -> Validator {
    let schema = language().json_schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema), "it is no schema of draft 2020-12");
    jsonschema::draft202012::new(&schema).unwrap()
}

fn as_json(toml: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(toml).unwrap()).unwrap()
}

fn complaints_of(validator: &Validator, toml: &str) -> Vec<String> {
    let value = as_json(toml);
    validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

const GOOD: &str = r#"
[architecture]
d_model = 64
n_ctx = 128
[[architecture.blocks]]
kind = "conv1d"
kernel_size = 2
[[architecture.blocks]]
kind = "attention"
n_heads = 2
[tokenizer]
d_vocab = 300
[dataset]
kind = "stories"
[training]
steps = 100
optimizer = { lr = 1e-2, betas = [0.9, 0.95] }
checkpoints = { kind = "every", steps = 10 }
[[analyses]]
probe = "attention_map"
text = "Ann met Bo."
"#;

#[test]
fn committed_specs_are_accepted() {
    let validator = validator();
    let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs");
    let mut found = 0;
    for entry in specs.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(complaints_of(&validator, &text), [""; 0], "{}", path.display());
            // So is the plan it comes to, in which every key is written.
            if let Some(plan) = planned(&text, &[]).plan {
                assert_eq!(complaints_of(&validator, &plan.to_toml(None)), [""; 0], "{}", path.display());
            }
            found += 1;
        }
    }
    assert!(found >= 3);
}

#[test]
fn every_default_is_accepted_by_its_own_schema() {
    let language = language();
    let definitions = language.json_schema()["$defs"].take();
    let keys = language.registries.iter().flat_map(|(_, kinds)| kinds.iter().flat_map(|kind| kind.keys));
    for key in keys.chain(language.top) {
        let mut schema = language.key(key);
        schema["$defs"] = definitions.clone();
        if let (Default::Value(_), Some(default)) = (&key.default, schema.get("default")) {
            assert!(jsonschema::draft202012::is_valid(&schema, default), "{}: {default}", key.name);
        }
        assert!(schema["description"].as_str().is_some_and(|words| words.starts_with(key.doc)));
    }
}

#[test]
fn specs_that_extend_others_and_sweeps_are_accepted() {
    let validator = validator();
    let over = [
        "extends = \"base.toml\"",
        "extends = \"base.toml\"\n[architecture]\nn_ctx = 64\n[training.optimizer]\nlr = 3e-3\n",
        "extends = \"base.toml\"\n[dataset]\nmax_bytes = 5\n[training.checkpoints]\nsteps = 7\n",
        "extends = \"base.toml\"\n[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 4\n",
    ];
    for text in over {
        assert_eq!(complaints_of(&validator, text), [""; 0], "{text}");
    }
    let sweep = "[sweep]\nseed = [0, 1]\n\"training.optimizer.lr\" = [3e-3, 1e-2]\ntraining.steps = [5]\n";
    assert_eq!(complaints_of(&validator, &format!("{GOOD}{sweep}")), [""; 0]);
    for bad in ["[sweep]\nseed = 3\n", "[sweep]\nseed = []\n"] {
        assert_ne!(complaints_of(&validator, &format!("{GOOD}{bad}")), [""; 0], "{bad}");
    }
}

/// Each of these is also a mistake to `indhead check`.
#[test]
fn bad_specs_are_rejected() {
    let validator = validator();
    assert_eq!(complaints_of(&validator, GOOD), [""; 0]);
    let edits = [
        ("d_model = 64\n", ""),
        ("d_model = 64", "d_model = 0"),
        ("d_model = 64", "d_model = \"64\""),
        ("d_model = 64", "dmodel = 64"),
        ("n_ctx = 128", "n_ctx = 8"),
        ("n_ctx = 128", "n_ctx = 128\nn_heads = 2"),
        ("n_ctx = 128", "n_ctx = 128\npositions = \"relative\""),
        ("n_ctx = 128", "n_ctx = 128\ninit = { blocks = \"fanin\" }"),
        ("\"attention\"", "\"atention\""),
        ("kind = \"attention\"\n", ""),
        ("n_heads = 2", "n_heads = 0"),
        ("n_heads = 2", "n_heads = 2\nkernel_size = 2"),
        ("n_heads = 2", "n_heads = 2\npositions = \"learned\""),
        ("n_heads = 2", ""),
        ("d_vocab = 300", "d_vocab = 100"),
        ("d_vocab = 300", "path = \"x\""),
        ("[tokenizer]\nd_vocab = 300", "[tokenizer]\nkind = \"bytes\"\nsample_bytes = 3"),
        ("kind = \"stories\"", "kind = \"text\""),
        ("kind = \"stories\"", "kind = \"stories\"\npath = \"x\""),
        ("kind = \"stories\"", "burstiness = 0.5"),
        ("kind = \"stories\"", "kind = \"stories\"\nvalidation_fraction = 0.9"),
        ("kind = \"stories\"", "kind = \"stories\"\nrepeat = { passage = 0.5 }"),
        ("[dataset]\nkind = \"stories\"\n", ""),
        ("lr = 1e-2", "lr = 0"),
        ("lr = 1e-2", "lr = \"fast\""),
        ("betas = [0.9, 0.95]", "betas = [0.9]"),
        ("betas = [0.9, 0.95]", "betas = [0.9, 1.5]"),
        ("{ kind = \"every\", steps = 10 }", "{ kind = \"every\" }"),
        ("{ kind = \"every\", steps = 10 }", "{ steps = 10 }"),
        ("{ kind = \"every\", steps = 10 }", "\"every\""),
        ("probe = \"attention_map\"", "kind = \"attention_map\""),
        ("text = \"Ann met Bo.\"", ""),
        ("text = \"Ann met Bo.\"", "text = \"Ann\"\nat = \"end\""),
        ("steps = 100", "steps = 100\nlr = 1"),
        ("steps = 100", "steps = -1"),
        ("[training]", "[trainning]\n[training]"),
    ];
    for (from, to) in edits {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(complaints_of(&validator, &text), [""; 0], "{from:?} to {to:?} is accepted");
        assert_ne!(complaints(&text, &[]), "");
    }
}

/// `docs/indhead.schema.json` is what `indhead schema` prints.
#[test]
fn the_committed_schema_is_up_to_date() {
    let schema = serde_json::to_string_pretty(&language().json_schema()).unwrap() + "\n";
    up_to_date("docs/indhead.schema.json", &schema);
}
