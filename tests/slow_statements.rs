//! That slow statements of the event writer become no events, which would be written by slow statements. In a
//! process of its own: SQLite's statements are logged on threads of sqlx, which only a global subscriber hears.
#![allow(missing_docs)]

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, EntityTrait};
use sea_orm_audit::entity::audit_system_event;
use sea_orm_audit::migration::{Migrator, MigratorTrait};
use sea_orm_audit::web::AuditTracingLayer;
use sea_orm_audit::{EventType, EventWriter, SystemEvent};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

#[tokio::test]
async fn slow_statements_of_the_writer_make_no_events_of_their_own()
-> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut options = ConnectOptions::new("sqlite::memory:");
    // Every statement is a slow one.
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
    // Whatever writing an event makes would be there after the next.
    for _ in 0..5 {
        writer.flush().await;
    }
    let events = audit_system_event::Entity::find().all(&db).await?;
    let slow: Vec<_> = (events.iter())
        .filter(|event| event.event_type == "WARNING")
        .collect();
    // All that sqlx logs at one place is one event: only the application's two statements count.
    assert_eq!(slow.len(), 1, "{events:?}");
    assert_eq!(slow[0].occurrences, 2, "{events:?}");
    Ok(())
}
