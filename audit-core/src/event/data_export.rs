//! Exports of data, and downloads of the files they left.
//!
//! An export is a row of `audit_data_export` and a record in `audit_log`, linked by `log_id`, in one
//! transaction. One that takes time is recorded when it begins, with the outcome OPEN; its end is a second record in
//! `audit_log`, which is never changed, and brings the row up to date.

use std::fmt;

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::prelude::Json;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, TransactionTrait};

use super::linked_record::LinkedRecord;
use crate::action::{Action, Outcome};
use crate::actor::Actor;
use crate::binding::Binding;
use crate::config::AuditConfig;
use crate::context::AuditContext;
use crate::entity::audit_data_export as row;
use crate::error::AuditError;
use crate::limits;
use crate::record::{address, insert_row, sanitize, strip_nul, strip_nul_in_json, timestamp};
use crate::target::truncate_hashed;

/// An export of data, to be recorded.
///
/// Actor, address and request come from the context that is bound to the connection, else from the
/// current [`AuditContext`].
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{AuditError, DataExport};
/// # use sea_orm::DatabaseConnection;
/// # async fn export(db: &DatabaseConnection) -> Result<(), AuditError> {
/// let id = DataExport::new("customers")
///     .format("CSV")
///     .filter("active", true)
///     .records(100)
///     .bytes(1024)
///     .record(db)
///     .await?;
/// # let _ = id;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "an export is recorded only when `record` is awaited"]
pub struct DataExport {
    kind: String,
    format: Option<String>,
    filters: serde_json::Map<String, Json>,
    records: Option<u64>,
    bytes: Option<u64>,
    path: Option<String>,
    outcome: Outcome,
    /// The row that its beginning left.
    begun: Option<i64>,
    context: AuditContext,
}

