//! Measuring saved checkpoints, and knowing when that was done already.

use super::{Failure, Outcome, console, device, progress};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::files::cache_folder;
use crate::plan::{AnalysisPlan, Plan};
use crate::probes::{Observer, check_texts, verdict, version};
use crate::record::{Analysis, RunDirectory};
use crate::spec::Findings;

/// The analyses that a plan asks for, of a run's saved checkpoints, written into `view`: the run
/// itself, or a folder of it for other analyses than its own.
pub struct Measuring<'a> {
    /// The run.
    pub run: &'a RunDirectory,
    /// Where the analyses are, and go.
    pub view: &'a RunDirectory,
    /// What is asked for.
    pub plan: &'a Plan,
    /// Where its texts were written, to be checked once the tokenizer is there.
    pub findings: Option<&'a Findings>,
    /// Whether to measure what is known as well.
    pub recompute: bool,
    /// Whether what was measured by another version, or on other checkpoints, will do where it
    /// cannot be measured again.
    pub lenient: bool,
}

impl Measuring<'_> {
    /// Measures what is not known, and judges all of it.
    ///
    /// # Errors
    /// If something has to be measured and cannot be: the dataset is not here, a text does not fit.
    pub fn bring_up_to_date(&self) -> Outcome {
        let known: Vec<Option<Analysis>> = self.plan.analyses.iter().map(|a| self.known(a)).collect();
        if known.iter().all(Option::is_some) && self.view.file("analyses/verdict.json").exists() {
            return Ok(());
        }
        let missing: Vec<AnalysisPlan> = self
            .plan
            .analyses
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(a, _)| a.clone())
            .collect();
        let mut measured = match self.measure(missing) {
            Ok(measured) => measured,
            Err(Failure::World(error)) if self.lenient && self.has_all() => {
                console::note(&format!(
                    "warning: some analyses are of another version or other checkpoints, and cannot be \
                     measured again: {error}"
                ));
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        let all = known.into_iter().map(|known| match known {
            Some(known) => known,
            None => measured.remove(0),
        });
        Ok(write(self.plan, self.run, self.view, all.collect())?)
    }

    /// What was measured already, by this version of the probe, with these parameters, on these
    /// checkpoints; where no checkpoint was kept, whatever was measured.
    fn known(&self, planned: &AnalysisPlan) -> Option<Analysis> {
        if self.recompute {
            return None;
        }
        let name = format!("analyses/{}.json", planned.id);
        let good = |analysis: &Analysis| {
            let same = analysis.probe == planned.probe
                && analysis.parameters == planned.config
                && Some(analysis.version) == version(&planned.probe);
            same && (self.run.checkpoints().is_empty() || analysis.measured_on == self.due(planned))
        };
        let read = |from: &RunDirectory| from.read_json::<Analysis>(&name).ok().filter(good);
        read(self.view).or_else(|| read(self.run))
    }

    fn due(&self, planned: &AnalysisPlan) -> String {
        due(self.plan, self.run, &planned.at)
    }

    fn has_all(&self) -> bool {
        let there = |a: &AnalysisPlan| self.view.file(&format!("analyses/{}.json", a.id)).exists();
        self.plan.analyses.iter().all(there) && self.view.file("analyses/verdict.json").exists()
    }

    fn measure(&self, analyses: Vec<AnalysisPlan>) -> std::result::Result<Vec<Analysis>, Failure> {
        if analyses.is_empty() {
            return Ok(Vec::new());
        }
        let plan = &Plan { analyses, ..self.plan.clone() };
        let mut preparing = progress::Preparing::new(false);
        let opened = Dataset::open(plan, &cache_folder(), &mut |event| preparing.show(event));
        preparing.finish();
        let dataset = opened?;
        if let Some(findings) = self.findings {
            let mut found = findings.clone();
            check_texts(self.plan, dataset.tokenizer(), &mut found);
            if found.failed() {
                return Err(super::planning::refuse(&found));
            }
        }
        if dataset.tokenizer().json() != self.run.read("tokenizer.json")? {
            return Err(Failure::World(Error::message(format!(
                "the dataset now gives another tokenizer than the run's {}: its checkpoints cannot be probed with it",
                self.run.file("tokenizer.json").display()
            ))));
        }
        let mut observer = Observer::new(plan, &dataset);
        for step in saved(plan, self.run)? {
            let subject = device::load(plan, self.run, step)?;
            observer.observe(step, plan.tokens_at(step), &*subject)?;
        }
        Ok(observer.analyses()?)
    }
}

/// The planned checkpoints that were saved.
fn saved(plan: &Plan, run: &RunDirectory) -> Result<Vec<u64>> {
    let planned = crate::training::checkpoint_steps(plan)?;
    Ok(run.checkpoints().into_iter().filter(|step| planned.contains(step)).collect())
}

/// The digest of the checkpoints on which an analysis is due.
fn due(plan: &Plan, run: &RunDirectory, at: &str) -> String {
    let steps = saved(plan, run).unwrap_or_default();
    let steps = steps.into_iter().filter(|step| at == "every" || *step == plan.training.steps);
    run.checkpoints_digest(steps).unwrap_or_default()
}

/// Writes what was observed in a run, and the verdict on it.
pub fn write_observed(plan: &Plan, run: &RunDirectory, observer: &Observer<'_>) -> Result<()> {
    write(plan, run, run, observer.analyses()?)
}

/// Writes analyses and the verdict on them into a view of a run. Analyses the plan does not have
/// are removed from it.
fn write(plan: &Plan, run: &RunDirectory, view: &RunDirectory, mut analyses: Vec<Analysis>) -> Result<()> {
    for (analysis, planned) in analyses.iter_mut().zip(&plan.analyses) {
        analysis.measured_on = due(plan, run, &planned.at);
        view.write_json(&format!("analyses/{}.json", analysis.id), analysis)?;
    }
    for entry in view.file("analyses").read_dir().into_iter().flatten().flatten() {
        let stem = entry.path().file_stem().map(|s| s.to_string_lossy().into_owned());
        let known = stem.is_some_and(|s| s == "verdict" || analyses.iter().any(|a| a.id == s));
        if !known {
            std::fs::remove_file(entry.path()).map_err(Error::write(&entry.path()))?;
        }
    }
    let verdict = verdict::verdict(&analyses, &plan.verdict, plan.training.steps);
    view.write_json("analyses/verdict.json", &verdict)
}
