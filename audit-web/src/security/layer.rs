//! The layer that looks at requests.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::USER_AGENT;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::SecurityMonitor;
use super::finding::Finding;

/// Looks at every request for signs of an attack, and at the answers for bursts of refusals; what it finds
/// are SECURITY events. No request is touched or refused. What a request itself shows is told when it is answered, or
/// given up: by then it is known who sent it.
///
/// Goes inside of the [`AuditLayer`](crate::AuditLayer), which knows the client's address, and around
/// everything that answers, the answers for unknown paths included.
#[derive(Debug, Clone, Default)]
#[must_use = "a layer does nothing until it is put into a stack"]
pub struct SecurityLayer {
    monitor: SecurityMonitor,
}

impl SecurityLayer {
    /// Watches with this monitor.
    pub const fn new(monitor: SecurityMonitor) -> Self {
        Self { monitor }
    }
}

impl<S> Layer<S> for SecurityLayer {
    type Service = SecurityService<S>;

    fn layer(&self, inner: S) -> SecurityService<S> {
        SecurityService {
            inner,
            monitor: Arc::new(self.monitor.clone()),
        }
    }
}

/// The service that [`SecurityLayer`] makes of another.
#[derive(Debug, Clone)]
pub struct SecurityService<S> {
    inner: S,
    monitor: Arc<SecurityMonitor>,
}

impl<S, B, R> Service<Request<B>> for SecurityService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = SecurityFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (uri, agent) = (request.uri(), request.headers().get(USER_AGENT));
        let agent = agent.map(http::HeaderValue::as_bytes);
        let finding = self.monitor.rules.inspect(uri.path(), uri.query(), agent);
        // Before anything can panic.
        let watch = Watch {
            monitor: Arc::clone(&self.monitor),
            finding: finding.map(Box::new),
        };
        SecurityFuture {
            inner: self.inner.call(request),
            watch,
        }
    }
}

/// A request, and what it shows, until that is told.
#[derive(Debug)]
struct Watch {
    monitor: Arc<SecurityMonitor>,
    finding: Option<Box<Finding>>,
}

impl Watch {
    fn tell(&mut self) {
        if let Some(finding) = self.finding.take() {
            self.monitor.report(*finding);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tell();
    }
}

pin_project! {
    /// The future that [`SecurityService`] answers with.
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct SecurityFuture<F> {
        #[pin]
        inner: F,
        watch: Watch,
    }
}

impl<F, R, E> Future for SecurityFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.inner.poll(context);
        if polled.is_ready() {
            this.watch.tell();
        }
        if let Poll::Ready(Ok(response)) = &polled {
            this.watch.monitor.answered(response.status());
        }
        polled
    }
}
