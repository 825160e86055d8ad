//! The audit tables as SeaORM migrations, and migration mode for the application's own.

pub use sea_orm_audit_migration::{
    AuditTriggers, AuditedMigrator, Captured, Coverage, CoverageIncomplete, Finding, Migrator,
    MigratorTrait, Note, SkippedBy, TableCoverage, TriggerCheck, coverage, migrations,
    migrations_for,
};
