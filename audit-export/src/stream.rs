//! An export as a stream of bytes: [`ExportStream`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_audit_core::AuditContext;
use sea_orm_audit_core::task::Task;
use tokio::io::{AsyncRead, DuplexStream, ReadBuf, duplex};

use crate::error::ExportError;
use crate::export::{AuditExport, ExportReport};

/// The bytes that wait to be read.
const BUFFER: usize = 64 << 10;

type Begin = Box<dyn FnOnce(DuplexStream) -> Result<Exporting, ExportError> + Send>;
type Exporting = Task<Result<ExportReport, ExportError>>;

/// The bytes of an export, as [`AuditExport::stream`] returns it.
#[must_use = "nothing is exported until it is read"]
pub struct ExportStream(State);

enum State {
    New(Begin),
    Reading(DuplexStream, Exporting),
    /// All bytes are read.
    Ending(Exporting),
    Over,
}

impl ExportStream {
    pub(crate) fn new<C>(export: AuditExport, db: C) -> Self
    where
        C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
    {
        // The context of here, whichever task reads.
        let scope = AuditContext::current().into_scope();
        Self(State::New(Box::new(move |writer| {
            let exporting = async move { export.write_to(&db, writer).await };
            Task::spawn(scope.enter(exporting)).map_err(|_| ExportError::Stopped)
        })))
    }
}

impl Stream for ExportStream {
    type Item = Result<Vec<u8>, ExportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::mem::replace(&mut self.0, State::Over) {
                State::New(begin) => {
                    let (reader, writer) = duplex(BUFFER);
                    match begin(writer) {
                        Ok(exporting) => self.0 = State::Reading(reader, exporting),
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
                State::Reading(mut reader, exporting) => {
                    let mut bytes = vec![0; BUFFER];
                    let mut buffer = ReadBuf::new(&mut bytes);
                    let read = Pin::new(&mut reader).poll_read(context, &mut buffer);
                    let count = buffer.filled().len();
                    if read.is_pending() {
                        self.0 = State::Reading(reader, exporting);
                        return Poll::Pending;
                    }
                    if count == 0 {
                        // The writer is dropped: the task says how it ended.
                        self.0 = State::Ending(exporting);
                        continue;
                    }
                    bytes.truncate(count);
                    self.0 = State::Reading(reader, exporting);
                    return Poll::Ready(Some(Ok(bytes)));
                }
                State::Ending(mut exporting) => {
                    let ended = Pin::new(&mut exporting).poll(context);
                    if ended.is_pending() {
                        self.0 = State::Ending(exporting);
                    }
                    return Poll::Ready(match ready!(ended) {
                        Some(Ok(_)) => None,
                        Some(Err(error)) => Some(Err(error)),
                        None => Some(Err(ExportError::Stopped)),
                    });
                }
                State::Over => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for ExportStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportStream").finish_non_exhaustive()
    }
}
