//! Writes records into `audit_log`, through the connection of the change.
//!
//! One file, because a record is built and sent in one place, by hooks and by the engine.

#[cfg(feature = "statements")]
mod batch;
#[cfg(any(
    feature = "statements",
    feature = "pool-mysql",
    feature = "pool-postgres"
))]
mod context_text;
mod driver_error;
mod failure;
mod last_insert_id;
mod max_packet;
mod prepare_again;
mod storable;
#[cfg(feature = "statements")]
mod trigger_context;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sea_orm::prelude::{DateTimeUtc, Json, Uuid};
use sea_orm::sea_query::{
    Expr, ExprTrait, InsertStatement, PostgresQueryBuilder, Query, SimpleExpr, Value,
};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, Insert, Iterable, QueryTrait, Statement,
};
use serde::Serialize;

use crate::action::{Action, Outcome, Source};
use crate::actor::Actor;
use crate::change::Changes;
use crate::config::{AuditConfig, FailurePolicy, Tables};
use crate::connection_kind::ConnectionKind;
use crate::context::AuditContext;
use crate::entity::audit_log::Column;
use crate::error::{AuditError, Cause, ChangeState};
use crate::hash::session_digest;
use crate::limits;
use crate::stats::{COUNTERS, count};
use crate::system_event::{EventType, SystemEvent, report};
use crate::target::{Target, truncate_hashed};
use storable::storable;

#[cfg(feature = "statements")]
pub(crate) use batch::{Row, insert_rows};
#[cfg(any(feature = "pool-mysql", feature = "pool-postgres"))]
pub(crate) use context_text::context_text;
pub(crate) use failure::{cause, cause_in, is_unavailable};
#[cfg(feature = "statements")]
pub(crate) use failure::{
    commits, ending_error, has_ended_transaction, is_aborted, is_contention, is_never_begun,
    is_sqlite_constraint, is_sqlite_foreign_key, is_sqlite_mismatch, is_syntax_error,
    may_have_ended_transaction, refuses_writes,
};
pub(crate) use failure::{
    ends_transaction, is_autocommit, is_no_savepoint, is_no_transaction, is_refused, is_unreadable,
    missing_table,
};
#[cfg(feature = "statements")]
pub(crate) use last_insert_id::with_last_insert_id;
pub(crate) use last_insert_id::{in_transaction, keeping_last_insert_id};
#[cfg(feature = "statements")]
pub(crate) use prepare_again::Dropping;
pub(crate) use prepare_again::prepare_again;
#[cfg(feature = "statements")]
pub(crate) use trigger_context::{
    TriggerContextValue, clear_context, read_trigger_context, restore, set_context,
};

/// The content of a record.
pub(crate) struct Record {
    pub(crate) occurred_at: DateTimeUtc,
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
    pub(crate) target: Option<Target>,
    pub(crate) changes: Option<Changes>,
    pub(crate) tenant: Option<String>,
    pub(crate) module: Option<String>,
    pub(crate) source: Source,
    pub(crate) context: AuditContext,
    pub(crate) transaction_id: Option<Uuid>,
}

/// Text as every database can store it: PostgreSQL has no NUL in text.
pub(crate) fn strip_nul(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{FFFD}")
    } else {
        text
    }
}

/// A client's address as every audit table stores it, and as queries search for it.
pub(crate) fn address(text: String) -> String {
    truncate_hashed(strip_nul(text), limits::ADDRESS)
}

/// Text that is only displayed, such as labels, names, reasons and agents: harmless to what displays it, a terminal for
/// example. Changes are stored as they are.
pub(crate) fn sanitize(text: String) -> String {
    if let Cow::Owned(harmless) = crate::text::clean(&text, usize::MAX) {
        return harmless;
    }
    text
}

pub(crate) fn strip_nul_in_json(json: &mut Json) {
    match json {
        Json::String(text) => *text = strip_nul(std::mem::take(text)),
        Json::Array(items) => items.iter_mut().for_each(strip_nul_in_json),
        Json::Object(map) => {
            let cleaned = std::mem::take(map).into_iter().map(|(key, mut value)| {
                strip_nul_in_json(&mut value);
                (strip_nul(key), value)
            });
            *map = cleaned.collect();
        }
        _ => {}
    }
}

