//! The language: every kind's example, the committed specs, plans that print as themselves, `--set`,
//! `extends`, origins.

mod common;

use indhead::language::language;
use indhead::plan::{Plan, Planned, plan};
use indhead::probes::verdict::EVIDENCE;
use indhead::spec::Spec;
use std::fs;
use std::path::{Path, PathBuf};

/// A spec around one kind's table.
fn around(registry: &str, table: &str) -> String {
    let text = "[tokenizer]\nkind = \"bpe\"\n[dataset]\nkind = \"stories\"\n";
    let (blocks, data, training, analyses) = match registry {
        "block" => (format!("[[architecture.blocks]]\n{table}"), text.into(), String::new(), String::new()),
        "tokenizer" if table.contains("\"ids\"") => (
            String::new(),
            format!("[tokenizer]\n{table}\n[dataset]\nkind = \"repeated_random\"\n"),
            String::new(),
            String::new(),
        ),
        "tokenizer" => (
            String::new(),
            format!("[tokenizer]\n{table}\n[dataset]\nkind = \"stories\"\n"),
            String::new(),
            String::new(),
        ),
        "dataset" if table.contains("repeated_random") => (
            String::new(),
            format!("[tokenizer]\nkind = \"ids\"\nd_vocab = 64\n[dataset]\n{table}\n"),
            String::new(),
            String::new(),
        ),
        "dataset" => (
            String::new(),
            format!("[tokenizer]\nkind = \"bpe\"\n[dataset]\n{table}\n"),
            String::new(),
            String::new(),
        ),
        "optimizer" | "schedule" => {
            (String::new(), text.into(), format!("[training.{registry}]\n{table}"), String::new())
        }
        "checkpoint schedule" => {
            (String::new(), text.into(), format!("[training.checkpoints]\n{table}"), String::new())
        }
        _ => (String::new(), text.into(), String::new(), format!("[[analyses]]\n{table}")),
    };
    format!(
        "[architecture]\nd_model = 64\nn_ctx = 128\n[[architecture.blocks]]\nkind = \"conv1d\"\nkernel_size = 2\n\
         [[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2\n{blocks}\n{data}\n[training]\nsteps = 3\n{training}\n{analyses}\n"
    )
}

/// Planning what a plan prints gives the same plan, and prints the same.
fn prints_as_itself(plan: &Plan) {
    let printed = plan.to_toml(None);
    let again = common::good_plan(&printed);
    assert_eq!(*plan, again);
    assert_eq!(printed, again.to_toml(None));
}

#[test]
fn every_kind_s_example_is_valid() {
    for (registry, kinds) in language().registries {
        for kind in kinds {
            assert!(kind.doc.len() > 20, "{} {} has no documentation", registry, kind.name);
            assert!(
                kind.keys.iter().all(|k| !k.doc.is_empty()),
                "{}: a key without documentation",
                kind.name
            );
            if kind.name == "file" {
                continue; // its example needs a file: see below
            }
            prints_as_itself(&common::good_plan(&around(registry, kind.example)));
        }
    }
}

#[test]
fn a_tokenizer_file_gives_the_size_of_its_vocabulary() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let json = indhead::tokenizer::train_bpe(&["some text, some more text".into()], 300).unwrap();
    fs::write(&path, json).unwrap();
    let table = format!("kind = \"file\"\npath = {:?}", path.display().to_string());
    let plan = common::good_plan(&around("tokenizer", &table));
    assert_eq!(plan.d_vocab(), 300);
    prints_as_itself(&plan);
    let wrong =
        format!("kind = \"file\"\npath = {:?}", folder.path().join("tokeniser.json").display().to_string());
    let said = common::complaints(&around("tokenizer", &wrong), &[]);
    assert!(said.contains("did you mean \"tokenizer.json\"?"), "{said}");
}

#[test]
fn the_committed_specs_are_valid_and_begin_with_their_claim() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        assert!(text.starts_with("# Claim: "), "{}", entry.path().display());
        prints_as_itself(&common::good_plan(&text));
        seen += 1;
    }
    assert!(seen >= 4, "{seen} specs");
}

#[test]
fn set_reaches_everything() {
    let spec = around("probe", "probe = \"conv_weights\"");
    let sets = [
        "seed=7",
        "name=2026",
        "architecture.blocks.1.n_heads=8",
        "architecture.positions=rotary",
        "training.optimizer.lr=3e-3",
        "training.schedule={ kind = \"constant\" }",
        "dataset.repeat.random=0.25",
    ];
    let Planned { plan, findings } = common::planned(&spec, &sets);
    let plan = plan.unwrap_or_else(|| panic!("{:?}", findings.diagnostics));
    assert_eq!((plan.seed, plan.name.as_str()), (7, "2026"));
    let block = &plan.architecture.blocks[1].config;
    assert_eq!(block["n_heads"].as_integer(), Some(8));
    assert_eq!(block["d_head"].as_integer(), Some(8));
    assert_eq!(block["positions"].as_str(), Some("rotary"));
    assert_eq!(plan.training.optimizer.config["lr"].as_float(), Some(3e-3));
    assert_eq!(plan.training.schedule.kind, "constant");
    assert_eq!(plan.repeat().random, 0.25);
}

fn load(path: &Path) -> Planned {
    plan(Spec::load(path, &[]).unwrap(), &language(), EVIDENCE, "x")
}

#[test]
fn a_spec_extends_another_and_origins_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    write("base.toml", &around("probe", "probe = \"conv_weights\""));
    write("mid/mid.toml", "extends = \"../base.toml\"\nseed = 1\n[training]\nbatch_size = 8\n");
    let top = write(
        "top.toml",
        "extends = \"mid/mid.toml\"\nseed = 2\n[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 4\n",
    );
    let text = fs::read_to_string(&top).unwrap() + "[[analyses]]\nprobe = \"ablation\"\n";
    let top = write("top.toml", &text);
    let Planned { plan, findings } = load(&top);
    let plan = plan.unwrap_or_else(|| panic!("{:?}", findings.diagnostics));
    assert_eq!((plan.seed, plan.training.batch_size, plan.training.steps), (2, 8, 3));
    assert_eq!(plan.architecture.blocks.len(), 1, "lists of tables are replaced whole");
    let printed = plan.to_toml(Some(&findings));
    let origin =
        |key: &str| printed.lines().find(|l| l.starts_with(key)).unwrap().split_once("# ").unwrap().1;
    assert!(origin("seed").ends_with("top.toml:2"), "{printed}");
    assert!(origin("batch_size").contains("mid.toml:4"), "{printed}");
    assert!(origin("steps").contains("base.toml:"), "{printed}");
    assert_eq!(origin("clip_norm"), "default");
    let parsed: toml::Table = toml::from_str(&printed).unwrap();
    assert_eq!(parsed, toml::Table::try_from(&plan).unwrap());

    let round = write("round.toml", "extends = \"round.toml\"\n");
    let said = format!("{:?}", load(&round).findings.diagnostics);
    assert!(said.contains("circle"), "{said}");
}

#[test]
fn paths_start_from_the_folder_of_their_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("texts")).unwrap();
    let spec = around("dataset", "kind = \"text\"\npath = \"texts\"");
    let path = folder.path().join("spec.toml");
    fs::write(&path, spec).unwrap();
    let plan = load(&path).plan.unwrap();
    let written = plan.dataset.config["path"].as_str().unwrap();
    assert_eq!(Path::new(written), folder.path().join("texts"));
}
