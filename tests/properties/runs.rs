//! Runs: where they are interrupted, and on how many threads they go, is nothing that shows in them.

use super::common::bench::{Bench, tree};
use super::{common, drawing};
use indhead::dataset::Dataset;
use indhead::error::{Error, Result};
use indhead::model::Subject;
use indhead::plan::Plan;
use indhead::record::{Metrics, RunDirectory};
use indhead::training::{Watch, train};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;
use std::path::Path;

/// Stops a run after a step, and has it saved after others.
#[derive(Debug, Clone, Default)]
struct Interruption {
    stop: Option<u64>,
    save: BTreeSet<u64>,
    at: u64,
}

impl Watch for Interruption {
    fn step(&mut self, metrics: &Metrics) {
        self.at = metrics.step;
    }

    fn checkpoint(&mut self, _: u64, _: u64, _: &dyn Subject) -> Result<()> {
        Ok(())
    }

    fn stop(&self) -> bool {
        self.stop == Some(self.at)
    }

    fn save(&self) -> bool {
        self.save.contains(&self.at)
    }
}

fn plan(dataset: &str, blocks: &str, training: &str) -> Plan {
    common::good_plan(&format!(
        "seed = 3\n{dataset}\n[architecture]\nd_model = 8\nn_ctx = 12\n{blocks}\n[training]\nbatch_size = 3\n\
         validation_sequences = 4\n{training}\n"
    ))
}

const DATASETS: &[&str] = &[
    "dataset = { kind = \"repeated_random\" }\ntokenizer = { kind = \"ids\", d_vocab = 9 }",
    "dataset = { kind = \"markov\" }\ntokenizer = { kind = \"ids\", d_vocab = 5 }",
    "dataset = { kind = \"stories\", bytes = 10_000, repeat = { passages = 0.5, random = 0.2 } }\n\
     tokenizer = { kind = \"bytes\" }",
];

const BLOCKS: &[&str] = &[
    "blocks = [{ kind = \"attention\", n_heads = 2 }]\ntied_embeddings = true",
    "blocks = [{ kind = \"conv1d\", kernel_size = 2 }, { kind = \"attention\", n_heads = 1, smeared_keys = true }]",
    "blocks = [{ kind = \"attention\", n_heads = 2 }, { kind = \"mlp\" }]\npositions = \"learned\"",
];

/// How long a run is, when it is saved, and its rates.
fn trainings() -> impl Strategy<Value = (u64, String)> {
    let checkpoints = prop_oneof![
        (1u64..9).prop_map(|n| format!("{{ kind = \"every\", steps = {n} }}")),
        (2u64..9).prop_map(|n| format!("{{ kind = \"log_linear\", count = {n} }}")),
    ];
    let schedules = select(&["cosine", "linear", "constant"][..]);
    (1u64..8, checkpoints, schedules).prop_map(|(steps, checkpoints, schedule)| {
        let schedule = format!("{{ kind = \"{schedule}\", warmup_fraction = 0.4 }}");
        (steps, format!("steps = {steps}\ncheckpoints = {checkpoints}\nschedule = {schedule}"))
    })
}

/// Goes on with a run until an interruption, or its end.
fn go_on(plan: &Plan, dataset: &Dataset, path: &Path, mut watch: Interruption) -> Result<()> {
    let run = RunDirectory::at(path);
    run.write("plan.toml", plan.to_toml(None).as_bytes())?;
    let from = run.resumption();
    assert!(from.damaged.is_empty(), "{:?}", from.damaged);
    train::<dfdx::prelude::Cpu>(plan, dataset, &run, from.step, &mut watch)
}

#[test]
fn a_run_that_is_interrupted_at_any_steps_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let interruptions = vec((0u64..9, btree_set(1u64..9, 0..3)), 1..4);
    let cases = (select(DATASETS), select(BLOCKS), trainings(), interruptions);
    drawing(48)
        .run(&cases, |(dataset, blocks, (steps, training), interruptions)| {
            let plan = plan(dataset, blocks, &training);
            let dataset = Dataset::open(&plan, &folder.path().join("cache"), &mut |_| {}).unwrap();
            let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
            let _ = [&whole, &parts].map(std::fs::remove_dir_all);
            go_on(&plan, &dataset, &whole, Interruption::default()).unwrap();
            for (stop, save) in interruptions {
                let ended = go_on(&plan, &dataset, &parts, Interruption { stop: Some(stop), save, at: 0 });
                prop_assert!(matches!(ended, Ok(()) | Err(Error::Interrupted)), "{ended:?}");
                let saved = RunDirectory::at(&parts).checkpoints();
                let last = if ended.is_err() { stop } else { steps };
                prop_assert_eq!(saved.last(), Some(&last), "it is saved where it was stopped");
            }
            go_on(&plan, &dataset, &parts, Interruption::default()).unwrap();
            prop_assert_eq!(tree(&whole), tree(&parts));
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // Large enough that work is cut into pieces.
    let wide = "d_model = 64\nn_ctx = 64\npositions = \"shortformer\"\n\
                blocks = [{ kind = \"conv1d\", kernel_size = 3 }, { kind = \"attention\", n_heads = 4 }, { kind = \"mlp\" }]\n";
    let wide = common::good_plan(&format!(
        "[architecture]\n{wide}\n[tokenizer]\nkind = \"bpe\"\nd_vocab = 700\n[dataset]\nkind = \"stories\"\n\
         bytes = 100_000\n[training]\nsteps = 6\nbatch_size = 24\n"
    ));
    let narrow = plan(DATASETS[0], BLOCKS[1], "steps = 20");
    for (name, plan) in [("wide", wide), ("narrow", narrow)] {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let at = folder.path().join(format!("{name}-{threads}"));
            pool.install(|| {
                // Not from a cache: the tokenizer and the tokens are made anew.
                let dataset = Dataset::open(&plan, &at.join("cache"), &mut |_| {}).unwrap();
                go_on(&plan, &dataset, &at.join("run"), Interruption::default()).unwrap();
            });
            tree(&at.join("run"))
        };
        let one = on(1);
        assert!(one.iter().any(|(file, _)| file.ends_with("optimizer.safetensors")));
        for threads in [2, 3, 5] {
            assert!(on(threads) == one, "{name}: {threads} threads");
        }
    }
}

#[test]
fn a_run_says_how_many_threads_it_had() {
    let bench = Bench::new();
    let results = [1, 3].map(|threads: usize| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_indhead"))
            .args(["run", "tiny.toml", "--quiet", "--overwrite"])
            .current_dir(bench.path())
            .env("INDHEAD_CACHE", bench.path().join("cache"))
            .env("RAYON_NUM_THREADS", threads.to_string())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(bench.json("runs/tiny/provenance.json")["threads"], threads);
        let measured = ["metrics.jsonl", "checkpoints", "analyses"];
        let mut files = tree(&bench.path().join("runs/tiny"));
        files.retain(|(name, _)| measured.iter().any(|of| name.starts_with(of)));
        files
    });
    assert!(results[0] == results[1], "what was measured differs");
}
