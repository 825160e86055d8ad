//! The context from a request's head.

use std::net::IpAddr;
use std::sync::Once;

use http::header::{HeaderMap, USER_AGENT};
use sea_orm_audit_core::{Actor, AuditConfig, AuditContext, clean_text};

use super::settings::Settings;
use crate::client_address::AddressPrivacy;
use crate::trace::TraceId;

/// The longest user agent that is stored, in characters.
const USER_AGENT_LIMIT: usize = 512;

pub(super) fn of(
    settings: &Settings,
    headers: &HeaderMap,
    client: Option<IpAddr>,
    request_id: &str,
) -> AuditContext {
    // The actor of an outer scope, if it has one.
    let actor = AuditContext::actor_around().unwrap_or_else(Actor::anonymous);
    let mut context = AuditContext::new()
        .actor(actor)
        .of_client(client)
        .request_id(request_id);
    if let Some(client) = client {
        context = stored(context, client, settings.privacy);
    }
    if settings.user_agent
        && let Some(agent) = headers.get(USER_AGENT)
    {
        context = context.user_agent(clean_text(agent.as_bytes(), USER_AGENT_LIMIT));
    }
    match TraceId::of_request(headers) {
        Some(trace) => context.trace_id(trace.to_string()),
        None => context,
    }
}

/// Adds the stored form of a client's address.
fn stored(context: AuditContext, client: IpAddr, privacy: AddressPrivacy) -> AuditContext {
    if privacy == AddressPrivacy::Full {
        return context.ip_address(client);
    }
    let config = AuditConfig::current();
    if privacy == AddressPrivacy::Hashed && config.keyed_hash("ip_address", "").is_none() {
        static SAY_ONCE: Once = Once::new();
        SAY_ONCE.call_once(|| {
            tracing::error!("addresses are to be hashed, but the audit configuration has no hash key: none is stored");
        });
        return context;
    }
    let hash = |text: &str| config.keyed_hash("ip_address", text).unwrap_or_default();
    match privacy.shown(client, hash) {
        Some(text) => context.ip_address_as(text),
        None => context,
    }
}
