//! What the layer reads from a request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderName};
use sea_orm_audit_core::EventWriter;

use crate::actor::IdentifyActor;
use crate::client_address::{AddressPrivacy, ClientAddress};
use crate::request_id::{IncomingRequestId, X_REQUEST_ID};
use crate::view::ErasedViews;

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
    /// Where events go.
    pub(super) fn events(&self) -> Option<EventWriter> {
        self.events.clone().or_else(EventWriter::installed)
    }
}

/// The client's address as the [`AuditLayer`](crate::AuditLayer) found it, whole, in the extensions of the
/// request; `None` where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub Option<IpAddr>);
