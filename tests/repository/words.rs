//! The words of `words.txt` are not used.

use crate::TestResult;
use crate::sources::with_extensions;

/// A text as words in lower case with single spaces between, and other signs as words. Parts of a snake-case name are
/// words.
fn normalized(line: &str) -> String {
    let mut text = String::from(" ");
    let mut is_inside = false;
    for char in line.to_lowercase().chars() {
        let is_separator = char.is_whitespace() || char == '_';
        if is_inside && !char.is_alphanumeric() {
            text.push(' ');
        }
        is_inside = char.is_alphanumeric();
        if is_inside {
            text.push(char);
        } else if !is_separator {
            text.push_str("| ");
        }
    }
    text.push(' ');
    text
}

#[test]
fn listed_words_are_not_used() -> TestResult {
    let list = std::fs::read_to_string("repository/words.txt")?;
    let words: Vec<(&str, &str)> = (list.lines())
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" => "))
        .collect();
    assert!(words.len() > 10, "{words:?}");
    let mut faults = Vec::new();
    for source in with_extensions(&["rs", "md", "toml", "sh", "sql"])? {
        for (number, line) in source.text.lines().enumerate() {
            let text = normalized(line);
            for (word, instead) in &words {
                if text.contains(&format!(" {word} ")) {
                    let path = source.path.display();
                    faults.push(format!("{path}:{}: `{word}`, use {instead}", number + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}

#[test]
fn names_of_tests_begin_with_their_subject() -> TestResult {
    let mut faults = Vec::new();
    for source in with_extensions(&["rs"])? {
        for line in source.text.lines() {
            let name = line.split("fn ").nth(1).unwrap_or_default();
            let is_test = name.contains("()") || name.contains("(db: &TestDb)");
            let is_sentence =
                (["what_", "who_", "a_", "an_"].iter()).any(|first| name.starts_with(first));
            if is_test && is_sentence {
                faults.push(format!("{}: {}", source.path.display(), line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}
