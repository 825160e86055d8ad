//! What a text does to its connection's transaction.

use sea_orm::DbBackend;
use sqlparser::tokenizer::Token;

use super::has_executable_comment;
use super::parse::statements_of;
use super::words::{may_begin_with, words_of};

/// One step of transaction control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Begin,
    End,
    /// Outside of a transaction it begins one (SQLite).
    Savepoint(String),
    /// The savepoint that began the transaction commits it (SQLite).
    Release(String),
    /// Whether each statement commits by itself (MySQL).
    Autocommit(bool),
    /// Any of these, as only the server knows (MySQL): a procedure, a prepared or compound statement, a computed value.
    Unknown,
    /// Locks tables until they are unlocked, or a transaction begins (MySQL).
    Lock,
    Unlock,
    /// Whether the next transaction can only read, be it a single statement (MySQL).
    NextIsReadOnly(bool),
}

/// First words of statements that control a transaction.
const FIRST_WORDS: &[&str] = &[
    "ABORT",
    "BEGIN",
    "COMMIT",
    "END",
    "PREPARE",
    "RELEASE",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "START",
    "XA",
];

/// First words of further statements that control a transaction or locks on MySQL.
const FIRST_WORDS_OF_MYSQL: &[&str] = &[
    "CALL", "CASE", "EXECUTE", "FLUSH", "FOR", "IF", "LOCK", "LOOP", "REPEAT", "UNLOCK", "WHILE",
];

/// How a text controls the transaction, step by step.
pub(crate) fn steps(backend: DbBackend, sql: &str) -> Vec<Step> {
    let is_mysql = backend == DbBackend::MySql;
    if has_executable_comment(backend, sql) {
        return vec![Step::Unknown];
    }
    let may_control =
        may_begin_with(sql, FIRST_WORDS) || (is_mysql && may_begin_with(sql, FIRST_WORDS_OF_MYSQL));
    if !may_control {
        return Vec::new();
    }
    let statements = statements_of(backend, sql);
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(words) = statements.get(at).map(|tokens| words_of(tokens)) {
        let is = |place: usize, word: &str| words.get(place).is_some_and(|w| w == word);
        // The body of a trigger or a procedure does not run now. That of a compound statement does.
        if is_mysql && is(0, "BEGIN") && is(1, "NOT") {
            return vec![Step::Unknown];
        }
        let has_body = is(0, "CREATE") || (is(0, "BEGIN") && (is(1, "NOT") || is(1, "ATOMIC")));
        if has_body {
            let is_end = |tokens: &Vec<Token>| words_of(tokens).first().is_some_and(|w| w == "END");
            if let Some(body) = statements[at + 1..].iter().position(is_end) {
                at += body + 2;
                continue;
            }
        }
        steps.extend(step(backend, &words));
        if steps.last() == Some(&Step::Unknown) {
            return vec![Step::Unknown];
        }
        at += 1;
    }
    steps
}

fn step(backend: DbBackend, words: &[String]) -> Option<Step> {
    let word = |place: usize| words.get(place).map_or("", String::as_str);
    let has = |word: &str| words.iter().any(|w| w == word);
    match word(0) {
        "BEGIN" if !matches!(word(1), "NOT" | "ATOMIC") => Some(Step::Begin),
        "START" if word(1) == "TRANSACTION" => Some(Step::Begin),
        "XA" if matches!(word(1), "START" | "BEGIN") => Some(Step::Begin),
        "XA" if matches!(word(1), "COMMIT" | "ROLLBACK") => Some(Step::End),
        "COMMIT" | "ROLLBACK" | "ABORT" | "END" => {
            let is_other = has("TO") || word(1) == "PREPARED";
            let goes_on = has("CHAIN") && !has("NO");
            let is_block = word(0) == "END" && backend == DbBackend::MySql;
            (!is_other && !goes_on && !is_block).then_some(Step::End)
        }
        "PREPARE" if word(1) == "TRANSACTION" => Some(Step::End),
        "SAVEPOINT" if backend == DbBackend::Sqlite => Some(Step::Savepoint(word(1).to_owned())),
        "RELEASE" if backend == DbBackend::Sqlite => {
            let name = if word(1) == "SAVEPOINT" { 2 } else { 1 };
            Some(Step::Release(word(name).to_owned()))
        }
        _ if backend == DbBackend::MySql => step_of_mysql(words),
        _ => None,
    }
}

