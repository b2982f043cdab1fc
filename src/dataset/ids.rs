//! Token ids on disk, mapped into memory.

use crate::error::{Error, Result};
use memmap2::Mmap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Ids one after another, little-endian, of two or four bytes each, from one file or several.
#[derive(Debug, Default)]
pub struct Ids {
    parts: Vec<Part>,
    len: usize,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    map: Mmap,
    /// Bytes before the first id.
    offset: usize,
    /// Bytes of an id.
    width: usize,
    /// Which of all ids are here.
    range: Range<usize>,
}

impl Ids {
    /// None yet.
    pub fn new() -> Ids {
        Ids::default()
    }

    /// The ids of a whole file, which may be empty.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn open(path: &Path, width: usize) -> Result<Ids> {
        let length = std::fs::metadata(path).map_err(Error::read(path))?.len();
        let mut ids = Ids::new();
        ids.add(path, width, 0..length)?;
        Ok(ids)
    }

    /// Adds the ids in these bytes of a file.
    ///
    /// # Errors
    /// If the file cannot be read, or has less.
    pub fn add(&mut self, path: &Path, width: usize, bytes: Range<u64>) -> Result<()> {
        let file = File::open(path).map_err(Error::read(path))?;
        let length = file.metadata().map_err(Error::read(path))?.len();
        if length < bytes.end {
            return Err(Error::message(format!("{} has become shorter", path.display())));
        }
        let (offset, bytes) = (bytes.start as usize, (bytes.end - bytes.start) as usize);
        if bytes / width == 0 {
            return Ok(());
        }
        // SAFETY: the map is only read. Stores are written under another name and never changed
        // afterwards; who shortens a file of theirs while it is read from ends the program.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::read(path))?;
        let range = self.len..self.len + bytes / width;
        self.len = range.end;
        self.parts.push(Part { path: path.to_path_buf(), map, offset, width, range });
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many bytes the ids of a range take.
    pub fn bytes(&self, range: &Range<usize>) -> u64 {
        let ids =
            |part: &Part| range.end.min(part.range.end).saturating_sub(range.start.max(part.range.start));
        self.parts.iter().map(|part| (ids(part) * part.width) as u64).sum()
    }

    /// Passes the ids of a range on, in order.
    pub fn each(&self, range: Range<usize>, mut take: impl FnMut(usize)) {
        let first = self.parts.partition_point(|part| part.range.end <= range.start);
        for part in self.parts[first..].iter().take_while(|part| part.range.start < range.end) {
            let byte = |id: usize| part.offset + (id - part.range.start) * part.width;
            let (from, to) = (range.start.max(part.range.start), range.end.min(part.range.end));
            let bytes = &part.map[byte(from)..byte(to)];
            match part.width {
                2 => bytes.chunks_exact(2).for_each(|b| take(usize::from(u16::from_le_bytes([b[0], b[1]])))),
                _ => bytes
                    .chunks_exact(4)
                    .for_each(|b| take(u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)),
            }
        }
    }

    /// The ids of a range.
    pub fn window(&self, range: Range<usize>) -> Vec<usize> {
        let mut ids = Vec::with_capacity(range.len());
        self.each(range, |id| ids.push(id));
        ids
    }

    /// The first place in a range where an id stands.
    pub fn find(&self, range: Range<usize>, id: usize) -> Option<usize> {
        const STRIDE: usize = 1 << 16;
        range.clone().step_by(STRIDE).find_map(|start| {
            let window = self.window(start..range.end.min(start + STRIDE));
            window.iter().position(|other| *other == id).map(|at| start + at)
        })
    }

    /// The file in which an id stands, and its place there.
    pub fn place(&self, index: usize) -> Option<(&Path, usize)> {
        let part = self.parts.iter().find(|part| part.range.contains(&index))?;
        Some((&part.path, index - part.range.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten ids in three files, of either width, one behind a header.
    fn ten(folder: &Path) -> Ids {
        let bytes16 = |ids: Range<u16>| ids.flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let files = [
            ("a", 2, 0, bytes16(0..3)),
            ("b", 4, 7, [vec![9; 7], (3u32..8).flat_map(u32::to_le_bytes).collect()].concat()),
            ("empty", 2, 0, Vec::new()),
            ("c", 2, 0, bytes16(8..10)),
        ];
        let mut ids = Ids::new();
        for (name, width, offset, bytes) in files {
            let path = folder.join(name);
            std::fs::write(&path, &bytes).unwrap();
            ids.add(&path, width, offset..bytes.len() as u64).unwrap();
        }
        ids
    }

    #[test]
    fn files_read_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let ids = ten(folder.path());
        assert_eq!(ids.len(), 10);
        for from in 0..=10 {
            for to in from..=10 {
                assert_eq!(ids.window(from..to), (from..to).collect::<Vec<_>>());
                assert_eq!(ids.find(from..to, 7), (from..to).contains(&7).then_some(7));
            }
        }
        assert_eq!(ids.place(7), Some((folder.path().join("b").as_path(), 4)));
        assert_eq!(ids.place(10), None);
        assert_eq!((ids.bytes(&(0..10)), ids.bytes(&(2..4)), ids.bytes(&(10..10))), (30, 6, 0));
    }

    #[test]
    fn a_file_that_became_shorter_is_not_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, [0; 10]).unwrap();
        assert!(Ids::default().add(&path, 2, 0..12).is_err());
    }
}
