//! Tar archives: what is in them is read as it comes, and nothing is written.
//!
//! Headers are read one by one: of an archive that a stranger made, no size is believed, and no name
//! leads anywhere.

use super::{Format, Input, Name, Reading, Way, known};
use crate::dataset::documents::Flow;
use std::io::{self, Read};
use tar::{EntryType, Header};

/// The registry's entry.
pub const FORMAT: Format = Format {
    name: "a tar archive",
    endings: &[("tar", "")],
    begins: |head| head.get(..BLOCK).is_some_and(|block| is_end(block) || is_header(block)),
    certain: true,
    read: Way::Documents(read),
};

const BLOCK: usize = 512;
/// The longest extended header: what is in it are names.
const LONGEST_NAMES: u64 = 1 << 20;

fn is_end(block: &[u8]) -> bool {
    block.iter().all(|b| *b == 0)
}

/// Whether the sum of a header is the one it states.
fn is_header(block: &[u8]) -> bool {
    let Some(stated) = block.get(148..156).and_then(octal) else { return false };
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    let own: u64 = block[148..156].iter().map(|b| u64::from(*b)).sum();
    stated == sum - own + 8 * u64::from(b' ')
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

/// What extended headers say of the member that follows.
#[derive(Default)]
struct Extended {
    path: Option<String>,
    size: Option<u64>,
    sparse: bool,
}

fn read(reading: &mut Reading<'_, '_>, name: &Name, mut input: Input<'_>) -> Flow {
    let mut extended = Extended::default();
    for members in 0.. {
        let mut block = [0; BLOCK];
        match read_block(&mut input, &mut block) {
            Ok(true) if is_end(&block) => {
                if members == 0 {
                    reading.passed_over(name, "an archive with nothing in it")?;
                }
                // What it is packed in has a checksum at its end.
                return match io::copy(&mut input, &mut io::sink()) {
                    Ok(_) => Flow::Continue(()),
                    Err(error) => reading.cut(name, error),
                };
            }
            Ok(true) if is_header(&block) => {}
            Ok(true) => return reading.cut(name, "what should be a header is none"),
            // A whole one ends with blocks of zeros.
            Ok(false) => {
                return reading.cut(name, "the archive does not end as one does: it may have been cut");
            }
            Err(error) => return reading.cut(name, error),
        }
        let header = Header::from_byte_slice(&block);
        let kind = header.entry_type();
        let size = match (extended.size, header.entry_size()) {
            (Some(size), _) if !is_extension(kind) => size,
            (_, Ok(size)) => size,
            (_, Err(error)) => return reading.cut(name, error),
        };
        let mut member = Member { input: &mut input, left: size, failed: false };
        if is_extension(kind) {
            if let Err(error) = extend(&mut extended, kind, &mut member) {
                return reading.cut(name, error);
            }
        } else {
            let own = String::from_utf8_lossy(&header.path_bytes()).into_owned();
            let Extended { path, sparse, .. } = std::mem::take(&mut extended);
            let inner = name.inside(&path.unwrap_or(own));
            match kind {
                EntryType::Link | EntryType::Symlink => reading.passed_over(&inner, "a link")?,
                _ if !known(&inner.ending) => {}
                EntryType::Regular | EntryType::Continuous if !sparse => {
                    reading.inside(&inner, Box::new(&mut member))?;
                }
                EntryType::Regular | EntryType::GNUSparse => reading.broken(&inner, "a sparse file")?,
                _ => reading.passed_over(&inner, "no file")?,
            }
        }
        if member.failed {
            // It has been told where in the member the archive ended.
            return Flow::Continue(());
        }
        let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        if let Err(error) = io::copy(&mut member, &mut io::sink()).and_then(|_| {
            io::copy(&mut Member { input: &mut input, left: padding, failed: false }, &mut io::sink())
        }) {
            return reading.cut(name, error);
        }
        reading.tell_cut(reading.consumed.get())?;
    }
    Flow::Continue(())
}

fn is_extension(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink
    )
}

/// Reads an extended header, as far as it says anything of use.
fn extend(extended: &mut Extended, kind: EntryType, member: &mut Member<'_, '_>) -> io::Result<()> {
    if !matches!(kind, EntryType::XHeader | EntryType::GNULongName) {
        return Ok(());
    }
    let mut bytes = Vec::new();
    member.take(LONGEST_NAMES).read_to_end(&mut bytes)?;
    if kind == EntryType::GNULongName {
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        extended.path = Some(String::from_utf8_lossy(&bytes[..end]).into_owned());
        return Ok(());
    }
    let mut rest = bytes.as_slice();
    while let Some((key, value, after)) = record(rest) {
        match key {
            b"path" => extended.path = Some(String::from_utf8_lossy(value).into_owned()),
            b"size" => extended.size = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok()),
            key => extended.sparse |= key.starts_with(b"GNU.sparse"),
        }
        rest = after;
    }
    Ok(())
}

/// The first record of an extended header, its key and value, and what follows it: `LENGTH KEY=VALUE\n`, where the
/// length is that of all of it. (The crate's reader ends a value at its first line feed, which a name may have.)
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|b| *b == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let pair = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = pair.iter().position(|b| *b == b'=')?;
    Some((&pair[..equals], &pair[equals + 1..], rest))
}

/// Fills a block; false where there is nothing more.
fn read_block(input: &mut dyn Read, block: &mut [u8; BLOCK]) -> io::Result<bool> {
    let mut read = 0;
    while read < BLOCK {
        match input.read(&mut block[read..]) {
            Ok(0) if read == 0 => return Ok(false),
            Ok(0) => return Err(ends_early()),
            Ok(n) => read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn ends_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends too early, and what was to come is lost")
}

/// So many bytes of an archive, all of which have to be there.
struct Member<'m, 'a> {
    input: &'m mut Input<'a>,
    left: u64,
    /// Whether they were not.
    failed: bool,
}

impl Read for Member<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = match self.input.read(&mut buffer[..most]) {
            Ok(0) => Err(ends_early()),
            read => read,
        };
        match &read {
            Ok(read) => self.left -= *read as u64,
            Err(error) => self.failed |= error.kind() != io::ErrorKind::Interrupted,
        }
        read
    }
}
