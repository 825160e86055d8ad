//! What the layer reads from a request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderName};
use sea_orm_audit_core::EventWriter;

use crate::actor::IdentifyActor;
use crate::client_address::{AddressPrivacy, ClientAddress};
use crate::request_id::{IncomingRequestId, X_REQUEST_ID};
use crate::view::ErasedViews;

/// Tells the address of the connection from the request's extensions.
type PeerOf = dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync;

static OF_SOCKET: ClientAddress = ClientAddress::of_socket();

/// A value that every service has to itself, as it is cloned for every request: a count of references would be
/// one that all threads take from each other.
#[derive(Clone)]
#[allow(clippy::struct_excessive_bools)] // switches, none of which depends on another
pub(crate) struct Settings {
    pub(super) privacy: AddressPrivacy,
    pub(super) user_agent: bool,
    pub(super) incoming_request_id: IncomingRequestId,
    pub(super) request_id_in_response: bool,
    pub(super) slow_after: Option<Duration>,
    pub(super) server_errors: bool,
    pub(super) catches_panics: bool,
    /// `None` where all of it is as it is by default.
    given: Option<Arc<Given>>,
}

/// What the application gives the layer.
#[derive(Clone, Default)]
pub(super) struct Given {
    pub(super) identify: Option<Arc<dyn IdentifyActor>>,
    pub(super) address: ClientAddress,
    pub(super) peer: Option<Arc<PeerOf>>,
    pub(super) request_id_header: Option<HeaderName>,
    pub(super) events: Option<EventWriter>,
    pub(super) views: Option<ErasedViews>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            privacy: AddressPrivacy::Full,
            user_agent: true,
            incoming_request_id: IncomingRequestId::Believed,
            request_id_in_response: true,
            slow_after: Some(Duration::from_secs(5)),
            server_errors: true,
            catches_panics: true,
            given: None,
        }
    }
}

impl Settings {
    pub(super) fn give(&mut self) -> &mut Given {
        Arc::make_mut(self.given.get_or_insert_default())
    }

    /// Who tells the actor.
    pub(super) fn identify(&self) -> Option<&dyn IdentifyActor> {
        self.given.as_ref()?.identify.as_deref()
    }

    /// The client's address.
    pub(super) fn client(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let Some(given) = &self.given else {
            return OF_SOCKET.of(peer_of(extensions), headers);
        };
        let peer = match &given.peer {
            Some(peer) => peer(extensions).map(|peer| peer.ip()),
            None => peer_of(extensions),
        };
        given.address.of(peer, headers)
    }

    /// The name of the header that carries the request's id.
    pub(super) fn request_id_header(&self) -> HeaderName {
        let given = self.given.as_ref();
        let name = given.and_then(|given| given.request_id_header.clone());
        name.unwrap_or(X_REQUEST_ID)
    }

    /// Where events go.
    pub(super) fn events(&self) -> Option<EventWriter> {
        let given = self.given.as_ref();
        let events = given.and_then(|given| given.events.clone());
        events.or_else(EventWriter::installed)
    }

    /// Who records views.
    pub(super) fn views(&self) -> Option<&ErasedViews> {
        self.given.as_ref()?.views.as_ref()
    }
}

/// The address of the connection, where the server leaves it.
fn peer_of(extensions: &Extensions) -> Option<IpAddr> {
    #[cfg(feature = "axum")]
    if let Some(info) = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(info.0.ip());
    }
    extensions.get().map(SocketAddr::ip)
}
