//! The fixed part of the language: every key that is not of some kind. One table of keys gives
//! parsing, checking and documentation.

use crate::spec::schema::{Choice, Default, Key, Range, Type};

const fn key(name: &'static str, ty: Type, default: Default, doc: &'static str) -> Key {
    Key { name, ty, default, doc }
}

/// The positional schemes of an architecture.
pub const POSITIONS: &[&str] = &["relative_bias", "shortformer", "learned", "rotary", "none"];
/// The positional schemes that one attention block can have for itself.
pub const BLOCK_POSITIONS: &[&str] = &["relative_bias", "shortformer", "rotary", "none"];

const fn choice(
    registry: &'static str,
    word: &'static str,
    common: &'static [Key],
    default: Option<&'static str>,
) -> Choice {
    Choice { registry, word, common, default }
}

const BLOCK: Choice = choice("block", "kind", &[], None);
const TOKENIZER: Choice = choice("tokenizer", "kind", &[], Some("bpe"));
const DATASET: Choice = choice("dataset", "kind", DATASET_COMMON, None);
const OPTIMIZER: Choice = choice("optimizer", "kind", &[], Some("adamw"));
const SCHEDULE: Choice = choice("schedule", "kind", &[], Some("cosine"));
const CHECKPOINTS: Choice = choice("checkpoint schedule", "kind", &[], Some("log_linear"));
const PROBE: Choice = choice("probe", "probe", PROBE_COMMON, None);

/// The keys of the top level.
pub const TOP: &[Key] = &[
    key("name", Type::Text, Default::Computed("the file's name"), "names the run and its report"),
    key("description", Type::Text, Default::Value("\"\""), "what the run is about, for its report"),
    key("seed", Type::Integer(0, i64::MAX), Default::Value("0"), "decides everything random"),
    key("architecture", Type::Table(ARCHITECTURE), Default::Required, "the model"),
    key("tokenizer", Type::Kind(&TOKENIZER), Default::Value("{}"), "text to tokens"),
    key("dataset", Type::Kind(&DATASET), Default::Required, "what the model reads"),
    key("training", Type::Table(TRAINING), Default::Value("{}"), "how it learns"),
    key("analyses", Type::List(&Type::Kind(&PROBE), 0, 999), Default::Value("[]"), "what is measured"),
    key("verdict", Type::Table(VERDICT), Default::Value("{}"), "what counts as an induction head"),
    key("report", Type::Table(REPORT), Default::Value("{}"), "how it is told"),
];

const ARCHITECTURE: &[Key] = &[
    key("d_model", Type::Integer(1, 65536), Default::Required, "width of the residual stream"),
    key("n_ctx", Type::Integer(9, 65536), Default::Required, "positions in a sequence; the probes need nine"),
    key(
        "positions",
        Type::Word(POSITIONS),
        Default::Value("\"relative_bias\""),
        "how attention knows positions",
    ),
    key(
        "normalization",
        Type::Word(&["layer", "rms", "none"]),
        Default::Value("\"layer\""),
        "before every block and before the unembedding",
    ),
    key(
        "tied_embeddings",
        Type::Flag,
        Default::Value("false"),
        "whether the unembedding is the embedding, transposed",
    ),
    key("init", Type::Table(INIT), Default::Value("{}"), "standard deviations of the initial weights"),
    key(
        "blocks",
        Type::List(&Type::Kind(&BLOCK), 1, 256),
        Default::Required,
        "the blocks, or layers, in order; each adds to the residual stream",
    ),
];

const INIT: &[Key] = &[
    key("embedding_std", Type::Number(Range::POSITIVE), Default::Value("0.5"), "token embedding"),
    key("position_std", Type::Number(Range::NOT_NEGATIVE), Default::Value("0.02"), "position embedding"),
    key("unembedding_std", Type::Number(Range::NOT_NEGATIVE), Default::Value("0.02"), "unembedding"),
    key(
        "blocks",
        Type::WordOrNumber(&["fan_in"], Range::NOT_NEGATIVE),
        Default::Value("\"fan_in\""),
        "maps inside blocks: 1/sqrt(inputs), or a standard deviation",
    ),
];

const DATASET_COMMON: &[Key] = &[key(
    "repeat",
    Type::Table(REPEAT),
    Default::Value("{}"),
    "share of the sequences that repeat themselves",
)];

const REPEAT: &[Key] = &[
    key(
        "passages",
        Type::Number(Range::SHARE),
        Default::Value("0.0"),
        "share whose first period tokens, from a real window, are tiled",
    ),
    key(
        "random",
        Type::Number(Range::SHARE),
        Default::Value("0.0"),
        "share whose first period tokens, uniformly random, are tiled",
    ),
    key(
        "period",
        Type::List(&Type::Integer(1, 65536), 2, 2),
        Default::Computed("n_ctx/8 to n_ctx/2"),
        "the period is uniform between these",
    ),
];

const TRAINING: &[Key] = &[
    key(
        "tokens",
        Type::Integer(1, i64::MAX),
        Default::Computed("from `steps`"),
        "training tokens, rounded up to whole steps",
    ),
    key("steps", Type::Integer(1, i64::MAX), Default::Computed("from `tokens`"), "optimizer steps"),
    key("batch_size", Type::Integer(1, 1 << 20), Default::Value("32"), "sequences a step"),
    key(
        "micro_batch_size",
        Type::WordOrInteger(&["all", "auto"], 1, 1 << 20),
        Default::Value("\"all\""),
        "sequences at a time, whose gradients are added up: all of a step's, or as many as the device has memory for",
    ),
    key("optimizer", Type::Kind(&OPTIMIZER), Default::Value("{}"), "how gradients move weights"),
    key("schedule", Type::Kind(&SCHEDULE), Default::Value("{}"), "the learning rate over the steps"),
    key(
        "clip_norm",
        Type::Number(Range::NOT_NEGATIVE),
        Default::Value("1.0"),
        "longest gradient, over all parameters; 0 clips nothing",
    ),
    key("checkpoints", Type::Kind(&CHECKPOINTS), Default::Value("{}"), "when the model is saved and probed"),
    key(
        "validation_sequences",
        Type::Integer(1, 1 << 20),
        Default::Value("64"),
        "held-out sequences behind each validation loss",
    ),
    key("device", Type::Word(&["auto", "cpu", "cuda"]), Default::Value("\"auto\""), "where it runs"),
    key("precision", Type::Word(&["f32", "tf32", "bf16"]), Default::Value("\"f32\""), "of matrix products"),
];

const PROBE_COMMON: &[Key] = &[
    key("id", Type::Text, Default::Computed("the probe's name"), "names the analysis; unique in a spec"),
    key(
        "at",
        Type::Word(&["every", "final"]),
        Default::Computed("every checkpoint, maps only the final one"),
        "which checkpoints are measured",
    ),
];

const VERDICT: &[Key] = &[
    key(
        "prefix_matching",
        Type::Number(Range::SHARE),
        Default::Value("0.3"),
        "least share of attention on the tokens that followed",
    ),
    key(
        "ablation",
        Type::Number(Range::NOT_NEGATIVE),
        Default::Value("0.1"),
        "least rise of the second-copy loss without the head, by zero or with patterns preserved, nats",
    ),
    key(
        "copying",
        Type::Number(Range { min: -2.0, max: 2.0, min_included: true }),
        Default::Value("0.1"),
        "least copying score above chance, on its scale of -1 to 1",
    ),
];

const REPORT: &[Key] =
    &[key("template", Type::Text, Default::Value("\"report\""), "a built-in template's name, or a path")];
