//! Broken specs that were hunted for: what people bring from elsewhere, and slips that the parser has
//! no words for.

use super::good::*;
use super::{Case, case};

/// Names of other programs and papers.
pub fn elsewhere() -> Vec<Case> {
    vec![
        case("hidden size", 1).edit("d_model", "hidden_size"),
        case("context length", 1).edit("n_ctx", "context_length"),
        case("block size", 1).edit("n_ctx", "block_size"),
        case("num heads", 1).edit("n_heads", "num_heads"),
        case("head dim", 1).edit("n_heads = 2", "n_heads = 2\nhead_dim = 8"),
        case("vocab size", 1).edit("kind = 'bytes'", "kind = 'bpe'\nvocab_size = 300"),
        case("rope", 1).edit("'none'", "'rope'"),
        case("rms norm", 1).edit("d_model = 64", "d_model = 64\nnormalization = 'rms_norm'"),
        case("layer norm", 1).edit("d_model = 64", "d_model = 64\nnormalization = 'LayerNorm'"),
        case("model", 1).edit("[architecture]", "[model]").edit("[[architecture.blocks]]", "[[model.blocks]]")
            .edit("[[architecture.blocks]]", "[[model.blocks]]"),
        case("self attention", 1).edit("'attention'", "'self_attention'"),
        case("convolution", 1).edit("'conv1d'", "'convolution'"),
        case("max steps", 1).edit("tokens = 2_000_000", "max_steps = 10"),
        case("epochs", 1).edit("tokens = 2_000_000", "epochs = 3"),
        case("grad clip", 1).edit("batch_size = 16", "batch_size = 16\ngrad_clip = 1.0"),
        case("bs", 1).edit("batch_size", "bs"),
        case("warmup steps", 1).edit("warmup_fraction = 0.05", "warmup_steps = 100"),
        case("min lr", 1).edit("warmup_fraction = 0.05", "min_lr = 0.1"),
        case("cosine decay", 1).edit("'cosine'", "'cosine_decay'"),
        case("weight decay", 1).edit("lr = 1e-2", "lr = 1e-2, wd = 0.1"),
        case("epsilon", 1).edit("lr = 1e-2", "lr = 1e-2, epsilon = 1e-8"),
        case("optimizer by name", 1).edit("kind = 'adamw'", "name = 'adamw'"),
        case("probe by name", 1).edit("probe = 'attention_map'", "name = 'attention_map'"),
        case("random seed", 1).edit("seed", "random_seed"),
        case("probes", 1).edit("[[analyses]]", "[[probes]]"),
        case("prompt", 1).edit("text =", "prompt ="),
        case("induction", 1).edit(MAP, "[[analyses]]\nprobe = 'induction_heads'\n"),
        case("half", 1).edit("batch_size = 16", "batch_size = 16\nprecision = 'float32'"),
        case("text from a file", 1).edit("'stories'", "'text'\nfile = 'a.txt'")
            .file("a.txt", &"words and words ".repeat(99)),
        case("a table of a kind", 1).add("[attention]\nn_heads = 2\n"),
        case("a table of a probe", 1).add("[ablation]\n"),
        case("dilation", 1).edit("kernel_size = 2", "kernel_size = 2\ndilation = 2"),
        case("repeats", 1).edit("'stories'", "'stories'\nrepeats = { random = 0.1 }"),
        case("block", 1).add("[[block]]\nkind = 'mlp'\n"),
        case("layers", 1).edit("[[architecture.blocks]]", "[[architecture.layers]]")
            .edit("[[architecture.blocks]]", "[[architecture.layers]]"),
        case("n layer", 1).edit("d_model = 64", "d_model = 64\nn_layer = 2"),
        case("num layers", 1).edit("d_model = 64", "d_model = 64\nnum_layers = 2"),
        case("tie weights", 1).edit("d_model = 64", "d_model = 64\ntie_weights = true"),
        case("kv heads", 1).edit("n_heads = 2", "n_heads = 2\nn_kv_heads = 1"),
        case("d k", 1).edit("n_heads = 2", "n_heads = 2\nd_k = 8"),
        case("of a trainer", 14).edit("batch_size = 16", "batch_size = 16\nwarmup_steps = 100\neval_steps = 10\n\
            logging_steps = 10\nn_steps = 9\nmax_iters = 9\ngradient_accumulation_steps = 4\nblock_size = 64\n\
            per_device_train_batch_size = 4\ntokens_per_step = 9\nlr_scheduler = 'cosine'\ngradient_clip_norm = 1\n\
            adam_beta1 = 0.9\nfp16 = true\ndtype = 'bf16'"),
    ]
}

