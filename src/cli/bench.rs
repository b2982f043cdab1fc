//! `indhead bench`: how fast a spec trains here, where the time goes, and how near that is to the machine's best.

use super::planning::plan_spec;
use super::{Outcome, console, device, memory, progress};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::files::cache_folder;
use crate::model::Backend;
use crate::model::cost::flops_per_token;
use crate::model::device::Memory;
use crate::ops::Precision;
use crate::ops::meter::{self, Part};
use crate::plan::Plan;
use crate::training::Learner;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The experiment file
    spec: PathBuf,
    /// Replace a value: `--set training.batch_size=64`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Where to train: auto, cpu or cuda
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Steps to time; enough for some five seconds if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Steps before the clock counts, or seconds: caches, pages and clock rates settle.
const WARM_UP: (usize, f64) = (3, 3.0);
/// Without `--steps`: at least so many, and so long.
const STEPS: (usize, f64) = (5, 5.0);
/// Steps whose parts are timed: so many, or a quarter of the others.
const METERED: usize = 3;
/// The size of the plain matrix product that a model is compared with, and how often it is made.
const PRODUCT: usize = 1536;
const PRODUCT_ON_A_CARD: usize = 8192;
const PRODUCTS: usize = 9;

/// Times training steps; no run directory is made.
pub fn bench(arguments: Arguments) -> Outcome {
    let mut sets = arguments.sets.clone();
    sets.extend(arguments.device.as_ref().map(|device| format!("training.device={device}")));
    let plan = plan_spec(&arguments.spec, &sets)?.plan;
    memory::check(&plan, 1)?;
    let mut preparing = progress::Preparing::new(arguments.json);
    let dataset = Dataset::open(&plan, &cache_folder(), &mut |event| preparing.show(event));
    preparing.finish();
    let figures = (device::of(&plan).bench)(&plan, &dataset?, arguments.steps)?;
    console::out(&match arguments.json {
        true => format!("{}\n", figures.to_json(&plan)),
        false => figures.to_text(&plan),
    });
    Ok(())
}

