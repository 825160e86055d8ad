//! Tables of several entities.

use sea_orm::ConnectionTrait;
use sea_orm_audit::AuditConfig;
use sea_orm_audit::migration::{AuditTriggers, Captured, Finding};

use crate::entities::{person, person_brief, shelf, shelf_brief};
use crate::support::{TestDb, TestResult};
use crate::{build, coverage, found};

on_every_database! {
    column_left_out_by_one_entity_is_recorded_by_another,
    column_of_a_skipped_entity_is_not_recorded,
    hooks_of_one_entity_beside_triggers_of_another_are_found,
    triggers_of_one_of_several_entities_will_do,
    connection_records_by_the_entity_that_knows_most,
}

fn unknown(column: &str) -> Finding {
    Finding::ColumnNotCaptured {
        table: "person".into(),
        column: column.into(),
    }
}

async fn column_left_out_by_one_entity_is_recorded_by_another(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("ALTER TABLE person ADD COLUMN born INT")
        .await?;
    assert_eq!(found(db).await?, [unknown("born")]);
    db.execute_unprepared("ALTER TABLE person RENAME COLUMN born TO died")
        .await?;
    assert_eq!(found(db).await?, [unknown("died")]);
    Ok(())
}

async fn column_of_a_skipped_entity_is_not_recorded(db: &TestDb) -> TestResult {
    build(db).await?;
    let config = AuditConfig::builder()
        .skip_entity::<person::Entity>()
        .build()?;
    assert_eq!(config.scope(found(db)).await?, [unknown("note")]);
    let config = AuditConfig::builder()
        .skip_entity::<person_brief::Entity>()
        .build()?;
    assert_eq!(config.scope(found(db)).await?, []);
    Ok(())
}

async fn hooks_of_one_entity_beside_triggers_of_another_are_found(db: &TestDb) -> TestResult {
    build(db).await?;
    let config = AuditConfig::builder()
        .captured_by_trigger::<person::Entity>()
        .build()?;
    let triggers = AuditTriggers::of::<person::Entity>();
    config.scope(triggers.create(&db.conn)).await?;
    let twice = Finding::RecordedTwice {
        table: "person".into(),
    };
    assert_eq!(config.scope(found(db)).await?, [twice]);
    let report = config.scope(coverage(&db.conn)).await?;
    let row = report.tables.iter().find(|row| row.table == "person");
    assert_eq!(row.map(|row| row.captured), Some(Captured::Trigger));
    // The triggers record what the skipped entity must not record.
    let config = AuditConfig::builder()
        .captured_by_trigger::<person::Entity>()
        .skip_entity::<person_brief::Entity>()
        .build()?;
    assert_eq!(config.scope(found(db)).await?, []);
    Ok(())
}

async fn triggers_of_one_of_several_entities_will_do(db: &TestDb) -> TestResult {
    build(db).await?;
    let (whole, brief) = (
        AuditTriggers::of::<shelf::Entity>(),
        AuditTriggers::of::<shelf_brief::Entity>(),
    );
    // The triggers of the whole entity exist: the other entity adds nothing.
    assert_eq!(found(db).await?, []);

    // These triggers leave out a column and deleted rows.
    whole.drop(&db.conn).await?;
    brief.create(&db.conn).await?;
    let left_out = Finding::ColumnNotCaptured {
        table: "shelf".into(),
        column: "note".into(),
    };
    let findings = found(db).await?;
    assert!(
        matches!(&findings[..], [Finding::TriggersMissing { table, names }, column]
            if table == "shelf" && names.iter().all(|name| !name.contains("insert")) && *column == left_out),
        "{findings:#?}"
    );
    for sql in [
        "INSERT INTO shelf VALUES (1, 'a', 'b')",
        "DELETE FROM shelf",
    ] {
        db.execute_unprepared(sql).await?;
    }
    let created = r#"CREATE shelf_brief 1 {"id":{"new":1},"name":{"new":"a"}}"#;
    assert_eq!(db.log().await?, [created]);

    // Without any of the triggers there is one finding.
    brief.drop(&db.conn).await?;
    let findings = found(db).await?;
    assert!(
        matches!(&findings[..], [Finding::TriggersMissing { table, .. }] if table == "shelf"),
        "{findings:#?}"
    );

    whole.create(&db.conn).await?;
    assert_eq!(found(db).await?, []);
    Ok(())
}

async fn connection_records_by_the_entity_that_knows_most(db: &TestDb) -> TestResult {
    build(db).await?;
    let connection = db.audited();
    for sql in [
        "INSERT INTO person (id, name, note) VALUES (1, 'a', 'b')",
        "UPDATE person SET note = 'c' WHERE id = 1",
    ] {
        connection.execute_unprepared(sql).await?;
    }
    assert_eq!(
        db.log().await?,
        [
            r#"CREATE person 1 {"id":{"new":1},"name":{"new":"a"},"note":{"new":"b"}}"#,
            r#"UPDATE person 1 {"note":{"new":"c","old":"b"}}"#,
        ]
    );
    Ok(())
}
