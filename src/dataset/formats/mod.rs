//! The forms that documents come in: each is recognised by its ending and checked by its beginning.
//!
//! Forms lie in one another, as texts in a tar in an xz: each reads from what holds it, nothing is
//! unpacked, and a name in an archive is only ever shown, never opened.

mod arrow;
mod gzip;
mod jsonl;
mod parquet;
mod tar;
mod text;
mod xz;
mod zst;

use super::documents::{Document, Flow, Skipped, Take};
use crate::error::printable;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};

use text::LONGEST;

/// A form that documents come in.
#[derive(Debug)]
pub struct Format {
    /// What it is called.
    pub name: &'static str,
    /// Endings of its names, and what stands for them once it is decoded.
    pub endings: &'static [(&'static str, &'static str)],
    /// Whether a beginning may be one of it.
    pub begins: fn(&[u8]) -> bool,
    /// Whether such a beginning can be nothing else.
    pub certain: bool,
    /// How it is read.
    pub read: Way,
}

/// How a form is read.
#[derive(Debug)]
pub enum Way {
    /// It holds one thing of any form.
    Decode(for<'a> fn(Input<'a>) -> io::Result<Input<'a>>),
    /// It holds documents, or things that do.
    Documents(fn(&mut Reading<'_, '_>, &Name, Input<'_>) -> Flow),
    /// The same of a form that is not read from its beginning to its end.
    File(fn(&mut Reading<'_, '_>, &Name, &File) -> Flow),
}

/// Bytes as they come.
pub type Input<'a> = Box<dyn Read + 'a>;

/// The forms.
pub const FORMATS: &[&Format] = &[
    &text::FORMAT,
    &jsonl::FORMAT,
    &gzip::FORMAT,
    &zst::FORMAT,
    &xz::FORMAT,
    &tar::FORMAT,
    &parquet::FORMAT,
    &arrow::FORMAT,
];

/// How much of a beginning is looked at.
pub const HEAD: usize = 8192;

/// What is said of a form that this program was built without.
#[cfg(not(feature = "parquet"))]
const WITHOUT_PARQUET: &str = "this indhead was built without the feature `parquet`, which reads it \
                               (`cargo build --release --features parquet`)";

/// How deep forms may lie in one another: the OpenWebText release is five deep.
const DEEPEST: usize = 6;

/// What is being read.
#[derive(Debug, Clone)]
pub struct Name {
    /// Path inside path, as a person is told.
    pub shown: String,
    /// What is left of the name to recognise a form by.
    pub ending: String,
}

impl Name {
    /// Something inside this one. Archives are strangers: what cannot be printed is not.
    pub fn inside(&self, name: &str) -> Name {
        let first: String = name.chars().take(200).collect();
        Name { shown: format!("{}/{}", self.shown, printable(&first)), ending: name.to_string() }
    }
}

/// The form of a name, and what is left of the name once it is decoded.
pub fn of_name(name: &str) -> Option<(&'static Format, String)> {
    let lower = name.to_lowercase();
    let (before, ending) = lower.rsplit_once('.')?;
    // `.txt` alone is a name, and has no ending.
    if before.is_empty() || before.ends_with(['/', '\\']) {
        return None;
    }
    FORMATS.iter().find_map(|format| {
        let (_, then) = format.endings.iter().find(|(known, _)| *known == ending)?;
        Some((*format, format!("{before}{then}")))
    })
}

/// Whether a name says that there is text in it.
pub fn known(name: &str) -> bool {
    match of_name(name) {
        None => false,
        Some((Format { read: Way::Decode(_), .. }, rest)) => {
            // `_data.xz` are the parts of the OpenWebText release, and hold a tar; compressed JSON is lines.
            of_name(&rest).is_some() || rest.ends_with("_data") || rest.ends_with(".json")
        }
        Some(_) => true,
    }
}

/// Whether a file is one document of its size, as far as its name tells.
pub fn is_plain(name: &str) -> bool {
    of_name(name).is_none_or(|(format, _)| std::ptr::eq(format, &text::FORMAT))
}

/// Why a file with such a beginning is not read, in words, if it is not.
pub fn unfit(name: &str, head: &[u8]) -> Option<String> {
    let format = of_name(name).map(|(format, _)| format);
    match head {
        [] => Some("empty".into()),
        head => misfit(format.or_else(|| of_beginning(head)).unwrap_or(&text::FORMAT), head),
    }
}

/// Why a beginning is none of a form, if it is none.
fn misfit(format: &Format, head: &[u8]) -> Option<String> {
    if (format.begins)(head) {
        return None;
    }
    let is = of_beginning(head).map_or(String::new(), |format| format!(": it is {}", format.name));
    Some(match format.name {
        _ if text::is_utf_16(head) => "UTF-16 or UTF-32, and only UTF-8 is read".into(),
        name if name == text::FORMAT.name => format!("binary{is}"),
        name => format!("not {name}, as its name says{is}"),
    })
}

fn of_beginning(head: &[u8]) -> Option<&'static Format> {
    // An archive may begin with its end, and then with nothing else.
    if head.iter().all(|b| *b == 0) {
        return None;
    }
    FORMATS.iter().copied().find(|format| format.certain && (format.begins)(head))
}

/// How documents are made of what is found.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The field, or column, that has the text.
    pub field: &'a str,
    /// What is done to each text.
    pub transform: Option<fn(&str) -> String>,
}

/// A file being read.
pub struct Reading<'a, 't> {
    /// How documents are made.
    pub options: Options<'a>,
    /// Bytes of text that may still be read.
    pub left: u64,
    /// How far into the file it is.
    pub consumed: &'a Cell<u64>,
    depth: usize,
    cut: Option<Cut>,
    take: &'a mut Take<'t>,
}

