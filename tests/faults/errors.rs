//! Failures: the same variant, kind, code and message as on a bare connection.

use sea_orm::sea_query::Expr;
use sea_orm::{
    AccessMode, ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait,
    QueryFilter, Set, TransactionTrait,
};
use sea_orm_audit::AuditConfig;

use crate::entities::{FAMILY, auto_id, child, item, parent};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, Outcome, result_of, run, same, same_on};
use crate::support::{TestDb, TestResult};

on_every_database! {
    failed_inserts_give_the_same_errors,
    failed_updates_give_the_same_errors,
    failed_deletes_give_the_same_errors,
    failed_statements_in_a_transaction_give_the_same_errors,
    failed_builder_calls_give_the_same_errors,
    failed_builder_calls_in_a_transaction_give_the_same_errors,
}

mod only_mariadb {
    crate::support::tests_on! { mariadb:
        wrong_number_of_values_gives_the_same_error,
        writes_that_triggers_capture_fail_the_same_in_a_transaction_without_writes,
    }
}

mod only_postgres {
    crate::support::tests_on! { postgres:
        writes_that_triggers_capture_fail_the_same_in_a_transaction_without_writes,
    }
}

/// `item` with a check, and parents with children that do not cascade.
async fn tables(db: &TestDb) -> TestResult<Oracle<'_>> {
    let id = auto_id(db.backend());
    let setup = [
        format!(
            "CREATE TABLE item ({id}, code VARCHAR(8) UNIQUE, \
             p INTEGER NOT NULL, CONSTRAINT positive CHECK (p > 0))"
        ),
        FAMILY[0].to_owned(),
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, \
         FOREIGN KEY (parent_id) REFERENCES parent (id))"
            .to_owned(),
        "INSERT INTO item (code, p) VALUES ('a', 1), ('b', 2), ('c', 3)".to_owned(),
        "INSERT INTO parent (id, n) VALUES (1, 1), (2, 2)".to_owned(),
        "INSERT INTO child (id, parent_id) VALUES (1, 1)".to_owned(),
    ];
    let tables = [Table::of("item"), Table::of("parent"), Table::of("child")];
    Oracle::new(db, &tables, setup).await
}

/// Statements that the databases refuse; SQLite accepts the last ones.
fn inserts(backend: DbBackend) -> Vec<&'static str> {
    let mut all = vec![
        "INSERT INTO item (code, p) VALUES ('a', 1)",
        "INSERT INTO item (code, p) VALUES ('n', 1), ('m', 1), ('n', 2)",
        "INSERT INTO item (id, code, p) VALUES (1, 'z', 1)",
        "INSERT INTO item (code, p) VALUES ('z', 0)",
        "INSERT INTO item (code, p) VALUES ('z', NULL)",
        "INSERT INTO item (code, nope) VALUES ('z', 1)",
        "INSERT INTO item (code, p) VALUES ('z')",
        "INSERT INTO nope (code, p) VALUES ('z', 1)",
        "INSERT INTO item (code, p) VALUES ('z', nope())",
        "INSERT INTO item (code, p) SELECT code, p FROM item",
        "INSERT INTO item (code p) VALUES ('z', 1)",
        "INSERT INTO child (id, parent_id) VALUES (9, 99)",
        "INSERT INTO child (id, parent_id) VALUES (1, 1)",
        "INSERT INTO child (id) VALUES (9)",
    ];
    if backend != DbBackend::Sqlite {
        all.push("INSERT INTO item (code, p) VALUES ('z', 99999999999)");
        all.push("INSERT INTO item (code, p) VALUES ('far too long for it', 1)");
        all.push("INSERT INTO item (code, p) VALUES ('z', 'no number')");
    }
    if backend == DbBackend::Postgres {
        all.push("INSERT INTO item (code, p) VALUES ('z', 1 / 0)");
    }
    all
}

