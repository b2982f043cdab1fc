//! The commands. Only they print: data to stdout, progress and warnings to stderr.

mod analyses;
mod bench;
mod check;
mod clock;
mod compare;
mod console;
mod device;
mod diff;
mod inspect;
mod kinds;
mod list;
mod manual;
mod memory;
mod plan;
mod planning;
mod printed;
mod progress;
mod provenance;
mod report;
mod resuming;
mod run;
mod sweep;
mod schema;
mod signals;
mod tokenize;
mod watcher;

use crate::error::Error;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Watch induction heads form: one TOML file in, a trained transformer, its probes and a report out.
#[derive(Debug, Parser)]
#[command(name = "indhead", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plan, train, probe and report an experiment
    Run(Box<run::Arguments>),
    /// Render a run's report again, from its directory
    Report(report::Arguments),
    /// Say what is wrong with specs, without running them
    Check(check::Arguments),
    /// Tokens, losses and attention patterns of any text
    Inspect(inspect::Arguments),
    /// Say what differs between specs or runs
    Diff(diff::Arguments),
    /// Time a spec's training steps, and say where the time goes
    Bench(bench::Arguments),
    /// One report over many runs: curves, verdicts, what differs
    Compare(compare::Arguments),
    /// What a spec comes to: every value with its origin, parameters, checkpoints
    Plan(plan::Arguments),
    /// Make a spec's token store ahead, or find it, and say what is in it
    Tokenize(tokenize::Arguments),
    /// What can be written in a spec: every kind, with its keys and an example
    Kinds(kinds::Arguments),
    /// The language as a JSON Schema, for editors
    Schema,
    /// The runs of a folder, and how far each has come
    List(list::Arguments),
    /// Completions of the command line, for a shell
    Completions(manual::Completions),
    /// A page of the manual, for `man`
    Man(manual::Man),
}

/// Why a command did not end well; each has its exit code.
#[derive(Debug)]
pub enum Failure {
    /// The world failed: a file, the device, the disk. Exit code 1.
    World(Error),
    /// The spec or the command line is wrong, said in full. Exit code 2.
    Usage(String),
    /// Interrupted, the state saved, with the command that goes on. Exit code 130 after Ctrl-C, 143 after SIGTERM.
    Interrupted(String),
    /// `diff` found differences. Exit code 1, nothing more to say.
    Different,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::World(error)
    }
}

impl Failure {
    /// Says it; its exit code.
    fn tell(self) -> u8 {
        let (code, words) = match self {
            Failure::Different => (1, String::new()),
            Failure::World(error) => (1, format!("error: {error}")),
            Failure::Usage(words) => (2, words),
            Failure::Interrupted(words) => (signals::exit_code(), words),
        };
        if !words.is_empty() {
            console::note(&words);
        }
        code
    }
}

/// The result of a command.
pub type Outcome = Result<(), Failure>;

/// Reads the command line, runs the command, and says how it went.
pub fn main() -> ExitCode {
    // The main thread is one of those that work: it need not be woken after each operation. Without it, too, all goes
    // well.
    let _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
    #[cfg(feature = "cuda")]
    device::tell_of_failing_cards();
    let outcome = match Arguments::parse().command {
        Command::Run(arguments) => run::run(*arguments),
        Command::Report(arguments) => report::report(arguments),
        Command::Check(arguments) => check::check(arguments),
        Command::Inspect(arguments) => inspect::inspect(arguments),
        Command::Diff(arguments) => diff::diff(arguments),
        Command::Bench(arguments) => bench::bench(arguments),
        Command::Compare(arguments) => compare::compare(arguments),
        Command::Plan(arguments) => plan::plan(arguments),
        Command::Tokenize(arguments) => tokenize::tokenize(arguments),
        Command::Kinds(arguments) => kinds::kinds(arguments),
        Command::Schema => schema::schema(),
        Command::List(arguments) => list::list(arguments),
        Command::Completions(arguments) => manual::completions(arguments),
        Command::Man(arguments) => manual::man(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure.tell()),
    }
}
