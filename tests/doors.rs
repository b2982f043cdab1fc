//! The doors between the rooms: each file of `src/` is read for what it refers to, and a room may
//! refer only to rooms before it; some rooms know neither devices, nor clocks, nor the terminal.

use std::collections::BTreeSet;
use std::path::Path;

/// The rooms in the order in which data goes through them.
#[rustfmt::skip]
const ROOMS: &[&str] = &[
    "error", "files", "random", "spec", "plan", "record", "tokenizer", "dataset", "ops", "model", "training",
    "probes", "figures", "report", "diff", "compare", "language", "cli",
];

/// What lives from the files of a run alone, and what it may know besides.
const FROM_FILES: &[(&str, &[&str])] = &[
    ("figures", &["error", "files", "record"]),
    ("report", &["error", "files", "record", "figures"]),
    ("diff", &["error", "files", "record", "figures"]),
    ("compare", &["error", "files", "record", "figures", "report", "diff"]),
];

/// Rooms that know tensors.
const WITH_TENSORS: &[&str] = &["ops", "model", "training", "probes", "cli"];

/// What only some rooms may say, and which.
const WORDS: &[(&str, &[&str])] = &[
    ("println!", &["cli"]),
    ("eprintln!", &["cli"]),
    ("print!", &["cli"]),
    ("eprint!", &["cli"]),
    ("dbg!", &[]),
    ("stdout", &["cli"]),
    ("stderr", &["cli"]),
    ("SystemTime", &["cli"]),
    ("Instant", &["cli", "ops/meter"]),
    ("env::var", &["files"]),
    ("env::var_os", &["files", "cli"]),
    ("process::exit", &["cli"]),
];

/// What is wrong in a file, by its path below `src/`.
fn violations(path: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let module: Vec<&str> = path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect();
    let room = module[0];
    let Some(place) = ROOMS.iter().position(|r| *r == room) else {
        // The root only lists the rooms, and the program only calls the commands.
        return match room {
            "lib" | "main" => Vec::new(),
            _ => vec![format!("{path} is in no room")],
        };
    };
    let mut wrong = Vec::new();
    for other in rooms_of(&code, &module) {
        let before = ROOMS.iter().position(|r| *r == other).is_some_and(|at| at < place);
        let from_files = FROM_FILES.iter().find(|(name, _)| *name == room);
        let may_know = from_files.is_none_or(|(_, known)| known.contains(&other.as_str()));
        let composes = other == "language" && room != "cli";
        if other != room && (!before || !may_know || composes) {
            wrong.push(format!("{path} refers to `{other}`"));
        }
    }
    if !WITH_TENSORS.contains(&room) && has(&code, "dfdx") {
        wrong.push(format!("{path} knows dfdx"));
    }
    let file = module.join("/");
    let may_say = |rooms: &[&str]| rooms.contains(&room) || rooms.contains(&file.as_str());
    let words = WORDS.iter().filter(|(word, rooms)| !may_say(rooms) && has(&code, word));
    wrong.extend(words.map(|(word, _)| format!("{path} says `{word}`")));
    wrong
}

/// The rooms that code refers to, through `crate::` or enough `super::`.
fn rooms_of(code: &str, module: &[&str]) -> BTreeSet<String> {
    let to_root = ["crate::".to_string(), "super::".repeat(module.len()), "super::".repeat(module.len() + 1)];
    let mut found = BTreeSet::new();
    for root in to_root {
        for (at, _) in code.match_indices(&root) {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = code[at + root.len()..].trim_start();
            let names = rest.strip_prefix('{').map_or_else(|| vec![name(rest)], firsts);
            found.extend(names.into_iter().filter(|n| ROOMS.contains(&n.as_str())));
        }
    }
    found
}

/// The first names of the paths in braces: `a` and `b` of `a::{c, d}, b}`.
fn firsts(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (1, 0, Vec::new());
    for (at, c) in group.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if (c == ',' && depth == 1) || depth == 0 {
            names.push(name(group[start..at].trim_start()));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether code has a word, whole.
fn has(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(part) && (word.ends_with('!') || !code[at + word.len()..].starts_with(part))
    })
}

