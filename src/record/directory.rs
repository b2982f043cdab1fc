//! The run directory on disk: what is written where, and reading it back.

use super::table::{Cell, Table};
use super::{Analysis, Record, Verdict};
use crate::error::{Error, Result};
use crate::files;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDirectory {
    /// Where it is.
    pub path: PathBuf,
}

/// A line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Optimizer steps taken.
    pub step: u64,
    /// Training tokens read.
    pub tokens: u64,
    /// Mean next-token loss of the step's batch, before the step, nats.
    pub loss: f32,
    /// Learning rate of the step.
    pub lr: f64,
    /// Length of the gradient over all parameters, before clipping.
    pub grad_norm: f64,
    /// Mean loss on held-out windows after the step, at checkpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
}

/// `state.json` of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Optimizer steps taken.
    pub step: u64,
    /// Training tokens read.
    pub tokens: u64,
    /// blake3 of the checkpoint's other files.
    pub digests: BTreeMap<String, String>,
}

/// Elsewhere a lock would keep readers out, too.
const LOCKS: bool = cfg!(unix);

/// The files of a checkpoint, by name.
pub type CheckpointFiles = Vec<(&'static str, Vec<u8>)>;

impl RunDirectory {
    /// The folder at a path, whether it exists or not.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        RunDirectory { path: path.into() }
    }

    /// Whether a run was ever started here.
    pub fn exists(&self) -> bool {
        self.file("plan.toml").exists()
    }

    /// Whether the run ended.
    pub fn done(&self) -> bool {
        self.file("done.json").exists()
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file of the run, whole or not at all.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.file(name);
        files::write(&path, bytes).map_err(Error::write(&path))
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_string_pretty(value).map_err(|e| Error::message(e.to_string()))?;
        text.push('\n');
        self.write(name, text.as_bytes())
    }

    /// Reads a file of the run.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.file(name);
        fs::read(&path).map_err(Error::read(&path))
    }

    /// Reads a JSON file of the run.
    ///
    /// # Errors
    /// If it cannot be read or is not what it should be.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let bytes = self.read(name)?;
        let wrong = |e| Error::message(format!("{} is damaged: {e}", self.file(name).display()));
        serde_json::from_slice(&bytes).map_err(wrong)
    }

    /// The step of every whole checkpoint, in order.
    pub fn checkpoints(&self) -> Vec<u64> {
        let folder = fs::read_dir(self.file("checkpoints")).into_iter().flatten().flatten();
        let step = |entry: fs::DirEntry| {
            let whole = entry.path().join("state.json").exists();
            let name = entry.file_name().to_string_lossy().into_owned();
            name.parse().ok().filter(|_| whole)
        };
        let mut steps: Vec<u64> = folder.filter_map(step).collect();
        steps.sort_unstable();
        steps
    }

    /// The folder of a checkpoint.
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.path.join("checkpoints").join(format!("{step:08}"))
    }

    /// One digest of the models saved after these steps; `None` if one of them is not there.
    pub fn checkpoints_digest(&self, steps: impl IntoIterator<Item = u64>) -> Option<String> {
        let mut hasher = blake3::Hasher::new();
        for step in steps {
            let state: State = self.read_json(&format!("checkpoints/{step:08}/state.json")).ok()?;
            let model = state.digests.get("model.safetensors")?;
            hasher.update(format!("{step} {model}\n").as_bytes());
        }
        Some(hasher.finalize().to_hex()[..32].to_string())
    }

    /// Saves a checkpoint: its folder appears whole, by one rename.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn save_checkpoint(&self, step: u64, tokens: u64, contents: &CheckpointFiles) -> Result<()> {
        let final_path = self.checkpoint(step);
        let folder = self.path.join("checkpoints");
        let save = || -> std::io::Result<()> {
            fs::create_dir_all(&folder)?;
            let temporary = folder.join(format!(".writing-{step:08}"));
            if temporary.exists() {
                fs::remove_dir_all(&temporary)?;
            }
            fs::create_dir(&temporary)?;
            let mut digests = BTreeMap::new();
            for (name, bytes) in contents {
                files::write(&temporary.join(name), bytes)?;
                digests.insert(name.to_string(), blake3::hash(bytes).to_hex().to_string());
            }
            let state = serde_json::to_vec(&State { step, tokens, digests })?;
            files::write(&temporary.join("state.json"), &state)?;
            if final_path.exists() {
                fs::remove_dir_all(&final_path)?;
            }
            fs::rename(&temporary, &final_path)?;
            files::sync_folder(&folder)
        };
        save().map_err(Error::write(&final_path))
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
        let folder = format!("checkpoints/{step:08}");
        let state: State = self.read_json(&format!("{folder}/state.json"))?;
        let bytes = self.read(&format!("{folder}/{name}"))?;
        let digest = blake3::hash(&bytes).to_hex().to_string();
        if state.digests.get(name) != Some(&digest) {
            let path = self.checkpoint(step).join(name);
            return Err(Error::message(format!("{} is damaged: it is not what was saved", path.display())));
        }
        Ok(bytes)
    }

    /// Opens `metrics.jsonl` to go on after a step: later lines are cut off.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn metrics_after(&self, step: u64) -> Result<MetricsFile> {
        let path = self.file("metrics.jsonl");
        let kept: Vec<u8> = match fs::read(&path) {
            Err(_) => Vec::new(),
            Ok(bytes) => {
                let line_step = |line: &&[u8]| serde_json::from_slice::<Metrics>(line).map(|m| m.step);
                let lines = bytes.split_inclusive(|b| *b == b'\n');
                lines.take_while(|line| line_step(line).is_ok_and(|s| s <= step)).flatten().copied().collect()
            }
        };
        if self.running() {
            let path = self.path.display();
            return Err(Error::message(format!("{path} is being trained by another process")));
        }
        files::write(&path, &kept).map_err(Error::write(&path))?;
        let file = fs::OpenOptions::new().append(true).open(&path).map_err(Error::write(&path))?;
        if LOCKS {
            // A disk that knows no locks is no reason not to train.
            let _ = file.try_lock();
        }
        Ok(MetricsFile { file, path })
    }

    /// Whether a process is training here, as far as the disk can tell: it holds `metrics.jsonl`.
    pub fn running(&self) -> bool {
        let Ok(file) = fs::File::open(self.file("metrics.jsonl")) else { return false };
        LOCKS && matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
    }

    /// The last whole line of `metrics.jsonl`.
    pub fn last_metrics(&self) -> Option<Metrics> {
        let bytes = fs::read(self.file("metrics.jsonl")).ok()?;
        bytes.rsplit(|b| *b == b'\n').find_map(|line| serde_json::from_slice(line).ok())
    }

    /// Everything a report may read.
    ///
    /// # Errors
    /// If the folder is not a run, or a file in it is damaged.
    pub fn record(&self) -> Result<Record> {
        if !self.exists() {
            let message = format!("{} is not a run: it has no plan.toml", self.path.display());
            return Err(Error::message(message));
        }
        let plan_text = String::from_utf8_lossy(&self.read("plan.toml")?).into_owned();
        let damaged = |e| Error::message(format!("{} is damaged: {e}", self.file("plan.toml").display()));
        let plan: toml::Table = toml::from_str(&plan_text).map_err(damaged)?;
        let mut analyses: Vec<Analysis> = Vec::new();
        let listed = plan.get("analyses").and_then(|a| a.as_array()).into_iter().flatten();
        for id in listed.filter_map(|a| a.get("id")?.as_str()) {
            let name = format!("analyses/{id}.json");
            if self.file(&name).exists() {
                analyses.push(self.read_json(&name)?);
            }
        }
        let optional = |name: &str| match self.file(name).exists() {
            true => self.read_json(name),
            false => Ok(serde_json::Value::Null),
        };
        let verdict: Option<Verdict> = match self.file("analyses/verdict.json").exists() {
            true => Some(self.read_json("analyses/verdict.json")?),
            false => None,
        };
        let name = plan.get("name").and_then(|n| n.as_str()).unwrap_or("run").to_string();
        let metrics = self.metrics()?;
        let (provenance, timings) = (optional("provenance.json")?, optional("done.json")?);
        Ok(Record { name, plan, metrics, analyses, verdict, provenance, timings })
    }

    /// `metrics.jsonl` as a table.
    ///
    /// # Errors
    /// If a line of it cannot be read.
    pub fn metrics(&self) -> Result<Table> {
        let columns = [
            ("step", "steps"),
            ("tokens", "tokens"),
            ("loss", "nats"),
            ("lr", ""),
            ("grad_norm", ""),
            ("validation_loss", "nats"),
        ];
        let mut table = Table::new("metrics", &columns);
        let bytes =
            if self.file("metrics.jsonl").exists() { self.read("metrics.jsonl")? } else { Vec::new() };
        for (i, line) in bytes.split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let wrong = |e| {
                let path = self.file("metrics.jsonl");
                Error::message(format!("{}:{}: not a line of metrics: {e}", path.display(), i + 1))
            };
            let m: Metrics = serde_json::from_slice(line).map_err(wrong)?;
            let validation = m.validation_loss.map_or(Cell::Missing(()), Cell::from);
            let cells = [m.step.into(), m.tokens.into(), m.loss.into(), m.lr.into(), m.grad_norm.into()];
            table.push(cells.into_iter().chain([validation]));
        }
        Ok(table)
    }
}

/// `metrics.jsonl`, open at its end.
#[derive(Debug)]
pub struct MetricsFile {
    file: fs::File,
    path: PathBuf,
}

impl MetricsFile {
    /// Appends a line.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn append(&mut self, metrics: &Metrics) -> Result<()> {
        let mut line = serde_json::to_vec(metrics).map_err(|e| Error::message(e.to_string()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(Error::write(&self.path))
    }

    /// Makes everything appended last through a power cut.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::write(&self.path))
    }
}

/// The runs in a folder, and in the folders in it (the members of a sweep), in the order of their names.
pub fn runs_in(folder: &Path) -> Vec<RunDirectory> {
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        found.sort();
        found
    };
    let mut runs = Vec::new();
    for path in folders(folder) {
        match RunDirectory::at(&path).exists() {
            true => runs.push(RunDirectory::at(path)),
            false => runs.extend(folders(&path).into_iter().map(RunDirectory::at).filter(|r| r.exists())),
        }
    }
    runs
}

/// The folder of a run given as a path to it or to a file in it.
pub fn run_of(path: &Path) -> RunDirectory {
    let is_file = path.is_file();
    RunDirectory::at(if is_file { path.parent().unwrap_or(path) } else { path })
}
