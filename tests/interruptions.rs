//! Signals: what was begun is saved, and the exit code says which came.
#![cfg(unix)]

mod common;

use common::bench::Bench;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A run that would take hours, once it has begun to train.
fn long_run(bench: &Bench) -> Child {
    let arguments =
        ["run", "tiny.toml", "--set", "training.steps=100000", "--set", "training.checkpoints.steps=50000"];
    let child = Command::new(env!("CARGO_BIN_EXE_indhead"))
        .args(arguments)
        .current_dir(bench.path())
        .env("INDHEAD_CACHE", bench.path().join("cache"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = bench.path().join("runs/tiny/metrics.jsonl");
    until(|| fs::metadata(&metrics).is_ok_and(|m| m.len() > 1000));
    child
}

fn until(mut happened: impl FnMut() -> bool) {
    let happened = (0..1200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        happened()
    });
    assert!(happened, "it did not happen within a minute");
}

fn signal(child: &Child, name: &str) {
    Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
}

fn saved_steps(bench: &Bench) -> Vec<u64> {
    let folder = fs::read_dir(bench.path().join("runs/tiny/checkpoints")).unwrap();
    let mut steps: Vec<u64> =
        folder.filter_map(|entry| entry.unwrap().file_name().to_string_lossy().parse().ok()).collect();
    steps.sort_unstable();
    steps
}

#[test]
fn the_first_signal_saves_and_says_how_to_go_on() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let bench = Bench::new();
        let mut child = long_run(&bench);
        signal(&child, name);
        let status = child.wait().unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
        assert_eq!(status.code(), Some(code), "{said}");
        assert!(said.contains("--resume"), "{said}");
        let lines = bench.read("runs/tiny/metrics.jsonl").split_inclusive(|b| *b == b'\n').count();
        assert_eq!(saved_steps(&bench), [0, lines as u64], "the step that was finished is saved");
    }
}

#[test]
fn sigusr1_saves_and_goes_on() {
    let bench = Bench::new();
    let mut child = long_run(&bench);
    signal(&child, "-USR1");
    until(|| saved_steps(&bench).len() == 2);
    let metrics = bench.path().join("runs/tiny/metrics.jsonl");
    let length = fs::metadata(&metrics).unwrap().len();
    until(|| fs::metadata(&metrics).unwrap().len() > length);
    assert_eq!(child.try_wait().unwrap(), None, "it goes on");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_time_of_a_run_is_that_of_all_its_processes() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml", "--quiet"]);
    let run = bench.path().join("runs/tiny");
    fs::remove_file(run.join("done.json")).unwrap();
    fs::remove_dir_all(run.join("checkpoints/00000012")).unwrap();
    // As if the first process had been a slow one; the second goes on from step 8.
    let lines = "{\"step\":8,\"training_seconds\":1000,\"probing_seconds\":70}\n\
                 {\"step\":12,\"training_seconds\":5000,\"probing_seconds\":80}\n";
    fs::write(run.join("timings.jsonl"), lines).unwrap();
    bench.good(&["run", "tiny.toml", "--resume", "--quiet"]);
    let done: serde_json::Value = serde_json::from_slice(&bench.read("runs/tiny/done.json")).unwrap();
    let of = |key: &str| done[key].as_f64().unwrap();
    assert!(of("training_seconds") > 1000.0 && of("training_seconds") < 2000.0, "{done}");
    assert!(of("probing_seconds") > 70.0 && of("probing_seconds") < 80.0, "{done}");
    let tokens = of("tokens_per_second") * of("training_seconds");
    assert!((tokens - 12.0 * 4.0 * 32.0).abs() < 1e-6, "{tokens}");
}
