//! The members of a sweep, one after another or several at once, each in a process of its own.

use super::planning::{Ready, refuse, resolve, warn};
use super::run::{Arguments, other_plan};
use super::{Failure, Outcome, compare, console, progress};
use crate::dataset::{self, Dataset};
use crate::error::{Error, Result};
use crate::files::cache_folder;
use crate::plan::{Chosen, Plan, Planned};
use crate::probes::check_texts;
use crate::record::RunDirectory;
use crate::spec::{Findings, Spec};
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
    let mut all = spec.findings.clone();
    let mut members = Vec::new();
    for (index, member) in spec.members().into_iter().enumerate() {
        let Planned { plan, findings } = resolve(member.spec, path);
        gather(&mut all, &findings);
        let Some(mut plan) = plan else { continue };
        let sweep = std::mem::take(&mut plan.name);
        plan.name = format!("{sweep}/{}", member.label);
        let path = path.display();
        let head = format!("# Member {index} of the sweep {path}: {}\n\n", member.label.replace(',', ", "));
        let bytes = (head + &plan.to_toml(None)).into_bytes();
        members.push(Member { label: member.label, ready: Ready { plan, findings, bytes } });
    }
    if all.failed() {
        return Err(refuse(&all));
    }
    warn(&all);
    Ok(members)
}

/// Adds what is not yet known.
fn gather(all: &mut Findings, more: &Findings) {
    for diagnostic in &more.diagnostics {
        if !all.diagnostics.contains(diagnostic) {
            all.diagnostics.push(diagnostic.clone());
        }
    }
}

/// Whether the texts of every member fit; each tokenizer is made ready once.
pub fn check_members(members: &[Member], quiet: bool) -> Outcome {
    let mut opened: Vec<&Plan> = Vec::new();
    let mut all: Option<Findings> = None;
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
        match &mut all {
            Some(all) => gather(all, &findings),
            None => all = Some(findings),
        }
        opened.push(plan);
    }
    match all {
        Some(findings) if findings.failed() => Err(refuse(&findings)),
        _ => Ok(()),
    }
}

/// How a member ended.
enum End {
    Done,
    Failed,
    Interrupted,
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
    check_members(&members, arguments.quiet)?;
    let mut runner = Runner { arguments, signals: watch_signals(), ends: Vec::new(), total: members.len() };
    let mut waiting = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let run = RunDirectory::at(arguments.runs.join(&member.ready.plan.name));
        runner.ends.push(None);
        if !run.done() || arguments.overwrite {
            waiting.push((index, member));
        } else if let Some(table) = other_plan(&run, &member.ready.plan)? {
            let path = run.path.display();
            console::note(&format!("error: {path} is there already, from another plan\n\n{table}"));
            runner.ends[index] = Some(End::Failed);
        } else {
            console::note(&format!("{}: done already", runner.title(index, member)));
            runner.ends[index] = Some(End::Done);
        }
    }
    if arguments.jobs() > 1 {
        prepare(&waiting, arguments.quiet)?;
    }
    runner.all(waiting)?;
    runner.finish(&members, &name)
}

/// What all members' names begin with.
pub fn sweep_name(members: &[Member]) -> String {
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

/// Counts Ctrl-C and SIGTERM; each is passed on to the members that run.
fn watch_signals() -> &'static AtomicUsize {
    static SIGNALS: AtomicUsize = AtomicUsize::new(0);
    let handler = || {
        SIGNALS.fetch_add(1, Ordering::SeqCst);
    };
    if ctrlc::set_handler(handler).is_err() {
        console::note("warning: Ctrl-C will not save");
    }
    &SIGNALS
}

struct Runner<'a> {
    arguments: &'a Arguments,
    signals: &'static AtomicUsize,
    ends: Vec<Option<End>>,
    total: usize,
}

/// A member at work, and what it says.
struct Running {
    index: usize,
    title: String,
    child: Child,
    out: std::fs::File,
    errors: Option<std::fs::File>,
}

