//! The Rust code of the guides is a part of a compiled example.

use crate::TestResult;
use crate::sources::with_extensions;

/// A text without indentation, empty lines and trailing spaces, so that a block may be a part of a function.
fn lines(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    format!("\n{}\n", lines.join("\n"))
}

/// The blocks that begin with one of these marks, with the number of their first line.
fn blocks(markdown: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut block: Option<(usize, String)> = None;
    for (number, line) in markdown.lines().enumerate() {
        match &mut block {
            Some((first, text)) if line.trim() == "```" => {
                blocks.push((*first, std::mem::take(text)));
                block = None;
            }
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
            None if line.trim().starts_with("```rust") => block = Some((number + 1, String::new())),
            None => {}
        }
    }
    blocks
}

#[test]
fn blocks_of_the_guides_are_parts_of_examples() -> TestResult {
    let examples: Vec<String> = (with_extensions(&["rs"])?.into_iter())
        .filter(|source| source.path.starts_with("examples"))
        .map(|source| lines(&source.text))
        .collect();
    let mut count = 0;
    let mut faults = Vec::new();
    for page in with_extensions(&["md"])? {
        // The blocks of the README are doctests of the facade.
        if page.path.ends_with("README.md") && page.path.components().count() == 1 {
            continue;
        }
        for (number, block) in blocks(&page.text) {
            count += 1;
            let block = lines(&block);
            if !examples.iter().any(|example| example.contains(&block)) {
                faults.push(format!(
                    "{}:{number}: in no file below examples",
                    page.path.display()
                ));
            }
        }
    }
    assert!(count > 20, "{count} blocks");
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}
