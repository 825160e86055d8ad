//! The names of the audit tables.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use sea_orm::sea_query::{Alias, IntoTableRef, TableRef};

use crate::error::AuditError;

/// The names of the four audit tables, and the schema they are in.
///
/// Cheap to copy: SeaORM wants `'static` names, so each name that is ever configured is kept for
/// the life of the process, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tables {
    schema: Option<&'static str>,
    log: &'static str,
    login_attempt: &'static str,
    data_export: &'static str,
    system_event: &'static str,
    history: &'static str,
    trigger_context: &'static str,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            schema: None,
            log: "audit_log",
            login_attempt: "audit_login_attempt",
            data_export: "audit_data_export",
            system_event: "audit_system_event",
            history: "audit_migrations",
            trigger_context: "audit_trigger_context",
        }
    }
}

fn intern(name: String) -> &'static str {
    static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    name
}

/// The longest prefix: index names made from it stay within PostgreSQL's 63 bytes.
const PREFIX_LIMIT: usize = 30;

fn identifier(what: &str, name: &str, limit: usize) -> Result<(), AuditError> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain && name.len() <= limit {
        return Ok(());
    }
    Err(AuditError::Config(format!(
        "the {what} `{name}` must be letters, digits and `_`, not begin with a digit, and have at \
         most {limit} characters"
    )))
}

impl Tables {
    /// Whether this is the name of one of them.
    #[cfg(feature = "statements")]
    pub(crate) fn has(&self, table: &str) -> bool {
        [
            self.log,
            self.login_attempt,
            self.data_export,
            self.system_event,
            self.history,
            self.trigger_context,
        ]
        .contains(&table)
    }

    /// Names for a prefix and a schema.
    ///
    /// # Errors
    /// Returns [`AuditError::Config`] when either is no plain identifier.
    pub fn new(prefix: &str, schema: Option<&str>) -> Result<Self, AuditError> {
        identifier("table prefix", prefix, PREFIX_LIMIT)?;
        if let Some(schema) = schema {
            identifier("schema", schema, 63)?;
            if schema.is_empty() {
                return Err(AuditError::Config("the schema is empty".into()));
            }
        }
        if prefix == "seaql_" {
            return Err(AuditError::Config(
                "the table prefix `seaql_` would make the audit Migrator use SeaORM's own history \
                 table; choose another"
                    .into(),
            ));
        }
        let name = |table: &str| intern(format!("{prefix}{table}"));
        Ok(Self {
            schema: schema.map(|schema| intern(schema.to_owned())),
            log: name("log"),
            login_attempt: name("login_attempt"),
            data_export: name("data_export"),
            system_event: name("system_event"),
            history: name("migrations"),
            trigger_context: name("trigger_context"),
        })
    }

    /// The schema, where one is configured.
    #[must_use]
    pub const fn schema(self) -> Option<&'static str> {
        self.schema
    }

    /// The table of records.
    #[must_use]
    pub const fn log(self) -> &'static str {
        self.log
    }

    /// The table of attempts to sign in, and of logouts.
    #[must_use]
    pub const fn login_attempt(self) -> &'static str {
        self.login_attempt
    }

    /// The table of data exports.
    #[must_use]
    pub const fn data_export(self) -> &'static str {
        self.data_export
    }

    /// The table of system events.
    #[must_use]
    pub const fn system_event(self) -> &'static str {
        self.system_event
    }

    /// The history table of the audit Migrator. It has no schema: SeaORM's Migrator supports none.
    #[must_use]
    pub const fn history(self) -> &'static str {
        self.history
    }

    /// The table in which a transaction stores its context for triggers; PostgreSQL uses settings instead.
    #[must_use]
    pub const fn trigger_context(self) -> &'static str {
        self.trigger_context
    }

    /// A table for a statement, qualified with the schema where there is one.
    #[must_use]
    pub fn reference(self, table: &'static str) -> TableRef {
        match self.schema {
            Some(schema) => (Alias::new(schema), Alias::new(table)).into_table_ref(),
            None => Alias::new(table).into_table_ref(),
        }
    }

    /// A table for a message.
    #[must_use]
    pub fn qualified(self, table: &str) -> String {
        match self.schema {
            Some(schema) => format!("{schema}.{table}"),
            None => table.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_prefix_and_schema() -> Result<(), AuditError> {
        let tables = Tables::new("x_", Some("audit"))?;
        assert_eq!(tables.log(), "x_log");
        assert_eq!(tables.qualified(tables.log()), "audit.x_log");
        assert_eq!(Tables::new("audit_", None)?, Tables::default());
        Ok(())
    }

    #[test]
    fn invalid_identifier_is_refused() {
        let long = "a".repeat(31);
        for prefix in ["seaql_", "a b", "1a", "a\"", "a;", "ä", &long] {
            assert!(Tables::new(prefix, None).is_err(), "{prefix}");
        }
        assert!(Tables::new("", Some("")).is_err());
        assert!(Tables::new("", None).is_ok());
    }
}
