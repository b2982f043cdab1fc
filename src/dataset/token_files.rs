//! Files of token ids, known by their content.
//!
//! nanoGPT's (`data/openwebtext/prepare.py`) are nothing but ids, little-endian u16, with end-of-text
//! after each document. llm.c's (`dev/data/data_common.py`) have a header of 256 little-endian i32 —
//! magic, version, number of ids, zeros — and end-of-text before each document: magic 20240520,
//! version 1, u16 (GPT-2), or magic 20240801, version 7, u32 (Llama 3).

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A file of token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFile {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of an id.
    pub width: usize,
    /// Where in it the ids are, in bytes.
    pub bytes: Range<u64>,
    /// When it was changed, in nanoseconds since 1970.
    pub modified: u128,
}

/// Bytes of llm.c's header.
const HEADER: u64 = 256 * 4;

/// So many ids of four bytes tell that they are none of two.
const ENOUGH: usize = 64;

/// llm.c's magic numbers, with version and bytes of an id.
const LLM_C: [(i32, i32, usize); 2] = [(20240520, 1, 2), (20240801, 7, 4)];

/// How other kinds of file begin.
const OTHERS: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"\x89HDF", "HDF5"),
    (b"MMIDIDX", "an index of Megatron's"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x7fELF", "a program"),
    (b"\x89PNG", "a picture"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "an SQLite database"),
    (b"GGUF", "a model in GGUF"),
];

impl TokenFile {
    /// Looks at a file's beginning and size.
    ///
    /// # Errors
    /// In words, if it is no file of token ids, or not all of one.
    pub fn recognise(path: &Path) -> Result<TokenFile, String> {
        let said = |why: &str| format!("{} {why}", path.display());
        let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        let metadata = fs::metadata(path).map_err(unreadable)?;
        let mut head = Vec::new();
        File::open(path).and_then(|file| file.take(8192).read_to_end(&mut head)).map_err(unreadable)?;
        let (width, bytes) = ids_in(&head, metadata.len()).map_err(|why| said(&why))?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |since| since.as_nanos());
        Ok(TokenFile { path: path.to_path_buf(), width, bytes, modified })
    }

    /// The first id beyond a vocabulary, and its place: in 32 768 ids at the beginning, in the middle and at the
    /// end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn beyond(&self, d_vocab: usize) -> std::io::Result<Option<(u64, u32)>> {
        const SAMPLE: u64 = 1 << 15;
        let mut file = File::open(&self.path)?;
        let last = self.tokens().saturating_sub(SAMPLE);
        for first in [0, last / 2, last] {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(self.bytes.start + first * self.width as u64))?;
            let length = SAMPLE.min(self.tokens()) * self.width as u64;
            (&mut file).take(length).read_to_end(&mut bytes)?;
            for (i, id) in bytes.chunks_exact(self.width).enumerate() {
                let mut wide = [0; 4];
                wide[..self.width].copy_from_slice(id);
                let id = u32::from_le_bytes(wide);
                if id as usize >= d_vocab {
                    return Ok(Some((first + i as u64, id)));
                }
            }
        }
        Ok(None)
    }

    /// How many ids it has.
    pub fn tokens(&self) -> u64 {
        (self.bytes.end - self.bytes.start) / self.width as u64
    }
}

/// Bytes of an id, and where the ids are, in a file that begins so and has so many bytes.
fn ids_in(head: &[u8], size: u64) -> Result<(usize, Range<u64>), String> {
    if size == 0 {
        return Err("is empty".into());
    }
    if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(format!("is {name}, and not token ids"));
    }
    // A length of eight bytes, and then JSON: of a real one that is less than 100 MB.
    if head.get(4..10).is_some_and(|bytes| bytes == b"\0\0\0\0{\"") {
        return Err("is safetensors, and not token ids".into());
    }
    if is_text(head) {
        return Err("is text, and not token ids".into());
    }
    let number =
        |i: usize| head.get(4 * i..4 * i + 4).map_or(0, |b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let (magic, version, count) = (number(0), number(1), number(2));
    if LLM_C.iter().any(|(known, ..)| *known == magic.swap_bytes()) {
        return Err("is llm.c's with its bytes in big-endian order; little-endian is known".into());
    }
    if let Some((_, expected, width)) = LLM_C.iter().find(|(known, ..)| *known == magic) {
        if size < HEADER {
            return Err(format!("has {size} bytes, and llm.c's header alone has {HEADER}"));
        }
        if version != *expected {
            return Err(format!("is of llm.c's version {version}; version {expected} is known"));
        }
        let whole = HEADER + count.max(0) as u64 * *width as u64;
        return match whole == size && count > 0 {
            true => Ok((*width, HEADER..size)),
            false if count <= 0 => Err(format!("has {count} tokens by its header")),
            false => Err(format!(
                "has {size} bytes, and by its header {count} tokens, which are {whole}: it is {}",
                if size < whole { "cut short" } else { "too long" }
            )),
        };
    }
    // Ids are no thousand zeros; a header is.
    if magic != 0 && head.len() >= HEADER as usize && (3..256).all(|i| number(i) == 0) {
        let known = LLM_C.map(|(magic, ..)| magic.to_string()).join(" and ");
        return Err(format!(
            "has a header like llm.c's with the magic number {magic}; token ids have {known}"
        ));
    }
    // Half of all ids would be zero, and at every second place.
    let halves = |i: usize| head.chunks_exact(4).take(ENOUGH).all(|id| id[i..i + 2] == [0, 0]);
    if head.len() >= 4 * ENOUGH && halves(0) != halves(2) {
        let words = "has ids of four bytes and no header; without one they have two";
        return Err(format!("{words} (`numpy.uint16`, little-endian)"));
    }
    match size % 2 {
        0 => Ok((2, 0..size)),
        _ => Err(format!("has an odd number of bytes, {size}, and an id has two")),
    }
}

