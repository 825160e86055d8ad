//! Transactions of PostgreSQL that keep their snapshot: another client's change of a row that the statement leaves alone
//! is no serialization failure. One that it changes is.

use sea_orm::{ConnectionTrait, IsolationLevel, TransactionTrait};

use crate::entities::account_table;
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, same_on};
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on! { postgres:
        statements_leave_rows_alone_that_another_client_has_changed,
        statements_that_change_such_rows_fail_as_without_log,
    }
}

/// What another client does after the transaction's snapshot, and the statement then.
const FREE: &[(&str, &str)] = &[
    (
        "DELETE FROM account WHERE email = 'x'",
        "INSERT INTO account (email, n) VALUES ('x', 9) ON CONFLICT (email) DO UPDATE SET n = excluded.n",
    ),
    (
        "DELETE FROM account WHERE id = 1",
        "INSERT INTO account (id, email, n) VALUES (1, 'x', 9) ON CONFLICT (id) DO UPDATE SET n = 9",
    ),
    (
        "UPDATE account SET email = 'moved' WHERE email = 'x'",
        "INSERT INTO account (email, n) VALUES ('x', 9), ('y', 9) ON CONFLICT (email) DO UPDATE SET n = excluded.n",
    ),
    (
        "DELETE FROM account WHERE email = 'x'",
        "INSERT INTO account (email, n) VALUES ('x', 9) ON CONFLICT DO NOTHING",
    ),
    (
        "DELETE FROM child WHERE id = 10",
        "DELETE FROM parent WHERE id = 1",
    ),
    (
        "UPDATE child SET parent_id = 5 WHERE id = 10",
        "DELETE FROM parent WHERE id = 1",
    ),
    (
        "UPDATE child SET parent_id = 5 WHERE id = 10",
        "UPDATE parent SET id = 7 WHERE id = 1",
    ),
    (
        "DELETE FROM child WHERE id = 11",
        "UPDATE parent SET id = 7 WHERE id = 1",
    ),
];

const FAILING: &[(&str, &str)] = &[
    (
        "UPDATE account SET n = 5 WHERE email = 'x'",
        "INSERT INTO account (email, n) VALUES ('x', 9) ON CONFLICT (email) DO UPDATE SET n = excluded.n",
    ),
    (
        "UPDATE child SET id = 12 WHERE id = 10",
        "DELETE FROM parent WHERE id = 1",
    ),
    (
        "INSERT INTO child (id, parent_id) VALUES (13, 1)",
        "DELETE FROM parent WHERE id = 1",
    ),
    (
        "UPDATE account SET n = 5 WHERE id = 1",
        "UPDATE account SET n = 6 WHERE id = 1",
    ),
];

async fn statements_leave_rows_alone_that_another_client_has_changed(db: &TestDb) -> TestResult {
    each(db, FREE, false).await
}

async fn statements_that_change_such_rows_fail_as_without_log(db: &TestDb) -> TestResult {
    each(db, FAILING, true).await
}

async fn each(db: &TestDb, cases: &[(&str, &str)], fails: bool) -> TestResult {
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        for (elsewhere, sql) in cases {
            let own = db.sibling().await?;
            let mut oracle = shop(&own).await?;
            let bare = oracle.bare.begin_with_config(Some(level), None).await?;
            let audited = oracle.audited.begin_with_config(Some(level), None).await?;
            same_on(&bare, &audited, Call::QueryAll, "SELECT id FROM parent").await;
            oracle.elsewhere(elsewhere).await?;
            let outcome = same_on(&bare, &audited, Call::Execute, sql).await;
            assert_eq!(outcome.is_failure(), fails, "{level:?} {sql}: {outcome:?}");
            if fails {
                bare.rollback().await?;
                audited.rollback().await?;
            } else {
                bare.commit().await?;
                audited.commit().await?;
            }
            oracle.recorded().await?;
            own.remove().await?;
        }
    }
    Ok(())
}

/// Two accounts; parent 1 has the children 10 and 11.
async fn shop(db: &TestDb) -> TestResult<Oracle<'_>> {
    let setup = [
        account_table(db.backend()),
        "INSERT INTO account (id, email, n) VALUES (1, 'x', 1), (2, 'y', 1)".to_owned(),
        "ALTER SEQUENCE account_id_seq RESTART WITH 50".to_owned(),
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)".to_owned(),
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL \
         REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE)"
            .to_owned(),
        "INSERT INTO parent (id, n) VALUES (1, 0), (5, 5)".to_owned(),
        "INSERT INTO child (id, parent_id) VALUES (10, 1), (11, 1)".to_owned(),
    ];
    let tables = ["account", "parent", "child"].map(Table::of);
    Oracle::new(db, &tables, setup).await
}
