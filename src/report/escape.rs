//! Words from outside (names, descriptions, tokens, paths) as Markdown that shows them and nothing
//! else: no tag, link, heading, table cell or emphasis can come of them.

use crate::figures::text::printable;

/// Text for a paragraph, a heading, a list item, a table cell or the alternative of an image.
pub fn text(words: &str) -> String {
    escaped(&words.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn escaped(line: &str) -> String {
    let line: Vec<char> = printable(line).chars().collect();
    let mut out = String::with_capacity(line.len() + 8);
    for (i, &c) in line.iter().enumerate() {
        let before = |n: usize| i.checked_sub(n).map(|at| line[at]);
        let after = line.get(i + 1).copied();
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '$' => out.extend(['\\', c]),
            '_' if !(word(before(1)) && word(after)) => out.push_str("\\_"),
            // Bare addresses become links in GitHub's dialect, and `:smile:` a picture.
            ':' if after == Some('/') => out.push_str("&#58;"),
            ':' if word(after) && !word(before(1)) => out.push_str("&#58;"),
            '.' if (1..=3).all(|n| matches!(before(n), Some('w' | 'W'))) => out.push_str("&#46;"),
            '@' => out.push_str("&#64;"),
            '!' if after == Some('[') => out.push_str("\\!"),
            '#' | '+' | '-' | '=' if i == 0 => out.extend(['\\', c]),
            '.' | ')' if i > 0 && line[..i].iter().all(char::is_ascii_digit) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// These words as code, in a table as well: a bar there needs an entity, which a code span lacks.
pub fn code(words: &str) -> String {
    let words = printable(words);
    if words.contains('|') {
        return format!("<code>{}</code>", escaped(&words).replace("\\|", "&#124;"));
    }
    if words.trim().is_empty() {
        return "(empty)".to_string();
    }
    let ticks = "`".repeat(longest_run(&words, '`') + 1);
    let room = if words.starts_with(['`', ' ']) || words.ends_with(['`', ' ']) { " " } else { "" };
    format!("{ticks}{room}{words}{room}{ticks}")
}

/// A fenced block of these lines.
pub fn fence(language: &str, lines: &str) -> String {
    let shown: Vec<String> = lines.trim_end().lines().map(printable).collect();
    let ticks = "`".repeat((longest_run(lines, '`') + 1).max(3));
    format!("{ticks}{language}\n{}\n{ticks}", shown.join("\n"))
}

fn longest_run(text: &str, of: char) -> usize {
    let runs = text.split(|c| c != of);
    runs.map(|run| run.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_as_they_are() {
        for plain in ["conv_attn", "Mr. Quimbley (1897), 50 % of it: all.", "d_model = 64", "at 10:30 now."] {
            assert_eq!(text(plain), plain);
        }
    }

    #[test]
    fn nothing_of_markdown_or_html_survives() {
        let hostile = [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a|b", "a\\|b"),
            ("`x` *y* __z__", "\\`x\\` \\*y\\* \\_\\_z\\_\\_"),
            ("[a](javascript:b)", "\\[a\\](javascript:b)"),
            ("![a](b)", "\\!\\[a\\](b)"),
            ("https://x.y www.x.y a@b.c", "https&#58;//x.y www&#46;x.y a&#64;b.c"),
            (":smile:", "&#58;smile:"),
            ("# x", "\\# x"),
            ("1. x", "1\\. x"),
            ("- x", "\\- x"),
            ("a\n\n# b\n\n---", "a # b ---"),
            ("&lt;", "&amp;lt;"),
            ("a\u{202e}b\0", "a�b␀"),
            ("\\", "\\\\"),
        ];
        for (words, safe) in hostile {
            assert_eq!(text(words), safe, "{words:?}");
        }
    }

    #[test]
    fn code_spans_hold_backticks_pipes_and_line_ends() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("``"), "``` `` ```");
        assert_eq!(code(" Vel"), "`  Vel `");
        assert_eq!(code("a\nb"), "`a↵b`");
        assert_eq!(code("<a|b>`"), "<code>&lt;a&#124;b&gt;\\`</code>");
        assert_eq!(code(""), "(empty)");
    }

    #[test]
    fn a_fence_is_longer_than_any_inside_it() {
        assert_eq!(fence("toml", "a = 1\n"), "```toml\na = 1\n```");
        assert_eq!(fence("", "x\n```\n"), "````\nx\n```\n````");
    }
}
