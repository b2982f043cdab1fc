//! TOML that may be broken: everything that can be read of it, and one complaint for each slip.
//!
//! A parser that has met a mistake guesses at the rest, and every wrong guess is one more complaint.
//! So a line with a mistake is taken out and the rest parsed again, until nothing is wrong; its key
//! stays, with a value that cannot be known.

use super::check::Findings;
use super::diagnostic::Diagnostic;
use super::source::Span;
use super::tree::{Tree, Value, from_toml};
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// More mistakes than this are not those of a person who meant to write TOML.
const MOST: usize = 20;

const NEVER_CLOSED: &str = "what opens here is never closed";

/// Reads a text as TOML; its mistakes go to the findings.
pub fn parse(bytes: &[u8], source: usize, findings: &mut Findings) -> Tree {
    let text = findings.sources.0[source].text.clone();
    let no_text = std::str::from_utf8(bytes).err().map(|error| error.valid_up_to());
    if let Some(at) = no_text.or_else(|| text.find('\0')) {
        let help = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16: save it as UTF-8",
            _ => "a spec is written in TOML, in UTF-8",
        };
        let span = Span { source, range: at..at };
        findings.diagnostics.push(Diagnostic::error("", span, "this is not a text file").help(help));
        findings.incomplete = true;
        return Tree::default();
    }
    let mut broken = Broken { text: &text, rest: text.clone(), lines: BTreeSet::new(), lost: false };
    let most = findings.diagnostics.len() + MOST;
    for _ in 0..3 * MOST {
        let Some((place, message, damage)) = broken.next() else { break };
        if findings.diagnostics.len() == most {
            break;
        }
        if !broken.lines.contains(&broken.line(place.start).start) {
            findings.diagnostics.push(explained(&message, &text, Span { source, range: place }));
        }
        broken.take_out(damage);
    }
    findings.incomplete |= broken.lost;
    let (document, errors) = DeTable::parse_recoverable(&broken.rest);
    if !errors.is_empty() {
        findings.incomplete = true;
        return Tree::default();
    }
    let mut tree = from_toml(document.get_ref(), source);
    broken.forget(&mut tree);
    tree
}

/// A text, and what is left of it once lines with mistakes are taken out.
struct Broken<'a> {
    text: &'a str,
    /// As long as the text: what is taken out is blank.
    rest: String,
    /// Where the lines start that have been touched.
    lines: BTreeSet<usize>,
    /// Whether keys may be missing that the text has.
    lost: bool,
}

