//! Errors of the log say first what happened and how to fix it, and name the tables.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, TransactionTrait};
use sea_orm_audit::config::StatementPolicy;
use sea_orm_audit::{AuditConfig, AuditError};

use crate::post;
use crate::support::{TestDb, TestResult, refuse_records_of};

on_every_database! {
    audit_errors_say_what_happened_first,
}

/// The error of the log, and the SeaORM error around it.
fn texts(error: &DbErr) -> (String, String) {
    let audit = AuditError::of(error).map(ToString::to_string);
    (audit.unwrap_or_default(), error.to_string())
}

async fn audit_errors_say_what_happened_first(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_records_of(db, "a").await?;

    let error = post::new("a1").insert(&db.conn).await.unwrap_err();
    let (audit, whole) = texts(&error);
    let what = "the change is already committed, but has no audit record: do not retry it";
    assert!(audit.starts_with(what), "{audit}");
    assert!(
        audit.contains("`post`") && audit.contains("`audit_log`"),
        "{audit}"
    );
    let words = "Error converting `committed change` into `audit record`: ";
    assert_eq!(whole, format!("{words}{audit}"));

    let tx = db.begin().await?;
    let error = post::new("a2").insert(&tx).await.unwrap_err();
    let (audit, _) = texts(&error);
    let what = "the transaction has a change without an audit record: roll it back: ";
    assert!(audit.starts_with(what), "{audit}");
    assert!(
        audit.contains("`post`") && audit.contains("`audit_log`"),
        "{audit}"
    );
    tx.rollback().await?;

    let error = post::new("a3").insert(&db.audited()).await.unwrap_err();
    let (audit, _) = texts(&error);
    let what = "the change was rolled back, as it could not be recorded: ";
    assert!(audit.starts_with(what), "{audit}");
    assert!(audit.contains("`audit_log`"), "{audit}");

    let tx = db.audited().begin().await?;
    post::new("a4").insert(&tx).await?;
    let error = tx.commit().await.unwrap_err();
    let (audit, whole) = texts(&error);
    let what = "nothing was committed, the transaction was rolled back: ";
    assert!(audit.starts_with(what), "{audit}");
    assert!(!audit.contains("roll it back"), "{audit}");
    let words = "Error converting `open transaction` into `committed transaction`: ";
    assert_eq!(whole, format!("{words}{audit}"));
    Ok(())
}
