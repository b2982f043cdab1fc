//! The members of a sweep, one after another or several at once, each in a process of its own.

mod runner;

use super::planning::{Ready, refuse, resolve, warn};
use super::resuming::{Fit, fit};
use super::run::{Arguments, tell};
use super::{Failure, Outcome, console, memory, progress};
use crate::dataset::{self, Dataset};
use crate::error::Result;
use crate::files::cache_folder;
use crate::plan::{Chosen, Plan, Planned};
use crate::probes::check_texts;
use crate::record::RunDirectory;
use crate::spec::{Diagnostic, Findings, Span, Spec};
use runner::{End, Runner};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

/// One run of a sweep, ready to go.
pub struct Member {
    /// Its values, as its folder is named.
    pub label: String,
    /// Its plan, and a spec that gives it.
    pub ready: Ready,
}

/// Plans every member of a sweep; warnings are printed.
///
/// # Errors
/// Every mistake in any of them, each once, rendered.
pub fn plan_members(spec: &Spec, path: &Path) -> std::result::Result<Vec<Member>, Failure> {
    let (members, findings) = members(spec, path);
    if findings.failed() {
        return Err(refuse(&findings));
    }
    warn(&findings);
    Ok(members)
}

/// Plans every member of a sweep; those that can be, and what there is to say of all of them, each thing once.
pub fn members(spec: &Spec, path: &Path) -> (Vec<Member>, Findings) {
    let mut all = spec.findings.clone();
    let mut members = Vec::new();
    let mut known: HashMap<String, (String, Vec<Span>)> = HashMap::new();
    let mut twice = None;
    for (index, member) in spec.members().into_iter().enumerate() {
        let Planned { plan, findings } = resolve(member.spec, path);
        gather(&mut all, &findings);
        let Some(mut plan) = plan else { continue };
        let sweep = std::mem::take(&mut plan.name);
        let this = (member.label.clone(), member.values);
        match known.entry(plan.to_toml(None)) {
            Entry::Occupied(first) => twice = twice.or_else(|| same(first.get(), &this)),
            Entry::Vacant(free) => {
                free.insert(this);
            }
        }
        plan.name = format!("{sweep}/{}", member.label);
        let path = path.display();
        let head = format!("# Member {index} of the sweep {path}: {}\n\n", member.label.replace(',', ", "));
        let bytes = (head + &plan.to_toml(None)).into_bytes();
        members.push(Member { label: member.label, ready: Ready { plan, findings, bytes } });
    }
    all.diagnostics.extend(twice);
    (members, all)
}

/// Two members, each with its label and where its values stand, that plan the same run.
fn same(first: &(String, Vec<Span>), second: &(String, Vec<Span>)) -> Option<Diagnostic> {
    let (was, is) = first.1.iter().zip(&second.1).find(|(was, is)| was != is)?;
    let message = format!("`{}` plans the same run as `{}`", second.0, first.0);
    let diagnostic =
        Diagnostic::error("sweep", is.clone(), message).related(Some(was.clone()), "the first time");
    Some(diagnostic.help("keep one of them, or sweep over a key that makes them differ"))
}

/// Adds what is not yet known.
fn gather(all: &mut Findings, more: &Findings) {
    for diagnostic in &more.diagnostics {
        if !all.diagnostics.contains(diagnostic) {
            all.diagnostics.push(diagnostic.clone());
        }
    }
}

/// Reports texts of members that do not fit; each tokenizer is made ready once.
///
/// # Errors
/// If a tokenizer cannot be had.
pub fn check_members(members: &[Member], quiet: bool, all: &mut Findings) -> Result<()> {
    let mut opened: Vec<&Plan> = Vec::new();
    for Member { ready, .. } in members {
        let plan = &ready.plan;
        let known = opened.iter().any(|other| reads(other) == reads(plan) && other.analyses == plan.analyses);
        if known || !plan.analyses.iter().any(|a| a.config.contains_key("text")) {
            continue;
        }
        let mut preparing = progress::Preparing::new(quiet);
        let tokenizer = dataset::open_tokenizer(plan, &cache_folder(), &mut |event| preparing.show(event));
        preparing.finish();
        let mut findings = ready.findings.clone();
        check_texts(plan, &tokenizer?, &mut findings);
        gather(all, &findings);
        opened.push(plan);
    }
    Ok(())
}

/// Runs every member that is not done, and compares them.
pub fn run(arguments: &Arguments, spec: &Spec, path: &Path) -> Outcome {
    let members = plan_members(spec, path)?;
    let name = sweep_name(&members);
    let folder = arguments.runs.join(&name);
    if RunDirectory::at(&folder).exists() {
        let folder = folder.display();
        let words = format!("error: {folder} is a run\nhelp: give the sweep another name with `--name`");
        return Err(Failure::Usage(words));
    }
    let mut findings = spec.findings.clone();
    check_members(&members, arguments.quiet, &mut findings)?;
    if findings.failed() {
        return Err(refuse(&findings));
    }
    members.iter().try_for_each(|member| memory::check(&member.ready.plan, arguments.jobs()))?;
    let mut runner = Runner::new(arguments, members.len());
    let mut waiting = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let run = RunDirectory::at(arguments.runs.join(&member.ready.plan.name));
        if !run.done() || arguments.overwrite {
            waiting.push((index, member));
        } else if let Fit::Compatible(table) | Fit::Other(table) = fit(&run, &member.ready.plan, false)? {
            let path = run.path.display();
            console::note(&format!("error: {path} is there already, from another plan\n\n{table}"));
            runner.end(index, End::Failed);
        } else {
            console::note(&format!("{}: done already", runner.title(index, member)));
            if arguments.form.asks() {
                tell(arguments, &run)?;
            }
            runner.end(index, End::Done);
        }
    }
    if arguments.jobs() > 1 {
        prepare(&waiting, arguments.quiet)?;
    }
    runner.all(waiting)?;
    runner.finish(&members, &name)
}

/// What all members' names begin with.
fn sweep_name(members: &[Member]) -> String {
    let first = members.first().map(|m| m.ready.plan.name.as_str()).unwrap_or_default();
    first.rsplit_once('/').map_or("sweep", |(name, _)| name).to_string()
}

/// What decides the tokens that a plan reads.
fn reads(plan: &Plan) -> (u64, usize, &Chosen, &Chosen) {
    (plan.seed, plan.architecture.n_ctx, &plan.tokenizer, &plan.dataset)
}

/// Makes every dataset ready once, so that members that start together need not each do it.
fn prepare(waiting: &[(usize, &Member)], quiet: bool) -> Result<()> {
    let mut ready: Vec<&Plan> = Vec::new();
    for plan in waiting.iter().map(|(_, member)| &member.ready.plan) {
        if ready.iter().any(|other| reads(other) == reads(plan)) {
            continue;
        }
        let mut preparing = progress::Preparing::new(quiet);
        let opened = Dataset::open(plan, &cache_folder(), &mut |event| preparing.show(event));
        preparing.finish();
        opened?;
        ready.push(plan);
    }
    Ok(())
}
