//! The client of the current request, whole, whatever is stored of its address.

use std::cell::Cell;
use std::net::IpAddr;

thread_local! {
    /// The thread's is enough: nothing is awaited inside of [`for_client`].
    static CLIENT: Cell<Option<IpAddr>> = const { Cell::new(None) };
}

/// Makes the client before this one the current one again, also when the function panics.
struct Before(Option<IpAddr>);

impl Drop for Before {
    fn drop(&mut self) {
        CLIENT.set(self.0);
    }
}

/// Runs a function for a client.
pub(crate) fn for_client<R>(client: Option<IpAddr>, function: impl FnOnce() -> R) -> R {
    let _before = Before(CLIENT.replace(client));
    function()
}

/// The address of the current request's client, whole, whatever is stored of it; `None` where it is not known, and
/// outside of the [`AuditLayer`](crate::AuditLayer).
///
/// For what runs as a part of the request: handlers, [`AuditLayer::actor`](crate::AuditLayer::actor), layers inside. A
/// task that a handler spawns, and the body of the response, are none.
#[must_use]
pub fn client_ip() -> Option<IpAddr> {
    CLIENT.get()
}
