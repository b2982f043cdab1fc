//! Runs a plan's probes at checkpoints and gathers their tables.

use super::{Context, KINDS, Material, ProbeKind};
use crate::error::{Error, Result};
use crate::model::Subject;
use crate::plan::{AnalysisPlan, Plan};
use crate::random;
use crate::record::{Analysis, Table};
use std::collections::{BTreeMap, BTreeSet};

/// Looks at checkpoints, in any order, and makes analyses of what it saw.
pub struct Observer<'a> {
    plan: &'a Plan,
    material: &'a dyn Material,
    /// By step, then by analysis in the order of the plan.
    seen: BTreeMap<u64, Vec<Vec<Table>>>,
}

impl<'a> Observer<'a> {
    /// An observer that has seen nothing.
    pub fn new(plan: &'a Plan, material: &'a dyn Material) -> Self {
        Observer { plan, material, seen: BTreeMap::new() }
    }

    /// The steps it has seen.
    pub fn steps(&self) -> BTreeSet<u64> {
        self.seen.keys().copied().collect()
    }

    /// Runs every probe that is due at this step.
    ///
    /// # Errors
    /// If the device fails or a probe cannot be run; it names the analysis.
    pub fn observe(&mut self, step: u64, tokens: u64, subject: &dyn Subject) -> Result<()> {
        let last = step == self.plan.training.steps;
        let mut tables = Vec::with_capacity(self.plan.analyses.len());
        for analysis in &self.plan.analyses {
            let due = last || analysis.at == "every";
            tables.push(if due { self.measure(analysis, step, tokens, subject)? } else { Vec::new() });
        }
        self.seen.insert(step, tables);
        Ok(())
    }

    fn measure(
        &self,
        analysis: &AnalysisPlan,
        step: u64,
        tokens: u64,
        subject: &dyn Subject,
    ) -> Result<Vec<Table>> {
        let rng = random::stream(self.plan.seed, &format!("probe/{}", analysis.id), 0);
        let context =
            Context { subject, material: self.material, rng, config: &analysis.config, step, tokens };
        let explain = |e| Error::message(format!("the analysis `{}` failed: {e}", analysis.id));
        (find(&analysis.probe)?.measure)(&context).map_err(explain)
    }

    /// What was seen, as analyses: each table's rows in the order of the steps.
    ///
    /// # Errors
    /// If the plan names a probe that this version has not.
    pub fn analyses(&self) -> Result<Vec<Analysis>> {
        let analysis = |(i, planned): (usize, &AnalysisPlan)| {
            let mut tables: Vec<Table> = Vec::new();
            for table in self.seen.values().flat_map(|of_step| &of_step[i]) {
                match tables.iter_mut().find(|t| t.name == table.name) {
                    Some(whole) => whole.rows.extend(table.rows.iter().cloned()),
                    None => tables.push(table.clone()),
                }
            }
            let kind = find(&planned.probe)?;
            if let Some(finish) = kind.finish {
                tables = finish(tables);
            }
            Ok(Analysis {
                format: 1,
                probe: planned.probe.clone(),
                id: planned.id.clone(),
                definition: kind.kind.doc.to_string(),
                parameters: planned.config.clone(),
                version: kind.version,
                measured_on: String::new(),
                tables,
            })
        };
        self.plan.analyses.iter().enumerate().map(analysis).collect()
    }
}

fn find(name: &str) -> Result<&'static ProbeKind> {
    let found = KINDS.iter().copied().find(|k| k.kind.name == name);
    found.ok_or_else(|| Error::message(format!("there is no probe {name:?} in this version")))
}
