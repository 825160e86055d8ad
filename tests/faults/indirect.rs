//! Statements that name no audited table but change rows of one: each is reported.

use sea_orm::{ConnectionTrait, DbBackend, Statement, StreamTrait, TransactionTrait};
use sea_orm_audit::config::StatementPolicy;
use sea_orm_audit::{AuditConfig, AuditedConnection};

use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on! { sqlite:
        writes_to_a_view_with_triggers_are_reported,
        rows_that_follow_an_unaudited_table_are_reported,
        transaction_with_unaudited_writes_has_the_same_outcome,
        catalogue_is_asked_once_and_after_changes_of_the_schema,
        rows_that_follow_an_audited_table_by_an_unaudited_one_are_reported,
        every_table_of_a_text_is_looked_at,
        indirect_writes_are_refused_by_deny,
    }
}

mod postgres {
    crate::support::tests_on! { postgres:
        rows_that_follow_an_unaudited_table_are_reported,
        transaction_with_unaudited_writes_has_the_same_outcome,
        catalogue_is_asked_once_and_after_changes_of_the_schema,
        rows_that_follow_an_audited_table_by_an_unaudited_one_are_reported,
        every_table_of_a_text_is_looked_at,
        indirect_writes_are_refused_by_deny,
        writes_to_a_partition_by_its_name_are_reported,
        writes_to_an_inheriting_table_are_reported,
        writes_to_a_view_of_another_name_are_reported,
        writes_to_a_table_whose_rule_writes_are_reported,
        writes_to_a_parent_of_an_audited_table_are_reported,
        texts_whose_first_statement_must_be_first_succeed,
        failed_transaction_answers_unaudited_writes_as_the_bare_one,
    }
}

mod mariadb {
    crate::support::tests_on! { mariadb:
        rows_that_follow_an_unaudited_table_are_reported,
        transaction_with_unaudited_writes_has_the_same_outcome,
        catalogue_is_asked_once_and_after_changes_of_the_schema,
        rows_that_follow_an_audited_table_by_an_unaudited_one_are_reported,
        every_table_of_a_text_is_looked_at,
        indirect_writes_are_refused_by_deny,
        writes_to_a_view_of_another_name_are_reported,
    }
}

const ITEM: Table = Table::of("item");

/// An oracle whose audited connection has not read the catalogue before the setup.
async fn oracle<'a, S: AsRef<str>>(
    db: &'a TestDb,
    tables: &[Table],
    setup: impl IntoIterator<Item = S>,
) -> TestResult<Oracle<'a>> {
    let mut oracle = Oracle::new(db, tables, setup).await?;
    oracle.audited = AuditedConnection::new(db.conn.clone());
    Ok(oracle)
}
const COLUMNS: &str = "(id INTEGER PRIMARY KEY, code VARCHAR(40), p INTEGER)";
const ROWS: &str = "INSERT INTO item VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (13, 'm', 13)";

/// The entity's table, further definitions, and the entity's rows.
fn item_and(more: &[&str]) -> Vec<String> {
    let item = format!("CREATE TABLE item {COLUMNS}");
    let all = [item.as_str()].into_iter().chain(more.iter().copied());
    all.chain([ROWS]).map(str::to_owned).collect()
}

const NOTE: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, text VARCHAR(40))";

/// Writes to a table under another name than the entity's, outside of and in a transaction, in savepoints too. Every
/// one changes rows of the entity's table.
async fn all_writes(oracle: &Oracle<'_>, name: &str) -> TestResult {
    for sql in [
        format!("INSERT INTO {name} (id, code, p) VALUES (4, 'd', 4), (5, 'e', 5)"),
        format!("UPDATE {name} SET p = p + 100 WHERE id = 1"),
        format!("DELETE FROM {name} WHERE id = 2"),
        format!("UPDATE {name} SET p = 1; DELETE FROM {name} WHERE id = 3"),
    ] {
        let call = if sql.contains(';') {
            Call::Unprepared
        } else {
            Call::Execute
        };
        assert!(!oracle.same(call, &sql, &[]).await.is_failure());
    }
    let one = format!("UPDATE {name} SET p = 7 WHERE id = 4");
    let other = format!("DELETE FROM {name} WHERE id = 5");
    (oracle.in_transaction(&[(Call::Execute, &one), (Call::Execute, &other)])).await
}

