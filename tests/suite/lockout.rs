//! When a sign-in attempt should be refused. The tests move the time manually.
//!
//! One file, because its cases share one door and its clock.

use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, TransactionTrait,
};
use sea_orm_audit::config::HashKey;
use sea_orm_audit::entity::audit_login_attempt::Entity as Attempts;
use sea_orm_audit::event::{Lockout, LockoutDecision, LoginAdmission, LoginAttempt, LoginStatus};
use sea_orm_audit::{Actor, AuditContext};

use crate::support::{HandClock, TestDb, TestResult, refuse_rows};

on_every_database! {
    name_is_blocked_at_the_threshold_and_not_below,
    success_ends_the_count,
    logout_neither_counts_nor_ends_the_count,
    the_window_rolls,
    cool_down_of_its_own_counts_from_the_last_failure,
    blocked_attempts_do_not_prolong_it,
    client_of_another_address_is_not_locked_out,
    address_is_blocked_whatever_the_names,
    address_is_blocked_although_a_user_signs_in_from_it,
    unknown_address_blocks_no_attempt,
    name_is_one_however_it_is_written,
    network_of_ipv6_is_one_address,
    account_is_one_whatever_its_names,
    unknown_names_are_blocked_as_well,
    address_that_is_too_long_is_found_again,
    check_is_one_statement,
    success_of_another_account_does_not_end_the_count,
    parallel_attempts_do_not_pass_the_threshold,
    reservation_counts_until_its_outcome_or_its_lease,
    reservation_becomes_the_row_of_its_outcome,
    attempts_behind_one_that_waits_for_the_database_are_busy,
    busy_lasts_until_a_lease_ends_where_no_attempt_has_just_begun,
    success_that_cannot_be_recorded_does_not_count_and_a_failure_does,
}

const WINDOW: Duration = Duration::from_mins(15);
const MINUTE: Duration = Duration::from_mins(1);
const HERE: &str = "192.0.2.1";
const THERE: &str = "198.51.100.1";

/// A database, a clock, and sign-ins from an address.
struct Door<'t> {
    db: &'t TestDb,
    clock: HandClock,
    /// Whether names without an account are distinguished by a key.
    key: bool,
}

impl<'t> Door<'t> {
    fn new(db: &'t TestDb) -> TestResult<Self> {
        let clock = HandClock::at("2026-11-23T12:00:00Z")?;
        let key = true;
        Ok(Self { db, clock, key })
    }

    async fn from<F: Future>(&self, address: &str, future: F) -> TestResult<F::Output> {
        let mut config = self.clock.config();
        if self.key {
            config = config.hash_key(HashKey::from_bytes("k1", &[1; 32])?);
        }
        let context = AuditContext::new().ip_address_as(address);
        Ok(config.build()?.scope(context.scope(future)).await)
    }

    /// A client tries to sign in, with the account 7 if `known`; a minute passes.
    async fn attempt(
        &self,
        status: LoginStatus,
        name: &str,
        address: &str,
        known: bool,
    ) -> TestResult {
        let account = Actor::user(7);
        let attempt = match status {
            LoginStatus::Success => LoginAttempt::succeeded(name, account.clone()),
            LoginStatus::Failed => LoginAttempt::failed(name, "wrong password"),
            _ => LoginAttempt::blocked(name, "too many failures"),
        };
        let attempt = if known {
            attempt.account(account)
        } else {
            attempt
        };
        self.from(address, attempt.record(&self.db.conn)).await??;
        self.clock.forward(MINUTE);
        Ok(())
    }

    async fn fail(&self, name: &str, address: &str) -> TestResult {
        self.attempt(LoginStatus::Failed, name, address, true).await
    }

    /// The minutes that are left; 0 when the attempt is allowed.
    async fn left(&self, lockout: Lockout, name: &str, address: &str) -> TestResult<u64> {
        let decision = lockout.check(&self.db.conn, name);
        Ok(match self.from(address, decision).await?? {
            LockoutDecision::Allowed => 0,
            LockoutDecision::Blocked { retry_after } => {
                assert_eq!(retry_after.as_secs() % 60, 0, "{retry_after:?}");
                retry_after.as_secs() / 60
            }
        })
    }
}

