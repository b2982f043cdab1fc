//! The processes of a sweep's members: starting, signals, how each ended.

use super::Member;
use crate::cli::run::{Arguments, command_line};
use crate::cli::{Failure, Outcome, compare, console, signals};
use crate::error::{Error, Result};
use crate::record::RunDirectory;
use std::io::{Read, Seek};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How a member ended.
pub enum End {
    /// Well.
    Done,
    /// With a failure, which was said.
    Failed,
    /// With its state saved.
    Interrupted,
}

/// Starts members, and keeps how they ended.
pub struct Runner<'a> {
    arguments: &'a Arguments,
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

impl<'a> Runner<'a> {
    /// Nothing started yet.
    pub fn new(arguments: &'a Arguments, total: usize) -> Self {
        // Each is passed on to the members that run.
        signals::listen(|_| {});
        let ends = (0..total).map(|_| None).collect();
        Runner { arguments, ends, total }
    }

    /// Notes how a member ended.
    pub fn end(&mut self, index: usize, end: End) {
        self.ends[index] = Some(end);
    }

    /// A member in a line.
    pub fn title(&self, index: usize, member: &Member) -> String {
        format!("[{}/{}] {}", index + 1, self.total, member.label)
    }

    /// Runs these, as many at once as wished.
    ///
    /// # Errors
    /// If a process cannot be started or waited for.
    pub fn all(&mut self, waiting: Vec<(usize, &Member)>) -> Result<()> {
        let mut waiting = waiting.into_iter();
        let mut running: Vec<Running> = Vec::new();
        let mut passed_on = 0;
        loop {
            let ended = signals::ends();
            while ended == 0 && running.len() < self.arguments.jobs() {
                let Some((index, member)) = waiting.next() else { break };
                running.push(self.start(index, member)?);
            }
            if running.is_empty() {
                return Ok(());
            }
            if ended > passed_on {
                passed_on = ended;
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
            Some(130 | 143) => End::Interrupted,
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
        self.end(member.index, end);
    }

    /// The comparison of what is done, and what is not.
    pub fn finish(self, members: &[Member], name: &str) -> Outcome {
        let of = |wanted: fn(&Option<End>) -> bool| {
            let chosen = members.iter().zip(&self.ends).filter(move |(_, end)| wanted(end));
            chosen.map(|(member, _)| member).collect::<Vec<_>>()
        };
        let done = of(|end| matches!(end, Some(End::Done)));
        let failed = of(|end| matches!(end, Some(End::Failed)));
        let mut paths: Vec<PathBuf> =
            done.iter().map(|member| self.arguments.runs.join(&member.ready.plan.name)).collect();
        compare::in_order(&mut paths);
        let runs: Vec<RunDirectory> = paths.into_iter().map(RunDirectory::at).collect();
        if !runs.is_empty() {
            let path = compare::write(&runs, name, &self.arguments.reports.join(name))?;
            console::out(&format!("{}\n", path.display()));
        }
        if signals::ends() > 0 {
            let (done, total) = (done.len(), self.total);
            return Err(Failure::Interrupted(format!(
                "interrupted: {done} of {total} members are done, and what was begun is saved\n\
                 go on with: {} --resume",
                command_line()
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