impl DataExport {
    /// An export of what this names, such as `customers`.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            format: None,
            filters: serde_json::Map::new(),
            records: None,
            bytes: None,
            path: None,
            outcome: Outcome::Success,
            begun: None,
            context: AuditContext::new(),
        }
    }

    /// The format, such as `CSV`; 32 characters at most.
    pub fn format(mut self, format: impl Into<String>) -> Self {
        self.format = Some(format.into());
        self
    }

    /// A filter that chose the records. Values behind names that look like secrets are replaced.
    pub fn filter(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.filters.insert(name.into(), value.into());
        self
    }

    /// How many records it holds.
    pub fn records(mut self, records: u64) -> Self {
        self.records = Some(records);
        self
    }

    /// Its size in bytes.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Where the file is kept, to be downloaded later.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Who exported it, in place of the context's actor.
    pub fn actor(mut self, actor: Actor) -> Self {
        self.context.actor = Some(actor);
        self
    }

    /// Why, in place of the context's reason.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.context.reason = Some(reason.into());
        self
    }

    /// Adds an application-defined value to the record.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
        self.context = self.context.metadata(key, value);
        self
    }

    /// The export was begun and did not finish.
    pub fn failed(mut self) -> Self {
        self.outcome = Outcome::Failure;
        self
    }

    /// Records that it begins, with the outcome OPEN, and what is known of it so far. Returns the id of its row, for
    /// [`ends`](Self::ends); 0 where it is not recorded.
    ///
    /// # Examples
    /// ```
    /// # use sea_orm_audit_core::{AuditError, DataExport};
    /// # async fn export(db: &sea_orm::DatabaseConnection) -> Result<(), AuditError> {
    /// let export = DataExport::new("customers").format("CSV");
    /// let begun = export.begin(db).await?;
    /// // .. an hour later
    /// export.records(1_000_000).ends(begun).record(db).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`record`](Self::record). Then nothing should be exported.
    pub async fn begin<C>(&self, db: &C) -> Result<i64, AuditError>
    where
        C: ConnectionTrait + TransactionTrait + 'static,
    {
        let mut begins = self.clone();
        begins.outcome = Outcome::Open;
        begins.record(db).await
    }

    /// Marks it as the end of the export that [began](Self::begin) with this row.
    pub fn ends(mut self, begun: i64) -> Self {
        self.begun = Some(begun);
        self
    }

    /// Takes missing fields from a context.
    #[doc(hidden)]
    pub fn in_context(mut self, context: &AuditContext) -> Self {
        self.context = self.context.or(context);
        self
    }

    /// Writes the export through this connection, in a transaction or savepoint of its own. Returns the
    /// id of its row.
    ///
    /// Writes nothing, and returns 0, where `EXPORT` is skipped, in migration mode, and on a mock
    /// connection.
    ///
    /// # Errors
    /// Returns [`AuditError::NotRecorded`] when it cannot be written, whatever the failure policy.
    pub async fn record<C>(self, db: &C) -> Result<i64, AuditError>
    where
        C: ConnectionTrait + TransactionTrait + 'static,
    {
        // Large, and seldom.
        Box::pin(Binding::to(db).scope(self.record_here(db))).await
    }

    async fn record_here<C>(self, db: &C) -> Result<i64, AuditError>
    where
        C: ConnectionTrait + TransactionTrait + 'static,
    {
        let config = AuditConfig::current();
        // What was not recorded when it began is not when it ends.
        if is_skipped(&config, db) || self.begun == Some(0) {
            return Ok(0);
        }
        let name = |text: &str| truncate_hashed(strip_nul(text.to_owned()), limits::NAME);
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let filters = (!self.filters.is_empty()).then(|| {
            let mut json = config.without_secrets(Json::Object(self.filters));
            strip_nul_in_json(&mut json);
            json
        });
        let kind = name(&self.kind);
        let mut context = self.context.or(&AuditContext::current());
        context = context.metadata("export_type", kind.clone());
        for (key, value) in [("records", self.records), ("bytes", self.bytes)] {
            if let Some(value) = value {
                context = context.metadata(key, value);
            }
        }
        if let Some(begun) = self.begun {
            context = context.metadata("export", begun);
        }
        let actor = context.get_actor();
        let outcome = self.outcome;
        let row = row::ActiveModel {
            id: NotSet,
            occurred_at: Set(config.now()),
            log_id: NotSet,
            outcome: Set(outcome.as_str().to_owned()),
            actor_type: Set(actor.kind().as_str().to_owned()),
            actor_id: Set(actor.id().map(name)),
            actor_name: Set(actor
                .name()
                .map(str::to_owned)
                .map(sanitize)
                .as_deref()
                .map(name)),
            export_type: Set(kind),
            file_format: Set(self.format.map(|format| fit_word(&format))),
            record_count: Set(self.records.map(number)),
            file_size: Set(self.bytes.map(number)),
            filters_applied: Set(filters),
            file_path: Set(self.path.map(strip_nul)),
            download_count: Set(0),
            last_downloaded_at: Set(None),
            ip_address: Set(context.ip_address.clone().map(address)),
            request_id: Set(context.request_id.as_deref().map(name)),
        };
        let linked = LinkedRecord {
            config,
            action: Action::Export,
            outcome,
            context,
            table: |tables| tables.data_export(),
        };
        let begun = self.begun;
        let written = linked.write(db, async |tx, log| {
            let row = row::ActiveModel {
                log_id: Set(Some(log)),
                ..row
            };
            if let Some(begun) = begun
                && update_row(tx, begun, &row).await?
            {
                return Ok(begun);
            }
            // It began again, or its row was deleted meanwhile.
            insert_row(tx, row).await
        });
        written.await
    }

    /// Counts a download of an export's file, and records it as a separate `EXPORT`.
    ///
    /// # Errors
    /// Returns [`AuditError::NotRecorded`] when it cannot be written, or when there is no such export; the application
    /// should then refuse the download.
    pub async fn record_download<C>(db: &C, export: i64) -> Result<(), AuditError>
    where
        C: ConnectionTrait + TransactionTrait + 'static,
    {
        Box::pin(Binding::to(db).scope(Self::count_download(db, export))).await
    }

    async fn count_download<C>(db: &C, export: i64) -> Result<(), AuditError>
    where
        C: ConnectionTrait + TransactionTrait + 'static,
    {
        let config = AuditConfig::current();
        if is_skipped(&config, db) {
            return Ok(());
        }
        let now = timestamp(db.get_database_backend(), config.now());
        let context = AuditContext::new()
            .metadata("download_of", export)
            .or(&AuditContext::current());
        let linked = LinkedRecord {
            config,
            action: Action::Export,
            outcome: Outcome::Success,
            context,
            table: |tables| tables.data_export(),
        };
        let counted = linked.write(db, async |tx, _| {
            let more = Expr::col(row::Column::DownloadCount).add(1);
            let update = row::Entity::update_many()
                .col_expr(row::Column::DownloadCount, more)
                .col_expr(row::Column::LastDownloadedAt, Expr::value(now.clone()))
                .filter(row::Column::Id.eq(export));
            if update.exec(tx).await?.rows_affected == 0 {
                let message = format!("there is no data export with the id {export}");
                return Err(DbErr::RecordNotFound(message));
            }
            Ok(export)
        });
        counted.await.map(|_| ())
    }
}

/// Updates the row of an export that began; `false` where the row does not exist.
async fn update_row<C: ConnectionTrait>(
    tx: &C,
    begun: i64,
    end: &row::ActiveModel,
) -> Result<bool, DbErr> {
    let end = row::ActiveModel {
        log_id: end.log_id.clone(),
        outcome: end.outcome.clone(),
        record_count: end.record_count.clone(),
        file_size: end.file_size.clone(),
        file_path: end.file_path.clone(),
        ..Default::default()
    };
    let update = row::Entity::update_many().set(end);
    let update = update.filter(row::Column::Id.eq(begun)).exec(tx).await?;
    Ok(update.rows_affected > 0)
}

fn is_skipped<C: ConnectionTrait>(config: &AuditConfig, db: &C) -> bool {
    config.skips_action(&Action::Export) || db.is_mock_connection() || config.suppresses_write()
}

fn fit_word(text: &str) -> String {
    strip_nul(text.chars().take(limits::WORD as usize).collect())
}

impl fmt::Debug for DataExport {
    /// Leaves out the filters' values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataExport")
            .field("kind", &self.kind)
            .field("format", &self.format)
            .field("filters", &self.filters.keys())
            .field("records", &self.records)
            .field("bytes", &self.bytes)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
