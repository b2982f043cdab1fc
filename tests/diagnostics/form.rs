//! Broken specs, by their form: syntax, names, types and ranges. A name, how many mistakes there
//! are, and how it comes from the good spec.

use super::good::*;
use super::{Case, case};

pub fn syntax() -> Vec<Case> {
    vec![
        case("many", 4).edit("seed = 0", "seed = ").edit("d_model = 64", "d_model 64")
            .edit("kernel_size = 2", "kernel_size = '2").edit("n_heads = 2", "n_heads = 2 3"),
        case("a key twice", 1).edit("seed = 0", "seed = 0\nseed = 1"),
        case("unclosed header", 1).edit("[training]", "[training"),
        case("unclosed list", 1).edit("n_heads = 2", "n_heads = [2"),
        case("unclosed inline", 1).edit("lr = 1e-2 }", "lr = 1e-2"),
        case("smart quotes", 1).edit("'bytes'", "“bytes”"),
        case("bare word", 1).edit("'bytes'", "bytes"),
        case("colon", 1).edit("seed = 0", "seed: 0"),
        case("leading zero", 1).edit("seed = 0", "seed = 007"),
        case("yaml true", 1).edit("seed = 0", "seed = True"),
        case("bad escape", 1).edit("'base'", "'ba\\se'"),
        case("comma", 1).edit("seed = 0", "seed = 0,"),
        case("and meaning", 2).edit("seed = 0", "seed = ").edit("n_heads = 2", "n_heads = 3"),
        case("header without its bracket", 1).edit("[training]", "training]"),
        case("half a key", 1).edit("kernel_size", "ker,nel_size"),
        case("prose", 1).edit("[tokenizer]", "Now the tokenizer.\n[tokenizer]"),
        case("misspelt and broken", 1).edit("d_model = 64", "dmodel = 6 4"),
        case("json", 1).text("{'name': 'x', 'seed': 3}"),
        case("tokens suffix", 1).edit("tokens = 2_000_000", "tokens = 6M"),
        case("comma number", 1).edit("tokens = 2_000_000", "tokens = 6,000,000"),
        case("two per line", 1).edit("d_model = 64\nn_ctx = 128", "d_model = 64 n_ctx = 128"),
        case("one bracket too many", 1).edit("[training]", "[training]]"),
    ]
}

pub fn names() -> Vec<Case> {
    vec![
        case("unknown block", 1).edit("'attention'", "'atention'"),
        case("unknown block conv", 1).edit("'conv1d'", "'conv'"),
        case("unknown block far", 1).edit("'conv1d'", "'transformer'"),
        case("unknown probe", 1).edit("'attention_map'", "'attention_mapp'"),
        case("unknown probe2", 3).edit("'attention_map'", "'induction'"),
        case("unknown dataset", 1).edit("'stories'", "'story'"),
        case("unknown tokenizer", 1).edit("'bytes'", "'byte'"),
        case("unknown optimizer sgd", 1).edit("'adamw'", "'sgd'"),
        case("unknown schedule", 1).edit("'cosine'", "'cosin'"),
        case("kind not text", 1).edit("kind = 'bytes'", "kind = 3"),
        case("kind misspelt key", 1).edit("kind = 'conv1d'", "knid = 'conv1d'"),
        case("probe written kind", 1).edit("probe = 'attention_map'", "kind = 'attention_map'"),
        case("opt as word", 1).edit("optimizer = { kind = 'adamw', lr = 1e-2 }", "optimizer = 'adamw'"),
        case("tokenizer as word", 1).edit("[tokenizer]\nkind = 'bytes'\n", "")
            .edit("seed = 0", "seed = 0\ntokenizer = 'bpe'"),
        case("misspelt key", 1).edit("n_heads", "n_head"),
        case("misspelt key2", 1).edit("kernel_size", "kernelsize"),
        case("misspelt camel", 1).edit("d_model", "dModel"),
        case("misspelt table", 1).edit("[training]", "[trainning]"),
        case("misspelt table, short", 1).edit("[dataset]", "[data]"),
        case("top after table", 1).edit("kind = 'stories'", "kind = 'stories'\nseed = 3"),
        case("top after table end", 1).add("[report]\ntemplate='report'\ndescription='x'\n"),
        case("lr in training", 1).edit("batch_size = 16", "batch_size = 16\nlr = 1e-3"),
        case("learning rate", 1).edit("batch_size = 16", "batch_size = 16\nlearning_rate = 1e-3"),
        case("heads in arch", 1).edit("d_model = 64", "d_model = 64\nn_heads = 4"),
        case("n layers in arch", 1).edit("d_model = 64", "d_model = 64\nn_layers = 4"),
        case("dvocab in dataset", 1).edit("kind = 'stories'", "kind = 'stories'\nd_vocab = 300"),
        case("kernel on attention", 1).edit("n_heads = 2", "n_heads = 2\nkernel_size = 2"),
        case("optimizer table top", 1).edit("[dataset]", "[optimizer]\nkind='adamw'\n\n[dataset]"),
        case("learned on block", 1).edit("n_heads = 2", "n_heads = 2\npositions = 'learned'"),
        case("positions misspelt", 1).edit("positions = 'none'", "positions = 'relative'"),
    ]
}

