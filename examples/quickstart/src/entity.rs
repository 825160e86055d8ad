//! The application's three tables: ordinary entities, each with one additional derive.
//!
//! `deny_unknown_fields` makes a column that a later edition adds an error, instead of losing it.

pub mod country {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;
    use serde::Deserialize;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, Deserialize, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "countries")]
    #[audit(display = "{name} ({alpha_3})")]
    #[serde(deny_unknown_fields)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub alpha_3: String,
        #[sea_orm(unique)]
        pub alpha_2: String,
        pub numeric: String,
        pub name: String,
        pub official_name: Option<String>,
        pub common_name: Option<String>,
        #[sea_orm(has_many)]
        #[serde(skip)]
        pub subdivisions: HasMany<super::subdivision::Entity>,
    }
}

pub mod subdivision {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;
    use serde::Deserialize;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, Deserialize, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "subdivisions")]
    #[audit(display = "{name} ({code})")]
    #[serde(deny_unknown_fields)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub code: String,
        pub name: String,
        pub r#type: String,
        pub parent: Option<String>,
        /// Not a separate field of the files: the part of `code` before the dash.
        #[serde(skip)]
        pub country_code: String,
        #[sea_orm(belongs_to, from = "country_code", to = "alpha_2")]
        #[serde(skip)]
        pub country: BelongsTo<super::country::Entity>,
        #[sea_orm(
            self_ref,
            relation_enum = "Whole",
            relation_reverse = "Parts",
            from = "parent",
            to = "code"
        )]
        #[serde(skip)]
        pub whole: BelongsTo<Option<Entity>>,
        #[sea_orm(self_ref, relation_enum = "Parts", relation_reverse = "Whole")]
        #[serde(skip)]
        pub parts: HasMany<Entity>,
    }
}

pub mod language {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;
    use serde::Deserialize;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, Deserialize, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "languages")]
    #[audit(display = "{name} ({alpha_3})")]
    #[serde(deny_unknown_fields)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub alpha_3: String,
        pub alpha_2: Option<String>,
        pub name: String,
        pub inverted_name: Option<String>,
        pub scope: String,
        pub r#type: String,
    }
}

use sea_orm::{ConnectionTrait, DbErr, Schema};

/// Creates the three tables, foreign keys included.
pub async fn create_tables<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    let schema = Schema::new(db.get_database_backend());
    for table in [
        schema.create_table_from_entity(country::Entity),
        schema.create_table_from_entity(subdivision::Entity),
        schema.create_table_from_entity(language::Entity),
    ] {
        db.execute(&table).await?;
    }
    Ok(())
}
