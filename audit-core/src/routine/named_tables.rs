//! Which tables and routines the tokens of a body name, and where.

use sea_orm::DbBackend;

use super::{Body, Named};
use crate::sql::{PlainToken, plain_tokens};

impl Body {
    /// Reads a body, or returns `None` if it cannot be divided into tokens.
    pub(super) fn of_tokens(backend: DbBackend, text: &str, arguments: &str) -> Option<Self> {
        let mut tokens = plain_tokens(backend, text)?;
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
        Some(body)
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
