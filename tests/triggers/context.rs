//! What triggers know of the writer of an `AuditedConnection`.
//!
//! One file, because its cases share the writers.

use futures::future::join_all;
use sea_orm::{
    AccessMode, ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait,
    QueryFilter, Set, Statement, TransactionTrait,
};
use sea_orm_audit::Action;
use sea_orm_audit::config::{RequireActor, StatementPolicy};
use sea_orm_audit::context::migration_mode;
use sea_orm_audit::{
    Actor, AuditConfig, AuditContext, AuditEvent, AuditedConnection, AuditedEntity,
};
use serde_json::json;

use crate::entities::{create, ledger};
use crate::support::{TestDb, TestResult};

mod postgres_only {
    crate::support::tests_on! { postgres:
        rows_that_follow_a_changed_key_have_its_actor,
        report_that_fails_ends_no_transaction,
    }
}
mod mariadb_only {
    crate::support::tests_on! { mariadb: unwritable_event_is_only_logged }
}

on_every_database! {
    write_is_recorded_once_with_its_context,
    any_text_of_a_context_is_recorded_as_without_triggers,
    transaction_is_one_and_its_actors_are_several,
    rolled_back_savepoint_keeps_the_context,
    manual_savepoints_keep_the_context,
    builders_and_statements_tell_the_triggers,
    unsupported_statement_is_reported_in_a_transaction,
    function_that_writes_has_the_current_actor,
    allowed_statement_has_the_current_actor,
    plain_connection_tells_nothing,
    migration_mode_does_not_keep_triggers_from_recording,
    write_without_actor_is_refused_where_one_is_required,
    fifty_actors_on_five_connections_are_distinguished,
    write_takes_so_many_statements,
}

fn ann(db: &TestDb) -> AuditedConnection {
    let context = AuditContext::new()
        .actor(Actor::user(7).named("Ann").impersonated_by("root"))
        .ip_address_as("192.0.2.7")
        .user_agent("curl")
        .session_key("session")
        .request_id("request")
        .trace_id("trace")
        .tenant("tenant")
        .reason("a \"reason\" of 'hers'")
        .module("module")
        .metadata("n", 1)
        .metadata("password", "p");
    db.audited().with_context(context)
}

async fn write_is_recorded_once_with_its_context(db: &TestDb) -> TestResult {
    create(db).await?;
    ledger::new(1, "a").insert(&ann(db)).await?;
    let record = db.record().await?;
    assert_eq!((&*record.action, &*record.source), ("CREATE", "TRIGGER"));
    assert_eq!(record.object_id.as_deref(), Some("1"));
    assert_eq!(record.actor_type, "USER");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(record.actor_id, text("7"));
    assert_eq!(record.actor_name, text("Ann"));
    assert_eq!(record.impersonator_id, text("root"));
    assert_eq!(record.ip_address, text("192.0.2.7"));
    assert_eq!(record.user_agent, text("curl"));
    assert_eq!(record.request_id, text("request"));
    assert_eq!(record.trace_id, text("trace"));
    assert_eq!(record.tenant, text("tenant"));
    assert_eq!(record.reason, text("a \"reason\" of 'hers'"));
    assert_eq!(record.module, text("module"));
    assert_eq!(
        record.metadata,
        Some(json!({"n": 1, "password": "[redacted]"}))
    );
    let session = record.session_key.unwrap_or_default();
    assert!(session.len() > 30 && session != "session", "{session}");
    assert!(record.transaction_id.is_some());
    Ok(())
}

