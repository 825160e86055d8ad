use sea_orm::DbErr;
use sea_orm_audit::AuditedConnection;

pub mod brand {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model] // above the derives
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "brand")]
    #[audit(display = "{name}")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        #[sea_orm(has_many)]
        pub blends: HasMany<super::blend::Entity>, // no column, so it is in no record
    }
}

pub mod blend {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "blend")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        pub brand_id: i32,
        #[sea_orm(belongs_to, from = "brand_id", to = "id")]
        pub brand: BelongsTo<super::brand::Entity>,
    }
}

/// The format of SeaORM 1, with `ModelEx` and builder.
pub mod tasting {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::compact_model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "tasting")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub note: String,
        pub blend_id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::blend::Entity",
            from = "Column::BlendId",
            to = "super::blend::Column::Id"
        )]
        Blend,
    }

    impl Related<super::blend::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Blend.def()
        }
    }
}

/// Each row that is saved has its own record. All are in one transaction.
pub async fn add(db: &AuditedConnection, name: &str) -> Result<brand::ModelEx, DbErr> {
    let earl_grey = blend::ActiveModel::builder().set_name("Earl Grey");
    brand::ActiveModel::builder()
        .set_name(name)
        .add_blend(earl_grey)
        .insert(db)
        .await
}

#[cfg(test)]
pub(crate) async fn with_tables(
    db: sea_orm_audit::test::TestDatabase,
) -> Result<sea_orm_audit::test::TestDatabase, DbErr> {
    let db = db.with_table(brand::Entity).await?;
    let db = db.with_table(blend::Entity).await?;
    db.with_table(tasting::Entity).await
}

#[cfg(test)]
mod tests {
    use sea_orm::{EntityTrait, IntoActiveModel};
    use sea_orm_audit::Action;
    use sea_orm_audit::test::{Log, TestDatabase};

    use super::*;

    async fn database() -> Result<AuditedConnection, DbErr> {
        let db = with_tables(TestDatabase::new().await?).await?;
        Ok(AuditedConnection::new((*db).clone()))
    }

    #[tokio::test]
    async fn nested_insert_records_each_row_in_one_transaction() -> Result<(), DbErr> {
        let db = database().await?;
        let brand = add(&db, "Ann's").await?;
        let log = Log::read(&db).await?;
        assert_eq!(log.records().len(), 2);
        assert!(log.records()[0].transaction_id.is_some());
        assert_eq!(
            log.records()[0].transaction_id,
            log.records()[1].transaction_id
        );
        log.has(Action::Create, "brand", brand.id)
            .began_with("name", "Ann's");
        log.has(Action::Create, "blend", 1)
            .began_with("brand_id", 1);
        Ok(())
    }

    #[tokio::test]
    async fn builder_update_and_delete_are_recorded() -> Result<(), DbErr> {
        let db = database().await?;
        add(&db, "Ann's").await?;
        Log::clear(&db).await?;
        let blend = blend::Entity::find_by_id(1).one(&db).await?;
        let blend = blend.ok_or(DbErr::RecordNotFound("blend".into()))?;
        let blend = blend.into_active_model().into_ex();
        let blend = blend.set_name("Lady Grey").update(&db).await?;
        Log::read(&db)
            .await?
            .only(Action::Update, "blend", 1)
            .changed("name", "Earl Grey", "Lady Grey");
        Log::clear(&db).await?;
        blend.into_active_model().delete(&db).await?;
        let _ = Log::read(&db).await?.only(Action::Delete, "blend", 1);
        Ok(())
    }

    #[tokio::test]
    async fn builder_of_a_compact_model_is_recorded() -> Result<(), DbErr> {
        let db = database().await?;
        add(&db, "Ann's").await?;
        Log::clear(&db).await?;
        let tasting = tasting::ActiveModel::builder().set_note("malty");
        let tasting = tasting.set_blend_id(1).save(&db).await?;
        let tasting = tasting.set_note("floral").save(&db).await?;
        tasting.delete(&db).await?;
        let log = Log::read(&db).await?;
        let actions: Vec<&str> = (log.records().iter())
            .map(|record| record.action.as_str())
            .collect();
        assert_eq!(actions, ["CREATE", "UPDATE", "DELETE"]);
        log.has(Action::Update, "tasting", 1)
            .changed("note", "malty", "floral");
        Ok(())
    }
}
