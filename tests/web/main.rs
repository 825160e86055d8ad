//! The web layers over real HTTP on loopback; tests that control polling or dropping call the router without a network.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod actors;
mod attempts;
mod context;
mod deferred;
mod events;
mod export_ends;
mod exports;
mod grpc;
mod logins;
mod logouts;
#[path = "../../audit-web/src/geoip/writer.rs"]
mod mmdb;
mod people;
mod security;
mod sessions;
mod support;
mod tracing_layer;
mod views;
