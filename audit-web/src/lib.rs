//! The web layer of `sea-orm-audit`: every change in a request has its actor, address, agent, session,
//! request id and trace; slow requests, errors and panics are on record beside it.
//!
//! Applications depend on the facade crate `sea-orm-audit` with the feature `web`, which re-exports this
//! crate as `sea_orm_audit::web`.

mod actor;
mod body;
mod client_address;
mod export;
#[cfg(feature = "axum")]
mod extract;
#[cfg(feature = "geoip")]
pub mod geoip;
mod layer;
#[cfg(feature = "axum-login")]
pub mod login;
mod request_id;
#[cfg(feature = "tower-sessions")]
mod session;
mod trace;
#[cfg(feature = "tracing")]
mod tracing_layer;
mod view;

pub use actor::IdentifyActor;
pub use body::AuditBody;
pub use client_address::{
    AddressError, AddressPrivacy, ClientAddress, ProxyHeader, TrustedProxies,
};
pub use export::{BodyError, ExportBody, ExportRecorder, ExportWriter, RecordCount};
#[cfg(feature = "axum")]
pub use extract::{Audit, MissingAuditLayer};
pub use layer::{AuditFuture, AuditLayer, AuditService};
pub use request_id::IncomingRequestId;
pub use sea_orm_audit_core::panic::record_panics;
#[cfg(feature = "security")]
pub use sea_orm_audit_security as security;
#[cfg(feature = "tower-sessions")]
pub use session::{AuditSessionLayer, AuditSessionService};
pub use trace::TraceId;
#[cfg(feature = "tracing")]
pub use tracing_layer::AuditTracingLayer;
pub use view::{Viewed, Views, mark_viewed};

/// The address of the current request's client, whole, whatever is stored of it; `None` where it is not known, and
/// outside of the [`AuditLayer`].
///
/// For all that runs in the request's context: handlers, [`AuditLayer::actor`], layers inside,
/// the body of the response. A task that a handler spawns is outside, unless wrapped with `.with_audit_context()`.
#[must_use]
pub fn client_ip() -> Option<std::net::IpAddr> {
    sea_orm_audit_core::AuditContext::client()
}
