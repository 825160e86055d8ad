//! The layer that gives every request its context.

mod context;
mod future;
pub(crate) mod order;
mod request_observer;
mod route;
mod settings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderName, Request, Response};
use sea_orm::ConnectionTrait;
use sea_orm_audit_core::EventWriter;
use tower_layer::Layer;
use tower_service::Service;

use crate::actor::IdentifyActor;
use crate::body::AuditBody;
use crate::client_address::{AddressPrivacy, ClientAddress};
use crate::request_id::IncomingRequestId;
use crate::view::Views;
pub use future::AuditFuture;
use request_observer::Observed;
use settings::Settings;

/// Gives all work of a request, up to the last byte of the response's body, its context: actor, address, agent,
/// request id and trace. Reports slow requests, responses with status 500 and above, and panics.
///
/// Make it the outermost layer: outside of all layers that write or sign in, sessions included. Layers that need it
/// log an error once if it is missing or inside of them, and fail the request in builds with debug assertions. A
/// second layer inside of another one sets the actor and records views. It leaves the rest of the context, slow
/// requests, errors, panics and findings to the outer one. Works with every tower stack. The actor is *anonymous*
/// until [`actor`](Self::actor), or later [`AuditContext::set_actor`](sea_orm_audit_core::AuditContext::set_actor),
/// sets another one. Tasks that a handler spawns are outside, unless wrapped with `.with_audit_context()`.
///
/// # Examples
/// ```
/// use sea_orm_audit_web::{AuditLayer, ClientAddress, ProxyHeader, TrustedProxies};
/// # fn build() -> Result<AuditLayer, Box<dyn std::error::Error>> {
/// let proxies = TrustedProxies::new(["10.0.0.0/8"])?;
/// let layer = AuditLayer::new()
///     .client_address(ClientAddress::behind(proxies, ProxyHeader::XForwardedFor));
/// # Ok(layer)
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is put into a stack"]
pub struct AuditLayer(Arc<Settings>);

impl Default for AuditLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for AuditLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLayer").finish_non_exhaustive()
    }
}

impl AuditLayer {
    /// A layer with the default of each setter.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Identifies the actor from the request's head, within the request's context. By default a request is anonymous
    /// until the actor is set.
    pub fn actor(self, identify: impl IdentifyActor + 'static) -> Self {
        self.with(|settings| settings.identify = Some(Arc::new(identify)))
    }

    /// How the client's address is determined. By default no header is trusted: it is the address of the connection.
    pub fn client_address(self, address: ClientAddress) -> Self {
        self.with(|settings| settings.address = address)
    }

    /// The part of the client's address that is stored; the whole address by default.
    pub fn address_privacy(self, privacy: AddressPrivacy) -> Self {
        self.with(|settings| settings.privacy = privacy)
    }

    /// Reads the address of the connection from the request's extensions. By default the one that axum's
    /// `into_make_service_with_connect_info::<SocketAddr>()` sets (feature `axum`), or a plain `SocketAddr`.
    pub fn peer(
        self,
        peer: impl Fn(&http::Extensions) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.peer = Some(Arc::new(peer)))
    }

    /// Whether the user agent is stored, up to 512 characters. By default it is.
    pub fn user_agent(self, store: bool) -> Self {
        self.with(|settings| settings.user_agent = store)
    }

    /// The header with the request's id, `x-request-id` by default. A request without a valid id gets a new one, for
    /// all inner layers; the response gets it, too, unless [disabled](Self::request_id_in_response).
    pub fn request_id_header(self, name: HeaderName) -> Self {
        self.with(|settings| settings.request_id_header = name)
    }

    /// Whether a request's id is accepted, or always replaced. By default it is accepted.
    pub fn incoming_request_id(self, incoming: IncomingRequestId) -> Self {
        self.with(|settings| settings.incoming_request_id = incoming)
    }

    /// Whether the response gets the request's id, for later questions about it. By default it does, unless the
    /// handler has set the header itself; the handler's value always stays.
    pub fn request_id_in_response(self, carry: bool) -> Self {
        self.with(|settings| settings.request_id_in_response = carry)
    }

    /// The duration from which a request is slow: a PERFORMANCE event. 5 s by default; `None` for never.
    ///
    /// Measured until the response begins, or until the client disconnects.
    pub fn slow_after(self, limit: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.slow_after = limit.into())
    }

    /// Whether a response with status 500 and above is an ERROR event. By default it is.
    pub fn server_errors(self, report: bool) -> Self {
        self.with(|settings| settings.server_errors = report)
    }

    /// Whether a panic in the handler, or in the [`actor`](Self::actor) callback, is caught, answered with 500, and
    /// recorded as an ERROR event with its backtrace. By default it is.
    pub fn catch_panics(self, catch: bool) -> Self {
        self.with(|settings| settings.catches_panics = catch)
    }

    /// The writer of events. By default the installed [`EventWriter`]; without one, events are
    /// logged through `tracing` only, the first one as a warning, others at DEBUG.
    pub fn events(self, writer: EventWriter) -> Self {
        self.with(|settings| {
            #[cfg(feature = "security")]
            if let Some(monitor) = settings.security.take() {
                settings.security = Some(monitor.or_events(Some(&writer)));
            }
            settings.events = Some(writer);
        })
    }

    /// Inspects every request for signs of an attack, and the responses for bursts of refusals. Each finding is a
    /// SECURITY event. By default nothing is inspected. This is monitoring, not a firewall: it changes and refuses no
    /// request.
    ///
    /// A finding about a request is recorded after the response, or when the request is dropped: by then the actor is
    /// known. A probing path that the application serves, with 2xx or 304, is a path of the application, and no
    /// finding. With the feature `axum` only a separate route proves that. A path that a fallback or a route with a
    /// wildcard (`/{*path}`) serves stays a finding. So does every path if this layer is around the router and not
    /// added with `Router::layer`. Findings go to the writer of [events](Self::events), unless the monitor has
    /// another one.
    #[cfg(feature = "security")]
    pub fn security(self, monitor: crate::security::SecurityMonitor) -> Self {
        self.with(|settings| {
            settings.security = Some(monitor.or_events(settings.events.as_ref()));
        })
    }

    /// Records what handlers return as [`Viewed`](crate::Viewed), through this connection. Without it, the layer logs
    /// a warning for each view.
    pub fn views<C: ConnectionTrait + Clone + Send + Sync + 'static>(
        self,
        views: Views<C>,
    ) -> Self {
        self.with(|settings| settings.views = Some(views.erased()))
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = AuditService<S>;

    fn layer(&self, inner: S) -> AuditService<S> {
        AuditService {
            inner,
            settings: Arc::clone(&self.0),
        }
    }
}

/// The service that [`AuditLayer`] creates.
#[derive(Clone)]
pub struct AuditService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S: std::fmt::Debug> std::fmt::Debug for AuditService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for AuditService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<AuditBody<R>>;
    type Error = S::Error;
    type Future = AuditFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let observed = Observed::beginning(&mut request, &self.settings);
        let mut future = AuditFuture::new(observed);
        if let Some(who) = &self.settings.identify {
            let (parts, body) = request.into_parts();
            future.ask_actor(&mut || who.identify(&parts));
            request = Request::from_parts(parts, body);
        }
        // A service may do all its work in this call.
        let mut request = Some(request);
        future.begin(&mut |inner| {
            if let Some(request) = request.take() {
                *inner = Some(self.inner.call(request));
            }
        });
        future
    }
}
