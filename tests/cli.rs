//! The commands as a person types them.

mod common;

use common::bench::{Bench, SPEC, tree};
use serde_json::Value;
use std::fs;

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

#[test]
fn what_is_done_stays_done() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml"]);
    let (run, report) = (tree(&bench.path().join("runs")), tree(&bench.path().join("reports")));
    fs::remove_dir_all(bench.path().join("reports")).unwrap();
    let output = bench.indhead(&["run", "tiny.toml", "--resume"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("runs/tiny: done already"));
    assert_eq!(tree(&bench.path().join("runs")), run);
    assert_eq!(tree(&bench.path().join("reports")), report);
    bench.bad(&["run", "tiny.toml"], 2);
    assert!(bench.bad(&["run", "tiny.toml", "--resume", "--set", "seed=4"], 2).contains("seed"));
}

#[test]
fn a_run_that_does_not_fit_is_not_begun() {
    let bench = Bench::new();
    let huge = ["training.batch_size=1_000_000", "architecture.n_ctx=1024", "dataset.bytes=1_000_000"];
    let huge = huge.map(|set| ["--set", set]).concat();
    for command in ["run", "bench"] {
        // Elsewhere it is not known how much memory there is.
        if cfg!(target_os = "linux") {
            let said = bench.bad(&[&[command, "tiny.toml"], &huge[..]].concat(), 2);
            assert!(
                said.contains("GiB of memory") && said.contains("`training.batch_size` (1000000)"),
                "{said}"
            );
        }
    }
    assert_eq!(fs::read_dir(bench.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn a_flag_that_would_do_nothing_is_told() {
    let bench = Bench::new();
    assert!(bench.bad(&["run", "tiny.toml", "--jobs", "3"], 2).contains("tiny.toml has no [sweep]"));
    bench.good(&["run", "tiny.toml"]);
    fs::create_dir(bench.path().join("theme")).unwrap();
    fs::write(bench.path().join("theme/foot.md"), "Foot.\n").unwrap();
    let report = || {
        let output = bench.indhead(&["report", "runs/tiny", "--templates", "theme"]);
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(report().contains("theme has no template `report.md`"));
    fs::write(bench.path().join("theme/report.md"), "{% include \"foot.md\" %}").unwrap();
    assert_eq!(report(), "");
}

/// As if the power had gone before the first step was saved.
#[test]
fn a_run_that_did_not_end_is_called_so() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml"]);
    bench.good(&["run", "tiny.toml", "--name", "cut"]);
    let cut = bench.path().join("runs/cut");
    fs::remove_file(cut.join("done.json")).unwrap();
    fs::remove_dir_all(cut.join("analyses")).unwrap();
    fs::remove_dir_all(cut.join("checkpoints/00000012")).unwrap();
    let said = bench.good(&["report", "runs/cut"]);
    assert!(said.starts_with("The run has come to step 12 of 12, and is judged at the last one."), "{said}");
    let page = String::from_utf8(bench.read("reports/cut/report.md")).unwrap();
    assert!(page.contains("**Not finished.**") && !page.contains("no attention heads"), "{page}");
    bench.good(&["compare", "runs/tiny", "runs/cut", "runs/../runs/tiny"]);
    let page = String::from_utf8(bench.read("reports/comparison/report.md")).unwrap();
    assert!(
        page.contains("2 runs of 1 configuration")
            && page.contains("| [cut](<../cut/report.md>) | not finished |"),
        "{page}"
    );
    assert!(page.contains("One is not finished."), "{page}");
    fs::remove_dir_all(cut.join("checkpoints")).unwrap();
    let said = bench.bad(&["inspect", "runs/cut", "--text", "a"], 2);
    assert!(said.contains("runs/cut has no checkpoints") && said.contains("--resume"), "{said}");
}

#[test]
fn one_report_that_fails_does_not_stop_the_others() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml"]);
    bench.good(&["run", "tiny.toml", "--name", "other"]);
    let output = bench.indhead(&["report", "runs/tiny", "runs/nope", "runs/other", "--reports", "again"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("runs/nope is not a run"), "{said}");
    assert!(said.ends_with("1 of 3 runs have no new report: runs/nope\n"), "{said}");
    bench.read("again/other/report.md");
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run() {
    let bench = Bench::new();
    let said = bench.bad(&["run", "tiny.toml", "--set", "architecture.init.unembedding_std=1e37"], 1);
    assert!(said.contains("not finite at step 1") && said.contains("most of it in `"), "{said}");
    // A number still, and none to come back from.
    let exploded = ["run", "tiny.toml", "--name", "far", "--set", "architecture.init.unembedding_std=1e4"];
    let far = bench.bad(&exploded, 1);
    assert!(far.contains("the loss has exploded at step 1"), "{far}");
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
