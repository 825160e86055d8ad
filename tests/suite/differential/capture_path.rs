//! Runs one workload on one path.

use std::sync::Mutex;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, TransactionSession, TransactionTrait};
use sea_orm_audit::config::AuditConfigBuilder;
use sea_orm_audit::{Actor, AuditConfig, AuditContext};

use super::entity::{huge, label, listed, narrow, pair, wide};
use super::workload::{Group, Op, Step, Table, Workload};
use super::{related, rows};
use crate::support::{TestDb, TestResult};

/// The path of the writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CapturePath {
    /// SeaORM alone: the reference for the others, without the log.
    Unaudited,
    /// Models on SeaORM's own connection, builders where there is no hook.
    Hooks,
    /// Models on an `AuditedConnection`.
    Models,
    /// `Entity::insert`, `Entity::update` and their like on an `AuditedConnection`.
    Statements,
    /// `Entity::audited_insert_many` and its like on SeaORM's own connection.
    Builders,
    /// Models on an `AuditedConnection`, which leaves the record to triggers.
    Triggers,
}

impl CapturePath {
    pub(super) const ALL: [Self; 6] = [
        Self::Unaudited,
        Self::Hooks,
        Self::Models,
        Self::Statements,
        Self::Builders,
        Self::Triggers,
    ];

    pub(super) fn has_models(self) -> bool {
        matches!(self, Self::Hooks | Self::Models | Self::Triggers)
    }

    /// Whether builders take the place of SeaORM's statements.
    pub(super) fn has_builders(self) -> bool {
        matches!(self, Self::Hooks | Self::Builders)
    }

    /// Whether builders take the place of models, too.
    pub(super) fn is_builders(self) -> bool {
        self == Self::Builders
    }

    pub(super) fn without_hooks(self) -> Self {
        match self {
            Self::Hooks => Self::Builders,
            other => other,
        }
    }
}

/// What a step runs on.
pub(super) trait Connection:
    ConnectionTrait + TransactionTrait<Transaction: Transaction> + Send + Sync + 'static
{
}

impl<C> Connection for C where
    C: ConnectionTrait + TransactionTrait<Transaction: Transaction> + Send + Sync + 'static
{
}

/// A transaction that supports savepoints.
pub(super) trait Transaction:
    ConnectionTrait + TransactionTrait<Transaction = Self> + TransactionSession + Send + Sync + 'static
{
}

impl<T> Transaction for T where
    T: ConnectionTrait
        + TransactionTrait<Transaction = Self>
        + TransactionSession
        + Send
        + Sync
        + 'static
{
}

/// The time of all records but trigger records, which have the database's time.
pub(super) const NOON: &str = "2026-11-23T12:00:00Z";

/// The configuration of a path.
pub(super) fn config_of(road: CapturePath, backend: DbBackend) -> AuditConfigBuilder {
    let mut config = AuditConfig::builder();
    if road == CapturePath::Triggers {
        super::each_entity!(backend, E => config = config.captured_by_trigger::<E>());
    }
    config
}

/// Runs the workload and returns the answer of every step.
pub(super) async fn take(
    road: CapturePath,
    db: &TestDb,
    workload: &Workload,
) -> TestResult<Vec<String>> {
    let noon: DateTimeUtc = NOON.parse()?;
    let config = config_of(road, db.backend())
        .clock(move || noon)
        .buffered_records(workload.buffered_records)
        .chunk_rows(workload.chunk_rows)
        .migration_mode(road == CapturePath::Unaudited)
        .build()?;
    let run = Run {
        road,
        answers: Mutex::default(),
    };
    let done = match road {
        CapturePath::Models | CapturePath::Statements | CapturePath::Triggers => {
            config.scope(run.groups(&db.audited(), workload)).await
        }
        _ => config.scope(run.groups(&db.conn, workload)).await,
    };
    done.map_err(|error| format!("{road:?} fails: {error}"))?;
    Ok(run.answers.into_inner()?)
}

struct Run {
    road: CapturePath,
    answers: Mutex<Vec<String>>,
}

impl Run {
    async fn groups<C, T>(&self, db: &C, workload: &Workload) -> Result<(), DbErr>
    where
        C: ConnectionTrait + TransactionTrait<Transaction = T> + Send + Sync + 'static,
        T: Transaction,
    {
        for group in &workload.groups {
            match group {
                Group::Alone(op) => self.op(db, op).await?,
                Group::Transaction { steps, commit } => {
                    let tx = db.begin().await?;
                    self.steps(&tx, steps).await?;
                    end(tx, *commit).await?;
                }
            }
        }
        Ok(())
    }

    async fn steps<T: Transaction>(&self, tx: &T, steps: &[Step]) -> Result<(), DbErr> {
        for step in steps {
            match step {
                Step::Do(op) => self.op(tx, op).await?,
                Step::Savepoint { steps, commit } => {
                    let savepoint = tx.begin().await?;
                    Box::pin(self.steps(&savepoint, steps)).await?;
                    end(savepoint, *commit).await?;
                }
            }
        }
        Ok(())
    }

    /// Every record carries the number of its step.
    async fn op<C: Connection>(&self, db: &C, op: &Op) -> Result<(), DbErr> {
        let number = self.answers.lock().unwrap().len();
        let answer = AuditContext::new()
            .actor(Actor::user(7).named("Ann"))
            .reason(number.to_string())
            .scope(self.perform(db, op))
            .await
            .map_err(|error| DbErr::Custom(format!("step {number}, {op:?}: {error}")))?;
        self.answers
            .lock()
            .unwrap()
            .push(format!("{op:?}: {answer}"));
        Ok(())
    }

    async fn perform<C: Connection>(&self, db: &C, op: &Op) -> rows::Answer {
        let road = self.road;
        match op {
            Op::Nested(op) => related::nested(road, db, op).await,
            Op::Tree(op) => related::tree(road, db, op).await,
            Op::Row(table, op) => match (table, db.get_database_backend()) {
                (Table::Wide, _) => rows::run::<wide::Entity, C>(road, db, op).await,
                (Table::Label, _) => rows::run::<label::Entity, C>(road, db, op).await,
                (Table::Pair, _) => rows::run::<pair::Entity, C>(road, db, op).await,
                (Table::Own | Table::Narrow, DbBackend::Postgres) => {
                    rows::run::<listed::Entity, C>(road, db, op).await
                }
                (Table::Own, DbBackend::MySql) => rows::run::<huge::Entity, C>(road, db, op).await,
                (Table::Own | Table::Narrow, _) => {
                    rows::run::<narrow::Entity, C>(road, db, op).await
                }
            },
        }
    }
}

async fn end<T: TransactionSession>(tx: T, commit: bool) -> Result<(), DbErr> {
    if commit {
        tx.commit().await
    } else {
        tx.rollback().await
    }
}
