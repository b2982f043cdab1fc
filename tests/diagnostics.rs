//! Broken specs as people write them: every mistake is found, in one pass, at its place, with the
//! way out; nothing runs and nothing is left behind.

mod common;
#[path = "diagnostics/form.rs"]
#[rustfmt::skip]
mod form;
#[path = "diagnostics/good.rs"]
mod good;
#[path = "diagnostics/hunted.rs"]
#[rustfmt::skip]
mod hunted;
#[path = "diagnostics/sense.rs"]
#[rustfmt::skip]
mod sense;
#[path = "diagnostics/table.rs"]
mod table;

use good::GOOD;
use indhead::plan::Planned;
use indhead::spec::render;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A broken spec.
pub struct Case {
    name: String,
    mistakes: usize,
    text: String,
    files: Vec<(&'static str, String)>,
    sets: Vec<String>,
}

/// A broken spec, before it is broken.
pub fn case(name: &str, mistakes: usize) -> Case {
    let text = spec(GOOD);
    Case { name: spec(name), mistakes, text, files: Vec::new(), sets: Vec::new() }
}

/// Single quotes stand for double ones: what is to be read here then has no backslashes.
fn spec(text: &str) -> String {
    text.replace('\'', "\"")
}

impl Case {
    /// The good spec with something replaced.
    fn edit(mut self, from: &str, to: &str) -> Case {
        let (from, to) = (spec(from), spec(to));
        assert!(self.text.contains(&from), "{}: there is no {from:?}", self.name);
        self.text = self.text.replacen(&from, &to, 1);
        self
    }

    /// The good spec with something at its end.
    fn add(mut self, text: &str) -> Case {
        self.text += &spec(text);
        self
    }

    /// Another spec altogether.
    fn text(mut self, text: &str) -> Case {
        self.text = spec(text);
        self
    }

    /// A file beside the spec, or with a slash at its end a folder.
    fn file(mut self, name: &'static str, text: &str) -> Case {
        self.files.push((name, spec(text)));
        self
    }

    fn set(mut self, set: &str) -> Case {
        self.sets.push(spec(set));
        self
    }

    /// The spec and what lies beside it, in a folder.
    fn laid_out(&self) -> TempDir {
        let folder = TempDir::new().unwrap();
        for (name, text) in &self.files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(if name.ends_with('/') { &path } else { path.parent().unwrap() })
                .unwrap();
            if !name.ends_with('/') {
                std::fs::write(path, text).unwrap();
            }
        }
        std::fs::write(folder.path().join("spec.toml"), &self.text).unwrap();
        folder
    }

    /// What an editor reads who checks it.
    fn listed(&self) -> Vec<serde_json::Value> {
        let folder = self.laid_out();
        let output = self.output(&["check", "spec.toml", "--json"], folder.path());
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(2), &b""[..]), "{}", self.name);
        serde_json::from_str(&anywhere(&String::from_utf8(output.stdout).unwrap(), folder.path())).unwrap()
    }

    /// A line of the spec, of a file beside it or of the command line.
    fn line(&self, file: &str, number: usize) -> String {
        let beside = self.files.iter().find(|(name, _)| file.trim_start_matches("./").ends_with(name));
        let text = match beside {
            _ if file == "--set" => self.sets.last().unwrap(),
            Some((_, text)) => text,
            None => &self.text,
        };
        text.lines().nth(number - 1).unwrap_or("").trim().to_string()
    }

    /// What a person reads who checks it.
    fn complaint(&self) -> String {
        let folder = self.laid_out();
        let before = listing(folder.path());
        let checked = self.indhead(&["check", "spec.toml"], folder.path());
        let run = self.indhead(&["run", "spec.toml", "--quiet"], folder.path());
        assert_eq!(checked, run, "{}: `check` and `run` do not say the same", self.name);
        assert_eq!(listing(folder.path()), before, "{}: something is left behind", self.name);
        anywhere(&checked, folder.path())
    }

    fn output(&self, arguments: &[&str], folder: &Path) -> std::process::Output {
        let cache = TempDir::new().unwrap();
        Command::new(env!("CARGO_BIN_EXE_indhead"))
            .args(arguments)
            .args(self.sets.iter().flat_map(|set| ["--set", set]))
            .current_dir(folder)
            .env("INDHEAD_CACHE", cache.path())
            .output()
            .unwrap()
    }

    fn indhead(&self, arguments: &[&str], folder: &Path) -> String {
        let output = self.output(arguments, folder);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{}:\n{said}", self.name);
        assert!(output.stdout.is_empty() && !said.contains("panicked"), "{}:\n{said}", self.name);
        said
    }

    /// As many mistakes as there are, each at a place that was written.
    fn judge(&self, said: &str) {
        let starts = |start: &str| said.lines().filter(|line| line.trim_start().starts_with(start)).count();
        let name = &self.name;
        assert_eq!(starts("error: "), self.mistakes, "{name}: not so many mistakes:\n{said}");
        assert_eq!(starts("--> "), self.mistakes, "{name}: a mistake has no place:\n{said}");
        assert!(said.trim_end().ends_with(": nothing was run"), "{name}:\n{said}");
        let first = self.text.split([' ', '=']).next().unwrap_or("");
        for block in said.split("\n\n").filter(|block| block.contains("--> spec.toml:1:1\n")) {
            let absent = ["error: the spec has no `", "error: `training` does not say"];
            let fair =
                absent.iter().any(|start| block.starts_with(start)) || block.contains(&format!("`{first}`"));
            assert!(fair || first.starts_with('{'), "{name}: the first line is not to blame:\n{block}");
        }
    }
}