/// What was measured.
#[derive(Debug)]
pub struct Figures {
    steps: usize,
    /// Of the median step.
    seconds: f64,
    flops_per_token: u64,
    /// Of plain matrix products, floating-point operations a second.
    peak_flops: f64,
    /// Of the whole process, from its start to the last metered step.
    max_rss_mib: Option<f64>,
    /// Memory of the card that is taken after these steps, which give nothing of it back.
    card_mib: Option<f64>,
    /// Steps whose parts were timed, and the mean of one.
    metered: usize,
    metered_seconds: f64,
    /// Seconds a step, forward and backward.
    parts: Vec<(&'static str, f64, f64)>,
}

/// Times the plan's steps on a device.
///
/// # Errors
/// If the device fails.
pub fn measure<D: Backend>(plan: &Plan, dataset: &Dataset, steps: Option<u64>) -> Result<Figures> {
    let mut learner = Learner::<D>::new(plan, dataset)?;
    let mut at = 0;
    let mut step = || {
        let start = Instant::now();
        let metrics = learner.step(at % plan.training.steps)?;
        at += 1;
        match metrics.loss.is_finite() {
            true => Ok(start.elapsed().as_secs_f64()),
            false => Err(Error::message(format!("the loss is not finite after {at} steps"))),
        }
    };
    let start = Instant::now();
    let mut warm_up = vec![step()?];
    while warm_up.len() < WARM_UP.0 && start.elapsed().as_secs_f64() < WARM_UP.1 {
        warm_up.push(step()?);
    }
    let a_step = warm_up.iter().copied().fold(f64::INFINITY, f64::min);
    let wanted = steps.map_or((STEPS.1 / a_step).max(STEPS.0 as f64), |steps| steps as f64);
    if wanted * a_step > 2.0 * STEPS.1 {
        console::note(&format!("{wanted:.0} steps of about {a_step:.2} s each"));
    }
    // The parts are timed apart: marks on the tape cost a little.
    let metered = METERED.max(wanted.min(200.0) as usize / 4);
    meter::start();
    let whole: f64 = (0..metered).map(|_| step()).sum::<Result<f64>>()? / metered as f64;
    let mean = |time: std::time::Duration| time.as_secs_f64() / metered as f64;
    let part = |part: Part| (part.name, mean(part.forward), mean(part.backward));
    let mut parts: Vec<_> = meter::finish().into_iter().map(part).collect();
    let known: f64 = parts.iter().map(|(_, forward, backward)| forward + backward).sum();
    parts.push(("rest", (whole - known).max(0.0), 0.0));
    let max_rss_mib = max_rss_mib();
    let taken = |memory: Memory| (memory.total - memory.free) as f64 / f64::from(1 << 20);
    let card_mib = D::memory().filter(|_| plan.training.device != "cpu").map(taken);

    let on_a_card = plan.training.device != "cpu";
    let size = if on_a_card { PRODUCT_ON_A_CARD } else { PRODUCT };
    let precision = Precision::named(&plan.training.precision).unwrap_or_default();
    let product = D::with_precision(precision, || D::open()?.square_product(size).map_err(Error::device));
    let mut product = product?;
    let mut timed = || {
        let start = Instant::now();
        D::with_precision(precision, &mut product).map_err(Error::device)?;
        Ok(start.elapsed().as_secs_f64())
    };
    timed()?;
    // Steps and products take turns: what else the machine does meets both.
    let (mut times, mut products) = (Vec::new(), Vec::new());
    let (mut stepping, enough) = (0.0, wanted as u64);
    while (times.len() as u64) < enough || (steps.is_none() && stepping < STEPS.1) {
        times.push(step()?);
        stepping += times.last().copied().unwrap_or(0.0);
        let share = (times.len() as f64 / wanted).min(1.0);
        while (products.len() as f64) < share * PRODUCTS as f64 && products.len() < PRODUCTS {
            products.push(timed()?);
        }
    }
    Ok(Figures {
        steps: times.len(),
        seconds: median(times),
        flops_per_token: flops_per_token(plan)?,
        peak_flops: 2.0 * (size as f64).powi(3) / median(products),
        max_rss_mib,
        card_mib,
        metered,
        metered_seconds: whole,
        parts,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The most memory that this process has held, where Linux tells it.
fn max_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
}

impl Figures {
    fn tokens_per_second(&self, plan: &Plan) -> f64 {
        plan.tokens_at(1) as f64 / self.seconds
    }

    /// Floating-point operations a second of the step's matrix products.
    fn flops(&self, plan: &Plan) -> f64 {
        self.tokens_per_second(plan) * self.flops_per_token as f64
    }

    /// The share of a part in the step.
    fn share(&self, (_, forward, backward): &(&str, f64, f64)) -> f64 {
        let whole: f64 = self.parts.iter().map(|(_, forward, backward)| forward + backward).sum();
        (forward + backward) / whole
    }

    fn to_json(&self, plan: &Plan) -> Value {
        let part = |part: &(&str, f64, f64)| {
            let (name, forward, backward) = part;
            json!({
                "name": name,
                "forward_ms": forward * 1e3,
                "backward_ms": backward * 1e3,
                "share": self.share(part),
            })
        };
        json!({
            "name": plan.name,
            "device": plan.training.device,
            "threads": rayon::current_num_threads(),
            "steps": self.steps,
            "step_ms": self.seconds * 1e3,
            "tokens_per_second": self.tokens_per_second(plan),
            "flops_per_token": self.flops_per_token,
            "gflops": self.flops(plan) / 1e9,
            "peak_gflops": self.peak_flops / 1e9,
            "utilisation": self.flops(plan) / self.peak_flops,
            "precision": plan.training.precision,
            "max_rss_mib": self.max_rss_mib,
            "card_mib": self.card_mib,
            "parts_step_ms": self.metered_seconds * 1e3,
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
        })
    }

    fn to_text(&self, plan: &Plan) -> String {
        let mut out = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{name:<24}{value}");
        };
        let threads = rayon::current_num_threads();
        let plural = if threads == 1 { "" } else { "s" };
        let runs = match plan.training.device.as_str() {
            "cpu" => format!("cpu on {threads} thread{plural}"),
            card => format!("{card} in {}", plan.training.precision),
        };
        line("spec", format!("{}, {runs}", plan.name));
        line("tokens per second", format!("{:.0}", self.tokens_per_second(plan)));
        line("step", format!("{:.2} ms, the median of {}", self.seconds * 1e3, self.steps));
        line("FLOPs per token", format!("{}", self.flops_per_token));
        line("GFLOP/s", format!("{:.1}", self.flops(plan) / 1e9));
        line("matrix product", format!("{:.1} GFLOP/s, alone", self.peak_flops / 1e9));
        line("share of it reached", format!("{:.0} %", 100.0 * self.flops(plan) / self.peak_flops));
        if let Some(mib) = self.max_rss_mib {
            line("most memory", format!("{mib:.0} MiB"));
        }
        if let Some(mib) = self.card_mib {
            line("memory of the card", format!("{mib:.0} MiB"));
        }
        let (steps, ms) = (self.metered, self.metered_seconds * 1e3);
        let _ = writeln!(out, "\n{steps} other steps, {ms:.2} ms each, part by part:");
        out.push_str("part                     forward ms  backward ms  share\n");
        for part @ (name, forward, backward) in &self.parts {
            let share = 100.0 * self.share(part);
            let _ = writeln!(out, "{name:<24}{:>11.2}{:>13.2}{share:>5.0} %", forward * 1e3, backward * 1e3);
        }
        out
    }
}
