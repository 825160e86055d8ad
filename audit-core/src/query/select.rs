//! A query as a part of the application's own SELECT: [`AuditLogSelect`].

use sea_orm::{DbBackend, QueryFilter, Select};

use super::AuditQuery;
use super::condition::{Place, of_filter};
use crate::config::AuditConfig;
use crate::entity::audit_log;
use crate::error::AuditError;

mod sealed {
    pub trait Sealed {}
    impl Sealed for sea_orm::Select<crate::entity::audit_log::Entity> {}
}

/// Adds the filters of an [`AuditQuery`] to a `Select` of the log.
///
/// # Examples
/// ```
/// use sea_orm::{DbBackend, EntityTrait, QuerySelect, QueryTrait};
/// use sea_orm_audit_core::{AuditLogSelect, AuditQuery};
/// use sea_orm_audit_core::entity::audit_log;
///
/// let query: AuditQuery = "model:order -source:trigger".parse()?;
/// let select = audit_log::Entity::find().matching(&query, DbBackend::Sqlite)?.limit(10);
/// assert!(select.build(DbBackend::Sqlite).sql.contains("WHERE"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait AuditLogSelect: sealed::Sealed + Sized {
    /// Keeps the records that the query finds.
    ///
    /// Nothing bounds how many records the database reads; [`AuditQuery::pages`] does.
    ///
    /// # Errors
    /// Returns [`AuditError::Query`] for a filter on an IPv6 network, which SQL cannot compare with the text of an
    /// address; a single address can be compared.
    fn matching(self, query: &AuditQuery, backend: DbBackend) -> Result<Self, AuditError>;
}

impl AuditLogSelect for Select<audit_log::Entity> {
    fn matching(mut self, query: &AuditQuery, backend: DbBackend) -> Result<Self, AuditError> {
        let place = Place {
            backend,
            now: AuditConfig::current().now(),
        };
        for filter in query.filters() {
            let sql = of_filter(filter, place);
            if sql.rest.is_some() {
                return Err(AuditError::Query {
                    why: "SQL cannot compare an IPv6 network with the text of an address: read pages, or name addresses",
                });
            }
            self = self.filter(sql.expr);
        }
        Ok(self)
    }
}
