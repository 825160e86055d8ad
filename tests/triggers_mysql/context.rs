//! The actor, as the transaction's context gives it.

use sea_orm::{ConnectionTrait, EntityTrait, TransactionTrait};
use sea_orm_audit::entity::audit_log;
use serde_json::json;

use crate::support::{TestDb, TestResult};
use crate::{client, watched};

mod mariadb {
    crate::support::tests_on! { mariadb:
        the_context_of_the_transaction_is_recorded,
        context_ends_with_its_transaction,
        context_with_wrong_values_fails_no_write,
        without_the_table_of_contexts_writes_go_on,
        reading_the_context_takes_no_lock,
    }
}

mod post {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "post")]
    #[audit(capture = "trigger", tenant = "org")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub org: Option<i32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Writes a row in a transaction with a context, and returns its record.
async fn written_with(db: &TestDb, context: &str) -> TestResult<audit_log::Model> {
    let quoted = context.replace('\\', "\\\\").replace('\'', "''");
    client(
        db,
        &format!(
            "BEGIN; INSERT INTO audit_trigger_context (connection_id, context) VALUES (CONNECTION_ID(), '{quoted}'); \
             INSERT INTO post (org) VALUES (NULL); \
             DELETE FROM audit_trigger_context WHERE connection_id = CONNECTION_ID(); COMMIT"
        ),
    )
    .await?;
    let record = db.record().await?;
    db.forget().await?;
    Ok(record)
}

