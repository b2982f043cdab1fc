//! `docs/gallery.md`: every probe and figure, with the spec lines that make it, out of the registries.

#[path = "report/circuits.rs"]
mod circuits;
#[path = "report/fixture.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod fixture;
#[path = "report/losses.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod losses;
#[path = "report/probes.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod probes;

use fixture::{Fate, record};
use indhead::figures::{Figure, KINDS};
use indhead::record::Record;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// The figures of a record with only some of its analyses, each with the name of its kind. A figure
/// of several probes goes with the first that its example names.
fn drawn(record: &Record, probe: Option<&str>) -> Vec<(&'static str, Figure)> {
    let of_kind = |kind: &indhead::figures::FigureKind| {
        let named = |probe: &str| kind.example.contains(&format!("probe = \"{probe}\""));
        let first = |probe: &str| kind.example.starts_with(&format!("[[analyses]]\nprobe = \"{probe}\""));
        let several = kind.example.matches("probe = ").count() > 1 && probe.is_some_and(first);
        let mut record = record.clone();
        record.analyses.retain(|a| Some(a.probe.as_str()) == probe || (several && named(&a.probe)));
        (kind.draw)(&record).unwrap().into_iter().map(|figure| (kind.name, figure)).collect::<Vec<_>>()
    };
    // What is drawn without any analysis belongs to none.
    let mut figures: Vec<_> = KINDS.iter().flat_map(of_kind).collect();
    figures.retain(|(kind, _)| probe.is_none() || *kind != "loss");
    figures
}

/// The page, and the drawings it shows.
fn gallery() -> (String, Vec<Figure>) {
    let mut record = record(Fate::Formed);
    // What the made-up run has no use for.
    let share = |unit: &str, score: &dyn Fn(u64, u64) -> f64| vec![probes::heads(unit, score, 1)];
    let copies =
        share(probes::SHARE, &|s, h| 0.06 + 0.3 * h as f64 * probes::rise(s) + 0.02 * probes::noise(s + h));
    let current =
        share("share of the current token", &|s, h| 0.5 - 0.42 * (h == 0) as u64 as f64 * probes::rise(s));
    record.analyses.push(probes::analysis("duplicate_token", "duplicate_token", "", copies));
    record.analyses.push(probes::analysis("smear", "smear", "", current));
    let tokens: Vec<&str> = fixture::TEXT.split('/').collect();
    record.analyses.extend(losses::all(&tokens));
    record.analyses.extend(circuits::all(1));
    let layers = circuits::two_layers(probes::SHARE, &|s, [l, h]| {
        0.03 + 0.7 * (l == 1) as u64 as f64 * (1.0 - 0.4 * h as f64) * probes::rise(s)
            + 0.02 * probes::noise(s + h)
    });
    record.analyses.push(probes::analysis("prefix_matching", "prefix_matching_two_layers", "", vec![layers]));
    let mut page = "# Gallery\n\nEvery figure of a report and every probe behind it, with the lines of a spec that \
                    ask for it. The run is made up, so that there is something to see. This page is made out of \
                    the registries by `just gallery`.\n"
        .to_string();
    let mut all = Vec::new();
    let mut show = |page: &mut String, figures: Vec<(&'static str, Figure)>| {
        for (kind, figure) in figures {
            let reading = figure.reading.split_whitespace().collect::<Vec<_>>().join(" ");
            let (title, name) = (&figure.title, &figure.name);
            let _ = write!(
                page,
                "\n### Figure `{kind}`: {title}\n\n![{title}](gallery/{name}.svg)\n\n{reading}\n"
            );
            all.push(figure);
        }
    };
    page += "\n## Of every run\n\nThe loss needs no probe. How often held-out text is read, and how much of it:\n\n\
             ```toml\n[training]\nvalidation_sequences = 64\ncheckpoints = { kind = \"log_linear\", count = 32 }\n```\n";
    show(&mut page, drawn(&record, None));
    for probe in indhead::probes::KINDS {
        let (name, example) = (probe.kind.name, probe.kind.example.trim());
        let doc = probe.kind.doc.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = write!(page, "\n## Probe `{name}`\n\n{doc}\n\n```toml\n[[analyses]]\n{example}\n```\n");
        show(&mut page, drawn(&record, Some(name)));
    }
    (page, all)
}

#[test]
fn the_gallery_is_what_the_registries_say() {
    let (page, figures) = gallery();
    let written = std::fs::read_to_string(docs().join("gallery.md")).unwrap();
    assert!(written == page, "docs/gallery.md is out of date: `just gallery` makes it again");
    for figure in figures {
        let path = docs().join("gallery").join(format!("{}.svg", figure.name));
        assert!(path.exists(), "{} is not there: `just gallery` makes it", path.display());
    }
    for kind in KINDS {
        assert!(
            page.contains(&format!("### Figure `{}`", kind.name)),
            "nothing shows a figure `{}`",
            kind.name
        );
    }
}

#[test]
#[ignore = "writes docs/gallery.md: just gallery"]
fn make() {
    let (page, figures) = gallery();
    std::fs::create_dir_all(docs().join("gallery")).unwrap();
    std::fs::write(docs().join("gallery.md"), page).unwrap();
    for figure in figures {
        std::fs::write(docs().join("gallery").join(format!("{}.svg", figure.name)), figure.svg).unwrap();
    }
}
