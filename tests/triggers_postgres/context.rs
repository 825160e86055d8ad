//! The actor, origin and reason in a transaction's context.

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;

use crate::client::{create, psql, url, value};
use crate::entity::{marked, post};
use crate::support::{TestDb, TestResult};

crate::on_postgres! {
    context_is_recorded,
    without_a_context_the_actor_is_the_database_user,
    context_ends_with_its_transaction_and_with_its_savepoint,
    malformed_context_fails_no_write,
    too_long_text_is_cut,
    writers_need_no_right_on_the_log,
    functions_are_not_executable_by_other_roles,
}

fn recorded(context: &str) -> String {
    format!("SELECT set_config('sea_orm_audit.context', '{context}', true);")
}

async fn context_is_recorded(db: &TestDb) -> TestResult {
    create(db, marked::Entity).await?;
    let context = json!({
        "actor_type": "USER", "actor_id": "7", "actor_name": "Ann\u{7}", "impersonator_id": "1",
        "ip_address": "10.0.0.1", "user_agent": "curl", "session_key": "digest",
        "request_id": "r1", "trace_id": "t1", "tenant": "acme", "reason": "because",
        "transaction_id": "0198f3a2-7c11-7000-8000-0123456789ab", "module": "ignored",
        "metadata": {"ticket": 5},
    });
    psql(
        db,
        &format!(
            "BEGIN; {} INSERT INTO marked (title, password) VALUES ('a', 'b'); COMMIT;",
            recorded(&context.to_string())
        ),
    )
    .await?;
    let record = db.record().await?;
    assert_eq!(record.actor_type, "USER");
    assert_eq!(record.actor_id.as_deref(), Some("7"));
    assert_eq!(record.actor_name.as_deref(), Some("Ann␇"));
    assert_eq!(record.impersonator_id.as_deref(), Some("1"));
    assert_eq!(record.ip_address.as_deref(), Some("10.0.0.1"));
    assert_eq!(record.user_agent.as_deref(), Some("curl"));
    assert_eq!(record.session_key.as_deref(), Some("digest"));
    assert_eq!(record.request_id.as_deref(), Some("r1"));
    assert_eq!(record.trace_id.as_deref(), Some("t1"));
    assert_eq!(record.tenant.as_deref(), Some("acme"));
    assert_eq!(record.reason.as_deref(), Some("because"));
    assert_eq!(record.module.as_deref(), Some("shop"), "the entity's own");
    assert_eq!(record.metadata, Some(json!({"ticket": 5})));
    assert_eq!(
        record.transaction_id.map(|id| id.to_string()).as_deref(),
        Some("0198f3a2-7c11-7000-8000-0123456789ab")
    );
    let age = chrono::Utc::now() - record.occurred_at;
    assert!(age.num_seconds().abs() < 60, "{age}");
    Ok(())
}

