//! The body of a response, within the context of its request.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use sea_orm_audit_core::AuditScope;

pin_project! {
    /// A response's body whose stream is polled inside of the request's context.
    #[derive(Debug)]
    pub struct AuditBody<B> {
        // None after a panic: then there is no body.
        #[pin]
        inner: Option<B>,
        scope: AuditScope,
    }
}

impl<B> AuditBody<B> {
    pub(crate) fn new(inner: B, scope: AuditScope) -> Self {
        Self {
            inner: Some(inner),
            scope,
        }
    }

    pub(crate) fn empty(scope: AuditScope) -> Self {
        Self { inner: None, scope }
    }
}

impl<B: Body> Body for AuditBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(inner) => this.scope.run(|| inner.poll_frame(context)),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}
