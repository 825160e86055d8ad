//! The baseline: records of rows that are older than the log.
//!
//! A row is locked until its record is committed. So a change of it that is committed before has its record before the
//! snapshot's, and a later one after it.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Value;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, TransactionSession,
};

use crate::action::{Action, Source};
use crate::auditable::{Auditable, EntityInfo, known};
use crate::begin::begin;
use crate::binding::Binding;
use crate::capture::RowChange;
use crate::config::{AuditConfig, Plan};
use crate::connection::AuditedConnection;
use crate::context::AuditContext;
use crate::entity::audit_log::{self, Column as C};
use crate::error::AuditError;
use crate::record::insert_rows;
use crate::sql::SqlBuilder;

/// How many ids one statement binds.
const IDS: usize = 500;
/// How many rows are looked at to find a table without a baseline.
const SAMPLE: usize = 20;

/// Records a `SNAPSHOT` of each row of an entity that the log has no whole record of.
///
/// History and past states then know the rows that existed before auditing began. It can be run again at any time, also
/// after it was interrupted: a row that has a record of its creation or a snapshot gets no other one.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{Auditable, AuditedConnection, backfill};
/// # async fn all<E: Auditable>(db: &AuditedConnection) -> Result<(), sea_orm::DbErr> {
/// let done = backfill::<E>(db).progress(|rows| println!("{rows} rows")).run().await?;
/// println!("{} snapshots", done.recorded);
/// # Ok(())
/// # }
/// ```
pub const fn backfill<E: Auditable>(db: &AuditedConnection) -> Backfill<'_, E> {
    Backfill {
        db,
        batch: 1_000,
        progress: None,
        entity: PhantomData,
    }
}

/// A baseline to record; see [`backfill`].
#[must_use = "nothing is recorded until `run` is awaited"]
pub struct Backfill<'a, E> {
    db: &'a AuditedConnection,
    batch: u64,
    progress: Option<Box<dyn FnMut(u64) + Send + 'a>>,
    entity: PhantomData<fn(E)>,
}

impl<E> std::fmt::Debug for Backfill<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backfill")
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

/// What a [`Backfill`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backfilled {
    /// How many rows the table has.
    pub rows: u64,
    /// How many of them got a snapshot.
    pub recorded: u64,
}

impl<'a, E: Auditable> Backfill<'a, E> {
    /// How many rows one transaction reads and locks, 1,000 by default; from 1 to 10,000, else the nearest of these.
    pub fn batch(mut self, rows: u64) -> Self {
        self.batch = rows.clamp(1, 10_000);
        self
    }

    /// Is called after each transaction, with the number of rows so far.
    pub fn progress(mut self, progress: impl FnMut(u64) + Send + 'a) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Records the snapshots, by the actor of the context, in one transaction for each batch.
    ///
    /// Rows are locked against changes (`FOR SHARE`) until their batch is committed; on SQLite, other writers wait.
    ///
    /// # Errors
    /// Returns the database's error; [`AuditError::Config`] if the configuration records no creation of the entity, or
    /// in migration mode; and an error if an actor is required and there is none. The batches before stay.
    pub async fn run(self) -> Result<Backfilled, DbErr> {
        Binding::to(self.db).scope(self.read_all()).await
    }

    async fn read_all(mut self) -> Result<Backfilled, DbErr> {
        let config = AuditConfig::current();
        let plan = config.plan(E::info());
        if plan.skips(&config, &Action::Create) || config.is_suppressed() {
            let why = format!(
                "no creation of `{}` is recorded, so there is no baseline",
                E::info().model()
            );
            return Err(AuditError::Config(why).into());
        }
        let context = AuditContext::current();
        config.check_actor(&context)?;
        let batch = Batch {
            config: &config,
            plan: &plan,
            context,
            transaction: Uuid::now_v7(),
        };
        let mut done = Backfilled {
            rows: 0,
            recorded: 0,
        };
        let mut after: Option<Vec<Value>> = None;
        loop {
            let tx = begin(self.db.unaudited()).await?;
            let rows = next_rows(&tx, E::info(), after.as_deref(), (self.batch, true)).await?;
            let read = rows.len() as u64;
            after = rows.last().map(|row| E::info().key_of(row));
            done.recorded += batch.record(&tx, rows).await?;
            done.rows += read;
            tx.commit().await?;
            if let Some(progress) = &mut self.progress {
                progress(done.rows);
            }
            if read < self.batch {
                return Ok(done);
            }
        }
    }
}

/// The next rows in the order of their keys, locked if that is wanted.
async fn next_rows<Db: ConnectionTrait>(
    db: &Db,
    info: &EntityInfo,
    after: Option<&[Value]>,
    (limit, lock): (u64, bool),
) -> Result<Vec<Vec<Value>>, DbErr> {
    let backend = db.get_database_backend();
    let mut sql = SqlBuilder::new(backend, &[]);
    sql.text("SELECT ")
        .text(&(info.access.list)(backend, None))
        .text(" FROM ");
    if let Some(schema) = info.schema() {
        sql.name(schema).text(".");
    }
    sql.name(info.table());
    if let Some(key) = after {
        sql.text(" WHERE (");
        add_key(&mut sql, info);
        sql.text(") > (");
        for (part, (at, value)) in info.key.iter().zip(key).enumerate() {
            let (before, end) = (info.access.cast)(backend, *at);
            sql.text(if part == 0 { "" } else { ", " }).text(&before);
            sql.value(value.clone()).text(&end);
        }
        sql.text(")");
    }
    sql.text(" ORDER BY ");
    add_key(&mut sql, info);
    sql.text(&format!(" LIMIT {limit}"));
    sql.text(match backend {
        DbBackend::Postgres if lock => " FOR SHARE",
        DbBackend::MySql if lock => " LOCK IN SHARE MODE",
        _ => "",
    });
    let found = db.query_all_raw(sql.finish()).await?;
    found.iter().map(|row| (info.access.read)(row)).collect()
}

fn add_key(sql: &mut SqlBuilder<'_>, info: &EntityInfo) {
    for (part, at) in info.key.iter().enumerate() {
        sql.text(if part == 0 { "" } else { ", " });
        sql.name(info.columns[*at].name);
    }
}

struct Batch<'a> {
    config: &'a AuditConfig,
    plan: &'a Plan,
    context: AuditContext,
    transaction: Uuid,
}

