//! The model against values made by PyTorch (`tests/reference/make_reference.py`): logits, patterns,
//! loss, gradients, and ten AdamW steps with clipping and decay.

mod common;

use dfdx::prelude::*;
use indhead::model::checkpoint::HostTensor;
use indhead::model::{Backend, Model, Pass, Subject};
use indhead::plan::Plan;
use indhead::training::optimizer::Optimizer;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;

const TOLERANCE: f32 = 1e-4;

struct Reference {
    plan: Plan,
    floats: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// `[batch, n_ctx + 1]`
    windows: Vec<usize>,
    batch: usize,
}

impl Reference {
    fn read(case: &str) -> Self {
        let path = format!("{}/tests/reference/{case}", env!("CARGO_MANIFEST_DIR"));
        let spec = std::fs::read_to_string(format!("{path}.toml")).unwrap();
        let rest = "[dataset]\nkind = \"repeated_random\"\nperiod = [2, 4]\n[training]\nsteps = 10\n\
                    optimizer = { kind = \"adamw\", lr = 1e-2, weight_decay = 0.1 }\nclip_norm = 1.0\n";
        let plan = common::good_plan(&format!("{spec}\n{rest}"));
        let bytes = std::fs::read(format!("{path}.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (mut floats, mut windows, mut batch) = (BTreeMap::new(), Vec::new(), 0);
        for (name, view) in file.tensors() {
            let data = view.data();
            if view.dtype() == Dtype::F32 {
                let values = data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
                floats.insert(name, (view.shape().to_vec(), values.collect()));
            } else {
                let ids = data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as usize);
                windows = ids.collect();
                batch = view.shape()[0];
            }
        }
        Reference { plan, floats, windows, batch }
    }

    fn under(&self, prefix: &str) -> Vec<HostTensor> {
        let named = |(name, (shape, values)): (&String, &(Vec<usize>, Vec<f32>))| {
            Some((name.strip_prefix(prefix)?.to_string(), shape.clone(), values.clone()))
        };
        self.floats.iter().filter_map(named).collect()
    }

    fn values(&self, name: &str) -> &[f32] {
        &self.floats[name].1
    }

    fn model(&self) -> Model<Cpu> {
        let mut model = Model::new(&self.plan, <Cpu as Backend>::open().unwrap()).unwrap();
        let weights = self.under("weights/");
        model.set(&weights).unwrap();
        assert_eq!(model.params.iter().count(), weights.len(), "a weight of the reference has no parameter");
        model
    }

    fn inputs(&self) -> Vec<usize> {
        let width = self.windows.len() / self.batch;
        self.windows.chunks(width).flat_map(|w| &w[..width - 1]).copied().collect()
    }
}

fn assert_close(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= TOLERANCE * (1.0 + b.abs()), "{what}[{i}]: {a}, PyTorch has {b}");
    }
}

fn check(case: &str) {
    let reference = Reference::read(case);
    let mut model = reference.model();
    let mut pass = Pass { keep_patterns: true, ..Pass::default() };
    let logits = model.logits(&reference.inputs(), reference.batch, &mut pass).unwrap();
    assert_close("logits", &logits, reference.values("logits"));
    for (layer, pattern) in &pass.patterns {
        assert_close("pattern", &pattern.as_vec(), reference.values(&format!("patterns/{layer}")));
    }

    let width = reference.windows.len() / reference.batch;
    let window = &reference.windows[..width];
    let losses = model.losses(&[window.to_vec()]).unwrap().concat();
    let predictions = model.log_probs(&window[..width - 1]).unwrap();
    for (i, of_position) in predictions.chunks(model.d_vocab()).enumerate() {
        assert_close("what a loss is of", &[-of_position[window[i + 1]]], &losses[i..=i]);
        assert_close("the sum of probabilities", &[of_position.iter().map(|l| l.exp()).sum()], &[1.0]);
    }

    let mut optimizer = Optimizer::new(&reference.plan.training).unwrap();
    for step in 1..=10u64 {
        let loss = model.loss(&reference.windows, reference.batch).unwrap();
        assert_close("loss", &loss.as_vec(), &reference.values("losses")[step as usize - 1..][..1]);
        let mut gradients = loss.backward();
        if step == 1 {
            for (name, _, values) in reference.under("grads/") {
                let param = model.params.iter().find(|p| p.name == name).unwrap();
                gradients.try_alloc_for(&param.value).unwrap();
                let ours = gradients.get(&param.value);
                assert_close(&format!("gradient of {name}"), &ours.as_vec(), &values);
            }
            gradients = model.loss(&reference.windows, reference.batch).unwrap().backward();
        }
        let (_, norm) = optimizer.step(&mut model.params, gradients, step, 1.0).unwrap();
        assert_close(
            "gradient norm",
            &[norm as f32],
            &reference.values("grad_norms")[step as usize - 1..][..1],
        );
    }
    for (name, _, values) in reference.under("after/") {
        let ours = model.parameter(&name).unwrap();
        assert_close(&format!("{name} after ten steps"), &ours.values, &values);
    }
}

macro_rules! cases {
    ($($case:ident)*) => { $(#[test] fn $case() { check(stringify!($case)); })* };
}
cases! {
    conv_attn conv_attn_depthwise attn_attn_relative attn_attn_learned attn_attn_rotary
    attn_smeared attn_override attn_mlp no_norm_tied wide_heads
}

#[test]
fn every_reference_is_checked() {
    let folder = format!("{}/tests/reference", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let cases = entries.filter(|e| e.path().extension().is_some_and(|x| x == "safetensors"));
    assert_eq!(cases.count(), 10, "a reference was added: name it in `cases!`");
}
