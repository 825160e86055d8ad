//! Triggers on PostgreSQL: the server named by `TEST_POSTGRES_URL`, its client `psql`, and the pooler
//! named by `TEST_PGBOUNCER_URL`; `scripts/with-databases` starts them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::large_futures,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    unused_macros
)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;

#[macro_use]
mod entity;

mod client;
mod context;
mod guards;
mod keys;
mod marks;
mod names;
mod pooler;
mod replay;
mod settings;
mod table_changes;
mod values;
mod ways;

use support::{TestDb, TestResult};

/// Makes a test of each function.
macro_rules! on_postgres {
    ($($name:ident),* $(,)?) => {
        mod postgres { $crate::support::tests_on!(postgres: $($name),*); }
    };
}
pub(crate) use on_postgres;
