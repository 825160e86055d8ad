//! The body of a response that is an export.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_audit_core::AuditError;

use super::Sending;

type Recording = Pin<Box<dyn Future<Output = Result<i64, AuditError>> + Send>>;

pin_project! {
    /// A body that is recorded as an export when it ends; see [`ExportRecorder`](super::ExportRecorder).
    pub struct ExportBody<B, C>
    where
        C: ConnectionTrait, C: TransactionTrait, C: Clone, C: Send, C: Sync, C: 'static,
    {
        #[pin]
        inner: B,
        sending: Sending<C>,
        recording: Option<Recording>,
        ended: bool,
    }
}

impl<B, C> ExportBody<B, C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    pub(super) const fn new(inner: B, sending: Sending<C>) -> Self {
        Self {
            inner,
            sending,
            recording: None,
            ended: false,
        }
    }
}

impl<B, C> std::fmt::Debug for ExportBody<B, C>
where
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportBody").finish_non_exhaustive()
    }
}

/// What a response's body fails with.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl<B, C> Body for ExportBody<B, C>
where
    B: Body,
    B::Data: bytes::Buf,
    B::Error: Into<BodyError>,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    type Data = B::Data;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BodyError>>> {
        let mut this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        if this.recording.is_none() {
            match ready!(this.inner.as_mut().poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        this.sending.count(bytes::Buf::remaining(data));
                    }
                    this.sending.whole = this.inner.is_end_stream();
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => {
                    *this.ended = true;
                    this.sending.whole = false;
                    this.sending.abort();
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => match this.sending.end(true) {
                    Some(recording) => *this.recording = Some(Box::pin(recording)),
                    None => return Poll::Ready(None),
                },
            }
        }
        let recorded = match this.recording {
            Some(recording) => ready!(recording.as_mut().poll(context)),
            None => Ok(0),
        };
        *this.recording = None;
        *this.ended = true;
        match recorded {
            Ok(_) => Poll::Ready(None),
            Err(error) => {
                tracing::error!(%error, "an export was cut off: it could not be recorded");
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // Whoever asks must poll once more, for the record.
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        // A server that knows the length does not ask for the end, and would not wait for the record.
        SizeHint::default()
    }
}
