//! Triggers and an `AuditedConnection` together, on every database. A separate program, since entities with triggers
//! affect every unparsed statement.
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
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;
mod entities;

mod cascades;
mod context;
mod leaks;
