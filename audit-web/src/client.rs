//! The client of the current request, whole, whatever is stored of its address.

use std::net::IpAddr;

use sea_orm_audit_core::AuditScope;

use crate::layer::Origin;

/// The address of the current request's client, whole, whatever is stored of it; `None` where it is not known, and
/// outside of the [`AuditLayer`](crate::AuditLayer).
///
/// For all that runs in the request's context: handlers, [`AuditLayer::actor`](crate::AuditLayer::actor), layers inside,
/// the body of the response. A task that a handler spawns is outside, unless wrapped with `.with_audit_context()`.
#[must_use]
pub fn client_ip() -> Option<IpAddr> {
    AuditScope::look_at_maker(|origin: &Origin| origin.client)?
}
