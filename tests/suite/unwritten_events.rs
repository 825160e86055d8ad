//! Logins, exports and events of the system that cannot be written, and the range of their times.

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbBackend, MockDatabase};
use sea_orm_audit::context::migration_mode;
use sea_orm_audit::event::{
    DataExport, EventType, Lockout, LockoutDecision, LoginAttempt, SystemEvent, record_logout,
};
use sea_orm_audit::query::Summary;
use sea_orm_audit::{Action, Actor, AuditConfig, AuditContext, AuditError};

use crate::support::{HandClock, TestDb, TestResult};

on_every_database! {
    skipped_action_is_neither_row_nor_record,
    migration_mode_keeps_logins_and_exports_out,
    time_after_2038_is_a_time,
}

/// Signs in, fails to, signs out, exports and downloads; the ids.
async fn everything(db: &DatabaseConnection) -> Result<[i64; 3], AuditError> {
    let ids = [
        LoginAttempt::succeeded("ann", Actor::user(7))
            .record(db)
            .await?,
        LoginAttempt::failed("ann", "wrong password")
            .record(db)
            .await?,
        DataExport::new("customers").record(db).await?,
    ];
    record_logout(db).await?;
    DataExport::record_download(db, ids[2]).await?;
    Ok(ids)
}

async fn counts(db: &TestDb) -> TestResult<[usize; 3]> {
    Ok([
        db.records().await?.len(),
        db.logins().await?.len(),
        db.exports().await?.len(),
    ])
}

async fn skipped_action_is_neither_row_nor_record(db: &TestDb) -> TestResult {
    let config = AuditConfig::builder()
        .skip_action(Action::Login)
        .skip_action(Action::Logout)
        .skip_action(Action::Export)
        .build()?;
    let ids = config.scope(everything(&db.conn)).await?;
    assert_eq!((ids[0], ids[2]), (0, 0));
    assert_eq!(counts(db).await?, [1, 1, 0]);
    assert_eq!(db.records().await?[0].action, "LOGIN_FAILED");
    Ok(())
}

async fn migration_mode_keeps_logins_and_exports_out(db: &TestDb) -> TestResult {
    let ids = migration_mode("test", everything(&db.conn)).await?;
    assert_eq!((ids, counts(db).await?), ([0; 3], [0; 3]));
    Ok(())
}

#[tokio::test]
async fn mock_connection_sees_no_event() -> TestResult {
    let db = MockDatabase::new(DbBackend::Postgres).into_connection();
    assert_eq!(everything(&db).await?, [0; 3]);
    let event = SystemEvent::new(EventType::Info, "an event");
    assert_eq!(event.record(&db).await?, 0);
    assert_eq!(db.into_transaction_log(), []);
    Ok(())
}

/// MySQL's TIMESTAMP ends there; a column or a parameter of that type would.
async fn time_after_2038_is_a_time(db: &TestDb) -> TestResult {
    let clock = HandClock::at("2040-02-29T23:59:59.123456Z")?;
    let test = async {
        let now = AuditConfig::current().now();
        let ids = everything(&db.conn).await?;
        let event = || SystemEvent::new(EventType::Info, "an event").record(&db.conn);
        assert_eq!(event().await?, event().await?);
        assert_eq!(db.logins().await?[0].occurred_at, now);
        assert_eq!(db.exports().await?[0].occurred_at, now);
        assert_eq!(db.exports().await?[0].last_downloaded_at, Some(now));
        let event = db.events().await?.remove(0);
        assert_eq!((event.occurred_at, event.occurrences), (now, 2));
        assert!(SystemEvent::resolve(&db.conn, event.id, "Ann", "").await?);
        assert_eq!(db.events().await?[0].resolved_at, Some(now));
        assert_ne!(ids[2], 0);
        let lockout = Lockout::per_address(1, Duration::from_mins(15));
        let decision = lockout.check(&db.conn, "ann").await?;
        assert_ne!(decision, LockoutDecision::Allowed);
        let day = Duration::from_hours(24);
        let summary = Summary::between(now - day, now + day);
        let summary = summary.fetch(&db.conn).await?;
        assert_eq!(summary.by_day.len(), 1);
        assert_eq!(summary.by_day[0].name.as_deref(), Some("2040-02-29"));
        assert_eq!((summary.by_day[0].count, summary.exports.count), (5, 1));
        TestResult::Ok(())
    };
    // The address by which the attempts are counted.
    let context = AuditContext::new().ip_address_as("192.0.2.1");
    clock.config().build()?.scope(context.scope(test)).await
}
