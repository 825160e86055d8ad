//! Tests of the rules and their builder.