const fn by_user() -> Lockout {
    Lockout::per_user_and_address(3, WINDOW)
}

async fn name_is_blocked_at_the_threshold_and_not_below(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    for _ in 0..3 {
        assert_eq!(door.left(by_user(), "ann", HERE).await?, 0);
        door.fail("ann", HERE).await?;
    }
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 14);
    assert_eq!(door.left(by_user(), "bob", HERE).await?, 0);
    // The last minute, and the time after it.
    door.clock.forward(13 * MINUTE);
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 1);
    door.clock.forward(MINUTE);
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 0);
    // The old failures are too old to count with a new one.
    door.fail("ann", HERE).await?;
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 0);
    Ok(())
}

async fn success_ends_the_count(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    door.fail("ann", HERE).await?;
    door.fail("ann", HERE).await?;
    door.attempt(LoginStatus::Success, "ann", HERE, true)
        .await?;
    door.fail("ann", HERE).await?;
    door.fail("ann", HERE).await?;
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 0);
    door.fail("ann", HERE).await?;
    assert_ne!(door.left(by_user(), "ann", HERE).await?, 0);
    Ok(())
}

/// A user of the same address signs out while another client guesses.
async fn logout_neither_counts_nor_ends_the_count(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    door.fail("ann", HERE).await?;
    door.fail("ann", HERE).await?;
    let logout = LoginAttempt::signed_out(Actor::user(7)).record(&db.conn);
    door.from(HERE, logout).await??;
    let account = Actor::user(7);
    let lockout = by_user();
    let check = || lockout.check_account(&db.conn, "ann", &account);
    assert_eq!(door.from(HERE, check()).await??, LockoutDecision::Allowed);
    door.fail("ann", HERE).await?;
    let blocked = door.from(HERE, check()).await??;
    assert_ne!(blocked, LockoutDecision::Allowed);
    Ok(())
}

async fn the_window_rolls(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    // Three failures within sixteen minutes, one more than the window.
    door.fail("ann", HERE).await?;
    door.fail("ann", HERE).await?;
    door.clock.forward(14 * MINUTE);
    door.fail("ann", HERE).await?;
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 0);
    // The last three are within it.
    door.fail("ann", HERE).await?;
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 0);
    door.fail("ann", HERE).await?;
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 14);
    Ok(())
}

async fn cool_down_of_its_own_counts_from_the_last_failure(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    for _ in 0..3 {
        door.fail("ann", HERE).await?;
    }
    let short = by_user().cool_down(2 * MINUTE);
    let long = by_user().cool_down(Duration::from_hours(10));
    assert_eq!(door.left(short, "ann", HERE).await?, 1);
    assert_eq!(door.left(long, "ann", HERE).await?, 599);
    door.clock.forward(MINUTE);
    assert_eq!(door.left(short, "ann", HERE).await?, 0);
    // Longer than the window: old failures still count.
    door.clock.forward(60 * MINUTE);
    assert_eq!(door.left(long, "ann", HERE).await?, 538);
    let ever = by_user().cool_down(Duration::MAX);
    let decision = ever.check(&db.conn, "ann");
    let decision = door.from(HERE, decision).await??;
    assert_ne!(decision, LockoutDecision::Allowed);
    Ok(())
}

async fn blocked_attempts_do_not_prolong_it(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    for _ in 0..3 {
        door.fail("ann", HERE).await?;
    }
    for left in (1..15).rev() {
        assert_eq!(door.left(by_user(), "ann", HERE).await?, left);
        door.attempt(LoginStatus::Blocked, "ann", HERE, true)
            .await?;
    }
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 0);
    Ok(())
}

