//! A writer that an export goes through.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_audit_core::AuditError;
use tokio::io::AsyncWrite;

use super::Sending;

pin_project! {
    /// A writer, blocking or asynchronous, whose bytes are counted; see
    /// [`ExportRecorder`](super::ExportRecorder).
    ///
    /// Call [`finish`](Self::finish) when all is written: a writer that is dropped before counts as cut off.
    #[derive(Debug)]
    pub struct ExportWriter<W, C>
    where
        C: ConnectionTrait, C: TransactionTrait, C: Clone, C: Send, C: Sync, C: 'static,
    {
        #[pin]
        inner: W,
        sending: Sending<C>,
    }
}

impl<W, C> ExportWriter<W, C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    pub(super) const fn new(inner: W, sending: Sending<C>) -> Self {
        Self { inner, sending }
    }

    /// Records in a separate task that the export is done, also if the caller stops waiting. Returns the writer, and
    /// the id of the export's row; 0 where exports are not recorded.
    ///
    /// # Panics
    /// Panics when the database's driver does.
    ///
    /// # Errors
    /// Returns [`AuditError::NotRecorded`] when it cannot be recorded; do not publish what was written then.
    pub async fn finish(self) -> Result<(W, i64), AuditError> {
        let Self { inner, mut sending } = self;
        match sending.end() {
            Some(recording) => Ok((inner, recording.await?)),
            None => Ok((inner, 0)),
        }
    }
}

impl<W: Write, C> Write for ExportWriter<W, C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sending.count(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: AsyncWrite, C> AsyncWrite for ExportWriter<W, C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let written = ready!(this.inner.poll_write(context, bytes))?;
        this.sending.count(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(context)
    }
}