/// The end of what can be read of something.
struct Cut {
    why: String,
    /// How far into the file that is, in bytes.
    at: u64,
}

impl<'a, 't> Reading<'a, 't> {
    /// Nothing read yet.
    pub fn new(options: Options<'a>, left: u64, consumed: &'a Cell<u64>, take: &'a mut Take<'t>) -> Self {
        Reading { options, left, consumed, depth: 0, cut: None, take }
    }

    /// Reads a file.
    pub fn file(&mut self, name: &Name, file: &File) -> Flow {
        let input = Box::new(Counted { file, consumed: self.consumed });
        let flow = self.open(name, input, Some(file));
        self.tell_cut(file.metadata().map_or(0, |file| file.len()))?;
        flow
    }

    /// Reads something that lies in something else.
    pub fn inside(&mut self, name: &Name, input: Input<'_>) -> Flow {
        self.depth += 1;
        let flow = match self.depth < DEEPEST {
            true => self.open(name, input, None),
            false => self.broken(name, "it lies too deep: archives in archives in archives"),
        };
        self.depth -= 1;
        flow
    }

    fn open(&mut self, name: &Name, mut input: Input<'_>, file: Option<&File>) -> Flow {
        let (head, error) = read_head(&mut input);
        match error {
            Some(error) if head.is_empty() => return self.cut(name, error),
            None if head.is_empty() => return self.passed_over(name, "empty"),
            _ => {}
        }
        let (format, rest) = match of_name(&name.ending) {
            Some(found) => found,
            None => (of_beginning(&head).unwrap_or(&text::FORMAT), String::new()),
        };
        if let Some(why) = misfit(format, &head) {
            // What it is was not to be seen; and what holds it ends with it.
            if let Some(error) = error {
                return self.cut(name, error);
            }
            return match std::ptr::eq(format, &text::FORMAT) && !text::is_utf_16(&head) {
                true => self.passed_over(name, why),
                false => self.cut(name, why),
            };
        }
        let input: Input<'_> = Box::new(Headed { head: io::Cursor::new(head), error, rest: input });
        match (&format.read, file) {
            (Way::Documents(read), _) => read(self, name, input),
            (Way::File(read), Some(file)) => read(self, name, file),
            (Way::File(_), None) => {
                self.broken(name, format!("{} is read from the disk, and not inside a file", format.name))
            }
            (Way::Decode(decode), _) => match decode(input) {
                // Compressed JSON is lines of it.
                Ok(inner) => {
                    let ending = if rest.ends_with(".json") { format!("{rest}l") } else { rest };
                    self.inside(&Name { shown: name.shown.clone(), ending }, inner)
                }
                Err(error) => self.cut(name, error),
            },
        }
    }

    /// Gives a document.
    pub fn document(&mut self, name: &Name, bytes: Vec<u8>) -> Flow {
        self.mended(name, bytes, false)
    }

    /// Gives a document, of which bytes may have been replaced already.
    pub fn mended(&mut self, name: &Name, mut bytes: Vec<u8>, mended: bool) -> Flow {
        bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= bytes.len() as u64;
        let flow = match text::decoded(bytes) {
            Ok((text, replaced)) => {
                let text = self.options.transform.map(|transform| transform(&text)).unwrap_or(text);
                (self.take)(Ok(Document { text, replaced: replaced || mended }))
            }
            Err(why) => self.passed_over(name, why),
        };
        flow?;
        if self.left == 0 { Flow::Break(()) } else { Flow::Continue(()) }
    }

    /// Tells of something that should have been a document.
    pub fn broken(&mut self, name: &Name, why: impl std::fmt::Display) -> Flow {
        (self.take)(Err(Skipped { why: format!("{}: {why}", name.shown), broken: true, lost: 0 }))
    }

    /// Tells that nothing more of this can be read. How much is lost with it shows where reading goes on.
    pub fn cut(&mut self, name: &Name, why: impl std::fmt::Display) -> Flow {
        let why = format!("{}: {why}", name.shown);
        self.cut.get_or_insert(Cut { why, at: self.consumed.get() });
        Flow::Continue(())
    }

    /// Reading goes on so far into the file: everything since what was cut is lost.
    pub fn tell_cut(&mut self, goes_on: u64) -> Flow {
        let Some(Cut { why, at }) = self.cut.take() else { return Flow::Continue(()) };
        let lost = goes_on.saturating_sub(at);
        let why = if lost == 0 { why } else { format!("{why}; {lost} bytes from {at} on are not read") };
        (self.take)(Err(Skipped { why, broken: true, lost }))
    }

    /// Tells of something that was never one.
    pub fn passed_over(&mut self, name: &Name, why: impl std::fmt::Display) -> Flow {
        (self.take)(Err(Skipped { why: format!("{}: {why}", name.shown), broken: false, lost: 0 }))
    }
}

/// As much of a beginning as there is, and what ended it.
fn read_head(input: &mut dyn Read) -> (Vec<u8>, Option<io::Error>) {
    let mut head = Vec::new();
    let error = input.take(HEAD as u64).read_to_end(&mut head).err();
    (head, error)
}

/// What was looked at, and then the rest.
struct Headed<'a> {
    head: io::Cursor<Vec<u8>>,
    error: Option<io::Error>,
    rest: Input<'a>,
}

impl Read for Headed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.head.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => self.rest.read(buffer),
        }
    }
}

/// A file that tells how far it has been read.
struct Counted<'a> {
    file: &'a File,
    consumed: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.consumed.set(self.consumed.get() + read as u64);
        Ok(read)
    }
}
