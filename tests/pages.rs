//! Reports from a run directory alone: on another machine, with other analyses, as one HTML page.

mod common;

use common::bench::{Bench, SPEC, tree};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A bench whose dataset is a file, which can go away.
fn with_corpus() -> Bench {
    let bench = Bench::new();
    let text = "Velkrand met Osilwyn by the river. Osilwyn waved, and Velkrand waved back.\n".repeat(900);
    fs::write(bench.path().join("corpus.txt"), text).unwrap();
    let spec = SPEC.replace("kind = \"stories\"\nbytes = 60_000", "kind = \"text\"\npath = \"corpus.txt\"");
    fs::write(bench.path().join("tiny.toml"), spec).unwrap();
    bench
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    for (name, bytes) in tree(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_copied_run_gives_the_same_report_on_a_machine_without_the_dataset() {
    let bench = with_corpus();
    fs::create_dir(bench.path().join("theme")).unwrap();
    fs::write(bench.path().join("theme/foot.md"), "Foot of {{ name }}.\n").unwrap();
    fs::write(bench.path().join("own.md"), "# {{ name }}\n{{ verdict.lead }}\n{% include \"foot.md\" %}")
        .unwrap();
    bench.good(&["run", "tiny.toml", "--set", "report.template=own.md", "--templates", "theme", "--html"]);
    let elsewhere = Bench::new();
    fs::remove_file(elsewhere.path().join("tiny.toml")).unwrap();
    copy(&bench.path().join("runs/tiny"), &elsewhere.path().join("some/where/tiny"));
    drop(fs::rename(bench.path(), bench.path().with_extension("gone")));
    elsewhere.good(&["report", "some/where/tiny", "--html"]);
    let (there, here) = (bench.path().with_extension("gone"), elsewhere.path());
    assert_eq!(tree(&there.join("reports/tiny")), tree(&here.join("reports/tiny")));
    assert!(fs::read_to_string(here.join("reports/tiny/report.md")).unwrap().contains("Foot of tiny."));
    // A copy under another name has a report of its own.
    copy(&here.join("some/where/tiny"), &here.join("some/where/copy"));
    elsewhere.good(&["report", "some/where/copy"]);
    assert_eq!(elsewhere.read("reports/copy/report.md"), elsewhere.read("reports/tiny/report.md"));
    elsewhere.bad(&["report", "some/where/tiny", "--recompute"], 1);
    fs::rename(there, bench.path()).unwrap();
}

#[test]
fn other_analyses_come_from_the_saved_checkpoints_and_the_run_keeps_its_own() {
    let bench = Bench::new();
    bench.good(&["run", "tiny.toml"]);
    let (before, page) = (tree(&bench.path().join("runs/tiny")), bench.read("reports/tiny/report.md"));
    let more = format!(
        "{SPEC}[[analyses]]\nprobe = \"prefix_matching\"\nid = \"diagonal\"\ndefinition = \"diagonal\"\n"
    );
    fs::write(bench.path().join("more.toml"), more).unwrap();
    bench.good(&["report", "runs/tiny", "--spec", "more.toml"]);
    let diagonal = bench.json("runs/tiny/reanalyses/more/analyses/diagonal.json");
    assert_eq!(diagonal["tables"][0]["rows"].as_array().unwrap().len(), 8);
    let more = String::from_utf8(bench.read("reports/tiny/more/report.md")).unwrap();
    assert!(more.starts_with("# tiny/more\n") && more.contains("- Analyses of: `more.toml`"), "{more}");
    bench.read("reports/tiny/more/figures/prefix_matching.svg");
    assert_eq!(bench.read("reports/tiny/report.md"), page, "the run's own is left alone");
    fs::rename(bench.path().join("runs/tiny/reanalyses"), bench.path().join("moved")).unwrap();
    assert_eq!(tree(&bench.path().join("runs/tiny")), before);
    let other = SPEC.replace("kernel_size = 2", "kernel_size = 3");
    fs::write(bench.path().join("other.toml"), other).unwrap();
    assert!(bench.bad(&["report", "runs/tiny", "--spec", "other.toml"], 2).contains("kernel_size"));
}

#[test]
fn what_was_measured_is_measured_again_only_where_it_must_be() {
    let bench = with_corpus();
    bench.good(&["run", "tiny.toml"]);
    let path = "runs/tiny/analyses/conv_weights.json";
    let measured = bench.read(path);
    let put = |key: &str, value: Value| {
        let mut analysis: Value = serde_json::from_slice(&measured).unwrap();
        analysis[key] = value;
        fs::write(bench.path().join(path), serde_json::to_vec_pretty(&analysis).unwrap()).unwrap();
    };
    // What is not what was written is measured again.
    put("definition", "mine".into());
    bench.good(&["report", "runs/tiny"]);
    assert_eq!(bench.read(path), measured);
    // Without the digests, what is known is taken as it is, whoever wrote it.
    let taken_as_it_is = || fs::remove_file(bench.path().join("runs/tiny/digests.json")).unwrap();
    taken_as_it_is();
    put("definition", "mine".into());
    bench.good(&["report", "runs/tiny"]);
    assert_eq!(bench.json(path)["definition"], "mine");
    // Another version, other checkpoints, or other parameters are measured again.
    for (key, value) in
        [("version", 0.into()), ("measured_on", "b3".into()), ("parameters", serde_json::json!({ "x": 1 }))]
    {
        put(key, value);
        bench.good(&["report", "runs/tiny"]);
        assert_eq!(bench.read(path), measured, "{key}");
    }
    put("definition", "mine".into());
    bench.good(&["report", "runs/tiny", "--recompute"]);
    assert_eq!(bench.read(path), measured);
    // Without the dataset there is a report all the same, and it says so.
    put("version", 0.into());
    taken_as_it_is();
    fs::remove_file(bench.path().join("corpus.txt")).unwrap();
    fs::remove_dir_all(bench.path().join("cache")).unwrap();
    let output = bench.indhead(&["report", "runs/tiny"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be measured again"));
}

/// The page as a browser leaves it, with a script of ours at its end; `None` without a browser.
fn browsed(page: &Path, hash: &str, script: &str) -> Option<String> {
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let browser = names.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok())?;
    let text = fs::read_to_string(page).unwrap();
    let with_script = page.with_file_name("browsed.html");
    fs::write(&with_script, text.replace("</body>", &format!("<script>{script}</script></body>"))).unwrap();
    let profile = tempfile::TempDir::new().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}{hash}", with_script.display()))
        .output()
        .unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What stands in the first element with this start.
fn inside<'a>(dom: &'a str, start: &str) -> &'a str {
    let at = dom.find(start).unwrap_or_else(|| panic!("no {start} in\n{dom}")) + start.len();
    dom[at..].split("</").next().unwrap()
}

#[test]
fn the_html_page_asks_for_nothing_and_can_be_pointed_at() {
    let bench = Bench::new();
    let hostile =
        "<img src=x onerror=\\\"document.title='pwned'\\\"></script><script>document.title='pwned'</script>";
    let text = format!("analyses.1.text=\"{hostile}\"");
    let sets = ["--set", &text, "--set", "analyses.1.head=all", "--set", "architecture.n_ctx=128"];
    bench.good(&[&["run", "tiny.toml", "--html"], &sets[..]].concat());
    let path = bench.path().join("reports/tiny/report.html");
    let page = fs::read_to_string(&path).unwrap();
    let without_names = page.replace("http://www.w3.org/2000/svg", "");
    for request in ["http:", "https:", "src=", "href=", "url(", "@import", "<link"] {
        let mut found = without_names.match_indices(request).map(|(at, _)| &without_names[..at]);
        // The hostile text itself has a `src=`, escaped.
        assert!(found.all(|before| before.ends_with("&lt;img ")), "{request}");
    }
    assert!(page.contains("default-src 'none'"));
    let markdown = fs::read_to_string(bench.path().join("reports/tiny/report.md")).unwrap();
    assert_eq!(page.matches("<svg").count(), markdown.matches("](figures/").count(), "every figure is in it");
    assert!(page.contains("<h2>Verdict</h2>") && page.contains("<th>"));

    let point = "document.querySelectorAll('.attention .tokens span')[3].dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))";
    let Some(dom) = browsed(&path, "#attention_map:1.1:5", "") else {
        eprintln!("skipped: there is no chromium here to look at the page with");
        return;
    };
    let analysis = bench.json("runs/tiny/analyses/attention_map.json");
    let pattern = analysis["tables"].as_array().unwrap().iter().find(|t| t["name"] == "pattern").unwrap();
    let most = |head: i64, query: i64| -> (i64, f64) {
        let rows = pattern["rows"].as_array().unwrap().iter().filter(|row| row[1] == head && row[2] == query);
        let cells = rows.map(|row| (row[3].as_i64().unwrap(), row[4].as_f64().unwrap()));
        cells.reduce(|a, b| if b.1 > a.1 { b } else { a }).unwrap()
    };
    let said = inside(&dom, "<output class=\"said\">");
    let (key, share) = most(1, 5);
    assert!(said.starts_with("head 1.1, ") && said.contains(&format!(" ({key}) {share:.2}")), "{said}");
    assert!(
        dom.contains("<button type=\"button\" aria-pressed=\"true\"><canvas"),
        "a head is picked from the grid"
    );
    let pick = format!("document.querySelectorAll('.attention button')[1].click(); {point}");
    let dom = browsed(&path, "", &pick).unwrap();
    let said = inside(&dom, "<output class=\"said\">");
    let (key, share) = most(1, 3);
    assert!(said.starts_with("head 1.1, ") && said.contains(" (3) attends to "), "{said}");
    assert!(said.contains(&format!(" ({key}) {share:.2}")), "{said}");
    assert_eq!(inside(&dom, "<title>"), "tiny", "no token became markup");
    assert!(!dom.contains("<img"));
}