impl Runner<'_> {
    fn title(&self, index: usize, member: &Member) -> String {
        format!("[{}/{}] {}", index + 1, self.total, member.label)
    }

    fn all(&mut self, waiting: Vec<(usize, &Member)>) -> Result<()> {
        let mut waiting = waiting.into_iter();
        let mut running: Vec<Running> = Vec::new();
        let mut passed_on = 0;
        loop {
            let signals = self.signals.load(Ordering::SeqCst);
            while signals == 0 && running.len() < self.arguments.jobs() {
                let Some((index, member)) = waiting.next() else { break };
                running.push(self.start(index, member)?);
            }
            if running.is_empty() {
                return Ok(());
            }
            if signals > passed_on {
                passed_on = signals;
                running.iter().for_each(|member| interrupt(&member.child));
            }
            let mut still = Vec::new();
            for mut member in running {
                match member.child.try_wait().map_err(|e| Error::message(format!("cannot wait: {e}")))? {
                    Some(status) => self.ended(member, status),
                    None => still.push(member),
                }
            }
            running = still;
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn start(&self, index: usize, member: &Member) -> Result<Running> {
        let failed = |e: std::io::Error| Error::message(format!("cannot start a member: {e}"));
        let Arguments { spec, sets, name, runs, reports, device, resume, overwrite, quiet, form, .. } =
            self.arguments;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("run").args(spec).arg("--member").arg(index.to_string());
        command.arg("--runs").arg(runs).arg("--reports").arg(reports);
        command.args(sets.iter().flat_map(|set| ["--set", set]));
        command.args(name.iter().flat_map(|name| ["--name", name]));
        command.args(device.iter().flat_map(|device| ["--device", device]));
        command.args(form.templates.iter().flat_map(|folder| ["--templates".as_ref(), folder.as_os_str()]));
        command.args(form.html.then_some("--html"));
        let run = RunDirectory::at(runs.join(&member.ready.plan.name));
        command.args((*resume && run.exists()).then_some("--resume"));
        command.args(overwrite.then_some("--overwrite"));
        let together = self.arguments.jobs() > 1;
        command.args((*quiet || together).then_some("--quiet"));
        // A signal from the terminal reaches this process alone, which passes it on once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let out = tempfile::tempfile().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(out.try_clone().map_err(failed)?);
        let mut errors = None;
        if together {
            let file = tempfile::tempfile().map_err(failed)?;
            command.stderr(file.try_clone().map_err(failed)?);
            errors = Some(file);
        }
        let title = self.title(index, member);
        if !quiet {
            console::note(&title);
        }
        Ok(Running { index, title, child: command.spawn().map_err(failed)?, out, errors })
    }

    fn ended(&mut self, mut member: Running, status: ExitStatus) {
        let end = match status.code() {
            Some(0) => End::Done,
            Some(130) => End::Interrupted,
            _ => End::Failed,
        };
        let errors = member.errors.as_mut().map(whole).unwrap_or_default();
        let words = match end {
            End::Done => "",
            End::Failed => " failed",
            End::Interrupted => " was interrupted",
        };
        if !words.is_empty() || !errors.is_empty() {
            console::note(&format!("{}{words}\n{errors}", member.title));
        }
        if let End::Done = end {
            console::out(&format!("{}\n{}", member.title, whole(&mut member.out)));
        }
        self.ends[member.index] = Some(end);
    }

    /// The comparison of what is done, and what is not.
    fn finish(self, members: &[Member], name: &str) -> Outcome {
        let of = |wanted: fn(&Option<End>) -> bool| {
            let chosen = members.iter().zip(&self.ends).filter(move |(_, end)| wanted(end));
            chosen.map(|(member, _)| member).collect::<Vec<_>>()
        };
        let done = of(|end| matches!(end, Some(End::Done)));
        let failed = of(|end| matches!(end, Some(End::Failed)));
        let runs: Vec<RunDirectory> =
            done.iter().map(|m| RunDirectory::at(self.arguments.runs.join(&m.ready.plan.name))).collect();
        if !runs.is_empty() {
            let path = compare::write(&runs, name, &self.arguments.reports.join(name))?;
            console::out(&format!("{}\n", path.display()));
        }
        if self.signals.load(Ordering::SeqCst) > 0 {
            let (done, total) = (done.len(), self.total);
            return Err(Failure::Interrupted(format!(
                "interrupted: {done} of {total} members are done, and what was begun is saved\n\
                 go on with: {} --resume",
                super::run::command_line()
            )));
        }
        if failed.is_empty() {
            return Ok(());
        }
        let labels: Vec<&str> = failed.iter().map(|m| m.label.as_str()).collect();
        let (failed, total) = (failed.len(), self.total);
        let words = format!("{failed} of {total} members failed: {}", labels.join("  "));
        Err(Failure::World(Error::message(words)))
    }
}

/// As Ctrl-C would.
fn interrupt(child: &Child) {
    if cfg!(unix) {
        let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    }
}

/// All that was written to a file by somebody else.
fn whole(file: &mut std::fs::File) -> String {
    let mut bytes = Vec::new();
    let _ = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}
