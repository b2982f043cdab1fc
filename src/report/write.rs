//! A report on disk: every file whole or absent, and no figure of an earlier report left over.

use super::{Rendered, ReportError};
use crate::figures::canvas::MARK;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `report.md` and `figures/*.svg` into the folder, and gives the path of the report.
///
/// The figures come first, then the words that name them; at last go the figures that an earlier
/// report left here and this one does not have. Files that `indhead` did not draw stay.
pub fn write(rendered: &Rendered, folder: &Path) -> Result<PathBuf, ReportError> {
    let figures = folder.join("figures");
    at(&figures, fs::create_dir_all(&figures))?;
    for (name, svg) in &rendered.figures {
        let path = figures.join(name);
        at(&path, whole(&path, svg))?;
    }
    let report = folder.join("report.md");
    at(&report, whole(&report, &rendered.markdown))?;
    let entries = at(&figures, fs::read_dir(&figures))?;
    let mut stale: Vec<PathBuf> = entries.filter_map(|e| e.ok()).map(|e| e.path()).collect();
    stale.retain(|path| !rendered.figures.iter().any(|(name, _)| path.ends_with(name)));
    for path in stale.iter().filter(|path| ours(path)) {
        at(path, fs::remove_file(path))?;
    }
    Ok(report)
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, ReportError> {
    let path = path.to_path_buf();
    result.map_err(|reason| ReportError::Write { path, reason })
}

/// Writes beside the file, and takes its place only when all is on disk.
fn whole(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&beside, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    renamed
}

/// Whether a file is a figure that a report put there.
fn ours(path: &Path) -> bool {
    let svg = path.extension().is_some_and(|ending| ending == "svg");
    svg && fs::read_to_string(path).is_ok_and(|text| text.lines().nth(1) == Some(MARK))
}
