//! The macros at compile time: accepted code, and the messages for mistakes.
//!
//! One file per mistake. The compiler words a few messages, so all messages are compared under the compiler version
//! that produced them; `TRYBUILD=overwrite cargo test -p sea-orm-audit-tests --test ui` rewrites all of them.
#![allow(clippy::print_stderr, missing_docs)]

use std::process::Command;

const WRITTEN_WITH: &str = "rustc 1.95.";

#[test]
fn valid_code_compiles_and_each_mistake_has_one_message() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    let version = Command::new("rustc").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match version {
        Ok(version) if !version.starts_with(WRITTEN_WITH) => {
            eprintln!("NOT RUN: the messages are {WRITTEN_WITH}x's, this is {version}");
        }
        _ => cases.compile_fail("ui/fail/*.rs"),
    }
}
