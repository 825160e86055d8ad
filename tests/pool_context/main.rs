//! Triggers on SeaORM's own pool, and the actor of the task that acquires a connection: on the servers named by
//! `TEST_POSTGRES_URL` and `TEST_MYSQL_URL`, and the pooler named by `TEST_PGBOUNCER_URL`; `scripts/with-databases`
//! starts them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::large_futures,
    dead_code,
    missing_docs,
    unreachable_pub
)]

use sea_orm_audit_tests::support;

mod connections;
mod contexts;
mod entity;
mod many_actors;
mod pool;
mod pooler;

/// Makes a test of each function, on both servers.
macro_rules! on_servers {
    ($($name:ident),* $(,)?) => {
        mod postgres { $crate::support::tests_on!(postgres: $($name),*); }
        mod mariadb { $crate::support::tests_on!(mariadb: $($name),*); }
    };
}
pub(crate) use on_servers;
