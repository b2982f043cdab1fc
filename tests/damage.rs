//! Bits that flip, processes that are killed, files that are cut: named or harmless, and never another result.

mod common;

use common::bench::{Bench, tree};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Draws from a linear congruence, so that what is damaged is the same every time.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

fn copy(from: &Path, to: &Path) {
    for (name, bytes) in tree(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// What two runs of one plan have in common: all but clocks, and where and how each was started.
fn results(run: &Path) -> Vec<(String, String)> {
    let clocks = ["timings.jsonl", "done.json", "provenance.json", "digests.json", "lock"];
    let results = tree(run).into_iter().filter(|(name, _)| !clocks.contains(&name.as_str()));
    results.map(|(name, bytes)| (name, blake3::hash(&bytes).to_hex().to_string())).collect()
}

/// The files in which two runs differ.
fn differing(a: &[(String, String)], b: &[(String, String)]) -> Vec<String> {
    let only = |x: &[(String, String)], y: &[(String, String)]| -> Vec<String> {
        x.iter().filter(|file| !y.contains(file)).map(|(name, _)| name.clone()).collect()
    };
    let mut names = [only(a, b), only(b, a)].concat();
    names.sort();
    names.dedup();
    names
}

/// A report but for what clocks say of the run.
fn timeless(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(page);
    let without_date = page.lines().filter(|line| !line.contains("Started"));
    without_date.take_while(|line| *line != "## Time").collect::<Vec<_>>().join("\n")
}

#[test]
fn a_bit_that_flips_is_named_or_harmless() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml"]);
    let (run, whole) = (bench.path().join("runs/tiny"), bench.path().join("whole"));
    copy(&run, &whole);
    let wanted = timeless(&bench.read("reports/tiny/report.md"));
    let mut draws = Draws(1);
    let mut named = 0;
    for (name, bytes) in tree(&whole) {
        if bytes.is_empty() {
            continue;
        }
        fs::remove_dir_all(&run).unwrap();
        copy(&whole, &run);
        let mut damaged = bytes.clone();
        damaged[draws.below(bytes.len())] ^= 1 << draws.below(8);
        fs::write(run.join(&name), &damaged).unwrap();
        let output = bench.indhead(&["report", "runs/tiny", "--reports", "again"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => assert_eq!(timeless(&bench.read("again/tiny/report.md")), wanted, "{name}"),
            Some(1) => {
                let file = name.rsplit('/').next().unwrap();
                assert!(said.contains(file) || said.contains("digests.json"), "{name}: {said}");
                named += 1;
            }
            code => panic!("{name}: {code:?}: {said}"),
        }
        // Checkpoints are looked at by other commands.
        if name.starts_with("checkpoints/00000012/") && !name.contains("optimizer") {
            let output = bench.indhead(&["inspect", "runs/tiny", "--text", "Ann", "--json"]);
            let said = String::from_utf8_lossy(&output.stderr);
            let known = said.contains("damaged") || said.contains("not what was");
            assert!(output.status.success() || known, "{name}: {said}");
        }
    }
    assert!(named > 5, "{named} files were named");
}

#[test]
fn a_run_that_was_cut_short_and_damaged_ends_as_it_would_have() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml", "--runs", "whole"]);
    let wanted = results(&bench.path().join("whole/tiny"));
    let cut = bench.path().join("cut");
    copy(&bench.path().join("whole/tiny"), &cut);
    fs::remove_dir_all(cut.join("checkpoints/00000012")).unwrap();
    fs::remove_dir_all(cut.join("analyses")).unwrap();
    fs::remove_file(cut.join("done.json")).unwrap();
    fs::remove_file(cut.join("digests.json")).unwrap();
    let mut draws = Draws(2);
    let run = bench.path().join("runs/tiny");
    for (name, bytes) in
        tree(&cut).into_iter().filter(|(name, _)| name.starts_with("checkpoints") || name == "metrics.jsonl")
    {
        let _ = fs::remove_dir_all(&run);
        copy(&cut, &run);
        let mut damaged = bytes.clone();
        match draws.below(3) {
            0 => damaged.truncate(draws.below(bytes.len())),
            _ => damaged[draws.below(bytes.len())] ^= 1 << draws.below(8),
        }
        fs::write(run.join(&name), &damaged).unwrap();
        let output = bench.indhead(&["run", "tiny.toml", "--resume", "--quiet"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {said}");
        // Moments of a step that is not gone on from are not read, and are told damaged by who reads them.
        let unread = name.ends_with("optimizer.safetensors") && !name.contains("00000008");
        let mut differing = differing(&results(&run), &wanted);
        differing.retain(|other| !(unread && *other == name));
        assert!(differing.is_empty(), "{name}: {differing:?}: {said}");
    }
    // The newest checkpoint is not whole: it is said, and the one before is used.
    fs::remove_dir_all(&run).unwrap();
    copy(&cut, &run);
    fs::write(run.join("checkpoints/00000008/model.safetensors"), b"nothing").unwrap();
    let output = bench.indhead(&["run", "tiny.toml", "--resume", "--quiet"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("00000008/model.safetensors is damaged") && said.contains("from step 4"), "{said}");
    assert_eq!(differing(&results(&run), &wanted), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_again_and_again_ends_as_it_would_have() {
    let bench = Bench::new();
    let sets = ["--set", "training.steps=60", "--set", "training.checkpoints.steps=6", "--quiet"];
    bench.good(&[&["run", "tiny.toml", "--runs", "whole", "--reports", "one"], &sets[..]].concat());
    let mut draws = Draws(3);
    let run = bench.path().join("runs/tiny");
    let mut kills = 0;
    for attempt in 0.. {
        assert!(attempt < 200, "it comes to an end");
        let resume: &[&str] = if run.join("plan.toml").exists() { &["--resume"] } else { &["--overwrite"] };
        let mut child = Command::new(env!("CARGO_BIN_EXE_indhead"))
            .args([&["run", "tiny.toml", "--reports", "two"], &sets[..], resume].concat())
            .current_dir(bench.path())
            .env("INDHEAD_CACHE", bench.path().join("cache"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 + draws.below(200) as u64 + 10 * attempt));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        if child.wait().unwrap().success() {
            break;
        }
    }
    assert!(kills > 1, "{kills} kills");
    assert_eq!(differing(&results(&run), &results(&bench.path().join("whole/tiny"))), [""; 0]);
    let pages = ["one", "two"].map(|reports| timeless(&bench.read(&format!("{reports}/tiny/report.md"))));
    let without_command =
        pages.map(|page| page.lines().filter(|l| !l.starts_with("- Command")).collect::<Vec<_>>().join("\n"));
    assert_eq!(without_command[0], without_command[1]);
}

#[test]
fn one_run_is_trained_by_one_process() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml"]);
    let lock = fs::File::create(bench.path().join("runs/tiny/lock")).unwrap();
    lock.try_lock().unwrap();
    fs::write(bench.path().join("runs/tiny/lock"), "4711").unwrap();
    let before = results(&bench.path().join("runs/tiny"));
    for how in ["--overwrite", "--resume"] {
        let said = bench
            .bad(&["run", "tiny.toml", how, "--set", "report.template=report", "--set", "description=x"], 1);
        assert!(said.contains("process 4711") && said.contains("minutes"), "{said}");
    }
    drop(lock);
    assert_eq!(before, results(&bench.path().join("runs/tiny")));
    bench.good(&["run", "tiny.toml", "--overwrite"]);
    assert!(!bench.path().join("runs/tiny/lock").exists());
}

#[test]
fn more_analyses_go_on_and_more_tokens_only_if_asked() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml"]);
    let weights = bench.read("runs/tiny/checkpoints/00000012/model.safetensors");
    let text = String::from_utf8(bench.read("tiny.toml")).unwrap();
    fs::write(bench.path().join("tiny.toml"), format!("{text}[[analyses]]\nprobe = \"duplicate_token\"\n"))
        .unwrap();
    let output = bench.indhead(&["run", "tiny.toml", "--resume"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success()
            && said.contains("goes on with another plan")
            && said.contains("duplicate_token"),
        "{said}"
    );
    bench.read("runs/tiny/analyses/duplicate_token.json");
    assert_eq!(bench.read("runs/tiny/checkpoints/00000012/model.safetensors"), weights);

    let longer = ["run", "tiny.toml", "--resume", "--set", "training.steps=16"];
    let said = bench.bad(&longer, 2);
    assert!(said.contains("--stretch") && said.contains("16"), "{said}");
    bench.good(&[&longer[..], &["--stretch"]].concat());
    assert_eq!(bench.read("runs/tiny/metrics.jsonl").split_inclusive(|b| *b == b'\n').count(), 16);
    // At one rate, longer is only longer.
    let constant = ["--set", "training.schedule={kind=\"constant\",warmup_fraction=0.0}", "--name", "flat"];
    bench.good(&[&["run", "tiny.toml"], &constant[..]].concat());
    bench.good(&[&longer[..], &constant[..]].concat());
    bench.good(
        &[&["run", "tiny.toml", "--runs", "fresh", "--set", "training.steps=16"], &constant[..]].concat(),
    );
    let metrics = |runs: &str| bench.read(&format!("{runs}/flat/checkpoints/00000016/model.safetensors"));
    assert_eq!(metrics("runs"), metrics("fresh"));
    let said = bench.bad(&["run", "tiny.toml", "--resume", "--set", "training.steps=8", "--stretch"], 2);
    assert!(said.contains("cannot be made shorter"), "{said}");
}

#[test]
fn what_was_killed_before_its_first_checkpoint_begins_again_and_lacks_nothing() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml", "--quiet"]);
    let (run, whole) = (bench.path().join("runs/tiny"), bench.path().join("whole"));
    copy(&run, &whole);
    fs::remove_dir_all(&run).unwrap();
    // The plan is written first.
    fs::create_dir_all(&run).unwrap();
    for name in ["plan.toml", "digests.json"] {
        fs::copy(whole.join(name), run.join(name)).unwrap();
    }
    bench.good(&["run", "tiny.toml", "--resume", "--quiet"]);
    assert_eq!(differing(&results(&run), &results(&whole)), [""; 0]);
    assert!(run.join("provenance.json").exists());
}

#[test]
fn what_was_killed_before_its_plan_was_written_is_no_strangers_folder() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml", "--quiet"]);
    let wanted = results(&bench.path().join("runs/tiny"));
    for arguments in [&["--resume"][..], &["--overwrite"], &[]] {
        let run = bench.path().join("runs/tiny");
        fs::remove_dir_all(&run).unwrap();
        fs::create_dir_all(run.join(".writing-checkpoints/00000004")).unwrap();
        fs::write(run.join("digests.json"), "{}").unwrap();
        fs::write(run.join(".writing-abc"), "half of so").unwrap();
        bench.good(&[&["run", "tiny.toml", "--quiet"], arguments].concat());
        assert_eq!(differing(&results(&run), &wanted), [""; 0], "{arguments:?}");
    }
    let never = bench.indhead(&["run", "tiny.toml", "--name", "never", "--resume"]);
    assert!(String::from_utf8_lossy(&never.stderr).contains("there is no run to resume"));
}

#[test]
fn a_run_does_not_go_on_with_another_dataset() {
    let bench = Bench::new();
    let text = |word: &str| (0..3000).map(|i| format!("{word} {i} and more of it. ")).collect::<String>();
    fs::write(bench.path().join("a.txt"), text("one")).unwrap();
    let set = "dataset={kind=\"text\",path=\"a.txt\"}";
    bench.good(&["run", "tiny.toml", "--quiet", "--set", set]);
    let run = bench.path().join("runs/tiny");
    fs::remove_file(run.join("done.json")).unwrap();
    fs::remove_dir_all(run.join("checkpoints/00000012")).unwrap();
    let before = results(&run);
    fs::write(bench.path().join("a.txt"), text("two")).unwrap();
    let output = bench.indhead(&["run", "tiny.toml", "--quiet", "--set", set, "--resume"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("another dataset: its digest was"), "{said}");
    assert_eq!(differing(&results(&run), &before), [""; 0]);
}

#[test]
fn a_checkpoint_without_its_state_and_a_run_without_its_provenance_are_named() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml", "--quiet"]);
    let run = bench.path().join("runs/tiny");
    fs::remove_file(run.join("checkpoints/00000012/state.json")).unwrap();
    let refused = |arguments: &[&str], why: &str| {
        let output = bench.indhead(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{arguments:?}: {said}");
    };
    refused(&["inspect", "runs/tiny", "--text", "Ann"], "00000012/state.json");
    fs::remove_file(run.join("provenance.json")).unwrap();
    refused(&["report", "runs/tiny"], "provenance.json is not there any more");
}
