//! The body of a response that is an export.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use sea_orm::{ConnectionTrait, TransactionTrait};

use super::{Recording, Sending};

/// How far a body is.
#[derive(Debug)]
enum Stage {
    Sending,
    /// Waits for the record, before the last bytes or the end are sent.
    Recording(Recording),
    /// All that was expected is recorded. Trailers may follow, and no more bytes.
    Recorded,
    Ended,
}

pin_project! {
    /// A body that is recorded as an export when it ends; see [`ExportRecorder`](super::ExportRecorder).
    pub struct ExportBody<B, C>
    where
        B: Body,
        C: ConnectionTrait, C: TransactionTrait, C: Clone, C: Send, C: Sync, C: 'static,
    {
        #[pin]
        inner: B,
        sending: Sending<C>,
        stage: Stage,
        // The last bytes, while they wait for the record.
        held: Option<Frame<B::Data>>,
    }
}

impl<B, C> ExportBody<B, C>
where
    B: Body,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    pub(super) const fn new(inner: B, sending: Sending<C>) -> Self {
        Self {
            inner,
            sending,
            stage: Stage::Sending,
            held: None,
        }
    }
}

impl<B, C> std::fmt::Debug for ExportBody<B, C>
where
    B: Body,
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
        this.sending.begun = true;
        loop {
            match this.stage {
                Stage::Ended => return Poll::Ready(None),
                Stage::Recording(recording) => {
                    let recorded = ready!(Pin::new(recording).poll(context));
                    let held = this.held.take();
                    *this.stage = match (&recorded, &held) {
                        (Ok(_), Some(_)) => Stage::Recorded,
                        _ => Stage::Ended,
                    };
                    return Poll::Ready(match recorded {
                        Ok(_) => held.map(Ok),
                        // The rest is not sent.
                        Err(error) => Some(Err(error.into())),
                    });
                }
                Stage::Sending | Stage::Recorded => {}
            }
            let is_recorded = matches!(this.stage, Stage::Recorded);
            match ready!(this.inner.as_mut().poll_frame(context)) {
                Some(Ok(frame)) => {
                    let bytes = frame.data_ref().map_or(0, bytes::Buf::remaining);
                    if is_recorded && bytes > 0 {
                        *this.stage = Stage::Ended;
                        return Poll::Ready(Some(Err(
                            "an export is longer than was said: call `expected_bytes(..)`".into(),
                        )));
                    }
                    this.sending.count(bytes);
                    this.sending.whole = this.inner.is_end_stream();
                    if !is_recorded
                        && bytes > 0
                        && this.sending.has_expected() == Some(true)
                        && let Some(recording) = this.sending.end()
                    {
                        *this.held = Some(frame);
                        *this.stage = Stage::Recording(recording);
                        continue;
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => {
                    *this.stage = Stage::Ended;
                    this.sending.abort();
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => {
                    *this.stage = match this.sending.end() {
                        Some(recording) => Stage::Recording(recording),
                        None => Stage::Ended,
                    };
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // Whoever asks must poll once more, for the record.
        match self.stage {
            Stage::Ended => true,
            Stage::Recorded => self.inner.is_end_stream(),
            Stage::Sending | Stage::Recording(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        // A server that knows the length does not ask for the end, and not at all for nothing: where the
        // length is not said otherwise, the end waits for the record.
        SizeHint::default()
    }
}
