//! One suite: every behaviour on SQLite, PostgreSQL and MariaDB.
//!
//! Servers are named by `TEST_POSTGRES_URL` and `TEST_MYSQL_URL`; `scripts/with-databases` starts
//! them. Each test has a database of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::drop_non_drop,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::large_futures,
    clippy::too_many_lines,
    missing_docs,
    unreachable_pub
)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;
mod entity;

mod actions;
mod at_once;
mod audit_scope;
mod audited_at_once;
mod audited_statement_count;
mod audited_transactions;
mod behavior;
mod bound;
mod bulk;
mod captured;
mod cascades;
mod concurrency;
mod context;
mod differential;
mod event_plans;
mod event_writer;
mod exports;
mod failures;
mod faults;
mod hard_cases;
mod keys;
mod large_statements;
mod lockout;
mod logged;
mod logins;
mod manual;
mod matrix;
mod migration;
mod migration_mode;
mod mock;
mod more_types;
mod no_change;
mod policy;
mod postgres_types;
mod rbac;
mod relations;
mod seaorm_features;
mod secrets;
mod skipping;
mod statement_count;
mod statement_forms;
mod statement_policy;
mod strict;
mod summary;
mod system_events;
mod transactions;
mod unwritten_events;
mod values;