async fn without_a_context_the_actor_is_the_database_user(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    let user: String = value(db, "SELECT session_user::text").await?;
    psql(db, "INSERT INTO post (title) VALUES ('a')").await?;
    let record = db.record().await?;
    assert_eq!(record.actor_type, "SERVICE");
    assert_eq!(
        (record.actor_id, record.actor_name),
        (None, Some(user.clone()))
    );
    assert_eq!((record.transaction_id, record.metadata), (None, None));
    for (context, expected) in [
        (r#"{"actor_id": "7"}"#, ("USER", Some("7"), None)),
        (
            r#"{"actor_id": "7", "actor_name": "Ann"}"#,
            ("USER", Some("7"), Some("Ann")),
        ),
        (r#"{"actor_type": "SYSTEM"}"#, ("SYSTEM", None, None)),
        (r#"{"reason": "x"}"#, ("SERVICE", None, Some(user.as_str()))),
        (
            r#"{"actor_type": "KING"}"#,
            ("SERVICE", None, Some(user.as_str())),
        ),
    ] {
        db.forget().await?;
        let sql = format!(
            "BEGIN; {} UPDATE post SET title = title || 'x'; COMMIT;",
            recorded(context)
        );
        psql(db, &sql).await?;
        let record = db.record().await?;
        let actor = (
            record.actor_type.as_str(),
            record.actor_id.as_deref(),
            record.actor_name.as_deref(),
        );
        assert_eq!(actor, expected);
    }
    Ok(())
}

async fn context_ends_with_its_transaction_and_with_its_savepoint(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    let one = db.another().await?;
    let tx = one.begin().await?;
    tx.execute_unprepared(&recorded(r#"{"actor_id": "7"}"#))
        .await?;
    tx.execute_unprepared("INSERT INTO post (title) VALUES ('7')")
        .await?;
    tx.rollback().await?;
    one.execute_unprepared("INSERT INTO post (title) VALUES ('-')")
        .await?;
    let tx = one.begin().await?;
    let inner = tx.begin().await?;
    inner
        .execute_unprepared(&recorded(r#"{"actor_id": "8"}"#))
        .await?;
    inner
        .execute_unprepared("INSERT INTO post (title) VALUES ('8')")
        .await?;
    inner.rollback().await?;
    tx.execute_unprepared("INSERT INTO post (title) VALUES ('-')")
        .await?;
    tx.execute_unprepared(&recorded(r#"{"actor_id": "9"}"#))
        .await?;
    tx.execute_unprepared("INSERT INTO post (title) VALUES ('9')")
        .await?;
    tx.commit().await?;
    one.execute_unprepared("INSERT INTO post (title) VALUES ('-')")
        .await?;
    for record in db.records().await? {
        let title = record.changes.unwrap()["title"]["new"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(record.actor_id.unwrap_or_else(|| "-".into()), title);
    }
    assert_eq!(db.records().await?.len(), 4);
    one.close().await?;
    Ok(())
}

async fn malformed_context_fails_no_write(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    for (context, actor) in [
        ("no JSON", None),
        ("", None),
        ("[]", None),
        ("7", None),
        ("null", None),
        ("\"actor_id\"", None),
        ("{\"actor_id\": \"\\u0000\"}", None),
        (r#"{"actor_id": null, "metadata": []}"#, None),
        (
            r#"{"actor_id": "5", "transaction_id": "no uuid", "metadata": "x"}"#,
            Some("5"),
        ),
        (
            r#"{"actor_id": 5, "tenant": {"a": 1}, "ip_address": [], "metadata": {}}"#,
            Some("5"),
        ),
    ] {
        db.forget().await?;
        let sql = format!(
            "BEGIN; {} INSERT INTO post (title) VALUES ('a'); UPDATE post SET title = title || 1;
             DELETE FROM post; INSERT INTO post (title) VALUES ('a'); TRUNCATE post; COMMIT;",
            recorded(context)
        );
        psql(db, &sql).await?;
        let records = db.records().await?;
        assert_eq!(records.len(), 5);
        for record in records {
            assert_eq!(record.actor_id.as_deref(), actor, "{context}");
            assert_eq!((record.transaction_id, record.metadata), (None, None));
        }
    }
    Ok(())
}

async fn too_long_text_is_cut(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    let long = "ä".repeat(1000);
    let names = [
        "actor_id",
        "actor_name",
        "impersonator_id",
        "ip_address",
        "user_agent",
        "session_key",
        "request_id",
        "trace_id",
        "tenant",
        "reason",
        "module",
    ];
    let context: serde_json::Map<_, _> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!(long)))
        .collect();
    let context = serde_json::Value::Object(context).to_string();
    let sql = format!(
        "BEGIN; {} INSERT INTO post (title) VALUES ('a'); COMMIT;",
        recorded(&context)
    );
    psql(db, &sql).await?;
    let record = db.record().await?;
    assert_eq!(record.actor_id.unwrap().chars().count(), 255);
    assert_eq!(record.ip_address.unwrap().chars().count(), 64);
    assert_eq!(record.session_key.unwrap().chars().count(), 128);
    assert_eq!(record.reason, Some(long));
    Ok(())
}

async fn writers_need_no_right_on_the_log(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    let role: String = value(db, "SELECT current_database() || '_writer'").await?;
    let result = psql(
        db,
        &format!(
            "CREATE ROLE {role} LOGIN; GRANT INSERT, UPDATE, SELECT, DELETE, TRUNCATE ON post TO {role};
             GRANT USAGE ON SEQUENCE post_id_seq TO {role};
             SET SESSION AUTHORIZATION {role};
             CREATE TEMP TABLE audit_log (x int); CREATE TEMP TABLE post_shadow (x int);
             INSERT INTO post (title) VALUES ('a'); UPDATE post SET title = 'b'; DELETE FROM post;
             INSERT INTO post (title) VALUES ('c'); TRUNCATE post;"
        ),
    )
    .await;
    let records = db.records().await?;
    psql(db, &format!("DROP OWNED BY {role}; DROP ROLE {role};")).await?;
    result?;
    assert_eq!(records.len(), 5);
    assert!(
        records
            .iter()
            .all(|record| record.actor_name.as_deref() == Some(role.as_str()))
    );
    Ok(())
}

async fn functions_are_not_executable_by_other_roles(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    let role: String = value(db, "SELECT current_database() || '_forger'").await?;
    let result = psql(
        db,
        &format!(
            "CREATE ROLE {role}; SET ROLE {role}; CREATE TEMP TABLE mine (id int, title text);
             CREATE TRIGGER forged AFTER INSERT ON mine REFERENCING NEW TABLE AS new_rows
             FOR EACH STATEMENT EXECUTE FUNCTION public.sea_orm_audit_post_insert();"
        ),
    )
    .await;
    psql(db, &format!("DROP OWNED BY {role}; DROP ROLE {role};")).await?;
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("permission denied for function")
    );
    Ok(())
}
