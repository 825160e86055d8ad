//! The triggers of SQLite, through SeaORM and through the `sqlite3` client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::too_many_lines,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_macros
)]

use sea_orm_audit_tests::support;

mod client;
mod context;
mod forms;
mod loose;
mod names;
mod policies;
mod schemas;
mod secrets;
mod values;
