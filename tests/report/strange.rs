//! Records that no run should leave and some will: nothing may panic, and nothing from outside may
//! become markup.

use super::check::{outside_code, well_formed};
use super::fixture::{Fate, record};
use super::probes::attention_map;
use super::{circuits, losses, rendered, tables};
use indhead::record::{Cell, Table};

const HOSTILE: &str = "<script>alert(1)</script>|`[a](javascript:b)\n\n# x\n```\n&amp;\u{202e}\u{0}\"'~~-->";

#[test]
fn no_table_is_too_strange() {
    type Change = (&'static str, fn(&mut Table));
    let changes: [Change; 12] = [
        ("empty", |t| t.rows.clear()),
        ("one row", |t| t.rows.truncate(1)),
        ("last row", |t| drop(t.rows.drain(..t.rows.len() - 1))),
        ("one checkpoint", |t| {
            let first = t.column("step").next().cloned();
            *t = first.map_or(t.clone(), |step| t.filter("step", step));
        }),
        ("nothing measured", |t| each(t, |_| Cell::Missing(()))),
        ("not numbers", |t| each(t, |_| Cell::Number(f64::NAN))),
        ("infinite", |t| each(t, |_| Cell::Number(f64::INFINITY))),
        ("constant", |t| each(t, |_| Cell::Integer(3))),
        ("enormous", |t| each(t, |i| Cell::Number(if i % 2 == 0 { f64::MAX } else { -1e300 }))),
        ("negative", |t| each(t, |i| Cell::Integer(-(i as i64)))),
        ("words", |t| each(t, |_| HOSTILE.into())),
        ("short rows", |t| t.rows.iter_mut().for_each(|row| row.truncate(2))),
    ];
    for fate in [Fate::Formed, Fate::Control, Fate::CutShort] {
        for (name, change) in changes {
            let mut record = record(fate);
            record.analyses.extend(losses::all(&["a", " b", "\n", "a", " b"]));
            record.analyses.extend(circuits::all(1));
            tables(&mut record).into_iter().for_each(change);
            let rendered = rendered(&record);
            assert_eq!(rendered.warnings, Vec::<String>::new(), "{name}");
            rendered.figures.iter().for_each(|(_, svg)| well_formed(svg));
            assert!(!outside_code(&rendered.markdown).contains("<script"), "{name}");
        }
    }
}

#[test]
fn no_verdict_is_too_strange() {
    for threshold in [f64::NAN, f64::INFINITY, f64::MAX, -1e9, 0.0] {
        let mut record = record(Fate::Control);
        record.analyses.extend(losses::all(&["a", " b", "\n", "a", " b"]));
        record.analyses.extend(circuits::all(0));
        let verdict = record.verdict.as_mut().unwrap();
        verdict.criteria.iter_mut().for_each(|c| c.threshold = threshold);
        let change = verdict.phase_change.as_mut().unwrap();
        (change.from_step, change.from_tokens, change.to_tokens) = (u64::MAX, u64::MAX, 0);
        (change.before, change.after) = (threshold, -threshold);
        rendered(&record).figures.iter().for_each(|(_, svg)| well_formed(svg));
    }
}

fn each(table: &mut Table, cell: impl Fn(usize) -> Cell) {
    for (i, row) in table.rows.iter_mut().enumerate() {
        row.iter_mut().for_each(|old| *old = cell(i));
    }
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let mut record = record(Fate::Formed);
    record.name = HOSTILE.into();
    for key in ["name", "description"] {
        record.plan.insert(key.into(), HOSTILE.into());
    }
    record.plan["dataset"]["path"] = HOSTILE.into();
    record.plan["training"]["optimizer"]["kind"] = HOSTILE.into();
    record.plan["architecture"]["blocks"][0]["kind"] = HOSTILE.into();
    for key in ["version", "commit", "device"] {
        record.provenance[key] = HOSTILE.into();
    }
    record.provenance["argv"] = serde_json::json!(["indhead", HOSTILE]);
    record.provenance["dataset"] = serde_json::json!({HOSTILE: HOSTILE});
    record.timings["finished"] = HOSTILE.into();
    let verdict = record.verdict.as_mut().unwrap();
    verdict.summary = HOSTILE.into();
    for criterion in &mut verdict.criteria {
        (criterion.meaning, criterion.unit) = (HOSTILE.into(), HOSTILE.into());
    }
    for analysis in &mut record.analyses {
        (analysis.id, analysis.definition) = (format!("../{HOSTILE}"), HOSTILE.into());
        analysis.parameters.insert("text".into(), HOSTILE.into());
        for table in &mut analysis.tables {
            table.columns.iter_mut().for_each(|c| c.unit = HOSTILE.into());
        }
    }
    record.analyses.push(attention_map(&[HOSTILE, "\n", HOSTILE], 1, 0.5));
    record.analyses.push(losses::per_token_loss(&["", HOSTILE, "\n", HOSTILE]));
    let plain = rendered(&super::record(Fate::Formed)).markdown;
    let rendered = rendered(&record);
    assert!(!rendered.figures.is_empty());
    for (file, svg) in &rendered.figures {
        well_formed(svg);
        assert!(!svg.contains("<script") && !file.contains(['/', '<', '|', ' ']) && !file.starts_with('.'));
    }
    let acted_upon = outside_code(&rendered.markdown);
    for markup in ["<script", "](javascript", "\n# x", "\u{202e}", "\0", "-->"] {
        assert!(!acted_upon.contains(markup), "{markup:?} in\n{acted_upon}");
    }
    // Every table keeps its columns: as many unescaped bars in a row as in the plain report.
    let bars = |text: &str| -> Vec<usize> {
        let rows = text.lines().filter(|line| line.starts_with('|'));
        rows.map(|row| row.matches('|').count()).collect()
    };
    assert_eq!(bars(&acted_upon), bars(&outside_code(&plain)));
}
