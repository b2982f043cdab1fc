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
    /// Where a page went that a person had written or changed.
    pub kept: Option<PathBuf>,
}

/// Writes `report.md`, `report.html` if there is one, and `figures/*.svg` into the folder.
///
/// The figures come first, then the words that name them; at last go the figures that an earlier
/// report left here and this one does not have. Files that `indhead` did not draw stay, and a
/// `report.md` that is not as `indhead` wrote it is kept under another name.
pub fn write(rendered: &Rendered, folder: &Path) -> Result<Written, ReportError> {
    let figures = folder.join("figures");
    at(&figures, fs::create_dir_all(&figures))?;
    for (name, svg) in &rendered.figures {
        let path = figures.join(name);
        at(&path, files::write(&path, svg.as_bytes()))?;
    }
    let page = folder.join("report.md");
    let kept = at(&page, keep(&page))?;
    at(&page, files::write(&page, signed(&rendered.markdown).as_bytes()))?;
    if let Some(html) = &rendered.html {
        let path = folder.join("report.html");
        at(&path, files::write(&path, html.as_bytes()))?;
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
fn signed(markdown: &str) -> String {
    let digest = blake3::hash(markdown.as_bytes()).to_hex();
    format!("{markdown}\n{SIGNATURE}{} -->\n", &digest[..16])
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
    let names =
        std::iter::once("report.kept.md".to_string()).chain((2..).map(|n| format!("report.kept-{n}.md")));
    let free = names.map(|name| page.with_file_name(name)).find(|path| !path.exists());
    let free = free.unwrap_or_else(|| page.with_extension("kept"));
    fs::rename(page, &free)?;
    Ok(Some(free))
}

/// Whether a file is a figure that a report put there.
fn ours(path: &Path) -> bool {
    let svg = path.extension().is_some_and(|ending| ending == "svg");
    svg && fs::read_to_string(path).is_ok_and(|text| text.lines().nth(1) == Some(MARK))
}
