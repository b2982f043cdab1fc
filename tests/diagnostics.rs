//! What is said of wrong specs: one mistake a case, each where it stands, all of them snapshotted.

mod common;

use std::fmt::Write;

const GOOD: &str = r#"name = "good"

[architecture]
d_model = 64
n_ctx = 128

[[architecture.blocks]]
kind = "conv1d"
kernel_size = 2

[[architecture.blocks]]
kind = "attention"
n_heads = 2

[tokenizer]
kind = "bpe"
d_vocab = 512

[dataset]
kind = "stories"

[training]
tokens = 100_000
batch_size = 16
optimizer = { kind = "adamw", lr = 1e-2 }

[[analyses]]
probe = "conv_weights"
"#;

/// `(name, what is replaced in the good spec, by what)`; an empty pattern appends.
const EDITS: &[(&str, &str, &str)] = &[
    ("unknown kind of block", "\"attention\"", "\"atention\""),
    ("unknown kind of dataset", "\"stories\"", "\"storys\""),
    ("unknown probe", "\"conv_weights\"", "\"attention_maps\""),
    ("misspelt key", "n_heads", "n_head"),
    ("unknown key", "kernel_size = 2", "kernel_size = 2\ndilation = 2"),
    ("key of another kind", "n_heads = 2", "n_heads = 2\nkernel_size = 2"),
    ("key of another table", "batch_size = 16", "batch_size = 16\nlr = 1e-2"),
    ("top-level key after a table", "n_ctx = 128", "n_ctx = 128\nseed = 3"),
    ("misspelt table", "[training]", "[trainng]"),
    ("text for a number", "d_model = 64", "d_model = \"64\""),
    ("fraction for a whole number", "d_model = 64", "d_model = 64.5"),
    ("number too large", "d_model = 64", "d_model = 99999999999999999999"),
    ("a date", "name = \"good\"", "name = \"good\"\nseed = 2026-11-24"),
    ("text for a table", "{ kind = \"adamw\", lr = 1e-2 }", "\"adamw\""),
    ("one table for a list", "[[analyses]]", "[analyses]"),
    ("no kind", "kind = \"conv1d\"\n", ""),
    ("kind for probe", "probe = \"conv_weights\"", "kind = \"conv_weights\""),
    ("word for a flag", "kernel_size = 2", "kernel_size = 2\ndepthwise = \"yes\""),
    ("misspelt word", "n_ctx = 128", "n_ctx = 128\npositions = \"Rotery\""),
    ("heads that do not divide", "n_heads = 2", "n_heads = 7"),
    ("odd rotary head", "n_heads = 2", "n_heads = 2\nd_head = 15\npositions = \"rotary\""),
    ("learned positions on a block", "n_heads = 2", "n_heads = 2\npositions = \"learned\""),
    ("kernel longer than the context", "kernel_size = 2", "kernel_size = 129"),
    ("negative rate", "lr = 1e-2", "lr = -1e-2"),
    ("a rate that is no number", "lr = 1e-2", "lr = nan"),
    ("absurd rate", "lr = 1e-2", "lr = 1e3"),
    ("vocabulary without bytes", "d_vocab = 512", "d_vocab = 100"),
    ("missing path", "kind = \"stories\"", "kind = \"text\"\npath = \"/no/such/folder\""),
    ("unset variable", "kind = \"stories\"", "kind = \"text\"\npath = \"$NO_SUCH_VARIABLE/x\""),
    ("bad pattern", "kind = \"stories\"", "kind = \"text\"\npath = \"/\"\ninclude = [\"a[\"]"),
    ("token ids from a tokenizer of text", "\"stories\"", "\"repeated_random\""),
    ("text from a tokenizer of token ids", "\"bpe\"", "\"ids\""),
    ("shares above one", "\"stories\"", "\"stories\"\nrepeat = { passages = 0.7, random = 0.7 }"),
    ("period upside down", "\"stories\"", "\"stories\"\nrepeat = { period = [40, 3] }"),
    ("period too long", "\"stories\"", "\"stories\"\nrepeat = { period = [4, 65] }"),
    ("two budgets", "tokens = 100_000", "tokens = 100_000\nsteps = 4"),
    ("no budget", "tokens = 100_000\n", ""),
    ("budget below a batch", "tokens = 100_000", "tokens = 20"),
    ("no such device", "batch_size = 16", "batch_size = 16\ndevice = \"cuda\""),
    ("precision of another device", "batch_size = 16", "batch_size = 16\nprecision = \"bf16\""),
    ("duplicate id", "", "[[analyses]]\nprobe = \"conv_weights\"\n"),
    ("id that is no file's name", "", "[[analyses]]\nprobe = \"ablation\"\nid = \"a/b\"\n"),
    ("probe of another architecture", "kind = \"conv1d\"\nkernel_size = 2", "kind = \"mlp\""),
    ("unknown head", "", "[[analyses]]\nprobe = \"attention_map\"\ntext = \"a\"\nhead = \"1.2\"\n"),
    (
        "copies that do not fit",
        "",
        "[[analyses]]\nprobe = \"prefix_matching\"\nid = \"x\"\nsequence_length = 60\n",
    ),
    (
        "position beyond the context",
        "",
        "[[analyses]]\nprobe = \"in_context_learning\"\nlate_position = 500\n",
    ),
    ("no such template", "", "[report]\ntemplate = \"repport.md\"\n"),
    ("no such base", "name = \"good\"", "extends = \"no_such_base.toml\""),
    ("name that leaves the folder", "\"good\"", "\"../good\""),
    ("broken syntax", "d_model = 64", "d_model 64"),
    ("duplicate key", "d_model = 64", "d_model = 64\nd_model = 32"),
];

