pub mod ledger {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "ledger")]
    #[audit(capture = "trigger")] // hooks, connection and builders defer to the triggers
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub amount: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

use sea_orm_audit::migration::AuditTriggers;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // after the migrations of the table and of the audit tables
        let triggers = AuditTriggers::of::<ledger::Entity>();
        triggers.create(manager.get_connection()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let triggers = AuditTriggers::of::<ledger::Entity>();
        triggers.drop(manager.get_connection()).await
    }
}
