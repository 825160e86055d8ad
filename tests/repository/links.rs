//! Links between the documents lead to files and headings.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::TestResult;
use crate::sources::with_extensions;

/// GitHub's name for a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    (text.chars())
        .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'))
        .map(|char| if char == ' ' { '-' } else { char })
        .collect()
}

/// The targets of `[text](target)`, outside of code.
fn targets(markdown: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut is_code = false;
    let mut prose = String::new();
    for line in markdown.lines() {
        if line.trim().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    for (at, _) in prose.match_indices("](") {
        let rest = &prose[at + 2..];
        if let Some(end) = rest.find(')') {
            targets.push(rest[..end].to_owned());
        }
    }
    targets
}

/// A path without `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    resolved
}

#[test]
fn links_lead_to_files_and_headings() -> TestResult {
    let pages = with_extensions(&["md"])?;
    let anchors: BTreeMap<&Path, Vec<String>> = (pages.iter())
        .map(|page| {
            let headings = page.text.lines().filter(|line| line.starts_with('#'));
            (page.path.as_path(), headings.map(anchor).collect())
        })
        .collect();
    let mut count = 0;
    let mut faults = Vec::new();
    for page in &pages {
        for target in targets(&page.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let folder = page.path.parent().unwrap_or(Path::new(""));
            let path = if file.is_empty() {
                page.path.clone()
            } else {
                resolved(&folder.join(file))
            };
            if !Path::new("..").join(&path).exists() {
                faults.push(format!("{}: {target}: no such file", page.path.display()));
            } else if !heading.is_empty()
                && !(anchors.get(path.as_path()))
                    .is_some_and(|all| all.iter().any(|it| it == heading))
            {
                faults.push(format!(
                    "{}: {target}: no such heading",
                    page.path.display()
                ));
            }
        }
    }
    assert!(count > 40, "{count} links");
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}
