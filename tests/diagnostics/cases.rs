//! Broken specs, by what is wrong with them: a name, how many mistakes it has, and how it comes from
//! the good spec. Single quotes stand for double ones.

use super::{Case, case};

/// Nothing is wrong with this.
pub const GOOD: &str = "name = 'base'
seed = 0

[architecture]
d_model = 64
n_ctx = 128
positions = 'none'

[[architecture.blocks]]
kind = 'conv1d'
kernel_size = 2

[[architecture.blocks]]
kind = 'attention'
n_heads = 2

[tokenizer]
kind = 'bytes'

[dataset]
kind = 'stories'

[training]
tokens = 2_000_000
batch_size = 16
optimizer = { kind = 'adamw', lr = 1e-2 }
schedule = { kind = 'cosine', warmup_fraction = 0.05 }
checkpoints = { kind = 'log_linear', count = 24 }

[[analyses]]
probe = 'attention_map'
text = 'Mr Velkrand met Osilwyn.'
head = 'best'
";

// Parts of it that some of the broken ones lack.
const CONVOLUTION: &str = "[[architecture.blocks]]\nkind = 'conv1d'\nkernel_size = 2\n\n";
const ATTENTION: &str = "[[architecture.blocks]]\nkind = 'attention'\nn_heads = 2\n";
const TRAINING: &str = "[training]\ntokens = 2_000_000\nbatch_size = 16\noptimizer = { kind = 'adamw', lr = 1e-2 }\nschedule = { kind = 'cosine', warmup_fraction = 0.05 }\ncheckpoints = { kind = 'log_linear', count = 24 }\n";
const MAP: &str = "[[analyses]]\nprobe = 'attention_map'\ntext = 'Mr Velkrand met Osilwyn.'\nhead = 'best'\n";

pub fn syntax() -> Vec<Case> {
    vec![
        case("many", 4).edit("seed = 0", "seed = ").edit("d_model = 64", "d_model 64")
            .edit("kernel_size = 2", "kernel_size = '2").edit("n_heads = 2", "n_heads = 2 3"),
        case("dup key", 1).edit("seed = 0", "seed = 0\nseed = 1"),
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
        case("json", 1).text("{'name': 'x', 'seed': 3}"),
        case("tokens suffix", 1).edit("tokens = 2_000_000", "tokens = 6M"),
        case("comma number", 1).edit("tokens = 2_000_000", "tokens = 6,000,000"),
        case("two per line", 1).edit("d_model = 64\nn_ctx = 128", "d_model = 64 n_ctx = 128"),
        case("header dup words", 1).edit("[training]", "[training]]"),
    ]
}

pub fn extends() -> Vec<Case> {
    vec![
        case("extends in table", 1).edit("[training]", "[training]\nextends = 'x.toml'"),
        case("extend misspelt", 1).edit("name = ", "extend = 'x.toml'\nname = "),
        case("self", 1).edit("name = ", "extends = 'spec.toml'\nname = "),
        case("cycle2", 1).edit("name = ", "extends = './b.toml'\nname = ")
            .file("b.toml", "extends = '../ext_cycle2/spec.toml'\n"),
        case("missing", 1).text("extends = 'bsae.toml'\n").file("base.toml", GOOD),
        case("missing far", 1).text("extends = 'zzz.toml'\n"),
        case("int", 1).edit("name = ", "extends = 3\nname = "),
        case("levels", 2).text("extends = 'b.toml'\n[training]\ntokens=5\n")
            .file("b.toml", "extends = 'sub/c.toml'\n[architecture]\nd_model = 65\n").file("sub/c.toml", GOOD),
        case("base syntax", 2).text("extends = 'b.toml'\n[training]\ntokens=5\n")
            .file("b.toml", "fn main() {}"),
        case("var", 1).text("extends = '$NOPE_X/nonexistent.toml'\n"),
        case("empty", 1).edit("name = ", "extends = ''\nname = "),
        case("override kind", 2)
            .text("extends = 'b.toml'\n[training]\noptimizer = { kind = 'adam' }\n[dataset]\nkind='text'\n")
            .file("b.toml", GOOD),
        case("broken top", 1).text("extends = 'b.toml'\n[training]\ntokens=\n").file("b.toml", GOOD),
    ]
}

