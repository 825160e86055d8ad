//! Slow statements of the event writer become no events, which would cause more slow statements. A separate process:
//! sqlx logs SQLite's statements on its own threads, and only a global subscriber receives those logs.
#![allow(missing_docs)]

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, EntityTrait};
use sea_orm_audit::entity::audit_system_event;
use sea_orm_audit::event::{EventType, EventWriter, SystemEvent};
use sea_orm_audit::migration::{Migrator, MigratorTrait};
use sea_orm_audit::web::AuditTracingLayer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

#[tokio::test]
async fn slow_statements_of_the_writer_make_no_events_of_their_own()
-> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut options = ConnectOptions::new("sqlite::memory:");
    // Every statement counts as slow.
    let warn = "warn".parse().map_err(|_| "no such level")?;
    options
        .max_connections(1)
        .sqlx_logging(true)
        .sqlx_slow_statements_logging_settings(warn, Duration::ZERO);
    let db = Database::connect(options).await?;
    Migrator::up(&db, None).await?;
    let writer = EventWriter::start(db.clone());
    let layer = AuditTracingLayer::new().warnings().writer(writer.clone());
    let subscriber = tracing_subscriber::registry()
        .with(layer)
        .with(LevelFilter::WARN);
    tracing::subscriber::set_global_default(subscriber)?;

    writer.submit(SystemEvent::new(EventType::Info, "something happened"));
    db.execute_unprepared("CREATE TABLE shelf (id INTEGER)")
        .await?;
    db.execute_unprepared("SELECT 1 FROM shelf").await?;
    // If writing an event made another event, that would be written after the next one.
    for _ in 0..5 {
        writer.flush().await;
    }
    let events = audit_system_event::Entity::find().all(&db).await?;
    let slow: Vec<_> = (events.iter())
        .filter(|event| event.event_type == "WARNING")
        .collect();
    // All logs of one place in sqlx are one event: only the application's two statements count.
    assert_eq!(slow.len(), 1, "{events:?}");
    assert_eq!(slow[0].occurrences, 2, "{events:?}");
    Ok(())
}
