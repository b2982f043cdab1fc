//! Made-up runs with the tables the probes emit: one that formed a head, a control, one cut short.

use super::probes::*;
use indhead::record::{Cell, Criterion, InductionHead, Outcome, PhaseChange, Record, Table, Verdict};
use serde_json::json;

/// The pieces of a text, a slash between them.
pub const TEXT: &str = "<|endoftext|>/Mr/./ and/ Mrs/./ Qu/imble/y/ lived/ at/ the/ end/ of/ the/ lane/./\n/Mr/.\
    / Qu/imble/y/ mended/ clocks/,/ and/ Mrs/./ Qu/imble/y/ grew/ roses/./\n/Nobody/ had/ ever/ seen\
    / Mr/./ and/ Mrs/./ Qu/imble/y/\tquarrel/.";

/// What became of a made-up run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Convolution, then attention: head 1.0 forms.
    Formed,
    /// One attention layer: nothing can form.
    Control,
    /// Prefix matching was measured, ablation was not.
    CutShort,
}

/// A whole run.
pub fn record(fate: Fate) -> Record {
    let formed = fate == Fate::Formed;
    let layer = u64::from(fate != Fate::Control);
    let strength = if formed { 0.94 } else { 0.02 };
    let score = move |at: f64| move |s, h| at * (h == 0) as u64 as f64 * rise(s) + 0.02 + 0.01 * noise(s + h);
    let early = |s: u64| 3.0 + 4.0 * (-(s as f64) / 60.0).exp();
    let gain = move |s| strength * 0.7 * rise(s) + 0.1;
    let random = analysis(
        "prefix_matching",
        "prefix_matching",
        "tokens = \"random\"\ncopies = 4",
        vec![heads(SHARE, score(strength), layer)],
    );
    let passages = analysis(
        "prefix_matching",
        "prefix_matching_passages",
        "tokens = \"passages\"",
        vec![heads(SHARE, score(strength * 0.75), layer)],
    );
    let previous = analysis(
        "previous_token",
        "previous_token",
        "",
        vec![heads(SHARE, |s, h| 0.05 + 0.1 * h as f64 + 0.03 * noise(s + h), layer)],
    );
    let second = move |s: u64| 7.9 - 7.4 * strength * rise(s);
    let repeated = analysis(
        "repeated_loss",
        "repeated_loss",
        "length = 25",
        vec![
            losses("losses", ["first_copy", "second_copy", ""], |s| [7.9 + 0.1 * noise(s), second(s), 0.0]),
            positions(move |s, p| if p > 26 { second(s) } else { 7.9 }, 50),
        ],
    );
    let ablation = analysis(
        "ablation",
        "ablation",
        "how = \"zero\"",
        vec![heads(
            "nats",
            |s, h| {
                if h == 0 { 5.2 * strength * rise(s) - 0.04 } else { -0.04 }
            },
            layer,
        )],
    );
    let icl = analysis(
        "in_context_learning",
        "in_context_learning",
        "early_position = 12\nlate_position = 125",
        vec![
            losses("scores", ["score", "early_loss", "late_loss"], |s| {
                [-gain(s), early(s), early(s) - gain(s)]
            }),
            positions(move |s, p| early(s) + 0.5 - gain(s) * (p as f64).ln() / 3.0, 127),
        ],
    );
    let tokens: Vec<&str> = TEXT.split('/').collect();
    let mut analyses = vec![random, passages, offset_profile(layer, strength), previous, repeated];
    if fate != Fate::CutShort {
        analyses.extend([ablation, icl]);
    }
    if fate != Fate::Control {
        analyses.push(conv_weights());
    }
    analyses.push(attention_map(&tokens, layer, strength));
    let name = ["conv_attn", "attn_control", "conv_attn_short"][fate as usize];
    Record {
        name: name.into(),
        plan: plan(name, fate),
        metrics: metrics(formed),
        verdict: Some(verdict(fate, layer, strength)),
        analyses,
        provenance: json!({
            "version": "0.1.0", "commit": "0123456789abcdef0123456789abcdef01234567", "device": "cpu",
            "threads": 2, "seed": 0, "n_parameters": 168_000, "created": "2026-11-20T12:00:00Z",
            "argv": ["indhead", "run", "examples/conv attn.toml"],
            "dataset": {"kind": "text", "digest": "b3:aaaa", "documents": 4310, "bytes": 24_000_000u64,
                "tokens": 7_340_032u64, "skipped": 2},
            "tokenizer": {"kind": "bpe", "digest": "b3:bbbb", "d_vocab": 1024},
        }),
        timings: json!({"training_seconds": 61.24, "probing_seconds": 9.5,
            "tokens_per_second": 97912.0, "finished": "2026-11-20T12:01:12Z"}),
    }
}

