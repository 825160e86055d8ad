//! The web layer of `sea-orm-audit`: it adds actor, address, agent, session, request id and trace to every change in
//! a request, and records slow requests, errors and panics.
//!
//! Applications depend on the facade crate `sea-orm-audit` with the feature `web`, which re-exports this
//! crate as `sea_orm_audit::web`. Its `docs/web.md` says in which order layers go, and what is stored.
//!
//! # What to use when
//!
//! | item | when |
//! |---|---|
//! | [`AuditLayer`] | always: the outermost layer, which gives requests their context |
//! | [`IdentifyActor`] | to identify the actor from a request's head, such as by an API key; closures do |
//! | [`ClientAddress`], [`TrustedProxies`], [`ProxyHeader`], [`AddressError`] | behind proxies |
//! | [`AddressPrivacy`] | to store less than the whole address |
//! | [`client_ip`] | to read the whole address within a request |
//! | [`IncomingRequestId`] | to accept no request id from clients |
//! | `Audit`, `MissingAuditLayer` (feature `axum`) | to set actor, reason and metadata in a handler |
//! | [`Viewed`], [`mark_viewed`], [`Views`] | to record views of objects |
//! | [`ExportRecorder`], [`BegunExport`], [`ExportBody`], [`ExportWriter`], [`RecordCount`], [`BodyError`] | to record exports while they are sent |
//! | `AuditSessionLayer` (feature `tower-sessions`) | to record the session where axum-login is not used |
//! | `login` (feature `axum-login`) | to record logins, failed logins and logouts |
//! | `security` (feature `security`) | to look for signs of an attack |
//! | `geoip` (feature `geoip`) | to store country and city of logins |
//! | `AuditTracingLayer` (feature `tracing`) | to convert logged errors into events |
//! | [`record_panics`] | to convert panics anywhere into events |
//! | [`TraceId`] | to read a request's trace as the layer does |
//! | [`AuditService`], [`AuditFuture`], [`AuditBody`], `AuditSessionService` | never by name: the layers create them |
#![cfg_attr(docsrs, feature(doc_cfg))]

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
pub use export::{BegunExport, BodyError, ExportBody, ExportRecorder, ExportWriter, RecordCount};
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

/// The whole address of the current request's client, whatever part of it is stored; `None` where it is not known,
/// and outside of the [`AuditLayer`].
///
/// Available in the request's context: handlers, [`AuditLayer::actor`], inner layers,
/// the body of the response. A task that a handler spawns is outside, unless wrapped with `.with_audit_context()`.
#[must_use]
pub fn client_ip() -> Option<std::net::IpAddr> {
    sea_orm_audit_core::AuditContext::client()
}
