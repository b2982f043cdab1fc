//! The language from spec to plan: what kinds document plans, plans print and are planned again,
//! files and `--set` are laid over one another.

mod common;

use common::{good_plan, planned};
use indhead::language::language;
use indhead::plan::{Chosen, Plan, Planned, plan};
use indhead::probes::verdict::EVIDENCE;
use indhead::spec::{Kind, Spec, Trait, render};
use indhead::tokenizer::Tokenizer;
use std::path::Path;
use tempfile::TempDir;

const SMALL: &str = r#"
[architecture]
d_model = 16
n_ctx = 64
[[architecture.blocks]]
kind = "conv1d"
kernel_size = 2
[[architecture.blocks]]
kind = "attention"
n_heads = 2
[tokenizer]
kind = "bytes"
[dataset]
kind = "stories"
[training]
steps = 100
optimizer = { kind = "adamw", lr = 0.1 }
[[analyses]]
probe = "attention_map"
text = "Ann met Bo."
"#;

/// The plan of a spec that lies in a folder; it has to be good.
fn plan_in(folder: &Path, text: &str) -> (Plan, String) {
    plan_of(Spec::parse(&folder.join("spec.toml"), text, &[]), text)
}

fn plan_of(spec: Spec, text: &str) -> (Plan, String) {
    let Planned { plan, findings } = plan(spec, &language(), EVIDENCE, "spec");
    let said = render(&findings.diagnostics, &findings.sources, false);
    let plan = plan.unwrap_or_else(|| panic!("{said}\n{text}"));
    let with_origins = plan.to_toml(Some(&findings));
    (plan, with_origins)
}

/// A folder in which a tokenizer is to be found, one in a cache as Hugging Face's,
/// a dataset there, and token ids.
fn workbench() -> TempDir {
    let folder = TempDir::new().unwrap();
    let bytes = Tokenizer::from_keys(&Chosen { kind: "bytes".into(), config: toml::Table::new() }).unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), bytes.json()).unwrap();
    let cached = folder.path().join("hub/models--EleutherAI--pythia-70m");
    for inner in ["refs", "snapshots/abc"] {
        std::fs::create_dir_all(cached.join(inner)).unwrap();
    }
    std::fs::write(cached.join("refs/main"), "abc").unwrap();
    std::fs::write(cached.join("snapshots/abc/tokenizer.json"), bytes.json()).unwrap();
    let dataset = folder.path().join("hub/datasets--Skylion007--openwebtext");
    for inner in ["refs", "snapshots/abc/plain_text"] {
        std::fs::create_dir_all(dataset.join(inner)).unwrap();
    }
    std::fs::write(dataset.join("refs/main"), "abc").unwrap();
    std::fs::write(dataset.join("snapshots/abc/plain_text/train.parquet"), b"PAR1\x15\x04 and so on")
        .unwrap();
    let ids: Vec<u8> = (0..400u16).flat_map(|i| (i % 40).to_le_bytes()).collect();
    std::fs::write(folder.path().join("train.bin"), ids).unwrap();
    folder
}

