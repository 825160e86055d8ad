//! Exports that are recorded while they are sent: what went out, how much of it, and whether all of it did.
//!
//! Begin with [`ExportRecorder::new`], and wrap the response's body or a writer. Before the first byte of a body is
//! sent, and while a writer is written to, a row of `audit_data_export` and an `EXPORT` in `audit_log` record that it
//! began, with the outcome OPEN. When it ends, or is cut off, a second record and the row have the counts, and the
//! outcome SUCCESS or FAILURE. Where the process ends before, the beginning stays recorded. Tasks of their own write
//! them, which a client that goes away does not cancel.
//!
//! The records need a connection. Where the body reads from a query that holds one of its own (`db.stream(..)`),
//! [begin](ExportRecorder::begin) before the query is opened: else the beginning waits for a second connection when the body is
//! first asked for bytes: on a pool of one, which is SeaORM's default for SQLite, until the pool's timeout, and then the export fails. The end needs no second one: the
//! body is dropped before its end is recorded.

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
/// let records = export.records(); // whoever makes the body counts with it
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

/// Counts the records of an export. Cheap to clone; all clones are one count.
///
/// While nobody has counted, how many there were is not known, and stored as NULL.
#[derive(Debug, Clone, Default)]
pub struct RecordCount(Arc<Counter>);

#[derive(Debug, Default)]
struct Counter {
    records: AtomicU64,
    counted: AtomicBool,
}

impl RecordCount {
    /// Counts more records. None at all counts, too: whoever exported nothing says so with `add(0)`.
    pub fn add(&self, records: u64) {
        self.0.records.fetch_add(records, Relaxed);
        self.0.counted.store(true, Relaxed);
    }

    /// How many there are so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.records.load(Relaxed)
    }

    /// How many there are, where anybody counts.
    fn counted(&self) -> Option<u64> {
        self.0.counted.load(Relaxed).then(|| self.get())
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

    /// Where the file is kept, to be downloaded later.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.export = self.export.path(path);
        self
    }

    /// How many bytes the whole of it has. By default as many as the body says that it has, where it knows.
    ///
    /// To be said where the response has a `Content-Length`: a server that has sent so many bytes asks for
    /// no more, and the export is complete then. A body that has fewer, or more, is cut off and recorded as a
    /// FAILURE; so the last bytes are sent when the body has said that no more come.
    pub fn expected_bytes(mut self, bytes: u64) -> Self {
        self.expected = Some(bytes);
        self
    }

    /// The count of records, for whoever makes them.
    #[must_use]
    pub fn records(&self) -> RecordCount {
        self.records.clone()
    }

    /// Records that it begins, now: before a query is opened that holds a connection while the body is sent, and before
    /// anything else that should not be done where it cannot be recorded.
    ///
    /// Recorded by a task of its own. What it returns is dropped without an end where a later step fails, or the client
    /// goes away: that is recorded as a FAILURE.
    ///
    /// # Errors
    /// Returns [`AuditError::NotRecorded`] when it cannot be recorded; then nothing should be exported.
    pub async fn begin(self) -> Result<BegunExport<C>, AuditError> {
        let mut sending = self.start();
        let begun = poll_fn(|context| sending.poll_begun(context)).await;
        if begun.is_err() {
            // It has no end.
            sending.recorder = None;
        }
        begun.map(|()| BegunExport(sending))
    }

    /// Wraps the body of a response. The first bytes are sent when it is on record that the export began, its end, or its last
    /// bytes where their number is known, when it is on record that it ended; where that cannot be recorded, the body is cut
    /// off, so that the client does not take it for whole.
    ///
    /// A body that nobody asks for anything, as in the answer to HEAD, is no export.
    pub fn body<B: Body>(self, body: B) -> ExportBody<B, C> {
        ExportBody::new(body, self.start())
    }

    /// Wraps a writer: a file, a buffer, or what sends over a network. That it begins is recorded meanwhile.
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
            // That of whoever exports, also where the body is polled by somebody else.
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

/// An export whose beginning is recorded; see [`ExportRecorder::begin`]. Dropped before it wraps anything, it is a FAILURE.
#[derive(Debug)]
#[must_use = "an export that wraps neither a body nor a writer is recorded as a failure"]
pub struct BegunExport<C>(Sending<C>)
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static;

impl<C> BegunExport<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// The count of records, for whoever makes them.
    #[must_use]
    pub fn records(&self) -> RecordCount {
        let recorder = self.0.recorder.as_ref();
        recorder.map(ExportRecorder::records).unwrap_or_default()
    }

    /// Wraps the body of a response, as [`ExportRecorder::body`] does. It waits for no record before the first bytes.
    ///
    /// A body that nobody asks for anything, as in the answer to HEAD, is a FAILURE: it was begun.
    pub fn body<B: Body>(self, body: B) -> ExportBody<B, C> {
        ExportBody::new(body, self.0)
    }

    /// Wraps a writer: a file, a buffer, or what sends over a network.
    pub fn writer<W>(self, writer: W) -> ExportWriter<W, C> {
        ExportWriter::new(writer, self.0)
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
    span: Span,
    began: Instant,
    /// The record of its beginning. `None` while nobody asked for anything of it.
    beginning: Option<Recording>,
    bytes: u64,
    /// Bytes that are held back until nothing comes after them.
    held: u64,
    /// The body said that nothing more comes. A server that was told the length does not ask further.
    whole: bool,
}

impl<C> Sending<C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// How many bytes there should be, unless that was said.
    fn expect(&mut self, bytes: Option<u64>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.expected = recorder.expected.or(bytes);
        }
    }

    /// Begins to record that it begins, the first time.
    fn begin(&mut self) {
        if let (None, Some(recorder)) = (&self.beginning, &self.recorder) {
            let (export, db) = (recorder.so_far(), recorder.db.clone());
            let task = self.scope.enter(async move { export.begin(&db).await });
            self.beginning = Some(Recording::start(task, self.span.clone()));
        }
    }

    /// Waits until it is on record that it began.
    fn poll_begun(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AuditError>> {
        self.begin();
        match &mut self.beginning {
            Some(beginning) => beginning.poll_known(context),
            // It is at its end.
            None => Poll::Ready(Ok(())),
        }
    }

    fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Holds so many bytes back: the last ones that were expected.
    fn hold(&mut self, bytes: usize) {
        self.held = bytes as u64;
    }

    /// How many bytes were expected, and are still missing; `None` where nobody knows.
    fn missing(&self) -> Option<u64> {
        let expected = self.recorder.as_ref()?.expected?;
        Some(expected.saturating_sub(self.bytes + self.held))
    }

    /// Whether there are as many bytes as were expected; `None` where nobody knows how many.
    fn is_exact(&self) -> Option<bool> {
        let expected = self.recorder.as_ref()?.expected?;
        Some(expected == self.bytes + self.held)
    }

    /// Whether so many bytes may follow.
    fn has_room(&self, bytes: usize) -> bool {
        self.missing().is_none_or(|missing| bytes as u64 <= missing)
    }

    /// Whether nothing should follow after so many bytes.
    fn are_last(&self, bytes: usize) -> bool {
        self.missing() == Some(bytes as u64)
    }

    /// Begins to record that it came to its end; once. What was held back is sent then.
    fn end(&mut self) -> Option<Recording> {
        self.bytes += std::mem::take(&mut self.held);
        let completed = self.is_exact().unwrap_or(true);
        self.record(completed)
    }

    /// Begins to record that it was cut off, and how far it came; once.
    fn abort(&mut self) {
        // The task goes on by itself, and tells of an error.
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
            // Where its beginning could not be recorded, the end is all that is.
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
