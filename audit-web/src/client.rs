//! The client of the current request, whole, whatever is stored of its address.

use std::net::IpAddr;

tokio::task_local! {
    static CLIENT: Option<IpAddr>;
}

/// Runs a function for a client.
pub(crate) fn for_client<R>(client: Option<IpAddr>, function: impl FnOnce() -> R) -> R {
    CLIENT.sync_scope(client, function)
}

/// The client's address, inside of the [`AuditLayer`](crate::AuditLayer).
#[cfg(any(feature = "security", feature = "geoip"))]
pub(crate) fn current_client() -> Option<IpAddr> {
    CLIENT.try_with(|client| *client).ok().flatten()
}
