//! The `indhead` command.

fn main() {}