/// The smallest spec around a kind's own example.
fn around(registry: &str, kind: &Kind) -> String {
    let cache = if kind.name == "hub" { "\ncache = \"hub\"" } else { "" };
    let of = |wanted: &str, header: &str, usual: &str| match registry == wanted {
        true => format!("{header}\n{}{cache}\n", kind.example),
        false => format!("{header}\n{usual}\n"),
    };
    let ids = ["ids", "bayes_bigram"].contains(&kind.name)
        || (registry == "dataset" && !kind.is(Trait::ReadsText) && kind.name != "mixture");
    let tokenizer = if ids { "kind = \"ids\"\nd_vocab = 40" } else { "kind = \"bytes\"" };
    let dataset = match kind.name {
        "bayes_bigram" => "kind = \"markov\"",
        _ if ids => "kind = \"repeated_random\"",
        _ => "kind = \"stories\"",
    };
    let mut spec = "[architecture]\nd_model = 16\nn_ctx = 64\n".to_string();
    spec += "[[architecture.blocks]]\nkind = \"conv1d\"\nkernel_size = 2\n";
    spec += &of("block", "[[architecture.blocks]]", "kind = \"mlp\"");
    spec += "[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2\n";
    spec += "[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2\nsmeared_keys = true\n";
    spec += &of("tokenizer", "[tokenizer]", tokenizer);
    spec += &of("dataset", "[dataset]", dataset);
    spec += "[training]\nsteps = 1000\n";
    spec += &of("optimizer", "[training.optimizer]", "");
    spec += &of("schedule", "[training.schedule]", "");
    spec += &of("checkpoint schedule", "[training.checkpoints]", "");
    if registry == "probe" {
        spec += &of("probe", "[[analyses]]", "");
    }
    spec
}

/// What a plan prints is a spec: of the same plan, which prints the same; also without the data.
fn prints_and_returns(plan: &Plan, with_origins: &str, what: &str) {
    let elsewhere = TempDir::new().unwrap();
    let planned_again = |text: &str| {
        let mut spec = Spec::parse(&elsewhere.path().join("spec.toml"), text, &[]);
        spec.findings.elsewhere = true;
        plan_of(spec, text)
    };
    let printed = plan.to_toml(None);
    let (again, _) = planned_again(&printed);
    assert_eq!(&again, plan, "{what}");
    assert_eq!(again.to_toml(None), printed, "{what}");
    let (commented, _) = planned_again(with_origins);
    assert_eq!(commented.to_toml(None), printed, "{what}, with origins");
    let read: Plan = toml::from_str(&printed).unwrap();
    assert_eq!(&read, plan, "{what}, read without planning");
}

#[test]
fn the_example_of_every_kind_plans_and_prints() {
    let folder = workbench();
    for (registry, kinds) in language().registries {
        assert!(!kinds.is_empty(), "the {registry} registry is empty");
        // A part of a mixture is a dataset, too, and its example is of one.
        for kind in kinds.iter().filter(|_| registry != "dataset part") {
            let (plan, with_origins) = plan_in(folder.path(), &around(registry, kind));
            prints_and_returns(&plan, &with_origins, kind.name);
        }
    }
}

#[test]
fn every_kind_is_documented() {
    for (registry, kinds) in language().registries {
        for (i, kind) in kinds.iter().enumerate() {
            let name = format!("{registry} {}", kind.name);
            assert!(kind.doc.ends_with('.') && !kind.doc.contains("  "), "{name}: {:?}", kind.doc);
            assert!(kinds[..i].iter().all(|other| other.name != kind.name), "{name} is there twice");
            assert!(kind.keys.iter().all(|key| !key.doc.is_empty()), "{name}: a key has no doc");
        }
    }
}

/// The specs of a folder below `specs/`, which are called as their files; `here` if their data is, too.
fn committed_specs(folder: &str, here: bool) -> Vec<Plan> {
    let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs");
    let mut plans = Vec::new();
    for entry in specs.join(folder).read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# Claim: "), "{} begins with its claim", path.display());
        let mut spec = Spec::parse(&path, text, &[]);
        spec.findings.elsewhere = !here;
        let Planned { plan, findings } = plan(spec, &language(), EVIDENCE, "spec");
        let said = render(&findings.diagnostics, &findings.sources, false);
        let warned = findings.diagnostics.iter().all(|d| findings.not_here.contains(&d.key));
        assert!(!findings.failed() && warned, "{said}");
        let plan = plan.unwrap();
        let name = path.with_extension("");
        assert_eq!(specs.join(&plan.name), name, "a spec is called as its file");
        prints_and_returns(&plan, &plan.to_toml(Some(&findings)), &plan.name);
        plans.push(plan);
    }
    plans
}

#[test]
fn every_committed_spec_plans_and_prints() {
    assert!(!committed_specs("", true).is_empty());
}