/// A time in the form that a database accepts: MySQL treats one with a zone as a TIMESTAMP, which ends in 2038.
pub(crate) fn timestamp(backend: DbBackend, time: DateTimeUtc) -> Value {
    match backend {
        DbBackend::MySql => time.naive_utc().into(),
        _ => time.into(),
    }
}

/// A statement with its times in the form that the database accepts.
fn statement_of(backend: DbBackend, insert: &InsertStatement) -> Statement {
    let mut statement = backend.build(insert);
    for value in statement.values.iter_mut().flat_map(|values| &mut values.0) {
        if let Value::ChronoDateTimeUtc(Some(time)) = value {
            *value = timestamp(backend, *time);
        }
    }
    prepare_again(statement)
}

/// An INSERT as it is sent.
fn built<C: ConnectionTrait>(db: &C, insert: &InsertStatement) -> Statement {
    prepare_again(db.get_database_backend().build(insert))
}

/// Inserts rows of an audit table in one statement.
pub(crate) async fn insert_rows_of<C, A>(
    db: &C,
    rows: impl IntoIterator<Item = A>,
) -> Result<(), DbErr>
where
    C: ConnectionTrait,
    A: ActiveModelTrait,
{
    let insert = Insert::many(rows).into_query();
    let statement = statement_of(db.get_database_backend(), &insert);
    db.execute_raw(statement).await.map(|_| ())
}

/// Inserts a row of an audit table, and returns its id.
pub(crate) async fn insert_row<C, A>(db: &C, row: A) -> Result<i64, DbErr>
where
    C: ConnectionTrait,
    A: ActiveModelTrait,
{
    let mut insert = Insert::one(row).into_query();
    if db.support_returning() {
        insert.returning_col(Column::Id);
    }
    let statement = statement_of(db.get_database_backend(), &insert);
    if !db.support_returning() {
        let inserted = db.execute_raw(statement).await?;
        return Ok(inserted.last_insert_id().cast_signed());
    }
    match db.query_one_raw(statement).await? {
        Some(row) => row.try_get("", "id"),
        None => Err(DbErr::RecordNotInserted),
    }
}

impl Record {
    /// The values of the row, in the order of the entity's columns but for the id.
    fn values(self, config: &AuditConfig, backend: DbBackend) -> Result<Vec<Value>, Cause> {
        let bounded = |text: Option<String>, limit: u32| -> Value {
            text.map(|text| truncate_hashed(strip_nul(text), limit))
                .into()
        };
        let word = |text: &str| -> Value { text.to_owned().into() };
        let changes = (self.changes)
            .map(|changes| written(config, &storable(backend, changes)))
            .transpose()?;
        let actor = self.context.actor.unwrap_or_else(Actor::unknown);
        let (model, object_id, repr) = match self.target {
            Some(target) => (Some(target.model), Some(target.object_id), target.repr),
            None => (None, None, None),
        };
        let metadata = (!self.context.metadata.is_empty()).then(|| {
            let mut json = Json::Object(self.context.metadata);
            config.sensitive().redact_json(&mut json);
            strip_nul_in_json(&mut json);
            json
        });
        let metadata = (metadata.as_ref())
            .map(|json| written(config, json))
            .transpose()?;
        let digest = |session: String| session_digest(config.hash_key(), &session);
        Ok(vec![
            timestamp(backend, self.occurred_at),
            word(self.action.as_str()),
            word(self.outcome.as_str()),
            bounded(model, limits::MODEL),
            bounded(object_id, limits::OBJECT_ID),
            repr.map(sanitize).into(),
            changes.into(),
            word(actor.kind().as_str()),
            bounded(actor.id().map(str::to_owned), limits::NAME),
            bounded(actor.name().map(str::to_owned).map(sanitize), limits::NAME),
            bounded(actor.impersonator().map(str::to_owned), limits::NAME),
            self.context.ip_address.map(address).into(),
            self.context.user_agent.map(sanitize).into(),
            self.context.session_key.map(digest).into(),
            bounded(self.context.request_id, limits::NAME),
            bounded(self.context.trace_id, limits::NAME),
            Value::Uuid(self.transaction_id),
            bounded(self.tenant.or(self.context.tenant), limits::NAME),
            self.context.reason.map(sanitize).into(),
            bounded(self.module.or(self.context.module), limits::NAME),
            word(self.source.as_str()),
            metadata.into(),
        ])
    }