pub fn set() -> Vec<Case> {
    vec![
        case("foo", 1).set("foo"),
        case("=3", 1).set("=3"),
        case("architecture.blocks.5.n_heads=3", 1).set("architecture.blocks.5.n_heads=3"),
        case("seed.foo=3", 1).set("seed.foo=3"),
        case("seed=abc", 1).set("seed=abc"),
        case("training.tokens=lots", 1).set("training.tokens=lots"),
        case("training.tokens=", 1).set("training.tokens="),
        case("architecture.blocks.1.n_heads=3", 1).set("architecture.blocks.1.n_heads=3"),
        case("training.lr=3", 1).set("training.lr=3"),
        case("training.optimizer.lr=0", 1).set("training.optimizer.lr=0"),
        case("training.optimizer.lrr=0.1", 1).set("training.optimizer.lrr=0.1"),
        case("dataset.kind=text", 1).set("dataset.kind=text"),
        case("dataset.kind=txet", 2).set("dataset.kind=txet"),
        case("extends=foo.toml", 1).set("extends=foo.toml"),
        case("architecture.blocks.-1.n_heads=4", 1).set("architecture.blocks.-1.n_heads=4"),
        case("analyses.0.head=9.9", 1).set("analyses.0.head=9.9"),
        case("training.device=cuda", 1).set("training.device=cuda"),
        case("name=a b", 1).set("name=a b"),
        case("architecture.blocks.0={kind='attention', n_heads=3}", 1)
            .set("architecture.blocks.0={kind='attention', n_heads=3}"),
        case("analyses.0={probe='ablation'", 1).set("analyses.0={probe='ablation'"),
        case("architecture.blocks.1=attention", 1).set("architecture.blocks.1=attention"),
        case("architecture=3", 1).set("architecture=3"),
        case("training.steps=5", 1).set("training.steps=5"),
        case("architecture.positions=rotray", 1).set("architecture.positions=rotray"),
        case("architecture.blocks.1.n_heads=3 training.lr=3 foo", 3).set("architecture.blocks.1.n_heads=3")
            .set("training.lr=3").set("foo"),
        case("training=[]", 1).set("training=[]"),
        case("analyses=3", 1).set("analyses=3"),
        case("analyses.probe=x", 1).set("analyses.probe=x"),
        case("architecture.blocks=", 1).set("architecture.blocks="),
        case("architecture.blocks=[]", 1).set("architecture.blocks=[]"),
        case("analyses.0=attention_map", 1).set("analyses.0=attention_map"),
        case("analyses=[{probe='ablation'},{probe='ablation'}]", 1)
            .set("analyses=[{probe='ablation'},{probe='ablation'}]"),
        case("training.optimizer=adamw", 1).set("training.optimizer=adamw"),
        case("training.optimizer.kind=adma", 1).set("training.optimizer.kind=adma"),
        case("architecture.blocks.1.heads=4", 1).set("architecture.blocks.1.heads=4"),
        case("dataset.path=/nonexistent", 1).set("dataset.path=/nonexistent"),
        case("training.batch_size=16.5", 1).set("training.batch_size=16.5"),
        case("training.tokens=1e6", 1).set("training.tokens=1e6"),
        case("training.checkpoints.every=3", 1).set("training.checkpoints.every=3"),
        case("tokenizer.d_vocab=300", 1).set("tokenizer.d_vocab=300"),
    ]
}

