//! Reservations of sign-in attempts, and the accounts by which attempts are counted.

use std::time::Duration;

use sea_orm::EntityTrait;
use sea_orm_audit::entity::audit_login_attempt::Entity as Attempts;
use sea_orm_audit::event::{
    Lockout, LockoutDecision, LoginAdmission, LoginAttempt, LoginReservation,
};
use sea_orm_audit::{Action, Actor, AuditConfig, AuditContext};

use crate::support::{TestDb, TestResult};

const LOCKOUT: Lockout = Lockout::per_user_and_address(3, Duration::from_mins(15));

async fn here<F: Future>(future: F) -> F::Output {
    let context = AuditContext::new().ip_address_as("192.0.2.1");
    context.scope(future).await
}

async fn reserve(db: &TestDb, name: &str) -> TestResult<LoginReservation> {
    match here(LOCKOUT.reserve(&db.conn, name, None)).await? {
        LoginAdmission::Admitted(reservation) => Ok(reservation),
        other => Err(format!("{other:?}").into()),
    }
}

async fn forget_attempts(db: &TestDb) -> TestResult {
    Attempts::delete_many().exec(&db.conn).await?;
    Ok(())
}

/// An attempt is a value, and may be recorded twice.
pub(crate) async fn reservation_that_has_its_outcome_is_neither_overwritten_nor_deleted(
    db: &TestDb,
) -> TestResult {
    let failed = LoginAttempt::failed("ann", "wrong password");
    let failed = failed.settles(reserve(db, "ann").await?);
    let first = here(failed.clone().record(&db.conn)).await?;
    let row = db.logins().await?.pop().ok_or("no row")?;
    assert_eq!((row.id, &*row.status), (first, "FAILED"));
    let second = here(failed.clone().record(&db.conn)).await?;
    assert_ne!(second, first);
    let rows = db.logins().await?;
    assert_eq!((rows.len(), &rows[0]), (2, &row), "the first is as it was");
    // Where failures are not recorded, a reservation is released.
    let skips = AuditConfig::builder().skip_action(Action::LoginFailed);
    skips.build()?.scope(here(failed.record(&db.conn))).await?;
    assert_eq!(db.logins().await?, rows);
    forget_attempts(db).await
}

/// The query for an ID uses its stored form.
pub(crate) async fn account_with_an_id_that_is_stored_otherwise_is_found_again(
    db: &TestDb,
) -> TestResult {
    for id in ["7".repeat(300), "a\0b".to_owned()] {
        let account = Actor::user(&id);
        // Each time under another name of the account.
        for name in ["ann", "ann@example.org", "Änn"] {
            let decision = LOCKOUT.check_account(&db.conn, "ann", &account);
            assert_eq!(here(decision).await?, LockoutDecision::Allowed, "{name}");
            let failed = LoginAttempt::failed(name, "wrong password").account(account.clone());
            here(failed.record(&db.conn)).await?;
        }
        let decision = here(LOCKOUT.check_account(&db.conn, "ann", &account)).await?;
        assert_ne!(decision, LockoutDecision::Allowed);
        forget_attempts(db).await?;
    }
    Ok(())
}

/// With a skipped action nothing is counted.
pub(crate) async fn failures_that_are_skipped_are_not_counted(db: &TestDb) -> TestResult {
    let skips = AuditConfig::builder().skip_action(Action::LoginFailed);
    let skips = skips.build()?;
    for _ in 0..5 {
        let failed = LoginAttempt::failed("ann", "wrong password");
        let failed = failed.settles(skips.scope(reserve(db, "ann")).await?);
        assert_eq!(skips.scope(here(failed.record(&db.conn))).await?, 0);
    }
    assert!(db.logins().await?.is_empty());
    Ok(())
}
