//! What differs, and nothing else: pairs of specs of which the changed keys are known.

mod common;

use common::bench::{Bench, SPEC};
use common::planned;
use indhead::diff::{Difference, Differences, Subject, compare};
use indhead::spec::render;
use serde_json::Value;
use std::fs;

const BASE: &str = r#"
seed = 0
[architecture]
d_model = 32
n_ctx = 64
[[architecture.blocks]]
kind = "conv1d"
kernel_size = 2
[[architecture.blocks]]
kind = "attention"
n_heads = 2
[[architecture.blocks]]
kind = "mlp"
[tokenizer]
kind = "bytes"
[dataset]
kind = "stories"
[training]
tokens = 400_000
optimizer = { kind = "adamw", lr = 0.01 }
[[analyses]]
probe = "attention_map"
text = "Ann met Bo."
"#;

fn subject(text: &str, sets: &[&str]) -> Subject {
    let planned = planned(text, sets);
    let findings = planned.findings;
    let said = || render(&findings.diagnostics, &findings.sources, false);
    let plan = planned.plan.unwrap_or_else(|| panic!("{}", said()));
    Subject::of_text("x", &plan.to_toml(Some(&findings)))
}

fn keys(rows: &[Difference]) -> Vec<String> {
    rows.iter().map(Difference::key).collect()
}

fn differences(a: &Subject, b: &Subject) -> Differences {
    compare(&[a.clone(), b.clone()], false)
}

