//! System events: errors, warnings, slow requests, suspicious requests, maintenance.
//!
//! A system event records no change. It is written outside of the transaction that it describes, best by the
//! [`EventWriter`](crate::EventWriter), which blocks no caller. A flood of one event is one row that counts: equal
//! events have one *fingerprint*.

use std::collections::HashSet;
use std::time::Duration;

use sea_orm::prelude::{DateTimeUtc, Json};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect, QueryTrait,
};

use crate::binding::Binding;
use crate::config::AuditConfig;
use crate::entity::audit_system_event as row;
use crate::error::{AuditError, ChangeState};
use crate::limits;
use crate::record::{
    address, cause_in, in_transaction, insert_row, insert_rows_of, keeping_last_insert_id,
    prepare_again, sanitize, strip_nul, strip_nul_in_json, timestamp,
};
use crate::stats::{COUNTERS, count};
use crate::system_event::SystemEvent;
use crate::target::{shorten, truncate_hashed};
use crate::text::clean_lines;

/// The longest description and stack trace that are stored, in characters.
const LONG: usize = 32_000;

/// How long equal events are counted in one row, from the first on: an hour.
pub(crate) const WINDOW: Duration = Duration::from_hours(1);

impl SystemEvent {
    /// Writes the event through this connection, or counts one more occurrence of an equal one that
    /// began within the last hour and is not resolved. Returns the row's id.
    ///
    /// Inside a transaction it always writes a row of its own, since other transactions would wait for a row
    /// that they share; and it is rolled back with the transaction. Writes nothing on a mock connection, and
    /// returns 0.
    ///
    /// # Errors
    /// Returns [`AuditError::NotRecorded`] when the database refuses it.
    pub async fn record<C: ConnectionTrait>(self, db: &C) -> Result<i64, AuditError> {
        let recorded = async {
            if in_transaction(db) == Some(true) {
                self.in_current_context().insert(db).await
            } else {
                self.count_in_shared_row(db).await
            }
        };
        Binding::to(db).scope(recorded).await
    }

    /// Writes the event, or counts one more occurrence of an equal one from any writer.
    pub(crate) async fn count_in_shared_row<C: ConnectionTrait>(
        self,
        db: &C,
    ) -> Result<i64, AuditError> {
        self.in_current_context()
            .count_or_insert(db, 1, WINDOW)
            .await
    }

    /// Writes the event as a separate row.
    async fn insert<C: ConnectionTrait>(self, db: &C) -> Result<i64, AuditError> {
        if db.is_mock_connection() {
            return Ok(0);
        }
        let config = AuditConfig::current();
        let row = self.into_row(&config, 1);
        let inserted = keeping_last_insert_id(db, insert_row(db, row)).await;
        inserted.map_err(|error| refused(&config, error))
    }

    /// Writes the event in a transaction that continues, or counts one more occurrence in the row that the same
    /// transaction wrote. A row that other clients count in would stay locked until the transaction ends.
    #[cfg(feature = "statements")]
    pub(crate) async fn count_in_own_row<C: ConnectionTrait>(
        self,
        db: &C,
        own_row: Option<i64>,
    ) -> Result<i64, AuditError> {
        let event = self.in_current_context();
        if let Some(id) = own_row {
            let added = add_occurrences(db, id, &event.stored_fingerprint(), 1).await;
            if added.map_err(|error| refused(&AuditConfig::current(), error))? {
                return Ok(id);
            }
        }
        event.insert(db).await
    }

