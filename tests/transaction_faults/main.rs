//! Transactions, savepoints and cancellation: failures that once lost records or changes.
#![allow(
    clippy::assigning_clones,
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

mod batches;
mod dropped_futures;
mod ended_transaction;
mod helpers;
mod last_insert_id;
mod out_of_order;
mod partial_failure;
#[path = "../hook_faults/proxied_pool.rs"]
mod proxied_pool;
mod reports;
mod savepoints;
mod single_write;
#[path = "../hook_faults/stalling_proxy.rs"]
mod stalling_proxy;
