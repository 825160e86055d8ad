//! The operations of one path in a round: it runs them one after another, and checks their rows.

use std::time::Instant;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, PaginatorTrait,
    TransactionTrait,
};
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};

use crate::BoxError;
use crate::bulk_api::{Builders, CapturePath, SeaOrm};
use crate::database::Database;
use crate::fixtures::{Audited, Bare, Manual, Skipped, Triggered};
use crate::operation::Operation;
use crate::path::{Kind, Path};
use crate::rows;
use crate::write;

/// The connections for the writes.
pub(crate) struct Connections {
    pub(crate) plain: DatabaseConnection,
    pub(crate) audited: AuditedConnection,
}

impl From<DatabaseConnection> for Connections {
    fn from(plain: DatabaseConnection) -> Self {
        Self {
            audited: AuditedConnection::new(plain.clone()),
            plain,
        }
    }
}

/// The operations of a path in a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) operation: Operation,
    pub(crate) kind: Kind,
    pub(crate) path: Path,
    pub(crate) times: usize,
}

/// Runs the operations and checks their audit rows. Returns the microseconds of each operation.
pub(crate) async fn run(
    database: &Database,
    connections: &Connections,
    block: Block,
) -> Result<Vec<f64>, BoxError> {
    let plain = || connections.plain.clone();
    let audited = || connections.audited.clone();
    let rows = || database.conn.clone();
    // A separate task, as a request has, within the scope that a web layer creates.
    let worker = match block.path {
        Path::Bare => tokio::spawn(scope().scope(work::<SeaOrm<Bare>, _>(rows(), plain(), block))),
        Path::Manual => {
            tokio::spawn(scope().scope(work::<SeaOrm<Manual>, _>(rows(), plain(), block)))
        }
        Path::Hooks => {
            tokio::spawn(scope().scope(work::<SeaOrm<Audited>, _>(rows(), plain(), block)))
        }
        Path::Connection => {
            tokio::spawn(scope().scope(work::<SeaOrm<Audited>, _>(rows(), audited(), block)))
        }
        Path::Bulk => tokio::spawn(scope().scope(work::<Builders, _>(rows(), plain(), block))),
        Path::Trigger => {
            tokio::spawn(scope().scope(work::<SeaOrm<Triggered>, _>(rows(), plain(), block)))
        }
        Path::TriggerContext => {
            tokio::spawn(scope().scope(work::<SeaOrm<Triggered>, _>(rows(), audited(), block)))
        }
        Path::Skipped => {
            tokio::spawn(scope().scope(work::<SeaOrm<Skipped>, _>(rows(), audited(), block)))
        }
    };
    let (before, micros) = worker.await?.map_err(|error| {
        let (path, operation, kind) =
            (block.path.name(), block.operation.name(), block.kind.name());
        format!("the path `{path}` failed at `{operation}` ({kind}): {error}")
    })?;
    let after = database.audit_rows().await?;
    rows::check(
        block.path,
        block.operation,
        block.kind,
        block.times,
        (before, after),
    )?;
    Ok(micros)
}

/// The context that the manual hooks record, too.
fn scope() -> AuditContext {
    AuditContext::new()
        .actor(Actor::user(7).named("Ann"))
        .request_id("benchmark")
}

/// Returns the previous number of audit rows, and the microseconds of each operation.
async fn work<R: CapturePath, C>(
    rows: DatabaseConnection,
    db: C,
    block: Block,
) -> Result<(u64, Vec<f64>), DbErr>
where
    C: ConnectionTrait + TransactionTrait + 'static,
{
    let writes = write::prepare::<R::EntityPair>(&rows, block.operation, block.times).await?;
    settle(&rows).await?;
    // Triggers have recorded the preparation of the rows.
    let before = audit_log::Entity::find().count(&rows).await?;
    let mut micros = Vec::with_capacity(writes.len());
    for write in writes {
        let start = Instant::now();
        write::run::<R, C>(&db, block.kind, write).await?;
        micros.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok((before, micros))
}

/// Checkpoints SQLite's write-ahead log. The connection that fills it pays for the checkpoint, and a path with few
/// writes would pay for the previous path.
async fn settle(db: &DatabaseConnection) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Sqlite {
        db.execute_unprepared("PRAGMA wal_checkpoint(RESTART)")
            .await?;
    }
    Ok(())
}
