//! Migrations of a table that has triggers.

use sea_orm::{ActiveModelTrait, ConnectionTrait, Set};
use sea_orm_audit::migration::AuditTriggers;
use serde_json::json;

use crate::differences;
use crate::support::{TestDb, TestResult};
use crate::{client, taken, watched};

mod mariadb {
    crate::support::tests_on! { mariadb:
        column_that_is_gone_stops_no_write,
        column_that_came_is_recorded_once_the_entity_has_it,
        column_of_another_type_stops_no_write,
        key_that_is_gone_stops_no_write,
        log_that_cannot_be_written_fails_the_write,
    }
}

mod ware {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "ware")]
    #[audit(capture = "trigger", display = "{name}")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: Option<String>,
        pub qty: Option<i32>,
        pub day: Option<Date>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn column_that_is_gone_stops_no_write(db: &TestDb) -> TestResult {
    watched(db, ware::Entity).await?;
    let triggers = AuditTriggers::of::<ware::Entity>();
    let row = ware::ActiveModel {
        name: Set(Some("a".into())),
        qty: Set(Some(1)),
        ..Default::default()
    };
    row.insert(&db.conn).await?;
    taken(db).await?;
    for change in ["DROP COLUMN qty", "RENAME COLUMN name TO title"] {
        db.execute_unprepared(&format!("ALTER TABLE ware {change}"))
            .await?;
        assert!(
            !differences(triggers, &db.conn).await?.is_empty(),
            "{change}"
        );
        client(
            db,
            "INSERT INTO ware (id, day) VALUES (2, '2026-11-25'); UPDATE ware SET day = '2000-01-01'; \
             DELETE FROM ware WHERE id = 2",
        )
        .await?;
        let records = db.records().await?;
        assert_eq!(records.len(), 4, "{change}");
        for record in &records {
            assert_eq!(record.metadata, Some(json!({"trigger_out_of_date": true})));
            assert!(record.changes.as_ref().unwrap().get("day").is_some());
        }
        assert_eq!(records[0].object_id.as_deref(), Some("2"));
        db.forget().await?;
        client(db, "UPDATE ware SET day = NULL").await?;
        taken(db).await?;
    }
    triggers.recreate(&db.conn).await?;
    assert_eq!(differences(triggers, &db.conn).await?, [""; 0]);
    client(db, "UPDATE ware SET day = '2000-01-01'").await?;
    let record = db.record().await?;
    assert_eq!(record.metadata, None);
    assert_eq!(
        record.changes,
        Some(json!({"day": {"old": null, "new": "2000-01-01"}}))
    );
    Ok(())
}

async fn column_that_came_is_recorded_once_the_entity_has_it(db: &TestDb) -> TestResult {
    db.create(ware::Entity).await?;
    db.execute_unprepared("ALTER TABLE ware DROP COLUMN qty")
        .await?;
    let triggers = AuditTriggers::of::<ware::Entity>();
    triggers.create(&db.conn).await?;
    db.execute_unprepared("ALTER TABLE ware ADD COLUMN qty INT")
        .await?;
    assert_eq!(differences(triggers, &db.conn).await?.len(), 3);
    client(
        db,
        "INSERT INTO ware (id, qty) VALUES (1, 1); UPDATE ware SET qty = 2",
    )
    .await?;
    assert_eq!(taken(db).await?.len(), 1);
    triggers.recreate(&db.conn).await?;
    client(db, "UPDATE ware SET qty = 3").await?;
    assert_eq!(
        taken(db).await?,
        [r#"UPDATE ware 1 {"qty":{"new":3,"old":2}}"#]
    );
    Ok(())
}

async fn column_of_another_type_stops_no_write(db: &TestDb) -> TestResult {
    watched(db, ware::Entity).await?;
    db.execute_unprepared(
        "ALTER TABLE ware MODIFY qty VARCHAR(20), MODIFY day TEXT, MODIFY name JSON",
    )
    .await?;
    client(
        db,
        "INSERT INTO ware (id, qty, day, name) VALUES (1, 'many', 'tomorrow', '{}'); \
         UPDATE ware SET qty = 'few', day = 'never', name = '[]'; DELETE FROM ware",
    )
    .await?;
    assert_eq!(taken(db).await?.len(), 3);
    let triggers = AuditTriggers::of::<ware::Entity>();
    assert!(!differences(triggers, &db.conn).await?.is_empty());
    triggers.recreate(&db.conn).await?;
    client(
        db,
        "INSERT INTO ware (id, qty) VALUES (1, '12abc'); UPDATE ware SET qty = '12xyz'",
    )
    .await?;
    assert_eq!(
        taken(db).await?[1],
        r#"UPDATE ware 1 {"qty":{"new":"12xyz","old":"12abc"}}"#
    );
    Ok(())
}

async fn key_that_is_gone_stops_no_write(db: &TestDb) -> TestResult {
    watched(db, ware::Entity).await?;
    db.execute_unprepared("ALTER TABLE ware RENAME COLUMN id TO number")
        .await?;
    client(
        db,
        "INSERT INTO ware (qty) VALUES (1); UPDATE ware SET qty = 2; DELETE FROM ware",
    )
    .await?;
    let records = db.records().await?;
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.object_id.is_none()));
    Ok(())
}

async fn log_that_cannot_be_written_fails_the_write(db: &TestDb) -> TestResult {
    watched(db, ware::Entity).await?;
    db.execute_unprepared("RENAME TABLE audit_log TO elsewhere")
        .await?;
    assert!(
        client(db, "INSERT INTO ware (qty) VALUES (1)")
            .await
            .is_err()
    );
    assert_eq!(client(db, "SELECT COUNT(*) FROM ware").await?, "0\n");
    Ok(())
}
