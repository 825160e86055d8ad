//! What a text does to its connection's session: its prepared statements, its character set, the schema that it sees.

use sea_orm::DbBackend;

use super::ParsedStatement;
use super::parse::statements_of;
use super::words::{may_begin_with, words_of};

/// Whether a text may change the schema, as far as its statements show it.
pub(crate) fn changes_schema(backend: DbBackend, sql: &str, understood: &ParsedStatement) -> bool {
    const WORDS: [&str; 6] = ["ALTER", "ATTACH", "CREATE", "DETACH", "DROP", "RENAME"];
    !matches!(
        understood,
        ParsedStatement::Read | ParsedStatement::Write(_)
    ) && may_begin_with(sql, &WORDS)
        && statements_of(backend, sql).iter().any(|tokens| {
            let words = words_of(&tokens[..1]);
            words.iter().any(|word| WORDS.contains(&word.as_str()))
        })
}

/// Whether a text drops statements that the driver has prepared and still treats as prepared (PostgreSQL).
pub(crate) fn drops_prepared(backend: DbBackend, sql: &str) -> bool {
    if backend != DbBackend::Postgres || !may_begin_with(sql, &["DEALLOCATE", "DISCARD"]) {
        return false;
    }
    statements_of(backend, sql).iter().any(|tokens| {
        let words = words_of(tokens);
        let last = words.last().map_or("", String::as_str);
        match words.first().map(String::as_str) {
            Some("DEALLOCATE") => last == "ALL" || last.starts_with("SQLX_S_"),
            Some("DISCARD") => last == "ALL",
            _ => false,
        }
    })
}

/// Whether a text changes how the server reads the texts that it receives (MySQL). The driver sends UTF-8 either way.
pub(crate) fn changes_character_set(backend: DbBackend, sql: &str) -> bool {
    if backend != DbBackend::MySql || !may_begin_with(sql, &["SET"]) {
        return false;
    }
    statements_of(backend, sql).iter().any(|tokens| {
        let words = words_of(tokens);
        let is_set = words.first().is_some_and(|word| word == "SET");
        let names_it = |word: &String| {
            matches!(word.as_str(), "NAMES" | "CHARSET" | "CHARACTER")
                || word.contains("CHARACTER_SET")
        };
        is_set && words.iter().any(names_it)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_change_the_character_set_are_found() {
        let changes = |sql: &str| changes_character_set(DbBackend::MySql, sql);
        for sql in [
            "SET NAMES latin1",
            "set character set 'latin1'",
            "SELECT 1; SET @@session.character_set_client = latin1",
        ] {
            assert!(changes(sql), "{sql}");
            assert!(!changes_character_set(DbBackend::Postgres, sql), "{sql}");
        }
        for sql in [
            "SET @a = 'NAMES'",
            "SELECT 'SET NAMES x'",
            "SET SESSION sql_mode = ''",
        ] {
            assert!(!changes(sql), "{sql}");
        }
    }

    #[test]
    fn texts_that_drop_prepared_statements_are_found() {
        let drops = |sql: &str| drops_prepared(DbBackend::Postgres, sql);
        for sql in [
            "DEALLOCATE ALL",
            "deallocate prepare all;",
            "RESET ALL; DISCARD ALL",
            "/* x */ DISCARD ALL",
            "DEALLOCATE sqlx_s_1",
        ] {
            assert!(drops(sql), "{sql}");
        }
        for sql in ["DISCARD PLANS", "DEALLOCATE mine", "SELECT '; DISCARD ALL'"] {
            assert!(!drops(sql), "{sql}");
        }
    }
}
