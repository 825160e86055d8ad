//! Generated statements on bare and audited connections: equal in all that an application sees.
#![allow(
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
#[path = "../suite/support.rs"]
mod support;
