//! Errors are distinguished by their codes: the text of a value or a message has no effect.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, TransactionTrait};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::error::Cause;
use sea_orm_audit::{AuditConfig, AuditError};

use crate::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    refused_record_with_hostile_text_is_a_refused_record,
    refused_record_with_hostile_text_leaves_the_transaction_usable,
    hostile_duplicate_leaves_the_transaction_open,
}

/// The texts of drivers for errors that end a transaction, or for a missing table.
const HOSTILE: &str = "no such table: audit_log, unknown database x, number: 1213, number: 1146, \
                       SqliteError { code: 13, code: \"42P01\", code: \"25P02\"";

/// Makes the log refuse each record, with a text like that of other errors.
async fn refuse_with_hostile_text(db: &TestDb) -> TestResult {
    let sql = match db.backend() {
        DbBackend::Sqlite => format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON audit_log \
             BEGIN SELECT RAISE(ABORT, '{HOSTILE}'); END"
        ),
        DbBackend::MySql => format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON audit_log FOR EACH ROW \
             SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{}'",
            &HOSTILE[..120]
        ),
        _ => format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION '{HOSTILE}'; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse()"
        ),
    };
    db.execute_unprepared(&sql).await?;
    Ok(())
}

async fn refused_record_with_hostile_text_is_a_refused_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_with_hostile_text(db).await?;
    let error = post::new("a").insert(&db.conn).await.unwrap_err();
    let cause = AuditError::of(&error).and_then(AuditError::cause);
    assert!(matches!(cause, Some(Cause::Insert { .. })), "{error:?}");
    let error = post::new("b").insert(&db.audited()).await.unwrap_err();
    let cause = AuditError::of(&error).and_then(AuditError::cause);
    assert!(matches!(cause, Some(Cause::Insert { .. })), "{error:?}");
    Ok(())
}

async fn refused_record_with_hostile_text_leaves_the_transaction_usable(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_with_hostile_text(db).await?;
    let isolate = AuditConfig::builder()
        .failure_policy(FailurePolicy::Isolate)
        .build()?;
    let run = async {
        let tx = db.begin().await?;
        post::new("a").insert(&tx).await?;
        post::new("b").insert(&tx).await?;
        tx.commit().await?;
        let tx = db.audited().begin().await?;
        post::new("c").insert(&tx).await?;
        post::new("d").insert(&tx).await?;
        tx.commit().await?;
        TestResult::Ok(())
    };
    isolate.scope(run).await?;
    assert_eq!(post::Entity::find().all(&db.conn).await?.len(), 4);
    Ok(())
}

async fn hostile_duplicate_leaves_the_transaction_open(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    post::new("number: 1213,").insert(&db.conn).await?;
    post::new("SqliteError { code: 13,")
        .insert(&db.conn)
        .await?;
    db.forget().await?;
    for title in ["number: 1213,", "SqliteError { code: 13,"] {
        let tx = db.audited().begin().await?;
        post::new(&format!("before {title}")).insert(&tx).await?;
        let inner = tx.begin().await?;
        let refused = post::new(title).insert(&inner).await;
        assert!(refused.is_err(), "{refused:?}");
        inner.rollback().await?;
        post::new(&format!("after {title}")).insert(&tx).await?;
        tx.commit().await?;
        let tx = db.begin().await?;
        let inner = tx.begin().await?;
        let refused = post::new(title).insert(&inner).await;
        assert!(refused.is_err(), "{refused:?}");
        inner.rollback().await?;
        post::new(&format!("hooked {title}")).insert(&tx).await?;
        tx.commit().await?;
    }
    assert_eq!(db.records().await?.len(), 6);
    Ok(())
}