async fn writes_to_a_partition_by_its_name_are_reported(db: &TestDb) -> TestResult {
    let setup = [
        format!("CREATE TABLE item {COLUMNS} PARTITION BY RANGE (id)"),
        "CREATE TABLE item_low PARTITION OF item FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id)"
            .to_owned(),
        "CREATE TABLE item_lowest PARTITION OF item_low FOR VALUES FROM (0) TO (9)".to_owned(),
        "CREATE TABLE item_high PARTITION OF item FOR VALUES FROM (10) TO (100)".to_owned(),
        ROWS.to_owned(),
    ];
    let oracle = oracle(db, &[ITEM], setup).await?;
    all_writes(&oracle, "item_lowest").await?;
    oracle.executes("TRUNCATE item_high").await;
    oracle.recorded_or_reported().await
}

async fn writes_to_an_inheriting_table_are_reported(db: &TestDb) -> TestResult {
    let setup = [
        format!("CREATE TABLE item {COLUMNS}"),
        "CREATE TABLE special () INHERITS (item)".to_owned(),
        "CREATE TABLE \"More Special\" () INHERITS (special)".to_owned(),
        ROWS.replace("item", "\"More Special\""),
    ];
    let oracle = oracle(db, &[ITEM], setup).await?;
    all_writes(&oracle, "\"More Special\"").await?;
    oracle.recorded_or_reported().await
}

async fn writes_to_a_view_of_another_name_are_reported(db: &TestDb) -> TestResult {
    let setup = item_and(&[
        "CREATE VIEW cheap AS SELECT id, code, p FROM item WHERE p < 1000",
        "CREATE VIEW cheapest AS SELECT c.id, c.code, c.p FROM cheap c WHERE c.p < 500",
    ]);
    let oracle = oracle(db, &[ITEM], setup).await?;
    all_writes(&oracle, "cheapest").await?;
    oracle.recorded_or_reported().await
}

/// SQLite writes views by the application's triggers.
async fn writes_to_a_view_with_triggers_are_reported(db: &TestDb) -> TestResult {
    let setup = item_and(&[
        NOTE,
        "CREATE VIEW cheap AS SELECT id, code, p FROM item",
        "CREATE TRIGGER cheap_insert INSTEAD OF INSERT ON cheap BEGIN \
         INSERT INTO note (text) VALUES (NEW.code); INSERT INTO item VALUES (NEW.id, NEW.code, NEW.p); END",
        "CREATE TRIGGER cheap_update INSTEAD OF UPDATE ON Cheap BEGIN \
         UPDATE item SET p = NEW.p WHERE id = OLD.id; END",
        "CREATE TRIGGER cheap_delete INSTEAD OF DELETE ON cheap BEGIN DELETE FROM item WHERE id = OLD.id; END",
        "CREATE VIEW notes AS SELECT text FROM note",
        "CREATE TRIGGER notes_insert INSTEAD OF INSERT ON notes BEGIN INSERT INTO note (text) VALUES (NEW.text); END",
    ]);
    let oracle = oracle(db, &[ITEM], setup).await?;
    oracle.executes("INSERT INTO notes VALUES ('n')").await;
    assert!(reports(db).await?.is_empty());
    all_writes(&oracle, "cheap").await?;
    oracle.recorded_or_reported().await
}

