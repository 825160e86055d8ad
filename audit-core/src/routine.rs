//! What the body of a trigger may write, or of a function or procedure that it calls.
//!
//! The text is read as tokens and not parsed, because each database has a language of its own around SQL. A table
//! counts as written if its name stands where a write names its tables. In doubt it counts as written.

use sea_orm::DbBackend;

#[cfg(not(feature = "statements"))]
use self::without_tokenizer::{PlainToken, plain_tokens};
#[cfg(feature = "statements")]
use crate::sql::{PlainToken, plain_tokens};

/// The length in bytes of the longest name of a table: 64 characters.
const LONGEST_NAME: usize = 256;

/// A table or routine as a text names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    /// `None` for a name without a schema.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

/// What a body may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// The tables that it may write; other words can be among them.
    pub writes: Vec<Named>,
    /// The functions and procedures that it may call; those of the database itself can be among them.
    pub calls: Vec<Named>,
}

impl Body {
    /// Reads a body in SQL or in a language around it.
    ///
    /// A body that runs SQL which it composes (`EXECUTE`) may write every table and call every routine that it names
    /// anywhere, in strings and in the arguments of its trigger as well. So may a text that cannot be divided into tokens.
    #[must_use]
    pub fn read(backend: DbBackend, text: &str, arguments: &str) -> Self {
        let Some(mut tokens) = plain_tokens(backend, text) else {
            return Self::of_words(text, arguments);
        };
        if backend == DbBackend::Sqlite {
            // SQLite stores the whole CREATE TRIGGER.
            let begin = tokens.iter().position(|token| is_word(token, &["BEGIN"]));
            tokens.drain(..begin.map_or(0, |at| at + 1));
        }
        let mut body = Self::default();
        for at in 0..tokens.len() {
            body.add_targets(backend, &tokens, at);
            body.add_call(backend, &tokens, at);
        }
        if tokens.iter().any(|token| is_word(token, &["EXECUTE"])) {
            body.add_all_names(backend, &tokens, arguments);
        }
        body
    }

    /// Reads a body in another language: it may write every table that it names.
    #[must_use]
    pub fn of_words(text: &str, arguments: &str) -> Self {
        let mut body = Self::default();
        body.add_words(text);
        body.add_words(arguments);
        body
    }

    /// The tables of a write that begins at this position.
    fn add_targets(&mut self, backend: DbBackend, tokens: &[PlainToken], begin: usize) {
        let Some(ends) = ends_of_targets(backend, &tokens[begin]) else {
            return;
        };
        let is_function = matches!(tokens.get(begin + 1), Some(PlainToken::Open));
        // `FOR UPDATE`, and the second half of `ON DUPLICATE KEY UPDATE`.
        let is_clause = is_word(&tokens[begin], &["UPDATE"])
            && begin > 0
            && is_word(&tokens[begin - 1], &["FOR", "KEY"]);
        if is_function || is_clause {
            return;
        }
        let (mut at, mut depth) = (begin + 1, 0_usize);
        while let Some(token) = tokens.get(at) {
            match token {
                PlainToken::Semicolon => return,
                PlainToken::Open if ends.contains(&"(") => return,
                PlainToken::Open => depth += 1,
                PlainToken::Close if depth == 0 => return,
                PlainToken::Close => depth -= 1,
                token if is_word(token, ends) && !is_table(tokens, at) => return,
                _ => {}
            }
            match name_at(backend, tokens, at) {
                Some((name, next)) => {
                    self.writes.push(name);
                    at = next;
                }
                None => at += 1,
            }
        }
    }

    fn add_call(&mut self, backend: DbBackend, tokens: &[PlainToken], at: usize) {
        // The second part of a qualified name.
        if at > 0 && tokens[at - 1] == PlainToken::Dot {
            return;
        }
        let Some((name, next)) = name_at(backend, tokens, at) else {
            return;
        };
        let is_called = matches!(tokens.get(next), Some(PlainToken::Open))
            || at > 0 && is_word(&tokens[at - 1], &["CALL"]);
        if is_called && !self.calls.contains(&name) {
            self.calls.push(name);
        }
    }

