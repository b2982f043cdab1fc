//! What the commands tell that run nothing: `kinds`, `plan`, `list`, `check --json`, `completions`, `man`.

mod common;

use common::planned;
use indhead::language::language;
use indhead::model::shapes::{Part, shapes};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const SPEC: &str = r#"
[architecture]
d_model = 16
n_ctx = 32
[[architecture.blocks]]
kind = "attention"
n_heads = 2
[[architecture.blocks]]
kind = "mlp"
[tokenizer]
kind = "bytes"
[dataset]
kind = "stories"
bytes = 60_000
[training]
tokens = 1500
batch_size = 4
checkpoints = { kind = "every", steps = 4 }
"#;

fn indhead(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_indhead"));
    command.args(arguments).current_dir(folder).env("INDHEAD_CACHE", folder.join("cache")).output().unwrap()
}

/// What a command says that ends well.
fn said(arguments: &[&str], folder: &Path) -> String {
    let output = indhead(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str], folder: &Path) -> Value {
    serde_json::from_str(&said(arguments, folder)).unwrap()
}

fn with_spec() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("tiny.toml"), SPEC).unwrap();
    folder
}

#[test]
fn kinds_tells_of_every_kind_with_an_example() {
    let folder = TempDir::new().unwrap();
    let all = json(&["kinds", "--format", "json"], folder.path());
    let overview = said(&["kinds"], folder.path());
    for (registry, kinds) in language().registries {
        // A part of a mixture is told of as a dataset.
        for kind in kinds.iter().filter(|_| registry != "dataset part") {
            let entry =
                all.as_array().unwrap().iter().find(|e| e["registry"] == registry && e["name"] == kind.name);
            let entry = entry.unwrap_or_else(|| panic!("{registry} {} is not told of", kind.name));
            let example: toml::Table = toml::from_str(entry["example"].as_str().unwrap()).unwrap();
            assert!(format!("{example:?}").contains(kind.name), "{example:?}");
            assert!(overview.contains(&format!("\n  {} ", kind.name)), "{overview}");
            let told = said(&["kinds", kind.name], folder.path());
            assert!(kind.keys.iter().all(|key| told.contains(key.doc)), "{told}");
        }
    }
    let blocks = json(&["kinds", "blocks", "--format", "json"], folder.path());
    assert!(blocks.as_array().unwrap().iter().all(|entry| entry["registry"] == "block"));
    assert_eq!(blocks.as_array().unwrap().len(), language().kinds("block").len());
    let wrong = indhead(&["kinds", "atention"], folder.path());
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean \"attention\"?"));
}

/// A figure's example, in a spec, plans.
#[test]
fn the_example_of_every_figure_is_of_the_language() {
    for figure in indhead::figures::KINDS {
        let blocks =
            "kind = \"conv1d\"\nkernel_size = 2\n[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2";
        let text = SPEC.replace("kind = \"mlp\"", blocks);
        let text = text.replace("kind = \"attention\"", "kind = \"attention\"\nsmeared_keys = true");
        let text = match figure.example.strip_prefix("[training]\n") {
            Some(lines) => text.replace("[training]\n", &format!("[training]\n{lines}\n")),
            None => format!("{text}{}\n", figure.example),
        };
        let chains = ["kind = \"ids\"\nd_vocab = 9", "kind = \"markov\""];
        let text = match figure.name {
            "bayes_bigram" => ["kind = \"bytes\"", "kind = \"stories\"\nbytes = 60_000"]
                .into_iter()
                .zip(chains)
                .fold(text, |text, (old, new)| text.replace(old, new)),
            _ => text,
        };
        let planned = planned(&text, &[]);
        let said = indhead::spec::render(&planned.findings.diagnostics, &planned.findings.sources, false);
        assert!(planned.plan.is_some(), "{}: {said}", figure.name);
    }
}

#[test]
fn plan_tells_origins_parameters_and_checkpoints() {
    let folder = with_spec();
    let text = said(&["plan", "tiny.toml", "--set", "seed=7"], folder.path());
    let line = |start: &str| {
        let found = text.lines().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{start}:\n{text}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("seed = "), "seed = 7 # --set");
    assert_eq!(line("d_model = "), "d_model = 16 # tiny.toml:3");
    assert_eq!(line("d_mlp = "), "d_mlp = 64 # default");
    assert_eq!(line("steps = 12"), "steps = 12 # tiny.toml:16 (tokens = 1500)");
    assert_eq!(line("checkpoints "), "checkpoints 4, after steps 0, 4, 8, 12");
    assert_eq!(line("training "), "training 1 536 tokens in 12 steps of 4 × 32");
    let all = json(&["plan", "tiny.toml", "--set", "seed=7", "--format", "json"], folder.path());
    assert_eq!(all["origins"]["seed"], "--set");
    assert_eq!(all["origins"]["architecture.blocks.0.n_heads"], "tiny.toml:7");
    assert_eq!(all["checkpoints"], serde_json::json!([0, 4, 8, 12]));
    // Embedding and unembedding 257 × 16 each, attention 4 × 16 × 16 and 2 × 32 distances, mlp
    // 2 × 16 × 64 with biases, three norms.
    let counts = all["parts"].as_array().unwrap().iter().map(|part| part["n_parameters"].as_u64().unwrap());
    let counts: Vec<u64> = counts.collect();
    assert_eq!(counts, [4112, 32 + 1024 + 64, 32 + 2048 + 80, 32 + 4112]);
    assert_eq!(all["n_parameters"], counts.iter().sum::<u64>());
    assert!(all["dataset"]["documents"].as_u64().unwrap() > 10);
}

