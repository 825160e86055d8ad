//! The macros at compile time: what they accept, and what they say of mistakes.
//!
//! One file per mistake. The words of a few messages are the compiler's, of Rust 1.95;
//! `TRYBUILD=overwrite cargo test --test ui` writes all of them anew.
#![allow(missing_docs)]

#[test]
fn what_is_right_compiles_and_runs_and_every_mistake_has_one_message() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
