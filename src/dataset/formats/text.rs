//! Plain text: prose and source code.

use super::{Format, HEAD, Input, Name, Reading, Way, of_beginning};
use crate::dataset::documents::Flow;
use std::io::Read;

/// The registry's entry.
pub const FORMAT: Format = Format {
    name: "text",
    endings: ENDINGS,
    begins: |head| !is_binary(head) && !is_utf_16(head) && of_beginning(head).is_none(),
    certain: false,
    read: Way::Documents(read),
};

/// Prose and source code; data (json, csv, svg, lock …) is left out.
#[rustfmt::skip]
const ENDINGS: &[(&str, &str)] = &[
    ("txt", ""), ("text", ""), ("md", ""), ("markdown", ""), ("rst", ""), ("tex", ""), ("adoc", ""), ("org", ""),
    ("rs", ""), ("py", ""), ("pyi", ""), ("js", ""), ("mjs", ""), ("cjs", ""), ("jsx", ""), ("ts", ""), ("tsx", ""),
    ("go", ""), ("c", ""), ("h", ""), ("cc", ""), ("cpp", ""), ("cxx", ""), ("hh", ""), ("hpp", ""), ("cu", ""),
    ("java", ""), ("kt", ""), ("kts", ""), ("scala", ""), ("cs", ""), ("fs", ""), ("swift", ""), ("m", ""), ("mm", ""),
    ("rb", ""), ("php", ""), ("pl", ""), ("pm", ""), ("lua", ""), ("r", ""), ("jl", ""), ("hs", ""), ("ml", ""),
    ("mli", ""), ("ex", ""), ("exs", ""), ("erl", ""), ("hrl", ""), ("clj", ""), ("cljs", ""), ("lisp", ""), ("el", ""),
    ("scm", ""), ("rkt", ""), ("sh", ""), ("bash", ""), ("zsh", ""), ("fish", ""), ("ps1", ""), ("sql", ""), ("vim", ""),
    ("dart", ""), ("zig", ""), ("nim", ""), ("d", ""), ("f90", ""), ("f", ""), ("ada", ""), ("adb", ""), ("pas", ""),
    ("v", ""), ("sv", ""), ("vhd", ""), ("asm", ""), ("s", ""), ("proto", ""), ("cmake", ""), ("tcl", ""), ("groovy", ""),
];

/// The longest document, in bytes: what is in memory at once is bounded.
pub const LONGEST: usize = 16 << 20;

/// About how long the parts are that a longer text is cut into, in bytes.
const PART: usize = 1 << 20;

/// How UTF-16 begins, if it says that it is.
const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Whether a beginning is text that is no UTF-8.
pub fn is_utf_16(bytes: &[u8]) -> bool {
    UTF_16.iter().any(|mark| bytes.starts_with(mark))
}

/// Whether a beginning is that of a binary file.
fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(HEAD)].contains(&0)
}

/// The text of some bytes, and whether any were replaced.
///
/// # Errors
/// That they are no text, in a word.
pub fn decoded(mut bytes: Vec<u8>) -> Result<(String, bool), &'static str> {
    if is_binary(&bytes) {
        return Err("binary");
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    if bytes.is_empty() {
        return Err("empty");
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
    })
}

/// One document, or, of a text that is longer than any may be, its parts, cut where lines end.
fn read(reading: &mut Reading<'_, '_>, name: &Name, mut input: Input<'_>) -> Flow {
    let mut bytes = Vec::new();
    if let Err(error) = fill(&mut input, &mut bytes, LONGEST + 1) {
        return reading.cut(name, error);
    }
    if bytes.len() <= LONGEST {
        return reading.document(name, bytes);
    }
    loop {
        let mut rest = bytes.as_slice();
        while rest.len() > PART {
            let Some(end) = line_end(rest) else { break };
            let (part, after) = rest.split_at(end);
            match end <= LONGEST {
                true => reading.document(name, part.to_vec())?,
                false => reading.broken(name, TOO_LONG)?,
            }
            rest = after;
        }
        let (read, too_long) = (bytes.len() - rest.len(), rest.len() > LONGEST);
        bytes.drain(..read);
        let more = match too_long {
            true => {
                reading.broken(name, TOO_LONG)?;
                skip_line(&mut input, &mut bytes).map(|()| true)
            }
            false => {
                let length = bytes.len() + 8 * PART;
                fill(&mut input, &mut bytes, length).map(|read| read > 0)
            }
        };
        match more {
            Ok(true) => {}
            Ok(false) if bytes.is_empty() => return Flow::Continue(()),
            Ok(false) => return reading.document(name, bytes),
            Err(error) => return reading.cut(name, error),
        }
    }
}