fn metrics(formed: bool) -> Table {
    let columns = [
        ("step", ""),
        ("tokens", "tokens"),
        ("loss", "nats"),
        ("lr", ""),
        ("grad_norm", ""),
        ("validation_loss", "nats"),
    ];
    let mut table = Table::new("metrics", &columns);
    for step in 1..=1464u64 {
        let gain = if formed { 0.6 * rise(step) } else { 0.0 };
        let loss = 3.2 + 3.7 * (-(step as f64) / 55.0).exp() - gain;
        let measured = STEPS.contains(&step);
        let validation = if measured { loss + 0.06 } else { f64::NAN };
        let numbers = [loss + 0.5 * noise(step), 1e-2, 0.8, validation].map(Cell::from);
        table.push([step.into(), (4096 * step).into()].into_iter().chain(numbers));
    }
    table
}

fn plan(name: &str, fate: Fate) -> toml::Table {
    let conv = match fate {
        Fate::Control => "",
        _ => "[[architecture.blocks]]\nkind = \"conv1d\"\nkernel_size = 2\ndepthwise = false\n",
    };
    let text = format!(
        "name = \"{name}\"\ndescription = \"Convolution, then attention: keys are smeared by construction.\"\nseed = 0\n\
         [architecture]\nd_model = 64\nn_ctx = 128\npositions = \"none\"\nnormalization = \"layer\"\n\
         tied_embeddings = false\n{conv}[[architecture.blocks]]\nkind = \"attention\"\nn_heads = 2\nd_head = 32\n\
         [tokenizer]\nkind = \"bpe\"\nd_vocab = 1024\n\
         [dataset]\nkind = \"text\"\npath = \"books\"\n\
         [training]\ntokens = 5_996_544\nsteps = 1464\nbatch_size = 32\n\
         optimizer = {{ kind = \"adamw\", lr = 1e-2, weight_decay = 0.01 }}\n\
         schedule = {{ kind = \"cosine\" }}\n[[analyses]]\nprobe = \"prefix_matching\"\n[report]\ntemplate = \"report\"\n"
    );
    text.parse().expect("the plan is TOML")
}

fn verdict(fate: Fate, layer: u64, strength: f64) -> Verdict {
    let criterion = |measure: &str, threshold, unit: &str, meaning: &str| Criterion {
        measure: measure.into(),
        threshold,
        unit: unit.into(),
        meaning: meaning.into(),
    };
    let columns = [
        ("layer", ""),
        ("head", ""),
        ("prefix_matching", SHARE),
        ("prefix_matching_passages", SHARE),
        ("ablation", "nats"),
    ];
    let mut heads = Table::new("heads", &columns);
    for head in 0..2u64 {
        let on = if head == 0 { strength } else { 0.0 };
        let ablation = if fate == Fate::CutShort { Cell::Missing(()) } else { Cell::from(5.2 * on - 0.04) };
        heads.push([layer.into(), head.into(), (on + 0.02).into(), (on * 0.75 + 0.02).into(), ablation]);
    }
    let (verdict, summary) = match fate {
        Fate::Formed => (Outcome::Found, "Head 1.0 meets every criterion."),
        Fate::Control => (Outcome::NotFound, "Everything was measured and no head meets every criterion."),
        Fate::CutShort => (Outcome::Inconclusive, "Ablation was not measured."),
    };
    let head = InductionHead {
        layer: layer as usize,
        head: 0,
        prefix_matching: 0.957,
        prefix_matching_passages: Some(0.72),
        copying: None,
        copying_chance: None,
        ablation: 4.85,
        formed_at_step: Some(350),
        formed_at_tokens: Some(350 * 4096),
    };
    let change = PhaseChange {
        from_step: 250,
        from_tokens: 250 * 4096,
        to_step: 350,
        to_tokens: 350 * 4096,
        before: if fate == Fate::Formed { -0.23 } else { -0.10 },
        after: if fate == Fate::Formed { -0.73 } else { -0.11 },
    };
    Verdict {
        verdict,
        summary: summary.into(),
        criteria: vec![
            criterion(
                "prefix_matching",
                0.3,
                SHARE,
                "On random tokens or on passages, the head attends to what followed.",
            ),
            criterion("ablation", 0.1, "nats", "Without the head the second copy's loss rises."),
        ],
        induction_heads: if fate == Fate::Formed { vec![head] } else { Vec::new() },
        shifted_heads: Vec::new(),
        phase_change: (fate != Fate::CutShort).then_some(change),
        heads,
    }
}

/// The same run with four layers of eight heads, and only its last checkpoints.
pub fn many_heads() -> Record {
    let mut record = record(Fate::Formed);
    record.name = "many_heads".into();
    for analysis in &mut record.analyses {
        let Some(table) = analysis.tables.iter_mut().find(|t| t.name == "heads") else {
            continue;
        };
        table.rows.clear();
        for (step, head) in STEPS.into_iter().flat_map(|s| (0..32u64).map(move |h| (s, h))) {
            let strong = if head % 11 == 10 { 0.3 + 0.02 * head as f64 } else { 0.0 };
            let score = 0.05 + strong * rise(step) + 0.06 * noise(step + 7 * head);
            let (layer, head) = (head / 8, head % 8);
            table.push([step.into(), (4096 * step).into(), layer.into(), head.into(), score.into()]);
        }
    }
    record
}
