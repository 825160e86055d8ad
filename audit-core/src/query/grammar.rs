//! The text form of a query: the query grammar.
//!
//! ```text
//! query  = { white space } [ term { white space term } ] { white space }
//! term   = [ "-" ] ( key ":" values | text )
//! values = "()" | [ field "=" ] value { "," value }
//! text, value, field = word | quoted
//! quoted = '"' { character | escape } '"'
//! escape = "\" ( '"' | "\" | "n" | "r" | "t" | "u{" hexadecimal digits "}" )
//! ```
//!
//! Only `from` and `to` have a field. A word has no white space and no quote; a word of a text also no colon, a value no
//! comma, a field no comma and no `=`. Words begin with no parenthesis, and a text with no `-`. There is no OR
//! between filters, since a query must become ranges of indexes.

mod complete;
mod key;
mod parse;
mod print;
mod scan;
#[cfg(test)]
mod tests;
mod words;

use std::str::FromStr;

pub use complete::Completion;

use super::error::QueryError;
use super::search::AuditQuery;

/// How much a text may ask for.
#[derive(Debug, Clone, Copy)]
struct Limits {
    bytes: usize,
    filters: usize,
    values: usize,
}

impl AuditQuery {
    /// The longest text that is read, in bytes.
    pub const MAX_BYTES: usize = 4096;
    /// The most filters that are read from a text.
    pub const MAX_FILTERS: usize = 64;
    /// The most values that are read from a text, in all filters together.
    pub const MAX_VALUES: usize = 256;
}

/// What the text of a URL may ask for.
const LIMITS: Limits = Limits {
    bytes: AuditQuery::MAX_BYTES,
    filters: AuditQuery::MAX_FILTERS,
    values: AuditQuery::MAX_VALUES,
};

impl FromStr for AuditQuery {
    type Err = QueryError;

    /// Reads the query grammar; an empty text is a query without filters.
    ///
    /// # Examples
    /// ```
    /// use sea_orm_audit_core::AuditQuery;
    /// let query: AuditQuery = r#"actor:7 model:order -source:trigger reason:"price, wrong" "Ann Lee""#.parse()?;
    /// assert_eq!(query.filters().len(), 5);
    ///
    /// if let Err(error) = "action:updte".parse::<AuditQuery>() {
    ///     assert_eq!(error.suggestion(), Some("update"));
    /// }
    /// # Ok::<(), sea_orm_audit_core::QueryError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let filters = parse::filters(text, LIMITS)?;
        Ok(Self { filters })
    }
}