/// Whether all of it can be read: ids of two bytes have zeros and control characters among them.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character may be cut off at the end.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.chars().all(|c| !c.is_control() || c.is_whitespace())
}

/// The files of a dataset.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Those to train on, in order.
    pub training: Vec<TokenFile>,
    /// Those that are held out; there may be none.
    pub validation: Vec<TokenFile>,
}

/// Finds the files of a path, a file or a folder, and of a path for validation, if there is one.
///
/// # Errors
/// The key at fault, `"path"` or `"validation"`, and what is wrong, in words.
pub fn find(path: &Path, validation: Option<&Path>) -> Result<Found, (&'static str, String)> {
    let recognise = |paths: &[PathBuf]| -> Result<Vec<TokenFile>, String> {
        paths.iter().map(|path| TokenFile::recognise(path)).collect()
    };
    let (training, held_out) = match path.is_dir() {
        true => in_folder(path).map_err(|why| ("path", why))?,
        false => (vec![path.to_path_buf()], Vec::new()),
    };
    let (key, held_out) = match validation {
        Some(path) => ("validation", vec![path.to_path_buf()]),
        None => ("path", held_out),
    };
    let training = recognise(&training).map_err(|why| ("path", why))?;
    let validation = recognise(&held_out).map_err(|why| (key, why))?;
    let trained_on = |held: &&TokenFile| training.iter().any(|file| holds_the_same(&file.path, &held.path));
    if let Some(same) = validation.iter().find(trained_on) {
        let same = same.path.display();
        return Err((
            key,
            format!("{same} is trained on and held out: a file for training holds the same ids"),
        ));
    }
    Ok(Found { training, validation })
}

/// Whether two files are one, or copies of each other as far as their beginning, middle and end say.
fn holds_the_same(a: &Path, b: &Path) -> bool {
    let open = |path: &Path| {
        let file = fs::File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        Some((file, length))
    };
    let (Some((mut a, length)), Some((mut b, other))) = (open(a), open(b)) else { return false };
    let block = |file: &mut fs::File, from: u64| -> std::io::Result<Vec<u8>> {
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(COMPARED).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let places = [0, length / 2, length.saturating_sub(COMPARED)];
    length == other
        && places.into_iter().all(|from| match (block(&mut a, from), block(&mut b, from)) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        })
}

/// Bytes that are compared at each of a file's places.
const COMPARED: u64 = 1 << 16;