/// What is said of a folder that is called otherwise every time.
fn anywhere(said: &str, folder: &Path) -> String {
    let real = folder.canonicalize().unwrap().display().to_string();
    said.replace(&real, "FOLDER").replace(&folder.display().to_string(), "FOLDER")
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn judge(theme: &str, cases: Vec<Case>) {
    let mut told = String::new();
    for case in cases {
        let said = case.complaint();
        case.judge(&said);
        told += &format!("──── {}\n{}\n", case.name, said.replace(": nothing was run", ""));
    }
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(theme, told) });
}

macro_rules! themes {
    ($($module:ident: $($theme:ident),*;)*) => {
        $($(#[test]
        fn $theme() {
            judge(stringify!($theme), $module::$theme());
        })*)*
    };
}

themes! {
    form: syntax, names, values, structure;
    sense: analyses, datasets, set, extends;
    hunted: elsewhere, slips, worlds;
}

/// A machine with a GPU has other devices.
#[test]
#[cfg(not(feature = "cuda"))]
fn devices() {
    judge("devices", sense::devices());
}

#[test]
fn the_good_spec_is_good() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("spec.toml"), spec(GOOD)).unwrap();
    let check = Command::new(env!("CARGO_BIN_EXE_indhead"))
        .args(["check", "spec.toml"])
        .current_dir(folder.path())
        .output();
    let check = check.unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

/// Bytes that are no text, in any number of lines, are one mistake.
#[test]
fn a_spec_is_text() {
    let folder = TempDir::new().unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(2048).collect();
    let program = b"\x7fELF\0\0\n".repeat(99);
    let utf16: Vec<u8> = spec(GOOD).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = [vec![0xff, 0xfe], utf16].concat();
    for (bytes, words) in
        [(bytes, "not a text file"), (program, "not a text file"), (utf16, "save it as UTF-8")]
    {
        std::fs::write(folder.path().join("spec.toml"), bytes).unwrap();
        let said = case("bytes", 1).indhead(&["check", "spec.toml"], folder.path());
        assert!(said.contains(words) && said.trim_end().ends_with("\n1 mistake: nothing was run"), "{said}");
    }
}

/// Whatever a slip of the hand does to a spec, it plans or something is said, at a place.
#[test]
fn any_slip_of_the_hand_is_survived() {
    let good: Vec<char> = spec(GOOD).chars().collect();
    let mut state = 1u64;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for _ in 0..3000 {
        let mut text = good.clone();
        for _ in 0..=below(3) {
            let (from, to) = (below(text.len()), below(text.len()));
            match below(5) {
                0 => drop(text.remove(from)),
                1 => drop(text.drain(from..text.len().min(from + below(40)))),
                2 => text.insert(to, text[from]),
                3 => text.insert(from, ['"', '[', '{', '=', '\n', '#', '.', 'é', '-', '9'][below(10)]),
                _ => text.swap(from, to),
            }
        }
        let text: String = text.into_iter().collect();
        let Planned { plan, findings } = common::planned(&text, &[]);
        assert_eq!(plan.is_none(), findings.failed(), "{text}");
        let said = render(&findings.diagnostics, &findings.sources, false);
        assert_eq!(said.matches("--> test.toml:").count(), findings.diagnostics.len(), "{said}\n{text}");
        assert!(!said.contains("this is a bug"), "{said}\n{text}");
    }
}

/// Nobody reads a hundred complaints.
#[test]
fn nonsense_is_told_so_in_short() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("spec.toml"), "] nonsense [\n".repeat(400)).unwrap();
    let said = case("nonsense", 1).indhead(&["check", "spec.toml"], folder.path());
    assert!(said.lines().count() < 200, "{said}");
}

/// Windows editors leave marks; they are neither mistakes nor in the way of places.
#[test]
fn byte_order_marks_and_carriage_returns_do_not_matter() {
    let folder = TempDir::new().unwrap();
    let broken =
        format!("\u{feff}{}", spec(GOOD).replace("n_heads = 2", "n_heads = 3").replace('\n', "\r\n"));
    std::fs::write(folder.path().join("spec.toml"), broken).unwrap();
    let said = case("marks", 1).indhead(&["check", "spec.toml"], folder.path());
    assert!(said.contains("--> spec.toml:15:11\n"), "{said}");
}

/// A key with dots in it is one key in quotes, on the command line as well.
#[test]
fn a_key_of_a_sweep_can_be_set_in_quotes() {
    let set = "sweep.\"training.optimizer.lr\"=[1e-3, 1e-2]".to_string();
    let read = indhead::spec::Spec::parse(Path::new("spec.toml"), spec(GOOD), &[set]);
    assert!(!read.findings.failed());
    assert_eq!(read.sweep[0].key, "training.optimizer.lr");
}

/// What is wrong with the spec itself is on the command line.
#[test]
fn a_spec_that_is_not_there_has_a_neighbour() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("spec.toml"), spec(GOOD)).unwrap();
    let said = case("missing", 1).indhead(&["check", "spce.toml"], folder.path());
    assert!(said.contains("cannot read spce.toml") && said.contains("did you mean ./spec.toml?"), "{said}");
    let said = case("folder", 1).indhead(&["check", "."], folder.path());
    assert!(said.contains("that is a folder"), "{said}");
}
