//! Broken specs, by their sense: what does not fit together, what is not there, what cannot be laid
//! over what.

use super::good::*;
use super::{Case, case};

pub fn analyses() -> Vec<Case> {
    vec![
        case("dup ids written", 1)
            .add("[[analyses]]\nprobe = 'ablation'\nid = 'a'\n[[analyses]]\nprobe='previous_token'\nid='a'\n"),
        case("id verdict", 1).add("[[analyses]]\nprobe = 'ablation'\nid = 'verdict'\n"),
        case("id long", 1).add(&format!("[[analyses]]\nprobe = 'ablation'\nid = '{}'\n", "a".repeat(101))),
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
        case("composition one layer", 1).edit("[[analyses]]", "[[analyses]]\nprobe = 'composition'\n[[analyses]]"),
        case("no heads", 1).edit(ATTENTION, ""),
        case("template", 1).add("[report]\ntemplate = 'nope.md'\n"),
        case("template near", 1).add("[report]\ntemplate = 'reprot'\n"),
        case("at end", 1).add("[[analyses]]\nprobe = 'ablation'\nat = 'end'\n"),
        case("at misspelt", 1).add("[[analyses]]\nprobe = 'ablation'\nat = 'finally'\n"),
        case("pca at end", 1).add("[[analyses]]\nprobe = 'loss_pca'\nat = 'final'\n"),
        case("loss text empty", 1).add("[[analyses]]\nprobe = 'per_token_loss'\ntext = ''\n"),
        case("probe missing id", 1).edit("probe = 'attention_map'", "id = 'x'"),
        case("verdict bad", 2)
            .edit("[[analyses]]", "[verdict]\nprefix_matching = 3\nlooking = 0\n[[analyses]]"),
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
        case("markov states", 1).edit("'stories'", "'markov'\nstates = 60").edit("'bytes'", "'ids'\nd_vocab = 50")
            .edit(MAP, ""),
        case("markov repeat", 1).edit("'stories'", "'markov'\nrepeat = { random = 0.5 }")
            .edit("'bytes'", "'ids'\nd_vocab = 50").edit(MAP, ""),
        case("markov rows", 1).edit("'stories'", "'markov'\nconcentration = 0.0")
            .edit("'bytes'", "'ids'\nd_vocab = 50").edit(MAP, ""),
        case("triggers with bytes", 1).edit("'stories'", "'bigram_triggers'"),
        case("triggers many", 1).edit("'stories'", "'bigram_triggers'\ntriggers = 30")
            .edit("'bytes'", "'ids'\nd_vocab = 50").edit(MAP, ""),
        case("triggers pairs", 1).edit("'stories'", "'bigram_triggers'")
            .edit("'bytes'", "'ids'\nd_vocab = 50_000").edit(MAP, ""),
        case("bayes stories", 1).edit("[[analyses]]", "[[analyses]]\nprobe = 'bayes_bigram'\n[[analyses]]"),
        case("bayes concentration", 1).edit("'stories'", "'markov'\nconcentration = 0.5")
            .edit("'bytes'", "'ids'\nd_vocab = 50").edit(MAP, "")
            .add("[[analyses]]\nprobe = 'bayes_bigram'\nconcentration = 1.0\n"),
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
        case("hub repo", 1).edit("'bytes'", "'hub'\nrepo = 'a b'"),
        case("hub revision", 1).edit("'bytes'", "'hub'\nrepo = 'owner/name'\nrevision = '../main'"),
        case("hub missing", 1).edit("'bytes'", "'hub'\nrepo = 'owner/name'\ncache = 'hub'"),
        case("hub dataset", 1).edit("'stories'", "'hub'\nrepo = 'owner/name'\ncache = 'hub'\nfiles = ['data/*.parquet']"),
        case("hub dataset repo", 1).edit("'stories'", "'hub'\nrepo = '../name'"),
        case("hub dataset files", 1).edit("'stories'", "'hub'\nrepo = 'owner/name'\nfiles = ['a[']\ncache = 'hub'"),
        case("tokens missing", 1).edit("'stories'", "'tokens'\npath = 'tran.bin'").file("train.bin", "x"),
        case("tokens text", 1).edit("'stories'", "'tokens'\npath = 'train.bin'").file("train.bin", "some text"),
        case("tokens odd", 1).edit("'stories'", "'tokens'\npath = 'train.bin'").file("train.bin", "\x01\0\x02"),
        case("tokens few", 1).edit("'stories'", "'tokens'\npath = 'train.bin'").file("train.bin", &"\x01\0".repeat(50)),
        case("tokens few held out", 1)
            .edit("'stories'", "'tokens'\npath = 'train.bin'\nvalidation = 'val.bin'")
            .file("train.bin", &"\x01\0".repeat(500)).file("val.bin", &"\x01\0".repeat(50)),
        case("tokens folder", 1).edit("'stories'", "'tokens'\npath = 'data'").file("data/", ""),
        case("tokens learned", 1).edit("'stories'", "'tokens'\npath = 'train.bin'").edit("'bytes'", "'bpe'")
            .file("train.bin", &"\x01\0".repeat(500)),
        case("include text", 1).edit("'stories'", "'text'\npath = 'a.txt'\ninclude = '*.txt'")
            .file("a.txt", "hi"),
        case("validation big", 1).edit("'stories'", "'stories'\nvalidation_fraction = 0.9"),
        case("stories keys", 3).edit("'stories'", "'stories'\nnames_per_story = 0\nburstiness = 2\nzipf = 1"),
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
        case("training.'optimizer'.'lrr'=0.1", 1).set("training.'optimizer'.'lrr'=0.1"),
        case("tokenizer.d_vocab=300", 1).set("tokenizer.d_vocab=300"),
    ]
}

pub fn extends() -> Vec<Case> {
    vec![
        case("extends in table", 1).edit("[training]", "[training]\nextends = 'x.toml'"),
        case("extend misspelt", 1).edit("name = ", "extend = 'x.toml'\nname = "),
        case("itself", 1).edit("name = ", "extends = 'spec.toml'\nname = "),
        case("circle", 1).edit("name = ", "extends = './b.toml'\nname = ")
            .file("b.toml", "extends = 'spec.toml'\n"),
        case("missing", 1).text("extends = 'bsae.toml'\n").file("base.toml", GOOD),
        case("missing far", 1).text("extends = 'zzz.toml'\n"),
        case("int", 1).edit("name = ", "extends = 3\nname = "),
        case("levels", 2).text("extends = 'b.toml'\n[training]\ntokens=5\n")
            .file("b.toml", "extends = 'sub/c.toml'\n[architecture]\nd_model = 65\n").file("sub/c.toml", GOOD),
        case("base syntax", 2).text("extends = 'b.toml'\n[training]\ntokens=5\n")
            .file("b.toml", "extends = 'c.toml'\nseed = \n").file("c.toml", GOOD),
        case("var", 1).text("extends = '$NOPE_X/nonexistent.toml'\n"),
        case("empty", 1).edit("name = ", "extends = ''\nname = "),
        case("override kind", 2)
            .text("extends = 'b.toml'\n[training]\noptimizer = { kind = 'adam' }\n[dataset]\nkind='text'\n")
            .file("b.toml", GOOD),
        case("broken top", 1).text("extends = 'b.toml'\n[training]\ntokens=\n").file("b.toml", GOOD),
    ]
}