/// The `.bin` files of a folder in the order of their names, told apart by a word in these: `train.bin`,
/// `val.bin`, `fineweb_train_000001.bin`.
fn in_folder(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "bin") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let of = |what: &str| -> Vec<PathBuf> {
        let named = |path: &&PathBuf| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
            stem.split(|c: char| !c.is_alphanumeric()).any(|word| word.starts_with(what))
        };
        paths.iter().filter(named).cloned().collect()
    };
    let (training, validation) = (of("train"), of("val"));
    if training.is_empty() {
        let others: Vec<_> = paths.iter().filter_map(|path| path.file_name()).collect();
        let others = match others.is_empty() {
            true => "no .bin file at all".to_string(),
            false => {
                format!("only {}", others.iter().map(|n| n.to_string_lossy()).collect::<Vec<_>>().join(", "))
            }
        };
        return Err(format!("{} has no train*.bin: there is {others}", folder.display()));
    }
    Ok((training, validation))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn llm_c(magic: i32, version: i32, count: i32, rest: usize) -> Vec<u8> {
        let mut header = vec![magic, version, count];
        header.resize(256, 0);
        let mut bytes: Vec<u8> = header.into_iter().flat_map(i32::to_le_bytes).collect();
        bytes.resize(bytes.len() + rest, 1);
        bytes
    }

    fn of(bytes: &[u8]) -> Result<(usize, Range<u64>), String> {
        ids_in(&bytes[..bytes.len().min(8192)], bytes.len() as u64)
    }

    #[test]
    fn each_form_is_known_by_its_content() {
        assert_eq!(of(&[0, 1, 2, 3]), Ok((2, 0..4)));
        assert_eq!(of(&llm_c(20240520, 1, 5, 10)), Ok((2, 1024..1034)));
        assert_eq!(of(&llm_c(20240801, 7, 5, 20)), Ok((4, 1024..1044)));
        // Ids that would read as one of llm.c's dates, without the zeros of a header.
        let dated = [20240520i32 + 1, 77, 3].map(i32::to_le_bytes).concat().repeat(300);
        assert_eq!(of(&dated), Ok((2, 0..3600)));
        assert_eq!(of(&[0; 600]), Ok((2, 0..600)));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let text = "Ünïcode text, and more of it.\n\tAnd so on.".repeat(400);
        for (bytes, words) in [
            (vec![], "is empty"),
            (vec![0, 1, 2], "odd number of bytes, 3"),
            (llm_c(20240520, 1, 5, 8), "5 tokens, which are 1034: it is cut short"),
            (llm_c(20240520, 1, 5, 12), "too long"),
            (llm_c(20240520, 1, -1, 0), "-1 tokens"),
            (llm_c(20240520, 2, 5, 10), "version 2; version 1 is known"),
            (llm_c(20240801, 1, 5, 20), "version 1; version 7 is known"),
            (llm_c(20240522, 1, 5, 10), "magic number 20240522; token ids have 20240520 and 20240801"),
            (llm_c(278895051, 1, 5, 10), "magic number 278895051"),
            (llm_c(12345, 1, 5, 10), "magic number 12345"),
            (llm_c(20240520, 1, 5, 10)[..100].to_vec(), "header alone has 1024"),
            (llm_c(20240520i32.swap_bytes(), 1, 5, 10), "big-endian"),
            ([11u32, 50256, 198].map(u32::to_le_bytes).concat().repeat(30), "ids of four bytes"),
            ([11u32, 50256, 198].map(u32::to_be_bytes).concat().repeat(30), "ids of four bytes"),
            (b"\x93NUMPY\x01\0v\0{'descr'".to_vec(), "is a NumPy array"),
            (b"PK\x03\x04\0\0".to_vec(), "is a zip archive"),
            (b"PAR1\x15\x04".to_vec(), "is Parquet"),
            (b"\x40\x02\0\0\0\0\0\0{\"a\":".to_vec(), "is safetensors"),
            (b"\x80\x02}q\0(".to_vec(), "is a pickle"),
            (vec![0x1f, 0x8b, 8, 0, 0, 0], "is gzip"),
            (b"\x28\xb5\x2f\xfd\0\0".to_vec(), "is zstd"),
            (text.into_bytes(), "is text"),
        ] {
            let said = of(&bytes).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn ids_beyond_a_vocabulary_are_seen_at_both_ends_and_between() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let count = 200_000;
        for at in [0, 10, count / 2, count - 1] {
            let mut ids = vec![7u16; count];
            ids[at] = 300;
            fs::write(&path, ids.into_iter().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
            let file = TokenFile::recognise(&path).unwrap();
            assert_eq!(file.beyond(300).unwrap(), Some((at as u64, 300)));
            assert_eq!(file.beyond(301).unwrap(), None);
        }
        let wide = llm_c(20240801, 7, 5, 20);
        fs::write(&path, &wide).unwrap();
        let file = TokenFile::recognise(&path).unwrap();
        assert_eq!(file.beyond(100).unwrap(), Some((0, 0x0101_0101)));
    }

    #[cfg(unix)]
    #[test]
    fn one_file_is_not_trained_on_and_held_out() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("train.bin"), [1, 0]).unwrap();
        std::os::unix::fs::symlink(at("train.bin"), at("val.bin")).unwrap();
        for (path, held_out, key) in [
            (at("train.bin"), Some(at("./train.bin")), "validation"),
            (at("train.bin"), Some(at("val.bin")), "validation"),
            (at(""), None, "path"),
            (at(""), Some(at("train.bin")), "validation"),
        ] {
            let (wrong, said) = find(&path, held_out.as_deref()).unwrap_err();
            assert!(wrong == key && said.contains("holds the same ids"), "{said}");
        }
    }

    #[test]
    fn a_folder_is_told_apart_by_names() {
        let folder = tempfile::tempdir().unwrap();
        // No two hold the same.
        let write = |name: &str| fs::write(folder.path().join(name), vec![0; 2 * name.len()]).unwrap();
        assert!(find(folder.path(), None).unwrap_err().1.contains("no .bin file at all"));
        write("interval.bin");
        let said = find(folder.path(), None).unwrap_err().1;
        assert!(said.ends_with("only interval.bin"), "{said}");
        ["fw_train_2.bin", "fw_train_1.bin", "fw_val_0.bin", "train.txt"].into_iter().for_each(write);
        let names = |files: &[TokenFile]| -> Vec<String> {
            files.iter().map(|f| f.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        let found = find(folder.path(), None).unwrap();
        assert_eq!(names(&found.training), ["fw_train_1.bin", "fw_train_2.bin"]);
        assert_eq!(names(&found.validation), ["fw_val_0.bin"]);
        let other = folder.path().join("interval.bin");
        assert_eq!(names(&find(folder.path(), Some(&other)).unwrap().validation), ["interval.bin"]);
        let missing = find(folder.path(), Some(&folder.path().join("x.bin"))).unwrap_err();
        assert_eq!(missing.0, "validation");
    }
}
