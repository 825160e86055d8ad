//! Completion of a query while it is typed.

use std::ops::Range;

use super::key::Key;
use super::words;
use crate::query::search::AuditQuery;

/// What may replace a part of the text of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completion {
    /// The bytes that a candidate replaces: the word at the cursor. Both ends are between characters.
    pub range: Range<usize>,
    /// The keys with their colon, or the words of the key, that continue what precedes the cursor.
    pub candidates: Vec<String>,
}

impl AuditQuery {
    /// Completes the word at a byte of a text, for a command line or a page.
    ///
    /// There are candidates for keys, and for the values of `action`, `actor-type`, `created`, `outcome` and `source`.
    /// Other values are in the database, which this does not read. A cursor beyond the text is its end, and one within a
    /// character is before it.
    ///
    /// # Examples
    /// ```
    /// use sea_orm_audit_core::AuditQuery;
    /// let completion = AuditQuery::complete("model:order outcome:f", 21);
    /// assert_eq!((completion.range, completion.candidates), (20..21, vec!["failure".to_owned()]));
    /// ```
    #[must_use]
    pub fn complete(text: &str, cursor: usize) -> Completion {
        let cursor = text.floor_char_boundary(cursor.min(text.len()));
        let term = term_at(&text[..cursor]);
        let nothing = Completion {
            range: cursor..cursor,
            candidates: Vec::new(),
        };
        let Some(term) = term else {
            return nothing;
        };
        let typed = &text[term..cursor];
        let rest = &text[cursor..];
        let Some((key, values)) = typed.split_once(':') else {
            let end = rest
                .find(|char: char| char == ':' || char == '"' || char.is_whitespace())
                .map_or(rest.len(), |end| {
                    end + usize::from(rest[end..].starts_with(':'))
                });
            let keys = Key::ALL.iter().map(|key| format!("{}:", key.as_str()));
            return Completion {
                range: term..cursor + end,
                candidates: continuing(keys, typed),
            };
        };
        let Some(key) = Key::of(key) else {
            return nothing;
        };
        let typed = values.rsplit(',').next().unwrap_or_default();
        let end = rest
            .find(|char: char| char == ',' || char == '"' || char.is_whitespace())
            .unwrap_or(rest.len());
        Completion {
            range: cursor - typed.len()..cursor + end,
            candidates: continuing(words::of_key(key), typed),
        }
    }
}

/// The words that continue what is typed. Case does not matter.
fn continuing(words: impl IntoIterator<Item = String>, typed: &str) -> Vec<String> {
    let typed = typed.to_ascii_lowercase();
    let words = words.into_iter();
    words.filter(|word| word.starts_with(&typed)).collect()
}

/// The begin of the term at the end of a text, after its `-`; `None` within quotes, or after them.
fn term_at(text: &str) -> Option<usize> {
    let mut start = 0;
    let mut has_quote = false;
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => {
                is_quoted = !is_quoted;
                has_quote = true;
            }
            ',' if !is_quoted => has_quote = false,
            char if char.is_whitespace() && !is_quoted => {
                start = at + char.len_utf8();
                has_quote = false;
            }
            _ => {}
        }
    }
    if has_quote {
        return None;
    }
    let term = &text[start..];
    Some(start + usize::from(term.starts_with('-')))
}