    async fn insert<C: ConnectionTrait>(
        self,
        db: &C,
        config: &AuditConfig,
        is_inline: bool,
    ) -> Result<InsertStatement, Cause> {
        let backend = db.get_database_backend();
        let mut rows = [self.values(config, backend)?];
        (max_packet::fit(db, &mut rows).await).map_err(|error| cause(config, error))?;
        insert_of(config.tables(), backend, is_inline, rows)
            .map_err(|error| cause(config, DbErr::Type(error.to_string())))
    }
}

/// JSON as text: the drivers copy what they bind, and a text is copied at once.
fn written(config: &AuditConfig, json: &impl Serialize) -> Result<String, Cause> {
    serde_json::to_string(json).map_err(|error| cause(config, DbErr::Json(error.to_string())))
}

/// Whether a column holds JSON, for which PostgreSQL does not accept text without a cast.
fn is_json(column: Column) -> bool {
    matches!(column, Column::Changes | Column::Metadata)
}

/// Kept as it was written, and cheaper than `jsonb`, which is parsed and built anew.
const JSON: &str = "json";

/// One INSERT of several rows.
fn insert_of(
    tables: Tables,
    backend: DbBackend,
    is_inline: bool,
    rows: impl IntoIterator<Item = Vec<Value>>,
) -> Result<InsertStatement, sea_orm::sea_query::error::Error> {
    let mut insert = Query::insert();
    insert
        .into_table(tables.reference(tables.log()))
        .columns(Column::iter().skip(1));
    for row in rows {
        let cells = Column::iter().skip(1).zip(row).map(|(column, value)| {
            let cell = match value {
                Value::String(Some(text)) if is_inline && text.contains(['\'', '\\']) => {
                    Expr::cust(dollar_quoted(&text))
                }
                value => SimpleExpr::from(value),
            };
            if is_json(column) && backend == DbBackend::Postgres {
                cell.cast_as(JSON)
            } else {
                cell
            }
        });
        insert.values(cells)?;
    }
    Ok(insert)
}

/// A text as PostgreSQL's dollar-quoted constant, which no setting of the session gives another meaning, as
/// `backslash_quote` and `standard_conforming_strings` do to others.
fn dollar_quoted(text: &str) -> String {
    let closed = format!("{text}$");
    let mut number = 0_u32;
    let mut tag = "$audit$".to_owned();
    while closed.contains(&tag) {
        number += 1;
        tag = format!("$audit{number}$");
    }
    format!("{tag}{text}{tag}")
}

/// Writes the record of a change made through `db`, by the failure policy.
pub(crate) async fn record_change<C: ConnectionTrait>(
    db: &C,
    config: &AuditConfig,
    record: Result<Record, Cause>,
) -> Result<(), DbErr> {
    let written = match record {
        Ok(record) => {
            let model = record.target.as_ref().map(|target| target.model.clone());
            let model = model.unwrap_or_default();
            let guard = Dropped(Some(&model));
            let written = write(db, config, record).await;
            guard.disarm();
            written.map_err(|cause| cause.of_change_to(&model))
        }
        Err(cause) => Err(cause),
    };
    let Err(cause) = written else {
        return Ok(());
    };
    if config.failure_policy() == FailurePolicy::Isolate && !ends_transaction(&cause) {
        count(&COUNTERS.isolated);
        tracing::error!(%cause, "a change goes without its audit record");
        return Ok(());
    }
    count(&COUNTERS.failed);
    let state = match failure::is_committed(db, &cause).await {
        Some(true) => return Err(AuditError::ChangeCommittedWithoutRecord { cause }.into()),
        Some(false) => ChangeState::RollBack,
        None => ChangeState::Unknown,
    };
    Err(AuditError::NotRecorded { state, cause }.into())
}

/// Reports a change whose record may not have been written, as the future of the operation was dropped meanwhile.
struct Dropped<'a>(Option<&'a str>);

impl Dropped<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        const TITLE: &str = "a write was dropped while its record was written";
        let Some(model) = self.0 else { return };
        count(&COUNTERS.failed);
        tracing::error!(system_event = true, model, "{TITLE}");
        let text = format!("A change to `{model}` may have no audit record.");
        report(SystemEvent::new(EventType::Warning, TITLE).description(text));
    }
}

