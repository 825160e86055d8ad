//! Failures that occur after the statement, or in the bulk builders.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Set, TransactionTrait,
};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::{AuditConfig, AuditedEntity};

use crate::entities::{child, item, items, parent};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, result_of, run, same};
use crate::support::{TestDb, TestResult};

on_every_database! {
    bulk_builders_give_the_same_errors_as_plain_ones,
    failed_statements_give_the_same_errors_where_failures_are_isolated,
    failed_statement_that_changed_half_its_rows_changes_none,
}

mod sqlite_deferred {
    crate::support::tests_on!(sqlite: deferred_constraint_fails_as_the_statement_does);
}

mod postgres_deferred {
    crate::support::tests_on!(postgres: deferred_constraint_fails_as_the_statement_does);
}

mod mariadb_locks {
    crate::support::tests_on!(mariadb: failed_bulk_builder_in_a_transaction_keeps_no_lock);
}

/// Parent 1 has a child that prevents its deletion; the check is at the commit, or immediate.
fn family(deferred: bool) -> Vec<String> {
    let when = if deferred {
        "DEFERRABLE INITIALLY DEFERRED"
    } else {
        ""
    };
    vec![
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)".to_owned(),
        format!(
            "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, \
             FOREIGN KEY (parent_id) REFERENCES parent (id) {when})"
        ),
        "INSERT INTO parent (id, n) VALUES (1, 1), (2, 2)".to_owned(),
        "INSERT INTO child (id, parent_id) VALUES (10, 1)".to_owned(),
    ]
}

const FAMILY: [Table; 2] = [Table::of("parent"), Table::of("child")];