/// An event of the application, which no trigger writes, has the same context.
async fn any_text_of_a_context_is_recorded_as_without_triggers(db: &TestDb) -> TestResult {
    create(db).await?;
    let long = "ä".repeat(700);
    for (id, text) in (1..).zip([
        "plain",
        " ",
        "\u{1f}",
        "a\u{1f}b",
        "\u{1f}USER\u{1f}8",
        "{\"actor_id\": \"8\"}",
        "{1,NULL}",
        "NULL",
        "'\\\"",
        "\n\t\u{0}",
        "é🦀",
        &long,
    ]) {
        db.forget().await?;
        let context = AuditContext::new()
            .actor(Actor::user(text).named(text).impersonated_by(text))
            .ip_address_as(text)
            .user_agent(text)
            .session_key(text)
            .request_id(text)
            .trace_id(text)
            .tenant(text)
            .reason(text)
            .module(text)
            .metadata(text, text);
        let audited = db.audited().with_context(context);
        ledger::new(id, "a").insert(&audited).await?;
        AuditEvent::new(Action::View).record(&audited).await?;
        let records = db.records().await?;
        let [by_trigger, event] = &records[..] else {
            return Err(format!("{text:?}: {records:?}").into());
        };
        let mut expected = event.clone();
        expected.id = by_trigger.id;
        expected.occurred_at = by_trigger.occurred_at;
        expected.transaction_id = by_trigger.transaction_id;
        expected.action.clone_from(&by_trigger.action);
        expected.source.clone_from(&by_trigger.source);
        expected.model.clone_from(&by_trigger.model);
        expected.object_id.clone_from(&by_trigger.object_id);
        expected.object_repr.clone_from(&by_trigger.object_repr);
        expected.changes.clone_from(&by_trigger.changes);
        assert_eq!(*by_trigger, expected, "{text:?}");
    }
    Ok(())
}

/// Action, actor and object of each record.
async fn recorded(db: &TestDb) -> TestResult<Vec<String>> {
    Ok((db.records().await?.into_iter())
        .map(|record| {
            let actor = record.actor_id.unwrap_or(record.actor_type);
            let object = record.object_id.unwrap_or_default();
            format!("{} {object} by {actor}", record.action)
        })
        .collect())
}

async fn transaction_is_one_and_its_actors_are_several(db: &TestDb) -> TestResult {
    create(db).await?;
    let tx = db.audited().as_actor(Actor::user(1)).begin().await?;
    ledger::new(1, "a").insert(&tx).await?;
    ledger::new(2, "b").insert(&tx).await?;
    let deleted = ledger::Entity::delete_by_id(1).exec(&tx);
    // The transaction's context has precedence; missing fields come from the outer one.
    AuditContext::new()
        .actor(Actor::user(9))
        .reason("late")
        .scope(deleted)
        .await?;
    tx.commit().await?;
    let tx = db.audited().begin().await?;
    for id in [3, 4] {
        let insert = ledger::new(id, "c");
        let context = AuditContext::new().actor(Actor::user(id));
        context.scope(insert.insert(&tx)).await?;
    }
    let id = tx.id();
    tx.commit().await?;
    assert_eq!(
        recorded(db).await?,
        [
            "CREATE 1 by 1",
            "CREATE 2 by 1",
            "DELETE 1 by 1",
            "CREATE 3 by 3",
            "CREATE 4 by 4"
        ]
    );
    let records = db.records().await?;
    assert_eq!(records[0].transaction_id, records[2].transaction_id);
    assert_eq!(records[0].reason, None);
    assert_eq!(records[2].reason.as_deref(), Some("late"));
    assert_eq!(records[4].transaction_id, Some(id));
    Ok(())
}

async fn rolled_back_savepoint_keeps_the_context(db: &TestDb) -> TestResult {
    create(db).await?;
    let tx = ann(db).begin().await?;
    let inner = tx.begin().await?;
    ledger::new(1, "lost").insert(&inner).await?;
    inner.rollback().await?;
    ledger::new(2, "kept").insert(&tx).await?;
    let inner = tx.begin().await?;
    ledger::new(3, "kept").insert(&inner).await?;
    inner.commit().await?;
    let inner = tx.begin().await?;
    ledger::new(4, "lost").insert(&inner).await?;
    drop(inner);
    ledger::new(5, "kept").insert(&tx).await?;
    tx.commit().await?;
    assert_eq!(
        recorded(db).await?,
        ["CREATE 2 by 7", "CREATE 3 by 7", "CREATE 5 by 7"]
    );
    Ok(())
}

