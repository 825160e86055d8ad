//! Conditions that could prevent a change from being recorded once and readably.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::AuditTriggers;
use serde_json::json;

use crate::support::{TestDb, TestResult};
use crate::{change, client, taken, watched};

mod mariadb {
    crate::support::tests_on! { mariadb:
        every_record_can_be_read,
        table_of_another_name_loses_the_triggers_of_the_old_one,
        true_stays_true,
        missing_definer_is_reported,
        values_of_a_megabyte_are_recorded,
    }
}

macro_rules! entity {
    ($name:ident, $table:tt) => {
        mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = $table)]
            #[audit(capture = "trigger")]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub id: i32,
                #[sea_orm(column_type = "Text")]
                pub body: Option<Json>,
                pub done: bool,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        }
    };
}
entity!(paper, "paper");
entity!(sheet, "sheet");

async fn every_record_can_be_read(db: &TestDb) -> TestResult {
    watched(db, paper::Entity).await?;
    for odd in [
        r#"{"a":1e400}"#,
        r#"{"a": -1E+999 }"#,
        "[1.]",
        "[-]",
        "[1e]",
        "1e400",
        &format!("[{}]", "9".repeat(400)),
        // MariaDB takes any character after a backslash for an escape.
        r#"{"path": "C:\Users\ann"}"#,
        r#"{"\q": "x"}"#,
        r#"["é\z", "\u00e9"]"#,
    ] {
        let body = odd.replace('\\', r"\\");
        let written = format!("REPLACE INTO paper VALUES (1, '{body}', 0)");
        client(db, &written).await?;
        let records = db.records().await?;
        let last = records.last().ok_or("no record")?;
        assert_eq!(change(last, "body", "new"), Some(json!(odd)), "{odd}");
    }
    for ordinary in [
        r#"{"a":-1.5e-7,"b":[0,10,1e22],"c":"[1e400] at 12:30:00","hash":"12e4567"}"#,
        "-0.5",
        r#"["1."]"#,
        r#"{"a": "\"\\\b\f\n\r\t\/\u00e9 \ud83d\ude00"}"#,
    ] {
        let body = ordinary.replace('\\', r"\\");
        client(db, &format!("REPLACE INTO paper VALUES (1, '{body}', 0)")).await?;
        let records = db.records().await?;
        let last = records.last().ok_or("no record")?;
        let value: serde_json::Value = serde_json::from_str(ordinary)?;
        assert_eq!(change(last, "body", "new"), Some(value), "{ordinary}");
    }
    let logged = r#"{"actor_id": "7", "metadata": {"a": 1e400}}"#;
    client(
        db,
        &format!(
            "BEGIN; REPLACE INTO audit_trigger_context (connection_id, context) VALUES (CONNECTION_ID(), '{logged}'); \
             DELETE FROM paper; DELETE FROM audit_trigger_context; COMMIT"
        ),
    )
    .await?;
    let records = db.records().await?;
    let last = records.last().ok_or("no record")?;
    assert_eq!(
        (last.actor_id.as_deref(), &last.metadata),
        (Some("7"), &None)
    );
    Ok(())
}

async fn table_of_another_name_loses_the_triggers_of_the_old_one(db: &TestDb) -> TestResult {
    watched(db, paper::Entity).await?;
    db.execute_unprepared("RENAME TABLE paper TO sheet").await?;
    let triggers = AuditTriggers::of::<sheet::Entity>();
    assert!(!triggers.check(&db.conn).await?.is_current());
    triggers.recreate(&db.conn).await?;
    assert!(triggers.check(&db.conn).await?.is_current());
    client(db, "INSERT INTO sheet VALUES (1, NULL, 0)").await?;
    let log = taken(db).await?;
    assert!(
        log.len() == 1 && log[0].starts_with("CREATE sheet 1"),
        "{log:?}"
    );
    Ok(())
}

async fn true_stays_true(db: &TestDb) -> TestResult {
    watched(db, paper::Entity).await?;
    client(
        db,
        "ALTER TABLE paper MODIFY done INT; INSERT INTO paper VALUES (1, NULL, 1)",
    )
    .await?;
    taken(db).await?;
    client(db, "UPDATE paper SET done = 2").await?;
    assert_eq!(taken(db).await?, [""; 0]);
    client(db, "UPDATE paper SET done = NULL").await?;
    assert_eq!(taken(db).await?.len(), 1);
    Ok(())
}

async fn missing_definer_is_reported(db: &TestDb) -> TestResult {
    watched(db, paper::Entity).await?;
    let triggers = AuditTriggers::of::<paper::Entity>();
    client(
        db,
        "CREATE USER audit_gone@localhost; GRANT ALL ON *.* TO audit_gone@localhost; \
         DROP TRIGGER sea_orm_audit_delete_paper; \
         CREATE DEFINER = audit_gone@localhost TRIGGER sea_orm_audit_delete_paper AFTER DELETE ON paper \
         FOR EACH ROW SET @x = 1",
    )
    .await?;
    assert!(triggers.check(&db.conn).await?.faults.is_empty());
    client(db, "DROP USER audit_gone@localhost").await?;
    let check = triggers.check(&db.conn).await?;
    assert!(
        check.faults.len() == 1 && check.faults[0].contains("`audit_gone@localhost`"),
        "{check}"
    );
    triggers.recreate(&db.conn).await?;
    assert!(triggers.check(&db.conn).await?.is_current());
    Ok(())
}

async fn values_of_a_megabyte_are_recorded(db: &TestDb) -> TestResult {
    watched(db, paper::Entity).await?;
    let text =
        |letter: &str, times: usize| format!("CONCAT('\"', REPEAT('{letter}', {times}), '\"')");
    let (old, new) = (text("ä", 1 << 19), text("b", 1 << 20));
    client(
        db,
        &format!(
            "ALTER TABLE paper MODIFY body LONGTEXT CHARACTER SET utf8mb4; \
             INSERT INTO paper VALUES (1, {old}, 0); UPDATE paper SET body = {new}; DELETE FROM paper"
        ),
    )
    .await?;
    let records = db.records().await?;
    let length = |at: usize, word: &str| {
        let value = change(&records[at], "body", word);
        value.and_then(|value| value.as_str().map(str::len))
    };
    assert_eq!(records.len(), 3);
    assert_eq!(length(0, "new"), Some(1 << 20));
    assert_eq!(
        (length(1, "old"), length(1, "new")),
        (Some(1 << 20), Some(1 << 20))
    );
    assert_eq!(length(2, "old"), Some(1 << 20));
    Ok(())
}
