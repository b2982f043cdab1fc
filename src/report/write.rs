//! A report on disk: every file whole or absent, no figure of an earlier report left over, and
//! nothing that a person wrote lost.

use super::{Rendered, ReportError};
use crate::figures::canvas::MARK;
use crate::files;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub page: PathBuf,
    /// Pages that a person had written or changed, and where they went.
    pub kept: Vec<(PathBuf, PathBuf)>,
}

/// Writes `report.md`, `report.html` if there is one, and `figures/*.svg` into the folder.
///
/// The figures come first, then the words that name them; at last go the figures that an earlier
/// report left here and this one does not have. Files that `indhead` did not draw stay, and a
/// page that is not as `indhead` wrote it is kept under another name.
pub fn write(rendered: &Rendered, folder: &Path) -> Result<Written, ReportError> {
    let figures = folder.join("figures");
    at(&figures, fs::create_dir_all(&figures))?;
    for folder in [folder, &figures] {
        at(folder, files::tidy(folder))?;
    }
    for (name, svg) in &rendered.figures {
        let path = figures.join(name);
        at(&path, files::write(&path, svg.as_bytes()))?;
    }
    let page = folder.join("report.md");
    let html = rendered.html.iter().map(|html| (folder.join("report.html"), html));
    let mut kept = Vec::new();
    for (path, text) in std::iter::once((page.clone(), &rendered.markdown)).chain(html) {
        let moved = at(&path, keep(&path))?;
        at(&path, files::write(&path, signed(text).as_bytes()))?;
        kept.extend(moved.map(|moved| (path, moved)));
    }
    let entries = at(&figures, fs::read_dir(&figures))?;
    let mut stale: Vec<PathBuf> = entries.filter_map(|e| e.ok()).map(|e| e.path()).collect();
    stale.retain(|path| !rendered.figures.iter().any(|(name, _)| path.ends_with(name)));
    for path in stale.iter().filter(|path| ours(path)) {
        at(path, fs::remove_file(path))?;
    }
    Ok(Written { page, kept })
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, ReportError> {
    let path = path.to_path_buf();
    result.map_err(|reason| ReportError::Write { path, reason })
}

/// The page with a last line by which it is known whether anybody has changed it since.
fn signed(text: &str) -> String {
    let digest = blake3::hash(text.as_bytes()).to_hex();
    format!("{text}\n{SIGNATURE}{} -->\n", &digest[..16])
}

const SIGNATURE: &str = "<!-- written by indhead, which replaces it unless it was changed: ";

/// Whether a page is as it was written.
fn is_signed(page: &str) -> bool {
    page.rfind(SIGNATURE).is_some_and(|at| at > 0 && signed(&page[..at - 1]) == page)
}

/// Moves a page that a person wrote or changed out of the way; says where to.
fn keep(page: &Path) -> io::Result<Option<PathBuf>> {
    let bytes = match fs::read(page) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    if String::from_utf8(bytes).is_ok_and(|text| is_signed(&text)) {
        return Ok(None);
    }
    let ending = page.extension().unwrap_or_default().to_string_lossy();
    let names = std::iter::once("kept".to_string()).chain((2..).map(|n| format!("kept-{n}")));
    let mut paths = names.map(|name| page.with_extension(format!("{name}.{ending}")));
    let free = paths.find(|path| !path.exists());
    let free = free.unwrap_or_else(|| page.with_extension("kept"));
    fs::rename(page, &free)?;
    Ok(Some(free))
}

/// Whether a file is a figure that a report put there.
fn ours(path: &Path) -> bool {
    let svg = path.extension().is_some_and(|ending| ending == "svg");
    svg && fs::read_to_string(path).is_ok_and(|text| text.lines().nth(1) == Some(MARK))
}
