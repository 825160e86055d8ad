//! Triggers and an `AuditedConnection` together, on every database. A program of its own, since entities that
//! triggers capture concern every statement that is not understood.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::large_futures,
    dead_code,
    missing_docs,
    unreachable_pub
)]

#[macro_use]
#[path = "../suite/support.rs"]
mod support;
mod entities;

mod cascades;
mod context;
mod leaks;
