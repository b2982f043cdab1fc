//! The laws of the house, read off the code: data flows one way, only commands print, only they ask
//! for the time.

use std::fs;
use std::path::Path;

/// From left to right; a room imports only those before it.
const ROOMS: &[&str] = &[
    "error",
    "files",
    "random",
    "spec",
    "plan",
    "record",
    "tokenizer",
    "dataset",
    "ops",
    "model",
    "training",
    "probes",
    "figures",
    "report",
    "diff",
    "language",
    "cli",
];

/// Rooms that know no device and read only files: all they may import.
const SEALED: &[(&str, &[&str])] = &[
    ("spec", &["error", "files"]),
    ("plan", &["spec"]),
    ("record", &["error", "files"]),
    ("figures", &["record"]),
    ("report", &["error", "files", "record", "figures"]),
    ("diff", &["record"]),
];

struct File {
    /// Its room: the first part of its path below `src`.
    room: String,
    path: String,
    code: String,
}

fn sources() -> Vec<File> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = walkdir::WalkDir::new(&src).sort_by_file_name().into_iter().flatten();
    let files = entries.filter(|e| e.path().extension().is_some_and(|x| x == "rs"));
    let read = |e: walkdir::DirEntry| {
        let path = e.path().strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        let room = path.split('/').next().unwrap().trim_end_matches(".rs").to_string();
        File { room, code: without_comments(&fs::read_to_string(e.path()).unwrap()), path }
    };
    files.map(read).filter(|f| f.room != "lib" && f.room != "main").collect()
}

fn without_comments(code: &str) -> String {
    code.lines().filter(|l| !l.trim_start().starts_with("//")).map(|l| format!("{l}\n")).collect()
}

/// The rooms that code refers to as `crate::room` or in `use crate::{room, …}`.
fn imports(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (i, _) in code.match_indices("crate::") {
        let before = code[..i].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[i + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => first_names(&group[..group.find('}').unwrap_or(group.len())]),
            None => first_names(
                &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())],
            ),
        };
        rooms.extend(names.into_iter().filter(|n| ROOMS.contains(&n.as_str())));
    }
    rooms
}

fn first_names(list: &str) -> Vec<String> {
    let name = |item: &str| item.trim().split("::").next().unwrap_or("").trim().to_string();
    list.split(',').map(name).collect()
}

/// What is wrong with the imports of a room's code.
fn violations(room: &str, code: &str) -> Vec<String> {
    let at = |name: &str| ROOMS.iter().position(|r| *r == name);
    let sealed = SEALED.iter().find(|(r, _)| *r == room);
    let wrong = |import: &String| {
        let backwards = at(import) > at(room);
        let sealed_off = sealed.is_some_and(|(_, may)| import != room && !may.contains(&import.as_str()));
        let root = import == "language" && room != "cli" && room != "language";
        backwards || sealed_off || root
    };
    let mut found: Vec<String> = imports(code).into_iter().filter(wrong).collect();
    if sealed.is_some() && code.contains("dfdx") {
        found.push("dfdx".into());
    }
    found
}

#[test]
fn every_room_is_on_the_list() {
    for file in sources() {
        assert!(ROOMS.contains(&file.room.as_str()), "src/{}: add the room to the order", file.path);
    }
}

#[test]
fn data_flows_one_way() {
    for file in sources() {
        let found = violations(&file.room, &file.code);
        assert!(found.is_empty(), "src/{} imports {}", file.path, found.join(", "));
    }
}

#[test]
fn only_commands_print_and_ask_for_the_time() {
    let elsewhere =
        ["println!", "eprintln!", "print!(", "dbg!", "SystemTime", "Instant::", "std::process::exit"];
    for file in sources().into_iter().filter(|f| f.room != "cli") {
        let code = file.code.split("#[cfg(test)]").next().unwrap();
        for word in elsewhere {
            assert!(!code.contains(word), "src/{} uses {word}", file.path);
        }
        if file.room != "files" {
            assert!(!code.contains("env::var"), "src/{} reads the environment", file.path);
        }
    }
}

#[test]
fn the_reader_of_imports_sees_what_it_should() {
    let code = "use crate::spec::Key;\nuse crate::{dataset, probes::{self}};\nfn f() { crate::cli::main(); }";
    assert_eq!(imports(code), ["spec", "dataset", "probes", "cli"]);
    assert_eq!(violations("model", "use crate::training::train;"), ["training"]);
    assert_eq!(violations("report", "use crate::model::Model;"), ["model"]);
    assert_eq!(violations("diff", "use dfdx::prelude::*;"), ["dfdx"]);
    assert_eq!(violations("probes", "use crate::language::language;"), ["language"]);
    assert!(violations("training", "use crate::model::Model;").is_empty());
}
