//! The command itself, on real databases.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    unused_macros
)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;

mod databases;
mod errors;
mod examples;
mod exports;
mod guide;
mod hostile;
mod json;
mod objects;
mod permissions;
mod pipes;
mod program;
mod sample;
mod terminal;
