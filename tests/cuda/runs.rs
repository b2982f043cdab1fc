//! Trainings on a card, by the command.

use crate::common::bench::{Bench, tree};
use crate::common::good_plan;
use dfdx::prelude::Cuda;
use indhead::dataset::Dataset;
use indhead::model::Backend;
use indhead::model::cost::training_bytes;
use indhead::training::Learner;
use libtest_mimic::{Failed, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("a_hundred_steps_are_the_processors", hundred_steps),
        Trial::test("a_training_is_the_same_twice_and_goes_on_bit_for_bit", resumed),
        Trial::test("a_training_in_less_precise_products_learns_the_same", precisions),
        Trial::test("a_training_takes_no_more_memory_than_is_planned", memory),
        Trial::test("a_card_that_fails_is_told_and_the_run_goes_on", failing),
        Trial::test("a_run_of_a_card_is_looked_at_anywhere", elsewhere),
        Trial::test("as_many_sequences_as_fit_are_taken_and_written_down", settled),
        Trial::test("micro_batches_give_the_whole_batchs_step", micro_batches),
    ]
}

/// Probes take most of the time on an emulated card: at the beginning and the end is enough.
const RARELY: &str = "training.checkpoints.steps=100";

/// The losses of a run.
fn losses(bench: &Bench, run: &str) -> Vec<f64> {
    let metrics = String::from_utf8(bench.read(&format!("runs/{run}/metrics.jsonl"))).unwrap();
    let loss = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line.get("loss").and_then(|loss| loss.as_f64())
    };
    metrics.lines().filter_map(loss).collect()
}

fn train(bench: &Bench, name: &str, more: &[&str]) {
    let name = format!("name={name}");
    let sets = more.iter().flat_map(|set| ["--set", set]);
    let arguments: Vec<&str> =
        ["run", "tiny.toml", "--quiet", "--set", &name].into_iter().chain(sets).collect();
    bench.good(&arguments);
}

fn close(a: &[f64], b: &[f64], tolerance: f64, what: &str) -> Result<(), Failed> {
    if a.len() != b.len() || a.is_empty() {
        return Err(format!("{what}: {} and {} steps", a.len(), b.len()).into());
    }
    match a.iter().zip(b).enumerate().find(|(_, (a, b))| (*a - *b).abs() > tolerance * b.abs()) {
        None => Ok(()),
        Some((step, (a, b))) => Err(format!("{what}: the loss at step {step} is {a}, not {b}").into()),
    }
}

fn hundred_steps() -> Result<(), Failed> {
    let bench = Bench::new();
    for device in ["cuda", "cpu"] {
        let (on, steps) = (format!("training.device={device}"), "training.steps=100");
        train(&bench, device, &[&on, steps, RARELY]);
    }
    close(&losses(&bench, "cuda"), &losses(&bench, "cpu"), 2e-3, "a hundred steps")
}

fn resumed() -> Result<(), Failed> {
    let bench = Bench::new();
    let constant = "training.schedule.kind=constant";
    let whole = ["training.device=cuda", constant, "training.steps=12"];
    train(&bench, "whole", &whole);
    train(&bench, "again", &whole);
    train(&bench, "parts", &["training.device=cuda", constant, "training.steps=8"]);
    let sets = ["--set", "name=parts", "--set", "training.device=cuda", "--set", constant];
    let more = ["run", "tiny.toml", "--quiet", "--resume"];
    bench.good(&[&more[..], &sets].concat());
    let state = |run: &str| {
        let run = bench.path().join("runs").join(run);
        let checkpoint = tree(&run.join("checkpoints"));
        let tensors = |(name, _): &(String, Vec<u8>)| name.ends_with(".safetensors");
        let mut kept: Vec<_> = checkpoint.into_iter().filter(tensors).collect();
        kept.push(("metrics".into(), std::fs::read(run.join("metrics.jsonl")).unwrap()));
        kept
    };
    for other in ["again", "parts"] {
        if state(other) != state("whole") {
            return Err(format!("{other} is not the whole run's bytes").into());
        }
    }
    Ok(())
}

fn precisions() -> Result<(), Failed> {
    let bench = Bench::new();
    for precision in ["f32", "tf32", "bf16"] {
        train(
            &bench,
            precision,
            &["training.device=cuda", RARELY, &format!("training.precision={precision}")],
        );
    }
    let f32 = losses(&bench, "f32");
    for (precision, tolerance) in [("tf32", 3e-3), ("bf16", 3e-2)] {
        let rounded = losses(&bench, precision);
        close(&rounded, &f32, tolerance, precision)?;
        if rounded == f32 {
            return Err(format!("{precision} is f32").into());
        }
    }
    Ok(())
}