fn updates(backend: DbBackend) -> Vec<&'static str> {
    let mut all = vec![
        "UPDATE item SET code = 'b' WHERE id = 1",
        "UPDATE item SET code = 'same'",
        "UPDATE item SET p = 0 WHERE id = 1",
        "UPDATE item SET p = p - 2",
        "UPDATE item SET p = NULL WHERE id = 1",
        "UPDATE item SET nope = 1",
        "UPDATE item SET p = 1 WHERE nope = 1",
        "UPDATE nope SET p = 1",
        "UPDATE item SET p = nope(p)",
        "UPDATE item SET p = 1 WHERE",
        "UPDATE item SET id = 2 WHERE id = 1",
        "UPDATE item SET p = (SELECT p FROM nope)",
        "UPDATE child SET parent_id = 99",
        "UPDATE parent SET id = 9 WHERE id = 1",
    ];
    if backend != DbBackend::Sqlite {
        all.push("UPDATE item SET p = 99999999999 WHERE id = 1");
        all.push("UPDATE item SET code = 'far too long for it' WHERE id = 1");
        all.push("UPDATE item SET p = 'no number' WHERE id = 1");
        all.push("UPDATE item SET p = (SELECT p FROM item)");
    }
    if backend == DbBackend::Postgres {
        all.push("UPDATE item SET p = p / (p - 2)");
        all.push("UPDATE item SET p = 1 WHERE 1 / (p - 2) > 0");
    }
    all
}

fn deletes(backend: DbBackend) -> Vec<&'static str> {
    let mut all = vec![
        "DELETE FROM parent WHERE id = 1",
        "DELETE FROM parent",
        "DELETE FROM item WHERE nope = 1",
        "DELETE FROM nope",
        "DELETE FROM item WHERE",
        "DELETE FROM item WHERE p = nope(p)",
        "DELETE FROM item WHERE id IN (SELECT id FROM nope)",
    ];
    if backend == DbBackend::Postgres {
        all.push("DELETE FROM item WHERE 1 / (p - 2) > 0");
    }
    all
}

