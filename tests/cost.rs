//! What a plan is said to cost, against numbers worked out by hand.

mod common;

use indhead::model::cost::{flops_per_token, sequences_at_once, training_bytes};

fn plan(file: &str) -> indhead::plan::Plan {
    common::good_plan(&std::fs::read_to_string(file).unwrap())
}

#[test]
fn flops_are_those_of_the_matrix_products() {
    // d_model 64, n_ctx 64, 4 heads of 16, 512 tokens. Attention: four maps of 64 × 64, scores and values over
    // (64 + 1) / 2 positions on average; a convolution of two taps; the unembedding. Two operations a product,
    // three products for one.
    let (maps, past) = (4 * 64 * 64, 2 * 64 * 65 / 2);
    let (attention, conv, unembedding) = (2 * (maps + past), 2 * (2 * 64 * 64), 2 * (64 * 512));
    let conv_attn = flops_per_token(&plan("specs/bench/small_conv_attn.toml")).unwrap();
    assert_eq!(conv_attn, 3 * (conv + attention + unembedding));
    let attn_attn = flops_per_token(&plan("specs/bench/small_attn_attn.toml")).unwrap();
    assert_eq!(attn_attn, 3 * (2 * attention + unembedding));
}

#[test]
fn memory_has_room_for_the_optimizer_and_grows_with_the_vocabulary_by_its_weights() {
    // 8 × 512 × 512 in two attention blocks, embedding and unembedding, positions: with moments and gradients.
    let plan = plan("specs/bench/paper_attn_attn.toml");
    let parameters = 2 * 50257 * 512 + 8 * 512 * 512;
    let bytes = training_bytes(&plan, "cpu", plan.training.batch_size).unwrap();
    assert!(bytes > 16 * parameters && bytes < 26 * parameters, "{bytes}");
    let mut larger = plan.clone();
    larger.tokenizer.config.insert("d_vocab".into(), toml::Value::Integer(2 * 50257));
    // Twice the tables: their values, moments, and gradients or what a step makes of them; and a chunk of logits.
    let more = training_bytes(&larger, "cpu", plan.training.batch_size).unwrap() - bytes;
    assert!(more > 16 * 2 * 50257 * 512 && more < 30 * 2 * 50257 * 512, "{more}");
}

#[test]
fn a_step_is_split_into_equal_parts_that_fit() {
    let mut plan = plan("specs/bench/paper_attn_attn.toml");
    let batch = 256; // what grows with it is more than the tables
    plan.training.batch_size = batch;
    let of = |at_once| training_bytes(&plan, "cuda", at_once).unwrap();
    // Weights, gradients, moments of two tables alone; then what grows with the sequences.
    assert!(of(1) > 16 * 2 * 50257 * 512 && of(batch) > of(batch / 2) && of(batch / 2) > of(1));
    let (whole, half) = (of(batch), of(batch.div_ceil(2)));
    let at_once = |plan: &_, memory| sequences_at_once(plan, "cuda", memory).unwrap();
    assert_eq!(at_once(&plan, Some(1)), batch, "nobody asked");
    plan.training.micro_batch_size = "auto".into();
    assert_eq!(at_once(&plan, None), batch);
    assert_eq!(at_once(&plan, Some(2 * whole)), batch);
    assert_eq!(at_once(&plan, Some(whole)), batch.div_ceil(2), "a tenth is left free");
    assert!(half < whole / 10 * 9);
    assert_eq!(at_once(&plan, Some(1)), 1);
    plan.training.micro_batch_size = 3.into();
    assert_eq!(at_once(&plan, Some(2 * whole)), 3);
}
