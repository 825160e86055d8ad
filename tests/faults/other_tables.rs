//! Conditions that read other tables, which change between the read before a statement and the statement.

use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};

use crate::contention::waiting_as;
use crate::entities::items;
use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::{Call, run, same_on};
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on! { postgres:
        condition_that_waits_for_another_tables_row_is_accounted_for,
        joined_update_that_returns_its_key_is_recorded,
    }
}

mod mariadb {
    crate::support::tests_on! { mariadb:
        condition_on_an_older_snapshot_leaves_no_false_record,
    }
}

const ITEM: Table = Table::of("item");

/// Three items; `pick`, which is not audited, refers to the first one.
async fn picked(db: &TestDb) -> TestResult<Oracle<'_>> {
    let mut setup = items(db.backend(), 3);
    setup.push("CREATE TABLE pick (item_id INTEGER NOT NULL, p INTEGER NOT NULL)".to_owned());
    setup.push("INSERT INTO pick (item_id, p) VALUES (1, 70)".to_owned());
    Oracle::new(db, &[ITEM], setup).await
}

/// No record is of the item that the read before the statement found, unless the statement wrote that item.
async fn no_false_record_of_the_first(db: &TestDb, case: &str) -> TestResult {
    let items = ITEM.read(&db.conn).await?;
    let p = items.get("1").and_then(|row| row["p"].as_i64());
    if p != Some(1) && p != Some(40) {
        return Ok(());
    }
    let of_first = |record: &&sea_orm_audit::entity::audit_log::Model| {
        record.object_id.as_deref() == Some("1")
    };
    let records = db.records().await?;
    assert_eq!(records.iter().find(of_first), None, "{case}");
    Ok(())
}

/// At REPEATABLE READ a subquery of InnoDB's `SELECT .. FOR UPDATE` reads the snapshot; a subquery of an UPDATE or
/// DELETE reads the current rows.
async fn condition_on_an_older_snapshot_leaves_no_false_record(db: &TestDb) -> TestResult {
    let condition = "WHERE id IN (SELECT item_id FROM pick)";
    for sql in [
        format!("DELETE FROM item {condition}"),
        format!("UPDATE item SET p = p + 100 {condition}"),
        format!("UPDATE item SET p = 100 {condition} AND p < 50"),
        format!("UPDATE item SET id = 99 {condition}"),
        format!("UPDATE item SET id = 99 {condition} AND p < 50"),
    ] {
        for call in Call::ALL {
            let own = db.sibling().await?;
            let oracle = picked(&own).await?;
            let bare = oracle.bare.begin().await?;
            let audited = oracle.audited.begin().await?;
            same_on(&bare, &audited, Call::QueryAll, "SELECT * FROM pick").await;
            for db in [&oracle.bare, &own] {
                db.execute_unprepared("UPDATE pick SET item_id = 2").await?;
            }
            same_on(&bare, &audited, call, &sql).await;
            bare.commit().await?;
            audited.commit().await?;
            let case = format!("{call:?} {sql}");
            no_false_record_of_the_first(&own, &case).await?;
            oracle.recorded_or_reported().await?;
            own.remove().await?;
        }
    }
    Ok(())
}

/// The read before the statement waits, and finds the first item; the statement then writes the second one.
async fn condition_that_waits_for_another_tables_row_is_accounted_for(db: &TestDb) -> TestResult {
    let condition = "WHERE id IN (SELECT item_id FROM pick)";
    for sql in [
        format!("UPDATE item SET p = 70 {condition}"),
        format!("UPDATE item SET p = 70 {condition} RETURNING p"),
        format!("DELETE FROM item {condition}"),
        format!("DELETE FROM item {condition} RETURNING p"),
        "UPDATE item SET p = pick.p FROM pick WHERE pick.item_id = item.id".to_owned(),
        "UPDATE item SET p = pick.p FROM pick WHERE pick.item_id = item.id RETURNING item.p"
            .to_owned(),
        "DELETE FROM item USING pick WHERE pick.item_id = item.id".to_owned(),
    ] {
        for call in Call::ALL {
            let own = db.sibling().await?;
            let mut oracle = picked(&own).await?;
            let lock = "UPDATE item SET p = 40 WHERE id = 1";
            let then = ["UPDATE pick SET item_id = 2"];
            let audited = &oracle.audited;
            let (outcome, rows) =
                waiting_as(call, &oracle, &own, audited, &sql, lock, &then).await?;
            let case = format!("{call:?} {sql}");
            assert!(!outcome.is_failure(), "{case}: {outcome:?}");
            no_false_record_of_the_first(&own, &case).await?;
            oracle.starts_from(rows);
            // The keys are returned, or come in columns that the application does not see.
            let is_joined = sql.contains("FROM pick WHERE");
            let has_keys = match call {
                Call::Execute => !(is_joined && sql.contains("RETURNING")),
                Call::Unprepared => false,
                Call::QueryOne | Call::QueryAll => !sql.contains("RETURNING"),
            };
            if has_keys {
                assert_eq!(own.log().await?.len(), 1, "{case}");
                assert_eq!(reports(&own).await?, [""; 0], "{case}");
            }
            oracle.explained().await?;
            own.remove().await?;
        }
    }
    Ok(())
}

/// The returned key is the item's, and not another table's column of the same name.
async fn joined_update_that_returns_its_key_is_recorded(db: &TestDb) -> TestResult {
    for sql in [
        "UPDATE item SET p = pick.p FROM pick WHERE pick.item_id = item.id RETURNING item.id",
        "UPDATE item AS i SET p = pick.p FROM pick WHERE pick.item_id = i.id RETURNING i.id, pick.p",
        "DELETE FROM item USING pick WHERE pick.item_id = item.id RETURNING item.id, item.code, item.p",
    ] {
        let own = db.sibling().await?;
        let mut oracle = picked(&own).await?;
        let lock = "UPDATE item SET p = 40 WHERE id = 1";
        let then = ["UPDATE pick SET item_id = 2"];
        let audited = &oracle.audited;
        let (outcome, rows) =
            waiting_as(Call::QueryAll, &oracle, &own, audited, sql, lock, &then).await?;
        assert!(!outcome.is_failure(), "{sql}: {outcome:?}");
        no_false_record_of_the_first(&own, sql).await?;
        assert_eq!(reports(&own).await?, [""; 0], "{sql}");
        assert_eq!(own.log().await?.len(), 1, "{sql}");
        oracle.starts_from(rows);
        oracle.explained().await?;
        own.remove().await?;
    }
    Ok(())
}