async fn manual_savepoints_keep_the_context(db: &TestDb) -> TestResult {
    create(db).await?;
    let tx = ann(db).begin().await?;
    tx.execute_unprepared("SAVEPOINT one").await?;
    ledger::new(1, "lost").insert(&tx).await?;
    tx.execute_unprepared("ROLLBACK TO SAVEPOINT one").await?;
    ledger::new(2, "kept").insert(&tx).await?;
    tx.commit().await?;
    assert_eq!(recorded(db).await?, ["CREATE 2 by 7"]);
    Ok(())
}

async fn builders_and_statements_tell_the_triggers(db: &TestDb) -> TestResult {
    create(db).await?;
    let context = AuditContext::new().actor(Actor::user(7));
    let many = (1..=3).map(|id| ledger::new(id, "a"));
    // A builder on a plain connection has a transaction of its own.
    let inserted = ledger::Entity::audited_insert_many(many).exec_without_returning(&db.conn);
    context.clone().scope(inserted).await?;
    let sql = "UPDATE ledger SET title = 'b' WHERE id < 3";
    ann(db).execute_unprepared(sql).await?;
    let updated = ledger::ActiveModel {
        title: Set("c".to_owned()),
        ..Default::default()
    };
    ledger::Entity::update_many()
        .set(updated)
        .filter(ledger::Column::Id.eq(3))
        .exec(&ann(db))
        .await?;
    assert_eq!(
        recorded(db).await?,
        [
            "CREATE 1 by 7",
            "CREATE 2 by 7",
            "CREATE 3 by 7",
            "UPDATE 1 by 7",
            "UPDATE 2 by 7",
            "UPDATE 3 by 7"
        ]
    );
    Ok(())
}

async fn unsupported_statement_is_reported_in_a_transaction(db: &TestDb) -> TestResult {
    create(db).await?;
    let sql = match db.backend() {
        DbBackend::Sqlite => "UPDATE OR IGNORE ledger SET title = 'b'",
        DbBackend::Postgres => {
            "WITH x AS (UPDATE ledger SET title = 'b' RETURNING id) SELECT count(*) FROM x"
        }
        _ => "UPDATE IGNORE ledger SET title = 'b'",
    };
    ledger::new(1, "a").insert(&ann(db)).await?;
    let tx = ann(db).begin().await?;
    tx.execute_unprepared(sql).await?;
    tx.commit().await?;
    assert_eq!(recorded(db).await?, ["CREATE 1 by 7", "UPDATE 1 by 7"]);
    Ok(())
}