pub fn values() -> Vec<Case> {
    vec![
        case("text for number", 1).edit("d_model = 64", "d_model = '64'"),
        case("float for int", 1).edit("d_model = 64", "d_model = 64.0"),
        case("float for int2", 1).edit("tokens = 2_000_000", "tokens = 2e6"),
        case("text for flag", 1).edit("n_heads = 2", "n_heads = 2\nsmeared_keys = 'yes'"),
        case("list for table", 1).edit("optimizer = { kind = 'adamw', lr = 1e-2 }", "optimizer = ['adamw']"),
        case("table for list", 1).edit("lr = 1e-2", "betas = { a = 1 }"),
        case("list short", 1).edit("lr = 1e-2", "betas = [0.9]"),
        case("list item range", 1).edit("lr = 1e-2", "betas = [0.9, 1.5]"),
        case("blocks of words", 2).edit(CONVOLUTION, "").edit(ATTENTION, "blocks = ['conv1d', 'attention']\n"),
        case("date", 1).edit("seed = 0", "seed = 2020-01-01"),
        case("list for text", 1).edit("text = 'Mr Velkrand met Osilwyn.'", "text = ['a']"),
        case("number for path", 1).edit("kind = 'stories'", "kind = 'text'\npath = 3"),
        case("seed negative", 1).edit("seed = 0", "seed = -1"),
        case("not divide", 1).edit("n_heads = 2", "n_heads = 3"),
        case("odd rotary", 1).edit("n_heads = 2", "n_heads = 64\npositions = 'rotary'"),
        case("odd rotary dhead", 1).edit("n_heads = 2", "n_heads = 2\nd_head = 3\npositions = 'rotary'"),
        case("odd rotary arch", 1).edit("positions = 'none'", "positions = 'rotary'")
            .edit("n_heads = 2", "n_heads = 64"),
        case("neg lr", 1).edit("lr = 1e-2", "lr = -1e-2"),
        case("huge lr", 1).edit("lr = 1e-2", "lr = 100"),
        case("inf lr", 1).edit("lr = 1e-2", "lr = inf"),
        case("nan lr", 1).edit("lr = 1e-2", "lr = nan"),
        case("beyond i64", 1).edit("d_model = 64", "d_model = 99999999999999999999"),
        case("beyond f64", 1).edit("lr = 1e-2", "lr = 1e999"),
        case("zero dmodel", 1).edit("d_model = 64", "d_model = 0"),
        case("neg batch", 1).edit("batch_size = 16", "batch_size = -1"),
        case("nctx small", 1).edit("n_ctx = 128", "n_ctx = 8"),
        case("tokens i64max", 1).edit("tokens = 2_000_000", "tokens = 9223372036854775807"),
        case("tokens small", 1).edit("tokens = 2_000_000", "tokens = 1000"),
        case("tokens zero", 1).edit("tokens = 2_000_000", "tokens = 0"),
        case("tokens and steps", 1).edit("tokens = 2_000_000", "tokens = 2_000_000\nsteps = 3"),
        case("no tokens", 1).edit("tokens = 2_000_000\n", ""),
        case("every 1", 1)
            .edit("checkpoints = { kind = 'log_linear', count = 24 }", "checkpoints = { kind = 'every', steps = 1 }")
            .edit("tokens = 2_000_000", "tokens = 2_000_000_000_000_000"),
        case("warmup 2", 1).edit("warmup_fraction = 0.05", "warmup_fraction = 2"),
        case("kernel too wide", 1).edit("kernel_size = 2", "kernel_size = 500"),
        case("bad name", 1).edit("'base'", "'../x'"),
        case("bad name2", 1).edit("'base'", "'a b'"),
        case("hidden name", 1).edit("'base'", "'a/.b'"),
        case("name of a folder", 1).edit("'base'", "'a/'"),
        case("long name", 1).edit("'base'", &format!("'{}'", "a".repeat(300))),
        case("many blocks", 1)
            .edit(CONVOLUTION, "").edit(ATTENTION, &format!("blocks = [{}]\n", "{ kind = 'mlp' }, ".repeat(257)))
            .edit(MAP, ""),
        case("beyond f32", 1).edit("d_model = 64", "d_model = 64\ninit = { embedding_std = 1e40 }"),
        case("below f32", 1).edit("lr = 1e-2", "lr = 1e-320"),
        case("eps beyond f32", 1).edit("lr = 1e-2", "lr = 1e-2, eps = 1e300"),
        case("decay", 1).edit("lr = 1e-2", "lr = 1e-2, weight_decay = 1e9"),
        case("checkpoints int", 1)
            .edit("checkpoints = { kind = 'log_linear', count = 24 }", "checkpoints = 100"),
        case("normalization word", 1).edit("d_model = 64", "d_model = 64\nnormalization = 'layernorm'"),
        case("normalization flag", 1).edit("d_model = 64", "d_model = 64\nnormalization = true"),
        case("init blocks word", 1).edit("d_model = 64", "d_model = 64\ninit = { blocks = 'fanin' }"),
        case("init blocks neg", 1).edit("d_model = 64", "d_model = 64\ninit = { blocks = -1 }"),
        case("init unknown", 1).edit("d_model = 64", "d_model = 64\ninit = { std = 0.02 }"),
        case("mlp bad", 2)
            .edit("kind = 'conv1d'\nkernel_size = 2", "kind = 'mlp'\nd_mlp = 0\nactivation = 'swish'"),
        case("tied text", 1).edit("d_model = 64", "d_model = 64\ntied_embeddings = 'false'"),
    ]
}

