//! What must agree in `[training]`: how long, and where.

use super::resolve::Resolver;
use super::tables::{integer, text};
use crate::spec::check::Facts;
use toml::{Table, Value};

impl Resolver<'_> {
    pub(super) fn training(&mut self, root: &mut Table, facts: &mut Facts) {
        let batch = integer(root, &["training", "batch_size"]);
        let per_step = batch.zip(facts.n_ctx).map(|(batch, n_ctx)| (batch * n_ctx) as i64);
        self.length(root, per_step);
        self.micro_batch(root, batch);
        facts.steps = integer(root, &["training", "steps"]).map(|steps| steps as u64);
        self.device(root);
    }

    /// `tokens` becomes `steps`, if that is how the length is told.
    fn length(&mut self, root: &mut Table, per_step: Option<i64>) {
        let Some(Value::Table(training)) = root.get_mut("training") else { return };
        let mut tokens = training.remove("tokens").and_then(|t| t.as_integer());
        let findings = &mut *self.findings;
        let over = |key: &str, other: &str| findings.places.over(key, other, &findings.sources);
        let (said, in_steps) = ("training.tokens", "training.steps");
        let (steps_win, tokens_win) = (over(in_steps, said), over(said, in_steps));
        if steps_win {
            tokens = None;
        } else if tokens_win {
            training.remove("steps");
        }
        if tokens.is_some() && training.contains_key("steps") {
            let message = "`tokens` and `steps` both say how long to train";
            let other = ("training.steps", "`steps` says it too");
            findings.clash("training.tokens", message, other, "keep one of them");
        }
        let told = [said, in_steps].iter().any(|path| findings.places.value(path).is_some());
        if !told && findings.lacks("tokens") && findings.lacks("steps") {
            let message = "`training` does not say how long to train";
            let help = "add `tokens = 6_000_000` to `[training]`, or `steps`";
            findings.missing("training.tokens", message, help);
        }
        let Some(per_step) = per_step else { return };
        if let Some(tokens) = tokens {
            if tokens < per_step {
                let message = format!(
                    "`tokens` = {tokens} is less than one step: batch_size × n_ctx is {per_step} tokens"
                );
                let help = format!("use {per_step} or more, or a smaller batch_size");
                let other = ("training.batch_size", "sequences a step");
                findings.clash("training.tokens", message, other, help);
            }
            let steps = (tokens as u64).div_ceil(per_step as u64).max(1) as i64;
            if !training.contains_key("steps") {
                findings.places.same("training.tokens", "training.steps");
                training.insert("steps".into(), steps.into());
            }
        }
        let steps = training.get("steps").and_then(Value::as_integer);
        if steps.is_some_and(|steps| steps.checked_mul(per_step).is_none()) {
            let key = if tokens.is_some() { "training.tokens" } else { "training.steps" };
            findings.error(key, "that is more tokens than can be counted", "train less");
        }
    }

    fn micro_batch(&mut self, root: &Table, batch: Option<usize>) {
        let (Some(at_once), Some(batch)) = (integer(root, &["training", "micro_batch_size"]), batch) else {
            return;
        };
        if at_once > batch {
            let message =
                format!("`micro_batch_size` = {at_once} is more than a step has: {batch} sequences");
            let other = ("training.batch_size", "sequences a step");
            self.findings.clash("training.micro_batch_size", message, other, "use \"all\" or fewer");
        }
    }

    fn device(&mut self, root: &mut Table) {
        let here = &self.language.devices;
        let Some(device) = text(root, &["training", "device"]).map(str::to_string) else { return };
        let device = if device == "auto" { here.last().copied().unwrap_or("cpu") } else { &device };
        let elsewhere = self.findings.elsewhere && device == "cuda";
        if !here.contains(&device) && !elsewhere {
            let message = format!("there is no device \"{device}\" here");
            let why = self.language.no_gpu.as_deref();
            let build = "a build with `--features cuda` on a machine with an NVIDIA GPU has \"cuda\"";
            let help = format!("devices here: {}; {}", here.join(", "), why.unwrap_or(build));
            self.findings.error("training.device", message, help);
        }
        let Some(precision) = text(root, &["training", "precision"]) else { return };
        if precision != "f32" && device != "cuda" {
            let message = format!("precision \"{precision}\" needs the device \"cuda\"");
            let other = ("training.device", "this device");
            let why = self.language.no_gpu.iter().map(|why| format!("; there is no GPU: {why}"));
            let help = format!("use \"f32\"{}", why.collect::<String>());
            self.findings.clash("training.precision", message, other, help);
        }
        if let Some(Value::Table(training)) = root.get_mut("training") {
            training.insert("device".into(), device.into());
        }
    }
}