async fn fail_alike(db: &TestDb, statements: Vec<&str>) -> TestResult {
    let oracle = tables(db).await?;
    let mut differences = Vec::new();
    for sql in statements {
        for call in Call::ALL {
            let expected = run(&oracle.bare.conn, call, sql, &[]).await;
            assert!(expected.is_failure(), "{sql}: {expected:?}");
            let got = run(&oracle.audited, call, sql, &[]).await;
            if expected != got {
                differences.push(format!("{call:?} {sql}\n  {expected:?}\n  {got:?}"));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences[..differences.len().min(6)].join("\n")
    );
    oracle.recorded().await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn failed_inserts_give_the_same_errors(db: &TestDb) -> TestResult {
    fail_alike(db, inserts(db.backend())).await
}

async fn failed_updates_give_the_same_errors(db: &TestDb) -> TestResult {
    fail_alike(db, updates(db.backend())).await
}

async fn failed_deletes_give_the_same_errors(db: &TestDb) -> TestResult {
    fail_alike(db, deletes(db.backend())).await
}

async fn failed_statements_in_a_transaction_give_the_same_errors(db: &TestDb) -> TestResult {
    let oracle = tables(db).await?;
    let backend = db.backend();
    let all = [inserts(backend), updates(backend), deletes(backend)].concat();
    for sql in all {
        for call in Call::ALL {
            let bare = oracle.bare.begin().await?;
            let audited = oracle.audited.begin().await?;
            let first = "UPDATE item SET p = p + 1";
            let expected = run(&bare, Call::Execute, first, &[]).await;
            same(
                first,
                &expected,
                &run(&audited, Call::Execute, first, &[]).await,
            );
            let expected = run(&bare, call, sql, &[]).await;
            let got = run(&audited, call, sql, &[]).await;
            same(&format!("{call:?} {sql}"), &expected, &got);
            // The failure leaves both transactions in the same state.
            let next = "UPDATE parent SET n = n + 1";
            let expected = run(&bare, Call::Execute, next, &[]).await;
            let got = run(&audited, Call::Execute, next, &[]).await;
            same(&format!("{next} after {sql}"), &expected, &got);
            bare.rollback().await?;
            audited.rollback().await?;
        }
    }
    oracle.recorded().await
}

fn new_item(code: &str, p: i32) -> item::ActiveModel {
    item::ActiveModel {
        code: Set(Some(code.to_owned())),
        p: Set(p),
        ..Default::default()
    }
}

/// The result of a builder's call on a connection.
type Ended = (&'static str, Result<String, Outcome>);

/// One failed call of every kind. In a PostgreSQL transaction only the first one has an error of its own.
async fn builder_call<C: ConnectionTrait + TransactionTrait>(
    db: &C,
    number: usize,
) -> Option<Ended> {
    let changed = |id: i32, code: &str| item::ActiveModel {
        id: Set(id),
        ..new_item(code, 1)
    };
    Some(match number {
        0 => ("insert", result_of(new_item("a", 1).insert(db).await)),
        1 => ("insert check", result_of(new_item("z", 0).insert(db).await)),
        2 => ("save", result_of(changed(1, "b").save(db).await)),
        3 => ("update", result_of(changed(1, "b").update(db).await)),
        4 => (
            "update missing",
            result_of(changed(99, "z").update(db).await),
        ),
        5 => {
            let parent = parent::ActiveModel {
                id: Set(1),
                ..Default::default()
            };
            ("delete", result_of(parent.delete(db).await))
        }
        6 => {
            let many = [new_item("n", 1), new_item("n", 2)];
            (
                "insert_many",
                result_of(item::Entity::insert_many(many).exec(db).await),
            )
        }
        7 => {
            let insert = item::Entity::insert(new_item("a", 1));
            (
                "exec_with_returning",
                result_of(insert.exec_with_returning(db).await),
            )
        }
        8 => {
            let update = item::Entity::update_many().col_expr(item::Column::Code, Expr::value("x"));
            ("update_many", result_of(update.exec(db).await))
        }
        9 => {
            let update = item::Entity::update_many()
                .col_expr(item::Column::P, Expr::value(0))
                .filter(item::Column::Id.eq(1));
            ("update_many check", result_of(update.exec(db).await))
        }
        10 => (
            "delete_many",
            result_of(parent::Entity::delete_many().exec(db).await),
        ),
        11 => (
            "delete_by_id",
            result_of(parent::Entity::delete_by_id(1).exec(db).await),
        ),
        12 => {
            let row = child::ActiveModel {
                id: Set(9),
                parent_id: Set(99),
            };
            ("insert child", result_of(row.insert(db).await))
        }
        13 => {
            let none = item::ActiveModel {
                code: Set(Some("z".to_owned())),
                ..Default::default()
            };
            ("insert without p", result_of(none.insert(db).await))
        }
        14 => {
            let insert = item::Entity::insert(new_item("a", 1)).on_conflict_do_nothing();
            ("on_conflict_do_nothing", result_of(insert.exec(db).await))
        }
        15 => {
            let update = item::Entity::update(changed(1, "b"));
            ("Entity::update", result_of(update.exec(db).await))
        }
        _ => return None,
    })
}

async fn failed_builder_calls_give_the_same_errors(db: &TestDb) -> TestResult {
    let oracle = tables(db).await?;
    let mut number = 0;
    while let Some((what, expected)) = builder_call(&oracle.bare.conn, number).await {
        let got = builder_call(&oracle.audited, number).await;
        assert_eq!(Some((what, expected)), got);
        number += 1;
    }
    oracle.recorded().await
}

async fn failed_builder_calls_in_a_transaction_give_the_same_errors(db: &TestDb) -> TestResult {
    let oracle = tables(db).await?;
    let mut number = 0;
    loop {
        let bare = oracle.bare.begin().await?;
        let audited = oracle.audited.begin().await?;
        let expected = builder_call(&bare, number).await;
        let got = builder_call(&audited, number).await;
        assert_eq!(expected, got);
        bare.rollback().await?;
        audited.rollback().await?;
        if expected.is_none() {
            break;
        }
        number += 1;
    }
    oracle.recorded().await
}

/// The driver loses the connection: so each statement has its own.
async fn wrong_number_of_values_gives_the_same_error(db: &TestDb) -> TestResult {
    let oracle = tables(db).await?;
    for (sql, values) in [
        ("UPDATE item SET p = ? WHERE id = ?", 1),
        ("UPDATE item SET p = ? WHERE code = 'a?'", 2),
        ("INSERT INTO item (code, p) VALUES (?, ?)", 3),
        (
            "INSERT INTO item (code, p) VALUES (?, ?), ('?', 5), (?, ?), (?, ?), (?, ?)",
            9,
        ),
        ("DELETE FROM item WHERE id = ?", 0),
    ] {
        let values: Vec<_> = (0..values).map(|n| (70 + n).into()).collect();
        let (bare, conn) = (oracle.bare.another().await?, db.another().await?);
        let audited = sea_orm_audit::AuditedConnection::new(conn.clone());
        let expected = run(&bare, Call::Execute, sql, &values).await;
        let got = run(&audited, Call::Execute, sql, &values).await;
        assert!(expected.is_failure(), "{sql}: {expected:?}");
        same(sql, &expected, &got);
        // Some triggers need the context.
        let config = AuditConfig::builder().captured_by_trigger::<child::Entity>();
        let conn = db.another().await?;
        let audited = sea_orm_audit::AuditedConnection::new(conn).with_config(config.build()?);
        same(
            sql,
            &expected,
            &run(&audited, Call::Execute, sql, &values).await,
        );
    }
    // As many question marks as values.
    let sql = "UPDATE item SET p = ? WHERE code <> '?' AND id = 1 -- ?";
    let outcome = oracle.same(Call::Execute, sql, &[70.into()]).await;
    assert!(!outcome.is_failure(), "{outcome:?}");
    oracle.recorded().await
}

/// PostgreSQL has aborted it, and MariaDB's can only read: the context of triggers cannot be set either.
async fn writes_that_triggers_capture_fail_the_same_in_a_transaction_without_writes(
    db: &TestDb,
) -> TestResult {
    let config = AuditConfig::builder().captured_by_trigger::<item::Entity>();
    let oracle = tables(db).await?.configured(config)?;
    let mut texts = vec![
        "UPDATE item SET p = 2 WHERE id = 1",
        "UPDATE item SET nope = 2",
        "INSERT INTO item (code, p) VALUES ('n', 1)",
        "DELETE FROM item WHERE id = 99",
        "UPDATE parent SET n = 3",
    ];
    let access = if db.backend() == DbBackend::Postgres {
        texts.extend([
            "WITH a AS (UPDATE item SET p = 2 RETURNING id) SELECT * FROM a",
            "DO $$ BEGIN PERFORM 1; END $$",
            "TRUNCATE ONLY item",
        ]);
        None
    } else {
        Some(AccessMode::ReadOnly)
    };
    for call in [Call::Execute, Call::Unprepared, Call::QueryAll] {
        let bare = oracle.bare.begin_with_config(None, access).await?;
        let audited = oracle.audited.begin_with_config(None, access).await?;
        if access.is_none() {
            same_on(&bare, &audited, Call::Execute, "SELECT no_such_column").await;
        }
        for text in &texts {
            let outcome = same_on(&bare, &audited, call, text).await;
            assert!(outcome.is_failure(), "{text}: {outcome:?}");
        }
        bare.rollback().await?;
        audited.rollback().await?;
    }
    assert!(db.records().await?.is_empty());
    Ok(())
}
