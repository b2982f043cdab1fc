//! Checkpoints: each appears whole, is verified when it is read, and depends on no other.

use super::{RunDirectory, digests};
use crate::error::{Error, Result};
use crate::files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The weights.
pub const MODEL: &str = "model.safetensors";
/// The optimizer's moments.
pub const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";

/// `state.json` of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Optimizer steps taken.
    pub step: u64,
    /// Training tokens read.
    pub tokens: u64,
    /// blake3 of the checkpoint's other files.
    pub digests: BTreeMap<String, String>,
    /// blake3 of `metrics.jsonl` up to this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// blake3 of this file without its seal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

impl State {
    fn sealed(self) -> serde_json::Result<State> {
        let open = State { seal: None, ..self };
        let seal = Some(digests::of(&serde_json::to_vec(&open)?));
        Ok(State { seal, ..open })
    }

    /// Whether it is what was written, as far as it says what that was.
    fn is_whole(&self) -> bool {
        self.seal.is_none() || self.clone().sealed().is_ok_and(|whole| whole == *self)
    }
}

/// The files of a checkpoint, by name.
pub type CheckpointFiles = Vec<(&'static str, Vec<u8>)>;

/// Where training can go on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resumption {
    /// The step of the checkpoint; none if there is no whole one.
    pub step: Option<u64>,
    /// What was found damaged, in words.
    pub damaged: Vec<String>,
}

impl RunDirectory {
    /// The step of every checkpoint, in order: of every folder that has a checkpoint's name, which it gets when it is
    /// whole.
    pub fn checkpoints(&self) -> Vec<u64> {
        let folder = fs::read_dir(self.file("checkpoints")).into_iter().flatten().flatten();
        let step = |entry: fs::DirEntry| entry.file_name().to_string_lossy().parse().ok();
        let mut steps: Vec<u64> = folder.filter_map(step).collect();
        steps.sort_unstable();
        steps
    }

    /// The folder of a checkpoint.
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.path.join("checkpoints").join(format!("{step:08}"))
    }

    fn state(&self, step: u64) -> Result<State> {
        let state: State = self.read_json(&format!("checkpoints/{step:08}/{STATE}"))?;
        if state.step != step || !state.is_whole() {
            let path = self.checkpoint(step).join(STATE);
            return Err(Error::message(format!("{} is damaged: it is not what was saved", path.display())));
        }
        Ok(state)
    }

    /// One digest of the models saved after these steps; `None` if one of them is not there.
    pub fn checkpoints_digest(&self, steps: impl IntoIterator<Item = u64>) -> Option<String> {
        let mut hasher = blake3::Hasher::new();
        for step in steps {
            let state = self.state(step).ok()?;
            let model = state.digests.get(MODEL)?;
            hasher.update(format!("{step} {model}\n").as_bytes());
        }
        Some(hasher.finalize().to_hex()[..32].to_string())
    }

    /// Saves a checkpoint, with the digest of `metrics.jsonl` so far: its folder appears whole, by one rename.
    ///
    /// # Errors
    /// If the disk refuses; then what was saved before is as it was.
    pub fn save_checkpoint(
        &self,
        step: u64,
        tokens: u64,
        metrics: String,
        contents: &CheckpointFiles,
    ) -> Result<()> {
        let final_path = self.checkpoint(step);
        let folder = self.path.join("checkpoints");
        let temporary = folder.join(format!("{}{step:08}", files::UNFINISHED));
        let save = || -> std::io::Result<()> {
            fs::create_dir_all(&folder)?;
            if temporary.exists() {
                fs::remove_dir_all(&temporary)?;
            }
            fs::create_dir(&temporary)?;
            let mut digests = BTreeMap::new();
            for (name, bytes) in contents {
                files::write(&temporary.join(name), bytes)?;
                digests.insert(name.to_string(), digests::of(bytes));
            }
            let state = State { step, tokens, digests, metrics: Some(metrics), seal: None }.sealed()?;
            let state = serde_json::to_vec(&state)?;
            files::write(&temporary.join(STATE), &state)?;
            if final_path.exists() {
                fs::remove_dir_all(&final_path)?;
            }
            files::rename(&temporary, &final_path)?;
            files::sync_folder(&folder)
        };
        save().map_err(|error| {
            // The room it took is needed for what comes after.
            let _ = fs::remove_dir_all(&temporary);
            Error::write(&final_path)(error)
        })
    }

    /// Removes a checkpoint.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn remove_checkpoint(&self, step: u64) -> Result<()> {
        let folder = self.checkpoint(step);
        fs::remove_dir_all(&folder).map_err(Error::write(&folder))
    }

    /// A file of a checkpoint, verified against its digest.
    ///
    /// # Errors
    /// If it cannot be read, or is not the file that was saved.
    pub fn load_checkpoint(&self, step: u64, name: &str) -> Result<Vec<u8>> {
        let state = self.state(step)?;
        let bytes = self.read(&format!("checkpoints/{step:08}/{name}"))?;
        if state.digests.get(name) != Some(&digests::of(&bytes)) {
            let path = self.checkpoint(step).join(name);
            return Err(Error::message(format!("{} is damaged: it is not what was saved", path.display())));
        }
        Ok(bytes)
    }

    /// The newest checkpoint that is whole, as are the models of all before it and the metrics until then: from there
    /// the run ends with the bytes it would have ended with.
    pub fn resumption(&self) -> Resumption {
        let steps = self.checkpoints();
        let metrics = self.metrics_digests(&steps);
        let (mut good, mut damaged) = (Vec::new(), Vec::new());
        for (step, written) in steps.into_iter().zip(metrics) {
            match self.load_checkpoint(step, MODEL).and_then(|_| self.state(step)) {
                Ok(State { metrics: Some(digest), .. }) if digest != written => {
                    let path = self.file("metrics.jsonl");
                    damaged.push(format!("{} is not what was written up to step {step}", path.display()));
                    break;
                }
                Ok(_) => good.push(step),
                Err(error) => {
                    damaged.push(error.to_string());
                    break;
                }
            }
        }
        // Moments are only asked of the one to go on from.
        let step = good.into_iter().rev().find(|step| match self.load_checkpoint(*step, OPTIMIZER) {
            Ok(_) => true,
            Err(error) => {
                damaged.push(error.to_string());
                false
            }
        });
        Resumption { step, damaged }
    }
}
