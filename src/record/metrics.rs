//! `metrics.jsonl`: a line a step, grown step by step and cut back where a run goes on from a checkpoint.

use super::RunDirectory;
use super::table::{Cell, Table};
use crate::error::{Error, Result};
use crate::files;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;

const NAME: &str = "metrics.jsonl";

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

/// `metrics.jsonl`, open at its end.
#[derive(Debug)]
pub struct MetricsFile {
    file: fs::File,
    path: PathBuf,
    written: blake3::Hasher,
}

impl MetricsFile {
    /// Appends a line.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn append(&mut self, metrics: &Metrics) -> Result<()> {
        let mut line = serde_json::to_vec(metrics).map_err(|e| Error::message(e.to_string()))?;
        line.push(b'\n');
        self.written.update(&line);
        files::append(&mut self.file, &line).map_err(Error::write(&self.path))
    }

    /// Makes everything appended last through a power cut; the digest of all of it.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn sync(&self) -> Result<String> {
        files::sync(&self.file).map_err(Error::write(&self.path))?;
        Ok(self.written.finalize().to_hex().to_string())
    }
}

impl RunDirectory {
    /// The lines that are whole, in order, each with its step; nothing after one that is not.
    fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
        bytes.split_inclusive(|b| *b == b'\n').map_while(|line| {
            let metrics = serde_json::from_slice::<Metrics>(line).ok().filter(|_| line.ends_with(b"\n"));
            metrics.map(|metrics| (metrics.step, line))
        })
    }

    /// The digest of the lines up to each of these steps, which are in order.
    pub(super) fn metrics_digests(&self, steps: &[u64]) -> Vec<String> {
        let bytes = fs::read(self.file(NAME)).unwrap_or_default();
        let mut lines = Self::whole_lines(&bytes).peekable();
        let mut written = blake3::Hasher::new();
        let digest = |until: &u64| {
            while let Some((_, line)) = lines.next_if(|(step, _)| step <= until) {
                written.update(line);
            }
            written.finalize().to_hex().to_string()
        };
        steps.iter().map(digest).collect()
    }

    /// Opens `metrics.jsonl` to go on after a step: later lines are cut off.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn metrics_after(&self, step: u64) -> Result<MetricsFile> {
        let path = self.file(NAME);
        let bytes = fs::read(&path).unwrap_or_default();
        let lines = Self::whole_lines(&bytes).take_while(|(of, _)| *of <= step);
        let kept: Vec<u8> = lines.flat_map(|(_, line)| line).copied().collect();
        self.forget(NAME)?;
        files::write(&path, &kept).map_err(Error::write(&path))?;
        let file = fs::OpenOptions::new().append(true).open(&path).map_err(Error::write(&path))?;
        let mut written = blake3::Hasher::new();
        written.update(&kept);
        Ok(MetricsFile { file, path, written })
    }

    /// The last whole line of `metrics.jsonl`.
    pub fn last_metrics(&self) -> Option<Metrics> {
        let bytes = fs::read(self.file(NAME)).ok()?;
        bytes.rsplit(|b| *b == b'\n').find_map(|line| serde_json::from_slice(line).ok())
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
        let bytes = if self.file(NAME).exists() { self.read(NAME)? } else { Vec::new() };
        for (i, line) in bytes.split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let wrong = |e| {
                let path = self.file(NAME);
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