/// Shapes are those of a model that is made.
#[test]
fn shapes_are_those_of_the_model() {
    for (architecture, tied) in [("learned", true), ("shortformer", false), ("rotary", false)] {
        let text = SPEC.replace(
            "n_ctx = 32",
            &format!("n_ctx = 32\npositions = \"{architecture}\"\ntied_embeddings = {tied}"),
        );
        let plan = common::good_plan(&text);
        let model = indhead::model::Model::new(&plan, dfdx::prelude::Cpu::default()).unwrap();
        let made: Vec<_> = model.params.iter().map(|p| (p.name.clone(), p.shape.clone())).collect();
        let parts = shapes(&plan).unwrap();
        assert_eq!(parts.iter().flat_map(|part| part.tensors.clone()).collect::<Vec<_>>(), made);
        assert_eq!(parts.iter().map(Part::n_parameters).sum::<usize>(), model.params.count());
    }
}

/// A run directory as far as `list` reads it.
fn run(folder: &Path, name: &str, files: &[(&str, &str)]) {
    let plan = "[architecture]\nn_ctx = 32\n[training]\nsteps = 12\nbatch_size = 4\n";
    for (file, text) in [("plan.toml", plan)].iter().chain(files) {
        let path = folder.join("runs").join(name).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[test]
fn list_tells_how_far_runs_have_come() {
    let folder = TempDir::new().unwrap();
    let metrics = "{\"step\":1,\"tokens\":128,\"loss\":5.5,\"lr\":0.1,\"grad_norm\":1.0}\n";
    let verdict = r#"{"verdict":"not_found","summary":"","criteria":[],"induction_heads":[],"shifted_heads":[],
        "phase_change":null,"heads":{"name":"heads","columns":[],"rows":[]}}"#;
    run(folder.path(), "b", &[("metrics.jsonl", &format!("{metrics}{{\"step\":2,\"to"))]);
    run(folder.path(), "sweep/seed=0", &[("done.json", "{}"), ("analyses/verdict.json", verdict)]);
    run(folder.path(), "sweep/seed=1", &[("metrics.jsonl", metrics)]);
    run(folder.path(), "a", &[("plan.toml", "not a plan")]);
    fs::create_dir_all(folder.path().join("runs/empty/folder")).unwrap();
    let running = fs::File::create(folder.path().join("runs/sweep/seed=1/lock")).unwrap();
    running.lock().unwrap();
    let all = json(&["list", "--format", "json"], folder.path());
    let of = |key: &str| all.as_array().unwrap().iter().map(|run| run[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("name"), ["a", "b", "sweep/seed=0", "sweep/seed=1"]);
    assert_eq!(of("state"), ["damaged", "interrupted", "done", "running"]);
    assert_eq!(of("tokens"), [0, 128, 0, 128]);
    assert_eq!(of("of_tokens")[1], 12 * 4 * 32);
    assert_eq!(of("verdict"), [Value::Null, Value::Null, "not_found".into(), Value::Null]);
    let text = said(&["list"], folder.path());
    assert_eq!(text.lines().count(), 5, "{text}");
    let markdown = said(&["list", "--format", "markdown"], folder.path());
    assert!(
        markdown.lines().all(|line| line.starts_with("| ") && line.matches('|').count() == 8),
        "{markdown}"
    );
    assert_eq!(indhead(&["list", "--runs", "none"], folder.path()).status.code(), Some(2));
}

#[test]
fn check_tells_editors_where() {
    let folder = with_spec();
    assert_eq!(json(&["check", "tiny.toml", "--json"], folder.path()), serde_json::json!([]));
    fs::write(
        folder.path().join("bad.toml"),
        SPEC.replace("n_heads = 2", "n_heads = 3 # é").replace("\"mlp\"", "\"mpl\""),
    )
    .unwrap();
    let arguments = ["check", "bad.toml", "nope.toml", "--json", "--set", "seed=-1"];
    let output = indhead(&arguments, folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let places: Vec<String> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|d| {
            format!(
                "{}:{}:{}-{}:{} {}",
                d["file"], d["line"], d["column"], d["end"]["line"], d["end"]["column"], d["key"]
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            "\"bad.toml\":7:11-7:12 \"architecture.blocks.0.n_heads\"",
            "\"bad.toml\":9:8-9:13 \"architecture.blocks.1.kind\"",
            "\"--set\":1:6-1:8 \"seed\"",
            "\"nope.toml\":1:1-1:1 \"\"",
        ]
    );
    assert_eq!(all[1]["label"], "did you mean \"mlp\"?");
    assert_eq!(all[0]["related"][0]["line"], 3);
}

#[test]
fn shells_and_man_know_every_command() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let completions = said(&["completions", shell], folder.path());
        assert!(["inspect", "schema", "overwrite"].iter().all(|word| completions.contains(word)), "{shell}");
    }
    assert!(said(&["man"], folder.path()).contains("indhead\\-inspect"));
    assert!(said(&["man", "run"], folder.path()).contains("\\-\\-overwrite"));
    said(&["man", "--out", "pages"], folder.path());
    assert!(folder.path().join("pages/indhead-run.1").exists());
    assert!(folder.path().join("pages/indhead.1").exists());
    assert_eq!(indhead(&["man", "rum"], folder.path()).status.code(), Some(2));
}
