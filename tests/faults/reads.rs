//! Reads and settings that the parser does not know are no writes, and run where writes are refused.

use futures::TryStreamExt;
use sea_orm::{ConnectionTrait, DbBackend, Statement, StreamTrait, TransactionTrait};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::config::StatementPolicy;

use crate::entities::items;
use crate::oracle::reports;
use crate::support::{TestDb, TestResult};

on_every_database! {
    reads_that_the_parser_does_not_know_are_no_writes,
    streamed_write_of_a_qualified_table_is_refused_at_once,
}

fn reads(backend: DbBackend) -> Vec<&'static str> {
    match backend {
        DbBackend::Postgres => vec![
            "WITH RECURSIVE t (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM t WHERE id < 3) \
             SEARCH DEPTH FIRST BY id SET o SELECT id FROM t ORDER BY o",
            "WITH RECURSIVE t (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM t WHERE id < 3) \
             CYCLE id SET is_cycle USING path SELECT id FROM t",
        ],
        DbBackend::MySql => vec![
            "WITH RECURSIVE t AS (SELECT 1 AS id UNION SELECT id FROM t) CYCLE id RESTRICT SELECT id FROM t",
            "SHOW ENGINES",
        ],
        _ => vec!["SELECT 1"],
    }
}

async fn reads_that_the_parser_does_not_know_are_no_writes(db: &TestDb) -> TestResult {
    for sql in items(db.backend(), 3) {
        db.execute_unprepared(&sql).await?;
    }
    let config = AuditConfig::builder().statement_policy(StatementPolicy::Deny);
    let audited = db.audited().with_config(config.build()?);
    let tx = audited.begin().await?;
    for sql in reads(db.backend()) {
        let statement = Statement::from_string(db.backend(), sql);
        tx.query_all_raw(statement.clone()).await?;
        let rows: Vec<_> = audited.stream_raw(statement).await?.try_collect().await?;
        assert!(!rows.is_empty(), "{sql}");
    }
    if db.backend() == DbBackend::Postgres {
        tx.execute_unprepared("SET CONSTRAINTS ALL DEFERRED")
            .await?;
    }
    tx.commit().await?;
    assert_eq!(reports(db).await?, [""; 0]);
    Ok(())
}

async fn streamed_write_of_a_qualified_table_is_refused_at_once(db: &TestDb) -> TestResult {
    let schema = match db.backend() {
        DbBackend::Postgres => "public",
        DbBackend::Sqlite => "main",
        // On MySQL only INSERT returns rows.
        _ => return Ok(()),
    };
    for sql in items(db.backend(), 3) {
        db.execute_unprepared(&sql).await?;
    }
    let sql = format!("DELETE FROM {schema}.item RETURNING id");
    let statement = Statement::from_string(db.backend(), sql);
    // The first statement of this connection.
    let refused = db.audited().stream_raw(statement).await;
    assert!(refused.is_err(), "it was streamed");
    Ok(())
}