async fn deferred_constraint_fails_as_the_statement_does(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &FAMILY, family(true)).await?;
    for sql in [
        "INSERT INTO child (id, parent_id) VALUES (11, 99)",
        "INSERT INTO child (id, parent_id) VALUES (11, 1), (12, 99)",
        "UPDATE child SET parent_id = 99 WHERE id = 10",
        "UPDATE child SET parent_id = 99",
        "UPDATE parent SET id = 9 WHERE id = 1",
        "DELETE FROM parent WHERE id = 1",
        "DELETE FROM parent",
    ] {
        for call in Call::ALL {
            let outcome = oracle.same(call, sql, &[]).await;
            assert!(outcome.is_failure(), "{sql}: {outcome:?}");
        }
    }
    let row = || {
        child::Entity::insert(child::ActiveModel {
            id: Set(11),
            parent_id: Set(99),
        })
    };
    let expected = result_of(row().exec(&oracle.bare.conn).await);
    assert_eq!(expected, result_of(row().exec(&oracle.audited).await));
    let delete = || parent::Entity::delete_by_id(1);
    let expected = result_of(delete().exec(&oracle.bare.conn).await);
    assert_eq!(expected, result_of(delete().exec(&oracle.audited).await));
    // In a transaction of the application the error is COMMIT's.
    let (bare, audited) = (oracle.bare.begin().await?, oracle.audited.begin().await?);
    let sql = "DELETE FROM parent WHERE id = 1";
    let expected = run(&bare, Call::Execute, sql, &[]).await;
    same(
        sql,
        &expected,
        &run(&audited, Call::Execute, sql, &[]).await,
    );
    let expected = result_of(bare.commit().await);
    assert!(expected.is_err());
    assert_eq!(expected, result_of(audited.commit().await));
    oracle.recorded().await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn bulk_builders_give_the_same_errors_as_plain_ones(db: &TestDb) -> TestResult {
    let setup = [items(db.backend(), 3), family(false)].concat();
    let tables = [&FAMILY[..], &[Table::of("item")]].concat();
    let oracle = Oracle::new(db, &tables, setup).await?;
    let (bare, conn) = (&oracle.bare.conn, &db.conn);
    let row = |code: &str| item::ActiveModel {
        code: Set(Some(code.to_owned())),
        p: Set(1),
        ..Default::default()
    };
    let many = || [row("new"), row("c1")];
    assert_eq!(
        result_of(
            item::Entity::insert_many(many())
                .exec(bare)
                .await
                .map(|_| ())
        ),
        result_of(
            item::Entity::audited_insert_many(many())
                .exec(conn)
                .await
                .map(|_| ())
        ),
    );
    let same_code = Expr::value("same");
    let plain = item::Entity::update_many().col_expr(item::Column::Code, same_code.clone());
    let bulk = item::Entity::audited_update_many().col_expr(item::Column::Code, same_code);
    assert_eq!(
        result_of(plain.exec(bare).await.map(|r| r.rows_affected)),
        result_of(bulk.exec(conn).await.map(|r| r.rows_affected)),
    );
    let nowhere = child::Column::ParentId;
    let plain = child::Entity::update_many().col_expr(nowhere, Expr::value(99));
    let bulk = child::Entity::audited_update_many().col_expr(nowhere, Expr::value(99));
    assert_eq!(
        result_of(plain.exec(bare).await.map(|r| r.rows_affected)),
        result_of(bulk.exec(conn).await.map(|r| r.rows_affected)),
    );
    let plain = parent::Entity::delete_many().filter(parent::Column::Id.gt(0));
    let bulk = parent::Entity::audited_delete_many().filter(parent::Column::Id.gt(0));
    assert_eq!(
        result_of(plain.exec(bare).await.map(|r| r.rows_affected)),
        result_of(bulk.exec(conn).await.map(|r| r.rows_affected)),
    );
    oracle.recorded().await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn failed_bulk_builder_in_a_transaction_keeps_no_lock(db: &TestDb) -> TestResult {
    for sql in family(false) {
        db.execute_unprepared(&sql).await?;
    }
    let client = db.another().await?;
    (client.execute_unprepared("SET innodb_lock_wait_timeout = 0")).await?;
    let orphan = || child::ActiveModel {
        id: Set(11),
        parent_id: Set(666),
    };
    // The plain builder keeps the lock where parent 666 would be.
    let tx = db.begin().await?;
    let failed = child::Entity::insert_many([orphan()]).exec(&tx).await;
    assert!(failed.is_err());
    let insert = "INSERT INTO parent (id, n) VALUES (50, 1)";
    let waits = client.execute_unprepared(insert).await;
    assert!(format!("{waits:?}").contains("1205"), "{waits:?}");
    tx.rollback().await?;

    let tx = db.begin().await?;
    let failed = (child::Entity::audited_insert_many([orphan()]).exec(&tx)).await;
    assert!(failed.is_err());
    client.execute_unprepared(insert).await?;
    tx.rollback().await?;
    Ok(())
}

async fn failed_statements_give_the_same_errors_where_failures_are_isolated(
    db: &TestDb,
) -> TestResult {
    let setup = [items(db.backend(), 3), family(false)].concat();
    let tables = [&FAMILY[..], &[Table::of("item")]].concat();
    let isolates = AuditConfig::builder().failure_policy(FailurePolicy::Isolate);
    let oracle = Oracle::new(db, &tables, setup)
        .await?
        .configured(isolates)?;
    for sql in [
        "INSERT INTO item (code, p) VALUES ('new', 1), ('c1', 1)",
        "INSERT INTO child (id, parent_id) VALUES (11, 99)",
        "INSERT INTO item (code, nope) VALUES ('new', 1)",
        "UPDATE item SET code = 'same'",
        "UPDATE item SET nope = 1 WHERE id = 1",
        "UPDATE child SET parent_id = 99 WHERE id = 10",
        "DELETE FROM parent",
        "DELETE FROM item WHERE nope = 1",
    ] {
        for call in [Call::Execute, Call::Unprepared] {
            let outcome = oracle.same(call, sql, &[]).await;
            assert!(outcome.is_failure(), "{sql}: {outcome:?}");
        }
    }
    oracle.recorded().await
}

/// The transaction goes on afterwards, except on PostgreSQL.
async fn failed_statement_that_changed_half_its_rows_changes_none(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[Table::of("item")], items(db.backend(), 100)).await?;
    let oracle = oracle.configured(AuditConfig::builder().chunk_rows(10).buffered_records(8))?;
    let fails = "UPDATE item SET p = p + 1, code = CASE WHEN id = 90 THEN 'c5' ELSE code END";
    let outcome = oracle.same(Call::Execute, fails, &[]).await;
    assert!(outcome.is_failure(), "{outcome:?}");
    let (bare, audited) = (oracle.bare.begin().await?, oracle.audited.begin().await?);
    let mut statements = vec!["UPDATE item SET p = p + 10 WHERE id < 50", fails];
    if db.backend() != DbBackend::Postgres {
        statements.push("UPDATE item SET p = p + 100 WHERE id > 40");
        statements.push("DELETE FROM item WHERE id > 95");
    }
    for sql in statements {
        let expected = run(&bare, Call::Execute, sql, &[]).await;
        same(
            sql,
            &expected,
            &run(&audited, Call::Execute, sql, &[]).await,
        );
    }
    if db.backend() == DbBackend::Postgres {
        bare.rollback().await?;
        audited.rollback().await?;
    } else {
        bare.commit().await?;
        audited.commit().await?;
    }
    oracle.recorded().await
}
