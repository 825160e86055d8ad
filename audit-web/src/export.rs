//! Records exports while they are sent: what was sent, how much of it, and whether it was complete.
//!
//! Begin with [`ExportRecorder::new`], and wrap the response's body or a writer. Before the first byte of a body is
//! sent, and while a writer is written to, a row of `audit_data_export` and an `EXPORT` in `audit_log` record that it
//! began, with the outcome OPEN. When it ends, or is cut off, a second record and the row have the counts, and the
//! outcome SUCCESS or FAILURE. If the process ends before that, the OPEN row remains. Separate tasks write the
//! records; a client that disconnects does not cancel them.
//!
//! The records need a connection. Where the body reads from a query that holds a connection (`db.stream(..)`),
//! [begin](ExportRecorder::begin) before the query is opened. Otherwise the beginning waits for a second connection
//! when the body is first polled: on a pool of one, which is SeaORM's default for SQLite, it waits until the pool's
//! timeout, and then the export fails. The end needs no second connection: the body is dropped before its end is
//! recorded.

mod body;
mod recording;
mod writer;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Instant;

use http_body::Body;
use sea_orm::prelude::Json;
use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_audit_core::{AuditContext, AuditError, AuditScope, DataExport};
use tracing::Span;

pub use body::{BodyError, ExportBody};
use recording::Recording;
pub use writer::ExportWriter;

/// An export that is about to be sent.
///
/// # Examples
/// ```
/// # use http_body::Body;
/// # use sea_orm_audit_web::BodyError;
/// # use sea_orm::DatabaseConnection;
/// use sea_orm_audit_web::ExportRecorder;
/// # fn export<B: Body<Error: Into<BodyError>>>(db: DatabaseConnection, csv: B) -> impl Body {
/// let export = ExportRecorder::new(db, "customers").format("CSV").filter("active", true);
/// let records = export.records(); // the code that produces the body counts with it
/// records.add(100);
/// export.body(csv)
/// # }
/// ```
///
/// With a query that is open while the body is sent:
/// ```
/// # use http_body::Body;
/// # use sea_orm::{ConnectionTrait, DatabaseConnection, QueryStream, Statement, StreamTrait};
/// # use sea_orm_audit_web::BodyError;
/// use sea_orm_audit_web::ExportRecorder;
/// # async fn export<B: Body<Error: Into<BodyError>>>(
/// #     db: DatabaseConnection, csv: impl Fn(QueryStream) -> B,
/// # ) -> Result<impl Body, Box<dyn std::error::Error>> {
/// let export = ExportRecorder::new(db.clone(), "customers").begin().await?;
/// let query = Statement::from_string(db.get_database_backend(), "SELECT * FROM customer");
/// let rows = db.stream_raw(query).await?;
/// Ok(export.body(csv(rows)))
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is recorded until it wraps a body or a writer"]
pub struct ExportRecorder<C> {
    db: C,
    export: DataExport,
    records: RecordCount,
    expected: Option<u64>,
}

/// Counts the records of an export. Cheap to clone; all clones share one count.
///
/// Until a count is added, the number is unknown, and stored as NULL.
#[derive(Debug, Clone, Default)]
pub struct RecordCount(Arc<Counter>);

#[derive(Debug, Default)]
struct Counter {
    records: AtomicU64,
    counted: AtomicBool,
}

impl RecordCount {
    /// Counts more records. `add(0)` counts, too: it records that the export was empty.
    pub fn add(&self, records: u64) {
        self.0.records.fetch_add(records, Relaxed);
        self.0.counted.store(true, Relaxed);
    }

    /// How many there are so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.records.load(Relaxed)
    }

    /// The count, if one was added.
    fn counted(&self) -> Option<u64> {
        self.0.counted.load(Relaxed).then(|| self.get())
    }
}

impl<C> ExportRecorder<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// An export with this name, such as `customers`; recorded through this connection.
    pub fn new(db: C, kind: impl Into<String>) -> Self {
        Self {
            db,
            export: DataExport::new(kind),
            records: RecordCount::default(),
            expected: None,
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

    /// The location of the file, if it is kept for a later download.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.export = self.export.path(path);
        self
    }

    /// The total number of bytes. By default the exact size that the body reports, if any.
    ///
    /// Set it where the response has a `Content-Length`: a server that has sent that many bytes polls no more, and
    /// the export is complete then. A body that has fewer, or more, is cut off and recorded as a FAILURE; so the last
    /// bytes are sent only after the body reports its end.
    pub fn expected_bytes(mut self, bytes: u64) -> Self {
        self.expected = Some(bytes);
        self
    }

    /// The count of records, for the code that produces them.
    #[must_use]
    pub fn records(&self) -> RecordCount {
        self.records.clone()
    }

    /// Records now that it begins: before a query is opened that holds a connection while the body is sent, and
    /// before anything else that must not happen unrecorded.
    ///
    /// A separate task writes the record. If a later step fails, or the client disconnects, the returned value is
    /// dropped unfinished and recorded as a FAILURE.
    ///
    /// # Errors
    /// Returns [`AuditError::NotRecorded`] when it cannot be recorded; then export nothing.
    pub async fn begin(self) -> Result<BegunExport<C>, AuditError> {
        let mut sending = self.start();
        let begun = poll_fn(|context| sending.poll_begun(context)).await;
        if begun.is_err() {
            // The export has not ended.
            sending.recorder = None;
        }
        begun.map(|()| BegunExport(sending))
    }

    /// Wraps the body of a response. The first bytes are sent after the beginning of the export is recorded. The end,
    /// or the last bytes where their number is known, is sent after the end of the export is recorded. If that fails,
    /// the body is cut off, so that the client sees an incomplete response.
    ///
    /// A body that is never polled, as in the response to HEAD, is no export.
    pub fn body<B: Body>(self, body: B) -> ExportBody<B, C> {
        ExportBody::new(body, self.start())
    }

    /// Wraps a writer: a file, a buffer, or a network stream. Its beginning is recorded during the first writes.
    pub fn writer<W>(self, writer: W) -> ExportWriter<W, C> {
        let mut sending = self.start();
        sending.begin();
        ExportWriter::new(writer, sending)
    }

    /// The export, with the records that were counted so far.
    fn so_far(&self) -> DataExport {
        let export = self.export.clone();
        match self.records.counted() {
            Some(records) => export.records(records),
            None => export,
        }
    }

    fn start(self) -> Sending<C> {
        Sending {
            // The exporter's context, also where another task polls the body.
            scope: AuditContext::current().into_scope(),
            span: Span::current(),
            began: Instant::now(),
            beginning: None,
            bytes: 0,
            held: 0,
            whole: false,
            recorder: Some(self),
        }
    }
}

