//! Figures and reports of made-up runs.

#[path = "report/fixture.rs"]
mod fixture;

use fixture::{Fate, attention_map, record};
use indhead::figures;

/// Writes everything to `target/look` for a person to look at.
#[test]
#[ignore = "for looking at: cargo test --release --test report -- --ignored"]
fn look() {
    let out = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/look");
    for fate in [Fate::Formed, Fate::Control, Fate::CutShort] {
        let mut record = record(fate);
        let long: Vec<String> = (0..120).map(|i| format!(" w{}", (i * i) % 61)).collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        let mut map = attention_map(&long, 1, 0.4);
        map.id = "long".into();
        record.analyses.push(map);
        let drawn = figures::draw_all(&record);
        assert!(drawn.failures.is_empty(), "{:?}", drawn.failures);
        let folder = out.join(&record.name);
        std::fs::create_dir_all(&folder).unwrap();
        for figure in drawn.figures {
            std::fs::write(folder.join(figure.name + ".svg"), figure.svg).unwrap();
        }
    }
}
