//! The web layers over real HTTP on loopback; tests that control polling or dropping call the router without a network.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod actors;
#[cfg(feature = "axum-login")]
mod attempts;
mod context;
#[cfg(feature = "axum-login")]
mod deferred;
mod events;
mod export_ends;
mod exports;
mod grpc;
#[cfg(feature = "axum-login")]
mod logins;
#[cfg(feature = "axum-login")]
mod logouts;
#[cfg(all(feature = "axum-login", feature = "geoip"))]
#[path = "../../audit-web/src/geoip/writer.rs"]
mod mmdb;
#[cfg(feature = "axum-login")]
mod people;
mod security;
#[cfg(feature = "tower-sessions")]
mod sessions;
mod support;
mod tracing_layer;
mod views;