/// A file without its comments and texts.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let hashes = rest.bytes().skip(1).take_while(|b| *b == b'#').count();
        let raw = c == 'r' && rest[1 + hashes..].starts_with('"') && !code.ends_with(char::is_alphanumeric);
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if raw {
            let end = format!("\"{}", "#".repeat(hashes));
            rest[hashes + 2..].find(&end).map_or(rest.len(), |at| hashes + 2 + at + end.len())
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'')) {
            quoted(rest, '\'')
        } else {
            code.push(c);
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    code
}

/// The length of what is in quotes, with them.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn the_doors_are_shut() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source.clone()];
    let (mut wrong, mut read) = (Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let below = path.strip_prefix(&source).unwrap().to_string_lossy().replace('\\', "/");
                wrong.extend(violations(&below, &std::fs::read_to_string(&path).unwrap()));
                read += 1;
            }
        }
    }
    wrong.sort();
    assert!(read > ROOMS.len(), "the sources were not found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_is_there_and_listed_in_order() {
    let root = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let listed: Vec<&str> =
        root.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(listed, ROOMS);
}

/// A door that cannot be found open is not known to be shut.
#[test]
fn an_open_door_is_found() {
    let found = |path: &str, text: &str| violations(path, text).join("; ");
    assert_eq!(found("spec/read.rs", "use crate::plan::Plan;"), "spec/read.rs refers to `plan`");
    assert_eq!(
        found("spec/read.rs", "use crate::{error::Error, plan::{self, Plan}};"),
        "spec/read.rs refers to `plan`"
    );
    assert_eq!(found("spec/read.rs", "fn f() -> crate::model::Model {}"), "spec/read.rs refers to `model`");
    assert_eq!(
        found("model/blocks/mlp.rs", "use super::super::super::cli;"),
        "model/blocks/mlp.rs refers to `cli`"
    );
    assert_eq!(found("model/mod.rs", "use super::training;"), "model/mod.rs refers to `training`");
    assert_eq!(found("figures/heat.rs", "use crate::plan::Plan;"), "figures/heat.rs refers to `plan`");
    assert_eq!(
        found("report/mod.rs", "use crate::language::language;"),
        "report/mod.rs refers to `language`"
    );
    assert_eq!(found("diff/mod.rs", "use dfdx::prelude::*;"), "diff/mod.rs knows dfdx");
    assert_eq!(found("plan/mod.rs", "fn f() { println!(\"x\") }"), "plan/mod.rs says `println!`");
    assert_eq!(
        found("training/mod.rs", "let t = std::time::Instant::now();"),
        "training/mod.rs says `Instant`"
    );
    assert_eq!(found("dataset/mod.rs", "std::env::var(\"X\")"), "dataset/mod.rs says `env::var`");
    assert_eq!(found("cellar/mod.rs", ""), "cellar/mod.rs is in no room");
}

#[test]
fn a_shut_door_is_not_complained_of() {
    let fine = |path: &str, text: &str| assert_eq!(violations(path, text), [""; 0], "{text}");
    fine(
        "plan/mod.rs",
        "use crate::spec::{Kind, read::join};\n// crate::model, dfdx, println!\n/* crate::cli */",
    );
    fine(
        "plan/mod.rs",
        "const X: &str = \"crate::model \\\" dfdx\"; const Y: &str = r#\"dbg!(\"crate::cli\")\"#;",
    );
    fine("plan/keys.rs", "use super::resolve; use super::super::spec; let x = ('\"', \"dfdx\", '\\'', 'a');");
    fine("report/mod.rs", "use crate::{figures, record::Table}; mod tests { use super::*; }");
    fine("cli/mod.rs", "use crate::language::language; eprintln!(); let t = Instant::now();");
    fine("model/mod.rs", "fn crate_language(my_crate: u8) { sub::crate_::cli() } use dfdx::prelude::*;");
}
