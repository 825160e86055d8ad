//! Sign-in attempts: a row of their own and a record, both or neither.

use sea_orm::{ActiveModelTrait, ConnectionTrait, TransactionTrait};
use sea_orm_audit::config::HashKey;
use sea_orm_audit::event::{LoginAttempt, record_logout};
use sea_orm_audit::query::Summary;
use sea_orm_audit::{Actor, AuditConfig, AuditContext, AuditError};
use serde_json::json;

use crate::entity::post;
use crate::support::{TestDb, TestResult, refuse_rows};

on_every_database! {
    success_is_a_row_and_a_record_by_the_account,
    failure_is_recorded_as_nobodys,
    failure_is_recorded_as_the_contexts_actors,
    blocked_attempt_differs_from_a_failed_one,
    attempt_goes_through_every_kind_of_connection,
    attempt_rolls_back_with_its_transaction,
    attempt_that_cannot_be_written_leaves_neither_row,
    failed_attempt_leaves_its_transaction_usable,
    unknown_name_is_stored_as_a_keyed_hash,
    password_typed_as_a_name_is_nowhere,
    text_that_is_too_long_or_holds_nul_is_recorded,
    logout_is_a_row_and_a_record,
    logout_of_an_unknown_user_is_recorded,
    logout_that_cannot_be_written_leaves_neither_row,
}

fn ann() -> Actor {
    Actor::user(7).named("Ann")
}

fn wrong_password(name: &str) -> LoginAttempt {
    LoginAttempt::failed(name, "wrong password").account(ann())
}

fn request() -> TestResult<AuditContext> {
    Ok(AuditContext::new()
        .ip_address("192.0.2.7".parse()?)
        .user_agent("curl/8")
        .request_id("request"))
}

async fn success_is_a_row_and_a_record_by_the_account(db: &TestDb) -> TestResult {
    let attempt = LoginAttempt::succeeded("ann", ann())
        .place(Some("CH".into()), Some("Bern".into()))
        .record(&db.conn);
    let id = request()?.scope(attempt).await?;
    let record = db.record().await?;
    assert_eq!((&*record.action, &*record.outcome), ("LOGIN", "SUCCESS"));
    assert_eq!(record.actor_id.as_deref(), Some("7"));
    assert_eq!(record.ip_address.as_deref(), Some("192.0.2.7"));
    assert_eq!(
        record.metadata,
        Some(json!({"username": "ann", "status": "SUCCESS"}))
    );
    let logins = db.logins().await?;
    let [login] = &logins[..] else {
        panic!("{logins:#?}")
    };
    assert_eq!((login.id, login.log_id), (id, Some(record.id)));
    assert_eq!(login.username.as_deref(), Some("ann"));
    assert_eq!((&*login.status, &login.failure_reason), ("SUCCESS", &None));
    assert_eq!(login.actor_type, "USER");
    assert_eq!(login.actor_id.as_deref(), Some("7"));
    assert_eq!(login.actor_name.as_deref(), Some("Ann"));
    assert_eq!(login.ip_address.as_deref(), Some("192.0.2.7"));
    assert_eq!(login.user_agent.as_deref(), Some("curl/8"));
    assert_eq!(login.request_id.as_deref(), Some("request"));
    assert_eq!(login.country.as_deref(), Some("CH"));
    assert_eq!(login.city.as_deref(), Some("Bern"));
    Ok(())
}

/// An attempt with a known name need not be the account owner's.
async fn failure_is_recorded_as_nobodys(db: &TestDb) -> TestResult {
    wrong_password("ann").record(&db.conn).await?;
    let record = db.record().await?;
    assert_eq!(
        (&*record.action, &*record.outcome),
        ("LOGIN_FAILED", "FAILURE")
    );
    assert_eq!((&*record.actor_type, record.actor_id), ("ANONYMOUS", None));
    assert_eq!(
        record.metadata,
        Some(json!({
            "username": "ann",
            "status": "FAILED",
            "failure_reason": "wrong password",
        }))
    );
    let login = db.logins().await?.remove(0);
    assert_eq!(login.failure_reason.as_deref(), Some("wrong password"));
    // The row names the account of the attempt.
    assert_eq!(login.actor_id.as_deref(), Some("7"));
    Ok(())
}

async fn failure_is_recorded_as_the_contexts_actors(db: &TestDb) -> TestResult {
    AuditContext::new()
        .actor(Actor::service("gateway"))
        .scope(wrong_password("ann").record(&db.conn))
        .await?;
    let record = db.record().await?;
    assert_eq!(record.actor_id.as_deref(), Some("gateway"));
    assert_eq!(db.logins().await?[0].actor_id.as_deref(), Some("7"));
    Ok(())
}

