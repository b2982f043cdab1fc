//! The files of a run: weights, moments, `state.json`, `digests.json`, metrics and analyses, as a run that is gone on
//! with or reported on reads them.
#![no_main]

use dfdx::prelude::Cpu;
use indhead::dataset::Dataset;
use indhead::model::checkpoint::{from_bytes, to_bytes};
use indhead::plan::Plan;
use indhead::record::checkpoints::{MODEL, OPTIMIZER};
use indhead::record::{RunDirectory, Table};
use indhead::report::{Template, render};
use indhead::training::{self, Learner};
use indhead_fuzz::{around, good_plan, seed, split};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

/// What an input may be.
const FILES: &[&str] = &[
    MODEL,
    OPTIMIZER,
    "checkpoints/00000002/state.json",
    "digests.json",
    "metrics.jsonl",
    "analyses/map.json",
];

/// An analysis that has a figure.
const MAP: &[u8] = br#"{"id":"map","probe":"attention_map","version":1,"definition":"","parameters":{},"tables":[
{"name":"pattern","columns":[{"name":"layer","unit":""},{"name":"head","unit":""},{"name":"query","unit":""},
{"name":"key","unit":""},{"name":"attention","unit":"share"}],"rows":[[0,0,0,0,1.0],[0,0,1,0,0.5],[0,0,1,1,0.5]]}]}"#;

struct Bench {
    plan: Plan,
    dataset: Dataset,
    run: RunDirectory,
    state: Vec<u8>,
}

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let folder: PathBuf = tempfile::tempdir().unwrap().keep();
    let plan = good_plan(&around(
        "[tokenizer]\nkind = \"ids\"\nd_vocab = 9\n[dataset]\nkind = \"repeated_random\"\n\
         [[analyses]]\nprobe = \"prefix_matching\"\nid = \"map\"\n",
    ));
    let dataset = Dataset::open(&plan, &folder.join("cache"), &mut |_| {}).unwrap();
    let run = RunDirectory::at(folder.join("run"));
    fs::create_dir_all(run.file("analyses")).unwrap();
    fs::write(run.file("plan.toml"), plan.to_toml(None)).unwrap();
    let mut learner = Learner::<Cpu>::new(&plan, &dataset).unwrap();
    learner.step(0).unwrap();
    let model = to_bytes(&learner.model.to_host()).unwrap();
    let optimizer = to_bytes(&learner.optimizer.to_host(&learner.model.params).unwrap()).unwrap();
    drop(learner);
    let contents = vec![(MODEL, model.clone()), (OPTIMIZER, optimizer.clone())];
    let metrics = run.metrics_after(0).unwrap().sync().unwrap();
    run.save_checkpoint(2, 36, metrics, &contents).unwrap();
    let state = fs::read(run.file(FILES[2])).unwrap();
    let digests = format!("{{\"plan.toml\":[{:?}]}}", "0".repeat(64));
    let line =
        "{\"step\":1,\"tokens\":18,\"loss\":2.2,\"lr\":0.01,\"grad_norm\":1e-3,\"validation_loss\":2.0}\n";
    for (kind, bytes) in
        [&model, &optimizer, &state, digests.as_bytes(), line.as_bytes(), MAP].into_iter().enumerate()
    {
        let name = FILES[kind].rsplit('/').next().unwrap();
        seed(&format!("checkpoint/{name}"), kind, false, bytes);
    }
    Bench { plan, dataset, run, state }
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, _, bytes)) = split(input, FILES.len()) else { return };
    let Bench { plan, dataset, run, state } = &*BENCH;
    match kind {
        0 | 1 => {
            let Ok(tensors) = from_bytes(bytes) else { return };
            assert!(to_bytes(&tensors).is_ok(), "what could be read can be written");
            let mut learner = Learner::<Cpu>::new(plan, dataset).unwrap();
            if kind == 0 {
                let _ = learner.model.set(&tensors);
            } else {
                let _ = learner.optimizer.set(&learner.model.params, &tensors);
            }
        }
        _ => {
            fs::write(run.file(FILES[kind]), bytes).unwrap();
            let from = run.resumption();
            if let Some(step) = from.step {
                assert_eq!(step, 2);
                training::load::<Cpu>(plan, run, step).unwrap();
            }
            run.checkpoints_digest([0, 2]);
            run.last_metrics();
            let _ = run.metrics();
            if let Ok(record) = run.record() {
                let rows = |table: &Table| table.rows.len() * table.columns.len();
                let tables = record.analyses.iter().flat_map(|analysis| &analysis.tables);
                if tables.map(rows).sum::<usize>() < 4000 {
                    let _ = render(&record, &Template::default());
                }
            }
            match kind {
                2 => fs::write(run.file(FILES[2]), state).unwrap(),
                _ => fs::remove_file(run.file(FILES[kind])).unwrap(),
            }
        }
    }
});