async fn client_of_another_address_is_not_locked_out(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    for _ in 0..5 {
        door.fail("ann", THERE).await?;
    }
    assert_ne!(door.left(by_user(), "ann", THERE).await?, 0);
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 0);
    // A success here does not unblock the attacker.
    door.attempt(LoginStatus::Success, "ann", HERE, true)
        .await?;
    assert_ne!(door.left(by_user(), "ann", THERE).await?, 0);
    Ok(())
}

async fn address_is_blocked_whatever_the_names(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    let lockout = Lockout::per_address(3, WINDOW);
    for name in ["ann", "bob", "cleo"] {
        assert_eq!(door.left(lockout, "dora", HERE).await?, 0);
        door.fail(name, HERE).await?;
    }
    assert_eq!(door.left(lockout, "dora", HERE).await?, 14);
    assert_eq!(door.left(lockout, "ann", THERE).await?, 0);
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 0);
    Ok(())
}

async fn address_is_blocked_although_a_user_signs_in_from_it(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    let lockout = Lockout::per_address(3, WINDOW);
    // The guessing client has an account of its own.
    for _ in 0..3 {
        assert_eq!(door.left(lockout, "admin", HERE).await?, 0);
        door.fail("admin", HERE).await?;
        door.attempt(LoginStatus::Success, "mallory", HERE, true)
            .await?;
    }
    assert_ne!(door.left(lockout, "admin", HERE).await?, 0);
    Ok(())
}

async fn unknown_address_blocks_no_attempt(db: &TestDb) -> TestResult {
    for _ in 0..3 {
        LoginAttempt::failed("ann", "wrong password")
            .account(Actor::user(7))
            .record(&db.conn)
            .await?;
    }
    let by_address = Lockout::per_address(3, WINDOW);
    assert_eq!(
        by_address.check(&db.conn, "bob").await?,
        LockoutDecision::Allowed
    );
    assert_eq!(
        by_user().check(&db.conn, "bob").await?,
        LockoutDecision::Allowed
    );
    // Otherwise failures from any address would block the user.
    assert_eq!(
        by_user().check(&db.conn, "ann").await?,
        LockoutDecision::Allowed
    );
    Ok(())
}

async fn name_is_one_however_it_is_written(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    for (names, asked) in [
        (["ann", "Ann", "ANN"], "aNN"),
        (["Émile", "émile", "ÉMILE "], "éMILE"),
    ] {
        for known in [true, false] {
            let here = if known { HERE } else { THERE };
            for name in names {
                assert_eq!(door.left(by_user(), asked, here).await?, 0);
                door.attempt(LoginStatus::Failed, name, here, known).await?;
            }
            assert_ne!(door.left(by_user(), asked, here).await?, 0, "{asked}");
        }
    }
    let given: Vec<_> = (Attempts::find().all(&db.conn).await?.into_iter())
        .filter_map(|row| row.username.filter(|name| !name.starts_with("hmac")))
        .collect();
    assert_eq!(given, ["ann", "Ann", "ANN", "Émile", "émile", "ÉMILE "]);
    Ok(())
}

/// A client with one IPv6 address has a whole network.
async fn network_of_ipv6_is_one_address(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    for lockout in [by_user(), Lockout::per_address(3, WINDOW)] {
        door.clock.forward(100 * MINUTE);
        for host in ["0:0:0:1", "ffff:0:0:1", "0:0:1:0"] {
            let address: IpAddr = format!("2001:db8:0:5:{host}").parse()?;
            let address = address.to_string();
            assert_eq!(door.left(lockout, "ann", &address).await?, 0);
            door.fail("ann", &address).await?;
        }
        assert_ne!(door.left(lockout, "ann", "2001:db8:0:5::9").await?, 0);
        assert_eq!(door.left(lockout, "ann", "2001:db8:0:6::9").await?, 0);
    }
    Ok(())
}