    /// Writes that the event happened so many times.
    pub(crate) async fn count_or_insert<C: ConnectionTrait>(
        self,
        db: &C,
        times: i64,
        window: Duration,
    ) -> Result<i64, AuditError> {
        if db.is_mock_connection() {
            return Ok(0);
        }
        let config = AuditConfig::current();
        let since = self.counts_since(&config, window);
        let failed = |error| refused(&config, error);
        let backend = db.get_database_backend();
        let mut same = row::Entity::find()
            .select_only()
            .column(row::Column::Id)
            .filter(row::Column::Fingerprint.eq(self.stored_fingerprint()))
            .filter(row::Column::Resolved.eq(false))
            .order_by_desc(row::Column::OccurredAt)
            .limit(1);
        if let Some(since) = since {
            same = same.filter(row::Column::OccurredAt.gte(timestamp(backend, since)));
        }
        let found = db.query_one_raw(prepare_again(same.build(backend))).await;
        let same = found
            .map_err(failed)?
            .map(|row| row.try_get::<i64>("", "id"));
        if let Some(id) = same.transpose().map_err(failed)?
            && add_occurrences(db, id, &self.stored_fingerprint(), times)
                .await
                .map_err(failed)?
        {
            return Ok(id);
        }
        let row = self.into_row(&config, times);
        let inserted = keeping_last_insert_id(db, insert_row(db, row)).await;
        inserted.map_err(failed)
    }

    /// From when on an equal event counts as the same.
    fn counts_since(&self, config: &AuditConfig, window: Duration) -> Option<DateTimeUtc> {
        let occurred_at = self.occurred_at.unwrap_or_else(|| config.now());
        let window = chrono::TimeDelta::from_std(window).ok()?;
        occurred_at.checked_sub_signed(window)
    }

    /// Writes those of several different events that have no row yet, in one statement. Returns the
    /// fingerprints of those that have one.
    pub(crate) async fn insert_new<C: ConnectionTrait>(
        db: &C,
        events: Vec<(Self, i64)>,
        window: Duration,
    ) -> Result<HashSet<String>, AuditError> {
        let config = AuditConfig::current();
        let failed = |error| refused(&config, error);
        if db.is_mock_connection() {
            return Ok(HashSet::new());
        }
        let prints = events.iter().map(|(event, _)| event.stored_fingerprint());
        let mut rows = row::Entity::find()
            .select_only()
            .columns([row::Column::Fingerprint, row::Column::OccurredAt])
            .filter(row::Column::Fingerprint.is_in(prints))
            .filter(row::Column::Resolved.eq(false));
        // A recurring event leaves a row for every window.
        let since = (events.iter()).map(|(event, _)| event.counts_since(&config, window));
        if let Some(since) = since.min().flatten() {
            let since = timestamp(db.get_database_backend(), since);
            rows = rows.filter(row::Column::OccurredAt.gte(since));
        }
        let select = prepare_again(rows.build(db.get_database_backend()));
        let found = db.query_all_raw(select).await.map_err(failed)?;
        let read = |row: &QueryResult| {
            let print: String = row.try_get("", "fingerprint")?;
            let at: DateTimeUtc = row.try_get("", "occurred_at")?;
            Ok((print, at))
        };
        let rows: Result<Vec<_>, DbErr> = found.iter().map(read).collect();
        let rows = rows.map_err(failed)?;
        let is_there = |event: &Self| {
            let (print, since) = (
                event.stored_fingerprint(),
                event.counts_since(&config, window),
            );
            (rows.iter()).any(|(of, at)| *of == print && since.is_none_or(|since| *at >= since))
        };
        let (there, new): (Vec<_>, Vec<_>) =
            (events.into_iter()).partition(|(event, _)| is_there(event));
        if !new.is_empty() {
            let new = (new.into_iter()).map(|(event, times)| event.into_row(&config, times));
            let inserted = keeping_last_insert_id(db, insert_rows_of(db, new)).await;
            inserted.map_err(failed)?;
        }
        Ok(there
            .iter()
            .map(|(event, _)| event.stored_fingerprint())
            .collect())
    }

