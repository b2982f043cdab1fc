//! Figures and reports of made-up runs.

#[path = "report/check.rs"]
mod check;
#[path = "report/circuits.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod circuits;
#[path = "report/fixture.rs"]
mod fixture;
#[path = "report/losses.rs"]
mod losses;
#[path = "report/probes.rs"]
mod probes;
#[path = "report/strange.rs"]
mod strange;

use check::well_formed;
use fixture::{Fate, record};
use indhead::record::{Record, ShiftedHead, Table};
use indhead::report::{self, Rendered, ReportError, Template};
use probes::attention_map;

fn rendered(record: &Record) -> Rendered {
    report::render(record, &Template::default()).unwrap()
}

fn figure<'a>(rendered: &'a Rendered, name: &str) -> &'a str {
    let found = rendered.figures.iter().find(|(file, _)| file == name);
    &found.unwrap_or_else(|| panic!("no {name}")).1
}

/// Every table of a record, the verdict's and the metrics as well.
fn tables(record: &mut Record) -> Vec<&mut Table> {
    let probes = record.analyses.iter_mut().flat_map(|a| &mut a.tables);
    let judged = record.verdict.as_mut().map(|v| &mut v.heads);
    probes.chain(judged).chain([&mut record.metrics]).collect()
}

#[test]
fn a_run_that_formed_a_head() {
    let rendered = rendered(&record(Fate::Formed));
    insta::assert_snapshot!("formed.md", rendered.markdown);
    insta::assert_snapshot!("prefix_matching.svg", figure(&rendered, "prefix_matching.svg"));
}

#[test]
fn a_control() {
    let mut record = record(Fate::Control);
    insta::assert_snapshot!("control.md", rendered(&record).markdown);
    let verdict = record.verdict.as_mut().unwrap();
    verdict.shifted_heads.push(ShiftedHead { layer: 0, head: 1, offset: 2, attention: 0.9, ablation: 2.0 });
    let said = rendered(&record).markdown;
    assert!(said.contains("Head **0.1** is a *shifted* induction head: 0.90 of its attention lies 2 places"));
}

#[test]
fn a_run_cut_short() {
    let rendered = rendered(&record(Fate::CutShort));
    insta::assert_snapshot!("cut_short.md", rendered.markdown);
}

#[test]
fn a_map_of_strange_tokens() {
    let mut record = record(Fate::Control);
    let tokens = ["<b>", "漢字", "\n", "\u{202e}", " ", "\0", "\"&'", "<b>", "漢字", "|", "`", "�", "�"];
    record.analyses = vec![attention_map(&tokens, 1, 0.4)];
    let rendered = rendered(&record);
    let map = figure(&rendered, "attention_map-1.0.svg");
    well_formed(map);
    insta::assert_snapshot!("attention_map.svg", map);
}

#[test]
fn equal_runs_differ_only_in_the_last_section() {
    let (a, mut b) = (record(Fate::Formed), record(Fate::Formed));
    b.timings = serde_json::json!({"training_seconds": 1.0});
    b.provenance["created"] = "2027-01-01T00:00:00Z".into();
    let (a, b) = (rendered(&a), rendered(&b));
    let before = |r: &Rendered| r.markdown.split("\n## Time\n").next().unwrap().to_string();
    assert_eq!((before(&a), &a.figures), (before(&b), &b.figures));
    assert_ne!(a.markdown, b.markdown);
}

#[test]
fn a_missing_column_costs_the_figures_that_read_it_and_is_said() {
    let mut record = record(Fate::Formed);
    tables(&mut record)[0].columns[4].name = "points".into();
    let rendered = rendered(&record);
    let lost = ["prefix_matching", "prefix_matching_map"];
    let said = lost.map(|kind| format!("no figure `{kind}`: the table `heads` has no column `score`"));
    assert_eq!(rendered.warnings, said);
    assert!(rendered.markdown.contains("The figure prefix_matching could not be drawn"));
    assert!(rendered.figures.iter().any(|(file, _)| file == "ablation.svg"));
}

#[test]
fn a_record_may_be_nearly_empty() {
    let mut record = record(Fate::Formed);
    record.analyses.clear();
    record.verdict = None;
    record.plan.clear();
    record.metrics = Table::new("metrics", &[("tokens", ""), ("loss", "")]);
    (record.provenance, record.timings) = Default::default();
    let rendered = rendered(&record);
    assert!(rendered.figures.is_empty() && rendered.markdown.contains("**No verdict.**"));
}

#[test]
fn a_template_of_ones_own_and_its_mistakes() {
    let record = record(Fate::Formed);
    let of = |source: &str| report::render(&record, &Template::new("own.md", source));
    let own = of("{{ name }}: {{ verdict.outcome }}, {{ tables | length }} tables\n\n").unwrap();
    assert_eq!(own.markdown, "conv_attn: found, 13 tables\n");
    let mistake = |source: &str| of(source).unwrap_err().to_string();
    insta::assert_snapshot!(
        "template_mistakes",
        [
            mistake("# {{ name }}\n\n{{ verdcit.lead }}\n"),
            mistake("# {{ name }}\n{{ verdict.led }}\n"),
            mistake("{% for x in figures %}\n{{ x.title }\n"),
            mistake("{{ name | shout }}"),
        ]
        .join("\n\n")
    );
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(Template::find("report", folder).unwrap(), Template::default());
    let missing = Template::find("nowhere.md", folder).unwrap_err();
    assert!(
        matches!(missing, ReportError::NoTemplate { .. }) && missing.to_string().contains("built in: report")
    );
}

