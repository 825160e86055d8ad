//! Who, from where and why: the [`AuditContext`] of records.
//!
//! A context belongs to a task-local scope. Scopes nest: a field that the inner scope leaves out is taken from the
//! outer one. They do not follow `tokio::spawn`; wrap the spawned future with [`WithAuditContext::with_audit_context`].
//! Nothing here is global, so that no request can leave anything behind for the next.

mod current_config;
mod scope;

use std::fmt;
use std::net::IpAddr;

use sea_orm::prelude::Json;
use serde_json::Map;

use crate::actor::Actor;
use crate::limits;
use crate::target::truncate_hashed;

pub(crate) use current_config::replace_installed;
pub use scope::{AuditScope, WithAuditContext};
pub(crate) use scope::{
    Scope, current_scope, current_suppression, scoped_config, with_suppression,
};

/// Who does what follows, from where and why.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{Actor, AuditContext};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// AuditContext::new()
///     .actor(Actor::user(7).named("Ann"))
///     .reason("price list 2026")
///     .scope(async {
///         // every write in here is Ann's
///         assert_eq!(AuditContext::current().get_actor().id(), Some("7"));
///     })
///     .await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default, PartialEq)]
#[must_use = "a context does nothing until its scope is awaited"]
pub struct AuditContext {
    pub(crate) actor: Option<Actor>,
    pub(crate) ip_address: Option<String>,
    /// The whole address, where less of it is stored. It is in no record.
    pub(crate) client: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    pub(crate) session_key: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) module: Option<String>,
    pub(crate) metadata: Map<String, Json>,
}

impl AuditContext {
    /// An empty context.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who does it. [`Actor::unknown`] by default.
    pub fn actor(mut self, actor: Actor) -> Self {
        self.actor = Some(actor);
        self
    }

    /// The client's address.
    pub fn ip_address(mut self, address: IpAddr) -> Self {
        self.ip_address = Some(address.to_canonical().to_string());
        self
    }

    /// What is stored in place of the client's address, at most 64 characters: a part of it, or a hash.
    pub fn ip_address_as(mut self, text: impl Into<String>) -> Self {
        self.ip_address = Some(truncate_hashed(text.into(), limits::ADDRESS));
        self
    }

    /// The client's whole address, of which nothing is stored; see [`Self::client`].
    #[doc(hidden)]
    pub fn of_client(mut self, address: Option<IpAddr>) -> Self {
        self.client = address;
        self
    }

    /// The client's user agent.
    pub fn user_agent(mut self, agent: impl Into<String>) -> Self {
        self.user_agent = Some(agent.into());
        self
    }

    /// The session's key. Only a digest of it is stored, keyed when a hash key is configured.
    pub fn session_key(mut self, key: impl Into<String>) -> Self {
        self.session_key = Some(key.into());
        self
    }

    /// The request's id.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// The trace's id, as in W3C Trace Context.
    pub fn trace_id(mut self, id: impl Into<String>) -> Self {
        self.trace_id = Some(id.into());
        self
    }

    /// The tenant. A row's own tenant (`#[audit(tenant = "..")]`) takes precedence.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Why it is done.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The part of the application that acts. An entity's own (`#[audit(module = "..")]`) takes precedence.
    pub fn module(mut self, module: impl Into<String>) -> Self {
        self.module = Some(module.into());
        self
    }

    /// Adds an application-defined value. Values behind names that look like secrets are replaced when they are stored.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Runs a future in this context, inside the one that applies where the result is first polled.
    ///
    /// The context ends with the future, also when it is dropped or panics. Tasks that the future
    /// spawns are outside, unless wrapped with [`WithAuditContext::with_audit_context`].
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> + use<F> {
        scope::with_context(self, future)
    }

    /// A scope of this context, inside the one that applies here, to be entered more than once.
    #[must_use]
    pub fn into_scope(self) -> AuditScope {
        AuditScope::new(self)
    }

    /// The context that applies here, outer scopes merged in.
    pub fn current() -> Self {
        current_scope()
            .map(|scope| scope.merged())
            .unwrap_or_default()
    }

