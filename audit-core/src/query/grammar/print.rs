//! From a query to its text.
//!
//! The text is one line without control characters, and reads back as the same query.

use std::fmt::{self, Write};

use super::key::Key;
use super::parse::OPERATORS;
use super::words::{must_be_quoted, network_text, written};
use crate::query::filter::{Condition, Filter};
use crate::query::search::AuditQuery;
use crate::text;

impl fmt::Display for AuditQuery {
    /// Writes the query grammar.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, filter) in self.filters.iter().enumerate() {
            if number > 0 {
                f.write_char(' ')?;
            }
            filter.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Filter {
    /// Writes one term of the query grammar.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_char('-')?;
        }
        let key = |f: &mut fmt::Formatter<'_>, key: Key| write!(f, "{}:", key.as_str());
        let texts = |f: &mut fmt::Formatter<'_>, name, values: &[String]| {
            key(f, name)?;
            list(f, values, |f, value| write_text(f, value, is_plain(value)))
        };
        match &self.condition {
            Condition::Model(names) => texts(f, Key::Model, names),
            Condition::Object(ids) => texts(f, Key::Object, ids),
            Condition::Action(actions) => {
                key(f, Key::Action)?;
                list(f, actions, |f, action| {
                    if must_be_quoted(action) {
                        write!(f, "\"{action}\"")
                    } else {
                        f.write_str(&written(action.as_str()))
                    }
                })
            }
            Condition::Outcome(outcomes) => {
                key(f, Key::Outcome)?;
                list(f, outcomes, |f, one| f.write_str(&written(one.as_str())))
            }
            Condition::Actor(ids) => texts(f, Key::Actor, ids),
            Condition::ActorType(types) => {
                key(f, Key::ActorType)?;
                list(f, types, |f, one| f.write_str(&written(one.as_str())))
            }
            Condition::Impersonator(ids) => texts(f, Key::Impersonator, ids),
            Condition::Address(networks) => {
                key(f, Key::Ip)?;
                list(f, networks, |f, one| write!(f, "{}", network_text(one)))
            }
            Condition::Tenant(tenants) => texts(f, Key::Tenant, tenants),
            Condition::Request(ids) => texts(f, Key::Request, ids),
            Condition::Trace(ids) => texts(f, Key::Trace, ids),
            Condition::Transaction(ids) => {
                key(f, Key::Transaction)?;
                list(f, ids, |f, id| write!(f, "{id}"))
            }
            Condition::Reason(parts) => texts(f, Key::Reason, parts),
            Condition::Source(sources) => {
                key(f, Key::Source)?;
                list(f, sources, |f, one| f.write_str(&written(one.as_str())))
            }
            Condition::Module(names) => texts(f, Key::Module, names),
            Condition::Created(period) => {
                key(f, Key::Created)?;
                period.fmt(f)
            }
            Condition::Field(names) => texts(f, Key::Field, names),
            Condition::From { field, values } => change(f, Key::From, field, values),
            Condition::To { field, values } => change(f, Key::To, field, values),
            Condition::Text(part) => {
                let is_word =
                    is_plain(part) && !part.starts_with('-') && !OPERATORS.contains(&part.as_str());
                write_text(f, part, is_word)
            }
        }
    }
}

fn change(f: &mut fmt::Formatter<'_>, key: Key, field: &str, values: &[String]) -> fmt::Result {
    write!(f, "{}:", key.as_str())?;
    write_text(f, field, is_plain(field))?;
    f.write_char('=')?;
    list(f, values, |f, value| write_text(f, value, is_plain(value)))
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    values: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    if values.is_empty() {
        return f.write_str("()");
    }
    for (number, value) in values.iter().enumerate() {
        if number > 0 {
            f.write_char(',')?;
        }
        write(f, value)?;
    }
    Ok(())
}

/// Whether a text needs no quotes, wherever it is. Some that need none have them, which is easier to read.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && (text.chars()).all(|char| char.is_alphanumeric() || "_-./@#+*%&$!?'~".contains(char))
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str, is_plain: bool) -> fmt::Result {
    if is_plain {
        return f.write_str(text);
    }
    f.write_char('"')?;
    for char in text.chars() {
        match char {
            '"' | '\\' => write!(f, "\\{char}")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            char if text::is_harmful(char) => write!(f, "\\u{{{:x}}}", u32::from(char))?,
            char => f.write_char(char)?,
        }
    }
    f.write_char('"')
}
