//! The triggers of SQLite, through SeaORM and through the `sqlite3` client.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr
)]
// `unwrap` in tests, `println!` in what skips.
#![allow(dead_code, unused_macros)]

#[path = "../suite/support.rs"]
#[macro_use]
mod support;

mod client;
mod values;
