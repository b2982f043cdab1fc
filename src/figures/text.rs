//! Words on a figure: what they may contain, how wide they will be, how numbers are written.

/// The text with every character shown that would otherwise be invisible, change the direction of
/// what follows, or not be allowed in XML. Line ends become `↵`, tabs `⇥`.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '↵',
            '\t' => '⇥',
            '\r' => '␍',
            '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('�'),
            '\u{7f}' => '␡',
            '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{feff}' => '�',
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => '�',
            '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' => '�',
            c => c,
        })
        .collect()
}

/// A token as a label: spaces are `·`, and what is too long ends in `…`.
pub fn token(text: &str, longest: usize) -> String {
    let shown: String = printable(text).chars().map(|c| if c.is_whitespace() { '·' } else { c }).collect();
    shorten(&shown, longest)
}

/// At most `longest` characters, the last one `…` where something is missing.
pub fn shorten(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_string();
    }
    let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
    kept + "…"
}

/// Text as it may stand between two XML tags or in an attribute.
pub fn escape_xml(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '<' => "&lt;".to_string(),
            '>' => "&gt;".to_string(),
            '&' => "&amp;".to_string(),
            '"' => "&quot;".to_string(),
            '\'' => "&apos;".to_string(),
            c => c.to_string(),
        })
        .collect()
}

/// The width of a text in letters of this size, with some to spare: no font is at hand.
pub fn width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | ' ' => 0.38,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.95,
        'A'..='Z' => 0.70,
        c if (c as u32) < 0x2e80 => 0.60,
        _ => 1.0, // ideographs, emoji
    };
    text.chars().map(em).sum::<f64>() * size
}

/// The width of a text in monospaced letters.
pub fn mono_width(text: &str, size: f64) -> f64 {
    let em = |c: char| if (c as u32) < 0x2e80 { 0.61 } else { 1.05 };
    text.chars().map(em).sum::<f64>() * size
}

/// A number with that many decimals and a true minus sign; no zero is negative.
pub fn decimal(x: f64, decimals: usize) -> String {
    if !x.is_finite() {
        return "–".to_string();
    }
    if x.abs() >= 1e9 {
        return format!("{x:.1e}").replace('-', "−");
    }
    let text = format!("{x:.decimals$}");
    match text.strip_prefix('-') {
        Some(zero) if zero.chars().all(|c| c == '0' || c == '.') => zero.to_string(),
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

/// A count in the unit a reader would say it in: `500`, `50 k`, `0.5 M`, `1.04 M`, `2.5 B`.
pub fn count(n: f64) -> String {
    let (value, unit) = match n.abs() {
        a if a >= 1e8 => (n / 1e9, " B"),
        a if a >= 1e5 => (n / 1e6, " M"),
        a if a >= 1e3 => (n / 1e3, " k"),
        _ => (n, ""),
    };
    let decimals = match value.abs() {
        a if a < 10.0 => 2,
        a if a < 100.0 => 1,
        _ => 0,
    };
    let digits = decimal(value, decimals);
    let digits = match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => &digits,
    };
    format!("{digits}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_said_as_people_say_them() {
        let said = [0.0, 7.0, 500.0, 4096.0, 50e3, 5e5, 1_040_000.0, 6e6, 2.5e9].map(count);
        let want = ["0", "7", "500", "4.1 k", "50 k", "0.5 M", "1.04 M", "6 M", "2.5 B"];
        assert_eq!(said, want.map(|w| if w == "4.1 k" { "4.1 k".into() } else { w.to_string() }));
    }

    #[test]
    fn zero_has_no_sign_and_minus_is_a_minus() {
        assert_eq!(decimal(-0.001, 2), "0.00");
        assert_eq!(decimal(-0.5, 2), "−0.50");
        assert_eq!(decimal(f64::NAN, 2), "–");
    }

    #[test]
    fn tokens_show_their_whitespace_and_nothing_invisible_survives() {
        assert_eq!(token(" Vel", 9), "·Vel");
        assert_eq!(token("\n\t", 9), "↵⇥");
        assert_eq!(token("\u{202e}x\u{0}\u{200b}", 9), "�x␀�");
        assert_eq!(token("internationalisation", 6), "inter…");
        assert_eq!(token(&"é".repeat(50), 3), "éé…");
    }
}
