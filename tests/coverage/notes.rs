//! Tables without triggers: the report is complete, and notes the writes that leave no record on SeaORM's own
//! connection.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, ModelTrait, QueryFilter, Set,
};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::migration::Note;

use crate::entities::{author, login};
use crate::support::{TestDb, TestResult};
use crate::{build, coverage};

on_every_database! {
    tables_without_triggers_are_noted_in_a_complete_report,
    noted_forms_leave_no_record_on_a_plain_connection,
    entity_with_triggers_is_not_noted,
    skipped_entity_is_not_noted,
}

async fn noted(db: &TestDb) -> TestResult<(Vec<String>, Vec<&'static str>)> {
    let report = coverage(&db.conn).await?;
    match &report.notes[..] {
        [Note::WithoutTriggers { tables, unseen }] => Ok((tables.clone(), unseen.to_vec())),
        other => Err(format!("{other:?}").into()),
    }
}

async fn tables_without_triggers_are_noted_in_a_complete_report(db: &TestDb) -> TestResult {
    build(db).await?;
    let report = coverage(&db.conn).await?;
    assert!(report.is_complete());
    let text = report.to_string();
    let (tables, unseen) = noted(db).await?;
    assert_eq!(tables.len(), 16, "{tables:?}");
    for table in ["author", "Odd \"Name\"", "membership"] {
        assert!(tables.iter().any(|noted| noted == table), "{tables:?}");
    }
    for table in ["ledger", "entry", "page", "cache", "audit_log"] {
        assert!(!tables.iter().any(|noted| noted == table), "{tables:?}");
    }
    let (_, notes) = text.split_once("\nnotes:\n").ok_or("no notes")?;
    let words = ["`author`", "`membership`", "AuditedConnection"];
    for word in words.iter().chain(&unseen) {
        assert!(notes.contains(word), "{word}\n{text}");
    }
    // An application that uses an `AuditedConnection` everywhere has a passing test.
    report.assert_complete()?;
    Ok(())
}

fn named(name: &str) -> author::ActiveModel {
    author::ActiveModel {
        note: Set(name.to_owned()),
        ..Default::default()
    }
}

fn known(id: i32) -> author::ActiveModel {
    author::ActiveModel {
        id: Set(id),
        note: Set("known".to_owned()),
    }
}

/// Writes by a form that a note lists.
async fn write<C: ConnectionTrait + 'static>(db: &C, form: &str) -> TestResult {
    use author::Entity;
    match form {
        "Entity::insert" => {
            Entity::insert(named("c")).exec(db).await?;
        }
        "Entity::insert_many" => {
            let two = [named("d"), named("e")];
            Entity::insert_many(two).exec(db).await?;
        }
        "Entity::update" => {
            Entity::update(known(101)).exec(db).await?;
        }
        "Entity::update_many" => {
            let all = Entity::update_many();
            all.set(named("f")).exec(db).await?;
        }
        "Entity::delete" => {
            Entity::delete(known(102)).exec(db).await?;
        }
        "Entity::delete_by_id" => {
            Entity::delete_by_id(102).exec(db).await?;
        }
        "Entity::delete_many" => {
            let second = author::Column::Id.eq(102);
            Entity::delete_many().filter(second).exec(db).await?;
        }
        "ActiveModel::update_without_returning" => {
            known(101).update_without_returning(db).await?;
        }
        "SQL as text" => {
            let sql = "UPDATE author SET note = 'g' WHERE id = 101";
            db.execute_unprepared(sql).await?;
        }
        "ON DELETE and ON UPDATE of a foreign key" => {
            let first = author::Entity::find_by_id(101).one(db).await?;
            first.ok_or("no author")?.delete(db).await?;
        }
        other => return Err(format!("no write by {other}").into()),
    }
    Ok(())
}

/// Two authors, the first one with a book.
async fn seed(db: &TestDb) -> TestResult {
    for sql in [
        "DELETE FROM book",
        "DELETE FROM author",
        "INSERT INTO author (id, note) VALUES (101, 'a'), (102, 'b')",
        "INSERT INTO book (id, parent_id) VALUES (101, 101)",
    ] {
        db.execute_unprepared(sql).await?;
    }
    Ok(db.forget().await?)
}

async fn noted_forms_leave_no_record_on_a_plain_connection(db: &TestDb) -> TestResult {
    build(db).await?;
    let (_, unseen) = noted(db).await?;
    // `matrix` in `tests/suite` covers junction rows.
    let forms = unseen.iter().filter(|form| !form.contains("junction"));
    for form in forms {
        // The author that hooks see deleted has a record; its book has none.
        let model = if form.starts_with("ON DELETE") {
            "book"
        } else {
            "author"
        };
        let count = async || -> TestResult<usize> {
            let records = db.records().await?.into_iter();
            let of_model = records.filter(|record| record.model.as_deref() == Some(model));
            Ok(of_model.count())
        };
        seed(db).await?;
        write(&db.conn, form).await?;
        assert_eq!(count().await?, 0, "{form}");
        seed(db).await?;
        write(&db.audited(), form).await?;
        assert!(count().await? > 0, "{form}");
    }
    Ok(())
}

async fn entity_with_triggers_is_not_noted(db: &TestDb) -> TestResult {
    build(db).await?;
    let config = AuditConfig::builder()
        .captured_by_trigger::<author::Entity>()
        .build()?;
    let (tables, _) = config.scope(noted(db)).await?;
    assert!(!tables.contains(&"author".to_owned()), "{tables:?}");
    assert!(tables.contains(&"book".to_owned()), "{tables:?}");
    Ok(())
}

async fn skipped_entity_is_not_noted(db: &TestDb) -> TestResult {
    build(db).await?;
    let config = AuditConfig::builder()
        .skip_entity::<login::Entity>()
        .build()?;
    let (tables, _) = config.scope(noted(db)).await?;
    assert!(!tables.contains(&"login".to_owned()), "{tables:?}");
    Ok(())
}
