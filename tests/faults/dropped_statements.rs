//! Statements whose future is dropped at each of its awaits: they are done and recorded, or never begin.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, TransactionTrait};
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::event::finish_recording;

use crate::entities::items;
use crate::log_check::{Table, check};
use crate::oracle::reports;
use crate::outcome::{Call, run};
use crate::support::{TestDb, TestResult, poll_and_drop};

const ITEM: Table = Table::of("item");

on_every_database! {
    dropped_statement_is_recorded_or_never_begins,
}

// Not on MariaDB: if a PREPARE is dropped, sqlx takes its answer for that of the next statement.
mod in_sqlite {
    crate::support::tests_on! { sqlite:
        transaction_of_a_dropped_statement_commits_only_recorded_changes,
    }
}

mod in_postgres {
    crate::support::tests_on! { postgres:
        transaction_of_a_dropped_statement_commits_only_recorded_changes,
    }
}

/// A statement of each kind. `#` stands for a number that no row has yet.
fn statements(backend: DbBackend) -> Vec<(Call, &'static str)> {
    let mut all = vec![
        (Call::Execute, "UPDATE item SET p = p + 1 WHERE id <= 2"),
        (Call::Unprepared, "UPDATE item SET p = p + 1 WHERE p > 0"),
        (
            Call::Execute,
            "INSERT INTO item (code, p) VALUES ('a#', 1), ('b#', 2)",
        ),
        (
            Call::Unprepared,
            "INSERT INTO item (code, p) VALUES ('c#', 1)",
        ),
        (
            Call::QueryAll,
            "INSERT INTO item (code, p) VALUES ('d#', 1) RETURNING id",
        ),
        (
            Call::Execute,
            "INSERT INTO item (id, code, p) SELECT id + 1000#, 'e#', p FROM item WHERE id = 1",
        ),
        (Call::Execute, "DELETE FROM item WHERE id > 2"),
    ];
    all.extend(match backend {
        DbBackend::MySql => [
            (
                Call::Execute,
                "INSERT INTO item (id, code, p) VALUES (1, 'f#', 5), (2000#, 'g#', 6) ON DUPLICATE KEY UPDATE p = p + 1",
            ),
            (
                Call::QueryAll,
                "INSERT IGNORE INTO item (id, code, p) VALUES (1, 'h#', 7), (3000#, 'k#', 8) RETURNING id",
            ),
            (
                Call::QueryAll,
                "INSERT IGNORE INTO item (code, p) VALUES ('i#', 9) RETURNING p",
            ),
            (Call::Execute, "REPLACE INTO item (id, code, p) VALUES (1, 'j#', #)"),
        ],
        _ => [
            (
                Call::Execute,
                "INSERT INTO item (id, code, p) VALUES (1, 'f#', 5), (2000#, 'g#', 6) ON CONFLICT (id) DO UPDATE SET p = item.p + 1",
            ),
            (
                Call::QueryAll,
                "INSERT INTO item (id, code, p) VALUES (1, 'h#', 7), (3000#, 'k#', 8) ON CONFLICT DO NOTHING RETURNING id",
            ),
            (
                Call::QueryOne,
                "UPDATE item SET p = p + 1 WHERE id = 1 RETURNING p",
            ),
            (Call::QueryAll, "DELETE FROM item WHERE id = 3 RETURNING p"),
        ],
    });
    all
}

/// Waits until the work of a dropped future has ended: its task, and its use of the only connection.
async fn settle(conn: &DatabaseConnection) -> TestResult {
    finish_recording().await;
    conn.begin().await?.rollback().await?;
    Ok(())
}

async fn dropped_statement_is_recorded_or_never_begins(db: &TestDb) -> TestResult {
    let conn = db.another().await?;
    for sql in items(db.backend(), 3) {
        db.execute_unprepared(&sql).await?;
    }
    let audited = AuditedConnection::new(conn.clone());
    let mut dropped = 0;
    for (kind, (call, sql)) in statements(db.backend()).into_iter().enumerate() {
        for polls in 1.. {
            db.forget().await?;
            let before = ITEM.read(&conn).await?;
            let sql = sql.replace('#', &format!("{kind:02}{polls:03}"));
            let done = poll_and_drop(run(&audited, call, &sql, &[]), polls).await;
            settle(&conn).await?;
            let records = db.records().await?;
            let found = check(&ITEM, before, &ITEM.read(&conn).await?, &records);
            let reports = reports(db).await?;
            assert!(
                found.untrue.is_empty() && (found.missing.is_empty() || !reports.is_empty()),
                "{sql} after {polls} polls: {found:#?}, {reports:?}"
            );
            match done {
                Some(outcome) => {
                    assert!(!outcome.is_failure(), "{sql}: {outcome:?}");
                    break;
                }
                None => dropped += 1,
            }
        }
    }
    let all = statements(db.backend()).len();
    assert!(dropped >= all, "{dropped} of {all} statements were dropped");
    conn.close().await?;
    Ok(())
}

async fn transaction_of_a_dropped_statement_commits_only_recorded_changes(
    db: &TestDb,
) -> TestResult {
    let conn = db.another().await?;
    for sql in items(db.backend(), 3) {
        db.execute_unprepared(&sql).await?;
    }
    let audited = AuditedConnection::new(conn.clone());
    let (mut committed, mut refused) = (0, 0);
    for (kind, (call, sql)) in statements(db.backend()).into_iter().enumerate() {
        for polls in 1.. {
            db.forget().await?;
            let before = ITEM.read(&conn).await?;
            let sql = sql.replace('#', &format!("{kind:02}{polls:03}"));
            let tx = audited.begin().await?;
            let first = "UPDATE item SET p = p + 100 WHERE id = 2";
            run(&tx, Call::Execute, first, &[]).await;
            let done = poll_and_drop(run(&tx, call, &sql, &[]), polls).await;
            let commit = tx.commit().await;
            settle(&conn).await?;
            let records = db.records().await?;
            let after = ITEM.read(&conn).await?;
            assert!(commit.is_ok() || after == before, "{sql}: {commit:?}");
            let found = check(&ITEM, before, &after, &records);
            assert!(
                found.untrue.is_empty() && found.missing.is_empty(),
                "{sql} after {polls} polls: {found:#?}"
            );
            match commit {
                Ok(()) => committed += 1,
                Err(error) => {
                    assert!(done.is_none(), "{sql}: {error}");
                    refused += 1;
                }
            }
            if done.is_some() {
                break;
            }
        }
    }
    assert!(
        refused > 0 && committed > 0,
        "{refused} refused, {committed} committed"
    );
    conn.close().await?;
    Ok(())
}