/// Writes a standalone record; an error is always returned.
pub(crate) async fn record_event<C: ConnectionTrait>(
    db: &C,
    config: &AuditConfig,
    record: Record,
) -> Result<(), AuditError> {
    write(db, config, record).await.map_err(|cause| {
        count(&COUNTERS.failed);
        AuditError::NotRecorded {
            state: ChangeState::NoChange,
            cause,
        }
    })
}

/// Writes a record as it is, and returns its id.
pub(crate) async fn insert_record<C: ConnectionTrait>(
    db: &C,
    config: &AuditConfig,
    record: Record,
) -> Result<i64, Cause> {
    let mut insert = record.insert(db, config, false).await?;
    let id = async {
        if !db.support_returning() {
            return Ok(db.execute(&insert).await?.last_insert_id().cast_signed());
        }
        insert.returning_col(Column::Id);
        let row = match db.query_one_raw(built(db, &insert)).await {
            // As in `execute_insert`.
            Err(error) if is_refused(&error) => db.query_one(&insert).await?,
            answer => answer?,
        };
        match row {
            Some(row) => row.try_get("", "id"),
            None => Err(DbErr::RecordNotInserted),
        }
    };
    id.await.map_err(|error| cause(config, error))
}

async fn write<C: ConnectionTrait>(
    db: &C,
    config: &AuditConfig,
    record: Record,
) -> Result<(), Cause> {
    let isolate = config.failure_policy() == FailurePolicy::Isolate
        && db.get_database_backend() == DbBackend::Postgres
        && ConnectionKind::of::<C>() != ConnectionKind::Pool;
    let insert = record.insert(db, config, isolate).await?;
    let result = async {
        if isolate {
            insert_in_savepoint(db, &insert).await
        } else {
            execute_insert(db, &insert).await
        }
    };
    match keeping_last_insert_id(db, result).await {
        Ok(()) => {
            count(&COUNTERS.recorded);
            Ok(())
        }
        Err(error) => Err(cause(config, error)),
    }
}

/// Sends an INSERT. A connection that refuses texts, since it cannot parse them (`RestrictedConnection`), gets the
/// statement as SeaORM builds it.
async fn execute_insert<C: ConnectionTrait>(db: &C, insert: &InsertStatement) -> Result<(), DbErr> {
    match db.execute_raw(built(db, insert)).await {
        Err(error) if is_refused(&error) => db.execute(insert).await.map(|_| ()),
        answer => answer.map(|_| ()),
    }
}

/// A failed statement aborts a PostgreSQL transaction, so the INSERT needs a savepoint.
///
/// Savepoint, INSERT and release are one message: nothing that another future does on the same transaction can come
/// between and be rolled back with the INSERT.
async fn insert_in_savepoint<C: ConnectionTrait>(
    db: &C,
    insert: &InsertStatement,
) -> Result<(), DbErr> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("sea_orm_audit_{}", NEXT.fetch_add(1, Relaxed));
    let sql = insert.to_string(PostgresQueryBuilder);
    let message = format!("SAVEPOINT {name}; {sql}; RELEASE SAVEPOINT {name}");
    match db.execute_unprepared(&message).await {
        Ok(_) => Ok(()),
        // Outside of a transaction there is nothing to protect, and nothing was done.
        // A connection that refuses the message must do without a savepoint.
        Err(error) if is_no_transaction(&error) || is_refused(&error) => {
            execute_insert(db, insert).await
        }
        // The transaction was aborted before our savepoint: by the user's own statement, which the user undoes, or by
        // another record at the same time, which undoes itself.
        Err(error) if failure::is_aborted(&error) => Err(error),
        Err(error) => {
            let undo = format!("ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}");
            db.execute_unprepared(&undo).await?;
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nul_is_replaced_wherever_text_can_be() {
        let mut json = json!({"a\0": ["b\0", {"c": "\0"}], "d": 1});
        strip_nul_in_json(&mut json);
        assert_eq!(
            json,
            json!({"a\u{FFFD}": ["b\u{FFFD}", {"c": "\u{FFFD}"}], "d": 1})
        );
    }
}
