//! Bakes the commit into the binary, for the provenance of every run.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    let described = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output();
    let commit = described.ok().filter(|o| o.status.success());
    let commit = commit.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string());
    println!("cargo:rustc-env=INDHEAD_COMMIT={}", commit.unwrap_or_else(|| "unknown".into()));
}