    /// The actor that the enclosing scopes set, if any.
    #[doc(hidden)]
    #[must_use]
    pub fn actor_around() -> Option<Actor> {
        current_scope()?.first(&|context| context.actor.clone())
    }

    /// The whole address of the client in the scopes around, if any.
    #[doc(hidden)]
    #[must_use]
    pub fn client() -> Option<IpAddr> {
        current_scope()?.first(&|context| context.client)
    }

    /// Sets the actor of the innermost context scope, for what is written from now on: when the
    /// user is known only after the scope began, as in most authentication.
    ///
    /// Returns `false`, and changes nothing, outside of any context scope.
    #[allow(clippy::must_use_candidate)] // outside of a scope there may be nothing to set
    pub fn set_actor(actor: Actor) -> bool {
        Self::update(|context| context.actor = Some(actor))
    }

    /// Sets the reason of the innermost context scope, for what is written from now on.
    ///
    /// Returns `false`, and changes nothing, outside of any context scope.
    #[allow(clippy::must_use_candidate)] // outside of a scope there may be nothing to set
    pub fn set_reason(reason: impl Into<String>) -> bool {
        // Converted before: the caller's conversion may read the context.
        let reason = reason.into();
        Self::update(|context| context.reason = Some(reason))
    }

    /// Adds an application-defined value to the innermost context scope, for later records.
    ///
    /// Returns `false`, and changes nothing, outside of any context scope.
    #[allow(clippy::must_use_candidate)] // outside of a scope there may be nothing to set
    pub fn set_metadata(key: impl Into<String>, value: impl Into<Json>) -> bool {
        let (key, value) = (key.into(), value.into());
        Self::update(|context| {
            context.metadata.insert(key, value);
        })
    }

    /// Sets the session's key of the innermost context scope, for what is written from now on.
    ///
    /// Returns `false`, and changes nothing, outside of any context scope.
    #[allow(clippy::must_use_candidate)] // outside of a scope there may be nothing to set
    pub fn set_session_key(key: impl Into<String>) -> bool {
        let key = key.into();
        Self::update(|context| context.session_key = Some(key))
    }

    fn update(change: impl FnOnce(&mut Self)) -> bool {
        match current_scope() {
            Some(scope) => scope.update(change),
            None => false,
        }
    }

    /// The actor, [`Actor::unknown`] when none is set.
    #[must_use]
    pub fn get_actor(&self) -> Actor {
        self.actor.clone().unwrap_or_default()
    }

    /// The reason, where one is given.
    #[must_use]
    pub fn get_reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The client's address, where one is given, as it is stored.
    #[must_use]
    pub fn get_ip_address(&self) -> Option<&str> {
        self.ip_address.as_deref()
    }

    /// The client's user agent, where one is given.
    #[must_use]
    pub fn get_user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// The request's id, where one is given.
    #[must_use]
    pub fn get_request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Takes every field that this context leaves out from an outer one.
    pub(crate) fn or(mut self, outer: &Self) -> Self {
        macro_rules! inherit {
            ($($field:ident),*) => {
                $(if self.$field.is_none() { self.$field.clone_from(&outer.$field); })*
            };
        }
        inherit!(
            actor,
            ip_address,
            client,
            user_agent,
            session_key,
            request_id,
            trace_id,
            tenant,
            reason,
            module
        );
        for (key, value) in &outer.metadata {
            if !self.metadata.contains_key(key) {
                self.metadata.insert(key.clone(), value.clone());
            }
        }
        self
    }
}

impl fmt::Debug for AuditContext {
    /// Leaves out the session key and the metadata's values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditContext")
            .field("actor", &self.actor)
            .field("ip_address", &self.ip_address)
            .field("request_id", &self.request_id)
            .field("trace_id", &self.trace_id)
            .field("tenant", &self.tenant)
            .field("reason", &self.reason)
            .field("module", &self.module)
            .field("metadata", &self.metadata.keys())
            .finish_non_exhaustive()
    }
}
