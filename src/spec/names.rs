//! The name that was meant.

/// The name nearest to a misspelt one, if any is near: a few letters apart, what other programs call
/// so, or the only one of which it is the beginning or a whole part (`conv` of `conv1d`, `vocab` of
/// `d_vocab`), or that is a part of it (`seed` of `random_seed`).
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = simple(wrong);
    let candidates: Vec<&str> = names.into_iter().collect();
    let letters = wrong.chars().count();
    if letters < 2 {
        return None;
    }
    let only = |has: &dyn Fn(&str) -> bool| {
        let mut found = candidates.iter().copied().filter(|name| letters >= 3 && has(&simple(name)));
        found.next().filter(|_| found.next().is_none())
    };
    let parts = |name: &str, part: &str| part.len() >= 3 && name.split('_').any(|p| p == part);
    if foreign(&wrong) {
        return elsewhere(&wrong, &candidates);
    }
    within(&wrong, &candidates, (letters / 3).clamp(1, 3))
        .or_else(|| only(&|name| name.starts_with(&wrong)))
        .or_else(|| only(&|name| parts(name, &wrong)))
        .or_else(|| only(&|name| parts(&wrong, name)))
}

/// The name that is at most a letter or two apart, where many names compete.
pub fn almost<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = simple(wrong);
    let candidates: Vec<&str> = names.into_iter().collect();
    let letters = wrong.chars().count();
    match foreign(&wrong) {
        true => elsewhere(&wrong, &candidates),
        false if letters < 4 => None,
        false => within(&wrong, &candidates, (letters / 5).clamp(1, 2)),
    }
}

/// The closest name that is so many letters apart at most.
fn within<'a>(wrong: &str, names: &[&'a str], most: usize) -> Option<&'a str> {
    let letters = wrong.chars().count();
    let near = |name: &str| {
        let name = simple(name);
        let distance = strsim::damerau_levenshtein(wrong, &name);
        // One letter of three is another word ("gpu" is not "cpu") unless the words begin alike.
        let alike = letters > 3 || wrong.chars().next() == name.chars().next();
        (distance <= most && alike).then_some(distance)
    };
    let closest = names.iter().filter_map(|name| Some((near(name)?, *name))).min_by_key(|(d, _)| *d);
    closest.map(|(_, name)| name)
}

/// What other programs and papers call something, and what it is called here; `""` has no like here.
#[rustfmt::skip]
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("", &[
        "gradient_accumulation_steps", "grad_accum_steps", "eval_steps", "eval_interval", "logging_steps", "log_every",
        "n_kv_heads", "num_kv_heads", "num_key_value_heads",
    ]),
    ("architecture", &["model", "network", "arch", "transformer"]),
    ("analyses", &["probes", "probe", "measurements", "metrics"]),
    ("d_model", &["hidden_size", "hidden_dim", "dim", "model_dim", "n_embd", "embed_dim", "embedding_dim", "width", "d_embed"]),
    ("n_ctx", &["context", "context_length", "context_size", "n_context", "block_size", "max_position_embeddings", "max_len", "max_length", "max_seq_len", "seq_len", "sequence_length", "n_positions"]),
    ("n_heads", &["num_attention_heads", "n_attention_heads"]),
    ("d_head", &["head_dim", "head_size", "d_k", "d_v"]),
    ("d_mlp", &["d_ff", "d_ffn", "intermediate_size", "ffn_dim"]),
    ("d_vocab", &["vocab_size", "n_vocab", "vocabulary_size", "num_tokens"]),
    ("blocks", &["layers", "n_layers", "num_layers", "n_layer", "num_hidden_layers"]),
    ("tied_embeddings", &["tie_weights", "tie_word_embeddings", "tie_embeddings", "weight_tying", "tied_weights"]),
    ("betas", &["beta1", "beta2", "adam_beta1", "adam_beta2"]),
    ("tokens", &["epochs", "num_epochs", "n_epochs", "max_epochs", "num_train_epochs", "max_tokens"]),
    ("schedule", &["lr_scheduler", "lr_scheduler_type", "scheduler", "lr_schedule"]),
    ("precision", &["fp16", "bf16", "dtype", "mixed_precision", "amp"]),
    ("normalization", &["layer_norm", "norm_type"]),
    ("positions", &["positional_encoding", "position_embedding", "pos_emb", "positional_embedding"]),
    ("kernel_size", &["width", "taps"]),
    ("lr", &["learning_rate", "max_lr"]),
    ("eps", &["epsilon"]),
    ("weight_decay", &["wd", "decay", "l2"]),
    ("clip_norm", &["grad_clip", "gradient_clip", "gradient_clipping", "max_grad_norm", "max_norm", "grad_norm", "gradient_clip_norm"]),
    ("steps", &["max_steps", "num_steps", "n_steps", "iterations", "max_iters", "train_steps"]),
    ("batch_size", &["bs", "train_batch_size", "micro_batch_size", "per_device_train_batch_size", "tokens_per_step"]),
    ("warmup_fraction", &["warmup_steps", "warmup_ratio", "warmup_iters"]),
    ("final_fraction", &["min_lr", "min_lr_ratio", "final_lr", "lr_min"]),
    ("checkpoints", &["save_every", "checkpoint_every", "save_steps", "checkpoint_interval", "saves"]),
    ("validation_fraction", &["val_fraction", "valid_fraction", "validation_split", "val_split", "test_fraction"]),
    ("include", &["glob", "globs", "pattern", "patterns"]),
    ("repo", &["repository", "repo_id", "dataset_name", "hf_repo"]),
    ("path", &["file", "files", "folder", "dir", "directory"]),
    ("text", &["prompt", "input", "sentence"]),
    ("attention", &["attn", "mha", "multihead_attention", "sa"]),
    ("conv1d", &["conv", "convolution", "cnn", "causal_conv"]),
    ("mlp", &["ffn", "ff", "feedforward", "feed_forward", "dense"]),
    ("rotary", &["rope"]),
    ("learned", &["absolute", "learnt"]),
    ("relative_bias", &["relative", "t5"]),
    ("rms", &["rmsnorm"]),
    ("layer", &["layer_norm", "layernorm", "ln"]),
    ("cuda", &["gpu", "nvidia"]),
    ("f32", &["fp32", "float32", "float", "single"]),
    ("bf16", &["bfloat16", "half"]),
    ("bytes", &["char", "chars", "character", "characters"]),
    ("hub", &["huggingface", "hf", "hf_hub", "hugging_face", "huggingface_hub"]),
    ("stories", &["story", "tiny_stories", "tinystories"]),
    ("in_context_learning", &["icl", "icl_score"]),
    ("prefix_matching", &["induction", "induction_heads", "induction_head", "induction_score"]),
    ("final", &["last", "end"]),
];

