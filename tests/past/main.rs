//! Past states: every row, join and aggregate is compared with copies of the tables that were taken then.
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

mod baseline;
mod queries;
mod random;
mod shop;
mod soft_delete;
mod undo;
mod unknown;