#[test]
fn exactly_the_changed_keys_are_listed() {
    let base = subject(BASE, &[]);
    // What is set; the keys that change results; those that follow; the cosmetic ones.
    type Case =
        (&'static [&'static str], &'static [&'static str], &'static [&'static str], &'static [&'static str]);
    let cases: &[Case] = &[
        (&["seed=1"], &["seed"], &[], &[]),
        (&["name=other", "description=words"], &[], &[], &["name", "description"]),
        (
            &["architecture.positions=rotary"],
            &["architecture.positions"],
            &["architecture.blocks[1].positions"],
            &[],
        ),
        (
            &["architecture.positions=none", "architecture.blocks.1.positions=\"relative_bias\""],
            &[],
            &[],
            &["architecture.positions"],
        ),
        (&["architecture.init.embedding_std=0.4"], &["architecture.init.embedding_std"], &[], &[]),
        (&["architecture.blocks.0.kernel_size=3"], &["architecture.blocks[0].kernel_size"], &[], &[]),
        (&["architecture.blocks.0.depthwise=true"], &["architecture.blocks[0].depthwise"], &[], &[]),
        (
            &["architecture.blocks.1.n_heads=4"],
            &["architecture.blocks[1].n_heads"],
            &["architecture.blocks[1].d_head"],
            &[],
        ),
        (
            &["architecture.blocks.1.n_heads=4", "architecture.blocks.1.d_head=16"],
            &["architecture.blocks[1].n_heads"],
            &[],
            &[],
        ),
        (&["architecture.blocks.1.smeared_keys=true"], &["architecture.blocks[1].smeared_keys"], &[], &[]),
        (&["architecture.blocks.2.activation=relu"], &["architecture.blocks[2].activation"], &[], &[]),
        (&["training.tokens=800_000"], &["training.tokens"], &[], &[]),
        (&["training.batch_size=16"], &["training.batch_size"], &["training.steps"], &[]),
        (&["training.clip_norm=0.5"], &["training.clip_norm"], &[], &[]),
        (&["training.optimizer.lr=0.02"], &["training.optimizer.lr"], &[], &[]),
        (&["training.optimizer.betas=[0.9, 0.99]"], &["training.optimizer.betas"], &[], &[]),
        (&["training.schedule.warmup_fraction=0.2"], &["training.schedule.warmup_fraction"], &[], &[]),
        (
            &["training.schedule.kind=constant"],
            &["training.schedule.kind"],
            &["training.schedule.final_fraction"],
            &[],
        ),
        (
            &["training.checkpoints={kind=\"every\",steps=50}"],
            &[],
            &["training.checkpoints.count"],
            &["training.checkpoints.kind", "training.checkpoints.steps"],
        ),
        (&["training.validation_sequences=7"], &[], &[], &["training.validation_sequences"]),
        (
            &["tokenizer={kind=\"bpe\",d_vocab=300}"],
            &["tokenizer.kind", "tokenizer.d_vocab"],
            &["tokenizer.sample_bytes"],
            &[],
        ),
        (&["dataset.burstiness=0.5"], &["dataset.burstiness"], &[], &[]),
        (&["dataset.repeat.passages=0.5"], &["dataset.repeat.passages"], &[], &[]),
        (&["analyses.0.text=Bo met Ann."], &[], &[], &["analyses[attention_map].text"]),
        (&["analyses=[]"], &[], &[], &["analyses[attention_map]"]),
        (&["verdict.ablation=0.2"], &[], &[], &["verdict.ablation"]),
        (&["seed=0", "architecture.d_model=32", "training.optimizer.lr=1e-2"], &[], &[], &[]),
    ];
    let mut wrong = Vec::new();
    for (sets, results, follows, cosmetic) in cases {
        let other = subject(BASE, sets);
        for (a, b) in [(&base, &other), (&other, &base)] {
            let found = differences(a, b);
            let listed = [keys(&found.results), keys(&found.follows), keys(&found.cosmetic)];
            let sorted = |mut keys: Vec<String>| {
                keys.sort();
                keys
            };
            let wanted =
                [results, follows, cosmetic].map(|keys| sorted(keys.iter().map(|k| k.to_string()).collect()));
            let listed = listed.map(sorted);
            let equal = found.is_empty() == (results.is_empty() && cosmetic.is_empty());
            if listed != wanted || !equal {
                wrong.push(format!("{sets:?}: {listed:?}, not {wanted:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a default is computed from is listed, and what is computed from it apart.
#[test]
fn defaults_that_follow_are_not_changes() {
    let changed = |sets: &[&str]| differences(&subject(BASE, &[]), &subject(BASE, sets));
    let found = changed(&["architecture.n_ctx=128"]);
    assert_eq!((keys(&found.results), keys(&found.cosmetic)), (vec!["architecture.n_ctx".into()], vec![]));
    assert!(keys(&found.follows).contains(&"dataset.repeat.period".to_string()));
    let found = changed(&[
        "tokenizer={kind=\"ids\",d_vocab=40}",
        "dataset={kind=\"repeated_random\"}",
        "analyses=[]",
    ]);
    assert_eq!(keys(&found.cosmetic), ["analyses[attention_map]"]);
    assert!(keys(&found.follows).contains(&"analyses[prefix_matching_passages]".to_string()));
    // Two versions of the program have other defaults.
    let of = |text: &str| Subject::of_text("x", text);
    let found = differences(&of("[a]\nb = 1  # default\n"), &of("[a]\nb = 2  # default\n"));
    assert_eq!(keys(&found.results), ["a.b"]);
    assert!(!found.is_empty());
}

#[test]
fn an_inserted_block_is_an_insertion() {
    let base = subject(BASE, &[]);
    let attention = "[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2\n";
    let conv = "[[architecture.blocks]]\nkind = \"conv1d\"\nkernel_size = 2\n";
    let cases = [
        (BASE.replacen(conv, "", 1), vec!["architecture.blocks[0]"]),
        (BASE.replacen(conv, &format!("{conv}{attention}"), 1), vec!["architecture.blocks[1]"]),
        (BASE.replacen(attention, &format!("{attention}{conv}"), 1), vec!["architecture.blocks[2]"]),
        (
            BASE.replacen(conv, &format!("[[architecture.blocks]]\nkind = \"mlp\"\nd_mlp = 9\n{conv}"), 1)
                .replacen("n_heads = 2", "n_heads = 1", 1),
            vec!["architecture.blocks[0]", "architecture.blocks[attention].n_heads"],
        ),
    ];
    for (text, wanted) in cases {
        let found = differences(&base, &subject(&text, &[]));
        assert_eq!(keys(&found.results), wanted, "{text}");
        let back = differences(&subject(&text, &[]), &base);
        assert_eq!(back.results.len(), wanted.len());
    }
}

#[test]
fn blocks_at_several_places_are_called_by_their_kind() {
    let attention = "[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2\n";
    let two = BASE.replacen(attention, &attention.repeat(2), 1);
    let conv = "[[architecture.blocks]]\nkind = \"conv1d\"\nkernel_size = 2\n";
    let changed = format!("{conv}{attention}{}", attention.replace("n_heads = 2", "n_heads = 1"));
    let other = BASE.replacen(attention, &changed, 1);
    let found = differences(&subject(&two, &[]), &subject(&other, &[]));
    assert_eq!(
        keys(&found.results),
        ["architecture.blocks[0]", "architecture.blocks[2nd attention].n_heads"]
    );
}

#[test]
fn every_value_says_where_it_comes_from() {
    let found = differences(&subject(BASE, &[]), &subject(BASE, &["seed=4", "training.clip_norm=3"]));
    let origins: Vec<Vec<Option<&str>>> = found
        .results
        .iter()
        .map(|row| row.values.iter().map(|v| v.as_ref().and_then(|v| v.origin.as_deref())).collect())
        .collect();
    assert_eq!(origins, [[Some("test.toml:2"), Some("--set")], [Some("default"), Some("--set")]]);
}

#[test]
fn more_than_two_are_laid_side_by_side() {
    let subjects =
        [subject(BASE, &[]), subject(BASE, &["seed=1"]), subject(BASE, &["seed=1", "training.clip_norm=2"])];
    let found = compare(&subjects, false);
    assert_eq!(keys(&found.results), ["seed", "training.clip_norm"]);
    assert_eq!(found.results[0].values.len(), 3);
    let all = compare(&subjects, true);
    assert!(all.results.len() > 20 && all.results.iter().any(|row| row.is_equal()));
}

#[test]
fn the_command_compares_specs_and_runs_in_any_mix() {
    let bench = Bench::new();
    let other =
        SPEC.replace("kernel_size = 2", "kernel_size = 3").replace("name = \"tiny\"", "name = \"other\"");
    fs::write(bench.path().join("other.toml"), other).unwrap();
    let diff = |arguments: &[&str], code: i32| {
        let output = bench.indhead(&[&["diff"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let said = diff(&["tiny.toml", "other.toml"], 1);
    assert!(said.contains("[architecture.blocks[0]]") && said.contains("kernel_size"), "{said}");
    assert!(said.contains("2  # tiny.toml:8") && said.contains("3  # other.toml:8"), "{said}");
    assert!(!said.contains("d_model"), "{said}");
    assert!(diff(&["tiny.toml", "other.toml", "--all"], 1).contains("d_model"));
    assert_eq!(diff(&["tiny.toml", "tiny.toml"], 0), "no differences\n");
    bench.good(&["run", "tiny.toml"]);
    bench.good(&["run", "other.toml"]);
    let said = diff(&["runs/tiny", "runs/other"], 1);
    assert!(said.contains("verdict") && said.contains("validation loss"), "{said}");
    let said = diff(&["runs/tiny", "tiny.toml", "--format", "json"], 0);
    let json: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&json["equal"], &json["results"]), (&Value::Bool(true), &Value::Array(vec![])));
    assert!(json["outcomes"].as_array().unwrap().iter().any(|row| row["key"] == "verdict"));
    let json: Value =
        serde_json::from_str(&diff(&["tiny.toml", "runs/other", "--format", "json"], 1)).unwrap();
    assert_eq!(json["results"][0]["key"], "architecture.blocks[0].kernel_size");
    assert_eq!(json["results"][0]["values"][1], serde_json::json!({ "value": 3, "origin": "other.toml:8" }));
    let said = diff(&["runs/tiny", "runs/other", "--format", "markdown"], 1);
    assert!(
        said.contains(
            "| `architecture.blocks[0].kernel_size` | `2` (`tiny.toml:8`) | `3` (`other.toml:8`) |"
        ),
        "{said}"
    );
}
