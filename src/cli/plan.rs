//! `indhead plan`: what a spec comes to, before anything runs.

use super::planning::{Ready, plan_from_afar};
use super::printed::{Format, columns, json, thousands};
use super::{Outcome, console, device};
use crate::dataset::{self, Survey};
use crate::files::cache_folder;
use crate::model::cost::{CONTEXT, flops_per_token, sequences_at_once, training_bytes};
use crate::model::shapes::{Part, shapes};
use crate::plan::Plan;
use crate::training::checkpoint_steps;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The experiment file
    #[arg(value_name = "SPEC")]
    spec: PathBuf,
    /// Replace a value
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Where it would train, here or elsewhere: auto, cpu or cuda
    #[arg(long)]
    device: Option<String>,
    /// As text, or as JSON
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What a plan comes to.
struct Consequences {
    parts: Vec<Part>,
    steps: u64,
    tokens: u64,
    checkpoints: Vec<u64>,
    flops_per_token: u64,
    /// Sequences at a time, as far as that can be told before the device's memory is known.
    at_once: usize,
    /// Memory that training takes on the processor, and on a card.
    bytes: [u64; 2],
    /// Whether what is to be read is on this machine.
    here: bool,
    /// How much there is to read, where anything is.
    dataset: Option<Survey>,
}

/// Prints the plan with the origin of every value, and what it comes to.
pub fn plan(arguments: Arguments) -> Outcome {
    let mut sets = arguments.sets;
    sets.extend(arguments.device.map(|device| format!("training.device={device}")));
    let ready = plan_from_afar(&arguments.spec, &sets)?;
    let plan = &ready.plan;
    let here = !ready.findings.not_here.iter().any(|key| key.starts_with("dataset."));
    let memory = device::memory(plan).map(|memory| memory.free);
    let at_once = sequences_at_once(plan, &plan.training.device, memory)?;
    let comes_to = Consequences {
        parts: shapes(plan)?,
        steps: plan.training.steps,
        tokens: plan.tokens_at(plan.training.steps),
        checkpoints: checkpoint_steps(plan)?.into_iter().collect(),
        flops_per_token: flops_per_token(plan)?,
        at_once,
        bytes: [training_bytes(plan, "cpu", at_once)?, training_bytes(plan, "cuda", at_once)? + CONTEXT],
        here,
        dataset: if here { dataset::survey(plan, &cache_folder())? } else { None },
    };
    let warnings = comes_to.dataset.iter().flat_map(|survey| &survey.warnings);
    warnings.for_each(|words| console::note(&format!("warning: {words}")));
    console::out(&match arguments.format {
        Format::Text => text(&ready, &comes_to),
        Format::Json => json(&to_json(&ready, &comes_to)),
    });
    Ok(())
}

fn text(ready: &Ready, comes_to: &Consequences) -> String {
    let plan = &ready.plan;
    let mut rows = vec![vec![String::new(), "parameters".into(), "tensors".into()]];
    for part in comes_to.parts.iter().filter(|part| !part.tensors.is_empty()) {
        let tensors = part.tensors.iter().map(|(name, shape)| format!("{name} {shape:?}"));
        let n_parameters = thousands(part.n_parameters() as u64);
        for (i, tensor) in tensors.enumerate() {
            let first = |text: &str| if i == 0 { text.to_string() } else { String::new() };
            rows.push(vec![first(&part.name), first(&n_parameters), tensor]);
        }
    }
    let all: usize = comes_to.parts.iter().map(Part::n_parameters).sum();
    rows.push(vec!["in all".into(), thousands(all as u64)]);
    let checkpoints: Vec<String> = comes_to.checkpoints.iter().map(u64::to_string).collect();
    let facts = vec![
        vec!["training".to_string(), trained(plan, comes_to)],
        vec!["checkpoints".into(), format!("{}, after steps {}", checkpoints.len(), short(&checkpoints))],
        vec!["dataset".into(), read(plan, comes_to)],
        vec!["FLOPs per token".into(), flops(comes_to)],
        vec![
            "memory".into(),
            format!(
                "about {} MiB, training on a processor; {} MiB on a GPU, in {}",
                thousands(comes_to.bytes[0] >> 20),
                thousands(comes_to.bytes[1] >> 20),
                plan.training.precision,
            ),
        ],
    ];
    format!("{}\n{}\n{}", plan.to_toml(Some(&ready.findings)), columns(&rows), columns(&facts))
}

/// Dense products of bf16 numbers on an H100 SXM, FLOP/s, by its data sheet.
const H100: f64 = 989e12;
/// The share of them that training is taken to reach.
const UTILISATION: f64 = 0.4;

