//! Handles that end in any order: with the results of SeaORM's own transaction, and with the log of the changes.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, TransactionSession, TransactionTrait};

use crate::helpers::{accounts, assert_log_gives_table, outcome, table};
use crate::support::{TestDb, TestResult};

on_every_database! {
    outer_handle_committed_first_keeps_records_of_the_inner,
    outer_handle_dropped_first_rolls_back_the_innermost_level,
    random_order_of_handles_equals_bare_transaction,
}

async fn outer_handle_committed_first_keeps_records_of_the_inner(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    let tx = db.audited().begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
        .await?;
    let inner = tx.begin().await?;
    inner
        .execute_unprepared("UPDATE account SET n = 2 WHERE id = 2")
        .await?;
    tx.commit().await?;
    inner
        .execute_unprepared("UPDATE account SET n = 3 WHERE id = 2")
        .await?;
    inner.commit().await?;
    let rows: Vec<i32> = table(db).await?.into_iter().map(|(_, _, n)| n).collect();
    assert_eq!(rows, [1, 3]);
    assert_eq!(db.records().await?.len(), 3);
    assert_log_gives_table(db, 2, "").await
}

async fn outer_handle_dropped_first_rolls_back_the_innermost_level(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    let tx = db.audited().begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
        .await?;
    let inner = tx.begin().await?;
    inner
        .execute_unprepared("UPDATE account SET n = 2 WHERE id = 2")
        .await?;
    drop(tx);
    inner
        .execute_unprepared("UPDATE account SET n = 3 WHERE id = 2")
        .await?;
    inner.commit().await?;
    let rows: Vec<i32> = table(db).await?.into_iter().map(|(_, _, n)| n).collect();
    assert_eq!(rows, [1, 3]);
    assert_log_gives_table(db, 2, "").await
}

/// A deterministic random generator (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % 1_000_003).unwrap() % end
    }
}

const ROWS: u32 = 3;
const STEPS: usize = 24;

async fn write<C: ConnectionTrait>(db: &C, random: &mut Random, step: usize) -> Result<u64, DbErr> {
    let sql = match random.below(6) {
        0 | 1 => format!("INSERT INTO account (n) VALUES ({step})"),
        2 => format!("DELETE FROM account WHERE id = {}", random.below(6)),
        // PostgreSQL accepts nothing in a transaction after a failed statement.
        3 if db.get_database_backend() != DbBackend::Postgres => {
            "INSERT INTO account (id, n) VALUES (1, 0), (1, 0)".to_owned()
        }
        _ => format!(
            "UPDATE account SET n = n + {step} WHERE id <= {}",
            random.below(6)
        ),
    };
    Ok(db.execute_unprepared(&sql).await?.rows_affected())
}

async fn play<D, T>(db: &D, seed: u64) -> TestResult<Vec<String>>
where
    D: TransactionTrait<Transaction = T>,
    T: TransactionTrait<Transaction = T> + TransactionSession + ConnectionTrait,
{
    let mut random = Random(seed);
    let mut seen = Vec::new();
    let mut handles: Vec<T> = Vec::new();
    for step in 0..STEPS {
        if handles.is_empty() {
            handles.push(db.begin().await?);
            seen.push("outermost begin".to_owned());
            continue;
        }
        let at = random.below(handles.len());
        let (what, result) = match random.below(10) {
            0..=4 => {
                let written = write(&handles[at], &mut random, step).await;
                let rows = written.as_ref().copied().unwrap_or_default();
                (format!("write {rows}"), outcome(&written))
            }
            5 | 6 => match handles[at].begin().await {
                Ok(handle) => {
                    handles.push(handle);
                    ("begin".to_owned(), "ok".to_owned())
                }
                failed => ("begin".to_owned(), outcome(&failed)),
            },
            7 => (
                "commit".to_owned(),
                outcome(&handles.remove(at).commit().await),
            ),
            8 => (
                "rollback".to_owned(),
                outcome(&handles.remove(at).rollback().await),
            ),
            _ => {
                drop(handles.remove(at));
                ("drop".to_owned(), "ok".to_owned())
            }
        };
        seen.push(format!("{what} by {at}: {result}"));
    }
    while !handles.is_empty() {
        let at = random.below(handles.len());
        seen.push(outcome(&handles.remove(at).commit().await));
    }
    Ok(seen)
}

async fn random_order_of_handles_equals_bare_transaction(db: &TestDb) -> TestResult {
    let seeds = std::env::var("TRANSACTION_SEEDS").ok();
    let seeds: u64 = seeds.map_or(Ok(40), |text| text.parse())?;
    let bare = db.sibling().await?;
    accounts(db, ROWS).await?;
    accounts(&bare, ROWS).await?;
    for seed in 1..=seeds {
        let seed = seed * 0x9E37_79B9 + 1;
        let expected = play(&bare.conn, seed).await?;
        let seen = play(&db.audited(), seed).await?;
        assert_eq!(seen, expected, "seed {seed}");
        assert_eq!(
            table(db).await?,
            table(&bare).await?,
            "seed {seed}: {seen:#?}"
        );
        let about = format!("seed {seed}: {seen:#?}");
        assert_log_gives_table(db, i32::try_from(ROWS)?, &about).await?;
    }
    bare.remove().await
}
