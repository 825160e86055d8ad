//! Detects layers in the wrong order, which would silently record less than they should.

use std::sync::Once;

/// Marks a request that an [`AuditLayer`](crate::AuditLayer) has seen.
#[derive(Clone, Copy)]
pub(crate) struct Seen;

/// Marks a request that a layer inspects for signs of an attack.
#[cfg(feature = "security")]
#[derive(Clone, Copy)]
pub(super) struct Watched;

/// Logs the mistake once, and fails the request if debug assertions are enabled.
///
/// # Panics
/// Panics if debug assertions are enabled.
#[cfg(feature = "tower-sessions")]
pub(crate) fn wrong(said: &Once, what: &str) {
    said.call_once(|| tracing::error!("{what}"));
    debug_assert!(false, "{what}");
}

/// Logs once that the layer that records is in the wrong place.
#[cfg(feature = "tower-sessions")]
pub(super) fn inside_of_sessions() {
    static SAID: Once = Once::new();
    wrong(
        &SAID,
        "`AuditLayer` is inside of the session layer, so that what that and the layers around it do has no context. \
         It must be outermost: call `.layer(AuditLayer::new())` last, or first in a `ServiceBuilder` or a tuple of layers",
    );
}

/// Logs once that the client's address is unknown.
pub(super) fn without_peer() {
    static SAID: Once = Once::new();
    // Tests of routers have no connection, so this fails no request.
    SAID.call_once(|| {
        tracing::warn!(
            "the address of the connection is not known, so that `ip_address` is NULL and bursts of one client are not \
             seen: serve with `axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())`, or tell \
             it with `AuditLayer::peer`"
        );
    });
}
