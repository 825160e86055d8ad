//! Statements that auditing once changed or recorded wrongly: each has the same result as on a bare connection.
#![allow(
    clippy::cloned_ref_to_slice_refs,
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
mod entities;
mod log_check;
mod oracle;
mod outcome;
mod played;

mod attached;
mod clocks;
mod column_order;
mod conflict_indexes;
mod contention;
mod dropped_statements;
mod engines;
mod errors;
mod exact_values;
mod indirect;
mod kept_parts;
mod kept_snapshot;
mod key_followers;
mod key_order;
mod large;
mod lock_errors;
mod more_failures;
mod mysql_sessions;
mod names;
mod old_new;
mod other_tables;
mod partitions;
mod reads;
mod replaces;
mod returned_columns;
mod rewritten_rows;
mod row_security;
mod session_settings;
mod shared_keys;
mod snapshots;
mod spilled;
mod split_texts;
mod stale_plans;
mod statement_forms;
mod text_control;
mod unfindable_keys;
mod unprepared;
mod unreadable;
mod unreadable_keys;
mod upserts;
mod visible_effects;