fn trained(plan: &Plan, comes_to: &Consequences) -> String {
    let (batch, n_ctx) = (plan.training.batch_size, plan.architecture.n_ctx);
    let (tokens, steps) = (thousands(comes_to.tokens), thousands(comes_to.steps));
    let split = match comes_to.at_once {
        all if all >= batch => String::new(),
        some => format!(", {some} sequences at a time"),
    };
    format!("{tokens} tokens in {steps} steps of {batch} × {n_ctx}{split}")
}

fn flops(comes_to: &Consequences) -> String {
    let whole = comes_to.flops_per_token as f64 * comes_to.tokens as f64;
    let a_token = thousands(comes_to.flops_per_token);
    let hours = |per_second: f64| {
        let hours = whole / per_second / 3600.0;
        if hours < 0.005 { "under 0.01".to_string() } else { format!("{hours:.2}") }
    };
    let (processor, card) = (hours(1e11), hours(H100 * UTILISATION));
    let share = 100.0 * UTILISATION;
    format!(
        "{a_token} in matrix products, there and back; {whole:.1e} in all: {processor} hours at 100 GFLOP/s, \
         {card} on an H100 at {share:.0} % of its bf16 products"
    )
}

fn read(plan: &Plan, comes_to: &Consequences) -> String {
    let kind = &plan.dataset.kind;
    let written = |key: &str| plan.dataset.config.get(key).and_then(|value| value.as_str());
    let path = written("path").or_else(|| written("repo"));
    let place = path.map_or(String::new(), |path| format!(" in {path}"));
    let Some(survey) = &comes_to.dataset else {
        return match comes_to.here {
            true => format!("{kind}: sequences made on the spot"),
            false => format!("{kind}: not on this machine{place}"),
        };
    };
    let &Survey { documents, bytes, tokens, counted, .. } = survey;
    let [bytes, read] = [bytes, tokens].map(thousands);
    let documents = documents.map_or(String::new(), |n| format!("{} documents, ", thousands(n)));
    let epochs = epochs(survey, comes_to.tokens);
    let about = if counted { "" } else { "about " };
    let known = if counted { "" } else { " (an estimate: `indhead tokenize` counts them)" };
    let few = if is_small(survey, comes_to.tokens) { ": few for so much training" } else { "" };
    format!(
        "{kind}: {about}{documents}{bytes} bytes, {read} tokens{known}{place}; training reads them {about}{epochs:.2} \
         times{few}"
    )
}

/// How often training reads every token.
fn epochs(survey: &Survey, tokens: u64) -> f64 {
    tokens as f64 / survey.tokens.max(1) as f64
}

/// Whether each token is read more than ten times.
fn is_small(survey: &Survey, tokens: u64) -> bool {
    survey.tokens < tokens / 10
}

/// A long list without its middle.
fn short(list: &[String]) -> String {
    match list {
        [first @ .., last] if first.len() > 40 => format!("{}, …, {last}", first[..40].join(", ")),
        _ => list.join(", "),
    }
}

fn to_json(ready: &Ready, comes_to: &Consequences) -> Value {
    let part = |part: &Part| {
        let tensors = part.tensors.iter().map(|(name, shape)| (name.clone(), shape.clone().into()));
        serde_json::json!({
            "name": part.name,
            "n_parameters": part.n_parameters(),
            "tensors": tensors.collect::<Map<String, Value>>(),
        })
    };
    let plan = &ready.plan;
    serde_json::json!({
        "plan": plan,
        "origins": plan.origins(&ready.findings),
        "n_parameters": comes_to.parts.iter().map(Part::n_parameters).sum::<usize>(),
        "parts": comes_to.parts.iter().map(part).collect::<Vec<_>>(),
        "steps": comes_to.steps,
        "tokens": comes_to.tokens,
        "tokens_per_step": plan.tokens_at(1),
        "checkpoints": comes_to.checkpoints,
        "flops_per_token": comes_to.flops_per_token,
        "sequences_at_once": comes_to.at_once,
        "training_bytes": comes_to.bytes[0],
        "training_bytes_cuda": comes_to.bytes[1],
        "dataset": {
            "kind": plan.dataset.kind,
            "here": comes_to.here,
            "documents": comes_to.dataset.as_ref().and_then(|survey| survey.documents),
            "bytes": comes_to.dataset.as_ref().map(|survey| survey.bytes),
            "tokens": comes_to.dataset.as_ref().map(|survey| survey.tokens),
            "estimated": comes_to.dataset.as_ref().map(|survey| !survey.counted),
            "epochs": comes_to.dataset.as_ref().map(|survey| epochs(survey, comes_to.tokens)),
        },
    })
}
