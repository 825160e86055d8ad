//! The future of a request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;
use sea_orm_audit_core::{Actor, AuditError};

use super::request_observer::Observed;
use crate::body::AuditBody;
use crate::view::{Pending, Recording};
use sea_orm_audit_core::panic::Panicked;

const HANDLER: &str = "a handler panicked";
const WHO_IS_ASKED: &str = "who is asked for the actor panicked";
const VIEW: &str = "recording a view panicked";

/// A panic, and the title of its event.
type Titled = (&'static str, Panicked);

pin_project! {
    /// The future of a response, within the context of its request.
    #[must_use = "futures do nothing unless polled"]
    pub struct AuditFuture<F, R> {
        // `None` when it is done, and after a panic in its creation.
        #[pin]
        inner: Option<F>,
        observed: Observed,
        panicked: Option<Box<Titled>>,
        // The response, while its views are being recorded. Rare and large.
        viewed: Option<Box<(Recording, Response<R>)>>,
    }

    impl<F, R> PinnedDrop for AuditFuture<F, R> {
        /// The drop of an unfinished handler is a part of the request, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                this.observed.scope.run_at_end(|| this.inner.set(None));
            }
        }
    }
}

fn titled(title: &'static str, done: Result<(), Box<Panicked>>) -> Option<Box<Titled>> {
    let panicked = done.err()?;
    Some(Box::new((title, *panicked)))
}

impl<F, R> AuditFuture<F, R> {
    pub(super) const fn new(observed: Observed) -> Self {
        Self {
            inner: None,
            observed,
            panicked: None,
            viewed: None,
        }
    }

    /// Identifies the actor of the request.
    pub(super) fn ask_actor(&mut self, who: &mut dyn FnMut() -> Option<Actor>) {
        let asked = self.observed.ask_actor(who);
        self.panicked = titled(WHO_IS_ASKED, asked);
    }

    /// Creates the inner future, unless there was a panic before.
    pub(super) fn begin(&mut self, make: &mut dyn FnMut(&mut Option<F>)) {
        if self.panicked.is_none() {
            let done = self.observed.run(&mut || make(&mut self.inner));
            self.panicked = titled(HANDLER, done);
        }
    }
}

impl<F, R, E> Future for AuditFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<AuditBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let observed = this.observed;
        if let Some(panicked) = this.panicked.take() {
            let (title, panicked) = *panicked;
            return Poll::Ready(Ok(observed.panicked(title, panicked)));
        }
        if this.viewed.is_none() {
            let mut polled = Poll::Pending;
            let done = observed.run(&mut || {
                if let Some(inner) = this.inner.as_mut().as_pin_mut() {
                    polled = inner.poll(context);
                }
                if polled.is_ready() {
                    // Drops the future while its context is current.
                    this.inner.set(None);
                }
            });
            if let Err(panicked) = done {
                return Poll::Ready(Ok(observed.panicked(HANDLER, *panicked)));
            }
            let mut response = match ready!(polled) {
                Ok(response) => response,
                Err(error) => {
                    observed.end("failed");
                    return Poll::Ready(Err(error));
                }
            };
            let pending = response.extensions_mut().remove::<Pending>();
            match pending.and_then(|pending| observed.views(pending)) {
                Some(recording) => *this.viewed = Some(Box::new((recording, response))),
                None => return Poll::Ready(Ok(observed.finish(response))),
            }
        }
        let recorded = match this.viewed {
            Some(viewed) => ready!(observed.scope.run(|| viewed.0.as_mut().poll(context))),
            None => Ok(Ok(())),
        };
        let response = this.viewed.take().map(|viewed| viewed.1);
        Poll::Ready(Ok(match (response, recorded) {
            (Some(response), Ok(Ok(()))) => observed.finish(response),
            (_, Err(panicked)) => observed.panicked(VIEW, *panicked),
            (_, Ok(recorded)) => observed.unviewed(recorded.err()),
        }))
    }
}

impl Observed {
    /// Starts to record the views of a response.
    fn views(&self, pending: Pending) -> Option<Recording> {
        let views = self.settings.views.as_ref();
        if views.is_none() {
            tracing::warn!("a view is not recorded: call `AuditLayer::views(..)`");
        }
        views?.record(pending)
    }

    /// The handler's response.
    fn finish<R>(&mut self, response: Response<R>) -> Response<AuditBody<R>> {
        self.answered(response.status());
        let mut response = response.map(|inner| AuditBody::new(inner, self.scope.clone()));
        self.identify(&mut response);
        response
    }

    /// The response if a view could not be recorded.
    fn unviewed<R>(&mut self, error: Option<AuditError>) -> Response<AuditBody<R>> {
        if let Some(error) = error {
            tracing::error!(%error, "a response was withheld: its view could not be recorded");
        }
        self.answered(StatusCode::INTERNAL_SERVER_ERROR);
        self.withheld()
    }

    /// The response after a panic.
    fn panicked<R>(&mut self, title: &str, panicked: Panicked) -> Response<AuditBody<R>> {
        self.report(title, panicked);
        self.withheld()
    }

    /// The response in place of a withheld one.
    fn withheld<R>(&mut self) -> Response<AuditBody<R>> {
        let mut response = Response::new(AuditBody::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        self.identify(&mut response);
        response
    }

    /// Gives the response the request's id.
    fn identify<R>(&self, response: &mut Response<R>) {
        if !self.settings.request_id_in_response {
            return;
        }
        let name = &self.settings.request_id_header;
        let entry = response.headers_mut().entry(name);
        entry.or_insert_with(|| self.request_id.clone());
    }
}

impl<F, R> std::fmt::Debug for AuditFuture<F, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditFuture").finish_non_exhaustive()
    }
}
