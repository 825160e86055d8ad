//! The paths of a write.

use crate::args::Server;

/// How a write is made and recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Path {
    /// SeaORM alone, on an entity without hooks.
    Bare,
    /// Hooks as an application writes them for itself.
    Manual,
    /// The derive's hooks, on SeaORM's own connection.
    Hooks,
    /// `AuditedConnection`.
    Connection,
    /// The bulk builders, on SeaORM's own connection.
    Bulk,
    /// Triggers of the database, on SeaORM's own connection.
    Trigger,
    /// Triggers of the database, on an `AuditedConnection`, which sets their context.
    TriggerContext,
    /// Triggers of the database, on SeaORM's own connection, whose pool sets their context.
    TriggerPool,
    /// `AuditedConnection`, on an entity that is skipped.
    Skipped,
}

impl Path {
    pub(crate) const ALL: [Self; 9] = [
        Self::Bare,
        Self::Manual,
        Self::Hooks,
        Self::Connection,
        Self::Bulk,
        Self::Trigger,
        Self::TriggerContext,
        Self::TriggerPool,
        Self::Skipped,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Manual => "manual",
            Self::Hooks => "hooks",
            Self::Connection => "connection",
            Self::Bulk => "bulk",
            Self::Trigger => "trigger",
            Self::TriggerContext => "trigger, context",
            Self::TriggerPool => "trigger, pool",
            Self::Skipped => "skipped",
        }
    }

    /// Whether the database has it.
    pub(crate) const fn is_on(self, server: Server) -> bool {
        !matches!((self, server), (Self::TriggerPool, Server::Sqlite))
    }

    /// Whether anything is to be recorded.
    pub(crate) const fn records(self) -> bool {
        !matches!(self, Self::Bare | Self::Skipped)
    }
}

/// Whether the operation is a transaction by itself or in one that the application begins. Only
/// operations of the same kind are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Autocommit,
    Transaction,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Autocommit, Self::Transaction];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Autocommit => "autocommit",
            Self::Transaction => "transaction",
        }
    }
}
