//! An entity with triggers, a child of each kind, and chains of both kinds in either order.

use sea_orm_audit::migration::AuditTriggers;

use crate::support::{TestDb, TestResult};

/// A table that refers to another, with ON DELETE CASCADE.
macro_rules! child {
    ($name:ident, $table:tt, $capture:tt, $parent:tt, $id:tt) => {
        pub mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = $table)]
            #[audit(capture = $capture)]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub id: i32,
                pub parent_id: i32,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {
                #[sea_orm(
                                                                    belongs_to = $parent,
                                                                    from = "Column::ParentId",
                                                                    to = $id,
                                                                    on_delete = "Cascade"
                                                                )]
                Parent,
            }
        }
    };
}

/// A table without foreign keys.
macro_rules! root {
    ($name:ident, $table:tt, $capture:tt) => {
        pub mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = $table)]
            #[audit(capture = $capture)]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub id: i32,
                pub title: String,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            pub(crate) fn new(id: i32, title: &str) -> ActiveModel {
                ActiveModel {
                    id: sea_orm::Set(id),
                    title: sea_orm::Set(title.to_owned()),
                }
            }
        }
    };
}

root!(ledger, "ledger", "trigger");
child!(
    hooked_entry,
    "hooked_entry",
    "hook",
    "super::ledger::Entity",
    "super::ledger::Column::Id"
);
child!(
    entry,
    "entry",
    "trigger",
    "super::ledger::Entity",
    "super::ledger::Column::Id"
);
root!(book, "book", "hook");
child!(
    page,
    "page",
    "trigger",
    "super::book::Entity",
    "super::book::Column::Id"
);
child!(
    note,
    "note",
    "hook",
    "super::page::Entity",
    "super::page::Column::Id"
);

/// Creates all tables and triggers.
pub(crate) async fn create(db: &TestDb) -> TestResult {
    db.create(ledger::Entity).await?;
    db.create(hooked_entry::Entity).await?;
    db.create(entry::Entity).await?;
    db.create(book::Entity).await?;
    db.create(page::Entity).await?;
    db.create(note::Entity).await?;
    AuditTriggers::of::<ledger::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<entry::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<page::Entity>().create(&db.conn).await?;
    Ok(())
}
