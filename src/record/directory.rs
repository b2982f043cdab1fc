//! The run directory on disk: what is written where, and reading it back.

use super::{Analysis, Record, Verdict, digests, lock};
use crate::error::{Error, Result};
use crate::files;
use serde::{Serialize, de::DeserializeOwned};
use std::fs;
use std::path::{Path, PathBuf};

/// A run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDirectory {
    /// Where it is.
    pub path: PathBuf,
}

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

    /// Whether there is anything in the folder that no run has left there: one that was killed at its very beginning
    /// leaves what comes before its plan.
    pub fn foreign(&self) -> bool {
        let other = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            ![lock::NAME, digests::NAME].contains(&name.as_str()) && !name.starts_with(files::UNFINISHED)
        };
        !self.exists() && fs::read_dir(&self.path).into_iter().flatten().flatten().any(other)
    }

    /// Removes what a process that was killed was writing.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn tidy(&self) -> Result<()> {
        let folders = ["", "analyses", "checkpoints"];
        folders
            .iter()
            .try_for_each(|folder| files::tidy(&self.path.join(folder)).map_err(Error::write(&self.path)))
    }

    /// Removes all there is in the folder, but for the lock. Who is killed meanwhile leaves a run that is not done, or
    /// none: a folder is there or not, and the plan, which makes it a run, goes last.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn clear(&self) -> Result<()> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| name != lock::NAME);
        names.sort_by_key(|name| match name.as_str() {
            "done.json" => 0,
            "plan.toml" => 2,
            _ => 1,
        });
        for name in names {
            let (path, gone) = (self.file(&name), self.file(&format!("{}{name}", files::UNFINISHED)));
            match path.is_dir() && !name.starts_with(files::UNFINISHED) {
                true => {
                    fs::rename(&path, &gone).map_err(Error::write(&path))?;
                    remove(&gone)?;
                }
                false => remove(&path)?,
            }
        }
        Ok(())
    }

    /// Removes the word that the run ended.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn begin_again(&self) -> Result<()> {
        remove(&self.file("done.json"))?;
        self.forget("done.json")
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file of the run, whole or not at all; what it should be is kept in `digests.json`.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.file(name);
        let digest = digests::of(bytes);
        self.expect(name, &digest)?;
        files::write(&path, bytes).map_err(Error::write(&path))?;
        self.settle(name, &digest)
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
    /// If it cannot be read, or is not what was written.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.file(name);
        let bytes = fs::read(&path).map_err(Error::read(&path))?;
        self.verify(name, &bytes)?;
        Ok(bytes)
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
        // A plan from elsewhere does not lead out of the folder.
        let inside = |id: &&str| !id.contains(['/', '\\']) && !id.starts_with('.');
        for id in listed.filter_map(|a| a.get("id")?.as_str()).filter(inside) {
            let name = format!("analyses/{id}.json");
            if self.file(&name).exists() {
                analyses.push(self.read_json(&name)?);
            }
        }
        let optional = |name: &str| match self.file(name).exists() {
            true => self.read_json(name),
            // One that is being written may not have it yet.
            false if self.done() && self.expects(name)? => Err(Error::message(format!(
                "{} is not there any more; if it was meant to go, remove {}, and the run is taken as it is",
                self.file(name).display(),
                self.file(digests::NAME).display()
            ))),
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
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(Error::write(path))
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
