//! Statements of all kinds on a bare and an audited connection: the same answers, the same rows, and records that lead
//! from the old rows to the new ones, except for reported statements.
//!
//! A case is a name, how it is run (`c` over one pooled connection, `t` in a transaction; `k` if every old value is
//! known), the compared tables, the setup, and the statements, each with how it is sent (`e` execute, `u` unprepared,
//! `1` query one, `a` query all, `x` on another connection).
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    unused_macros,
    macro_expanded_macro_exports_accessed_by_absolute_paths
)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;
#[macro_use]
#[path = "../faults/entities.rs"]
mod entities;
#[path = "../faults/log_check.rs"]
mod log_check;
#[path = "../faults/oracle.rs"]
mod oracle;
#[path = "../faults/outcome.rs"]
mod outcome;

#[macro_use]
mod harness;
mod mariadb;
mod postgres;
mod sqlite;