impl Batch<'_> {
    /// Records the rows that have no whole record. Returns how many.
    async fn record<Db: ConnectionTrait>(
        &self,
        db: &Db,
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, DbErr> {
        let ids = object_ids(self.config, self.plan, &rows)?;
        let known = with_whole_record(db, self.plan.info, &ids).await?;
        let backend = db.get_database_backend();
        let mut records = Vec::new();
        for (row, id) in rows.iter().zip(&ids) {
            if known.contains(id) {
                continue;
            }
            let refused = |cause: crate::error::Cause| DbErr::Type(cause.to_string());
            let change = RowChange {
                action: Action::Snapshot,
                changes: self.plan.created(self.config, row).map_err(refused)?,
                key: &self.plan.info.key_of(row),
                row,
                source: Source::Bulk,
            };
            let mut record =
                (change.record(self.plan, self.config, self.context.clone())).map_err(refused)?;
            record.transaction_id = Some(self.transaction);
            records.push(record.into_row(self.config, backend).map_err(refused)?);
        }
        let count = records.len() as u64;
        insert_rows(db, records).await?;
        Ok(count)
    }
}

fn object_ids(
    config: &AuditConfig,
    plan: &Plan,
    rows: &[Vec<Value>],
) -> Result<Vec<String>, DbErr> {
    (rows.iter())
        .map(|row| {
            (plan.object_id(config, &plan.info.key_of(row)))
                .map_err(|cause| DbErr::Type(cause.to_string()))
        })
        .collect()
}

/// Those of the objects whose last whole record is not of a deletion.
async fn with_whole_record<Db: ConnectionTrait>(
    db: &Db,
    info: &EntityInfo,
    ids: &[String],
) -> Result<HashSet<String>, DbErr> {
    let mut last: HashMap<String, String> = HashMap::new();
    for chunk in ids.chunks(IDS) {
        let whole = [Action::Create, Action::Snapshot, Action::Delete];
        let found: Vec<(Option<String>, String)> = audit_log::Entity::find()
            .filter(C::Model.eq(info.model()))
            .filter(C::ObjectId.is_in(chunk))
            .filter(C::Action.is_in(whole.map(|action| action.to_string())))
            .select_only()
            .columns([C::ObjectId, C::Action])
            .order_by_asc(C::Id)
            .into_tuple()
            .all(db)
            .await?;
        last.extend(
            found
                .into_iter()
                .filter_map(|(id, action)| Some((id?, action))),
        );
    }
    last.retain(|_, action| action != Action::Delete.as_str());
    Ok(last.into_keys().collect())
}

/// The tables of recorded entities that have a row without a whole record, among a few rows with the lowest keys: the
/// oldest ones, where keys grow. Only tables that are `readable` are looked at, and those that the role may not read are
/// left out.
///
/// # Errors
/// Returns the database's error.
#[doc(hidden)]
pub async fn tables_without_baseline<Db: ConnectionTrait>(
    db: &Db,
    readable: impl Fn(&EntityInfo) -> bool,
) -> Result<Vec<String>, DbErr> {
    let config = AuditConfig::current();
    let mut tables = Vec::new();
    for info in known() {
        let plan = config.plan(info);
        if plan.skips(&config, &Action::Create) || !readable(info) {
            continue;
        }
        let Ok(rows) = next_rows(db, info, None, (SAMPLE as u64, false)).await else {
            continue;
        };
        let ids = object_ids(&config, &plan, &rows)?;
        let whole = with_whole_record(db, info, &ids).await?;
        if ids.iter().any(|id| !whole.contains(id)) {
            tables.push(info.table().to_owned());
        }
    }
    tables.sort();
    tables.dedup();
    Ok(tables)
}
