//! A user's report template, on the record of a real run: it is checked and rendered, or refused; it neither goes on
//! without end nor takes memory without bound.
#![no_main]

use indhead::figures::draw_all;
use indhead::record::RunDirectory;
use indhead::report::context::Context;
use indhead::report::{BUILT_IN, Template};
use indhead_fuzz::seed_as_it_is;
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::LazyLock;

/// One of the stored runs, thinned out to what is quick to render.
static CONTEXT: LazyLock<Context> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/runs.tar.gz");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(stored).unwrap()));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let (ours, sought) = (entry.path().unwrap().starts_with("four/attn"), folder.path().join("four"));
        match ours {
            true => _ = entry.unpack_in(folder.path()).unwrap(),
            false if sought.exists() => break,
            false => {}
        }
    }
    let mut record = RunDirectory::at(folder.path().join("four/attn")).record().unwrap();
    for table in record.analyses.iter_mut().flat_map(|analysis| &mut analysis.tables) {
        table.rows.truncate(3);
    }
    for (name, source) in SEEDS.iter().chain(BUILT_IN) {
        seed_as_it_is(&format!("template/{name}"), source.as_bytes());
    }
    let drawn = draw_all(&record);
    Context::of(&record, &drawn)
});

/// The ones that are built in, and one that does more.
const SEEDS: &[(&str, &str)] = &[(
    "more",
    "{% macro row(x) %}{{ x|join(' | ') }}{% endmacro %}{% for t in tables|sort(attribute='id') %}\n\
      {%- set n = loop.index0 * 2 %}{{ t.rows[0]|length }}{{ '%05.1f'|format(n) if n is odd else n|string|upper }}\n\
      {{ row(t.columns) }}{{ t|tojson(indent=2)|indent(2) }}{% endfor %}{% filter title %}{{ name ~ 'x' * 3 }}\
      {% endfilter %}{% set ns = namespace(a=[]) %}{% for i in range(3) %}{% set ns.a = ns.a + [i] %}{% endfor %}\
      {{ ns.a|slice(2)|list }}{% if verdict.outcome in ['found'] %}{{ plan[3:9] }}{% endif %}",
)];

fuzz_target!(|input: &[u8]| {
    let Ok(source) = std::str::from_utf8(input) else { return };
    match Template::new("fuzz", source).render(&CONTEXT) {
        Ok(markdown) => assert!(markdown.ends_with('\n')),
        Err(error) => assert!(error.to_string().starts_with("fuzz:")),
    }
});
