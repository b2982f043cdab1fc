//! `indhead bench`: how fast a spec trains here, where the time goes, and how near that is to the machine's best.

use super::planning::plan_spec;
use super::{Outcome, console, device, memory, progress};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::files::cache_folder;
use crate::model::Backend;
use crate::model::cost::flops_per_token;
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

/// Steps before the clock counts: caches, pages and clock rates settle.
const WARM_UP: u64 = 3;
/// Without `--steps`: at least so long, and so many.
const SECONDS: f64 = 5.0;
const LEAST_STEPS: usize = 5;
/// The size of the plain matrix product that a model is compared with, and how often it is made.
const PRODUCT: usize = 1536;
const PRODUCTS: usize = 9;

/// Times training steps; no run directory is made.
pub fn bench(arguments: Arguments) -> Outcome {
    let mut sets = arguments.sets.clone();
    sets.extend(arguments.device.as_ref().map(|device| format!("training.device={device}")));
    let plan = plan_spec(&arguments.spec, &sets)?.plan;
    memory::check(&plan)?;
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
    max_rss_mib: Option<f64>,
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
    for _ in 0..WARM_UP {
        step()?;
    }
    let mut times = Vec::new();
    let start = Instant::now();
    let enough = |times: &Vec<f64>| match steps {
        Some(steps) => times.len() as u64 >= steps,
        None => times.len() >= LEAST_STEPS && start.elapsed().as_secs_f64() > SECONDS,
    };
    while !enough(&times) {
        times.push(step()?);
    }
    // The parts are timed apart: marks on the tape cost a little.
    let metered = times.len().div_ceil(4);
    meter::start();
    let whole: f64 = (0..metered).map(|_| step()).sum::<Result<f64>>()? / metered as f64;
    let a_step = |time: std::time::Duration| time.as_secs_f64() / metered as f64;
    let part = |part: Part| (part.name, a_step(part.forward), a_step(part.backward));
    let mut parts: Vec<_> = meter::finish().into_iter().map(part).collect();
    let known: f64 = parts.iter().map(|(_, forward, backward)| forward + backward).sum();
    parts.push(("rest", (whole - known).max(0.0), 0.0));
    let max_rss_mib = max_rss_mib();

    let mut product = D::open()?.square_product(PRODUCT).map_err(Error::device)?;
    let mut timed = || {
        let start = Instant::now();
        product().map_err(Error::device)?;
        Ok(start.elapsed().as_secs_f64())
    };
    timed()?;
    let products: Vec<f64> = (0..PRODUCTS).map(|_| timed()).collect::<Result<_>>()?;
    Ok(Figures {
        steps: times.len(),
        seconds: median(times),
        flops_per_token: flops_per_token(plan)?,
        peak_flops: 2.0 * (PRODUCT as f64).powi(3) / median(products),
        max_rss_mib,
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
            "max_rss_mib": self.max_rss_mib,
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
        line("spec", format!("{}, {} on {threads} threads", plan.name, plan.training.device));
        line("tokens per second", format!("{:.0}", self.tokens_per_second(plan)));
        line("step", format!("{:.2} ms, the median of {}", self.seconds * 1e3, self.steps));
        line("FLOPs per token", format!("{}", self.flops_per_token));
        line("GFLOP/s", format!("{:.1}", self.flops(plan) / 1e9));
        line("matrix product", format!("{:.1} GFLOP/s, alone", self.peak_flops / 1e9));
        line("share of it reached", format!("{:.0} %", 100.0 * self.flops(plan) / self.peak_flops));
        if let Some(mib) = self.max_rss_mib {
            line("most memory", format!("{mib:.0} MiB"));
        }
        out.push_str("\npart                     forward ms  backward ms  share\n");
        for part @ (name, forward, backward) in &self.parts {
            let share = 100.0 * self.share(part);
            let _ = writeln!(out, "{name:<24}{:>11.2}{:>13.2}{share:>5.0} %", forward * 1e3, backward * 1e3);
        }
        out
    }
}
