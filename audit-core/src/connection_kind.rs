//! The kind of a connection, as far as its type shows it.

use std::any::TypeId;

use sea_orm::{DatabaseConnection, DatabaseTransaction};

/// The kind of connection that a hook was given, as far as its type shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionKind {
    /// SeaORM's pool: every statement is its own transaction.
    Pool,
    /// SeaORM's transaction.
    Transaction,
    /// A type that can be either, such as `DatabaseExecutor`, or an application's wrapper.
    Other,
}

impl ConnectionKind {
    pub(crate) fn of<C>() -> Self {
        // `C` need not be `'static`, which `TypeId::of` requires.
        let id = typeid::of::<C>();
        if id == TypeId::of::<DatabaseConnection>() {
            Self::Pool
        } else if id == TypeId::of::<DatabaseTransaction>() {
            Self::Transaction
        } else {
            Self::Other
        }
    }
}
