//! The future of a request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderValue, Response, StatusCode};
use pin_project_lite::pin_project;
use sea_orm_audit_core::AuditError;

use super::observe::Observed;
use crate::body::AuditBody;
use crate::panic::{Panicked, watched};
use crate::view::{Pending, Recording};

pin_project! {
    /// The future of a response, within the context of its request.
    #[must_use = "futures do nothing unless polled"]
    pub struct AuditFuture<F, R> {
        // None where there was a panic before there was a future.
        #[pin]
        inner: Option<F>,
        observed: Observed,
        panicked: Option<Box<Panicked>>,
        // The response, while it waits for its views to be recorded. Seldom, and large.
        viewed: Option<Box<(Recording, Response<R>)>>,
    }
}

impl<F, R> AuditFuture<F, R> {
    pub(super) fn new(called: Result<F, Box<Panicked>>, observed: Observed) -> Self {
        let (inner, panicked) = match called {
            Ok(inner) => (Some(inner), None),
            Err(panicked) => (None, Some(panicked)),
        };
        Self {
            inner,
            observed,
            panicked,
            viewed: None,
        }
    }
}

impl<F, R, E> Future for AuditFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<AuditBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let observed = this.observed;
        let finish = |observed: &mut Observed, response: Response<R>| {
            observed.answered(response.status());
            let body = |inner| AuditBody::new(inner, observed.scope.clone());
            let mut response = response.map(body);
            observed.identify(&mut response);
            response
        };
        if this.viewed.is_none() {
            let polled = match this.inner.as_pin_mut() {
                Some(inner) => {
                    let poll = || observed.run(|| inner.poll(context));
                    if observed.origin.settings.catches_panics {
                        watched(poll)
                    } else {
                        Ok(poll())
                    }
                }
                None => Err(this.panicked.take().unwrap_or_default()),
            };
            let mut response = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(response))) => response,
                Ok(Poll::Ready(Err(error))) => {
                    observed.end("failed");
                    return Poll::Ready(Err(error));
                }
                Err(panicked) => {
                    observed.panicked(*panicked);
                    return Poll::Ready(Ok(observed.withheld()));
                }
            };
            let pending = response.extensions_mut().remove::<Pending>();
            match pending.and_then(|pending| observed.views(pending)) {
                Some(recording) => *this.viewed = Some(Box::new((recording, response))),
                None => return Poll::Ready(Ok(finish(observed, response))),
            }
        }
        let recorded = match this.viewed {
            Some(viewed) => ready!(observed.run(|| viewed.0.as_mut().poll(context))),
            None => Ok(()),
        };
        let response = this.viewed.take().map(|viewed| viewed.1);
        Poll::Ready(Ok(match (response, recorded) {
            (Some(response), Ok(())) => finish(observed, response),
            (_, recorded) => {
                observed.unviewed(recorded.err());
                observed.withheld()
            }
        }))
    }
}

impl Observed {
    /// Begins to record the views that a response asks for.
    fn views(&self, pending: Pending) -> Option<Recording> {
        let views = self.origin.settings.views.as_ref();
        if views.is_none() {
            tracing::warn!("a view is not recorded: call `AuditLayer::views(..)`");
        }
        views?.record(pending)
    }

    /// A view could not be recorded.
    fn unviewed(&mut self, error: Option<AuditError>) {
        if let Some(error) = error {
            tracing::error!(%error, "a response was withheld: its view could not be recorded");
        }
        self.answered(StatusCode::INTERNAL_SERVER_ERROR);
    }

    /// The answer where there is none that may be sent.
    fn withheld<R>(&self) -> Response<AuditBody<R>> {
        let mut response = Response::new(AuditBody::empty(self.scope.clone()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        self.identify(&mut response);
        response
    }

    /// Gives the response the request's id.
    fn identify<R>(&self, response: &mut Response<R>) {
        let name = self.origin.settings.request_id_header.clone();
        response
            .headers_mut()
            .entry(name)
            .or_insert_with(|| HeaderValue::from(&self.origin.request_id));
    }
}

impl<F, R> std::fmt::Debug for AuditFuture<F, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditFuture").finish_non_exhaustive()
    }
}
