//! The kind of the database server.

use std::sync::Arc;

use sea_orm::DbBackend;

use super::affected_tables::Catalogue;

/// Properties that every session of a server shares. Settings of a session or a transaction are read in the
/// statement's transaction.
#[derive(Debug, Clone)]
pub(crate) struct ServerInfo {
    backend: DbBackend,
    /// The tables that change along with others.
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

    /// Whether names that differ in case are different tables. In MySQL that depends on the system: no two audited
    /// tables have one name in any case.
    pub(super) fn is_case_sensitive(&self) -> bool {
        self.is_postgres()
    }
}