/// Whether other programs call something so.
pub fn foreign(wrong: &str) -> bool {
    let wrong = simple(wrong);
    ELSEWHERE.iter().any(|(_, called)| called.contains(&wrong.as_str()))
}

fn elsewhere<'a>(wrong: &str, names: &[&'a str]) -> Option<&'a str> {
    let here = |name: &&&str| ELSEWHERE.iter().any(|(is, called)| is == *name && called.contains(&wrong));
    names.iter().find(here).copied()
}

/// `dModel`, `d-model` and `D_MODEL` are `d_model`.
fn simple(name: &str) -> String {
    let mut simple = String::with_capacity(name.len());
    let mut before = '_';
    for c in name.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            simple.push('_');
        }
        simple.extend(if c == '-' || c == ' ' { '_' } else { c }.to_lowercase());
        before = c;
    }
    simple
}

#[cfg(test)]
mod tests {
    use super::{almost, nearest};

    #[test]
    fn the_name_that_was_meant_is_found_and_no_other() {
        let keys = ["d_model", "n_ctx", "n_heads", "kernel_size", "lr", "betas", "weight_decay", "path"];
        let meant = |wrong| nearest(wrong, keys);
        assert_eq!(meant("n_head"), Some("n_heads"));
        assert_eq!(meant("dModel"), Some("d_model"));
        assert_eq!(meant("D-MODEL"), Some("d_model"));
        assert_eq!(meant("kernelsize"), Some("kernel_size"));
        assert_eq!(meant("kernel"), Some("kernel_size"));
        assert_eq!(meant("heads"), Some("n_heads"));
        assert_eq!(meant("decay"), Some("weight_decay"));
        assert_eq!(meant("lrr"), Some("lr"));
        assert_eq!(meant("l"), None);
        assert_eq!(meant("dropout"), None);
        assert_eq!(meant("hidden_size"), Some("d_model"));
        assert_eq!(meant("random_path"), Some("path"));
        assert_eq!(nearest("gpu", ["auto", "cpu", "cuda"]), Some("cuda"));
        assert_eq!(nearest("tpu", ["auto", "cpu", "cuda"]), None);
        assert_eq!(nearest("cdua", ["auto", "cpu", "cuda"]), Some("cuda"));
        assert_eq!(nearest("", keys), None);
        let training = ["tokens", "steps", "batch_size", "device"];
        assert_eq!(nearest("max_iters", training), Some("steps"));
        assert_eq!(nearest("per_device_train_batch_size", training), Some("batch_size"));
        for nothing in ["warmup_steps", "eval_steps", "block_size"] {
            assert_eq!(nearest(nothing, training), None, "{nothing}");
        }
        assert_eq!(almost("dilation", ["ablation", "lr"]), None);
        assert_eq!(almost("learning_rat", ["ablation", "learning_rate"]), Some("learning_rate"));
    }
}