pub fn analyses() -> Vec<Case> {
    vec![
        case("dup ids written", 1)
            .add("[[analyses]]\nprobe = 'ablation'\nid = 'a'\n[[analyses]]\nprobe='previous_token'\nid='a'\n"),
        case("id verdict", 1).add("[[analyses]]\nprobe = 'ablation'\nid = 'verdict'\n"),
        case("id slash", 1).add("[[analyses]]\nprobe = 'ablation'\nid = 'a/b'\n"),
        case("unknown head", 1).edit("'best'", "'7.3'"),
        case("unknown head3", 1).edit("'best'", "'first'"),
        case("empty text", 1).edit("'Mr Velkrand met Osilwyn.'", "''"),
        case("text missing", 1).edit("text = 'Mr Velkrand met Osilwyn.'\n", ""),
        case("text too long", 1).edit("n_ctx = 128", "n_ctx = 16"),
        case("pm no fit", 1).add("[[analyses]]\nprobe = 'prefix_matching'\nsequence_length = 50\n"),
        case("pm no fit repeats", 1)
            .add("[[analyses]]\nprobe = 'prefix_matching'\nsequence_length = 25\nrepeats = 900\n"),
        case("pm repeats only", 1).add("[[analyses]]\nprobe = 'prefix_matching'\nrepeats = 900\n"),
        case("pm repeats wrong", 1)
            .add("[[analyses]]\nprobe = 'prefix_matching'\nsequence_length = 25\nrepeats = 'many'\n"),
        case("pm diagonal", 1)
            .add("[[analyses]]\nprobe = 'prefix_matching'\ndefinition = 'diagonal'\nrepeats=3\n"),
        case("icl positions", 1)
            .add("[[analyses]]\nprobe = 'in_context_learning'\nearly_position = 100\nlate_position = 50\n"),
        case("icl late", 1).add("[[analyses]]\nprobe = 'in_context_learning'\nlate_position = 500\n"),
        case("conv probe no conv", 1).edit(CONVOLUTION, "")
            .edit("[[analyses]]", "[[analyses]]\nprobe = 'conv_weights'\n[[analyses]]"),
        case("no heads", 1).edit(ATTENTION, ""),
        case("template", 1).add("[report]\ntemplate = 'nope.md'\n"),
        case("template near", 1).add("[report]\ntemplate = 'reprot'\n"),
        case("at end", 1).add("[[analyses]]\nprobe = 'ablation'\nat = 'end'\n"),
        case("at misspelt", 1).add("[[analyses]]\nprobe = 'ablation'\nat = 'finally'\n"),
        case("probe missing id", 1).edit("probe = 'attention_map'", "id = 'x'"),
        case("verdict bad", 2)
            .edit("[[analyses]]", "[verdict]\nprefix_matching = 3\ncopying = 0\n[[analyses]]"),
    ]
}

