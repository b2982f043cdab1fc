//! The commands as a person types them.

mod common;

use common::bench::{Bench, SPEC, tree};
use serde_json::Value;
use std::fs;
use std::process::Command;

#[test]
fn a_run_leaves_everything_and_its_report_can_be_made_again() {
    let bench = Bench::new();
    let said = bench.good(&["run", "tiny.toml"]);
    assert!(said.contains("reports/tiny/report.md"), "{said}");
    for file in ["spec.toml", "plan.toml", "provenance.json", "tokenizer.json", "metrics.jsonl", "done.json"]
    {
        bench.read(&format!("runs/tiny/{file}"));
    }
    assert_eq!(bench.read("runs/tiny/spec.toml"), SPEC.as_bytes());
    let metrics = String::from_utf8(bench.read("runs/tiny/metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 12);
    for step in ["00000000", "00000004", "00000008", "00000012"] {
        let state = bench.json(&format!("runs/tiny/checkpoints/{step}/state.json"));
        assert!(state["digests"]["model.safetensors"].is_string());
    }
    let verdict = bench.json("runs/tiny/analyses/verdict.json");
    assert!(["found", "not_found"].contains(&verdict["verdict"].as_str().unwrap()));
    let figures = fs::read_dir(bench.path().join("reports/tiny/figures")).unwrap().count();
    assert!(figures >= 5, "{figures} figures");

    bench.good(&["report", "runs/tiny", "--reports", "again"]);
    assert_eq!(tree(&bench.path().join("reports")), tree(&bench.path().join("again")));
    let before = tree(&bench.path().join("runs/tiny/analyses"));
    bench.good(&["report", "runs/tiny", "--reports", "recomputed", "--recompute"]);
    assert_eq!(before, tree(&bench.path().join("runs/tiny/analyses")), "from checkpoints as from training");
    assert_eq!(tree(&bench.path().join("reports")), tree(&bench.path().join("recomputed")));
}

#[test]
fn the_same_spec_gives_the_same_bytes() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml", "--runs", "a"]);
    bench.good(&["run", "tiny.toml", "--runs", "b"]);
    for file in ["metrics.jsonl", "plan.toml", "tokenizer.json", "checkpoints/00000012/model.safetensors"] {
        assert_eq!(bench.read(&format!("a/tiny/{file}")), bench.read(&format!("b/tiny/{file}")), "{file}");
    }
    bench.good(&["run", "tiny.toml", "--runs", "c", "--set", "seed=1"]);
    assert_ne!(bench.read("a/tiny/metrics.jsonl"), bench.read("c/tiny/metrics.jsonl"));
}

#[test]
fn a_run_goes_on_where_it_was_and_ends_with_the_same_bytes() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml", "--runs", "whole"]);
    bench.good(&["run", "tiny.toml", "--runs", "cut"]);
    // As if the power had gone after step 8: later checkpoints and the results are not there.
    let cut = bench.path().join("cut/tiny");
    fs::remove_dir_all(cut.join("checkpoints/00000012")).unwrap();
    fs::remove_dir_all(cut.join("analyses")).unwrap();
    fs::remove_file(cut.join("done.json")).unwrap();
    let refused = bench.bad(&["run", "tiny.toml", "--runs", "cut"], 2);
    assert!(refused.contains("--resume") && refused.contains("--overwrite"), "{refused}");
    let refused = bench.bad(&["run", "tiny.toml", "--runs", "cut", "--resume", "--set", "seed=4"], 2);
    assert!(refused.contains("seed"), "{refused}");
    bench.good(&["run", "tiny.toml", "--runs", "cut", "--resume"]);
    for file in [
        "metrics.jsonl",
        "checkpoints/00000012/model.safetensors",
        "analyses/verdict.json",
        "analyses/prefix_matching.json",
    ] {
        assert_eq!(
            bench.read(&format!("whole/tiny/{file}")),
            bench.read(&format!("cut/tiny/{file}")),
            "{file}"
        );
    }
    let state = bench.read("cut/tiny/checkpoints/00000012/optimizer.safetensors");
    assert_eq!(state, bench.read("whole/tiny/checkpoints/00000012/optimizer.safetensors"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_saves_and_says_how_to_go_on() {
    let bench = Bench::new();
    let arguments =
        ["run", "tiny.toml", "--set", "training.steps=100000", "--set", "training.checkpoints.steps=50000"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_indhead"))
        .args(arguments)
        .current_dir(bench.path())
        .env("INDHEAD_CACHE", bench.path().join("cache"))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = bench.path().join("runs/tiny/metrics.jsonl");
    for _ in 0..600 {
        if fs::metadata(&metrics).is_ok_and(|m| m.len() > 1000) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let status = child.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("--resume"), "{said}");
    let lines = fs::read_to_string(&metrics).unwrap().lines().count();
    let saved = bench.path().join(format!("runs/tiny/checkpoints/{lines:08}/state.json"));
    assert!(saved.exists(), "the step that was finished is saved: {}", saved.display());
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run() {
    let bench = Bench::new();
    let said = bench.bad(&["run", "tiny.toml", "--set", "architecture.init.unembedding_std=1e37"], 1);
    assert!(said.contains("not finite at step 1"), "{said}");
    assert!(said.contains("runs/tiny/checkpoints/00000000") && said.contains("learning rate"), "{said}");
}

#[test]
fn a_wrong_spec_costs_nothing_that_was_there_before() {
    let bench = Bench::new();
    let text = "name = \"tiny\"\n[architecture]\nd_model = 16\nn_ctx = 32\n[[architecture.blocks]]\nkind = \"atention\"\n\
                [dataset]\nkind = \"stories\"\n[training]\nsteps = 4\nlr = 1\n";
    fs::write(bench.path().join("wrong.toml"), text).unwrap();
    let said = bench.bad(&["run", "wrong.toml"], 2);
    assert!(said.contains("wrong.toml:6:8") && said.contains("did you mean \"attention\"?"), "{said}");
    assert!(said.contains("wrong.toml:11:1") && said.contains("3 mistakes"), "{said}");
    let long = format!("analyses.1.text={}", "many words ".repeat(60));
    let said = bench.bad(&["run", "tiny.toml", "--set", &long], 2);
    assert!(said.contains("n_ctx is 32"), "{said}");
    assert!(!bench.path().join("runs").exists());
    assert!(bench.bad(&["run", "tiiny.toml"], 2).contains("tiny.toml"));
}

#[test]
fn inspect_says_what_the_model_makes_of_a_text() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml"]);
    let json: Value =
        serde_json::from_str(&bench.good(&["inspect", "runs/tiny", "--tokens", "0,5,6,5,6", "--json"]))
            .unwrap();
    assert_eq!(json["tokens"], serde_json::json!([0, 5, 6, 5, 6]));
    assert_eq!(json["losses"].as_array().unwrap().len(), 5);
    assert!(json["losses"][0].is_null() && json["losses"][1].as_f64().unwrap() > 0.0);
    for head in ["1.0", "1.1"] {
        for (query, row) in json["patterns"][head].as_array().unwrap().iter().enumerate() {
            let row: Vec<f64> = row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            assert_eq!(row.len(), 5);
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5);
            assert!(row[query + 1..].iter().all(|x| *x == 0.0), "the future is not seen");
        }
    }
    let text = bench.good(&["inspect", "runs/tiny", "--text", "Ann met Bo.", "--head", "1.1"]);
    assert!(text.lines().count() > 4 && !text.contains("1.0 →"), "{text}");
    bench.good(&["inspect", "runs/tiny", "--text", "Ann met Bo.", "--head", "1.1", "--svg", "map.svg"]);
    assert!(bench.read("map.svg").starts_with(b"<svg"));
    assert!(bench.bad(&["inspect", "runs/tiny", "--text", "a", "--head", "0.0"], 2).contains("1.0, 1.1"));
    assert!(bench.bad(&["inspect", "runs/tiny", "--tokens", "999"], 2).contains("0 to 299"));
    assert!(
        bench.bad(&["inspect", "runs/tiny", "--text", "a", "--checkpoint", "5"], 2).contains("0, 4, 8, 12")
    );
    bench.bad(&["inspect", "runs/none", "--text", "a"], 1);
}
