//! The actor of a record.

use sea_orm::ConnectionTrait;

use crate::client::{captured, sqlite3};
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite:
        the_context_of_the_transaction_is_recorded,
        without_a_context_it_is_the_database,
        malformed_context_does_not_fail_the_write,
        times_are_written_as_sqlx_writes_them,
    );
}

mod thing {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "thing")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn the_context_of_the_transaction_is_recorded(db: &TestDb) -> TestResult {
    captured(db, thing::Entity).await?;
    sqlite3(
        db,
        r#"BEGIN;
        INSERT INTO audit_trigger_context VALUES (1, '{"actor_type": "USER", "actor_id": "7",
        "actor_name": "Zoë", "impersonator_id": "1", "ip_address": "::1", "user_agent": "curl",
        "session_key": "digest", "request_id": "r", "trace_id": "t", "tenant": "acme",
        "reason": "it''s due", "module": "billing", "metadata": {"a": [1, {"b": null}]}}',
        x'018f0000abcd700080000000000000ff');
        INSERT INTO thing VALUES (1);
        DELETE FROM audit_trigger_context;
        COMMIT;"#,
    )
    .await?;
    let record = db.record().await?;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(record.action, "CREATE");
    assert_eq!(record.outcome, "SUCCESS");
    assert_eq!(record.model, text("thing"));
    assert_eq!(record.object_id, text("1"));
    assert_eq!(record.object_repr, text("thing #1"));
    assert_eq!(record.actor_type, "USER");
    assert_eq!(record.actor_id, text("7"));
    assert_eq!(record.actor_name, text("Zoë"));
    assert_eq!(record.impersonator_id, text("1"));
    assert_eq!(record.ip_address, text("::1"));
    assert_eq!(record.user_agent, text("curl"));
    assert_eq!(record.session_key, text("digest"));
    assert_eq!(record.request_id, text("r"));
    assert_eq!(record.trace_id, text("t"));
    assert_eq!(
        record.transaction_id,
        Some("018f0000-abcd-7000-8000-0000000000ff".parse()?)
    );
    assert_eq!(record.tenant, text("acme"));
    assert_eq!(record.reason, text("it's due"));
    assert_eq!(record.module, text("billing"));
    assert_eq!(record.source, "TRIGGER");
    assert_eq!(
        record.metadata,
        Some(serde_json::json!({"a": [1, {"b": null}]}))
    );
    Ok(())
}

async fn without_a_context_it_is_the_database(db: &TestDb) -> TestResult {
    captured(db, thing::Entity).await?;
    sqlite3(db, "INSERT INTO thing VALUES (1)").await?;
    let record = db.record().await?;
    assert_eq!(
        (
            record.actor_type.as_str(),
            record.actor_id,
            record.actor_name.as_deref()
        ),
        ("SERVICE", None, Some("sqlite"))
    );
    assert_eq!(
        (record.transaction_id, record.tenant, record.metadata),
        (None, None, None)
    );
    Ok(())
}

async fn malformed_context_does_not_fail_the_write(db: &TestDb) -> TestResult {
    captured(db, thing::Entity).await?;
    let long = format!(r#"{{"actor_id": "{}"}}"#, "ä".repeat(300));
    let deep = format!(r#"{{"metadata": {}1{}}}"#, "[".repeat(500), "]".repeat(500));
    let service = ("SERVICE", None, Some("sqlite"));
    let cut = "ä".repeat(255);
    for (context, expected) in [
        ("'{'", service),
        ("''", service),
        ("NULL", service),
        ("7", service),
        ("x'7b7d'", service),
        ("'[1]'", service),
        ("'null'", service),
        (
            r#"'{"actor_id": {"a": 1}, "metadata": "text", "actor_type": 3}'"#,
            service,
        ),
        (r#"'{"actor_type": "KING"}'"#, service),
        (r#"'{"actor_id": "\ud800"}'"#, service),
        (r#"'{"metadata": {"n": 1e999}}'"#, service),
        (r#"'{"actor_id": 7}'"#, ("USER", Some("7"), None)),
        (
            r#"'{"actor_name": "cron"}'"#,
            ("SERVICE", None, Some("cron")),
        ),
        (
            r#"'{"actor_id": "\ud83e\udd80"}'"#,
            ("USER", Some("🦀"), None),
        ),
        (r#"'{"transaction_id": "no"}'"#, service),
        (&format!("'{long}'"), ("USER", Some(&cut), None)),
        (&format!("'{deep}'"), service),
    ] {
        sqlite3(
            db,
            &format!(
                "DELETE FROM thing; DELETE FROM audit_log; DELETE FROM audit_trigger_context; \
                 INSERT INTO audit_trigger_context VALUES (1, {context}, 'no uuid'); \
                 INSERT INTO thing VALUES (1)"
            ),
        )
        .await?;
        let record = db.record().await?;
        assert_eq!(
            (
                record.actor_type.as_str(),
                record.actor_id.as_deref(),
                record.actor_name.as_deref()
            ),
            expected,
            "{context}"
        );
        assert_eq!(record.transaction_id, None);
    }
    Ok(())
}

async fn times_are_written_as_sqlx_writes_them(db: &TestDb) -> TestResult {
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    use sea_orm_audit::entity::audit_log;
    captured(db, thing::Entity).await?;
    for id in 0..20 {
        db.execute_unprepared(&format!("INSERT INTO thing VALUES ({id})"))
            .await?;
    }
    for record in db.records().await? {
        let same = audit_log::Entity::find()
            .filter(audit_log::Column::OccurredAt.eq(record.occurred_at))
            .filter(audit_log::Column::Id.eq(record.id));
        assert_eq!(same.all(&db.conn).await?, [record]);
    }
    Ok(())
}
