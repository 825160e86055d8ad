//! Rows that follow a changed or emptied key on MariaDB. The triggers of the table where the change begins record them.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::{AuditTriggers, Finding};

use crate::entities::{metered, ware};
use crate::support::{TestDb, TestResult};
use crate::{build, found};

mod mariadb {
    crate::support::tests_on! { mariadb:
        keys_that_begin_to_change_without_triggers_are_found,
        columns_that_are_emptied_without_triggers_are_found,
        keys_that_begin_to_change_with_triggers_are_followed,
    }
}

fn cascade(table: &str, key: &str, on: &'static str, why: &'static str) -> Finding {
    Finding::CascadeNotCaptured {
        table: table.into(),
        key: key.into(),
        parent: "person".into(),
        on,
        why,
    }
}

const PARENT_BY_HOOK: &str = "rows that follow a changed key are recorded by the triggers of the table where it begins, which has none: \
     capture that by triggers, or accept that keys never change";
const NOT_DECLARED: &str =
    "no `belongs_to` relation of its entity declares this foreign key with its `on_delete`";

/// `metered` by triggers refers to `ware` by triggers, which refers to `person`.
async fn chain(db: &TestDb, to_person: &str) -> TestResult {
    build(db).await?;
    for sql in [
        "ALTER TABLE ware ADD UNIQUE (qty)",
        "ALTER TABLE metered ADD CONSTRAINT to_ware FOREIGN KEY (person_id) REFERENCES ware (qty) \
         ON UPDATE CASCADE",
        &format!(
            "ALTER TABLE ware ADD CONSTRAINT to_person FOREIGN KEY (qty) REFERENCES person (id) {to_person}"
        ),
    ] {
        db.execute_unprepared(sql).await?;
    }
    AuditTriggers::of::<ware::Entity>()
        .recreate(&db.conn)
        .await?;
    AuditTriggers::of::<metered::Entity>()
        .recreate(&db.conn)
        .await?;
    Ok(())
}

async fn keys_that_begin_to_change_without_triggers_are_found(db: &TestDb) -> TestResult {
    chain(db, "ON UPDATE CASCADE").await?;
    assert_eq!(
        found(db).await?,
        [cascade("ware", "to_person", "ON UPDATE", PARENT_BY_HOOK)]
    );
    Ok(())
}

async fn columns_that_are_emptied_without_triggers_are_found(db: &TestDb) -> TestResult {
    chain(db, "ON DELETE SET NULL").await?;
    assert_eq!(
        found(db).await?,
        [
            cascade("ware", "to_person", "ON DELETE", NOT_DECLARED),
            cascade("metered", "to_person", "ON DELETE", PARENT_BY_HOOK),
        ]
    );
    Ok(())
}

async fn keys_that_begin_to_change_with_triggers_are_followed(db: &TestDb) -> TestResult {
    chain(db, "").await?;
    assert_eq!(found(db).await?, []);
    for sql in [
        "INSERT INTO person VALUES (1, 'a', 'b'), (2, 'a', 'b')",
        "INSERT INTO ware VALUES (1, 'w', 1)",
        "INSERT INTO metered VALUES (1, 1)",
    ] {
        db.execute_unprepared(sql).await?;
    }
    db.forget().await?;
    db.execute_unprepared("UPDATE ware SET qty = 2").await?;
    let mut log = db.log().await?;
    log.sort();
    assert_eq!(
        log,
        [
            r#"UPDATE metered 1 {"person_id":{"new":2,"old":1}}"#,
            r#"UPDATE ware 1 {"qty":{"new":2,"old":1}}"#,
        ]
    );
    Ok(())
}
