//! A spec's text, and after each zero byte a `--set`: read, planned, told what is wrong with it, printed, read again.
#![no_main]

use indhead::language::language;
use indhead::plan::{Planned, plan};
use indhead::probes::verdict::EVIDENCE;
use indhead::spec::placed::placed;
use indhead::spec::{Language, Spec, render};
use libfuzzer_sys::{Corpus, fuzz_target};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static LANGUAGE: LazyLock<Language> = LazyLock::new(language);
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| tempfile::tempdir().unwrap().keep());

/// Specs name paths, and what lies there is not part of the input.
fn leads_out(text: &[u8]) -> bool {
    let root = |pair: &[u8]| pair[1] == b'/' && !pair[0].is_ascii_alphanumeric();
    let elsewhere = |pair: &[u8]| pair == b".." || pair == b"\\u" || pair == b"\\U" || pair == b"\\x";
    text.iter().any(|b| matches!(b, b'~' | b'$')) || text.windows(2).any(|pair| root(pair) || elsewhere(pair))
}

fuzz_target!(|input: &[u8]| -> Corpus {
    if leads_out(input) {
        return Corpus::Reject;
    }
    let mut parts = input.split(|b| *b == 0);
    let text = parts.next().unwrap_or_default();
    let sets: Vec<String> = parts.take(4).map(|set| String::from_utf8_lossy(set).into_owned()).collect();
    let mut spec = Spec::parse(&FOLDER.join("fuzz.toml"), text, &sets);
    spec.findings.elsewhere = true;
    let members = spec.sweep.len();
    if members == 1 {
        spec.members().into_iter().take(3).for_each(|member| tell(member.spec));
    }
    tell(spec);
    Corpus::Keep
});

fn tell(spec: Spec) {
    let Planned { plan: planned, findings } = plan(spec, &LANGUAGE, EVIDENCE, "fuzz");
    assert_eq!(planned.is_none(), findings.failed());
    render(&findings.diagnostics, &findings.sources, true);
    assert_eq!(placed(&findings).len(), findings.diagnostics.len());
    let Some(planned) = planned else { return };
    planned.to_toml(Some(&findings));
    let printed = planned.to_toml(None);
    let mut again = Spec::parse(Path::new("/nowhere/fuzz.toml"), &printed, &[]);
    again.findings.elsewhere = true;
    let again = plan(again, &LANGUAGE, EVIDENCE, "fuzz");
    let said = render(&again.findings.diagnostics, &again.findings.sources, false);
    assert_eq!(again.plan.as_ref(), Some(&planned), "{printed}\n{said}");
}
