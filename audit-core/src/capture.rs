//! Capture: from a write to its record.

mod before_image;
mod finished;
mod generated;
mod hook;
mod operating;
#[cfg(feature = "statements")]
mod statement;
mod told;

use std::any::TypeId;

use sea_orm::{DatabaseConnection, DatabaseTransaction};

pub(crate) use before_image::{CAPACITY, store};
pub(crate) use hook::{after_delete, after_save, before_delete, before_save, deleted, saved};
#[cfg(feature = "statements")]
pub(crate) use statement::{
    Affected, Answer, Audited, Call, Engine, Gap, LiveTables, Problem, Server, is_given_up,
    result_of, roll_back,
};

/// What kind of connection a hook was given, as far as its type tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handle {
    /// SeaORM's pool: every statement is its own transaction.
    Pool,
    /// SeaORM's transaction.
    Transaction,
    /// A type that can be either, such as `DatabaseExecutor`, or somebody's wrapper.
    Other,
}

impl Handle {
    pub(crate) fn of<C>() -> Self {
        // `C` need not be `'static`, which `TypeId::of` wants.
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