/// They come with runs that others made.
#[test]
fn a_template_without_end_is_told() {
    let record = record(Fate::Formed);
    for source in [
        "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}",
        "{% macro more(n) %}{{ more(n) ~ more(n) }}{% endmacro %}{{ more(1) }}",
        "{% set ns = namespace(x='x') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{{ 'x' * 99999999999 }}",
        "{{ '%999999999999d' | format(1) }}",
        "{{ name | indent(99999999999) }}",
    ] {
        let wrong = report::render(&record, &Template::new("mine.md", source)).unwrap_err();
        assert!(wrong.to_string().starts_with("mine.md:1: "), "{source}: {wrong}");
    }
}

#[test]
fn a_report_on_disk_replaces_an_earlier_one_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("reports/run");
    let mut record = record(Fate::Formed);
    report::write(&rendered(&record), &at).unwrap();
    std::fs::write(at.join("figures/mine.svg"), "<svg/>").unwrap();
    std::fs::write(at.join("notes.md"), "mine").unwrap();
    assert!(at.join("figures/conv_weights-0.svg").exists());
    record.analyses.retain(|a| a.probe != "conv_weights");
    let again = rendered(&record);
    let written = report::write(&again, &at).unwrap();
    assert_eq!(written.kept, [], "nobody has touched it");
    assert!(std::fs::read_to_string(&written.page).unwrap().starts_with(&again.markdown));
    let mut files: Vec<String> = again.figures.iter().map(|(file, _)| file.clone()).collect();
    files.push("mine.svg".into());
    files.sort();
    let entries = std::fs::read_dir(at.join("figures")).unwrap();
    let mut left: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, files);
    assert!(at.join("notes.md").exists());
}

#[test]
fn what_a_person_wrote_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let rendered = rendered(&record(Fate::Formed));
    let page = folder.path().join("report.md");
    std::fs::write(&page, "# Mine\n").unwrap();
    let written = |rendered: &Rendered| report::write(rendered, folder.path()).unwrap().kept;
    let [(_, kept)] = &written(&rendered)[..] else { panic!("it is lost") };
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "# Mine\n");
    assert_eq!(written(&rendered), []);
    let edited = std::fs::read_to_string(&page).unwrap().replacen("Found", "FOUND", 1);
    std::fs::write(&page, &edited).unwrap();
    let [(_, kept)] = &written(&rendered)[..] else { panic!("it is lost") };
    assert!(kept.ends_with("report.kept-2.md"));
    assert_eq!(std::fs::read_to_string(kept).unwrap(), edited);
    let with_html = rendered.with_html(&record(Fate::Formed));
    assert_eq!((written(&with_html), written(&with_html)), (Vec::new(), Vec::new()));
    std::fs::write(folder.path().join("report.html"), "<p>mine").unwrap();
    let [(page, kept)] = &written(&with_html)[..] else { panic!("it is lost") };
    assert!(page.ends_with("report.html") && kept.ends_with("report.kept.html"));
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "<p>mine");
}

#[test]
fn a_folder_of_templates_overrides_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let folders = [folder.path().to_path_buf()];
    assert_eq!(Template::among("report", &folders).unwrap(), Template::default());
    write("head.md", "Run {{ name }}.\n");
    write("report.md", "{% include \"head.md\" %}{{ verdict.outcome }}\n");
    let own = Template::among("report", &folders).unwrap();
    let said = report::render(&record(Fate::Formed), &own).unwrap().markdown;
    assert_eq!(said, "Run conv_attn.\nfound\n");
    write("report.md", "\n{{ verdcit }}\n");
    let wrong = Template::among("report", &folders).unwrap().check().unwrap_err().to_string();
    assert!(wrong.contains("report.md:2: there is no variable `verdcit`"), "{wrong}");
    assert!(wrong.contains("the variables that exist: name, description, verdict"), "{wrong}");
}

/// Writes everything to `target/look` for a person to look at.
#[test]
#[ignore = "for looking at: cargo test --release --test report -- --ignored"]
fn look() {
    let out = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/look");
    let records = [Fate::Formed, Fate::Control, Fate::CutShort].map(record);
    for mut record in records.into_iter().chain([fixture::many_heads()]) {
        let long: Vec<String> = (0..120).map(|i| format!(" w{}", (i * i) % 61)).collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        record.analyses.push(attention_map(&long, 1, 0.4));
        record.analyses.extend(losses::all(&long));
        report::write(&rendered(&record), &out.join(&record.name)).unwrap();
    }
}