    fn into_row(self, config: &AuditConfig, times: i64) -> row::ActiveModel {
        let fingerprint = self.stored_fingerprint();
        // As the log stores them, under which they are looked for.
        let id =
            |text: Option<String>| text.map(|text| truncate_hashed(strip_nul(text), limits::NAME));
        let name =
            |text: Option<String>| text.map(|text| truncate_hashed(sanitize(text), limits::NAME));
        let long = |text: Option<String>| text.map(|text| clean_lines(&text, LONG).into_owned());
        let actor = self.context.actor.unwrap_or_default();
        let metadata = (!self.metadata.is_empty()).then(|| {
            let mut json = config.without_secrets(Json::Object(self.metadata));
            strip_nul_in_json(&mut json);
            json
        });
        row::ActiveModel {
            id: NotSet,
            occurred_at: Set(self.occurred_at.unwrap_or_else(|| config.now())),
            event_type: Set(self.kind.as_str().to_owned()),
            title: Set(shorten(sanitize(self.title), limits::NAME)),
            description: Set(long(self.description)),
            module: Set(name(self.module)),
            function_name: Set(name(self.function)),
            line_number: Set(self.line.map(i64::from)),
            error_code: Set(name(self.error_code)),
            stack_trace: Set(long(self.stack_trace)),
            actor_type: Set(actor.kind().as_str().to_owned()),
            actor_id: Set(id(actor.id().map(str::to_owned))),
            actor_name: Set(name(actor.name().map(str::to_owned))),
            ip_address: Set(self.context.ip_address.map(address)),
            request_id: Set(id(self.context.request_id)),
            fingerprint: Set(Some(fingerprint)),
            occurrences: Set(times),
            resolved: Set(false),
            resolved_at: Set(None),
            resolved_by: Set(None),
            resolution_note: Set(None),
            metadata: Set(metadata),
        }
    }

    /// Marks an event as resolved. Returns `false` when there is none with this id, or when it is resolved already.
    ///
    /// # Errors
    /// Returns [`AuditError::NotRecorded`] when the database refuses it.
    pub async fn resolve<C: ConnectionTrait>(
        db: &C,
        id: i64,
        by: impl Into<String>,
        note: impl Into<String>,
    ) -> Result<bool, AuditError> {
        let (by, note) = (by.into(), note.into());
        let resolved = Self::resolve_here(db, id, by, note);
        Binding::to(db).scope(resolved).await
    }

    async fn resolve_here<C: ConnectionTrait>(
        db: &C,
        id: i64,
        by: String,
        note: String,
    ) -> Result<bool, AuditError> {
        let config = AuditConfig::current();
        let now = timestamp(db.get_database_backend(), config.now());
        let by = truncate_hashed(sanitize(by), limits::NAME);
        let note = clean_lines(&note, LONG).into_owned();
        let update = row::Entity::update_many()
            .col_expr(row::Column::Resolved, Expr::value(true))
            .col_expr(row::Column::ResolvedAt, Expr::value(now))
            .col_expr(row::Column::ResolvedBy, Expr::value(by))
            .col_expr(row::Column::ResolutionNote, Expr::value(note))
            .filter(row::Column::Id.eq(id))
            .filter(row::Column::Resolved.eq(false));
        let done = update.exec(db).await;
        let done = done.map_err(|error| refused(&config, error))?;
        Ok(done.rows_affected > 0)
    }
}

/// Counts more occurrences of an event; `false` when it has been resolved meanwhile, or its row was rolled back, whose
/// id SQLite may give to another one.
async fn add_occurrences<C: ConnectionTrait>(
    db: &C,
    id: i64,
    print: &str,
    times: i64,
) -> Result<bool, sea_orm::DbErr> {
    let more = Expr::col(row::Column::Occurrences).add(times);
    let update = row::Entity::update_many()
        .col_expr(row::Column::Occurrences, more)
        .filter(row::Column::Id.eq(id))
        .filter(row::Column::Fingerprint.eq(print))
        .filter(row::Column::Resolved.eq(false));
    let statement = prepare_again(update.build(db.get_database_backend()));
    Ok(db.execute_raw(statement).await?.rows_affected() > 0)
}

fn refused(config: &AuditConfig, error: sea_orm::DbErr) -> AuditError {
    count(&COUNTERS.failed);
    let tables = config.tables();
    AuditError::NotRecorded {
        state: ChangeState::NoChange,
        cause: cause_in(config, tables.qualified(tables.system_event()), error),
    }
}
