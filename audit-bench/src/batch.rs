//! The operations of one path in a round: it runs them one after another, and checks their rows.

use std::time::Instant;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, PaginatorTrait,
    TransactionTrait,
};
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};

use crate::BoxError;
use crate::bulk_api::CapturePath;
use crate::database::Database;
use crate::operation::Operation;
use crate::path::{Kind, Path};
use crate::rows;
use crate::write;

/// The connections for the writes.
pub(crate) struct Connections {
    pub(crate) plain: DatabaseConnection,
    pub(crate) audited: AuditedConnection,
    /// Its pool sets the context of triggers.
    pub(crate) pooled: DatabaseConnection,
}

impl Connections {
    pub(crate) fn new(plain: DatabaseConnection, pooled: DatabaseConnection) -> Self {
        Self {
            audited: AuditedConnection::new(plain.clone()),
            plain,
            pooled,
        }
    }

    pub(crate) async fn close(self) -> Result<(), DbErr> {
        self.plain.close().await?;
        self.pooled.close().await
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

/// Spawns a generic function with a path's entity and bulk interface, on its connection: in a separate task, as a request
/// has, within the scope that a web layer creates.
macro_rules! spawn_on_path {
    ($path:expr, $connections:expr, $function:ident($($argument:expr),*)) => {{
        use $crate::bulk_api::{Builders, SeaOrm};
        use $crate::fixtures::{Audited, Bare, Manual, Skipped, Triggered};
        use $crate::path::Path;
        let (plain, audited) = ($connections.plain.clone(), $connections.audited.clone());
        let pooled = $connections.pooled.clone();
        macro_rules! task {
            ($way:ty, $db:expr) => {
                tokio::spawn(
                    $crate::batch::scope().scope($function::<$way, _>($db, $($argument),*)),
                )
            };
        }
        match $path {
            Path::Bare => task!(SeaOrm<Bare>, plain),
            Path::Manual => task!(SeaOrm<Manual>, plain),
            Path::Hooks => task!(SeaOrm<Audited>, plain),
            Path::Connection => task!(SeaOrm<Audited>, audited),
            Path::Bulk => task!(Builders, plain),
            Path::Trigger => task!(SeaOrm<Triggered>, plain),
            Path::TriggerContext => task!(SeaOrm<Triggered>, audited),
            Path::TriggerPool => task!(SeaOrm<Triggered>, pooled),
            Path::Skipped => task!(SeaOrm<Skipped>, audited),
        }
    }};
}
pub(crate) use spawn_on_path;

/// Runs the operations and checks their audit rows. Returns the microseconds of each operation.
pub(crate) async fn run(
    database: &Database,
    connections: &Connections,
    block: Block,
) -> Result<Vec<f64>, BoxError> {
    let worker = spawn_on_path!(block.path, connections, work(database.conn.clone(), block));
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
pub(crate) fn scope() -> AuditContext {
    AuditContext::new()
        .actor(Actor::user(7).named("Ann"))
        .request_id("benchmark")
}

/// Returns the previous number of audit rows, and the microseconds of each operation.
async fn work<R: CapturePath, C>(
    db: C,
    rows: DatabaseConnection,
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
