//! Texts of several statements: they run and answer as the bare call does.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, Statement, TransactionTrait};

use crate::helpers::{accounts, outcome, shape, table};
use crate::support::{TestDb, TestResult};

on_every_database! {
    several_statements_answer_and_commit_as_the_bare_call,
    several_statements_in_a_transaction_answer_as_the_bare_call,
    several_prepared_statements_have_the_outcome_of_the_bare_call,
}

mod only_mariadb {
    crate::support::tests_on!(mariadb: unprepared_texts_are_not_prepared);
}

const TEXTS: &[&str] = &[
    "UPDATE account SET n = 8; INSERT INTO account (n) VALUES (2); SELECT 1; DELETE FROM account WHERE id = 1",
    "INSERT INTO account (n) VALUES (3), (4); UPDATE account SET n = n + 1 WHERE id > 1",
    "UPDATE account SET n = 9; INSERT INTO account (id, n) VALUES (2, 0); UPDATE account SET n = 10",
    "UPDATE account SET n = 11; SELECT 1; SELECT 3",
    "UPDATE account SET n = 12; UPDATE account SET nope = 1",
];

/// The answer of a text. On SQLite the ID is that of the last INSERT on the connection, perhaps the log's if the last
/// write of the text is no INSERT; and a SELECT counts the rows of the connection's last write, so that each text
/// begins with a write.
fn answer(backend: DbBackend, text: &str, result: &Result<ExecResult, DbErr>) -> String {
    let last = text.rsplit("; ").find(|part| !part.starts_with("SELECT"));
    let has_id = last.is_some_and(|part| part.starts_with("INSERT"));
    match result {
        Ok(done) if backend == DbBackend::Sqlite && !has_id => format!("{}", done.rows_affected()),
        Ok(done) if backend == DbBackend::Postgres => format!("{}", done.rows_affected()),
        Ok(done) => format!("{} {}", done.rows_affected(), done.last_insert_id()),
        Err(error) => shape(error),
    }
}

async fn several_statements_answer_and_commit_as_the_bare_call(db: &TestDb) -> TestResult {
    let bare = db.sibling().await?;
    for db in [db, &bare] {
        accounts(db, 3).await?;
    }
    let (one, bare_one) = (db.another().await?, bare.another().await?);
    let audited = sea_orm_audit::AuditedConnection::new(one.clone());
    for text in TEXTS {
        let expected = answer(db.backend(), text, &bare_one.execute_unprepared(text).await);
        let seen = answer(db.backend(), text, &audited.execute_unprepared(text).await);
        assert_eq!(seen, expected, "{text}");
        assert_eq!(table(db).await?, table(&bare).await?, "{text}");
    }
    crate::helpers::assert_log_gives_table(db, 3, "").await?;
    one.close().await?;
    bare_one.close().await?;
    bare.remove().await
}

async fn several_statements_in_a_transaction_answer_as_the_bare_call(db: &TestDb) -> TestResult {
    let bare = db.sibling().await?;
    for db in [db, &bare] {
        accounts(db, 3).await?;
    }
    for text in TEXTS {
        let (tx, bare_tx) = (db.audited().begin().await?, bare.conn.begin().await?);
        let expected = answer(db.backend(), text, &bare_tx.execute_unprepared(text).await);
        let seen = answer(db.backend(), text, &tx.execute_unprepared(text).await);
        assert_eq!(seen, expected, "{text}");
        let aborted = db.backend() == DbBackend::Postgres && expected.starts_with("Exec");
        assert_eq!(outcome(&bare_tx.commit().await), "ok");
        // A refused COMMIT is permitted where PostgreSQL rolls back without an error.
        assert_eq!(tx.commit().await.is_err(), aborted, "{text}");
        assert_eq!(table(db).await?, table(&bare).await?, "{text}");
    }
    crate::helpers::assert_log_gives_table(db, 3, "").await?;
    bare.remove().await
}

async fn several_prepared_statements_have_the_outcome_of_the_bare_call(db: &TestDb) -> TestResult {
    let bare = db.sibling().await?;
    for db in [db, &bare] {
        accounts(db, 3).await?;
    }
    let text = "UPDATE account SET n = 8 WHERE id < 3; DELETE FROM account WHERE id = 1";
    let statement = || Statement::from_string(db.backend(), text);
    let expected = answer(db.backend(), text, &bare.execute_raw(statement()).await);
    let seen = answer(
        db.backend(),
        text,
        &db.audited().execute_raw(statement()).await,
    );
    assert_eq!(seen.split(' ').next(), expected.split(' ').next());
    assert_eq!(table(db).await?, table(&bare).await?);
    let expected = outcome(&bare.query_one_raw(statement()).await);
    let seen = outcome(&db.audited().query_one_raw(statement()).await);
    assert_eq!(seen, expected);
    assert_eq!(table(db).await?, table(&bare).await?);
    bare.remove().await
}

async fn prepared(db: &impl ConnectionTrait) -> TestResult<i64> {
    let sql = "SHOW SESSION STATUS LIKE 'Com_stmt_prepare'";
    let row = db
        .query_one_raw(Statement::from_string(DbBackend::MySql, sql))
        .await?;
    let value: String = row.ok_or("a row")?.try_get("", "Value")?;
    Ok(value.parse()?)
}

/// The texts of the application; the audit log has few, and prepares them once.
async fn unprepared_texts_are_not_prepared(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let one = db.another().await?;
    let audited = sea_orm_audit::AuditedConnection::new(one.clone());
    for n in 0..10 {
        audited
            .execute_unprepared(&format!("INSERT INTO account (n) VALUES ({n})"))
            .await?;
    }
    let before = prepared(&one).await?;
    for n in 10..30 {
        audited
            .execute_unprepared(&format!("INSERT INTO account (n) VALUES ({n})"))
            .await?;
    }
    assert!(prepared(&one).await? - before < 5);
    one.close().await?;
    Ok(())
}