impl Broken<'_> {
    /// The first mistake in the rest: where it is, what it is, and what has to be taken out.
    fn next(&self) -> Option<(Range<usize>, String, Range<usize>)> {
        let (document, errors) = DeTable::parse_recoverable(&self.rest);
        let at = |error: &toml::de::Error| {
            let span = error.span().unwrap_or(0..0);
            self.whole(span.start)..self.whole(span.end)
        };
        let first = errors.iter().min_by_key(|error| at(error).start)?;
        let place = at(first);
        let Some(value) = around(document.get_ref(), place.start, self.line(place.start).start) else {
            return Some((place.clone(), first.message().into(), place));
        };
        let open = |error: &&toml::de::Error| {
            ["unclosed", "invalid multi-line"].iter().any(|start| error.message().starts_with(start))
        };
        match errors.iter().filter(open).any(|error| value.contains(&at(error).start.saturating_sub(1))) {
            true => {
                let opening = self.whole(value.start)..self.whole(value.start + 1);
                Some((opening.clone(), NEVER_CLOSED.into(), opening))
            }
            false => Some((place, first.message().into(), value)),
        }
    }

    /// The parser counts bytes, and may stop in the middle of a character.
    fn whole(&self, at: usize) -> usize {
        (0..=at).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }

    /// The line that a place is on, without its end.
    fn line(&self, at: usize) -> Range<usize> {
        let at = self.whole(at);
        let start = self.text[..at].rfind('\n').map_or(0, |i| i + 1);
        start..self.text[at..].find('\n').map_or(self.text.len(), |i| at + i)
    }

    /// Blanks the lines of a range. A first line that begins with a key keeps it, once; without its
    /// header the rest of a table has no place either.
    fn take_out(&mut self, damage: Range<usize>) {
        let first = self.line(damage.start);
        let mut end = self.line(damage.end.max(damage.start)).end;
        let line = &self.rest[first.clone()];
        let indent = line.len() - line.trim_start().len();
        let header = line.trim_end().ends_with(']') && !line.contains(['=', ':']);
        if header || line[indent..].starts_with('[') {
            let next = self.rest[end..].find("\n[").map_or(self.rest.len(), |i| end + i);
            end = next.max(end);
        }
        let is_key = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let key = line[indent..].find(|c| !is_key(c)).map_or(line.len(), |i| indent + i);
        let keep = !header && key > indent && key + 2 <= line.len() && !self.lines.contains(&first.start);
        let clean = line[key..].is_empty() || line[key..].starts_with([' ', '\t', '=', ':']);
        let kept = if keep { format!("{}=0", &line[..key]) } else { String::new() };
        let blank = |byte: u8| if byte == b'\n' { '\n' } else { ' ' };
        let blanked: String = self.rest.bytes().take(end).skip(first.start + kept.len()).map(blank).collect();
        let lines = self.rest[first.start..end].match_indices('\n').map(|(i, _)| first.start + i + 1);
        self.lines.extend(std::iter::once(first.start).chain(lines));
        self.rest.replace_range(first.start..end, &(kept + &blanked));
        // A line of two keys, of none, or of half a one.
        self.lost |= !keep || !clean || self.text[first.start..end].matches('=').count() > 1;
    }

    /// What stands on a line that was touched is unknown.
    fn forget(&self, tree: &mut Tree) {
        for entry in &mut tree.entries {
            if self.lines.contains(&self.line(entry.node.span.range.start).start) {
                entry.node.value = Value::Unreadable;
            }
            match &mut entry.node.value {
                Value::Table(inner) => self.forget(inner),
                Value::List(items) => items.iter_mut().for_each(|item| {
                    if let Value::Table(inner) = &mut item.value {
                        self.forget(inner);
                    }
                }),
                _ => {}
            }
        }
    }
}

/// The outermost value that a place is in and that starts before its line.
fn around(table: &DeTable<'_>, at: usize, line: usize) -> Option<Range<usize>> {
    fn within(value: &Spanned<DeValue<'_>>, at: usize, line: usize) -> Option<Range<usize>> {
        let span = value.span();
        if span.start < line && (span.start..=span.end).contains(&at) {
            return Some(span);
        }
        match value.get_ref() {
            DeValue::Table(inner) => around(inner, at, line),
            DeValue::Array(items) => items.iter().find_map(|item| within(item, at, line)),
            _ => None,
        }
    }
    table.iter().find_map(|(_, value)| within(value, at, line))
}

/// What the parser says, with what to do about it.
fn explained(message: &str, text: &str, span: Span) -> Diagnostic {
    let message = message.lines().next().unwrap_or("");
    let start = text[..span.range.start].rfind('\n').map_or(0, |i| i + 1);
    let end = text[span.range.start..].find('\n').map_or(text.len(), |i| span.range.start + i);
    let slip = Slip {
        word: text[span.range.clone()].trim_matches(|c: char| !c.is_alphanumeric()),
        line: text[start..end].trim(),
        before: &text[start..span.range.start],
        rest: &text[span.range.start..end],
    };
    let path =
        slip.rest.starts_with(['~', '/']) || slip.rest.starts_with("./") || slip.rest.starts_with("../");
    let bare = path || (message.starts_with("invalid float") && slip.rest.starts_with(char::is_alphabetic));
    let bare = bare && slip.before.trim_end().ends_with('=');
    let unquoted = bare || message.starts_with("string values must be quoted");
    let said = match slip.word.chars().next() {
        _ if slip.empty() => "a key without a value",
        _ if slip.decimal().is_some() => "a number with a comma",
        None if unquoted && !path => "a key without a value",
        Some(first) if unquoted && !path && first.is_numeric() => "neither a number nor text in quotes",
        _ if bare => "string values must be quoted",
        _ => message,
    };
    let help = slip.help(said, unquoted, text);
    let said = said.trim_end_matches(", expected nothing").trim_end_matches(", expected literal string");
    let diagnostic = Diagnostic::error("", span, format!("this is not TOML: {said}"));
    if help.is_empty() { diagnostic } else { diagnostic.help(help) }
}

