//! The body of a response that is an export.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use sea_orm::{ConnectionTrait, TransactionTrait};

use super::{Recording, Sending};

/// The progress of a body.
#[derive(Debug)]
enum Stage {
    /// Waits for the record of the beginning.
    Beginning,
    Sending,
    /// The last expected bytes are held back until the body ends.
    Ending,
    /// Waits for the record, before the last bytes or the end are sent.
    Recording(Recording),
    /// All of it is recorded and sent, except the trailers.
    Trailers,
    Ended,
}

pin_project! {
    /// A body that is recorded as an export when it ends; see [`ExportRecorder`](super::ExportRecorder).
    pub struct ExportBody<B, C>
    where
        B: Body,
        C: ConnectionTrait, C: TransactionTrait, C: Clone, C: Send, C: Sync, C: 'static,
    {
        // `None` after the end: the body may hold the connection that the record of the end needs.
        #[pin]
        inner: Option<B>,
        sending: Sending<C>,
        stage: Stage,
        // The last bytes, while they wait for the end and the record.
        held: Option<Frame<B::Data>>,
        trailers: Option<Frame<B::Data>>,
    }
}

impl<B, C> ExportBody<B, C>
where
    B: Body,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    pub(super) fn new(inner: B, mut sending: Sending<C>) -> Self {
        sending.expect(inner.size_hint().exact());
        Self {
            inner: Some(inner),
            sending,
            stage: Stage::Beginning,
            held: None,
            trailers: None,
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

/// The error of a response's body.
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
        loop {
            match this.stage {
                Stage::Beginning => {
                    let begun = ready!(this.sending.poll_begun(context));
                    let Err(error) = begun else {
                        *this.stage = Stage::Sending;
                        continue;
                    };
                    // Nothing was sent, and nothing will be.
                    *this.stage = Stage::Ended;
                    this.sending.recorder = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
                Stage::Ended => return Poll::Ready(None),
                Stage::Trailers => {
                    *this.stage = Stage::Ended;
                    return Poll::Ready(this.trailers.take().map(Ok));
                }
                Stage::Recording(recording) => {
                    let recorded = ready!(Pin::new(recording).poll(context));
                    let held = this.held.take();
                    *this.stage = match (&recorded, &this.trailers) {
                        (Ok(_), Some(_)) => Stage::Trailers,
                        _ => Stage::Ended,
                    };
                    return Poll::Ready(match (recorded, held) {
                        (Ok(_), Some(held)) => Some(Ok(held)),
                        (Ok(_), None) => continue,
                        // The rest is not sent.
                        (Err(error), _) => Some(Err(error.into())),
                    });
                }
                Stage::Sending | Stage::Ending => {}
            }
            let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
                return Poll::Ready(None);
            };
            let frame = match ready!(inner.as_mut().poll_frame(context)) {
                Some(Ok(frame)) if !frame.is_trailers() => frame,
                Some(Err(error)) => {
                    *this.stage = Stage::Ended;
                    this.inner.set(None);
                    this.sending.abort();
                    return Poll::Ready(Some(Err(error.into())));
                }
                // Nothing follows trailers. They, too, are sent after the record is written.
                end => {
                    *this.trailers = end.transpose().ok().flatten();
                    this.inner.set(None);
                    if this.sending.is_exact() == Some(false) {
                        *this.stage = Stage::Ended;
                        this.sending.abort();
                        return Poll::Ready(Some(Err("an export is shorter than was said".into())));
                    }
                    *this.stage = match this.sending.end() {
                        Some(recording) => Stage::Recording(recording),
                        None => Stage::Ended,
                    };
                    continue;
                }
            };
            let bytes = frame.data_ref().map_or(0, bytes::Buf::remaining);
            if !this.sending.fits(bytes) {
                *this.stage = Stage::Ended;
                this.inner.set(None);
                this.sending.abort();
                return Poll::Ready(Some(Err(
                    "an export is longer than was said: call `expected_bytes(..)`".into(),
                )));
            }
            if matches!(this.stage, Stage::Ending) {
                // The frame is empty.
                continue;
            }
            if bytes > 0 && this.sending.are_last(bytes) {
                this.sending.hold(bytes);
                *this.held = Some(frame);
                *this.stage = Stage::Ending;
                continue;
            }
            this.sending.count(bytes);
            this.sending.whole = inner.is_end_stream();
            return Poll::Ready(Some(Ok(frame)));
        }
    }

    fn is_end_stream(&self) -> bool {
        // `false` makes the server poll once more, for the record.
        matches!(self.stage, Stage::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        // A server that knows the length does not poll the end, and never polls a body of length zero. Without a
        // length from elsewhere, the end waits for the record.
        SizeHint::default()
    }
}
