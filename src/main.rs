//! The `indhead` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    indhead::cli::main()
}