async fn blocked_attempt_differs_from_a_failed_one(db: &TestDb) -> TestResult {
    LoginAttempt::blocked("ann", "too many failures")
        .account(ann())
        .record(&db.conn)
        .await?;
    assert_eq!(db.record().await?.action, "LOGIN_FAILED");
    assert_eq!(db.logins().await?[0].status, "BLOCKED");
    Ok(())
}

async fn attempt_goes_through_every_kind_of_connection(db: &TestDb) -> TestResult {
    let attempt = || LoginAttempt::succeeded("ann", ann());
    let audited = db.audited();
    attempt().record(&db.conn).await?;
    attempt().record(&audited).await?;
    let tx = db.begin().await?;
    attempt().record(&tx).await?;
    tx.commit().await?;
    let tx = audited.begin().await?;
    let id = tx.id();
    attempt().record(&tx).await?;
    tx.commit().await?;
    let records = db.records().await?;
    let linked: Vec<_> = (db.logins().await?.iter()).map(|l| l.log_id).collect();
    let ids: Vec<_> = records.iter().map(|r| Some(r.id)).collect();
    assert_eq!((linked, ids.len()), (ids, 4));
    assert_eq!(records[3].transaction_id, Some(id));
    Ok(())
}

async fn attempt_rolls_back_with_its_transaction(db: &TestDb) -> TestResult {
    let tx = db.begin().await?;
    wrong_password("ann").record(&tx).await?;
    tx.rollback().await?;
    let tx = db.audited().begin().await?;
    wrong_password("ann").record(&tx).await?;
    tx.rollback().await?;
    assert_eq!(
        (db.records().await?.len(), db.logins().await?.len()),
        (0, 0)
    );
    Ok(())
}

async fn attempt_that_cannot_be_written_leaves_neither_row(db: &TestDb) -> TestResult {
    let audited = db.audited();
    let attempt = || wrong_password("ann");
    for (table, column, text) in [
        ("audit_login_attempt", "username", "ann"),
        ("audit_log", "action", "LOGIN"),
    ] {
        let accept = refuse_rows(db, table, column, text).await?;
        for error in [
            attempt().record(&db.conn).await.unwrap_err(),
            attempt().record(&audited).await.unwrap_err(),
        ] {
            assert!(matches!(error, AuditError::NotRecorded { .. }), "{error:?}");
            assert!(error.to_string().contains(table) || format!("{error:?}").contains(table));
        }
        assert_eq!(
            (db.records().await?.len(), db.logins().await?.len()),
            (0, 0),
            "{table}"
        );
        db.execute_unprepared(&accept).await?;
    }
    db.execute_unprepared("DROP TABLE audit_login_attempt")
        .await?;
    assert!(attempt().record(&db.conn).await.is_err());
    assert_eq!(db.records().await?.len(), 0);
    Ok(())
}

/// The attempt has its own savepoint: otherwise PostgreSQL would refuse all later statements.
async fn failed_attempt_leaves_its_transaction_usable(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_rows(db, "audit_login_attempt", "username", "ann").await?;
    let tx = db.begin().await?;
    assert!(wrong_password("ann").record(&tx).await.is_err());
    post::new("a").insert(&tx).await?;
    tx.commit().await?;
    let tx = db.audited().begin().await?;
    post::new("b").insert(&tx).await?;
    assert!(wrong_password("ann").record(&tx).await.is_err());
    post::new("c").insert(&tx).await?;
    tx.commit().await?;
    let actions: Vec<_> = (db.records().await?.into_iter())
        .map(|record| record.action)
        .collect();
    assert_eq!(actions, ["CREATE"; 3]);
    Ok(())
}

async fn unknown_name_is_stored_as_a_keyed_hash(db: &TestDb) -> TestResult {
    let keyed = AuditConfig::builder()
        .hash_key(HashKey::from_bytes("k1", &[1; 32])?)
        .build()?;
    let unknown = |name: &str| LoginAttempt::failed(name, "no such user").record(&db.conn);
    keyed.scope(unknown("hunter2")).await?;
    keyed.scope(unknown("hunter2")).await?;
    keyed.scope(unknown("hunter3")).await?;
    unknown("hunter2").await?;
    let names: Vec<_> = (db.logins().await?.into_iter())
        .filter_map(|login| login.username)
        .collect();
    assert!(names[0].starts_with("hmac-sha256:k1:"), "{names:?}");
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], names[2]);
    // Without a configured key the process uses a random one.
    assert!(names[3].starts_with("hmac-sha256:process:"), "{names:?}");
    let recorded: Vec<_> = (db.records().await?.into_iter())
        .filter_map(|record| Some(record.metadata?["username"].as_str()?.to_owned()))
        .collect();
    assert_eq!(recorded, names);
    Ok(())
}