async fn account_is_one_whatever_its_names(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    for name in ["ann", "ann@example.org", "Änn"] {
        door.fail(name, HERE).await?;
    }
    let check = |id: i32| {
        let account = Actor::user(id);
        async move { by_user().check_account(&db.conn, "ann", &account).await }
    };
    assert_eq!(door.left(by_user(), "ann", HERE).await?, 0);
    let blocked = door.from(HERE, check(7)).await??;
    assert_ne!(blocked, LockoutDecision::Allowed);
    assert_eq!(door.from(HERE, check(8)).await??, LockoutDecision::Allowed);
    Ok(())
}

async fn unknown_names_are_blocked_as_well(db: &TestDb) -> TestResult {
    let mut door = Door::new(db)?;
    for key in [true, false] {
        door.key = key;
        for _ in 0..3 {
            assert_eq!(door.left(by_user(), "unknown", HERE).await?, 0);
            door.attempt(LoginStatus::Failed, "unknown", HERE, false)
                .await?;
        }
        assert_ne!(door.left(by_user(), "unknown", HERE).await?, 0);
        // Names are distinguished, so no other name is blocked.
        for other in ["other", "ann"] {
            assert_eq!(door.left(by_user(), other, HERE).await?, 0);
        }
        assert_eq!(door.left(by_user(), "unknown", THERE).await?, 0);
    }
    Ok(())
}

/// The query uses the stored form of the address.
async fn address_that_is_too_long_is_found_again(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    let (a, b) = ("a".repeat(100), "a".repeat(101));
    for _ in 0..3 {
        door.fail("ann", &a).await?;
    }
    assert_ne!(door.left(by_user(), "ann", &a).await?, 0);
    assert_eq!(door.left(by_user(), "ann", &b).await?, 0);
    Ok(())
}

async fn check_is_one_statement(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    for lockout in [by_user(), Lockout::per_address(3, WINDOW)] {
        let check = door.left(lockout, "ann", HERE);
        let (left, statements) = db.statements_of(check).await;
        assert_eq!((left?, statements.len()), (0, 1), "{statements:#?}");
    }
    Ok(())
}

/// Otherwise an account with the same name but for case or blanks could reset the count for ever.
async fn success_of_another_account_does_not_end_the_count(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    let (victim, other) = (Actor::user(7), Actor::user(8));
    let check = |account| async move { by_user().check_account(&db.conn, "vic", account).await };
    for (number, name) in ["VIC", " vic", "vic\u{a0}"].into_iter().enumerate() {
        door.fail("vic", HERE).await?;
        let success = LoginAttempt::succeeded(name, other.clone());
        door.from(HERE, success.record(&db.conn)).await??;
        door.clock.forward(MINUTE);
        let is_blocked = number == 2;
        let decision = door.from(HERE, check(&victim)).await??;
        assert_eq!(decision != LockoutDecision::Allowed, is_blocked, "{name:?}");
        // If the account is not known, only a success under the same name ends the count.
        let left = door.left(by_user(), "vic", HERE).await?;
        assert_eq!(left != 0, is_blocked, "{name:?}");
    }
    let success = LoginAttempt::succeeded("vic", victim.clone());
    door.from(HERE, success.record(&db.conn)).await??;
    let decision = door.from(HERE, check(&victim)).await??;
    assert_eq!(decision, LockoutDecision::Allowed);
    assert_eq!(door.left(by_user(), "vic", HERE).await?, 0);
    Ok(())
}

async fn parallel_attempts_do_not_pass_the_threshold(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    for lockout in [by_user(), Lockout::per_address(3, WINDOW)] {
        door.clock.forward(100 * MINUTE);
        let attempts = (0..20).map(|_| door.from(HERE, lockout.reserve(&db.conn, "ann", None)));
        let mut reservations = Vec::new();
        for admission in futures::future::join_all(attempts).await {
            match admission?? {
                LoginAdmission::Admitted(reservation) => reservations.push(reservation),
                LoginAdmission::Busy { retry_after } => {
                    assert_eq!(retry_after, Duration::from_secs(1));
                }
                LoginAdmission::Blocked { .. } => return Err("none has failed yet".into()),
            }
        }
        assert_eq!(reservations.len(), 3);
        // Their outcomes replace the reservations.
        for reservation in reservations {
            let failed = LoginAttempt::failed("ann", "wrong password").settles(reservation);
            door.from(HERE, failed.record(&db.conn)).await??;
        }
        assert_eq!(door.left(lockout, "ann", HERE).await?, 15);
    }
    Ok(())
}

