//! Audit logging for SeaORM.
#[doc(hidden)]
pub use sea_orm_audit_core::__private;
pub use sea_orm_audit_core::*;
#[cfg(feature = "derive")]
pub use sea_orm_audit_derive::{Auditable, behavior};
#[cfg(feature = "migration")]
pub mod migration {
    //! m
    pub use sea_orm_audit_migration::{AuditedMigrator, Migrator, migrations, migrations_for};
}