async fn password_typed_as_a_name_is_nowhere(db: &TestDb) -> TestResult {
    let keyed = AuditConfig::builder()
        .hash_key(HashKey::from_bytes("k1", &[1; 32])?)
        .build()?;
    for config in [AuditConfig::default(), keyed] {
        for attempt in [
            LoginAttempt::failed("hunter2", "no such user"),
            LoginAttempt::blocked("hunter2", "too many failures"),
        ] {
            assert!(!format!("{attempt:?}").contains("hunter2"));
            config.scope(attempt.record(&db.conn)).await?;
        }
    }
    assert_eq!(db.logins().await?.len(), 4);
    assert!(!db.dump().await?.contains("hunter2"));
    Ok(())
}

async fn text_that_is_too_long_or_holds_nul_is_recorded(db: &TestDb) -> TestResult {
    let strange = "\0\u{1}\r\n\u{1b}[31m\u{202e}'\";--😀";
    let long = strange.repeat(1_000);
    let context = || {
        AuditContext::new()
            .user_agent(&*long)
            .request_id(&*long)
            .ip_address_as(&*long)
    };
    for text in [strange, &long] {
        for attempt in [
            LoginAttempt::succeeded(text, Actor::user(text).named(text)),
            LoginAttempt::failed(text, text).account(ann()),
            LoginAttempt::failed(text, text).place(Some(text.into()), Some(text.into())),
        ] {
            context().scope(attempt.record(&db.conn)).await?;
        }
    }
    let logins = db.logins().await?;
    // Displayed texts are harmless.
    let shown = "␀␁␍␊␛[31m\u{FFFD}'\";--😀";
    assert_eq!(logins[0].username.as_deref(), Some(shown));
    assert_eq!(logins[0].actor_name.as_deref(), Some(shown));
    assert_eq!(logins[1].failure_reason.as_deref(), Some(shown));
    assert_eq!(logins[0].user_agent, Some(shown.repeat(1_000)));
    let lengths = |text: &Option<String>| text.as_deref().map(|text| text.chars().count());
    assert_eq!(lengths(&logins[3].username), Some(255));
    assert_eq!(lengths(&logins[4].failure_reason), Some(1_000));
    assert_eq!(lengths(&logins[4].ip_address), Some(64));
    // Both tables have the same address.
    assert_eq!(db.records().await?[4].ip_address, logins[4].ip_address);
    Ok(())
}

async fn logout_is_a_row_and_a_record(db: &TestDb) -> TestResult {
    // Once with the context's actor, once with all known fields.
    request()?
        .actor(ann())
        .scope(record_logout(&db.conn))
        .await?;
    let logout = LoginAttempt::signed_out(ann())
        .place(Some("CH".into()), Some("Bern".into()))
        .record(&db.conn);
    request()?.scope(logout).await?;
    let (records, rows) = (db.records().await?, db.logins().await?);
    assert_eq!((records.len(), rows.len()), (2, 2));
    for (record, row) in records.iter().zip(&rows) {
        assert_eq!((&*record.action, &*record.outcome), ("LOGOUT", "SUCCESS"));
        assert_eq!(record.actor_id.as_deref(), Some("7"));
        assert_eq!((row.log_id, &*row.status), (Some(record.id), "LOGOUT"));
        assert_eq!(
            (&*row.actor_type, row.actor_id.as_deref()),
            ("USER", Some("7"))
        );
        assert_eq!(row.actor_name.as_deref(), Some("Ann"));
        // A logout has no typed name, and nothing is counted.
        assert_eq!(
            (&row.username, &row.username_key, &row.network),
            (&None, &None, &None)
        );
        assert_eq!(row.ip_address.as_deref(), Some("192.0.2.7"));
        assert_eq!(row.user_agent.as_deref(), Some("curl/8"));
        assert_eq!(row.request_id.as_deref(), Some("request"));
    }
    assert_eq!((&rows[0].country, &rows[0].city), (&None, &None));
    assert_eq!(rows[1].city.as_deref(), Some("Bern"));
    let summary = Summary::last_days(1).fetch(&db.conn).await?;
    assert_eq!(summary.logins, [], "a logout is no attempt to sign in");
    Ok(())
}

async fn logout_of_an_unknown_user_is_recorded(db: &TestDb) -> TestResult {
    record_logout(&db.conn).await?;
    let (record, row) = (db.record().await?, db.logins().await?.remove(0));
    assert_eq!(record.actor_type, "UNKNOWN");
    assert_eq!(
        (&row.actor_type, &row.actor_id),
        (&record.actor_type, &None)
    );
    Ok(())
}

async fn logout_that_cannot_be_written_leaves_neither_row(db: &TestDb) -> TestResult {
    refuse_rows(db, "audit_login_attempt", "status", "LOGOUT").await?;
    let refused = record_logout(&db.conn).await;
    assert!(
        matches!(refused, Err(AuditError::NotRecorded { .. })),
        "{refused:?}"
    );
    assert_eq!(
        (db.records().await?.len(), db.logins().await?.len()),
        (0, 0)
    );
    Ok(())
}
