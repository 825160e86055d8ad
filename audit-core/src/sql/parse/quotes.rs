//! Texts whose strings end elsewhere under another setting of the session: MySQL's `sql_mode` with
//! `NO_BACKSLASH_ESCAPES`, PostgreSQL's `standard_conforming_strings = off`.
//!
//! The settings are unknown here. A natural text is SQL in one of both readings only.

use sea_orm::DbBackend;
use sqlparser::tokenizer::Token;

use super::positions::tokenize;
use super::tokens::is_meaningful;

/// The text as it reads here under the other setting, if its tokens are then others.
pub(super) fn other_reading(backend: DbBackend, sql: &str) -> Option<String> {
    if !(sql.contains("\\'") || backend == DbBackend::MySql && sql.contains("\\\"")) {
        return None;
    }
    let other = match backend {
        // A backslash is a character there.
        DbBackend::MySql => sql.replace('\\', "\\\\"),
        DbBackend::Postgres => with_escapes(sql),
        _ => return None,
    };
    // The same string is written in two ways.
    let text = |token: &Token| token.to_string().replace(['\\', '\''], "");
    let tokens = |sql: &str| {
        let read = tokenize(backend, sql)?;
        let meaningful = read.tokens.iter().filter(|token| is_meaningful(token));
        Some(meaningful.map(text).collect::<Vec<_>>())
    };
    let read = tokens(&other)?;
    (tokens(sql) != Some(read)).then_some(other)
}

/// The text with each escaped quote doubled.
fn with_escapes(sql: &str) -> String {
    let mut other = String::with_capacity(sql.len());
    let mut chars = sql.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some('\'')) => {
                chars.next();
                other.push_str("''");
            }
            ('\\', Some('\\')) => {
                chars.next();
                other.push_str("\\\\");
            }
            _ => other.push(c),
        }
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_that_end_elsewhere_are_found() {
        let reads = |backend, sql: &str| other_reading(backend, sql).is_some();
        for backend in [DbBackend::MySql, DbBackend::Postgres] {
            for tail in ["OR i = 2", "OR i = 1"] {
                let sql = format!(r"DELETE FROM t WHERE c = 'x\' OR i = 1 -- ' {tail}");
                assert!(reads(backend, &sql), "{backend:?} {sql}");
            }
            let sql = r"DELETE FROM t WHERE c = 'x' AND d = 'a\b'";
            assert!(!reads(backend, sql), "{backend:?}");
        }
        let escaped = r"DELETE FROM t WHERE c = E'it\'s'";
        assert!(!reads(DbBackend::Postgres, escaped));
        assert!(!reads(DbBackend::MySql, r"DELETE FROM t WHERE c = 'it\'s'"));
        let sqlite = r"DELETE FROM t WHERE c = 'x\' OR i = 1 -- '";
        assert!(!reads(DbBackend::Sqlite, sqlite));
    }
}