fn micro_batches() -> Result<(), Failed> {
    let bench = Bench::new();
    train(&bench, "whole", &["training.device=cuda", RARELY]);
    train(&bench, "split", &["training.device=cuda", RARELY, "training.micro_batch_size=3"]);
    close(&losses(&bench, "split"), &losses(&bench, "whole"), 1e-3, "micro-batches")
}

/// What the card is open for, and what others have of it, takes part in neither side.
fn memory() -> Result<(), Failed> {
    let taken = || Cuda::memory().map(|memory| memory.total - memory.free);
    for (precision, batch, at_once) in [("bf16", 8, "\"all\""), ("f32", 32, "\"all\""), ("f32", 32, "8")] {
        let plan = good_plan(&format!(
            "[architecture]\nd_model = 64\nn_ctx = 96\n[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 4\n\
             [[architecture.blocks]]\nkind = \"conv1d\"\nkernel_size = 2\n[tokenizer]\nkind = \"ids\"\n\
             d_vocab = 8001\n[dataset]\nkind = \"repeated_random\"\n[training]\nsteps = 9\nbatch_size = {batch}\n\
             device = \"cuda\"\nprecision = \"{precision}\"\nmicro_batch_size = {at_once}\n",
        ));
        let before = taken();
        let folder = tempfile::tempdir()?;
        let dataset = Dataset::open(&plan, folder.path(), &mut |_| {})?;
        let mut learner = Learner::<Cuda>::new(&plan, &dataset)?;
        for step in 0..2 {
            learner.step(step)?;
        }
        let planned = training_bytes(&plan, "cuda", learner.at_once)?;
        let (Some(before), Some(after)) = (before, taken()) else {
            return Err("the card does not tell".into());
        };
        let used = after.saturating_sub(before);
        println!("{precision}, {} sequences at a time: {used} bytes of {planned}", learner.at_once);
        if used > planned {
            return Err(format!("{used} bytes were taken, and {planned} planned").into());
        }
    }
    Ok(())
}

/// The command on an emulated card with a setting of its own; on a real one it changes nothing.
fn emulated(bench: &Bench, setting: &str, value: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_indhead"))
        .args(arguments)
        .current_dir(bench.path())
        .env("INDHEAD_CACHE", bench.path().join("cache"))
        .env(setting, value)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Whether the card is one of tests/emulator.
fn is_emulated(bench: &Bench) -> bool {
    let provenance = bench.json("runs/tiny/provenance.json");
    provenance["card"]["name"].as_str().is_some_and(|name| name.contains("emulated"))
}

fn failing() -> Result<(), Failed> {
    let bench = Bench::new();
    let run = ["run", "tiny.toml", "--quiet", "--device", "cuda"];
    let (code, said) = emulated(&bench, "INDHEAD_EMULATOR_DIES", "600", &run);
    if is_emulated(&bench)
        && (code != Some(1) || !said.contains("the card failed (CUDA_ERROR_ILLEGAL_ADDRESS"))
    {
        return Err(format!("{code:?}: {said}").into());
    }
    if said.contains("panicked") {
        return Err(said.into());
    }
    bench.good(&[&run[..], &["--resume"]].concat());
    Ok(())
}

fn elsewhere() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml", "--quiet", "--device", "cuda"]);
    // As on a machine that has no driver.
    let there = ["report", "runs/tiny", "--recompute"];
    let (code, said) = emulated(&bench, "LD_LIBRARY_PATH", "", &there);
    if code == Some(0) { Ok(()) } else { Err(format!("{code:?}: {said}").into()) }
}

fn settled() -> Result<(), Failed> {
    let bench = Bench::new();
    let sets =
        ["--set", "training.micro_batch_size=auto", "--set", "training.batch_size=64", "--set", RARELY];
    let run = [&["run", "tiny.toml", "--quiet", "--device", "cuda"][..], &sets].concat();
    let (code, said) = emulated(&bench, "INDHEAD_EMULATOR_MEMORY", "9000000", &run);
    let plan = String::from_utf8(bench.read("runs/tiny/plan.toml")).unwrap();
    let plan: toml::Table = toml::from_str(&plan).unwrap();
    let taken = &plan["training"]["micro_batch_size"];
    if code != Some(0) || taken.as_str() == Some("auto") {
        return Err(format!("{code:?}, {taken}: {said}").into());
    }
    if is_emulated(&bench) && taken.as_integer().is_none_or(|taken| !(1..64).contains(&taken)) {
        return Err(format!("{taken} sequences at a time").into());
    }
    // With another card's memory, and by the same spec, it is the same run.
    let again = bench.indhead(&[&run[..], &["--resume"]].concat());
    let said = String::from_utf8_lossy(&again.stderr);
    if again.status.success() && said.contains("done already") {
        Ok(())
    } else {
        Err(said.into_owned().into())
    }
}
