//! Statements one after the other, on a bare and an audited pool of one connection each, or in one transaction each.

use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_audit::AuditedConnection;

use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::{Call, same_on};
use crate::support::{TestDb, TestResult};

/// The connection of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Connection,
    Transaction,
}

/// One statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    Executed(&'a str),
    Unprepared(&'a str),
    Queried(&'a str),
    /// On another connection, without audit log.
    Elsewhere(&'a str),
}

/// Runs statements on both. The answers and the tables must be the same, and changes must be recorded or reported.
/// Returns the reports.
pub(crate) async fn play<S: AsRef<str>>(
    db: &TestDb,
    on: On,
    tables: &[Table],
    setup: impl IntoIterator<Item = S>,
    steps: &[Step<'_>],
) -> TestResult<Vec<String>> {
    let oracle = Oracle::new(db, tables, setup).await?;
    let (bare, one) = (oracle.bare.another().await?, db.another().await?);
    let audited = AuditedConnection::new(one.clone());
    match on {
        On::Connection => {
            for step in steps {
                take(&oracle, &bare, &audited, *step).await?;
            }
        }
        On::Transaction => {
            let (bare, audited) = (bare.begin().await?, audited.begin().await?);
            for step in steps {
                take(&oracle, &bare, &audited, *step).await?;
            }
            bare.commit().await?;
            audited.commit().await?;
        }
    }
    bare.close().await?;
    one.close().await?;
    let reports = reports(db).await?;
    let fault = oracle.fault().await?;
    assert!(fault.is_none(), "{on:?}: {fault:?}, reports: {reports:?}");
    Ok(reports)
}

async fn take<B: ConnectionTrait, A: ConnectionTrait>(
    oracle: &Oracle<'_>,
    bare: &B,
    audited: &A,
    step: Step<'_>,
) -> TestResult {
    match step {
        Step::Executed(sql) => {
            same_on(bare, audited, Call::Execute, sql).await;
        }
        Step::Unprepared(sql) => {
            same_on(bare, audited, Call::Unprepared, sql).await;
        }
        Step::Queried(sql) => {
            same_on(bare, audited, Call::QueryAll, sql).await;
        }
        Step::Elsewhere(sql) => {
            oracle.bare.conn.execute_unprepared(sql).await?;
            oracle.db.conn.execute_unprepared(sql).await?;
        }
    }
    Ok(())
}

/// Runs them on a connection, and in a transaction, in separate databases.
pub(crate) async fn play_both(
    db: &TestDb,
    tables: &[Table],
    setup: &[String],
    steps: &[Step<'_>],
) -> TestResult<Vec<String>> {
    let other = db.sibling().await?;
    let mut all = play(db, On::Connection, tables, setup, steps).await?;
    all.extend(play(&other, On::Transaction, tables, setup, steps).await?);
    other.remove().await?;
    Ok(all)
}