/// `--set` arguments that are wrong.
const SETS: &[(&str, &str)] = &[
    ("set without a value", "training.steps"),
    ("set with an empty key", "training..steps=3"),
    ("set of an item that is not there", "architecture.blocks.9.n_heads=3"),
    ("set into a number", "architecture.d_model.x=3"),
    ("set of an unknown key", "training.batchsize=3"),
    ("set of a word where a number belongs", "architecture.d_model=big"),
];

#[test]
fn every_mistake_is_told_once_with_its_place() {
    assert!(common::planned(GOOD, &[]).plan.is_some());
    let mut all = String::new();
    let edits = EDITS.iter().map(|(name, from, to)| {
        assert!(GOOD.contains(from), "{name}: the good spec has no {from:?}");
        let text = if from.is_empty() { format!("{GOOD}\n{to}") } else { GOOD.replacen(from, to, 1) };
        (name, text, None)
    });
    let sets = SETS.iter().map(|(name, set)| (name, GOOD.to_string(), Some(*set)));
    for (name, text, set) in edits.chain(sets) {
        let sets: Vec<&str> = set.into_iter().collect();
        let planned = common::planned(&text, &sets);
        assert!(planned.plan.is_none(), "{name}: nothing was said");
        for diagnostic in &planned.findings.diagnostics {
            let source = planned.findings.sources.of(&diagnostic.span);
            assert!(diagnostic.span.range.end <= source.text.len(), "{name}: out of the file");
            assert!(diagnostic.span.range.start > 0 || set.is_some(), "{name}: no place: {diagnostic:?}");
        }
        assert_eq!(planned.findings.errors_under(""), 1, "{name}:\n{}", common::complaints(&text, &sets));
        let _ = writeln!(all, "# {name}\n\n{}\n", common::complaints(&text, &sets));
    }
    // What the system calls a missing file differs between systems.
    let all = all.replace("No such file or directory (os error 2)", "<system>");
    insta::assert_snapshot!("diagnostics", all);
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let text = GOOD
        .replace("d_model = 64", "d_model = \"x\"")
        .replace("kernel_size = 2", "kernel_size = 0\nfoo = 1")
        .replace("n_heads = 2", "n_heads = 2.5")
        .replace("\"bpe\"", "\"bpee\"")
        .replace("batch_size = 16", "batch_size = -1")
        .replace("\"conv_weights\"", "\"prefix_matching\"\nsequence_length = 99");
    let said = common::complaints(&text, &[]);
    for place in [":4:11", ":9:15", ":10:1", ":14:11", ":17:8", ":25:14", ":30:19"] {
        assert!(said.contains(&format!("test.toml{place}")), "{place} is missing:\n{said}");
    }
}

#[test]
fn a_file_that_is_no_spec_is_told_so_in_short() {
    assert!(common::complaints("\u{7f}ELF\0\0", &[]).contains("not a text file"));
    let said = common::complaints(&"] nonsense [\n".repeat(400), &[]);
    assert!(said.lines().count() < 600 && said.contains("more"), "{}", said.lines().count());
}

#[test]
fn an_empty_file_is_told_what_a_spec_needs() {
    let said = common::complaints("", &[]);
    assert!(said.contains("no `architecture`") && said.contains("no `dataset`"), "{said}");
}