async fn writes_to_a_table_whose_rule_writes_are_reported(db: &TestDb) -> TestResult {
    let setup = item_and(&[
        NOTE,
        "CREATE RULE counted AS ON INSERT TO note DO ALSO UPDATE item SET p = p + 1",
    ]);
    let oracle = oracle(db, &[ITEM], setup).await?;
    (oracle.executes("INSERT INTO note VALUES (1, 'x')")).await;
    oracle.recorded_or_reported().await
}

/// Tables without an entity, one referring to the other, and the entity's table referring to both.
const FOLLOWED: [&str; 6] = [
    "CREATE TABLE top (id INTEGER PRIMARY KEY, n INTEGER)",
    "CREATE TABLE middle (id INTEGER PRIMARY KEY, top_id INTEGER, \
             FOREIGN KEY (top_id) REFERENCES top (id) ON DELETE CASCADE)",
    "CREATE TABLE item (id INTEGER PRIMARY KEY, code VARCHAR(40), p INTEGER, \
             FOREIGN KEY (p) REFERENCES middle (id) ON DELETE SET NULL ON UPDATE CASCADE)",
    "INSERT INTO top VALUES (1, 1), (2, 2), (3, 3)",
    "INSERT INTO middle VALUES (1, 1), (2, 2), (3, 3), (13, 3), (4, NULL)",
    ROWS,
];

async fn rows_that_follow_an_unaudited_table_are_reported(db: &TestDb) -> TestResult {
    let oracle = oracle(db, &[ITEM], FOLLOWED).await?;
    oracle.executes("DELETE FROM middle WHERE id = 1").await;
    (oracle.executes("UPDATE middle SET id = 22 WHERE id = 2")).await;
    // Through the other table.
    let statements = [
        (Call::Execute, "UPDATE top SET n = 5"),
        (Call::Execute, "DELETE FROM top WHERE id = 3"),
    ];
    oracle.in_transaction(&statements).await?;
    // A statement that leaves the referring rows unchanged is not reported.
    let known = reports(db).await?;
    assert_eq!(known.len(), 3, "{known:?}");
    oracle.executes("UPDATE top SET n = 6").await;
    oracle.executes("UPDATE middle SET top_id = NULL").await;
    oracle.executes("INSERT INTO top VALUES (7, 7)").await;
    assert_eq!(reports(db).await?, known);
    oracle.recorded_or_reported().await
}

/// A query of the log must not prevent anything that the transaction could do, and writes nothing.
async fn transaction_with_unaudited_writes_has_the_same_outcome(db: &TestDb) -> TestResult {
    let setup = item_and(&[NOTE, "INSERT INTO note VALUES (1, 'a')"]);
    let oracle = oracle(db, &[ITEM, Table::of("note")], setup).await?;
    // SQLite: another connection writes between the transaction's begin and its first write.
    let (bare, audited) = (oracle.bare.begin().await?, oracle.audited.begin().await?);
    for other in [&oracle.bare, oracle.db] {
        let other = other.another().await?;
        (other.execute_unprepared("INSERT INTO note VALUES (2, 'b')")).await?;
        other.close().await?;
    }
    for sql in [
        "UPDATE note SET text = 'c' WHERE id = 1",
        "INSERT INTO note VALUES (3, 'd')",
    ] {
        crate::outcome::same_on(&bare, &audited, Call::Execute, sql).await;
    }
    bare.commit().await?;
    audited.commit().await?;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    let read = oracle.read(&oracle.bare.conn).await?;
    assert_eq!(oracle.read(&db.conn).await?, read);
    oracle.bare.remove().await
}

async fn failed_transaction_answers_unaudited_writes_as_the_bare_one(db: &TestDb) -> TestResult {
    let setup = item_and(&[NOTE]);
    let oracle = oracle(db, &[ITEM], setup).await?;
    let (bare, audited) = (oracle.bare.begin().await?, oracle.audited.begin().await?);
    for sql in ["SELECT no_such_column", "INSERT INTO note VALUES (1, 'a')"] {
        let outcome = crate::outcome::same_on(&bare, &audited, Call::Execute, sql).await;
        assert!(outcome.is_failure());
    }
    bare.rollback().await?;
    audited.rollback().await?;
    // A query without an answer is repeated.
    (oracle.executes("INSERT INTO note VALUES (1, 'a')")).await;
    oracle.bare.remove().await
}

