//! Errors that the application logs.

use sea_orm::{ActiveModelTrait, ConnectionTrait, Set};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::web::AuditTracingLayer;
use sea_orm_audit::{Actor, AuditConfig, AuditContext, AuditedConnection};
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{Shop, TestResult, product};

#[tokio::test]
async fn errors_become_events_with_the_fields_that_are_allowed() -> TestResult {
    let shop = Shop::open().await?;
    let layer = AuditTracingLayer::new()
        .field("order_id")
        .writer(shop.events.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    let context = AuditContext::new().actor(Actor::user(7)).into_scope();
    tracing::subscriber::with_default(subscriber, || {
        context.run(|| {
            for order in 1..=3 {
                tracing::error!(order_id = order, password = "hunter2", "the order\nfailed");
            }
            tracing::warn!("only a warning");
            tracing::error!(target: "sea_orm_audit_core::event::writer", "the writer's own");
        });
    });
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    assert_eq!((event.event_type.as_str(), event.occurrences), ("ERROR", 3));
    assert_eq!(event.description.as_deref(), Some("the order␊failed"));
    assert_eq!(event.actor_id.as_deref(), Some("7"));
    assert!(
        event
            .module
            .as_deref()
            .unwrap_or_default()
            .ends_with("tracing_layer")
    );
    assert!(event.line_number.is_some());
    let metadata = event.metadata.clone().unwrap_or_default();
    assert_eq!(metadata["order_id"], "1");
    assert!(metadata.get("password").is_none());
    Ok(())
}

#[tokio::test]
async fn warnings_become_events_on_request() -> TestResult {
    let shop = Shop::open().await?;
    let layer = AuditTracingLayer::new()
        .warnings()
        .writer(shop.events.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        tracing::warn!("a warning");
        tracing::info!("no warning");
    });
    let events = shop.events().await?;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_type, "WARNING");
    Ok(())
}

/// Until it is dropped, warnings of this thread become events.
fn reporting(shop: &Shop) -> tracing::subscriber::DefaultGuard {
    let layer = AuditTracingLayer::new().warnings();
    let layer = layer.writer(shop.events.clone());
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

#[tokio::test]
async fn change_that_goes_without_its_record_is_an_event() -> TestResult {
    let shop = Shop::open().await?;
    shop.db.execute_unprepared("DROP TABLE audit_log").await?;
    let _guard = reporting(&shop);
    let config = AuditConfig::builder().failure_policy(FailurePolicy::Isolate);
    let new = product::ActiveModel {
        name: Set("tea".into()),
        ..Default::default()
    };
    let db = AuditedConnection::new(shop.conn());
    config.build()?.scope(new.insert(&db)).await?;
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (&*events[0].event_type, events[0].occurrences),
        ("ERROR", 1)
    );
    let recorded = events[0].description.as_deref().unwrap_or_default();
    assert!(recorded.contains("without"), "{recorded}");
    Ok(())
}

#[tokio::test]
async fn log_that_takes_neither_records_nor_events_makes_one_event_and_not_ever_more() -> TestResult
{
    let shop = Shop::open().await?;
    shop.db.execute_unprepared("DROP TABLE audit_log").await?;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON audit_system_event \
                  BEGIN SELECT RAISE(FAIL, 'refused'); END";
    shop.db.execute_unprepared(refuse).await?;
    let _guard = reporting(&shop);
    let config = AuditConfig::builder().failure_policy(FailurePolicy::Isolate);
    let new = product::ActiveModel {
        name: Set("tea".into()),
        ..Default::default()
    };
    let db = AuditedConnection::new(shop.conn());
    config.build()?.scope(new.insert(&db)).await?;
    for _ in 0..5 {
        // Otherwise the writer's logs would become events.
        shop.events.flush().await;
    }
    shop.db.execute_unprepared("DROP TRIGGER refuse").await?;
    shop.events.shutdown().await;
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].occurrences, 1);
    Ok(())
}

#[tokio::test]
async fn statement_that_is_not_captured_is_one_event_and_not_two() -> TestResult {
    let shop = Shop::open().await?;
    let _guard = reporting(&shop);
    let db = AuditedConnection::new(shop.conn());
    // A statement that no parser needs to support.
    db.execute_unprepared("UPDATE OR IGNORE product SET name = 'tea'")
        .await?;
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].event_type, "WARNING");
    Ok(())
}

#[tokio::test]
async fn slow_statements_become_events_but_for_those_on_audit_tables() -> TestResult {
    let shop = Shop::open().await?;
    let _guard = reporting(&shop);
    for statement in [
        r#"INSERT INTO "audit_system_event" ("id") VALUES ($1)"#,
        "UPDATE audit_log SET action = 1",
        r#"SELECT "my_audit_log" FROM "product""#,
    ] {
        tracing::warn!(
            target: "sqlx::query",
            summary = "these four words are",
            db.statement = statement,
            "slow statement"
        );
    }
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].occurrences, 1);
    Ok(())
}

/// Like tracing-subscriber's `init` with other crates that use `log`.
#[tokio::test]
async fn errors_of_the_crate_log_are_distinguished_by_their_place() -> TestResult {
    let shop = Shop::open().await?;
    let _guard = reporting(&shop);
    for (target, line) in [("a::client", 7), ("a::client", 9), ("b", 7), ("b", 7)] {
        let record = log::Record::builder()
            .args(format_args!("it broke"))
            .level(log::Level::Error)
            .target(target)
            .file(Some("src/client.rs"))
            .line(Some(line))
            .build();
        tracing_log::format_trace(&record)?;
    }
    let events = shop.events().await?;
    let recorded: Vec<_> = (events.iter())
        .map(|event| {
            (
                event.module.as_deref(),
                event.line_number,
                event.occurrences,
            )
        })
        .collect();
    let module = ["a::client", "b"].map(Some);
    assert_eq!(
        recorded,
        [
            (module[0], Some(7), 1),
            (module[0], Some(9), 1),
            (module[1], Some(7), 2)
        ]
    );
    assert_eq!(events[0].description.as_deref(), Some("it broke"));
    assert_eq!(
        events[0].metadata.clone().unwrap_or_default()["file"],
        "src/client.rs"
    );
    Ok(())
}
