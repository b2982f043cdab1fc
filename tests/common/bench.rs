//! The command on a bench of its own: a folder with a tiny spec.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A spec that trains in a moment.
pub const SPEC: &str = r#"
name = "tiny"
[architecture]
d_model = 16
n_ctx = 32
[[architecture.blocks]]
kind = "conv1d"
kernel_size = 2
[[architecture.blocks]]
kind = "attention"
n_heads = 2
[tokenizer]
kind = "bpe"
d_vocab = 300
[dataset]
kind = "stories"
bytes = 60_000
[training]
steps = 12
batch_size = 4
checkpoints = { kind = "every", steps = 4 }
[[analyses]]
probe = "conv_weights"
[[analyses]]
probe = "attention_map"
text = "Ann met Bo."
"#;

/// A folder, and the command in it.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    /// A folder with `tiny.toml` in it.
    pub fn new() -> Self {
        let bench = Bench { folder: TempDir::new().unwrap() };
        fs::write(bench.path().join("tiny.toml"), SPEC).unwrap();
        bench
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command.
    pub fn indhead(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_indhead"))
            .args(arguments)
            .current_dir(self.path())
            .env("INDHEAD_CACHE", self.path().join("cache"))
            .output()
            .unwrap()
    }

    /// Runs a command that has to end well; what it says on stdout.
    pub fn good(&self, arguments: &[&str]) -> String {
        let output = self.indhead(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} failed:\n{errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that has to fail with this code; what it says on stderr.
    pub fn bad(&self, arguments: &[&str], code: i32) -> String {
        let output = self.indhead(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}:\n{errors}");
        assert!(!errors.contains("panicked"), "{errors}");
        errors
    }

    /// The bytes of a file.
    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// A JSON file.
    pub fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.read(path)).unwrap()
    }
}

/// Every file below a folder, by its path.
pub fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    let files = files.filter(|e| e.file_type().is_file());
    let read = |e: walkdir::DirEntry| {
        let name = e.path().strip_prefix(folder).unwrap().display().to_string();
        (name, fs::read(e.path()).unwrap())
    };
    files.map(read).collect()
}