/// The large ones are planned on machines that could not train them.
#[test]
fn the_large_specs_plan_without_their_data() {
    let plans = committed_specs("openwebtext", false);
    assert_eq!(plans.len(), 6);
    for plan in plans {
        let (original, small) = (plan.name.contains("original"), 1 << 17);
        let (d_model, tokens) = if original { (512, 9_000_000_000) } else { (768, 10_000_000_000) };
        let heads = plan.architecture.blocks.iter().filter(|block| block.kind == "attention");
        assert!(heads.clone().count() > 0);
        assert!(heads.clone().all(|block| block.config["d_head"].as_integer() == Some(64)), "{}", plan.name);
        assert_eq!((plan.architecture.d_model, plan.architecture.n_ctx), (d_model, 512));
        assert_eq!((plan.tokenizer.kind.as_str(), plan.d_vocab()), ("gpt2", 50257));
        let read = plan.tokens_at(plan.training.steps);
        assert!((tokens..tokens + small).contains(&read), "{}: {read}", plan.name);
    }
}

#[test]
fn unusual_values_survive_printing() {
    let description = "description='''\n\"quotes\", \\back, # no comment, é一\t'''";
    let tiny = "training.optimizer={kind=\"adamw\",lr=1e-30,eps=1.3e-38,betas=[0,0.1]}";
    let many: &[&[&str]] = &[
        &[description, "seed=9223372036854775807"],
        &[tiny, "architecture.init={embedding_std=1e38,blocks=0}", "training.clip_norm=0"],
        &["analyses=[]", "training.checkpoints={kind=\"every\",steps=7}", "name=a/b-c.d"],
        &["analyses=[{probe=\"prefix_matching\",tokens=\"passages\",at=\"final\"}]"],
        &["analyses=[{probe=\"ablation\",id=\"prefix_matching\"},{probe=\"ablation\"}]"],
        &["dataset.repeat={passages=0.25,random=0.75,period=[1,32]}", "architecture.tied_embeddings=true"],
        &["architecture.n_ctx=9", "training.batch_size=1", "analyses=[]"],
        &["architecture.positions=rotary", "architecture.blocks.1={n_heads=5,d_head=2,smeared_keys=true}"],
        &["architecture.positions=learned", "architecture.blocks.1.positions=shortformer"],
        &["training.steps=1", "training.schedule={kind=\"linear\",warmup_fraction=1,final_fraction=0}"],
    ];
    for sets in many {
        let Planned { plan, findings } = planned(SMALL, sets);
        let said = render(&findings.diagnostics, &findings.sources, false);
        let plan = plan.unwrap_or_else(|| panic!("{said}"));
        prints_and_returns(&plan, &plan.to_toml(Some(&findings)), &sets.join(" "));
    }
}

/// What the verdict rests on is added by the plan, so it has to fit wherever a plan does.
#[test]
fn the_smallest_plans_have_all_evidence() {
    let ids = ["tokenizer={kind=\"ids\",d_vocab=3}", "dataset={kind=\"repeated_random\"}"];
    for n_ctx in [9, 10, 16, 64] {
        let n_ctx = format!("architecture.n_ctx={n_ctx}");
        let Planned { plan, findings } = planned(SMALL, &[&n_ctx, ids[0], ids[1], "analyses=[]"]);
        let said = render(&findings.diagnostics, &findings.sources, false);
        let probes = plan.unwrap_or_else(|| panic!("{said}")).analyses.len();
        // Without text there are no passages.
        assert_eq!(probes, EVIDENCE.len() - 1);
        let Planned { plan, .. } = planned(SMALL, &[&n_ctx, "analyses=[]"]);
        assert_eq!(plan.unwrap().analyses.len(), EVIDENCE.len());
    }
}

