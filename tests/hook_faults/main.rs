//! Hooks on plain connections: failures that once lost records or recorded wrongly.
#![allow(
    clippy::similar_names,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::format_push_string,
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

mod begin;
mod cancelled_writes;
mod driver_codes;
mod ended_transaction;
mod error_texts;
mod generated_columns;
mod last_insert_id;
#[path = "../suite/logged.rs"]
mod logged;
mod missing_before_hook;
#[path = "../suite/entity/post.rs"]
mod post;
mod proxied_pool;
mod stalling_proxy;