/// Another table whose own trigger, written by the application, writes into the ledger.
async fn orders(db: &TestDb) -> TestResult {
    let trigger = match db.backend() {
        DbBackend::Postgres => {
            "CREATE FUNCTION of_order() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN INSERT INTO ledger VALUES (NEW.id, 'order'); RETURN NULL; END$$; \
             CREATE TRIGGER of_order AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION of_order(); \
             CREATE FUNCTION writes(id int) RETURNS int LANGUAGE sql AS \
             $$INSERT INTO ledger VALUES (id, 'function') RETURNING id$$"
        }
        _ => {
            "CREATE TRIGGER of_order AFTER INSERT ON orders FOR EACH ROW \
             BEGIN INSERT INTO ledger VALUES (NEW.id, 'order'); END"
        }
    };
    db.execute_unprepared("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        .await?;
    db.execute_unprepared(trigger).await?;
    Ok(())
}

/// The writer of each row of the ledger, in order.
async fn writers(db: &TestDb) -> TestResult<Vec<String>> {
    let records = db.records().await?.into_iter();
    Ok(records
        .map(|record| record.actor_id.unwrap_or(record.actor_type))
        .collect())
}

async fn function_that_writes_has_the_current_actor(db: &TestDb) -> TestResult {
    create(db).await?;
    orders(db).await?;
    let tx = db.audited().begin().await?;
    let by = |id: i32| AuditContext::new().actor(Actor::user(id));
    by(7).scope(ledger::new(1, "a").insert(&tx)).await?;
    let mut expected = vec!["7", "8"];
    let order = tx.execute_unprepared("INSERT INTO orders VALUES (2)");
    by(8).scope(order).await?;
    if db.backend() == DbBackend::Postgres {
        by(7).scope(ledger::new(3, "a").insert(&tx)).await?;
        let function = Statement::from_string(db.backend(), "SELECT writes(4)");
        by(8).scope(tx.query_one_raw(function)).await?;
        expected.extend(["7", "8"]);
    }
    by(7).scope(ledger::new(5, "a").insert(&tx)).await?;
    expected.push("7");
    tx.commit().await?;
    assert_eq!(writers(db).await?, expected);
    Ok(())
}

async fn allowed_statement_has_the_current_actor(db: &TestDb) -> TestResult {
    create(db).await?;
    let sql = match db.backend() {
        DbBackend::Postgres if !db.has_merge().await? => {
            "DO $$ BEGIN INSERT INTO ledger VALUES (2, 'b'); END $$"
        }
        DbBackend::Postgres => {
            "MERGE INTO ledger USING (SELECT 2 AS n) x ON id = n WHEN NOT MATCHED THEN INSERT VALUES (2, 'b')"
        }
        // Any unparsed statement.
        DbBackend::Sqlite => "WITH x AS (SELECT 2) INSERT INTO ledger SELECT *, 'b' FROM x",
        _ => "BEGIN NOT ATOMIC INSERT INTO ledger VALUES (2, 'b'); END",
    };
    let config = AuditConfig::builder()
        .statement_policy(StatementPolicy::Allow)
        .build()?;
    let connection = db.audited();
    let bob = AuditContext::new().actor(Actor::user(8));
    let by_both = async {
        let tx = connection.begin().await?;
        let ann = AuditContext::new().actor(Actor::user(7));
        ann.scope(ledger::new(1, "a").insert(&tx)).await?;
        bob.clone().scope(tx.execute_unprepared(sql)).await?;
        tx.commit().await
    };
    config.scope(by_both).await?;
    assert_eq!(writers(db).await?, ["7", "8"]);

    // The same in migration mode.
    db.forget().await?;
    db.execute_unprepared("DELETE FROM ledger").await?;
    db.forget().await?;
    let tx = connection.begin().await?;
    let repaired = migration_mode("repair", tx.execute_unprepared(sql));
    bob.scope(repaired).await?;
    tx.commit().await?;
    assert_eq!(writers(db).await?, ["8"]);
    Ok(())
}

async fn plain_connection_tells_nothing(db: &TestDb) -> TestResult {
    create(db).await?;
    let context = AuditContext::new().actor(Actor::user(7));
    let insert = ledger::new(1, "a");
    context.scope(insert.insert(&db.conn)).await?;
    let record = db.record().await?;
    assert_eq!(
        (&*record.source, &*record.actor_type),
        ("TRIGGER", "SERVICE")
    );
    assert_eq!(record.actor_id, None);
    let user = match db.backend() {
        DbBackend::Sqlite => "sqlite",
        _ => "audit",
    };
    assert_eq!(record.actor_name.as_deref(), Some(user));
    assert_eq!(record.transaction_id, None);
    Ok(())
}

async fn migration_mode_does_not_keep_triggers_from_recording(db: &TestDb) -> TestResult {
    create(db).await?;
    let insert = ledger::new(1, "a");
    migration_mode("test", insert.insert(&ann(db))).await?;
    assert_eq!(recorded(db).await?, ["CREATE 1 by 7"]);
    Ok(())
}

async fn write_without_actor_is_refused_where_one_is_required(db: &TestDb) -> TestResult {
    create(db).await?;
    let config = AuditConfig::builder()
        .require_actor(RequireActor::Deny)
        .build()?;
    let strict = db.audited().with_config(config);
    assert!(ledger::new(1, "a").insert(&strict).await.is_err());
    assert_eq!(ledger::Entity::find().all(&db.conn).await?.len(), 0);
    let known = strict.as_actor(Actor::user(7));
    ledger::new(1, "a").insert(&known).await?;
    assert_eq!(recorded(db).await?, ["CREATE 1 by 7"]);
    Ok(())
}

async fn fifty_actors_on_five_connections_are_distinguished(db: &TestDb) -> TestResult {
    create(db).await?;
    let connection = db.audited();
    let work = (0..50).map(|actor: i32| {
        let connection = connection.clone();
        tokio::spawn(async move {
            let own = connection.as_actor(Actor::user(actor));
            for number in 0..4 {
                let id = actor * 10 + number;
                if number % 2 == 0 {
                    ledger::new(id, "a").insert(&own).await?;
                } else {
                    let tx = own.begin().await?;
                    ledger::new(id, "a").insert(&tx).await?;
                    tx.commit().await?;
                }
            }
            Ok::<_, sea_orm::DbErr>(())
        })
    });
    for done in join_all(work).await {
        done??;
    }
    let records = db.records().await?;
    assert_eq!(records.len(), 200);
    for record in records {
        let object: i32 = record.object_id.as_deref().unwrap_or_default().parse()?;
        let actor: i32 = record.actor_id.as_deref().unwrap_or_default().parse()?;
        assert_eq!(object / 10, actor);
    }
    Ok(())
}

async fn write_takes_so_many_statements(db: &TestDb) -> TestResult {
    create(db).await?;
    let connection = ann(db);
    // The first query asks the server for its version.
    ledger::new(1, "a").insert(&connection).await?;
    let insert = ledger::new(2, "a");
    let (inserted, alone) = db.statements_of(insert.insert(&connection)).await;
    inserted?;
    // The context is set, the statement runs, and a context row is deleted. MariaDB reads what SeaORM has inserted.
    let most = match db.backend() {
        DbBackend::Postgres => 2,
        _ => 4,
    };
    assert!(alone.len() <= most, "{alone:#?}");
    let many = async {
        let tx = connection.begin().await?;
        for id in 10..110 {
            ledger::Entity::insert(ledger::new(id, "a"))
                .exec_without_returning(&tx)
                .await?;
        }
        tx.commit().await
    };
    let (inserted, statements) = db.statements_of(many).await;
    inserted?;
    assert!(statements.len() <= 102, "{}", statements.len());
    Ok(())
}

async fn rows_that_follow_a_changed_key_have_its_actor(db: &TestDb) -> TestResult {
    create(db).await?;
    for sql in [
        r#"ALTER TABLE page DROP CONSTRAINT "fk-page-parent_id""#,
        "ALTER TABLE page ADD FOREIGN KEY (parent_id) REFERENCES book (id) ON DELETE CASCADE ON UPDATE CASCADE",
        "INSERT INTO book VALUES (1, 'a'); INSERT INTO page VALUES (1, 1)",
    ] {
        db.execute_unprepared(sql).await?;
    }
    db.forget().await?;
    ann(db)
        .execute_unprepared("UPDATE book SET id = 2 WHERE id = 1")
        .await?;
    let records = db.records().await?;
    let who: Vec<_> = (records.iter())
        .map(|record| (record.model.as_deref(), record.actor_id.as_deref()))
        .collect();
    assert_eq!(who, [(Some("page"), Some("7")), (Some("book"), Some("7"))]);
    Ok(())
}

async fn unwritable_event_is_only_logged(db: &TestDb) -> TestResult {
    create(db).await?;
    let tx = ann(db)
        .begin_with_config(None, Some(AccessMode::ReadOnly))
        .await?;
    tx.execute_unprepared("DO 1").await?;
    tx.commit().await?;
    Ok(())
}

async fn report_that_fails_ends_no_transaction(db: &TestDb) -> TestResult {
    create(db).await?;
    let tx = ann(db)
        .begin_with_config(None, Some(AccessMode::ReadOnly))
        .await?;
    tx.execute_unprepared("DO 'begin perform 1; end'").await?;
    tx.execute_unprepared("SELECT 1").await?;
    tx.commit().await?;
    Ok(())
}