/// An export whose beginning is recorded; see [`ExportRecorder::begin`]. If it wraps nothing, it is a FAILURE.
#[derive(Debug)]
#[must_use = "an export that wraps neither a body nor a writer is recorded as a failure"]
pub struct BegunExport<C>(Sending<C>)
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static;

impl<C> BegunExport<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// The count of records, for the code that produces them.
    #[must_use]
    pub fn records(&self) -> RecordCount {
        let recorder = self.0.recorder.as_ref();
        recorder.map(ExportRecorder::records).unwrap_or_default()
    }

    /// Wraps the body of a response, as [`ExportRecorder::body`] does. It waits for no record before the first bytes.
    ///
    /// A body that is never polled, as in the response to HEAD, is a FAILURE: the export was begun.
    pub fn body<B: Body>(self, body: B) -> ExportBody<B, C> {
        ExportBody::new(body, self.0)
    }

    /// Wraps a writer: a file, a buffer, or a network stream.
    pub fn writer<W>(self, writer: W) -> ExportWriter<W, C> {
        ExportWriter::new(writer, self.0)
    }
}

/// An export in progress. If it is dropped unfinished, it was cut off.
#[derive(Debug)]
struct Sending<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    recorder: Option<ExportRecorder<C>>,
    scope: AuditScope,
    span: Span,
    began: Instant,
    /// The record of its beginning. `None` until the first poll or write.
    beginning: Option<Recording>,
    bytes: u64,
    /// Bytes that are held back until nothing comes after them.
    held: u64,
    /// The body reported its end. A server that knows the length does not poll further.
    whole: bool,
}

impl<C> Sending<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// Sets the expected number of bytes, unless it is set.
    fn expect(&mut self, bytes: Option<u64>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.expected = recorder.expected.or(bytes);
        }
    }

    /// Starts the record of the beginning, on the first call.
    fn begin(&mut self) {
        if let (None, Some(recorder)) = (&self.beginning, &self.recorder) {
            let (export, db) = (recorder.so_far(), recorder.db.clone());
            let task = self.scope.enter(async move { export.begin(&db).await });
            self.beginning = Some(Recording::start(task, self.span.clone()));
        }
    }

    /// Waits until its beginning is recorded.
    fn poll_begun(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AuditError>> {
        self.begin();
        match &mut self.beginning {
            Some(beginning) => beginning.poll_known(context),
            // It has ended.
            None => Poll::Ready(Ok(())),
        }
    }

    fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Holds this many bytes back: the last ones that are expected.
    fn hold(&mut self, bytes: usize) {
        self.held = bytes as u64;
    }

    /// How many expected bytes are still missing; `None` if no number is expected.
    fn missing(&self) -> Option<u64> {
        let expected = self.recorder.as_ref()?.expected?;
        Some(expected.saturating_sub(self.bytes + self.held))
    }

    /// Whether the expected number of bytes was reached; `None` if no number is expected.
    fn is_exact(&self) -> Option<bool> {
        let expected = self.recorder.as_ref()?.expected?;
        Some(expected == self.bytes + self.held)
    }

    /// Whether this many bytes may follow.
    fn fits(&self, bytes: usize) -> bool {
        self.missing().is_none_or(|missing| bytes as u64 <= missing)
    }

    /// Whether these are the last expected bytes.
    fn are_last(&self, bytes: usize) -> bool {
        self.missing() == Some(bytes as u64)
    }

    /// Starts the record of a complete export; once. The bytes held back are sent then.
    fn end(&mut self) -> Option<Recording> {
        self.bytes += std::mem::take(&mut self.held);
        let completed = self.is_exact().unwrap_or(true);
        self.record(completed)
    }

    /// Starts the record of an export that was cut off, with its counts; once.
    fn abort(&mut self) {
        // The task continues in the background, and logs an error.
        drop(self.record(false));
    }

    fn record(&mut self, completed: bool) -> Option<Recording> {
        self.begin();
        let (recorder, beginning) = (self.recorder.take()?, self.beginning.take()?);
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut export = recorder
            .so_far()
            .bytes(self.bytes)
            .metadata("milliseconds", millis)
            .metadata("completed", completed);
        if !completed {
            export = export.failed();
        }
        let db = recorder.db;
        let task = self.scope.enter(async move {
            // If its beginning could not be recorded, only the end is recorded.
            match beginning.await {
                Ok(begun) => export.ends(begun).record(&db).await,
                Err(_) => export.record(&db).await,
            }
        });
        Some(Recording::start(task, self.span.clone()))
    }
}

impl<C> Drop for Sending<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    fn drop(&mut self) {
        if self.beginning.is_none() {
            return;
        }
        let is_all = self.is_exact().unwrap_or(self.whole);
        drop(self.record(is_all && self.held == 0));
    }
}
