//! The probes and the verdict on a model whose two heads are set by hand: head 0.0 copies the token
//! before into a second half of the stream, head 1.0 looks for it and copies what stands there.

mod common;

use dfdx::prelude::Cpu;
use indhead::dataset::Dataset;
use indhead::model::{Backend, Model};
use indhead::plan::Plan;
use indhead::probes::{Observer, verdict};
use indhead::record::{Analysis, Outcome, Verdict};

/// Tokens; the stream has a half for the token itself and a half for the one before.
const V: usize = 32;

fn plan() -> Plan {
    common::good_plan(&format!(
        "[architecture]\nd_model = {}\nn_ctx = 128\npositions = \"relative_bias\"\nnormalization = \"none\"\n\
         [[architecture.blocks]]\nkind = \"attention\"\nn_heads = 1\nd_head = {V}\n\
         [[architecture.blocks]]\nkind = \"attention\"\nn_heads = 1\nd_head = {V}\n\
         [tokenizer]\nkind = \"ids\"\nd_vocab = {V}\n[dataset]\nkind = \"repeated_random\"\n[training]\nsteps = 1\n\
         [[analyses]]\nprobe = \"stream_composition\"\n[[analyses]]\nprobe = \"ngram_baseline\"\n[[analyses]]\nprobe = \"last_occurrence\"\n\
         [[analyses]]\nprobe = \"loss_pca\"\n",
        2 * V
    ))
}

/// A matrix `[rows, columns]` that takes feature `i + from` to feature `i + to`, scaled.
fn shift(rows: usize, columns: usize, from: usize, to: usize, scale: f32) -> Vec<f32> {
    let mut matrix = vec![0.0; rows * columns];
    (0..V).for_each(|i| matrix[(i + from) * columns + i + to] = scale);
    matrix
}

fn model(plan: &Plan, offset: usize) -> Model<Cpu> {
    let mut model = Model::new(plan, <Cpu as Backend>::open().unwrap()).unwrap();
    let d = 2 * V;
    let mut tensors = model.to_host();
    for (name, shape, values) in &mut tensors {
        let count = shape.iter().product();
        *values = match name.as_str() {
            "embed.W_E" => shift(V, d, 0, 0, 1.0),
            "unembed.W_U" => shift(d, V, 0, 0, 10.0),
            // Values: the token itself, into the second half.
            "blocks.0.attn.W_V" => shift(d, V, 0, 0, 1.0),
            "blocks.0.attn.W_O" => shift(V, d, 0, V, 1.0),
            // Queries: the token itself; keys: the token before; values: the token itself.
            "blocks.1.attn.W_Q" => shift(d, V, 0, 0, 30.0),
            "blocks.1.attn.W_K" => shift(d, V, V, 0, 30.0),
            "blocks.1.attn.W_V" => shift(d, V, 0, 0, 1.0),
            "blocks.1.attn.W_O" => shift(V, d, 0, 0, 3.0),
            _ => vec![0.0; count],
        };
        if name == "blocks.0.attn.rel_bias" {
            values[offset] = 100.0;
        }
    }
    model.set(&tensors).unwrap();
    model
}

fn judge(offset: usize) -> (Vec<Analysis>, Verdict) {
    let plan = plan();
    let cache = tempfile::tempdir().unwrap();
    let dataset = Dataset::open(&plan, cache.path(), &mut |_| {}).unwrap();
    let mut observer = Observer::new(&plan, &dataset);
    observer.observe(1, plan.tokens_at(1), &model(&plan, offset)).unwrap();
    let analyses = observer.analyses().unwrap();
    let verdict = verdict::verdict(&analyses, &plan.verdict, 1);
    (analyses, verdict)
}

/// The score of heads 0.0 and 1.0.
fn scores(analyses: &[Analysis], probe: &str) -> [f64; 2] {
    let analysis = analyses.iter().find(|a| a.probe == probe).unwrap();
    analysis.table("heads").unwrap().numbers("score").try_into().unwrap()
}

#[test]
fn the_hand_set_induction_head_is_found_and_only_it() {
    let (analyses, verdict) = judge(1);
    let [below, above] = scores(&analyses, "previous_token");
    assert!(below > 0.99 && above < 0.5, "previous token: {below} {above}");
    let [below, above] = scores(&analyses, "prefix_matching");
    assert!(below < 0.05 && above > 0.99, "prefix matching: {below} {above}");
    let [below, above] = scores(&analyses, "ablation");
    assert!(below > 3.0 && above > 3.0, "both are needed: {below} {above}");
    let losses = analyses.iter().find(|a| a.probe == "repeated_loss").unwrap().table("losses").unwrap();
    let (first, second) = (losses.numbers("first_copy")[0], losses.numbers("second_copy")[0]);
    assert!(second < 0.2 * first, "{first} {second}");
    assert_eq!(verdict.verdict, Outcome::Found);
    let found: Vec<_> = verdict.induction_heads.iter().map(|h| (h.layer, h.head)).collect();
    assert_eq!(found, [(1, 0)]);
    assert!(verdict.shifted_heads.is_empty());
}

#[test]
fn without_a_previous_token_head_there_is_none() {
    // Head 0.0 looks at the current token: keys and queries agree at earlier copies of the token itself.
    let (analyses, verdict) = judge(0);
    let [_, above] = scores(&analyses, "prefix_matching");
    assert!(above < 0.05, "{above}");
    assert_eq!(verdict.verdict, Outcome::NotFound);
}

#[test]
fn two_tokens_back_makes_a_shifted_head() {
    let (analyses, verdict) = judge(2);
    let profile = analyses.iter().find(|a| a.probe == "offset_profile").unwrap();
    let offsets = profile.table("offsets").unwrap().filter("layer", 1usize);
    assert!(offsets.numbers("score")[2] > 0.9, "{:?}", offsets.numbers("score"));
    assert!(scores(&analyses, "prefix_matching")[1] < 0.1);
    assert_ne!(verdict.verdict, Outcome::Found);
}

#[test]
fn the_stream_holds_the_token_and_the_one_before() {
    let (analyses, _) = judge(1);
    let table = |probe: &str, name: &str| {
        let analysis = analyses.iter().find(|a| a.probe == probe).unwrap();
        analysis.table(name).unwrap().clone()
    };
    let shares = table("stream_composition", "shares").filter("depth", 1usize);
    let sources: Vec<_> = shares.column("source").filter_map(|c| c.text()).collect();
    assert_eq!(sources, ["embedding", "block 0, attention"]);
    let [token, before] = shares.numbers("share")[..] else { panic!("{shares:?}") };
    assert!((token - 0.5).abs() < 0.01 && (before - 0.5).abs() < 0.01, "{token} {before}");
    let identity = table("stream_composition", "identity").numbers("share");
    let [at_first, after_one, _] = identity[..] else { panic!("{identity:?}") };
    assert!((at_first - 1.0).abs() < 1e-6, "{at_first}");
    // The tokens before recur with a sequence that repeats: a little more than half.
    assert!((0.47..0.58).contains(&after_one), "{after_one}");
    // Its tokens are as frequent as each other and any follows any: counting knows nothing, the head much.
    let scores = table("ngram_baseline", "scores");
    let [one, two] = ["unigram", "bigram"].map(|name| scores.numbers(name)[0]);
    assert!(one > 1.0 && (one - two).abs() < 0.1 * one, "{one} {two}");
    let path = table("loss_pca", "path");
    assert_eq!((path.rows.len(), path.numbers("component_1")[0]), (1, 0.0));
}