async fn the_context_of_the_transaction_is_recorded(db: &TestDb) -> TestResult {
    watched(db, post::Entity).await?;
    let context = json!({
        "actor_type": "SYSTEM", "actor_id": "7", "actor_name": "Ann 😀", "impersonator_id": "8",
        "ip_address": "::1", "user_agent": "x".repeat(3000), "session_key": "s", "request_id": "r",
        "trace_id": "t", "transaction_id": "01234567-89ab-cdef-0123-456789abcdef", "tenant": "org-1",
        "reason": "it's \"so\"", "module": "shop", "metadata": {"a": [1, "é"]},
    });
    let record = written_with(db, &context.to_string()).await?;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(record.actor_type, "SYSTEM");
    assert_eq!(record.actor_id, text("7"));
    assert_eq!(record.actor_name, text("Ann 😀"));
    assert_eq!(record.impersonator_id, text("8"));
    assert_eq!(record.ip_address, text("::1"));
    assert_eq!(record.user_agent, Some("x".repeat(3000)));
    assert_eq!(record.session_key, text("s"));
    assert_eq!(record.request_id, text("r"));
    assert_eq!(record.trace_id, text("t"));
    assert_eq!(
        record.transaction_id.map(|id| id.to_string()),
        text("01234567-89ab-cdef-0123-456789abcdef")
    );
    assert_eq!(record.tenant, text("org-1"));
    assert_eq!(record.reason, text("it's \"so\""));
    assert_eq!(record.module, text("shop"));
    assert_eq!(record.metadata, Some(json!({"a": [1, "é"]})));
    assert_eq!(
        (record.source.as_str(), record.outcome.as_str()),
        ("TRIGGER", "SUCCESS")
    );

    let record = written_with(db, r#"{"actor_id": "7"}"#).await?;
    assert_eq!(
        (record.actor_type.as_str(), record.actor_name),
        ("USER", None)
    );
    assert_eq!(record.metadata, None);
    // The row's own tenant has precedence.
    client(
        db,
        "BEGIN; INSERT INTO audit_trigger_context (connection_id, context) VALUES (CONNECTION_ID(), '{\"tenant\": \"t\"}'); \
         INSERT INTO post (org) VALUES (5); ROLLBACK; INSERT INTO post (org) VALUES (6)",
    )
    .await?;
    assert_eq!(db.record().await?.tenant, text("6"));
    Ok(())
}

async fn context_ends_with_its_transaction(db: &TestDb) -> TestResult {
    watched(db, post::Entity).await?;
    let one = db.another().await?;
    let tx = one.begin().await?;
    tx.execute_unprepared(
        "INSERT INTO audit_trigger_context (connection_id, context) VALUES (CONNECTION_ID(), '{\"actor_id\": \"7\"}')",
    )
    .await?;
    tx.rollback().await?;
    one.execute_unprepared("INSERT INTO post (org) VALUES (1)")
        .await?;
    let record = db.record().await?;
    assert_eq!(
        (record.actor_type.as_str(), record.actor_name.as_deref()),
        ("SERVICE", Some("audit"))
    );
    assert_eq!(
        (record.actor_id, record.transaction_id, record.reason),
        (None, None, None)
    );
    one.close().await?;
    Ok(())
}

async fn context_with_wrong_values_fails_no_write(db: &TestDb) -> TestResult {
    watched(db, post::Entity).await?;
    let long = "é".repeat(500);
    for context in [
        "[]".to_owned(),
        "7".to_owned(),
        "null".to_owned(),
        json!({"actor_type": 1, "actor_id": {"a": 1}, "transaction_id": "no uuid", "metadata": "m"}).to_string(),
        json!({"transaction_id": 7, "metadata": [1], "reason": 5, "user_agent": null, "actor_id": null}).to_string(),
        json!({"actor_type": long, "actor_id": long, "actor_name": long, "impersonator_id": long,
               "ip_address": long, "session_key": long, "request_id": long, "trace_id": long,
               "transaction_id": long, "tenant": long, "module": long, "metadata": {}}).to_string(),
        // MariaDB takes them for valid; the log could not be read with them.
        r#"{"metadata": {"path": "C:\Users"}}"#.to_owned(),
        r#"{"metadata": {"a": [1.]}}"#.to_owned(),
    ] {
        let record = written_with(db, &context).await?;
        assert_eq!(record.transaction_id, None, "{context}");
        assert_eq!(record.metadata, None, "{context}");
    }
    // Invalid JSON is refused where it is written.
    for context in ["{", "", "{\"actor_id\": \"7\", \"actor_name\": \"\\u00"] {
        assert!(written_with(db, context).await.is_err());
    }
    Ok(())
}

async fn without_the_table_of_contexts_writes_go_on(db: &TestDb) -> TestResult {
    watched(db, post::Entity).await?;
    client(
        db,
        "DROP TABLE audit_trigger_context; INSERT INTO post (org) VALUES (1)",
    )
    .await?;
    assert_eq!(db.record().await?.actor_type, "SERVICE");
    Ok(())
}

async fn reading_the_context_takes_no_lock(db: &TestDb) -> TestResult {
    watched(db, post::Entity).await?;
    let (one, other) = (db.another().await?, db.another().await?);
    let first = one.begin().await?;
    first
        .execute_unprepared("INSERT INTO post (org) VALUES (1)")
        .await?;
    let second = other.begin().await?;
    second
        .execute_unprepared("SET innodb_lock_wait_timeout = 1")
        .await?;
    second
        .execute_unprepared(
            "INSERT INTO audit_trigger_context (connection_id, context) VALUES (CONNECTION_ID(), '{\"actor_id\": \"7\"}')",
        )
        .await?;
    first
        .execute_unprepared("INSERT INTO post (org) VALUES (2)")
        .await?;
    second
        .execute_unprepared("INSERT INTO post (org) VALUES (3)")
        .await?;
    first.commit().await?;
    second.commit().await?;
    let actors: Vec<_> = db
        .records()
        .await?
        .into_iter()
        .map(|record| record.actor_id)
        .collect();
    assert_eq!(actors, [None, None, Some("7".to_owned())]);
    assert_eq!(post::Entity::find().all(&db.conn).await?.len(), 3);
    one.close().await?;
    other.close().await?;
    Ok(())
}
