//! Files are short.

use crate::TestResult;
use crate::sources::with_extensions;

const MOST_LINES: usize = 400;

/// A longer file says in its first comment why it is one file.
const REASON: &str = "One file";

#[test]
fn long_files_state_a_reason() -> TestResult {
    let mut faults = Vec::new();
    let sources = with_extensions(&["rs"])?;
    assert!(sources.len() > 400, "{} files", sources.len());
    for source in sources {
        let lines = source.text.lines().count();
        let mut comment = source
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"));
        if lines > MOST_LINES && !comment.any(|line| line.contains(REASON)) {
            faults.push(format!("{}: {lines} lines", source.path.display()));
        }
    }
    assert!(
        faults.is_empty(),
        "without `{REASON}, because ..`: {faults:#?}"
    );
    Ok(())
}

#[test]
fn readme_has_two_hundred_lines_at_most() -> TestResult {
    let lines = std::fs::read_to_string("../README.md")?.lines().count();
    assert!(lines <= 200, "{lines} lines");
    Ok(())
}
