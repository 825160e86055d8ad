//! Exports of the log: each format is read back by an independent reader and compared with the table; every end of an
//! export is recorded as it was.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, unused_macros)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;

mod begin;
mod endings;
mod formats;
mod parquet_rows;
mod sample;
mod stream;
mod writer;
