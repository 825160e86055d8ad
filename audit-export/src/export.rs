//! An export of the log: [`AuditExport`].

use std::fmt;
use std::io;

use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_audit_core::{AuditQuery, DataExport, Page};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::chunk::Chunk;
use crate::encoder::Encoder;
use crate::error::ExportError;
use crate::format::ExportFormat;
use crate::pages::Pages;
use crate::recording::Recording;
use crate::stream::ExportStream;

/// An export of the records that a query finds, the newest first.
///
/// The export is recorded, with the actor, address and reason of the current context; see the
/// [crate's documentation](crate).
///
/// # Examples
/// ```
/// use sea_orm::DatabaseConnection;
/// use sea_orm_audit_core::AuditQuery;
/// use sea_orm_audit_export::{AuditExport, ExportFormat};
/// # use std::error::Error;
/// # async fn export(db: &DatabaseConnection) -> Result<(), Box<dyn Error>> {
/// let query: AuditQuery = "model:account created:2026-03".parse()?;
/// let mut csv = Vec::new(); // or a file, a socket, ..
/// let report = AuditExport::new(query, ExportFormat::Csv).write_to(db, &mut csv).await?;
/// assert_eq!(report.bytes, csv.len() as u64);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is exported until `write_to` is awaited, or `stream` is read"]
pub struct AuditExport {
    query: AuditQuery,
    format: ExportFormat,
    limit: Option<u64>,
    path: Option<String>,
    recorded: bool,
    progress: Option<Progress>,
}

type Progress = Box<dyn FnMut(&ExportReport) + Send>;

/// How much was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ExportReport {
    /// How many records were written.
    pub records: u64,
    /// How many bytes were written.
    pub bytes: u64,
    /// The row of `audit_data_export`; `None` where exports are not recorded.
    pub export: Option<i64>,
    /// What cut the export off; `None` if it has all that the query finds.
    pub cut_off: Option<CutOff>,
}

/// What cut an export off. The metadata of its last record has it as `cut_off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CutOff {
    /// The limit was reached, and there are, or may be, more records.
    Limit,
    /// The writer failed: a full disk, or a client that disconnected.
    Writer,
    /// The log could not be read.
    Database,
    /// A record could not be encoded.
    Encoder,
    /// The export was dropped before its end.
    Cancelled,
}

impl CutOff {
    /// The word in the metadata of the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Writer => "writer",
            Self::Database => "database",
            Self::Encoder => "encoder",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) const fn is_failure(self) -> bool {
        !matches!(self, Self::Limit)
    }
}

impl AuditExport {
    /// An export of what this query finds. `AuditQuery::new()` finds all records.
    pub fn new(query: AuditQuery, format: ExportFormat) -> Self {
        Self {
            query,
            format,
            limit: None,
            path: None,
            recorded: true,
            progress: None,
        }
    }

    /// At most so many records, the newest. By default all of them. An export that this cuts off says so in its record.
    pub fn limit(mut self, records: u64) -> Self {
        self.limit = Some(records);
        self
    }

    /// Where the file is kept, for the record of the export.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Does not record the export: for a database that can only be read, or where the caller records it with
    /// [`DataExport`]. By default it is recorded.
    pub const fn unrecorded(mut self) -> Self {
        self.recorded = false;
        self
    }

    /// Calls a function with what is written so far, again and again.
    pub fn on_progress(mut self, function: impl FnMut(&ExportReport) + Send + 'static) -> Self {
        self.progress = Some(Box::new(function));
        self
    }

    /// Writes the export, and flushes the writer; does not shut it down.
    ///
    /// Memory stays bounded, whatever the number of records. The newest record is fixed before the export is recorded,
    /// so that the export does not have its own record. The log is read page by page: a record whose transaction commits
    /// meanwhile may be missing. If the future is dropped, the export is recorded as cancelled.
    ///
    /// `db` is a connection, not a transaction: the record of the beginning must be committed before the first byte.
    ///
    /// # Errors
    /// Returns [`ExportError`]; what is written by then is incomplete, except with [`ExportError::NotEnded`].
    pub async fn write_to<C, W>(self, db: &C, writer: W) -> Result<ExportReport, ExportError>
    where
        C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
        W: AsyncWrite + Unpin,
    {
        let mut pages = Pages::new(&self.query, self.limit);
        // Before the export is recorded: it is no part of itself.
        let first = pages.next(db).await.map_err(|source| ExportError::Read {
            written: ExportReport::default(),
            source,
        })?;
        let recording = if self.recorded {
            let begun = Recording::begin(db, self.data_export()).await;
            begun.map_err(|source| ExportError::NotBegun {
                source: Box::new(source),
            })?
        } else {
            Recording::none()
        };
        let mut run = Run {
            writer,
            chunk: Chunk::default(),
            report: ExportReport {
                export: recording.id(),
                ..ExportReport::default()
            },
            recording,
            progress: self.progress,
        };
        let result = run.all(db, self.format, pages, first).await;
        run.end(result).await
    }

