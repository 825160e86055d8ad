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
        // `None` after the end of the body, and after a panic: then there is no body.
        #[pin]
        inner: Option<B>,
        // `None` where there is no body.
        scope: Option<AuditScope>,
    }

    impl<B> PinnedDrop for AuditBody<B> {
        /// The drop of an unfinished body is a part of the request, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(scope) = this.scope {
                scope.run_at_end(|| this.inner.set(None));
            }
        }
    }
}

impl<B> AuditBody<B> {
    pub(crate) fn new(inner: B, scope: AuditScope) -> Self {
        Self {
            inner: Some(inner),
            scope: Some(scope),
        }
    }

    pub(crate) fn empty() -> Self {
        Self {
            inner: None,
            scope: None,
        }
    }
}

impl<B: Body> Body for AuditBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(scope) = this.scope else {
            return Poll::Ready(None);
        };
        scope.run(|| {
            let Some(inner) = this.inner.as_mut().as_pin_mut() else {
                return Poll::Ready(None);
            };
            let polled = inner.poll_frame(context);
            let is_over =
                || (this.inner.as_ref().get_ref().as_ref()).is_none_or(Body::is_end_stream);
            if matches!(polled, Poll::Ready(None)) || polled.is_ready() && is_over() {
                // Drops the body while its context is current.
                this.inner.set(None);
            }
            polled
        })
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