/// What stands around a slip.
struct Slip<'a> {
    /// What the parser points at, without signs.
    word: &'a str,
    /// The line, trimmed.
    line: &'a str,
    /// The line up to the slip.
    before: &'a str,
    /// The line from the slip on.
    rest: &'a str,
}

impl Slip<'_> {
    /// Whether the value is not there: `lr = }`, `lr = ,`.
    fn empty(&self) -> bool {
        self.before.trim_end().ends_with('=') && self.rest.trim_start().starts_with([',', '}', ']'])
    }

    /// The number that was meant by `0,01`.
    fn decimal(&self) -> Option<String> {
        let (_, begun) = self.before.rsplit_once('=')?;
        let value = format!("{begun}{}", self.rest);
        let end = value.find(|c: char| !c.is_ascii_digit() && !" ,".contains(c)).unwrap_or(value.len());
        let number = value[..end].trim().trim_end_matches(',');
        let (whole, fraction) =
            number.split_once(',').filter(|_| super::wrong::number_meant(number).is_none())?;
        let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        (digits(whole) && digits(fraction)).then(|| format!("{whole}.{fraction}"))
    }

    /// The words in typographic quotes that a value begins with.
    fn curly(&self) -> Option<&str> {
        let words = self.rest.strip_prefix(['“', '”', '„', '‘', '’', '«'])?;
        words.split(['“', '”', '‘', '’', '»']).next()
    }

    /// What to do about it; empty if the parser's words have to do.
    fn help(&self, message: &str, unquoted: bool, text: &str) -> String {
        let Slip { word, line, before, rest } = *self;
        let value = line.split_once('=').map_or("", |(_, value)| value.trim());
        let quoted = before.trim_end().ends_with(['"', '\'']);
        let is = |start: &str| message.starts_with(start);
        if value.contains("//") || line.starts_with("//") {
            return "a comment begins with `#`".into();
        }
        if before.ends_with('=') && rest.starts_with('>') {
            return "a key and its value are joined by `=`".into();
        }
        if let Some(number) = self.decimal() {
            return format!("the sign before decimals is a dot: {number}");
        }
        if let Some(words) = self.curly().filter(|_| unquoted) {
            return format!("text goes in quotes, which are straight: {words:?}");
        }
        if unquoted && ["none", "null", "nil", "undefined"].contains(&word.to_lowercase().as_str()) {
            let word = word.to_lowercase();
            return format!("leave the key out for its default; text goes in quotes: \"{word}\"");
        }
        if unquoted && ["yes", "no", "on", "off"].contains(&word.to_lowercase().as_str()) {
            return format!(
                "a flag is `true` or `false`, a number has digits, text goes in quotes: \"{word}\""
            );
        }
        let whole = rest.trim_start_matches(|c: char| !c.is_alphanumeric() && !"~./".contains(c));
        let whole =
            whole.split(|c: char| !c.is_alphanumeric() && !"~_-./".contains(c)).next().unwrap_or(word);
        if unquoted && whole.contains(char::is_alphabetic) && !whole.starts_with(|c: char| c.is_ascii_digit())
        {
            return format!("text goes in quotes: \"{whole}\"");
        }
        if let Some(number) = super::wrong::number_meant(value) {
            return format!("write it out: {number}");
        }
        if is("key with no value") && line.ends_with(']') {
            return "a table opens with `[name]`, each of a list of tables with `[[name]]`".into();
        }
        if is("duplicate key") && text.contains(&format!("[{line}]")) {
            return format!("each of a list of tables has double brackets: `[{line}]`");
        }
        if is("duplicate key") {
            return format!("`{word}` is there already: keep one");
        }
        if rest.starts_with(':') {
            return "a key and its value are joined by `=`".into();
        }
        if is("key with no value") {
            return "write `key = value`".into();
        }
        if is("unclosed table") || is("unclosed array table") {
            return "a table opens with `[name]`, each of a list of tables with `[[name]]`".into();
        }
        if is("unexpected leading zero") {
            return "a whole number does not begin with 0".into();
        }
        if is("invalid boolean") {
            return "write `true` or `false`".into();
        }
        if message == NEVER_CLOSED {
            return "the bracket or the quotes that belong to it are missing".into();
        }
        if is("invalid basic string") || is("invalid literal string") {
            return "the quotes that end it are missing".into();
        }
        if message.contains("escape") || message.contains("unicode") {
            return "in double quotes a backslash begins an escape; single quotes take text as it is".into();
        }
        if is("invalid mantissa") || is("invalid fraction") {
            return "a number has digits before and after its point: 0.5".into();
        }
        if is("unexpected key or value") && rest.contains('=')
            || value.contains(" = ") && !value.contains('{')
        {
            return "each key has a line of its own".into();
        }
        if is("unexpected key or value") && before.ends_with('\'') && rest.starts_with(char::is_alphanumeric)
        {
            return "text with `'` in it goes in double quotes".into();
        }
        if is("unexpected key or value") && quoted && rest.starts_with(char::is_alphanumeric) {
            return "quotes inside quotes are written `\\\"`".into();
        }
        if is("unexpected key or value") && rest.starts_with([',', ';', '"', '\'']) {
            return "nothing follows a value but a comment".into();
        }
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::*;

    /// What is wrong, by line, and the keys that are left.
    fn read(text: &str) -> (Vec<usize>, Vec<String>, bool) {
        let mut findings = Findings::default();
        findings.sources.add(Source { name: "x".into(), text: text.into(), folder: "".into() });
        let tree = parse(text.as_bytes(), 0, &mut findings);
        let lines = findings.diagnostics.iter().map(|d| findings.sources.line_column(&d.span).0).collect();
        let keys = tree.entries.iter().map(|e| e.key.clone()).collect();
        (lines, keys, findings.incomplete)
    }

    #[test]
    fn every_slip_is_told_once_and_the_rest_is_read() {
        assert_eq!(read("a = 1\nb = \nc 3\nd = x\ne = 5\n"), (vec![2, 3, 4], strings("a b c d e"), false));
        assert_eq!(read("a = [1,\nb = 2\n[c]\nd = 1\n"), (vec![1], strings("a b c"), false));
        assert_eq!(read("a = [\n1,\nx,\n]\nb = 2\n"), (vec![3], strings("a b"), false));
        assert_eq!(read("a = \"\"\"x\nb = 2\n"), (vec![1], strings("a b"), false));
        assert_eq!(read("a = { b = 1\nc = 2\n"), (vec![1], strings("a c"), true));
        assert_eq!(read("[a\nb = 2\nc = 3\n[d]\ne = 1\n"), (vec![1], strings("d"), true));
        assert_eq!(read("a = 1\nb = 2\na = 3\n"), (vec![3], strings("a b"), true));
        assert_eq!(read("a = 1"), (vec![], strings("a"), false));
    }

    #[test]
    fn an_apostrophe_in_single_quotes_is_told_so() {
        let mut findings = Findings::default();
        let text = "a = 'it's'\n";
        findings.sources.add(Source { name: "x".into(), text: text.into(), folder: "".into() });
        parse(text.as_bytes(), 0, &mut findings);
        assert_eq!(findings.diagnostics[0].help, ["text with `'` in it goes in double quotes"]);
    }

    #[test]
    fn anything_at_all_can_be_read() {
        let rubbish = "[[[]]=={}\"\"\"'#\\u00e9 \r\n\t=\u{1f600}a.b.c=[{";
        let chars: Vec<char> = rubbish.chars().collect();
        for i in 0..4000usize {
            let pick = |j: usize| chars[(i * 31 + j * j * 7 + i * j) % chars.len()];
            let text: String = (0..i % 40).map(pick).collect();
            read(&text);
            read(&format!("x = 1\n{text}\ny = 2\n"));
        }
    }

    fn strings(words: &str) -> Vec<String> {
        words.split(' ').map(str::to_string).collect()
    }
}