    fn add_all_names(&mut self, backend: DbBackend, tokens: &[PlainToken], arguments: &str) {
        for (at, token) in tokens.iter().enumerate() {
            if let PlainToken::Text(text) = token {
                self.add_words(text);
            } else if let Some((name, _)) = name_at(backend, tokens, at) {
                self.add_either(name);
            }
        }
        self.add_words(arguments);
    }

    /// The words of any text, and the whole text where it may be a name with spaces.
    fn add_words(&mut self, text: &str) {
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let whole = (text.len() <= LONGEST_NAME).then_some(text);
        for word in words.chain(whole).filter(|word| !word.is_empty()) {
            self.add_either(Named {
                schema: None,
                name: word.to_owned(),
            });
        }
    }

    /// A name that may be of a table or of a routine.
    fn add_either(&mut self, name: Named) {
        if !self.writes.contains(&name) {
            self.writes.push(name.clone());
        }
        if !self.calls.contains(&name) {
            self.calls.push(name);
        }
    }
}

/// What follows the tables that a write names, if a write begins with this word.
fn ends_of_targets(backend: DbBackend, verb: &PlainToken) -> Option<&'static [&'static str]> {
    const INSERT: &[&str] = &["(", "VALUES", "SELECT", "SET", "DEFAULT", "WITH"];
    let PlainToken::Word(verb) = verb else {
        return None;
    };
    Some(match verb.to_ascii_uppercase().as_str() {
        "INSERT" => INSERT,
        "REPLACE" if backend != DbBackend::Postgres => INSERT,
        "UPDATE" => &["SET"],
        // The tables to delete from may be named by an alias, which only the joined tables explain.
        "DELETE" if backend == DbBackend::MySql => &["WHERE", "ORDER", "LIMIT", "RETURNING"],
        "DELETE" => &["USING", "WHERE", "ORDER", "LIMIT", "RETURNING"],
        "MERGE" => &["USING"],
        "TRUNCATE" => &["RESTART", "CONTINUE", "CASCADE", "RESTRICT"],
        "COPY" => &["(", "FROM", "TO"],
        _ => return None,
    })
}

/// Whether a word must be the name of a table, although it is a keyword elsewhere: PostgreSQL has tables called `set`.
fn is_table(tokens: &[PlainToken], at: usize) -> bool {
    const BEFORE: &[&str] = &["INTO", "FROM", "ONLY", "TABLE", "JOIN"];
    let is_followed_by_set = (tokens.get(at + 1)).is_some_and(|next| is_word(next, &["SET"]));
    is_word(&tokens[at - 1], BEFORE) || is_word(&tokens[at - 1], &["UPDATE"]) && is_followed_by_set
}

/// The name at a position, and the position after it. A string can be a name: in SQLite, and with `ANSI_QUOTES` in
/// MySQL.
fn name_at(backend: DbBackend, tokens: &[PlainToken], at: usize) -> Option<(Named, usize)> {
    let part = |at: usize| match tokens.get(at)? {
        PlainToken::Word(word) if backend == DbBackend::Postgres => Some(word.to_lowercase()),
        PlainToken::Word(name) | PlainToken::Name(name) => Some(name.clone()),
        PlainToken::Text(name) if backend != DbBackend::Postgres => Some(name.clone()),
        _ => None,
    };
    let (mut schema, mut name, mut next) = (None, part(at)?, at + 1);
    while matches!(tokens.get(next), Some(PlainToken::Dot))
        && let Some(more) = part(next + 1)
    {
        (schema, name, next) = (Some(name), more, next + 2);
    }
    Some((Named { schema, name }, next))
}

fn is_word(token: &PlainToken, words: &[&str]) -> bool {
    matches!(token, PlainToken::Word(word) if words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// A build without the parser has no tokens, and treats every named table as written.
#[cfg(not(feature = "statements"))]
mod without_tokenizer {
    use sea_orm::DbBackend;

    #[derive(PartialEq)]
    #[allow(dead_code)] // none is made
    pub(super) enum PlainToken {
        Word(String),
        Name(String),
        Text(String),
        Dot,
        Open,
        Close,
        Semicolon,
    }

    pub(super) const fn plain_tokens(_: DbBackend, _: &str) -> Option<Vec<PlainToken>> {
        None
    }
}

#[cfg(all(test, feature = "statements"))]
mod tests;
