//! Documents in the forms that they come in.

use std::io::{Read, Write};

/// Documents that differ, of many kinds of text.
pub fn corpus() -> Vec<String> {
    let document = |i: usize| match i % 7 {
        0 => format!("Document {i} says {}.\n", "and says ".repeat(i % 50)),
        1 => format!("Línea {i}\r\n\r\nУтро, 一二三 🦀 \u{2028} \u{feff}{i}\n\n"),
        2 => format!("{i} <|endoftext|> and \"quotes\" \\ \\n {{\"text\": \"x\"}}"),
        3 => format!("\n\n  {i} spaces   \t\n"),
        4 => format!("{i}: {}", "long lines are long ".repeat(200 + i)),
        5 => format!("x{i}"),
        _ => format!("# {i}\n\n- a\n- b\n{}\n", (0..i).map(|n| n.to_string()).collect::<Vec<_>>().join("\n")),
    };
    (0..120).map(document).collect()
}

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    // Several members, one after another.
    let members = bytes.chunks((bytes.len() / 3).max(1)).map(|part| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    });
    members.collect::<Vec<_>>().concat()
}

pub fn zst(bytes: &[u8]) -> Vec<u8> {
    let frames = bytes.chunks((bytes.len() / 3).max(1)).map(|part| zstd::encode_all(part, 3).unwrap());
    // An empty frame that is to be skipped stands between them, as some programs write.
    frames.collect::<Vec<_>>().join([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].as_slice())
}

pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let streams = bytes.chunks((bytes.len() / 2).max(1)).map(|part| {
        let mut encoded = Vec::new();
        liblzma::read::XzEncoder::new(part, 1).read_to_end(&mut encoded).unwrap();
        encoded
    });
    streams.collect::<Vec<_>>().concat()
}

/// A tar of members, each a name and bytes.
pub fn tar<'a>(members: impl IntoIterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A header whose name is taken as it is.
pub fn raw_header(name: &str, kind: u8, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

pub fn texts(documents: &[String]) -> Vec<u8> {
    // Long names take extended headers, and one is no text.
    let name = |i: usize| format!("texts/{}/{i:04}-abc.txt", "deep/".repeat(i % 40));
    let members = documents.iter().enumerate().map(|(i, text)| (name(i), text.as_bytes()));
    tar(std::iter::once(("texts/picture.png".to_string(), b"\x89PNG\0".as_slice())).chain(members))
}

pub fn jsonl(documents: &[String]) -> Vec<u8> {
    let line =
        |text: &String| serde_json::json!({"id": text.len(), "text": text, "meta": {"text": 0}}).to_string();
    (documents.iter().map(line).collect::<Vec<_>>().join("\n") + "\n").into_bytes()
}

/// As OpenWebText was released: a tar in an xz, of tars in xzs, of texts.
pub fn openwebtext(documents: &[String]) -> Vec<u8> {
    let subsets: Vec<Vec<u8>> = documents.chunks(50).map(|some| xz(&texts(some))).collect();
    let name = |i: usize| format!("openwebtext/urlsf_subset{i:02}-1_data.xz");
    xz(&tar(subsets.iter().enumerate().map(|(i, bytes)| (name(i), bytes.as_slice()))))
}

/// File names and what is in them; the same documents in the same order in each.
pub fn forms(documents: &[String]) -> Vec<(&'static str, Vec<u8>)> {
    let (lines, tar) = (jsonl(documents), texts(documents));
    let mut forms = vec![
        ("docs.jsonl.gz", gz(&lines)),
        ("docs.jsonl.zst", zst(&lines)),
        ("docs.json.gz", gz(&lines)),
        ("docs.tar.gz", gz(&tar)),
        ("docs.tgz", gz(&tar)),
        ("docs.tar.xz", xz(&tar)),
        ("docs.tar.zst", zst(&tar)),
        ("openwebtext.tar.xz", openwebtext(documents)),
        ("lines.tar", self::tar([("a/b.jsonl.xz".to_string(), xz(&lines).as_slice())])),
    ];
    #[cfg(feature = "parquet")]
    forms.extend(super::columns::forms(documents));
    forms.extend([("docs.jsonl", lines), ("docs.tar", tar)]);
    forms
}
