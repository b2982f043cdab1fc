//! What an SVG and a Markdown file have to be, checked without their parsers.

/// Panics unless every tag is closed, every `&` begins an entity, and nothing is there that XML
/// does not allow.
pub fn well_formed(svg: &str) {
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{}", &svg[..80.min(svg.len())]);
    let allowed = |c: char| c == '\n' || (c >= ' ' && !('\u{7f}'..='\u{9f}').contains(&c));
    assert!(svg.chars().all(|c| allowed(c) && c != '\u{fffe}' && c != '\u{ffff}'));
    for number in ["NaN", "inf", "e308"] {
        assert!(!svg.contains(&format!("\"{number}")), "{number} in a figure");
    }
    let entities = ["amp;", "lt;", "gt;", "quot;", "apos;"];
    for rest in svg.split('&').skip(1) {
        assert!(entities.iter().any(|e| rest.starts_with(e)), "&{}", rest.split_at(8.min(rest.len())).0);
    }
    let known = ["svg", "title", "style", "rect", "text", "polyline", "polygon", "circle"];
    let mut open: Vec<&str> = Vec::new();
    for tag in svg.split('<').skip(1).filter(|tag| !tag.starts_with("!--")) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        assert!(known.contains(&name), "<{tag}>");
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name)),
            (_, true) => {}
            _ => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// The Markdown without its fenced blocks, code spans and escaped characters: what a reader of
/// Markdown acts upon.
pub fn outside_code(markdown: &str) -> String {
    let mut outside = String::new();
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() && line == ticks => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 && !line[ticks.len()..].contains('`') => fence = Some(ticks),
            None => outside += &(without_spans(line) + "\n"),
        }
    }
    assert_eq!(fence, None, "a fence stays open");
    outside
}

fn without_spans(line: &str) -> String {
    let (mut outside, mut rest) = (String::new(), line);
    while let Some(start) = rest.find('`') {
        if rest[..start].ends_with('\\') {
            outside += &rest[..=start];
            rest = &rest[start + 1..];
            continue;
        }
        outside += &rest[..start];
        let ticks = rest[start..].chars().take_while(|c| *c == '`').count();
        let after = &rest[start + ticks..];
        let closes = |at: &usize| {
            let run = after[*at..].chars().take_while(|c| *c == '`').count();
            run == ticks && !after[..*at].ends_with('`')
        };
        let end = after.match_indices('`').map(|(at, _)| at).find(closes);
        rest = &after[end.expect("a code span ends") + ticks..];
    }
    outside += rest;
    let escaped = outside.match_indices('\\').map(|(at, _)| at);
    let mut kept = outside.clone();
    for at in escaped.collect::<Vec<_>>().into_iter().rev() {
        let after = outside[at + 1..].chars().next();
        if after.is_some_and(|c| c.is_ascii_punctuation() && c != '\\') {
            kept.replace_range(at..at + 2, "");
        }
    }
    kept
}