pub fn slips() -> Vec<Case> {
    vec![
        case("a word that begins like nan", 1).edit("'none'", "none"),
        case("null", 1).edit("'base'", "null"),
        case("a path without quotes", 1).edit("'stories'", "'text'\npath = ./a-b/c.txt"),
        case("a path from home", 1).edit("'stories'", "'text'\npath = ~/texts"),
        case("no digits", 1).edit("seed = 0", "seed = 0x"),
        case("thousands by spaces", 1).edit("2_000_000", "2 000 000"),
        case("thousands by commas", 1).edit("2_000_000", "2,000,000"),
        case("millions in quotes", 1).edit("2_000_000", "'2M'"),
        case("megabytes", 1).edit("'stories'", "'stories'\nbytes = '10 MB'"),
        case("a point first", 1).edit("lr = 1e-2", "lr = .01"),
        case("a point last", 1).edit("lr = 1e-2", "lr = 1."),
        case("slashes", 1).edit("seed = 0", "seed = 0 // of everything"),
        case("slashes first", 1).edit("seed = 0", "// the seed\nseed = 0"),
        case("walrus", 1).edit("seed = 0", "seed := 0"),
        case("colon inside", 1).edit("lr = 1e-2", "lr: 1e-2"),
        case("open quotes", 1).edit("'base'", "'base"),
        case("quotes inside quotes", 1).edit("'Mr Velkrand met Osilwyn.'", "'Mr 'Velkrand' met Osilwyn.'"),
        case("windows path", 1).edit("'base'", "'C:\\Users'"),
        case("semicolon", 1).edit("'base'", "'base';"),
        case("two keys a line", 1).edit("kind = 'conv1d'", "kind = 'conv1d' depthwise = true"),
        case("a number for a head", 1).edit("'best'", "1.0"),
        case("one pattern", 1).edit("'stories'", "'text'\npath = '.'\ninclude = '*.toml'"),
        case("blocks as a word", 1).edit(CONVOLUTION, "").edit(ATTENTION, "blocks = 'attention'\n"),
        case("checkpoints as a list", 1)
            .edit("checkpoints = { kind = 'log_linear', count = 24 }", "checkpoints = [1, 10, 100]"),
        case("best misspelt", 1).edit("'best'", "'Bset'"),
        case("one head", 1).edit("'best'", "1"),
        case("heads", 1).edit("head = 'best'", "heads = ['1.0']"),
        case("one beta", 1).edit("lr = 1e-2", "lr = 1e-2, beta1 = 0.9"),
        case("one std", 1).edit("d_model = 64", "d_model = 64\ninit_std = 0.02"),
        case("a step", 1).edit("head = 'best'", "head = 'best'\nat = 100"),
        case("a misspelt probe twice", 2).add("[[analyses]]\nprobe = 'ablatoin'\n[[analyses]]\nprobe = 'ablaton'\n"),
        case("no value before a comma", 1).edit("lr = 1e-2", "lr = , eps = 1e-8"),
        case("no value at the end", 1).edit("lr = 1e-2 }", "lr = }"),
        case("a decimal comma", 1).edit("lr = 1e-2", "lr = 0,01"),
        case("a decimal comma and more", 1).edit("lr = 1e-2", "lr = 0,01, eps = 1e-8"),
        case("python null", 1).edit("seed = 0", "seed = None"),
        case("yes", 1).edit("seed = 0", "seed = yes"),
        case("typographic words", 1).edit("'Mr Velkrand met Osilwyn.'", "“Mr Velkrand met Osilwyn.”"),
        case("arrow", 1).edit("kind = 'bytes'", "kind => 'bytes'"),
    ]
}

pub fn worlds() -> Vec<Case> {
    let text = |case: Case| case.edit("'stories'", "'text'\npath = 'd'");
    vec![
        text(case("tiny file", 1)).file("d/a.txt", "hello"),
        text(case("binary only", 1)).file("d/a.txt", &"a\0b".repeat(99)),
        text(case("less than two sequences", 1)).file("d/a.txt", &"abc ".repeat(40)),
        case("little of much", 1).edit("'stories'", "'text'\npath = 'd'\nmax_bytes = 100")
            .file("d/a.txt", &"abc ".repeat(400)),
        case("binary file", 1).edit("'stories'", "'text'\npath = 'x.bin'").file("x.bin", &"\0".repeat(999)),
        case("the base's base", 1).edit("seed = 0", "seed = 0\nextends = 'b.toml'")
            .file("b.toml", "extends = 'c.toml'\nseed = 3\n"),
        case("a base that is prose", 4).text("extends = 'b.md'\n").file("b.md", "# Title\nsome text here\n"),
    ]
}