async fn catalogue_is_asked_once_and_after_changes_of_the_schema(db: &TestDb) -> TestResult {
    db.execute_unprepared(NOTE).await?;
    let audited = AuditedConnection::new(db.conn.clone());
    let write = |id: u32| {
        let audited = audited.clone();
        async move {
            let sql = format!("INSERT INTO note VALUES ({id}, 'a')");
            let backend = ConnectionTrait::get_database_backend(&audited);
            let insert = Statement::from_string(backend, sql);
            audited.execute_raw(insert).await.map(|_| ())
        }
    };
    let (done, first) = db.statements_of(write(1)).await;
    done?;
    assert!(first.len() > 1, "{first:?}");
    let (done, next) = db.statements_of(write(2)).await;
    done?;
    assert_eq!(next.len(), 1, "{next:?}");
    // A clone of the connection changes the schema: the connection notices that.
    let set = audited.clone();
    (set.execute_unprepared("CREATE TABLE other (id INTEGER)")).await?;
    let (done, next) = db.statements_of(write(3)).await;
    done?;
    assert!(next.len() > 1, "{next:?}");
    let tx = audited.begin().await?;
    (tx.execute_unprepared("CREATE TABLE another (id INTEGER)")).await?;
    tx.rollback().await?;
    let (done, next) = db.statements_of(write(4)).await;
    done?;
    assert!(next.len() > 1, "{next:?}");
    // The catalogue is not read inside of a transaction.
    let tx = audited.begin().await?;
    (set.execute_unprepared("CREATE TABLE third (id INTEGER)")).await?;
    let insert = Statement::from_string(db.backend(), "INSERT INTO note VALUES (5, 'a')");
    let (done, next) = db.statements_of(tx.execute_raw(insert)).await;
    done?;
    assert_eq!(next.len(), 1, "{next:?}");
    tx.rollback().await?;
    Ok(())
}

async fn rows_that_follow_an_audited_table_by_an_unaudited_one_are_reported(
    db: &TestDb,
) -> TestResult {
    let setup = [
        "CREATE TABLE slot (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, n INTEGER)",
        "CREATE TABLE middle (id INTEGER PRIMARY KEY, slot_id INTEGER, \
             FOREIGN KEY (slot_id) REFERENCES slot (id) ON DELETE CASCADE)",
        "CREATE TABLE item (id INTEGER PRIMARY KEY, code VARCHAR(40), p INTEGER, \
             FOREIGN KEY (p) REFERENCES middle (id) ON DELETE CASCADE)",
        "INSERT INTO slot VALUES (1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)",
        "INSERT INTO middle VALUES (1, 1), (2, 2), (3, 3), (13, 3)",
        ROWS,
    ];
    let oracle = oracle(db, &[ITEM], setup).await?;
    oracle.executes("DELETE FROM slot WHERE id = 1").await;
    let statements = [(Call::Execute, "DELETE FROM slot WHERE id = 3")];
    oracle.in_transaction(&statements).await?;
    oracle.recorded_or_reported().await
}