async fn reservation_counts_until_its_outcome_or_its_lease(db: &TestDb) -> TestResult {
    let door = Door::new(db)?;
    let lockout = Lockout::per_user_and_address(1, WINDOW).lease(2 * MINUTE);
    let reserve = || door.from(HERE, lockout.reserve(&db.conn, "ann", None));
    let LoginAdmission::Admitted(first) = reserve().await?? else {
        return Err("blocked".into());
    };
    assert_eq!(door.left(lockout, "ann", HERE).await?, 2);
    // The password could not be verified.
    door.from(HERE, first.release(&db.conn)).await??;
    assert_eq!(door.left(lockout, "ann", HERE).await?, 0);
    // The process ended before the outcome.
    drop(reserve().await??);
    door.clock.forward(MINUTE);
    assert_eq!(door.left(lockout, "ann", HERE).await?, 1);
    door.clock.forward(MINUTE);
    assert_eq!(door.left(lockout, "ann", HERE).await?, 0);
    let left: Vec<_> = (Attempts::find().all(&db.conn).await?.into_iter())
        .map(|row| row.status)
        .collect();
    assert_eq!(left, ["PENDING"]);
    Ok(())
}

async fn reservation_becomes_the_row_of_its_outcome(db: &TestDb) -> TestResult {
    let (door, lockout) = (Door::new(db)?, by_user());
    let account = Actor::user(7).named("Ann");
    for outcome in [
        LoginAttempt::succeeded("ann", account.clone()),
        LoginAttempt::failed("ann", "wrong password").account(account.clone()),
    ] {
        let reserved = lockout.reserve(&db.conn, "ann", Some(&account));
        let LoginAdmission::Admitted(reservation) = door.from(HERE, reserved).await?? else {
            return Err("blocked".into());
        };
        let settled = outcome.settles(reservation).record(&db.conn);
        let id = door.from(HERE, settled).await??;
        let rows = Attempts::find().all(&db.conn).await?;
        let row = rows.iter().find(|row| row.id == id).ok_or("no row")?;
        assert_eq!(row.actor_id.as_deref(), Some("7"));
        assert!(row.log_id.is_some());
    }
    let statuses: Vec<_> = (Attempts::find().all(&db.conn).await?.into_iter())
        .map(|row| row.status)
        .collect();
    assert_eq!(statuses, ["SUCCESS", "FAILED"]);
    // Without a row, as after a release, the outcome gets a new one.
    let reserved = lockout.reserve(&db.conn, "ann", Some(&account));
    let LoginAdmission::Admitted(reservation) = door.from(HERE, reserved).await?? else {
        return Err("blocked".into());
    };
    let pending = sea_orm_audit::entity::audit_login_attempt::Column::Status.eq("PENDING");
    Attempts::delete_many()
        .filter(pending)
        .exec(&db.conn)
        .await?;
    let failed = LoginAttempt::failed("ann", "wrong password").settles(reservation);
    door.from(HERE, failed.record(&db.conn)).await??;
    assert_eq!(Attempts::find().all(&db.conn).await?.len(), 3);
    Ok(())
}

