//! What kind of server the database is.

use std::sync::Arc;

use sea_orm::DbBackend;

use super::affected::Catalogue;

/// What is the same for every session of a server. What a session or a transaction may set is asked for in the
/// transaction of the statement.
#[derive(Debug, Clone)]
pub(crate) struct ServerInfo {
    backend: DbBackend,
    /// Which tables change along with others.
    pub(super) catalogue: Arc<Catalogue>,
}

impl ServerInfo {
    pub(crate) fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            catalogue: Arc::default(),
        }
    }

    /// Whether cascades of the database fire triggers.
    pub(crate) fn cascades_fire_triggers(&self) -> bool {
        self.backend != DbBackend::MySql
    }

    pub(super) fn is_sqlite(&self) -> bool {
        self.backend == DbBackend::Sqlite
    }

    pub(super) fn is_mysql(&self) -> bool {
        self.backend == DbBackend::MySql
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.backend == DbBackend::Postgres
    }

    /// Whether names that differ by case are different tables. In MySQL that depends on the system:
    /// there are no two audited tables of one name in any case.
    pub(super) fn is_case_sensitive(&self) -> bool {
        self.is_postgres()
    }
}