const TOO_LONG: &str = "a line is longer than 16 MiB";

/// Passes over the rest of a line; what is left is what was read of the next one.
fn skip_line(input: &mut dyn Read, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        bytes.clear();
        if fill(input, bytes, 8 * PART)? == 0 {
            return Ok(());
        }
        if let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            bytes.drain(..=end);
            return Ok(());
        }
    }
}

/// Reads until there are so many bytes, or no more.
fn fill(input: &mut dyn Read, bytes: &mut Vec<u8>, length: usize) -> std::io::Result<usize> {
    input.take((length - bytes.len()) as u64).read_to_end(bytes)
}

/// Where a part ends: after the last line that ends in it, else after the first line.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let newline = |b: &u8| *b == b'\n';
    let within = bytes[..PART].iter().rposition(newline);
    within.or_else(|| bytes[PART..].iter().position(newline).map(|i| PART + i)).map(|i| i + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::documents::Found;
    use crate::dataset::formats::Options;
    use std::cell::Cell;

    /// What is found in a text.
    fn found(text: impl Read) -> Vec<Found> {
        let (mut all, consumed) = (Vec::new(), Cell::new(0));
        let mut take = |found| {
            all.push(found);
            Flow::Continue(())
        };
        let options = Options { field: "text", transform: None };
        let mut reading = Reading::new(options, u64::MAX, &consumed, &mut take);
        let name = Name { shown: "a.txt".into(), ending: "a.txt".into() };
        assert!(reading.inside(&name, Box::new(text)).is_continue() && reading.tell_cut(0).is_continue());
        all
    }

    #[test]
    fn a_text_is_one_document_up_to_the_longest_and_then_its_parts() {
        let mut text = b"0123456789abcde\n".repeat(LONGEST / 16);
        assert_eq!(found(text.as_slice()).len(), 1);
        text.extend(b"and one line more");
        let parts: Vec<String> = found(text.as_slice()).into_iter().map(|part| part.unwrap().text).collect();
        assert_eq!(parts.len(), LONGEST / PART + 1);
        assert!(parts[..parts.len() - 1].iter().all(|part| part.len() == PART && part.ends_with('\n')));
        assert!(parts.concat().into_bytes() == text);
    }

    #[test]
    fn a_line_longer_than_any_document_is_told() {
        for longer in [PART, 30 * PART] {
            let text = [b"a line\n".as_slice(), &vec![b'x'; LONGEST + longer], b"\nanother\n"].concat();
            let all = found(text.as_slice());
            let [Ok(first), Err(second), Ok(third)] = all.as_slice() else { panic!("{}", all.len()) };
            assert_eq!((first.text.as_str(), third.text.as_str()), ("a line\n", "another\n"));
            assert!(second.broken && second.why.contains("16 MiB"), "{second:?}");
        }
    }

    #[test]
    fn what_fails_to_decode_is_not_taken_for_binary() {
        // The first bytes come out wrong, and then none do.
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("the decoder failed"))
            }
        }
        let all = found(b"a\0b".as_slice().chain(Failing));
        let [Err(skipped)] = all.as_slice() else { panic!("{all:?}") };
        assert!(skipped.broken && skipped.why.contains("the decoder failed"), "{skipped:?}");
    }
}
