//! The settings of the layer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderName};
use sea_orm_audit_core::EventWriter;

use crate::actor::IdentifyActor;
use crate::client_address::{AddressPrivacy, ClientAddress};
use crate::request_id::{IncomingRequestId, X_REQUEST_ID};
use crate::view::ErasedViews;

/// Reads the address of the connection from the request's extensions.
type PeerOf = dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync;

#[derive(Clone)]
#[allow(clippy::struct_excessive_bools)] // switches, none of which depends on another
pub(crate) struct Settings {
    pub(super) identify: Option<Arc<dyn IdentifyActor>>,
    pub(super) address: ClientAddress,
    pub(super) privacy: AddressPrivacy,
    pub(super) peer: Option<Arc<PeerOf>>,
    pub(super) user_agent: bool,
    pub(super) request_id_header: HeaderName,
    pub(super) incoming_request_id: IncomingRequestId,
    pub(super) request_id_in_response: bool,
    pub(super) slow_after: Option<Duration>,
    pub(super) server_errors: bool,
    pub(super) catches_panics: bool,
    pub(super) events: Option<EventWriter>,
    pub(super) views: Option<ErasedViews>,
    #[cfg(feature = "security")]
    pub(super) security: Option<crate::security::SecurityMonitor>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            identify: None,
            address: ClientAddress::default(),
            privacy: AddressPrivacy::Full,
            peer: None,
            user_agent: true,
            request_id_header: X_REQUEST_ID,
            incoming_request_id: IncomingRequestId::Believed,
            request_id_in_response: true,
            slow_after: Some(Duration::from_secs(5)),
            server_errors: true,
            catches_panics: true,
            events: None,
            views: None,
            #[cfg(feature = "security")]
            security: None,
        }
    }
}

impl Settings {
    /// The address of the connection.
    pub(super) fn peer(&self, extensions: &Extensions) -> Option<IpAddr> {
        match &self.peer {
            Some(peer) => peer(extensions).map(|peer| peer.ip()),
            None => peer_of(extensions),
        }
    }

    /// The writer of events.
    pub(super) fn events(&self) -> Option<EventWriter> {
        self.events.clone().or_else(EventWriter::installed)
    }
}

/// The address of the connection, if the server provides it.
fn peer_of(extensions: &Extensions) -> Option<IpAddr> {
    #[cfg(feature = "axum")]
    if let Some(info) = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(info.0.ip());
    }
    extensions.get().map(SocketAddr::ip)
}
