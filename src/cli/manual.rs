//! `indhead completions` and `indhead man`: what the command line can do, for shells and for `man`.

use super::{Failure, Outcome, console};
use crate::error::Error;
use crate::spec::nearest;
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::PathBuf;

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// A command; without one, the program
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Option<String>,
    /// Write the page of every command to this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints a shell's completions.
pub fn completions(arguments: Completions) -> Outcome {
    let mut bytes = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "indhead", &mut bytes);
    console::out(&String::from_utf8_lossy(&bytes));
    Ok(())
}

/// Prints a page, or writes all of them.
pub fn man(arguments: Man) -> Outcome {
    let mut program = super::Arguments::command();
    program.build();
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(Error::write(folder))?;
        clap_mangen::generate_to(program, folder).map_err(Error::write(folder))?;
        return Ok(());
    }
    let command = match &arguments.command {
        None => &program,
        Some(name) => program.find_subcommand(name).ok_or_else(|| {
            let near = nearest(name, program.get_subcommands().map(clap::Command::get_name));
            let help = near.map_or(String::new(), |near| format!("\nhelp: did you mean `{near}`?"));
            Failure::Usage(format!("error: there is no command `{name}`{help}"))
        })?,
    };
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut bytes)
        .map_err(|error| Error::message(error.to_string()))?;
    console::out(&String::from_utf8_lossy(&bytes));
    Ok(())
}