pub fn datasets() -> Vec<Case> {
    vec![
        case("text no path", 1).edit("'stories'", "'text'"),
        case("text missing path", 1).edit("'stories'", "'text'\npath = '/nonexistent/foo'"),
        case("text misspelt path", 1).edit("'stories'", "'text'\npath = 'corpsu.txt'")
            .file("corpus.txt", "fn main() {}"),
        case("text unset", 1).edit("'stories'", "'text'\npath = '$NO_SUCH_VAR/x'"),
        case("text empty folder", 1).edit("'stories'", "'text'\npath = 'empty'").file("empty/", ""),
        case("text folder no match", 1).edit("'stories'", "'text'\npath = 'folder'\ninclude=['*.xyz']")
            .file("folder/a.rs", "fn main() {}"),
        case("text bad glob", 2).edit("'stories'", "'text'\npath = 'folder'\ninclude=['[', '{a']")
            .file("folder/a.rs", "fn main() {}"),
        case("text empty file", 1).edit("'stories'", "'text'\npath = 'a.txt'").file("a.txt", ""),
        case("text with ids", 1).edit("'bytes'", "'ids'\nd_vocab = 50"),
        case("rr with bytes", 1).edit("'stories'", "'repeated_random'"),
        case("rr repeat", 2).edit("'stories'", "'repeated_random'\nrepeat = { random = 0.5 }")
            .edit("'bytes'", "'ids'\nd_vocab = 50"),
        case("repeat over", 1).edit("'stories'", "'stories'\nrepeat = { passages = 0.7, random = 0.7 }"),
        case("repeat neg", 1).edit("'stories'", "'stories'\nrepeat = { passages = -0.7 }"),
        case("repeat over1", 1).edit("'stories'", "'stories'\nrepeat = { passages = 1.7 }"),
        case("period upside", 1).edit("'stories'", "'stories'\nrepeat = { passages = 0.1, period = [64, 16] }"),
        case("period long", 1).edit("'stories'", "'stories'\nrepeat = { passages = 0.1, period = [64, 100] }"),
        case("period zero", 1).edit("'stories'", "'stories'\nrepeat = { passages = 0.1, period = [0, 10] }"),
        case("ids tiny", 1).edit("'bytes'", "'ids'\nd_vocab = 2").edit("'stories'", "'repeated_random'")
            .edit(MAP, ""),
        case("bpe tiny", 1).edit("'bytes'", "'bpe'\nd_vocab = 100"),
        case("bytes dvocab", 1).edit("'bytes'", "'bytes'\nd_vocab = 256"),
        case("tok file missing", 1).edit("'bytes'", "'file'\npath = 'tokeniser.json'")
            .file("tokenizer.json", "{}"),
        case("tok file bad", 1).edit("'bytes'", "'file'\npath = 'tokenizer.json'").file("tokenizer.json", "{}"),
        case("include text", 1).edit("'stories'", "'text'\npath = 'a.txt'\ninclude = '*.txt'")
            .file("a.txt", "hi"),
        case("validation big", 1).edit("'stories'", "'stories'\nvalidation_fraction = 0.9"),
        case("stories keys", 3).edit("'stories'", "'stories'\nnames_per_story = 0\nburstiness = 2\nzipf = 1"),
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
        case("everything wrong", 30)
            .text("name = 3\nseed = 'x'\n[architecture]\nd_model = 0\nn_ctx = 3\npositions = 4\nblocks = [{kind='attention', n_heads=0}, {kind='conv1d', kernel_size='a'}, 3]\n[tokenizer]\nkind='bpe'\nd_vocab=1\n[dataset]\nkind='text'\npath=3\nrepeat={passages=2, random='x', period=[1]}\n[training]\ntokens=-1\nsteps=0\nbatch_size=0\noptimizer={kind='adamw',lr=-1,betas=[2,2],eps=0}\nschedule={kind='linear',warmup_fraction=3}\ncheckpoints={kind='every'}\ndevice='tpu'\nprecision='fp16'\n[[analyses]]\nprobe='prefix_matching'\nsequences=0\ndefinition='x'\n[[analyses]]\nprobe='attention_map'\nhead=3\n[report]\ntemplate=3\n"),
    ]
}

pub fn names() -> Vec<Case> {
    vec![
        case("unknown block", 1).edit("'attention'", "'atention'"),
        case("unknown block conv", 1).edit("'conv1d'", "'conv'"),
        case("unknown block far", 1).edit("'conv1d'", "'transformer'"),
        case("unknown probe", 1).edit("'attention_map'", "'attention_mapp'"),
        case("unknown probe2", 1).edit("'attention_map'", "'induction'"),
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
        case("misspelt table2", 1).edit("[dataset]", "[data]"),
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

pub fn devices() -> Vec<Case> {
    vec![
        case("cuda", 1).edit("batch_size = 16", "batch_size = 16\ndevice = 'cuda'"),
        case("gpu", 1).edit("batch_size = 16", "batch_size = 16\ndevice = 'gpu'"),
        case("gpu bf16", 1).edit("batch_size = 16", "batch_size = 16\ndevice = 'gpu'\nprecision = 'bf16'"),
        case("bf16", 1).edit("batch_size = 16", "batch_size = 16\nprecision = 'bf16'"),
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
        case("crlf broken", 1),
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
