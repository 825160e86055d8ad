//! What is kept of a request, to make its context and its events of when they are needed.

use std::net::IpAddr;
use std::sync::{Once, OnceLock};

use coarsetime::Instant;
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
///
/// Put together where it stays ([`fill`](Self::fill)): what was just written is slow to move.
pub(crate) struct Origin {
    pub(super) settings: Settings,
    pub(crate) client: Option<IpAddr>,
    pub(super) request_id: RequestId,
    /// Of a clock that goes by some milliseconds: a look at it takes a fifth of the usual.
    pub(super) began: Instant,
    pub(super) method: Method,
    pub(super) target: Option<PathAndQuery>,
    pub(super) route: Option<Route>,
    // Told when the scope is there already. Seldom, and large.
    actor: OnceLock<Box<Actor>>,
    // Who acts outside of the layer, if somebody said so.
    actor_around: Option<Box<Actor>>,
    address: Option<StoredAddress>,
    agent: Option<HeaderValue>,
    trace: Option<TraceId>,
}

impl Default for Origin {
    /// Of a request that begins now.
    #[inline]
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            client: None,
            request_id: RequestId::none(),
            began: Instant::now_without_cache_update(),
            method: Method::GET,
            target: None,
            route: None,
            actor: OnceLock::new(),
            actor_around: None,
            address: None,
            agent: None,
            trace: None,
        }
    }
}

impl Origin {
    /// Keeps what is needed of a request's head. A request without an id is given one.
    #[inline]
    pub(super) fn fill<B>(&mut self, request: &mut Request<B>, settings: &Settings) {
        self.settings = settings.clone();
        let name = self.settings.request_id_header();
        let incoming = self.settings.incoming_request_id;
        self.request_id = RequestId::settle_at(self.began, request.headers_mut(), name, incoming);
        let (headers, extensions) = (request.headers(), request.extensions());
        self.client = self.settings.client(headers, extensions);
        self.route = route_of(extensions);
        self.target = request.uri().path_and_query().cloned();
        self.method = request.method().clone();
        if self.settings.user_agent {
            self.agent = headers.get(USER_AGENT).cloned();
        }
        self.trace = TraceId::of_request(headers);
        self.address = (self.client).and_then(|it| StoredAddress::of(it, self.settings.privacy));
        self.actor_around = AuditContext::actor_around().map(Box::new);
    }

    /// Tells who sent the request, for a context that is not made yet.
    pub(super) fn tell_actor(&self, actor: Actor) {
        // It is told once.
        drop(self.actor.set(Box::new(actor)));
    }
}

impl MakeContext for Origin {
    fn make_context(&self) -> AuditContext {
        let actor = self.actor.get().or(self.actor_around.as_ref());
        let mut context = AuditContext::new()
            .actor(actor.map_or_else(Actor::anonymous, |actor| Actor::clone(actor)))
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
