//! Sweeps: one spec, many runs, each an ordinary one.

mod common;

use common::bench::{Bench, SPEC, tree};
use std::fs;

/// The tiny spec with a sweep at its end.
fn bench(sweep: &str) -> Bench {
    let bench = Bench::new();
    fs::write(bench.path().join("tiny.toml"), format!("{SPEC}{sweep}")).unwrap();
    bench
}

const GRID: &str = "[sweep]\nseed = [0, 1]\n\"training.optimizer.lr\" = [3e-3, 1e-2]\n";

#[test]
fn a_grid_runs_each_member_once_and_compares_them() {
    let bench = bench(GRID);
    assert_eq!(bench.good(&["check", "tiny.toml"]), "tiny.toml: ok, a sweep of 4 runs\n");
    let said = bench.good(&["run", "tiny.toml", "--quiet"]);
    assert!(said.contains("reports/tiny/report.md"), "{said}");
    let labels = [
        "seed=0,training.optimizer.lr=3e-3",
        "seed=0,training.optimizer.lr=1e-2",
        "seed=1,training.optimizer.lr=3e-3",
        "seed=1,training.optimizer.lr=1e-2",
    ];
    for label in labels {
        bench.read(&format!("runs/tiny/{label}/done.json"));
        bench.read(&format!("reports/tiny/{label}/report.md"));
    }
    let plan = String::from_utf8(bench.read(&format!("runs/tiny/{}/plan.toml", labels[3]))).unwrap();
    assert!(
        plan.lines().any(|line| line.starts_with("lr = 0.01") && line.ends_with("# tiny.toml:29")),
        "{plan}"
    );
    let report = String::from_utf8(bench.read("reports/tiny/report.md")).unwrap();
    assert!(report.contains("4 runs of 2 configurations") && report.contains("lr = 0.003"), "{report}");
    assert!(report.contains("figures/validation_loss.svg"), "{report}");

    // Again: nothing to do.
    let before = tree(&bench.path().join("runs"));
    let output = bench.indhead(&["run", "tiny.toml"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("done already").count(), 4);
    assert_eq!(tree(&bench.path().join("runs")), before);

    // Several at once, by a cluster's scheduler, or from a member's own spec: the same bits.
    bench.good(&["run", "tiny.toml", "--jobs", "3", "--runs", "together"]);
    bench.good(&["run", "tiny.toml", "--member", "3", "--runs", "array", "--quiet"]);
    let spec = format!("runs/tiny/{}/spec.toml", labels[3]);
    bench.good(&["run", &spec, "--runs", "alone", "--quiet"]);
    for runs in ["together", "array", "alone"] {
        for file in ["metrics.jsonl", "checkpoints/00000012/model.safetensors", "analyses/verdict.json"] {
            let member = format!("tiny/{}/{file}", labels[3]);
            assert_eq!(
                bench.read(&format!("{runs}/{member}")),
                bench.read(&format!("runs/{member}")),
                "{runs}"
            );
        }
    }
    assert_eq!(fs::read_dir(bench.path().join("array/tiny")).unwrap().count(), 1);
    bench.good(&["compare", "together/tiny", "--out", "reports/compared"]);
    let again = String::from_utf8(bench.read("reports/compared/report.md")).unwrap();
    let before_time = |page: &str| page.split("## Time").next().unwrap().to_string();
    assert_eq!(before_time(&again), before_time(&report));
}

#[test]
fn pairs_that_differ_in_one_thing_are_set_beside_each_other() {
    let bench = bench(
        "[sweep]\n\"architecture.init.embedding_std\" = [0.02, 0.5]\n\"training.optimizer.lr\" = [3e-3, 1e-2]\n",
    );
    bench.good(&["run", "tiny.toml", "--quiet", "--jobs", "2"]);
    let report = String::from_utf8(bench.read("reports/tiny/report.md")).unwrap();
    let section = report.split("## One change at a time").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), 4, "{section}");
    assert!(rows[0].starts_with("| `embedding_std`: `0.02` → `0.5` | lr = 0.003 | "), "{section}");
    assert!(rows[3].starts_with("| `lr`: `0.003` → `0.01` | embedding_std = 0.5 | "), "{section}");
    // The loss before and after, as the runs themselves have it.
    let loss = |label: &str| {
        let metrics = String::from_utf8(bench.read(&format!("runs/tiny/{label}/metrics.jsonl"))).unwrap();
        let last: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
        format!("{:.3}", last["validation_loss"].as_f64().unwrap())
    };
    let [before, after] = ["3e-3", "1e-2"]
        .map(|lr| loss(&format!("architecture.init.embedding_std=0.5,training.optimizer.lr={lr}")));
    assert!(rows[3].ends_with(&format!("| {before} → {after} |")), "{before} {after} {section}");
}

