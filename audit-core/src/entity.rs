//! The audit tables as SeaORM entities, to be queried like any other.
//!
//! The tables' names follow the configuration that applies where a query is built.

pub mod audit_data_export;
pub mod audit_log;
pub mod audit_login_attempt;
pub mod audit_system_event;

/// The boilerplate that the four entities share: a name from the configuration, no relations, no
/// hooks.
macro_rules! audit_entity {
    ($table:ident) => {
        /// The entity.
        #[derive(Copy, Clone, Default, Debug, DeriveEntity)]
        pub struct Entity;

        impl EntityName for Entity {
            fn schema_name(&self) -> Option<&str> {
                crate::config::AuditConfig::current().tables().schema()
            }

            fn table_name(&self) -> &'static str {
                crate::config::AuditConfig::current().tables().$table()
            }
        }

        /// An audit table refers to no other table: history must outlive what it records.
        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}
    };
}
pub(crate) use audit_entity;
