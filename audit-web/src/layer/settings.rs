//! What the layer reads from a request.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Once};
use std::time::Duration;

use http::header::USER_AGENT;
use http::request::Parts;
use http::{Extensions, HeaderName, HeaderValue};
use sea_orm_audit_core::{Actor, AuditConfig, AuditContext, AuditScope, EventWriter, clean_text};

use crate::actor::IdentifyActor;
use crate::client_address::{AddressPrivacy, ClientAddress};
use crate::request_id::{IncomingRequestId, X_REQUEST_ID};
use crate::trace::TraceId;
use crate::view::ErasedViews;

/// The longest user agent that is stored, in characters.
const USER_AGENT_LIMIT: usize = 512;

/// Tells the address of the connection from the request's extensions.
type PeerOf = dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(super) identify: Option<Arc<dyn IdentifyActor>>,
    pub(super) address: ClientAddress,
    pub(super) privacy: AddressPrivacy,
    pub(super) peer: Arc<PeerOf>,
    pub(super) user_agent: bool,
    pub(super) request_id_header: HeaderName,
    pub(super) incoming_request_id: IncomingRequestId,
    pub(super) slow_after: Option<Duration>,
    pub(super) server_errors: bool,
    pub(super) catches_panics: bool,
    pub(super) events: Option<EventWriter>,
    pub(super) views: Option<ErasedViews>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            identify: None,
            address: ClientAddress::default(),
            privacy: AddressPrivacy::Full,
            peer: Arc::new(peer_of),
            user_agent: true,
            request_id_header: X_REQUEST_ID,
            incoming_request_id: IncomingRequestId::Believed,
            slow_after: Some(Duration::from_secs(5)),
            server_errors: true,
            catches_panics: true,
            events: None,
            views: None,
        }
    }
}

/// The address of the connection, where the server leaves it.
fn peer_of(extensions: &Extensions) -> Option<SocketAddr> {
    #[cfg(feature = "axum")]
    if let Some(info) = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(info.0);
    }
    extensions.get::<SocketAddr>().copied()
}

impl Settings {
    /// The scope of a request, and the id that its response is to carry. A request without an id is
    /// given one.
    pub(super) fn scope_of(&self, parts: &mut Parts) -> (AuditScope, Option<IpAddr>, HeaderValue) {
        let (request_id, given) = self
            .incoming_request_id
            .read(&parts.headers, &self.request_id_header);
        let header = HeaderValue::from(&request_id);
        if !given {
            let name = self.request_id_header.clone();
            parts.headers.insert(name, header.clone());
        }
        let peer = (self.peer)(&parts.extensions).map(|peer| peer.ip());
        let client = self.address.of(peer, &parts.headers);
        parts.extensions.insert(ClientIp(client));
        let actor = self.identify.as_ref().and_then(|who| who.identify(parts));
        let mut context = AuditContext::new()
            .actor(actor.unwrap_or_else(Actor::anonymous))
            .request_id(request_id.as_str());
        if let Some(shown) = client.and_then(|client| self.shown(client)) {
            context = context.ip_address_as(shown);
        }
        if self.user_agent
            && let Some(agent) = parts.headers.get(USER_AGENT)
        {
            context = context.user_agent(clean_text(agent.as_bytes(), USER_AGENT_LIMIT));
        }
        if let Some(trace) = TraceId::of_request(&parts.headers) {
            context = context.trace_id(trace.to_string());
        }
        (context.into_scope(), client, header)
    }

    /// What is stored of a client's address.
    fn shown(&self, client: IpAddr) -> Option<String> {
        let config = AuditConfig::current();
        if self.privacy == AddressPrivacy::Hashed && config.keyed_hash("ip_address", "").is_none() {
            static SAY_ONCE: Once = Once::new();
            SAY_ONCE.call_once(|| {
                tracing::error!("addresses are to be hashed, but the audit configuration has no hash key: none is stored");
            });
            return None;
        }
        let hash = |text: &str| config.keyed_hash("ip_address", text).unwrap_or_default();
        self.privacy.shown(client, hash)
    }

    /// Where events go.
    pub(super) fn events(&self) -> Option<EventWriter> {
        self.events.clone().or_else(EventWriter::installed)
    }
}

/// The client's address as the [`AuditLayer`](crate::AuditLayer) found it, whole, in the extensions of the
/// request; `None` where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub Option<IpAddr>);