#[test]
fn a_comparison_says_that_the_text_has_changed_between_its_runs() {
    let bench = Bench::new();
    let text = |lines: usize| {
        let line = |i: usize| format!("Line {i} of {lines} says {}.\n", i * i);
        fs::write(bench.path().join("text.txt"), (0..lines).map(line).collect::<String>()).unwrap();
    };
    let spec = SPEC.replace("kind = \"stories\"\nbytes = 60_000", "kind = \"text\"\npath = \"text.txt\"");
    fs::write(bench.path().join("tiny.toml"), spec).unwrap();
    for (lines, name) in [(900, "first"), (900, "second"), (950, "third")] {
        text(lines);
        bench.good(&["run", "tiny.toml", "--name", name, "--quiet"]);
    }
    let said = |runs: &[&str]| {
        bench.good(&[&["compare", "--out", "reports/compared"], runs].concat());
        String::from_utf8(bench.read("reports/compared/report.md"))
            .unwrap()
            .contains("Not all of them read the same text")
    };
    assert!(!said(&["runs/first", "runs/second"]));
    assert!(said(&["runs/first", "runs/second", "runs/third"]));
}

#[test]
fn a_member_that_fails_does_not_stop_the_others() {
    let bench = bench("[sweep]\n\"architecture.init.unembedding_std\" = [0.02, 1e37, 0.03]\n");
    let said = bench.bad(&["run", "tiny.toml", "--quiet"], 1);
    assert!(said.contains("not finite at step 1"), "{said}");
    let label = "architecture.init.unembedding_std";
    assert!(said.contains(&format!("1 of 3 members failed: {label}=1e37")), "{said}");
    for value in ["0.02", "0.03"] {
        bench.read(&format!("runs/tiny/{label}={value}/done.json"));
    }
    let said = bench.bad(&["run", "tiny.toml", "--quiet", "--jobs", "2"], 1);
    assert!(said.contains("--resume") && said.contains("2/3"), "{said}");
}

#[test]
fn a_sweep_that_is_interrupted_goes_on() {
    let bench = bench("[sweep]\nseed = [0, 1]\n");
    let done = "runs/tiny/seed=0";
    bench.good(&["run", "tiny.toml", "--quiet"]);
    // As if the power had gone while member 1 was at work.
    fs::remove_file(bench.path().join("runs/tiny/seed=1/done.json")).unwrap();
    fs::remove_dir_all(bench.path().join("runs/tiny/seed=1/checkpoints/00000012")).unwrap();
    let (metrics, before) = (bench.read("runs/tiny/seed=1/metrics.jsonl"), tree(&bench.path().join(done)));
    bench.bad(&["run", "tiny.toml", "--quiet"], 1);
    bench.good(&["run", "tiny.toml", "--quiet", "--resume"]);
    assert_eq!(bench.read("runs/tiny/seed=1/metrics.jsonl"), metrics);
    assert_eq!(tree(&bench.path().join(done)), before);
    // A member of another plan is neither taken for this one nor replaced.
    let said = bench.bad(&["run", "tiny.toml", "--quiet", "--set", "training.clip_norm=0.5"], 1);
    assert!(said.contains("from another plan") && said.contains("clip_norm"), "{said}");
}

