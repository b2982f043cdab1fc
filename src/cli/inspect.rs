//! `indhead inspect`: tokens, losses and attention patterns of any text.

use super::report::saved_plan;
use super::{Failure, Outcome, console, device};
use crate::error::Error;
use crate::figures::attention_map;
use crate::files;
use crate::probes::attention_map::tables;
use crate::probes::from_start;
use crate::record::Analysis;
use crate::record::directory::run_of;
use crate::tokenizer::Tokenizer;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("input").required(true).args(["text", "text_file", "tokens"])))]
pub struct Arguments {
    /// A run directory
    run: PathBuf,
    /// The checkpoint after this step; the last one if not given
    #[arg(long, value_name = "STEP")]
    checkpoint: Option<u64>,
    /// A text; a start token goes before it
    #[arg(long)]
    text: Option<String>,
    /// A file with the text
    #[arg(long, value_name = "FILE")]
    text_file: Option<PathBuf>,
    /// Token ids, as they are
    #[arg(long, value_name = "1,2,…", value_delimiter = ',')]
    tokens: Option<Vec<u32>>,
    /// Only this head: layer.head
    #[arg(long, value_name = "L.H")]
    head: Option<String>,
    /// Print JSON: tokens, strings, losses (nats), patterns
    #[arg(long)]
    json: bool,
    /// Draw the attention map of `--head` to this file
    #[arg(long, value_name = "FILE", requires = "head")]
    svg: Option<PathBuf>,
}

/// Prints what the model makes of a text.
pub fn inspect(arguments: Arguments) -> Outcome {
    let run = run_of(&arguments.run);
    let plan = saved_plan(&run)?;
    let tokenizer = Tokenizer::from_json(&run.read("tokenizer.json")?)?;
    let ids = ids(&arguments, &tokenizer)?;
    let n_ctx = plan.architecture.n_ctx;
    if ids.is_empty() || ids.len() > n_ctx {
        let words = format!("error: the text is {} tokens; the model reads 1 to {n_ctx}", ids.len());
        return Err(Failure::Usage(words));
    }
    if let Some(wrong) = ids.iter().find(|&&id| id as usize >= plan.d_vocab()) {
        let words =
            format!("error: there is no token {wrong}: the vocabulary has 0 to {}", plan.d_vocab() - 1);
        return Err(Failure::Usage(words));
    }
    let steps = run.checkpoints();
    if steps.is_empty() {
        let words = format!("error: {} has no checkpoints to look into", run.path.display());
        let help = match run.done() {
            true => "its checkpoints were removed, or copied without them",
            false => "the first is saved when training begins: `indhead run … --resume` goes on with it",
        };
        return Err(Failure::Usage(format!("{words}\nhelp: {help}")));
    }
    let step = arguments.checkpoint.or(steps.last().copied());
    let Some(step) = step.filter(|s| steps.contains(s)) else {
        let listed: Vec<String> = steps.iter().map(u64::to_string).collect();
        return Err(Failure::Usage(format!("error: no such checkpoint; there are: {}", listed.join(", "))));
    };
    let subject = device::load(&plan, &run, step)?;
    let sequence: Vec<usize> = ids.iter().map(|&t| t as usize).collect();
    let losses = match sequence.len() {
        1 => Vec::new(),
        _ => subject.losses(std::slice::from_ref(&sequence))?.concat(),
    };
    let strings = tokenizer.strings(&ids);
    let patterns = subject.patterns(std::slice::from_ref(&sequence))?;
    let width = sequence.len();
    let mut kept: Vec<((usize, usize), Vec<f32>)> = Vec::new();
    for (head, pattern) in patterns.heads() {
        let name = format!("{}.{}", head.0, head.1);
        if arguments.head.as_ref().is_none_or(|wanted| *wanted == name) {
            kept.push((head, pattern[0].to_vec()));
        }
    }
    if let (Some(wanted), true) = (&arguments.head, kept.is_empty()) {
        let all: Vec<String> = patterns.heads().map(|((l, h), _)| format!("{l}.{h}")).collect();
        let words = format!("error: there is no head {wanted:?}; heads here: {}", all.join(", "));
        return Err(Failure::Usage(words));
    }
    if let Some(path) = &arguments.svg {
        let analysis = map_of(&strings, &kept);
        let figures = attention_map::of_analysis(&analysis).map_err(|e| Error::message(e.to_string()))?;
        let svg = figures.first().map_or("", |figure| figure.svg.as_str());
        files::write(path, svg.as_bytes()).map_err(Error::write(path))?;
    }
    if arguments.json {
        console::out(&as_json(&ids, &strings, &losses, &kept, width));
    } else if arguments.svg.is_none() {
        console::out(&as_text(&strings, &losses, &kept, width));
    }
    Ok(())
}

fn ids(arguments: &Arguments, tokenizer: &Tokenizer) -> Result<Vec<u32>, Failure> {
    if let Some(tokens) = &arguments.tokens {
        return Ok(tokens.clone());
    }
    if !tokenizer.reads_text() {
        let words = "error: this run reads token ids, not text\nhelp: use `--tokens 1,2,…`";
        return Err(Failure::Usage(words.into()));
    }
    let text = match (&arguments.text, &arguments.text_file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => {
            let bytes = std::fs::read(path).map_err(Error::read(path))?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        (None, None) => String::new(),
    };
    Ok(from_start(tokenizer, &text)?)
}

type Kept = [((usize, usize), Vec<f32>)];

fn as_json(ids: &[u32], strings: &[String], losses: &[f32], kept: &Kept, width: usize) -> String {
    let losses: Vec<Option<f32>> = std::iter::once(None).chain(losses.iter().copied().map(Some)).collect();
    let mut patterns = Map::new();
    for ((layer, head), pattern) in kept {
        let rows: Vec<&[f32]> = pattern.chunks_exact(width).collect();
        patterns.insert(format!("{layer}.{head}"), json!(rows));
    }
    let all =
        json!({ "tokens": ids, "strings": strings, "losses": losses, "patterns": Value::Object(patterns) });
    format!("{all}\n")
}

/// The kept patterns in the form that the figure reads.
fn map_of(strings: &[String], kept: &Kept) -> Analysis {
    let patterns = kept.iter().map(|(head, pattern)| (*head, pattern.as_slice()));
    Analysis {
        format: 1,
        probe: "attention_map".into(),
        id: "attention_map".into(),
        definition: String::new(),
        parameters: toml::Table::new(),
        version: 1,
        measured_on: String::new(),
        tables: tables(strings, patterns).into(),
    }
}

/// A line a token: its loss, and for every head where it looks most.
fn as_text(strings: &[String], losses: &[f32], kept: &Kept, width: usize) -> String {
    let mut out = String::from("position  token             loss  where each head looks most\n");
    for (query, token) in strings.iter().enumerate() {
        let loss = match query {
            0 => "    –".to_string(),
            _ => format!("{:5.2}", losses[query - 1]),
        };
        let looks: Vec<String> = kept
            .iter()
            .map(|((layer, head), pattern)| {
                let row = &pattern[query * width..query * width + query + 1];
                let most = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
                format!("{layer}.{head} → {most} {} {:.2}", visible(&strings[most]), row[most])
            })
            .collect();
        out.push_str(&format!("{query:8}  {:<16} {loss}  {}\n", visible(token), looks.join("   ")));
    }
    out
}

fn visible(token: &str) -> String {
    format!("{token:?}")
}