/// Otherwise each of them would wait as long as the database's timeout, one after the other.
async fn attempts_behind_one_that_waits_for_the_database_are_busy(db: &TestDb) -> TestResult {
    let (door, lockout) = (Door::new(db)?, by_user());
    let other_client = db.another().await?;
    let held = other_client.begin().await?;
    // Turns are those of the process: no other test has this address.
    let (address, lock) = match db.backend() {
        DbBackend::Sqlite => ("203.0.113.1", "UPDATE audit_login_attempt SET id = id"),
        DbBackend::MySql => (
            "203.0.113.2",
            "SELECT id FROM audit_login_attempt FOR UPDATE",
        ),
        _ => ("203.0.113.3", "LOCK TABLE audit_login_attempt"),
    };
    held.execute_unprepared(lock).await?;
    let mut attempts: FuturesUnordered<_> = (0..4)
        .map(|_| door.from(address, lockout.reserve(&db.conn, "ann", None)))
        .collect();
    let others_are_busy = async {
        for _ in 0..3 {
            match attempts.next().await.ok_or("no answer")??? {
                LoginAdmission::Busy { retry_after } => {
                    assert_eq!(retry_after, Duration::from_secs(1));
                }
                other => return Err(format!("{other:?}").into()),
            }
        }
        TestResult::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(10), others_are_busy).await??;
    held.rollback().await?;
    let first = attempts.next().await.ok_or("no answer")???;
    assert!(matches!(first, LoginAdmission::Admitted(_)), "{first:?}");
    other_client.close().await?;
    Ok(())
}

/// Their process has ended: no outcome is known in a second.
async fn busy_lasts_until_a_lease_ends_where_no_attempt_has_just_begun(db: &TestDb) -> TestResult {
    let (door, lockout) = (Door::new(db)?, by_user().lease(2 * MINUTE));
    let wait = async || match door
        .from(HERE, lockout.reserve(&db.conn, "ann", None))
        .await??
    {
        LoginAdmission::Busy { retry_after } => TestResult::Ok(retry_after.as_secs()),
        other => Err(format!("{other:?}").into()),
    };
    for _ in 0..3 {
        let admission = door.from(HERE, lockout.reserve(&db.conn, "ann", None));
        let LoginAdmission::Admitted(_) = admission.await?? else {
            return Err("blocked".into());
        };
        door.clock.forward(Duration::from_secs(20));
    }
    // The oldest began a minute ago, the newest 20 s ago.
    assert_eq!(wait().await?, 60);
    door.clock.forward(Duration::from_secs(59));
    assert_eq!(wait().await?, 1);
    door.clock.forward(Duration::from_secs(1));
    let LoginAdmission::Admitted(_) =
        (door.from(HERE, lockout.reserve(&db.conn, "ann", None))).await??
    else {
        return Err("the first lease has ended".into());
    };
    // One has just begun: its outcome may be known at any moment.
    assert_eq!(wait().await?, 1);
    Ok(())
}

async fn success_that_cannot_be_recorded_does_not_count_and_a_failure_does(
    db: &TestDb,
) -> TestResult {
    let (door, lockout) = (Door::new(db)?, by_user());
    let accept = refuse_rows(db, "audit_log", "action", "LOGIN").await?;
    let account = Actor::user(7);
    let settle = async |outcome: LoginAttempt| {
        let reserved = lockout.reserve(&db.conn, "ann", Some(&account));
        let LoginAdmission::Admitted(reservation) = door.from(HERE, reserved).await?? else {
            return Err("blocked".into());
        };
        let settled = outcome.settles(reservation).record(&db.conn);
        assert!(door.from(HERE, settled).await?.is_err());
        TestResult::Ok(())
    };
    for _ in 0..4 {
        settle(LoginAttempt::succeeded("ann", account.clone())).await?;
        assert_eq!(Attempts::find().all(&db.conn).await?.len(), 0);
    }
    for _ in 0..3 {
        settle(LoginAttempt::failed("ann", "wrong password").account(account.clone())).await?;
    }
    db.execute_unprepared(&accept).await?;
    let reserved = lockout.reserve(&db.conn, "ann", Some(&account));
    let refused = door.from(HERE, reserved).await??;
    assert!(
        matches!(refused, LoginAdmission::Busy { .. }),
        "{refused:?}"
    );
    Ok(())
}