/// The same for statements that only MySQL has.
fn step_of_mysql(words: &[String]) -> Option<Step> {
    let word = |place: usize| words.get(place).map_or("", String::as_str);
    let has = |word: &str| words.iter().any(|w| w == word);
    match word(0) {
        "SET" => setting(words),
        "CALL" | "EXECUTE" | "CASE" | "FOR" | "IF" | "LOOP" | "REPEAT" | "WHILE" => {
            Some(Step::Unknown)
        }
        // A label.
        _ if word(1) == ":" => Some(Step::Unknown),
        "LOCK" if matches!(word(1), "TABLE" | "TABLES") => Some(Step::Lock),
        "UNLOCK" if matches!(word(1), "TABLE" | "TABLES") => Some(Step::Unlock),
        "FLUSH" if has("LOCK") || has("EXPORT") => Some(Step::Lock),
        _ => None,
    }
}

/// What a SET of MySQL does.
fn setting(words: &[String]) -> Option<Step> {
    let is_wide = (words.iter()).any(|word| matches!(word.as_str(), "GLOBAL" | "@@GLOBAL"));
    let name_of = |word: &str| {
        let name = word.trim_start_matches('@');
        name.rsplit('.').next().unwrap_or(name).to_owned()
    };
    let of_session = ["SESSION", "@@SESSION", "LOCAL", "@@LOCAL"];
    let is_of_session = words.iter().any(|word| {
        let scope = word.split('.').next().unwrap_or_default();
        of_session.contains(&scope)
    });
    let reads = |mode| words.windows(2).any(|pair| pair == ["READ", mode]);
    let is_of_transaction = words.get(1).is_some_and(|word| word == "TRANSACTION");
    let sets_read_only = (words.iter()).any(|word| {
        matches!(
            name_of(word).as_str(),
            "TX_READ_ONLY" | "TRANSACTION_READ_ONLY"
        )
    });
    if is_of_transaction {
        return (reads("ONLY") || reads("WRITE")).then(|| Step::NextIsReadOnly(reads("ONLY")));
    }
    if sets_read_only && !is_of_session && !is_wide {
        return Some(Step::NextIsReadOnly(true));
    }
    let mut places = (0..words.len()).filter(|place| name_of(&words[*place]) == "AUTOCOMMIT");
    let at = places.next()?;
    let value: Vec<&str> = (words[at + 1..].iter().map(String::as_str))
        .skip_while(|word| matches!(*word, "=" | ":=" | ":"))
        .take_while(|word| *word != ",")
        .collect();
    let is_user_variable = words[at].starts_with('@') && !words[at].starts_with("@@");
    if is_wide || is_user_variable || places.next().is_some() || words[1] == "STATEMENT" {
        return Some(Step::Unknown);
    }
    Some(match value.as_slice() {
        ["0" | "OFF" | "FALSE" | "'OFF'"] => Step::Autocommit(false),
        ["1" | "ON" | "TRUE" | "'ON'"] => Step::Autocommit(true),
        _ => Step::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_in_every_form() {
        let all = |backend, sql: &str| steps(backend, sql);
        for backend in [DbBackend::Postgres, DbBackend::MySql, DbBackend::Sqlite] {
            for sql in [
                "BEGIN",
                "begin work;",
                "/* x */ BEGIN",
                "START TRANSACTION READ ONLY",
            ] {
                assert_eq!(all(backend, sql), [Step::Begin], "{sql}");
            }
            for sql in [
                "COMMIT",
                "rollback;",
                "-- x\nCOMMIT AND NO CHAIN",
                "ROLLBACK WORK",
            ] {
                assert_eq!(all(backend, sql), [Step::End], "{sql}");
            }
            for sql in [
                "ROLLBACK TO a",
                "COMMIT AND CHAIN",
                "UPDATE t SET a = '; COMMIT; '",
                "SELECT 1; SELECT 2",
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DELETE FROM c; END",
            ] {
                assert_eq!(all(backend, sql), [], "{sql}");
            }
            assert_eq!(
                all(backend, "BEGIN; UPDATE t SET a = 1; COMMIT"),
                [Step::Begin, Step::End]
            );
        }
        assert_eq!(all(DbBackend::Postgres, "END"), [Step::End]);
        assert_eq!(all(DbBackend::MySql, "END"), []);
        assert_eq!(
            all(DbBackend::Sqlite, "SAVEPOINT a; RELEASE SAVEPOINT \"a\""),
            [Step::Savepoint("A".into()), Step::Release("A".into())]
        );
    }

    #[test]
    fn autocommit_is_found_in_every_form() {
        for (sql, on) in [
            ("SET autocommit = 0", false),
            ("set @@session.autocommit:=OFF", false),
            ("SET sql_mode = '', AUTOCOMMIT=0", false),
            ("SET SESSION `autocommit` = 1", true),
        ] {
            assert_eq!(
                steps(DbBackend::MySql, sql),
                [Step::Autocommit(on)],
                "{sql}"
            );
        }
        assert_eq!(steps(DbBackend::Postgres, "SET autocommit = 0"), []);
    }

    #[test]
    fn steps_that_only_mysql_knows_are_unknown() {
        for sql in [
            "SET autocommit = \"OFF\"",
            "SET autocommit = (0)",
            "SET autocommit = 00",
            "SET autocommit = -0",
            "SET autocommit = 1 - 1",
            "SET autocommit = @z",
            "SET GLOBAL autocommit = 0",
            "SET @autocommit = 0",
            "SET autocommit = 1, autocommit = 0",
            "EXECUTE IMMEDIATE 'BEGIN'",
            "execute s",
            "CALL p()",
            "BEGIN NOT ATOMIC START TRANSACTION; END",
            "IF 1 THEN START TRANSACTION; END IF",
            "a: LOOP COMMIT; LEAVE a; END LOOP",
            "/*!BEGIN*/",
            "SELECT 1; CALL p(); COMMIT",
        ] {
            assert_eq!(steps(DbBackend::MySql, sql), [Step::Unknown], "{sql}");
            for other in [DbBackend::Postgres, DbBackend::Sqlite] {
                assert!(!steps(other, sql).contains(&Step::Unknown), "{sql}");
            }
        }
        for sql in [
            "PREPARE s FROM 'BEGIN'",
            "SET NAMES utf8mb4",
            "DO 1",
            "SELECT 1",
        ] {
            assert_eq!(steps(DbBackend::MySql, sql), [], "{sql}");
        }
    }

    #[test]
    fn locks_and_read_only_transactions_are_found() {
        for (sql, step) in [
            ("LOCK TABLES item WRITE, b READ", Step::Lock),
            ("lock table item read", Step::Lock),
            ("FLUSH TABLES item WITH READ LOCK", Step::Lock),
            ("UNLOCK TABLES", Step::Unlock),
            ("SET TRANSACTION READ ONLY", Step::NextIsReadOnly(true)),
            (
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
                Step::NextIsReadOnly(true),
            ),
            ("SET TRANSACTION READ WRITE", Step::NextIsReadOnly(false)),
            ("SET @@tx_read_only = 1", Step::NextIsReadOnly(true)),
        ] {
            assert_eq!(steps(DbBackend::MySql, sql), [step], "{sql}");
            assert_eq!(steps(DbBackend::Postgres, sql), [], "{sql}");
        }
        for sql in [
            "SET SESSION TRANSACTION READ ONLY",
            "SET @@session.tx_read_only = 1",
            "FLUSH TABLES",
        ] {
            assert_eq!(steps(DbBackend::MySql, sql), [], "{sql}");
        }
    }
}
