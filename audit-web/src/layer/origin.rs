//! What is kept of a request, to make its context and its events of when they are needed.

use std::net::IpAddr;
use std::sync::Once;
use std::time::Instant;

use http::header::USER_AGENT;
use http::uri::PathAndQuery;
use http::{Extensions, HeaderValue, Method, Request};
use sea_orm_audit_core::{Actor, AuditConfig, AuditContext, MakeContext, clean_text};

use super::settings::Settings;
use crate::client_address::AddressPrivacy;
use crate::request_id::RequestId;
use crate::trace::TraceId;

/// The longest user agent that is stored, in characters.
const USER_AGENT_LIMIT: usize = 512;

/// What came with a request, in cheap clones: most requests write nothing, and need no context. The clones
/// keep the buffer that the head was read into, until the scope ends.
pub(super) struct Origin {
    pub(super) settings: Settings,
    pub(super) client: Option<IpAddr>,
    pub(super) request_id: RequestId,
    pub(super) began: Instant,
    pub(super) method: Method,
    pub(super) target: Option<PathAndQuery>,
    pub(super) route: Option<Route>,
    // Seldom there, and large: a request's origin is moved where it stays.
    actor: Option<Box<Actor>>,
    address: Option<StoredAddress>,
    agent: Option<HeaderValue>,
    trace: Option<TraceId>,
}

impl Origin {
    /// Keeps what is needed of a request whose head was read.
    #[inline]
    pub(super) fn of<B>(
        request: &Request<B>,
        head: Head,
        actor: Option<Actor>,
        settings: &Settings,
    ) -> Self {
        let headers = request.headers();
        let agent = headers.get(USER_AGENT).filter(|_| settings.user_agent);
        Self {
            client: head.client,
            request_id: head.request_id,
            began: head.began,
            method: request.method().clone(),
            target: request.uri().path_and_query().cloned(),
            route: route_of(request.extensions()),
            actor: actor.or_else(AuditContext::actor_around).map(Box::new),
            address: (head.client).and_then(|client| StoredAddress::of(client, settings.privacy)),
            agent: agent.cloned(),
            trace: TraceId::of_request(headers),
            settings: settings.clone(),
        }
    }
}

/// What is known of a request before its actor.
pub(super) struct Head {
    began: Instant,
    request_id: RequestId,
    pub(super) client: Option<IpAddr>,
}

impl Head {
    /// Reads a request's head. A request without an id is given one.
    pub(super) fn read<B>(request: &mut Request<B>, settings: &Settings) -> Self {
        let (name, incoming) = (settings.request_id_header(), settings.incoming_request_id);
        let began = Instant::now();
        Self {
            began,
            request_id: RequestId::settle_at(began, request.headers_mut(), name, incoming),
            client: settings.client(request.headers(), request.extensions()),
        }
    }
}

impl MakeContext for Origin {
    fn make_context(&self) -> AuditContext {
        let mut context = AuditContext::new()
            .actor(
                self.actor
                    .as_deref()
                    .cloned()
                    .unwrap_or_else(Actor::anonymous),
            )
            .request_id(self.request_id.as_str());
        context = match &self.address {
            Some(StoredAddress::Whole(client)) => context.ip_address(*client),
            Some(StoredAddress::Text(text)) => context.ip_address_as(text),
            None => context,
        };
        if let Some(agent) = &self.agent {
            context = context.user_agent(clean_text(agent.as_bytes(), USER_AGENT_LIMIT));
        }
        if let Some(trace) = self.trace {
            context = context.trace_id(trace.to_string());
        }
        context
    }
}

/// What is stored of a client's address.
enum StoredAddress {
    Whole(IpAddr),
    /// Made when the request comes: a hash depends on the configuration that applies there.
    Text(String),
}

impl StoredAddress {
    fn of(client: IpAddr, privacy: AddressPrivacy) -> Option<Self> {
        if privacy == AddressPrivacy::Full {
            return Some(Self::Whole(client));
        }
        let config = AuditConfig::current();
        if privacy == AddressPrivacy::Hashed && config.keyed_hash("ip_address", "").is_none() {
            static SAY_ONCE: Once = Once::new();
            SAY_ONCE.call_once(|| {
                tracing::error!("addresses are to be hashed, but the audit configuration has no hash key: none is stored");
            });
            return None;
        }
        let hash = |text: &str| config.keyed_hash("ip_address", text).unwrap_or_default();
        privacy.shown(client, hash).map(Self::Text)
    }
}

/// The pattern of the route, which is the same for all objects.
#[cfg(feature = "axum")]
type Route = axum::extract::MatchedPath;

#[cfg(feature = "axum")]
fn route_of(extensions: &Extensions) -> Option<Route> {
    extensions.get().cloned()
}

/// Nobody but axum tells the pattern of a route.
#[cfg(not(feature = "axum"))]
type Route = String;

#[cfg(not(feature = "axum"))]
fn route_of(_: &Extensions) -> Option<Route> {
    None
}