#[test]
fn set_lays_values_over_the_spec() {
    let set = |sets: &[&str]| {
        let Planned { plan, findings } = planned(SMALL, sets);
        plan.unwrap_or_else(|| panic!("{}", render(&findings.diagnostics, &findings.sources, false)))
    };
    assert_eq!(set(&["seed=7"]).seed, 7);
    assert_eq!(set(&["seed=7", "seed=8"]).seed, 8, "the last one wins");
    assert_eq!(set(&[" training . steps = 5 "]).training.steps, 5);
    // Bare words and whatever else, where text is wanted.
    assert_eq!(set(&["name=123"]).name, "123");
    assert_eq!(set(&["name=\"quoted\""]).name, "quoted");
    assert_eq!(set(&["description=a = b, [c"]).description, "a = b, [c");
    assert_eq!(set(&["description=true"]).description, "true");
    assert_eq!(set(&["analyses.0.head=1.1"]).analyses[0].config["head"].as_str(), Some("1.1"));
    // Tables merge, unless another kind comes; lists are replaced whole, and reached into by index.
    let lr = |plan: &Plan| plan.training.optimizer.config["lr"].as_float();
    assert_eq!(lr(&set(&["training.optimizer.eps=0.5"])), Some(0.1));
    assert_eq!(lr(&set(&["training.optimizer={eps=0.5}"])), Some(0.1));
    assert_eq!(lr(&set(&["training={clip_norm=2}"])), Some(0.1));
    let blocks = |plan: Plan| plan.architecture.blocks;
    let second = |sets: &[&str]| blocks(set(sets)).remove(1);
    assert_eq!(second(&["architecture.blocks.1.n_heads=4"]).config["n_heads"].as_integer(), Some(4));
    assert_eq!(second(&["architecture.blocks.1={n_heads=4}"]).config["n_heads"].as_integer(), Some(4));
    let first = |sets: &[&str]| blocks(set(sets)).remove(0);
    assert_eq!(first(&["architecture.blocks.0={kind=\"mlp\"}"]).kind, "mlp");
    let mlp = first(&["architecture.blocks.0.kind=mlp", "architecture.blocks.0.d_mlp=3"]);
    assert_eq!((mlp.kind.as_str(), mlp.config["d_mlp"].as_integer()), ("mlp", Some(3)));
    assert_eq!(blocks(set(&["architecture.blocks=[{kind=\"attention\",n_heads=1}]"])).len(), 1);
    assert_eq!(set(&["verdict.ablation=0.7"]).verdict.ablation, 0.7, "a table comes into being");
}

/// A table whose key has a default kind need not name it.
#[test]
fn the_default_kind_goes_without_saying() {
    let without = SMALL.replace("kind = \"adamw\", ", "").replace("kind = \"bytes\"", "d_vocab = 300");
    let plan = good_plan(&without);
    assert_eq!((plan.training.optimizer.kind.as_str(), plan.tokenizer.kind.as_str()), ("adamw", "bpe"));
    assert_eq!((plan.training.optimizer.config["lr"].as_float(), plan.d_vocab()), (Some(0.1), 300));
}

