//! The web layers, driven without a network; `examples/axum-shop` drives them over one.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod context;
mod events;
mod export_ends;
mod exports;
mod security;
mod support;
mod tracing_layer;
mod views;
