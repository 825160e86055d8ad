//! Which keys inside a JSON document are secrets', as a regular expression.
//!
//! It is matched against the text of the document in lower case, with a `_` where a capital begins
//! a word, and finds at least what the hooks find.

use sea_orm_audit_core::trigger_plan::SecretKeys;

/// An escaped character.
const ESCAPED: &str = r"\\(?:u[0-9a-f]{4}|.)";
/// The end of a key whose value is neither null nor a boolean.
const VALUE: &str = "\":(?![[:space:]]*(?:null|true|false))";
/// What a word may end in: `tokens`, `password2`.
const ENDING: &str = "s?[0-9]*";

/// The expression, `None` where nothing is a secret.
pub(super) fn pattern(keys: &SecretKeys) -> Option<String> {
    let between = format!("(?:[^[:alnum:]\"\\\\]|{ESCAPED})");
    let any_of = |words: &[Vec<String>]| -> Option<String> {
        let words: Vec<String> = (words.iter())
            .map(|words| {
                let words: Vec<String> = words.iter().map(|word| escaped(word)).collect();
                words.join(&format!("{ENDING}{between}+"))
            })
            .collect();
        (!words.is_empty()).then(|| format!("(?:{})", words.join("|")))
    };
    let mut found = Vec::new();
    if let Some(words) = any_of(&keys.words) {
        found.push(format!("{words}{ENDING}"));
    }
    if let Some(words) = any_of(&keys.anywhere) {
        found.push(format!("{words}[[:alnum:]]*"));
        found.push(format!("[[:alnum:]]*{words}{ENDING}"));
    }
    if let Some(words) = any_of(&keys.at_the_end) {
        found.push(format!("[[:alnum:]]*{words}{ENDING}"));
    }
    let mut ways = Vec::new();
    if !found.is_empty() {
        ways.push(format!(
            "(?:[^[:alnum:]]|{ESCAPED})(?:{})(?:{between}(?:[^\"\\\\]|{ESCAPED})*)?{VALUE}",
            found.join("|")
        ));
    }
    // Sorted: the set that they come from has no order.
    let mut names: Vec<&String> = keys.names.iter().collect();
    names.sort();
    ways.extend(names.into_iter().map(|name| {
        let chars: Vec<String> = name.chars().map(|c| escaped(&c.to_string())).collect();
        format!("\"{}{VALUE}", chars.join("_?"))
    }));
    (!ways.is_empty()).then(|| ways.join("|"))
}

/// An expression that finds at least the documents with such a key, at a tenth of the cost. It is matched against the
/// text in lower case without `_`, so that it does not depend on where words begin.
pub(super) fn hint(keys: &SecretKeys) -> String {
    let longest = |words: &Vec<String>| words.iter().max_by_key(|word| word.len()).cloned();
    let words = [&keys.words, &keys.anywhere, &keys.at_the_end];
    let mut parts: Vec<String> = (words.into_iter().flatten().filter_map(longest))
        .chain(keys.names.iter().map(|name| name.replace('_', "")))
        .map(|part| escaped(&part))
        .collect();
    parts.sort();
    parts.dedup();
    parts.join("|")
}

/// Text that means itself, as JSON writes it.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    let json = super::quote::json(text);
    for char in json[1..json.len() - 1].chars() {
        if !char.is_alphanumeric() && char.is_ascii() {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}