pub fn structure() -> Vec<Case> {
    vec![
        case("blocks single bracket", 1)
            .edit("[[architecture.blocks]]\nkind = 'conv1d'\nkernel_size = 2\n\n[[architecture.blocks]]", "[architecture.blocks]"),
        case("blocks single bracket one of two", 1)
            .edit("[[architecture.blocks]]\nkind = 'attention'", "[architecture.blocks]\nkind = 'attention'"),
        case("analyses single bracket", 1).edit("[[analyses]]", "[analyses]"),
        case("training double bracket", 1).edit("[training]", "[[training]]"),
        case("blocks top", 1).edit("[[architecture.blocks]]", "[[blocks]]"),
        case("no training table", 1).edit(TRAINING, ""),
        case("one block misspelt", 1).edit("[[architecture.blocks]]\nkind = 'attention'", "[[architecture.blocs]]\nkind = 'attention'"),
        case("no header", 3).edit("[architecture]\n", ""),
        case("blocks empty", 1)
            .text("[architecture]\nd_model=64\nn_ctx=128\nblocks=[]\n[dataset]\nkind='stories'\n[training]\nsteps=10\n"),
        case("no arch", 1).text("[dataset]\nkind='stories'\n[training]\nsteps=10\n"),
        case("no arch with probes", 1)
            .text("[dataset]\nkind='stories'\n[training]\nsteps=10\n[[analyses]]\nprobe='ablation'\n[[analyses]]\nprobe='conv_weights'\n[[analyses]]\nprobe='attention_map'\ntext='x'\nhead='1.2'\n"),
        case("empty", 3).text(""),
        case("comment only", 3).text("# nothing\n"),
        case("only blocks", 2)
            .text("[[architecture.blocks]]\nkind='attention'\nn_heads=2\n[dataset]\nkind='stories'\n[training]\nsteps=10\n"),
        case("many", 6).edit("n_heads = 2", "n_heads = 3").edit("kernel_size = 2", "kernel_size = 200")
            .edit("'bytes'", "'byte'").edit("lr = 1e-2", "lr = -1").edit("'best'", "'5.5'")
            .edit("'cosine'", "'cos'"),
        case("unknown key and cross", 3).edit("n_heads = 2", "n_heads = 3\nfoo = 1")
            .edit("[[analyses]]", "[[analyses]]\nprobe='conv_weights'\nfoo=3\n[[analyses]]"),
        case("one block unknown other wrong", 2).edit("'conv1d'", "'conf1d'")
            .edit("n_heads = 2", "n_heads = 3"),
        case("one probe unknown other wrong", 3)
            .edit("[[analyses]]", "[[analyses]]\nprobe='nope'\n[[analyses]]\nprobe='prefix_matching'\nsequence_length=60\n[[analyses]]")
            .edit("'best'", "'5.5'"),
        case("d model wrong rest", 3).edit("d_model = 64", "d_model = 'x'")
            .edit("kernel_size = 2", "kernel_size = 200").edit("tokens = 2_000_000", "tokens = 100"),
        case("nctx wrong rest", 2).edit("n_ctx = 128", "n_ctx = 'x'")
            .edit("kernel_size = 2", "kernel_size = 200").edit("n_heads = 2", "n_heads = 3")
            .edit("tokens = 2_000_000", "tokens = 100"),
        case("block singular", 1).edit("[[architecture.blocks]]", "[[architecture.block]]"),
        case("block singular both", 1).edit("[[architecture.blocks]]", "[[architecture.block]]")
            .edit("[[architecture.blocks]]", "[[architecture.block]]"),
        case("arch misspelt", 1).edit("[architecture]", "[architecure]"),
        case("arch misspelt inner", 2).edit("[architecture]\nd_model", "[architecure]\nd_modle"),
        case("everything wrong", 29)
            .text("name = 3\nseed = 'x'\n[architecture]\nd_model = 0\nn_ctx = 3\npositions = 4\nblocks = [{kind='attention', n_heads=0}, {kind='conv1d', kernel_size='a'}, 3]\n[tokenizer]\nkind='bpe'\nd_vocab=1\n[dataset]\nkind='text'\npath=3\nrepeat={passages=2, random='x', period=[1]}\n[training]\ntokens=-1\nsteps=0\nbatch_size=0\noptimizer={kind='adamw',lr=-1,betas=[2,2],eps=0}\nschedule={kind='linear',warmup_fraction=3}\ncheckpoints={kind='every'}\ndevice='tpu'\nprecision='fp16'\n[[analyses]]\nprobe='prefix_matching'\nsequences=0\ndefinition='x'\n[[analyses]]\nprobe='attention_map'\nhead=3\n[report]\ntemplate=3\n"),
    ]
}
