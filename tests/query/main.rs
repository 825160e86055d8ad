//! Searches of the log: every page, count and cursor is compared with a filter in plain Rust over all records.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    unused_macros
)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;

mod expected;
mod history;
mod pages;
mod random;
mod recorded;
mod timeline;
