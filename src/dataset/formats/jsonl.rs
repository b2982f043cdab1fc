//! JSON lines: an object a line, of which one field is the text.

use super::{Format, Input, LONGEST, Name, Reading, Way};
use crate::dataset::documents::Flow;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

/// The registry's entry.
pub const FORMAT: Format = Format {
    name: "JSON lines",
    endings: &[("jsonl", ""), ("ndjson", "")],
    begins: |head| {
        let head = head.strip_prefix(BOM).unwrap_or(head);
        head.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{')
    },
    certain: false,
    read: Way::Documents(read),
};

const BOM: &[u8] = b"\xef\xbb\xbf";

fn read(reading: &mut Reading<'_, '_>, name: &Name, input: Input<'_>) -> Flow {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut line = Vec::new();
    // Rows without the field before the first that has it: lines of something else are no broken texts.
    let (mut lacking, mut has_text) = (Vec::new(), false);
    for number in 1.. {
        let whole = match next_line(&mut input, &mut line) {
            Ok(Line::End) => break,
            Ok(Line::Whole) => true,
            Ok(Line::TooLong) => false,
            Err(error) => return reading.cut(name, error),
        };
        let row = Name { shown: format!("{}:{number}", name.shown), ..name.clone() };
        let text = line.strip_prefix(BOM).filter(|_| number == 1).unwrap_or(&line);
        if !whole {
            reading.broken(&row, format!("a line is longer than {} MiB", LONGEST >> 20))?;
            continue;
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let field = reading.options.field;
        match self::field(text, field) {
            Ok(Some((text, mended))) => {
                has_text = true;
                for row in std::mem::take(&mut lacking) {
                    reading.broken(&row, format!("there is no field {field:?}"))?;
                }
                reading.mended(&row, text.into_bytes(), mended)?;
            }
            Ok(None) if has_text => reading.broken(&row, format!("there is no field {field:?}"))?,
            Ok(None) => lacking.push(row),
            Err(why) => reading.broken(&row, why)?,
        }
        if lacking.len() == LACKING {
            break;
        }
    }
    match lacking.len() {
        0 => Flow::Continue(()),
        n => {
            reading.passed_over(name, format!("its first {n} rows have no field {:?}", reading.options.field))
        }
    }
}

/// After so many rows without the field, a file is of something else.
const LACKING: usize = 100;

enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads a line, of which no more is kept than a document may have.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    // Escapes take up to six bytes for one; what is not escaped, one.
    if input.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', line)? == 0 {
        return Ok(Line::End);
    }
    if line.len() <= LONGEST || line.ends_with(b"\n") {
        return Ok(Line::Whole);
    }
    line.clear();
    input.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

/// A field of a JSON object, if it has that, and whether invalid bytes were replaced for it.
fn field(line: &[u8], field: &str) -> Result<Option<(String, bool)>, String> {
    let told = |error: serde_json::Error| match error.is_data() {
        // Where in the line says nothing then.
        true => error.to_string().split(" at line ").next().unwrap_or_default().to_string(),
        false => format!("not JSON: {error}"),
    };
    let mut json = serde_json::Deserializer::from_slice(line);
    let text = Field(field).deserialize(&mut json).and_then(|text| json.end().map(|()| text));
    match text {
        Ok(text) => Ok(text.map(|text| (text, false))),
        // As invalid bytes of any text: they are replaced.
        Err(_) if std::str::from_utf8(line).is_err() => {
            let replaced = String::from_utf8_lossy(line);
            let mut json = serde_json::Deserializer::from_str(&replaced);
            Field(field).deserialize(&mut json).map(|text| text.map(|text| (text, true))).map_err(told)
        }
        Err(error) => Err(told(error)),
    }
}

/// Takes one field of an object, and passes over the others.
struct Field<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<String>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<String>, A::Error> {
        let mut text = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == self.0 {
                text = Some(map.next_value::<String>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_among_others() {
        let line = br#"{"meta": {"text": "not this"}, "text": "a\nb \u00e9", "n": [1, {"x": null}]}"#;
        assert_eq!(field(line, "text").unwrap().unwrap(), ("a\nb é".to_string(), false));
        assert_eq!(field(br#"{"te\u0078t": "x"}"#, "text").unwrap().unwrap().0, "x");
        assert_eq!(
            field(b"{\"text\": \"caf\xe9\"}", "text").unwrap().unwrap(),
            ("caf\u{fffd}".to_string(), true)
        );
        assert_eq!(field(br#"{"txt": "a"}"#, "text").unwrap(), None);
        for (line, why) in [
            (r#"{"text": null}"#, "null"),
            (r#"{"text": "a"} {"#, "not JSON"),
            (r#"{"text": "a"#, "not JSON"),
            (r#"["text"]"#, "an object"),
            (&format!("{{\"a\": {}", "[".repeat(100_000)), "not JSON"),
        ] {
            let said = field(line.as_bytes(), "text").unwrap_err();
            assert!(said.contains(why), "{line:.40}: {said}");
        }
    }
}