#[test]
fn mistakes_in_a_sweep_are_told_where_they_stand() {
    let cases: &[(&str, &[&str])] = &[
        ("seed = []", &["tiny.toml:28:8", "`seed` has no values to sweep over"]),
        ("seed = 3", &["tiny.toml:28:8", "must be a list of values", "`seed = [3]`"]),
        ("seed = [0, 1, 0]", &["tiny.toml:28:15", "`seed` has the integer 0 twice"]),
        ("seed = [0, -1]", &["tiny.toml:28:12", "a whole number of 0 or more, found the integer -1"]),
        ("sead = [0, 1]", &["tiny.toml:28:1", "did you mean `seed`?"]),
        ("lr = [0.1]", &["tiny.toml:28:1", "belongs under `[training.optimizer]`"]),
        ("\"training.optimizer.lrr\" = [0.1]", &["tiny.toml:28:1", "did you mean `lr`?"]),
        ("\"training.optimizer.lr\" = [0.1, \"x\"]", &["tiny.toml:28:33", "found the text \"x\""]),
        ("\"architecture.blocks.1.n_heads\" = [2, 3, 5]", &["n_heads"]),
        (
            "\"architecture.blocks.7.n_heads\" = [2]",
            &["tiny.toml:28:1", "is a list of 2: there is no item `7`"],
        ),
        ("name = [\"a\"]", &["tiny.toml:28:1", "`name` cannot be swept over"]),
        (
            "seed = [0]\n[sweep.training]\nclip_norm = [1.0, -1.0]",
            &["tiny.toml:30:19", "`clip_norm` must be"],
        ),
        ("", &["tiny.toml:27:2", "found an empty one"]),
        (
            "\"training.optimizer\" = [{ kind = \"sgd\" }]\n\"training.optimizer.lr\" = [0.1]",
            &["tiny.toml:29:1", "so is all of `training.optimizer`"],
        ),
        (
            "\"training.optimizer.lr\" = [0.1]\n\"training.optimizer\" = [{ kind = \"sgd\" }]",
            &["tiny.toml:29:1", "so is `training.optimizer.lr` in it"],
        ),
        (
            "seed = [0, 1]\n\"training.clip_norm\" = [1, 1.0]",
            &["tiny.toml:29:28", "plans the same run as `seed=0,training.clip_norm=1`", "1 mistake"],
        ),
        ("\"training.steps\" = [4]\n\"training.tokens\" = [4000]", &["both say how long to train"]),
    ];
    for (lines, wanted) in cases {
        let bench = bench(&format!("[sweep]\n{lines}\n"));
        let said = bench.bad(&["check", "tiny.toml"], 2);
        for words in *wanted {
            assert!(said.contains(words), "{lines}: no {words:?} in\n{said}");
        }
        bench.bad(&["run", "tiny.toml"], 2);
        assert!(!bench.path().join("runs").exists());
    }
    let bench = bench("[sweep]\nseed = [0, 1]\n\"architecture.d_model\" = [-1]\n");
    let said = bench.bad(&["check", "tiny.toml"], 2);
    assert_eq!(said.matches("d_model` must be").count(), 1, "a mistake is told once: {said}");
    assert!(bench.bad(&["run", "tiny.toml", "--member", "9"], 2).contains("d_model"));
    let good = self::bench("[sweep]\nseed = [0, 1]\n");
    assert!(good.bad(&["run", "tiny.toml", "--member", "2"], 2).contains("they count from 0 to 1"));
    assert!(good.bad(&["diff", "tiny.toml", "tiny.toml"], 2).contains("is a sweep of 2 runs"));
}

#[test]
fn a_member_that_is_done_stays_done() {
    let bench = bench("[sweep]\nseed = [0, 1]\n");
    let member = ["run", "tiny.toml", "--quiet", "--member", "1"];
    bench.good(&member);
    let before = tree(&bench.path().join("runs"));
    let output = bench.indhead(&member);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("seed=1: done already"));
    assert_eq!(tree(&bench.path().join("runs")), before);
    let other = [&member[..], &["--set", "training.clip_norm=0.5"]].concat();
    assert!(bench.bad(&other, 2).contains("clip_norm"));
    // What is asked of reports is done for members that are done, too.
    bench.good(&["run", "tiny.toml", "--quiet"]);
    bench.good(&["run", "tiny.toml", "--quiet", "--html"]);
    bench.read("reports/tiny/seed=0/report.html");
}

#[test]
fn a_key_is_either_set_or_swept() {
    let bench = bench("[sweep]\nseed = [0, 1]\n\"training.device\" = [\"cpu\"]\n");
    let said = bench.bad(&["check", "tiny.toml", "--set", "seed=3"], 2);
    assert!(said.contains("--set:1:6") && said.contains("`--set 'sweep.seed=[…]'`"), "{said}");
    assert!(
        bench.bad(&["run", "tiny.toml", "--device", "cpu"], 2).contains("`training.device` is swept over")
    );
    let said = bench.good(&["check", "tiny.toml", "--set", "sweep.seed=[3]"]);
    assert_eq!(said, "tiny.toml: ok, a sweep of 1 runs\n");
}

#[test]
fn swept_steps_stand_for_tokens() {
    let bench = Bench::new();
    let spec = SPEC.replace("steps = 12", "tokens = 2_000");
    let check = |sweep: &str, sets: &[&str]| {
        fs::write(bench.path().join("long.toml"), format!("{spec}[sweep]\n{sweep}\n")).unwrap();
        bench.indhead(&[&["check", "long.toml"], sets].concat())
    };
    let output = check("\"training.steps\" = [8, 12]", &[]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "long.toml: ok, a sweep of 2 runs\n");
    let output = check("\"training.steps\" = [8, 12]", &["--set", "training.tokens=3000"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("plans the same run as"));
    assert!(!output.status.success());
}

#[test]
fn a_list_of_more_values_than_runs_is_refused_before_they_are_compared() {
    let bench = Bench::new();
    let many: Vec<String> = (0..200_000).map(|seed| seed.to_string()).collect();
    let sweep = format!("{SPEC}\n[sweep]\nseed = [{}]\n", many.join(","));
    fs::write(bench.path().join("many.toml"), sweep).unwrap();
    let said = bench.bad(&["check", "many.toml"], 2);
    assert!(said.contains("`seed` has 200000 values, and a sweep is of at most"), "{said:.2000}");
}
