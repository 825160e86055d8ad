//! Whether a JSON document has a key that is a secret's, as a regular expression.
//!
//! It finds what `audit_core::redact` finds, and more where that keeps it simple: a key that spells a letter
//! as `\u0061`, one with a quote in it, or one of more than 500 characters counts as a secret's. PCRE
//! (MariaDB) and ICU (MySQL) both read it.

use sea_orm_audit_core::trigger_plan::SecretKeys;

use super::quote;

/// Where a word begins: at the begin of the key, after what is no letter and no digit, after an escape, or at
/// a capital after a small letter, or before one.
const BEGIN: &str = r"(?:(?<![\p{L}\p{N}])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4})|(?<!\p{Lu})(?=\p{Lu})|(?=\p{Lu}\p{Ll}))";
/// Where it ends, after an `s` and digits.
const END: &str = r"[sS]?\p{N}*(?:(?![\p{L}\p{N}])|(?<!\p{Lu})(?=\p{Lu})|(?=\p{Lu}\p{Ll}))";
/// What is between two words.
const BETWEEN: &str = r#"[sS]?\p{N}*(?:(?:\\u[0-9a-fA-F]{4}|\\.|[^\p{L}\p{N}"\\])++|(?<!\p{Lu})(?=\p{Lu})|(?=\p{Lu}\p{Ll}))"#;
/// A string that is a key, from behind its first quote, to be looked at in advance.
const KEY: &str = r#"(?=[^"\\]*+(?:\\.[^"\\]*+)*+"\s*+:)"#;
/// The longest document in which [`hint`] is looked for first. A key of more than 500 characters has none.
pub(super) const SHORT: u32 = 300;
/// The longest document that is searched; the expression fails on much longer ones.
const LONGEST: u32 = 4 << 20;

/// Text to be found as it is.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() || c.is_ascii_whitespace() {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

fn any_of<'a>(words: impl IntoIterator<Item = &'a Vec<String>>) -> Option<String> {
    let words: Vec<String> = words.into_iter().flatten().map(|w| literally(w)).collect();
    (!words.is_empty()).then(|| format!("(?i:{})", words.join("|")))
}

/// The expression, where there are secrets at all.
pub(super) fn pattern(keys: &SecretKeys) -> Option<String> {
    let mut found = Vec::new();
    found.extend(any_of(&keys.anywhere));
    found.extend(any_of(&keys.at_the_end).map(|words| words + END));
    let single = any_of(keys.words.iter().filter(|words| words.len() == 1));
    let several = (keys.words.iter().filter(|words| words.len() > 1)).map(|words| {
        let words: Vec<String> = (words.iter())
            .map(|word| format!("(?i:{})", literally(word)))
            .collect();
        words.join(BETWEEN)
    });
    let words: Vec<String> = single.into_iter().chain(several).collect();
    if !words.is_empty() {
        found.push(format!("{BEGIN}(?:{}){END}", words.join("|")));
    }
    let mut names: Vec<String> = (keys.names.iter())
        .map(|name| {
            let quoted = quote::json(name);
            literally(&quoted[1..quoted.len() - 1])
        })
        .collect();
    if found.is_empty() && names.is_empty() {
        return None;
    }
    names.sort();
    // A letter that could be part of a word, spelled as an escape: where words have letters beyond ASCII, any.
    let ascii = (keys.words.iter().flatten().chain(&keys.names)).all(|word| word.is_ascii());
    found.push(
        if ascii {
            r"\\u(?:00[3-7]|212[aA])"
        } else {
            r"\\u"
        }
        .to_owned(),
    );
    found.push(r#"\\""#.to_owned());
    let mut key = vec![
        r#"[^"]{500}"#.to_owned(),
        format!(r#"(?:[^"\\]|\\.)*?(?:{})"#, found.join("|")),
    ];
    if !names.is_empty() {
        key.push(format!(r#"(?i:{})""#, names.join("|")));
    }
    Some(format!("\"{KEY}(?:{})", key.join("|")))
}

/// Texts of which a short document in which [`pattern`] is has at least one, in any case: some word of each secret's
/// key, as JSON spells it, or a backslash ([`super::value::ODD_PART_HINT`]).
pub(super) fn signs(keys: &SecretKeys) -> Vec<String> {
    let parted = || keys.words.iter().filter(|words| words.len() > 1);
    // `key` covers a dozen.
    let shared = |word: &str| {
        (word.len() > 2).then(|| {
            parted()
                .filter(|words| words.iter().any(|w| w == word))
                .count()
        })
    };
    let one_of = |words: &[String]| {
        let longest = words.iter().max_by_key(|word| (shared(word), word.len()));
        longest.cloned()
    };
    let runs = keys
        .anywhere
        .iter()
        .chain(&keys.at_the_end)
        .chain(&keys.words);
    let mut signs: Vec<String> = runs.filter_map(|words| one_of(words)).collect();
    signs.extend(keys.names.iter().map(|name| {
        let quoted = quote::json(name);
        quoted[1..quoted.len() - 1].to_owned()
    }));
    // A sign that is part of another one finds that one, too.
    signs.sort_by_key(String::len);
    let mut least = Vec::<String>::new();
    for sign in signs {
        if !least.iter().any(|known| sign.contains(known)) {
            least.push(sign);
        }
    }
    least
}

/// The same as a short expression.
pub(super) fn hint(keys: &SecretKeys) -> String {
    let signs: Vec<String> = signs(keys).iter().map(|sign| literally(sign)).collect();
    format!("(?i:{})", signs.join("|"))
}

/// A condition: whether a document has such a key. It is an expression's text, and so is the pattern.
pub(super) fn is_in(document: &str, pattern: &str) -> String {
    format!(
        "({document} IS NOT NULL AND (LENGTH({document}) > {LONGEST} OR \
         IFNULL(CONVERT({document} USING utf8mb4) COLLATE utf8mb4_bin REGEXP {pattern}, TRUE)))"
    )
}