#[test]
fn files_are_laid_over_what_they_extend() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "deep/down/base.toml",
        &format!(
            "name = \"base\"\nseed = 1\n{}",
            SMALL
                .replace("stories", "text")
                .replace("kind = \"text\"", "kind = \"text\"\npath = \"corpus.txt\"")
        ),
    );
    write("deep/down/corpus.txt", &"text\n".repeat(99));
    write("deep/middle.toml", "extends = \"down/base.toml\"\nseed = 2\n[training]\nsteps = 20\n");
    let top = "extends = \"deep/middle.toml\"\nname = \"top\"\n[training.optimizer]\nlr = 0.2\n\
               [[analyses]]\nprobe = \"ablation\"\n";
    let (plan, origins) = plan_in(folder.path(), top);
    assert_eq!((plan.name.as_str(), plan.seed, plan.training.steps), ("top", 2, 20));
    assert_eq!(plan.training.optimizer.config["lr"].as_float(), Some(0.2));
    assert!(plan.analyses.iter().all(|a| a.probe != "attention_map"), "lists are replaced whole");
    // A path starts from the folder of the file it is written in.
    let path = plan.dataset.config["path"].as_str().unwrap();
    assert_eq!(Path::new(path), folder.path().join("deep/down/corpus.txt"));
    for (line, origin) in
        [("seed = 2 ", "middle.toml:2"), ("d_model = 16 ", "base.toml:5"), ("lr = 0.2 ", "spec.toml:4")]
    {
        let printed = origins.lines().find(|printed| printed.starts_with(line)).unwrap_or_default();
        assert!(printed.ends_with(origin), "{printed:?} does not come from {origin}");
    }
    // Another kind leaves nothing of the old one behind.
    let other = "extends = \"deep/middle.toml\"\n[dataset]\nkind = \"stories\"\n";
    assert!(!plan_in(folder.path(), other).0.dataset.config.contains_key("path"));
}

#[test]
fn every_printed_value_says_where_it_comes_from() {
    let Planned { plan, findings } = planned(SMALL, &["training.batch_size=8", "analyses.0.head=all"]);
    let printed = plan.unwrap().to_toml(Some(&findings));
    for line in printed.lines().filter(|line| line.contains(" = ")) {
        let (_, origin) = line.rsplit_once("  # ").unwrap_or_else(|| panic!("{line:?} has no origin"));
        let known = origin == "default" || origin == "--set" || origin.starts_with("test.toml:");
        assert!(known, "{line:?} comes from {origin:?}");
    }
    for (key, origin) in [
        ("name = \"test\"", "default"),
        ("d_model = 16", "test.toml:3"),
        ("n_heads = 2", "test.toml:10"),
        ("d_head = 8", "default"),
        ("batch_size = 8", "--set"),
        ("head = \"all\"", "--set"),
        ("steps = 100", "test.toml:16"),
        ("lr = 0.1", "test.toml:17"),
        ("eps = 1e-8", "default"),
    ] {
        let line =
            printed.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key}\n{printed}"));
        assert_eq!(line.rsplit_once("  # ").map(|(_, origin)| origin), Some(origin), "{line:?}");
    }
}

/// A file may be called what a run may not.
#[test]
fn a_run_takes_a_name_from_any_file() {
    for (file, name) in
        [("my spec", "my-spec"), ("a:b (copy)", "a-b--copy-"), ("..", "run"), (".x", "x"), ("é", "é")]
    {
        let spec = Spec::parse(Path::new("x.toml"), SMALL, &[]);
        assert_eq!(plan(spec, &language(), EVIDENCE, file).plan.unwrap().name, name);
    }
}

/// How long to train is said in tokens or in steps: whoever is laid over the other may say it otherwise.
#[test]
fn the_length_of_training_is_replaced_whatever_its_word() {
    let steps = |text: &str, sets: &[&str]| planned(text, sets).plan.map(|plan| plan.training.steps);
    let tokens = SMALL.replace("steps = 100", "tokens = 2048");
    assert_eq!(steps(SMALL, &["training.tokens=20480"]), Some(10));
    assert_eq!(steps(&tokens, &["training.steps=7"]), Some(7));
    assert_eq!(steps(&tokens, &["training.steps=7", "training.tokens=4096"]), Some(2));
    assert_eq!(steps(&tokens, &[]), Some(1));
    assert_eq!(steps(&SMALL.replace("steps = 100", "steps = 100\ntokens = 2048"), &[]), None);
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("base.toml"), tokens).unwrap();
    let (plan, printed) = plan_in(folder.path(), "extends = \"base.toml\"\n[training]\nsteps = 9\n");
    assert_eq!(plan.training.steps, 9);
    assert!(
        printed.lines().any(|line| line.starts_with("steps = 9 ") && line.ends_with("spec.toml:3")),
        "{printed}"
    );
}
