//! Secrets inside JSON documents.
//!
//! A key is split into words as the hooks do it, character by character. Where SQLite cannot decide, as with letters
//! beyond ASCII, both ways are tried: every secret of the hooks is one here.

use std::collections::BTreeSet;

use sea_orm_audit_core::trigger_plan::SecretKeys;

use super::sql::{joined, text};

/// Eight bytes: no useful document is shorter.
const BYTES: &str = "[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]\
     [0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]";

/// A longer key that holds one of the words counts as a secret without a check.
const LONGEST: usize = 200;

/// Whether a JSON text has a value behind a secret's key; NULL and booleans are none.
pub(super) fn has_secret(keys: &SecretKeys, json: &str) -> String {
    let tests = tests(keys);
    if tests.is_empty() {
        return "0".to_owned();
    }
    let hints: Vec<String> = hints(keys)
        .iter()
        .map(|hint| format!("instr(l, {})", text(hint)))
        .collect();
    let (hints, tests) = (joined(&hints, "OR"), joined(&tests, "OR"));
    let letter = letter(keys);
    // A letter that is spelled as an escape may be one of a secret's.
    let words = [&keys.words, &keys.anywhere, &keys.at_the_end];
    let mut words = words.into_iter().flatten().flatten().chain(&keys.names);
    let escaped = if words.all(|word| word.is_ascii()) {
        "l GLOB '*\\u00[4-7]*' OR instr(l, '\\u212a') OR instr(l, '\\u017f')"
    } else {
        "instr(l, '\\u')"
    };
    // A text that is no document, and is kept as a string or as bytes, has no keys to check.
    let refused = format!(
        "(({json} GLOB '\"*{{*' AND EXISTS (SELECT 1 FROM (SELECT lower({json}) AS l LIMIT 1) \
         WHERE {hints} OR {escaped})) OR {json} GLOB '{{\"hex\":\"{BYTES}*')"
    );
    // One query after the other, as nesting them is more than SQLite's parser holds.
    format!(
        "({refused} OR EXISTS (SELECT 1 FROM (SELECT lower({json}) AS l LIMIT 1) \
         WHERE {hints} OR instr(l, '\\u')) AND EXISTS (WITH RECURSIVE \
         keys AS (SELECT key, lower(key) AS l FROM json_tree({json}) WHERE typeof(key) = 'text' \
         AND type NOT IN ('null', 'true', 'false') LIMIT -1), \
         hit AS (SELECT key FROM keys WHERE {hints} LIMIT -1), \
         letters(key, i, w) AS (SELECT key, 0, '' FROM hit UNION ALL SELECT key, i + 1, w || {letter} \
         FROM letters WHERE i < length(key) AND length(key) <= {LONGEST}), \
         parted AS (SELECT lower(key) AS k, '_' || replace(w, '~', '') || '_' || replace(w, '~', '_') \
         || '_' AS w FROM letters WHERE i = length(key) OR length(key) > {LONGEST} LIMIT -1), \
         single AS (SELECT k, replace(replace(replace(w, '_', '<>'), '><', ''), '<>', '_') AS w \
         FROM parted LIMIT -1), \
         singular AS (SELECT k, replace(replace(replace(w, 's_', '_'), 's_', '_'), 's_', '_') AS w \
         FROM single LIMIT -1) \
         SELECT 1 FROM singular WHERE {tests}))"
    )
}

/// The letter after the first `i` of `key`, in lower case: with `_` before it where a word begins, and
/// `~` where one may begin. What is no letter is `_`.
fn letter(keys: &SecretKeys) -> String {
    let letters: BTreeSet<char> = (keys.words.iter().flatten())
        .flat_map(|word| word.chars())
        .filter(|c| !c.is_ascii())
        .collect();
    let (this, next) = ("substr(key, i + 1, 1)", "substr(key, i + 2, 1)");
    let before = "CASE i WHEN 0 THEN '' ELSE substr(key, i, 1) END";
    let beyond: Vec<String> = (letters.iter())
        .map(|lower| {
            let upper: String = lower.to_uppercase().collect();
            let begun = text(&format!("~{lower}"));
            let (upper, lower) = (text(&upper), text(&lower.to_string()));
            format!("WHEN {this} = {lower} THEN {lower} WHEN {this} = {upper} THEN {begun} ")
        })
        .collect();
    let beyond = beyond.concat();
    format!(
        "CASE WHEN {this} GLOB '[a-z]' THEN {this} {beyond}WHEN {this} NOT GLOB '[A-Z]' THEN '_' \
         WHEN unicode({before}) > 127 THEN '~' || lower({this}) \
         WHEN {before} NOT GLOB '[A-Z]' OR {next} GLOB '[a-z]' THEN '_' || lower({this}) \
         WHEN unicode({next}) > 127 THEN '~' || lower({this}) ELSE lower({this}) END"
    )
}

/// A word as `letter` leaves it: digits part it, and it is in the singular.
fn word(word: &str) -> String {
    let parts: Vec<&str> = (word.split(|c: char| !c.is_alphabetic()))
        .filter(|part| !part.is_empty())
        .map(|part| match part.trim_end_matches('s') {
            "" => part,
            singular => singular,
        })
        .collect();
    parts.join("_")
}

/// Conditions on `w`, the words of a key, and `k`, the key in lower case.
fn tests(keys: &SecretKeys) -> Vec<String> {
    let all = |patterns: &[Vec<String>]| -> BTreeSet<String> {
        (patterns.iter())
            .map(|words| words.iter().map(|w| word(w)).collect::<Vec<_>>().join("_"))
            .filter(|words| !words.is_empty())
            .collect()
    };
    let holds = |part: String| format!("instr(w, {})", text(&part));
    let mut tests = Vec::new();
    tests.extend((all(&keys.words).iter()).map(|words| holds(format!("_{words}_"))));
    for words in all(&keys.anywhere) {
        tests.push(holds(format!("_{words}")));
        tests.push(holds(format!("{words}_")));
    }
    tests.extend((all(&keys.at_the_end).iter()).map(|words| holds(format!("{words}_"))));
    tests.extend((keys.names.iter()).map(|name| format!("k GLOB {}", text(&named(name)))));
    if !tests.is_empty() {
        tests.push(format!("length(k) > {LONGEST}"));
    }
    tests
}

/// A whole name as a pattern: `lower` supports ASCII only.
fn named(name: &str) -> String {
    let part = |c: char| match c {
        '*' | '?' | '[' => format!("[{c}]"),
        c if c.is_ascii() => c.to_string(),
        _ => "*".to_owned(),
    };
    name.chars().map(part).collect()
}

/// Texts of which a document with a secret has at least one, in lower case: for each pattern its
/// longest run of ASCII letters.
fn hints(keys: &SecretKeys) -> BTreeSet<String> {
    let longest = |words: &Vec<String>| {
        let runs = words
            .iter()
            .flat_map(|word| word.split(|c: char| !c.is_ascii_lowercase()));
        runs.max_by_key(|run| run.len())
            .unwrap_or_default()
            .to_owned()
    };
    let patterns = [&keys.words, &keys.anywhere, &keys.at_the_end];
    let mut all: BTreeSet<String> = patterns.into_iter().flatten().map(longest).collect();
    all.extend((keys.names.iter()).map(|name| longest(&vec![name.clone()])));
    // An empty hint is in every document. One that holds another is not needed.
    let short = |hint: &String| {
        all.iter()
            .any(|other| other != hint && hint.contains(other.as_str()))
    };
    all.iter().filter(|hint| !short(hint)).cloned().collect()
}
