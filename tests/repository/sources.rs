//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use crate::TestResult;

/// Folders of build outputs, and of data that is not ours.
const LEFT_OUT: [&str; 3] = ["target", ".git", "data"];

/// A file, with its path from the root of the repository.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// All text files with one of these extensions.
pub(crate) fn with_extensions(extensions: &[&str]) -> TestResult<Vec<Source>> {
    let mut found = Vec::new();
    collect(Path::new(".."), extensions, &mut found)?;
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn collect(folder: &Path, extensions: &[&str], found: &mut Vec<Source>) -> TestResult {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !LEFT_OUT.contains(&&*name) {
                collect(&path, extensions, found)?;
            }
            continue;
        }
        if (path.extension()).is_some_and(|ext| extensions.contains(&&*ext.to_string_lossy())) {
            found.push(Source {
                text: fs::read_to_string(&path)?,
                path: path.strip_prefix("..")?.to_owned(),
            });
        }
    }
    Ok(())
}
