//! The guide shows what the code does.

use super::{AuditQuery, TestResult};
use crate::query::grammar::key::Key;
use crate::query::grammar::words;

/// The guide; `None` in the published package, which does not contain it.
fn guide() -> Option<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/query-grammar.md");
    std::fs::read_to_string(path).ok()
}

#[test]
fn queries_of_the_guide_are_read_and_written_as_they_are() -> TestResult {
    let Some(guide) = guide() else { return Ok(()) };
    let (_, after) = guide.split_once("| query | finds |").unwrap();
    let (table, _) = after.split_once("\n## ").unwrap();
    let queries: Vec<&str> = (table.lines())
        .filter_map(|line| line.strip_prefix("| `")?.split("` | ").next())
        .collect();
    assert!(queries.len() >= 6, "{queries:?}");
    for query in queries {
        assert_eq!(query.parse::<AuditQuery>()?.to_string(), query);
    }
    Ok(())
}

#[test]
fn errors_of_the_guide_are_those_of_the_code() {
    let Some(guide) = guide() else { return };
    let (_, after) = guide.split_once("```text\n").unwrap();
    let (block, _) = after.split_once("```").unwrap();
    // Each error has two lines, the first of which is the query.
    let queries: Vec<&str> = block.lines().step_by(2).collect();
    assert!(queries.len() >= 5, "{queries:?}");
    let marked = |query: &str| {
        let error = query.parse::<AuditQuery>().expect_err(query);
        error.marked(query) + "\n"
    };
    let expected: String = queries.into_iter().map(marked).collect();
    assert!(block == expected, "the guide must show:\n{expected}");
}

#[test]
fn guide_has_every_key_and_every_word() {
    let Some(guide) = guide() else { return };
    for key in Key::ALL {
        let words = words::of_key(key).into_iter();
        for word in words.chain([key.as_str().to_owned()]) {
            assert!(guide.contains(&format!("`{word}`")), "{word}");
        }
    }
}
