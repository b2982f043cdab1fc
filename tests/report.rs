//! Figures and reports of made-up runs.

#[path = "report/fixture.rs"]
mod fixture;

use fixture::{Fate, attention_map, record};
use indhead::report::{self, Template};

/// Writes everything to `target/look` for a person to look at.
#[test]
#[ignore = "for looking at: cargo test --release --test report -- --ignored"]
fn look() {
    let out = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/look");
    let records = [Fate::Formed, Fate::Control, Fate::CutShort].map(record);
    for mut record in records.into_iter().chain([fixture::many_heads()]) {
        let long: Vec<String> = (0..120).map(|i| format!(" w{}", (i * i) % 61)).collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        let mut map = attention_map(&long, 1, 0.4);
        map.id = "long".into();
        record.analyses.push(map);
        let strange = [
            "<b>", "漢字", "🙂🙂", "é", "\u{202e}", " ", "\0", "\"&'", "<b>", "漢字", "|", "`",
        ];
        let mut map = attention_map(&strange, 1, 0.4);
        map.id = "strange".into();
        record.analyses.push(map);
        let rendered = report::render(&record, &Template::default()).unwrap();
        assert_eq!(rendered.warnings, Vec::<String>::new());
        report::write(&rendered, &out.join(&record.name)).unwrap();
    }
}
