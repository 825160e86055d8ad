//! Generated statements on bare and audited connections: an application sees no difference.
//!
//! A case is a list of statements and of calls of SeaORM's builders and models. It runs from the same first rows on
//! SeaORM's own connection and on every audited path, each in its own database. Compared are the answers (returned
//! rows, models, `rows_affected`, `last_insert_id`, errors by variant, kind, code and message) and the final rows of
//! all tables. Then the log is applied to the first rows and must give the final ones. Where it does not, and a system
//! event reports a statement or another client has written, the case runs once more unaudited, and the rows are read
//! after each step: the log must split into parts that lead from step to step. Only rows that the part does not name
//! may differ, and only where an event reports this step's statement. The shares of reported statements, by kind, and
//! of unknown values are bounded.
//!
//! In transactions another client writes between two steps, at the default isolation and at another one.
//!
//! Not compared: `last_insert_id` of SQLite after a statement that inserted no row, the order of returned rows, steps
//! after a statement that ends a transaction, `query_one` of rows that MariaDB returns from a write, and the
//! differences in `permitted`.
//!
//! A failing case is shrunk before it is printed. Each kind of difference is printed once.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `EQUIVALENCE_SEED` | which cases are made | 1 |
//! | `EQUIVALENCE_STATEMENTS` | how many statements are run on each database; 20000 by `scripts/nightly` | 2000 |
//! | `EQUIVALENCE_PATHS` | which ways of writing are compared, by their names with commas between | all |
//! | `EQUIVALENCE_CASE` | the number of the only case that is run | all |
//! | `EQUIVALENCE_FIRST_CASE` | the number of the first case that is run | 1 |
#![allow(
    clippy::explicit_auto_deref,
    clippy::items_after_statements,
    clippy::similar_names,
    clippy::single_match_else,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::format_push_string,
    clippy::too_many_lines,
    clippy::large_futures,
    missing_docs,
    unreachable_pub,
    unused_imports,
    unused_macros
)]

mod account;
mod answer;
mod bulk;
mod call;
mod case;
mod change;
mod choice;
mod compare;
mod connection;
mod counts;
mod entities;
mod expr;
mod findings;
mod insert;
mod lane;
mod log_replay;
mod model_op;
mod odd;
mod op;
mod other_client;
mod permitted;
mod run;
mod run_case;
mod schema;
mod shrink;
mod tables;
mod text;
mod trace;
mod words;

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;

use support::{TestDb, TestResult};

on_every_database! {
    audited_statements_equal_unaudited_ones,
}

async fn audited_statements_equal_unaudited_ones(db: &TestDb) -> TestResult {
    run::all(db.backend()).await
}
