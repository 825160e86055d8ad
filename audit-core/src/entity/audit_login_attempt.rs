//! One row per attempt to sign in, and per logout.

use sea_orm::entity::prelude::*;

use super::audit_entity;

audit_entity!(login_attempt);

/// An attempt to sign in, or a logout.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
pub struct Model {
    /// The row's number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When it happened, UTC, to the microsecond.
    pub occurred_at: DateTimeUtc,
    /// The record of this attempt in `audit_log`.
    pub log_id: Option<i64>,
    /// The name that was given. NULL for a logout.
    pub username: Option<String>,
    /// What lockouts count the name as, however it was written. NULL for a logout.
    pub username_key: Option<String>,
    /// `SUCCESS`, `FAILED` or `BLOCKED`; `LOGOUT` for a sign-out.
    pub status: String,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// What kind of actor it was.
    pub actor_type: String,
    /// The actor's id.
    pub actor_id: Option<String>,
    /// The actor's name at that time.
    pub actor_name: Option<String>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// What lockouts count the address as: the /64 network of an IPv6 address, else the address. NULL for a logout.
    pub network: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// The country the address is in.
    pub country: Option<String>,
    /// The city the address is in.
    pub city: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
}
