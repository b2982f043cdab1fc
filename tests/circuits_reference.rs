//! A trained model's heads against TransformerLens (`tests/reference/make_trained.py`): diagonal prefix
//! matching, positivity of OV eigenvalues, Q-, K- and V-composition.

mod common;

use dfdx::prelude::Cpu;
use indhead::dataset::Bigrams;
use indhead::model::{Backend, Model, checkpoint};
use indhead::plan::Plan;
use indhead::probes::{Context, KINDS, Material};
use indhead::random;
use indhead::record::Table;
use indhead::tokenizer::Tokenizer;
use serde_json::Value;
use std::path::{Path, PathBuf};

const TOLERANCE: f64 = 1e-3;

/// Shows a model the sequences that TransformerLens was shown.
struct Shown {
    sequences: Vec<Vec<usize>>,
    tokenizer: Tokenizer,
    bigrams: Bigrams,
}

impl Material for Shown {
    fn validation(&self, _: usize) -> Vec<Vec<usize>> {
        Vec::new()
    }
    fn passages(&self, _: &mut random::Stream, count: usize, length: usize) -> Vec<Vec<usize>> {
        self.sequences.iter().take(count).map(|s| s[1..=length].to_vec()).collect()
    }
    fn frequencies(&self) -> &[u64] {
        &[]
    }
    fn bigrams(&self) -> &Bigrams {
        &self.bigrams
    }
    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/trained")
}

struct Reference {
    plan: Plan,
    model: Model<Cpu>,
    said: Value,
}

impl Reference {
    fn read() -> Self {
        let plan = common::good_plan(&std::fs::read_to_string(folder().join("spec.toml")).unwrap());
        let mut model = Model::new(&plan, <Cpu as Backend>::open().unwrap()).unwrap();
        let bytes = std::fs::read(folder().join("model.safetensors")).unwrap();
        model.set(&checkpoint::from_bytes(&bytes).unwrap()).unwrap();
        let said = std::fs::read_to_string(folder().join("transformer_lens.json")).unwrap();
        Reference { plan, model, said: serde_json::from_str(&said).unwrap() }
    }

    fn measure(&self, probe: &str, config: &str) -> Vec<Table> {
        let sequences = self.said["sequences"].as_array().unwrap().iter();
        let token = |t: &Value| t.as_u64().unwrap() as usize;
        let sequences = sequences.map(|s| s.as_array().unwrap().iter().map(token).collect());
        let material = Shown {
            sequences: sequences.collect(),
            tokenizer: Tokenizer::from_keys(&self.plan.tokenizer).unwrap(),
            bigrams: Bigrams::count(0, []),
        };
        let context = Context {
            subject: &self.model,
            material: &material,
            rng: random::stream(0, "probe/test", 0),
            config: &toml::from_str(config).unwrap(),
            step: 0,
            tokens: 0,
        };
        let kind = KINDS.iter().find(|kind| kind.kind.name == probe).unwrap();
        (kind.measure)(&context).unwrap()
    }
}

fn assert_close(what: &str, ours: f64, theirs: &Value) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() < TOLERANCE, "{what}: {ours}, TransformerLens has {theirs}");
}

#[test]
fn every_head_scores_what_transformer_lens_says() {
    let reference = Reference::read();
    let width = reference.said["sequences"][0].as_array().unwrap().len();
    let count = reference.said["sequences"].as_array().unwrap().len();
    let shown = format!(
        "definition = \"diagonal\"\naverage = \"mass\"\ntokens = \"passages\"\nsequences = {count}\n\
         sequence_length = {}\nrepeats = 2\nexclude = 0.05",
        (width - 1) / 2
    );
    for (probe, config, theirs) in
        [("prefix_matching", shown.as_str(), "prefix_matching"), ("ov_eigenvalues", "", "positivity")]
    {
        let heads = &reference.measure(probe, config)[0];
        assert_eq!(heads.rows.len(), 4);
        let places = heads.numbers("layer").into_iter().zip(heads.numbers("head"));
        for ((layer, head), ours) in places.zip(heads.numbers("score")) {
            let (layer, head) = (layer as usize, head as usize);
            assert_close(&format!("{probe} of {layer}.{head}"), ours, &reference.said[theirs][layer][head]);
        }
    }
    // The model is a trained one: there is something to compare.
    assert!(reference.said["prefix_matching"][1][0].as_f64().unwrap() > 0.5);
}

#[test]
fn heads_compose_as_transformer_lens_says() {
    let reference = Reference::read();
    let table = &reference.measure("composition", "samples = 4")[0];
    assert_eq!(table.rows.len(), 3 * 2 * 2);
    for term in ["Q", "K", "V"] {
        let table = table.filter("term", term);
        let [earlier, later] = ["earlier_head", "head"].map(|column| table.numbers(column));
        for ((earlier, later), ours) in earlier.into_iter().zip(later).zip(table.numbers("ratio")) {
            let (earlier, later) = (earlier as usize, later as usize);
            let theirs = &reference.said["composition"][term][0][earlier][1][later];
            assert_close(&format!("{term}-composition of 0.{earlier} and 1.{later}"), ours, theirs);
        }
    }
}
