//! Exports that are recorded while they are sent: what went out, how much of it, and whether all of it did.
//!
//! Begin with [`ExportRecorder::new`], and wrap the response's body or a writer. When it comes to its end, a
//! row of `audit_data_export` and an `EXPORT` in `audit_log` tell of it; when it is cut off, the same, with
//! the outcome FAILURE and how far it came.

mod body;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use sea_orm::prelude::Json;
use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_audit_core::{AuditContext, AuditError, AuditScope, DataExport};

pub use body::{BodyError, ExportBody};
pub use writer::ExportWriter;

/// An export that is about to be sent.
///
/// # Examples
/// ```
/// # use http_body::Body;
/// # use sea_orm_audit_web::BodyError;
/// use sea_orm_audit_core::AuditedConnection;
/// use sea_orm_audit_web::ExportRecorder;
/// # fn export<B: Body<Error: Into<BodyError>>>(db: AuditedConnection, csv: B) -> impl Body {
/// let export = ExportRecorder::new(db, "customers").format("CSV").filter("active", true);
/// let records = export.records(); // whoever makes the body counts with it
/// records.add(100);
/// export.body(csv)
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is recorded until it wraps a body or a writer"]
pub struct ExportRecorder<C> {
    db: C,
    export: DataExport,
    records: RecordCount,
}

/// Counts the records of an export. Cheap to clone; all clones are one count.
#[derive(Debug, Clone, Default)]
pub struct RecordCount(Arc<AtomicU64>);

impl RecordCount {
    /// Counts more records.
    pub fn add(&self, records: u64) {
        self.0.fetch_add(records, Relaxed);
    }

    /// How many there are so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl<C> ExportRecorder<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// An export of what this names, such as `customers`; recorded through this connection.
    pub fn new(db: C, kind: impl Into<String>) -> Self {
        Self {
            db,
            export: DataExport::new(kind),
            records: RecordCount::default(),
        }
    }

    /// The format, such as `CSV`.
    pub fn format(mut self, format: impl Into<String>) -> Self {
        self.export = self.export.format(format);
        self
    }

    /// A filter that chose the records. Values behind names that look like secrets are replaced.
    pub fn filter(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.export = self.export.filter(name, value);
        self
    }

    /// Where the file is kept, to be downloaded later.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.export = self.export.path(path);
        self
    }

    /// The count of records, for whoever makes them.
    #[must_use]
    pub fn records(&self) -> RecordCount {
        self.records.clone()
    }

    /// Wraps the body of a response. Its end is sent when the export is on record; where it cannot be
    /// recorded, the body is cut off, so that the client does not take it for whole.
    pub fn body<B>(self, body: B) -> ExportBody<B, C> {
        ExportBody::new(body, self.begin())
    }

    /// Wraps a writer: a file, a buffer, or what sends over a network.
    pub fn writer<W>(self, writer: W) -> ExportWriter<W, C> {
        ExportWriter::new(writer, self.begin())
    }

    fn begin(self) -> Sending<C> {
        Sending {
            // That of whoever exports, also where the body is polled by somebody else.
            scope: AuditContext::current().into_scope(),
            began: Instant::now(),
            bytes: 0,
            whole: false,
            recorder: Some(self),
        }
    }
}

/// An export under way. Dropped before it is done, it was cut off.
#[derive(Debug)]
struct Sending<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    recorder: Option<ExportRecorder<C>>,
    scope: AuditScope,
    began: Instant,
    bytes: u64,
    /// The body said that nothing more comes. A server that was told the length does not ask further.
    whole: bool,
}

impl<C> Sending<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Records that it is done, or how far it came; once.
    fn end(
        &mut self,
        completed: bool,
    ) -> Option<impl Future<Output = Result<i64, AuditError>> + Send + use<C>> {
        let recorder = self.recorder.take()?;
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let export = recorder
            .export
            .records(recorder.records.get())
            .bytes(self.bytes)
            .metadata("milliseconds", millis)
            .metadata("completed", completed);
        let export = if completed { export } else { export.failed() };
        let db = recorder.db;
        Some(self.scope.enter(async move { export.record(&db).await }))
    }
}

impl<C> Drop for Sending<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    fn drop(&mut self) {
        self.abort();
    }
}

impl<C> Sending<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// Records, by a task of its own, how far it came.
    fn abort(&mut self) {
        let Some(recording) = self.end(self.whole) else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    if let Err(error) = recording.await {
                        tracing::error!(%error, "an export that was cut off could not be recorded");
                    }
                });
            }
            Err(error) => {
                tracing::error!(%error, "an export that was cut off could not be recorded");
            }
        }
    }
}