async fn every_table_of_a_text_is_looked_at(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE top (id INTEGER PRIMARY KEY, n INTEGER)",
        "CREATE TABLE tip (id INTEGER PRIMARY KEY, n INTEGER)",
        "CREATE TABLE item (id INTEGER PRIMARY KEY, code VARCHAR(40), p INTEGER, \
             FOREIGN KEY (p) REFERENCES top (id) ON DELETE CASCADE)",
        "CREATE TABLE account (id INTEGER PRIMARY KEY, email VARCHAR(40), n INTEGER, \
             FOREIGN KEY (n) REFERENCES tip (id) ON DELETE CASCADE)",
        "INSERT INTO top VALUES (1, 1), (2, 2), (3, 3), (13, 4)",
        "INSERT INTO tip VALUES (1, 1)",
        "INSERT INTO account VALUES (1, 'x', 1)",
        ROWS,
    ];
    let oracle = oracle(db, &[ITEM, Table::of("account")], setup).await?;
    let both = "DELETE FROM top WHERE id = 1; DELETE FROM tip WHERE id = 1";
    let outcome = oracle.same(Call::Unprepared, both, &[]).await;
    assert!(!outcome.is_failure());
    oracle.recorded_or_reported().await
}

/// The table is written through its parent, and by its own name.
async fn writes_to_a_parent_of_an_audited_table_are_reported(db: &TestDb) -> TestResult {
    let setup = [
        format!("CREATE TABLE whole {COLUMNS}"),
        "CREATE TABLE item () INHERITS (whole)".to_owned(),
        "CREATE TABLE beside () INHERITS (whole)".to_owned(),
        ROWS.to_owned(),
        "INSERT INTO beside VALUES (50, 'x', 1)".to_owned(),
    ];
    let oracle = oracle(db, &[ITEM], setup).await?;
    oracle.executes("UPDATE whole SET p = p + 1").await;
    oracle.executes("DELETE FROM whole WHERE id = 2").await;
    let known = reports(db).await?;
    assert_eq!(known.len(), 2, "{known:?}");
    // Its rows are those of the parent and of no other child.
    oracle.executes("UPDATE beside SET p = 5").await;
    assert_eq!(reports(db).await?, known);
    oracle.recorded_or_reported().await
}

/// A query of the log would precede it, or take a snapshot before the lock.
async fn texts_whose_first_statement_must_be_first_succeed(db: &TestDb) -> TestResult {
    let setup = item_and(&[NOTE]);
    let oracle = oracle(db, &[ITEM, Table::of("note")], setup).await?;
    for sql in [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; INSERT INTO note VALUES (1, 'a')",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; LOCK TABLE note; UPDATE note SET text = 'b'",
    ] {
        let (bare, audited) = (oracle.bare.begin().await?, oracle.audited.begin().await?);
        let outcome = crate::outcome::same_on(&bare, &audited, Call::Unprepared, sql).await;
        assert!(!outcome.is_failure(), "{outcome:?}");
        bare.commit().await?;
        audited.commit().await?;
    }
    let read = oracle.read(&oracle.bare.conn).await?;
    assert_eq!(oracle.read(&db.conn).await?, read);
    oracle.bare.remove().await
}

async fn indirect_writes_are_refused_by_deny(db: &TestDb) -> TestResult {
    for sql in FOLLOWED {
        db.execute_unprepared(sql).await?;
    }
    let config = AuditConfig::builder().statement_policy(StatementPolicy::Deny);
    let fresh = AuditedConnection::new(db.conn.clone());
    let audited = fresh.with_config(config.build()?);
    let delete = "DELETE FROM top WHERE id = 3";
    let refused = audited.execute_unprepared(delete).await.unwrap_err();
    assert!(refused.to_string().contains("top"), "{refused}");
    let tx = audited.begin().await?;
    tx.execute_unprepared(delete).await.unwrap_err();
    tx.execute_unprepared("UPDATE top SET n = 9").await?;
    tx.commit().await?;
    if db.backend() != DbBackend::MySql {
        let returning = Statement::from_string(db.backend(), format!("{delete} RETURNING id"));
        assert!(fresh.stream_raw(returning).await.is_err());
    }
    assert_eq!(reports(db).await?, Vec::<String>::new());
    let kept = Statement::from_string(db.backend(), "SELECT id FROM item WHERE p = 3");
    assert_eq!(db.query_all_raw(kept).await?.len(), 1);
    Ok(())
}