    /// The export as a stream of bytes, such as axum's `Body::from_stream` takes. It fails where the export does, so that
    /// a client sees that it is incomplete.
    ///
    /// It begins when it is read, in the context in which this is called. Dropped before its end, as when a client
    /// disconnects, it is recorded as a failure.
    pub fn stream<C>(self, db: &C) -> ExportStream
    where
        C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
    {
        ExportStream::new(self, db.clone())
    }

    fn data_export(&self) -> DataExport {
        let mut export = DataExport::new("audit_log").format(self.format.as_str());
        if !self.query.filters().is_empty() {
            export = export.filter("query", self.query.to_string());
        }
        if let Some(limit) = self.limit {
            export = export.filter("limit", limit);
        }
        match &self.path {
            Some(path) => export.path(path),
            None => export,
        }
    }
}

impl fmt::Debug for AuditExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditExport")
            .field("query", &self.query)
            .field("format", &self.format)
            .field("limit", &self.limit)
            .field("recorded", &self.recorded)
            .finish_non_exhaustive()
    }
}

/// An export in progress.
struct Run<C, W>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    writer: W,
    chunk: Chunk,
    report: ExportReport,
    recording: Recording<C>,
    progress: Option<Progress>,
}

enum Failure {
    Read(sea_orm::DbErr),
    Write(io::Error),
    Encode(io::Error),
}

impl<C, W> Run<C, W>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
    W: AsyncWrite + Unpin,
{
    /// Returns whether the limit cut it off.
    async fn all(
        &mut self,
        db: &C,
        format: ExportFormat,
        mut pages: Pages,
        first: Option<Page>,
    ) -> Result<bool, Failure> {
        let mut encoder = Encoder::begin(format, &mut self.chunk).map_err(Failure::Encode)?;
        self.write().await?;
        let mut next = first;
        while let Some(page) = next {
            let pushed = encoder.push(&page.records, &mut self.chunk);
            pushed.map_err(Failure::Encode)?;
            pages.adapt(&page);
            drop(page);
            self.write().await?;
            next = pages.next(db).await.map_err(Failure::Read)?;
        }
        encoder.finish(&mut self.chunk).map_err(Failure::Encode)?;
        self.write().await?;
        Ok(pages.is_cut_off())
    }

    /// Writes the chunk, and counts what the writer took.
    async fn write(&mut self) -> Result<(), Failure> {
        /// A file reports an error of one write with the next one, or when it is flushed.
        const PART: usize = 256 << 10;
        let (records, bytes) = (self.report.records, self.report.bytes);
        let mut done = 0;
        while done < self.chunk.bytes.len() {
            let end = self.chunk.bytes.len().min(done + PART);
            let mut taken = done;
            let written = loop {
                if taken == end {
                    break self.writer.flush().await;
                }
                match self.writer.write(&self.chunk.bytes[taken..end]).await {
                    Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => taken += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => break Err(error),
                }
            };
            // What was not flushed may be lost.
            if written.is_ok() || taken < end {
                done = taken;
            }
            self.report.records = records + self.chunk.records_within(done);
            self.report.bytes = bytes + done as u64;
            self.recording
                .written(self.report.records, self.report.bytes);
            written.map_err(Failure::Write)?;
        }
        self.chunk.clear();
        if let Some(progress) = &mut self.progress {
            progress(&self.report);
        }
        Ok(())
    }

    async fn end(self, result: Result<bool, Failure>) -> Result<ExportReport, ExportError> {
        let mut written = self.report;
        written.cut_off = match &result {
            Ok(false) => None,
            Ok(true) => Some(CutOff::Limit),
            Err(Failure::Read(_)) => Some(CutOff::Database),
            Err(Failure::Write(_)) => Some(CutOff::Writer),
            Err(Failure::Encode(_)) => Some(CutOff::Encoder),
        };
        let ended = self.recording.end(written.cut_off).await;
        if let Err(error) = &ended {
            tracing::error!(%error, export = written.export, "the end of an export could not be recorded");
        }
        match result {
            Ok(_) => match ended {
                Ok(()) => Ok(written),
                Err(source) => Err(ExportError::NotEnded {
                    written,
                    source: Box::new(source),
                }),
            },
            Err(Failure::Read(source)) => Err(ExportError::Read { written, source }),
            Err(Failure::Write(source)) => Err(ExportError::Write { written, source }),
            Err(Failure::Encode(source)) => Err(ExportError::Encode { written, source }),
        }
    }
}
